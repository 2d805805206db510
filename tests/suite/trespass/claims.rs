//! Tests that JWT claims without a valid user give no access.

use serde_json::Value;

use crate::support::*;

/// Values of `request.jwt.claims` and `request.jwt.claim.sub`, None if not set.
///
/// The id of that user replaces ALICE.
const CLAIMS_WITHOUT_USER: [(Option<&str>, Option<&str>); 25] = [
    (None, None),
    (Some(""), None),
    (Some(" "), None),
    (Some("{}"), None),
    (Some(r#"{"role": "authenticated"}"#), None),
    (Some(r#"{"sub": null}"#), None),
    (Some(r#"{"sub": ""}"#), None),
    (Some(r#"{"sub": 1}"#), None),
    (Some(r#"{"sub": true}"#), None),
    (Some(r#"{"sub": ["ALICE"]}"#), None),
    (Some(r#"{"sub": {"sub": "ALICE"}}"#), None),
    (Some(r#"{"Sub": "ALICE"}"#), None),
    (Some(r#"{"sub": " ALICE"}"#), None),
    (Some(r#"{"sub": "urn:uuid:ALICE"}"#), None),
    (Some(r#"{"sub": "not a uuid"}"#), None),
    (Some(r#"{"sub": "ALICE' OR true; --"}"#), None),
    (Some(r#"{"sub": "'); DROP TABLE recordings; --"}"#), None),
    (Some("ALICE"), None),
    (Some("null"), None),
    (Some(r#""ALICE""#), None),
    (Some(r#"["ALICE"]"#), None),
    (Some(r#"[{"sub": "ALICE"}]"#), None),
    (Some(r#"{"sub": "ALICE""#), None),
    (None, Some("ALICE' OR true; --")),
    (Some(r#"{"role": "authenticated"}"#), Some("nobody")),
];

fn set_claims(session: &mut Session, claims: Option<&str>, legacy: Option<&str>) {
    for (name, value) in [("request.jwt.claims", claims), ("request.jwt.claim.sub", legacy)] {
        if let Some(value) = value {
            let value = value.replace("ALICE", &ALICE.to_string());
            session.query("SELECT set_config($1, $2, false)", &[&name, &value]);
        }
    }
}

fn with_claims(db: &Database, claims: Option<&str>, legacy: Option<&str>) -> Session {
    let mut session = db.login("authenticator");
    session.run("SET ROLE authenticated");
    set_claims(&mut session, claims, legacy);
    session
}

/// Checks that the session reads no row, imports nothing, and gets only expected errors.
#[track_caller]
fn assert_no_access(session: &mut Session, claims: &str) {
    for call in [
        "SELECT run_pipeline($1)",
        "SELECT run_pipeline($1, $2)",
        "SELECT run_pipeline_batch(jsonb_build_array($1::jsonb)) -> 'results' -> 0",
        "SELECT run_pipeline_batch(jsonb_build_array($1::jsonb), $2) -> 'results' -> 0",
    ] {
        let record = record("new");
        let params: [&(dyn postgres::types::ToSql + Sync); 2] = [&record, &ALICE];
        let result: Value = session.value(call, &params[..call.matches('$').count()]);
        let code = result["code"].as_str().unwrap_or_default();
        assert!(result["success"] == false && ["22023", "42501"].contains(&code), "{claims}: {call}: {result}");
    }
    for call in [
        "SELECT * FROM get_import_counts()",
        "SELECT * FROM get_import_counts($1)",
        "SELECT ensure_personal_bank()",
        "SELECT ensure_personal_bank($1)",
        "SELECT insert_recording('{}')",
        "SELECT start_sync_job('zoom')",
        "SELECT start_sync_job('zoom', NULL, $1)",
        "INSERT INTO sync_jobs (user_id) VALUES ($1)",
    ] {
        let params: [&(dyn postgres::types::ToSql + Sync); 1] = [&ALICE];
        let code = session.sqlstate(call, &params[..call.matches('$').count()]);
        // 22P02: auth.uid() can't parse the claims.
        assert!(["22023", "42501", "22P02"].contains(&code.as_str()), "{claims}: {call}: {code}");
    }
    let checked: Value = session.value("SELECT check_duplicate($1, 'fathom', 'there')", &[&ALICE]);
    assert_eq!(checked, json!({"isDuplicate": false}), "{claims}");
    for table in ["recordings", "banks", "sync_jobs"] {
        match session.client.query(&format!("SELECT FROM {table}"), &[]) {
            Ok(rows) => assert!(rows.is_empty(), "{claims}: {table}"),
            Err(error) => assert_eq!(error.code().map(|code| code.code()), Some("22P02"), "{claims}: {error:?}"),
        }
    }
}

#[test]
fn jwt_claims_that_name_no_user_read_nothing_and_import_nothing() {
    let db = Database::new();
    let mut alice = db.authenticated(ALICE);
    assert_imported(&alice.import_own(&record("there")));
    alice.value::<Uuid>("SELECT start_sync_job('fathom')", &[]);
    for (claims, legacy) in CLAIMS_WITHOUT_USER {
        let both = format!("{claims:?} {legacy:?}");
        assert_no_access(&mut with_claims(&db, claims, legacy), &both);
    }
    let mut owner = db.table_owner();
    assert_eq!((owner.count("recordings"), owner.count("sync_jobs"), owner.count("banks")), (1, 1, 1));
}

#[test]
fn jwt_claims_of_any_length_and_depth_give_a_short_error() {
    let db = Database::new();
    let long = "x".repeat(10_000_000);
    let deep = |open: &str, close: &str| format!(r#"{{"sub": {}{}}}"#, open.repeat(100_000), close.repeat(100_000));
    for claims in [
        long.clone(),
        format!("\"{long}\""),
        format!(r#"{{"sub": "{long}"}}"#),
        deep("[", "]"),
        deep(r#"{"sub": "#, "}"),
    ] {
        let mut session = with_claims(&db, Some(&claims), None);
        let result = session.import_own(&record("x"));
        assert_failed(&result, "22023", "");
        assert!(result.to_string().len() < 1000, "the error has the claims in it");
        assert_eq!(session.sqlstate("SELECT ensure_personal_bank()", &[]), "22023");
    }
    assert_eq!(db.table_owner().count("recordings"), 0);
}

#[test]
fn jwt_claims_with_two_different_subjects_are_refused() {
    let db = Database::new();
    assert_imported(&db.authenticated(ALICE).import_own(&record("there")));
    let mut bob = db.authenticated(BOB);
    set_claims(&mut bob, None, Some("ALICE"));
    assert_failed(&bob.import_own(&record("x")), "22023", "different subjects");
    for call in ["get_import_counts()", "get_import_counts($1)", "ensure_personal_bank()", "ensure_personal_bank($1)"] {
        let params: [&(dyn postgres::types::ToSql + Sync); 1] = [&ALICE];
        let code = bob.sqlstate(&format!("SELECT {call}"), &params[..call.matches('$').count()]);
        assert_eq!(code, "22023", "{call}");
    }
}

#[test]
fn the_role_in_the_jwt_claims_gives_no_rights() {
    let db = Database::new();
    assert_imported(&db.authenticated(ALICE).import_own(&record("there")));
    let claims = json!({"role": "service_role", "sub": BOB, "owner_user_id": ALICE}).to_string();
    let mut bob = db.api("authenticated", &claims);
    assert_failed(&bob.import(&record("x"), ALICE), "42501", "own user only");
    assert_eq!(bob.sqlstate("SELECT get_import_counts($1)", &[&ALICE]), "42501");
}
