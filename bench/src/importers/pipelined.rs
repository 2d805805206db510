//! Executes one prepared statement for each record, without waiting for the answer to the one before.
//!
//! The server, not the round trip, is measured here; benchmarks/wire.rs includes the round trips.

use std::time::Instant;

use futures_util::stream::{self, StreamExt, TryStreamExt};
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::{Client, NoTls, Statement};

use super::session::Session;
use crate::database::Database;
use crate::error::Result;
use crate::records;
use crate::server::OWNER;
use crate::staging::Size;

/// How many calls the client sends ahead of their answers.
const IN_FLIGHT: usize = 64;

/// The statement's parameters are the record and its owner.
pub fn session(sql: String, database: &Database, size: &Size) -> Result<Session> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let config = database.owner_config();
    let (client, connection) = runtime.block_on(config.connect(NoTls))?;
    // The connection's error reaches the caller through the client.
    runtime.spawn(async { drop(connection.await) });
    let statement = runtime.block_on(client.prepare(&sql))?;
    let records: Vec<Value> =
        (1..=size.records).map(|position| records::record(position as usize, size.transcript)).collect();
    Ok(Box::new(move || {
        let start = Instant::now();
        import(&runtime, &client, &statement, &records)?;
        Ok(start.elapsed().as_secs_f64() * 1e6 / records.len() as f64)
    }))
}

/// Imports all in one transaction, so that no call waits for a commit.
fn import(runtime: &Runtime, client: &Client, statement: &Statement, records: &[Value]) -> Result<()> {
    runtime.block_on(async {
        client.batch_execute("BEGIN").await?;
        stream::iter(records)
            .map(|record| async move { client.query_one(statement, &[record, &OWNER]).await })
            .buffered(IN_FLIGHT)
            .try_for_each(|_result| async { Ok(()) })
            .await?;
        client.batch_execute("COMMIT").await?;
        Ok(())
    })
}
