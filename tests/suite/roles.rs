//! Tests the rights of each role and user, over real connections.

use crate::support::*;

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

#[test]
fn authenticated_imports_as_itself_only() {
    let db = Database::new();
    let mut alice = db.authenticated(ALICE);
    assert_imported(&alice.import_own(&record("a")));
    assert_imported(&alice.import(&record("b"), ALICE));
    assert_imported(&alice.import_own(&record_with("c", json!({"owner_user_id": ALICE}))));
    assert_failed(&alice.import(&record("d"), BOB), "42501", "own user only");
    assert_failed(&alice.import_own(&record_with("d", json!({"owner_user_id": BOB}))), "42501", "own user only");
    assert_eq!(alice.sqlstate("SELECT insert_recording($1, $2)", &[&record("d"), &BOB]), "42501");
    assert_eq!(db.table_owner().count("recordings"), 3);
}

#[test]
fn the_error_of_an_import_for_another_user_does_not_show_whether_the_key_exists() {
    let db = Database::new();
    assert_imported(&db.authenticated(ALICE).import_own(&record("there")));
    let mut bob = db.authenticated(BOB);
    let mut answer = |id: &str| bob.import(&record(id), ALICE);
    assert_eq!(answer("there"), answer("not there"));
    let mut raised = |id: &str| format!("{:?}", bob.error("SELECT insert_recording($1, $2)", &[&record(id), &ALICE]));
    assert_eq!(raised("there"), raised("not there"));
}

#[test]
fn service_role_table_owner_and_superuser_import_for_anyone() {
    let db = Database::new();
    let sessions = [db.service_role(), db.table_owner(), db.superuser()];
    for (number, mut session) in sessions.into_iter().enumerate() {
        assert_imported(&session.import(&record(number), ALICE));
        assert_imported(&session.import(&record(number), BOB));
    }
    assert_eq!(db.table_owner().count("vault_entries"), 6);
}

#[test]
fn anon_and_roles_without_grants_may_call_no_function_and_read_no_table() {
    let db = Database::new();
    for mut session in [db.anon(), db.login("stranger")] {
        for call in [
            "run_pipeline('{}')",
            "insert_recording('{}')",
            "check_duplicate(NULL, 'a', 'b')",
            "check_duplicates(NULL, 'a', '{b}')",
            "get_import_counts()",
            "ensure_personal_bank()",
            "source_metadata_ordered(NULL)",
            "connector_pipeline.bootstrap()",
            "connector_pipeline.bootstrap_auth()",
        ] {
            assert_eq!(session.sqlstate(&format!("SELECT {call}"), &[]), "42501", "{call}");
        }
        for table in TABLES {
            assert_eq!(session.sqlstate(&format!("SELECT FROM {table}"), &[]), "42501", "{table}");
            assert_eq!(session.sqlstate(&format!("DELETE FROM {table}"), &[]), "42501", "{table}");
        }
    }
}

#[test]
fn bootstrap_may_be_called_by_the_owner_of_the_database_only() {
    let db = Database::new();
    for mut session in [db.authenticated(ALICE), db.service_role()] {
        assert_eq!(session.sqlstate("SELECT connector_pipeline.bootstrap()", &[]), "42501");
    }
    db.table_owner().query("SELECT connector_pipeline.bootstrap()", &[]);
}

#[test]
fn nothing_is_granted_to_public_or_anon() {
    let db = Database::new();
    let granted = "
        SELECT object::text || ' to ' || CASE grantee WHEN 0 THEN 'PUBLIC' ELSE 'anon' END
        FROM (
            SELECT oid::regprocedure::text AS object, (aclexplode(coalesce(proacl, acldefault('f', proowner)))).grantee
            FROM pg_proc WHERE pronamespace IN (quote_ident(current_schema())::regnamespace, 'connector_pipeline'::regnamespace)
            UNION ALL
            SELECT oid::regclass::text, (aclexplode(coalesce(relacl, acldefault('r', relowner)))).grantee
            FROM pg_class WHERE relnamespace = quote_ident(current_schema())::regnamespace AND relkind = 'r'
        ) AS objects
        WHERE grantee = 0 OR grantee = 'anon'::regrole";
    assert_eq!(db.superuser().column::<String>(granted, &[]), Vec::<String>::new());
}

