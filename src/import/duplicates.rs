//! Looks up dedup keys, for the pipeline and for check_duplicate() and check_duplicates().

use serde_json::{Value, json};
use uuid::Uuid;

use crate::call::Call;
use crate::import::candidate::Candidate;
use crate::import::isolate::Mode;
use crate::outcome::Outcome;
use crate::pg::run_as_owner::run_as_owner;
use crate::pg::spi::SnapshotMode;
use crate::pg::subtransaction;
use crate::queries::rows::Key;

/// Skips the candidates whose key exists; returns the others.
///
/// Only saves work: if the look-up fails, the dedup index still finds the duplicates.
pub fn skip<'a>(
    call: &Call,
    mode: Mode,
    candidates: &'a [Candidate<'a>],
    outcomes: &mut Vec<(usize, Outcome)>,
) -> Vec<&'a Candidate<'a>> {
    let keys: Vec<Key> = candidates.iter().map(Candidate::key).collect();
    let existing = mode.attempt(|| find_existing(call, SnapshotMode::Current, &keys)).unwrap_or_else(|failure| {
        pgrx::warning!("dedup check failed, and the import continues without it: {}", failure.text());
        vec![None; keys.len()]
    });
    let mut new = Vec::with_capacity(candidates.len());
    for (candidate, existing) in candidates.iter().zip(existing) {
        match existing {
            Some(_) => outcomes.push((candidate.position, Outcome::Skipped { existing })),
            None => new.push(candidate),
        }
    }
    new
}

/// Finds the recording of each key, if the caller may see that recording.
///
/// PostgreSQL evaluates policies before conditions that could leak a row, and `->>` is such a condition: under policies
/// each key would read all of its owner's recordings from the dedup index. So the caller's own keys are looked up as
/// the owner of the table, and the caller then reads the recordings found, by id. This second look-up runs even if the
/// first found nothing: it needs the privilege to read, so that a caller without that privilege learns nothing.
///
/// Keys of other owners are looked up under the policies: the response time must not reveal whether they exist.
pub fn find_existing(call: &Call, snapshot: SnapshotMode, keys: &[Key]) -> Vec<Option<Uuid>> {
    let queries = &call.queries;
    let are_own = || keys.iter().all(|key| call.caller.must_be_allowed_for(key.owner).is_ok());
    if !call.caller.is_bound_by_policies() || !are_own() {
        return queries.find_duplicates(snapshot, keys);
    }
    match run_as_owner(&call.schema, &[c"recordings"], || queries.find_duplicates(snapshot, keys)) {
        Ok(existing) => {
            let visible = queries.find_visible(snapshot, existing.iter().copied().filter(Option::is_some).collect());
            existing.into_iter().map(|id| id.filter(|id| visible.contains(id))).collect()
        }
        // The table's owner is bound by policies too, or there is no such table.
        Err(_) => queries.find_duplicates(snapshot, keys),
    }
}

/// Finds the recordings for check_duplicate(), and fails open.
///
/// If the look-up fails (for example without the privilege to read), no id is a duplicate and a WARNING gives the
/// reason; the dedup index still guards the import.
pub fn find(call: &Call, owner: Uuid, source_app: &str, external_ids: &[&str]) -> Vec<Option<Uuid>> {
    let keys: Vec<Key> = external_ids.iter().map(|external_id| Key { owner, source_app, external_id }).collect();
    subtransaction::run(|| find_existing(call, SnapshotMode::Callers, &keys)).unwrap_or_else(|failure| {
        pgrx::warning!("dedup check failed, and every id counts as new: {}", failure.text());
        vec![None; keys.len()]
    })
}

/// Finds the recordings for ids that may be NULL, which no recording has.
pub fn find_each(call: &Call, owner: Uuid, source_app: &str, external_ids: &[Option<String>]) -> Vec<Option<Uuid>> {
    let asked: Vec<&str> = external_ids.iter().flatten().map(String::as_str).collect();
    let mut found = find(call, owner, source_app, &asked).into_iter();
    external_ids.iter().map(|id| id.as_ref().and_then(|_| found.next().flatten())).collect()
}

/// Returns the JSON of check_duplicate().
pub fn answer(existing: Option<Uuid>) -> Value {
    match existing {
        Some(id) => json!({"isDuplicate": true, "existingRecordingId": id}),
        None => json!({"isDuplicate": false}),
    }
}
