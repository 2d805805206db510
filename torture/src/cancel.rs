//! Cancels calls, lets them time out, and ends their connections, at every step.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::Run;
use crate::checks::{Checks, Property};
use crate::connection::{Connection, Shared};
use crate::crash::call_of_backfill;
use crate::faults::{self, Pids};
use crate::history::Operation;
use crate::model::Situation;
use crate::properties;
use crate::server::{Result, Server};
use crate::workers::{Tally, Workers};
use crate::workload::{OWNERS, Shape, random};

const CONNECTIONS: usize = 12;
const SITUATION: Situation = Situation { has_blocks: true, has_cancels: true, has_crashes: false };
const ROUND: Duration = Duration::from_secs(4);
/// The longest statement_timeout in ms; the shortest is 1 ms.
const LONGEST_TIMEOUT: usize = 500;
const ARCHIVE: i32 = 20_000;

pub fn run(run: &mut Run, time: Duration, checks: &mut Checks) -> Result<String> {
    let mut tally = Tally::default();
    let (mut rounds, mut cancelled, mut terminated, mut held, mut stopped_backfills) = (0, 0, 0, 0, 0);
    let timeouts = AtomicUsize::new(0);
    let end = Instant::now() + time;
    while (rounds == 0 || Instant::now() < end) && checks.violations.is_empty() {
        run.server.reset()?;
        run.begin_round();
        run.server.owner()?.execute(include_str!("../sql/archive.sql"), &[&0, &ARCHIVE, &OWNERS.as_slice()])?;
        let (shared, pids, stop) = (Shared::default(), Pids::new(CONNECTIONS + 1), AtomicBool::new(false));
        let workers = Workers {
            server: &run.server,
            seed: run.seed,
            round: run.round,
            shape: Shape { blocks_of_ten: 2, largest_batch: 400, is_race: false },
            shared: &shared,
            pids: &pids,
            stop: &stop,
        };
        let round_end = Instant::now() + ROUND.min(time);
        let random = |part: u64| random(run.seed, (run.round << 32) + (1 << 31) + part);
        let history = thread::scope(|scope| -> Result<_> {
            let timeouts = &timeouts;
            let threads: Vec<_> =
                (0..CONNECTIONS).map(|number| scope.spawn(move || reconnecting(workers, number, timeouts))).collect();
            let backfill = scope.spawn(|| backfill_and_be_cancelled(workers.server, &pids, &stop));
            let canceller = scope.spawn(|| faults::cancel(workers.server, &pids, random(1), &stop));
            let locker = scope.spawn(|| faults::lock(workers.server, random(2), &stop));
            faults::sleep_until(round_end, &stop);
            stop.store(true, Ordering::Relaxed);
            let mut history = Vec::new();
            for thread in threads {
                history.extend(thread.join().map_err(|_| "a connection's thread panicked")??);
            }
            let (times_cancelled, times_terminated) = canceller.join().map_err(|_| "the canceller panicked")??;
            cancelled += times_cancelled;
            terminated += times_terminated;
            held += locker.join().map_err(|_| "the locker panicked")??;
            let backfill = backfill.join().map_err(|_| "the backfill's thread panicked")??;
            stopped_backfills += backfill.stopped;
            checks.holds(Property::Errors, None, backfill.unexplained.is_empty(), || backfill.unexplained.join("\n"));
            Ok(history)
        })?;
        tally.add(&history);
        run.history = history;
        run.check_answers(&shared, checks);
        properties::check(&run.server, &run.history, SITUATION, checks)?;
        if checks.violations.is_empty() {
            properties::settle(&run.server, checks)?;
        }
        rounds += 1;
    }
    let swept = (timeouts.load(Ordering::Relaxed) / 3).min(LONGEST_TIMEOUT);
    Ok(format!(
        "{rounds} rounds of {CONNECTIONS} connections, {} calls with {} records; statement_timeout 1 to {swept} ms, \
         {cancelled} cancels and {terminated} terminations sent, {held} locks held; {} calls ended by 57014, {} by 55P03, \
         {} by a lost connection, {stopped_backfills} backfills stopped",
        tally.calls,
        tally.records,
        tally.errors("57014"),
        tally.errors("55P03"),
        tally.errors("lost") + tally.errors("08006")
    ))
}

/// Works on a connection, and on a new connection whenever the old one ends.
fn reconnecting(workers: Workers, number: usize, timeouts: &AtomicUsize) -> Result<Vec<Operation>> {
    let mut history = Vec::new();
    let mut before = 0;
    while !workers.stop.load(Ordering::Relaxed) {
        history.extend(workers.work(number, before, |connection| set_timeouts(connection, timeouts))?);
        before += 1;
    }
    Ok(history)
}

/// Sets a timeout for statements, for locks, or none, in turn.
///
/// Returns false if the connection is lost.
fn set_timeouts(connection: &mut Connection, timeouts: &AtomicUsize) -> Result<bool> {
    const MOST: usize = 1000;
    let number = timeouts.fetch_add(1, Ordering::Relaxed);
    let (statement, lock) = match number % 3 {
        0 => (0, 0),
        1 => (0, 1 + number % 100),
        _ => (1 + number / 3 % LONGEST_TIMEOUT, 0),
    };
    let sql = format!("ROLLBACK; SET statement_timeout = {statement}; SET lock_timeout = {lock}");
    // This statement may itself be cancelled or time out.
    for _ in 0..MOST {
        match connection.client.batch_execute(&sql) {
            Ok(()) => return Ok(true),
            Err(_) if connection.client.is_closed() => return Ok(false),
            Err(error) if error.code().is_none_or(|code| code.code().starts_with("57P")) => return Ok(false),
            Err(_) => {}
        }
    }
    Err("a connection can't set its timeouts".into())
}

struct Backfill {
    stopped: usize,
    unexplained: Vec<String>,
}

fn backfill_and_be_cancelled(server: &Server, pids: &Pids, stop: &AtomicBool) -> Result<Backfill> {
    let mut backfill = Backfill { stopped: 0, unexplained: Vec::new() };
    while !stop.load(Ordering::Relaxed) {
        let mut owner = server.owner()?;
        owner.batch_execute("SET client_min_messages = warning")?;
        pids.set(CONNECTIONS, &mut owner)?;
        while !stop.load(Ordering::Relaxed) && !owner.is_closed() {
            let Err(error) = owner.batch_execute(&call_of_backfill(0)) else { continue };
            backfill.stopped += 1;
            match error.code().map(|code| code.code()) {
                None => break,
                Some("57014" | "57P01" | "40P01") => {}
                Some(_) => backfill.unexplained.push(format!("backfill() raised {error:?}")),
            }
        }
        pids.forget(CONNECTIONS);
    }
    Ok(backfill)
}
