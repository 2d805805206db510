//! Every failed record is kept, beside the others, as it was.
//!
//! The kinds: two failures with one key in import_failures (a hash that does not tell records apart; one keeper for two; a
//! function that the server may lack), a retry that writes what it has read before, and locks taken in two orders.

use std::thread;

use super::*;

const KEPT: &str = "SELECT record FROM import_failures ORDER BY record::text";

#[test]
#[ignore = "not built yet"]
fn records_without_a_key_that_differ_in_nesting_alone_are_kept_each() {
    for pair in [
        [json!([[1], 2]), json!([[1, 2]])],
        [json!({"title": [[1], 2]}), json!({"title": [[1, 2]]})],
        [json!({"a": {"b": 1}, "c": 2}), json!({"a": {"b": 1, "c": 2}})],
        [json!([[], 1]), json!([1, []])],
        [json!({"external_id": "half a key", "a": [[], []]}), json!({"external_id": "half a key", "a": [[[]]]})],
        [json!("6 fathom x"), json!({"external_id": "x", "source_app": "fathom"})],
        [json!(1), json!("1")],
        [json!(null), json!("null")],
    ] {
        let db = Database::new();
        for (who, mut session) in importers(&db, ALICE) {
            let result = batch(&mut session, pair.to_vec(), ALICE);
            assert_eq!(result["failed"], 2, "by {who}: {result}");
            assert_eq!(db.table_owner().count("import_failures"), 2, "by {who}: {pair:?}");
        }
        let attempts = "SELECT attempts FROM import_failures";
        assert_eq!(db.table_owner().column::<i32>(attempts, &[]), [3, 3], "{pair:?}");
        let retried: Value = db.authenticated(ALICE).value("SELECT retry_failed_imports()", &[]);
        assert_eq!(retried["failed"], 2, "{retried}");
        assert_eq!(db.table_owner().column::<i32>(attempts, &[]), [4, 4], "{pair:?}");
    }
}

#[test]
#[ignore = "not built yet"]
fn of_many_records_without_a_key_each_is_kept_once() {
    let db = Database::new();
    let mut alice = db.authenticated(ALICE);
    // All ways to nest five empty arrays in one another, or side by side.
    let mut trees: Vec<Vec<String>> = vec![vec![String::new()]];
    for size in 1..=6 {
        let mut of_size = Vec::new();
        for first in 0..size {
            for inner in &trees[first] {
                for rest in &trees[size - 1 - first] {
                    let comma = if rest.is_empty() { "" } else { "," };
                    of_size.push(format!("[{inner}]{comma}{rest}"));
                }
            }
        }
        trees.push(of_size);
    }
    let records: Vec<Value> = trees[6].iter().map(|tree| serde_json::from_str(&format!("[{tree}]")).unwrap()).collect();
    for _ in 0..2 {
        let result: Value = alice.value("SELECT run_pipeline_batch($1)", &[&json!(records)]);
        assert_eq!(result["failed"], records.len());
        assert_eq!(alice.count("import_failures"), records.len() as i64);
    }
}

/// Servers under FIPS have no md5: it raises an internal error there, which ends the whole batch.
#[test]
#[ignore = "not built yet"]
fn nothing_of_ours_uses_md5() {
    let db = Database::new();
    let users: Vec<String> = db.superuser().column(
        "SELECT oid::regprocedure::text FROM pg_proc WHERE oid >= 16384 AND prosrc ~* 'md5'
         UNION ALL
         SELECT format('%s of %s', adnum, adrelid::regclass) FROM pg_attrdef WHERE pg_get_expr(adbin, adrelid) ~* 'md5'
         UNION ALL
         SELECT indexrelid::regclass::text FROM pg_index WHERE indexrelid >= 16384 AND pg_get_indexdef(indexrelid) ~* 'md5'",
        &[],
    );
    assert_eq!(users, Vec::<String>::new());
}

