//! Many records in one statement, `SELECT run_pipeline(r) FROM staging`: each ends as it would by itself, whatever came
//! before it, although less and less has to be asked on the way.

use serde_json::Value;

use crate::support::*;

/// What is said of the records, in their order, in the same words for the same: instead of a recording's id the place of
/// its record, and no row that failed.
type Said = Vec<Value>;

/// Each record by a statement of its own.
fn one_by_one(session: &mut Session, records: &[Value]) -> Said {
    let results: Vec<Value> = records.iter().map(|record| session.import(record, ALICE)).collect();
    by_place(results)
}

/// All by one statement.
fn at_once(session: &mut Session, records: &[Value]) -> Said {
    by_place(import_all(session, records))
}

fn import_all(session: &mut Session, records: &[Value]) -> Vec<Value> {
    session.column(
        "SELECT run_pipeline(record, $2) FROM unnest($1::jsonb[]) WITH ORDINALITY AS given (record, n) ORDER BY n",
        &[&records, &ALICE],
    )
}

fn by_place(mut results: Vec<Value>) -> Said {
    let imported: Vec<Value> = results.iter().map(|result| result["recordingId"].clone()).collect();
    for result in &mut results {
        if let Some(place) = imported.iter().position(|id| !id.is_null() && *id == result["recordingId"]) {
            result["recordingId"] = json!(place);
        }
        for key in ["error", "warning"] {
            if let Some((text, _)) = result[key].as_str().and_then(|text| text.split_once(" (Failing row")) {
                result[key] = json!(text);
            }
        }
    }
    results
}

/// What lies in the tables, without ids and times.
fn rows(owner: &mut Session) -> Vec<Value> {
    owner.column(
        "SELECT jsonb_build_array(recording.source_metadata, recording.title, recording.global_tags, bank.name, vault.name)
         FROM recordings AS recording
         JOIN banks AS bank ON bank.id = recording.bank_id
         LEFT JOIN vault_entries AS entry ON entry.recording_id = recording.id
         LEFT JOIN vaults AS vault ON vault.id = entry.vault_id
         ORDER BY 1",
        &[],
    )
}

#[test]
fn each_record_ends_as_by_itself_whatever_comes_before_it() {
    let foreign = Uuid::from_u128(0xF0);
    let (own, bank, vault) = (Uuid::from_u128(0xA), Uuid::from_u128(0xBA), Uuid::from_u128(0x7A));
    let new = |id: &str| record(id);
    let sales = |id: &str| record_with(id, json!({"bank_id": bank, "vault_id": vault}));
    let titled = |id: &str, title: &str| record_with(id, json!({"title": title}));
    let table: &[(&str, Vec<Value>)] = &[
        ("all are new", (0..50).map(|n| new(&format!("n{n}"))).collect()),
        ("all are known", (0..50).map(|_| new("known")).collect()),
        ("a key comes again", vec![new("a"), new("b"), new("a"), new("c"), new("c"), new("b"), new("d")]),
        (
            "known ones among new ones",
            vec![new("a"), new("b"), new("known"), new("c"), new("known"), new("d"), new("e")],
        ),
        (
            "a duplicate that would break a rule of the table",
            vec![new("a"), new("b"), titled("known", "refused"), new("c")],
        ),
        (
            "a new one that breaks a rule of the table",
            vec![new("a"), new("b"), titled("c", "refused"), new("d"), new("e")],
        ),
        (
            "a duplicate with a bank that is not the owner's",
            vec![new("a"), new("b"), record_with("known", json!({"bank_id": foreign})), new("c")],
        ),
        (
            "a new one with a bank that is not the owner's",
            vec![new("a"), new("b"), record_with("c", json!({"bank_id": foreign})), new("d"), new("e")],
        ),
        (
            "a vault that is not the bank's",
            vec![new("a"), new("b"), record_with("c", json!({"vault_id": foreign})), new("d"), new("e")],
        ),
        ("several banks in turn", vec![new("a"), sales("b"), new("c"), sales("d"), sales("a"), new("d"), sales("e")]),
        ("another source", vec![new("a"), new("b"), record_with("a", json!({"source_app": "zoom"})), new("c")]),
        ("a record that is none", vec![new("a"), new("b"), json!("no record"), new("c"), Value::Null, new("d")]),
        (
            "everything that a record can have",
            vec![
                new("a"),
                new("b"),
                record_with("c", json!({"global_tags": ["x", "", "a \"b\"\\", "{,}", "NULL", "ü\n"], "colour": "red"})),
                record_with(
                    "d",
                    json!({"global_tags": [], "summary": "", "source_metadata": {"external_id": "other"}}),
                ),
            ],
        ),
        ("an entry that is refused", (0..9).map(|n| sales(&format!("n{n}"))).collect()),
    ];
    for (what, records) in table {
        let [expected, found] = [one_by_one, at_once].map(|import| {
            let db = Database::new();
            let mut owner = db.table_owner();
            // The rule on entries refuses two in a row: where one is tried a second time, both times.
            owner.run(&format!(
                "INSERT INTO banks (id, name, type) VALUES ('{own}', 'Own', 'personal'), ('{bank}', 'Acme', 'business');
                 INSERT INTO vaults (id, bank_id, name, vault_type)
                     VALUES (DEFAULT, '{own}', 'Own', 'personal'), ('{vault}', '{bank}', 'Sales', 'team');
                 INSERT INTO bank_memberships (bank_id, user_id, role)
                     VALUES ('{own}', '{ALICE}', 'owner'), ('{bank}', '{ALICE}', 'member');
                 ALTER TABLE recordings ADD CHECK (title <> 'refused');
                 CREATE SEQUENCE tries;
                 ALTER TABLE vault_entries
                     ADD CHECK (CASE WHEN vault_id = '{vault}' THEN nextval('tries') % 5 < 3 ELSE true END)"
            ));
            assert_imported(&owner.import(&record("known"), ALICE));
            let said = import(&mut owner, records);
            (said, rows(&mut owner))
        });
        assert_eq!(found, expected, "{what}");
    }
}

