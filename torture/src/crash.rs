//! Kills backends and shuts the server down during batches and backfills.

use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rand::RngExt;

use crate::Run;
use crate::checks::Checks;
use crate::connection::Shared;
use crate::faults::{self, Pids};
use crate::model::Situation;
use crate::properties;
use crate::server::{Result, Server};
use crate::workers::{Tally, Workers};
use crate::workload::{OWNERS, Shape, random};

const CONNECTIONS: usize = 8;
const SITUATION: Situation = Situation { has_blocks: true, has_cancels: false, has_crashes: true };
/// Crashes between two replays of all input, each of which takes seconds.
const POINTS_A_ROUND: usize = 20;
/// Records for the backfill of each crash.
const ARCHIVE: i32 = 4_000;

pub fn run(run: &mut Run, points: usize, checks: &mut Checks) -> Result<String> {
    let mut tally = Tally::default();
    let (mut killed, mut killed_in_backfill, mut shut_down, mut backfills) = (0, 0, 0, 0);
    let mut random = random(run.seed, u64::from(u32::MAX));
    let mut shared = Shared::default();
    for point in 0..points {
        if point % POINTS_A_ROUND == 0 {
            run.server.reset()?;
            run.history.clear();
            shared = Shared::default();
        }
        run.begin_round();
        let mut owner = run.server.owner()?;
        let first = point as i32 * ARCHIVE;
        owner.execute(include_str!("../sql/archive.sql"), &[&first, &ARCHIVE, &OWNERS.as_slice()])?;
        drop(owner);

        let (pids, stop) = (Pids::new(CONNECTIONS + 1), AtomicBool::new(false));
        let workers = Workers {
            server: &run.server,
            seed: run.seed,
            round: run.round,
            shape: Shape { blocks_of_ten: 3, largest_batch: 300, is_race: false },
            shared: &shared,
            pids: &pids,
            stop: &stop,
        };
        let backfill_pid = AtomicI32::new(0);
        let moment = Duration::from_micros(random.random_range(20_000..500_000));
        let (history, finished) = thread::scope(|scope| -> Result<_> {
            let threads = workers.spawn(scope, CONNECTIONS);
            let backfill = scope.spawn(|| backfill_until_lost(workers.server, first, &backfill_pid, &stop));
            thread::sleep(moment);
            let victim = match random.random_range(0..4) {
                0 => None,
                1 => Some(backfill_pid.load(Ordering::Relaxed)).filter(|pid| *pid != 0),
                _ => pids.any(&mut random),
            };
            match victim {
                Some(pid) if faults::kill(pid)? => {
                    let is_backfill = pid == backfill_pid.load(Ordering::Relaxed);
                    *if is_backfill { &mut killed_in_backfill } else { &mut killed } += 1;
                }
                _ => {
                    shut_down += 1;
                    run.server.crash()?;
                }
            }
            // All threads lose their connections, whichever backend was killed.
            let patience = Instant::now() + Duration::from_secs(30);
            while Instant::now() < patience && !threads.iter().all(|thread| thread.is_finished()) {
                thread::sleep(Duration::from_millis(2));
            }
            stop.store(true, Ordering::Relaxed);
            let mut history = Vec::new();
            for thread in threads {
                history.extend(thread.join().map_err(|_| "a connection's thread panicked")??);
            }
            Ok((history, backfill.join().map_err(|_| "the backfill's thread panicked")??))
        })?;
        backfills += finished;
        tally.add(&history);
        run.history.extend(history);
        run.check_answers(&shared, checks);
        run.server.start()?;
        run.server.wait_until_up()?;
        properties::check(&run.server, &run.history, SITUATION, checks)?;
        if !checks.violations.is_empty() {
            break;
        }
        if (point + 1) % POINTS_A_ROUND == 0 || point + 1 == points {
            let mut owner = run.server.owner()?;
            owner.batch_execute("SET client_min_messages = warning")?;
            owner.batch_execute(&call_of_backfill(0))?;
            properties::check_finished_backfill(&mut owner, checks)?;
            properties::settle(&run.server, checks)?;
        } else {
            properties::check_storage(&run.server, checks)?;
        }
    }
    Ok(format!(
        "{} recoveries: {killed} after SIGKILL in a batch or call, {killed_in_backfill} after SIGKILL in a backfill, \
         {shut_down} after an immediate shutdown; {} calls with {} records, {} connections lost in a call; \
         {backfills} backfills finished in between",
        killed + killed_in_backfill + shut_down,
        tally.calls,
        tally.records,
        tally.errors("lost") + tally.errors("08006")
    ))
}

pub fn call_of_backfill(first: i32) -> String {
    format!(
        "CALL connector_pipeline.backfill('SELECT record FROM torture.archive WHERE n >= {first} ORDER BY n', NULL, 100)"
    )
}

/// Repeats a backfill until the connection is lost; returns how many runs finished.
///
/// The first run imports the records, later runs skip them.
fn backfill_until_lost(server: &Server, first: i32, pid: &AtomicI32, stop: &AtomicBool) -> Result<usize> {
    let mut finished = 0;
    let Ok(mut owner) = server.owner() else { return Ok(0) };
    if owner.batch_execute("SET client_min_messages = warning").is_err() {
        return Ok(0);
    }
    let Ok(row) = owner.query_one("SELECT pg_backend_pid()", &[]) else { return Ok(0) };
    pid.store(row.get(0), Ordering::Relaxed);
    while !stop.load(Ordering::Relaxed) {
        match owner.batch_execute(&call_of_backfill(first)) {
            Ok(()) => finished += 1,
            Err(error) if error.as_db_error().is_none() || owner.is_closed() => break,
            Err(error) => match error.code().map_or("", |code| code.code()) {
                "57P01" | "57P02" => break,
                // The backfill and a transaction may make the same personal banks in another order.
                "40P01" => {}
                _ => return Err(error.into()),
            },
        }
    }
    Ok(finished)
}
