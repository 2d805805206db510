//! Creates or adopts the tables.

pub mod bootstrap;
pub mod catalog;
mod compatibility;
