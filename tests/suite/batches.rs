//! Tests batches: results, isolation of failures, locks, dry runs, and their cost.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::*;

const BATCH: &str = "SELECT run_pipeline_batch($1, $2)";

fn counts(result: &Value) -> [u64; 4] {
    ["total", "imported", "skipped", "failed"].map(|key| result[key].as_u64().unwrap_or_else(|| panic!("{result}")))
}

fn batch(session: &mut Session, records: &[Value]) -> Value {
    session.value(BATCH, &[&Value::from(records), &ALICE])
}

#[test]
fn batch_results_are_in_input_order_with_index_and_external_id() {
    let db = Database::new();
    let mut owner = db.table_owner();
    let first = recording_id(&owner.import(&record("old"), ALICE));
    let result = batch(&mut owner, &[record("z"), record("old"), json!({"external_id": 7}), record("a"), json!(5)]);
    assert_eq!(counts(&result), [5, 2, 1, 2]);
    let results = result["results"].as_array().unwrap();
    let ids: Vec<&Value> = results.iter().map(|result| &result["externalId"]).collect();
    assert_eq!(ids, [&json!("z"), &json!("old"), &json!("7"), &json!("a"), &json!(null)]);
    for (index, result) in results.iter().enumerate() {
        assert_eq!(result["index"], index);
    }
    assert_imported(&results[0]);
    assert_eq!(results[1]["recordingId"], json!(first));
    assert_failed(&results[2], "22023", "title is missing");
    assert_imported(&results[3]);
    assert_failed(&results[4], "22023", "must be an object");
    assert_eq!(counts(&batch(&mut owner, &[])), [0, 0, 0, 0]);
}

#[test]
fn a_batch_that_is_not_an_array_or_has_a_null_argument_raises_an_error() {
    let db = Database::new();
    let mut owner = db.table_owner();
    for records in [json!({}), json!("x"), json!(1), json!(null)] {
        assert_eq!(owner.sqlstate(BATCH, &[&records, &ALICE]), "22023", "{records}");
    }
    assert_eq!(owner.sqlstate("SELECT run_pipeline_batch(NULL)", &[]), "22004");
    assert_eq!(owner.sqlstate("SELECT run_pipeline_batch('[]', NULL, NULL, NULL)", &[]), "22004");
}

#[test]
fn a_batch_of_more_than_100000_records_raises_22023() {
    let db = Database::new();
    let mut alice = db.authenticated(ALICE);
    let zeros = "SELECT run_pipeline_batch(to_jsonb(array_fill(0, ARRAY[100001])))";
    let error = alice.error(zeros, &[]);
    assert_eq!((error.code().code(), error.message()), ("22023", "p_records has more than 100000 records"));
    assert_eq!(alice.count("import_failures"), 0);
}

#[test]
fn a_key_repeated_within_a_batch_is_imported_once_and_then_skipped_with_its_id() {
    let db = Database::new();
    let mut owner = db.table_owner();
    let result = batch(&mut owner, &[record("b"), record("a"), record("b"), record("a"), record("b")]);
    assert_eq!(counts(&result), [5, 2, 3, 0]);
    for (duplicate, first) in [(2, 0), (3, 1), (4, 0)] {
        assert_eq!(result["results"][duplicate]["skipped"], true);
        assert_eq!(result["results"][duplicate]["recordingId"], result["results"][first]["recordingId"]);
    }
}

#[test]
fn a_batch_imports_the_next_record_of_a_key_when_the_first_fails() {
    let db = Database::new();
    let mut owner = db.table_owner();
    owner.run("ALTER TABLE recordings ADD CONSTRAINT polite CHECK (title <> 'rude')");
    let rude = json!({"title": "rude"});
    let result = batch(
        &mut owner,
        &[
            record_with("a", rude.clone()),
            json!({"external_id": "a"}),
            record("a"),
            record("a"),
            record_with("b", rude),
        ],
    );
    assert_eq!(counts(&result), [5, 1, 1, 3]);
    assert_imported(&result["results"][2]);
    assert_eq!(result["results"][3]["recordingId"], result["results"][2]["recordingId"]);
}

