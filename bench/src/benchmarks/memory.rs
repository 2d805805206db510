//! Whether a backend's memory grows while one statement makes a million calls.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::bench::Bench;
use crate::database::Database;
use crate::error::Result;
use crate::measurement::{Measurement, Unit};
use crate::server::OWNER;

const CALLS: i64 = 1_000_000;
/// By this call the caches are full.
const SETTLED: i64 = 100_000;

/// One call in fifty imports a new record, the others find a duplicate. Another session reads the progress from the
/// sequence.
const STATEMENT: &str = "
    SELECT count(run_pipeline(
        jsonb_build_object(
            'external_id', CASE WHEN call % 50 = 0 THEN call ELSE call % 50 END,
            'source_app', 'fathom',
            'title', 'Call',
            'full_transcript', 'Ann: hello. Ben: hello, Ann.',
            'recording_start_time', '2026-01-31T09:30:00Z'
        ),
        $1
    ))
    FROM (SELECT nextval('calls') AS call FROM generate_series(1, 1000000)) AS calls";

pub fn memory(bench: &Bench) -> Result<Vec<Measurement>> {
    let database = bench.server.database("bench_ours")?;
    let mut client = database.owner()?;
    client.batch_execute("CREATE SEQUENCE calls")?;
    let backend: i32 = client.query_one("SELECT pg_backend_pid()", &[])?.get(0);
    let is_done = AtomicBool::new(false);
    let samples = thread::scope(|scope| -> Result<Vec<(i64, u64)>> {
        let sampler = scope.spawn(|| sample(&database, backend, &is_done).map_err(|error| error.to_string()));
        let outcome = client.execute(STATEMENT, &[&OWNER]);
        is_done.store(true, Ordering::Relaxed);
        outcome?;
        Ok(sampler.join().map_err(|_| "the thread that samples the memory panicked")??)
    })?;
    let settled: Vec<&(i64, u64)> = samples.iter().filter(|(call, _)| *call >= SETTLED).collect();
    let (Some((_, before)), Some((last, after))) = (settled.first(), settled.last()) else {
        return Err("the statement ended before its memory was sampled".into());
    };
    if *last < CALLS - SETTLED / 2 {
        return Err(format!("the memory was last sampled in call {last} of {CALLS}").into());
    }
    let growth = (*after as f64 - *before as f64) / 1000.0;
    let what = "memory of the backend, from call 100,000 to call 1,000,000 of one statement";
    let mut measurement = Measurement::figure(what, growth, Unit::Megabytes, 10.0, json!({"calls_and_kb": samples}));
    measurement.ours = format!("{:.1} → {:.1} MB", *before as f64 / 1000.0, *after as f64 / 1000.0);
    Ok(vec![measurement])
}

/// Samples the number of calls and the backend's private memory in kB (RssAnon) until the statement ends.
fn sample(database: &Database, backend: i32, is_done: &AtomicBool) -> Result<Vec<(i64, u64)>> {
    let mut observer = database.owner()?;
    let mut samples = Vec::new();
    while !is_done.load(Ordering::Relaxed) {
        let call: i64 = observer.query_one("SELECT last_value FROM calls", &[])?.get(0);
        let status = fs::read_to_string(format!("/proc/{backend}/status"))?;
        let own = status
            .lines()
            .find_map(|line| line.strip_prefix("RssAnon:")?.trim().strip_suffix(" kB")?.parse().ok())
            .ok_or("/proc/PID/status has no RssAnon")?;
        samples.push((call, own));
        thread::sleep(Duration::from_millis(200));
    }
    Ok(samples)
}
