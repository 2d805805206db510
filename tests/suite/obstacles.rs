//! Tests that bootstrap() refuses incompatible objects with a remedy and changes nothing.

use serde_json::Value;

use crate::application::*;
use crate::comparison::objects;
use crate::support::*;

#[test]
fn bootstrap_accepts_a_unique_index_on_the_dedup_key_whatever_its_name_and_column_order() {
    for (index, serves) in [
        ("UNIQUE INDEX once ON recordings (source_app, owner_user_id, (source_metadata ->> 'external_id'))", true),
        (
            "UNIQUE INDEX once ON recordings ((source_metadata->>'external_id'), source_app, owner_user_id) INCLUDE (title)",
            true,
        ),
        (
            "UNIQUE INDEX once ON recordings (owner_user_id, source_app, (source_metadata ->> 'external_id')) NULLS NOT DISTINCT",
            true,
        ),
        ("INDEX often ON recordings (owner_user_id, source_app, (source_metadata ->> 'external_id'))", false),
        (
            "UNIQUE INDEX few ON recordings (owner_user_id, source_app, (source_metadata ->> 'external_id')) WHERE source_app <> 'zoom'",
            false,
        ),
        (
            "UNIQUE INDEX more ON recordings (owner_user_id, source_app, (source_metadata ->> 'external_id'), title)",
            false,
        ),
        ("UNIQUE INDEX other ON recordings (owner_user_id, source_app, (source_metadata ->> 'id'))", false),
    ] {
        let db = with_application();
        let mut owner = db.table_owner();
        owner.run(&format!("CREATE {index}"));
        let report = bootstrap(&mut owner);
        let action = &report.iter().find(|(object, _)| object == "index recordings_dedup_key ON recordings").unwrap().1;
        assert_eq!(action, if serves { "exists" } else { "created" }, "{index}");
        assert_imported(&db.authenticated(ALICE).import_own(&record("x")));
    }
}

