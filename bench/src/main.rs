//! Measures connector_pipeline against what one would write instead, on one server and in one run.
//!
//! Usage: connector_pipeline_bench [--strict] [BENCHMARK…], see dev/bench. The environment has
//! - CONNECTOR_PIPELINE_BENCH_URL, a superuser's connection string to the server
//! - CONNECTOR_PIPELINE_BENCH_BEFORE_URL and …_BEFORE, optional: a server with an earlier build, and its revision
//! - CONNECTOR_PIPELINE_BENCH_OUTPUT, the folder for the raw figures and the chart
//! - BENCH_ROUNDS, the number of rounds (5)

mod bench;
mod benchmarks;
mod chart;
mod comparison;
mod database;
mod error;
mod fill;
mod importers;
mod measurement;
mod records;
mod report;
mod rounds;
mod server;
mod staging;

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use bench::{Before, Bench};
use error::Result;
use server::Server;

fn main() -> ExitCode {
    run().unwrap_or_else(|error| {
        eprintln!("error: {error}");
        ExitCode::FAILURE
    })
}

fn run() -> Result<ExitCode> {
    let (options, prefixes): (Vec<String>, Vec<String>) = env::args().skip(1).partition(|arg| arg.starts_with("--"));
    if let Some(unknown) = options.iter().find(|option| *option != "--strict") {
        return Err(format!("unknown option {unknown}; the only one is --strict").into());
    }
    let benchmarks = benchmarks::find(&prefixes)?;
    let bench = prepare()?;

    let mut measurements = Vec::new();
    for (name, measure) in benchmarks {
        eprintln!("-- {name}");
        let start = Instant::now();
        for measurement in measure(&bench)? {
            eprintln!("   {}", report::row(&measurement));
            measurements.push((name, measurement));
        }
        eprintln!("   ({:.0} s)", start.elapsed().as_secs_f64());
    }

    println!("{}", report::HEAD);
    measurements.iter().for_each(|(_, measurement)| println!("{}", report::row(measurement)));
    let raw = report::json(bench.server.describe()?, bench.rounds, &measurements);
    fs::write(bench.output.join("figures.json"), format!("{raw:#}\n"))?;
    let missed = measurements.iter().filter(|(_, measurement)| measurement.is_met() == Some(false)).count();
    println!("\n{missed} targets missed; raw figures in {}", bench.output.join("figures.json").display());
    let is_strict = !options.is_empty();
    Ok(if is_strict && missed > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Reads the environment and prepares the servers.
fn prepare() -> Result<Bench> {
    let url = env::var("CONNECTOR_PIPELINE_BENCH_URL").map_err(|_| "CONNECTOR_PIPELINE_BENCH_URL is not set")?;
    let before = match env::var("CONNECTOR_PIPELINE_BENCH_BEFORE_URL") {
        Ok(url) => {
            let revision = env::var("CONNECTOR_PIPELINE_BENCH_BEFORE").unwrap_or_else(|_| "before".to_owned());
            Some(Before { server: Server::prepare(&url)?, revision })
        }
        Err(_) => None,
    };
    let output = PathBuf::from(env::var("CONNECTOR_PIPELINE_BENCH_OUTPUT").unwrap_or_else(|_| ".".to_owned()));
    fs::create_dir_all(&output)?;
    let rounds = env::var("BENCH_ROUNDS").map_or(Ok(5), |rounds| rounds.parse())?;
    Ok(Bench { server: Server::prepare(&url)?, before, rounds, output })
}
