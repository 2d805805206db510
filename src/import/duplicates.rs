//! Finds out whether a key is imported already: for the pipeline, and for callers that ask before they fetch.

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

/// Sorts out the candidates whose key exists. Only saves work: where the look-up fails, the dedup index still decides.
pub fn skip<'a>(
    call: &Call,
    mode: Mode,
    candidates: &'a [Candidate<'a>],
    outcomes: &mut Vec<(usize, Outcome)>,
) -> Vec<&'a Candidate<'a>> {
    let keys: Vec<Key> = candidates.iter().map(Candidate::key).collect();
    let existing = mode.attempt(|| find_existing(call, SnapshotMode::Current, &keys)).unwrap_or_else(|failure| {
        pgrx::warning!("dedup check failed, the import goes on: {}", failure.text());
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

/// Finds for each key the recording that has it, where the caller may see that.
///
/// PostgreSQL asks a policy before any condition that could leak a row, and takes `->>` for one: for a caller under
/// policies the dedup index would be read for all recordings of its owner, for each key. So a key of the caller's own is
/// looked up as the owner of the table, and the caller then reads what was found, by id. The second look-up runs even
/// where nothing was found: it needs the privilege to read, and a caller without it learns nothing.
///
/// Keys of other owners are looked up under the policies: the time of the answer must not tell whether they exist.
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
        // The owner is bound by policies too: nobody sees more.
        Err(_) => queries.find_duplicates(snapshot, keys),
    }
}

/// Finds the recordings for check_duplicate(). Fails open: where the look-up fails (say, no privilege), nothing is a
/// duplicate, and a WARNING says why; the dedup index still guards the import.
pub fn find(call: &Call, owner: Uuid, source_app: &str, external_ids: &[&str]) -> Vec<Option<Uuid>> {
    let keys: Vec<Key> = external_ids.iter().map(|external_id| Key { owner, source_app, external_id }).collect();
    subtransaction::run(|| find_existing(call, SnapshotMode::Callers, &keys)).unwrap_or_else(|failure| {
        pgrx::warning!("dedup check failed, so that nothing is taken for a duplicate: {}", failure.text());
        vec![None; keys.len()]
    })
}

/// Finds the recordings for ids of which some are NULL: no recording has those.
pub fn find_each(call: &Call, owner: Uuid, source_app: &str, external_ids: &[Option<String>]) -> Vec<Option<Uuid>> {
    let asked: Vec<&str> = external_ids.iter().flatten().map(String::as_str).collect();
    let mut found = find(call, owner, source_app, &asked).into_iter();
    external_ids.iter().map(|id| id.as_ref().and_then(|_| found.next().flatten())).collect()
}

/// The JSON that check_duplicate() returns.
pub fn answer(existing: Option<Uuid>) -> Value {
    match existing {
        Some(id) => json!({"isDuplicate": true, "existingRecordingId": id}),
        None => json!({"isDuplicate": false}),
    }
}
