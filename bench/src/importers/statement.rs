//! Importers that are one statement for all staged records.

use std::time::Instant;

use postgres::Client;
use uuid::Uuid;

use super::session::Session;
use crate::error::Result;
use crate::server::OWNER;
use crate::staging::Size;

/// Ours, batches of 1,000. $1 owner, $2 first position, $3 last position, here and below.
pub const BATCHES: &str = "
    SELECT count(run_pipeline_batch(records, $1))
    FROM staged_batches
    WHERE position BETWEEN ($2::integer - 1) / 1000 + 1 AND $3::integer / 1000";

/// B1.
pub const BARE_SET: &str = include_str!("../../baselines/bare_set.sql");

/// Imports a range of the staged records and returns the microseconds a record.
pub fn import(client: &mut Client, sql: &str, owner: Uuid, first: i32, last: i32) -> Result<f64> {
    let statement = client.prepare(sql)?;
    let start = Instant::now();
    client.execute(&statement, &[&owner, &first, &last])?;
    Ok(start.elapsed().as_secs_f64() * 1e6 / f64::from(last - first + 1))
}

pub fn session(mut client: Client, sql: String, size: &Size) -> Session {
    let records = size.records;
    Box::new(move || import(&mut client, &sql, OWNER, 1, records))
}