#[test]
#[ignore = "not built yet"]
fn bootstrap_moves_kept_failures_of_an_earlier_version_to_the_new_key() {
    let db = Database::new();
    let mut owner = db.table_owner();
    let records = [json!([[1], 2]), json!({"no": "key"}), record_with("x", json!({"duration": -1}))];
    batch(&mut db.authenticated(ALICE), records.to_vec(), ALICE);
    let key = "SELECT array_agg(record_key ORDER BY record::text) FROM import_failures";
    let fresh: Vec<Uuid> = owner.value(key, &[]);
    owner.run(
        "ALTER TABLE import_failures DROP COLUMN record_key;
         ALTER TABLE import_failures ADD COLUMN record_key uuid NOT NULL GENERATED ALWAYS AS (
             md5(
                 COALESCE(owner_user_id::text, '') || ' '
                 || COALESCE(
                     length(source_app)::text || ' ' || source_app || ' ' || external_id,
                     jsonb_hash_extended(record, 0)::text
                 )
             )::uuid
         ) STORED;
         ALTER TABLE import_failures ADD UNIQUE NULLS NOT DISTINCT (user_id, record_key)",
    );
    let report = crate::application::bootstrap(&mut owner);
    assert!(report.iter().any(|(object, _)| object.contains("record_key")), "{report:?}");
    assert_eq!(owner.value::<Vec<Uuid>>(key, &[]), fresh);
    assert_eq!(owner.column::<i32>("SELECT attempts FROM import_failures", &[]), [1, 1, 1]);
    let result = batch(&mut db.authenticated(ALICE), vec![json!([[1], 2]), json!([[1, 2]])], ALICE);
    assert_eq!(result["results"][1]["warning"], Value::Null, "{result}");
    assert_eq!(owner.count("import_failures"), 4);
    let again = crate::application::bootstrap(&mut owner);
    assert!(again.iter().all(|(_, action)| action == "exists" || action.contains("left")), "{again:?}");
}

#[test]
fn failures_of_one_key_for_two_keepers_in_one_batch_are_kept_each() {
    let db = Database::new();
    let records = json!([record_with("k", json!({"duration": -1})), record_with("k", json!({"owner_user_id": BOB}))]);
    for (order, records) in [("as told", records.clone()), ("the other way round", json!([records[1], records[0]]))] {
        let result: Value = db.service_role().value("SELECT run_pipeline_batch($1, $2)", &[&records, &ALICE]);
        assert_eq!(result["failed"], 2, "{result}");
        assert_eq!(db.table_owner().count("import_failures"), 2, "{order}");
    }
    let kept: Vec<Value> = db.table_owner().column(KEPT, &[]);
    assert!(kept.contains(&records[0]) && kept.contains(&records[1]), "{kept:?}");
}

/// A record of Alice's that is kept as failed, and is waited for where it is imported again.
fn a_failure_that_will_wait(db: &Database, then: &str) -> Value {
    let mut owner = db.table_owner();
    owner.run("ALTER TABLE recordings ADD CONSTRAINT polite CHECK (title <> 'version 1')");
    let version_1 = record_with("k", json!({"title": "version 1"}));
    assert_eq!(batch(&mut db.authenticated(ALICE), vec![version_1.clone()], ALICE)["failed"], 1);
    owner.run("ALTER TABLE recordings DROP CONSTRAINT polite");
    let wait = format!("PERFORM pg_advisory_xact_lock_shared(1); {then} RETURN NEW;");
    trigger(&mut owner, "BEFORE INSERT ON recordings", &wait);
    version_1
}

/// Retries Alice's failures, and runs `meanwhile` while that is waiting.
fn retry_meanwhile(db: &Database, meanwhile: impl FnOnce()) -> Value {
    let (mut holder, mut alice) = (db.superuser(), db.authenticated(ALICE));
    holder.run("SELECT pg_advisory_lock(1)");
    let pid: i32 = alice.value("SELECT pg_backend_pid()", &[]);
    thread::scope(|scope| {
        let waiting = scope.spawn(move || alice.value::<Value>("SELECT retry_failed_imports()", &[]));
        db.wait_until_blocked(pid);
        meanwhile();
        holder.run("SELECT pg_advisory_unlock(1)");
        waiting.join().unwrap()
    })
}

