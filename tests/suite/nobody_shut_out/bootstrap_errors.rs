//! What bootstrap() finds and can't build on: told as one clear error with the way out, or worked around; never raw.
//!
//! The kind: a statement of bootstrap.sql that PostgreSQL refuses for what the application has: keys that foreign keys need,
//! names that are taken, auth as somebody else has made it, privileges that are missing.

use serde_json::Value;

use crate::application::*;
use crate::comparison::objects;
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

/// The situation is told, in one line for each of `expected`, nothing is changed, and the remedy is one.
fn assert_told_with_a_remedy(db: &Database, situation: &str, expected: &[&str]) {
    let mut owner = db.table_owner();
    let before = objects(&mut owner);
    let error = owner.error("SELECT connector_pipeline.bootstrap()", &[]);
    assert_eq!(error.code().code(), "55000", "{situation}: {error:?}");
    assert!(error.message().contains("nothing has been changed"), "{situation}: {error:?}");
    let detail: Vec<&str> = error.detail().unwrap_or_default().lines().collect();
    assert_eq!(detail.len(), expected.len(), "{situation}: {error:?}");
    for (line, beginning) in detail.iter().zip(expected) {
        assert!(line.starts_with(beginning), "{situation}: {error:?}");
    }
    assert_eq!(objects(&mut owner), before, "{situation}");
    // What is in auth belongs to somebody else.
    let is_of_auth = expected.iter().any(|line| line.contains("auth"));
    let mut session = if is_of_auth { db.superuser() } else { owner };
    run_each(&mut session, remedy(error.hint().unwrap()));
    bootstrap(&mut db.table_owner());
}

/// Database with our own tables, without the ones named, whose remains are what the application has.
fn without(tables: &str, change: &str) -> Database {
    let db = Database::new();
    db.table_owner().run(&format!(
        "{}{change}",
        if tables.is_empty() { String::new() } else { format!("DROP TABLE {tables} CASCADE; ") }
    ));
    db
}

#[test]
fn a_table_that_new_ones_refer_to_has_to_have_a_key_to_refer_to() {
    let cases = [
        ("vault_entries", "ALTER TABLE recordings DROP CONSTRAINT recordings_pkey", "table recordings"),
        ("bank_memberships, vaults, recordings", "ALTER TABLE banks DROP CONSTRAINT banks_pkey", "table banks"),
        ("bank_memberships", "ALTER TABLE banks DROP CONSTRAINT banks_pkey CASCADE", "table banks"),
        ("vault_memberships", "ALTER TABLE vaults DROP CONSTRAINT vaults_pkey CASCADE", "table vaults"),
        // None of these is a key that a foreign key may refer to.
        (
            "vault_entries",
            "ALTER TABLE recordings DROP CONSTRAINT recordings_pkey, ADD UNIQUE (id) DEFERRABLE",
            "table recordings",
        ),
        (
            "vault_entries",
            "ALTER TABLE recordings DROP CONSTRAINT recordings_pkey; CREATE UNIQUE INDEX ON recordings (id) WHERE title <> ''",
            "table recordings",
        ),
        (
            "vault_entries",
            "ALTER TABLE recordings DROP CONSTRAINT recordings_pkey, ADD PRIMARY KEY (id, owner_user_id)",
            "table recordings",
        ),
    ];
    for (dropped, change, expected) in cases {
        let db = without(dropped, change);
        assert_told_with_a_remedy(&db, change, &[expected]);
        let imported = db.service_role().import(&record("x"), ALICE);
        assert_imported(&imported);
        assert_eq!(imported["warning"], Value::Null, "{change}: {imported}");
    }
}

