//! What docs/operations.md warns of is so.

use serde_json::Value;

use crate::support::*;

fn staged(db: &Database) -> Session {
    let mut owner = db.table_owner();
    let record = record("@").to_string().replace("\"@\"", "' || n || '");
    owner.run(&format!(
        "CREATE TABLE staging AS SELECT n, ('{record}')::jsonb AS record FROM generate_series(1, 10000) AS n"
    ));
    owner
}

#[test]
fn statement_timeout_counts_for_the_whole_call_and_what_was_committed_stays() {
    let db = Database::new();
    let mut owner = staged(&db);
    let call = format!("CALL connector_pipeline.backfill('SELECT record FROM staging', '{ALICE}', 100)");
    owner.run("SET statement_timeout = '300ms'");
    let error = owner.client.batch_execute(&call).expect_err("it takes longer");
    assert_eq!(error.code().map(|code| code.code()), Some("57014"), "{error:?}");
    owner.run("SET statement_timeout = 0");
    let done = owner.count("recordings");
    assert!(done > 0 && done < 10_000 && done % 100 == 0, "{done}");
    owner.run(&call);
    assert_eq!(owner.count("recordings"), 10_000);
}

/// As a scheduler would send it, in one string.
#[test]
fn a_call_beside_another_statement_is_in_a_transaction_block() {
    let db = Database::new();
    let mut owner = staged(&db);
    let call = format!("CALL connector_pipeline.backfill('SELECT record FROM staging', '{ALICE}')");
    let error = owner.client.batch_execute(&format!("SET statement_timeout = 0; {call}")).expect_err("it commits");
    assert_eq!(error.code().map(|code| code.code()), Some("2D000"), "{error:?}");
    // A role's setting counts from the next session on.
    db.superuser().run(&format!("ALTER ROLE app_owner IN DATABASE {} SET statement_timeout = '10min'", db.name()));
    assert_eq!(db.table_owner().value::<String>("SHOW statement_timeout", &[]), "10min");
    db.table_owner().run(&call);
    assert_eq!(owner.count("recordings"), 10_000);
}

#[test]
fn what_a_trigger_does_outside_of_the_database_is_not_undone_and_may_happen_three_times() {
    let db = Database::new();
    let mut owner = db.table_owner();
    owner.run(
        "CREATE SEQUENCE sent;
         GRANT USAGE ON SEQUENCE sent TO authenticated;
         CREATE FUNCTION send() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN PERFORM nextval('sent'); RETURN NEW; END $$;
         CREATE TRIGGER send BEFORE INSERT ON recordings FOR EACH ROW EXECUTE FUNCTION send();
         ALTER TABLE recordings ADD CONSTRAINT polite CHECK (title <> 'rude')",
    );
    let mut sent = || -> i64 { owner.value("SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM sent", &[]) };
    let mut alice = db.authenticated(ALICE);
    let batch = json!([record("a"), record("b")]);
    alice.query("SELECT run_pipeline_batch($1, NULL, NULL, true)", &[&batch]);
    assert_eq!(sent(), 2);
    alice.query("SELECT run_pipeline_batch($1)", &[&batch]);
    assert_eq!(sent(), 4);
    let batch = json!([record("c"), record_with("d", json!({"title": "rude"})), record("e")]);
    let said: Value = alice.value("SELECT run_pipeline_batch($1)", &[&batch]);
    assert_eq!((&said["imported"], &said["failed"]), (&json!(2), &json!(1)), "{said}");
    let of_three = sent() - 4;
    assert!((4..=9).contains(&of_three), "{of_three} times for three records");
}

#[test]
fn a_schema_that_was_renamed_stops_sync_jobs_and_not_imports_until_the_extension_is_made_again() {
    let db = Database::blank();
    let mut superuser = db.superuser();
    superuser.run(
        "CREATE SCHEMA old_name AUTHORIZATION app_owner;
         GRANT USAGE ON SCHEMA old_name TO PUBLIC;
         CREATE EXTENSION connector_pipeline WITH SCHEMA old_name;
         SELECT connector_pipeline.bootstrap_auth()",
    );
    let mut owner = db.table_owner();
    owner.run("SELECT connector_pipeline.bootstrap()");
    make_users(&mut superuser);
    assert_eq!(superuser.sqlstate("ALTER EXTENSION connector_pipeline SET SCHEMA pg_catalog", &[]), "0A000");
    assert_imported(&owner.value("SELECT old_name.run_pipeline($1, $2)", &[&record("a"), &ALICE]));
    superuser.run("ALTER SCHEMA old_name RENAME TO new_name");
    assert_imported(&owner.value("SELECT new_name.run_pipeline($1, $2)", &[&record("b"), &ALICE]));
    let known: Value = owner.value("SELECT new_name.check_duplicate($1, 'fathom', 'a')", &[&ALICE]);
    assert_eq!(known["isDuplicate"], true);
    let start = "SELECT new_name.start_sync_job('fathom', NULL, $1)";
    assert_eq!(owner.sqlstate(start, &[&ALICE]), "42P01");
    assert_eq!(owner.sqlstate("CALL connector_pipeline.backfill('SELECT to_jsonb(1)')", &[]), "42P01");

    superuser.run("DROP EXTENSION connector_pipeline; CREATE EXTENSION connector_pipeline WITH SCHEMA new_name");
    owner.run("SELECT connector_pipeline.bootstrap()");
    let job: Uuid = owner.value(start, &[&ALICE]);
    let finished: Value = owner.value("SELECT new_name.finish_sync_job($1)", &[&job]);
    assert_eq!(finished["status"], "completed");
    assert_eq!(owner.value::<Value>("SELECT new_name.run_pipeline($1, $2)", &[&record("a"), &ALICE])["skipped"], true);
    assert_eq!(owner.value::<i64>("SELECT count(*) FROM new_name.recordings", &[]), 2);
}
