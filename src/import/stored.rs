//! Checks that recordings are stored with the key that was given, which triggers may change.

use std::collections::BTreeMap;
use std::ffi::CStr;

use pgrx::PgSqlErrorCode;
use uuid::Uuid;

use crate::call::Call;
use crate::error::Failure;
use crate::pg::relation::Table;
use crate::pg::run_as_owner::run_as_owner;
use crate::queries::rows::{Key, StoredRecording};

/// Raises where the key of a recording is not the given one: the next import of that key would insert a second row.
pub fn must_have_key(stored: &StoredRecording, given: &Key) {
    if let Some(column) = stored.changed_column(given) {
        changed_by_trigger(column).raise();
    }
}

/// Reads recordings back after an insert into `table` that may have run triggers; raises where one is missing or has
/// another key. Deferred triggers run at COMMIT, too late for this check.
pub fn must_be_stored<'a>(call: &Call, table: &CStr, recordings: impl Iterator<Item = (Uuid, Key<'a>)>) {
    if !Table::open(&call.schema, table).is_some_and(|table| table.runs_code_on_insert()) {
        return;
    }
    let recordings: BTreeMap<Uuid, Key> = recordings.collect();
    let ids: Vec<Uuid> = recordings.keys().copied().collect();
    let find = || call.queries.find_stored(&ids);
    // A caller under policies need not see what it inserted.
    let stored = match call.caller.is_bound_by_policies() {
        true => run_as_owner(&call.schema, &[c"recordings"], find),
        false => Ok(find()),
    };
    let Ok(stored) = stored else { return };
    for stored in &stored {
        must_have_key(stored, &recordings[&stored.id]);
    }
    if stored.len() < ids.len() {
        deleted_by_trigger().raise();
    }
}

fn changed_by_trigger(column: &str) -> Failure {
    let message = format!("column {column} of recordings was stored with another value than the record's");
    Failure::new(PgSqlErrorCode::ERRCODE_TRIGGERED_ACTION_EXCEPTION, message).hint(
        "Look at the triggers on recordings and vault_entries, and at the column's type: owner_user_id, source_app and \
         external_id must be stored as given.",
    )
}

fn deleted_by_trigger() -> Failure {
    let code = PgSqlErrorCode::ERRCODE_TRIGGERED_ACTION_EXCEPTION;
    Failure::new(code, "the recording was not kept: it was deleted after the INSERT")
        .hint("Look for a trigger on recordings or vault_entries that deletes recordings.")
}
