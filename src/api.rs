//! Declares every SQL function that is implemented in Rust.

use pgrx::prelude::*;
use uuid::Uuid;

use crate::call::Call;
use crate::error::{Failure, OrRaise};
use crate::import::batch::{self, Batch};
use crate::import::{self, duplicates, personal_bank, retry};
use crate::import_counts;
use crate::outcome::Outcome;
use crate::pg::jsonb::Jsonb;
use crate::pg::jsonb_result::JsonbResult;
use crate::pg::result_rows::ResultRows;
use crate::pg::schema::ExtensionSchema;
use crate::setup::{bootstrap, find_duplicates, merge_duplicates};

#[pg_extern(volatile)]
fn run_pipeline(
    schema: ExtensionSchema,
    p_record: Option<Jsonb<'_>>,
    p_user_id: default!(Option<pgrx::Uuid>, "NULL"),
) -> JsonbResult {
    let call = Call::of_invoker(schema);
    JsonbResult::of(import::run_one(&call, p_user_id.map(uuid), p_record))
}

#[pg_extern(volatile)]
fn run_pipeline_batch(
    schema: ExtensionSchema,
    p_records: Option<Jsonb<'_>>,
    p_user_id: default!(Option<pgrx::Uuid>, "NULL"),
    p_sync_job_id: default!(Option<pgrx::Uuid>, "NULL"),
    p_dry_run: default!(Option<bool>, "false"),
) -> JsonbResult {
    let records = batch::records(required("p_records", p_records), p_user_id.map(uuid)).or_raise();
    let batch = Batch { job: p_sync_job_id.map(uuid), records };
    let is_dry_run = required("p_dry_run", p_dry_run);
    let call = Call::of_invoker(schema);
    JsonbResult::of(if is_dry_run { batch.dry_run(&call) } else { batch.run(&call) }.or_raise())
}

#[pg_extern(volatile)]
fn retry_failed_imports(
    schema: ExtensionSchema,
    p_source_app: default!(Option<&str>, "NULL"),
    p_user_id: default!(Option<pgrx::Uuid>, "NULL"),
    p_limit: default!(Option<i32>, "100"),
) -> JsonbResult {
    let limit = required("p_limit", p_limit);
    JsonbResult::of(retry::run(&Call::of_invoker(schema), p_source_app, p_user_id.map(uuid), limit).or_raise())
}

#[pg_extern(volatile)]
fn insert_recording(
    schema: ExtensionSchema,
    p_record: Option<Jsonb<'_>>,
    p_user_id: default!(Option<pgrx::Uuid>, "NULL"),
) -> JsonbResult {
    let call = Call::of_invoker(schema);
    match import::run_one(&call, p_user_id.map(uuid), p_record).outcome {
        Outcome::Imported { id, warning: None } => JsonbResult::of(serde_json::json!({"id": id})),
        Outcome::Imported { id, warning } => JsonbResult::of(serde_json::json!({"id": id, "warning": warning})),
        Outcome::Skipped { existing } => import::duplicate(existing).raise(),
        Outcome::Failed(failure) => failure.raise(),
    }
}

#[pg_extern(stable)]
fn check_duplicate(
    schema: ExtensionSchema,
    p_user_id: Option<pgrx::Uuid>,
    p_source_app: Option<&str>,
    p_external_id: Option<&str>,
) -> JsonbResult {
    let call = Call::of_invoker(schema);
    let owner = call.caller.user(p_user_id.map(uuid)).or_raise();
    let source_app = required("p_source_app", p_source_app);
    let external_id = required("p_external_id", p_external_id);
    JsonbResult::of(duplicates::answer(duplicates::find(&call, owner, source_app, &[external_id])[0]))
}

#[pg_extern(stable)]
fn check_duplicates(
    schema: ExtensionSchema,
    p_user_id: Option<pgrx::Uuid>,
    p_source_app: Option<&str>,
    p_external_ids: Option<Vec<Option<String>>>,
) -> TableIterator<
    'static,
    (name!(external_id, Option<String>), name!(is_duplicate, bool), name!(existing_recording_id, Option<pgrx::Uuid>)),
> {
    let call = Call::of_invoker(schema);
    let owner = call.caller.user(p_user_id.map(uuid)).or_raise();
    let source_app = required("p_source_app", p_source_app);
    let external_ids = required("p_external_ids", p_external_ids);
    let existing = duplicates::find_each(&call, owner, source_app, &external_ids);
    let rows =
        external_ids.into_iter().zip(existing).map(|(id, existing)| (id, existing.is_some(), existing.map(datum)));
    TableIterator::new(rows)
}

#[pg_extern(stable, security_definer)]
#[search_path(pg_catalog, pg_temp)]
fn get_import_counts(
    schema: ExtensionSchema,
    p_user_id: default!(Option<pgrx::Uuid>, "NULL"),
) -> TableIterator<'static, (name!(source_app, String), name!(call_count, i64))> {
    TableIterator::new(import_counts::of(&Call::of_definer(schema), p_user_id.map(uuid)).or_raise())
}

#[pg_extern(volatile, security_definer)]
#[search_path(pg_catalog, pg_temp)]
fn ensure_personal_bank(schema: ExtensionSchema, p_user_id: default!(Option<pgrx::Uuid>, "NULL")) -> pgrx::Uuid {
    let call = Call::of_definer(schema);
    let user = call.caller.user(p_user_id.map(uuid)).or_raise();
    call.caller.must_be_allowed_for(user).or_raise();
    datum(personal_bank::ensure(&call, user).or_raise())
}

/// The functions of the schema connector_pipeline, for the owner of the database.
#[pg_schema]
mod connector_pipeline {
    use super::*;

    #[pg_extern(volatile)]
    #[search_path(pg_catalog, pg_temp)]
    fn bootstrap() -> TableIterator<'static, (name!(object, String), name!(action, String))> {
        TableIterator::new(bootstrap::tables(&ExtensionSchema::of_extension()).or_raise())
    }

    #[pg_extern(volatile)]
    #[search_path(pg_catalog, pg_temp)]
    fn bootstrap_auth() -> TableIterator<'static, (name!(object, String), name!(action, String))> {
        TableIterator::new(bootstrap::auth(&ExtensionSchema::of_extension()).or_raise())
    }

    // The SQL of these two is in sql/duplicates.sql: pgrx can write it only for rows that are all kept in memory.

    #[pg_extern(sql = false)]
    fn duplicates(result: ResultRows) {
        find_duplicates::report(&ExtensionSchema::of_extension(), &result).or_raise();
    }

    #[pg_extern(sql = false)]
    fn merge_duplicates(result: ResultRows, p_dry_run: Option<bool>) {
        merge_duplicates::run(&ExtensionSchema::of_extension(), p_dry_run, &result).or_raise();
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
