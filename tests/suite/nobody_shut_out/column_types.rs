//! Columns that the application gives another type while sessions are open, each type one that serves.
//!
//! The kind: a kept plan, or a variable, that goes by the type that a column had before (42804), and a number that is
//! larger than the type that we have for it.

use serde_json::Value;

use crate::support::*;

/// The columns that may have other types than bootstrap() makes, with these types.
fn other_types(owner: &mut Session) -> Vec<(String, String, String)> {
    let list = include_str!("../../../sql/bootstrap/needed_columns.sql");
    let query = format!(
        "SELECT table_name, column_name, type::text
         FROM ({list}) AS needed, unnest(serving) WITH ORDINALITY AS other (type, position)
         WHERE position > 1 AND type <> 'anyenum'::regtype
             -- A generated column is made of these, policies ask for that.
             AND (table_name, column_name) NOT IN (
                 ('import_failures', 'source_app'), ('import_failures', 'external_id'), ('vault_memberships', 'role')
             )
         ORDER BY 1, 2, position"
    );
    owner.query(&query, &[]).iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect()
}

/// A run with all that there is to one, in sessions that stay open.
fn a_run(alice: &mut Session, service: &mut Session, owner: &mut Session, name: &str) {
    let id = |n: usize| format!("{name} {n}");
    assert_imported(&alice.import_own(&record(id(0))));
    let job: Uuid = alice.value("SELECT start_sync_job('fathom', '{1,2}')", &[]);
    let batch = json!([record(id(0)), record(id(1)), record_with(id(2), json!({"duration": -1}))]);
    let said: Value = alice.value("SELECT run_pipeline_batch($1, NULL, $2)", &[&batch, &job]);
    assert_eq!((&said["imported"], &said["skipped"]), (&json!(1), &json!(1)), "{name}: {said}");
    let finished: Value = alice.value("SELECT finish_sync_job($1)", &[&job]);
    assert_eq!(finished["message"], "1 new, 1 skipped, 1 failed", "{name}");
    let job: Uuid = alice.value("SELECT start_sync_job('fathom')", &[]);
    let finished: Value = alice.value("SELECT finish_sync_job($1, 'down')", &[&job]);
    assert_eq!(finished["status"], "failed", "{name}");
    let said: Value = alice.value("SELECT retry_failed_imports()", &[]);
    assert!(said["failed"].as_i64() >= Some(1), "{name}: {said}");
    let known: Value = alice.value("SELECT check_duplicate(NULL, 'fathom', $1)", &[&id(1)]);
    assert_eq!(known["isDuplicate"], true, "{name}");
    assert_eq!(alice.query("SELECT * FROM get_import_counts()", &[]).len(), 1, "{name}");
    assert_imported(&service.import(&record(id(3)), BOB));
    owner.run(&format!("CALL connector_pipeline.backfill($q$SELECT $r${}$r$::jsonb$q$, '{ALICE}')", record(id(4))));
    assert_eq!(owner.query("SELECT * FROM connector_pipeline.duplicates()", &[]).len(), 0, "{name}");
    owner.query("SELECT * FROM connector_pipeline.merge_duplicates()", &[]);
}

#[test]
fn every_column_may_change_to_every_type_that_serves_under_open_sessions() {
    let db = Database::new();
    let mut owner = db.table_owner();
    let (mut alice, mut service) = (db.authenticated(ALICE), db.service_role());
    a_run(&mut alice, &mut service, &mut owner, "before");
    let others = other_types(&mut owner);
    assert!(others.len() > 40);
    for (table, column, type_name) in others {
        db.table_owner()
            .run(&format!("ALTER TABLE {table} ALTER {column} DROP DEFAULT, ALTER {column} TYPE {type_name}"));
        let default = match column.as_str() {
            "synced_ids" | "failed_ids" => "'{}'",
            "updated_at" | "created_at" => "now()",
            "progress_current" | "progress_total" | "skipped_count" | "attempts" => "0",
            "type" => "'sync'",
            "status" => "'pending'",
            _ => "NULL",
        };
        db.table_owner().run(&format!("ALTER TABLE {table} ALTER {column} SET DEFAULT {default}"));
        a_run(&mut alice, &mut service, &mut owner, &format!("{table}.{column} {type_name}"));
    }
    owner.run("SELECT connector_pipeline.bootstrap()");
}

#[test]
fn counts_beyond_an_integer_are_added_to_and_told() {
    for (type_name, many) in [("bigint", "9000000000"), ("numeric", "90000000000000000000")] {
        let db = Database::new();
        let mut owner = db.table_owner();
        let mut alice = db.authenticated(ALICE);
        let job: Uuid = alice.value("SELECT start_sync_job('fathom')", &[]);
        let batch = json!([record("x"), record("x")]);
        alice.query("SELECT run_pipeline_batch($1, NULL, $2)", &[&batch, &job]);
        alice.query("SELECT finish_sync_job($1)", &[&job]);
        owner.run(&format!(
            "ALTER TABLE sync_jobs ALTER skipped_count TYPE {type_name}, ALTER progress_current TYPE {type_name};
             UPDATE sync_jobs SET skipped_count = {many}, progress_current = {many}"
        ));
        let said: Value = alice.value("SELECT run_pipeline_batch($1, NULL, $2)", &[&batch, &job]);
        assert_eq!(said["skipped"], 2, "{said}");
        let expected = many.trim_end_matches('0').to_owned()
            + &"0".repeat(many.len() - many.trim_end_matches('0').len() - 1)
            + "2";
        let finished: String = alice.value("SELECT finish_sync_job($1)::text", &[&job]);
        assert!(finished.contains(&format!("\"skipped\": {expected}")), "{finished}");
        assert!(finished.contains(&format!("1 new, {expected} skipped, 0 failed")), "{finished}");
        let progress: String = owner.value("SELECT progress_current::text FROM sync_jobs", &[]);
        assert_eq!(progress, expected);
    }
}

/// As an application may have it from the start: what can't be changed while a generated column is there.
#[test]
fn kept_failures_of_other_types_are_retried() {
    let db = Database::new();
    let mut owner = db.table_owner();
    owner.run(
        "DROP TABLE import_failures;
         CREATE DOMAIN any_record AS jsonb;
         CREATE TABLE import_failures (
             id uuid PRIMARY KEY DEFAULT gen_random_uuid(), user_id uuid, owner_user_id uuid, source_app varchar(500),
             external_id varchar, record any_record NOT NULL, error varchar, code varchar(5), attempts bigint DEFAULT 1,
             updated_at timestamp DEFAULT now()
         );
         SELECT connector_pipeline.bootstrap();
         GRANT SELECT, INSERT, UPDATE, DELETE ON import_failures TO authenticated",
    );
    let mut alice = db.authenticated(ALICE);
    let batch = json!([record_with("bad", json!({"duration": -1})), record("good"), {}]);
    let said: Value = alice.value("SELECT run_pipeline_batch($1)", &[&batch]);
    assert_eq!(said["results"][0]["warning"], Value::Null, "{said}");
    for attempts in 2..4 {
        let said: Value = alice.value("SELECT retry_failed_imports()", &[]);
        assert_eq!((&said["total"], &said["failed"]), (&json!(2), &json!(2)), "{said}");
        assert_eq!(owner.column::<i64>("SELECT attempts FROM import_failures", &[]), [attempts; 2]);
    }
    let said: Value = alice.value("SELECT retry_failed_imports('fathom')", &[]);
    assert_eq!(said["total"], 1, "{said}");
}
