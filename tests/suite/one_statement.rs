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
fn a_vault_that_moves_while_a_key_is_waited_for_gets_no_entry() {
    let db = Database::new();
    let (mut first, mut second, mut third) = (db.service_role(), db.service_role(), db.table_owner());
    let other = Uuid::from_u128(0xBA);
    third.run(&format!("INSERT INTO banks (id, name, type) VALUES ('{other}', 'Acme', 'business')"));
    assert_imported(&first.import(&record("before"), ALICE));
    first.run("BEGIN");
    assert_imported(&first.import(&record("c"), ALICE));
    let pid: i32 = second.value("SELECT pg_backend_pid()", &[]);
    let said = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| import_all(&mut second, &["a", "b", "c", "d"].map(record)));
        db.wait_until_blocked(pid);
        third.run(&format!("UPDATE vaults SET bank_id = '{other}'"));
        first.run("ROLLBACK");
        waiting.join().unwrap()
    });
    said.iter().for_each(assert_imported);
    let has_warning: Vec<bool> = said.iter().map(|result| result["warning"].is_string()).collect();
    assert_eq!(has_warning, [false, false, true, true]);
    let with_entry = "SELECT title FROM recordings JOIN vault_entries AS entry ON entry.recording_id = recordings.id
        WHERE source_metadata ->> 'external_id' IN ('c', 'd')";
    assert!(third.column::<String>(with_entry, &[]).is_empty());
}

#[test]
fn what_lies_in_a_table_that_inherits_is_a_duplicate_after_new_records_too() {
    let db = Database::new();
    let mut owner = db.table_owner();
    let old = recording_id(&owner.import(&record("old"), ALICE));
    owner.run(
        "CREATE TABLE archive () INHERITS (recordings);
         DELETE FROM vault_entries;
         WITH moved AS (DELETE FROM ONLY recordings RETURNING *) INSERT INTO archive SELECT * FROM moved",
    );
    let said = import_all(&mut owner, &["a", "b", "old", "c"].map(record));
    assert_skipped(&said[2], old);
    assert_eq!(owner.count("recordings"), 4);
}

#[test]
fn catalogs_that_the_caller_may_not_read_cost_no_import() {
    let db = Database::new();
    db.superuser().run("REVOKE SELECT ON pg_catalog.pg_proc, pg_catalog.pg_depend FROM PUBLIC");
    let mut service = db.service_role();
    import_all(&mut service, &["a", "b", "a", "c"].map(record));
    let batch = json!([record("d"), record("e")]);
    let result: Value = service.value("SELECT run_pipeline_batch($1, $2)", &[&batch, &ALICE]);
    assert_eq!(result["imported"], 2, "{result}");
    assert_eq!(db.table_owner().count("recordings"), 5);
}

