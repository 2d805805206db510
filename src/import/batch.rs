//! Imports many records, updates their sync job, and keeps the records that fail.

use pgrx::PgSqlErrorCode;
use uuid::Uuid;

use crate::call::Call;
use crate::caller::Caller;
use crate::error::{Failure, OrRaise};
use crate::import::input_record::InputRecord;
use crate::import::{self, failures};
use crate::json::Value;
use crate::outcome::{BatchResult, Outcome};
use crate::pg::jsonb::Jsonb;
use crate::pg::subtransaction;
use crate::queries::rows::{FailedImport, JobProgress};

/// The records of a call of run_pipeline_batch(), and their sync job.
pub struct Batch<'a> {
    pub job: Option<Uuid>,
    pub records: Vec<InputRecord<'a>>,
}

/// The maximum number of records of one call.
///
/// Besides the record itself, each takes 1 kB of memory, and 3 kB if the record fails.
const MAX_RECORDS: usize = 100_000;

/// Parses the elements of `p_records`.
pub fn records<'a>(p_records: Jsonb<'a>, p_user_id: Option<Uuid>) -> Result<Vec<InputRecord<'a>>, Failure> {
    let Value::Array(array) = p_records.root() else {
        let given = p_records.root().describe();
        return Err(Failure::invalid(format!("p_records must be an array of records, not {given}"))
            .hint("For a single record call run_pipeline()."));
    };
    let count = array.elements().take(MAX_RECORDS + 1).count();
    if count > MAX_RECORDS {
        return Err(Failure::invalid(format!("p_records has more than {MAX_RECORDS} records"))
            .hint("Pass them in several calls, or use CALL connector_pipeline.backfill(...)."));
    }
    let mut records = Vec::new();
    // A plain allocation would abort the backend if it fails, and this is the largest one.
    records.try_reserve_exact(count).map_err(|_| out_of_memory(count))?;
    for element in array.elements() {
        pgrx::check_for_interrupts!();
        records.push(InputRecord::new(element, p_user_id, None));
    }
    Ok(records)
}

impl Batch<'_> {
    /// Imports the records, updates the sync job, and keeps the failures.
    pub fn run(self, call: &Call) -> Result<BatchResult, Failure> {
        // Locks the job before any key: batches of one job run one after another, and no batch that holds a key waits
        // for its job.
        if let Some(job) = self.job.filter(|job| !call.queries.lock_sync_job(*job)) {
            return Err(no_job(job));
        }
        let records = self.records;
        let mut result = BatchResult::new(import::run(call, &records), records.iter().map(|input| &input.parsed));
        failures::keep(&call.queries, failed(&call.caller, &records, &result), &mut result);
        if let Some(job) = self.job {
            call.queries.add_to_sync_job(job, &progress(&result));
        }
        Ok(result)
    }

    /// Returns the result of [`Batch::run`], and writes nothing.
    ///
    /// Runs the batch, with all checks, triggers and constraints, and rolls it back.
    pub fn dry_run(self, call: &Call) -> Result<BatchResult, Failure> {
        let mut result = subtransaction::dry_run(|| self.run(call).or_raise())?;
        result.forget_new_ids();
        Ok(result)
    }
}

fn failed<'a>(caller: &Caller, records: &'a [InputRecord<'a>], result: &BatchResult) -> Vec<FailedImport<'a>> {
    let mut failed = Vec::new();
    let records = records.iter().zip(&result.results).enumerate();
    for (position, (InputRecord { element, parsed, p_user_id, .. }, result)) in records {
        if let Outcome::Failed(failure) = &result.outcome {
            failed.push(FailedImport {
                position,
                user: caller.failure_owner(*p_user_id, parsed.owner_user_id),
                // Includes the JWT's subject, so that a retry by another user imports for the same owner.
                owner: caller.owner(*p_user_id, parsed.owner_user_id).ok().or(*p_user_id),
                source_app: parsed.source_app,
                external_id: parsed.external_id.as_deref(),
                record: *element,
                error: failure.text(),
                code: failure.code.to_string(),
            });
        }
    }
    failed
}

fn progress(result: &BatchResult) -> JobProgress<'_> {
    let ids_of = |of_kind: fn(&Outcome) -> bool| {
        let of_kind =
            result.results.iter().zip(&result.external_ids).filter(move |(result, _)| of_kind(&result.outcome));
        // A record without an id is listed too, as a blank id.
        of_kind.map(|(_, id)| id.as_deref().unwrap_or("")).collect()
    };
    JobProgress {
        processed: result.results.len(),
        skipped: result.skipped(),
        synced_ids: ids_of(|outcome| matches!(outcome, Outcome::Imported { .. })),
        failed_ids: ids_of(|outcome| matches!(outcome, Outcome::Failed(_))),
    }
}

fn out_of_memory(records: usize) -> Failure {
    Failure::new(PgSqlErrorCode::ERRCODE_OUT_OF_MEMORY, format!("out of memory for a batch of {records} records"))
        .hint("Pass fewer records in a call.")
}

fn no_job(job: Uuid) -> Failure {
    Failure::invalid(format!("p_sync_job_id {job}: no such sync job, or the job of another user"))
        .hint("Create a sync job with start_sync_job().")
}