#[test]
fn one_bad_record_of_each_kind_fails_alone_among_999_good_ones() {
    let db = Database::new();
    let mut owner = db.table_owner();
    let bobs_bank: Uuid = owner.value("SELECT ensure_personal_bank($1)", &[&BOB]);
    owner.run("ALTER TABLE recordings ADD CONSTRAINT polite CHECK (title <> 'rude')");
    owner.run(
        "CREATE FUNCTION reject() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
             IF NEW.title = 'rejected' THEN RAISE EXCEPTION 'not this one' USING ERRCODE = 'QUOTA'; END IF;
             RETURN NEW;
         END $$;
         CREATE TRIGGER reject AFTER INSERT ON recordings FOR EACH ROW EXECUTE FUNCTION reject()",
    );
    // Checksums can't be compressed below the size limit of an index row.
    let noise: String = owner.value("SELECT string_agg(md5(n::text), '') FROM generate_series(1, 32768) AS n", &[]);
    let bad_records = [
        ("missing keys", json!({"external_id": "p"}).to_string(), "22023", "title is missing"),
        ("wrong types", record_with("p", json!({"duration": "long"})).to_string(), "22023", "duration"),
        (
            "an unknown bank",
            record_with("p", json!({"bank_id": Uuid::from_u128(9)})).to_string(),
            "42501",
            "not a member",
        ),
        ("another's bank", record_with("p", json!({"bank_id": bobs_bank})).to_string(), "42501", "not a member"),
        ("rejected by a trigger", record_with("p", json!({"title": "rejected"})).to_string(), "QUOTA", "not this one"),
        ("against a CHECK", record_with("p", json!({"title": "rude"})).to_string(), "23514", "polite"),
        ("an id of 3 kB", record(&noise[..3072]).to_string(), "22023", "external_id must be at most 2000 bytes"),
        ("an id of 1 MB", record(noise.as_str()).to_string(), "22023", "external_id must be at most 2000 bytes"),
        ("no object", "[[]]".to_owned(), "22023", "must be an object"),
    ];
    for (round, (kind, bad, code, message)) in bad_records.into_iter().enumerate() {
        let mut records: Vec<Value> = (0..999).map(|n| record(format!("{round}-{n}"))).collect();
        records.insert(500, serde_json::from_str(&bad).unwrap());
        let result = batch(&mut owner, &records);
        assert_eq!(counts(&result), [1000, 999, 0, 1], "{kind}: {}", result["results"][500]);
        assert_failed(&result["results"][500], code, message);
        assert_imported(&result["results"][499]);
    }
    assert_eq!(owner.count("recordings"), 9 * 999);
    assert_eq!(owner.count("vault_entries"), 9 * 999);
}

#[test]
fn valid_records_with_extreme_values_are_imported_in_a_batch() {
    let db = Database::new();
    let mut owner = db.table_owner();
    let (_, bobs_vault) = business_bank(&mut owner, BOB);
    let deep = format!("{}1{}", "[".repeat(3000), "]".repeat(3000));
    let odd = [
        ("nesting", record_with("deep", json!({"source_metadata": {"v": "@"}})).to_string().replace("\"@\"", &deep)),
        ("1e400", record_with("big", json!({"source_metadata": {"v": "@"}})).to_string().replace("\"@\"", "1e400")),
        ("20 MB", record_with("long", json!({"full_transcript": "word ".repeat(4 << 20)})).to_string()),
        ("a foreign vault", record_with("vault", json!({"vault_id": bobs_vault})).to_string()),
    ];
    for (kind, odd) in odd {
        let good = (0..10).map(|n| record(format!("{kind} {n}")).to_string()).collect::<Vec<_>>().join(",");
        let records = format!("[{good},{odd}]");
        let result: Value = owner.value("SELECT run_pipeline_batch($1::text::jsonb, $2)", &[&records, &ALICE]);
        assert_eq!(counts(&result), [11, 11, 0, 0], "{kind}");
        assert_eq!(result["results"][10]["warning"].is_string(), kind == "a foreign vault", "{kind}");
    }
}

#[test]
fn a_batch_of_10000_uses_two_transaction_ids_if_clean_and_500_at_most_with_100_failures() {
    let db = Database::alone();
    let mut owner = db.table_owner();
    owner.value::<Uuid>("SELECT ensure_personal_bank($1)", &[&ALICE]);
    owner.run("ALTER TABLE recordings ADD CONSTRAINT polite CHECK (title <> 'rude')");
    let mut ids_used = |label: &str, rude_every: i32| -> i64 {
        let records = "SELECT jsonb_agg(jsonb_build_object('external_id', $1::text || n, 'source_app', 'zoom',
                'title', CASE WHEN n % $2 = 0 THEN 'rude' ELSE 'ok' END, 'full_transcript', 'words',
                'recording_start_time', '2026-01-31T09:30:00Z')) FROM generate_series(1, 10000) AS n";
        let records: Value = owner.value(records, &[&label, &rude_every]);
        let next = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint";
        let before: i64 = owner.value(next, &[]);
        let result: Value = owner.value(BATCH, &[&records, &ALICE]);
        assert_eq!(result["failed"], 10_000 / rude_every, "{}", result["failed"]);
        owner.value::<i64>(next, &[]) - before
    };
    // Autovacuum assigns transaction ids too: the smallest of three measurements is the batch's own.
    let clean = (0..3).map(|n| ids_used(&format!("clean{n}-"), 10_001)).min().unwrap();
    let failing = (0..3).map(|n| ids_used(&format!("failing{n}-"), 100)).min().unwrap();
    println!("transaction ids for 10,000 records: {clean} for a clean batch, {failing} with 100 failures");
    assert!(clean <= 2, "a clean batch used {clean} transaction ids");
    assert!(failing <= 500, "100 failures among 10,000 used {failing} transaction ids");
}

