//! Is it imported already? The answer for callers that ask before they fetch.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::home::Home;
use crate::statement::Access;
use crate::store::{Key, Store};
use crate::subtransaction;

/// For each id the recording that has it. Fails open: where the look-up fails (say, no privilege), nothing is a
/// duplicate, and a WARNING says why; the dedup index still guards the import.
pub fn find(home: &Home, owner: Uuid, source_app: &str, external_ids: &[&str]) -> Vec<Option<Uuid>> {
    let keys: Vec<Key> = external_ids.iter().map(|external_id| Key { owner, source_app, external_id }).collect();
    subtransaction::run(|| Store::of(home).find_duplicates(Access::Read, &keys)).unwrap_or_else(|failure| {
        pgrx::warning!("dedup check failed, so that nothing is taken for a duplicate: {}", failure.text());
        vec![None; keys.len()]
    })
}

/// The same for ids that may be NULL, which none is imported under.
pub fn find_each(home: &Home, owner: Uuid, source_app: &str, external_ids: &[Option<String>]) -> Vec<Option<Uuid>> {
    let asked: Vec<&str> = external_ids.iter().flatten().map(String::as_str).collect();
    let mut found = find(home, owner, source_app, &asked).into_iter();
    external_ids.iter().map(|id| id.as_ref().and_then(|_| found.next().flatten())).collect()
}

/// The answer of check_duplicate().
pub fn answer(existing: Option<Uuid>) -> Value {
    match existing {
        Some(id) => json!({"isDuplicate": true, "existingRecordingId": id}),
        None => json!({"isDuplicate": false}),
    }
}
