//! Runs work that may fail inside a subtransaction, and turns its error into a value.

use std::cell::Cell;
use std::panic::AssertUnwindSafe;

use pgrx::pg_sys::panic::CaughtError;
use pgrx::{PgMemoryContexts, PgSqlErrorCode, PgTryBuilder, pg_sys};

use crate::error::{Failure, SqlState};

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
    let raised = Cell::new(PgSqlErrorCode::ERRCODE_INTERNAL_ERROR as isize as i32);
    // SAFETY: this is PL/pgSQL's handling of a block with EXCEPTION (exec_stmt_block): memory context and resource
    // owner are saved before the subtransaction begins and restored after it has ended, on both ways out, and an error
    // is read only after it has been copied and flushed, which pgrx does before it unwinds into `work`'s caller.
    // The context callback is unlinked before its frame goes: on success here, on an error by pgrx, which restores
    // error_context_stack to what it was when the failing C function was entered, and by us before the rollback.
    unsafe {
        let context = pg_sys::CurrentMemoryContext;
        let owner = pg_sys::CurrentResourceOwner;
        let callbacks = pg_sys::error_context_stack;
        pg_sys::BeginInternalSubTransaction(std::ptr::null());
        pg_sys::MemoryContextSwitchTo(context);

        let mut note_code = pg_sys::ErrorContextCallback {
            previous: callbacks,
            callback: Some(note_error_code),
            arg: std::ptr::from_ref(&raised).cast_mut().cast(),
        };
        pg_sys::error_context_stack = &mut note_code;
        let result = PgTryBuilder::new(AssertUnwindSafe(|| Ok(work()))).catch_others(Err).execute();
        pg_sys::error_context_stack = callbacks;

        match result {
            Ok(_) if end == End::Release => pg_sys::ReleaseCurrentSubTransaction(),
            _ => {
                pg_sys::MemoryContextSwitchTo(context);
                pg_sys::RollbackAndReleaseCurrentSubTransaction();
            }
        }
        pg_sys::MemoryContextSwitchTo(context);
        pg_sys::CurrentResourceOwner = owner;
        result.or_else(|error| failure_or_rethrow(error, raised.get()))
    }
}

/// Remembers the SQLSTATE of the current error report, if pgrx reads that code as XX000.
///
/// pgrx does so with every code that it doesn't know. PostgreSQL calls this for WARNINGs too, which are ignored, but
/// not for an error that PL/pgSQL raises again: so the code of the last error counts.
#[pgrx::pg_guard]
unsafe extern "C-unwind" fn note_error_code(raised: *mut std::ffi::c_void) {
    // SAFETY: PostgreSQL calls this while it builds an error report, when geterrcode() has one to read, and only as
    // long as `run` is on the stack, whose `raised` this points to.
    unsafe {
        let code = pg_sys::geterrcode();
        if PgSqlErrorCode::from(code) == PgSqlErrorCode::ERRCODE_INTERNAL_ERROR && is_error() {
            (*raised.cast::<Cell<i32>>()).set(code);
        }
    }
}

/// Returns whether the current report is an error.
///
/// # Safety
/// PostgreSQL is building a report.
unsafe fn is_error() -> bool {
    // A context of its own, because FreeErrorData does not free all that CopyErrorData allocates.
    let mut context = PgMemoryContexts::new("connector_pipeline error report");
    // SAFETY: CopyErrorData must not run in ErrorContext, where reports are built and callbacks run; switch_to returns
    // to that context.
    unsafe { context.switch_to(|_| (*pg_sys::CopyErrorData()).elevel >= pg_sys::PGERROR as i32) }
}

fn failure_or_rethrow<T>(error: CaughtError, raised: i32) -> Result<T, Failure> {
    let (report, from_postgres) = match &error {
        CaughtError::RustPanic { .. } => error.rethrow(),
        CaughtError::PostgresError(report) => (report, true),
        CaughtError::ErrorReport(report) => (report, false),
    };
    let mut code = SqlState::from(report.sql_error_code());
    if from_postgres && report.sql_error_code() == PgSqlErrorCode::ERRCODE_INTERNAL_ERROR {
        code = SqlState::from_packed(raised);
    }
    if code.concerns_transaction() {
        error.rethrow();
    }
    Err(Failure::raised(code, report.message(), report.detail(), report.hint()))
}