#[test]
fn supabases_default_privileges_give_anon_and_authenticated_no_further_rights() {
    let db = Database::empty();
    let mut superuser = db.superuser();
    let schema = superuser.schema();
    superuser.run(&format!(
        "ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT ALL ON FUNCTIONS TO anon, authenticated, service_role;
         ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT ALL ON TABLES TO anon, authenticated, service_role;
         CREATE EXTENSION connector_pipeline;
         SELECT connector_pipeline.bootstrap_auth();
         SELECT connector_pipeline.bootstrap();"
    ));
    assert_eq!(db.anon().sqlstate("SELECT run_pipeline('{}')", &[]), "42501");
    assert_eq!(db.anon().sqlstate("SELECT FROM recordings", &[]), "42501");
    let mut alice = db.authenticated(ALICE);
    assert_eq!(alice.sqlstate("INSERT INTO banks (name) VALUES ('x')", &[]), "42501");
    assert_eq!(alice.sqlstate("TRUNCATE recordings", &[]), "42501");
}

#[test]
fn every_table_has_row_level_security_and_policies_for_authenticated_only() {
    let db = Database::new();
    let mut owner = db.table_owner();
    let without = "SELECT relname::text FROM pg_class
        WHERE relnamespace = quote_ident(current_schema())::regnamespace AND relkind = 'r' AND NOT relrowsecurity";
    assert_eq!(owner.column::<String>(without, &[]), Vec::<String>::new());
    let mut tables: Vec<String> = owner.column(
        "SELECT relname::text FROM pg_class WHERE relnamespace = quote_ident(current_schema())::regnamespace AND relkind = 'r'",
        &[],
    );
    let mut expected = TABLES.map(str::to_owned).to_vec();
    tables.sort();
    expected.sort();
    assert_eq!(tables, expected);
    let others = "SELECT tablename || '.' || policyname FROM pg_policies
        WHERE schemaname = current_schema() AND roles <> '{authenticated}'";
    assert_eq!(owner.column::<String>(others, &[]), Vec::<String>::new());
    let uncovered = "SELECT tablename::text FROM unnest($1::text[]) AS t (tablename)
        WHERE NOT EXISTS (SELECT FROM pg_policies p WHERE p.tablename = t.tablename)";
    let names: Vec<&str> = TABLES.to_vec();
    assert_eq!(owner.column::<String>(uncovered, &[&names]), Vec::<String>::new());
}

#[test]
fn every_foreign_key_has_an_index() {
    let db = Database::new();
    let unindexed = "
        SELECT conrelid::regclass || '.' || conname
        FROM pg_constraint
        WHERE contype = 'f' AND connamespace = quote_ident(current_schema())::regnamespace
            AND NOT EXISTS (SELECT FROM pg_index WHERE indrelid = conrelid AND indkey[0] = conkey[1])";
    assert_eq!(db.table_owner().column::<String>(unindexed, &[]), Vec::<String>::new());
}

