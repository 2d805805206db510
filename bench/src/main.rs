//! Measures connector_pipeline against what one would write instead, on one server and in one run.
//!
//! Usage: connector_pipeline_bench [--strict] [QUESTION…]. Without a question it answers all. The server is the one that
//! CONNECTOR_PIPELINE_BENCH_URL names (a superuser's connection string). CONNECTOR_PIPELINE_BENCH_OUTPUT is the folder
//! for the raw figures and the picture, BENCH_ROUNDS the number of rounds (5).

mod connections;
mod data;
mod filling;
mod finding;
mod growth;
mod importers;
mod imports;
mod memory;
mod picture;
mod reading;
mod report;
mod rounds;
mod server;
mod staging;
mod stale_plan;
mod traces;
mod wire;

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use finding::Finding;
use server::{Result, Server};

/// What a question needs for its answer.
pub struct Bench {
    server: Server,
    rounds: usize,
    output: PathBuf,
}

type Question = (&'static str, fn(&Bench) -> Result<Vec<Finding>>);

const QUESTIONS: [Question; 10] = [
    ("batches", imports::batches),
    ("rows", imports::rows),
    ("duplicates", imports::duplicates),
    ("wire", wire::wire),
    ("reading", reading::reading),
    ("growth", growth::growth),
    ("stale-plan", stale_plan::stale_plan),
    ("memory", memory::memory),
    ("traces", traces::traces),
    ("connections", connections::connections),
];

fn main() -> ExitCode {
    run().unwrap_or_else(|error| {
        eprintln!("error: {error}");
        ExitCode::FAILURE
    })
}

fn run() -> Result<ExitCode> {
    let (options, names): (Vec<String>, Vec<String>) = env::args().skip(1).partition(|arg| arg.starts_with("--"));
    let is_strict = options.iter().any(|option| option == "--strict");
    if let Some(unknown) = names.iter().find(|name| QUESTIONS.iter().all(|(known, _)| known != name)) {
        let known: Vec<&str> = QUESTIONS.iter().map(|(name, _)| *name).collect();
        return Err(format!("there is no question {unknown}; there are {}", known.join(", ")).into());
    }
    let url = env::var("CONNECTOR_PIPELINE_BENCH_URL").map_err(|_| "CONNECTOR_PIPELINE_BENCH_URL names no server")?;
    let output = PathBuf::from(env::var("CONNECTOR_PIPELINE_BENCH_OUTPUT").unwrap_or_else(|_| ".".to_owned()));
    fs::create_dir_all(&output)?;
    let rounds = env::var("BENCH_ROUNDS").map_or(Ok(5), |rounds| rounds.parse())?;
    let bench = Bench { server: Server::prepare(&url)?, rounds, output };

    let mut findings = Vec::new();
    for (name, answer) in
        QUESTIONS.iter().filter(|(name, _)| names.is_empty() || names.iter().any(|asked| asked == name))
    {
        eprintln!("-- {name}");
        let start = Instant::now();
        for finding in answer(&bench)? {
            eprintln!("   {}", report::row(&finding));
            findings.push((*name, finding));
        }
        eprintln!("   ({:.0} s)", start.elapsed().as_secs_f64());
    }

    println!("{}", report::HEAD);
    findings.iter().for_each(|(_, finding)| println!("{}", report::row(finding)));
    let raw = report::json(bench.server.describe()?, rounds, &findings);
    fs::write(bench.output.join("figures.json"), format!("{raw:#}\n"))?;
    let missed = findings.iter().filter(|(_, finding)| finding.is_met() == Some(false)).count();
    println!("\n{missed} targets missed; raw figures in {}", bench.output.join("figures.json").display());
    Ok(if is_strict && missed > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
