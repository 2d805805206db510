//! An error's own SQLSTATE decides whether it is a record's failure or everybody's.
//!
//! The kind: an error that is taken for another one. PL/pgSQL's `RAISE;` raises again what a block has caught, and in
//! between the block may have raised and caught others. Cases: triggers on recordings and vault_entries, policies,
//! defaults; single records and batches; codes that PostgreSQL knows, and codes that an application made up.

use super::*;

/// A trigger's body that raises an error, catches it, raises and catches another, and raises the first again.
fn raise_again(first: &str, in_between: &str, message: &str) -> String {
    format!(
        "IF NEW.title <> 'bad' THEN RETURN NEW; END IF;
         BEGIN
             RAISE EXCEPTION 'the first' USING ERRCODE = '{first}';
         EXCEPTION WHEN OTHERS THEN
             BEGIN
                 RAISE EXCEPTION '{message}' USING ERRCODE = '{in_between}';
             EXCEPTION WHEN OTHERS THEN
             END;
             RAISE;
         END;
         RETURN NEW;"
    )
}

const RECORD: [&str; 4] = ["QUOTA", "P0001", "23514", "UX001"];
const EVERYBODY: [&str; 4] = ["XX000", "40001", "57014", "53100"];

fn bad(external_id: &str) -> Value {
    record_with(external_id, json!({"title": "bad"}))
}

#[test]
fn an_internal_error_is_raised_whatever_was_caught_after_it() {
    for everybody in EVERYBODY {
        for record_code in RECORD {
            for message in ["in between", "the first"] {
                let db = Database::new();
                let mut owner = db.table_owner();
                trigger(&mut owner, "BEFORE INSERT ON recordings", &raise_again(everybody, record_code, message));
                for (who, mut session) in importers(&db, ALICE) {
                    let raised = session.sqlstate("SELECT run_pipeline($1, $2)", &[&bad("x"), &ALICE]);
                    assert_eq!(raised, everybody, "{record_code} in between, by {who}");
                    let records = json!([record("a"), bad("x"), record("b")]);
                    let raised = session.sqlstate("SELECT run_pipeline_batch($1, $2)", &[&records, &ALICE]);
                    assert_eq!(raised, everybody, "{record_code} in between, by {who}, batch");
                }
            }
        }
    }
}

#[test]
fn a_failure_of_a_record_is_its_own_whatever_was_caught_after_it() {
    for record_code in RECORD {
        // WHEN OTHERS does not catch a cancel.
        for everybody in EVERYBODY.into_iter().filter(|code| *code != "57014").chain(["OTHER"]) {
            for message in ["in between", "the first"] {
                let db = Database::new();
                let mut owner = db.table_owner();
                trigger(&mut owner, "BEFORE INSERT ON recordings", &raise_again(record_code, everybody, message));
                for (who, mut session) in importers(&db, ALICE) {
                    assert_failed(&session.import(&bad("x"), ALICE), record_code, "the first");
                    let records = vec![record(format!("{who} a")), bad("x"), record(format!("{who} b"))];
                    let result = batch(&mut session, records, ALICE);
                    assert_eq!([&result["imported"], &result["failed"]], [2, 1], "{everybody} in between: {result}");
                    assert_failed(&result["results"][1], record_code, "the first");
                }
            }
        }
    }
}

#[test]
fn an_error_on_an_entry_is_a_warning_or_everybodys_by_its_own_code() {
    let db = Database::new();
    let mut owner = db.table_owner();
    let body = |first, in_between| raise_again(first, in_between, "in between").replace("NEW.title <> 'bad'", "false");
    trigger(&mut owner, "BEFORE INSERT ON vault_entries", &body("QUOTA", "XX000"));
    let result = owner.import(&record("x"), ALICE);
    assert!(warning(&result).contains("the first"), "{result}");
    owner.run("DROP TRIGGER act ON vault_entries");
    trigger(&mut owner, "BEFORE INSERT ON vault_entries", &body("XX000", "QUOTA"));
    assert_eq!(owner.sqlstate("SELECT run_pipeline($1, $2)", &[&record("y"), &ALICE]), "XX000");
    assert_eq!(owner.count("recordings"), 1);
}

#[test]
fn an_error_on_a_kept_failure_is_a_warning_or_everybodys_by_its_own_code() {
    let db = Database::new();
    let mut owner = db.table_owner();
    let body = |first, in_between| raise_again(first, in_between, "in between").replace("NEW.title <> 'bad'", "false");
    trigger(&mut owner, "BEFORE INSERT ON import_failures", &body("QUOTA", "XX000"));
    let result = batch(&mut owner, vec![json!({})], ALICE);
    assert!(warning(&result["results"][0]).contains("the first"), "{result}");
    owner.run("DROP TRIGGER act ON import_failures");
    trigger(&mut owner, "BEFORE INSERT ON import_failures", &body("XX000", "QUOTA"));
    assert_eq!(owner.sqlstate("SELECT run_pipeline_batch('[{}]', $1)", &[&ALICE]), "XX000");
}
