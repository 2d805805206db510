//! The ways to import staged records that are set against each other, each one statement.

use std::time::Instant;

use postgres::Client;
use uuid::Uuid;

use crate::server::Result;

/// A way to import the staged records from one position to another for an owner.
pub struct Importer {
    /// $1 owner, $2 first position, $3 last position.
    sql: &'static str,
}

/// Ours, batches of 1,000.
pub const BATCHES: Importer = Importer {
    sql: "SELECT count(run_pipeline_batch(records, $1)) FROM staged_batches
          WHERE position BETWEEN ($2::integer - 1) / 1000 + 1 AND $3::integer / 1000",
};

/// Ours, a call a record.
pub const ROWS: Importer =
    Importer { sql: "SELECT count(run_pipeline(record, $1)) FROM staged WHERE position BETWEEN $2 AND $3" };

/// B1.
pub const BARE_SET: Importer = Importer { sql: include_str!("../baselines/bare_set.sql") };

/// B2.
pub const BARE_ROW: Importer = Importer {
    sql: "SELECT count(bare_row(record, $1, bank_id, vault_id)) FROM homes, staged
          WHERE owner = $1 AND position BETWEEN $2 AND $3",
};

/// B3.
pub const PLPGSQL: Importer =
    Importer { sql: "SELECT count(plpgsql_pipeline(record, $1)) FROM staged WHERE position BETWEEN $2 AND $3" };

impl Importer {
    /// The time for each record, in microseconds.
    pub fn import(&self, client: &mut Client, owner: Uuid, first: i32, last: i32) -> Result<f64> {
        let statement = client.prepare(self.sql)?;
        let start = Instant::now();
        client.execute(&statement, &[&owner, &first, &last])?;
        Ok(start.elapsed().as_secs_f64() * 1e6 / f64::from(last - first + 1))
    }
}
