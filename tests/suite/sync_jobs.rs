//! Tests sync jobs, kept failures, and their retry.

use std::collections::BTreeSet;
use std::thread;

use serde_json::Value;

use crate::support::*;

fn start_job(session: &mut Session) -> Uuid {
    session.value("SELECT start_sync_job('fathom', ARRAY['1', '2', '3'])", &[])
}

fn batch(session: &mut Session, records: Vec<Value>, job: Uuid) -> Value {
    session.value("SELECT run_pipeline_batch($1, NULL, $2)", &[&Value::from(records), &job])
}

#[test]
fn finish_sync_job_returns_counts_with_a_message_and_closes_the_job() {
    let db = Database::new();
    let mut alice = db.authenticated(ALICE);
    for n in 0..3 {
        alice.import_own(&record(n));
    }
    let job = start_job(&mut alice);
    let opened: Value = alice.value("SELECT to_jsonb(j) FROM sync_jobs AS j", &[]);
    assert_eq!((&opened["status"], &opened["progress_total"]), (&json!("processing"), &json!(3)));
    batch(&mut alice, (0..6).map(record).collect(), job);
    batch(&mut alice, (6..11).map(record).chain([json!({"external_id": "bad"})]).collect(), job);
    let finished: Value = alice.value("SELECT finish_sync_job($1)", &[&job]);
    let expected = json!({"status": "completed_with_errors", "imported": 8, "skipped": 3, "failed": 1,
        "message": "8 new, 3 skipped, 1 failed"});
    assert_eq!(finished, expected);
    let closed: Value = alice.value("SELECT to_jsonb(j) FROM sync_jobs AS j", &[]);
    assert_eq!(closed["status"], "completed_with_errors");
    assert_eq!((&closed["progress_current"], &closed["skipped_count"]), (&json!(12), &json!(3)));
    assert_eq!(closed["failed_ids"], json!(["bad"]));
    assert_eq!(closed["synced_ids"].as_array().unwrap().len(), 8);
    assert!(closed["completed_at"].is_string());
    let source: Value = alice.value("SELECT to_jsonb(s) FROM import_sources AS s", &[]);
    assert!(source["last_sync_at"].is_string());
    assert_eq!(source["error_message"], "8 new, 3 skipped, 1 failed");
}

#[test]
fn a_sync_job_finished_with_an_error_is_failed_and_the_next_completed_job_clears_the_error() {
    let db = Database::new();
    let mut alice = db.authenticated(ALICE);
    let job = start_job(&mut alice);
    let finished: Value = alice.value("SELECT finish_sync_job($1, 'vendor is down')", &[&job]);
    assert_eq!(finished["status"], "failed");
    let message = "SELECT error_message FROM import_sources";
    assert_eq!(alice.value::<Option<String>>(message, &[]).as_deref(), Some("vendor is down"));
    let job = start_job(&mut alice);
    batch(&mut alice, vec![record(1)], job);
    let finished: Value = alice.value("SELECT finish_sync_job($1)", &[&job]);
    assert_eq!(finished["status"], "completed");
    assert_eq!(alice.value::<Option<String>>(message, &[]), None);
    assert_eq!(alice.count("import_sources"), 1);
}

#[test]
fn a_sync_job_that_is_unknown_or_anothers_raises_an_error_before_anything_is_imported() {
    let db = Database::new();
    let alices = start_job(&mut db.authenticated(ALICE));
    let mut bob = db.authenticated(BOB);
    let call = "SELECT run_pipeline_batch($1, NULL, $2)";
    for job in [alices, Uuid::from_u128(7)] {
        assert_eq!(bob.sqlstate(call, &[&Value::from(vec![record(1)]), &job]), "22023");
        assert_eq!(bob.sqlstate("SELECT finish_sync_job($1)", &[&job]), "22023");
    }
    assert_eq!(bob.sqlstate("SELECT finish_sync_job(NULL)", &[]), "22023");
    assert_eq!(bob.sqlstate("SELECT start_sync_job('zoom', NULL, $1)", &[&ALICE]), "42501");
    assert_eq!(bob.sqlstate("SELECT start_sync_job(NULL)", &[]), "22004");
    assert_eq!(bob.sqlstate("SELECT start_sync_job(E'\\t')", &[]), "22023");
    assert_eq!(db.service_role().sqlstate("SELECT start_sync_job('zoom')", &[]), "22023");
    let mut owner = db.table_owner();
    assert_eq!((owner.count("recordings"), owner.count("sync_jobs")), (0, 1));
}

