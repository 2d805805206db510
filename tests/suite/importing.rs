//! Tests imports of single records: dedup, owners, banks, errors.

use serde_json::Value;

use crate::support::*;

#[test]
fn a_second_import_is_skipped_with_the_id_of_the_first() {
    let db = Database::new();
    let mut owner = db.table_owner();
    let first = owner.import(&record("x"), ALICE);
    assert_imported(&first);
    assert_skipped(&owner.import(&record_with("x", json!({"title": "Renamed"})), ALICE), recording_id(&first));
    assert_eq!(owner.count("recordings"), 1);
    assert_eq!(owner.count("vault_entries"), 1);
    assert_eq!(owner.value::<String>("SELECT title FROM recordings", &[]), "Weekly");
}

#[test]
fn the_dedup_key_is_owner_source_app_and_external_id_together() {
    let db = Database::new();
    let mut owner = db.table_owner();
    assert_imported(&owner.import(&record("x"), ALICE));
    assert_imported(&owner.import(&record("x"), BOB));
    assert_imported(&owner.import(&record_with("x", json!({"source_app": "zoom"})), ALICE));
    assert_imported(&owner.import(&record("X"), ALICE));
    assert_imported(&owner.import(&record("x "), ALICE));
    assert_eq!(owner.count("recordings"), 5);
}

#[test]
fn external_ids_of_any_characters_are_stored_unchanged_and_deduplicated() {
    let db = Database::new();
    let mut owner = db.table_owner();
    let long = "x".repeat(1000);
    for id in [
        "4444AAAiAAAAAiAiAiiAii==",
        "/a//b==",
        "dQw4w9WgXcQ",
        "board meeting.m4a-48211903",
        "' \"\\ % _ 🙂 \u{7f}",
        &long,
    ] {
        let result = owner.import(&record(id), ALICE);
        assert_imported(&result);
        assert_skipped(&owner.import(&record(id), ALICE), recording_id(&result));
        let stored = "SELECT source_metadata ->> 'external_id' FROM recordings WHERE id = $1";
        assert_eq!(owner.value::<String>(stored, &[&recording_id(&result)]), id);
    }
}

#[test]
fn insert_recording_returns_the_id_and_raises_the_errors_that_run_pipeline_returns() {
    let db = Database::new();
    let mut owner = db.table_owner();
    let inserted: serde_json::Value = owner.value("SELECT insert_recording($1, $2)", &[&record("x"), &ALICE]);
    let id: Uuid = owner.value("SELECT id FROM recordings", &[]);
    assert_eq!(inserted, json!({"id": id}));
    assert_eq!(owner.count("vault_entries"), 1);

    let duplicate = owner.error("SELECT insert_recording($1, $2)", &[&record("x"), &ALICE]);
    assert_eq!(duplicate.code().code(), "23505");
    assert!(duplicate.message().contains(&id.to_string()), "{duplicate}");
    assert_eq!(owner.sqlstate("SELECT insert_recording('{}', $1)", &[&ALICE]), "22023");
    assert_eq!(owner.sqlstate("SELECT insert_recording(NULL, $1)", &[&ALICE]), "22004");
    assert_eq!(owner.sqlstate("SELECT insert_recording($1)", &[&record("y")]), "22023");
    owner.run(&raising_trigger("recordings", "BEFORE", "QUOTA"));
    // pgrx can't raise a SQLSTATE that PostgreSQL does not define: DETAIL names that code.
    let raised = owner.error("SELECT insert_recording($1, $2)", &[&record("y"), &ALICE]);
    assert_eq!((raised.code().code(), raised.detail()), ("P0001", Some("SQLSTATE QUOTA")));
}

