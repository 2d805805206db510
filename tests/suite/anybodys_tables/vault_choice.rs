//! A recording goes to a bank and a vault of its owner's own.
//!
//! The kind: a look-up for "the owner's own" that takes what the owner may merely enter, or of several the one with the
//! least id. It has cases in find_vaults.sql (a shared bank, a personal bank of somebody else's), find_banks.sql and
//! find_personal_bank.sql (which personal bank), and in records that name a vault and no bank.

use super::*;

/// The vaults that a recording is in.
fn vaults_of(owner: &mut Session, result: &Value) -> Vec<Uuid> {
    assert_imported(result);
    owner.column("SELECT vault_id FROM vault_entries WHERE recording_id = $1", &[&recording_id(result)])
}

#[test]
fn a_colleagues_personal_vault_that_the_owner_may_enter_is_not_chosen() {
    for role in ["viewer", "member", "admin"] {
        let db = Database::new();
        let mut owner = db.table_owner();
        let bank = shared_bank(&mut owner, &[ALICE, BOB]);
        personal_vault(&mut owner, 1, bank, &[(ALICE, "owner"), (BOB, role)]);
        let bobs = personal_vault(&mut owner, 2, bank, &[(BOB, "owner")]);
        for (who, mut session) in importers(&db, BOB) {
            let result = session.import(&record_with(who, json!({"bank_id": bank})), BOB);
            assert_eq!(vaults_of(&mut owner, &result), [bobs], "{role}, by {who}: {result}");
        }
        let in_batch = batch(&mut db.service_role(), vec![record_with("batch", json!({"bank_id": bank}))], BOB);
        assert_eq!(vaults_of(&mut owner, &in_batch["results"][0]), [bobs], "{role}");
        assert_eq!(db.authenticated(ALICE).count("recordings"), 0, "Alice reads Bob's recordings: {role}");
    }
}

#[test]
fn one_batch_for_two_colleagues_puts_each_recording_into_its_owners_vault() {
    let db = Database::new();
    let mut owner = db.table_owner();
    let bank = shared_bank(&mut owner, &[ALICE, BOB]);
    let vaults = [
        personal_vault(&mut owner, 1, bank, &[(ALICE, "owner"), (BOB, "admin")]),
        personal_vault(&mut owner, 2, bank, &[(BOB, "owner"), (ALICE, "admin")]),
    ];
    let records = [ALICE, BOB].map(|user| record_with("x", json!({"bank_id": bank, "owner_user_id": user})));
    let result: Value = db.service_role().value("SELECT run_pipeline_batch($1)", &[&json!(records)]);
    for (vault, result) in vaults.into_iter().zip(result["results"].as_array().unwrap()) {
        assert_eq!(vaults_of(&mut owner, result), [vault], "{result}");
    }
}

#[test]
fn a_colleagues_personal_vault_is_not_chosen_where_the_owner_has_none() {
    for role in ["viewer", "member", "admin"] {
        let db = Database::new();
        let mut owner = db.table_owner();
        let bank = shared_bank(&mut owner, &[ALICE, BOB]);
        personal_vault(&mut owner, 1, bank, &[(ALICE, "owner"), (BOB, role)]);
        for (who, mut session) in importers(&db, BOB) {
            let result = session.import(&record_with(who, json!({"bank_id": bank})), BOB);
            assert!(warning(&result).contains("no personal vault"), "{role}, by {who}: {result}");
            assert_eq!(vaults_of(&mut owner, &result), Vec::<Uuid>::new(), "{role}, by {who}");
        }
    }
}

