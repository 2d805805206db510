//! Tests bootstrap() in a database whose application has tables of its own.

use std::thread;

use serde_json::Value;

use crate::application::*;
use crate::comparison::objects;
use crate::support::*;

#[test]
fn bootstrap_adds_the_objects_that_an_application_lacks_and_changes_no_existing_one() {
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
            " of public.recordings: ",
        ]
        .iter()
        .any(|name| line.contains(name))
    };
    assert_eq!(after.difference(&before).filter(foreign_to_report).collect::<Vec<_>>(), Vec::<&String>::new());
}

#[test]
fn users_import_under_the_policies_of_the_application() {
    let db = with_application();
    bootstrap(&mut db.table_owner());
    import_of_every_kind(&db);
    let mut alice = db.authenticated(ALICE);
    // The recording from before bootstrap() is a duplicate, in the bank that the application made.
    assert_skipped(
        &alice.import_own(&record("old")),
        db.table_owner().value("SELECT id FROM recordings WHERE title = 'Old'", &[]),
    );
    assert_eq!(db.table_owner().count("banks"), 2);
    assert_eq!(alice.count("recordings"), 5);
    assert_eq!(db.authenticated(BOB).count("recordings"), 0);
    // The application's restrictive policy still applies, and its trigger still runs.
    let bobs: Uuid = db.table_owner().value("SELECT bank_id FROM bank_memberships WHERE user_id = $1", &[&BOB]);
    assert_failed(&alice.import_own(&record_with("into Bob's", json!({"bank_id": bobs}))), "42501", "");
    assert_eq!(db.table_owner().count("audit_log WHERE what = 'INSERT'"), 5);
}

#[test]
fn triggers_on_sync_jobs_find_their_tables_by_the_callers_search_path() {
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
fn a_second_bootstrap_of_an_application_reports_exists_and_locks_no_table() {
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
fn concurrent_bootstraps_create_each_object_once() {
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
fn a_personal_bank_is_made_with_the_role_names_that_the_application_allows_for_owners() {
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
    // Where the application allows no known role name, the import fails with the first error and writes nothing.
    let db = Database::new();
    db.table_owner().run("ALTER TABLE bank_memberships ADD CONSTRAINT kings_only CHECK (role = 'king')");
    assert_failed(&db.service_role().import(&record("x"), ALICE), "23514", "kings_only");
    assert_eq!(db.table_owner().count("banks"), 0);
}

#[test]
fn a_source_metadata_column_of_a_domain_over_jsonb_is_adopted_with_its_index() {
    let db = with_application();
    let mut owner = db.table_owner();
    owner.run("CREATE DOMAIN metadata AS jsonb; ALTER TABLE recordings ALTER source_metadata TYPE metadata");
    assert!(with_action(&bootstrap(&mut owner), "created").contains(&"index recordings_dedup_key ON recordings"));
    assert_eq!(with_action(&bootstrap(&mut owner), "created"), Vec::<&str>::new());
    import_of_every_kind(&db);
}

#[test]
fn bootstrap_waits_for_a_running_import_and_does_not_deadlock_with_it() {
    // bootstrap() adds columns and an index to the table that the importer has read and will write.
    let db = with_application();
    let mut importer = db.table_owner();
    importer.run("BEGIN");
    importer.count("recordings");
    let mut owner = db.table_owner();
    let pid: i32 = owner.value("SELECT pg_backend_pid()", &[]);
    let report = thread::scope(|scope| {
        let waiting = scope.spawn(move || bootstrap(&mut owner));
        db.wait_until_blocked(pid);
        import_without_pipeline(&mut importer, "meanwhile");
        importer.run("COMMIT");
        waiting.join().unwrap()
    });
    assert!(with_action(&report, "created").contains(&"index recordings_dedup_key ON recordings"));
    assert_eq!(importer.count("recordings"), 2);
}
