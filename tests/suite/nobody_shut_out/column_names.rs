//! Columns of the application's own that have the name of a variable, a parameter or an alias of ours.
//!
//! The kind: a name in our SQL that a column of an adopted table takes over, or is in doubt with (42702). Any word that
//! our sources use is tried as a column of every table.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::support::*;
use crate::tour::call_everything;

const TABLES: [&str; 9] = [
    "banks",
    "bank_memberships",
    "vaults",
    "vault_memberships",
    "recordings",
    "vault_entries",
    "import_sources",
    "sync_jobs",
    "import_failures",
];

/// Every word of the functions' bodies and parameters, and of the statements that the library brings.
fn words(db: &Database) -> BTreeSet<String> {
    let mut words: BTreeSet<String> = db
        .superuser()
        .column(
            "SELECT word FROM pg_depend JOIN pg_proc AS proc ON proc.oid = objid AND classid = 'pg_proc'::regclass,
                 LATERAL (
                     SELECT unnest(proargnames) UNION SELECT (regexp_matches(prosrc, '[a-z_][a-z0-9_]*', 'g'))[1]
                 ) AS used (word)
             WHERE deptype = 'e' AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'connector_pipeline')",
            &[],
        )
        .into_iter()
        .collect();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("sql")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("released") && !path.ends_with("demo") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "sql") {
                let sql = fs::read_to_string(&path).unwrap();
                let code = sql.lines().filter(|line| !line.trim_start().starts_with("--"));
                words.extend(
                    code.flat_map(|line| {
                        line.split(|c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'))
                    })
                    .map(str::to_owned),
                );
            }
        }
    }
    // The tests' own SQL has aliases of one letter.
    words.retain(|word| {
        word.len() > 1 && word.len() < 64 && word.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
    });
    words
}

fn add_columns(db: &Database, table: &str, words: &BTreeSet<String>, type_name: &str) {
    let mut owner = db.table_owner();
    let present: Vec<String> =
        owner.column("SELECT attname::text FROM pg_attribute WHERE attrelid = $1::text::regclass", &[&table]);
    let new: Vec<String> = words
        .iter()
        .filter(|word| !present.contains(word))
        .map(|word| format!("ADD COLUMN \"{word}\" {type_name}"))
        .collect();
    owner.run(&format!("ALTER TABLE {table} {}", new.join(", ")));
}

#[test]
fn a_column_may_have_any_name_that_our_sources_use() {
    let db = Database::new();
    let words = words(&db);
    assert!(
        words.len() > 400
            && ["progress", "outcome", "p_sync_job_id", "excluded", "asked"].iter().all(|word| words.contains(*word))
    );
    for table in TABLES {
        add_columns(&db, table, &words, "integer");
    }
    db.table_owner().run("SELECT connector_pipeline.bootstrap()");
    call_everything(&db, "fathom");
    call_everything(&db, "zoom");
}

/// Of a type that anything can be compared with and assigned from: a name that is taken over raises nothing.
#[test]
fn a_column_with_the_name_of_a_variable_keeps_what_it_holds() {
    let db = Database::new();
    let words = words(&db);
    for table in TABLES {
        add_columns(&db, table, &words, "text DEFAULT 'own'");
    }
    call_everything(&db, "fathom");
    let mut owner = db.table_owner();
    for table in TABLES {
        let own: Vec<String> = owner.column(
            "SELECT quote_ident(attname) FROM pg_attribute JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
             WHERE attrelid = $1::text::regclass AND pg_get_expr(adbin, adrelid) = '''own''::text'",
            &[&table],
        );
        let changed =
            own.iter().map(|column| format!("t.{column} IS DISTINCT FROM 'own'")).collect::<Vec<_>>().join(" OR ");
        assert!(owner.count(table) > 0, "{table} has rows");
        assert_eq!(owner.count(&format!("{table} AS t WHERE {changed}")), 0, "{table}");
    }
}
