//! Puts made-up records into staging, and sets the tables back between measurements.

use std::io::Write;

use postgres::Client;

use crate::data;
use crate::server::Result;

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

/// Stages the first so many records, one by one and by the thousand.
pub fn stage(owner: &mut Client, records: i32, transcript: usize) -> Result<()> {
    let mut copy = owner.copy_in("COPY staged (position, record) FROM STDIN")?;
    for position in 1..=records {
        // COPY takes a backslash for the beginning of an escape.
        let record = data::record(position as usize, transcript).to_string().replace('\\', r"\\");
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

/// As after bootstrap(): empty files, and a checkpoint that no measurement has to pay for.
pub fn empty(superuser: &mut Client) -> Result<()> {
    superuser.batch_execute("TRUNCATE recordings, vault_entries")?;
    superuser.batch_execute("CHECKPOINT")?;
    Ok(())
}

/// As autovacuum leaves a table that has been filled.
pub fn settle(superuser: &mut Client) -> Result<()> {
    superuser.batch_execute("VACUUM ANALYZE recordings, vault_entries")?;
    superuser.batch_execute("CHECKPOINT")?;
    Ok(())
}

/// That an importer has done its work: so many recordings, each in a vault.
pub fn check(superuser: &mut Client, records: i64) -> Result<()> {
    let row =
        superuser.query_one("SELECT (SELECT count(*) FROM recordings), (SELECT count(*) FROM vault_entries)", &[])?;
    let (recordings, entries): (i64, i64) = (row.get(0), row.get(1));
    if (recordings, entries) != (records, records) {
        return Err(
            format!("{records} records went in, and there are {recordings} recordings, {entries} entries").into()
        );
    }
    Ok(())
}
