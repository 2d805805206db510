//! What is stored has the key that was given: else the record fails, is not in, and the error names the column.
//!
//! The kind: something between the INSERT and its row that changes owner, source, external id or bank. It may be a trigger
//! before the insert, one after it (for the row or the statement), one on vault_entries, one of a partition, or a
//! column's type that cuts trailing blanks.

use super::*;

/// What a trigger on recordings does to a row whose title is "bad", and the column that the error has to name.
const BEFORE: [(&str, &str); 5] = [
    ("NEW.source_metadata := jsonb_build_object('raw', NEW.source_metadata);", "source_metadata"),
    ("NEW.source_metadata := NEW.source_metadata - 'external_id';", "source_metadata"),
    ("NEW.source_metadata := jsonb_set(NEW.source_metadata, '{external_id}', '\"other\"');", "source_metadata"),
    ("NEW.source_metadata := jsonb_set(NEW.source_metadata, '{external_id}', 'null');", "source_metadata"),
    ("NEW.source_app := lower(NEW.source_app);", "source_app"),
];

/// The same by an UPDATE.
const AFTER: [(&str, &str); 5] = [
    ("source_metadata = jsonb_build_object('raw', source_metadata)", "source_metadata"),
    ("source_metadata = source_metadata - 'external_id'", "source_metadata"),
    ("source_app = NULL", "source_app"),
    ("source_app = lower(source_app)", "source_app"),
    ("owner_user_id = '00000000-0000-0000-0000-000000000b0b'", "owner_user_id"),
];

fn bad(external_id: &str) -> Value {
    record_with(external_id, json!({"title": "bad", "source_app": "Fathom"}))
}

/// That the record fails in every form of call and leaves nothing behind, while others go in.
#[track_caller]
fn assert_refused(db: &Database, column: &str, what: &str) {
    let mut owner = db.table_owner();
    for (who, mut session) in importers(db, ALICE) {
        for attempt in ["first", "second"] {
            let result = session.import(&bad("x"), ALICE);
            let error = result["error"].as_str().unwrap_or_default();
            assert_eq!(result["code"], "09000", "{what}, by {who}, {attempt}: {result}");
            assert!(error.contains(column) && error.contains("trigger"), "{what}, by {who}, {attempt}: {result}");
        }
        let error = session.error("SELECT insert_recording($1, $2)", &[&bad("x"), &ALICE]);
        assert_eq!(error.code().code(), "09000", "{what}, by {who}: {error:?}");
        let records = vec![record(format!("{who} before")), bad("x"), bad("y"), record(format!("{who} after"))];
        let result = batch(&mut session, records, ALICE);
        assert_eq!([&result["imported"], &result["failed"]], [2, 2], "{what}, by {who}: {result}");
        assert_failed(&result["results"][1], "09000", column);
    }
    assert_eq!(owner.count("recordings WHERE title = 'bad'"), 0, "{what}: it is in");
    assert_eq!(owner.count("recordings"), 6, "{what}");
    assert_eq!(owner.count("vault_entries"), 6, "{what}");
}

#[test]
fn a_record_whose_key_a_trigger_changes_on_the_way_in_fails() {
    for (change, column) in BEFORE {
        let db = Database::new();
        let body = format!("IF NEW.title = 'bad' THEN {change} END IF; RETURN NEW;");
        trigger(&mut db.table_owner(), "BEFORE INSERT ON recordings", &body);
        assert_refused(&db, column, change);
    }
}

#[test]
fn a_record_whose_owner_a_trigger_changes_on_the_way_in_fails() {
    let db = Database::new();
    let mut owner = db.table_owner();
    let body = format!("NEW.owner_user_id := '{BOB}'; RETURN NEW;");
    trigger(&mut owner, "BEFORE INSERT ON recordings", &body);
    assert_failed(&db.service_role().import(&record("x"), ALICE), "09000", "owner_user_id");
    // The policy refuses the row before it is stored.
    assert_failed(&db.authenticated(ALICE).import_own(&record("x")), "42501", "policy");
    assert_eq!(owner.count("recordings"), 0);
}

#[test]
fn a_record_whose_key_a_trigger_changes_right_after_fails() {
    for when in ["AFTER INSERT ON recordings", "AFTER INSERT ON recordings FOR EACH STATEMENT"] {
        for (change, column) in AFTER {
            let db = Database::new();
            // By the tables' owner, for users may not update a key.
            let mut owner = db.table_owner();
            trigger(&mut owner, when, &format!("UPDATE recordings SET {change} WHERE title = 'bad'; RETURN NULL;"));
            owner.run("ALTER FUNCTION act() SECURITY DEFINER");
            assert_refused(&db, column, change);
        }
    }
}

#[test]
fn a_trigger_on_entries_that_changes_a_recordings_key_costs_the_entry() {
    for (change, _) in AFTER {
        let db = Database::new();
        let mut owner = db.table_owner();
        trigger(
            &mut owner,
            "AFTER INSERT ON vault_entries",
            &format!("UPDATE recordings SET {change} WHERE title = 'bad'; RETURN NULL;"),
        );
        owner.run("ALTER FUNCTION act() SECURITY DEFINER");
        for (who, mut session) in importers(&db, ALICE) {
            let result = session.import(&record_with(who, json!({"title": "bad", "source_app": "Fathom"})), ALICE);
            assert_imported(&result);
            assert!(warning(&result).contains("vault_entries"), "{change}, by {who}: {result}");
            let again = session.import(&record_with(who, json!({"title": "bad", "source_app": "Fathom"})), ALICE);
            assert_skipped(&again, recording_id(&result));
        }
        assert_eq!((owner.count("recordings"), owner.count("vault_entries")), (3, 0), "{change}");
    }
}

