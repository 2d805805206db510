//! Tests that pg_dump with psql or pg_restore, and DROP EXTENSION, keep all data.

use std::process::Command;

use postgres::config::Host;

use crate::comparison::{assert_same, catalog, contents};
use crate::support::*;
use crate::tour::call_everything;

/// Makes a database with records of every kind and objects of the application.
fn database_in_use() -> Database {
    let db = Database::new();
    let mut owner = db.table_owner();
    business_bank(&mut owner, ALICE);
    owner.run(
        "ALTER TABLE recordings ADD COLUMN language text DEFAULT 'en';
         CREATE INDEX recordings_words ON recordings USING gin (to_tsvector('english', full_transcript));
         CREATE POLICY recordings_nobody ON recordings AS RESTRICTIVE FOR UPDATE TO authenticated USING (duration > 0);
         GRANT SELECT ON recordings TO stranger;
         CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN NEW.title := upper(NEW.title); RETURN NEW; END $$;
         CREATE TRIGGER shout BEFORE INSERT ON recordings FOR EACH ROW EXECUTE FUNCTION shout()",
    );
    call_everything(&db, "fathom");
    db
}

/// Runs a client program of the server's own version, as superuser in a database.
fn run(db: &Database, program: &str, arguments: &[&str]) {
    let mut superuser = db.superuser();
    let folder: String = superuser.value("SELECT setting FROM pg_config WHERE name = 'BINDIR'", &[]);
    let user: String = superuser.value("SELECT current_user::text", &[]);
    let config = db.config(&user);
    let host = match &config.get_hosts()[0] {
        Host::Tcp(host) => host.clone(),
        Host::Unix(path) => path.display().to_string(),
    };
    let output = Command::new(format!("{folder}/{program}"))
        .args(["--host", &host, "--username", &user, "--dbname", db.name(), "--no-password"])
        .args(["--port", &config.get_ports().first().unwrap_or(&5432).to_string()])
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("{folder}/{program}: {error}"));
    assert!(output.status.success(), "{program}: {} {}", output.status, String::from_utf8_lossy(&output.stderr));
}

fn assert_restored_equals_original(format: &str, restore: impl Fn(&Database, &str)) {
    let original = database_in_use();
    let restored = Database::blank();
    let file = std::env::temp_dir().join(format!("{}.{format}", original.name()));
    let file = file.to_str().unwrap();
    run(&original, "pg_dump", &["--format", format, "--file", file]);
    restore(&restored, file);
    std::fs::remove_file(file).unwrap();

    assert_same(&contents(&restored), &contents(&original));
    assert_same(&catalog(&restored), &catalog(&original));
    let mut service = restored.service_role();
    let known = service.import(&record("first"), ALICE);
    assert_eq!((&known["success"], &known["skipped"]), (&json!(false), &json!(true)), "{known}");
    call_everything(&restored, "zoom");
}

#[test]
fn a_plain_dump_restored_by_psql_gives_the_same_database() {
    assert_restored_equals_original("plain", |db, file| {
        run(
            db,
            "psql",
            &["--no-psqlrc", "--quiet", "--output", "/dev/null", "--set", "ON_ERROR_STOP=1", "--file", file],
        )
    });
}

#[test]
fn a_custom_dump_restored_by_pg_restore_gives_the_same_database() {
    assert_restored_equals_original("custom", |db, file| {
        run(db, "pg_restore", &["--exit-on-error", "--jobs", "2", file])
    });
}

#[test]
fn drop_extension_keeps_every_row_and_create_extension_uses_them_again() {
    let db = database_in_use();
    let (catalog_before, contents_before) = (catalog(&db), contents(&db));
    let mut superuser = db.superuser();
    let schema = superuser.schema();
    superuser.run("DROP EXTENSION connector_pipeline");
    assert_same(&contents(&db), &contents_before);
    let gone: bool = superuser.value("SELECT to_regproc('run_pipeline') IS NULL", &[]);
    assert!(gone, "the functions are gone");

    superuser.run(&format!("CREATE EXTENSION connector_pipeline WITH SCHEMA {schema}"));
    db.table_owner().run("SELECT connector_pipeline.bootstrap()");
    assert_same(&contents(&db), &contents_before);
    assert_same(&catalog(&db), &catalog_before);
    call_everything(&db, "zoom");
}
