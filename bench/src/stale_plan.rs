//! Whether a plan that was made for an empty table is kept when it no longer fits.

use serde_json::json;

use crate::Bench;
use crate::filling::{self, Ids};
use crate::finding::Finding;
use crate::importers::ROWS;
use crate::rounds::interleave;
use crate::server::{OWNER, Result};
use crate::staging;

const RECORDS: i32 = 20_000;
/// The plans are what is looked at, not the transcripts.
const TRANSCRIPT: usize = 100;

/// The table is filled, emptied, vacuumed and analysed, so that PostgreSQL takes it for empty. Then one statement
/// imports 20,000 records, or twice as many, one call a record.
pub fn stale_plan(bench: &Bench) -> Result<Vec<Finding>> {
    let database = bench.server.database("bench_work")?;
    staging::stage(&mut database.owner()?, 2 * RECORDS, TRANSCRIPT)?;
    let statement = |records: i32| -> Result<f64> {
        let mut superuser = database.superuser()?;
        staging::empty(&mut superuser)?;
        filling::fill(&mut superuser, 1, RECORDS / 2, Ids::ByTime)?;
        superuser.batch_execute("DELETE FROM recordings")?;
        staging::settle(&mut superuser)?;
        // A session that has no plans yet.
        let mut client = database.owner()?;
        let each = ROWS.import(&mut client, OWNER, 1, records)?;
        staging::check(&mut superuser, records.into())?;
        Ok(each * f64::from(records))
    };
    let pair = interleave(bench.rounds, || statement(2 * RECORDS), || statement(RECORDS))?;
    let mut finding = Finding::ratio("stale plans: 40,000 records in one statement / 20,000", 2.3, &pair);
    finding.raw = json!({"of_40000_us": pair.ours, "of_20000_us": pair.theirs});
    Ok(vec![finding])
}
