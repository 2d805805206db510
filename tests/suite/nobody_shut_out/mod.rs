//! Nobody is kept out by what an application's tables, a session's settings or a vendor's records are like.

mod bank_triggers;
mod bootstrap_errors;
mod client_encodings;
mod collations;
mod column_names;
mod column_types;
mod defaults;
mod deferred_keys;
mod guide;
mod job_defaults;
mod large_rows;
mod long_errors;
mod operations;
mod others_jobs;
mod required_columns;
mod retry_memory;
mod settings;
mod unique_names;
