//! Tests the pipeline with randomly generated records and arguments.

mod arguments;
mod fuzzer;
mod generators;
mod huge;
mod json;
mod meaning;
mod records;

use std::cell::RefCell;
use std::thread;
use std::time::Duration;

use postgres::NoTls;
use postgres::types::FromSqlOwned;
use serde_json::Value;

use crate::support::*;
use generators::{BANK, NEWCOMER, VAULT};

/// Rows, or the SQLSTATE and message of an error.
type Answer = Result<Vec<postgres::Row>, (String, String)>;

/// The caller of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Caller {
    /// The owner of the tables, without a JWT.
    Owner,
    /// Alice, under policies.
    Alice,
}

/// A database with one connection per caller, used for all cases.
struct World {
    db: Database,
    owner: RefCell<Option<Connection>>,
    alice: RefCell<Option<Connection>>,
}

struct Connection {
    session: Session,
    pid: i32,
}

impl World {
    fn new() -> Self {
        let db = Database::new();
        db.superuser().query("INSERT INTO auth.users (id) VALUES ($1)", &[&NEWCOMER]);
        let mut owner = db.table_owner();
        owner.run(&format!(
            "INSERT INTO banks (id, name, type) VALUES ('{BANK}', 'Acme', 'business');
             INSERT INTO vaults (id, bank_id, name, vault_type) VALUES ('{VAULT}', '{BANK}', 'Sales', 'team');
             INSERT INTO bank_memberships (bank_id, user_id) VALUES ('{BANK}', '{ALICE}');
             INSERT INTO vault_memberships (vault_id, user_id) VALUES ('{VAULT}', '{ALICE}')"
        ));
        for user in [ALICE, BOB] {
            assert_imported(&owner.import(&record("known"), user));
        }
        Self { db, owner: RefCell::default(), alice: RefCell::default() }
    }

    /// Runs `check` in a transaction that is rolled back.
    ///
    /// A lost connection fails the case. The next case gets a new connection, so that a case that crashes the server
    /// can be made smaller.
    fn in_transaction(
        &self,
        caller: Caller,
        check: impl FnOnce(&mut Queries) -> Result<(), String>,
    ) -> Result<(), String> {
        let mut place = match caller {
            Caller::Owner => self.owner.borrow_mut(),
            Caller::Alice => self.alice.borrow_mut(),
        };
        let connection = place.get_or_insert_with(|| self.connect(caller));
        let mut queries = Queries { session: &mut connection.session };
        let verdict = queries.run("BEGIN").and_then(|()| check(&mut queries));
        if connection.session.client.batch_execute("ROLLBACK").is_err() {
            *place = None;
            return Err(format!("the connection was lost: {}", verdict.err().unwrap_or_default()));
        }
        verdict
    }

    fn connect(&self, caller: Caller) -> Connection {
        // After a crash the server refuses connections until recovery has ended.
        while self.db.config("app_owner").connect(NoTls).is_err() {
            thread::sleep(Duration::from_millis(100));
        }
        let mut session = match caller {
            Caller::Owner => self.db.table_owner(),
            Caller::Alice => self.db.authenticated(ALICE),
        };
        let pid = session.value("SELECT pg_backend_pid()", &[]);
        Connection { session, pid }
    }

    /// The memory of each backend in kB, without PostgreSQL's shared buffers.
    fn memory(&self) -> Vec<i32> {
        let memory = "SELECT substring(pg_read_file('/proc/' || $1::int || '/status') FROM 'RssAnon:\\s+(\\d+)')::int";
        let mut superuser = self.db.superuser();
        let pids = [&self.owner, &self.alice].map(|place| place.borrow().as_ref().map(|connection| connection.pid));
        pids.iter().flatten().map(|pid| superuser.value(memory, &[pid])).collect()
    }
}

/// Runs statements in a session and returns errors of the database as values.
struct Queries<'a> {
    session: &'a mut Session,
}

