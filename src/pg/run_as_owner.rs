//! Runs code as the owner of the tables, with more rights than the caller.
//!
//! Often a superuser has installed the extension, and another role owns the tables. Triggers, policies and index
//! expressions of a table are its owner's code, and must run with that owner's rights.

use std::ffi::CStr;

use pgrx::pg_sys;

use crate::error::Failure;
use crate::pg::relation::Table;
use crate::pg::role;
use crate::pg::schema::ExtensionSchema;

/// Runs `work` as the owner of `tables`, which must all have the same owner.
pub fn run_as_owner<T>(schema: &ExtensionSchema, tables: &[&CStr], work: impl FnOnce() -> T) -> Result<T, Failure> {
    let mut owner = None;
    for name in tables {
        let table = Table::require(schema, name)?;
        if *owner.get_or_insert(table.owner()) != table.owner() {
            let (first, other) = (tables[0].to_string_lossy(), name.to_string_lossy());
            return Err(Failure::forbidden(format!("tables {first} and {other} have different owners"))
                .hint("Give the tables of connector_pipeline one owner: ALTER TABLE ... OWNER TO ...."));
        }
        if table.forces_row_security() && !role::bypasses_policies(table.owner()) {
            let name = name.to_string_lossy();
            return Err(Failure::forbidden(format!("table {name} has FORCE ROW LEVEL SECURITY"))
                .hint(format!("The owner must see all rows: ALTER TABLE {name} NO FORCE ROW LEVEL SECURITY.")));
        }
    }
    Ok(switch_to(owner.expect("there is a table to act on"), work))
}

fn switch_to<T>(owner: pg_sys::Oid, work: impl FnOnce() -> T) -> T {
    let mut user = pg_sys::InvalidOid;
    let mut context = 0;
    // SAFETY: saves and restores the user as SECURITY DEFINER does (fmgr_security_definer): on an error the abort of
    // the (sub)transaction restores both. SECURITY_LOCAL_USERID_CHANGE forbids SET ROLE and SET SESSION AUTHORIZATION
    // inside. For a superuser SECURITY_RESTRICTED_OPERATION also forbids what would be done later with its own rights:
    // a deferred trigger of the owner's.
    unsafe {
        pg_sys::GetUserIdAndSecContext(&mut user, &mut context);
        let mut inside = context | pg_sys::SECURITY_LOCAL_USERID_CHANGE as i32;
        if role::is_superuser(role::outer()) && !role::is_superuser(owner) {
            inside |= pg_sys::SECURITY_RESTRICTED_OPERATION as i32;
        }
        pg_sys::SetUserIdAndSecContext(owner, inside);
        let result = work();
        pg_sys::SetUserIdAndSecContext(user, context);
        result
    }
}
