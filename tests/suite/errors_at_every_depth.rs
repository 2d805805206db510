//! Tests that errors raised at every depth of a call reach the caller and leak nothing.
//!
//! CONNECTOR_PIPELINE_TEST_ROUNDS is the number of calls (default 3,000; a full run has 100,000).

use std::collections::BTreeMap;
use std::env;
use std::fmt;

use crate::support::*;

/// The expected outcome of a call.
enum Expected {
    /// A result that contains this text.
    Result(&'static str),
    /// An error with this SQLSTATE.
    Raise(&'static str),
}
use Expected::{Raise, Result};

/// A user without a personal bank.
const BANKLESS: Uuid = Uuid::from_u128(0xB4);

/// Calls with their outcomes; each runs in its own transaction, which is rolled back.
///
/// A record with the title replaces `@title@`; the triggers of errors_at_every_depth.sql read the title.
const CALLS: [(&str, Expected); 24] = [
    ("SELECT run_pipeline(@raise before@)", Result(r#""code": "P0001""#)),
    ("SELECT run_pipeline(@raise after@)", Result(r#""code": "P0001""#)),
    ("SELECT run_pipeline(@cast@)", Result(r#""code": "22P02""#)),
    ("SELECT run_pipeline(@divide@ || '{\"duration\": 1}')", Result(r#""code": "22012""#)),
    ("SELECT run_pipeline(@check@)", Result(r#""code": "23514""#)),
    ("SET CONSTRAINTS ALL IMMEDIATE; SELECT run_pipeline(@deferred@)", Result(r#""code": "P0001""#)),
    ("SELECT run_pipeline(@deferred@); SET CONSTRAINTS ALL IMMEDIATE", Raise("P0001")),
    ("SELECT run_pipeline(@nested@)", Result("no vault_entries today")),
    ("SELECT run_pipeline(@nested, raise@)", Result("after nested calls")),
    ("SELECT run_pipeline(@block@)", Result(r#""code": "QUOTA""#)),
    ("SELECT run_pipeline(@good@)", Result("no vault_entries today")),
    ("SELECT run_pipeline('[]')", Result(r#""code": "22023""#)),
    ("SELECT run_pipeline(@good@ || jsonb_build_object('owner_user_id', $bankless$))", Result("no banks today")),
    ("SELECT run_pipeline(@serialization@)", Raise("40001")),
    ("SELECT run_pipeline(@internal@)", Raise("XX000")),
    ("SELECT insert_recording(@raise before@)", Raise("P0001")),
    ("SELECT insert_recording(@block@)", Raise("P0001")),
    ("SELECT ensure_personal_bank($bankless$)", Raise("P0001")),
    (
        "SELECT run_pipeline_batch(jsonb_build_array(@raise before@, @good@, @raise after@ || '{\"external_id\": \"unkept\"}', @cast@ || '{\"external_id\": 3}'))",
        Result(r#""failed": 3"#),
    ),
    (
        "SELECT run_pipeline_batch(jsonb_build_array(@good@, @check@ || '{\"external_id\": 3}'), NULL, NULL, true)",
        Result(r#""imported": 1"#),
    ),
    ("SELECT run_pipeline_batch('[7]', NULL, start_sync_job('closed', NULL, $alice$))", Raise("P0001")),
    ("SELECT finish_sync_job(start_sync_job('closed', NULL, $alice$))", Raise("P0001")),
    ("SELECT run_pipeline_batch('[7]', $alice$); SELECT retry_failed_imports(NULL, $alice$)", Result(r#""failed": 1"#)),
    (
        "DO $do$ BEGIN PERFORM run_pipeline(@good@), run_pipeline(@raise after@); RAISE EXCEPTION 'around';
         EXCEPTION WHEN raise_exception THEN PERFORM run_pipeline(@good@); END $do$; SELECT run_pipeline(@good@)",
        Result(r#""skipped": true"#),
    ),
];

/// The resources that a session holds.
struct Resources {
    /// Bytes in PostgreSQL's memory contexts, by name.
    by_context: BTreeMap<String, i64>,
    /// Bytes in all memory contexts.
    contexts: i64,
    /// Memory of the process in kB, as the operating system counts it.
    memory: i64,
    files: i64,
    locks: i64,
    cursors_and_statements: i64,
    /// Open subtransactions.
    subtransactions: i64,
}

impl fmt::Display for Resources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { by_context: _, contexts, memory, files, locks, cursors_and_statements, subtransactions } = self;
        write!(
            f,
            "{contexts} bytes in memory contexts, {memory} kB of memory, {files} files, {locks} locks, \
             {cursors_and_statements} cursors and statements, {subtransactions} subtransactions"
        )
    }
}

#[test]
fn errors_at_every_depth_are_returned_or_raised_and_leak_nothing_in_a_session() {
    let db = Database::new();
    let (mut session, mut superuser) = prepare(&db);
    let rounds = rounds().div_ceil(CALLS.len());
    let calls: Vec<(String, &Expected)> = CALLS.iter().map(|(call, expected)| (with_records(call), expected)).collect();
    let mut early = None;
    for round in 0..rounds {
        if round == rounds / 10 {
            early = Some(Resources::of(&mut session, &mut superuser));
        }
        for (call, expected) in &calls {
            check(&mut session, call, expected);
        }
    }
    let (early, late) = (early.expect("there are rounds"), Resources::of(&mut session, &mut superuser));
    println!("after {} calls: {early}\nafter {} calls: {late}", rounds / 10 * CALLS.len(), rounds * CALLS.len());
    assert_no_growth(&early, &late);
    let left: i64 =
        session.value("SELECT (SELECT count(*) FROM recordings) + (SELECT count(*) FROM import_failures)", &[]);
    assert_eq!(left, 0);
}

/// Raises errors in one transaction, whose end frees nothing between the calls.
#[test]
fn errors_in_one_transaction_leak_nothing() {
    let db = Database::new();
    let (mut session, mut superuser) = prepare(&db);
    let raising = ["raise before", "raise after", "cast", "nested, raise", "block"];
    let calls: String = raising.map(|title| with_records(&format!("PERFORM run_pipeline(@{title}@);"))).concat();
    session.run(&format!(
        "CREATE FUNCTION import_failing_records(p_rounds integer) RETURNS void LANGUAGE plpgsql AS
             $f$ BEGIN FOR i IN 1..p_rounds LOOP {calls} END LOOP; END $f$; BEGIN"
    ));
    let rounds = (rounds() / raising.len()) as i32;
    let mut after = |rounds: i32| {
        session.query("SELECT import_failing_records($1)", &[&rounds]);
        Resources::of(&mut session, &mut superuser)
    };
    let (early, late) = (after(rounds / 10), after(rounds - rounds / 10));
    println!("in one transaction, after {} calls: {early}\nafter {} calls: {late}", rounds / 10 * 5, rounds * 5);
    assert_no_growth(&early, &late);
    session.run("COMMIT");
    assert_eq!(session.count("recordings"), 0);
}

fn rounds() -> usize {
    env::var("CONNECTOR_PIPELINE_TEST_ROUNDS").map_or(3000, |rounds| rounds.parse().expect("a number of calls"))
}

fn prepare(db: &Database) -> (Session, Session) {
    let (mut session, mut superuser) = (db.table_owner(), db.superuser());
    superuser.run(
        "GRANT SELECT ON pg_backend_memory_contexts TO app_owner;
         GRANT EXECUTE ON FUNCTION pg_get_backend_memory_contexts() TO app_owner",
    );
    superuser.query("INSERT INTO auth.users (id) VALUES ($1)", &[&BANKLESS]);
    session.query("SELECT ensure_personal_bank($1)", &[&ALICE]);
    session.run(include_str!("errors_at_every_depth.sql"));
    (session, superuser)
}

/// Puts records and user ids into a call.
fn with_records(call: &str) -> String {
    let parts = call.split('@').enumerate().map(|(n, part)| match n % 2 {
        0 => part.to_owned(),
        _ => format!("'{}'::jsonb", record_with("x", json!({"title": part, "owner_user_id": ALICE}))),
    });
    let call = parts.collect::<String>();
    call.replace("$alice$", &format!("'{ALICE}'")).replace("$bankless$", &format!("'{BANKLESS}'"))
}

fn check(session: &mut Session, call: &str, expected: &Expected) {
    let answer = session.client.simple_query(&format!("BEGIN; {call}"));
    match (&answer, expected) {
        (Ok(messages), Result(part)) => {
            let last = messages.iter().rev().find_map(|message| match message {
                postgres::SimpleQueryMessage::Row(row) => row.get(0),
                _ => None,
            });
            assert!(last.is_some_and(|result| result.contains(part)), "{call} gives {last:?}, not {part}");
        }
        (Err(error), Raise(code)) => {
            assert_eq!(error.code().map(|code| code.code()), Some(*code), "{call}: {error:?}");
        }
        (answer, _) => panic!("{call}: {answer:?}"),
    }
    session.run("ROLLBACK");
}

impl Resources {
    fn of(session: &mut Session, superuser: &mut Session) -> Self {
        let row = session
            .query(
                "SELECT
                     (SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid()),
                     (SELECT count(*) FROM pg_cursors) + (SELECT count(*) FROM pg_prepared_statements),
                     (SELECT count(*) FROM pg_backend_memory_contexts WHERE name = 'CurTransactionContext'),
                     pg_backend_pid()",
                &[],
            )
            .remove(0);
        let pid: i32 = row.get(3);
        let memory =
            "SELECT substring(pg_read_file('/proc/' || $1::int || '/status') FROM 'RssAnon:\\s+(\\d+)')::bigint";
        let files = "SELECT count(*) FROM pg_ls_dir('/proc/' || $1::int || '/fd')";
        // ExecutorState belongs to the query that reads the view, and is freed with that query.
        let by_context: BTreeMap<String, i64> = session
            .query(
                "SELECT name, sum(used_bytes)::bigint FROM pg_backend_memory_contexts
                 WHERE name <> 'ExecutorState' GROUP BY name",
                &[],
            )
            .iter()
            .map(|row| (row.get(0), row.get(1)))
            .collect();
        Self {
            contexts: by_context.values().sum(),
            by_context,
            memory: superuser.value(memory, &[&pid]),
            files: superuser.value(files, &[&pid]),
            locks: row.get(0),
            cursors_and_statements: row.get(1),
            subtransactions: row.get(2),
        }
    }
}

#[track_caller]
fn assert_no_growth(early: &Resources, late: &Resources) {
    let before = |name: &String| early.by_context.get(name).copied().unwrap_or(0);
    let grown: Vec<_> = late.by_context.iter().filter(|(name, size)| **size > before(name)).collect();
    assert!(late.contexts - early.contexts < 48 * 1024, "from {early} to {late}: {grown:?}");
    assert!(late.memory - early.memory < 1024, "from {early} to {late}");
    // PostgreSQL keeps some table files open, and decides itself when to close them.
    assert!(late.files - early.files < 50, "from {early} to {late}");
    let counts = |resources: &Resources| [resources.locks, resources.cursors_and_statements, resources.subtransactions];
    assert_eq!(counts(late), counts(early), "from {early} to {late}");
}
