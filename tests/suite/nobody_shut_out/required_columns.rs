//! A column that an import may have nothing for, and that takes no NULL and has no default: bootstrap() names it.
//!
//! The kind: what bootstrap() lets pass and every import, run or failure then stumbles over.

use crate::application::{remedy, run_each};
use crate::support::*;

const OPTIONAL: [(&str, &str); 15] = [
    ("recordings", "summary"),
    ("recordings", "audio_url"),
    ("recordings", "video_url"),
    ("recordings", "global_tags"),
    ("recordings", "duration"),
    ("recordings", "recording_end_time"),
    ("sync_jobs", "recording_ids"),
    ("sync_jobs", "source_app"),
    ("sync_jobs", "error"),
    ("sync_jobs", "completed_at"),
    ("import_sources", "error_message"),
    ("import_failures", "user_id"),
    ("import_failures", "owner_user_id"),
    ("import_failures", "source_app"),
    ("import_failures", "external_id"),
];

/// What the one who adopts is told, and that it is gone after the remedy.
fn told_and_then_gone(owner: &mut Session, what: &str) -> String {
    let error = owner.error("SELECT connector_pipeline.bootstrap()", &[]);
    assert_eq!(error.code().code(), "55000", "{what}: {error:?}");
    run_each(owner, remedy(error.hint().unwrap()));
    owner.run("SELECT connector_pipeline.bootstrap()");
    error.detail().unwrap().to_owned()
}

#[test]
fn a_column_that_takes_no_null_and_has_no_default_is_named_where_a_record_may_lack_it() {
    for (table, column) in OPTIONAL {
        let db = Database::new();
        let mut owner = db.table_owner();
        owner.run(&format!("ALTER TABLE {table} ALTER {column} SET NOT NULL"));
        let told = told_and_then_gone(&mut owner, column);
        assert!(told.starts_with(&format!("column {table}.{column} is NOT NULL without a default")), "{told}");
        assert_eq!(told.lines().count(), 1, "{told}");
        assert_imported(&db.authenticated(ALICE).import_own(&record("x")));
    }
}

#[test]
fn all_of_them_are_named_at_once() {
    let db = Database::new();
    let mut owner = db.table_owner();
    OPTIONAL.iter().for_each(|(table, column)| owner.run(&format!("ALTER TABLE {table} ALTER {column} SET NOT NULL")));
    assert_eq!(told_and_then_gone(&mut owner, "all").lines().count(), OPTIONAL.len());
}

#[test]
fn a_domain_that_takes_no_null_is_named_as_its_column_is() {
    let domains = [
        "CREATE DOMAIN note AS text NOT NULL",
        "CREATE DOMAIN inner_note AS text NOT NULL; CREATE DOMAIN note AS inner_note",
    ];
    for domain in domains {
        for (table, column) in [("recordings", "summary"), ("sync_jobs", "error"), ("import_sources", "error_message")]
        {
            let db = Database::new();
            let mut owner = db.table_owner();
            owner.run(&format!("{domain}; ALTER TABLE {table} ALTER {column} TYPE note"));
            let told = told_and_then_gone(&mut owner, column);
            assert!(told.starts_with(&format!("column {table}.{column} ")), "{told}");
            let mut alice = db.authenticated(ALICE);
            assert_imported(&alice.import_own(&record("x")));
            alice.query("SELECT finish_sync_job(start_sync_job('fathom'))", &[]);
        }
    }
}

/// A domain of the application's own column that no import fills.
#[test]
fn a_domain_without_null_on_a_column_of_the_applications_own_is_named_too() {
    let db = Database::new();
    let mut owner = db.table_owner();
    owner.run("CREATE DOMAIN team AS text NOT NULL; ALTER TABLE recordings ADD team team");
    let told = told_and_then_gone(&mut owner, "team");
    assert!(told.starts_with("column recordings.team "), "{told}");
    assert_imported(&db.authenticated(ALICE).import_own(&record("x")));
}

#[test]
fn a_column_that_a_trigger_of_the_applications_fills_is_not_named() {
    let db = Database::new();
    let mut owner = db.table_owner();
    owner.run(
        "ALTER TABLE recordings ALTER summary SET NOT NULL;
         CREATE FUNCTION sum_up() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN NEW.summary := COALESCE(NEW.summary, 'to come'); RETURN NEW; END $$;
         CREATE TRIGGER sum_up BEFORE INSERT ON recordings FOR EACH ROW EXECUTE FUNCTION sum_up();
         SELECT connector_pipeline.bootstrap()",
    );
    assert_imported(&db.authenticated(ALICE).import_own(&record("x")));
    assert_eq!(owner.value::<String>("SELECT summary FROM recordings", &[]), "to come");
}

/// What the pipeline writes into these columns is not the application's to choose; where a default is no way out, that is
/// told before anything is imported.
#[test]
#[ignore = "not built yet"]
fn a_check_that_refuses_what_the_pipeline_writes_is_named() {
    let cases = [
        (
            "ALTER TABLE sync_jobs ALTER type SET DEFAULT 'unknown', ADD CONSTRAINT ours CHECK (type IN ('manual', 'auto'))",
            "column sync_jobs.type",
        ),
        (
            "ALTER TABLE sync_jobs ALTER type DROP DEFAULT, ADD CONSTRAINT ours CHECK (type = 'manual')",
            "column sync_jobs.type",
        ),
        (
            "ALTER TABLE sync_jobs DROP CONSTRAINT sync_jobs_status_check,
                 ADD CONSTRAINT ours CHECK (status IN ('pending', 'running', 'done'))",
            "column sync_jobs.status",
        ),
        (
            "ALTER TABLE sync_jobs DROP CONSTRAINT sync_jobs_status_check,
                 ADD CONSTRAINT ours CHECK (status IN ('pending', 'processing', 'completed', 'failed'))",
            "column sync_jobs.status",
        ),
        (
            "ALTER TABLE sync_jobs DROP CONSTRAINT sync_jobs_status_check, ALTER status TYPE varchar(12)",
            "column sync_jobs.status",
        ),
        (
            "CREATE DOMAIN job_type AS text CHECK (VALUE IN ('manual', 'auto'));
             ALTER TABLE sync_jobs ALTER type DROP DEFAULT, ALTER type TYPE job_type",
            "column sync_jobs.type",
        ),
    ];
    for (change, column) in cases {
        let db = Database::new();
        let mut owner = db.table_owner();
        owner.run(change);
        let error = owner.error("SELECT connector_pipeline.bootstrap()", &[]);
        assert_eq!(error.code().code(), "55000", "{change}: {error:?}");
        let told = error.detail().unwrap();
        assert!(told.starts_with(column) && told.lines().count() == 1, "{change}: {error:?}");
        run_each(&mut owner, remedy(error.hint().unwrap()));
        owner.run("SELECT connector_pipeline.bootstrap()");
        let mut alice = db.authenticated(ALICE);
        let finished: serde_json::Value = alice.value(
            "SELECT finish_sync_job(job) FROM (SELECT start_sync_job('fathom') AS job OFFSET 0) AS started",
            &[],
        );
        assert_eq!(finished["status"], "completed", "{change}");
    }
}
