//! Inserts recordings; the dedup index decides which of them are new.

use std::collections::BTreeSet;

use pgrx::PgSqlErrorCode;
use uuid::Uuid;

use crate::call::Call;
use crate::error::Failure;
use crate::import::duplicates;
use crate::import::isolate::Mode;
use crate::import::key_group::KeyGroup;
use crate::outcome::Outcome;
use crate::pg::run_as_owner::run_as_owner;
use crate::pg::spi::SnapshotMode;
use crate::pg::subtransaction;
use crate::queries::rows::Key;

/// Inserts the first candidate of each group, and sets the group's outcome.
pub fn insert(call: &Call, mode: Mode, groups: &mut [KeyGroup]) {
    mode.for_each(groups, |groups| insert_all(call, groups), KeyGroup::fail_first);
}

fn insert_all(call: &Call, groups: &mut [KeyGroup]) {
    let inserted = call.queries.insert_recordings(&groups.iter().map(KeyGroup::row).collect::<Vec<_>>());
    if inserted.len() == groups.len() {
        for (group, id) in groups.iter_mut().zip(inserted) {
            group.set_imported(id);
        }
        return;
    }
    let inserted: BTreeSet<Uuid> = inserted.into_iter().collect();
    if groups.iter().filter(|group| inserted.contains(&group.id)).count() < inserted.len() {
        // Then the recordings are inserted one by one, and each id belongs to a known record.
        Failure::invalid("a trigger on recordings changes the id").raise();
    }
    let (new, old): (Vec<_>, Vec<_>) = groups.iter_mut().partition(|group| inserted.contains(&group.id));
    new.into_iter().for_each(|group| group.set_imported(group.id));
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
fn explain_missing_row(call: &Call, group: &KeyGroup) -> Outcome {
    match subtransaction::run(|| call.queries.insert_recording_or_raise(&group.row())) {
        Ok(Some(id)) => Outcome::Imported { id: Some(id), warning: None },
        Ok(None) => Outcome::Failed(dropped_by_trigger()),
        // If no recording has the key, another index was violated, perhaps on a table that a trigger writes.
        Err(failure) if failure.is(PgSqlErrorCode::ERRCODE_UNIQUE_VIOLATION) && exists(call, &group.key()) => {
            Outcome::Skipped { existing: None }
        }
        Err(failure) => Outcome::Failed(failure),
    }
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
