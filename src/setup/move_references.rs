//! Lets the rows that refer to a duplicate by a foreign key refer to the row that stays.

use pgrx::pg_sys::Oid;
use pgrx::{PgSqlErrorCode, Uuid};

use crate::error::Failure;
use crate::pg::schema::ExtensionSchema;
use crate::pg::subtransaction;
use crate::setup::catalog;
use crate::setup::merge_checks::{must_be_there, must_see_all_rows, trigger_failure};
use crate::setup::merge_plan::Pairs;
use crate::setup::sql::{Row, Sql};

/// A foreign key, by which rows of the table `referrer` refer to one of ours.
struct ForeignKey {
    referrer: Oid,
    /// Its name, qualified and quoted.
    referrer_name: String,
    is_of_same_table: bool,
    is_of_vault_entries: bool,
    columns: String,
    /// SQL that lets the row `referrer` refer to the row `kept`.
    changes: String,
    /// SQL: whether the row `referrer` refers to the row `removed`.
    matches: String,
}

/// Moves all references to the rows of a table that go, but not those of rows that go themselves.
pub fn move_references(
    schema: &ExtensionSchema,
    table: &str,
    pairs: &Pairs,
    going_entries: &[Uuid],
) -> Result<(), Failure> {
    let find = Sql::new(schema, include_str!("../../sql/merge_duplicates/foreign_keys.sql"));
    for key in find.rows(&[schema.oid.into(), table.into()], ForeignKey::read) {
        must_see_all_rows(&key.referrer_name)?;
        must_be_there(schema, table, &pairs.going)?;
        key.move_rows(&format!("{}.{table}", schema.quoted), pairs, going_entries)?;
    }
    Ok(())
}

impl ForeignKey {
    fn read(row: Row) -> Self {
        Self {
            referrer: row.require(1),
            referrer_name: row.require(2),
            is_of_same_table: row.require(3),
            is_of_vault_entries: row.require(4),
            columns: row.require(5),
            changes: row.require(6),
            matches: row.require(7),
        }
    }

    fn move_rows(&self, table: &str, pairs: &Pairs, going_entries: &[Uuid]) -> Result<(), Failure> {
        let (going, matches) = match self {
            Self { is_of_same_table: true, .. } => (pairs.going.as_slice(), self.matches_of_staying_rows()),
            Self { is_of_vault_entries: true, .. } => (going_entries, self.matches_of_staying_rows()),
            // It may have no id.
            _ => ([].as_slice(), self.matches.clone()),
        };
        let rows = Sql::filled(
            include_str!("../../sql/merge_duplicates/referring_rows.sql"),
            &[("table", table), ("matches", &matches)],
        );
        let args = || {
            let [removed, kept] = pairs.args();
            [removed, kept, going.into()]
        };
        let places = [("referrer", self.referrer_name.as_str()), ("referring_rows", rows.text())];

        if self.is_of_same_table {
            let find = include_str!("../../sql/merge_duplicates/references_to_own_duplicates.sql");
            self.must_not_refer_to_own_duplicates(&Sql::filled(find, &places).rows(&args(), |row| row.require(1)))?;
        }
        let update = include_str!("../../sql/merge_duplicates/move_references.sql");
        let update = Sql::filled(update, &[&places[..], &[("changes", &self.changes)]].concat());
        subtransaction::run(|| update.run(&args())).map_err(|failure| self.explained(failure))?;

        let find = include_str!("../../sql/merge_duplicates/references_to_duplicates.sql");
        let left = Sql::filled(find, &places)
            .rows(&args(), |row| (row.require::<i64>(1), row.get::<String>(2), row.get::<Oid>(3)));
        match &left[0] {
            (count, Some(first), Some(part)) => Err(self.unmoved(*count, first, *part)),
            _ => Ok(()),
        }
    }

    /// `$3` has the rows that go.
    fn matches_of_staying_rows(&self) -> String {
        format!("{} AND referrer.id OPERATOR(pg_catalog.<>) ALL ($3)", self.matches)
    }

    /// Such a row would be its own parent, or whatever the reference means.
    fn must_not_refer_to_own_duplicates(&self, ids: &[Uuid]) -> Result<(), Failure> {
        let Some(first) = ids.first() else { return Ok(()) };
        let Self { referrer_name: table, columns, .. } = self;
        let code = PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE;
        let message = format!("{} rows of {table} refer to their own duplicates; nothing has been changed", ids.len());
        Err(Failure::new(code, message)
            .detail(format!("The first is {first}, by {columns}."))
            .hint(format!("Let each of them refer to another row of {table}, or to none, and merge again.")))
    }

    /// Says which rows collide, where a unique key or an exclusion constraint allows only one of them.
    fn explained(&self, failure: Failure) -> Failure {
        use PgSqlErrorCode::{ERRCODE_EXCLUSION_VIOLATION, ERRCODE_UNIQUE_VIOLATION};
        if !failure.is(ERRCODE_UNIQUE_VIOLATION) && !failure.is(ERRCODE_EXCLUSION_VIOLATION) {
            return failure;
        }
        let table = &self.referrer_name;
        let message = format!(
            "rows of {table} that refer to duplicates can't all refer to the row that is kept; nothing has been changed"
        );
        Failure::new(ERRCODE_UNIQUE_VIOLATION, message)
            .detail(format!("{}. {}", failure.message, failure.detail.unwrap_or_default()).trim_end())
            .hint(format!("Keep one of them in {table}, and merge again."))
    }

    /// A trigger or a rule of the application's keeps rows as they are. `part`: the partition that one of them is in.
    fn unmoved(&self, count: i64, first: &str, part: Oid) -> Failure {
        let table = &self.referrer_name;
        let query = include_str!("../../sql/merge_duplicates/what_keeps_rows.sql");
        let suspects = catalog::rows(query, &[self.referrer.into(), part.into()]);
        let [suspects] = &suspects[0];
        let named = if suspects.is_empty() { String::new() } else { format!(": {suspects}") };
        trigger_failure(
            format!("{count} rows of {table} go on referring to duplicates; nothing has been changed"),
            first,
        )
        .hint(format!("Look for what keeps rows of {table} from being updated{named}."))
    }
}
