//! merge_duplicates() acts on what is there, not on what an old snapshot shows.
//!
//! The kind: rows that are read with a snapshot from before a lock, and acted on after it. Cases: merge_duplicates(); the
//! others that lock and then look (bootstrap(), ensure_personal_bank()) are refused by PostgreSQL or raise 40001.

use super::*;

#[test]
fn merge_duplicates_refuses_a_snapshot_that_may_be_older_than_its_lock() {
    let db = Database::new();
    let mut owner = db.table_owner();
    let imported = recording_id(&owner.import(&record("x"), ALICE));
    owner.run("DROP INDEX recordings_dedup_key");
    owner.query(
        "INSERT INTO recordings (bank_id, owner_user_id, source_app, source_metadata, title, created_at)
         SELECT bank_id, owner_user_id, source_app, source_metadata, title, created_at + interval '1 day'
         FROM recordings WHERE id = $1",
        &[&imported],
    );
    for level in ["REPEATABLE READ", "SERIALIZABLE"] {
        for dry_run in [true, false] {
            owner.run(&format!("BEGIN ISOLATION LEVEL {level}"));
            let error = owner.error("SELECT * FROM connector_pipeline.merge_duplicates($1)", &[&dry_run]);
            owner.run("ROLLBACK");
            assert_eq!(error.code().code(), "25001", "{level}: {error:?}");
            assert!(error.hint().unwrap_or_default().contains("READ COMMITTED"), "{level}: {error:?}");
        }
    }
    assert_eq!(owner.query("SELECT * FROM connector_pipeline.merge_duplicates(false)", &[]).len(), 1);
    assert_eq!(owner.column::<Uuid>("SELECT id FROM recordings", &[]), [imported]);
}

#[test]
fn duplicates_are_told_in_any_isolation_level() {
    let db = Database::new();
    let mut owner = db.table_owner();
    owner.run("BEGIN ISOLATION LEVEL REPEATABLE READ");
    assert_eq!(owner.query("SELECT * FROM connector_pipeline.duplicates()", &[]).len(), 0);
    owner.run("COMMIT");
}
