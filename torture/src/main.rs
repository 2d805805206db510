//! Attacks the product with many connections, crashes and cancels, and checks after each run and each recovery that what
//! it promises holds.
//!
//! Usage: connector_pipeline_torture [--seconds N] [--seed N] [--controls | --control WORDS] [SCENARIO…]. Scenarios are
//! concurrency, crash and cancel; --control runs the negative controls with these words in their names. The server is that of CONNECTOR_PIPELINE_TORTURE_URL (a superuser's connection string), to be had for
//! itself. CONNECTOR_PIPELINE_TORTURE_CONTROL is a command that brings it down and up, with ACTION for `crash` or `start`;
//! CONNECTOR_PIPELINE_TORTURE_AMCHECK is pg_amcheck.
//!
//! A seed repeats what is decided: keys, calls, transactions, faults. When things meet is the machine's part.

mod cancel;
mod checks;
mod concurrency;
mod connection;
mod controls;
mod crash;
mod crew;
mod faults;
mod history;
mod model;
mod properties;
mod recordings;
mod server;
mod watch;
mod workload;

use std::env;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use checks::{Checks, Property};
use connection::Shared;
use history::{OfKey, Operation};
use server::{Result, Server};
use watch::Watch;

/// A run, and what has been done in the round that is being checked.
pub struct Run {
    pub server: Server,
    pub watch: Watch,
    pub seed: u64,
    pub round: u64,
    pub round_began: Instant,
    pub history: Vec<Operation>,
}

impl Run {
    /// Each round has random numbers of its own.
    pub fn begin_round(&mut self) {
        self.round += 1;
        self.round_began = Instant::now();
        self.watch.begin_round();
    }

    /// What the connections of a round, which are at their end, were not given.
    pub fn check_answers(&self, shared: &Shared, checks: &mut Checks) {
        self.watch.report(checks);
        let endless = shared.endless_conflicts();
        checks.holds(Property::Answers, None, endless.is_empty(), || endless.join("\n"));
    }
}

struct Options {
    seconds: u64,
    seed: u64,
    /// Negative controls instead of an attack: those with this in their names.
    controls: Option<String>,
    scenarios: Vec<String>,
}

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<bool> {
    let options = options()?;
    let server = Server::new(
        &variable("CONNECTOR_PIPELINE_TORTURE_URL")?,
        &variable("CONNECTOR_PIPELINE_TORTURE_CONTROL")?,
        variable("CONNECTOR_PIPELINE_TORTURE_AMCHECK")?.into(),
    )?;
    println!("seed {}, PostgreSQL {}", options.seed, server.version()?);
    let longest_call = if options.controls.is_some() { controls::LONGEST_CALL } else { watch::LONGEST_CALL };
    let watch = Watch::start(&server, longest_call);
    let mut run = Run { server, watch, seed: options.seed, round: 0, round_began: Instant::now(), history: Vec::new() };
    if let Some(words) = &options.controls {
        return controls::run(&mut run, words);
    }
    attack(&mut run, &options)
}

/// A fifth of the time goes to concurrency, another to cancels, the rest to crashes: one with recovery and checks takes
/// about two seconds.
fn attack(run: &mut Run, options: &Options) -> Result<bool> {
    let share = Duration::from_secs(options.seconds / 5);
    let points = (options.seconds as usize / 3).max(3);
    run.server.make_database()?;
    let mut checks = Checks::default();
    for scenario in ["concurrency", "crash", "cancel"] {
        if !options.scenarios.is_empty() && !options.scenarios.iter().any(|asked| asked == scenario) {
            continue;
        }
        let start = Instant::now();
        let told = match scenario {
            "concurrency" => concurrency::run(run, share, &mut checks),
            "crash" => crash::run(run, points, &mut checks),
            _ => cancel::run(run, share, &mut checks),
        };
        run.watch.report(&mut checks);
        let told = match told {
            Ok(told) => told,
            // What was ended for its silence ends the harness's own work too.
            Err(error) if !checks.violations.is_empty() => format!("ended with {error}"),
            Err(error) => return Err(error),
        };
        println!("{scenario}: {told}; {} violations ({:.0} s)", checks.violations.len(), start.elapsed().as_secs_f64());
        if !checks.violations.is_empty() {
            explain(run, &checks);
            return Ok(false);
        }
    }
    for property in Property::ALL {
        println!("{property}: held, {} checks", checks.count(property));
    }
    println!("all held (seed {})", run.seed);
    Ok(true)
}

/// What is wrong, and the history that led there.
fn explain(run: &Run, checks: &Checks) {
    const MOST: usize = 10;
    println!("\nVIOLATED (seed {}): {} times", run.seed, checks.violations.len());
    for violation in checks.violations.iter().take(MOST) {
        println!("\n{}: NOT SO: {}", violation.property, violation.what);
        if let Some(key) = violation.key {
            print!("{}", OfKey { history: &run.history, key, start: run.round_began });
        }
    }
}

fn options() -> Result<Options> {
    let mut options = Options { seconds: 180, seed: rand_seed(), controls: None, scenarios: Vec::new() };
    let mut arguments = env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = || -> Result<u64> {
            let value = arguments.next().ok_or_else(|| format!("{argument} takes a number"))?;
            value.parse().map_err(|_| format!("{argument} takes a number, not {value}").into())
        };
        match argument.as_str() {
            "--seconds" => options.seconds = number()?,
            "--seed" => options.seed = number()?,
            "--controls" => options.controls = Some(String::new()),
            "--control" => options.controls = Some(arguments.next().ok_or("--control takes words of a name")?),
            "concurrency" | "crash" | "cancel" => options.scenarios.push(argument),
            _ => return Err(format!("there is no {argument}; scenarios are concurrency, crash and cancel").into()),
        }
    }
    Ok(options)
}

/// Short enough to be typed.
fn rand_seed() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    since.as_nanos() as u64 % 1_000_000_000
}

fn variable(name: &str) -> Result<String> {
    env::var(name).map_err(|_| format!("{name} is not set: run dev/torture").into())
}
