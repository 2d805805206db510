//! Is it imported already? For the pipeline, and for callers that ask before they fetch.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::caller::Caller;
use crate::pg::run_as_owner;
use crate::pg::schema::Home;
use crate::pg::spi::Access;
use crate::pg::subtransaction;
use crate::queries::{Key, Store};

/// For each key the recording that has it, where the caller may see that.
///
/// PostgreSQL asks a policy before any condition that could leak a row, and takes `->>` for one: for a caller under
/// policies the dedup index would be read for all recordings of its owner, for each key. So a key of the caller's own is
/// looked up as the owner of the table, and the caller then asks for what was found, by id. The second question is asked
/// even if there is nothing to ask for: it needs the privilege to read, and a caller without it learns nothing.
///
/// For keys of other owners PostgreSQL's way is taken: the time that the answer takes must not tell what is there.
pub fn find_existing(home: &Home, caller: &Caller, access: Access, keys: &[Key]) -> Vec<Option<Uuid>> {
    let store = Store::of(home);
    let are_own = || keys.iter().all(|key| caller.must_be_allowed_for(key.owner).is_ok());
    if !caller.is_bound_by_policies() || !are_own() {
        return store.find_duplicates(access, keys);
    }
    match run_as_owner::act_as(home, &[c"recordings"], || store.find_duplicates(access, keys)) {
        Ok(existing) => {
            let visible = store.find_visible(access, existing.iter().copied().filter(Option::is_some).collect());
            existing.into_iter().map(|id| id.filter(|id| visible.contains(id))).collect()
        }
        // The owner is bound by policies too: nobody sees more.
        Err(_) => store.find_duplicates(access, keys),
    }
}

/// The answer to a question from outside. Fails open: where the look-up fails (say, no privilege), nothing is a
/// duplicate, and a WARNING says why; the dedup index still guards the import.
pub fn find(home: &Home, caller: &Caller, owner: Uuid, source_app: &str, external_ids: &[&str]) -> Vec<Option<Uuid>> {
    let keys: Vec<Key> = external_ids.iter().map(|external_id| Key { owner, source_app, external_id }).collect();
    subtransaction::run(|| find_existing(home, caller, Access::Read, &keys)).unwrap_or_else(|failure| {
        pgrx::warning!("dedup check failed, so that nothing is taken for a duplicate: {}", failure.text());
        vec![None; keys.len()]
    })
}

/// The same for ids that may be NULL, which none is imported under.
pub fn find_each(
    home: &Home,
    caller: &Caller,
    owner: Uuid,
    source_app: &str,
    external_ids: &[Option<String>],
) -> Vec<Option<Uuid>> {
    let asked: Vec<&str> = external_ids.iter().flatten().map(String::as_str).collect();
    let mut found = find(home, caller, owner, source_app, &asked).into_iter();
    external_ids.iter().map(|id| id.as_ref().and_then(|_| found.next().flatten())).collect()
}

/// The answer of check_duplicate().
pub fn answer(existing: Option<Uuid>) -> Value {
    match existing {
        Some(id) => json!({"isDuplicate": true, "existingRecordingId": id}),
        None => json!({"isDuplicate": false}),
    }
}