#[test]
fn concurrent_batches_of_one_sync_job_lose_no_count() {
    let db = Database::new();
    let job = start_job(&mut db.authenticated(ALICE));
    thread::scope(|scope| {
        for number in 0..8 {
            let db = &db;
            scope.spawn(move || {
                let mut alice = db.authenticated(ALICE);
                for round in 0..10 {
                    let keys = (0..20).map(|n| record(n * 7 % 50 + round * 20 + number));
                    batch(&mut alice, keys.chain([json!({"external_id": format!("bad{number}")})]).collect(), job);
                }
            });
        }
    });
    let mut owner = db.table_owner();
    let row =
        owner.query("SELECT progress_current, skipped_count, synced_ids, failed_ids FROM sync_jobs", &[]).remove(0);
    let (synced, failed): (Vec<String>, Vec<String>) = (row.get(2), row.get(3));
    assert_eq!(row.get::<_, i32>(0), 8 * 10 * 21);
    assert_eq!(failed.len(), 80);
    assert_eq!(row.get::<_, i32>(1) as usize + synced.len(), 8 * 10 * 20);
    let imported: Vec<String> = owner.column("SELECT source_metadata ->> 'external_id' FROM recordings", &[]);
    assert_eq!(synced.iter().collect::<BTreeSet<_>>(), imported.iter().collect());
    assert_eq!(synced.len(), imported.len());
}

#[test]
fn a_failure_is_kept_once_per_key_with_its_attempts_and_visible_to_its_owner_only() {
    let db = Database::new();
    let mut alice = db.authenticated(ALICE);
    let broken = vec![
        record_with("a", json!({"duration": -1})),
        record_with("a", json!({"duration": -2})),
        json!({"no": "key"}),
        json!(17),
        record_with("theirs", json!({"owner_user_id": BOB})),
    ];
    let call = "SELECT run_pipeline_batch($1)";
    for attempts in 1..=3 {
        alice.query(call, &[&Value::from(broken.clone())]);
        let kept: Vec<i32> = alice.column("SELECT attempts FROM import_failures", &[]);
        assert_eq!(kept, [attempts; 4]);
    }
    let kept = "SELECT to_jsonb(f) FROM import_failures AS f WHERE external_id = 'a'";
    let kept: Value = alice.value(kept, &[]);
    assert_eq!(kept["record"], broken[1]);
    assert_eq!((&kept["code"], &kept["source_app"]), (&json!("22023"), &json!("fathom")));
    assert!(kept["error"].as_str().unwrap().contains("duration"));
    assert_eq!(db.authenticated(BOB).count("import_failures"), 0);
}

#[test]
fn failures_of_owners_who_do_not_exist_are_kept_and_retried_when_the_user_exists() {
    let db = Database::new();
    let [late, never] = [66, 67].map(Uuid::from_u128);
    let of = |owner: Uuid| record_with("x", json!({"owner_user_id": owner}));
    let records = Value::from(vec![of(late), of(never), record_with("y", json!({"duration": -1}))]);
    let mut service = db.service_role();
    let result: Value = service.value("SELECT run_pipeline_batch($1)", &[&records]);
    assert_failed(&result["results"][0], "23503", "does not exist");
    assert_eq!(service.column::<i32>("SELECT attempts FROM import_failures WHERE user_id IS NULL", &[]), [1, 1, 1]);
    db.superuser().query("INSERT INTO auth.users (id) VALUES ($1)", &[&late]);
    let retried: Value = service.value("SELECT retry_failed_imports(NULL, $1)", &[&late]);
    assert_eq!((&retried["total"], &retried["imported"]), (&json!(1), &json!(1)));
    assert_eq!(service.count("import_failures"), 2);
}

#[test]
fn failures_whose_keys_join_to_the_same_text_are_kept_separately() {
    let db = Database::new();
    let mut alice = db.authenticated(ALICE);
    let of = |source: &str, id: &str| record_with(id, json!({"source_app": source, "duration": -1}));
    alice.query("SELECT run_pipeline_batch($1)", &[&Value::from(vec![of("a", "b c"), of("a b", "c")])]);
    assert_eq!(alice.column::<i32>("SELECT attempts FROM import_failures", &[]), [1, 1]);
}

