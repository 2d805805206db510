//! The exact SQLSTATE and constraint of the last error that a statement raised.
//!
//! pgrx turns an error into a Rust panic whose code is an enum of the codes that PostgreSQL raises itself: one that an
//! application made up becomes XX000, an internal error, and the name of a violated constraint is lost. So the error is
//! read here before pgrx gets it. Callbacks of error contexts can't do that: PL/pgSQL's `RAISE;` runs none.

use std::cell::RefCell;
use std::ffi::{CStr, c_char, c_int, c_long};

use cee_scape::{SigJmpBufFields, call_with_sigsetjmp};
use pgrx::pg_sys::{self, Datum, Oid, SPIPlanPtr, Snapshot};

/// What pgrx's report of an error lacks.
#[derive(Clone)]
pub struct RaisedError {
    /// The SQLSTATE, packed as PostgreSQL packs it.
    pub code: i32,
    /// The constraint or index that was violated, with its schema.
    pub constraint: Option<(String, String)>,
}

thread_local! {
    static LAST: RefCell<Option<RaisedError>> = const { RefCell::new(None) };
}

/// Forgets the last error, so that [`take`] returns one that was raised since.
pub fn forget() {
    LAST.set(None);
}

/// Returns the last error that a statement of this module raised.
pub fn take() -> Option<RaisedError> {
    LAST.take()
}

// The functions themselves: those in pg_sys catch errors for pgrx.
unsafe extern "C-unwind" {
    fn SPI_execute_plan(
        plan: SPIPlanPtr,
        values: *mut Datum,
        nulls: *const c_char,
        read_only: bool,
        count: c_long,
    ) -> c_int;
    fn SPI_execute_with_args(
        src: *const c_char,
        nargs: c_int,
        types: *mut Oid,
        values: *mut Datum,
        nulls: *const c_char,
        read_only: bool,
        count: c_long,
    ) -> c_int;
    fn SPI_execute_snapshot(
        plan: SPIPlanPtr,
        values: *mut Datum,
        nulls: *const c_char,
        snapshot: Snapshot,
        crosscheck_snapshot: Snapshot,
        read_only: bool,
        fire_triggers: bool,
        count: c_long,
    ) -> c_int;
}

/// Calls SPI_execute_plan and keeps the error that it raises.
///
/// # Safety
/// As that of SPI_execute_plan: an SPI connection is open, and values and nulls fit the plan's parameters.
pub unsafe fn execute_plan(plan: SPIPlanPtr, values: &mut [Datum], nulls: &[c_char], read_only: bool) -> c_int {
    let (values, nulls) = (values.as_mut_ptr(), nulls.as_ptr());
    // SAFETY: promised by the caller; the closure owns nothing that would have to be dropped.
    unsafe { keeping_error(|| SPI_execute_plan(plan, values, nulls, read_only, 0)) }
}

/// Calls SPI_execute_with_args, for writing, and keeps the error that it raises.
///
/// # Safety
/// As that of SPI_execute_with_args: an SPI connection is open, and types, values and nulls have an entry a parameter.
pub unsafe fn execute_once(sql: &CStr, types: &mut [Oid], values: &mut [Datum], nulls: &[c_char]) -> c_int {
    let (sql, count) = (sql.as_ptr(), types.len() as c_int);
    let (types, values, nulls) = (types.as_mut_ptr(), values.as_mut_ptr(), nulls.as_ptr());
    // SAFETY: promised by the caller; the closure owns nothing that would have to be dropped.
    unsafe { keeping_error(|| SPI_execute_with_args(sql, count, types, values, nulls, false, 0)) }
}

/// Calls SPI_execute_snapshot, for writing, and keeps the error that it raises.
///
/// # Safety
/// As that of SPI_execute_snapshot: as for [`execute_plan`], and the snapshot is valid.
pub unsafe fn execute_snapshot(plan: SPIPlanPtr, values: &mut [Datum], nulls: &[c_char], snapshot: Snapshot) -> c_int {
    let (values, nulls) = (values.as_mut_ptr(), nulls.as_ptr());
    // SAFETY: promised by the caller; the closure owns nothing that would have to be dropped.
    unsafe {
        keeping_error(|| SPI_execute_snapshot(plan, values, nulls, snapshot, std::ptr::null_mut(), false, true, 0))
    }
}

/// Calls a C function, keeps the error that it raises, and raises the error again for pgrx.
///
/// # Safety
/// `call` only calls a C function: a jump out of it drops nothing.
unsafe fn keeping_error(call: impl FnOnce() -> c_int) -> c_int {
    let mut status = 0;
    // SAFETY: this is PG_TRY and PG_CATCH (elog.h), as pgrx's pg_guard_ffi_boundary does it: the two stacks are restored on
    // both ways out, and the buffer outlives the call that may jump to it. After a jump the memory context is ErrorContext
    // until it is set, and the error is copied and flushed before it is raised again.
    unsafe {
        let context = pg_sys::CurrentMemoryContext;
        let handler = pg_sys::PG_exception_stack;
        let callbacks = pg_sys::error_context_stack;
        let jumped = call_with_sigsetjmp(false, |buffer: &SigJmpBufFields| {
            pg_sys::PG_exception_stack = std::ptr::from_ref(buffer).cast_mut().cast();
            status = call();
            0
        });
        pg_sys::PG_exception_stack = handler;
        pg_sys::error_context_stack = callbacks;
        if jumped != 0 {
            pg_sys::MemoryContextSwitchTo(context);
            let error = pg_sys::CopyErrorData();
            keep(&*error);
            pg_sys::FlushErrorState();
            pg_sys::ReThrowError(error);
        }
    }
    status
}

/// # Safety
/// The strings of the error are null or NUL-terminated.
unsafe fn keep(error: &pg_sys::ErrorData) {
    let text = |text: *mut c_char| {
        // SAFETY: promised by the caller.
        (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned())
    };
    let constraint = text(error.schema_name).zip(text(error.constraint_name));
    LAST.set(Some(RaisedError { code: error.sqlerrcode, constraint }));
}
