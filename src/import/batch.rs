//! A batch: many records through the pipeline, with its sync job's counts and the failures that are kept.

use pgrx::PgSqlErrorCode;
use uuid::Uuid;

use crate::caller::Caller;
use crate::error::{Failure, OrRaise};
use crate::import::failures;
use crate::import::{self, Given};
use crate::outcome::{BatchResult, Outcome};
use crate::pg::jsonb::Jsonb;
use crate::pg::schema::Home;
use crate::pg::subtransaction;
use crate::queries::{FailedImport, JobProgress, Store};
use crate::record::Value;

/// What run_pipeline_batch() is asked to do.
pub struct Batch<'a> {
    pub job: Option<Uuid>,
    pub records: Vec<Given<'a>>,
}

/// What is known of a record takes a kB beside the record, and three where it fails, however small it is: a few megabytes
/// of text must not take all memory.
const MOST_RECORDS: usize = 100_000;

/// The elements of `p_records`, as they are and as they were looked at.
pub fn records<'a>(p_records: Jsonb<'a>, p_user_id: Option<Uuid>) -> Result<Vec<Given<'a>>, Failure> {
    let Value::Array(array) = p_records.root() else {
        let given = p_records.root().describe();
        return Err(Failure::invalid(format!("p_records must be an array of records, not {given}"))
            .hint("For a single record call run_pipeline()."));
    };
    let count = array.elements().take(MOST_RECORDS + 1).count();
    if count > MOST_RECORDS {
        return Err(Failure::invalid(format!("p_records has more than {MOST_RECORDS} records"))
            .hint("Hand them over in several calls, or with CALL connector_pipeline.backfill(…)."));
    }
    let mut records = Vec::new();
    // What takes most, and all at once: where there is no memory for it, Rust by itself would end the backend.
    records.try_reserve_exact(count).map_err(|_| out_of_memory(count))?;
    for element in array.elements() {
        pgrx::check_for_interrupts!();
        records.push(Given::new(element, p_user_id, None));
    }
    Ok(records)
}

impl Batch<'_> {
    /// Imports the records, adds to the sync job, keeps the failures.
    pub fn run(self, home: &Home) -> Result<BatchResult, Failure> {
        let caller = Caller::invoker(home);
        let store = Store::of(home);
        // Locked before any key is: batches of one job come one after the other, and no batch that holds a key waits for
        // its job.
        if let Some(job) = self.job.filter(|job| !store.lock_sync_job(*job)) {
            return Err(no_job(job));
        }
        let records = self.records;
        let mut result =
            BatchResult::new(import::run(home, &caller, &records), records.iter().map(|given| &given.parsed));
        failures::keep(&store, failed(&caller, &records, &result), &mut result);
        if let Some(job) = self.job {
            store.add_to_sync_job(job, &progress(&result));
        }
        Ok(result)
    }

    /// Tells what [`Batch::run`] would do. It is run, with all checks, triggers and constraints there are, and undone:
    /// nothing else could tell as much.
    pub fn rehearse(self, home: &Home) -> Result<BatchResult, Failure> {
        let mut result = subtransaction::rehearse(|| self.run(home).or_raise())?;
        result.forget_new_ids();
        Ok(result)
    }
}

fn failed<'a>(caller: &Caller, records: &'a [Given<'a>], result: &BatchResult) -> Vec<FailedImport<'a>> {
    let mut failed = Vec::new();
    let records = records.iter().zip(&result.results).enumerate();
    for (position, (Given { element, parsed, p_user_id, .. }, result)) in records {
        if let Outcome::Failed(failure) = &result.outcome {
            failed.push(FailedImport {
                position,
                user: caller.keeper(*p_user_id, parsed.owner_user_id),
                // The JWT's subject too, so that a retry by somebody else is for the same owner.
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
        // A record without an id counts too; no id is blank.
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
        .hint("Hand over fewer records in a call.")
}

fn no_job(job: Uuid) -> Failure {
    Failure::invalid(format!("p_sync_job_id {job}: there is no such sync job of yours"))
        .hint("Make one with start_sync_job().")
}
