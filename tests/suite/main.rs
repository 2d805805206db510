//! What connector_pipeline promises, each promise a test, shown over SQL by real clients on a real server.
//!
//! The server is the one that CONNECTOR_PIPELINE_TEST_URL names (a superuser's connection string), else the one that
//! `cargo pgrx test` starts. The tests know nothing but SQL: with CONNECTOR_PIPELINE_TEST_SETUP naming an SQL file that
//! a superuser runs instead of CREATE EXTENSION and bootstrap(), the suite judges another implementation of the contract.
//! CONNECTOR_PIPELINE_TEST_SCHEMA names a schema to install into, which takes the place of public.

mod application;
mod comparison;
mod support;
mod tour;

mod adopting;
mod any_schema;
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
mod obstacles;
mod records;
mod roles;
mod sync_jobs;
mod trespass;
mod upgrade_script;
mod upgrading;
mod vault_entries;