#[test]
fn overlapping_batches_in_random_order_neither_deadlock_nor_duplicate() {
    const CONNECTIONS: usize = 16;
    let seconds = std::env::var("CONNECTOR_PIPELINE_TEST_SECONDS").map_or(10, |seconds| seconds.parse().unwrap());
    let db = Database::new();
    let mut owner = db.table_owner();
    let imported = AtomicU64::new(0);
    let end = Instant::now() + Duration::from_secs(seconds);
    std::thread::scope(|scope| {
        for number in 0..CONNECTIONS {
            let (db, imported) = (&db, &imported);
            scope.spawn(move || {
                let mut session = db.service_role();
                let mut round = 0;
                while Instant::now() < end {
                    // Picks 200 of the 400 keys that all connections use in these two seconds, shuffled.
                    let keys =
                        "SELECT array_agg(key) FROM (SELECT extract(epoch FROM now())::bigint / 2 || '-' || n AS key
                        FROM generate_series(1, 400) AS n ORDER BY random() LIMIT 200) AS keys";
                    let keys: Vec<String> = session.value(keys, &[]);
                    let owner = if (number + round) % 5 == 0 { BOB } else { ALICE };
                    let records: Vec<Value> = keys.iter().map(|key| record(key.as_str())).collect();
                    let result: Value = session.value(BATCH, &[&Value::from(records), &owner]);
                    let [total, new, skipped, failed] = counts(&result);
                    assert_eq!((total, new + skipped, failed), (200, 200, 0));
                    imported.fetch_add(new, Ordering::Relaxed);
                    for (key, result) in keys.iter().zip(result["results"].as_array().unwrap()) {
                        assert_eq!(result["externalId"], *key);
                        assert!(result["recordingId"].is_string(), "{result}");
                    }
                    round += 1;
                }
            });
        }
    });
    assert_eq!(owner.count("recordings"), imported.load(Ordering::Relaxed) as i64);
    let keys = "SELECT count(DISTINCT (owner_user_id, source_metadata ->> 'external_id')) FROM recordings";
    assert_eq!(owner.value::<i64>(keys, &[]), owner.count("recordings"));
    let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    assert_eq!(db.superuser().value::<i64>(deadlocks, &[]), 0);
}

#[test]
fn large_and_small_batches_lock_banks_before_keys_and_do_not_deadlock() {
    let db = Database::new();
    let [mut taker, mut large, mut small] = [db.service_role(), db.service_role(), db.service_role()];
    // Alice has a bank already; Bob's bank is made by the two batches.
    assert_imported(&taker.import(&record("before"), ALICE));
    let batch_of = |keys: usize| {
        let of = |key: String, owner: Uuid| record_with(key, json!({"owner_user_id": owner}));
        let alices = (0..keys).map(|key| of(format!("{key:05}"), ALICE));
        Value::from_iter(alices.chain((0..10).map(|key| of(key.to_string(), BOB))))
    };
    taker.run("BEGIN");
    assert_imported(&taker.import(&record("00999"), ALICE));
    let pids = [&mut large, &mut small].map(|session| session.value::<i32>("SELECT pg_backend_pid()", &[]));
    let import =
        |session: &mut Session, batch: Value| counts(&session.value("SELECT run_pipeline_batch($1)", &[&batch]));
    std::thread::scope(|scope| {
        let large = scope.spawn(|| import(&mut large, batch_of(3000)));
        db.wait_until_blocked(pids[0]);
        let small = scope.spawn(|| import(&mut small, batch_of(100)));
        db.wait_until_blocked(pids[1]);
        taker.run("ROLLBACK");
        assert_eq!(large.join().unwrap(), [3010, 3010, 0, 0]);
        assert_eq!(small.join().unwrap(), [110, 0, 110, 0]);
    });
}

