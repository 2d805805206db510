//! All unsafe code: what PostgreSQL offers, behind safe functions. Knows nothing of recordings.

pub mod jsonb;
pub mod relation;
pub mod run_as_owner;
pub mod schema;
pub mod spi;
pub mod subtransaction;
