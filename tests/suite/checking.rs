//! check_duplicate and check_duplicates: asked before fetching, never in the way of an import.

use crate::support::*;

const ONE: &str = "SELECT check_duplicate($1, $2, $3)";

#[test]
fn check_duplicate_tells_whether_and_as_what() {
    let db = Database::new();
    let mut owner = db.table_owner();
    let id = recording_id(&owner.import(&record("x"), ALICE));
    let found: serde_json::Value = owner.value(ONE, &[&ALICE, &"fathom", &"x"]);
    assert_eq!(found, json!({"isDuplicate": true, "existingRecordingId": id}));
    for (user, source, external_id) in
        [(BOB, "fathom", "x"), (ALICE, "zoom", "x"), (ALICE, "fathom", "y"), (ALICE, "fathom", "")]
    {
        let missing: serde_json::Value = owner.value(ONE, &[&user, &source, &external_id]);
        assert_eq!(missing, json!({"isDuplicate": false}));
    }
}

#[test]
fn check_duplicates_answers_each_id_asked_in_order() {
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
fn a_null_argument_is_a_clear_error_and_no_user_means_the_jwts() {
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
fn anothers_recording_is_no_duplicate_to_be_seen() {
    let db = Database::new();
    db.authenticated(ALICE).import_own(&record("x"));
    let seen: serde_json::Value = db.authenticated(BOB).value(ONE, &[&ALICE, &"fathom", &"x"]);
    assert_eq!(seen, json!({"isDuplicate": false}));
}

#[test]
fn a_check_that_fails_says_no_and_the_import_is_still_guarded() {
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
    let failed_open: serde_json::Value = alice.value(ONE, &[&ALICE, &"fathom", &"x"]);
    assert_eq!(failed_open, json!({"isDuplicate": false}));
    let rows = alice.query("SELECT is_duplicate FROM check_duplicates($1, 'fathom', '{x,y}')", &[&ALICE]);
    assert_eq!(rows.iter().map(|row| row.get(0)).collect::<Vec<bool>>(), [false, false]);
    alice.run("RESET test.fail");
    assert_skipped(&alice.import_own(&record("x")), id);

    owner.run("REVOKE SELECT ON recordings FROM authenticated");
    let no_privilege: serde_json::Value = alice.value(ONE, &[&ALICE, &"fathom", &"x"]);
    assert_eq!(no_privilege, json!({"isDuplicate": false}));
    assert_eq!(owner.count("recordings"), 1);
}

#[test]
fn the_checks_work_in_a_read_only_transaction_and_take_no_transaction_id() {
    let db = Database::new();
    let mut owner = db.table_owner();
    owner.import(&record("x"), ALICE);
    owner.run("BEGIN READ ONLY");
    let found: serde_json::Value = owner.value(ONE, &[&ALICE, &"fathom", &"x"]);
    assert_eq!(found["isDuplicate"], true);
    owner.query("SELECT * FROM check_duplicates($1, 'fathom', '{x}')", &[&ALICE]);
    owner.query("SELECT * FROM get_import_counts($1)", &[&ALICE]);
    owner.run("COMMIT; BEGIN");
    owner.query(ONE, &[&ALICE, &"fathom", &"x"]);
    owner.query("SELECT * FROM get_import_counts($1)", &[&ALICE]);
    let taken: bool = owner.value("SELECT pg_current_xact_id_if_assigned() IS NOT NULL", &[]);
    assert!(!taken, "a look-up took a transaction id");
    owner.run("COMMIT");
}
