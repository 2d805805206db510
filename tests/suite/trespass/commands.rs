//! Tries every function and every command on every table as each role.

use std::collections::BTreeSet;

use super::allowed::{self, ROLES};
use crate::support::*;

fn session_of(db: &Database, role: &str) -> Session {
    match role {
        "authenticated" => db.authenticated(BOB),
        "service_role" => db.service_role(),
        "anon" => db.anon(),
        login => db.login(login),
    }
}

/// Tries a statement and returns whether the privileges allow it.
///
/// Errors of other kinds come after the privilege check and count as allowed, also row-level security violations.
fn has_privilege(session: &mut Session, statement: &str) -> bool {
    session.run("BEGIN");
    let result = session.client.batch_execute(statement);
    session.run("ROLLBACK");
    let Err(error) = result else { return true };
    let error = error.as_db_error().unwrap_or_else(|| panic!("{statement}: {error}"));
    let is_refusal = ["permission denied for", "must be owner of"].iter().any(|text| error.message().starts_with(text));
    assert!(!is_refusal || error.code().code() == "42501", "{statement}: {error:?}");
    !is_refusal
}

#[test]
fn each_function_can_be_called_by_the_roles_in_functions_txt_only() {
    let db = Database::new();
    // Calls each existing function with NULL for each argument.
    let calls = "
        SELECT
            proname::text,
            format(
                '%s %s(%s)', CASE prokind WHEN 'p' THEN 'CALL' ELSE 'SELECT' END, oid::regproc, (
                    SELECT string_agg(format('NULL::%s', format_type(type, NULL)), ', ' ORDER BY position)
                    FROM unnest(proargtypes::oid[]) WITH ORDINALITY AS argument (type, position)
                )
            )
        FROM pg_proc
        WHERE pronamespace IN (quote_ident(current_schema())::regnamespace, 'connector_pipeline'::regnamespace)";
    let calls: Vec<(String, String)> =
        db.superuser().query(calls, &[]).iter().map(|row| (row.get(0), row.get(1))).collect();
    let found: BTreeSet<String> = calls.iter().map(|(name, _)| name.clone()).collect();
    assert_eq!(
        found,
        allowed::functions(),
        "functions.txt has a line for each function, and functions have no overloads"
    );
    assert_eq!(calls.len(), found.len());

    for role in ROLES {
        let mut session = session_of(&db, role);
        for (name, call) in &calls {
            assert_eq!(has_privilege(&mut session, call), allowed::may_call(role, name), "{role}: {call}");
        }
    }
    println!("tried {} calls", calls.len() * ROLES.len());
}

#[test]
fn each_table_accepts_the_commands_in_tables_txt_only() {
    let db = Database::new();
    let mut superuser = db.superuser();
    // In this schema every role can create a table with a foreign key to ours.
    superuser.run("CREATE SCHEMA anywhere; GRANT ALL ON SCHEMA anywhere TO PUBLIC");
    let columns: Vec<(String, String)> = superuser
        .query(
            "SELECT relname::text, attname::text FROM pg_class AS class JOIN pg_attribute ON attrelid = class.oid
             WHERE relnamespace = quote_ident(current_schema())::regnamespace AND relkind <> 'i'
                 AND attnum > 0 AND NOT attisdropped",
            &[],
        )
        .iter()
        .map(|row| (row.get(0), row.get(1)))
        .collect();
    let tables: BTreeSet<&str> = columns.iter().map(|(table, _)| table.as_str()).collect();
    assert_eq!(tables.len(), 9, "{tables:?}");

    let mut tried = 0;
    let mut wrong = Vec::new();
    for role in ROLES {
        let mut session = session_of(&db, role);
        let mut check = |statement: String, allowed: bool| {
            tried += 1;
            if has_privilege(&mut session, &statement) != allowed {
                wrong.push(format!("{role} {} {statement}", if allowed { "must be allowed to" } else { "could" }));
            }
        };
        for table in &tables {
            for (command, statement) in [
                ("SELECT", format!("SELECT * FROM {table} LIMIT 0")),
                ("INSERT", format!("INSERT INTO {table} DEFAULT VALUES")),
                ("DELETE", format!("DELETE FROM {table} WHERE false")),
                ("TRUNCATE", format!("TRUNCATE {table}")),
                ("REFERENCES", format!("CREATE TABLE anywhere.referring (id uuid REFERENCES {table})")),
                (
                    "TRIGGER",
                    format!(
                        "CREATE TRIGGER mine BEFORE UPDATE ON {table}
                         FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()"
                    ),
                ),
                ("OWN", format!("ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")),
                ("OWN", format!("CREATE INDEX ON {table} (id)")),
                ("OWN", format!("CREATE POLICY mine ON {table}")),
                ("OWN", format!("CREATE RULE mine AS ON INSERT TO {table} DO NOTHING")),
                ("OWN", format!("COMMENT ON TABLE {table} IS 'mine'")),
                ("OWN", format!("DROP TABLE {table} CASCADE")),
            ] {
                check(statement, allowed::may_use(role, table, command));
            }
        }
        for (table, column) in &columns {
            for (command, statement) in [
                ("SELECT", format!("SELECT {column} FROM {table} LIMIT 0")),
                ("INSERT", format!("INSERT INTO {table} ({column}) VALUES (DEFAULT)")),
                ("UPDATE", format!("UPDATE {table} SET {column} = DEFAULT WHERE false")),
            ] {
                check(statement, allowed::may_use_column(role, table, command, column));
            }
        }
    }
    println!("tried {tried} commands on tables");
    assert!(wrong.is_empty(), "{wrong:#?}");
}