#[test]
fn a_batch_for_several_owners_imports_all_as_service_role_and_own_records_only_as_user() {
    let db = Database::new();
    let records = Value::from(vec![
        record_with("a", json!({"owner_user_id": ALICE})),
        record_with("a", json!({"owner_user_id": BOB})),
        record_with("b", json!({"owner_user_id": BOB})),
    ]);
    let all = "SELECT run_pipeline_batch($1)";
    let result: Value = db.authenticated(ALICE).value(all, &[&records]);
    assert_eq!(counts(&result), [3, 1, 0, 2]);
    assert_imported(&result["results"][0]);
    assert_failed(&result["results"][1], "42501", "own user only");
    let result: Value = db.service_role().value(all, &[&records]);
    assert_eq!(counts(&result), [3, 2, 1, 0]);
    let owners = "SELECT count(*) FROM recordings GROUP BY owner_user_id ORDER BY 1";
    assert_eq!(db.table_owner().column::<i64>(owners, &[]), [1, 2]);
}

#[test]
fn a_dry_run_returns_the_results_of_the_real_run_and_writes_nothing() {
    let db = Database::new();
    let mut owner = db.table_owner();
    owner.run("ALTER TABLE recordings ADD CONSTRAINT polite CHECK (title <> 'rude')");
    let old = recording_id(&owner.import(&record("old"), ALICE));
    let job: Uuid = owner.value("SELECT start_sync_job('fathom', NULL, $1)", &[&ALICE]);
    let records = Value::from(vec![
        record("new"),
        record("old"),
        record("new"),
        record_with("rude", json!({"title": "rude"})),
        json!({}),
        record_with("vault", json!({"vault_id": Uuid::from_u128(4)})),
    ]);
    let contents = "SELECT md5(concat((SELECT array_agg(r) FROM recordings r)::text,
        (SELECT array_agg(e) FROM vault_entries e)::text, (SELECT array_agg(j) FROM sync_jobs j)::text,
        (SELECT array_agg(f) FROM import_failures f)::text, (SELECT array_agg(b) FROM banks b)::text))";
    let before: String = owner.value(contents, &[]);
    let run = "SELECT run_pipeline_batch($1, $2, $3, $4)";
    let mut dry: Value = owner.value(run, &[&records, &ALICE, &job, &true]);
    assert_eq!(owner.value::<String>(contents, &[]), before);
    assert_eq!(dry["results"][1]["recordingId"], json!(old));
    assert_eq!(dry["results"][0]["recordingId"], Value::Null);

    let mut real: Value = owner.value(run, &[&records, &ALICE, &job, &false]);
    for result in [&mut dry, &mut real] {
        for entry in result["results"].as_array_mut().unwrap() {
            // A dry run can't return the id of a new recording.
            if entry["recordingId"] != json!(old) {
                entry.as_object_mut().unwrap().remove("recordingId");
            }
            // DETAIL shows the failing row with its id and times, which differ in each run.
            if entry["code"] == "23514" {
                entry["error"] = entry["error"].as_str().unwrap().split(" (Failing row").next().unwrap().into();
            }
        }
    }
    assert_eq!(dry, real);
    assert_eq!(counts(&real), [6, 2, 2, 2]);
}

#[test]
fn a_duplicate_within_a_batch_is_skipped_even_if_its_bank_is_invalid() {
    let db = Database::new();
    let mut owner = db.table_owner();
    let elsewhere = || record_with("x", json!({"bank_id": Uuid::from_u128(7)}));
    let batch = json!([elsewhere(), record("x"), elsewhere()]);
    let result: serde_json::Value = owner.value("SELECT run_pipeline_batch($1, $2)", &[&batch, &ALICE]);
    assert_failed(&result["results"][0], "42501", "bank_id");
    assert_imported(&result["results"][1]);
    assert_eq!(result["results"][2]["skipped"], true, "{result}");
    assert_eq!(result["results"][2]["recordingId"], result["results"][1]["recordingId"]);
    assert_eq!(owner.import(&elsewhere(), ALICE)["skipped"], true);
}

#[test]
fn long_error_messages_are_shortened_and_do_not_fail_the_batch() {
    let db = Database::new();
    let mut owner = db.table_owner();
    // 700 errors of 500 kB, half of each in the message and half in DETAIL: 350 MB.
    owner.run(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             IF NEW.title = 'refused' THEN
                 RAISE EXCEPTION '%', repeat('é', 125000) USING DETAIL = repeat('ü', 125000);
             END IF;
             RETURN NEW;
         END $$;
         CREATE TRIGGER refuse BEFORE INSERT ON recordings FOR EACH ROW EXECUTE FUNCTION refuse()",
    );
    let refused = (0..700).map(|n| record_with(format!("r{n}"), json!({"title": "refused"})));
    let records: Vec<Value> = refused.chain([record("good")]).collect();
    let result = batch(&mut owner, &records);
    assert_eq!((&result["imported"], &result["failed"]), (&json!(1), &json!(700)));
    let error = result["results"][0]["error"].as_str().unwrap();
    assert!(error.starts_with("ééé") && error.contains("é ... (üüü") && error.len() < 1500, "{error}");
    assert_eq!(owner.count("import_failures"), 700);
}
