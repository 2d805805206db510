//! bootstrap() on a database whose application has tables of its own.

use std::collections::BTreeSet;
use std::thread;

use serde_json::Value;

use crate::catalog::objects;
use crate::support::*;

/// A database with nothing but the extension and users.
fn without_tables() -> Database {
    let db = Database::empty();
    let mut superuser = db.superuser();
    superuser.run(
        "CREATE EXTENSION connector_pipeline;
         SELECT connector_pipeline.bootstrap_auth();
         GRANT anon, authenticated, service_role TO authenticator",
    );
    db
}

fn add_users(db: &Database) {
    for user in [ALICE, BOB] {
        db.superuser().query("INSERT INTO auth.users (id) VALUES ($1)", &[&user]);
    }
}

/// A database with an application, its users and a recording from before connector_pipeline.
pub fn with_application() -> Database {
    let db = without_tables();
    db.table_owner().run(include_str!("application.sql"));
    db.superuser().run("CREATE TRIGGER welcome AFTER INSERT ON auth.users FOR EACH ROW EXECUTE FUNCTION welcome()");
    add_users(&db);
    import_without_pipeline(&mut db.table_owner(), "old");
    db
}

/// A recording of Alice's, with an entry in her vault.
pub fn import_without_pipeline(owner: &mut Session, external_id: &str) -> Uuid {
    owner.value(
        "WITH recording AS (
             INSERT INTO recordings (owner_user_id, bank_id, title, source_app, source_metadata)
             SELECT user_id, bank_id, 'Old', 'fathom', jsonb_build_object('external_id', $2::text)
             FROM bank_memberships WHERE user_id = $1
             RETURNING id
         ), entry AS (
             INSERT INTO vault_entries (vault_id, recording_id)
             SELECT vault_id, recording.id FROM vault_memberships, recording WHERE user_id = $1
         )
         SELECT id FROM recording",
        &[&ALICE, &external_id],
    )
}

fn bootstrap(session: &mut Session) -> Vec<(String, String)> {
    let rows = session.query("SELECT object, action FROM connector_pipeline.bootstrap()", &[]);
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

fn with_action<'a>(report: &'a [(String, String)], action: &str) -> Vec<&'a str> {
    report.iter().filter(|(_, done)| done == action).map(|(object, _)| object.as_str()).collect()
}

/// The SQL that a HINT says to run.
fn remedy(hint: &str) -> &str {
    hint.split_once('\n').unwrap_or_else(|| panic!("no SQL in {hint}")).1
}

/// Runs SQL as psql does, each statement by itself: DROP INDEX CONCURRENTLY wants that.
fn run_each(session: &mut Session, sql: &str) {
    sql.lines().for_each(|statement| session.run(statement));
}

