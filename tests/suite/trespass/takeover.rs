//! Tests installation where another role has created objects with our names before.

use crate::support::*;

const INSTALL: &str = "CREATE EXTENSION connector_pipeline";

/// Makes a database where the role stranger may create schemas, and objects in our schema.
fn database_open_to_stranger() -> Database {
    let db = Database::empty();
    let mut superuser = db.superuser();
    let schema = superuser.schema();
    superuser
        .run(&format!("GRANT ALL ON SCHEMA {schema} TO stranger; GRANT ALL ON DATABASE {} TO stranger", db.name()));
    db
}

#[test]
fn create_extension_refuses_an_existing_schema_connector_pipeline() {
    let db = database_open_to_stranger();
    db.login("stranger").run("CREATE SCHEMA connector_pipeline");
    let error = db.superuser().error(INSTALL, &[]);
    assert!(error.message().contains("connector_pipeline"), "{error:?}");
    assert!(
        db.superuser().value::<bool>("SELECT NOT EXISTS (SELECT FROM pg_extension WHERE extname ~ 'connector')", &[])
    );
}

#[test]
fn create_extension_refuses_an_existing_function_with_the_signature_of_its_own() {
    let functions = "
        SELECT format(
            'FUNCTION %I(%s) RETURNS %s LANGUAGE plpgsql AS ''BEGIN RAISE EXCEPTION $m$taken$m$; END''',
            proname, pg_get_function_arguments(oid), pg_get_function_result(oid)
        ), format('FUNCTION %I(%s)', proname, pg_get_function_identity_arguments(oid))
        FROM pg_proc
        WHERE pronamespace = quote_ident(current_schema())::regnamespace AND proname <> 'source_metadata_ordered'";
    let functions: Vec<(String, String)> =
        Database::new().superuser().query(functions, &[]).iter().map(|row| (row.get(0), row.get(1))).collect();
    assert_eq!(functions.len(), 10);
    let db = database_open_to_stranger();
    let (mut stranger, mut superuser) = (db.login("stranger"), db.superuser());
    for (function, signature) in functions {
        stranger.run(&format!("CREATE {function}"));
        assert_eq!(superuser.sqlstate(INSTALL, &[]), "42723", "{signature}");
        stranger.run(&format!("DROP {signature}"));
    }
    superuser.run(INSTALL);
}

#[test]
fn bootstrap_auth_refuses_a_schema_auth_of_another_role() {
    let db = database_open_to_stranger();
    db.login("stranger").run("CREATE SCHEMA auth");
    let mut superuser = db.superuser();
    superuser.run(INSTALL);
    assert_eq!(superuser.sqlstate("SELECT connector_pipeline.bootstrap_auth()", &[]), "42P06");
}

#[test]
fn bootstrap_refuses_a_relation_or_type_of_another_role_with_the_name_of_a_table() {
    let db = database_open_to_stranger();
    let (mut stranger, mut superuser) = (db.login("stranger"), db.superuser());
    superuser.run(INSTALL);
    superuser.run("SELECT connector_pipeline.bootstrap_auth()");
    let schema = superuser.schema();
    superuser.run(&format!("GRANT ALL ON SCHEMA {schema} TO app_owner"));
    for table in [
        "banks",
        "bank_memberships",
        "vaults",
        "vault_memberships",
        "recordings",
        "vault_entries",
        "import_sources",
        "sync_jobs",
        "import_failures",
    ] {
        for (kind, definition) in [
            ("TABLE", "(id uuid PRIMARY KEY)"),
            ("VIEW", "AS SELECT gen_random_uuid() AS id"),
            ("MATERIALIZED VIEW", "AS SELECT gen_random_uuid() AS id"),
            ("SEQUENCE", ""),
            ("TYPE", "AS (id uuid)"),
            ("TYPE", "AS ENUM ('x')"),
            ("DOMAIN", "AS text"),
        ] {
            stranger.run(&format!("CREATE {kind} {table} {definition}"));
            for mut session in [db.superuser(), db.table_owner()] {
                let error = session.error("SELECT connector_pipeline.bootstrap()", &[]);
                let text = format!("{} {} {:?}", error.code().code(), error.message(), error.detail());
                assert!(text.contains(table) && ["55000", "42710"].contains(&error.code().code()), "{kind}: {text}");
            }
            stranger.run(&format!("DROP {kind} {table}"));
        }
    }
    // After the objects are dropped, bootstrap() succeeds.
    db.table_owner().run("SELECT connector_pipeline.bootstrap()");
    let owners = "SELECT DISTINCT relowner::regrole::text FROM pg_class
                  WHERE relnamespace = quote_ident(current_schema())::regnamespace";
    assert_eq!(superuser.column::<String>(owners, &[]), ["app_owner"]);
}

/// Creates functions and operators that match our argument types better than those of pg_catalog.
///
/// They are in the schema of the extension, which is in the search_path of CREATE EXTENSION.
#[test]
fn installation_ignores_better_matching_functions_and_operators_in_its_schema() {
    let db = database_open_to_stranger();
    let schema = db.superuser().schema();
    db.login("stranger").run(&format!(
        "CREATE FUNCTION {schema}.trap(name, text) RETURNS boolean LANGUAGE plpgsql AS
             'BEGIN RAISE EXCEPTION ''trapped''; END';
         CREATE OPERATOR {schema}.= (LEFTARG = name, RIGHTARG = text, FUNCTION = {schema}.trap);
         CREATE OPERATOR {schema}.<> (LEFTARG = name, RIGHTARG = text, FUNCTION = {schema}.trap);
         CREATE FUNCTION {schema}.format(text, name) RETURNS text LANGUAGE plpgsql AS
             'BEGIN RAISE EXCEPTION ''trapped''; END';
         CREATE FUNCTION {schema}.format(text, regprocedure, text) RETURNS text LANGUAGE plpgsql AS
             'BEGIN RAISE EXCEPTION ''trapped''; END';
         CREATE FUNCTION {schema}.concat(text, text) RETURNS text LANGUAGE plpgsql AS
             'BEGIN RAISE EXCEPTION ''trapped''; END';
         CREATE FUNCTION {schema}.concat_ws(text, text, text) RETURNS text LANGUAGE plpgsql AS
             'BEGIN RAISE EXCEPTION ''trapped''; END';
         CREATE FUNCTION {schema}.to_json(text) RETURNS json LANGUAGE plpgsql AS
             'BEGIN RAISE EXCEPTION ''trapped''; END'"
    ));
    let mut superuser = db.superuser();
    superuser.run(&format!("{INSTALL}; SELECT connector_pipeline.bootstrap_auth()"));
    superuser.run(&format!("GRANT ALL ON SCHEMA {schema} TO app_owner"));
    db.table_owner().run("SELECT connector_pipeline.bootstrap()");
    make_users(&mut superuser);
    crate::tour::call_everything(&db, "fathom");
}
