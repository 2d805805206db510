//! Large tables, made quickly.

use postgres::Client;

use crate::server::{OWNER, Result};

/// Ids of recordings, as the extension makes them or as the column's default does.
#[derive(Clone, Copy)]
pub enum Ids {
    ByTime,
    Random,
}

/// Adds the recordings of so many numbers, with their vault entries.
pub fn fill(superuser: &mut Client, first: i32, last: i32, ids: Ids) -> Result<()> {
    // Rows that are known to be right need no look-up of what they refer to.
    superuser.batch_execute("SET session_replication_role = replica")?;
    let by_time = matches!(ids, Ids::ByTime);
    superuser.execute(include_str!("../sql/fill.sql"), &[&OWNER, &first, &last, &by_time])?;
    superuser.batch_execute("RESET session_replication_role")?;
    Ok(())
}
