//! Tests that definer functions run triggers, defaults and other table code as the table owner.
//!
//! Such code must never run with the rights of the superuser who installed the extension, nor find objects through the
//! caller's search_path.

use crate::support::*;

/// Statements that fail for the owner of the tables and succeed with more rights.
const ATTEMPTS: &str = "ARRAY[
    'RESET ROLE', 'SET ROLE NONE', 'RESET SESSION AUTHORIZATION', 'SET SESSION AUTHORIZATION DEFAULT',
    format('SET ROLE %I', installer), format('SET SESSION AUTHORIZATION %I', installer),
    'SELECT set_config(''role'', ''none'', false)', 'ALTER ROLE app_owner SUPERUSER', 'SELECT FROM pg_authid',
    'COPY (SELECT) TO PROGRAM ''true''', 'SET session_replication_role = replica'
]";

/// Creates functions that record their role and the statements of ATTEMPTS that succeeded.
fn spy(owner: &mut Session) {
    let schema = owner.schema();
    owner.run(&format!(
        "CREATE TABLE ran (place text, who text, could text);
         GRANT INSERT ON ran TO PUBLIC;
         CREATE FUNCTION spy(place text) RETURNS boolean LANGUAGE plpgsql AS $$
         DECLARE
             installer name := (SELECT rolname FROM pg_roles JOIN pg_extension ON extowner = pg_roles.oid
                                WHERE extname = 'connector_pipeline');
             attempt text;
             could text := '';
         BEGIN
             FOREACH attempt IN ARRAY {ATTEMPTS} LOOP
                 BEGIN
                     EXECUTE attempt;
                     could := could || attempt || '; ';
                 EXCEPTION WHEN OTHERS THEN
                     NULL;
                 END;
             END LOOP;
             INSERT INTO {schema}.ran VALUES (place, current_user, could);
             RETURN true;
         END $$;
         CREATE FUNCTION quiet_spy(place text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS
             'BEGIN RETURN {schema}.spy(place); END';
         CREATE FUNCTION trigger_spy() RETURNS trigger LANGUAGE plpgsql AS
             'BEGIN PERFORM {schema}.spy(TG_ARGV[0]); RETURN NEW; END'"
    ));
}

/// Each way to let PostgreSQL run code when a bank is created or looked up.
const PLACES: [(&str, &str); 12] = [
    ("before row", "CREATE TRIGGER t1 BEFORE INSERT ON banks FOR EACH ROW EXECUTE FUNCTION trigger_spy('before row')"),
    ("after row", "CREATE TRIGGER t2 AFTER INSERT ON vaults FOR EACH ROW EXECUTE FUNCTION trigger_spy('after row')"),
    (
        "statement",
        "CREATE TRIGGER t3 AFTER INSERT ON bank_memberships FOR EACH STATEMENT EXECUTE FUNCTION trigger_spy('statement')",
    ),
    (
        "constraint",
        "CREATE CONSTRAINT TRIGGER t4 AFTER INSERT ON vault_memberships
         FOR EACH ROW EXECUTE FUNCTION trigger_spy('constraint')",
    ),
    (
        "when",
        "CREATE TRIGGER t5 BEFORE INSERT ON banks
         FOR EACH ROW WHEN (spy('when')) EXECUTE FUNCTION trigger_spy('after when')",
    ),
    ("default", "ALTER TABLE banks ADD COLUMN a boolean DEFAULT spy('default')"),
    ("generated", "ALTER TABLE banks ADD COLUMN b boolean GENERATED ALWAYS AS (quiet_spy('generated')) STORED"),
    ("check", "ALTER TABLE banks ADD CHECK (spy('check'))"),
    (
        "domain",
        "CREATE DOMAIN watched AS text CHECK (spy('domain')); ALTER TABLE vaults ALTER COLUMN name TYPE watched",
    ),
    ("index", "CREATE INDEX ON banks (quiet_spy('index'))"),
    ("predicate", "CREATE INDEX ON banks (id) WHERE quiet_spy('predicate')"),
    (
        "cast",
        "CREATE TYPE kind AS ENUM ('personal', 'business');
         CREATE FUNCTION kind_to_text(kind) RETURNS text LANGUAGE plpgsql AS
             'BEGIN PERFORM @schema@.spy(''cast''); RETURN pg_catalog.format(''%s'', $1); END';
         ALTER TABLE banks DROP CONSTRAINT banks_type_check;
         ALTER TABLE banks ALTER COLUMN type DROP DEFAULT;
         ALTER TABLE banks ALTER COLUMN type TYPE kind USING type::kind;
         CREATE CAST (kind AS text) WITH FUNCTION kind_to_text(kind)",
    ),
];

#[test]
fn ensure_personal_bank_runs_table_code_of_any_kind_as_the_table_owner() {
    let db = Database::new();
    let mut owner = db.table_owner();
    let schema = owner.schema();
    spy(&mut owner);
    for (_, make) in PLACES {
        owner.run(&make.replace("@schema@", &schema));
    }
    owner.run("DELETE FROM ran WHERE true");
    let users: Vec<Uuid> = (1..=3).map(Uuid::from_u128).collect();
    db.superuser().query("INSERT INTO auth.users (id) SELECT unnest($1::uuid[])", &[&users]);
    let mut callers = [
        (db.superuser(), users[0]),
        (db.service_role(), users[1]),
        (db.table_owner(), users[2]),
        (db.authenticated(ALICE), ALICE),
    ];
    for (caller, user) in &mut callers {
        let ensure = "SELECT ensure_personal_bank($1)";
        // The first call creates the bank, the second finds the bank.
        let made: Uuid = caller.value(ensure, &[&*user]);
        assert_eq!(caller.value::<Uuid>(ensure, &[&*user]), made);
        for (place, _) in PLACES {
            let ran: Vec<String> = owner.column("SELECT DISTINCT who FROM ran WHERE place = $1", &[&place]);
            assert_eq!(ran, ["app_owner"], "{place}");
        }
        assert_eq!(owner.column::<String>("SELECT place || ': ' || could FROM ran WHERE could <> ''", &[]), [""; 0]);
        owner.run("DELETE FROM ran WHERE true");
    }
}

#[test]
fn get_import_counts_runs_table_code_as_the_table_owner() {
    let db = Database::new();
    db.authenticated(ALICE).import_own(&record("x"));
    let mut owner = db.table_owner();
    let schema = owner.schema();
    spy(&mut owner);
    owner.run(&format!(
        "CREATE POLICY watching ON recordings USING (spy('policy'));
         CREATE TYPE source AS ENUM ('fathom');
         CREATE FUNCTION source_to_text(source) RETURNS text LANGUAGE plpgsql AS
             'BEGIN PERFORM {schema}.spy(''cast''); RETURN pg_catalog.format(''%s'', $1); END';
         ALTER TABLE recordings ALTER COLUMN source_app TYPE source USING source_app::source;
         CREATE CAST (source AS text) WITH FUNCTION source_to_text(source);
         DELETE FROM ran WHERE true"
    ));
    // get_import_counts() is STABLE, where the spy can't write: this version raises its role instead.
    owner.run(
        "CREATE OR REPLACE FUNCTION spy(place text) RETURNS boolean LANGUAGE plpgsql AS
                   $$ BEGIN RAISE EXCEPTION '% runs as %', place, current_user; END $$",
    );
    for mut caller in [db.superuser(), db.service_role(), db.authenticated(ALICE)] {
        let error = caller.error("SELECT * FROM get_import_counts($1)", &[&ALICE]);
        assert_eq!(error.message(), "cast runs as app_owner");
    }
}

#[test]
fn a_trigger_made_by_a_role_with_the_trigger_privilege_never_runs_as_superuser() {
    let db = Database::new();
    let mut owner = db.table_owner();
    spy(&mut owner);
    owner.run("GRANT TRIGGER, REFERENCES ON banks TO stranger");
    let mut superuser = db.superuser();
    superuser.run("CREATE SCHEMA strangers AUTHORIZATION stranger");
    let schema = owner.schema();
    db.login("stranger").run(&format!(
        "CREATE FUNCTION strangers.go() RETURNS trigger LANGUAGE plpgsql AS
             'BEGIN PERFORM {schema}.spy(''stranger''); RETURN NEW; END';
         CREATE TRIGGER strange BEFORE INSERT ON {schema}.banks FOR EACH ROW EXECUTE FUNCTION strangers.go();
         CREATE TABLE strangers.referring (bank uuid REFERENCES {schema}.banks ON DELETE CASCADE)"
    ));
    superuser.value::<Uuid>("SELECT ensure_personal_bank($1)", &[&ALICE]);
    assert_eq!(owner.column::<String>("SELECT DISTINCT who || could FROM ran", &[]), ["app_owner"]);
}

#[test]
fn a_deferred_trigger_is_refused_if_a_superuser_would_run_it_at_commit() {
    let db = Database::new();
    let mut owner = db.table_owner();
    let schema = owner.schema();
    owner.run(&format!(
        "CREATE TABLE ran (who text);
         GRANT INSERT ON ran TO PUBLIC;
         CREATE FUNCTION record_role() RETURNS trigger LANGUAGE plpgsql AS
             'BEGIN INSERT INTO {schema}.ran VALUES (current_user); RETURN NEW; END';
         CREATE CONSTRAINT TRIGGER late AFTER INSERT ON banks DEFERRABLE INITIALLY DEFERRED
         FOR EACH ROW EXECUTE FUNCTION record_role()"
    ));
    let mut superuser = db.superuser();
    assert_eq!(superuser.sqlstate("SELECT ensure_personal_bank($1)", &[&ALICE]), "42501");
    assert_failed(&superuser.import(&record("x"), ALICE), "42501", "deferred trigger");
    assert_eq!(owner.count("ran"), 0);
    db.authenticated(ALICE).value::<Uuid>("SELECT ensure_personal_bank()", &[]);
    // PostgreSQL 18 runs a deferred trigger as the role that fired the trigger, older versions as the role that
    // commits.
    let who: Vec<String> = owner.column("SELECT who FROM ran", &[]);
    assert!(who == ["app_owner"] || who == ["authenticated"], "{who:?}");
}

/// Runs a trigger with unqualified names, which objects in the caller's schemas also have.
#[test]
fn an_owners_trigger_finds_the_owners_objects_whatever_the_callers_search_path() {
    let db = Database::new();
    let mut owner = db.table_owner();
    owner.run(
        "CREATE TABLE audit (entry text);
         CREATE FUNCTION whose() RETURNS text LANGUAGE sql AS $$ SELECT 'the owner''s' $$;
         CREATE FUNCTION audit_it() RETURNS trigger LANGUAGE plpgsql AS
             'BEGIN INSERT INTO audit VALUES (whose()); RETURN NEW; END';
         CREATE TRIGGER audit_it BEFORE INSERT ON banks FOR EACH ROW EXECUTE FUNCTION audit_it()",
    );
    let schema = owner.schema();
    let mut superuser = db.superuser();
    superuser.run("CREATE SCHEMA traps AUTHORIZATION authenticated; GRANT USAGE ON SCHEMA traps TO PUBLIC");
    let traps = "
        CREATE TEMPORARY TABLE audit (entry text);
        CREATE FUNCTION pg_temp.trap() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN RAISE EXCEPTION 'trapped %', current_user; END $$;
        CREATE TRIGGER trap BEFORE INSERT ON audit FOR EACH ROW EXECUTE FUNCTION pg_temp.trap();
        CREATE OR REPLACE FUNCTION traps.whose() RETURNS text LANGUAGE plpgsql AS
            $$ BEGIN RAISE EXCEPTION 'trapped %', current_user; END $$;
        GRANT ALL ON audit TO PUBLIC";
    for (user, call) in
        [(ALICE, "ensure_personal_bank() IS NOT NULL"), (BOB, "(run_pipeline($1) -> 'success')::boolean")]
    {
        let mut session = db.authenticated(user);
        session.run(traps);
        session.run(&format!("SET search_path = pg_temp, traps, {schema}"));
        let record = record("x");
        let params: [&(dyn postgres::types::ToSql + Sync); 1] = [&record];
        assert!(session.value::<bool>(&format!("SELECT {call}"), &params[..call.matches('$').count()]), "{call}");
        // After the call the session has its own search_path again.
        assert_eq!(session.value::<String>("SHOW search_path", &[]), format!("pg_temp, traps, {schema}"));
    }
    assert_eq!(owner.column::<String>("SELECT entry FROM audit", &[]), ["the owner's", "the owner's"]);
}
