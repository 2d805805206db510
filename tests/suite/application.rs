//! Makes a database with an application older than connector_pipeline, for tests of adoption.

use serde_json::Value;

use crate::support::*;

/// Makes a database with the extension and bootstrap_auth(), without tables and users.
pub fn without_tables() -> Database {
    let db = Database::empty();
    let mut superuser = db.superuser();
    superuser.run(
        "CREATE EXTENSION connector_pipeline;
         SELECT connector_pipeline.bootstrap_auth();
         GRANT anon, authenticated, service_role TO authenticator",
    );
    db
}

pub fn add_users(db: &Database) {
    for user in [ALICE, BOB] {
        db.superuser().query("INSERT INTO auth.users (id) VALUES ($1)", &[&user]);
    }
}

/// Makes a database with an application, its users, and a recording older than connector_pipeline.
pub fn with_application() -> Database {
    let db = without_tables();
    db.table_owner().run(include_str!("application.sql"));
    db.superuser().run("CREATE TRIGGER welcome AFTER INSERT ON auth.users FOR EACH ROW EXECUTE FUNCTION welcome()");
    add_users(&db);
    import_without_pipeline(&mut db.table_owner(), "old");
    db
}

/// Inserts a recording of Alice with an entry in her vault.
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

pub fn bootstrap(session: &mut Session) -> Vec<(String, String)> {
    let rows = session.query("SELECT object, action FROM connector_pipeline.bootstrap()", &[]);
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

pub fn with_action<'a>(report: &'a [(String, String)], action: &str) -> Vec<&'a str> {
    report.iter().filter(|(_, done)| done == action).map(|(object, _)| object.as_str()).collect()
}

/// The SQL that a HINT recommends.
pub fn remedy(hint: &str) -> &str {
    hint.split_once('\n').unwrap_or_else(|| panic!("no SQL in {hint}")).1
}

/// Runs each statement separately, as psql does: DROP INDEX CONCURRENTLY needs that.
pub fn run_each(session: &mut Session, sql: &str) {
    sql.lines().for_each(|statement| session.run(statement));
}

/// Imports by every function, so that the pipeline writes every table and column.
pub fn import_of_every_kind(db: &Database) {
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
