//! Inserts recordings; the dedup index decides which of them are new.

use std::collections::BTreeMap;

use pgrx::PgSqlErrorCode;
use uuid::Uuid;

use crate::call::Call;
use crate::error::Failure;
use crate::import::isolate::Mode;
use crate::import::key_group::KeyGroup;
use crate::import::{banks, duplicates, stored};
use crate::outcome::Outcome;
use crate::pg::run_as_owner::run_as_owner;
use crate::pg::spi::SnapshotMode;
use crate::pg::{session, subtransaction};
use crate::queries::rows::{Key, StoredRecording};

/// Inserts the first candidate of each group, and sets the group's outcome.
pub fn insert(call: &Call, mode: Mode, groups: &mut [KeyGroup]) {
    mode.for_each(groups, |groups| insert_all(call, groups), KeyGroup::fail_first);
}

fn insert_all(call: &Call, groups: &mut [KeyGroup]) {
    let before = session::ended_transactions();
    insert_new(call, groups);
    let imported = groups.iter_mut().filter_map(KeyGroup::imported);
    stored::must_be_stored(call, c"recordings", imported.map(|imported| (imported.recording_id, imported.key)));
    // The insert may have waited for another transaction, which ended a membership.
    if session::ended_transactions() != before {
        let imported = groups.iter().filter(|group| matches!(group.outcome, Some(Outcome::Imported { .. })));
        banks::must_be_members(call, imported.map(KeyGroup::owner_and_bank));
    }
}

fn insert_new(call: &Call, groups: &mut [KeyGroup]) {
    let inserted = call.queries.insert_recordings(&groups.iter().map(KeyGroup::row).collect::<Vec<_>>());
    if inserted.len() == groups.len() {
        for (group, stored) in groups.iter_mut().zip(&inserted) {
            accept(call, group, stored);
        }
        return;
    }
    let inserted: BTreeMap<Uuid, StoredRecording> = inserted.into_iter().map(|stored| (stored.id, stored)).collect();
    if groups.iter().filter(|group| inserted.contains_key(&group.id)).count() < inserted.len() {
        // Then the recordings are inserted one by one, and each id belongs to a known record.
        Failure::invalid("a trigger on recordings changes the id").raise();
    }
    let (new, old): (Vec<_>, Vec<_>) = groups.iter_mut().partition(|group| inserted.contains_key(&group.id));
    new.into_iter().for_each(|group| accept(call, group, &inserted[&group.id]));
    let keys: Vec<Key> = old.iter().map(|group| group.key()).collect();
    let existing = duplicates::find_existing(call, SnapshotMode::Current, &keys);
    for (group, existing) in old.into_iter().zip(existing) {
        group.outcome = Some(match existing {
            // A trigger redirected the row, for example into a table that inherits from recordings.
            Some(id) if id == group.id => Outcome::Imported { id: existing, warning: None },
            Some(_) => Outcome::Skipped { existing },
            None => explain_missing_row(call, group),
        });
    }
}

/// Finds out why an INSERT left no row although the caller sees no duplicate.
///
/// Either a policy hides the duplicate, or a trigger dropped the new row, and the import would be lost silently. An
/// INSERT without ON CONFLICT distinguishes the two.
fn explain_missing_row(call: &Call, group: &mut KeyGroup) -> Outcome {
    match subtransaction::run(|| call.queries.insert_recording_or_raise(&group.row())) {
        Ok(Some(stored)) => {
            accept(call, group, &stored);
            Outcome::Imported { id: Some(stored.id), warning: None }
        }
        Ok(None) => Outcome::Failed(dropped_by_trigger()),
        // Else another index was violated, perhaps on a table that a trigger writes.
        Err(failure) if is_of_dedup_key(call, &failure, &group.key()) => Outcome::Skipped { existing: None },
        Err(failure) => Outcome::Failed(failure),
    }
}

/// Marks the group's recording as imported; raises if triggers stored another key, or another bank without the owner.
fn accept(call: &Call, group: &mut KeyGroup, stored: &StoredRecording) {
    stored::must_have_key(stored, &group.key());
    let (owner, bank) = group.owner_and_bank();
    group.set_imported(stored);
    let moved = group.owner_and_bank();
    banks::must_be_members(call, std::iter::once(moved).filter(|moved| *moved != (owner, bank)));
}

/// Returns whether an error is a violation of the dedup key.
///
/// The violated key may be one that a trigger made of the given one; then the index tells.
fn is_of_dedup_key(call: &Call, failure: &Failure, key: &Key) -> bool {
    let is_dedup_index = |index: &(String, String)| call.queries.is_dedup_index(&index.0, &index.1);
    failure.is(PgSqlErrorCode::ERRCODE_UNIQUE_VIOLATION)
        && (exists(call, key) || failure.constraint.as_deref().is_some_and(is_dedup_index))
}

/// Returns whether a recording has the key, visible to the caller or not.
fn exists(call: &Call, key: &Key) -> bool {
    let find = || call.queries.find_duplicates(SnapshotMode::Latest, std::slice::from_ref(key));
    run_as_owner(&call.schema, &[c"recordings"], find).is_ok_and(|found| found.iter().any(Option::is_some))
}

fn dropped_by_trigger() -> Failure {
    let code = PgSqlErrorCode::ERRCODE_TRIGGERED_ACTION_EXCEPTION;
    Failure::new(code, "the recording was not kept: the INSERT succeeded and left no row")
        .hint("Look for a trigger or a rule on recordings that drops rows.")
}
