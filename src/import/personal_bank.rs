//! The personal bank of a user: found, or made once, whoever asks at the same time.

use std::ffi::CStr;

use pgrx::{PgSqlErrorCode, pg_sys};
use uuid::Uuid;

use crate::error::Failure;
use crate::pg::run_as_owner;
use crate::pg::schema::Home;
use crate::pg::spi::Access;
use crate::pg::subtransaction;
use crate::queries::{OWNER_ROLES, Store};

const TABLES: [&CStr; 4] = [c"banks", c"bank_memberships", c"vaults", c"vault_memberships"];

/// The user's personal bank, made where there is none, with the rights of the owner of the tables. Whether the caller
/// may ask for this user has been checked.
pub fn ensure(home: &Home, store: &Store, user: Uuid) -> Result<Uuid, Failure> {
    run_as_owner::act_as(home, &TABLES, || {
        if let Some(bank) = store.find_personal_bank(Access::Write, user) {
            return Ok(bank);
        }
        store.lock_personal_bank(user);
        // Whoever held the lock has committed by now, after our snapshot was taken perhaps.
        match store.find_personal_bank(Access::Latest, user) {
            None => run_as_owner::with_own_names(home, || create(store, user)),
            Some(_) if sees_only_its_snapshot() => made_by_another_transaction().raise(),
            Some(bank) => Ok(bank),
        }
    })?
}

/// Makes the bank with the first names for an owner that the tables take: an application's CHECK, or its enum, may know
/// other ones than ours.
fn create(store: &Store, user: Uuid) -> Result<Uuid, Failure> {
    let mut refused = None;
    for roles in 0..OWNER_ROLES.len() {
        match subtransaction::run(|| store.create_personal_bank(user, roles)) {
            Ok(bank) => return bank.ok_or_else(no_bank_made),
            Err(failure) if is_about_a_name(&failure) => _ = refused.get_or_insert(failure),
            Err(failure) => return Err(named_after(user, failure)),
        }
    }
    Err(refused.expect("there are roles to try"))
}

fn is_about_a_name(failure: &Failure) -> bool {
    failure.is(PgSqlErrorCode::ERRCODE_CHECK_VIOLATION)
        || failure.is(PgSqlErrorCode::ERRCODE_INVALID_TEXT_REPRESENTATION)
}

/// The foreign key that an unknown user violates first is that of a membership, which says little to a caller.
fn named_after(user: Uuid, failure: Failure) -> Failure {
    if !failure.is(PgSqlErrorCode::ERRCODE_FOREIGN_KEY_VIOLATION) {
        return failure;
    }
    let message = format!("the owner {user} is not a user");
    Failure { message, detail: Some(failure.text()), hint: None, ..failure }
}

fn sees_only_its_snapshot() -> bool {
    // SAFETY: reads the isolation level of the running transaction.
    unsafe { pg_sys::XactIsoLevel >= pg_sys::XACT_REPEATABLE_READ as i32 }
}

fn made_by_another_transaction() -> Failure {
    Failure::new(
        PgSqlErrorCode::ERRCODE_T_R_SERIALIZATION_FAILURE,
        "could not serialize access: the personal bank was made by another transaction",
    )
    .hint("Retry the transaction.")
}

fn no_bank_made() -> Failure {
    Failure::new(PgSqlErrorCode::ERRCODE_TRIGGERED_ACTION_EXCEPTION, "the row for the personal bank was not kept")
        .hint("Look for a trigger on banks that returns NULL.")
}
