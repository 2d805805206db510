//! What imports leave behind beside their rows: transaction ids, log, dead rows.

use postgres::Client;
use serde_json::{Value, json};

use crate::Bench;
use crate::data;
use crate::finding::{Finding, Unit};
use crate::server::{OWNER, Result};
use crate::staging::{self, SMALL};

const RECORDS: i32 = 10_000;
const IMPORT: &str = "SELECT run_pipeline_batch(records, $1) FROM staged_batches";

pub fn traces(bench: &Bench) -> Result<Vec<Finding>> {
    let database = bench.server.database("bench_work")?;
    let mut client = database.owner()?;
    let mut superuser = database.superuser()?;
    let records: Vec<Value> = (1..=RECORDS).map(|position| data::record(position as usize, SMALL.transcript)).collect();
    let records = Value::from(records);
    client.execute("INSERT INTO staged_batches (position, records) VALUES (1, $1)", &[&records])?;
    staging::settle(&mut superuser)?;

    let before = next_transaction_id(&mut superuser)?;
    client.execute(IMPORT, &[&OWNER])?;
    let transaction_ids = next_transaction_id(&mut superuser)? - before;
    staging::check(&mut superuser, RECORDS.into())?;

    staging::settle(&mut superuser)?;
    // Whoever reads rows first notes in them that they are committed, and that goes into the log: what ANALYZE has just
    // written is read by the planner.
    client.execute(IMPORT, &[&OWNER])?;
    // EXPLAIN counts the log of this statement, with all that it calls, and nobody else's.
    let plan: Value = client.query_one(&format!("EXPLAIN (ANALYZE, WAL, FORMAT JSON) {IMPORT}"), &[&OWNER])?.get(0);
    let log = plan[0]["Plan"]["WAL Bytes"].as_f64().ok_or("EXPLAIN tells no WAL")?;
    staging::check(&mut superuser, RECORDS.into())?;
    drop(client);
    let dead = dead_rows(&mut superuser)?;

    Ok(vec![
        Finding::figure(
            "transaction ids of a clean batch of 10,000",
            transaction_ids,
            Unit::Number,
            2.0,
            json!(transaction_ids),
        ),
        Finding::figure("log (WAL) written by 10,000 duplicates", log, Unit::Bytes, 0.0, json!(log)),
        Finding::figure("dead rows left by 10,000 duplicates", dead, Unit::Number, 0.0, json!(dead)),
    ])
}

fn next_transaction_id(superuser: &mut Client) -> Result<f64> {
    let next: i64 = superuser.query_one("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint", &[])?.get(0);
    Ok(next as f64)
}

/// Dead rows in the tables, as they are and not as the statistics have it.
fn dead_rows(superuser: &mut Client) -> Result<f64> {
    superuser.batch_execute("CREATE EXTENSION pgstattuple")?;
    let dead: i64 = superuser
        .query_one(
            "SELECT sum((pgstattuple(oid)).dead_tuple_count)::bigint FROM pg_class
             WHERE relname IN ('recordings', 'vault_entries')",
            &[],
        )?
        .get(0);
    Ok(dead as f64)
}
