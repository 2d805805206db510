//! A row that is not there is not reported as written.
//!
//! The kind: a statement that writes, and nobody looks at whether its rows are there afterwards. A trigger may drop a row
//! (BEFORE … RETURN NULL), delete it (AFTER), or keep its old values; a rule may do nothing instead. Cases: recordings,
//! vault_entries, import_failures (kept, counted, removed), sync_jobs (started, added to, finished, of a backfill),
//! import_sources, and the four tables of a personal bank.

use super::*;

const DROP: &str = "RETURN NULL;";

/// A trigger on a table after an insert that deletes the row.
fn delete_from(table: &str, condition: &str) -> String {
    format!("DELETE FROM {table} WHERE {condition}; RETURN NULL;")
}

/// Triggers and rules that keep a job's row as it was.
const KEPT_JOBS: [(&str, &str); 3] = [
    ("BEFORE UPDATE ON sync_jobs", "RETURN NULL;"),
    ("BEFORE UPDATE ON sync_jobs", "RETURN OLD;"),
    (
        "AFTER UPDATE ON sync_jobs",
        "IF NEW <> OLD AND pg_trigger_depth() = 1 THEN
         UPDATE sync_jobs SET status = OLD.status, progress_current = OLD.progress_current WHERE id = NEW.id;
     END IF; RETURN NULL;",
    ),
];

#[test]
fn a_job_that_stays_as_it_was_is_not_finished() {
    for (when, body) in KEPT_JOBS {
        let db = Database::new();
        let mut owner = db.table_owner();
        let mut alice = db.authenticated(ALICE);
        let job: Uuid = alice.value("SELECT start_sync_job('fathom')", &[]);
        trigger(&mut owner, when, body);
        for error in [None, Some("vendor is down")] {
            let error = alice.error("SELECT finish_sync_job($1, $2)", &[&job, &error]);
            assert_eq!(error.code().code(), "09000", "{when} {body}: {error:?}");
            assert!(error.message().contains(&job.to_string()), "{error:?}");
            assert!(error.hint().unwrap_or_default().contains("sync_jobs"), "{error:?}");
        }
        assert_eq!(owner.column::<String>("SELECT status FROM sync_jobs", &[]), ["processing"], "{when}");
        assert_eq!(owner.count("import_sources"), 0, "{when}");
    }
}

#[test]
fn a_rule_that_keeps_a_job_as_it_was_is_noticed() {
    let db = Database::new();
    let mut owner = db.table_owner();
    let job: Uuid = owner.value("SELECT start_sync_job('fathom', NULL, $1)", &[&ALICE]);
    owner.run("CREATE RULE never AS ON UPDATE TO sync_jobs DO INSTEAD NOTHING");
    assert_eq!(owner.sqlstate("SELECT finish_sync_job($1)", &[&job]), "09000");
}

#[test]
fn a_job_that_a_trigger_renames_the_status_of_is_finished_all_the_same() {
    let db = Database::new();
    let mut owner = db.table_owner();
    owner.run("ALTER TABLE sync_jobs DROP CONSTRAINT sync_jobs_status_check");
    let mut alice = db.authenticated(ALICE);
    let job: Uuid = alice.value("SELECT start_sync_job('fathom')", &[]);
    trigger(&mut owner, "BEFORE UPDATE ON sync_jobs", "NEW.status := 'done'; RETURN NEW;");
    let finished: Value = alice.value("SELECT finish_sync_job($1)", &[&job]);
    assert_eq!(finished["status"], "completed");
}

#[test]
fn a_job_that_is_not_there_after_it_was_started_is_an_error() {
    for (when, body) in [
        ("BEFORE INSERT ON sync_jobs", DROP.to_owned()),
        ("AFTER INSERT ON sync_jobs", delete_from("sync_jobs", "id = NEW.id")),
    ] {
        let db = Database::new();
        trigger(&mut db.table_owner(), when, &body);
        let error = db.authenticated(ALICE).error("SELECT start_sync_job('fathom')", &[]);
        assert_eq!(error.code().code(), "09000", "{when}: {error:?}");
        assert!(error.hint().unwrap_or_default().contains("sync_jobs"), "{error:?}");
    }
}

#[test]
fn a_source_that_is_not_stamped_is_an_error() {
    let db = Database::new();
    let mut owner = db.table_owner();
    let mut alice = db.authenticated(ALICE);
    let finish = |alice: &mut Session| {
        let job: Uuid = alice.value("SELECT start_sync_job('fathom')", &[]);
        alice.error("SELECT finish_sync_job($1)", &[&job])
    };
    trigger(&mut owner, "BEFORE INSERT ON import_sources", DROP);
    let error = finish(&mut alice);
    assert_eq!(error.code().code(), "09000", "{error:?}");
    assert!(error.hint().unwrap_or_default().contains("import_sources"), "{error:?}");
    owner.run("DROP TRIGGER act ON import_sources");
    owner.query("INSERT INTO import_sources (user_id, source_app) VALUES ($1, 'fathom')", &[&ALICE]);
    trigger(&mut owner, "BEFORE UPDATE ON import_sources", DROP);
    assert_eq!(finish(&mut alice).code().code(), "09000");
}

#[test]
fn a_backfill_whose_job_is_not_kept_is_an_error() {
    for (when, body, imported) in [
        ("BEFORE INSERT ON sync_jobs", DROP, 0),
        ("BEFORE UPDATE ON sync_jobs", DROP, 0),
        // The chunks are committed by then.
        ("BEFORE UPDATE ON sync_jobs", "IF NEW.status = 'completed' THEN RETURN NULL; END IF; RETURN NEW;", 2),
    ] {
        let db = Database::new();
        let mut owner = db.table_owner();
        trigger(&mut owner, when, body);
        let [a, b] = ["a", "b"].map(record);
        let call =
            format!("CALL connector_pipeline.backfill($q$ VALUES ('{a}'::jsonb), ('{b}'::jsonb) $q$, '{ALICE}', 1)");
        let error = owner.error(&call, &[]);
        assert_eq!(error.code().code(), "09000", "{when} {body}: {error:?}");
        assert!(error.hint().unwrap_or_default().contains("sync_jobs"), "{error:?}");
        assert_eq!(owner.count("recordings"), imported, "{when} {body}");
    }
}
