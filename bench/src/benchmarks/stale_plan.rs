//! Whether a plan made for an empty table is still used when the table has grown.

use serde_json::json;

use crate::bench::Bench;
use crate::error::Result;
use crate::fill::{self, Ids};
use crate::importers::{calls, statement};
use crate::measurement::Measurement;
use crate::rounds::interleave;
use crate::server::OWNER;
use crate::staging;

const RECORDS: i32 = 20_000;
/// Short: the plans matter here, not the transcripts.
const TRANSCRIPT: usize = 100;

/// Imports 20,000 records, or twice as many, one call a record in one statement, into a table that looks empty.
///
/// The table is filled, emptied, vacuumed and analysed before, so that PostgreSQL plans for an empty table.
pub fn stale_plan(bench: &Bench) -> Result<Vec<Measurement>> {
    let database = bench.server.database("bench_ours")?;
    staging::stage(&mut database.owner()?, 2 * RECORDS, TRANSCRIPT)?;
    let import = |records: i32| -> Result<f64> {
        let mut superuser = database.superuser()?;
        staging::truncate(&mut superuser)?;
        fill::fill(&mut superuser, 1, RECORDS / 2, Ids::ByTime)?;
        superuser.batch_execute("DELETE FROM recordings")?;
        staging::vacuum(&mut superuser)?;
        // A new session has no plans yet.
        let mut client = database.owner()?;
        let each = statement::import(&mut client, &calls::select("run_pipeline"), OWNER, 1, records)?;
        staging::check_counts(&mut superuser, records.into())?;
        Ok(each * f64::from(records))
    };
    let pair = interleave(bench.rounds, || import(2 * RECORDS), || import(RECORDS))?;
    let mut measurement = Measurement::ratio("stale plans: 40,000 records in one statement / 20,000", 2.3, &pair);
    measurement.raw = json!({"of_40000_us": pair.ours, "of_20000_us": pair.baseline});
    Ok(vec![measurement])
}
