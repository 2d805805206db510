//! Tests run_pipeline() inside the caller's transactions, functions and triggers.

use serde_json::Value;

use crate::support::*;

#[test]
fn a_failed_record_leaves_the_transaction_usable_and_writes_nothing() {
    let db = Database::new();
    let mut owner = db.table_owner();
    owner.run(&raising_trigger("recordings", "AFTER", "P0001"));
    owner.run("BEGIN; CREATE TABLE mine (n int)");
    assert_failed(&owner.import(&record("x"), ALICE), "P0001", "no recordings today");
    assert_failed(&owner.import(&json!({}), ALICE), "22023", "");
    owner.run("INSERT INTO mine VALUES (1); DROP TRIGGER raise_it ON recordings");
    assert_imported(&owner.import(&record("y"), ALICE));
    owner.run("COMMIT");
    assert_eq!(owner.count("mine"), 1);
    assert_eq!(owner.column::<String>("SELECT source_metadata ->> 'external_id' FROM recordings", &[]), ["y"]);
}

#[test]
fn an_import_is_rolled_back_with_the_callers_transaction_or_savepoint() {
    let db = Database::new();
    let mut owner = db.table_owner();
    owner.run("BEGIN");
    assert_imported(&owner.import(&record("a"), ALICE));
    owner.run("SAVEPOINT s");
    assert_imported(&owner.import(&record("b"), ALICE));
    owner.run("ROLLBACK TO s");
    assert_imported(&owner.import(&record("b"), ALICE));
    owner.run("RELEASE s; SAVEPOINT t");
    assert_imported(&owner.import(&record("c"), ALICE));
    owner.run("ROLLBACK TO t; COMMIT; BEGIN");
    assert_imported(&owner.import(&record("d"), ALICE));
    owner.run("ROLLBACK");
    let kept: Vec<String> = owner.column("SELECT source_metadata ->> 'external_id' FROM recordings ORDER BY 1", &[]);
    assert_eq!(kept, ["a", "b"]);
    assert_eq!(owner.count("vault_entries"), 2);
}

#[test]
fn run_pipeline_works_in_plpgsql_with_and_without_exception_blocks() {
    let db = Database::new();
    let mut owner = db.table_owner();
    owner.run(
        "CREATE FUNCTION import_some(p_owner uuid, p_record jsonb) RETURNS jsonb[] LANGUAGE plpgsql AS $$
         DECLARE
             results jsonb[];
         BEGIN
             FOR i IN 1..3 LOOP
                 BEGIN
                     results := results || run_pipeline(p_record || jsonb_build_object('external_id', i), p_owner);
                     IF i = 2 THEN
                         RAISE EXCEPTION 'undo the second';
                     END IF;
                 EXCEPTION WHEN raise_exception THEN
                     NULL;
                 END;
                 results := results || run_pipeline(p_record || '{\"external_id\": 1}', p_owner);
             END LOOP;
             RETURN results;
         END $$",
    );
    let results: Vec<serde_json::Value> = owner.value("SELECT import_some($1, $2)", &[&ALICE, &record("x")]);
    let id = recording_id(&results[0]);
    assert_imported(&results[0]);
    assert_skipped(&results[1], id);
    assert_eq!(results.len(), 6);
    let kept: Vec<String> = owner.column("SELECT source_metadata ->> 'external_id' FROM recordings ORDER BY 1", &[]);
    assert_eq!(kept, ["1", "3"]);
}

