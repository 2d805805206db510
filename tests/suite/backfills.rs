//! Tests connector_pipeline.backfill(): progress, interruption, errors, chunks and memory.

use std::thread;

use postgres::NoTls;
use serde_json::Value;

use crate::support::*;

const RECORDS: i64 = 20_000;

/// Creates the table staging with RECORDS records, FAILED of them invalid.
fn create_staging(db: &Database) -> Session {
    let mut owner = db.table_owner();
    let staging = "CREATE TABLE staging AS
        SELECT n, jsonb_build_object('external_id', n, 'source_app', 'old system', 'title', 'Call ' || n,
            'full_transcript', repeat('word ', 40), 'recording_start_time', '2026-01-31T09:30:00Z',
            'owner_user_id', $1::text::uuid, 'duration', CASE WHEN n % 5000 = 0 THEN -1 ELSE 60 END) AS record
        FROM generate_series(1, $2::bigint) AS n";
    owner.run(&staging.replace("$1", &format!("'{ALICE}'")).replace("$2", &RECORDS.to_string()));
    owner
}

const CALL_BACKFILL: &str = "CALL connector_pipeline.backfill('SELECT record FROM staging ORDER BY n', NULL, 500)";
const FAILED: i64 = RECORDS / 5000;

#[track_caller]
fn assert_all_imported_once(owner: &mut Session) {
    assert_eq!(owner.count("recordings"), RECORDS - FAILED);
    assert_eq!(owner.count("vault_entries"), RECORDS - FAILED);
    assert_eq!(owner.count("import_failures"), FAILED);
    let job: Value = owner.value("SELECT to_jsonb(j) FROM sync_jobs AS j ORDER BY created_at DESC LIMIT 1", &[]);
    assert_eq!(job["status"], "completed_with_errors");
    assert_eq!((&job["progress_current"], &job["progress_total"]), (&json!(RECORDS), &json!(RECORDS)));
    let counted = ["imported", "skipped", "failed"].map(|key| job["metadata"][key].as_i64().unwrap());
    assert_eq!(counted.iter().sum::<i64>(), RECORDS);
    assert_eq!(counted[2], FAILED);
}

#[test]
fn a_backfill_reports_progress_rate_and_time_left_as_notices() {
    let db = Database::new();
    let mut owner = create_staging(&db);
    let mut config = db.config("app_owner");
    let (sender, notices) = std::sync::mpsc::channel();
    config.notice_callback(move |notice| sender.send(notice.message().to_owned()).unwrap());
    config.connect(NoTls).unwrap().batch_execute(CALL_BACKFILL).unwrap();
    let lines: Vec<String> = notices.try_iter().filter(|message| message.starts_with("backfill:")).collect();
    assert_eq!(lines.len() as i64, RECORDS / 500 + 1, "{lines:?}");
    assert!(lines[19].starts_with("backfill: 10000 of 20000 (50 %), "), "{}", lines[19]);
    assert!(lines[19].contains(" a second, ") && lines[19].ends_with(" left, 2 failed"), "{}", lines[19]);
    assert!(lines[40].starts_with("backfill: 19996 new, 0 skipped, 4 failed, in "), "{}", lines[40]);
    assert_all_imported_once(&mut owner);
    owner.run(CALL_BACKFILL);
    assert_all_imported_once(&mut owner);
}

#[test]
fn a_backfill_cancelled_or_killed_shows_its_progress_and_continues_when_called_again() {
    let db = Database::new();
    let mut owner = create_staging(&db);
    for stop in ["pg_cancel_backend", "pg_terminate_backend"] {
        let mut running = db.table_owner();
        let pid: i32 = running.value("SELECT pg_backend_pid()", &[]);
        let seen = owner.count("recordings");
        let stopped = thread::scope(|scope| {
            let backfill = scope.spawn(move || running.client.batch_execute(CALL_BACKFILL));
            let mut watcher = db.superuser();
            let progress = "SELECT coalesce(max(progress_current), 0) FROM sync_jobs WHERE status = 'processing'
                AND started_at = (SELECT max(started_at) FROM sync_jobs)";
            while watcher.value::<i32>(progress, &[]) == 0 || watcher.count("recordings") < seen + 1000 {
                thread::yield_now();
            }
            watcher.value::<bool>(&format!("SELECT {stop}($1)"), &[&pid]);
            backfill.join().unwrap()
        });
        let error = stopped.expect_err("it was stopped");
        match stop {
            "pg_cancel_backend" => assert_eq!(error.code().map(|code| code.code()), Some("57014")),
            // The client reports either the server's last error or only that the connection was closed, depending on
            // which it reads first.
            _ => assert!(error.is_closed() || error.code().map(|code| code.code()) == Some("57P01"), "{error:?}"),
        }
        let half = owner.count("recordings");
        assert!(half > seen && half < RECORDS - FAILED, "{half}");
        assert_eq!(half, owner.count("vault_entries"));
    }
    owner.run(CALL_BACKFILL);
    assert_all_imported_once(&mut owner);
}