#[test]
fn a_column_that_cuts_blanks_off_the_source_app_is_named() {
    let db = Database::new();
    let mut owner = db.table_owner();
    owner.run("ALTER TABLE recordings ALTER source_app TYPE varchar(10)");
    for (who, mut session) in importers(&db, ALICE) {
        for attempt in ["first", "second"] {
            let result = session.import(&record_with("x", json!({"source_app": format!("zoom{:20}", "")})), ALICE);
            assert_failed(&result, "09000", "source_app");
            assert_eq!(owner.count("recordings"), 0, "by {who}, {attempt}");
        }
    }
}

#[test]
fn a_trigger_of_a_partition_that_changes_a_key_is_noticed() {
    for when in ["BEFORE INSERT ON calls", "AFTER INSERT ON calls"] {
        let db = Database::new();
        let mut owner = db.table_owner();
        owner.run(
            "ALTER TABLE recordings RENAME TO old_recordings;
             CREATE TABLE recordings (LIKE old_recordings INCLUDING DEFAULTS) PARTITION BY HASH (owner_user_id);
             CREATE TABLE calls PARTITION OF recordings FOR VALUES WITH (MODULUS 1, REMAINDER 0);
             DROP TABLE old_recordings CASCADE;
             GRANT ALL ON recordings TO service_role;
             SELECT connector_pipeline.bootstrap()",
        );
        let change = match when.contains("BEFORE") {
            true => "NEW.source_metadata := '{}'; RETURN NEW;",
            false => "UPDATE recordings SET source_metadata = '{}' WHERE id = NEW.id; RETURN NULL;",
        };
        trigger(&mut owner, when, change);
        for attempt in ["first", "second"] {
            let result = db.service_role().import(&record("x"), ALICE);
            assert_eq!(result["success"], false, "{when}, {attempt}: {result}");
            assert_failed(&result, "09000", "source_metadata");
        }
        assert_eq!(owner.count("recordings"), 0, "{when}");
    }
}

#[test]
fn a_violation_of_the_dedup_index_itself_is_a_duplicate() {
    let db = Database::new();
    let mut owner = db.table_owner();
    assert_imported(&owner.import(&record_with("x", json!({"source_app": "zoom"})), ALICE));
    trigger(&mut owner, "BEFORE INSERT ON recordings", "NEW.source_app := lower(NEW.source_app); RETURN NEW;");
    for (who, mut session) in importers(&db, ALICE) {
        let result = session.import(&record_with("x", json!({"source_app": "Zoom"})), ALICE);
        assert_eq!([&result["success"], &result["skipped"]], [&json!(false), &json!(true)], "by {who}: {result}");
        let insert = "SELECT insert_recording($1, $2)";
        assert_eq!(session.sqlstate(insert, &[&record_with("x", json!({"source_app": "Zoom"})), &ALICE]), "23505");
    }
    assert_eq!(owner.count("recordings"), 1);
}

#[test]
fn a_violation_of_another_index_is_no_duplicate() {
    let db = Database::new();
    let mut owner = db.table_owner();
    owner.run("CREATE UNIQUE INDEX one_title ON recordings (title)");
    assert_imported(&owner.import(&record("x"), ALICE));
    for (_, mut session) in importers(&db, ALICE) {
        assert_failed(&session.import(&record("y"), ALICE), "23505", "one_title");
    }
}

#[test]
fn a_trigger_that_moves_a_recording_to_a_bank_of_others_is_refused() {
    let db = Database::new();
    let mut owner = db.table_owner();
    let (bank, _) = business_bank(&mut owner, BOB);
    trigger(&mut owner, "BEFORE INSERT ON recordings", &format!("NEW.bank_id := '{bank}'; RETURN NEW;"));
    for (who, mut session) in importers(&db, ALICE) {
        let result = session.import(&record(who), ALICE);
        assert_eq!(result["success"], false, "by {who}: {result}");
        assert_eq!(result["code"], "42501", "by {who}: {result}");
    }
    assert_eq!(owner.count("recordings"), 0);
}

#[test]
fn a_trigger_that_moves_a_recording_to_another_bank_of_its_owner_leaves_no_entry_across_banks() {
    let db = Database::new();
    let mut owner = db.table_owner();
    let (bank, _) = business_bank(&mut owner, ALICE);
    trigger(&mut owner, "BEFORE INSERT ON recordings", &format!("NEW.bank_id := '{bank}'; RETURN NEW;"));
    for (who, mut session) in importers(&db, ALICE) {
        assert_imported(&session.import(&record(who), ALICE));
    }
    let across = "SELECT count(*) FROM vault_entries AS e JOIN recordings AS r ON r.id = e.recording_id
                  JOIN vaults AS v ON v.id = e.vault_id WHERE v.bank_id <> r.bank_id";
    assert_eq!(owner.value::<i64>(across, &[]), 0);
}
