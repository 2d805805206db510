//! Tests the extension in a schema of any name, in a database without schema public.

use crate::support::*;
use crate::tour::call_everything;

/// Common schema names, and a name with unusual characters.
///
/// PostgreSQL refuses the schema of an extension if the name has a quote, a backslash, a dollar sign, a line end, or
/// the beginning or end of a comment.
const NAMES: [&str; 3] = ["api", "Import API", "Einfuhr v1.0: 100%; @x@ größer"];

fn installed_in(name: &str) -> Database {
    let db = Database::blank();
    let mut superuser = db.superuser();
    superuser.run(&format!(
        r#"DROP SCHEMA IF EXISTS public;
           CREATE SCHEMA "{name}" AUTHORIZATION app_owner;
           CREATE EXTENSION connector_pipeline WITH SCHEMA "{name}";
           SELECT connector_pipeline.bootstrap_auth()"#
    ));
    db.table_owner().run("SELECT connector_pipeline.bootstrap()");
    make_users(&mut superuser);
    db
}

#[test]
fn all_functions_work_in_a_schema_of_any_name() {
    for name in NAMES {
        let db = installed_in(name);
        call_everything(&db, "fathom");
        call_everything(&db, "zoom");
    }
}

#[test]
fn all_objects_are_created_in_the_schema_of_the_extension() {
    let db = installed_in("api");
    let schemas = "
        SELECT DISTINCT nspname::text FROM pg_namespace AS n
        WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'tests')
        ORDER BY 1";
    assert_eq!(db.superuser().column::<String>(schemas, &[]), ["api", "auth", "connector_pipeline"]);
    let elsewhere = "
        SELECT proname::text FROM pg_proc
        WHERE pronamespace = 'connector_pipeline'::regnamespace AND prosrc ~ '\\mpublic\\M'
        UNION ALL
        SELECT relname::text FROM pg_class
        WHERE relkind IN ('r', 'v', 'S') AND relnamespace::regnamespace::text IN ('connector_pipeline')";
    assert_eq!(db.superuser().column::<String>(elsewhere, &[]), Vec::<String>::new());
}

#[test]
fn a_schema_name_with_a_quote_in_it_is_refused_by_postgres() {
    let db = Database::blank();
    let mut superuser = db.superuser();
    superuser.run(r#"CREATE SCHEMA "it's""#);
    let error = superuser.error(r#"CREATE EXTENSION connector_pipeline WITH SCHEMA "it's""#, &[]);
    assert!(error.message().starts_with("invalid character in extension"), "{error}");
}
