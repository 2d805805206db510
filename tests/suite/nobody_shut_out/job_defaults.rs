//! Sync jobs and import sources take the defaults of their columns, and types of jobs that an application knows.
//!
//! The kind: as in defaults.rs, for what start_sync_job(), finish_sync_job() and backfill() write; and a value of the
//! extension's own that a CHECK of the application's does not know.

use serde_json::Value;

use crate::support::*;

const BACKFILL: &str = "CALL connector_pipeline.backfill('SELECT record FROM staging', NULL)";

fn staged(db: &Database) -> Session {
    let mut owner = db.table_owner();
    owner.run("CREATE TABLE staging (record jsonb)");
    let record = record_with("staged", json!({"owner_user_id": ALICE}));
    owner.query("INSERT INTO staging VALUES ($1)", &[&record]);
    owner
}

/// A run with nothing to say of it: no external ids, no error.
fn quiet_run(db: &Database) -> Uuid {
    let mut alice = db.authenticated(ALICE);
    let job: Uuid = alice.value("SELECT start_sync_job('fathom')", &[]);
    let finished: Value = alice.value("SELECT finish_sync_job($1)", &[&job]);
    assert_eq!(finished["status"], "completed");
    job
}

#[test]
fn a_run_without_ids_and_without_an_error_takes_the_defaults_of_these_columns() {
    for is_nullable in [true, false] {
        let db = Database::new();
        let mut owner = staged(&db);
        owner.run(
            "ALTER TABLE sync_jobs
                 ALTER recording_ids SET DEFAULT '{all}', ALTER error SET DEFAULT 'none', ALTER source_app SET DEFAULT 'unknown';
             ALTER TABLE import_sources ALTER error_message SET DEFAULT 'fine'",
        );
        if !is_nullable {
            owner.run(
                "ALTER TABLE sync_jobs
                     ALTER recording_ids SET NOT NULL, ALTER error SET NOT NULL, ALTER source_app SET NOT NULL;
                 ALTER TABLE import_sources ALTER error_message SET NOT NULL",
            );
        }
        owner.run("SELECT connector_pipeline.bootstrap()");
        let job = quiet_run(&db);
        let found: Value = owner.value("SELECT to_jsonb(j) FROM sync_jobs AS j WHERE id = $1", &[&job]);
        assert_eq!((&found["recording_ids"], &found["error"]), (&json!(["all"]), &json!("none")));
        assert_eq!(owner.value::<String>("SELECT error_message FROM import_sources", &[]), "fine");

        // One with an error has that, and the next good run takes it away again.
        let mut alice = db.authenticated(ALICE);
        let failed: Uuid = alice.value("SELECT start_sync_job('fathom', '{1,2}')", &[]);
        alice.query("SELECT finish_sync_job($1, 'vendor is down')", &[&failed]);
        let found: Value = owner.value("SELECT to_jsonb(j) FROM sync_jobs AS j WHERE id = $1", &[&failed]);
        assert_eq!((&found["recording_ids"], &found["error"]), (&json!(["1", "2"]), &json!("vendor is down")));
        assert_eq!(owner.value::<String>("SELECT error_message FROM import_sources", &[]), "vendor is down");
        quiet_run(&db);
        assert_eq!(owner.value::<String>("SELECT error_message FROM import_sources", &[]), "fine");
        // So does one that is finished a second time.
        let finished: Value = alice.value("SELECT finish_sync_job($1)", &[&failed]);
        assert_eq!(finished["status"], "completed");
        let error = "SELECT error FROM sync_jobs WHERE id = $1";
        assert_eq!(owner.value::<String>(error, &[&failed]), "none");

        owner.run(BACKFILL);
        let found: Value = owner.value("SELECT to_jsonb(j) FROM sync_jobs AS j ORDER BY created_at DESC LIMIT 1", &[]);
        assert_eq!((&found["source_app"], &found["error"]), (&json!("unknown"), &json!("none")), "{found}");
        assert_eq!(found["recording_ids"], json!(["all"]));
    }
}

#[test]
fn a_domain_that_is_not_null_takes_its_default_in_jobs_too() {
    let db = Database::new();
    let mut owner = staged(&db);
    owner.run(
        "CREATE DOMAIN note AS text NOT NULL DEFAULT 'nothing';
         CREATE DOMAIN ids AS text[] NOT NULL DEFAULT '{}';
         ALTER TABLE sync_jobs ALTER error TYPE note, ALTER recording_ids TYPE ids;
         ALTER TABLE import_sources ALTER error_message TYPE note;
         SELECT connector_pipeline.bootstrap()",
    );
    quiet_run(&db);
    owner.run(BACKFILL);
    assert_eq!(owner.column::<String>("SELECT DISTINCT error::text FROM sync_jobs", &[]), ["nothing"]);
    assert_eq!(owner.value::<String>("SELECT error_message::text FROM import_sources", &[]), "nothing");
}

#[test]
fn a_job_takes_a_type_that_the_application_knows() {
    let cases = [
        ("CHECK (type IN ('sync', 'backfill'))", "sync", "sync", "backfill"),
        ("CHECK (type IN ('sync'))", "sync", "sync", "sync"),
        ("CHECK (type IN ('manual', 'scheduled'))", "manual", "manual", "manual"),
        ("CHECK (type IN ('backfill', 'scheduled'))", "scheduled", "scheduled", "backfill"),
        ("CHECK (length(type) < 5 AND source_app IS NOT DISTINCT FROM source_app)", "sync", "sync", "sync"),
    ];
    for (check, default, of_run, of_backfill) in cases {
        let db = Database::new();
        let mut owner = staged(&db);
        owner.run(&format!(
            "ALTER TABLE sync_jobs ALTER type SET DEFAULT '{default}', ADD CONSTRAINT known_type {check};
             SELECT connector_pipeline.bootstrap()"
        ));
        quiet_run(&db);
        owner.run(BACKFILL);
        assert_eq!(owner.count("recordings"), 1);
        let types: Vec<String> = owner.column("SELECT type FROM sync_jobs ORDER BY created_at", &[]);
        assert_eq!(types, [of_run, of_backfill], "{check}");
    }
}

#[test]
fn a_constraint_on_jobs_that_no_type_satisfies_is_what_the_caller_is_told_of() {
    let db = Database::new();
    let mut owner = staged(&db);
    owner.run("ALTER TABLE sync_jobs ADD CONSTRAINT closed CHECK (user_id IS NULL)");
    let error = db.authenticated(ALICE).error("SELECT start_sync_job('fathom')", &[]);
    assert_eq!((error.code().code(), error.constraint()), ("23514", Some("closed")), "{error:?}");
}
