//! Exactly once, whoever imports at the same time.

use std::sync::Barrier;
use std::thread;

use crate::support::*;

/// Runs `work` in as many threads, each with its number, and gathers what they return.
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
            // Half of them from the other end, so that they meet everywhere.
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
fn concurrent_calls_make_one_personal_bank() {
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
fn a_transaction_that_can_not_see_the_others_bank_is_to_be_retried() {
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
fn an_import_waits_for_one_in_progress_and_takes_over_where_that_is_rolled_back() {
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