#[test]
fn a_failure_of_a_users_own_batch_is_retried_for_the_same_owner_by_the_service_role() {
    let db = Database::new();
    let mut owner = db.table_owner();
    owner.run("ALTER TABLE recordings ADD CONSTRAINT polite CHECK (title <> 'rude')");
    let rude = Value::from(vec![record_with("x", json!({"title": "rude"}))]);
    db.authenticated(ALICE).query("SELECT run_pipeline_batch($1)", &[&rude]);
    owner.run("ALTER TABLE recordings DROP CONSTRAINT polite");
    let retried: Value = db.service_role().value("SELECT retry_failed_imports(NULL, $1)", &[&ALICE]);
    assert_eq!(retried["imported"], 1, "{retried}");
    assert_eq!(owner.column::<Uuid>("SELECT owner_user_id FROM recordings", &[]), [ALICE]);
    assert_eq!(owner.count("import_failures"), 0);
}

#[test]
fn a_failed_record_for_another_owner_fails_again_whoever_retries_it() {
    let db = Database::new();
    let mut alice = db.authenticated(ALICE);
    let batch = "SELECT run_pipeline_batch($1, $2)";
    alice.query(batch, &[&Value::from(vec![record("x")]), &BOB]);
    let retried: Value = alice.value("SELECT retry_failed_imports()", &[]);
    assert_failed(&retried["results"][0], "42501", "own user only");
    // The service role must not import for Alice a record that Alice may not import.
    let retried: Value = db.service_role().value("SELECT retry_failed_imports(NULL, $1)", &[&ALICE]);
    assert_failed(&retried["results"][0], "42501", "own user only");
    let mut owner = db.table_owner();
    assert_eq!(owner.count("recordings"), 0);
    assert_eq!(owner.column::<Uuid>("SELECT owner_user_id FROM import_failures", &[]), [BOB]);
}

#[test]
fn concurrent_batches_that_keep_failures_of_the_same_keys_do_not_deadlock() {
    let db = Database::new();
    let stranger = Uuid::from_u128(99);
    thread::scope(|scope| {
        for number in 0..6 {
            let db = &db;
            scope.spawn(move || {
                let mut service = db.service_role();
                for round in 0..20 {
                    // Uses either order; the owner who does not exist forces failures to be kept one by one.
                    let key = |n: usize| if (number + round) % 2 == 0 { n } else { 39 - n };
                    let bad = (0..40).map(|n| record_with(key(n), json!({"duration": -1, "owner_user_id": ALICE})));
                    let records: Vec<Value> =
                        bad.chain([record_with("x", json!({"owner_user_id": stranger}))]).collect();
                    service.query("SELECT run_pipeline_batch($1)", &[&Value::from(records)]);
                }
            });
        }
    });
    let mut owner = db.table_owner();
    assert_eq!(owner.column::<i32>("SELECT DISTINCT attempts FROM import_failures", &[]), [120]);
    assert_eq!(owner.count("import_failures"), 41);
}

#[test]
fn a_failure_that_a_trigger_refuses_is_not_kept_without_a_user_instead() {
    let db = Database::new();
    let mut owner = db.table_owner();
    owner.run(&raising_trigger("import_failures", "BEFORE", "P0001"));
    let result: Value = db.authenticated(ALICE).value("SELECT run_pipeline_batch('[{}]')", &[]);
    assert_eq!(result["failed"], 1);
    assert_eq!(owner.count("import_failures"), 0);
}

