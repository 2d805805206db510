//! Roles: which one calls, and what it may do.

use std::ffi::CStr;

use pgrx::pg_sys::{self, Oid};

/// Returns the role that code runs as now: inside a SECURITY DEFINER function, its owner.
pub fn current() -> Oid {
    // SAFETY: reads the session's state.
    unsafe { pg_sys::GetUserId() }
}

/// Returns the role that the login or SET ROLE set, whatever functions run below it.
pub fn outer() -> Oid {
    // SAFETY: reads the session's state.
    unsafe { pg_sys::GetOuterUserId() }
}

/// Returns whether PostgreSQL runs a user's code within somebody else's command, such as REINDEX or ANALYZE.
pub fn is_in_restricted_operation() -> bool {
    // SAFETY: reads the session's state.
    unsafe { pg_sys::InSecurityRestrictedOperation() }
}

pub fn is_superuser(role: Oid) -> bool {
    // SAFETY: a look-up by oid; an unknown role gives false.
    unsafe { pg_sys::superuser_arg(role) }
}

/// Returns whether no row-level policy applies to the role: a superuser, or one with BYPASSRLS.
pub fn bypasses_policies(role: Oid) -> bool {
    // SAFETY: a look-up by oid; an unknown role gives false.
    is_superuser(role) || unsafe { pg_sys::has_bypassrls_privilege(role) }
}

/// Returns whether `role` has the rights of `other`.
pub fn has_privileges_of(role: Oid, other: Oid) -> bool {
    // SAFETY: a look-up by oid.
    unsafe { pg_sys::has_privs_of_role(role, other) }
}

/// Returns the role's name for a message, or its oid where it has been dropped.
pub fn name(role: Oid) -> String {
    // SAFETY: with noerr an unknown role gives null; else a NUL-terminated string, copied at once.
    unsafe {
        let name = pg_sys::GetUserNameFromId(role, true);
        if name.is_null() { role.to_string() } else { CStr::from_ptr(name).to_string_lossy().into_owned() }
    }
}
