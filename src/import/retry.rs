//! Imports kept failures again.

use uuid::Uuid;

use crate::caller::Caller;
use crate::error::Failure;
use crate::import::duplicates;
use crate::import::failures;
use crate::import::{self, Given};
use crate::outcome::{BatchResult, Outcome};
use crate::pg::schema::Home;
use crate::pg::spi::Access;
use crate::pg::subtransaction;
use crate::queries::{FailedImport, KeptFailure, Key, Store};

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
    let given: Vec<Given> = kept.iter().map(|kept| Given::new(kept.record, kept.owner, kept.user)).collect();
    let mut result = BatchResult::new(import::run(home, &caller, &given), given.iter().map(|given| &given.parsed));
    skip_what_is_in(home, &caller, &kept, &given, &mut result);

    let mut done = Vec::new();
    let mut failed = Vec::new();
    for (position, ((kept, given), result)) in kept.iter().zip(&given).zip(&result.results).enumerate() {
        match &result.outcome {
            Outcome::Failed(failure) => failed.push(FailedImport {
                position,
                user: kept.user,
                owner: kept.owner,
                source_app: given.parsed.source_app,
                external_id: given.parsed.external_id.as_deref(),
                record: kept.record,
                error: failure.text(),
                code: failure.code.to_string(),
            }),
            _ => done.push(kept.id),
        }
    }
    failures::keep(&store, failed, &mut result);
    done.extend(moved(&kept, &given, &result));
    if !done.is_empty() {
        store.remove_failures(done);
    }
    Ok(result)
}

/// Failures that are kept under another key now: that of the record, where somebody has written the row by hand.
fn moved<'a>(
    kept: &'a [KeptFailure],
    given: &'a [Given],
    result: &'a BatchResult,
) -> impl Iterator<Item = Uuid> + use<'a> {
    kept.iter().zip(given).zip(&result.results).filter_map(|((kept, Given { parsed, .. }), result)| {
        let is_kept = matches!(result.outcome, Outcome::Failed(_)) && result.warning.is_none();
        // Without both, a row has the record itself for a key, and so is the one that is kept.
        let is_same = kept.source_app.as_deref().zip(kept.external_id.as_deref())
            == parsed.source_app.zip(parsed.external_id.as_deref());
        (is_kept && !is_same).then_some(kept.id)
    })
}

/// A record that is not good may have come in since, mended, by another way: nothing is left to import then, and it
/// would fail for ever.
///
/// Of a user's own records alone: of another's, what becomes of the failure would tell the user what is in.
fn skip_what_is_in(home: &Home, caller: &Caller, kept: &[KeptFailure], given: &[Given], result: &mut BatchResult) {
    let mut positions = Vec::new();
    let mut keys = Vec::new();
    for (position, (kept, given)) in kept.iter().zip(given).enumerate() {
        let is_own = kept.user.is_none() || kept.user == kept.owner;
        if let (Outcome::Failed(_), true, Some(owner), Some(source_app), Some(external_id)) = (
            &result.results[position].outcome,
            is_own,
            kept.owner,
            given.parsed.source_app,
            given.parsed.external_id.as_deref(),
        ) {
            positions.push(position);
            keys.push(Key { owner, source_app, external_id });
        }
    }
    if keys.is_empty() {
        return;
    }
    // Where the look-up fails, the records stay failed.
    let found =
        subtransaction::run(|| duplicates::find_existing(home, caller, Access::Write, &keys)).unwrap_or_default();
    for (position, existing) in positions.into_iter().zip(found) {
        if existing.is_some() {
            result.results[position].outcome = Outcome::Skipped { existing };
        }
    }
}
