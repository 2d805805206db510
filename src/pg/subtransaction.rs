//! Runs work that may fail inside a subtransaction, and turns its error into a value.

use std::panic::AssertUnwindSafe;

use pgrx::pg_sys::panic::CaughtError;
use pgrx::{PgSqlErrorCode, PgTryBuilder, pg_sys};

use crate::error::{Failure, SqlState};
use crate::pg::raised_error;

/// Runs `work` in a subtransaction of its own.
///
/// On success the subtransaction is released, and its writes belong to the caller's transaction. On an error its writes
/// are rolled back, and the transaction stays usable. Errors that are about the transaction (see
/// [`SqlState::concerns_transaction`]) and Rust panics are raised again after the rollback.
///
/// A subtransaction that writes nothing takes no transaction id.
pub fn run<T>(work: impl FnOnce() -> T) -> Result<T, Failure> {
    run_to(End::Release, work)
}

/// Runs `work` and rolls it back; returns what `work` returned.
pub fn dry_run<T>(work: impl FnOnce() -> T) -> Result<T, Failure> {
    run_to(End::RollBack, work)
}

/// How a subtransaction ends if `work` succeeds.
#[derive(PartialEq, Eq)]
enum End {
    Release,
    RollBack,
}

#[allow(clippy::result_large_err, reason = "CaughtError is pgrx's type, and the value lives for one match")]
fn run_to<T>(end: End, work: impl FnOnce() -> T) -> Result<T, Failure> {
    raised_error::forget();
    // SAFETY: this is PL/pgSQL's handling of a block with EXCEPTION (exec_stmt_block): memory context and resource
    // owner are saved before the subtransaction begins and restored after it has ended, on both ways out, and an error
    // is read only after it has been copied and flushed, which pgrx does before it unwinds into `work`'s caller.
    unsafe {
        let context = pg_sys::CurrentMemoryContext;
        let owner = pg_sys::CurrentResourceOwner;
        pg_sys::BeginInternalSubTransaction(std::ptr::null());
        pg_sys::MemoryContextSwitchTo(context);
        let result = PgTryBuilder::new(AssertUnwindSafe(|| Ok(work()))).catch_others(Err).execute();
        match result {
            Ok(_) if end == End::Release => pg_sys::ReleaseCurrentSubTransaction(),
            _ => {
                pg_sys::MemoryContextSwitchTo(context);
                pg_sys::RollbackAndReleaseCurrentSubTransaction();
            }
        }
        pg_sys::MemoryContextSwitchTo(context);
        pg_sys::CurrentResourceOwner = owner;
        result.or_else(|error| failure_or_rethrow(error))
    }
}

fn failure_or_rethrow<T>(error: CaughtError) -> Result<T, Failure> {
    let (report, from_postgres) = match &error {
        CaughtError::RustPanic { .. } => error.rethrow(),
        CaughtError::PostgresError(report) => (report, true),
        CaughtError::ErrorReport(report) => (report, false),
    };
    let raised = raised_error::take().filter(|_| from_postgres);
    let mut code = SqlState::from(report.sql_error_code());
    // XX000 stands for every code that pgrx doesn't know.
    if let Some(raised) = raised.as_ref().filter(|_| code == PgSqlErrorCode::ERRCODE_INTERNAL_ERROR.into()) {
        code = SqlState::from_packed(raised.code);
    }
    if code.concerns_transaction() {
        error.rethrow();
    }
    let constraint = raised.and_then(|raised| raised.constraint);
    Err(Failure::raised(code, report.message(), report.detail(), report.hint()).of_constraint(constraint))
}
