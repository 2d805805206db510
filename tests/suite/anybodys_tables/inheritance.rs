//! A unique index knows none of the rows of tables that inherit: bootstrap() refuses such tables.
//!
//! The kind: a table whose unique index does not see all of its rows. Cases: each table with a unique key that the pipeline
//! relies on; and a partitioned table with a foreign table among its partitions, on which no unique index can be made.

use super::*;
use crate::application::{bootstrap, remedy, run_each};
use crate::comparison::objects;

#[test]
fn bootstrap_refuses_a_table_that_others_inherit_from() {
    for table in ["recordings", "vault_entries", "import_sources", "import_failures"] {
        let db = Database::new();
        let mut owner = db.table_owner();
        owner.run(&format!("CREATE TABLE archive () INHERITS ({table}); CREATE TABLE \"Older\" () INHERITS ({table})"));
        let before = objects(&mut owner);
        let error = owner.error("SELECT connector_pipeline.bootstrap()", &[]);
        assert_eq!(error.code().code(), "55000", "{table}: {error:?}");
        let detail = error.detail().unwrap_or_default();
        assert!(detail.starts_with(&format!("table {table} ")) && detail.contains("archive"), "{table}: {error:?}");
        assert_eq!(objects(&mut owner), before, "{table}");
        run_each(&mut owner, remedy(error.hint().unwrap()));
        bootstrap(&mut owner);
        assert_imported(&db.service_role().import(&record("x"), ALICE));
    }
}

#[test]
fn a_table_that_no_unique_key_is_needed_on_may_have_heirs() {
    for table in ["banks", "bank_memberships", "vaults", "vault_memberships", "sync_jobs"] {
        let db = Database::new();
        let mut owner = db.table_owner();
        owner.run(&format!("CREATE TABLE archive () INHERITS ({table})"));
        bootstrap(&mut owner);
        assert_imported(&db.service_role().import(&record("x"), ALICE));
    }
}

#[test]
fn a_table_that_inherits_itself_serves() {
    let db = Database::new();
    let mut owner = db.table_owner();
    owner.run("CREATE TABLE things (id uuid); ALTER TABLE recordings INHERIT things");
    bootstrap(&mut owner);
    assert_imported(&db.service_role().import(&record("x"), ALICE));
}

#[test]
fn a_foreign_table_among_the_partitions_is_told() {
    let db = Database::new();
    db.superuser().run(
        "CREATE FOREIGN DATA WRAPPER nowhere; CREATE SERVER elsewhere FOREIGN DATA WRAPPER nowhere;
         GRANT USAGE ON FOREIGN SERVER elsewhere TO app_owner",
    );
    let mut owner = db.table_owner();
    owner.run(
        "ALTER TABLE recordings RENAME TO old_recordings;
         CREATE TABLE recordings (LIKE old_recordings INCLUDING DEFAULTS) PARTITION BY LIST (source_app);
         CREATE TABLE calls PARTITION OF recordings DEFAULT;
         CREATE FOREIGN TABLE archive PARTITION OF recordings FOR VALUES IN ('old system') SERVER elsewhere;
         DROP TABLE old_recordings CASCADE",
    );
    let error = owner.error("SELECT connector_pipeline.bootstrap()", &[]);
    assert_eq!(error.code().code(), "55000", "{error:?}");
    assert!(error.detail().unwrap_or_default().contains("archive"), "{error:?}");
    run_each(&mut owner, remedy(error.hint().unwrap()));
    bootstrap(&mut owner);
}
