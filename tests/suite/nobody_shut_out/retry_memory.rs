//! A retry of large failures takes the memory of a few, not of all.
//!
//! The kind: rows read all at once whose number is limited and whose size is not.

use serde_json::Value;

use crate::support::*;

const MEGABYTE: usize = 1 << 20;

/// Failures that are kept, each with a transcript of so many bytes that compresses, or does not.
fn keep(owner: &mut Session, count: i32, transcript: &str, more: &Value) {
    owner.query(
        &format!(
            "INSERT INTO import_failures (user_id, owner_user_id, source_app, external_id, record, error, code)
             SELECT $1, $1, 'fathom', n::text, jsonb_build_object(
                 'external_id', n::text, 'source_app', 'fathom', 'title', 'Call', 'full_transcript', {transcript},
                 'recording_start_time', '2026-01-31T09:30:00Z'
             ) || $3, '', 'P0001'
             FROM generate_series(1, $2) AS n"
        ),
        &[&ALICE, &count, more],
    );
}

/// A retry by a session of its own, and how many MB its backend took for it at the most.
fn peak(db: &Database, limit: i32) -> (Value, i32) {
    let mut owner = db.table_owner();
    let pid: i32 = owner.value("SELECT pg_backend_pid()", &[]);
    let mut superuser = db.superuser();
    let mut highest = || -> i32 {
        let highest = "SELECT substring(pg_read_file('/proc/' || $1::int || '/status') FROM 'VmHWM:\\s+(\\d+)')::int";
        superuser.value(highest, &[&pid])
    };
    assert_imported(&owner.import(&record(format!("before {pid}")), ALICE));
    let before = highest();
    let said: Value = owner.value("SELECT retry_failed_imports(NULL, $1, $2)", &[&ALICE, &limit]);
    (said, (highest() - before) / 1024)
}

#[test]
#[ignore = "not built yet"]
fn a_retry_of_40_failures_of_20_mb_takes_the_memory_of_a_few() {
    let db = Database::alone();
    let mut owner = db.table_owner();
    let transcript = format!("repeat('0123456789abcdef', {})", 20 * MEGABYTE / 16);
    for (what, more, imported) in [("that fail again", json!({"duration": -1}), 0), ("that succeed", json!({}), 40)] {
        owner.run("TRUNCATE import_failures");
        keep(&mut owner, 40, &transcript, &more);
        let (said, peak) = peak(&db, 100);
        println!("peak memory of a retry of 40 failures of 20 MB {what}: {peak} MB");
        assert_eq!((&said["total"], &said["imported"]), (&json!(40), &json!(imported)), "{what}");
        let indexes: Vec<i64> =
            said["results"].as_array().unwrap().iter().map(|result| result["index"].as_i64().unwrap()).collect();
        assert_eq!(indexes, (0..40).collect::<Vec<_>>(), "{what}");
        assert_eq!(owner.count("import_failures WHERE attempts = 2"), 40 - imported, "{what}");
        assert!(peak < 250, "{what}: {peak} MB");
    }
}

#[test]
fn a_retry_of_many_small_failures_is_one_of_all_in_their_order() {
    let db = Database::new();
    let mut owner = db.table_owner();
    keep(&mut owner, 5000, "''", &json!({}));
    let (said, _) = peak(&db, 3000);
    assert_eq!((&said["total"], &said["imported"]), (&json!(3000), &json!(3000)));
    assert_eq!(owner.count("import_failures"), 2000);
}
