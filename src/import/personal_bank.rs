//! Finds a user's personal bank, or creates exactly one, even under concurrent calls.

use std::ffi::CStr;

use pgrx::PgSqlErrorCode;
use uuid::Uuid;

use crate::call::Call;
use crate::error::Failure;
use crate::pg::run_as_owner::run_as_owner;
use crate::pg::spi::SnapshotMode;
use crate::pg::{session, subtransaction};
use crate::queries::{OWNER_ROLES, Queries};

const TABLES: [&CStr; 4] = [c"banks", c"bank_memberships", c"vaults", c"vault_memberships"];

/// Returns the user's personal bank; creates one if the user has none.
///
/// Runs with the rights of the owner of the tables: check before that the caller may act for this user.
pub fn ensure(call: &Call, user: Uuid) -> Result<Uuid, Failure> {
    let queries = &call.queries;
    run_as_owner(&call.schema, &TABLES, || {
        if let Some(bank) = queries.find_personal_bank(SnapshotMode::Current, user) {
            return Ok(bank);
        }
        queries.lock_personal_bank(user);
        // The previous holder of the lock may have committed after our snapshot was taken.
        match queries.find_personal_bank(SnapshotMode::Latest, user) {
            None => session::with_search_path(&owners_search_path(call), || create(queries, user)),
            Some(_) if session::keeps_its_snapshot() => created_by_another_transaction().raise(),
            Some(bank) => Ok(bank),
        }
    })?
}

/// Returns the search_path for triggers of the tables' owner, which run with that owner's rights.
///
/// Triggers seldom qualify names: with the caller's search_path, the caller's objects could shadow those of the owner.
/// The search_path has the schema of the tables, and Supabase's schema `extensions` if that belongs to the owner or to
/// a superuser; temporary objects come last.
fn owners_search_path(call: &Call) -> String {
    let extensions = if call.queries.may_trust_extensions() { "extensions, " } else { "" };
    format!("{}, {extensions}pg_temp", call.schema.quoted)
}

/// Creates the bank with the first pair of owner roles that the tables accept.
///
/// A CHECK constraint or an enum of the application may allow other role names than ours.
fn create(queries: &Queries, user: Uuid) -> Result<Uuid, Failure> {
    let mut refused = None;
    for roles in 0..OWNER_ROLES.len() {
        match subtransaction::run(|| queries.create_personal_bank(user, roles)) {
            Ok(bank) => return bank.ok_or_else(bank_not_kept),
            Err(failure) if is_about_a_role(&failure) => _ = refused.get_or_insert(failure),
            Err(failure) => return Err(naming_the_user(user, failure)),
        }
    }
    Err(refused.expect("there are roles to try"))
}

fn is_about_a_role(failure: &Failure) -> bool {
    failure.is(PgSqlErrorCode::ERRCODE_CHECK_VIOLATION)
        || failure.is(PgSqlErrorCode::ERRCODE_INVALID_TEXT_REPRESENTATION)
}

/// Replaces a foreign key violation by an error that names the unknown user.
///
/// The foreign key is that of a membership, which the caller knows nothing about.
fn naming_the_user(user: Uuid, failure: Failure) -> Failure {
    if !failure.is(PgSqlErrorCode::ERRCODE_FOREIGN_KEY_VIOLATION) {
        return failure;
    }
    let message = format!("user {user} does not exist");
    let hint = "Create the user first, or pass the id of an existing user.".to_owned();
    Failure { message, detail: Some(failure.text()), hint: Some(hint), ..failure }
}

fn created_by_another_transaction() -> Failure {
    Failure::new(
        PgSqlErrorCode::ERRCODE_T_R_SERIALIZATION_FAILURE,
        "could not serialize access: another transaction created the personal bank",
    )
    .hint("Retry the transaction.")
}

fn bank_not_kept() -> Failure {
    Failure::new(
        PgSqlErrorCode::ERRCODE_TRIGGERED_ACTION_EXCEPTION,
        "the personal bank was not kept: the INSERT left no row",
    )
    .hint("Look for a trigger on banks that returns NULL.")
}
