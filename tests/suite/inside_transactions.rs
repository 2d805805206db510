//! run_pipeline inside other people's transactions.

use serde_json::Value;

use crate::support::*;

#[test]
fn after_a_failure_the_transaction_goes_on_and_holds_nothing_of_the_record() {
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
fn an_import_is_part_of_the_callers_transaction_and_of_its_savepoints() {
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
fn it_works_in_a_plpgsql_function_with_and_without_exception_blocks() {
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
fn it_works_in_a_trigger_and_in_a_trigger_on_recordings_itself() {
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
fn it_works_at_every_isolation_level() {
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
fn a_key_that_the_snapshot_does_not_show_is_a_serialization_failure_and_a_retry_is_a_skip() {
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
fn in_a_read_only_transaction_a_duplicate_is_a_skip_and_a_new_record_fails_cleanly() {
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
fn a_hundred_thousand_calls_in_one_statement() {
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
fn a_plan_made_for_an_empty_table_does_not_outlive_it() {
    let db = Database::new();
    let mut owner = db.table_owner();
    // Statistics that say "empty, and known to be": the worst that a kept plan can start from.
    owner.run("VACUUM ANALYZE recordings");
    owner.run("VACUUM ANALYZE vault_entries");
    let import = "SELECT count(run_pipeline(jsonb_build_object('external_id', n, 'source_app', 'backfill', 'title', '',
            'full_transcript', '', 'recording_start_time', '2026-01-31T09:30:00Z'), $1))
        FROM generate_series($2::int, $3::int) AS n";
    owner.run("BEGIN");
    owner.query(import, &[&ALICE, &1, &20_000]);
    let before: i64 = owner.value(READ, &[]);
    owner.query(import, &[&ALICE, &20_001, &20_100]);
    let read = owner.value::<i64>(READ, &[]) - before;
    assert!(read < 100 * 100, "100 imports into 20,000 rows read {read} rows of recordings by sequential scans");
    owner.run("COMMIT");
}

/// Rows of recordings that sequential scans have read in the running transaction.
const READ: &str = "SELECT coalesce(seq_tup_read, 0) FROM pg_stat_xact_user_tables WHERE relname = 'recordings'";

#[test]
fn cancel_and_timeouts_reach_the_caller() {
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
fn a_lock_timeout_reaches_the_caller() {
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
fn an_internal_error_and_a_serialization_failure_of_a_trigger_reach_the_caller() {
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
fn a_membership_that_ends_counts_at_once() {
    let leave = |user: Uuid| format!("DELETE FROM bank_memberships WHERE user_id = '{user}' AND bank_id <> '{ALICE}'");
    let into_bank = |external_id: &str, bank: Uuid| record_with(external_id, json!({"bank_id": bank}));

    let db = Database::new();
    let mut owner = db.table_owner();
    let (bank, _) = business_bank(&mut owner, ALICE);
    owner.run("BEGIN");
    assert_imported(&owner.import(&into_bank("a", bank), ALICE));
    owner.run(&leave(ALICE));
    assert_failed(&owner.import(&into_bank("b", bank), ALICE), "42501", "not a member");
    owner.run("ROLLBACK");

    owner.run(&format!(
        "CREATE FUNCTION import_and_leave(p_records jsonb[]) RETURNS jsonb[] LANGUAGE plpgsql AS $$
         DECLARE
             results jsonb[];
             record jsonb;
         BEGIN
             FOREACH record IN ARRAY p_records LOOP
                 results := results || run_pipeline(record, '{ALICE}');
                 {};
             END LOOP;
             RETURN results;
         END $$",
        leave(ALICE)
    ));
    let records = vec![into_bank("a", bank), into_bank("b", bank)];
    let results: Vec<serde_json::Value> = owner.value("SELECT import_and_leave($1)", &[&records]);
    assert_imported(&results[0]);
    assert_failed(&results[1], "42501", "not a member");
}

#[test]
fn what_was_found_and_rolled_back_is_found_anew() {
    let db = Database::new();
    let mut owner = db.table_owner();
    // STABLE: both calls look with the snapshot of one statement, and the first one's personal bank is gone.
    owner.run(
        "CREATE FUNCTION import_and_undo(p_record jsonb, p_owner uuid) RETURNS jsonb LANGUAGE plpgsql STABLE AS $$
         BEGIN
             PERFORM run_pipeline(p_record, p_owner);
             RAISE EXCEPTION 'undo';
         EXCEPTION WHEN raise_exception THEN
             RETURN run_pipeline(p_record, p_owner);
         END $$",
    );
    assert_imported(&owner.value("SELECT import_and_undo($1, $2)", &[&record("x"), &ALICE]));
    assert_eq!(owner.count("recordings"), 1);
    assert_eq!(owner.count("vault_entries"), 1);
}

#[test]
fn a_bank_that_goes_within_the_statement_fails_as_if_it_had_never_been_there() {
    let db = Database::new();
    let mut owner = db.table_owner();
    let (bank, _) = business_bank(&mut owner, ALICE);
    // PL/pgSQL's volatile function writes between two rows of the outer statement.
    owner.run(&format!(
        "CREATE FUNCTION close_bank(p_is_due boolean) RETURNS boolean LANGUAGE plpgsql AS $$
         BEGIN
             IF p_is_due THEN
                 DELETE FROM banks WHERE id = '{bank}';
             END IF;
             RETURN true;
         END $$"
    ));
    let records = vec![record_with("a", json!({"bank_id": bank})), record_with("b", json!({"bank_id": bank}))];
    let results: Vec<serde_json::Value> = owner.column(
        "SELECT run_pipeline(record, $2) FROM unnest($1::jsonb[]) WITH ORDINALITY AS given (record, n)
         WHERE close_bank(n = 2)",
        &[&records, &ALICE],
    );
    assert_imported(&results[0]);
    assert_failed(&results[1], "42501", "not a member");
}

#[test]
fn what_a_function_in_sql_writes_between_two_calls_counts() {
    let db = Database::new();
    let mut owner = db.table_owner();
    let (bank, vault) = business_bank(&mut owner, ALICE);
    // PostgreSQL counts the command of such a function as written with the next command only.
    owner.run(&format!(
        "CREATE FUNCTION leave(is_due boolean) RETURNS boolean LANGUAGE sql AS $$
             DELETE FROM bank_memberships WHERE is_due AND bank_id = '{bank}' RETURNING true
         $$"
    ));
    let results: Vec<Value> = owner.column(
        "SELECT run_pipeline($1 || jsonb_build_object('external_id', n), $2)
         FROM generate_series(1, 4) AS n WHERE leave(n = 3) IS DISTINCT FROM false",
        &[&record_with("", json!({"bank_id": bank, "vault_id": vault})), &ALICE],
    );
    results[..2].iter().for_each(assert_imported);
    results[2..].iter().for_each(|result| assert_failed(result, "42501", "not a member"));
}

#[test]
fn what_an_owner_whom_policies_bind_finds_is_not_kept() {
    let db = Database::new();
    let mut owner = db.table_owner();
    assert_imported(&owner.import(&record("before"), ALICE));
    owner.run(
        "CREATE POLICY of_whom ON bank_memberships USING (user_id::text = current_setting('app.whom', true));
         ALTER TABLE bank_memberships FORCE ROW LEVEL SECURITY",
    );
    let results: Vec<Value> = owner
        .query(
            "SELECT set_config('app.whom', CASE WHEN n < 3 THEN $2 ELSE '' END, true),
                 run_pipeline($1 || jsonb_build_object('external_id', n), $2::text::uuid)
             FROM generate_series(1, 4) AS n",
            &[&record(""), &ALICE.to_string()],
        )
        .iter()
        .map(|row| row.get(1))
        .collect();
    results[..2].iter().for_each(assert_imported);
    results[2..].iter().for_each(|result| assert_failed(result, "42501", ""));
}

#[test]
fn what_a_default_writes_counts() {
    let db = Database::new();
    let mut owner = db.table_owner();
    let (bank, _) = business_bank(&mut owner, ALICE);
    owner.run(&format!(
        "CREATE FUNCTION leave() RETURNS boolean LANGUAGE sql AS $$
             DELETE FROM bank_memberships WHERE bank_id = '{bank}' RETURNING true
         $$;
         ALTER TABLE recordings ADD COLUMN has_left boolean;
         ALTER TABLE recordings ALTER COLUMN has_left SET DEFAULT leave()"
    ));
    let results: Vec<Value> = owner.column(
        "SELECT run_pipeline($1 || jsonb_build_object('external_id', n), $2) FROM generate_series(1, 3) AS n",
        &[&record_with("", json!({"bank_id": bank})), &ALICE],
    );
    assert_imported(&results[0]);
    results[1..].iter().for_each(|result| assert_failed(result, "42501", "not a member"));
}

/// Calls of one statement, and what happens between them.
#[test]
fn a_membership_counts_as_it_is_at_each_call() {
    let db = Database::new();
    let mut owner = db.table_owner();
    let (bank, vault) = business_bank(&mut owner, BOB);
    let join = format!("INSERT INTO bank_memberships (bank_id, user_id) VALUES ('{bank}', '{ALICE}')");
    let leave = format!("DELETE FROM bank_memberships WHERE user_id = '{ALICE}' AND bank_id = '{bank}'");
    let give_away = format!("UPDATE vaults SET bank_id = (SELECT ensure_personal_bank('{BOB}')) WHERE id = '{vault}'");
    let cursor = format!(
        "DECLARE c CURSOR FOR SELECT run_pipeline($j${}$j$::jsonb || jsonb_build_object('external_id', i), '{ALICE}')
         FROM generate_series(1, 3) AS i",
        record_with("", json!({"bank_id": bank, "vault_id": vault}))
    );
    let fetch = |session: &mut Session| session.value::<serde_json::Value>("FETCH 1 FROM c", &[]);

    for (before, between, in_second) in [
        (join.as_str(), leave.as_str(), "not a member"),
        // A membership that is taken back.
        (&format!("SAVEPOINT s; {join}"), "ROLLBACK TO s", "not a member"),
        (&join, &give_away, "is not a vault of bank"),
        (&join, &format!("SAVEPOINT s; {give_away}; RELEASE s"), "is not a vault of bank"),
    ] {
        let mut service = db.service_role();
        service.run(&format!("BEGIN; {cursor}; {before}"));
        assert_imported(&fetch(&mut service));
        service.run(between);
        let second = fetch(&mut service);
        assert!(second.to_string().contains(in_second), "{between}: {second}");
        service.run("ROLLBACK");
    }

    // Somebody else ends it while the statement runs.
    owner.run(&join);
    let mut service = db.service_role();
    service.run(&format!("BEGIN; {cursor}"));
    assert_imported(&fetch(&mut service));
    owner.run(&leave);
    assert_failed(&fetch(&mut service), "42501", "not a member");
    service.run("COMMIT");

    // A trigger ends it with the first recording.
    owner.run(&join);
    owner.run("DELETE FROM recordings WHERE id IS NOT NULL");
    owner.run(&format!(
        "CREATE FUNCTION leave() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {leave}; RETURN NEW; END $$;
         CREATE TRIGGER leave AFTER INSERT ON recordings FOR EACH ROW EXECUTE FUNCTION leave()"
    ));
    owner.run(&format!("BEGIN; {cursor}"));
    assert_imported(&fetch(&mut owner));
    assert_failed(&fetch(&mut owner), "42501", "not a member");
}

#[test]
fn what_a_dry_run_finds_is_not_taken_for_real() {
    let db = Database::new();
    let mut owner = db.table_owner();
    // An adopted schema may have none, and then nothing else would notice.
    owner.run(
        "ALTER TABLE recordings DROP CONSTRAINT recordings_bank_id_fkey;
         ALTER TABLE vault_entries DROP CONSTRAINT vault_entries_vault_id_fkey",
    );
    let row = &owner.query(
        "SELECT run_pipeline_batch(jsonb_build_array($1::jsonb), $2, NULL, true), run_pipeline($1, $2)",
        &[&record("x"), &ALICE],
    )[0];
    assert_imported(&row.get(1));
    assert_eq!(owner.count("recordings WHERE bank_id IN (SELECT id FROM banks)"), 1);
    assert_eq!(owner.count("vault_entries WHERE vault_id IN (SELECT id FROM vaults)"), 1);
}

#[test]
fn bank_and_vault_are_looked_up_once_where_nothing_happens_in_between() {
    // Any transaction of another test that ends could have changed them.
    let db = Database::alone();
    let mut owner = db.table_owner();
    assert_imported(&owner.import(&record("first"), ALICE));
    let look_ups = "SELECT sum(seq_scan + COALESCE(idx_scan, 0))::bigint FROM pg_stat_xact_user_tables
                    WHERE relname = 'bank_memberships'";
    owner.run("BEGIN");
    let before: i64 = owner.value(look_ups, &[]);
    owner.query(
        "SELECT run_pipeline($1 || jsonb_build_object('external_id', i), $2) FROM generate_series(1, 500) AS i",
        &[&record(""), &ALICE],
    );
    let after: i64 = owner.value(look_ups, &[]);
    owner.run("COMMIT");
    assert_eq!(owner.count("recordings"), 501);
    assert!(after - before < 100, "{} look-ups for 500 records", after - before);
}

#[test]
fn a_command_that_is_under_way_counts() {
    // Its rows are there for the record's look-ups, as each is written.
    let db = Database::new();
    let mut service = db.service_role();
    let mut owner = db.table_owner();
    let (bank, vault) = business_bank(&mut owner, ALICE);
    let (other, _) = business_bank(&mut owner, BOB);
    let into_vault = |id: &str| record_with(id, json!({"bank_id": bank, "vault_id": vault}));
    assert_eq!(service.import(&into_vault("before"), ALICE)["warning"], Value::Null);
    let result: Value = service.value(
        "UPDATE vaults SET bank_id = $1 WHERE id = $2 RETURNING run_pipeline($3, $4)",
        &[&other, &vault, &into_vault("meanwhile"), &ALICE],
    );
    assert!(result["warning"].is_string(), "{result}");
    let result: Value = service.value(
        "DELETE FROM bank_memberships WHERE bank_id = $1 RETURNING run_pipeline($2, $3)",
        &[&bank, &into_vault("too late"), &ALICE],
    );
    assert_failed(&result, "42501", "not a member");
    // A loop within a function that the command calls sees them too.
    owner.run(&format!(
        "CREATE FUNCTION import_in_a_loop(p_record jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
         DECLARE
             result jsonb;
         BEGIN
             FOR result IN SELECT run_pipeline(p_record || jsonb_build_object('external_id', md5(random()::text)), '{ALICE}')
             FROM generate_series(1, 2)
             LOOP END LOOP;
             RETURN result;
         END $$;
         UPDATE vaults SET bank_id = '{bank}' WHERE id = '{vault}';
         INSERT INTO bank_memberships (bank_id, user_id) VALUES ('{bank}', '{ALICE}'), ('{other}', '{ALICE}')"
    ));
    let results: Vec<Value> = service.column(
        "UPDATE vaults SET bank_id = $1 WHERE id = $2 OR name = 'Personal' RETURNING import_in_a_loop($3)",
        &[&other, &vault, &into_vault("")],
    );
    assert!(results.last().unwrap()["warning"].is_string(), "{results:?}");
    let results: Vec<Value> = service.column(
        "DELETE FROM bank_memberships WHERE user_id = $1 RETURNING import_in_a_loop($2)",
        &[&ALICE, &record_with("", json!({"bank_id": other}))],
    );
    assert_failed(results.last().unwrap(), "42501", "not a member");
}
