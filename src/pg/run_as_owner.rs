//! Acts as the owner of a table, for functions that do more than their caller may.
//!
//! Often a superuser has installed the extension, and somebody with fewer rights owns the tables. What runs through a
//! table (triggers, policies, index expressions) is its owner's code and must run with that owner's rights.

use std::ffi::{CStr, CString};

use pgrx::pg_sys;

use crate::error::Failure;
use crate::pg::relation::Table;
use crate::pg::schema::Home;
use crate::setup::catalog::ask;

/// Runs `work` as the owner of the tables that it touches, which has to be the same for all of them.
pub fn act_as<T>(home: &Home, tables: &[&CStr], work: impl FnOnce() -> T) -> Result<T, Failure> {
    let mut owner = None;
    for name in tables {
        let table = Table::require(home, name)?;
        if *owner.get_or_insert(table.owner()) != table.owner() {
            return Err(Failure::forbidden(format!("{} has another owner", name.to_string_lossy()))
                .hint("Let the tables of connector_pipeline belong to one role: ALTER TABLE … OWNER TO …."));
        }
        // SAFETY: look-ups by oid.
        let is_bound = unsafe {
            table.forces_row_security()
                && !pg_sys::superuser_arg(table.owner())
                && !pg_sys::has_bypassrls_privilege(table.owner())
        };
        if is_bound {
            let message = format!("{} has FORCE ROW LEVEL SECURITY", name.to_string_lossy());
            return Err(Failure::forbidden(message)
                .hint("Its owner has to see all rows: ALTER TABLE … NO FORCE ROW LEVEL SECURITY."));
        }
    }
    let owner = owner.expect("there is a table to act on");
    Ok(switched_to(owner, work))
}

fn switched_to<T>(owner: pg_sys::Oid, work: impl FnOnce() -> T) -> T {
    let mut user = pg_sys::InvalidOid;
    let mut context = 0;
    // SAFETY: saves and restores the user as SECURITY DEFINER does (fmgr_security_definer): on an error the abort of
    // the (sub)transaction restores both. SECURITY_LOCAL_USERID_CHANGE forbids SET ROLE and SET SESSION AUTHORIZATION
    // inside. For a superuser SECURITY_RESTRICTED_OPERATION also forbids what would be done later with its own rights:
    // a deferred trigger of the owner's.
    unsafe {
        pg_sys::GetUserIdAndSecContext(&mut user, &mut context);
        let mut inside = context | pg_sys::SECURITY_LOCAL_USERID_CHANGE as i32;
        if pg_sys::superuser_arg(pg_sys::GetOuterUserId()) && !pg_sys::superuser_arg(owner) {
            inside |= pg_sys::SECURITY_RESTRICTED_OPERATION as i32;
        }
        pg_sys::SetUserIdAndSecContext(owner, inside);
        let result = work();
        pg_sys::SetUserIdAndSecContext(user, context);
        result
    }
}

/// Runs `work`, which writes as the tables' owner, so that the owner's triggers find their names.
///
/// They seldom say which schema they mean. With the caller's search_path they would run what the caller has put in the
/// way, as the owner. They find what lies beside the tables, and Supabase's place for extensions, unless somebody made that
/// who is neither the owner nor a superuser; temporary objects come last.
pub fn with_own_names<T>(home: &Home, work: impl FnOnce() -> T) -> T {
    let extensions =
        if ask(include_str!("../../sql/pipeline/may_trust_extensions.sql"), &[]) { "extensions, " } else { "" };
    let search_path = CString::new(format!("{}, {extensions}pg_temp", home.quoted)).expect("no name holds a NUL");
    // SAFETY: saves and restores the setting as a function's SET clause does (fmgr_security_definer): on an error the abort
    // of the (sub)transaction restores it. Both strings are NUL-terminated, and the value is copied.
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
