//! Backfills of rows of any size, by chunks of any number.
//!
//! The kind: a limit that a chunk runs into on each run, at the same row: jsonb's 256 MB, the records of a batch, what can't
//! be made jsonb at all.

use serde_json::Value;

use crate::support::*;

fn record_sql(id: &str, transcript: &str) -> String {
    format!(
        "jsonb_build_object('external_id', {id}, 'source_app', 'fathom', 'title', 'Call', 'full_transcript', {transcript},
             'recording_start_time', '2026-01-31T09:30:00Z')"
    )
}

fn backfill(db: &Database, query: &str, batch_size: i64) -> Value {
    let mut owner = db.table_owner();
    owner.run(&format!("CALL connector_pipeline.backfill($q${query}$q$, '{ALICE}', {batch_size})"));
    owner.value("SELECT to_jsonb(j) FROM sync_jobs AS j ORDER BY created_at DESC LIMIT 1", &[])
}

/// They need the machine's memory for themselves.
#[test]
fn rows_of_62_and_220_mb_in_one_chunk_are_imported() {
    let db = Database::alone();
    let sizes = "(VALUES (1, 62), (2, 220), (3, 1)) AS given (n, size) ORDER BY n";
    let record = record_sql("n", "repeat('0123456789abcdef', size * 65536)");
    let job = backfill(&db, &format!("SELECT {record} FROM {sizes}"), 1000);
    assert_eq!((&job["status"], &job["metadata"]["imported"]), (&json!("completed"), &json!(3)), "{job}");
    // From a table, where they lie compressed to a hundredth.
    let mut owner = db.table_owner();
    owner.run(&format!(
        "TRUNCATE recordings CASCADE; CREATE TABLE staging AS SELECT n, {record} AS record FROM {}",
        sizes.replace("ORDER BY n", "")
    ));
    let stored: i64 = owner.value("SELECT pg_total_relation_size('staging')", &[]);
    assert!(stored < 20 << 20, "{stored} bytes");
    let job = backfill(&db, "SELECT record FROM staging ORDER BY n", 1000);
    assert_eq!((&job["status"], &job["metadata"]["imported"]), (&json!("completed"), &json!(3)), "{job}");
}

/// Each fits, and all of them don't.
#[test]
fn many_compressed_rows_of_a_megabyte_are_flushed_by_what_they_are_unpacked() {
    let db = Database::new();
    let mut owner = db.table_owner();
    owner.run(&format!(
        "CREATE TABLE staging AS SELECT n, {} AS record FROM generate_series(1, 300) AS n",
        record_sql("n", "repeat('0123456789abcdef', 65536)")
    ));
    let job = backfill(&db, "SELECT record FROM staging ORDER BY n", 100_000);
    assert_eq!((&job["status"], &job["metadata"]["imported"]), (&json!("completed"), &json!(300)), "{job}");
}

#[test]
fn a_batch_size_beyond_that_of_a_batch_is_cut_to_it() {
    let db = Database::new();
    let query = format!("SELECT {} FROM generate_series(1, 120000) AS n", record_sql("n % 50", "''"));
    let job = backfill(&db, &query, 150_000);
    let counts = ["imported", "skipped", "failed", "done"].map(|key| job["metadata"][key].as_i64().unwrap());
    assert_eq!(counts, [50, 119_950, 0, 120_000], "{job}");
    assert_eq!(backfill(&db, &query, i32::MAX.into())["status"], "completed");
}

/// Chunks of many small rows take time by their number, not by its square.
#[test]
fn a_chunk_of_100_000_small_rows_takes_as_long_as_a_hundred_of_1000() {
    let db = Database::alone();
    let query = format!("SELECT {} FROM generate_series(1, 100000) AS n", record_sql("n % 10", "''"));
    let [small, large] = [1000, 100_000].map(|size| {
        let started = std::time::Instant::now();
        backfill(&db, &query, size);
        started.elapsed()
    });
    println!("100,000 rows: {small:?} by chunks of 1,000, {large:?} by one of 100,000");
    assert!(large < small * 4, "{small:?} by chunks of 1,000, {large:?} by one of 100,000");
}

#[test]
fn a_row_that_is_null_or_can_not_be_made_jsonb_fails_alone() {
    let db = Database::new();
    let good = record("@").to_string().replace("\"@\"", "' || n || '");
    // json takes what jsonb does not.
    let bad = r#"{"external_id": "nul", "source_app": "fathom", "title": "\\u0000"}"#.replace("\\\\", "\\");
    let query = format!(
        "SELECT CASE n WHEN 2 THEN '{bad}' WHEN 3 THEN NULL ELSE '{good}' END::json FROM generate_series(1, 5) AS n"
    );
    for round in 0..2 {
        let job = backfill(&db, &query, 2);
        let counts = ["imported", "skipped", "failed"].map(|key| job["metadata"][key].as_i64().unwrap());
        assert_eq!(counts, if round == 0 { [3, 0, 2] } else { [0, 3, 2] }, "{job}");
    }
    // Nothing of it is lost.
    let kept: Vec<Value> =
        db.table_owner().column("SELECT record FROM import_failures ORDER BY record::text DESC", &[]);
    assert_eq!(kept.len(), 2, "{kept:?}");
    assert!(kept.iter().any(|record| record.as_str().is_some_and(|text| text.contains(r"\u0000"))), "{kept:?}");
}

/// A total beyond an integer's.
#[test]
fn a_total_of_more_than_two_thousand_million_is_counted() {
    let db = Database::new();
    let mut owner = db.table_owner();
    owner.run("ALTER TABLE sync_jobs ALTER progress_total TYPE bigint, ALTER progress_current TYPE bigint, ALTER skipped_count TYPE bigint");
    owner.run("SELECT connector_pipeline.bootstrap()");
    let started: Value = owner.value("SELECT connector_pipeline.start_backfill(3000000000, $1)", &[&ALICE]);
    assert_eq!(started["total"], json!(3_000_000_000_i64));
    let total: i64 = owner.value("SELECT progress_total FROM sync_jobs", &[]);
    assert_eq!(total, 3_000_000_000);
}