#[test]
fn any_key_that_a_foreign_key_takes_will_do() {
    for change in [
        "ALTER TABLE recordings DROP CONSTRAINT recordings_pkey, ADD UNIQUE (id)",
        "ALTER TABLE recordings DROP CONSTRAINT recordings_pkey; CREATE UNIQUE INDEX ON recordings (id)",
        "ALTER TABLE recordings DROP CONSTRAINT recordings_pkey; CREATE UNIQUE INDEX ON recordings (id) INCLUDE (title)",
        "ALTER TABLE recordings DROP CONSTRAINT recordings_pkey, ADD UNIQUE (id) DEFERRABLE, ADD UNIQUE (id)",
    ] {
        let db = without("vault_entries", change);
        bootstrap(&mut db.table_owner());
        assert_imported(&db.service_role().import(&record("x"), ALICE));
        assert_eq!(db.table_owner().count("vault_entries"), 1, "{change}");
    }
}

/// Where nothing is to be made that refers to it, nothing is asked for.
#[test]
fn a_key_that_nothing_new_refers_to_is_not_asked_for() {
    let db = without(
        "",
        "ALTER TABLE recordings DROP CONSTRAINT recordings_pkey CASCADE; ALTER TABLE banks DROP CONSTRAINT banks_pkey CASCADE",
    );
    bootstrap(&mut db.table_owner());
    assert_imported(&db.service_role().import(&record("x"), ALICE));
}

/// Partitioned by owner, its primary key has the owner in it: no unique index on the id alone can be made.
#[test]
fn recordings_partitioned_by_owner_are_adopted_with_or_without_entries() {
    for keeps_entries in [false, true] {
        let db = Database::new();
        let mut owner = db.table_owner();
        owner.run(
            "ALTER TABLE recordings RENAME TO flat;
             ALTER INDEX recordings_dedup_key RENAME TO flat_dedup_key;
             CREATE TABLE recordings (LIKE flat INCLUDING DEFAULTS INCLUDING CONSTRAINTS, PRIMARY KEY (id, owner_user_id))
                 PARTITION BY HASH (owner_user_id);
             CREATE TABLE part_0 PARTITION OF recordings FOR VALUES WITH (MODULUS 2, REMAINDER 0);
             CREATE TABLE part_1 PARTITION OF recordings FOR VALUES WITH (MODULUS 2, REMAINDER 1);
             ALTER TABLE recordings ENABLE ROW LEVEL SECURITY;
             CREATE POLICY own ON recordings TO authenticated USING (owner_user_id = auth.uid());
             GRANT SELECT, INSERT, UPDATE, DELETE ON recordings TO authenticated, service_role;
             DROP FUNCTION source_metadata_ordered(flat);
             ALTER TABLE vault_entries DROP CONSTRAINT vault_entries_recording_id_fkey;
             DROP TABLE flat CASCADE",
        );
        if !keeps_entries {
            owner.run("DROP TABLE vault_entries CASCADE");
        }
        let report = bootstrap(&mut owner);
        assert!(with_action(&report, "created").contains(&"index recordings_dedup_key ON recordings"), "{report:?}");
        assert_eq!(with_action(&bootstrap(&mut owner), "created"), Vec::<&str>::new());
        import_of_every_kind(&db);
        let mut alice = db.authenticated(ALICE);
        assert!(alice.count("recordings") >= 3);
    }
}

