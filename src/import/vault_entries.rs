//! Inserts vault entries, into `vault_id` or else the owner's personal vault of the bank.

use uuid::Uuid;

use crate::call::Call;
use crate::error::Failure;
use crate::import::isolate::{self, Mode, OnError};
use crate::import::key_group::KeyGroup;
use crate::import::stored;
use crate::pg::relation::Table;
use crate::queries::rows::{Key, NewVaultEntry, VaultRequest};

/// Inserts a vault entry for each imported recording.
///
/// If that fails, the recording stays imported, with a warning.
pub fn insert(call: &Call, mode: Mode, groups: &mut [KeyGroup]) {
    let imported: Vec<_> = groups.iter_mut().filter_map(KeyGroup::imported).collect();
    if imported.is_empty() {
        return;
    }
    let requests = imported.iter().map(|imported| imported.vault_request).collect();
    let vaults = isolate::look_up(mode, requests, |requests| call.queries.find_vaults(requests));
    let mut entries = Vec::with_capacity(imported.len());
    for imported in imported {
        match &vaults[&imported.vault_request] {
            Ok(Some(vault_id)) => {
                let recording_id = imported.recording_id;
                let entry = NewVaultEntry { id: Uuid::now_v7(), vault_id: *vault_id, recording_id };
                entries.push(Entry { row: entry, key: imported.key, warning: imported.warning });
            }
            Ok(None) => *imported.warning = Some(no_vault(&imported.vault_request)),
            Err(failure) => *imported.warning = Some(no_entry(failure)),
        }
    }
    mode.for_each(
        &mut entries,
        |entries| insert_all(call, entries),
        |entry, failure| {
            *entry.warning = Some(no_entry(&failure));
            OnError::Fail
        },
    );
}

/// A vault entry to insert, the key of its recording, and where a warning goes.
struct Entry<'a> {
    row: NewVaultEntry,
    key: Key<'a>,
    warning: &'a mut Option<String>,
}

fn insert_all(call: &Call, entries: &mut [Entry]) {
    let rows: Vec<NewVaultEntry> = entries.iter().map(|entry| entry.row).collect();
    let are_new = call.queries.insert_vault_entries(&rows) == rows.len();
    stored::must_be_stored(call, c"vault_entries", entries.iter().map(|entry| (entry.row.recording_id, entry.key)));
    let may_be_gone = Table::open(&call.schema, c"vault_entries").is_some_and(|table| table.runs_code_on_insert());
    if are_new && !may_be_gone {
        return;
    }
    for (entry, exists) in entries.iter_mut().zip(call.queries.find_vault_entries(&rows)) {
        if !exists {
            *entry.warning = Some("the vault entry was not kept: look for a trigger on vault_entries".to_owned());
        }
    }
}

fn no_entry(failure: &Failure) -> String {
    format!("no vault entry was created: {}", failure.text())
}

fn no_vault(request: &VaultRequest) -> String {
    let VaultRequest { bank_id, vault_id, .. } = request;
    match vault_id {
        Some(vault) => format!("no vault entry was created: vault_id {vault} is not a vault of bank {bank_id}"),
        None => format!("no vault entry was created: bank {bank_id} has no personal vault of this user"),
    }
}