#[test]
#[ignore = "not built yet"]
fn a_personal_vault_that_nobody_owns_is_chosen_for_a_member_without_an_own_one() {
    let db = Database::new();
    let mut owner = db.table_owner();
    let bank = shared_bank(&mut owner, &[ALICE, BOB]);
    let nobodys = personal_vault(&mut owner, 1, bank, &[(BOB, "member")]);
    for (who, mut session) in importers(&db, BOB) {
        let result = session.import(&record_with(who, json!({"bank_id": bank})), BOB);
        assert_eq!(vaults_of(&mut owner, &result), [nobodys], "by {who}: {result}");
    }
    let bobs = personal_vault(&mut owner, 2, bank, &[(BOB, "owner")]);
    for (who, mut session) in importers(&db, BOB) {
        let result = session.import(&record_with(format!("{who} 2"), json!({"bank_id": bank})), BOB);
        assert_eq!(vaults_of(&mut owner, &result), [bobs], "the own one comes first, by {who}: {result}");
    }
}

#[test]
fn a_guest_in_somebody_elses_personal_bank_gets_no_entry_in_the_hosts_vault() {
    for is_member_of_the_vault in [false, true] {
        let db = Database::new();
        let mut owner = db.table_owner();
        let bank: Uuid = owner.value("SELECT ensure_personal_bank($1)", &[&ALICE]);
        owner.query("INSERT INTO bank_memberships (bank_id, user_id, role) VALUES ($1, $2, 'member')", &[&bank, &BOB]);
        if is_member_of_the_vault {
            let join = "INSERT INTO vault_memberships (vault_id, user_id, role) SELECT id, $1, 'member' FROM vaults";
            owner.query(join, &[&BOB]);
        }
        for (who, mut session) in importers(&db, BOB) {
            let result = session.import(&record_with(who, json!({"bank_id": bank})), BOB);
            assert!(warning(&result).contains("no personal vault"), "by {who}: {result}");
        }
        assert_eq!(db.authenticated(ALICE).count("recordings"), 0, "Alice reads Bob's recordings");
    }
}

#[test]
fn a_guests_vault_in_the_owners_personal_bank_is_not_chosen() {
    let db = Database::new();
    let mut owner = db.table_owner();
    let bank: Uuid = owner.value("SELECT ensure_personal_bank($1)", &[&ALICE]);
    owner.run("DELETE FROM vaults");
    personal_vault(&mut owner, 1, bank, &[(BOB, "owner")]);
    for (who, mut session) in importers(&db, ALICE) {
        let result = session.import(&record(who), ALICE);
        assert_eq!(vaults_of(&mut owner, &result), Vec::<Uuid>::new(), "by {who}: {result}");
        assert!(warning(&result).contains("no personal vault"), "by {who}: {result}");
    }
}

#[test]
fn a_vault_without_members_in_ones_own_personal_bank_is_ones_own() {
    let db = Database::new();
    let mut owner = db.table_owner();
    let bank: Uuid = owner.value("SELECT ensure_personal_bank($1)", &[&ALICE]);
    owner.run("DELETE FROM vaults");
    let vault = personal_vault(&mut owner, 1, bank, &[]);
    let result = db.service_role().import(&record("x"), ALICE);
    assert_eq!(vaults_of(&mut owner, &result), [vault], "{result}");
}

#[test]
fn the_owners_vault_is_known_by_the_names_that_applications_have_for_an_owner() {
    let db = Database::new();
    let mut owner = db.table_owner();
    owner.run("ALTER TABLE vault_memberships DROP CONSTRAINT vault_memberships_role_check");
    let bank = shared_bank(&mut owner, &[ALICE, BOB]);
    personal_vault(&mut owner, 1, bank, &[(ALICE, "vault_owner"), (BOB, "editor")]);
    let bobs = personal_vault(&mut owner, 2, bank, &[(BOB, "vault_owner")]);
    for (who, mut session) in importers(&db, BOB) {
        let result = session.import(&record_with(who, json!({"bank_id": bank})), BOB);
        assert_eq!(vaults_of(&mut owner, &result), [bobs], "by {who}: {result}");
    }
}

