//! Creates or adopts the tables, and merges duplicates in them.

pub mod bootstrap;
pub mod catalog;
mod compatibility;
pub mod find_duplicates;
mod merge_checks;
pub mod merge_duplicates;
mod merge_plan;
mod move_references;
mod sql;
