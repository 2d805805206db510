//! Finds what an application has that the pipeline can't work with, before anything is changed.

use pgrx::PgSqlErrorCode;

use crate::error::Failure;
use crate::pg::relation::Table;
use crate::pg::schema::ExtensionSchema;
use crate::setup::catalog::{self, with_lists};

/// The columns that bootstrap() adds.
pub const MISSING_COLUMNS: &str = include_str!("../../sql/bootstrap/missing_columns.sql");

/// An object of the application's that the pipeline can't work with.
struct Conflict {
    table: String,
    object: String,
    problem: String,
    /// SQL.
    remedy: String,
}

impl Conflict {
    fn found_by(schema: &ExtensionSchema, query: &str) -> impl Iterator<Item = Self> {
        let rows = catalog::rows(&with_lists(query), &[schema.oid.into()]);
        rows.into_iter().map(|[table, object, problem, remedy]| Self { table, object, problem, remedy })
    }
}

/// Refuses, with one error that names all conflicts.
///
/// Rows are checked last, under a lock, so that they stay as they are until they are indexed.
pub fn refuse(schema: &ExtensionSchema) -> Result<(), Failure> {
    let mut conflicts: Vec<Conflict> = [
        include_str!("../../sql/bootstrap/compatibility/tables.sql"),
        include_str!("../../sql/bootstrap/compatibility/columns.sql"),
        include_str!("../../sql/bootstrap/compatibility/indexes.sql"),
        include_str!("../../sql/bootstrap/compatibility/functions.sql"),
    ]
    .into_iter()
    .flat_map(|query| Conflict::found_by(schema, query))
    .collect();
    let in_doubt: Vec<String> = conflicts.iter().map(|conflict| conflict.table.clone()).collect();
    conflicts.extend(doubled_keys(schema, in_doubt));
    if conflicts.is_empty() { Ok(()) } else { Err(report(&conflicts)) }
}

/// Finds tables with rows that the unique index to be created would refuse. Not those `in_doubt`: they may lack the
/// columns, or be unreadable for us.
fn doubled_keys(schema: &ExtensionSchema, in_doubt: Vec<String>) -> Vec<Conflict> {
    let query = include_str!("../../sql/bootstrap/keys_to_make.sql");
    let mut doubled = Vec::new();
    for [table, key, shown_key] in catalog::rows(&with_lists(query), &[schema.oid.into(), in_doubt.into()]) {
        let qualified = format!("{}.{table}", schema.quoted);
        // SHARE is the lock that CREATE INDEX takes: reading goes on, writing waits. A column that is missing takes more,
        // and a lock that grows while others hold theirs is a deadlock.
        let grows =
            !catalog::rows::<2>(&with_lists(MISSING_COLUMNS), &[schema.oid.into(), table.as_str().into()]).is_empty();
        let mode = if grows { "ACCESS EXCLUSIVE" } else { "SHARE" };
        catalog::run(&format!("LOCK TABLE {qualified} IN {mode} MODE"));
        let groups =
            format!("SELECT FROM {qualified} WHERE ({key}) IS NOT NULL GROUP BY {key} HAVING pg_catalog.count(*) > 1");
        let counted = catalog::rows(&format!("SELECT pg_catalog.count(*)::text FROM ({groups}) AS doubled"), &[]);
        let [count] = &counted[0];
        if count != "0" {
            doubled.push(Conflict {
                problem: format!("has {count} keys ({shown_key}) in more than one row"),
                object: format!("table {table}"),
                remedy: match table.as_str() {
                    "recordings" | "vault_entries" => merge(schema),
                    _ => format!(
                        "SELECT {key}, array_agg(id) FROM {qualified} GROUP BY {key} HAVING count(*) > 1; \
                         -- and keep one of each"
                    ),
                },
                table,
            });
        }
    }
    doubled
}

/// Returns the SQL that merges duplicates. It reads vault entries, which an application may lack: bootstrap() creates them
/// only once the duplicates are gone.
fn merge(schema: &ExtensionSchema) -> String {
    let (mut before, mut after) = (String::new(), String::new());
    for (table, columns) in
        [(c"vaults", "id uuid, bank_id uuid"), (c"vault_entries", "id uuid, vault_id uuid, recording_id uuid")]
    {
        if Table::open(schema, table).is_none() {
            let table = format!("{}.{}", schema.quoted, table.to_string_lossy());
            before += &format!("CREATE TABLE {table} ({columns}); -- for the merge alone\n");
            after += &format!("\nDROP TABLE {table};");
        }
    }
    format!(
        "{before}SELECT * FROM connector_pipeline.merge_duplicates(); -- tells what it would do\n\
         SELECT * FROM connector_pipeline.merge_duplicates(false); -- does it{after}"
    )
}

fn report(conflicts: &[Conflict]) -> Failure {
    let problems: Vec<String> =
        conflicts.iter().map(|conflict| format!("{} {}", conflict.object, conflict.problem)).collect();
    let mut remedies: Vec<&str> = Vec::new();
    for conflict in conflicts {
        if !remedies.contains(&conflict.remedy.as_str()) {
            remedies.push(&conflict.remedy);
        }
    }
    let message = match problems.len() {
        1 => "one existing object can't serve connector_pipeline; nothing has been changed".to_owned(),
        count => format!("{count} existing objects can't serve connector_pipeline; nothing has been changed"),
    };
    Failure::new(PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, message)
        .detail(problems.join("\n"))
        .hint(format!("Run this, and then bootstrap() again:\n{}", remedies.join("\n")))
}
