//! Tests vault entries, which give a warning and never block the import if not made.

use crate::support::*;

#[track_caller]
fn assert_warned(owner: &mut Session, result: &serde_json::Value, in_warning: &str) {
    assert_imported(result);
    let warning = result["warning"].as_str().unwrap_or_else(|| panic!("no warning: {result}"));
    assert!(warning.contains(in_warning), "{warning:?} does not say {in_warning:?}");
    let kept = "SELECT count(*) FROM recordings WHERE id = $1";
    assert_eq!(owner.value::<i64>(kept, &[&recording_id(result)]), 1, "the recording is not there");
    assert_eq!(owner.count("vault_entries"), 0);
}

#[test]
fn a_recording_whose_owner_has_no_vault_is_imported_with_a_warning() {
    let db = Database::new();
    let mut owner = db.table_owner();
    owner.value::<Uuid>("SELECT ensure_personal_bank($1)", &[&ALICE]);
    owner.run("DELETE FROM vaults");
    let result = owner.import(&record("x"), ALICE);
    assert_warned(&mut owner, &result, "no personal vault");
}

#[test]
fn a_vault_of_another_users_bank_gives_a_warning_for_every_caller() {
    let db = Database::new();
    let mut owner = db.table_owner();
    let (_, vault) = business_bank(&mut owner, BOB);
    let sessions = [db.authenticated(ALICE), db.service_role(), db.table_owner(), db.superuser()];
    for (number, mut session) in sessions.into_iter().enumerate() {
        let result = session.import(&record_with(number, json!({"vault_id": vault})), ALICE);
        assert_warned(&mut owner, &result, &vault.to_string());
    }
}

#[test]
fn a_vault_of_another_bank_of_the_same_owner_gives_a_warning() {
    let db = Database::new();
    let mut owner = db.table_owner();
    let (_, vault) = business_bank(&mut owner, ALICE);
    let personal: Uuid = owner.value("SELECT ensure_personal_bank($1)", &[&ALICE]);
    let result = owner.import(&record_with("x", json!({"bank_id": personal, "vault_id": vault})), ALICE);
    assert_warned(&mut owner, &result, "is not a vault of bank");
}

#[test]
fn a_personal_vault_of_a_colleague_is_never_chosen() {
    let db = Database::new();
    let mut owner = db.table_owner();
    let (bank, _) = business_bank(&mut owner, ALICE);
    let bobs: Uuid = owner
        .value("INSERT INTO vaults (bank_id, name, vault_type) VALUES ($1, 'Bob', 'personal') RETURNING id", &[&bank]);
    owner.query("INSERT INTO vault_memberships (vault_id, user_id) VALUES ($1, $2)", &[&bobs, &BOB]);
    let result = owner.import(&record_with("x", json!({"bank_id": bank})), ALICE);
    assert_warned(&mut owner, &result, "no personal vault");
}

#[test]
fn a_trigger_that_raises_on_vault_entries_leaves_the_recording_with_a_warning() {
    for when in ["BEFORE", "AFTER"] {
        let db = Database::new();
        let mut owner = db.table_owner();
        owner.run(&raising_trigger("vault_entries", when, "P0001"));
        let result = owner.import(&record("x"), ALICE);
        assert_warned(&mut owner, &result, "no vault_entries today");
    }
}

#[test]
fn no_privilege_on_vault_entries_leaves_the_recording_with_a_warning() {
    let db = Database::new();
    let mut owner = db.table_owner();
    owner.run("REVOKE INSERT ON vault_entries FROM authenticated");
    let result = db.authenticated(ALICE).import_own(&record("x"));
    assert_warned(&mut owner, &result, "permission denied");
}

#[test]
fn no_privilege_on_vaults_leaves_the_recording_with_a_warning() {
    for table in ["vaults", "vault_memberships"] {
        let db = Database::new();
        let mut owner = db.table_owner();
        owner.value::<Uuid>("SELECT ensure_personal_bank($1)", &[&ALICE]);
        owner.run(&format!("REVOKE ALL ON {table} FROM service_role"));
        let result = db.service_role().import(&record("x"), ALICE);
        assert_warned(&mut owner, &result, "permission denied");
    }
}

