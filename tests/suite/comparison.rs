//! Describes the catalogs and rows of a database as text, to compare two databases.

use std::collections::BTreeSet;

use crate::support::*;

/// Every object of a database with all its properties.
pub fn catalog(db: &Database) -> Vec<String> {
    let mut superuser = db.superuser();
    // With an empty search_path PostgreSQL qualifies every name.
    superuser.run("SET search_path = ''");
    superuser.column(include_str!("catalog.sql"), &[])
}

/// The same as a role sees the catalogs, with the file of each relation.
///
/// A rewritten table has another file.
pub fn objects(session: &mut Session) -> BTreeSet<String> {
    let files = "SELECT format('file of %s: %s', oid::regclass, relfilenode) FROM pg_class
        WHERE relkind IN ('r', 'i') AND relnamespace <> 'pg_toast'::regnamespace";
    let lines: Vec<String> =
        [include_str!("catalog.sql"), files].iter().flat_map(|query| session.column(query, &[])).collect();
    lines.into_iter().collect()
}

/// Each table with the number of its rows and a checksum of them.
pub fn contents(db: &Database) -> Vec<String> {
    let mut superuser = db.superuser();
    superuser.run("SET search_path = ''");
    let tables: Vec<String> = superuser.column(
        "SELECT oid::regclass::text FROM pg_class
         WHERE relkind = 'r' AND relnamespace::regnamespace::text !~ '^(pg_|information_schema)' ORDER BY 1",
        &[],
    );
    let rows_of = |table: String| {
        let query = format!(
            r#"SELECT format('%s rows, checksum %s', count(*), md5(string_agg(t::text, ' ' ORDER BY t::text COLLATE "C")))
               FROM {table} AS t"#
        );
        format!("{table}: {}", superuser.value::<String>(&query, &[]))
    };
    tables.into_iter().map(rows_of).collect()
}

/// Fails with the lines that only one side has.
#[track_caller]
pub fn assert_same(found: &[String], expected: &[String]) {
    let only = |these: &[String], those: &[String]| -> String {
        these.iter().filter(|line| !those.contains(line)).map(|line| format!("\n  {line}")).collect()
    };
    let (missing, extra) = (only(expected, found), only(found, expected));
    assert!(!expected.is_empty() && missing.is_empty() && extra.is_empty(), "missing:{missing}\nnot expected:{extra}");
}