/// Its look-ups read by the index, whatever there is in it.
#[test]
fn imports_into_recordings_partitioned_by_owner_stay_fast() {
    let db = Database::new();
    let mut owner = db.table_owner();
    owner.run(
        "DROP TABLE vault_entries, recordings CASCADE;
         CREATE TABLE recordings (
             id uuid NOT NULL DEFAULT gen_random_uuid(), bank_id uuid, owner_user_id uuid NOT NULL, title text,
             source_app text, source_metadata jsonb, created_at timestamptz DEFAULT now(), PRIMARY KEY (id, owner_user_id)
         ) PARTITION BY HASH (owner_user_id);
         CREATE TABLE part_0 PARTITION OF recordings FOR VALUES WITH (MODULUS 2, REMAINDER 0);
         CREATE TABLE part_1 PARTITION OF recordings FOR VALUES WITH (MODULUS 2, REMAINDER 1);
         GRANT SELECT, INSERT ON recordings TO authenticated, service_role",
    );
    bootstrap(&mut owner);
    let mut service = db.service_role();
    for round in 0..4 {
        let records: Vec<Value> = (0..2000).map(|n| record(format!("{round} {n}"))).collect();
        let said: Value = service.value("SELECT run_pipeline_batch($1, $2)", &[&Value::from(records), &ALICE]);
        assert_eq!(said["imported"], 2000);
    }
    let read = "SELECT sum(seq_tup_read)::bigint FROM pg_stat_xact_user_tables WHERE relname ~ '^(part_|recordings)'";
    owner.run("BEGIN");
    assert_imported(&owner.import(&record("one more"), ALICE));
    assert_eq!(owner.import(&record("one more"), ALICE)["skipped"], true);
    let read: i64 = owner.value(read, &[]);
    owner.run("ROLLBACK");
    assert!(read < 100, "{read} rows were read in sequence");
}

#[test]
fn the_name_of_an_index_may_be_taken() {
    let db = Database::new();
    let mut owner = db.table_owner();
    let names: Vec<String> = owner.column(
        "SELECT c.relname::text FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid
         WHERE c.relnamespace = quote_ident(current_schema())::regnamespace AND i.indrelid::regclass::text !~ 'pg_toast'
         ORDER BY 1",
        &[],
    );
    assert!(names.len() > 15, "{names:?}");
    // All of them, by an index or a view of the application's.
    for taken in ["CREATE INDEX @ ON own (n)", "CREATE VIEW @ AS SELECT 1"] {
        let db = without_tables();
        let mut owner = db.table_owner();
        owner.run("CREATE TABLE own (n integer)");
        names.iter().for_each(|name| owner.run(&taken.replace('@', name)));
        if let Err(error) = owner.client.query("SELECT connector_pipeline.bootstrap()", &[]) {
            let error = error.as_db_error().unwrap();
            // That one has a name that is told of, and asked for.
            assert_eq!(error.code().code(), "55000", "{error:?}");
            assert!(error.detail().unwrap().lines().all(|line| line.starts_with("relation ")), "{error:?}");
            run_each(&mut owner, remedy(error.hint().unwrap()));
            bootstrap(&mut owner);
        }
        add_users(&db);
        import_of_every_kind(&db);
        assert_eq!(with_action(&bootstrap(&mut owner), "created"), Vec::<&str>::new());
    }
}

#[test]
fn a_type_with_the_name_of_a_table_is_told() {
    for (type_sql, remedy_begins) in [
        ("CREATE TYPE @ AS ENUM ('a')", "ALTER TYPE"),
        ("CREATE DOMAIN @ AS text", "ALTER DOMAIN"),
        ("CREATE TYPE @ AS (n integer)", "ALTER TYPE"),
        ("CREATE TYPE @ AS RANGE (subtype = integer)", "ALTER TYPE"),
    ] {
        for table in TABLES {
            let db = without(table, &type_sql.replace('@', table));
            let error = db.table_owner().client.query("SELECT connector_pipeline.bootstrap()", &[]);
            let Err(error) = error else { panic!("{table} {type_sql}: bootstrap() has made it") };
            let error = error.as_db_error().unwrap();
            assert_eq!(error.code().code(), "55000", "{table} {type_sql}: {error:?}");
            assert!(remedy(error.hint().unwrap()).starts_with(remedy_begins), "{error:?}");
            run_each(&mut db.table_owner(), remedy(error.hint().unwrap()));
            bootstrap(&mut db.table_owner());
        }
    }
}