#[test]
fn a_vault_look_up_that_raises_costs_no_other_record_of_the_batch_its_entry() {
    let db = Database::new();
    let mut owner = db.table_owner();
    let (bank, vault) = business_bank(&mut owner, ALICE);
    owner.run(&format!(
        "CREATE FUNCTION thaw(id uuid) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
             BEGIN IF id = '{vault}' THEN RAISE EXCEPTION 'frozen'; END IF; RETURN true; END $$;
         CREATE POLICY frozen ON vaults AS RESTRICTIVE FOR SELECT TO authenticated USING (thaw(id))"
    ));
    let frozen = record_with("frozen", json!({"bank_id": bank, "vault_id": vault}));
    let mut alice = db.authenticated(ALICE);
    let records = serde_json::Value::from(vec![record("a"), frozen, record("b")]);
    let result: serde_json::Value = alice.value("SELECT run_pipeline_batch($1)", &[&records]);
    assert_eq!(result["imported"], 3, "{result}");
    assert!(result["results"][1]["warning"].as_str().unwrap_or_default().contains("frozen"), "{result}");
    assert_eq!(owner.count("vault_entries"), 2);
}

#[test]
fn a_vault_entry_that_a_policy_refuses_leaves_the_recording_with_a_warning() {
    let db = Database::new();
    let mut owner = db.table_owner();
    let (bank, vault) = business_bank(&mut owner, ALICE);
    owner.run("UPDATE vault_memberships SET role = 'viewer'");
    let result = db.authenticated(ALICE).import_own(&record_with("x", json!({"bank_id": bank, "vault_id": vault})));
    assert_warned(&mut owner, &result, "row-level security");
}

#[test]
fn a_vault_entry_that_a_trigger_drops_leaves_the_recording_with_a_warning() {
    let db = Database::new();
    let mut owner = db.table_owner();
    owner.run(
        "CREATE FUNCTION drop_it() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
         CREATE TRIGGER drop_it BEFORE INSERT ON vault_entries FOR EACH ROW EXECUTE FUNCTION drop_it()",
    );
    let result = owner.import(&record("x"), ALICE);
    assert_warned(&mut owner, &result, "not kept");
}

#[test]
fn a_vault_entry_that_a_trigger_on_recordings_made_is_kept_without_a_warning() {
    let db = Database::new();
    let mut owner = db.table_owner();
    owner.run(
        "CREATE FUNCTION enter() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
             INSERT INTO vault_entries (vault_id, recording_id, notes)
             SELECT id, NEW.id, 'by trigger' FROM vaults WHERE bank_id = NEW.bank_id;
             RETURN NULL;
         END $$;
         CREATE TRIGGER enter AFTER INSERT ON recordings FOR EACH ROW EXECUTE FUNCTION enter()",
    );
    let result = owner.import(&record("x"), ALICE);
    assert_eq!(result, json!({"success": true, "recordingId": recording_id(&result)}));
    assert_eq!(owner.column::<String>("SELECT notes FROM vault_entries", &[]), ["by trigger"]);
}

#[test]
fn a_missing_vault_entry_is_logged_as_a_warning() {
    let db = Database::new();
    let mut owner = db.table_owner();
    owner.run(&raising_trigger("vault_entries", "BEFORE", "P0001"));
    let mut config = db.config("app_owner");
    let (sender, notices) = std::sync::mpsc::channel();
    config.notice_callback(move |notice| sender.send(notice).unwrap());
    let mut client = config.connect(postgres::NoTls).unwrap();
    client.query("SELECT run_pipeline($1, $2)", &[&record("x"), &ALICE]).unwrap();
    let logged: Vec<_> = notices.try_iter().collect();
    assert!(
        logged.iter().any(|notice| notice.severity() == "WARNING" && notice.message().contains("no vault entry")),
        "{logged:?}"
    );
}
