//! Fills the tables with many recordings quickly.

use postgres::Client;

use crate::error::Result;
use crate::server::OWNER;

/// How the ids of recordings are generated.
#[derive(Clone, Copy)]
pub enum Ids {
    /// As the extension does: they sort by time.
    ByTime,
    /// As the column's default does.
    Random,
}

/// Inserts the recordings of a range of numbers, with their vault entries.
pub fn fill(superuser: &mut Client, first: i32, last: i32, ids: Ids) -> Result<()> {
    // Skips the checks of foreign keys, which these rows satisfy.
    superuser.batch_execute("SET session_replication_role = replica")?;
    let by_time = matches!(ids, Ids::ByTime);
    superuser.execute(include_str!("../sql/fill.sql"), &[&OWNER, &first, &last, &by_time])?;
    superuser.batch_execute("RESET session_replication_role")?;
    Ok(())
}