#[test]
fn import_sources_has_four_policies_that_limit_a_user_to_its_own_rows() {
    let db = Database::new();
    let mut owner = db.table_owner();
    let policies: Vec<String> =
        owner.column("SELECT cmd FROM pg_policies WHERE tablename = 'import_sources' ORDER BY cmd", &[]);
    assert_eq!(policies, ["DELETE", "INSERT", "SELECT", "UPDATE"]);

    let insert = "INSERT INTO import_sources (user_id, source_app) VALUES ($1, 'zoom')";
    let mut alice = db.authenticated(ALICE);
    let mut bob = db.authenticated(BOB);
    alice.query(insert, &[&ALICE]);
    assert_eq!(bob.sqlstate(insert, &[&ALICE]), "42501");
    assert_eq!(bob.count("import_sources"), 0);
    assert_eq!(bob.client.execute("UPDATE import_sources SET is_active = false", &[]).unwrap(), 0);
    assert_eq!(bob.client.execute("DELETE FROM import_sources", &[]).unwrap(), 0);
    assert_eq!(alice.sqlstate("UPDATE import_sources SET user_id = $1", &[&BOB]), "42501");
    assert_eq!(alice.client.execute("UPDATE import_sources SET account_email = 'a@b.c'", &[]).unwrap(), 1);
    assert_eq!(alice.client.execute("DELETE FROM import_sources", &[]).unwrap(), 1);
}

#[test]
fn a_user_sees_no_row_of_another_tenant_in_any_table() {
    let db = Database::new();
    db.authenticated(ALICE).import_own(&record("x"));
    let mut owner = db.table_owner();
    owner.query("INSERT INTO sync_jobs (user_id) VALUES ($1)", &[&ALICE]);
    owner
        .query("INSERT INTO import_failures (user_id, record, error, code) VALUES ($1, '{}', 'e', '22023')", &[&ALICE]);
    let mut bob = db.authenticated(BOB);
    for table in TABLES {
        assert_eq!(bob.count(table), 0, "{table}");
    }
    let mut alice = db.authenticated(ALICE);
    for table in TABLES.iter().filter(|table| **table != "import_sources") {
        assert_eq!(alice.count(table), 1, "{table}");
    }
}

#[test]
fn a_vault_entry_in_ones_own_vault_shows_no_recording_of_another_bank() {
    let db = Database::new();
    let stolen = recording_id(&db.authenticated(ALICE).import_own(&record("x")));
    let mut bob = db.authenticated(BOB);
    bob.value::<Uuid>("SELECT ensure_personal_bank()", &[]);
    bob.query("INSERT INTO vault_entries (vault_id, recording_id) SELECT id, $1 FROM vaults", &[&stolen]);
    assert_eq!(bob.count("recordings"), 0);
}

#[test]
fn a_recording_in_a_shared_vault_can_be_read_but_not_changed_by_a_viewer() {
    let db = Database::new();
    let mut owner = db.table_owner();
    let (bank, vault) = business_bank(&mut owner, ALICE);
    let shared = record_with("x", json!({"bank_id": bank, "vault_id": vault}));
    assert_imported(&db.authenticated(ALICE).import_own(&shared));
    let mut bob = db.authenticated(BOB);
    assert_eq!(bob.count("recordings"), 0);
    owner.query("INSERT INTO bank_memberships (bank_id, user_id) VALUES ($1, $2)", &[&bank, &BOB]);
    owner.query("INSERT INTO vault_memberships (vault_id, user_id, role) VALUES ($1, $2, 'viewer')", &[&vault, &BOB]);
    assert_eq!(bob.count("recordings"), 1);
    assert_eq!(bob.client.execute("UPDATE recordings SET title = 'mine'", &[]).unwrap(), 0);
    assert_eq!(bob.client.execute("DELETE FROM recordings", &[]).unwrap(), 0);
    assert_eq!(bob.client.execute("UPDATE vault_entries SET notes = 'x'", &[]).unwrap(), 0);
}

#[test]
fn ensure_personal_bank_for_another_user_is_refused_to_a_user() {
    let db = Database::new();
    let call = "SELECT ensure_personal_bank($1)";
    let own: Uuid = db.authenticated(ALICE).value("SELECT ensure_personal_bank()", &[]);
    for mut session in [db.authenticated(ALICE), db.service_role(), db.table_owner(), db.superuser()] {
        assert_eq!(session.value::<Uuid>(call, &[&ALICE]), own);
    }
    assert_eq!(db.authenticated(BOB).sqlstate(call, &[&ALICE]), "42501");
    assert_eq!(db.service_role().sqlstate(call, &[&Uuid::from_u128(5)]), "23503");
    assert_eq!(db.service_role().sqlstate("SELECT ensure_personal_bank()", &[]), "22023");
    assert_eq!(db.table_owner().count("banks"), 1);
}

