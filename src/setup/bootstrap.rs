//! Creates the tables, or adopts those that exist.

use std::collections::HashSet;

use pgrx::PgSqlErrorCode;

use crate::error::Failure;
use crate::pg::schema::ExtensionSchema;
use crate::setup::catalog::{ask, in_schema, rows, run, with_lists};
use crate::setup::compatibility;
use crate::sql_template::fill;

/// Each object and its action: `created`, `exists`, `narrowed` or `left to its owner`.
///
/// `narrowed` is for privileges that an earlier version granted, `left to its owner` for policies of an adopted table.
pub type Report = Vec<(String, String)>;

/// Creates the objects of sql/bootstrap.sql that are missing, and adds missing columns.
///
/// Changes nothing if an existing object is not compatible.
pub fn tables(schema: &ExtensionSchema) -> Result<Report, Failure> {
    must_have_auth()?;
    must_trust_auth()?;
    run(include_str!("../../sql/bootstrap/lock.sql"));
    compatibility::refuse(schema)?;
    let mut made = HashSet::new();
    let mut report = Report::new();
    for part in Part::all(include_str!("../../sql/bootstrap.sql")) {
        let is_of_new_table = part.table.is_some_and(|table| made.contains(table));
        let exists = part.exists(schema);
        let action = match part.kind {
            // CREATE TABLE has created the index, for a constraint.
            "index" if exists && is_of_new_table => "created",
            _ if exists => "exists",
            // Policies are created only for tables that bootstrap() creates.
            "policy" if !is_of_new_table => "left to its owner",
            _ => {
                run(&in_schema(schema, part.sql));
                made.insert(part.name);
                "created"
            }
        };
        report.push((part.object.to_owned(), action.to_owned()));
        if part.kind == "table" && exists {
            report.extend(add_missing_columns(schema, part.name));
            report.extend(narrow_privileges(schema, &part));
        }
    }
    // PostgREST then reloads its schema cache.
    run("NOTIFY pgrst, 'reload schema'");
    Ok(report)
}

fn add_missing_columns(schema: &ExtensionSchema, table: &str) -> Report {
    let missing = rows(&with_lists(compatibility::MISSING_COLUMNS), &[schema.oid.into(), table.into()]);
    let add = |[column, definition]: [String; 2]| {
        run(&format!("ALTER TABLE {}.{table} ADD COLUMN {column} {definition}", schema.quoted));
        (format!("column {table}.{column}"), "created".to_owned())
    };
    missing.into_iter().map(add).collect()
}

/// Reduces service_role's privileges on a table that version 0.1.0 created.
///
/// That version granted all privileges.
fn narrow_privileges(schema: &ExtensionSchema, part: &Part) -> Option<(String, String)> {
    let wide = include_str!("../../sql/bootstrap/has_wide_privileges.sql");
    ask(wide, &[schema.oid.into(), part.name.into(), part.sql.into()]).then(|| {
        let narrow = include_str!("../../sql/bootstrap/narrow_privileges.sql");
        run(&fill(narrow, &[("extschema", &schema.quoted), ("table", part.name)]));
        (format!("privileges of service_role on {}", part.name), "narrowed".to_owned())
    })
}

/// Creates what plain PostgreSQL lacks: the schema auth and the roles of the API.
pub fn auth(schema: &ExtensionSchema) -> Result<Report, Failure> {
    if ask("SELECT pg_catalog.to_regnamespace('auth') IS NOT NULL", &[]) {
        return Err(Failure::new(PgSqlErrorCode::ERRCODE_DUPLICATE_SCHEMA, "schema auth already exists")
            .hint("On Supabase, skip bootstrap_auth() and run SELECT * FROM connector_pipeline.bootstrap()."));
    }
    run(include_str!("../../sql/auth.sql"));
    run(&in_schema(schema, include_str!("../../sql/grants.sql")));
    let made = [
        "role anon",
        "role authenticated",
        "role service_role",
        "schema auth",
        "table auth.users",
        "function auth.uid",
    ];
    Ok(made.map(|object| (object.to_owned(), "ready".to_owned())).into())
}

/// A part of sql/bootstrap.sql: `-- @ kind name [ON table]` and the SQL below.
struct Part<'a> {
    object: &'a str,
    kind: &'a str,
    name: &'a str,
    table: Option<&'a str>,
    sql: &'a str,
}

impl<'a> Part<'a> {
    fn all(sql: &'a str) -> impl Iterator<Item = Self> {
        sql.split("-- @ ").skip(1).map(|part| {
            let (object, sql) = part.split_once('\n').unwrap_or((part, ""));
            let mut words = object.split(' ');
            let kind = words.next().unwrap_or_default();
            let name = words.next().unwrap_or_default();
            Self { object, kind, name, table: words.nth(1), sql }
        })
    }

    fn exists(&self, schema: &ExtensionSchema) -> bool {
        let (schema, name) = (schema.oid.into(), self.name.into());
        match (self.kind, self.table) {
            ("table", None) => ask(include_str!("../../sql/bootstrap/has_table.sql"), &[schema, name]),
            ("index", Some(_)) => ask(&with_lists(include_str!("../../sql/bootstrap/has_index.sql")), &[schema, name]),
            ("policy", Some(table)) => {
                ask(include_str!("../../sql/bootstrap/has_policy.sql"), &[schema, name, table.into()])
            }
            ("function", None) => ask(include_str!("../../sql/bootstrap/has_function.sql"), &[schema, name]),
            _ => unreachable!("sql/bootstrap.sql has a part: {}", self.object),
        }
    }
}

fn must_have_auth() -> Result<(), Failure> {
    let missing = [
        ("auth.users", "SELECT pg_catalog.to_regclass('auth.users') IS NULL"),
        ("auth.uid()", "SELECT pg_catalog.to_regprocedure('auth.uid()') IS NULL"),
        ("the role anon", "SELECT pg_catalog.to_regrole('anon') IS NULL"),
        ("the role authenticated", "SELECT pg_catalog.to_regrole('authenticated') IS NULL"),
        ("the role service_role", "SELECT pg_catalog.to_regrole('service_role') IS NULL"),
    ];
    let missing: Vec<&str> = missing.iter().filter(|(_, query)| ask(query, &[])).map(|(object, _)| *object).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let message = format!("connector_pipeline needs {}, missing in this database", missing.join(", "));
    Err(Failure::new(PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, message)
        .hint("On plain PostgreSQL run SELECT * FROM connector_pipeline.bootstrap_auth() first."))
}

/// Refuses a schema auth that somebody created who could then decide who everybody is.
fn must_trust_auth() -> Result<(), Failure> {
    let untrusted: Vec<[String; 2]> = rows(include_str!("../../sql/bootstrap/untrusted_auth.sql"), &[]);
    if untrusted.is_empty() {
        return Ok(());
    }
    let owners: Vec<String> = untrusted.iter().map(|[object, owner]| format!("{object} belongs to {owner}")).collect();
    let message = "the schema auth is not trusted: its owner could read everybody's recordings";
    Err(Failure::new(PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, message)
        .detail(owners.join("\n"))
        .hint("Let the schema auth, auth.users and auth.uid() belong to a superuser or to the owner of the database."))
}