#[test]
fn the_owner_is_p_user_id_else_the_records_owner_user_id_else_the_jwt_subject() {
    let db = Database::new();
    let mut service = db.service_role();
    assert_imported(&service.import(&record("argument"), ALICE));
    assert_imported(&service.import_own(&record_with("record", json!({"owner_user_id": ALICE}))));
    assert_imported(&service.import(&record_with("both", json!({"owner_user_id": ALICE})), ALICE));
    assert_imported(&db.authenticated(ALICE).import_own(&record("jwt")));
    let mut legacy = db.login("authenticator");
    legacy.run(&format!("SET ROLE authenticated; SET request.jwt.claim.sub = '{ALICE}'"));
    assert_imported(&legacy.import_own(&record("legacy jwt")));

    let differ = service.import(&record_with("differ", json!({"owner_user_id": BOB})), ALICE);
    assert_failed(&differ, "22023", "differ");
    assert_failed(&service.import_own(&record("nobody")), "22023", "no owner");
    let owners: Vec<Uuid> = db.table_owner().column("SELECT DISTINCT owner_user_id FROM recordings", &[]);
    assert_eq!(owners, [ALICE]);
}

#[test]
fn empty_jwt_claims_after_a_transaction_give_no_owner() {
    let db = Database::new();
    let mut session = db.login("authenticator");
    session.run(&format!(
        "BEGIN; SET LOCAL ROLE authenticated; SET LOCAL request.jwt.claims = '{{\"sub\": \"{ALICE}\"}}';
         SET LOCAL request.jwt.claim.sub = '{ALICE}'; COMMIT; SET ROLE service_role"
    ));
    assert_eq!(session.value::<String>("SELECT current_setting('request.jwt.claims', true)", &[]), "");
    assert_failed(&session.import_own(&record("x")), "22023", "no owner");
}

