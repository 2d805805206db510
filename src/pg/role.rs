//! Reads the calling role, and the privileges of roles.

use std::ffi::CStr;

use pgrx::pg_sys::{self, Oid};

/// Returns the current user: inside a SECURITY DEFINER function, the function's owner.
pub fn current() -> Oid {
    // SAFETY: reads the session's state.
    unsafe { pg_sys::GetUserId() }
}

/// Returns the role that the login or SET ROLE set, also inside SECURITY DEFINER functions.
pub fn outer() -> Oid {
    // SAFETY: reads the session's state.
    unsafe { pg_sys::GetOuterUserId() }
}

/// Returns whether a user's code runs within another role's command, such as REINDEX.
pub fn is_in_restricted_operation() -> bool {
    // SAFETY: reads the session's state.
    unsafe { pg_sys::InSecurityRestrictedOperation() }
}

pub fn is_superuser(role: Oid) -> bool {
    // SAFETY: a look-up by oid; an unknown role gives false.
    unsafe { pg_sys::superuser_arg(role) }
}

/// Returns whether the role bypasses row-level security: a superuser, or one with BYPASSRLS.
pub fn bypasses_policies(role: Oid) -> bool {
    // SAFETY: a look-up by oid; an unknown role gives false.
    is_superuser(role) || unsafe { pg_sys::has_bypassrls_privilege(role) }
}

/// Returns whether `role` has the rights of `other`.
pub fn has_privileges_of(role: Oid, other: Oid) -> bool {
    // SAFETY: a look-up by oid.
    unsafe { pg_sys::has_privs_of_role(role, other) }
}

/// Returns the role's name for a message, or the oid of a dropped role.
pub fn name(role: Oid) -> String {
    // SAFETY: with noerr an unknown role gives null; else a NUL-terminated string, copied at once.
    unsafe {
        let name = pg_sys::GetUserNameFromId(role, true);
        if name.is_null() { role.to_string() } else { CStr::from_ptr(name).to_string_lossy().into_owned() }
    }
}
