//! Tests that no role reads or changes others' rows, runs others' commands, or injects names.

mod allowed;
mod claims;
mod commands;
mod names;
mod owners_code;
mod rows;
mod sessions;
mod takeover;
