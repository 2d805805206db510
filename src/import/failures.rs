//! Keeps failed records for a retry without a new fetch.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};

use pgrx::PgSqlErrorCode;
use uuid::Uuid;

use crate::error::Failure;
use crate::import::isolate::{self, OnError};
use crate::outcome::BatchResult;
use crate::queries::Queries;
use crate::queries::rows::FailedImport;

/// Keeps failures for a retry.
///
/// A failure that can't be kept raises a WARNING, and adds `warning` to its record's result: no retry will import it.
pub fn keep(queries: &Queries, failed: Vec<FailedImport>, result: &mut BatchResult) {
    let mut failed = in_lock_order(failed);
    let result = RefCell::new(result);
    // Ids that have violated the foreign key on users.
    let unknown_users: RefCell<HashSet<Uuid>> = RefCell::default();
    let keep = |failed: &mut [FailedImport]| {
        let known = |user: &Uuid| !unknown_users.borrow().contains(user);
        failed.iter_mut().for_each(|failed| failed.user = failed.user.filter(known));
        if queries.keep_failures(failed) < failed.len() {
            dropped_by_trigger().raise();
        }
    };
    isolate::run(&mut failed, &keep, &|failed: &mut FailedImport, failure: Failure| match failed.user {
        Some(user) if failure.is(PgSqlErrorCode::ERRCODE_FOREIGN_KEY_VIOLATION) => {
            unknown_users.borrow_mut().insert(user);
            OnError::Retry
        }
        _ => {
            let warning = format!("the failed record could not be kept for a retry: {}", failure.text());
            pgrx::warning!("record at index {}: {warning}", failed.position);
            result.borrow_mut().results[failed.position].warning = Some(warning);
            OnError::Fail
        }
    });
}

/// Sorts failures into lock order, and drops all but the last failure of each key and user.
///
/// All batches share this order, so that overlapping batches don't deadlock. The user comes last, because `keep` may still
/// change the user of a failure.
fn in_lock_order(failed: Vec<FailedImport>) -> Vec<FailedImport> {
    let keyed = failed.into_iter().map(|failed| {
        let key = match (failed.source_app, failed.external_id) {
            (Some(source_app), Some(external_id)) => Ok((source_app.to_owned(), external_id.to_owned())),
            _ => Err(failed.record.hash()),
        };
        ((failed.owner, key, failed.user), failed)
    });
    keyed.collect::<BTreeMap<_, _>>().into_values().collect()
}

fn dropped_by_trigger() -> Failure {
    let code = PgSqlErrorCode::ERRCODE_TRIGGERED_ACTION_EXCEPTION;
    Failure::new(code, "the INSERT into import_failures left no row")
        .hint("Look for a trigger or a rule on import_failures that drops rows.")
}
