//! Writes generated records into the staging table, and resets the tables between measurements.

use std::io::Write;

use postgres::Client;

use crate::error::Result;
use crate::records;

/// How long the transcripts of a measurement are, and how many records it imports.
pub struct Size {
    pub name: &'static str,
    pub transcript: usize,
    pub records: i32,
}

pub const SMALL: Size = Size { name: "2 kB", transcript: 2_000, records: 10_000 };
pub const LARGE: Size = Size { name: "50 kB", transcript: 50_000, records: 1_000 };
pub const SIZES: [Size; 2] = [SMALL, LARGE];

pub const BATCH: i32 = 1_000;

/// Stages that many records, one a row, and again in arrays of [`BATCH`].
pub fn stage(owner: &mut Client, records: i32, transcript: usize) -> Result<()> {
    let mut copy = owner.copy_in("COPY staged (position, record) FROM STDIN")?;
    for position in 1..=records {
        // In COPY's text format a backslash starts an escape.
        let record = records::record(position as usize, transcript).to_string().replace('\\', r"\\");
        writeln!(copy, "{position}\t{record}")?;
    }
    copy.finish()?;
    owner.execute(
        "INSERT INTO staged_batches (position, records)
         SELECT (position - 1) / $1 + 1, jsonb_agg(record ORDER BY position)
         FROM staged
         GROUP BY 1",
        &[&BATCH],
    )?;
    owner.batch_execute("VACUUM ANALYZE staged, staged_batches")?;
    Ok(())
}

/// Empties the tables and writes a checkpoint, so that no measurement includes one.
pub fn truncate(superuser: &mut Client) -> Result<()> {
    superuser.batch_execute("TRUNCATE recordings, vault_entries")?;
    superuser.batch_execute("CHECKPOINT")?;
    Ok(())
}

/// Vacuums and analyses the tables, as autovacuum would, and writes a checkpoint.
pub fn vacuum(superuser: &mut Client) -> Result<()> {
    superuser.batch_execute("VACUUM ANALYZE recordings, vault_entries")?;
    superuser.batch_execute("CHECKPOINT")?;
    Ok(())
}

/// Fails unless there are that many recordings, and as many vault entries.
pub fn check_counts(superuser: &mut Client, records: i64) -> Result<()> {
    let row =
        superuser.query_one("SELECT (SELECT count(*) FROM recordings), (SELECT count(*) FROM vault_entries)", &[])?;
    let (recordings, entries): (i64, i64) = (row.get(0), row.get(1));
    if (recordings, entries) != (records, records) {
        return Err(format!("expected {records} recordings and vault entries, found {recordings} and {entries}").into());
    }
    Ok(())
}
