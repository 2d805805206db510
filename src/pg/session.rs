//! Reads and changes the session's state: settings, isolation level, encoding, plans.

use std::ffi::{CStr, CString};

use pgrx::pg_sys;

/// Returns a setting's value; None if the setting is unknown or empty.
pub fn setting(name: &CStr) -> Option<String> {
    // SAFETY: with missing_ok an unknown setting gives null; else a NUL-terminated string, copied at once.
    let value = unsafe {
        let value = pg_sys::GetConfigOption(name.as_ptr(), true, false);
        (!value.is_null()).then(|| CStr::from_ptr(value).to_string_lossy().into_owned())
    };
    value.filter(|value| !value.is_empty())
}

/// Runs `work` with another search_path.
pub fn with_search_path<T>(search_path: &str, work: impl FnOnce() -> T) -> T {
    let search_path = CString::new(search_path).expect("no name holds a NUL");
    // SAFETY: saves and restores the setting as a function's SET clause does (fmgr_security_definer): on an error the
    // abort of the (sub)transaction restores it. Both strings are NUL-terminated, and the value is copied.
    unsafe {
        let level = pg_sys::NewGUCNestLevel();
        pg_sys::set_config_option(
            c"search_path".as_ptr(),
            search_path.as_ptr(),
            pg_sys::GucContext::PGC_USERSET,
            pg_sys::GucSource::PGC_S_SESSION,
            pg_sys::GucAction::GUC_ACTION_SAVE,
            true,
            0,
            false,
        );
        let result = work();
        pg_sys::AtEOXact_GUC(true, level);
        result
    }
}

/// Returns whether the transaction keeps its first snapshot: later commits stay invisible.
pub fn keeps_its_snapshot() -> bool {
    // SAFETY: reads the isolation level of the running transaction.
    unsafe { pg_sys::XactIsoLevel >= pg_sys::XACT_REPEATABLE_READ as i32 }
}

/// Returns whether the database's encoding is that of Rust's strings.
pub fn is_utf8() -> bool {
    // SAFETY: reads a static that is set when the backend connects to its database.
    unsafe { pg_sys::GetDatabaseEncoding() == pg_sys::pg_enc::PG_UTF8 as i32 }
}

/// Discards the session's plans: each statement is replanned at its next execution.
pub fn discard_plans() {
    // SAFETY: marks plans as invalid, as DISCARD PLANS does; a plan that is being executed is not touched.
    unsafe { pg_sys::ResetPlanCache() };
}

/// Returns how many transactions have ended in the cluster: while the number stays, no other transaction has committed.
pub fn ended_transactions() -> u64 {
    // SAFETY: in a transaction, as every call is; GetTransactionSnapshot gives a valid snapshot, which lives at least until
    // the next is asked for.
    unsafe { (*pg_sys::GetTransactionSnapshot()).snapXactCompletionCount }
}
