//! Tests sessions that change their role, as in a connection pool, and SECURITY DEFINER callers.

use serde_json::Value;

use crate::support::*;

fn set_role_and_claims(session: &mut Session, role: &str, claims: &Value) {
    session.run(&format!("SET ROLE {role}"));
    session.query("SELECT set_config('request.jwt.claims', $1, false)", &[&claims.to_string()]);
}

#[test]
fn a_pooled_session_keeps_no_rights_of_the_role_that_it_had_before() {
    let db = Database::new();
    let mut pooled = db.login("authenticator");
    for round in 0..3 {
        for (name, own, other) in [("alice", ALICE, BOB), ("bob", BOB, ALICE)] {
            set_role_and_claims(&mut pooled, "service_role", &json!({}));
            assert_imported(&pooled.import(&record(format!("{name} by service {round}")), own));
            set_role_and_claims(&mut pooled, "authenticated", &json!({"sub": own}));
            assert_imported(&pooled.import_own(&record(format!("{name} {round}"))));
            assert_failed(&pooled.import(&record("for the other"), other), "42501", "own user only");
            assert_eq!(pooled.column::<Uuid>("SELECT DISTINCT owner_user_id FROM recordings", &[]), [own]);
            assert_eq!(pooled.sqlstate("SELECT get_import_counts($1)", &[&other]), "42501");
            let checked: Value = pooled.value("SELECT check_duplicate($1, 'fathom', 'alice by service 0')", &[&own]);
            assert_eq!(checked["isDuplicate"], own == ALICE, "{checked}");
            let checked: Value =
                pooled.value("SELECT check_duplicate($1, 'fathom', $2)", &[&other, &format!("{name} 0")]);
            assert_eq!(checked["isDuplicate"], false, "{checked}");
            set_role_and_claims(&mut pooled, "anon", &json!({"sub": own}));
            assert_eq!(pooled.sqlstate("SELECT run_pipeline('{}')", &[]), "42501");
        }
    }
}

#[test]
fn jwt_claims_set_for_a_transaction_give_no_owner_after_it() {
    let db = Database::new();
    let mut pooled = db.login("authenticator");
    let claims = json!({"sub": ALICE}).to_string();
    pooled.run("BEGIN; SET LOCAL ROLE authenticated");
    pooled.query("SELECT set_config('request.jwt.claims', $1, true)", &[&claims]);
    assert_imported(&pooled.import_own(&record("x")));
    pooled.run("COMMIT; SET ROLE authenticated");
    assert_failed(&pooled.import_own(&record("y")), "22023", "no owner");
    assert_eq!(pooled.sqlstate("SELECT * FROM get_import_counts()", &[]), "22023");
}

#[test]
fn a_superuser_after_set_role_has_the_rights_of_that_role_only() {
    let db = Database::new();
    db.authenticated(ALICE).import_own(&record("x"));
    let mut superuser = db.superuser();
    for take in ["SET ROLE authenticated", "SET SESSION AUTHORIZATION authenticated"] {
        superuser.run(take);
        superuser.query("SELECT set_config('request.jwt.claims', $1, false)", &[&json!({"sub": BOB}).to_string()]);
        assert_eq!(superuser.sqlstate("SELECT get_import_counts($1)", &[&ALICE]), "42501", "{take}");
        assert_eq!(superuser.sqlstate("SELECT ensure_personal_bank($1)", &[&ALICE]), "42501", "{take}");
        assert_failed(&superuser.import(&record("y"), ALICE), "42501", "own user only");
        superuser.run("RESET ROLE; RESET SESSION AUTHORIZATION");
    }
}

/// Calls definer functions from SECURITY DEFINER functions of the table owner and a superuser.
#[test]
fn definer_functions_check_the_outer_role_when_called_by_another_definer_function() {
    let db = Database::new();
    db.authenticated(ALICE).import_own(&record("x"));
    let schema = db.superuser().schema();
    for mut author in [db.table_owner(), db.superuser()] {
        author.run(&format!(
            "CREATE OR REPLACE FUNCTION counts_of(whom uuid) RETURNS SETOF record LANGUAGE sql SECURITY DEFINER AS
                 'SELECT source_app, call_count FROM {schema}.get_import_counts(whom)';
             CREATE OR REPLACE FUNCTION bank_of(whom uuid) RETURNS uuid LANGUAGE sql SECURITY DEFINER AS
                 'SELECT {schema}.ensure_personal_bank(whom)'"
        ));
        let mut bob = db.authenticated(BOB);
        assert_eq!(bob.sqlstate("SELECT counts_of($1)", &[&ALICE]), "42501");
        assert_eq!(bob.sqlstate("SELECT bank_of($1)", &[&ALICE]), "42501");
        assert_eq!(db.anon().sqlstate("SELECT bank_of($1)", &[&ALICE]), "42501");
        assert_eq!(db.login("stranger").sqlstate("SELECT counts_of($1)", &[&ALICE]), "42501");
        author.run("DROP FUNCTION counts_of, bank_of");
    }
}

#[test]
fn a_user_with_row_security_off_gets_errors_and_no_rows() {
    let db = Database::new();
    assert_imported(&db.authenticated(ALICE).import_own(&record("x")));
    let mut bob = db.authenticated(BOB);
    bob.run("SET row_security = off");
    for table in ["recordings", "vault_entries", "banks", "sync_jobs", "import_failures"] {
        assert_eq!(bob.sqlstate(&format!("SELECT FROM {table}"), &[]), "42501", "{table}");
    }
    assert_failed(&bob.import_own(&record("x")), "42501", "row-level security");
    let checked: Value = bob.value("SELECT check_duplicate($1, 'fathom', 'x')", &[&ALICE]);
    assert_eq!(checked, json!({"isDuplicate": false}));
    assert_eq!(bob.sqlstate("SELECT get_import_counts($1)", &[&ALICE]), "42501");
}
