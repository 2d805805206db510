//! Tests check_duplicate() and check_duplicates(), which connectors call before they fetch.

use crate::support::*;

const CHECK_DUPLICATE: &str = "SELECT check_duplicate($1, $2, $3)";

#[test]
fn check_duplicate_returns_whether_a_key_is_imported_and_its_recording_id() {
    let db = Database::new();
    let mut owner = db.table_owner();
    let id = recording_id(&owner.import(&record("x"), ALICE));
    let found: serde_json::Value = owner.value(CHECK_DUPLICATE, &[&ALICE, &"fathom", &"x"]);
    assert_eq!(found, json!({"isDuplicate": true, "existingRecordingId": id}));
    for (user, source, external_id) in
        [(BOB, "fathom", "x"), (ALICE, "zoom", "x"), (ALICE, "fathom", "y"), (ALICE, "fathom", "")]
    {
        let missing: serde_json::Value = owner.value(CHECK_DUPLICATE, &[&user, &source, &external_id]);
        assert_eq!(missing, json!({"isDuplicate": false}));
    }
}

#[test]
fn check_duplicates_returns_a_row_for_each_id_in_the_order_asked() {
    let db = Database::new();
    let mut owner = db.table_owner();
    let id = recording_id(&owner.import(&record("x"), ALICE));
    let rows = owner.query("SELECT * FROM check_duplicates($1, 'fathom', ARRAY['y', 'x', NULL, 'x', ''])", &[&ALICE]);
    let rows: Vec<(Option<String>, bool, Option<Uuid>)> = rows
        .iter()
        .map(|row| (row.get("external_id"), row.get("is_duplicate"), row.get("existing_recording_id")))
        .collect();
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(
        rows,
        [
            (text("y"), false, None),
            (text("x"), true, Some(id)),
            (None, false, None),
            (text("x"), true, Some(id)),
            (text(""), false, None),
        ]
    );
    assert_eq!(owner.query("SELECT * FROM check_duplicates($1, 'fathom', '{}')", &[&ALICE]).len(), 0);
}

#[test]
fn a_check_with_a_null_argument_raises_22004_and_with_a_null_user_takes_the_jwt_subject() {
    let db = Database::new();
    let mut alice = db.authenticated(ALICE);
    alice.import_own(&record("x"));
    let own: serde_json::Value = alice.value("SELECT check_duplicate(NULL, 'fathom', 'x')", &[]);
    assert_eq!(own["isDuplicate"], true);
    for (call, argument) in [
        ("check_duplicate(NULL, NULL, 'x')", "p_source_app"),
        ("check_duplicate(NULL, 'fathom', NULL)", "p_external_id"),
        ("check_duplicates(NULL, NULL, '{x}')", "p_source_app"),
        ("check_duplicates(NULL, 'fathom', NULL)", "p_external_ids"),
    ] {
        let error = alice.error(&format!("SELECT {call}"), &[]);
        assert_eq!(error.code().code(), "22004", "{call}");
        assert_eq!(error.message(), format!("{argument} is NULL"));
    }
    let nobody = "SELECT check_duplicate(NULL, 'fathom', 'x')";
    assert_eq!(db.service_role().sqlstate(nobody, &[]), "22023");
}

#[test]
fn check_duplicate_of_another_users_key_is_false_for_a_user() {
    let db = Database::new();
    db.authenticated(ALICE).import_own(&record("x"));
    let seen: serde_json::Value = db.authenticated(BOB).value(CHECK_DUPLICATE, &[&ALICE, &"fathom", &"x"]);
    assert_eq!(seen, json!({"isDuplicate": false}));
}

