//! A membership that ends while a call waits opens no bank.
//!
//! The kind: something that was looked up before a wait, and is relied on after it. Waits: for a key that another
//! transaction holds, for a lock in a trigger, for the row of the bank. Found: the bank, by membership; the vault.

use std::thread;

use super::*;

/// Imports while another transaction holds the key; `meanwhile` is committed before that one ends.
fn import_across_a_wait(db: &Database, mut importer: Session, records: &[Value], meanwhile: &str) -> Value {
    let mut first = db.service_role();
    first.run("BEGIN");
    let held = &records[records.len() - 1];
    assert_imported(&first.import(held, ALICE));
    let pid: i32 = importer.value("SELECT pg_backend_pid()", &[]);
    thread::scope(|scope| {
        let waiting = scope.spawn(move || -> Value {
            match records {
                [one] => importer.import(one, ALICE),
                _ => importer.value("SELECT run_pipeline_batch($1, $2)", &[&json!(records), &ALICE]),
            }
        });
        db.wait_until_blocked(pid);
        db.table_owner().run(meanwhile);
        first.run("ROLLBACK");
        waiting.join().unwrap()
    })
}

fn leave(bank: Uuid) -> String {
    format!("DELETE FROM bank_memberships WHERE user_id = '{ALICE}' AND bank_id = '{bank}'")
}

#[test]
fn a_membership_that_ended_while_the_key_was_waited_for_opens_no_bank() {
    for who in 0..3 {
        let db = Database::new();
        let mut owner = db.table_owner();
        let (bank, vault) = business_bank(&mut owner, ALICE);
        let (name, importer) = importers(&db, ALICE).into_iter().nth(who).unwrap();
        let record = record_with("k", json!({"bank_id": bank, "vault_id": vault}));
        let result = import_across_a_wait(&db, importer, &[record], &leave(bank));
        assert_failed(&result, "42501", "not a member");
        assert_eq!(owner.count("recordings"), 0, "by {name}");
    }
}

#[test]
fn a_membership_that_ended_while_a_batch_waited_opens_no_bank_to_any_of_its_records() {
    for who in 0..3 {
        let db = Database::new();
        let mut owner = db.table_owner();
        let (bank, vault) = business_bank(&mut owner, ALICE);
        let (name, importer) = importers(&db, ALICE).into_iter().nth(who).unwrap();
        let into = |id: &str| record_with(id, json!({"bank_id": bank, "vault_id": vault}));
        let result = import_across_a_wait(&db, importer, &[record("own"), into("i"), into("k")], &leave(bank));
        assert_eq!([&result["imported"], &result["failed"]], [1, 2], "by {name}: {result}");
        assert_failed(&result["results"][1], "42501", "not a member");
        assert_failed(&result["results"][2], "42501", "not a member");
        assert_eq!(owner.count(&format!("recordings WHERE bank_id = '{bank}'")), 0, "by {name}");
    }
}

#[test]
fn a_membership_that_goes_on_is_no_obstacle_after_a_wait() {
    let db = Database::new();
    let mut owner = db.table_owner();
    let (bank, vault) = business_bank(&mut owner, ALICE);
    let record = record_with("k", json!({"bank_id": bank, "vault_id": vault}));
    let result = import_across_a_wait(&db, db.authenticated(ALICE), &[record], "SELECT");
    assert_imported(&result);
    assert_eq!(result["warning"], Value::Null, "{result}");
    assert_eq!(owner.count("vault_entries"), 1);
}

#[test]
fn a_personal_bank_that_was_taken_away_while_the_key_was_waited_for_gets_nothing() {
    let db = Database::new();
    let mut owner = db.table_owner();
    let bank: Uuid = owner.value("SELECT ensure_personal_bank($1)", &[&ALICE]);
    let handed_over = format!("UPDATE bank_memberships SET user_id = '{BOB}' WHERE bank_id = '{bank}'");
    let result = import_across_a_wait(&db, db.authenticated(ALICE), &[record("k")], &handed_over);
    assert_eq!(owner.count(&format!("recordings WHERE bank_id = '{bank}'")), 0, "{result}");
}

#[test]
fn a_membership_that_ended_while_a_trigger_waited_opens_no_bank() {
    let db = Database::new();
    let mut owner = db.table_owner();
    let (bank, vault) = business_bank(&mut owner, ALICE);
    trigger(&mut owner, "BEFORE INSERT ON recordings", "PERFORM pg_advisory_xact_lock_shared(1); RETURN NEW;");
    let (mut holder, mut service) = (db.superuser(), db.service_role());
    holder.run("SELECT pg_advisory_lock(1)");
    let pid: i32 = service.value("SELECT pg_backend_pid()", &[]);
    let result = thread::scope(|scope| {
        let record = record_with("k", json!({"bank_id": bank, "vault_id": vault}));
        let waiting = scope.spawn(move || service.import(&record, ALICE));
        db.wait_until_blocked(pid);
        owner.run(&leave(bank));
        holder.run("SELECT pg_advisory_unlock(1)");
        waiting.join().unwrap()
    });
    assert_failed(&result, "42501", "not a member");
    assert_eq!(owner.count("recordings"), 0);
}