#[test]
#[ignore = "not built yet"]
fn auth_as_somebody_else_has_made_it_is_told() {
    let cases: [(&str, &[&str]); 11] = [
        ("ALTER TABLE auth.users ALTER id DROP DEFAULT, ALTER id TYPE text", &["column auth.users.id is of type text"]),
        (
            "ALTER TABLE auth.users DROP id; ALTER TABLE auth.users ADD id bigserial PRIMARY KEY",
            &["column auth.users.id is of type bigint"],
        ),
        ("ALTER TABLE auth.users DROP CONSTRAINT users_pkey", &["table auth.users has no unique key"]),
        (
            "ALTER TABLE auth.users DROP CONSTRAINT users_pkey, ADD UNIQUE (id) DEFERRABLE",
            &["table auth.users has no unique key"],
        ),
        ("ALTER TABLE auth.users RENAME id TO user_id", &["column auth.users.id is missing"]),
        (
            "ALTER TABLE auth.users RENAME TO people; CREATE VIEW auth.users AS SELECT id FROM auth.people",
            &["relation auth.users is a view"],
        ),
        (
            "DROP FUNCTION auth.uid(); CREATE FUNCTION auth.uid() RETURNS text LANGUAGE sql AS 'SELECT NULL::text'",
            &["function auth.uid() gives text"],
        ),
        (
            "DROP FUNCTION auth.uid(); CREATE FUNCTION auth.uid() RETURNS SETOF uuid LANGUAGE sql AS 'SELECT NULL::uuid'",
            &["function auth.uid() gives a set"],
        ),
        ("REVOKE ALL ON auth.users FROM pg_database_owner", &["table auth.users can't be referred to"]),
        ("REVOKE ALL ON FUNCTION auth.uid() FROM pg_database_owner, PUBLIC", &["function auth.uid() can't be called"]),
        ("REVOKE ALL ON SCHEMA auth FROM pg_database_owner", &["schema auth can't be used"]),
    ];
    for (change, expected) in cases {
        let db = without_tables();
        db.superuser().run(change);
        let mut owner = db.table_owner();
        let before = objects(&mut db.superuser());
        let error = owner.error("SELECT connector_pipeline.bootstrap()", &[]);
        assert_eq!(error.code().code(), "55000", "{change}: {error:?}");
        let detail: Vec<&str> = error.detail().unwrap_or_default().lines().collect();
        assert_eq!(detail.len(), expected.len(), "{change}: {error:?}");
        assert!(detail.iter().zip(expected).all(|(line, begins)| line.starts_with(begins)), "{change}: {error:?}");
        assert_eq!(objects(&mut db.superuser()), before, "{change}");
        assert!(!remedy(error.hint().unwrap()).is_empty(), "{change}: {error:?}");
        run_each(&mut db.superuser(), remedy(error.hint().unwrap()));
        let made = owner.client.query("SELECT connector_pipeline.bootstrap()", &[]);
        // What can't be told is what to put there.
        if let Err(error) = made {
            let error = error.as_db_error().unwrap();
            assert_eq!(error.code().code(), "55000", "{change}: {error:?}");
            assert!(error.detail().unwrap().contains("missing") || change.contains("VIEW"), "{change}: {error:?}");
        }
    }
}

#[test]
fn what_else_new_tables_can_not_be_built_on_is_told() {
    let cases = [
        (
            "vault_entries",
            "ALTER TABLE import_failures SET UNLOGGED; ALTER TABLE recordings SET UNLOGGED",
            "table recordings is UNLOGGED",
        ),
        ("bank_memberships, vaults, recordings", "ALTER TABLE banks SET UNLOGGED", "table banks is UNLOGGED"),
    ];
    for (dropped, change, expected) in cases {
        let db = without(dropped, change);
        assert_told_with_a_remedy(&db, change, &[expected]);
    }
    // A column that is missing can't be added to a partition, nor to a table of a type.
    let db = without(
        "sync_jobs",
        "CREATE TABLE all_jobs (id uuid NOT NULL DEFAULT gen_random_uuid(), user_id uuid) PARTITION BY HASH (id);
         CREATE TABLE sync_jobs PARTITION OF all_jobs FOR VALUES WITH (MODULUS 1, REMAINDER 0)",
    );
    let error = db.table_owner().error("SELECT connector_pipeline.bootstrap()", &[]);
    assert_eq!(error.code().code(), "55000", "{error:?}");
    assert!(error.detail().unwrap().starts_with("table sync_jobs is a partition"), "{error:?}");
    let db = without(
        "sync_jobs",
        "CREATE TYPE job AS (id uuid, user_id uuid); CREATE TABLE sync_jobs OF job (id DEFAULT gen_random_uuid())",
    );
    assert_told_with_a_remedy(&db, "a typed table", &["table sync_jobs is a table of type"]);
}