#[test]
fn a_retry_imports_the_kept_records_and_removes_those_that_succeed() {
    let db = Database::new();
    let mut owner = db.table_owner();
    let mut alice = db.authenticated(ALICE);
    owner.run("ALTER TABLE recordings ADD CONSTRAINT polite CHECK (title <> 'rude')");
    let rude = |id: &str| record_with(id, json!({"title": "rude"}));
    let records = vec![rude("a"), rude("b"), json!({"external_id": "c"}), record("fine")];
    alice.query("SELECT run_pipeline_batch($1)", &[&Value::from(records)]);
    assert_eq!(alice.count("import_failures"), 3);
    owner.run("ALTER TABLE recordings DROP CONSTRAINT polite");

    let other_source: Value = alice.value("SELECT retry_failed_imports('zoom')", &[]);
    assert_eq!(other_source["total"], 0);
    let first: Value = alice.value("SELECT retry_failed_imports(NULL, NULL, 1)", &[]);
    assert_eq!((&first["total"], &first["imported"]), (&json!(1), &json!(1)));
    let rest: Value = alice.value("SELECT retry_failed_imports()", &[]);
    assert_eq!((&rest["imported"], &rest["failed"]), (&json!(1), &json!(1)));
    let left = alice.query("SELECT external_id, attempts FROM import_failures", &[]);
    assert_eq!((left.len(), left[0].get::<_, String>(0), left[0].get::<_, i32>(1)), (1, "c".to_owned(), 2));
    assert_eq!(alice.count("recordings"), 3);

    assert_eq!(alice.sqlstate("SELECT retry_failed_imports(NULL, NULL, 0)", &[]), "22023");
    assert_eq!(alice.sqlstate("SELECT retry_failed_imports(NULL, NULL, NULL)", &[]), "22004");
    assert_eq!(db.service_role().sqlstate("SELECT retry_failed_imports()", &[]), "22023");
    let others: Value = db.authenticated(BOB).value("SELECT retry_failed_imports(NULL, $1)", &[&ALICE]);
    assert_eq!(others["total"], 0);
}

#[test]
fn a_failure_stored_under_another_key_gets_its_records_key_at_a_retry_and_stays_one_row() {
    let db = Database::new();
    let mut alice = db.authenticated(ALICE);
    let bad = record_with("record's", json!({"source_app": "zoom", "duration": -1}));
    alice.query(
        "INSERT INTO import_failures (user_id, owner_user_id, source_app, external_id, record, error, code)
         VALUES ($1, $1, 'fathom', 'row''s', $2, '', '22023')",
        &[&ALICE, &bad],
    );
    for attempts in 1..=3 {
        let result: Value = alice.value("SELECT retry_failed_imports()", &[]);
        assert_eq!((&result["total"], &result["failed"]), (&json!(1), &json!(1)), "{result}");
        let kept = "SELECT jsonb_build_array(source_app, external_id, attempts) FROM import_failures";
        assert_eq!(alice.column::<Value>(kept, &[]), [json!(["zoom", "record's", attempts])]);
    }
}

#[test]
fn a_failure_without_a_complete_key_stays_one_row_after_each_retry() {
    let db = Database::new();
    let mut alice = db.authenticated(ALICE);
    for (source_app, external_id) in [(Some("fathom"), None), (None, Some("x")), (None, None)] {
        alice.query(
            "INSERT INTO import_failures (user_id, owner_user_id, source_app, external_id, record, error, code)
             VALUES ($1, $1, $2, $3, $4, '', '22023')",
            &[&ALICE, &source_app, &external_id, &json!({"title": format!("{source_app:?} {external_id:?}")})],
        );
    }
    for attempts in 2..=4 {
        alice.query("SELECT retry_failed_imports()", &[]);
        assert_eq!(alice.column::<i32>("SELECT attempts FROM import_failures", &[]), [attempts; 3]);
    }
}

#[test]
fn a_failure_whose_record_was_imported_by_another_call_is_removed_by_the_next_retry() {
    let db = Database::new();
    let mut alice = db.authenticated(ALICE);
    let bad = json!([record_with("x", json!({"title": 7}))]);
    let result: Value = alice.value("SELECT run_pipeline_batch($1)", &[&bad]);
    assert_eq!(result["failed"], 1);
    let imported = alice.import_own(&record("x"));
    assert_imported(&imported);
    let result: Value = alice.value("SELECT retry_failed_imports()", &[]);
    assert_eq!([&result["skipped"], &result["failed"]], [1, 0], "{result}");
    assert_eq!(result["results"][0]["recordingId"], imported["recordingId"]);
    assert_eq!(alice.count("import_failures"), 0);
}

#[test]
fn a_failure_that_can_not_be_kept_has_a_warning_in_its_result() {
    let db = Database::new();
    db.table_owner().run("REVOKE INSERT ON import_failures FROM authenticated");
    let batch = json!([record("good"), record_with("bad", json!({"title": 7}))]);
    let result: Value = db.authenticated(ALICE).value("SELECT run_pipeline_batch($1)", &[&batch]);
    assert_eq!(result["results"][0]["warning"], Value::Null, "{result}");
    let warning = result["results"][1]["warning"].as_str().unwrap_or_else(|| panic!("no warning: {result}"));
    assert!(warning.contains("could not be kept") && warning.contains("import_failures"), "{result}");
}
