//! Every function that SQL sees: the table of contents of the product.

use pgrx::prelude::*;
use uuid::Uuid;

use crate::caller::Caller;
use crate::error::{Failure, OrRaise};
use crate::import;
use crate::import::batch::{self, Batch};
use crate::import::duplicates;
use crate::import::personal_bank;
use crate::import::retry;
use crate::import_counts;
use crate::outcome::Outcome;
use crate::pg::jsonb::{Answer, Jsonb};
use crate::pg::schema::Home;
use crate::queries::Store;
use crate::setup::bootstrap;

#[pg_extern(volatile)]
fn run_pipeline(home: Home, p_record: Option<Jsonb<'_>>, p_user_id: default!(Option<pgrx::Uuid>, "NULL")) -> Answer {
    let caller = Caller::invoker(&home);
    Answer::of(import::run_one(&home, &caller, p_user_id.map(uuid), p_record))
}

#[pg_extern(volatile)]
fn run_pipeline_batch(
    home: Home,
    p_records: Option<Jsonb<'_>>,
    p_user_id: default!(Option<pgrx::Uuid>, "NULL"),
    p_sync_job_id: default!(Option<pgrx::Uuid>, "NULL"),
    p_dry_run: default!(Option<bool>, "false"),
) -> Answer {
    let records = batch::records(required("p_records", p_records), p_user_id.map(uuid)).or_raise();
    let batch = Batch { job: p_sync_job_id.map(uuid), records };
    let is_rehearsal = required("p_dry_run", p_dry_run);
    Answer::of(if is_rehearsal { batch.rehearse(&home) } else { batch.run(&home) }.or_raise())
}

#[pg_extern(volatile)]
fn retry_failed_imports(
    home: Home,
    p_source_app: default!(Option<&str>, "NULL"),
    p_user_id: default!(Option<pgrx::Uuid>, "NULL"),
    p_limit: default!(Option<i32>, "100"),
) -> Answer {
    let limit = required("p_limit", p_limit);
    Answer::of(retry::run(&home, p_source_app, p_user_id.map(uuid), limit).or_raise())
}

#[pg_extern(volatile)]
fn insert_recording(
    home: Home,
    p_record: Option<Jsonb<'_>>,
    p_user_id: default!(Option<pgrx::Uuid>, "NULL"),
) -> Answer {
    let caller = Caller::invoker(&home);
    match import::run_one(&home, &caller, p_user_id.map(uuid), p_record).outcome {
        Outcome::Imported { id, .. } => Answer::of(serde_json::json!({"id": id})),
        Outcome::Skipped { existing } => import::duplicate(existing).raise(),
        Outcome::Failed(failure) => failure.raise(),
    }
}

#[pg_extern(stable)]
fn check_duplicate(
    home: Home,
    p_user_id: Option<pgrx::Uuid>,
    p_source_app: Option<&str>,
    p_external_id: Option<&str>,
) -> Answer {
    let caller = Caller::invoker(&home);
    let owner = caller.user(p_user_id.map(uuid)).or_raise();
    let source_app = required("p_source_app", p_source_app);
    let external_id = required("p_external_id", p_external_id);
    Answer::of(duplicates::answer(duplicates::find(&home, &caller, owner, source_app, &[external_id])[0]))
}

#[pg_extern(stable)]
fn check_duplicates(
    home: Home,
    p_user_id: Option<pgrx::Uuid>,
    p_source_app: Option<&str>,
    p_external_ids: Option<Vec<Option<String>>>,
) -> TableIterator<
    'static,
    (name!(external_id, Option<String>), name!(is_duplicate, bool), name!(existing_recording_id, Option<pgrx::Uuid>)),
> {
    let caller = Caller::invoker(&home);
    let owner = caller.user(p_user_id.map(uuid)).or_raise();
    let source_app = required("p_source_app", p_source_app);
    let external_ids = required("p_external_ids", p_external_ids);
    let existing = duplicates::find_each(&home, &caller, owner, source_app, &external_ids);
    let rows =
        external_ids.into_iter().zip(existing).map(|(id, existing)| (id, existing.is_some(), existing.map(datum)));
    TableIterator::new(rows)
}

#[pg_extern(stable, security_definer)]
#[search_path(pg_catalog, pg_temp)]
fn get_import_counts(
    home: Home,
    p_user_id: default!(Option<pgrx::Uuid>, "NULL"),
) -> TableIterator<'static, (name!(source_app, String), name!(call_count, i64))> {
    let caller = Caller::of_definer_function(&home);
    TableIterator::new(import_counts::of(&home, &caller, p_user_id.map(uuid)).or_raise())
}

#[pg_extern(volatile, security_definer)]
#[search_path(pg_catalog, pg_temp)]
fn ensure_personal_bank(home: Home, p_user_id: default!(Option<pgrx::Uuid>, "NULL")) -> pgrx::Uuid {
    let caller = Caller::of_definer_function(&home);
    let user = caller.user(p_user_id.map(uuid)).or_raise();
    caller.must_be_allowed_for(user).or_raise();
    datum(personal_bank::ensure(&home, &Store::of(&home), user).or_raise())
}

/// Administration, for the owner of the database.
#[pg_schema]
mod connector_pipeline {
    use super::*;

    #[pg_extern(volatile)]
    #[search_path(pg_catalog, pg_temp)]
    fn bootstrap() -> TableIterator<'static, (name!(object, String), name!(action, String))> {
        TableIterator::new(bootstrap::tables(&Home::of_extension()).or_raise())
    }

    #[pg_extern(volatile)]
    #[search_path(pg_catalog, pg_temp)]
    fn bootstrap_auth() -> TableIterator<'static, (name!(object, String), name!(action, String))> {
        TableIterator::new(bootstrap::auth(&Home::of_extension()).or_raise())
    }
}

fn required<T>(name: &str, value: Option<T>) -> T {
    value.ok_or_else(|| Failure::null_argument(name)).or_raise()
}

fn uuid(uuid: pgrx::Uuid) -> Uuid {
    Uuid::from_bytes(*uuid.as_bytes())
}

fn datum(uuid: Uuid) -> pgrx::Uuid {
    pgrx::Uuid::from_bytes(*uuid.as_bytes())
}
