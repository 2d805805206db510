//! connector_pipeline: imports call recordings from connectors into PostgreSQL, exactly once.
//!
//! The path of a record: [`api`] builds a [`call`] and parses the [`record`]; [`import`] authorises it, sorts by key
//! and runs the stages, whose SQL is in [`queries`]; [`outcome`] is returned. [`setup`] creates or adopts the tables,
//! and [`pg`] has all unsafe code.

mod api;
mod call;
mod caller;
mod error;
mod import;
mod import_counts;
mod json;
mod outcome;
mod pg;
mod queries;
mod record;
mod setup;
mod sql_template;

pgrx::pg_module_magic!(name, version);

use pgrx::extension_sql_file;

extension_sql_file!("../sql/sync_jobs.sql", name = "sync_jobs");
extension_sql_file!("../sql/backfill.sql", name = "backfill", requires = [api::connector_pipeline]);
extension_sql_file!("../sql/duplicates.sql", name = "duplicates", requires = [api::connector_pipeline]);
extension_sql_file!(
    "../sql/comments.sql",
    name = "comments",
    requires = [
        api::run_pipeline,
        api::run_pipeline_batch,
        api::retry_failed_imports,
        api::insert_recording,
        api::check_duplicate,
        api::check_duplicates,
        api::get_import_counts,
        api::ensure_personal_bank,
        api::connector_pipeline::bootstrap,
        api::connector_pipeline::bootstrap_auth,
        "sync_jobs",
        "backfill",
        "duplicates",
    ]
);
// Last, because this file grants privileges on all functions.
extension_sql_file!("../sql/grants.sql", name = "grants", finalize);