#[test]
fn a_check_whose_query_fails_is_false_and_the_import_still_skips_the_duplicate() {
    let db = Database::new();
    let mut owner = db.table_owner();
    let id = recording_id(&owner.import(&record("x"), ALICE));
    owner.run(
        "CREATE FUNCTION fail() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no look-ups'; END $$;
         CREATE POLICY failing ON recordings AS RESTRICTIVE FOR SELECT TO authenticated
             USING (current_setting('test.fail', true) IS DISTINCT FROM 'on' OR fail())",
    );
    let mut alice = db.authenticated(ALICE);
    alice.run("SET test.fail = 'on'");
    let failed_open: serde_json::Value = alice.value(CHECK_DUPLICATE, &[&ALICE, &"fathom", &"x"]);
    assert_eq!(failed_open, json!({"isDuplicate": false}));
    let rows = alice.query("SELECT is_duplicate FROM check_duplicates($1, 'fathom', '{x,y}')", &[&ALICE]);
    assert_eq!(rows.iter().map(|row| row.get(0)).collect::<Vec<bool>>(), [false, false]);
    alice.run("RESET test.fail");
    assert_skipped(&alice.import_own(&record("x")), id);

    owner.run("REVOKE SELECT ON recordings FROM authenticated");
    let no_privilege: serde_json::Value = alice.value(CHECK_DUPLICATE, &[&ALICE, &"fathom", &"x"]);
    assert_eq!(no_privilege, json!({"isDuplicate": false}));
    assert_eq!(owner.count("recordings"), 1);
}

#[test]
fn checks_and_counts_run_in_a_read_only_transaction_and_assign_no_transaction_id() {
    let db = Database::new();
    let mut owner = db.table_owner();
    owner.import(&record("x"), ALICE);
    owner.run("BEGIN READ ONLY");
    let found: serde_json::Value = owner.value(CHECK_DUPLICATE, &[&ALICE, &"fathom", &"x"]);
    assert_eq!(found["isDuplicate"], true);
    owner.query("SELECT * FROM check_duplicates($1, 'fathom', '{x}')", &[&ALICE]);
    owner.query("SELECT * FROM get_import_counts($1)", &[&ALICE]);
    owner.run("COMMIT; BEGIN");
    owner.query(CHECK_DUPLICATE, &[&ALICE, &"fathom", &"x"]);
    owner.query("SELECT * FROM get_import_counts($1)", &[&ALICE]);
    let taken: bool = owner.value("SELECT pg_current_xact_id_if_assigned() IS NOT NULL", &[]);
    assert!(!taken, "a look-up took a transaction id");
    owner.run("COMMIT");
}

/// Counts the recordings that calls read under row-level security.
///
/// Under a policy PostgreSQL uses an index only for conditions with leakproof operators, and `->>` is not leakproof:
/// with the dedup index alone each key would read all of a user's recordings.
#[test]
fn calls_under_policies_read_no_more_recordings_than_they_ask_for() {
    let db = Database::new();
    let mut owner = db.table_owner();
    owner.query(
        "SELECT run_pipeline_batch(jsonb_agg($1 || jsonb_build_object('external_id', n)), $2)
         FROM generate_series(1, 1000) AS n",
        &[&record(0), &ALICE],
    );
    owner.run("ANALYZE recordings");
    let mut alice = db.authenticated(ALICE);
    for call in [
        "SELECT run_pipeline($1::jsonb)",
        "SELECT check_duplicate(NULL, 'fathom', '7') FROM (SELECT $1::jsonb) AS unused",
        "SELECT count(*) FROM (SELECT $1::jsonb) AS unused, check_duplicates(NULL, 'fathom', '{7,8,9,no}')",
        "SELECT run_pipeline_batch(jsonb_build_array($1::jsonb))",
    ] {
        alice.run("BEGIN");
        alice.query(call, &[&record(7)]);
        let read: i64 = alice.value(
            "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'recordings'",
            &[],
        );
        alice.run("COMMIT");
        // The counts may include calls before: a session reports its statistics with a delay.
        assert!(read <= 30, "{call} read {read} recordings");
    }
}

