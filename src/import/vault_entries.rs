//! Inserts vault entries, into `vault_id` or else the owner's personal vault of the bank.

use uuid::Uuid;

use crate::call::Call;
use crate::error::Failure;
use crate::import::isolate::{self, Mode, OnError};
use crate::import::key_group::KeyGroup;
use crate::queries::rows::{NewVaultEntry, VaultRequest};

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
                entries
                    .push((NewVaultEntry { id: Uuid::now_v7(), vault_id: *vault_id, recording_id }, imported.warning));
            }
            Ok(None) => *imported.warning = Some(no_vault(&imported.vault_request)),
            Err(failure) => *imported.warning = Some(no_entry(failure)),
        }
    }
    let insert = |entries: &mut [(NewVaultEntry, &mut Option<String>)]| {
        let rows: Vec<NewVaultEntry> = entries.iter().map(|(entry, _)| *entry).collect();
        if call.queries.insert_vault_entries(&rows) == rows.len() {
            return;
        }
        for ((_, warning), exists) in entries.iter_mut().zip(call.queries.find_vault_entries(&rows)) {
            if !exists {
                **warning = Some("the vault entry was not kept: look for a trigger on vault_entries".to_owned());
            }
        }
    };
    mode.for_each(&mut entries, insert, |(_, warning), failure| {
        **warning = Some(no_entry(&failure));
        OnError::Fail
    });
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
