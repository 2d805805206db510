//! Compares the recordings in the table with the records they were made from.

use std::collections::BTreeMap;

use postgres::Client;
use serde_json::Value;
use uuid::Uuid;

use crate::checks::{Checks, Property};
use crate::server::Result;
use crate::workload::{CLOSED_BANK, CLOSED_VAULT, Key, Kind};

#[derive(Debug)]
pub struct Recording {
    pub id: String,
    bank: Uuid,
    is_in_own_bank: bool,
    /// The vaults in which the recording has entries.
    pub vaults: Vec<Uuid>,
    are_own_vaults: bool,
    contents: Value,
}

/// The recordings by key, without those of backfills.
///
/// A recording without a key of the workload is a violation.
pub fn of_keys(client: &mut Client, checks: &mut Checks) -> Result<BTreeMap<Key, Vec<Recording>>> {
    let mut found: BTreeMap<Key, Vec<Recording>> = BTreeMap::new();
    for row in client.query(include_str!("../sql/recordings.sql"), &[])? {
        let (external_id, owner, source_app): (Option<String>, Uuid, Option<String>) =
            (row.get(0), row.get(1), row.get(2));
        let recording = Recording {
            id: row.get(3),
            bank: row.get(4),
            is_in_own_bank: row.get(5),
            vaults: row.get(6),
            are_own_vaults: row.get(7),
            contents: row.get(8),
        };
        let key = external_id.as_deref().and_then(|id| id.parse().ok()).map(Key);
        match key.filter(|key| owner == key.owner() && source_app.as_deref() == Some(key.source_app())) {
            Some(key) => found.entry(key).or_default().push(recording),
            None => checks.holds(Property::NothingElse, None, false, || {
                format!("external id {external_id:?} from {source_app:?} of {owner} is no key: {recording:?}")
            }),
        }
    }
    Ok(found)
}

impl Recording {
    pub fn check(&self, key: Key, checks: &mut Checks) {
        let entries = usize::from(matches!(key.kind(), Kind::Good | Kind::Later));
        checks.holds(Property::Entries, Some(key), self.vaults.len() == entries, || {
            format!("recording {} has vault entries in {:?}, should have {entries}", self.id, self.vaults)
        });
        let contents = key.contents();
        checks.holds(Property::Contents, Some(key), self.contents == contents, || {
            format!("recording {} has {}, its record {contents}", self.id, self.contents)
        });
        let is_in_place = match key.kind() {
            Kind::Later => self.bank == CLOSED_BANK && self.vaults.iter().all(|vault| *vault == CLOSED_VAULT),
            _ => self.is_in_own_bank && self.are_own_vaults,
        };
        checks.holds(Property::Places, Some(key), is_in_place, || {
            format!("recording {} is in bank {}, with entries in {:?}", self.id, self.bank, self.vaults)
        });
    }
}