#[test]
fn check_duplicate_of_a_recording_that_policies_hide_is_false() {
    let db = Database::new();
    let mut owner = db.table_owner();
    let id = recording_id(&owner.import(&record("x"), ALICE));
    let mut bob = db.authenticated(BOB);
    let answer: serde_json::Value = bob.value(CHECK_DUPLICATE, &[&ALICE, &"fathom", &"x"]);
    assert_eq!(answer, json!({"isDuplicate": false}));
    // The user's own recording, hidden by a policy of the application, is skipped without its id.
    owner.run(
        "CREATE POLICY hide ON recordings AS RESTRICTIVE FOR SELECT TO authenticated USING (title <> 'hidden');
         UPDATE recordings SET title = 'hidden' WHERE id IS NOT NULL",
    );
    let mut alice = db.authenticated(ALICE);
    assert_eq!(
        alice.value::<serde_json::Value>(CHECK_DUPLICATE, &[&ALICE, &"fathom", &"x"]),
        json!({"isDuplicate": false})
    );
    assert_eq!(alice.import_own(&record("x")), json!({"success": false, "skipped": true}));
    assert_eq!(recording_id(&owner.import(&record("x"), ALICE)), id);
}

/// Compares the rows read: the duration of a call must not show whether another user's key exists.
#[test]
fn check_duplicate_of_another_users_key_reads_as_many_rows_whether_it_exists_or_not() {
    let db = Database::new();
    let mut owner = db.table_owner();
    for id in 1..=20 {
        owner.import(&record(id), ALICE);
    }
    let mut bob = db.authenticated(BOB);
    let mut rows_read = |external_id: &str| {
        let read = "SELECT COALESCE(sum(seq_tup_read + idx_tup_fetch), 0)::bigint FROM pg_stat_xact_user_tables";
        bob.run("BEGIN");
        bob.value::<serde_json::Value>(CHECK_DUPLICATE, &[&ALICE, &"fathom", &external_id]);
        let before: i64 = bob.value(read, &[]);
        bob.value::<serde_json::Value>(CHECK_DUPLICATE, &[&ALICE, &"fathom", &external_id]);
        let after: i64 = bob.value(read, &[]);
        bob.run("COMMIT");
        after - before
    };
    assert_eq!(rows_read("7"), rows_read("not there"));
}

#[test]
fn check_duplicate_without_privilege_on_the_key_columns_is_false() {
    let db = Database::new();
    let mut owner = db.table_owner();
    owner.import(&record("x"), ALICE);
    owner
        .run("REVOKE SELECT ON recordings FROM authenticated; GRANT SELECT (id, title) ON recordings TO authenticated");
    let mut alice = db.authenticated(ALICE);
    let answer: serde_json::Value = alice.value(CHECK_DUPLICATE, &[&ALICE, &"fathom", &"x"]);
    assert_eq!(answer, json!({"isDuplicate": false}));
}

#[test]
fn check_duplicate_uses_the_index_though_its_plan_was_made_for_an_empty_table() {
    let db = Database::new();
    let mut owner = db.table_owner();
    owner.run("ALTER TABLE recordings SET (autovacuum_enabled = off)");
    assert_imported(&owner.import(&record("first"), ALICE));
    owner.run("DELETE FROM recordings WHERE id IS NOT NULL");
    db.superuser().run("VACUUM ANALYZE recordings");
    // This session makes its plan while the table is empty.
    let mut early = db.service_role();
    early.value::<serde_json::Value>(CHECK_DUPLICATE, &[&ALICE, &"fathom", &"1"]);
    owner.query(
        "SELECT run_pipeline_batch(jsonb_agg($1 || jsonb_build_object('external_id', n)), $2)
         FROM generate_series(1, 2000) AS n",
        &[&record(0), &ALICE],
    );
    early.run("BEGIN");
    let read = "SELECT seq_tup_read FROM pg_stat_xact_user_tables WHERE relname = 'recordings'";
    let before: i64 = early.value(read, &[]);
    for n in 1..=10 {
        let id = n.to_string();
        let found: serde_json::Value = early.value(CHECK_DUPLICATE, &[&ALICE, &"fathom", &id]);
        assert_eq!(found["isDuplicate"], true);
    }
    let after: i64 = early.value(read, &[]);
    assert_eq!(after - before, 0, "recordings read one by one");
}
