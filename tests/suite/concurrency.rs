//! Tests that concurrent imports make each recording exactly once.

use std::sync::Barrier;
use std::thread;

use serde_json::Value;

use crate::support::*;

/// Runs `work` in numbered threads and collects the results.
fn in_parallel<T: Send>(threads: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    thread::scope(|scope| {
        let work = &work;
        let running: Vec<_> = (0..threads).map(|number| scope.spawn(move || work(number))).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

#[test]
fn sixteen_connections_importing_the_same_500_keys_make_500_recordings() {
    const CONNECTIONS: usize = 16;
    const KEYS: usize = 500;
    for round in 0..5 {
        let db = Database::new();
        let start = Barrier::new(CONNECTIONS);
        let results = in_parallel(CONNECTIONS, |number| {
            let mut session = if number % 2 == 0 { db.authenticated(ALICE) } else { db.service_role() };
            start.wait();
            // Half of the connections import in reverse order, so that connections meet at every key.
            let keys: Vec<usize> = if number % 4 < 2 { (0..KEYS).collect() } else { (0..KEYS).rev().collect() };
            keys.into_iter().map(|key| (key, session.import(&record(key), ALICE))).collect::<Vec<_>>()
        });
        let mut owner = db.table_owner();
        assert_eq!(owner.count("recordings"), KEYS as i64, "round {round}");
        assert_eq!(owner.count("vault_entries"), KEYS as i64, "round {round}");
        assert_eq!(owner.count("banks"), 1, "round {round}");
        let mut imported = 0;
        for (key, result) in results.into_iter().flatten() {
            let winner = "SELECT id FROM recordings WHERE source_metadata ->> 'external_id' = $1";
            let winner: Uuid = owner.value(winner, &[&key.to_string()]);
            if result["success"] == true {
                imported += 1;
                assert_eq!(result, json!({"success": true, "recordingId": winner}));
            } else {
                assert_skipped(&result, winner);
            }
        }
        assert_eq!(imported, KEYS, "round {round}");
    }
}

#[test]
fn concurrent_calls_of_ensure_personal_bank_make_one_bank() {
    for _ in 0..10 {
        let db = Database::new();
        let start = Barrier::new(8);
        let banks = in_parallel(8, |number| {
            let mut session = if number % 2 == 0 { db.authenticated(ALICE) } else { db.service_role() };
            start.wait();
            session.value::<Uuid>("SELECT ensure_personal_bank($1)", &[&ALICE])
        });
        assert!(banks.iter().all(|bank| *bank == banks[0]), "{banks:?}");
        assert_eq!(db.table_owner().count("vaults"), 1);
    }
}

#[test]
fn ensure_personal_bank_raises_40001_if_the_snapshot_does_not_show_the_bank() {
    let db = Database::new();
    let mut first = db.service_role();
    first.run("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT");
    first.count("recordings");
    let bank: Uuid = db.service_role().value("SELECT ensure_personal_bank($1)", &[&ALICE]);
    assert_eq!(first.sqlstate("SELECT ensure_personal_bank($1)", &[&ALICE]), "40001");
    first.run("ROLLBACK");
    assert_eq!(first.value::<Uuid>("SELECT ensure_personal_bank($1)", &[&ALICE]), bank);
}

#[test]
fn an_import_waits_for_an_uncommitted_one_of_its_key_and_imports_after_its_rollback() {
    let db = Database::new();
    db.table_owner().value::<Uuid>("SELECT ensure_personal_bank($1)", &[&ALICE]);
    for (end, imported) in [("COMMIT", false), ("ROLLBACK", true)] {
        let mut first = db.service_role();
        first.run("BEGIN");
        let theirs = recording_id(&first.import(&record(end), ALICE));
        let mut second = db.service_role();
        let pid: i32 = second.value("SELECT pg_backend_pid()", &[]);
        let result = thread::scope(|scope| {
            let waiting = scope.spawn(move || second.import(&record(end), ALICE));
            db.wait_until_blocked(pid);
            first.run(end);
            waiting.join().unwrap()
        });
        if imported {
            assert_imported(&result);
            assert_ne!(recording_id(&result), theirs);
        } else {
            assert_skipped(&result, theirs);
        }
    }
}

/// Adds an index on the same key that is not the arbiter, as REINDEX CONCURRENTLY does.
///
/// PostgreSQL inserts into that index first. The index expression waits, so that the other session inserts its row
/// between the look-up and the insert.
#[test]
fn a_key_that_another_index_than_the_arbiter_finds_taken_is_skipped() {
    for batch in [false, true] {
        let db = Database::new();
        let mut owner = db.table_owner();
        owner.run(
            "CREATE FUNCTION wait_at_the_index(text) RETURNS integer IMMUTABLE LANGUAGE plpgsql AS
                 $$ BEGIN PERFORM pg_advisory_xact_lock_shared(1); RETURN 1; END $$;
             DROP INDEX recordings_dedup_key;
             CREATE UNIQUE INDEX recordings_dedup_key_ccold ON recordings
                 (owner_user_id, source_app, (source_metadata ->> 'external_id'), wait_at_the_index(title));
             CREATE UNIQUE INDEX recordings_dedup_key ON recordings
                 (owner_user_id, source_app, (source_metadata ->> 'external_id'))",
        );
        assert_imported(&owner.import(&record("first"), ALICE));
        owner.run("SELECT pg_advisory_lock(1)");
        let mut second = db.service_role();
        let pid: i32 = second.value("SELECT pg_backend_pid()", &[]);
        let (theirs, result) = thread::scope(|scope| {
            let waiting = scope.spawn(move || match batch {
                false => second.import(&record("x"), ALICE),
                true => {
                    let records = json!([record("w"), record("x"), record("y")]);
                    let result: Value = second.value("SELECT run_pipeline_batch($1, $2)", &[&records, &ALICE]);
                    assert_eq!((&result["imported"], &result["skipped"]), (&json!(2), &json!(1)), "{result}");
                    let mut ours = result["results"][1].clone();
                    ours.as_object_mut().unwrap().retain(|key, _| key != "index" && key != "externalId");
                    ours
                }
            });
            let mut watcher = db.superuser();
            let blocked = "SELECT cardinality(pg_blocking_pids($1)) > 0";
            while !watcher.value::<bool>(blocked, &[&pid]) {
                thread::yield_now();
            }
            let theirs = recording_id(&owner.import(&record("x"), ALICE));
            owner.run("SELECT pg_advisory_unlock(1)");
            (theirs, waiting.join().unwrap())
        });
        assert_skipped(&result, theirs);
    }
}
