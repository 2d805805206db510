//! The list of columns that bootstrap() goes by is complete, and what it adds is what it makes.

use std::collections::BTreeSet;

use crate::application::*;
use crate::support::*;

/// A row of the list that bootstrap() goes by.
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

/// Tables of the columns that can't be added; or of all, each of the last of the types that will do.
fn barest_tables(owner: &mut Session, with_last_type: bool) {
    let needed = needed_columns(owner);
    let tables: BTreeSet<&str> = needed.iter().map(|needed| needed.table.as_str()).collect();
    owner.run("CREATE TYPE anylabel AS ENUM ('personal', 'owner', 'business')");
    // Made by bootstrap() alone, with a column that is computed.
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
fn the_needed_columns_are_all_that_the_pipeline_needs() {
    for with_last_type in [false, true] {
        let db = without_tables();
        add_users(&db);
        let mut owner = db.table_owner();
        barest_tables(&mut owner, with_last_type);
        bootstrap(&mut owner);
        owner.run(
            "GRANT SELECT, INSERT, UPDATE ON banks, bank_memberships, vaults, vault_memberships, recordings, vault_entries,
                 import_sources, sync_jobs TO authenticated",
        );
        import_of_every_kind(&db);
    }
}

#[test]
fn a_column_that_is_added_is_as_in_a_table_of_bootstraps_own() {
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