#[test]
#[ignore = "not built yet"]
fn a_retry_that_fails_leaves_a_newer_version_of_the_record_as_it_is() {
    let db = Database::new();
    a_failure_that_will_wait(&db, "RAISE EXCEPTION 'still rude';");
    let version_2 = record_with("k", json!({"title": "version 2", "duration": -1}));
    let retried = retry_meanwhile(&db, || {
        assert_eq!(batch(&mut db.authenticated(ALICE), vec![version_2.clone()], ALICE)["failed"], 1);
    });
    assert_failed(&retried["results"][0], "P0001", "still rude");
    let mut owner = db.table_owner();
    assert_eq!(owner.column::<Value>(KEPT, &[]), [version_2]);
    assert!(owner.value::<i32>("SELECT attempts FROM import_failures", &[]) >= 2);
}

#[test]
#[ignore = "not built yet"]
fn a_retry_that_succeeds_leaves_a_newer_version_that_failed_meanwhile() {
    let db = Database::new();
    a_failure_that_will_wait(&db, "");
    let version_2 = record_with("k", json!({"title": "version 2", "duration": -1}));
    let retried = retry_meanwhile(&db, || {
        assert_eq!(batch(&mut db.authenticated(ALICE), vec![version_2.clone()], ALICE)["failed"], 1);
    });
    assert_imported(&retried["results"][0]);
    assert_eq!(db.table_owner().column::<Value>(KEPT, &[]), [version_2]);
}

#[test]
#[ignore = "not built yet"]
fn a_failure_that_its_user_deletes_during_a_retry_stays_deleted() {
    let db = Database::new();
    a_failure_that_will_wait(&db, "RAISE EXCEPTION 'still rude';");
    let retried = retry_meanwhile(&db, || db.authenticated(ALICE).run("DELETE FROM import_failures"));
    assert_failed(&retried["results"][0], "P0001", "still rude");
    assert_eq!(db.table_owner().count("import_failures"), 0);
}

#[test]
fn a_retry_changes_error_code_attempts_and_time_of_a_failure_and_nothing_else() {
    let db = Database::new();
    let version_1 = a_failure_that_will_wait(&db, "RAISE EXCEPTION 'still rude';");
    let row = "SELECT to_jsonb(f) FROM import_failures AS f";
    let mut owner = db.table_owner();
    let before: Value = owner.value(row, &[]);
    retry_meanwhile(&db, || {});
    let mut after: Value = owner.value(row, &[]);
    assert_eq!((&after["code"], &after["attempts"], &after["record"]), (&json!("P0001"), &json!(2), &version_1));
    for changing in ["error", "code", "attempts", "updated_at"] {
        assert_ne!(after[changing], before[changing], "{changing}");
        after[changing] = before[changing].clone();
    }
    assert_eq!(after, before);
}

#[test]
#[ignore = "not built yet"]
fn a_retry_and_a_batch_that_meet_at_the_same_failures_do_not_deadlock() {
    let db = Database::new();
    let mut owner = db.table_owner();
    let bad = |id: &str| record_with(id, json!({"duration": -1}));
    // By the key, the one that is imported and removed comes first.
    owner.run("ALTER TABLE recordings ADD CONSTRAINT polite CHECK (title <> 'rude')");
    batch(&mut owner, vec![record_with("a", json!({"title": "rude"})), bad("b")], ALICE);
    owner.run("ALTER TABLE recordings DROP CONSTRAINT polite");
    trigger(
        &mut owner,
        "BEFORE UPDATE ON import_failures",
        "IF current_user = 'authenticated' THEN PERFORM pg_advisory_xact_lock_shared(1); END IF; RETURN NEW;",
    );
    let (mut holder, mut alice, mut service) = (db.superuser(), db.authenticated(ALICE), db.service_role());
    holder.run("SELECT pg_advisory_lock(1)");
    let [retrying, keeping]: [i32; 2] =
        [&mut alice, &mut service].map(|session| session.value("SELECT pg_backend_pid()", &[]));
    thread::scope(|scope| {
        let retry = scope.spawn(move || alice.value::<Value>("SELECT retry_failed_imports()", &[]));
        db.wait_until_blocked(retrying);
        let keep = scope.spawn(move || batch(&mut service, vec![bad("a"), bad("b")], ALICE));
        db.wait_until_blocked(keeping);
        holder.run("SELECT pg_advisory_unlock(1)");
        assert_eq!(retry.join().unwrap()["imported"], 1);
        assert_eq!(keep.join().unwrap()["failed"], 2);
    });
}
