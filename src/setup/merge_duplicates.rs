//! Merges recordings that were imported more than once into the oldest of each key.

use pgrx::PgSqlErrorCode;

use crate::error::Failure;
use crate::pg::result_rows::ResultRows;
use crate::pg::schema::ExtensionSchema;
use crate::pg::{session, subtransaction};
use crate::setup::catalog;
use crate::setup::merge_checks::{must_be_gone, must_be_there, must_have_ids};
use crate::setup::merge_plan::Plan;
use crate::setup::move_references::move_references;
use crate::setup::sql::Sql;

/// merge_duplicates(): all or nothing. A dry run does everything and undoes it, with its locks.
pub fn run(schema: &ExtensionSchema, is_dry_run: Option<bool>, result: &ResultRows) -> Result<(), Failure> {
    let is_dry_run = is_dry_run.ok_or_else(|| {
        Failure::null_argument("p_dry_run").hint("Pass true to learn what would be done, false to do it.")
    })?;
    if session::keeps_its_snapshot() {
        return Err(old_snapshot());
    }
    must_have_ids(schema, &["recordings", "vault_entries", "vaults"])?;
    let work = || merge(schema, result);
    if is_dry_run { subtransaction::dry_run(work) } else { subtransaction::run(work) }?
}

fn merge(schema: &ExtensionSchema, result: &ResultRows) -> Result<(), Failure> {
    Sql::new(schema, include_str!("../../sql/merge_duplicates/lock.sql")).run(&[]);
    let plan = Plan::make(schema)?;
    // What is reported stays, also where the rest is undone.
    plan.report(schema, result);
    // All is moved before anything is deleted: a trigger of the application's may delete a recording with its last entry,
    // and with it what refers to it.
    plan.carry_out(schema)
}

/// A snapshot from before the lock does not show the rows that others have written until then: they would be lost.
fn old_snapshot() -> Failure {
    let code = PgSqlErrorCode::ERRCODE_ACTIVE_SQL_TRANSACTION;
    Failure::new(
        code,
        "merge_duplicates() can't run in a transaction that keeps its snapshot; nothing has been changed",
    )
    .hint("Run merge_duplicates() in a transaction of isolation level READ COMMITTED.")
}

impl Plan {
    fn report(&self, schema: &ExtensionSchema, result: &ResultRows) {
        let [going, staying] = self.recordings.args();
        Sql::new(schema, include_str!("../../sql/merge_duplicates/report.sql"))
            .rows_into(result, &[going, staying, self.entries.going.as_slice().into()]);
    }

    fn carry_out(&self, schema: &ExtensionSchema) -> Result<(), Failure> {
        let (recordings, entries) = (&self.recordings, &self.entries);
        let going_entries = entries.going.as_slice();
        self.merge_tags_and_notes(schema);
        move_references(schema, "vault_entries", entries, going_entries)?;
        move_references(schema, "recordings", recordings, going_entries)?;
        let [going, staying] = recordings.args();
        Sql::new(schema, include_str!("../../sql/merge_duplicates/move_entries.sql")).run(&[
            going,
            staying,
            going_entries.into(),
        ]);

        Sql::new(schema, include_str!("../../sql/merge_duplicates/delete_entries.sql")).run(&[going_entries.into()]);
        // Before the recordings are deleted, and with them the entries that still refer to them.
        let undeleted = Sql::new(schema, include_str!("../../sql/merge_duplicates/undeleted_entries.sql"));
        let going = recordings.going.as_slice();
        must_be_gone(
            schema,
            "vault_entries",
            &undeleted.rows(&[going_entries.into(), going.into()], |row| row.require(1)),
        )?;

        Sql::new(schema, include_str!("../../sql/merge_duplicates/delete_recordings.sql")).run(&[going.into()]);
        let undeleted = Sql::new(schema, include_str!("../../sql/merge_duplicates/undeleted_recordings.sql"));
        must_be_gone(schema, "recordings", &undeleted.rows(&[going.into()], |row| row.require(1)))?;

        must_be_there(schema, "recordings", &recordings.staying)?;
        must_be_there(schema, "vault_entries", &self.staying_entries)
    }

    /// As far as the table has such columns: an application's own may have none, or of other types.
    fn merge_tags_and_notes(&self, schema: &ExtensionSchema) {
        let query = include_str!("../../sql/merge_duplicates/mergeable_columns.sql");
        for [column] in catalog::rows(query, &[schema.oid.into()]) {
            let merge = match column.as_str() {
                "local_tags" => include_str!("../../sql/merge_duplicates/merge_tags.sql"),
                _ => include_str!("../../sql/merge_duplicates/merge_notes.sql"),
            };
            Sql::new(schema, merge).run(&self.entries.args());
        }
    }
}