#[test]
fn run_pipeline_works_in_a_trigger_and_in_a_trigger_on_recordings_itself() {
    let db = Database::new();
    let mut owner = db.table_owner();
    owner.run(
        "CREATE TABLE inbox (owner_id uuid, record jsonb, result jsonb);
         CREATE FUNCTION import_it() RETURNS trigger LANGUAGE plpgsql AS
             'BEGIN NEW.result := run_pipeline(NEW.record, NEW.owner_id); RETURN NEW; END';
         CREATE TRIGGER import_it BEFORE INSERT ON inbox FOR EACH ROW EXECUTE FUNCTION import_it();
         CREATE FUNCTION import_twin() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
             IF NEW.source_app = 'fathom' THEN
                 PERFORM run_pipeline(to_jsonb(NEW) - 'id' - 'source_metadata' || jsonb_build_object(
                     'source_app', 'twin', 'external_id', NEW.source_metadata ->> 'external_id'));
             END IF;
             RETURN NULL;
         END $$;
         CREATE TRIGGER import_twin AFTER INSERT ON recordings FOR EACH ROW EXECUTE FUNCTION import_twin()",
    );
    owner.query("INSERT INTO inbox VALUES ($1, $2), ($1, $2), ($1, '{}')", &[&ALICE, &record("x")]);
    let results: Vec<serde_json::Value> = owner.column("SELECT result FROM inbox", &[]);
    assert_imported(&results[0]);
    assert_skipped(&results[1], recording_id(&results[0]));
    assert_failed(&results[2], "22023", "");
    let sources: Vec<String> = owner.column("SELECT source_app FROM recordings ORDER BY 1", &[]);
    assert_eq!(sources, ["fathom", "twin"]);
}

#[test]
fn run_pipeline_imports_and_skips_at_every_isolation_level() {
    let db = Database::new();
    let mut owner = db.table_owner();
    for level in ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"] {
        owner.run(&format!("BEGIN ISOLATION LEVEL {level}"));
        let first = owner.import(&record(level), ALICE);
        assert_imported(&first);
        assert_skipped(&owner.import(&record(level), ALICE), recording_id(&first));
        owner.run("COMMIT");
    }
    assert_eq!(owner.count("recordings"), 3);
}

#[test]
fn a_duplicate_that_the_snapshot_does_not_show_raises_40001_and_a_retry_skips_it() {
    let db = Database::new();
    for level in ["REPEATABLE READ", "SERIALIZABLE"] {
        let mut late = db.service_role();
        late.value::<Uuid>("SELECT ensure_personal_bank($1)", &[&ALICE]);
        late.run(&format!("BEGIN ISOLATION LEVEL {level}"));
        late.count("recordings");
        let winner = recording_id(&db.service_role().import(&record(level), ALICE));
        assert_eq!(late.sqlstate("SELECT run_pipeline($1, $2)", &[&record(level), &ALICE]), "40001");
        late.run("ROLLBACK");
        assert_skipped(&late.import(&record(level), ALICE), winner);
    }
}

#[test]
fn a_read_only_transaction_skips_a_duplicate_and_fails_a_new_record_with_25006() {
    let db = Database::new();
    let mut owner = db.table_owner();
    let id = recording_id(&owner.import(&record("x"), ALICE));
    owner.run("BEGIN READ ONLY");
    assert_skipped(&owner.import(&record("x"), ALICE), id);
    assert_failed(&owner.import(&record("y"), ALICE), "25006", "read-only");
    assert_failed(&owner.import(&record("y"), BOB), "25006", "read-only");
    assert_eq!(owner.count("recordings"), 1);
    owner.run("COMMIT");
}

#[test]
fn a_hundred_thousand_calls_in_one_statement_import_each_key_once() {
    let db = Database::new();
    let mut owner = db.table_owner();
    let staging = "CREATE TABLE staging AS
        SELECT jsonb_build_object('external_id', n % 60000, 'source_app', 'backfill', 'title', 'Call ' || n,
            'full_transcript', '', 'recording_start_time', '2026-01-31T09:30:00Z') AS record
        FROM generate_series(1, 100000) AS n";
    owner.run(staging);
    let outcomes = "SELECT count(*) FILTER (WHERE result ? 'recordingId' AND (result ->> 'success')::boolean),
            count(*) FILTER (WHERE result ? 'skipped' AND result ? 'recordingId')
        FROM (SELECT run_pipeline(record, $1) AS result FROM staging OFFSET 0) AS results";
    let row = owner.query(outcomes, &[&ALICE]).remove(0);
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (60_000, 40_000));
    assert_eq!((owner.count("recordings"), owner.count("vault_entries")), (60_000, 60_000));
}

