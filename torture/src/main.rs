//! Attacks the extension with many connections, crashes and cancels, and checks its promises.
//!
//! Usage: connector_pipeline_torture [--seconds N] [--seed N] [--controls | --control WORDS] [SCENARIO…]. Scenarios are
//! concurrency, crash and cancel. --controls runs all negative controls, --control those with WORDS in their names.
//!
//! CONNECTOR_PIPELINE_TORTURE_URL is a superuser's connection string of a server that nobody else uses.
//! CONNECTOR_PIPELINE_TORTURE_CONTROL is a command that crashes and starts the server; it has ACTION for `crash` or
//! `start`. CONNECTOR_PIPELINE_TORTURE_AMCHECK is the path of pg_amcheck.
//!
//! A seed repeats keys, calls, transactions and faults, but not the timing between connections.

mod cancel;
mod checks;
mod concurrency;
mod connection;
mod controls;
mod crash;
mod faults;
mod history;
mod model;
mod properties;
mod recordings;
mod server;
mod watchdog;
mod workers;
mod workload;

use std::env;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use checks::{Checks, Property};
use connection::Shared;
use history::{OfKey, Operation};
use server::{Result, Server};
use watchdog::Watchdog;

/// A run with the history of its current round.
pub struct Run {
    pub server: Server,
    pub watchdog: Watchdog,
    pub seed: u64,
    pub round: u64,
    pub round_began: Instant,
    pub history: Vec<Operation>,
}

impl Run {
    /// Begins a round, which has its own random numbers.
    pub fn begin_round(&mut self) {
        self.round += 1;
        self.round_began = Instant::now();
        self.watchdog.begin_round();
    }

    /// Checks, after a round's connections have ended, that each call got an answer.
    pub fn check_answers(&self, shared: &Shared, checks: &mut Checks) {
        self.watchdog.report(checks);
        let endless = shared.endless_conflicts();
        checks.holds(Property::Answers, None, endless.is_empty(), || endless.join("\n"));
    }
}

struct Options {
    seconds: u64,
    seed: u64,
    /// Runs the negative controls with these words in their names instead of an attack.
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
    let longest_call = if options.controls.is_some() { controls::LONGEST_CALL } else { watchdog::LONGEST_CALL };
    let watchdog = Watchdog::start(&server, longest_call);
    let mut run =
        Run { server, watchdog, seed: options.seed, round: 0, round_began: Instant::now(), history: Vec::new() };
    if let Some(words) = &options.controls {
        return controls::run(&mut run, words);
    }
    attack(&mut run, &options)
}

/// Runs the scenarios and returns whether all properties held.
///
/// Concurrency and cancels each take a fifth of the time, crashes the rest. A crash with recovery and checks takes
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
        let report = match scenario {
            "concurrency" => concurrency::run(run, share, &mut checks),
            "crash" => crash::run(run, points, &mut checks),
            _ => cancel::run(run, share, &mut checks),
        };
        run.watchdog.report(&mut checks);
        let report = match report {
            Ok(report) => report,
            // The watchdog may have ended connections of the harness itself.
            Err(error) if !checks.violations.is_empty() => format!("ended with {error}"),
            Err(error) => return Err(error),
        };
        println!(
            "{scenario}: {report}; {} violations ({:.0} s)",
            checks.violations.len(),
            start.elapsed().as_secs_f64()
        );
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

/// Prints the violations with the history of their keys.
fn explain(run: &Run, checks: &Checks) {
    const MOST: usize = 10;
    println!("\nVIOLATED (seed {}): {} times", run.seed, checks.violations.len());
    for violation in checks.violations.iter().take(MOST) {
        println!("\n{}: VIOLATED: {}", violation.property, violation.what);
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

/// Returns a seed of at most nine digits, short enough to type.
fn rand_seed() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    since.as_nanos() as u64 % 1_000_000_000
}

fn variable(name: &str) -> Result<String> {
    env::var(name).map_err(|_| format!("{name} is not set: run dev/torture").into())
}