/// Imports as a user does, over all that the pipeline writes.
fn import_of_every_kind(db: &Database) {
    let mut alice = db.authenticated(ALICE);
    let all = json!({
        "source_metadata": {"share_url": "x"}, "summary": "s", "recording_end_time": "2026-01-31T10:30:00Z",
        "audio_url": "a", "video_url": "v", "global_tags": ["g"], "duration": 60,
    });
    let imported = alice.import_own(&record_with("full", all));
    assert_imported(&imported);
    assert_eq!(imported["warning"], Value::Null, "{imported}");
    assert_skipped(&alice.import_own(&record("full")), recording_id(&imported));

    let job: Uuid = alice.value("SELECT start_sync_job('fathom', '{a,b,full}')", &[]);
    let batch = json!([record("a"), record("full"), record_with("b", json!({"title": null}))]);
    let result: Value = alice.value("SELECT run_pipeline_batch($1, NULL, $2)", &[&batch, &job]);
    assert_eq!([&result["imported"], &result["skipped"], &result["failed"]], [1, 1, 1], "{result}");
    let summary: Value = alice.value("SELECT finish_sync_job($1)", &[&job]);
    assert_eq!(summary["message"], "1 new, 1 skipped, 1 failed");
    let retried: Value = alice.value("SELECT retry_failed_imports()", &[]);
    assert_eq!(retried["failed"], 1, "{retried}");

    let counts: Vec<i64> = alice.column("SELECT call_count FROM get_import_counts()", &[]);
    assert_eq!(counts.len(), 1);
    let ordered: String = alice.value(
        "SELECT source_metadata_ordered(r)::text FROM recordings AS r WHERE r.id = $1",
        &[&recording_id(&imported)],
    );
    assert!(ordered.starts_with(r#"{"external_id": "full""#), "{ordered}");
    let calls = "SELECT to_jsonb(r) FROM unnest(ARRAY['x', 'y']) AS id,
        LATERAL (SELECT id AS external_id, 'zoom' AS source_app, 'T' AS title, '' AS full_transcript,
            '2026-01-31T09:30:00Z' AS recording_start_time) AS r";
    db.table_owner().run(&format!("CALL connector_pipeline.backfill($q${calls}$q$, '{ALICE}')"));
    let kept: Vec<String> = db.table_owner().column(
        "SELECT source_metadata ->> 'external_id' FROM recordings
         WHERE source_metadata ->> 'external_id' <> 'old' ORDER BY 1",
        &[],
    );
    assert_eq!(kept, ["a", "full", "x", "y"]);
}

#[test]
fn bootstrap_adds_what_an_application_lacks_and_changes_nothing_that_is_there() {
    let db = with_application();
    let mut owner = db.table_owner();
    let before = objects(&mut owner);
    let rows =
        "SELECT md5(string_agg(r::text, '')) FROM (SELECT legacy_id, title, sentiment, words FROM recordings) AS r";
    let row: String = owner.value(rows, &[]);
    let report = bootstrap(&mut owner);
    let after = objects(&mut owner);

    assert_eq!(before.difference(&after).collect::<Vec<_>>(), Vec::<&String>::new());
    assert_eq!(owner.value::<String>(rows, &[]), row);
    assert_eq!(
        with_action(&report, "created"),
        [
            "column recordings.audio_url",
            "column recordings.video_url",
            "column recordings.summary",
            "column recordings.recording_end_time",
            "index recordings_dedup_key ON recordings",
            "index vault_entries_vault_id_recording_id_key ON vault_entries",
            "table import_sources",
            "index import_sources_user_id_source_app_key ON import_sources",
            "column sync_jobs.synced_ids",
            "column sync_jobs.failed_ids",
            "column sync_jobs.skipped_count",
            "column sync_jobs.error",
            "column sync_jobs.metadata",
            "table import_failures",
            "index import_failures_user_id_record_key_key ON import_failures",
            "function source_metadata_ordered",
        ]
    );
    assert_eq!(
        with_action(&report, "left to its owner"),
        ["policy banks_select ON banks", "policy vaults_select ON vaults", "policy recordings_select ON recordings"]
    );
    let foreign_to_report = |line: &&String| {
        ![
            "import_sources",
            "import_failures",
            "source_metadata_ordered",
            "sync_jobs",
            "_dedup_key",
            "_recording_id_key",
        ]
        .iter()
        .any(|name| line.contains(name))
            && !line.starts_with("column recordings.")
    };
    assert_eq!(after.difference(&before).filter(foreign_to_report).collect::<Vec<_>>(), Vec::<&String>::new());
}

#[test]
fn users_import_under_the_policies_of_the_application() {
    let db = with_application();
    bootstrap(&mut db.table_owner());
    import_of_every_kind(&db);
    let mut alice = db.authenticated(ALICE);
    // The recording from before is known, in the bank that the application made.
    assert_skipped(
        &alice.import_own(&record("old")),
        db.table_owner().value("SELECT id FROM recordings WHERE title = 'Old'", &[]),
    );
    assert_eq!(db.table_owner().count("banks"), 2);
    assert_eq!(alice.count("recordings"), 5);
    assert_eq!(db.authenticated(BOB).count("recordings"), 0);
    // Its restrictive policy still narrows, its trigger still runs.
    let bobs: Uuid = db.table_owner().value("SELECT bank_id FROM bank_memberships WHERE user_id = $1", &[&BOB]);
    assert_failed(&alice.import_own(&record_with("into Bob's", json!({"bank_id": bobs}))), "42501", "");
    assert_eq!(db.table_owner().count("audit_log WHERE what = 'INSERT'"), 5);
}

#[test]
fn a_sync_run_fires_triggers_that_find_their_tables_by_the_callers_search_path() {
    let db = with_application();
    let mut owner = db.table_owner();
    bootstrap(&mut owner);
    owner.run(
        "CREATE TABLE job_log (status text);
         GRANT INSERT ON job_log TO authenticated;
         CREATE FUNCTION log_job() RETURNS trigger LANGUAGE plpgsql AS
             'BEGIN INSERT INTO job_log VALUES (NEW.status); RETURN NEW; END';
         CREATE TRIGGER log_job AFTER INSERT OR UPDATE ON sync_jobs FOR EACH ROW EXECUTE FUNCTION log_job()",
    );
    let mut alice = db.authenticated(ALICE);
    let job: Uuid = alice.value("SELECT start_sync_job('zoom')", &[]);
    let summary: Value = alice.value("SELECT finish_sync_job($1)", &[&job]);
    assert_eq!(summary["status"], "completed");
    assert_eq!(owner.column::<String>("SELECT status FROM job_log", &[]), ["processing", "completed"]);
}

#[test]
fn a_second_bootstrap_says_exists_and_locks_no_table() {
    let db = with_application();
    let mut owner = db.table_owner();
    bootstrap(&mut owner);
    let before = objects(&mut owner);
    owner.run("BEGIN");
    let report = bootstrap(&mut owner);
    let locks: Vec<String> = owner.column(
        "SELECT DISTINCT mode FROM pg_locks JOIN pg_class ON pg_class.oid = relation
         WHERE pid = pg_backend_pid() AND relnamespace = 'public'::regnamespace AND mode <> 'AccessShareLock'",
        &[],
    );
    owner.run("COMMIT");
    assert_eq!(with_action(&report, "created"), Vec::<&str>::new());
    assert_eq!(locks, Vec::<String>::new());
    assert_eq!(objects(&mut owner), before);
}

#[test]
fn two_bootstraps_at_once_make_everything_once() {
    let db = with_application();
    let reports: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| bootstrap(&mut db.table_owner()))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let mut made: Vec<usize> = reports.iter().map(|report| with_action(report, "created").len()).collect();
    made.sort_unstable();
    assert_eq!(made, [0, 0, 0, 16]);
}

#[test]
fn an_index_serves_as_dedup_key_whatever_its_name_and_order() {
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
fn what_cannot_serve_is_told_with_the_way_out_and_nothing_is_changed() {
    let doubled = "INSERT INTO recordings (owner_user_id, bank_id, title, source_app, source_metadata)
        SELECT owner_user_id, bank_id, title, source_app, source_metadata FROM recordings";
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
            &["column sync_jobs.synced_ids is of type integer[], and has to be text[]"],
        ),
        ("ALTER TABLE sync_jobs ADD synced_ids uuid[]", &["column sync_jobs.synced_ids is of type uuid[]"]),
        (
            "ALTER TABLE sync_jobs ADD failed_ids jsonb NOT NULL DEFAULT '[]'",
            &["column sync_jobs.failed_ids is of type jsonb"],
        ),
        (
            "ALTER TABLE sync_jobs ADD skipped_count text DEFAULT '0'",
            &["column sync_jobs.skipped_count is of type text, and has to be integer"],
        ),
        (
            "ALTER TABLE recordings ADD summary jsonb",
            &["column recordings.summary is of type jsonb, and has to be text"],
        ),
        (
            "ALTER TABLE recordings ALTER source_metadata TYPE json USING source_metadata::json",
            &["column recordings.source_metadata is of type json, and"],
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
            &["column vault_entries.id is of type public.key, and has to be uuid"],
        ),
        (
            "ALTER TABLE vault_entries DROP COLUMN id; ALTER TABLE vault_entries ADD id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
            &["column vault_entries.id is of type bigint, and has to be uuid"],
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
        ("ALTER TABLE vault_entries ALTER id DROP DEFAULT", &["column vault_entries.id is NOT NULL without a default"]),
        (
            doubled,
            &[
                "table recordings has 1 keys (owner_user_id, source_app, (source_metadata ->> 'external_id')) in more than one row",
            ],
        ),
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
            &["index once is that of a deferrable constraint"],
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
            &["index once has a collation that takes different ids for the same one"],
        ),
        (
            "ALTER TABLE recordings ALTER source_app TYPE text COLLATE lax",
            &["column recordings.source_app has a collation that takes different values for the same one"],
        ),
        (&failures_with_a_plain_key, &["column import_failures.record_key is not generated"]),
        ("CREATE SEQUENCE import_sources", &["relation import_sources is a sequence where a table has to be"]),
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
            &["function source_metadata_ordered(recordings) gives jsonb"],
        ),
        ("ALTER TABLE recordings FORCE ROW LEVEL SECURITY", &["table recordings has FORCE ROW LEVEL SECURITY"]),
        (
            // All at once.
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
        // Those that are not deterministic come with ICU, which not every server has. To bootstrap() the catalog counts.
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
            // Which of them is right the application knows.
            run_each(&mut owner, remedy(error.hint().unwrap()));
            owner.run("DELETE FROM import_sources AS one USING import_sources AS other WHERE one.id < other.id");
        } else {
            run_each(&mut owner, remedy(error.hint().unwrap()));
        }
        // A column that was renamed for its type, or a column that was added, has to be made and filled.
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
fn an_index_that_create_index_concurrently_left_invalid_is_told() {
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
fn tables_of_another_owner_are_told() {
    let belongs = |table: &str, owner: &str| format!("table {table} belongs to {owner}, and has to belong to ");
    // One of them.
    let db = with_application();
    db.superuser().run("ALTER TABLE vaults OWNER TO stranger");
    let error = db.table_owner().error("SELECT connector_pipeline.bootstrap()", &[]);
    assert_eq!(
        error.detail().unwrap(),
        belongs("vaults", "stranger") + "app_owner, who runs bootstrap(), as all tables of connector_pipeline"
    );
    run_each(&mut db.superuser(), remedy(error.hint().unwrap()));
    bootstrap(&mut db.table_owner());

    // All of them: the caller is the one to change.
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
fn a_personal_bank_is_made_with_the_names_that_an_application_has_for_an_owner() {
    for names in [
        "ALTER TABLE bank_memberships ADD CHECK (role IN ('bank_owner', 'guest'));
         ALTER TABLE vault_memberships ADD CHECK (role IN ('vault_owner', 'guest'))",
        "ALTER TABLE bank_memberships ADD CHECK (role = 'bank_owner')",
        "ALTER TABLE vault_memberships ADD CHECK (role = 'vault_owner')",
        "CREATE TYPE bank_role AS ENUM ('bank_owner'); CREATE TYPE vault_role AS ENUM ('owner');
         DROP POLICY vault_entries_insert ON vault_entries; DROP POLICY vault_entries_update ON vault_entries;
         DROP POLICY vault_entries_delete ON vault_entries;
         ALTER TABLE bank_memberships ALTER role DROP DEFAULT, ALTER role TYPE bank_role USING role::bank_role;
         ALTER TABLE vault_memberships ALTER role DROP DEFAULT, ALTER role TYPE vault_role USING role::vault_role",
    ] {
        let db = Database::new();
        db.table_owner().run(
            "ALTER TABLE bank_memberships DROP CONSTRAINT bank_memberships_role_check;
             ALTER TABLE vault_memberships DROP CONSTRAINT vault_memberships_role_check",
        );
        db.table_owner().run(names);
        let mut service = db.service_role();
        assert_imported(&service.import(&record("x"), ALICE));
        assert_imported(&service.import(&record("y"), ALICE));
        let made: Vec<i64> = ["banks", "bank_memberships", "vaults", "vault_memberships", "vault_entries"]
            .map(|table| db.table_owner().count(table))
            .into();
        assert_eq!(made, [1, 1, 1, 1, 2], "{names}");
    }
    // Where none will do, the first refusal is told, and nothing is left.
    let db = Database::new();
    db.table_owner().run("ALTER TABLE bank_memberships ADD CONSTRAINT kings_only CHECK (role = 'king')");
    assert_failed(&db.service_role().import(&record("x"), ALICE), "23514", "kings_only");
    assert_eq!(db.table_owner().count("banks"), 0);
}

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
