//! Imports records, one or many, with the same code: run_pipeline() is a batch of one.
//!
//! Authorises the records, sorts them by key and runs the stages (duplicates, banks, recordings, vault entries), each
//! with one or two statements for all records. First all stages run in one subtransaction. If that fails, they run
//! again, each in its own subtransactions, which isolate the records that fail. So a valid batch costs one
//! subtransaction.

mod banks;
pub mod batch;
mod candidate;
pub mod duplicates;
mod failures;
mod input_record;
mod isolate;
mod key_group;
pub mod personal_bank;
mod recordings;
pub mod retry;
mod stages;
mod stored;
mod vault_entries;

use std::cell::Cell;

use pgrx::PgSqlErrorCode;
use uuid::Uuid;

use candidate::Candidate;
use input_record::InputRecord;
use isolate::Mode;

use crate::call::Call;
use crate::error::Failure;
use crate::outcome::{Outcome, PipelineResult};
use crate::pg::jsonb::Jsonb;
use crate::pg::subtransaction;

/// Imports records; returns a result for each, in the same order.
pub fn run(call: &Call, records: &[InputRecord]) -> Vec<PipelineResult> {
    let mut outcomes: Vec<Option<Outcome>> = Vec::with_capacity(records.len());
    let mut candidates = Vec::with_capacity(records.len());
    for (position, input) in records.iter().enumerate() {
        outcomes.push(match Candidate::authorise(&call.caller, position, input) {
            Ok(candidate) => {
                candidates.push(candidate);
                None
            }
            Err(failure) => Some(Outcome::Failed(failure)),
        });
    }
    // Key order is lock order: overlapping batches wait for each other and don't deadlock, whatever the order of their
    // records. Records with the same key stay in their order.
    candidates.sort_by_key(|candidate| (candidate.key(), candidate.position));
    for (position, outcome) in import(call, &candidates) {
        if let Outcome::Imported { id: Some(id), warning: Some(warning) } = &outcome {
            pgrx::warning!("recording {id}: {warning}");
        }
        outcomes[position] = Some(outcome);
    }
    let results = records.iter().zip(outcomes).map(|(input, outcome)| PipelineResult {
        outcome: outcome.expect("every candidate has an outcome"),
        warning: None,
        ignored_fields: input.parsed.ignored_fields.clone(),
    });
    results.collect()
}

/// Imports one record.
pub fn run_one(call: &Call, p_user_id: Option<Uuid>, p_record: Option<Jsonb<'_>>) -> PipelineResult {
    let Some(record) = p_record else {
        let outcome = Outcome::Failed(Failure::null_argument("p_record"));
        return PipelineResult { outcome, warning: None, ignored_fields: Vec::new() };
    };
    let input = InputRecord::new(record.element(), p_user_id, None);
    run(call, &[input]).pop().expect("a result for each record")
}

/// Imports candidates; returns the outcome of each with the candidate's position.
fn import(call: &Call, candidates: &[Candidate]) -> Vec<(usize, Outcome)> {
    if candidates.is_empty() {
        return Vec::new();
    }
    let is_inserting = Cell::new(false);
    let failure = match subtransaction::run(|| stages::run(call, Mode::Together, candidates, &is_inserting)) {
        Ok(outcomes) => return outcomes,
        Err(failure) => failure,
    };
    match candidates {
        // A single record needs no isolation, and a trigger that failed should not run twice. A unique violation runs
        // again because it may come from the dedup key: see `retry_unique_violation` in isolate.rs.
        [candidate] if is_inserting.get() && !failure.is(PgSqlErrorCode::ERRCODE_UNIQUE_VIOLATION) => {
            vec![(candidate.position, Outcome::Failed(failure))]
        }
        _ => stages::run(call, Mode::Isolated, candidates, &is_inserting),
    }
}

/// Creates the error of insert_recording() for a record whose key exists.
pub fn duplicate(existing: Option<Uuid>) -> Failure {
    let as_what = existing.map_or_else(String::new, |id| format!(", as recording {id}"));
    Failure::new(PgSqlErrorCode::ERRCODE_UNIQUE_VIOLATION, format!("the record is imported already{as_what}"))
        .hint("To skip duplicates, call run_pipeline().")
}
