//! Imports kept failures again.

use uuid::Uuid;

use crate::caller::Caller;
use crate::error::Failure;
use crate::failures;
use crate::home::Home;
use crate::outcome::{BatchResult, Outcome};
use crate::pipeline::{self, Given};
use crate::store::{FailedImport, Store};

/// Runs a user's failures through the pipeline, each for the owner it was meant for. Those that are in then are kept no
/// longer, for the others one attempt more is counted.
pub fn run(home: &Home, source_app: Option<&str>, user: Option<Uuid>, limit: i32) -> Result<BatchResult, Failure> {
    if limit < 1 {
        return Err(Failure::invalid(format!("p_limit must be 1 or more, not {limit}")));
    }
    let caller = Caller::invoker(home);
    let store = Store::of(home);
    let kept = store.find_failures(caller.user(user)?, source_app, limit);
    // A user has written its failures itself, by a batch or by hand. One meant for somebody else was refused then, and
    // somebody with more rights must not import it now.
    let given: Vec<Given> = kept
        .iter()
        .map(|kept| Given {
            parsed: pipeline::parse(kept.record.read()),
            p_user_id: kept.owner,
            on_behalf_of: kept.user,
        })
        .collect();
    let result = BatchResult::new(pipeline::run(home, &caller, &given), given.iter().map(|given| &given.parsed));

    let mut imported = Vec::new();
    let mut failed = Vec::new();
    for ((kept, given), result) in kept.iter().zip(&given).zip(&result.results) {
        match &result.outcome {
            Outcome::Failed(failure) => failed.push(FailedImport {
                user: kept.user,
                owner: kept.owner,
                source_app: given.parsed.source_app,
                external_id: given.parsed.external_id.as_deref(),
                record: kept.record,
                error: failure.text(),
                code: failure.code.to_string(),
            }),
            _ => imported.push(kept.id),
        }
    }
    failures::keep(&store, failed);
    if !imported.is_empty() {
        store.remove_failures(imported);
    }
    Ok(result)
}
