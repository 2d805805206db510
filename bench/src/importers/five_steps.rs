//! B4: five statements a record, each a round trip and a transaction, as the TypeScript module did.

use postgres::{Client, Statement};
use serde_json::Value;
use uuid::Uuid;

use crate::error::Result;
use crate::server::OWNER;

pub struct FiveSteps {
    check: Statement,
    membership: Statement,
    insert: Statement,
    vault: Statement,
    entry: Statement,
}

impl FiveSteps {
    pub fn prepare(client: &mut Client) -> Result<Self> {
        Ok(Self {
            check: client.prepare(include_str!("../../baselines/five_steps/1_check.sql"))?,
            membership: client.prepare(include_str!("../../baselines/five_steps/2_membership.sql"))?,
            insert: client.prepare(include_str!("../../baselines/five_steps/3_insert.sql"))?,
            vault: client.prepare(include_str!("../../baselines/five_steps/4_vault.sql"))?,
            entry: client.prepare(include_str!("../../baselines/five_steps/5_entry.sql"))?,
        })
    }

    pub fn import(&self, client: &mut Client, record: &Value) -> Result<()> {
        let text = |key: &str| record[key].as_str();
        if client.query_opt(&self.check, &[&OWNER, &text("source_app"), &text("external_id")])?.is_some() {
            return Ok(());
        }
        let bank: Uuid = client.query_one(&self.membership, &[&OWNER])?.get(0);
        let mut metadata = record["source_metadata"].clone();
        metadata["external_id"] = record["external_id"].clone();
        let duration = record["duration"].as_i64().and_then(|seconds| i32::try_from(seconds).ok());
        let recording: Uuid = client
            .query_one(
                &self.insert,
                &[
                    &bank,
                    &OWNER,
                    &text("source_app"),
                    &metadata,
                    &text("title"),
                    &text("full_transcript"),
                    &duration,
                    &text("recording_start_time"),
                ],
            )?
            .get(0);
        let vault: Uuid = client.query_one(&self.vault, &[&bank])?.get(0);
        client.execute(&self.entry, &[&vault, &recording])?;
        Ok(())
    }
}