#[test]
fn invalid_jwt_claims_fail_the_record_with_22023() {
    let db = Database::new();
    let cases = [
        ("not json", "request.jwt.claims"),
        ("[]", "request.jwt.claims"),
        (r#"{"sub": 5}"#, "request.jwt.claims"),
        (r#"{"sub": "x' OR true; --"}"#, "not a uuid"),
        (r#"{"sub": ""}"#, "no owner"),
        (r#"{"sub": null}"#, "no owner"),
        (r#"{"role": "authenticated"}"#, "no owner"),
        (r#"{"sub": "urn:uuid:00000000-0000-0000-0000-0000000a11ce"}"#, "not a uuid"),
    ];
    for (claims, message) in cases {
        let result = db.api("authenticated", claims).import_own(&record("x"));
        assert_failed(&result, "22023", message);
    }
    let mut both = db.authenticated(ALICE);
    both.run(&format!("SET request.jwt.claim.sub = '{BOB}'"));
    assert_failed(&both.import_own(&record("x")), "22023", "different subjects");
    assert_eq!(db.table_owner().count("recordings"), 0);
}

#[test]
fn an_import_for_a_user_that_does_not_exist_fails_and_writes_nothing() {
    let db = Database::new();
    let mut owner = db.table_owner();
    assert_failed(&owner.import(&record("x"), Uuid::from_u128(77)), "23503", "does not exist");
    for table in ["recordings", "banks", "bank_memberships", "vaults", "vault_memberships"] {
        assert_eq!(owner.count(table), 0, "{table}");
    }
}

#[test]
fn a_first_import_makes_the_personal_bank_and_its_vault() {
    let db = Database::new();
    let mut owner = db.table_owner();
    let first = owner.import(&record("x"), ALICE);
    owner.import(&record("y"), ALICE);
    assert_eq!(owner.count("banks"), 1);
    let placed = "SELECT b.type = 'personal' AND m.user_id = $1 AND v.vault_type = 'personal'
        FROM recordings r JOIN banks b ON b.id = r.bank_id JOIN bank_memberships m ON m.bank_id = b.id
        JOIN vault_entries e ON e.recording_id = r.id JOIN vaults v ON v.id = e.vault_id AND v.bank_id = b.id
        WHERE r.id = $2";
    assert!(owner.value::<bool>(placed, &[&ALICE, &recording_id(&first)]));
}

#[test]
fn a_guest_in_anothers_personal_bank_imports_into_a_bank_of_its_own() {
    let db = Database::new();
    let mut owner = db.table_owner();
    let alices: Uuid = owner.value("SELECT ensure_personal_bank($1)", &[&ALICE]);
    owner.query("INSERT INTO bank_memberships (bank_id, user_id, role) VALUES ($1, $2, 'member')", &[&alices, &BOB]);
    let result = owner.import(&record("x"), BOB);
    assert_imported(&result);
    let bank: Uuid = owner.value("SELECT bank_id FROM recordings", &[]);
    assert_ne!(bank, alices);
}

#[test]
fn a_bank_of_which_the_owner_is_not_a_member_is_refused_for_every_caller() {
    let db = Database::new();
    let mut owner = db.table_owner();
    let bobs: Uuid = owner.value("SELECT ensure_personal_bank($1)", &[&BOB]);
    let nowhere = Uuid::from_u128(99);
    for session in [&mut owner, &mut db.service_role(), &mut db.authenticated(ALICE), &mut db.superuser()] {
        let foreign = session.import(&record_with("x", json!({"bank_id": bobs})), ALICE);
        assert_failed(&foreign, "42501", "not a member");
        // The error must not show whether the bank exists.
        let unknown = session.import(&record_with("x", json!({"bank_id": nowhere})), ALICE);
        let without_id = |result: &serde_json::Value, bank: Uuid| result.to_string().replace(&bank.to_string(), "BANK");
        assert_eq!(without_id(&foreign, bobs), without_id(&unknown, nowhere));
    }
    assert_eq!(owner.count("recordings"), 0);
}

#[test]
fn bank_id_and_vault_id_of_the_owners_business_bank_are_used() {
    let db = Database::new();
    let mut owner = db.table_owner();
    let (bank, vault) = business_bank(&mut owner, ALICE);
    let result = db.authenticated(ALICE).import_own(&record_with("x", json!({"bank_id": bank, "vault_id": vault})));
    assert_eq!(result, json!({"success": true, "recordingId": recording_id(&result)}));
    assert_eq!(owner.value::<Uuid>("SELECT bank_id FROM recordings", &[]), bank);
    assert_eq!(owner.value::<Uuid>("SELECT vault_id FROM vault_entries", &[]), vault);
}

#[test]
fn a_key_with_several_rows_is_a_duplicate_with_the_oldest_rows_id() {
    let db = Database::new();
    let mut owner = db.table_owner();
    let oldest = without_dedup_index(&mut owner);
    assert_skipped(&owner.import(&record("x"), ALICE), oldest);
    let checked: serde_json::Value = owner.value("SELECT check_duplicate($1, 'fathom', 'x')", &[&ALICE]);
    assert_eq!(checked, json!({"isDuplicate": true, "existingRecordingId": oldest}));
    let rows = owner.query("SELECT * FROM check_duplicates($1, 'fathom', '{x}')", &[&ALICE]);
    assert_eq!((rows.len(), rows[0].get::<_, Uuid>("existing_recording_id")), (1, oldest));
}

#[test]
fn an_import_without_the_dedup_index_fails_and_names_bootstrap() {
    let db = Database::new();
    let mut owner = db.table_owner();
    without_dedup_index(&mut owner);
    assert_failed(&owner.import(&record("new"), ALICE), "42P10", "bootstrap()");
}

#[test]
fn a_violation_of_another_unique_index_is_an_error_never_a_skip() {
    let db = Database::new();
    let mut owner = db.table_owner();
    owner.run("CREATE UNIQUE INDEX one_title ON recordings (title)");
    assert_imported(&owner.import(&record("x"), ALICE));
    let result = owner.import(&record("y"), ALICE);
    assert_failed(&result, "23505", "one_title");
    assert_eq!(result["skipped"], serde_json::Value::Null);
    assert_imported(&owner.import(&record_with("y", json!({"title": "Other"})), ALICE));
}

#[test]
fn errors_of_constraints_and_triggers_are_returned_with_their_sqlstate() {
    let db = Database::new();
    let mut owner = db.table_owner();
    owner.run("ALTER TABLE recordings ADD CONSTRAINT short CHECK (length(title) < 10)");
    assert_failed(&owner.import(&record_with("x", json!({"title": "Much too long"})), ALICE), "23514", "short");
    owner.run(&raising_trigger("recordings", "BEFORE", "P0001"));
    assert_failed(&owner.import(&record("x"), ALICE), "P0001", "no recordings today");
    owner.run("DROP TRIGGER raise_it ON recordings");
    owner.run(&raising_trigger("recordings", "AFTER", "QUOTA"));
    assert_failed(&owner.import(&record("x"), ALICE), "QUOTA", "no recordings today");
    assert_eq!(owner.count("vault_entries"), owner.count("recordings"));
}

#[test]
fn an_external_id_or_source_app_too_long_for_the_index_is_refused_by_name() {
    let db = Database::new();
    let mut owner = db.table_owner();
    // Checksums can't be compressed.
    let noise: String = owner.value("SELECT string_agg(md5(n::text), '') FROM generate_series(1, 32768) AS n", &[]);
    let longest = record_with(&noise[..2000], json!({"source_app": noise[..500]}));
    assert_imported(&owner.import(&longest, ALICE));
    for (key, length) in [("external_id", 2001), ("external_id", noise.len()), ("source_app", 501)] {
        let result = owner.import(&record_with("x", json!({key: noise[..length]})), ALICE);
        assert_failed(&result, "22023", &format!("{key} must be at most"));
    }
}

#[test]
fn a_record_that_fails_runs_the_triggers_once() {
    let db = Database::new();
    let mut owner = db.table_owner();
    owner.value::<Uuid>("SELECT ensure_personal_bank($1)", &[&ALICE]);
    owner.run(
        "CREATE SEQUENCE runs;
         CREATE FUNCTION count_and_raise() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN PERFORM nextval('runs'); RAISE EXCEPTION 'no'; END $$;
         CREATE TRIGGER count_and_raise AFTER INSERT ON recordings FOR EACH ROW EXECUTE FUNCTION count_and_raise()",
    );
    assert_failed(&owner.import(&record("x"), ALICE), "P0001", "no");
    assert_eq!(owner.value::<i64>("SELECT last_value FROM runs", &[]), 1);
}

#[test]
fn an_error_that_a_trigger_raises_again_after_a_warning_keeps_its_sqlstate() {
    let db = Database::new();
    let mut owner = db.table_owner();
    let trigger = |code: &str| {
        format!(
            "CREATE OR REPLACE FUNCTION again() RETURNS trigger LANGUAGE plpgsql AS $$
             BEGIN
                 RAISE EXCEPTION 'first' USING ERRCODE = '{code}';
             EXCEPTION WHEN OTHERS THEN
                 RAISE WARNING 'cleaning up' USING ERRCODE = 'APP01';
                 RAISE;
             END $$;
             CREATE OR REPLACE TRIGGER again BEFORE INSERT ON recordings FOR EACH ROW EXECUTE FUNCTION again()"
        )
    };
    for code in ["QUOTA", "P0001", "23514"] {
        owner.run(&trigger(code));
        assert_failed(&owner.import(&record("x"), ALICE), code, "first");
    }
    owner.run(&trigger("XX000"));
    assert_eq!(owner.sqlstate("SELECT run_pipeline($1, $2)", &[&record("x"), &ALICE]), "XX000");
}

#[test]
fn a_row_that_a_trigger_redirects_to_a_child_table_is_imported_not_skipped() {
    let db = Database::new();
    let mut owner = db.table_owner();
    owner.run(
        "CREATE TABLE recordings_2026 () INHERITS (recordings);
         CREATE FUNCTION redirect() RETURNS trigger LANGUAGE plpgsql AS
             'BEGIN INSERT INTO recordings_2026 VALUES (NEW.*); RETURN NULL; END';
         CREATE TRIGGER redirect BEFORE INSERT ON recordings FOR EACH ROW EXECUTE FUNCTION redirect()",
    );
    let result = owner.import(&record("x"), ALICE);
    assert_eq!(result["success"], true, "{result}");
    assert_skipped(&owner.import(&record("x"), ALICE), recording_id(&result));
}

#[test]
fn an_id_column_of_type_bigint_gives_an_error_not_a_crash() {
    let db = Database::new();
    let mut owner = db.table_owner();
    owner.run(
        "DROP FUNCTION source_metadata_ordered; DROP TABLE vault_entries, recordings CASCADE;
         CREATE TABLE recordings (id bigint, owner_user_id uuid, source_app text, source_metadata jsonb, created_at timestamptz)",
    );
    owner.query("INSERT INTO recordings VALUES (4194304, $1, 'fathom', '{\"external_id\": \"x\"}')", &[&ALICE]);
    let checked: serde_json::Value = owner.value("SELECT check_duplicate($1, 'fathom', 'x')", &[&ALICE]);
    assert_eq!(checked, json!({"isDuplicate": false}));
    let result = owner.import(&record("x"), ALICE);
    assert!(result["success"] == false && result["error"].is_string(), "{result}");
}

#[test]
fn a_recording_that_a_trigger_drops_fails_with_09000() {
    let db = Database::new();
    let mut owner = db.table_owner();
    owner.run(
        "CREATE FUNCTION drop_it() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
         CREATE TRIGGER drop_it BEFORE INSERT ON recordings FOR EACH ROW EXECUTE FUNCTION drop_it()",
    );
    assert_failed(&owner.import(&record("x"), ALICE), "09000", "not kept");
}

#[test]
fn an_id_that_a_trigger_assigns_is_returned_as_the_recording_id() {
    let db = Database::new();
    let mut owner = db.table_owner();
    owner.run(
        "CREATE FUNCTION other_id() RETURNS trigger LANGUAGE plpgsql AS
             'BEGIN NEW.id := gen_random_uuid(); RETURN NEW; END';
         CREATE TRIGGER other_id BEFORE INSERT ON recordings FOR EACH ROW EXECUTE FUNCTION other_id()",
    );
    let result = owner.import(&record("x"), ALICE);
    assert_imported(&result);
    assert_eq!(owner.value::<Uuid>("SELECT id FROM recordings", &[]), recording_id(&result));
    assert_eq!(owner.value::<Uuid>("SELECT recording_id FROM vault_entries", &[]), recording_id(&result));
}

#[test]
fn a_duplicate_that_a_policy_hides_is_skipped_without_its_id() {
    let db = Database::new();
    let mut owner = db.table_owner();
    assert_imported(&db.authenticated(ALICE).import_own(&record("x")));
    // The policy compares a column of the row: it shows the new row and hides the old one.
    owner.run("ALTER POLICY recordings_select ON recordings USING (synced_at >= now())");
    let result = db.authenticated(ALICE).import_own(&record("x"));
    assert_eq!(result, json!({"success": false, "skipped": true}));
    assert_eq!(owner.count("recordings"), 1);
}

/// Drops the dedup index and inserts three rows with one key; returns the oldest's id.
fn without_dedup_index(owner: &mut Session) -> Uuid {
    let bank: Uuid = owner.value("SELECT ensure_personal_bank($1)", &[&ALICE]);
    owner.run("DROP INDEX recordings_dedup_key");
    let ids: Vec<Uuid> = [2, 1, 3]
        .into_iter()
        .map(|day: i32| {
            owner.value(
                "INSERT INTO recordings (bank_id, owner_user_id, title, source_app, source_metadata, created_at)
                 VALUES ($1, $2, 'Old', 'fathom', '{\"external_id\": \"x\"}', make_timestamptz(2026, 1, $3, 0, 0, 0))
                 RETURNING id",
                &[&bank, &ALICE, &day],
            )
        })
        .collect();
    ids[1]
}

#[test]
fn a_unique_violation_in_a_trigger_that_drops_the_row_is_an_error_never_a_skip() {
    let db = Database::new();
    let mut owner = db.table_owner();
    owner.run(
        "CREATE TABLE quarantine (external_id text PRIMARY KEY);
         CREATE FUNCTION quarantine() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN INSERT INTO quarantine VALUES (NEW.source_metadata ->> 'external_id'); RETURN NULL; END $$;
         CREATE TRIGGER quarantine BEFORE INSERT ON recordings FOR EACH ROW EXECUTE FUNCTION quarantine()",
    );
    assert_failed(&owner.import(&record("x"), ALICE), "23505", "quarantine");
    let batch = json!([record("y")]);
    let result: Value = owner.value("SELECT run_pipeline_batch($1, $2)", &[&batch, &ALICE]);
    assert_eq!(result["failed"], 1, "{result}");
    // A retry must not skip the record as a duplicate.
    let result: Value = owner.value("SELECT retry_failed_imports(NULL, $1)", &[&ALICE]);
    assert_eq!(result["failed"], 1, "{result}");
    assert_eq!(owner.count("import_failures"), 1);
}
