//! B0, COPY: loads rows that are ready into both tables. No import into the same tables can be faster.

use std::io::{Read, Write};
use std::time::Instant;

use postgres::Client;

use super::session::Session;
use super::statement;
use crate::database::Database;
use crate::error::Result;
use crate::server::OWNER;
use crate::staging::Size;

/// In the order of their foreign key.
const TABLES: [&str; 2] = ["recordings", "vault_entries"];

/// Lets the extension import the staged records, and loads the same rows in the same order from then on.
///
/// All in one transaction, as the batches of [`statement::BATCHES`].
pub fn session(database: &Database, size: &Size) -> Result<Session> {
    let mut client = database.owner()?;
    statement::import(&mut client, statement::BATCHES, OWNER, 1, size.records)?;
    let [recordings, entries] = TABLES.map(|table| unload(&mut client, table));
    let (recordings, entries) = (recordings?, entries?);
    let records = f64::from(size.records);
    Ok(Box::new(move || {
        let start = Instant::now();
        let mut transaction = client.transaction()?;
        for (table, rows) in TABLES.iter().zip([&recordings, &entries]) {
            let mut copy = transaction.copy_in(&format!("COPY {table} FROM STDIN (FORMAT binary)"))?;
            copy.write_all(rows)?;
            copy.finish()?;
        }
        transaction.commit()?;
        Ok(start.elapsed().as_secs_f64() * 1e6 / records)
    }))
}

fn unload(client: &mut Client, table: &str) -> Result<Vec<u8>> {
    let mut rows = Vec::new();
    client.copy_out(&format!("COPY {table} TO STDOUT (FORMAT binary)"))?.read_to_end(&mut rows)?;
    Ok(rows)
}
