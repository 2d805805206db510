//! Makes a database for each test, and sessions of every role in that database.
//!
//! The extension is in schema public. If CONNECTOR_PIPELINE_TEST_SCHEMA names another schema, there is no schema
//! public.

use std::env;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread;

use postgres::error::DbError;
use postgres::types::{FromSqlOwned, ToSql};
use postgres::{Client, Config, NoTls};
use serde_json::Value;
pub use serde_json::json;
pub use uuid::Uuid;

pub type Params<'a> = &'a [&'a (dyn ToSql + Sync)];

/// The users of every test database.
pub const ALICE: Uuid = Uuid::from_u128(0xA11CE);
pub const BOB: Uuid = Uuid::from_u128(0xB0B);

/// A test's own database, dropped at the end of the test.
///
/// As on Supabase, a superuser has installed the extension, and another role owns the database and its tables.
pub struct Database {
    name: String,
    _server_use: ServerUse,
}

/// How a test uses the server: with other tests, or alone to measure the server.
#[allow(dead_code, reason = "held, not read")]
enum ServerUse {
    Shared(RwLockReadGuard<'static, ()>),
    Alone(RwLockWriteGuard<'static, ()>),
}

static SERVER_USE: RwLock<()> = RwLock::new(());

fn shared() -> ServerUse {
    ServerUse::Shared(SERVER_USE.read().unwrap_or_else(PoisonError::into_inner))
}

impl Database {
    pub fn new() -> Self {
        Self::copy_of_template(shared())
    }

    /// The same, while no other test runs.
    pub fn alone() -> Self {
        Self::copy_of_template(ServerUse::Alone(SERVER_USE.write().unwrap_or_else(PoisonError::into_inner)))
    }

    fn copy_of_template(server_use: ServerUse) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        maintenance().run(&format!("CREATE DATABASE {name} TEMPLATE {} OWNER app_owner", template()));
        set_search_path(&name);
        Self { name, _server_use: server_use }
    }

    /// Makes a database with only the schema for the extension.
    pub fn empty() -> Self {
        let db = Self::blank();
        make_schema(&mut db.superuser());
        db
    }

    /// Makes a database from template0, as pg_restore needs.
    pub fn blank() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("empty_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let server_use = shared();
        template();
        create_database(&name);
        Self { name, _server_use: server_use }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn superuser(&self) -> Session {
        Session::open(server().clone().dbname(&self.name))
    }

    /// Opens a superuser's session in another database.
    pub fn superuser_of(&self, name: &str) -> Session {
        Session::open(server().clone().dbname(name))
    }

    /// Opens a session of the owner of database and tables, who is not a superuser.
    pub fn table_owner(&self) -> Session {
        self.login("app_owner")
    }

    /// Opens a user's session with the JWT claims that PostgREST sets.
    pub fn authenticated(&self, user: Uuid) -> Session {
        self.api("authenticated", &json!({"role": "authenticated", "sub": user}).to_string())
    }

    /// Opens a session of the service key, whose JWT has no subject.
    pub fn service_role(&self) -> Session {
        self.api("service_role", &json!({"role": "service_role"}).to_string())
    }

    pub fn anon(&self) -> Session {
        self.api("anon", &json!({"role": "anon"}).to_string())
    }

    /// Opens a session with a role of the API and any JWT claims.
    ///
    /// PostgREST logs in as a NOINHERIT role and sets both for a transaction. Here both last for the session, which a
    /// test uses for one caller only.
    pub fn api(&self, role: &str, claims: &str) -> Session {
        let mut session = self.login("authenticator");
        session.run(&format!("SET ROLE {role}"));
        session.query("SELECT set_config('request.jwt.claims', $1, false)", &[&claims]);
        session
    }

    /// Returns when the session of `pid` waits for a lock.
    pub fn wait_until_blocked(&self, pid: i32) {
        let mut watcher = self.superuser();
        while !watcher.value::<bool>("SELECT cardinality(pg_blocking_pids($1)) > 0", &[&pid]) {
            thread::yield_now();
        }
    }

    pub fn login(&self, role: &str) -> Session {
        Session::open(&self.config(role))
    }

    /// The connection settings of a role.
    pub fn config(&self, role: &str) -> Config {
        let mut config = server().clone();
        config.user(role).dbname(&self.name);
        config
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        maintenance().run(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
    }
}

/// A connection. Its methods fail the test on an error, except [`Session::error`].
pub struct Session {
    pub client: Client,
}

impl Session {
    fn open(config: &Config) -> Self {
        let mut client = config.connect(NoTls).unwrap_or_else(|error| panic!("{config:?}: {error}"));
        client.batch_execute("SET client_min_messages = error").unwrap();
        Self { client }
    }

    pub fn run(&mut self, sql: &str) {
        self.client.batch_execute(sql).unwrap_or_else(|error| panic!("{sql}: {}", explain(&error)));
    }

    pub fn query(&mut self, sql: &str, params: Params) -> Vec<postgres::Row> {
        self.client.query(sql, params).unwrap_or_else(|error| panic!("{sql}: {}", explain(&error)))
    }

    /// The first column of every row.
    pub fn column<T: FromSqlOwned>(&mut self, sql: &str, params: Params) -> Vec<T> {
        self.query(sql, params).iter().map(|row| row.get(0)).collect()
    }

    /// The first column of the only row.
    pub fn value<T: FromSqlOwned>(&mut self, sql: &str, params: Params) -> T {
        let mut values = self.column(sql, params);
        assert_eq!(values.len(), 1, "{sql} gives {} rows", values.len());
        values.remove(0)
    }

    /// The error that a statement must raise.
    pub fn error(&mut self, sql: &str, params: Params) -> DbError {
        match self.client.query(sql, params) {
            Ok(rows) => panic!("{sql} raises nothing and gives {} rows", rows.len()),
            Err(error) => error.as_db_error().unwrap_or_else(|| panic!("{sql}: {error}")).clone(),
        }
    }

    /// The SQLSTATE of the error that a statement must raise.
    pub fn sqlstate(&mut self, sql: &str, params: Params) -> String {
        self.error(sql, params).code().code().to_owned()
    }

    /// `run_pipeline` for an owner.
    pub fn import(&mut self, record: &Value, owner: Uuid) -> Value {
        self.value("SELECT run_pipeline($1, $2)", &[record, &owner])
    }

    /// `run_pipeline` for the caller.
    pub fn import_own(&mut self, record: &Value) -> Value {
        self.value("SELECT run_pipeline($1)", &[record])
    }

    /// The schema of the extension and its tables, quoted if necessary.
    pub fn schema(&mut self) -> String {
        self.value("SELECT quote_ident(current_schema())", &[])
    }

    pub fn count(&mut self, table: &str) -> i64 {
        self.value(&format!("SELECT count(*) FROM {table}"), &[])
    }
}

/// A valid record with an external id.
pub fn record(external_id: impl Into<Value>) -> Value {
    json!({
        "external_id": external_id.into(),
        "source_app": "fathom",
        "title": "Weekly",
        "full_transcript": "Ann: hello.\nBen: hello, Ann.",
        "recording_start_time": "2026-01-31T09:30:00Z",
    })
}

/// A valid record with changed or additional keys.
pub fn record_with(external_id: impl Into<Value>, changes: Value) -> Value {
    let mut record = record(external_id);
    for (key, value) in changes.as_object().expect("changes are an object") {
        record[key] = value.clone();
    }
    record
}

/// The recordingId of a result.
pub fn recording_id(result: &Value) -> Uuid {
    result["recordingId"].as_str().and_then(|id| id.parse().ok()).unwrap_or_else(|| panic!("no recordingId: {result}"))
}

#[track_caller]
pub fn assert_imported(result: &Value) {
    assert!(result["success"] == true && result["recordingId"].is_string(), "not imported: {result}");
}

#[track_caller]
pub fn assert_skipped(result: &Value, existing: Uuid) {
    let expected = json!({"success": false, "skipped": true, "recordingId": existing});
    assert_eq!(*result, expected);
}

#[track_caller]
pub fn assert_failed(result: &Value, code: &str, in_error: &str) {
    let error = result["error"].as_str().unwrap_or_default();
    assert!(
        result["success"] == false && result["code"] == code && error.contains(in_error),
        "not failed with {code} and {in_error:?}: {result}"
    );
}

fn explain(error: &postgres::Error) -> String {
    error.as_db_error().map_or_else(|| error.to_string(), |error| format!("{} {error:?}", error.code().code()))
}

/// A superuser's session in the maintenance database.
fn maintenance() -> Session {
    Session::open(server())
}

/// The connection settings of a superuser.
fn server() -> &'static Config {
    static SERVER: OnceLock<Config> = OnceLock::new();
    SERVER.get_or_init(|| match env::var("CONNECTOR_PIPELINE_TEST_URL") {
        Ok(url) => url.parse().expect("CONNECTOR_PIPELINE_TEST_URL is a connection string"),
        Err(_) => started_by_cargo_pgrx(),
    })
}

/// Installs the extension and starts a server through pgrx-tests.
///
/// pgrx-tests does so for its first test. That test must not exist: with its schema "tests" the extension would differ
/// from the shipped extension.
fn started_by_cargo_pgrx() -> Config {
    let settings = vec!["max_connections = 150", "fsync = off", "full_page_writes = off"];
    pgrx_tests::run_test("no_such_test", Some(r#"schema "tests" does not exist"#), settings)
        .expect("pgrx starts a server");
    let (mut client, _) = pgrx_tests::client().expect("pgrx's server takes connections");
    let row = client.query_one("SELECT current_setting('port')::int, current_user::text", &[]).unwrap();
    let mut config = Config::new();
    config.host("localhost").port(row.get::<_, i32>(0) as u16).user(row.get(1)).dbname("postgres");
    config
}

/// The database that each test's database is copied from.
fn template() -> &'static str {
    static TEMPLATE: OnceLock<String> = OnceLock::new();
    TEMPLATE.get_or_init(|| {
        let name = format!("template_{}", std::process::id());
        let mut maintenance = maintenance();
        drop_leftovers(&mut maintenance);
        for role in ["app_owner LOGIN", "authenticator LOGIN NOINHERIT", "stranger LOGIN"] {
            let (name, _) = role.split_once(' ').unwrap();
            if maintenance.column::<bool>("SELECT true FROM pg_roles WHERE rolname = $1", &[&name]).is_empty() {
                maintenance.run(&format!("CREATE ROLE {role}"));
            }
        }
        create_database(&name);
        let mut database = Session::open(server().clone().dbname(&name));
        make_schema(&mut database);
        set_up(database, Session::open(server().clone().user("app_owner").dbname(&name)));
        name
    })
}

/// The schema of the tests, as an SQL name.
fn schema() -> Option<String> {
    let name = env::var("CONNECTOR_PIPELINE_TEST_SCHEMA").ok()?;
    Some(format!("\"{}\"", name.replace('"', "\"\"")))
}

fn create_database(name: &str) {
    maintenance().run(&format!("CREATE DATABASE {name} TEMPLATE template0 OWNER app_owner"));
    set_search_path(name);
    if schema().is_some() {
        Session::open(server().clone().dbname(name)).run("DROP SCHEMA public");
    }
}

/// Creates the schema of the tests with the owner and grants of schema public.
fn make_schema(superuser: &mut Session) {
    if let Some(schema) = schema() {
        superuser.run(&format!(
            "CREATE SCHEMA {schema} AUTHORIZATION pg_database_owner; GRANT USAGE ON SCHEMA {schema} TO PUBLIC"
        ));
    }
}

/// Sets the search_path of a database, so that tests need not name the schema.
///
/// CREATE DATABASE … TEMPLATE does not copy this setting.
fn set_search_path(database: &str) {
    if let Some(schema) = schema() {
        maintenance().run(&format!("ALTER DATABASE {database} SET search_path = {schema}"));
    }
}

/// Drops databases of earlier runs, whose templates no code drops after the last test.
fn drop_leftovers(maintenance: &mut Session) {
    let pattern = r"^(test|empty|template)_[0-9]+(_[0-9]+)?$";
    for name in maintenance.column::<String>("SELECT datname::text FROM pg_database WHERE datname ~ $1", &[&pattern]) {
        maintenance.run(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
    }
}

/// Creates the users in a database where the test itself has installed the extension.
pub fn make_users(superuser: &mut Session) {
    superuser.run("GRANT anon, authenticated, service_role TO authenticator");
    for (user, email) in [(ALICE, "alice@example.com"), (BOB, "bob@example.com")] {
        superuser.query("INSERT INTO auth.users (id, email) VALUES ($1, $2)", &[&user, &email]);
    }
}

fn set_up(mut superuser: Session, mut owner: Session) {
    match env::var("CONNECTOR_PIPELINE_TEST_SETUP") {
        Ok(file) => superuser.run(&std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{file}: {error}"))),
        Err(_) => {
            superuser.run("CREATE EXTENSION connector_pipeline; SELECT connector_pipeline.bootstrap_auth()");
            owner.run("SELECT connector_pipeline.bootstrap()");
        }
    }
    make_users(&mut superuser);
}

/// Makes a business bank with a vault, and a user a member of both.
pub fn business_bank(owner: &mut Session, user: Uuid) -> (Uuid, Uuid) {
    let bank: Uuid = owner.value("INSERT INTO banks (name, type) VALUES ('Acme', 'business') RETURNING id", &[]);
    let vault: Uuid = owner
        .value("INSERT INTO vaults (bank_id, name, vault_type) VALUES ($1, 'Sales', 'team') RETURNING id", &[&bank]);
    owner.query("INSERT INTO bank_memberships (bank_id, user_id) VALUES ($1, $2)", &[&bank, &user]);
    owner.query("INSERT INTO vault_memberships (vault_id, user_id) VALUES ($1, $2)", &[&vault, &user]);
    (bank, vault)
}

/// SQL of a trigger that raises on every insert into a table.
pub fn raising_trigger(table: &str, when: &str, code: &str) -> String {
    format!(
        "CREATE OR REPLACE FUNCTION raise_it() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN RAISE EXCEPTION 'no {table} today' USING ERRCODE = '{code}'; END $$;
         CREATE TRIGGER raise_it {when} INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION raise_it()"
    )
}
