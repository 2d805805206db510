//! Measures the memory for a record of 100 MB and batches of 50 MB.

use serde_json::Value;

use crate::support::*;

const MEGABYTE: usize = 1024 * 1024;

/// Runs a query in a new session; returns its answer and additional peak memory in MB.
fn peak(db: &Database, sql: &str, params: Params) -> (Value, i32) {
    let mut owner = db.table_owner();
    let pid: i32 = owner.value("SELECT pg_backend_pid()", &[]);
    let highest = || -> i32 {
        let highest = "SELECT substring(pg_read_file('/proc/' || $1::int || '/status') FROM 'VmHWM:\\s+(\\d+)')::int";
        db.superuser().value(highest, &[&pid])
    };
    assert_imported(&owner.import(&record(pid), ALICE));
    let before = highest();
    let answer: Value = owner.value(sql, params);
    (answer, (highest() - before) / 1024)
}

#[test]
fn a_record_of_100_mb_is_imported_with_memory_for_a_few_copies() {
    let db = Database::new();
    let transcript = "Ann: hello, Ben. ".repeat(100 * MEGABYTE / 17);
    let spelled = record_with("x", json!({"full_transcript": transcript})).to_string();
    let peak = |sql| peak(&db, sql, &[&spelled, &ALICE.to_string()]);
    let (_, of_jsonb) = peak("SELECT to_jsonb($1::text::jsonb IS NULL OR $2::text IS NULL)");
    let (single, of_single) = peak("SELECT run_pipeline($1::text::jsonb, $2::text::uuid)");
    let (again, of_duplicate) = peak("SELECT run_pipeline($1::text::jsonb, $2::text::uuid)");
    let other =
        "SELECT run_pipeline_batch(jsonb_build_array($1::text::jsonb || '{\"external_id\": \"y\"}'), $2::text::uuid)";
    let (batch, of_batch) = peak(other);
    println!(
        "peak memory for a record of 100 MB: {of_jsonb} MB for jsonb alone, {of_single} MB with run_pipeline, \
         {of_duplicate} MB for a duplicate, {of_batch} MB for a batch of it"
    );
    assert_imported(&single);
    assert_skipped(&again, recording_id(&single));
    assert_eq!(batch["imported"], 1, "{batch}");
    let stored = "SELECT full_transcript = $2 FROM recordings WHERE id = $1";
    assert!(db.table_owner().value::<bool>(stored, &[&recording_id(&single), &transcript]));
    assert!(of_single - of_jsonb < 500, "{of_single} MB, where jsonb alone takes {of_jsonb} MB");
}

/// Stores a batch of 1,000 records with 50 kB each in the key `part`.
///
/// The batch is in the table given, and each record also has the keys of `more`.
fn store_batch_of_50_mb(db: &Database, part: &str, more: Value) {
    db.table_owner().run(&format!(
        "DROP TABLE IF EXISTS given;
         CREATE TABLE given AS
         SELECT jsonb_agg(jsonb_build_object(
             'external_id', '{part}' || n, 'source_app', 'zoom', 'title', 'Weekly', 'full_transcript', '',
             'recording_start_time', '2026-01-31T09:30:00Z'
         ) || jsonb_build_object('{part}', CASE '{part}'
             WHEN 'source_metadata' THEN jsonb_build_object('notes', repeat(md5(n::text), 1600))
             WHEN 'global_tags' THEN jsonb_build_array(repeat(md5(n::text), 1600))
             ELSE to_jsonb(repeat(md5(n::text), 1600))
         END) || '{more}') AS records
         FROM generate_series(1, 1000) AS n"
    ));
}

const READING: &str = "SELECT to_jsonb(records IS NULL OR jsonb_array_length(records) <> 1000) FROM given";
const IMPORTING: &str = "SELECT run_pipeline_batch(records, $1) - 'results' FROM given";
const RETRYING: &str = "SELECT retry_failed_imports(NULL, $1, 1000) - 'results'";

#[test]
fn a_batch_of_50_mb_takes_little_more_memory_than_reading_it() {
    let db = Database::new();
    for part in ["full_transcript", "summary", "source_metadata", "audio_url", "global_tags"] {
        store_batch_of_50_mb(&db, part, json!({}));
        let (_, of_reading) = peak(&db, READING, &[]);
        let (result, of_batch) = peak(&db, IMPORTING, &[&ALICE]);
        println!(
            "peak memory for a batch of 50 MB in {part}: {of_reading} MB to read it, {of_batch} MB with run_pipeline_batch"
        );
        assert_eq!(result["imported"], 1000, "{result}");
        assert!(of_batch - of_reading < 40, "{part}: {of_batch} MB, where reading it takes {of_reading} MB");
    }
}

#[test]
fn a_failing_batch_of_50_mb_and_its_retry_take_little_more_memory_than_reading_it() {
    let db = Database::new();
    store_batch_of_50_mb(&db, "full_transcript", json!({"bank_id": Uuid::from_u128(0xF0)}));
    let (_, of_reading) = peak(&db, READING, &[]);
    for (what, sql) in [("run_pipeline_batch", IMPORTING), ("retry_failed_imports", RETRYING)] {
        let (result, peak) = peak(&db, sql, &[&ALICE]);
        println!("peak memory where 50 MB fail: {of_reading} MB to read them, {peak} MB with {what}");
        assert_eq!(result["failed"], 1000, "{result}");
        assert!(peak - of_reading < 40, "{what}: {peak} MB, where reading takes {of_reading} MB");
    }
    assert_eq!(db.superuser().count("import_failures WHERE attempts = 2"), 1000);
}