#[test]
#[ignore = "not built yet"]
fn of_two_personal_vaults_the_oldest_is_chosen() {
    let db = Database::new();
    let mut owner = db.table_owner();
    let bank = shared_bank(&mut owner, &[BOB]);
    personal_vault(&mut owner, 1, bank, &[(BOB, "owner")]);
    let older = personal_vault(&mut owner, 2, bank, &[(BOB, "owner")]);
    owner.query("UPDATE vaults SET created_at = now() - interval '1 day' WHERE id = $1", &[&older]);
    for (who, mut session) in importers(&db, BOB) {
        let result = session.import(&record_with(who, json!({"bank_id": bank})), BOB);
        assert_eq!(vaults_of(&mut owner, &result), [older], "by {who}: {result}");
    }
}

/// A personal bank of a user's with this id and age, without a vault.
fn personal_bank(owner: &mut Session, id: u128, days: i32, members: &[(Uuid, &str)]) -> Uuid {
    let bank = Uuid::from_u128(id);
    owner.query(
        "INSERT INTO banks (id, name, type, created_at) VALUES ($1, 'Personal', 'personal', now() - make_interval(days => $2))",
        &[&bank, &days],
    );
    for (user, role) in members {
        let insert = "INSERT INTO bank_memberships (bank_id, user_id, role) VALUES ($1, $2, $3)";
        owner.query(insert, &[&bank, user, role]);
    }
    bank
}

#[test]
#[ignore = "not built yet"]
fn of_two_personal_banks_the_oldest_is_chosen() {
    let db = Database::new();
    let mut owner = db.table_owner();
    personal_bank(&mut owner, 1, 1, &[(ALICE, "owner")]);
    let older = personal_bank(&mut owner, 2, 2, &[(ALICE, "owner")]);
    personal_bank(&mut owner, 3, 3, &[(BOB, "owner"), (ALICE, "member")]);
    for (who, mut session) in importers(&db, ALICE) {
        assert_imported(&session.import(&record(who), ALICE));
        assert_eq!(session.value::<Uuid>("SELECT ensure_personal_bank($1)", &[&ALICE]), older, "by {who}");
    }
    assert_eq!(owner.column::<Uuid>("SELECT DISTINCT bank_id FROM recordings", &[]), [older]);
}

#[test]
fn banks_and_vaults_without_a_date_are_chosen_by_their_ids() {
    let db = Database::new();
    let mut owner = db.table_owner();
    let bank = personal_bank(&mut owner, 1, 1, &[(ALICE, "owner")]);
    personal_bank(&mut owner, 2, 2, &[(ALICE, "owner")]);
    let vault = personal_vault(&mut owner, 1, bank, &[(ALICE, "owner")]);
    personal_vault(&mut owner, 2, bank, &[(ALICE, "owner")]);
    owner.run("ALTER TABLE banks DROP created_at; ALTER TABLE vaults DROP created_at");
    for (who, mut session) in importers(&db, ALICE) {
        let result = session.import(&record(who), ALICE);
        assert_eq!(vaults_of(&mut owner, &result), [vault], "by {who}: {result}");
    }
}

#[test]
#[ignore = "not built yet"]
fn the_only_member_of_a_personal_bank_gets_no_second_one() {
    for role in ["admin", "bank_admin", "member"] {
        let db = Database::new();
        let mut owner = db.table_owner();
        owner.run("ALTER TABLE bank_memberships DROP CONSTRAINT bank_memberships_role_check");
        let bank = personal_bank(&mut owner, 7, 1, &[(ALICE, role)]);
        for (who, mut session) in importers(&db, ALICE) {
            assert_imported(&session.import(&record(who), ALICE));
            assert_eq!(session.value::<Uuid>("SELECT ensure_personal_bank($1)", &[&ALICE]), bank, "{role}, by {who}");
        }
        assert_imported(&batch(&mut db.service_role(), vec![record("batch")], ALICE)["results"][0]);
        assert_eq!(owner.column::<Uuid>("SELECT DISTINCT bank_id FROM recordings", &[]), [bank], "{role}");
        assert_eq!(owner.count("banks"), 1, "{role}");
    }
}

