//! Settings of a session, a role or a database that change how SQL is read, or how a catalog is written out as text.
//!
//! The kind: SQL of ours, and comparisons of deparsed text, that mean something else under a setting than they do by
//! default.

use crate::application::{bootstrap, with_action};
use crate::support::*;
use crate::tour::call_everything;

/// Every one that reading, writing or comparing text goes by, and those of PL/pgSQL.
const SETTINGS: [(&str, &str); 23] = [
    ("standard_conforming_strings", "off"),
    ("quote_all_identifiers", "on"),
    ("backslash_quote", "off"),
    ("escape_string_warning", "off"),
    ("array_nulls", "off"),
    ("transform_null_equals", "on"),
    ("DateStyle", "'SQL, DMY'"),
    ("DateStyle", "'German'"),
    ("IntervalStyle", "sql_standard"),
    ("TimeZone", "'Pacific/Chatham'"),
    ("bytea_output", "escape"),
    ("extra_float_digits", "-15"),
    ("xmlbinary", "hex"),
    ("plan_cache_mode", "force_custom_plan"),
    ("jit_above_cost", "0"),
    ("from_collapse_limit", "1"),
    ("enable_indexscan", "off"),
    ("check_function_bodies", "off"),
    ("row_security", "on"),
    ("plpgsql.variable_conflict", "use_column"),
    ("plpgsql.variable_conflict", "use_variable"),
    ("plpgsql.extra_errors", "'all'"),
    ("plpgsql.extra_warnings", "'all'"),
];

/// A database where every session begins with that setting, from CREATE EXTENSION on.
fn under(setting: &str, value: &str) -> Database {
    let db = Database::empty();
    db.superuser().run(&format!("LOAD 'plpgsql'; ALTER DATABASE {} SET {setting} = {value}", db.name()));
    db.superuser().run("CREATE EXTENSION connector_pipeline; SELECT connector_pipeline.bootstrap_auth()");
    db
}

#[test]
fn everything_works_and_bootstrap_knows_its_own_under_any_setting() {
    for (setting, value) in SETTINGS {
        let db = under(setting, value);
        let mut owner = db.table_owner();
        assert!(with_action(&bootstrap(&mut owner), "created").contains(&"table recordings"), "{setting} = {value}");
        let again = bootstrap(&mut owner);
        assert!(again.iter().all(|(_, action)| action == "exists"), "{setting} = {value}: {again:?}");
        make_users(&mut db.superuser());
        call_everything(&db, "fathom");
    }
}

/// Tables from before the setting, and a session that changes it in between.
#[test]
fn a_session_may_change_settings_between_calls() {
    let db = Database::new();
    let mut owner = db.table_owner();
    let mut alice = db.authenticated(ALICE);
    for round in 0..2 {
        for (setting, value) in SETTINGS {
            if setting == "plpgsql.variable_conflict" {
                continue; // For superusers.
            }
            let id = format!("{round} {setting} {value}");
            for session in [&mut owner, &mut alice] {
                session.run(&format!("SET {setting} = {value}"));
            }
            assert_imported(
                &alice.import_own(&record_with(id.as_str(), json!({"global_tags": ["a\\b", "NULL", "{\"x\"}"]}))),
            );
            let job: Uuid = alice.value("SELECT start_sync_job('S')", &[]);
            alice.query("SELECT finish_sync_job($1)", &[&job]);
            let again = bootstrap(&mut owner);
            assert!(again.iter().all(|(_, action)| action == "exists"), "{id}: {again:?}");
            for session in [&mut owner, &mut alice] {
                session.run(&format!("RESET {setting}"));
            }
        }
    }
    let tags: Vec<Vec<String>> = owner.column("SELECT DISTINCT global_tags FROM recordings", &[]);
    assert_eq!(tags, [["a\\b", "NULL", "{\"x\"}"]]);
}

#[test]
fn a_source_is_blank_by_its_characters_under_any_setting() {
    for standard_strings in ["on", "off"] {
        let db = Database::new();
        let mut alice = db.authenticated(ALICE);
        alice.run(&format!("SET standard_conforming_strings = {standard_strings}"));
        for (blank, source) in
            [(true, ""), (true, " "), (true, "\t\n"), (false, "S"), (false, "s"), (false, "fathom"), (false, "\\")]
        {
            let started = alice.client.query("SELECT start_sync_job($1)", &[&source]);
            let code = started.err().and_then(|error| error.code().map(|code| code.code().to_owned()));
            assert_eq!(code.as_deref(), blank.then_some("22023"), "{source:?}, {standard_strings}");
        }
    }
}

/// What an obstacle is told with is SQL that can be run under the same setting.
#[test]
#[ignore = "not built yet"]
fn a_remedy_can_be_run_under_the_setting_that_it_was_told_under() {
    for (setting, value) in [("quote_all_identifiers", "on"), ("standard_conforming_strings", "off")] {
        let db = Database::new();
        let mut owner = db.table_owner();
        owner.run(&format!(
            "ALTER TABLE sync_jobs ALTER synced_ids DROP DEFAULT, ALTER synced_ids TYPE integer[] USING '{{}}',
                 ALTER synced_ids SET DEFAULT '{{1,2}}';
             ALTER TABLE recordings ALTER summary TYPE json USING NULL, ALTER summary SET DEFAULT '\"a\\\\b\"';
             DROP INDEX recordings_dedup_key;
             SET {setting} = {value}"
        ));
        let error = owner.error("SELECT connector_pipeline.bootstrap()", &[]);
        crate::application::run_each(&mut owner, crate::application::remedy(error.hint().unwrap()));
        owner.run("SELECT connector_pipeline.bootstrap()");
        assert_imported(&db.authenticated(ALICE).import_own(&record("x")));
        let defaults: Vec<String> = owner.column("SELECT summary FROM recordings", &[]);
        assert_eq!(defaults, [r#""a\\b""#], "{setting}");
    }
}