#[test]
fn incompatible_objects_are_refused_with_a_remedy_and_nothing_is_changed() {
    let doubled = "INSERT INTO recordings (owner_user_id, bank_id, title, source_app, source_metadata)
        SELECT owner_user_id, bank_id, title, source_app, source_metadata FROM recordings";
    let doubled_without_entries = format!("DROP TABLE vault_entries; {doubled}");
    let doubled_sources = format!(
        "CREATE TABLE import_sources (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), user_id uuid, source_app text);
         INSERT INTO import_sources (user_id, source_app) SELECT '{ALICE}', 'zoom' FROM generate_series(1, 2)"
    );
    let failures_with_a_plain_key = format!(
        "CREATE TABLE import_failures (
             id uuid PRIMARY KEY DEFAULT gen_random_uuid(), user_id uuid, owner_user_id uuid, source_app text,
             external_id text, record jsonb, record_key uuid
         );
         INSERT INTO import_failures (user_id, external_id, record) VALUES ('{ALICE}', 'x', '{{}}')"
    );
    let cases: &[(&str, &[&str])] = &[
        (
            "ALTER TABLE sync_jobs ADD synced_ids integer[] DEFAULT '{1,2}'",
            &["column sync_jobs.synced_ids is of type integer[], but must be of type text[]"],
        ),
        ("ALTER TABLE sync_jobs ADD synced_ids uuid[]", &["column sync_jobs.synced_ids is of type uuid[]"]),
        (
            "ALTER TABLE sync_jobs ADD failed_ids jsonb NOT NULL DEFAULT '[]'",
            &["column sync_jobs.failed_ids is of type jsonb"],
        ),
        (
            "ALTER TABLE sync_jobs ADD skipped_count text DEFAULT '0'",
            &["column sync_jobs.skipped_count is of type text, but must be of type integer"],
        ),
        (
            "ALTER TABLE recordings ADD summary jsonb",
            &["column recordings.summary is of type jsonb, but must be of type text"],
        ),
        (
            "ALTER TABLE recordings ALTER source_metadata TYPE json USING source_metadata::json",
            &["column recordings.source_metadata is of type json, but"],
        ),
        (
            "ALTER TABLE recordings ALTER source_metadata DROP DEFAULT, ALTER source_metadata TYPE text",
            &["column recordings.source_metadata is of type text"],
        ),
        (
            "ALTER TABLE recordings ALTER recording_start_time TYPE timestamp",
            &["column recordings.recording_start_time is of type timestamp without time zone"],
        ),
        (
            "CREATE TYPE source AS ENUM ('fathom'); ALTER TABLE recordings ALTER source_app TYPE source USING 'fathom'::source",
            &["column recordings.source_app is of type public.source"],
        ),
        (
            "CREATE DOMAIN key AS uuid; ALTER TABLE vault_entries ALTER id TYPE key",
            &["column vault_entries.id is of type public.key, but must be of type uuid"],
        ),
        (
            "ALTER TABLE vault_entries DROP COLUMN id; ALTER TABLE vault_entries ADD id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
            &["column vault_entries.id is of type bigint, but must be of type uuid"],
        ),
        (
            "ALTER TABLE vault_entries DROP COLUMN id CASCADE;
             ALTER TABLE vault_entries
                 ADD id uuid GENERATED ALWAYS AS (md5(vault_id::text || recording_id::text)::uuid) STORED PRIMARY KEY",
            &["column vault_entries.id is generated"],
        ),
        (
            "DROP TABLE vault_entries; ALTER TABLE recordings DROP owner_user_id CASCADE",
            &["column recordings.owner_user_id is missing"],
        ),
        ("ALTER TABLE recordings DROP created_at", &["column recordings.created_at is missing"]),
        (
            "ALTER TABLE recordings ADD audio_url text GENERATED ALWAYS AS ('x' || title) STORED",
            &["column recordings.audio_url is generated"],
        ),
        (
            "DROP TRIGGER touch ON recordings; TRUNCATE recordings CASCADE; ALTER TABLE recordings ADD team text NOT NULL",
            &["column recordings.team is NOT NULL without a default"],
        ),
        ("ALTER TABLE sync_jobs ALTER id DROP DEFAULT", &["column sync_jobs.id is NOT NULL without a default"]),
        (
            doubled,
            &[
                "table recordings has 1 keys (owner_user_id, source_app, (source_metadata ->> 'external_id')) in more than one row",
            ],
        ),
        (&doubled_without_entries, &["table recordings has 1 keys"]),
        (
            "INSERT INTO vault_entries (vault_id, recording_id) SELECT vault_id, recording_id FROM vault_entries",
            &["table vault_entries has 1 keys (vault_id, recording_id) in more than one row"],
        ),
        (
            "CREATE INDEX recordings_dedup_key ON recordings (owner_user_id)",
            &["relation recordings_dedup_key has the name of the unique index"],
        ),
        (
            "ALTER TABLE vault_entries ADD CONSTRAINT once UNIQUE (vault_id, recording_id) DEFERRABLE",
            &["index once belongs to a deferrable constraint"],
        ),
        (
            "ALTER TABLE sync_jobs ADD skipped_count integer GENERATED ALWAYS AS (1) STORED",
            &["column sync_jobs.skipped_count is generated"],
        ),
        (
            "ALTER TABLE sync_jobs ADD skipped_count integer GENERATED ALWAYS AS IDENTITY",
            &["column sync_jobs.skipped_count is generated"],
        ),
        (
            "CREATE UNIQUE INDEX once ON recordings
                 (owner_user_id, source_app, (source_metadata ->> 'external_id') COLLATE lax)",
            &["index once has a nondeterministic collation"],
        ),
        (
            "ALTER TABLE recordings ALTER source_app TYPE text COLLATE lax",
            &["column recordings.source_app has a nondeterministic collation"],
        ),
        (&failures_with_a_plain_key, &["column import_failures.record_key is not generated"]),
        ("CREATE SEQUENCE import_sources", &["relation import_sources is a sequence, not a table"]),
        ("CREATE VIEW import_sources AS SELECT 1 AS id", &["relation import_sources is a view"]),
        (
            "CREATE MATERIALIZED VIEW import_failures AS SELECT 1 AS id",
            &["relation import_failures is a materialized view"],
        ),
        (
            "CREATE FOREIGN TABLE import_sources (id uuid) SERVER elsewhere",
            &["relation import_sources is a foreign table"],
        ),
        (
            "CREATE FUNCTION source_metadata_ordered(recordings) RETURNS jsonb LANGUAGE sql AS 'SELECT NULL::jsonb'",
            &["function source_metadata_ordered(recordings) returns jsonb"],
        ),
        ("ALTER TABLE recordings FORCE ROW LEVEL SECURITY", &["table recordings has FORCE ROW LEVEL SECURITY"]),
        (
            // Several incompatible objects are reported together.
            "ALTER TABLE recordings ADD summary jsonb; ALTER TABLE sync_jobs ADD synced_ids integer[];
             CREATE VIEW import_sources AS SELECT 1 AS id;
             INSERT INTO vault_entries (vault_id, recording_id) SELECT vault_id, recording_id FROM vault_entries",
            &[
                "relation import_sources",
                "column recordings.summary",
                "column sync_jobs.synced_ids",
                "table vault_entries",
            ],
        ),
        (&doubled_sources, &["table import_sources has 1 keys (user_id, source_app)"]),
    ];
    for (situation, expected) in cases {
        let db = with_application();
        db.superuser().run(
            "CREATE FOREIGN DATA WRAPPER nowhere; CREATE SERVER elsewhere FOREIGN DATA WRAPPER nowhere;
             GRANT USAGE ON FOREIGN SERVER elsewhere TO app_owner;
             CREATE COLLATION lax (provider = libc, locale = 'C')",
        );
        // Nondeterministic collations need ICU, which not every server has; bootstrap() reads only this catalog column.
        db.superuser().run("UPDATE pg_collation SET collisdeterministic = false WHERE collname = 'lax'");
        let mut owner = db.table_owner();
        owner.run(situation);
        let before = objects(&mut owner);
        let error = owner.error("SELECT connector_pipeline.bootstrap()", &[]);
        assert_eq!(error.code().code(), "55000", "{situation}: {error:?}");
        let detail: Vec<&str> = error.detail().unwrap_or_default().lines().collect();
        assert_eq!(detail.len(), expected.len(), "{situation}: {error:?}");
        for (line, beginning) in detail.iter().zip(*expected) {
            assert!(line.starts_with(beginning), "{situation}: {error:?}");
        }
        assert_eq!(objects(&mut owner), before, "{situation}");

        if *situation == doubled_sources {
            // Only the application can decide which of the two rows to delete.
            run_each(&mut owner, remedy(error.hint().unwrap()));
            owner.run("DELETE FROM import_sources AS one USING import_sources AS other WHERE one.id < other.id");
        } else {
            run_each(&mut owner, remedy(error.hint().unwrap()));
        }
        // A needed column that was renamed because of its type is missing now, and has a remedy of its own.
        if let Err(error) = owner.client.query("SELECT connector_pipeline.bootstrap()", &[]) {
            let error = error.as_db_error().unwrap();
            assert!(error.detail().unwrap_or_default().contains("is missing"), "{situation}: {error:?}");
            run_each(&mut owner, remedy(error.hint().unwrap()));
            bootstrap(&mut owner);
        }
        if !situation.contains("DROP owner_user_id") {
            let imported = db.service_role().import(&record("new"), ALICE);
            assert_imported(&imported);
            assert_eq!(imported["warning"], Value::Null, "{situation}: {imported}");
        }
    }
}

