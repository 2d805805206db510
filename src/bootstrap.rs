//! Makes the tables, or adopts those that are there.

use std::collections::HashSet;

use pgrx::datum::DatumWithOid;
use pgrx::{PgSqlErrorCode, Spi};

use crate::error::{Failure, OrRaise};
use crate::home::Home;

/// What was done: the object, and `created`, `exists`, or `left to its owner` for what belongs to an adopted table.
pub type Report = Vec<(String, String)>;

/// bootstrap(): each part of sql/bootstrap.sql whose object is not there yet.
pub fn tables(home: &Home) -> Result<Report, Failure> {
    must_have_auth()?;
    let mut made = HashSet::new();
    let mut report = Report::new();
    for part in Part::all(include_str!("../sql/bootstrap.sql")) {
        let action = if part.exists(home) {
            "exists"
        } else if part.table.is_some_and(|table| !made.contains(table)) {
            "left to its owner"
        } else {
            run(home, part.sql);
            made.insert(part.name);
            "created"
        };
        report.push((part.object.to_owned(), action.to_owned()));
    }
    // PostgREST learns of new tables and functions.
    run(home, "NOTIFY pgrst, 'reload schema'");
    Ok(report)
}

/// bootstrap_auth(): what plain PostgreSQL lacks.
pub fn auth(home: &Home) -> Result<Report, Failure> {
    if ask("SELECT pg_catalog.to_regnamespace('auth') IS NOT NULL", &[]) {
        return Err(Failure::new(PgSqlErrorCode::ERRCODE_DUPLICATE_SCHEMA, "the schema auth exists already")
            .hint("On Supabase there is nothing to do: go on with SELECT * FROM connector_pipeline.bootstrap()."));
    }
    run(home, include_str!("../sql/auth.sql"));
    run(home, include_str!("../sql/grants.sql"));
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

/// A part of sql/bootstrap.sql: a line `-- @ kind name [ON table]`, and the SQL that makes that object.
struct Part<'a> {
    object: &'a str,
    kind: &'a str,
    name: &'a str,
    /// The table that a policy belongs to: policies are made for tables that bootstrap() makes, never for others'.
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
            let table = words.nth(1).filter(|_| kind == "policy");
            Self { object, kind, name, table, sql }
        })
    }

    fn exists(&self, home: &Home) -> bool {
        let schema = home.schema.into();
        let (owner, name) = self.name.split_once('.').unwrap_or((self.table.unwrap_or("recordings"), self.name));
        let query = match self.kind {
            "table" => "SELECT EXISTS (SELECT FROM pg_catalog.pg_class WHERE relnamespace = $1 AND relname = $3)",
            "column" => include_str!("../sql/bootstrap/has_column.sql"),
            "policy" => include_str!("../sql/bootstrap/has_policy.sql"),
            "index" => include_str!("../sql/bootstrap/has_dedup_index.sql"),
            "function" => include_str!("../sql/bootstrap/has_function.sql"),
            other => unreachable!("sql/bootstrap.sql has parts of kind {other}"),
        };
        ask(query, &[schema, owner.into(), name.into()])
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
    let message =
        format!("{} missing: users and roles come from Supabase, or from bootstrap_auth()", missing.join(", "));
    Err(Failure::new(PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, message)
        .hint("On plain PostgreSQL run SELECT * FROM connector_pipeline.bootstrap_auth() first."))
}

fn run(home: &Home, sql: &str) {
    Spi::run(&sql.replace("@extschema@", &home.quoted)).map_err(broken).or_raise();
}

/// The answer to a question about the catalogs.
fn ask(query: &str, args: &[DatumWithOid]) -> bool {
    let answer = Spi::connect(|client| client.select(query, Some(1), args)?.first().get_one::<bool>());
    answer.map_err(broken).or_raise().unwrap_or_default()
}

fn broken(error: pgrx::spi::SpiError) -> Failure {
    Failure::new(PgSqlErrorCode::ERRCODE_INTERNAL_ERROR, format!("SPI: {error}"))
}
