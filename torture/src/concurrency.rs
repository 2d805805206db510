//! Imports the same keys on many connections.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::Run;
use crate::checks::Checks;
use crate::connection::Shared;
use crate::faults::{self, Pids};
use crate::model::Situation;
use crate::properties;
use crate::server::Result;
use crate::workers::{Tally, Workers};
use crate::workload::Shape;

const CONNECTIONS: usize = 64;
/// About the time in which most keys are imported.
const ROUND: Duration = Duration::from_secs(4);

pub fn run(run: &mut Run, time: Duration, checks: &mut Checks) -> Result<String> {
    let mut tally = Tally::default();
    let (mut rounds, mut rebuilt) = (0, 0);
    let end = Instant::now() + time;
    while (rounds == 0 || Instant::now() < end) && checks.violations.is_empty() {
        // Alternates single statements, which must not fail, with transaction blocks. Half of the rounds also rebuild
        // the dedup index, while connections race for the same keys.
        let has_blocks = rounds % 2 == 1;
        let has_reindex = rounds % 4 < 2;
        run.server.reset()?;
        run.begin_round();
        let shape = Shape {
            blocks_of_ten: if has_blocks { 7 } else { 0 },
            // REINDEX CONCURRENTLY waits for every running transaction.
            largest_batch: if has_reindex { 10 } else { 100 },
            is_race: has_reindex,
        };
        let (shared, pids, stop) = (Shared::default(), Pids::new(CONNECTIONS), AtomicBool::new(false));
        let workers = Workers {
            server: &run.server,
            seed: run.seed,
            round: run.round,
            shape,
            shared: &shared,
            pids: &pids,
            stop: &stop,
        };
        let round_end = Instant::now() + ROUND.min(time);
        let (history, times) = thread::scope(|scope| -> Result<_> {
            let threads = workers.spawn(scope, CONNECTIONS);
            let reindexing = has_reindex.then(|| scope.spawn(|| faults::reindex(workers.server, &stop)));
            faults::sleep_until(round_end, &stop);
            stop.store(true, Ordering::Relaxed);
            let mut history = Vec::new();
            for thread in threads {
                history.extend(thread.join().map_err(|_| "a connection's thread panicked")??);
            }
            let times = match reindexing {
                Some(thread) => thread.join().map_err(|_| "the reindexing thread panicked")??,
                None => 0,
            };
            Ok((history, times))
        })?;
        rebuilt += times;
        tally.add(&history);
        run.history = history;
        run.check_answers(&shared, checks);
        let situation = Situation { has_blocks, has_cancels: false, has_crashes: false };
        properties::check(&run.server, &run.history, situation, checks)?;
        if checks.violations.is_empty() {
            properties::settle(&run.server, checks)?;
        }
        rounds += 1;
    }
    Ok(format!(
        "{rounds} rounds of {CONNECTIONS} connections, {} calls with {} records; serialization failures {}, deadlocks {}; \
         dedup index rebuilt {rebuilt} times",
        tally.calls,
        tally.records,
        tally.errors("40001"),
        tally.errors("40P01")
    ))
}
