//! Whose jobs backfill() ends: those of its own that are over, at once, and nobody else's.
//!
//! The kind: a row of a table that the application uses too, taken for ours by what it looks like.

use std::thread;

use serde_json::Value;

use crate::support::*;

fn call(query: &str) -> String {
    format!("CALL connector_pipeline.backfill($q${query}$q$, '{ALICE}', 10)")
}

/// Good records, and what comes of the last one.
fn query(last: &str) -> String {
    let record = record("@").to_string().replace("\"@\"", "' || n || '");
    format!("SELECT CASE WHEN n = 25 THEN {last} ELSE ('{record}')::jsonb END FROM generate_series(1, 30) AS n")
}

/// A query whose 25th row takes so many seconds; it counts its rows, and shows the first, without waiting.
fn slow_query(owner: &mut Session, seconds: u32) -> String {
    owner.run(
        "CREATE OR REPLACE FUNCTION sleep(seconds integer) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE AS
             $$ BEGIN PERFORM pg_sleep(seconds); RETURN to_jsonb(seconds); END $$",
    );
    query(&format!("sleep(n - n + {seconds})"))
}

fn newest_job(session: &mut Session) -> Value {
    session.value("SELECT to_jsonb(j) FROM sync_jobs AS j ORDER BY created_at DESC LIMIT 1", &[])
}

#[test]
fn jobs_of_the_applications_own_stay_as_they_are() {
    let db = Database::new();
    let mut owner = db.table_owner();
    let theirs = [
        ("backfill", json!({})),
        ("backfill", json!({"pid": 0})),
        ("backfill", json!({"pid": 999999999, "started": "2026-01-01", "total": 5, "done": 1, "job": null})),
        ("backfill", json!({"pid": null})),
        ("backfill", json!([1])),
        ("sync", json!({"pid": 0})),
    ];
    let job = "INSERT INTO sync_jobs (user_id, type, status, metadata) VALUES ($1, $2, 'processing', $3)";
    theirs.iter().for_each(|(kind, metadata)| _ = owner.query(job, &[&BOB, kind, metadata]));
    for query in ["SELECT to_jsonb(1)", "SELECT to_jsonb(1) WHERE false"] {
        owner.run(&call(query));
    }
    let untouched =
        "sync_jobs WHERE user_id = '00000000-0000-0000-0000-000000000b0b' AND status = 'processing' AND error IS NULL";
    assert_eq!(owner.count(untouched), theirs.len() as i64);
}

#[test]
fn a_backfill_that_fails_says_so_in_its_job_at_once() {
    let cases = [
        ("a query that fails in the middle", query("to_jsonb(1 / (n - 25))"), "22012"),
        (
            "a query that fails as it is asked for the first row",
            query("to_jsonb(1 / (n - n))").replace("n = 25", "n > 0 AND n < 31"),
            "22012",
        ),
    ];
    for (what, query, code) in cases {
        let db = Database::new();
        let mut owner = db.table_owner();
        // Counting takes no look at the rows.
        let error = owner.client.batch_execute(&call(&query)).expect_err(what);
        let error = error.as_db_error().unwrap_or_else(|| panic!("{what}: {error}")).clone();
        assert_eq!(error.code().code(), code, "{what}: {error:?}");
        if db.superuser().count("sync_jobs") == 1 {
            let job = newest_job(&mut db.superuser());
            assert_eq!(job["status"], "failed", "{what}: {job}");
            assert!(job["completed_at"].is_string(), "{what}: {job}");
        }
    }
}

/// What an import raises to its caller ends the backfill, with its own code, and the job says what it was.
#[test]
fn a_backfill_that_a_chunk_ends_says_so_at_once_and_raises_what_it_was() {
    for code in ["40001", "53400", "55P03", "XX000"] {
        let db = Database::new();
        let mut owner = db.table_owner();
        owner.run(&format!(
            "CREATE FUNCTION give_up() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 RAISE EXCEPTION 'enough' USING ERRCODE = '{code}', DETAIL = 'of it', HINT = 'Rest.';
             END $$;
             CREATE TRIGGER give_up BEFORE INSERT ON recordings FOR EACH ROW
                 WHEN (NEW.source_metadata ->> 'external_id' = '25') EXECUTE FUNCTION give_up()"
        ));
        let error = owner.error(
            &call(&query(
                "jsonb_build_object('external_id', 25, 'source_app', 'fathom', 'title', '',
            'full_transcript', '', 'recording_start_time', '2026-01-31T09:30:00Z')",
            )),
            &[],
        );
        assert_eq!(error.code().code(), code, "{error:?}");
        assert_eq!((error.message(), error.detail(), error.hint()), ("enough", Some("of it"), Some("Rest.")));
        // The session is still there.
        let job = newest_job(&mut db.superuser());
        assert_eq!((&job["status"], &job["progress_current"]), (&json!("failed"), &json!(20)), "{job}");
        assert!(job["error"].as_str().unwrap().contains("enough"), "{job}");
        assert_eq!(owner.count("recordings"), 20);
        // Run again it goes on, in a job of its own.
        owner.run("DROP TRIGGER give_up ON recordings");
        owner.run(&call(&query("to_jsonb(n)")));
        assert_eq!(owner.count("recordings"), 29);
        assert_eq!(
            owner.column::<String>("SELECT status FROM sync_jobs ORDER BY created_at", &[]),
            ["failed", "completed_with_errors"]
        );
    }
}

