//! Tests CREATE EXTENSION, bootstrap_auth() and bootstrap().

use crate::support::*;

fn report(session: &mut Session) -> Vec<(String, String)> {
    let rows = session.query("SELECT object, action FROM connector_pipeline.bootstrap()", &[]);
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

#[test]
fn a_second_bootstrap_changes_nothing_and_reports_exists() {
    let db = Database::new();
    let mut owner = db.table_owner();
    let catalog = "SELECT md5(string_agg(c::text || xmin::text, ' ' ORDER BY oid)) FROM pg_class AS c";
    let before: String = owner.value(catalog, &[]);
    let report = report(&mut owner);
    assert!(report.len() > 10 && report.iter().all(|(_, action)| action == "exists"), "{report:?}");
    assert_eq!(owner.value::<String>(catalog, &[]), before);
}

#[test]
fn the_first_bootstrap_reports_the_objects_as_created() {
    let db = Database::empty();
    let mut superuser = db.superuser();
    superuser.run("CREATE EXTENSION connector_pipeline; SELECT connector_pipeline.bootstrap_auth()");
    let report = report(&mut superuser);
    assert!(report.contains(&("table recordings".to_owned(), "created".to_owned())), "{report:?}");
    assert!(report.iter().all(|(_, action)| action == "created" || action == "exists"), "{report:?}");
}

#[test]
fn bootstrap_without_schema_auth_hints_at_bootstrap_auth_and_changes_nothing() {
    let db = Database::empty();
    let mut superuser = db.superuser();
    superuser.run("CREATE EXTENSION connector_pipeline");
    let error = superuser.error("SELECT connector_pipeline.bootstrap()", &[]);
    assert_eq!(error.code().code(), "55000");
    assert!(error.message().contains("auth.uid()"), "{error}");
    assert!(error.hint().unwrap_or_default().contains("bootstrap_auth()"), "{error:?}");
    assert!(superuser.value::<bool>("SELECT to_regclass('banks') IS NULL", &[]));
}

#[test]
fn bootstrap_auth_refuses_an_existing_schema_auth() {
    let db = Database::new();
    assert_eq!(db.superuser().sqlstate("SELECT connector_pipeline.bootstrap_auth()", &[]), "42P06");
}

#[test]
fn calls_without_tables_fail_and_name_bootstrap() {
    let db = Database::empty();
    let mut superuser = db.superuser();
    superuser.run("CREATE EXTENSION connector_pipeline");
    assert_failed(&superuser.import(&record("x"), ALICE), "42P01", "connector_pipeline.bootstrap()");
    let raised = superuser.error("SELECT insert_recording($1, $2)", &[&record("x"), &ALICE]);
    assert!(raised.hint().unwrap_or_default().contains("bootstrap()"), "{raised:?}");
    for call in ["ensure_personal_bank($1)", "get_import_counts($1)"] {
        let raised = superuser.error(&format!("SELECT {call}"), &[&ALICE]);
        assert!(raised.hint().unwrap_or_default().contains("bootstrap()"), "{call}: {raised:?}");
    }
    let checked: serde_json::Value = superuser.value("SELECT check_duplicate($1, 'a', 'b')", &[&ALICE]);
    assert_eq!(checked, json!({"isDuplicate": false}));
}

#[test]
fn a_call_in_a_database_of_another_encoding_is_refused_and_names_utf8() {
    let db = Database::empty();
    let name = format!("{}_latin", db.name());
    let mut superuser = db.superuser();
    superuser.run(&format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'"));
    let mut latin = db.superuser_of(&name);
    latin.run("CREATE EXTENSION connector_pipeline");
    let error = latin.error("SELECT run_pipeline('{}')", &[]);
    assert_eq!(error.code().code(), "0A000");
    assert!(error.message().contains("UTF8"), "{error}");
    drop(latin);
    superuser.run(&format!("DROP DATABASE {name}"));
}

#[test]
fn functions_have_the_names_arguments_and_attributes_of_the_contract() {
    let db = Database::new();
    let signatures = "
        SELECT proname || '(' || pg_get_function_arguments(oid) || ') ' || pg_get_function_result(oid)
            || CASE provolatile WHEN 's' THEN ' STABLE' ELSE '' END
            || CASE WHEN prosecdef THEN ' SECURITY DEFINER' ELSE '' END
            || CASE WHEN proisstrict AND pronargs > 0 THEN ' STRICT' ELSE '' END
        FROM pg_proc WHERE pronamespace = quote_ident(current_schema())::regnamespace ORDER BY proname";
    let found: Vec<String> = db.table_owner().column(signatures, &[]);
    for expected in [
        "check_duplicate(p_user_id uuid, p_source_app text, p_external_id text) jsonb STABLE",
        "check_duplicates(p_user_id uuid, p_source_app text, p_external_ids text[]) TABLE(external_id text, is_duplicate boolean, existing_recording_id uuid) STABLE",
        "ensure_personal_bank(p_user_id uuid DEFAULT NULL::uuid) uuid SECURITY DEFINER",
        "get_import_counts(p_user_id uuid DEFAULT NULL::uuid) TABLE(source_app text, call_count bigint) STABLE SECURITY DEFINER",
        "insert_recording(p_record jsonb, p_user_id uuid DEFAULT NULL::uuid) jsonb",
        "run_pipeline(p_record jsonb, p_user_id uuid DEFAULT NULL::uuid) jsonb",
        "source_metadata_ordered(recordings) json STABLE",
    ] {
        assert!(found.iter().any(|signature| signature == expected), "{expected} is not in {found:#?}");
    }
}

#[test]
fn every_function_and_table_has_a_comment() {
    let db = Database::new();
    let bare = "
        SELECT oid::regprocedure::text FROM pg_proc
        WHERE pronamespace IN (quote_ident(current_schema())::regnamespace, 'connector_pipeline'::regnamespace)
            AND obj_description(oid, 'pg_proc') IS NULL
        UNION ALL
        SELECT oid::regclass::text FROM pg_class
        WHERE relnamespace = quote_ident(current_schema())::regnamespace AND relkind = 'r' AND obj_description(oid, 'pg_class') IS NULL";
    assert_eq!(db.superuser().column::<String>(bare, &[]), Vec::<String>::new());
}

/// psql shows the first line only, and a client with another encoding can't read every character.
#[test]
fn every_comment_has_a_short_first_line_and_ascii_characters_only() {
    let db = Database::new();
    let too_long = "
        SELECT description FROM pg_description
        WHERE (
                classoid = 'pg_proc'::regclass AND objoid IN (
                    SELECT oid FROM pg_proc
                    WHERE pronamespace IN (quote_ident(current_schema())::regnamespace, 'connector_pipeline'::regnamespace)
                )
                OR classoid = 'pg_class'::regclass AND objoid IN (
                    SELECT oid FROM pg_class WHERE relnamespace = quote_ident(current_schema())::regnamespace
                )
            )
            AND (length(split_part(description, E'\n', 1)) > 70 OR description ~ '[^\x01-\x7f]')";
    assert_eq!(db.superuser().column::<String>(too_long, &[]), Vec::<String>::new());
}

#[test]
fn bootstrap_auth_by_the_database_owner_grants_functions_that_a_superuser_owns() {
    let db = Database::empty();
    let mut superuser = db.superuser();
    superuser.run(
        "CREATE EXTENSION connector_pipeline;
         REVOKE ALL ON FUNCTION run_pipeline FROM authenticated, service_role",
    );
    db.table_owner().query("SELECT connector_pipeline.bootstrap_auth()", &[]);
    let granted = "SELECT has_function_privilege('authenticated', 'run_pipeline(jsonb, uuid)', 'EXECUTE')";
    assert!(superuser.value::<bool>(granted, &[]));
}

#[test]
fn bootstrap_uses_no_function_of_the_callers_search_path() {
    let db = Database::empty();
    let mut superuser = db.superuser();
    superuser.run(
        "CREATE FUNCTION to_json(text) RETURNS json LANGUAGE sql AS $$ SELECT '\"hijacked\"'::json $$;
         CREATE EXTENSION connector_pipeline;
         SELECT connector_pipeline.bootstrap_auth();
         SELECT connector_pipeline.bootstrap()",
    );
    superuser.query("INSERT INTO auth.users (id) VALUES ($1)", &[&ALICE]);
    superuser.import(&record("x"), ALICE);
    let ordered: String = superuser.value("SELECT source_metadata_ordered(r)::text FROM recordings AS r", &[]);
    assert_eq!(ordered, r#"{"external_id": "x"}"#);
}

#[test]
fn a_cursor_still_open_after_drop_extension_raises_42883() {
    let db = Database::new();
    let mut superuser = db.superuser();
    let calls = [
        "SELECT run_pipeline(jsonb_build_object('external_id', n), $1) FROM generate_series(1, 3) AS n",
        "SELECT check_duplicate($1, 'zoom', n::text) FROM generate_series(1, 3) AS n",
    ];
    for call in calls {
        superuser.run("BEGIN");
        superuser.run(&format!("DECLARE c CURSOR FOR {}", call.replace("$1", &format!("'{ALICE}'"))));
        superuser.run("FETCH 1 FROM c; DROP EXTENSION connector_pipeline");
        let error = superuser.error("FETCH 2 FROM c", &[]);
        assert_eq!(error.code().code(), "42883", "{call}: {error:?}");
        superuser.run("ROLLBACK");
    }
}
