//! Wraps PostgreSQL in safe functions: has all unsafe code, and knows nothing of recordings.

pub mod jsonb;
pub mod jsonb_result;
pub mod param;
pub mod raised_error;
pub mod relation;
pub mod result_rows;
pub mod role;
pub mod run_as_owner;
pub mod schema;
pub mod session;
pub mod spi;
pub mod subtransaction;
