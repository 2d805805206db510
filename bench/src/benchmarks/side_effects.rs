//! What imports consume and leave besides their rows: transaction ids, WAL, dead rows.

use postgres::Client;
use serde_json::{Value, json};

use crate::bench::Bench;
use crate::error::Result;
use crate::measurement::{Measurement, Unit};
use crate::records;
use crate::server::OWNER;
use crate::staging::{self, SMALL};

const RECORDS: i32 = 10_000;
const IMPORT: &str = "SELECT run_pipeline_batch(records, $1) FROM staged_batches";

pub fn side_effects(bench: &Bench) -> Result<Vec<Measurement>> {
    let database = bench.server.database("bench_ours")?;
    let mut client = database.owner()?;
    let mut superuser = database.superuser()?;
    let records: Vec<Value> =
        (1..=RECORDS).map(|position| records::record(position as usize, SMALL.transcript)).collect();
    let records = Value::from(records);
    client.execute("INSERT INTO staged_batches (position, records) VALUES (1, $1)", &[&records])?;
    staging::vacuum(&mut superuser)?;

    let before = next_transaction_id(&mut superuser)?;
    client.execute(IMPORT, &[&OWNER])?;
    let transaction_ids = next_transaction_id(&mut superuser)? - before;
    staging::check_counts(&mut superuser, RECORDS.into())?;

    staging::vacuum(&mut superuser)?;
    // The first reader of a new row sets its hint bits, which can write WAL: here the planner reads what ANALYZE wrote.
    client.execute(IMPORT, &[&OWNER])?;
    // EXPLAIN counts the WAL of this statement and the functions that it calls, and of no other session.
    let plan: Value = client.query_one(&format!("EXPLAIN (ANALYZE, WAL, FORMAT JSON) {IMPORT}"), &[&OWNER])?.get(0);
    let wal = plan[0]["Plan"]["WAL Bytes"].as_f64().ok_or("EXPLAIN gives no WAL Bytes")?;
    staging::check_counts(&mut superuser, RECORDS.into())?;
    drop(client);
    let dead = dead_rows(&mut superuser)?;

    Ok(vec![
        Measurement::figure(
            "transaction ids of a clean batch of 10,000",
            transaction_ids,
            Unit::Number,
            2.0,
            json!(transaction_ids),
        ),
        Measurement::figure("WAL written by 10,000 duplicates", wal, Unit::Bytes, 0.0, json!(wal)),
        Measurement::figure("dead rows left by 10,000 duplicates", dead, Unit::Number, 0.0, json!(dead)),
    ])
}

fn next_transaction_id(superuser: &mut Client) -> Result<f64> {
    let next: i64 = superuser.query_one("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint", &[])?.get(0);
    Ok(next as f64)
}

/// Counts the dead rows in the tables; the statistics only estimate them.
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