impl Queries<'_> {
    fn try_query(&mut self, sql: &str, params: Params) -> Result<Answer, String> {
        match self.session.client.query(sql, params) {
            Ok(rows) => Ok(Ok(rows)),
            Err(error) => match error.as_db_error() {
                Some(error) => Ok(Err((error.code().code().to_owned(), error.message().to_owned()))),
                None => Err(format!("{sql}: {error}")),
            },
        }
    }

    /// The first column of the only row.
    fn value<T: FromSqlOwned>(&mut self, sql: &str, params: Params) -> Result<T, String> {
        match self.try_query(sql, params)? {
            Ok(rows) if rows.len() == 1 => rows[0].try_get(0).map_err(|error| format!("{sql}: {error}")),
            Ok(rows) => Err(format!("{sql} gives {} rows", rows.len())),
            Err((code, message)) => Err(format!("{sql} raises {code}: {message}")),
        }
    }

    fn run(&mut self, sql: &str) -> Result<(), String> {
        self.session.client.batch_execute(sql).map_err(|error| format!("{sql}: {error:?}"))
    }

    /// Runs a statement in a savepoint, so that its error leaves the transaction usable.
    fn try_in_savepoint(&mut self, sql: &str, params: Params) -> Result<Answer, String> {
        self.run("SAVEPOINT try")?;
        let answer = self.try_query(sql, params)?;
        self.run(if answer.is_ok() { "RELEASE try" } else { "ROLLBACK TO try; RELEASE try" })?;
        Ok(answer)
    }
}

fn require(holds: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what()) }
}

/// Whether a pipeline result has the keys and types of the contract.
fn has_result_shape(result: &Value, of_batch: bool) -> bool {
    let Some(fields) = result.as_object() else { return false };
    let text = |key: &str| fields.get(key).is_some_and(|value| value.as_str().is_some_and(|text| !text.is_empty()));
    let (required, optional): (&[&str], &[&str]) = match (&result["success"], &result["skipped"]) {
        (Value::Bool(true), Value::Null) => (&["recordingId"], &["warning"]),
        (Value::Bool(false), Value::Bool(true)) => (&["skipped"], &["recordingId"]),
        (Value::Bool(false), Value::Null) => (&["error", "code"], &[]),
        _ => return false,
    };
    let place: &[&str] = if of_batch { &["index", "externalId"] } else { &[] };
    let known = |key: &String| {
        [required, optional, place, &["success", "ignoredFields"]].iter().any(|keys| keys.contains(&key.as_str()))
    };
    let is_uuid = |value: &Value| value.as_str().is_some_and(|text| text.len() == 36 && text.parse::<Uuid>().is_ok());
    let ignored = fields.get("ignoredFields").and_then(Value::as_array);
    fields.keys().all(known)
        && required.iter().all(|key| *key == "skipped" || text(key))
        && place.iter().all(|key| fields.contains_key(*key))
        && ["warning", "error"].iter().all(|key| !fields.contains_key(*key) || text(key))
        && fields.get("recordingId").is_none_or(is_uuid)
        && fields.get("code").is_none_or(|code| code.as_str().is_some_and(is_sqlstate))
        && fields.contains_key("ignoredFields")
            == ignored.is_some_and(|keys| !keys.is_empty() && keys.iter().all(Value::is_string))
}

fn is_sqlstate(code: &str) -> bool {
    code.len() == 5 && code.bytes().all(|c| c.is_ascii_digit() || c.is_ascii_uppercase())
}

/// Whether a batch result has the keys and types of the contract, and correct counts.
fn has_batch_shape(batch: &Value) -> bool {
    let count = |key: &str| batch[key].as_u64().unwrap_or(u64::MAX / 8);
    let Some(results) = batch["results"].as_array() else { return false };
    let of_kind = |kind: fn(&Value) -> bool| results.iter().filter(|result| kind(result)).count() as u64;
    batch.as_object().is_some_and(|fields| fields.len() == 5)
        && results.iter().all(|result| has_result_shape(result, true))
        && results.iter().enumerate().all(|(n, result)| result["index"] == n)
        && count("total") == results.len() as u64
        && count("imported") == of_kind(|result| result["success"] == true)
        && count("skipped") == of_kind(|result| result["skipped"] == true)
        && count("failed") == of_kind(|result| result["error"].is_string())
        && count("total") == count("imported") + count("skipped") + count("failed")
}