#[test]
fn a_trigger_of_the_applications_runs_for_no_duplicate() {
    let db = Database::new();
    let mut owner = db.table_owner();
    owner.run(
        "CREATE TABLE ran (title text);
         CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN INSERT INTO ran VALUES (NEW.title); RETURN NEW; END $$;
         CREATE TRIGGER note BEFORE INSERT ON recordings FOR EACH ROW EXECUTE FUNCTION note()",
    );
    let records: Vec<Value> = ["a", "b", "a", "c", "b"].map(|id| record_with(id, json!({"title": id}))).into();
    import_all(&mut owner, &records);
    assert_eq!(owner.column::<String>("SELECT title FROM ran", &[]), ["a", "b", "c"]);
}

#[test]
fn a_default_of_the_applications_runs_for_no_duplicate() {
    let db = Database::new();
    let mut owner = db.table_owner();
    // Numbers without a gap.
    owner.run(
        "CREATE TABLE counter AS SELECT 0 AS taken;
         CREATE FUNCTION take_number() RETURNS integer LANGUAGE sql AS
             $$ UPDATE counter SET taken = taken + 1 RETURNING taken $$;
         ALTER TABLE recordings ADD COLUMN number integer;
         ALTER TABLE recordings ALTER COLUMN number SET DEFAULT take_number()",
    );
    let records: Vec<Value> = ["a", "b", "a", "c", "b", "d"].map(record).into();
    import_all(&mut owner, &records);
    assert_eq!(owner.column::<i32>("SELECT number FROM recordings ORDER BY number", &[]), [1, 2, 3, 4]);
    assert_eq!(owner.value::<i32>("SELECT taken FROM counter", &[]), 4);
}

#[test]
fn a_check_of_the_applications_on_entries_sees_the_recording() {
    let db = Database::new();
    let mut owner = db.table_owner();
    owner.run(
        "CREATE FUNCTION may_enter(p_recording uuid) RETURNS boolean LANGUAGE sql STABLE AS
             $$ SELECT duration >= 60 FROM recordings WHERE id = p_recording $$;
         ALTER TABLE vault_entries ADD CHECK (may_enter(recording_id))",
    );
    let records: Vec<Value> = (1..7).map(|n| record_with(n, json!({"duration": 30 * (n % 3)}))).collect();
    let results = import_all(&mut owner, &records);
    for (result, record) in results.iter().zip(&records) {
        assert_imported(result);
        assert_eq!(result["warning"].is_string(), record["duration"].as_i64() < Some(60), "{record}: {result}");
    }
    assert_eq!(owner.count("vault_entries"), 2);
}

#[test]
fn what_changes_in_a_table_counts_from_then_on() {
    let db = Database::new();
    let mut service = db.service_role();
    let mut owner = db.table_owner();
    let records = |prefix: &str| -> Vec<Value> { (0..3).map(|n| record(format!("{prefix}{n}"))).collect() };
    import_all(&mut service, &records("before"));
    owner.run(
        "CREATE TABLE ran (title text);
         CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
             $$ BEGIN INSERT INTO ran VALUES (NEW.title); RETURN NEW; END $$;
         CREATE TRIGGER note BEFORE INSERT ON recordings FOR EACH ROW EXECUTE FUNCTION note()",
    );
    import_all(&mut service, &[records("then"), records("then")].concat());
    assert_eq!(owner.count("ran"), 3);
    owner.run("DROP TRIGGER note ON recordings");
    import_all(&mut service, &[records("after"), records("after")].concat());
    assert_eq!(owner.count("ran"), 3);
    assert_eq!(owner.count("recordings"), 9);
}

#[test]
fn a_recording_that_another_session_is_importing_is_waited_for_and_skipped() {
    let db = Database::new();
    let (mut first, mut second) = (db.service_role(), db.service_role());
    assert_imported(&first.import(&record("before"), ALICE));
    first.run("BEGIN");
    let taken = recording_id(&first.import(&record("c"), ALICE));
    let pid: i32 = second.value("SELECT pg_backend_pid()", &[]);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| import_all(&mut second, &["a", "b", "c", "d"].map(record)));
        db.wait_until_blocked(pid);
        first.run("COMMIT");
        let said = waiting.join().unwrap();
        assert_skipped(&said[2], taken);
        [0, 1, 3].iter().for_each(|place| assert_imported(&said[*place]));
    });
}

#[test]
fn duplicates_after_new_records_write_nothing() {
    let db = Database::alone();
    let mut owner = db.table_owner();
    assert_imported(&owner.import(&record("known"), ALICE));
    // Each is made as a row in memory, for the one before it was new.
    let records: Vec<Value> = ["a", "known", "b", "known", "c", "known"].map(record).into();
    import_all(&mut owner, &records);
    let dead = "SELECT n_tup_ins, n_dead_tup FROM pg_stat_user_tables WHERE relname IN ('recordings', 'vault_entries')";
    owner.run("SELECT pg_stat_force_next_flush()");
    for row in owner.query(dead, &[]) {
        assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (4, 0));
    }
}
