//! A record that is as big as they come.

use serde_json::Value;

use crate::support::*;

const MEGABYTE: usize = 1024 * 1024;

#[test]
fn a_record_of_100_mb_is_imported_with_memory_for_a_few_copies() {
    let db = Database::new();
    let transcript = "Ann: hello, Ben. ".repeat(100 * MEGABYTE / 17);
    let spelled = record_with("x", json!({"full_transcript": transcript})).to_string();
    let peak = |sql: &str| {
        let mut owner = db.table_owner();
        let pid: i32 = owner.value("SELECT pg_backend_pid()", &[]);
        let highest = || -> i32 {
            let highest =
                "SELECT substring(pg_read_file('/proc/' || $1::int || '/status') FROM 'VmHWM:\\s+(\\d+)')::int";
            db.superuser().value(highest, &[&pid])
        };
        assert_imported(&owner.import(&record(pid), ALICE));
        let before = highest();
        let answer: Value = owner.value(sql, &[&spelled, &ALICE.to_string()]);
        (answer, (highest() - before) / 1024)
    };
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
