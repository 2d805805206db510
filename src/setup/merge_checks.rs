//! Checks what merging relies on, before it starts and after each step.

use pgrx::{PgSqlErrorCode, Uuid};

use crate::error::Failure;
use crate::pg::schema::ExtensionSchema;
use crate::setup::catalog;
use crate::setup::sql::Sql;

/// Refuses tables without ids, or with others than uuid.
pub fn must_have_ids(schema: &ExtensionSchema, tables: &[&str]) -> Result<(), Failure> {
    let unfit = catalog::rows(
        include_str!("../../sql/merge_duplicates/unfit_ids.sql"),
        &[schema.oid.into(), tables.to_vec().into()],
    );
    if unfit.is_empty() {
        return Ok(());
    }
    let unfit: Vec<String> = unfit.into_iter().map(|[column]| column).collect();
    let code = PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE;
    Err(Failure::new(code, "columns that merging needs are not there, or are not uuid; nothing has been changed")
        .detail(unfit.join("\n"))
        .hint("Run SELECT * FROM connector_pipeline.bootstrap(): its error has the SQL to run for each of them."))
}

/// Refuses a table of which a policy may hide rows: they would be left out, and then be lost.
pub fn must_see_all_rows(table: &str) -> Result<(), Failure> {
    let roles = catalog::rows(include_str!("../../sql/merge_duplicates/hides_rows_from.sql"), &[table.into()]);
    match roles.first() {
        None => Ok(()),
        Some([role]) => {
            Err(Failure::forbidden(format!("row-level security may hide rows of {table} from {role}")).hint(format!(
                "Call as its owner, or as a role with BYPASSRLS. If you are its owner: ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY;"
            )))
        }
    }
}

/// Refuses to go on where a trigger of the application's keeps what was to go.
pub fn must_be_gone(schema: &ExtensionSchema, table: &str, left: &[Uuid]) -> Result<(), Failure> {
    let Some(first) = left.first() else { return Ok(()) };
    let table = format!("{}.{table}", schema.quoted);
    let message = format!("{} rows of {table} could not be merged; nothing has been changed", left.len());
    Err(trigger_failure(message, first).hint(format!("Look for a trigger on {table} that returns NULL.")))
}

/// Refuses to go on where a trigger of the application's has deleted what was to stay, or is still referred to.
pub fn must_be_there(schema: &ExtensionSchema, table: &str, ids: &[Uuid]) -> Result<(), Failure> {
    let table = format!("{}.{table}", schema.quoted);
    let find = Sql::filled(include_str!("../../sql/merge_duplicates/lost_rows.sql"), &[("table", &table)]);
    let lost: Vec<Uuid> = find.rows(&[ids.into()], |row| row.require(1));
    let Some(first) = lost.first() else { return Ok(()) };
    let message = format!("{} rows of {table} would be lost; nothing has been changed", lost.len());
    Err(trigger_failure(message, first)
        .hint(format!("Look for a trigger that deletes rows of {table} when others are changed or deleted.")))
}

/// Something that only code of the application's can have done.
pub fn trigger_failure(message: String, first: impl std::fmt::Display) -> Failure {
    Failure::new(PgSqlErrorCode::ERRCODE_TRIGGERED_ACTION_EXCEPTION, message).detail(format!("The first is {first}."))
}
