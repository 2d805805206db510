//! Tests our functions where a schema and temporary tables have copies of every name.
//!
//! Each copy of a function, operator, type or table raises or fails when used.

use crate::support::*;
use crate::tour;

/// Creates schema hostile with a copy of each function, operator, type and relation.
///
/// The copies are of pg_catalog and of our own tables and functions.
fn make_hostile_schema(db: &Database) {
    let mut superuser = db.superuser();
    superuser.run(include_str!("hostile.sql"));
    for (kind, least) in [("pg_proc", 1500), ("pg_operator", 600), ("pg_class", 120)] {
        let of_kind =
            format!("{kind} WHERE oid IN (SELECT objid FROM pg_depend WHERE refobjid = 'hostile'::regnamespace)");
        let made = superuser.count(&of_kind);
        println!("copies: {made} of {kind}");
        assert!(made > least, "{made} of {kind}");
    }
}

fn with_hostile_names(mut session: Session) -> Session {
    session.run(include_str!("temporary.sql"));
    session.run("SET search_path = hostile, pg_catalog");
    session
}

#[test]
fn no_name_is_looked_up_by_the_callers_search_path() {
    let db = Database::new();
    make_hostile_schema(&db);
    // The copies are found first.
    let mut session = with_hostile_names(db.table_owner());
    for statement in
        ["SELECT now()", "SELECT 1 + 1", "SELECT 'a' || 'b'", "SELECT 'x'::text", "SELECT NULLIF('a', 'b')"]
    {
        session.error(statement, &[]);
    }
    tour::call_everything_with(&db, "fathom", with_hostile_names);
}

#[test]
fn an_owners_trigger_searches_schema_extensions_only_if_a_superuser_owns_it() {
    let db = Database::new();
    db.superuser().run(&format!("GRANT CREATE ON DATABASE {} TO stranger", db.name()));
    db.login("stranger").run(
        "CREATE SCHEMA extensions; GRANT USAGE ON SCHEMA extensions TO PUBLIC;
         CREATE FUNCTION extensions.upper(varchar) RETURNS text LANGUAGE plpgsql AS
             $$ BEGIN RAISE EXCEPTION 'trapped %', current_user; END $$",
    );
    let mut owner = db.table_owner();
    owner.run(
        "CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN NEW.name := upper(NEW.name::varchar); RETURN NEW; END $$;
         CREATE TRIGGER shout BEFORE INSERT ON banks FOR EACH ROW EXECUTE FUNCTION shout()",
    );
    let mut alice = db.authenticated(ALICE);
    let schema = alice.schema();
    alice.run(&format!("SET search_path = extensions, {schema}"));
    alice.value::<Uuid>("SELECT ensure_personal_bank()", &[]);
    // A schema extensions that a superuser owns is trusted, because Supabase installs extensions in that schema.
    db.superuser().run("ALTER SCHEMA extensions OWNER TO postgres");
    let error = db.authenticated(BOB).error("SELECT ensure_personal_bank()", &[]);
    assert!(error.message().contains("trapped app_owner"), "{error:?}");
}