#[test]
fn imports_use_the_index_though_their_plan_was_made_for_an_empty_table() {
    let db = Database::new();
    let mut owner = db.table_owner();
    // With statistics of an empty table the planner prefers a sequential scan.
    owner.run("VACUUM ANALYZE recordings");
    owner.run("VACUUM ANALYZE vault_entries");
    let import = "SELECT count(run_pipeline(jsonb_build_object('external_id', n, 'source_app', 'backfill', 'title', '',
            'full_transcript', '', 'recording_start_time', '2026-01-31T09:30:00Z'), $1))
        FROM generate_series($2::int, $3::int) AS n";
    owner.run("BEGIN");
    owner.query(import, &[&ALICE, &1, &20_000]);
    let before: i64 = owner.value(ROWS_READ, &[]);
    owner.query(import, &[&ALICE, &20_001, &20_100]);
    let read = owner.value::<i64>(ROWS_READ, &[]) - before;
    assert!(read < 100 * 100, "100 imports into 20,000 rows read {read} rows of recordings by sequential scans");
    owner.run("COMMIT");
}

/// Counts the rows of recordings that sequential scans have read in the running transaction.
const ROWS_READ: &str = "SELECT coalesce(seq_tup_read, 0) FROM pg_stat_xact_user_tables WHERE relname = 'recordings'";

#[test]
fn statement_timeout_is_raised_to_the_caller_and_nothing_is_imported() {
    let db = Database::new();
    let mut owner = db.table_owner();
    owner.run(
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(30); RETURN NEW; END';
         SET statement_timeout = 200",
    );
    for table in ["recordings", "vault_entries"] {
        owner.run(&format!("CREATE TRIGGER slow BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION slow()"));
        assert_eq!(owner.sqlstate("SELECT run_pipeline($1, $2)", &[&record("x"), &ALICE]), "57014", "{table}");
        owner.run(&format!("DROP TRIGGER slow ON {table}"));
    }
    assert_eq!(owner.count("recordings"), 0);
}

#[test]
fn lock_timeout_is_raised_to_the_caller_and_nothing_is_imported() {
    let db = Database::new();
    let mut other = db.table_owner();
    other.run("BEGIN; LOCK TABLE vault_entries");
    let mut owner = db.table_owner();
    owner.run("SET lock_timeout = 100");
    assert_eq!(owner.sqlstate("SELECT run_pipeline($1, $2)", &[&record("x"), &ALICE]), "55P03");
    other.run("ROLLBACK");
    assert_eq!(owner.count("recordings"), 0);
}

#[test]
fn internal_conflict_and_resource_errors_of_a_trigger_are_raised_to_the_caller() {
    let db = Database::new();
    let mut owner = db.table_owner();
    for (code, table) in
        [("XX000", "recordings"), ("40001", "recordings"), ("40P01", "vault_entries"), ("53200", "vault_entries")]
    {
        owner.run(&raising_trigger(table, "BEFORE", code));
        assert_eq!(owner.sqlstate("SELECT run_pipeline($1, $2)", &[&record("x"), &ALICE]), code);
        owner.run(&format!("DROP TRIGGER raise_it ON {table}"));
    }
}

#[test]
fn imports_work_for_a_caller_without_privilege_on_pg_proc_and_pg_depend() {
    let db = Database::new();
    db.superuser().run("REVOKE SELECT ON pg_catalog.pg_proc, pg_catalog.pg_depend FROM PUBLIC");
    let mut service = db.service_role();
    assert_imported(&service.import(&record("a"), ALICE));
    let batch = json!([record("b"), record("c")]);
    let result: Value = service.value("SELECT run_pipeline_batch($1, $2)", &[&batch, &ALICE]);
    assert_eq!(result["imported"], 2, "{result}");
    assert_eq!(db.table_owner().count("recordings"), 3);
}
