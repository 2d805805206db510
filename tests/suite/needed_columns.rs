//! Tests that the list of needed columns is complete and equals the columns of new tables.

use std::collections::BTreeSet;

use crate::application::*;
use crate::support::*;

/// A row of sql/bootstrap/needed_columns.sql.
struct Needed {
    table: String,
    column: String,
    serving: Vec<String>,
    definition: String,
    is_added: bool,
}

fn needed_columns(session: &mut Session) -> Vec<Needed> {
    let list = include_str!("../../sql/bootstrap/needed_columns.sql");
    let query = format!(
        "SELECT table_name, column_name, serving::text[], definition, is_added
         FROM ({list}) AS needed"
    );
    let read = |row: &postgres::Row| Needed {
        table: row.get(0),
        column: row.get(1),
        serving: row.get(2),
        definition: row.get(3),
        is_added: row.get(4),
    };
    session.query(&query, &[]).iter().map(read).collect()
}

/// Creates tables of the columns that bootstrap() can't add.
///
/// With `with_last_type`, creates tables of all needed columns, each of the last type that is accepted.
fn create_minimal_tables(owner: &mut Session, with_last_type: bool) {
    let needed = needed_columns(owner);
    let tables: BTreeSet<&str> = needed.iter().map(|needed| needed.table.as_str()).collect();
    owner.run("CREATE TYPE anylabel AS ENUM ('personal', 'owner', 'business')");
    // Only bootstrap() creates import_failures: the table has a generated column.
    for table in tables.into_iter().filter(|table| *table != "import_failures") {
        let columns: Vec<String> = needed
            .iter()
            .filter(|needed| needed.table == table && (with_last_type || !needed.is_added))
            .map(|needed| {
                let serving = if with_last_type { needed.serving.last().unwrap() } else { &needed.serving[0] };
                let (_, attributes) = needed.definition.split_once(' ').unwrap_or_default();
                format!("{} {} {attributes}", needed.column, serving.replace("anyenum", "anylabel"))
            })
            .collect();
        owner.run(&format!("CREATE TABLE {table} ({})", columns.join(", ")));
    }
}

#[test]
fn tables_with_the_needed_columns_alone_serve_every_call_of_the_pipeline() {
    for with_last_type in [false, true] {
        let db = without_tables();
        add_users(&db);
        let mut owner = db.table_owner();
        create_minimal_tables(&mut owner, with_last_type);
        bootstrap(&mut owner);
        owner.run(
            "GRANT SELECT, INSERT, UPDATE ON banks, bank_memberships, vaults, vault_memberships, recordings, vault_entries,
                 import_sources, sync_jobs TO authenticated",
        );
        import_of_every_kind(&db);
    }
}

#[test]
fn a_column_that_bootstrap_adds_equals_the_one_in_a_table_that_it_creates() {
    let db = Database::new();
    let mut owner = db.table_owner();
    let described = "SELECT format('%s %s', format_type(atttypid, atttypmod), pg_get_expr(adbin, adrelid))
        FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
        WHERE attrelid = $1::text::regclass AND attname = $2::text";
    for Needed { table, column, is_added, .. } in needed_columns(&mut owner) {
        let before: String = owner.value(described, &[&table, &column]);
        if is_added {
            owner.run(&format!("ALTER TABLE {table} DROP COLUMN {column} CASCADE"));
            let report = bootstrap(&mut owner);
            assert!(
                with_action(&report, "created").contains(&format!("column {table}.{column}").as_str()),
                "{report:?}"
            );
            assert_eq!(owner.value::<String>(described, &[&table, &column]), before, "{table}.{column}");
        }
    }
}
