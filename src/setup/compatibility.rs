//! What is there and can't serve: found before anything is changed, and told all at once.

use pgrx::PgSqlErrorCode;

use crate::error::Failure;
use crate::pg::relation::Table;
use crate::pg::schema::Home;
use crate::setup::catalog;

/// The columns that bootstrap() adds.
pub const MISSING_COLUMNS: &str = include_str!("../../sql/bootstrap/missing_columns.sql");

/// Something of the application's that the pipeline can't work with.
struct Obstacle {
    table: String,
    object: String,
    problem: String,
    /// SQL.
    remedy: String,
}

impl Obstacle {
    fn found_by(home: &Home, query: &str) -> impl Iterator<Item = Self> {
        let rows = catalog::rows(query, &[home.schema.into()]);
        rows.into_iter().map(|[table, object, problem, remedy]| Self { table, object, problem, remedy })
    }
}

/// An error that names all obstacles, if there are any.
///
/// What depends on rows is looked at last, and locked before, so that it stays as it is until it is indexed.
pub fn refuse(home: &Home) -> Result<(), Failure> {
    let mut obstacles: Vec<Obstacle> = [
        include_str!("../../sql/bootstrap/obstacles/tables.sql"),
        include_str!("../../sql/bootstrap/obstacles/columns.sql"),
        include_str!("../../sql/bootstrap/obstacles/indexes.sql"),
        include_str!("../../sql/bootstrap/obstacles/functions.sql"),
    ]
    .into_iter()
    .flat_map(|query| Obstacle::found_by(home, query))
    .collect();
    let in_doubt: Vec<String> = obstacles.iter().map(|obstacle| obstacle.table.clone()).collect();
    obstacles.extend(doubled_keys(home, in_doubt));
    if obstacles.is_empty() { Ok(()) } else { Err(told(&obstacles)) }
}

/// Tables with rows that the unique index still to be made would refuse. Not those `in_doubt`: they may have no such
/// columns, or may not be ours to read.
fn doubled_keys(home: &Home, in_doubt: Vec<String>) -> Vec<Obstacle> {
    let query = include_str!("../../sql/bootstrap/keys_to_make.sql");
    let mut doubled = Vec::new();
    for [table, key, shown_key] in catalog::rows(query, &[home.schema.into(), in_doubt.into()]) {
        let qualified = format!("{}.{table}", home.quoted);
        // SHARE is the lock that CREATE INDEX takes: reading goes on, writing waits. A column that is missing takes more,
        // and a lock that grows while others hold theirs is a deadlock.
        let grows = !catalog::rows::<2>(MISSING_COLUMNS, &[home.schema.into(), table.as_str().into()]).is_empty();
        let mode = if grows { "ACCESS EXCLUSIVE" } else { "SHARE" };
        catalog::run(home, &format!("LOCK TABLE {qualified} IN {mode} MODE"));
        let groups =
            format!("SELECT FROM {qualified} WHERE ({key}) IS NOT NULL GROUP BY {key} HAVING pg_catalog.count(*) > 1");
        let counted = catalog::rows(&format!("SELECT pg_catalog.count(*)::text FROM ({groups}) AS doubled"), &[]);
        let [count] = &counted[0];
        if count != "0" {
            doubled.push(Obstacle {
                problem: format!("has {count} keys ({shown_key}) in more than one row"),
                object: format!("table {table}"),
                remedy: match table.as_str() {
                    "recordings" | "vault_entries" => merge(home),
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

/// How to merge. That looks for entries in vaults, and an application may have neither: bootstrap() is to make them, and
/// does not before the duplicates are gone.
fn merge(home: &Home) -> String {
    let (mut before, mut after) = (String::new(), String::new());
    for (table, columns) in
        [(c"vaults", "id uuid, bank_id uuid"), (c"vault_entries", "id uuid, vault_id uuid, recording_id uuid")]
    {
        if Table::open(home, table).is_none() {
            let table = format!("{}.{}", home.quoted, table.to_string_lossy());
            before += &format!("CREATE TABLE {table} ({columns}); -- for the merge alone\n");
            after += &format!("\nDROP TABLE {table};");
        }
    }
    format!(
        "{before}SELECT * FROM connector_pipeline.merge_duplicates(); -- tells what it would do\n\
         SELECT * FROM connector_pipeline.merge_duplicates(false); -- does it{after}"
    )
}

fn told(obstacles: &[Obstacle]) -> Failure {
    let problems: Vec<String> =
        obstacles.iter().map(|obstacle| format!("{} {}", obstacle.object, obstacle.problem)).collect();
    let mut remedies: Vec<&str> = Vec::new();
    for obstacle in obstacles {
        if !remedies.contains(&obstacle.remedy.as_str()) {
            remedies.push(&obstacle.remedy);
        }
    }
    let message = match problems.len() {
        1 => "one thing that is there can't serve connector_pipeline; nothing has been changed".to_owned(),
        count => format!("{count} things that are there can't serve connector_pipeline; nothing has been changed"),
    };
    Failure::new(PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, message)
        .detail(problems.join("\n"))
        .hint(format!("Run this, and then bootstrap() again:\n{}", remedies.join("\n")))
}