/// Whatever of the application's takes Alice's membership away while her records are imported: those that come after are
/// refused, as they would be one by one.
#[test]
fn a_membership_that_ends_on_the_way_opens_no_bank_any_more() {
    let table = [
        ("a check", "ALTER TABLE recordings ADD CHECK (leave(title))"),
        ("a default", "ALTER TABLE recordings ADD COLUMN new boolean DEFAULT leave('leave')"),
        ("an index", "CREATE INDEX ON recordings (look(title))"),
        (
            "a domain in a check",
            "CREATE DOMAIN word AS text CHECK (leave(VALUE));
             ALTER TABLE recordings ADD CHECK ((title::word) IS NOT NULL)",
        ),
        (
            "a domain in an array in a check",
            "CREATE DOMAIN word AS text CHECK (leave(VALUE));
             ALTER TABLE recordings ADD CHECK ((ARRAY[title]::word[]) IS NOT NULL)",
        ),
        (
            "the type of a column",
            "CREATE DOMAIN word AS text CHECK (leave(VALUE)); ALTER TABLE recordings ALTER COLUMN title TYPE word",
        ),
        (
            "an operator class",
            "CREATE FUNCTION compare(text, text) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS
                 $$ BEGIN PERFORM look($1), look($2); RETURN bttextcmp($1, $2); END $$;
             CREATE OPERATOR CLASS comparing FOR TYPE text USING btree AS
                 OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 compare(text, text);
             CREATE INDEX ON recordings (title comparing)",
        ),
        (
            "a trigger on the personal bank that another gets",
            "CREATE FUNCTION leave_too() RETURNS trigger LANGUAGE plpgsql AS
                 $$ BEGIN PERFORM leave('leave'); RETURN NEW; END $$;
             CREATE TRIGGER leave_too AFTER INSERT ON banks FOR EACH ROW EXECUTE FUNCTION leave_too()",
        ),
    ];
    let (bank, vault) = (Uuid::from_u128(0xBA), Uuid::from_u128(0x7A));
    for (what, sql) in table {
        let db = Database::new();
        let mut superuser = db.superuser();
        superuser.run(&format!(
            "INSERT INTO banks (id, name, type) VALUES ('{bank}', 'Acme', 'business');
             INSERT INTO vaults (id, bank_id, name, vault_type) VALUES ('{vault}', '{bank}', 'Sales', 'team');
             CREATE FUNCTION leave(text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
                 IF $1 = 'leave' THEN DELETE FROM bank_memberships WHERE user_id = '{ALICE}'; END IF;
                 RETURN true;
             END $$;
             CREATE FUNCTION look(text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS
                 $$ BEGIN PERFORM leave($1); RETURN true; END $$;
             {sql};
             INSERT INTO bank_memberships (bank_id, user_id, role) VALUES ('{bank}', '{ALICE}', 'member')"
        ));
        let into_bank = |id: &str| {
            record_with(id, json!({"title": id, "bank_id": bank, "vault_id": vault, "owner_user_id": ALICE}))
        };
        let of_bob = record_with("leave", json!({"owner_user_id": BOB}));
        let third = if what.contains("another") { of_bob } else { into_bank("leave") };
        let said: Vec<Value> = superuser.column(
            "SELECT run_pipeline(record) FROM unnest($1::jsonb[]) AS given (record)",
            &[&[into_bank("a"), into_bank("b"), third, into_bank("c"), into_bank("d")].as_slice()],
        );
        let members = superuser.count(&format!("bank_memberships WHERE user_id = '{ALICE}'"));
        assert_eq!(members, 0, "{what}: {said:?}");
        assert_eq!(said[4]["code"], "42501", "{what}: {said:?}");
    }
}

#[test]
fn what_is_truncated_in_its_own_transaction_is_gone() {
    let db = Database::new();
    let mut owner = db.table_owner();
    let (bank, vault) = (Uuid::from_u128(0xBA), Uuid::from_u128(0x7A));
    let member =
        format!("INSERT INTO bank_memberships (bank_id, user_id, role) VALUES ('{bank}', '{ALICE}', 'member')");
    // Without an index and without a column that is stored elsewhere, nothing that has a number tells of it.
    owner.run(&format!(
        "INSERT INTO banks (id, name, type) VALUES ('{bank}', 'Acme', 'business');
         INSERT INTO vaults (id, bank_id, name, vault_type) VALUES ('{vault}', '{bank}', 'Sales', 'team');
         DROP TABLE bank_memberships CASCADE;
         CREATE TYPE role AS ENUM ('owner', 'member');
         CREATE TABLE bank_memberships (bank_id uuid, user_id uuid, role role);
         BEGIN; TRUNCATE bank_memberships; {member}"
    ));
    let into_bank = |id: &str| record_with(id, json!({"bank_id": bank, "vault_id": vault}));
    import_all(&mut owner, &["a", "b"].map(into_bank)).iter().for_each(assert_imported);
    owner.run("TRUNCATE bank_memberships");
    for refused in import_all(&mut owner, &["c", "d"].map(into_bank)) {
        assert_eq!(refused["code"], "42501", "{refused}");
    }
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