#[test]
fn definer_functions_run_triggers_as_the_table_owner_and_refuse_a_view() {
    let db = Database::new();
    let mut owner = db.table_owner();
    let schema = owner.schema();
    owner.run(&format!(
        "CREATE TABLE ran_as (who text);
         CREATE FUNCTION spy() RETURNS trigger LANGUAGE plpgsql AS $$
             BEGIN INSERT INTO {schema}.ran_as VALUES (current_user); RETURN NEW; END $$;
         CREATE TRIGGER spy BEFORE INSERT ON banks FOR EACH ROW EXECUTE FUNCTION spy();
         GRANT INSERT ON ran_as TO PUBLIC"
    ));
    db.superuser().value::<Uuid>("SELECT ensure_personal_bank($1)", &[&ALICE]);
    db.authenticated(BOB).value::<Uuid>("SELECT ensure_personal_bank()", &[]);
    assert_eq!(owner.column::<String>("SELECT DISTINCT who FROM ran_as", &[]), ["app_owner"]);
    owner.run(
        "ALTER TABLE recordings RENAME TO hidden;
         CREATE VIEW recordings AS SELECT * FROM hidden",
    );
    let call = format!("SELECT * FROM get_import_counts('{ALICE}')");
    assert_eq!(db.superuser().sqlstate(&call, &[]), "42809");
}

#[test]
fn definer_functions_refuse_tables_of_several_owners() {
    let db = Database::new();
    let mut superuser = db.superuser();
    // Else triggers of one table's owner would run with the rights of another table's owner.
    superuser.run("ALTER TABLE vaults OWNER TO stranger");
    let error = db.authenticated(ALICE).error("SELECT ensure_personal_bank()", &[]);
    assert_eq!((error.code().code(), error.message()), ("42501", "tables banks and vaults have different owners"));
}

#[test]
fn get_import_counts_raises_an_error_if_row_level_security_is_forced() {
    let db = Database::new();
    db.authenticated(ALICE).import_own(&record("x"));
    db.table_owner().run("ALTER TABLE recordings FORCE ROW LEVEL SECURITY");
    let error = db.authenticated(ALICE).error("SELECT * FROM get_import_counts()", &[]);
    assert!(error.message().contains("FORCE ROW LEVEL SECURITY"), "{error}");
}

#[test]
fn a_users_index_function_in_a_superusers_reindex_gets_no_counts_of_another_user() {
    let db = Database::new();
    db.authenticated(ALICE).import_own(&record("x"));
    let mut superuser = db.superuser();
    superuser.run("CREATE SCHEMA m AUTHORIZATION authenticated");
    let mut bob = db.authenticated(BOB);
    let schema = superuser.schema();
    bob.run(&format!(
        "CREATE TABLE m.t (i int);
         CREATE TABLE m.loot (found text);
         INSERT INTO m.t VALUES (1);
         CREATE FUNCTION m.steal(i int) RETURNS int LANGUAGE plpgsql AS $$
         BEGIN
             INSERT INTO m.loot SELECT c::text FROM {schema}.get_import_counts('{ALICE}') AS c;
             RETURN i;
         EXCEPTION WHEN OTHERS THEN
             INSERT INTO m.loot VALUES (sqlstate);
             RETURN i;
         END $$;
         CREATE FUNCTION m.f(i int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN m.steal(i); END';
         CREATE INDEX ON m.t (m.f(i))"
    ));
    superuser.run("REINDEX TABLE m.t");
    assert_eq!(bob.column::<String>("SELECT DISTINCT found FROM m.loot", &[]), ["42501"]);
}
