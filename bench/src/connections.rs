//! What several connections import together, each for an owner of its own.

use std::sync::Barrier;
use std::thread;
use std::time::Instant;

use serde_json::json;

use crate::Bench;
use crate::finding::{Finding, Unit};
use crate::importers::{BARE_SET, BATCHES, Importer};
use crate::rounds::{interleave, median};
use crate::server::{Database, OWNERS, Result};
use crate::staging::{self, BATCH, SMALL};

const CONNECTIONS: [usize; 4] = [1, 2, 4, 8];
/// What each connection imports, a batch a transaction. The keys are the same for every owner, for an owner is part of
/// the key.
const RECORDS: i32 = 4 * BATCH;

pub fn connections(bench: &Bench) -> Result<Vec<Finding>> {
    let database = bench.server.database("bench_work")?;
    staging::stage(&mut database.owner()?, RECORDS, SMALL.transcript)?;
    let mut pairs = Vec::new();
    for connections in CONNECTIONS {
        let ours = || together(&database, &BATCHES, connections);
        let theirs = || together(&database, &BARE_SET, connections);
        pairs.push((connections, interleave(bench.rounds, ours, theirs)?));
    }
    let (_, one) = &pairs[0];
    Ok(pairs
        .iter()
        .map(|(connections, pair)| {
            let (ours, theirs) = (median(&pair.ours), median(&pair.theirs));
            let show = |rate: f64, of_one: f64| format!("{:.0}/s (× {:.2})", rate, rate / of_one);
            Finding {
                what: format!("records a second of {connections} connections (× that of one) / B1"),
                ours: show(ours, median(&one.ours)),
                baseline: show(theirs, median(&one.theirs)),
                figure: pair.ratio(),
                unit: Unit::Ratio,
                spread: Some(pair.spread()),
                target: None,
                raw: json!({"ours_a_second": pair.ours, "baseline_a_second": pair.theirs}),
            }
        })
        .collect())
}

/// Records a second.
fn together(database: &Database, importer: &Importer, connections: usize) -> Result<f64> {
    let mut superuser = database.superuser()?;
    staging::empty(&mut superuser)?;
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
                            importer.import(client, *owner, batch * BATCH + 1, (batch + 1) * BATCH).map(drop)
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
    staging::check(&mut superuser, records as i64)?;
    Ok(records as f64 / time)
}
