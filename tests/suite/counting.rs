//! Tests get_import_counts() for the user itself and for roles that bypass the policies.

use crate::support::*;

fn counts(session: &mut Session, call: &str) -> Vec<(String, i64)> {
    session
        .query(&format!("SELECT source_app, call_count FROM {call}"), &[])
        .iter()
        .map(|row| (row.get(0), row.get(1)))
        .collect()
}

fn import_for_two_users(db: &Database) {
    let mut owner = db.table_owner();
    for (id, source, user) in [("a", "zoom", ALICE), ("b", "zoom", ALICE), ("a", "fathom", ALICE), ("a", "zoom", BOB)] {
        assert_imported(&owner.import(&record_with(id, json!({"source_app": source})), user));
    }
}

#[test]
fn import_counts_are_per_source_and_for_one_user() {
    let db = Database::new();
    import_for_two_users(&db);
    let own = counts(&mut db.authenticated(ALICE), "get_import_counts()");
    assert_eq!(own, [("fathom".to_owned(), 1), ("zoom".to_owned(), 2)]);
    assert_eq!(counts(&mut db.authenticated(ALICE), &format!("get_import_counts('{ALICE}')")), own);
    let nobody = Uuid::from_u128(5);
    assert_eq!(counts(&mut db.service_role(), &format!("get_import_counts('{nobody}')")), []);
}

#[test]
fn import_counts_of_another_user_are_for_superuser_bypassrls_and_table_owner_only() {
    let db = Database::new();
    import_for_two_users(&db);
    let of_bob = format!("get_import_counts('{BOB}')");
    for mut session in [db.superuser(), db.service_role(), db.table_owner(), db.authenticated(BOB)] {
        assert_eq!(counts(&mut session, &of_bob), [("zoom".to_owned(), 1)]);
    }
    assert_eq!(db.authenticated(ALICE).sqlstate(&format!("SELECT * FROM {of_bob}"), &[]), "42501");
    assert_eq!(db.anon().sqlstate(&format!("SELECT * FROM {of_bob}"), &[]), "42501");
    assert_eq!(db.login("stranger").sqlstate(&format!("SELECT * FROM {of_bob}"), &[]), "42501");
}

#[test]
fn import_counts_without_a_user_raise_22023() {
    let db = Database::new();
    assert_eq!(db.service_role().sqlstate("SELECT * FROM get_import_counts()", &[]), "22023");
    assert_eq!(db.service_role().sqlstate("SELECT * FROM get_import_counts(NULL)", &[]), "22023");
}