#[test]
fn a_backfill_that_is_cancelled_or_timed_out_says_so_at_once() {
    let db = Database::new();
    let mut owner = db.table_owner();
    let slow = slow_query(&mut owner, 20);
    owner.run("SET statement_timeout = '1s'");
    let error = owner.client.batch_execute(&call(&slow)).expect_err("it takes too long");
    assert_eq!(error.code().map(|code| code.code()), Some("57014"), "{error:?}");
    owner.run("SET statement_timeout = 0");
    let job = newest_job(&mut owner);
    assert_eq!(job["status"], "failed", "{job}");
    assert!(job["error"].as_str().unwrap().contains("statement timeout"), "{job}");

    let pid: i32 = owner.value("SELECT pg_backend_pid()", &[]);
    let slow = call(&slow);
    let (error, mut owner) = thread::scope(|scope| {
        let running = scope.spawn(move || (owner.client.batch_execute(&slow), owner));
        let mut watcher = db.superuser();
        while !watcher.value::<bool>(
            "SELECT COALESCE(wait_event = 'PgSleep', false) FROM pg_stat_activity WHERE pid = $1",
            &[&pid],
        ) {
            thread::yield_now();
        }
        watcher.query("SELECT pg_cancel_backend($1)", &[&pid]);
        let (said, owner) = running.join().unwrap();
        (said.expect_err("it was cancelled"), owner)
    });
    assert_eq!(error.code().map(|code| code.code()), Some("57014"), "{error:?}");
    let job = newest_job(&mut owner);
    assert_eq!(job["status"], "failed", "{job}");
}

#[test]
fn an_error_at_commit_leaves_a_job_that_the_next_backfill_of_any_session_ends() {
    let db = Database::new();
    let mut owner = db.table_owner();
    owner.run(
        "CREATE FUNCTION give_up() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN RAISE EXCEPTION 'not in the end'; END $$;
         CREATE CONSTRAINT TRIGGER give_up AFTER INSERT ON recordings DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
             WHEN (NEW.source_metadata ->> 'external_id' = '15') EXECUTE FUNCTION give_up()",
    );
    let error = owner.error(&call(&query("to_jsonb(n)")), &[]);
    assert_eq!(error.message(), "not in the end");
    assert_eq!(newest_job(&mut owner)["status"], "failed");
    assert_eq!(owner.count("recordings"), 10);
}

/// Its own session goes on: what counts is that the backfill is over.
#[test]
fn a_run_that_was_killed_is_ended_by_the_next_and_one_that_runs_is_not() {
    let db = Database::new();
    let mut owner = db.table_owner();
    let mut running = db.table_owner();
    let pid: i32 = running.value("SELECT pg_backend_pid()", &[]);
    let slow = call(&slow_query(&mut owner, 60));
    thread::scope(|scope| {
        let backfill = scope.spawn(move || running.client.batch_execute(&slow));
        let mut watcher = db.superuser();
        while !watcher.value::<bool>(
            "SELECT COALESCE(wait_event = 'PgSleep', false) FROM pg_stat_activity WHERE pid = $1",
            &[&pid],
        ) {
            thread::yield_now();
        }
        // One that runs at the same time, as another user of the database sees it.
        owner.run(&call("SELECT to_jsonb(1)"));
        assert_eq!(owner.count("sync_jobs WHERE status = 'processing'"), 1);
        watcher.query("SELECT pg_terminate_backend($1, 10000)", &[&pid]);
        backfill.join().unwrap().expect_err("it was killed");
    });
    owner.run(&call("SELECT to_jsonb(1)"));
    assert_eq!(owner.count("sync_jobs WHERE status = 'processing'"), 0);
    let ended = "SELECT error FROM sync_jobs WHERE status = 'failed'";
    assert_eq!(owner.column::<String>(ended, &[]), ["stopped"]);
}
