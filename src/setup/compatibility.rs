//! Finds existing objects that are not compatible with the pipeline, before any change.

use pgrx::PgSqlErrorCode;

use crate::error::Failure;
use crate::pg::relation::Table;
use crate::pg::schema::ExtensionSchema;
use crate::setup::catalog::{self, with_lists};

/// The columns that bootstrap() adds.
pub const MISSING_COLUMNS: &str = include_str!("../../sql/bootstrap/missing_columns.sql");

/// An object of the application that is not compatible with the pipeline.
struct Conflict {
    table: String,
    object: String,
    problem: String,
    /// The SQL to run.
    remedy: String,
}

impl Conflict {
    fn found_by(schema: &ExtensionSchema, query: &str) -> impl Iterator<Item = Self> {
        let rows = catalog::rows(&with_lists(query), &[schema.oid.into()]);
        rows.into_iter().map(|[table, object, problem, remedy]| Self { table, object, problem, remedy })
    }
}

/// Fails if there are conflicts, with one error that names all of them.
///
/// Rows are checked last, under a lock, so that none changes before the unique index exists.
pub fn refuse(schema: &ExtensionSchema) -> Result<(), Failure> {
    let mut conflicts: Vec<Conflict> = [
        include_str!("../../sql/bootstrap/compatibility/auth.sql"),
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

/// Finds tables whose rows violate a unique index that is to be created.
///
/// Ignores the tables `in_doubt`: they may lack the columns, or not be readable.
fn doubled_keys(schema: &ExtensionSchema, in_doubt: Vec<String>) -> Vec<Conflict> {
    let query = include_str!("../../sql/bootstrap/keys_to_make.sql");
    let mut doubled = Vec::new();
    for [table, key, shown_key] in catalog::rows(&with_lists(query), &[schema.oid.into(), in_doubt.into()]) {
        let qualified = format!("{}.{table}", schema.quoted);
        // CREATE INDEX takes a SHARE lock: reads continue, writes wait. ADD COLUMN needs ACCESS EXCLUSIVE, and to
        // upgrade a lock while other sessions hold theirs may deadlock.
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
                         -- then keep one of each"
                    ),
                },
                table,
            });
        }
    }
    doubled
}

/// Returns the SQL that merges duplicates.
///
/// merge_duplicates() reads vaults and vault entries. If the application lacks these tables, the SQL creates them for
/// the merge: bootstrap() creates tables only when the duplicates are gone.
fn merge(schema: &ExtensionSchema) -> String {
    let (mut before, mut after) = (String::new(), String::new());
    for (table, columns) in
        [(c"vaults", "id uuid, bank_id uuid"), (c"vault_entries", "id uuid, vault_id uuid, recording_id uuid")]
    {
        if Table::open(schema, table).is_none() {
            let table = format!("{}.{}", schema.quoted, table.to_string_lossy());
            before += &format!("CREATE TABLE {table} ({columns}); -- only for the merge\n");
            after += &format!("\nDROP TABLE {table};");
        }
    }
    format!(
        "{before}SELECT * FROM connector_pipeline.merge_duplicates(); -- dry run\n\
         SELECT * FROM connector_pipeline.merge_duplicates(false); -- merges{after}"
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
        1 => "one existing object is not compatible with connector_pipeline; nothing has been changed".to_owned(),
        count => {
            format!("{count} existing objects are not compatible with connector_pipeline; nothing has been changed")
        }
    };
    Failure::new(PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, message)
        .detail(problems.join("\n"))
        .hint(format!("Run this SQL, then bootstrap() again:\n{}", remedies.join("\n")))
}