#[test]
fn an_invalid_index_of_create_index_concurrently_is_refused_with_a_remedy() {
    let db = with_application();
    let mut owner = db.table_owner();
    let double = import_without_pipeline(&mut owner, "old");
    let create = "CREATE UNIQUE INDEX CONCURRENTLY once
        ON recordings (owner_user_id, source_app, (source_metadata ->> 'external_id'))";
    assert_eq!(owner.error(create, &[]).code().code(), "23505");
    owner.query("DELETE FROM recordings WHERE id = $1", &[&double]);
    let before = objects(&mut owner);
    let error = owner.error("SELECT connector_pipeline.bootstrap()", &[]);
    assert!(error.detail().unwrap().starts_with("index once is invalid"), "{error:?}");
    assert_eq!(objects(&mut owner), before);
    run_each(&mut owner, remedy(error.hint().unwrap()));
    owner.run(create);
    assert!(with_action(&bootstrap(&mut owner), "exists").contains(&"index recordings_dedup_key ON recordings"));
}

#[test]
fn tables_of_another_owner_are_refused_with_a_remedy() {
    let belongs = |table: &str, owner: &str| format!("table {table} belongs to {owner}, but must belong to ");
    // Another role owns one table.
    let db = with_application();
    db.superuser().run("ALTER TABLE vaults OWNER TO stranger");
    let error = db.table_owner().error("SELECT connector_pipeline.bootstrap()", &[]);
    assert_eq!(
        error.detail().unwrap(),
        belongs("vaults", "stranger") + "app_owner, who runs bootstrap(), like all tables of connector_pipeline"
    );
    run_each(&mut db.superuser(), remedy(error.hint().unwrap()));
    bootstrap(&mut db.table_owner());

    // Another role owns all tables: the remedy is to call bootstrap() as that role.
    let db = with_application();
    let mut superuser = db.superuser();
    let before = objects(&mut superuser);
    let error = superuser.error("SELECT connector_pipeline.bootstrap()", &[]);
    assert_eq!(error.detail().unwrap().lines().count(), 7, "{error:?}");
    assert_eq!(remedy(error.hint().unwrap()), "SET ROLE app_owner;");
    assert_eq!(objects(&mut superuser), before);
    run_each(&mut superuser, remedy(error.hint().unwrap()));
    bootstrap(&mut superuser);
    assert_eq!(
        db.table_owner().value::<i64>(
            "SELECT count(DISTINCT relowner) FROM pg_class WHERE relnamespace = 'public'::regnamespace",
            &[]
        ),
        1
    );
}

#[test]
fn a_function_source_metadata_ordered_of_another_owner_is_refused_with_a_remedy() {
    let db = with_application();
    db.superuser().run("GRANT CREATE ON SCHEMA public TO stranger");
    let mut stranger = db.login("stranger");
    stranger
        .run("CREATE FUNCTION source_metadata_ordered(recordings) RETURNS json LANGUAGE sql AS 'SELECT NULL::json'");
    let error = db.table_owner().error("SELECT connector_pipeline.bootstrap()", &[]);
    assert!(error.detail().unwrap().contains("belongs to stranger"), "{error:?}");
    run_each(&mut stranger, remedy(error.hint().unwrap()));
    bootstrap(&mut db.table_owner());
}
