//! A unique index of the application's that ON CONFLICT takes and a look-up can't use.
//!
//! The kind: an index that decides what is imported, but whose collation (or operator class) is not the one that the
//! look-up asks with, so that each import reads all recordings of its owner. Such an index is not taken for the dedup index.

use crate::application::{bootstrap, with_action};
use crate::support::*;

const KEY: &str = "(owner_user_id, source_app, (source_metadata ->> 'external_id'))";

/// How many rows a call reads of a table that has 5,000 of Alice's.
fn rows_read(db: &Database, call: &str) -> i64 {
    let mut owner = db.table_owner();
    let read = "SELECT sum(seq_tup_read + COALESCE(idx_tup_fetch, 0))::bigint FROM pg_stat_xact_user_tables
        WHERE relname ~ '^recordings'";
    owner.run("ANALYZE recordings; BEGIN; SET LOCAL enable_seqscan = on");
    let before: i64 = owner.value(read, &[]);
    owner.query(call, &[]);
    let after: i64 = owner.value(read, &[]);
    owner.run("ROLLBACK");
    after - before
}

fn fill(owner: &mut Session) {
    let bank: Uuid = owner.value("SELECT ensure_personal_bank($1)", &[&ALICE]);
    owner.query(
        "INSERT INTO recordings (bank_id, owner_user_id, title, source_app, source_metadata)
         SELECT $1, $2, 'Old', 'fathom', jsonb_build_object('external_id', 'old ' || n, 'pad', repeat(md5(n::text), 20))
         FROM generate_series(1, 5000) AS n",
        &[&bank, &ALICE],
    );
}

#[test]
fn an_index_of_another_collation_is_no_dedup_index_and_look_ups_stay_short() {
    let cases = [
        ("(owner_user_id, source_app, (source_metadata ->> 'external_id') COLLATE \"C\")", "created"),
        ("(owner_user_id, source_app COLLATE \"C\", (source_metadata ->> 'external_id') COLLATE \"C\")", "created"),
        ("(owner_user_id, source_app COLLATE \"POSIX\", (source_metadata ->> 'external_id'))", "created"),
        ("((source_metadata ->> 'external_id') COLLATE \"C\", owner_user_id, source_app)", "created"),
        (KEY, "exists"),
        (
            "(owner_user_id, source_app COLLATE \"default\", (source_metadata ->> 'external_id') COLLATE \"default\")",
            "exists",
        ),
        // The same comparison in another order: an equality can be looked up in it.
        (
            "(owner_user_id, source_app text_pattern_ops, (source_metadata ->> 'external_id') text_pattern_ops)",
            "exists",
        ),
        ("(source_app, (source_metadata ->> 'external_id'), owner_user_id)", "exists"),
    ];
    for (key, action) in cases {
        let db = Database::new();
        let mut owner = db.table_owner();
        owner.run(&format!("DROP INDEX recordings_dedup_key; CREATE UNIQUE INDEX theirs ON recordings {key}"));
        let report = bootstrap(&mut owner);
        assert!(
            with_action(&report, action).contains(&"index recordings_dedup_key ON recordings"),
            "{key}: {report:?}"
        );
        fill(&mut owner);
        let record = record("old 4000");
        for call in [
            format!("SELECT check_duplicate('{ALICE}', 'fathom', 'old 4000')"),
            format!("SELECT * FROM check_duplicates('{ALICE}', 'fathom', '{{old 1,old 4000,new}}')"),
            format!("SELECT run_pipeline('{record}', '{ALICE}')"),
            format!("SELECT run_pipeline_batch('[{record}]', '{ALICE}')"),
        ] {
            let read = rows_read(&db, &call);
            assert!(read < 50, "{key}: {call} reads {read} rows");
        }
        assert_eq!(bootstrap(&mut owner).iter().filter(|(_, action)| action == "created").count(), 0, "{key}");
    }
}

/// The column's own collation is what a look-up asks with.
#[test]
fn an_index_of_the_columns_own_collation_serves() {
    let db = Database::new();
    let mut owner = db.table_owner();
    owner.run(&format!(
        "DROP INDEX recordings_dedup_key;
         ALTER TABLE recordings ALTER source_app TYPE text COLLATE \"C\";
         CREATE UNIQUE INDEX theirs ON recordings {KEY}"
    ));
    assert!(with_action(&bootstrap(&mut owner), "exists").contains(&"index recordings_dedup_key ON recordings"));
    fill(&mut owner);
    let read = rows_read(&db, &format!("SELECT check_duplicate('{ALICE}', 'fathom', 'old 4000')"));
    assert!(read < 50, "{read} rows");
}

/// Both decide then, and neither raises.
#[test]
fn imports_at_once_are_skipped_under_two_indexes_on_the_key() {
    let db = Database::new();
    let mut owner = db.table_owner();
    owner.run(
        "CREATE UNIQUE INDEX theirs
        ON recordings (owner_user_id, source_app COLLATE \"C\", (source_metadata ->> 'external_id') COLLATE \"C\")",
    );
    bootstrap(&mut owner);
    let said: Vec<serde_json::Value> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| db.service_role().import(&record("x"), ALICE))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(said.iter().filter(|result| result["success"] == true).count(), 1, "{said:?}");
    assert_eq!(said.iter().filter(|result| result["skipped"] == true).count(), 7, "{said:?}");
}

/// An operator class of the application's may take two ids for one.
#[test]
fn an_index_with_another_equality_is_named() {
    let db = Database::new();
    db.superuser().run(
        "CREATE FUNCTION lax_compare(text, text) RETURNS integer LANGUAGE sql IMMUTABLE AS
             'SELECT pg_catalog.bttextcmp(pg_catalog.lower($1), pg_catalog.lower($2))';
         CREATE FUNCTION lax_equal(text, text) RETURNS boolean LANGUAGE sql IMMUTABLE AS
             'SELECT pg_catalog.lower($1) OPERATOR(pg_catalog.=) pg_catalog.lower($2)';
         CREATE OPERATOR ~=~~ (LEFTARG = text, RIGHTARG = text, FUNCTION = lax_equal);
         CREATE OPERATOR CLASS lax FOR TYPE text USING btree AS
             OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 ~=~~, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 lax_compare(text, text)",
    );
    let mut owner = db.table_owner();
    owner.run(
        "DROP INDEX recordings_dedup_key;
         CREATE UNIQUE INDEX theirs ON recordings (owner_user_id, source_app, (source_metadata ->> 'external_id') lax)",
    );
    let error = owner.error("SELECT connector_pipeline.bootstrap()", &[]);
    assert_eq!(error.code().code(), "55000", "{error:?}");
    assert!(error.detail().unwrap().starts_with("index theirs "), "{error:?}");
}