#[test]
fn a_guest_whose_host_is_a_member_too_gets_an_own_personal_bank() {
    for host in ["owner", "admin"] {
        let db = Database::new();
        let mut owner = db.table_owner();
        let hosts = personal_bank(&mut owner, 7, 1, &[(ALICE, host), (BOB, "admin")]);
        for (who, mut session) in importers(&db, BOB) {
            assert_imported(&session.import(&record(who), BOB));
        }
        assert_eq!(owner.count(&format!("recordings WHERE bank_id = '{hosts}'")), 0, "{host}");
        assert_eq!(owner.count("banks"), 2, "{host}");
    }
}

#[test]
fn a_record_that_names_a_vault_and_no_bank_goes_to_that_vaults_bank() {
    let db = Database::new();
    let mut owner = db.table_owner();
    let (bank, vault) = business_bank(&mut owner, ALICE);
    for (who, mut session) in importers(&db, ALICE) {
        let result = session.import(&record_with(who, json!({"vault_id": vault})), ALICE);
        assert_eq!(vaults_of(&mut owner, &result), [vault], "by {who}: {result}");
        let inserted: Value = session.value(
            "SELECT insert_recording($1, $2)",
            &[&record_with(format!("{who} 2"), json!({"vault_id": vault})), &ALICE],
        );
        assert_eq!(inserted.as_object().unwrap().keys().collect::<Vec<_>>(), ["id"], "by {who}: {inserted}");
        let records = vec![record(format!("{who} 3")), record_with(format!("{who} 4"), json!({"vault_id": vault}))];
        let result = batch(&mut session, records, ALICE);
        assert_eq!(vaults_of(&mut owner, &result["results"][1]), [vault], "by {who}: {result}");
    }
    assert_eq!(owner.count(&format!("recordings WHERE bank_id = '{bank}'")), 9);
}

#[test]
fn a_vault_of_a_bank_that_the_owner_is_no_member_of_is_a_warning_and_the_bank_stays_closed() {
    let db = Database::new();
    let mut owner = db.table_owner();
    let (bank, vault) = business_bank(&mut owner, BOB);
    for named in [vault, Uuid::from_u128(0xDEAD)] {
        for (who, mut session) in importers(&db, ALICE) {
            let record = record_with(format!("{who} {named}"), json!({"vault_id": named}));
            let result = session.import(&record, ALICE);
            assert!(warning(&result).contains(&named.to_string()), "by {who}: {result}");
            assert_eq!(vaults_of(&mut owner, &result), Vec::<Uuid>::new(), "by {who}");
        }
    }
    assert_eq!(owner.count(&format!("recordings WHERE bank_id = '{bank}'")), 0);
}

#[test]
fn a_vault_of_another_bank_than_the_one_that_is_named_is_a_warning() {
    let db = Database::new();
    let mut owner = db.table_owner();
    let (_, vault) = business_bank(&mut owner, ALICE);
    let (other, _) = business_bank(&mut owner, ALICE);
    for (who, mut session) in importers(&db, ALICE) {
        let result = session.import(&record_with(who, json!({"vault_id": vault, "bank_id": other})), ALICE);
        assert!(warning(&result).contains("is not a vault of bank"), "by {who}: {result}");
    }
}

#[test]
fn insert_recording_warns_of_an_entry_that_was_not_made() {
    let db = Database::new();
    let mut owner = db.table_owner();
    let (_, foreign) = business_bank(&mut owner, BOB);
    let insert = "SELECT insert_recording($1, $2)";
    let inserted: Value = owner.value(insert, &[&record_with("foreign", json!({"vault_id": foreign})), &ALICE]);
    assert!(warning(&inserted).contains(&foreign.to_string()), "{inserted}");
    assert!(inserted["id"].is_string(), "{inserted}");
    owner.run(&raising_trigger("vault_entries", "BEFORE", "P0001"));
    let inserted: Value = owner.value(insert, &[&record("refused"), &ALICE]);
    assert!(warning(&inserted).contains("no vault_entries today"), "{inserted}");
}
