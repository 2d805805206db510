//! What an import costs a client over TCP, in five steps and in one.

use std::cell::RefCell;
use std::time::Instant;

use postgres::{Client, Statement};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::Bench;
use crate::data;
use crate::finding::Finding;
use crate::rounds::{Pair, interleave};
use crate::server::{OWNER, Result};
use crate::staging::{self, SIZES, Size};

const RECORDS: usize = 500;
const BATCH: usize = 100;

pub fn wire(bench: &Bench) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for size in &SIZES {
        let records: Vec<Value> = (1..=RECORDS).map(|position| data::record(position, size.transcript)).collect();
        let single = against_five_steps(bench, &records, one_call_a_record)?;
        let batch = against_five_steps(bench, &records, one_call_a_hundred)?;
        let floor = against_five_steps(bench, &records, one_bare_row_a_record)?;
        let Size { name, .. } = size;
        findings.push(Finding::ratio(format!("over the wire, one call a record / B4, {name}"), 0.35, &single));
        findings.push(Finding::ratio(format!("over the wire, batches of 100 / B4, {name}"), 0.1, &batch));
        findings.push(Finding::ratio(format!("over the wire, B2 in one call a record / B4, {name}"), None, &floor));
    }
    Ok(findings)
}

fn against_five_steps(bench: &Bench, records: &[Value], ours: fn(&mut Client, &[Value]) -> Result<()>) -> Result<Pair> {
    let database = bench.server.database("bench_work")?;
    let (mut our_client, mut their_client) = (database.owner_over_loopback()?, database.owner_over_loopback()?);
    let superuser = RefCell::new(database.superuser()?);
    let five_steps = FiveSteps::prepare(&mut their_client)?;
    let round = |import: &mut dyn FnMut() -> Result<()>| {
        let mut superuser = superuser.borrow_mut();
        staging::empty(&mut superuser)?;
        let start = Instant::now();
        import()?;
        let time = start.elapsed();
        staging::check(&mut superuser, records.len() as i64)?;
        Ok(time.as_secs_f64() * 1e6 / records.len() as f64)
    };
    interleave(
        bench.rounds,
        || round(&mut || ours(&mut our_client, records)),
        || round(&mut || records.iter().try_for_each(|record| five_steps.import(&mut their_client, record))),
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

/// What no call a record can be faster than: one round trip, one commit, and nothing checked.
fn one_bare_row_a_record(client: &mut Client, records: &[Value]) -> Result<()> {
    let home = client.query_one("SELECT bank_id, vault_id FROM homes WHERE owner = $1", &[&OWNER])?;
    let (bank, vault): (Uuid, Uuid) = (home.get(0), home.get(1));
    let statement = client.prepare("SELECT bare_row($1, $2, $3, $4)")?;
    for record in records {
        client.query_one(&statement, &[record, &OWNER, &bank, &vault])?;
    }
    Ok(())
}

/// B4: each step a round trip and a transaction of its own, as it was.
struct FiveSteps {
    check: Statement,
    membership: Statement,
    insert: Statement,
    vault: Statement,
    entry: Statement,
}

impl FiveSteps {
    fn prepare(client: &mut Client) -> Result<Self> {
        Ok(Self {
            check: client.prepare(include_str!("../baselines/five_steps/1_check.sql"))?,
            membership: client.prepare(include_str!("../baselines/five_steps/2_membership.sql"))?,
            insert: client.prepare(include_str!("../baselines/five_steps/3_insert.sql"))?,
            vault: client.prepare(include_str!("../baselines/five_steps/4_vault.sql"))?,
            entry: client.prepare(include_str!("../baselines/five_steps/5_entry.sql"))?,
        })
    }

    fn import(&self, client: &mut Client, record: &Value) -> Result<()> {
        let text = |key: &str| record[key].as_str();
        if client.query_opt(&self.check, &[&OWNER, &text("source_app"), &text("external_id")])?.is_some() {
            return Ok(());
        }
        let bank: Uuid = client.query_one(&self.membership, &[&OWNER])?.get(0);
        let mut metadata = record["source_metadata"].clone();
        metadata["external_id"] = record["external_id"].clone();
        let duration = record["duration"].as_i64().and_then(|seconds| i32::try_from(seconds).ok());
        let recording: Uuid = client
            .query_one(
                &self.insert,
                &[
                    &bank,
                    &OWNER,
                    &text("source_app"),
                    &metadata,
                    &text("title"),
                    &text("full_transcript"),
                    &duration,
                    &text("recording_start_time"),
                ],
            )?
            .get(0);
        let vault: Uuid = client.query_one(&self.vault, &[&bank])?.get(0);
        client.execute(&self.entry, &[&vault, &recording])?;
        Ok(())
    }
}