#[test]
fn a_backfill_raises_the_error_of_its_query_or_argument() {
    let db = Database::new();
    let mut owner = db.table_owner();
    let call = "CALL connector_pipeline.backfill($1)";
    assert_eq!(owner.sqlstate("CALL connector_pipeline.backfill('SELECT record FROM nowhere')", &[]), "42P01");
    assert_eq!(owner.sqlstate("CALL connector_pipeline.backfill('SELECT to_jsonb(1 / 0)')", &[]), "22012");
    assert_eq!(owner.sqlstate("CALL connector_pipeline.backfill('SELECT 1 AS n, 2 AS m')", &[]), "22023");
    let nobody = format!("CALL connector_pipeline.backfill('SELECT to_jsonb(1)', '{}')", Uuid::from_u128(5));
    assert_eq!(
        owner.error(&nobody, &[]).message(),
        format!("p_user_id {}: this user does not exist", Uuid::from_u128(5))
    );
    assert_eq!(owner.sqlstate("CALL connector_pipeline.backfill(NULL)", &[]), "22023");
    assert_eq!(owner.sqlstate("CALL connector_pipeline.backfill('SELECT 1', NULL, 0)", &[]), "22023");
    assert_eq!(db.service_role().sqlstate(call, &[&"SELECT 1"]), "42501");
}

#[test]
fn a_backfill_query_may_end_in_a_semicolon_or_a_comment_and_yield_json() {
    let db = Database::new();
    let mut owner = db.table_owner();
    for (number, query) in ["SELECT $r$@$r$::jsonb;", "SELECT $r$@$r$::json -- all of it"].into_iter().enumerate() {
        let query = query.replace('@', &record(number).to_string());
        owner.run(&format!("CALL connector_pipeline.backfill($q${query}$q$, '{ALICE}')"));
    }
    assert_eq!(owner.count("recordings"), 2);
}

#[test]
fn a_backfill_of_300_records_of_1_mb_imports_all_in_chunks_limited_by_size() {
    let db = Database::new();
    let mut owner = db.table_owner();
    let query = record_with("@", json!({"full_transcript": "#"})).to_string();
    let query = query.replace("\"@\"", "' || n || '").replace("#", "' || repeat('word ', 200000) || '");
    owner.run(&format!(
        "CALL connector_pipeline.backfill($q$SELECT ('{query}')::jsonb FROM generate_series(1, 300) AS n$q$, '{ALICE}')"
    ));
    assert_eq!(owner.count("recordings"), 300);
}

#[test]
fn a_sync_job_of_a_killed_backfill_is_closed_by_the_next_backfill() {
    let db = Database::new();
    let mut owner = db.table_owner();
    let job = "INSERT INTO sync_jobs (user_id, type, status, metadata) VALUES ($1, 'backfill', 'processing', $2)";
    let metadata = json!({"made_by": "connector_pipeline.backfill", "pid": 0});
    owner.query(job, &[&ALICE, &metadata]);
    owner.run(&format!("CALL connector_pipeline.backfill('SELECT to_jsonb(1)', '{ALICE}')"));
    let closed = "SELECT status || ' ' || error FROM sync_jobs WHERE metadata = $1";
    assert_eq!(owner.value::<String>(closed, &[&metadata]), "failed stopped");
}

#[test]
fn a_backfill_of_200_000_records_takes_constant_memory() {
    const MANY: i64 = 200_000;
    let db = Database::new();
    let mut owner = db.table_owner();
    let query = record_with("@", json!({"full_transcript": "#"})).to_string();
    let query = query.replace("\"@\"", "' || n || '").replace('#', "' || repeat('word ', 40) || '");
    let call = format!(
        "CALL connector_pipeline.backfill($q$SELECT ('{query}')::jsonb FROM generate_series(1, {MANY}) AS n$q$, '{ALICE}')"
    );
    let mut running = db.table_owner();
    let pid: i32 = running.value("SELECT pg_backend_pid()", &[]);
    // RssAnon does not include PostgreSQL's shared buffers.
    let memory = "SELECT substring(pg_read_file('/proc/' || $1::int || '/status') FROM 'RssAnon:\\s+(\\d+)')::int";
    let (early, late) = thread::scope(|scope| {
        let backfill = scope.spawn(move || running.run(&call));
        let mut watcher = db.superuser();
        let progress = "SELECT coalesce(max(progress_current), 0) FROM sync_jobs";
        let mut after = |records: i32| {
            while watcher.value::<i32>(progress, &[]) < records {
                thread::yield_now();
            }
            watcher.value::<i32>(memory, &[&pid])
        };
        let measured = (after(20_000), after(190_000));
        backfill.join().unwrap();
        measured
    });
    println!("memory of the backend: {early} kB after 20,000 records, {late} kB after 190,000");
    assert!(late - early < 16 * 1024, "memory grew from {early} kB to {late} kB");
    assert_eq!(owner.count("recordings"), MANY);
}
