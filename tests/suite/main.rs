//! Tests each promise of connector_pipeline over SQL, with real clients on a real server.
//!
//! CONNECTOR_PIPELINE_TEST_URL is a superuser's connection string; without it the tests use the server that
//! `cargo pgrx test` starts. CONNECTOR_PIPELINE_TEST_SETUP names an SQL file that a superuser runs instead of CREATE
//! EXTENSION and bootstrap(), to test another implementation of the contract: the tests use only SQL.
//! CONNECTOR_PIPELINE_TEST_SCHEMA names a schema to install into instead of public.

mod application;
mod comparison;
mod support;
mod tour;

mod adopting;
mod any_schema;
mod anybodys_tables;
mod backfills;
mod backups;
mod batches;
mod checking;
mod concurrency;
mod counting;
mod errors_at_every_depth;
mod hostile_input;
mod importing;
mod inside_transactions;
mod installing;
mod memberships;
mod merging;
mod needed_columns;
mod nobody_shut_out;
mod obstacles;
mod records;
mod roles;
mod sync_jobs;
mod trespass;
mod upgrade_script;
mod upgrading;
mod vault_entries;
