//! How many records several connections import in parallel, each for another owner.

use std::sync::Barrier;
use std::thread;
use std::time::Instant;

use serde_json::json;

use crate::bench::Bench;
use crate::database::Database;
use crate::error::Result;
use crate::importers::statement::{self, BARE_SET, BATCHES};
use crate::measurement::{Measurement, Unit};
use crate::rounds::{interleave, median};
use crate::server::OWNERS;
use crate::staging::{self, BATCH, SMALL};

const CONNECTIONS: [usize; 4] = [1, 2, 4, 8];
/// What each connection imports, one transaction a batch. All import the same records: the owner is part of the key.
const RECORDS: i32 = 4 * BATCH;

pub fn connections(bench: &Bench) -> Result<Vec<Measurement>> {
    let database = bench.server.database("bench_ours")?;
    staging::stage(&mut database.owner()?, RECORDS, SMALL.transcript)?;
    let mut pairs = Vec::new();
    for connections in CONNECTIONS {
        let ours = || import_in_parallel(&database, BATCHES, connections);
        let baseline = || import_in_parallel(&database, BARE_SET, connections);
        pairs.push((connections, interleave(bench.rounds, ours, baseline)?));
    }
    let (_, one) = &pairs[0];
    Ok(pairs
        .iter()
        .map(|(connections, pair)| {
            let (ours, baseline) = (median(&pair.ours), median(&pair.baseline));
            let show = |rate: f64, of_one: f64| format!("{:.0}/s (× {:.2})", rate, rate / of_one);
            Measurement {
                what: format!("records a second of {connections} connections (× that of one) / B1"),
                ours: show(ours, median(&one.ours)),
                baseline: show(baseline, median(&one.baseline)),
                figure: pair.ratio(),
                unit: Unit::Ratio,
                spread: Some(pair.spread()),
                target: None,
                raw: json!({"ours_a_second": pair.ours, "baseline_a_second": pair.baseline}),
            }
        })
        .collect())
}

/// Runs a statement for each batch on every connection; returns the records a second.
fn import_in_parallel(database: &Database, sql: &str, connections: usize) -> Result<f64> {
    let mut superuser = database.superuser()?;
    staging::truncate(&mut superuser)?;
    let start_line = Barrier::new(connections + 1);
    let time = thread::scope(|scope| -> Result<f64> {
        let workers: Vec<_> = OWNERS[..connections]
            .iter()
            .map(|owner| {
                let start_line = &start_line;
                scope.spawn(move || {
                    let mut client = database.owner().map_err(|error| error.to_string());
                    start_line.wait();
                    let client = client.as_mut().map_err(|error| error.clone())?;
                    (0..RECORDS / BATCH)
                        .try_for_each(|batch| {
                            statement::import(client, sql, *owner, batch * BATCH + 1, (batch + 1) * BATCH).map(drop)
                        })
                        .map_err(|error| error.to_string())
                })
            })
            .collect();
        start_line.wait();
        let start = Instant::now();
        for worker in workers {
            worker.join().map_err(|_| "a connection's thread panicked")??;
        }
        Ok(start.elapsed().as_secs_f64())
    })?;
    let records = RECORDS as usize * connections;
    staging::check_counts(&mut superuser, records as i64)?;
    Ok(records as f64 / time)
}
