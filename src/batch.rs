//! A batch: many records through the pipeline, with its sync job's counts and the failures that are kept.

use uuid::Uuid;

use crate::apart::{self, Verdict};
use crate::caller::Caller;
use crate::error::{Failure, OrRaise};
use crate::home::Home;
use crate::jsonb::{Element, Jsonb};
use crate::outcome::{BatchResult, Outcome};
use crate::pipeline;
use crate::record::{Parsed, Value};
use crate::store::{FailedImport, JobProgress, Store};
use crate::subtransaction;

/// What run_pipeline_batch() is asked to do.
pub struct Batch<'a> {
    pub user: Option<Uuid>,
    pub job: Option<Uuid>,
    pub records: Vec<Element<'a>>,
}

/// The elements of `p_records`.
pub fn records(p_records: Jsonb<'_>) -> Result<Vec<Element<'_>>, Failure> {
    match p_records.root() {
        Value::Array(array) => Ok(array.elements().collect()),
        other => Err(Failure::invalid(format!("p_records must be an array of records, not {}", other.describe()))
            .hint("For a single record call run_pipeline().")),
    }
}

impl Batch<'_> {
    /// Imports the records, adds to the sync job, keeps the failures.
    pub fn run(&self, home: &Home) -> Result<BatchResult, Failure> {
        let caller = Caller::invoker(home);
        let store = Store::of(home);
        // Locked before any key is: two batches of one job, in transactions of several batches, never wait for each
        // other in a circle.
        if let Some(job) = self.job.filter(|job| !store.lock_sync_job(*job)) {
            return Err(no_job(job));
        }
        let parsed: Vec<Parsed<Element>> = self.records.iter().map(|record| pipeline::parse(record.read())).collect();
        let result = BatchResult {
            results: pipeline::run(home, &caller, self.user, &parsed),
            external_ids: parsed.iter().map(|parsed| parsed.external_id.as_ref().map(ToString::to_string)).collect(),
        };
        self.keep_failures(&caller, &store, &parsed, &result);
        if let Some(job) = self.job {
            store.add_to_sync_job(job, &progress(&result));
        }
        Ok(result)
    }

    /// Tells what [`Batch::run`] would do. It is run, with all checks, triggers and constraints there are, and undone:
    /// nothing else could tell as much.
    pub fn rehearse(&self, home: &Home) -> Result<BatchResult, Failure> {
        let mut result = subtransaction::rehearse(|| self.run(home).or_raise())?;
        result.forget_new_ids();
        Ok(result)
    }

    fn keep_failures(&self, caller: &Caller, store: &Store, parsed: &[Parsed<Element>], result: &BatchResult) {
        let mut failed = Vec::new();
        for ((record, parsed), result) in self.records.iter().zip(parsed).zip(&result.results) {
            if let Outcome::Failed(failure) = &result.outcome {
                failed.push(FailedImport {
                    user: caller.keeper(self.user, parsed.owner_user_id),
                    source_app: parsed.source_app,
                    external_id: parsed.external_id.as_deref(),
                    record: *record,
                    error: failure.text(),
                    code: failure.code.to_string(),
                });
            }
        }
        let keep = |failed: &mut [FailedImport]| store.keep_failures(failed);
        apart::run(&mut failed, &keep, &|failed: &mut FailedImport, failure: Failure| {
            // An owner who is not a user can't be referred to.
            if failed.user.take().is_some() {
                return Verdict::Again;
            }
            pgrx::warning!("a failed import could not be kept: {}", failure.text());
            Verdict::GiveUp
        });
    }
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

fn no_job(job: Uuid) -> Failure {
    Failure::invalid(format!("p_sync_job_id {job}: there is no such sync job of yours"))
        .hint("Make one with start_sync_job().")
}
