//! What an import costs a client over TCP, round trips and commits included.

use std::cell::RefCell;
use std::time::Instant;

use postgres::Client;
use serde_json::{Value, json};

use crate::bench::Bench;
use crate::error::Result;
use crate::importers::five_steps::FiveSteps;
use crate::measurement::Measurement;
use crate::records;
use crate::rounds::{Pair, interleave};
use crate::server::OWNER;
use crate::staging::{self, SIZES, Size};

const RECORDS: usize = 500;
const BATCH: usize = 100;

pub fn wire(bench: &Bench) -> Result<Vec<Measurement>> {
    let mut measurements = Vec::new();
    for size in &SIZES {
        let records: Vec<Value> = (1..=RECORDS).map(|position| records::record(position, size.transcript)).collect();
        let single = against_five_steps(bench, &records, one_call_a_record)?;
        let batch = against_five_steps(bench, &records, one_call_a_hundred)?;
        let bare = against_five_steps(bench, &records, one_bare_row_a_record)?;
        let Size { name, .. } = size;
        measurements.push(Measurement::ratio(format!("over the wire, one call a record / B4, {name}"), 0.35, &single));
        measurements.push(Measurement::ratio(format!("over the wire, batches of 100 / B4, {name}"), 0.1, &batch));
        measurements.push(Measurement::ratio(
            format!("over the wire, B2L in one call a record / B4, {name}"),
            None,
            &bare,
        ));
    }
    Ok(measurements)
}

fn against_five_steps(bench: &Bench, records: &[Value], ours: fn(&mut Client, &[Value]) -> Result<()>) -> Result<Pair> {
    let database = bench.server.database("bench_ours")?;
    let (mut our_client, mut baseline_client) = (database.owner_over_loopback()?, database.owner_over_loopback()?);
    let superuser = RefCell::new(database.superuser()?);
    let five_steps = FiveSteps::prepare(&mut baseline_client)?;
    let round = |import: &mut dyn FnMut() -> Result<()>| {
        let mut superuser = superuser.borrow_mut();
        staging::truncate(&mut superuser)?;
        let start = Instant::now();
        import()?;
        let time = start.elapsed();
        staging::check_counts(&mut superuser, records.len() as i64)?;
        Ok(time.as_secs_f64() * 1e6 / records.len() as f64)
    };
    interleave(
        bench.rounds,
        || round(&mut || ours(&mut our_client, records)),
        || round(&mut || records.iter().try_for_each(|record| five_steps.import(&mut baseline_client, record))),
    )
}

fn one_call_a_record(client: &mut Client, records: &[Value]) -> Result<()> {
    let statement = client.prepare("SELECT run_pipeline($1, $2)")?;
    for record in records {
        let result: Value = client.query_one(&statement, &[record, &OWNER])?.get(0);
        if result["success"] != true {
            return Err(result.to_string().into());
        }
    }
    Ok(())
}

fn one_call_a_hundred(client: &mut Client, records: &[Value]) -> Result<()> {
    let statement = client.prepare("SELECT run_pipeline_batch($1, $2)")?;
    for records in records.chunks(BATCH) {
        let result: Value = client.query_one(&statement, &[&json!(records), &OWNER])?.get(0);
        if result["imported"] != records.len() {
            return Err(result.to_string().into());
        }
    }
    Ok(())
}

/// What a call without checks costs: it has the same round trip and commit.
fn one_bare_row_a_record(client: &mut Client, records: &[Value]) -> Result<()> {
    let statement = client.prepare("SELECT bare_row_with_lookups($1, $2)")?;
    for record in records {
        client.query_one(&statement, &[record, &OWNER])?;
    }
    Ok(())
}
