//! Keeps the records that failed, for a retry without a new fetch.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};

use pgrx::PgSqlErrorCode;
use uuid::Uuid;

use crate::error::Failure;
use crate::import::isolate::{self, Verdict};
use crate::outcome::BatchResult;
use crate::queries::{FailedImport, Store};

/// Keeps failures. One that can't be kept is told in its record's result, and as a WARNING: whoever relies on a retry has
/// to know that there will be none.
pub fn keep(store: &Store, failed: Vec<FailedImport>, result: &mut BatchResult) {
    let mut failed = in_lock_order(failed);
    let result = RefCell::new(result);
    // Users who turn out to be none. Known for one failure, for all.
    let strangers: RefCell<HashSet<Uuid>> = RefCell::default();
    let keep = |failed: &mut [FailedImport]| {
        let known = |user: &Uuid| !strangers.borrow().contains(user);
        failed.iter_mut().for_each(|failed| failed.user = failed.user.filter(known));
        store.keep_failures(failed);
    };
    isolate::run(&mut failed, &keep, &|failed: &mut FailedImport, failure: Failure| match failed.user {
        Some(user) if failure.is(PgSqlErrorCode::ERRCODE_FOREIGN_KEY_VIOLATION) => {
            strangers.borrow_mut().insert(user);
            Verdict::Again
        }
        _ => {
            let warning = format!("it could not be kept for a retry: {}", failure.text());
            pgrx::warning!("a failed import: {warning}");
            result.borrow_mut().results[failed.position].warning = Some(warning);
            Verdict::GiveUp
        }
    });
}

/// Each key once, with its last failure, in an order that all batches share: overlapping ones don't wait in a circle.
/// It does not depend on who is to see the failure, for that may change on the way.
fn in_lock_order(failed: Vec<FailedImport>) -> Vec<FailedImport> {
    let keyed = failed.into_iter().map(|failed| {
        let key = match (failed.source_app, failed.external_id) {
            (Some(source_app), Some(external_id)) => Ok((source_app.to_owned(), external_id.to_owned())),
            _ => Err(failed.record.hash()),
        };
        ((failed.owner, key), failed)
    });
    keyed.collect::<BTreeMap<_, _>>().into_values().collect()
}
