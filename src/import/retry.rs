//! Imports kept failures again.

use uuid::Uuid;

use crate::call::Call;
use crate::error::Failure;
use crate::import::input_record::InputRecord;
use crate::import::{self, duplicates, failures};
use crate::outcome::{BatchResult, Outcome};
use crate::pg::spi::SnapshotMode;
use crate::pg::subtransaction;
use crate::queries::rows::{FailedImport, KeptFailure, Key};

/// Imports a user's failures, each for the owner of its record.
///
/// Deletes the failures whose recording then exists, and counts one more attempt for the others.
pub fn run(call: &Call, source_app: Option<&str>, user: Option<Uuid>, limit: i32) -> Result<BatchResult, Failure> {
    if limit < 1 {
        return Err(Failure::invalid(format!("p_limit must be 1 or more, not {limit}")));
    }
    let kept = call.queries.find_failures(call.caller.user(user)?, source_app, limit);
    // A user wrote these failures, by a batch or directly. A record for another owner was refused then: a caller with
    // more rights must not import that record now.
    let inputs: Vec<InputRecord> =
        kept.iter().map(|kept| InputRecord::new(kept.record, kept.owner, kept.user)).collect();
    let mut result = BatchResult::new(import::run(call, &inputs), inputs.iter().map(|input| &input.parsed));
    skip_existing(call, &kept, &inputs, &mut result);

    let mut done = Vec::new();
    let mut failed = Vec::new();
    for (position, ((kept, input), result)) in kept.iter().zip(&inputs).zip(&result.results).enumerate() {
        match &result.outcome {
            Outcome::Failed(failure) => failed.push(FailedImport {
                position,
                user: kept.user,
                owner: kept.owner,
                source_app: input.parsed.source_app,
                external_id: input.parsed.external_id.as_deref(),
                record: kept.record,
                error: failure.text(),
                code: failure.code.to_string(),
            }),
            _ => done.push(kept.id),
        }
    }
    failures::keep(&call.queries, failed, &mut result);
    done.extend(moved(&kept, &inputs, &result));
    if !done.is_empty() {
        call.queries.remove_failures(done);
    }
    Ok(result)
}

/// Returns the failures that are now kept under another key, that of their record.
///
/// Only rows that a user wrote directly can have another key than their record.
fn moved<'a>(
    kept: &'a [KeptFailure],
    inputs: &'a [InputRecord],
    result: &'a BatchResult,
) -> impl Iterator<Item = Uuid> + use<'a> {
    kept.iter().zip(inputs).zip(&result.results).filter_map(|((kept, InputRecord { parsed, .. }), result)| {
        let is_kept = matches!(result.outcome, Outcome::Failed(_)) && result.warning.is_none();
        // A row without source and id has a digest of the record as its key, which has not changed.
        let is_same = kept.source_app.as_deref().zip(kept.external_id.as_deref())
            == parsed.source_app.zip(parsed.external_id.as_deref());
        (is_kept && !is_same).then_some(kept.id)
    })
}

/// Skips failures whose key exists now.
///
/// An invalid record may since have been fixed and imported by another call: without this, its failure would stay for
/// ever. Skips only records of which the user is the owner: of other records, the end of the failure would reveal to
/// the user that the key exists.
fn skip_existing(call: &Call, kept: &[KeptFailure], inputs: &[InputRecord], result: &mut BatchResult) {
    let mut positions = Vec::new();
    let mut keys = Vec::new();
    for (position, (kept, input)) in kept.iter().zip(inputs).enumerate() {
        let is_own = kept.user.is_none() || kept.user == kept.owner;
        if let (Outcome::Failed(_), true, Some(owner), Some(source_app), Some(external_id)) = (
            &result.results[position].outcome,
            is_own,
            kept.owner,
            input.parsed.source_app,
            input.parsed.external_id.as_deref(),
        ) {
            positions.push(position);
            keys.push(Key { owner, source_app, external_id });
        }
    }
    if keys.is_empty() {
        return;
    }
    // If the look-up fails, the records stay failed.
    let found =
        subtransaction::run(|| duplicates::find_existing(call, SnapshotMode::Current, &keys)).unwrap_or_default();
    for (position, existing) in positions.into_iter().zip(found) {
        if existing.is_some() {
            result.results[position].outcome = Outcome::Skipped { existing };
        }
    }
}