/// New policies ask for a role by its name.
#[test]
#[ignore = "not built yet"]
fn roles_of_an_enum_without_our_names_are_no_obstacle() {
    let db = without(
        "vault_entries",
        "CREATE TYPE vault_role AS ENUM ('owner', 'editor');
         ALTER TABLE vault_memberships DROP CONSTRAINT vault_memberships_role_check, ALTER role DROP DEFAULT,
             ALTER role TYPE vault_role USING 'owner'",
    );
    bootstrap(&mut db.table_owner());
    let imported = db.authenticated(ALICE).import_own(&record("x"));
    assert_imported(&imported);
    assert_eq!(imported["warning"], Value::Null, "{imported}");
}

/// Rows from before that no index takes.
#[test]
#[ignore = "not built yet"]
fn a_key_too_long_for_an_index_is_told() {
    let db = Database::new();
    let mut owner = db.table_owner();
    let bank: Uuid = owner.value("SELECT ensure_personal_bank($1)", &[&ALICE]);
    owner.run("DROP INDEX recordings_dedup_key");
    owner.query(
        "INSERT INTO recordings (bank_id, owner_user_id, title, source_app, source_metadata)
         SELECT $1, $2, 'Old', 'fathom', jsonb_build_object('external_id', string_agg(md5(n::text), ''))
         FROM generate_series(1, 300) AS n",
        &[&bank, &ALICE],
    );
    let error = owner.error("SELECT connector_pipeline.bootstrap()", &[]);
    assert_eq!(error.code().code(), "55000", "{error:?}");
    assert!(error.detail().unwrap().contains("recordings"), "{error:?}");
    assert!(error.hint().is_some(), "{error:?}");
}

/// Whatever it is, PostgreSQL's own error comes with what was being made.
#[test]
#[ignore = "not built yet"]
fn an_error_that_nobody_foresaw_names_what_was_being_made() {
    let db = without("import_sources", "");
    db.superuser().run(
        "CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS
             $$ BEGIN RAISE EXCEPTION 'no new tables on a Wednesday' USING ERRCODE = '42501'; END $$;
         CREATE EVENT TRIGGER refuse ON ddl_command_start WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION refuse()",
    );
    let error = db.table_owner().error("SELECT connector_pipeline.bootstrap()", &[]);
    assert_eq!(error.code().code(), "42501", "{error:?}");
    let told = format!("{} {}", error.message(), error.detail().unwrap_or_default());
    assert!(told.contains("table import_sources") && told.contains("on a Wednesday"), "{error:?}");
    assert!(told.contains("nothing has been changed"), "{error:?}");
}

#[test]
fn a_schema_in_which_the_caller_may_not_create_is_told() {
    let db = without_tables();
    db.superuser().run(
        "DO $$ BEGIN EXECUTE format('REVOKE ALL ON SCHEMA %I FROM PUBLIC, pg_database_owner', current_schema());
        EXECUTE format('ALTER SCHEMA %I OWNER TO postgres', current_schema());
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO PUBLIC', current_schema()); END $$",
    );
    let error = db.table_owner().error("SELECT connector_pipeline.bootstrap()", &[]);
    assert_eq!(error.code().code(), "55000", "{error:?}");
    run_each(&mut db.superuser(), remedy(error.hint().unwrap()));
    bootstrap(&mut db.table_owner());
}
