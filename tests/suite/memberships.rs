//! Tests that each call checks membership and vault anew, whatever an earlier call found.

use serde_json::Value;

use crate::support::*;

/// SQL that ends Alice's membership of a bank.
fn end_membership(bank: Uuid) -> String {
    format!("DELETE FROM bank_memberships WHERE user_id = '{ALICE}' AND bank_id = '{bank}'")
}

fn record_into(bank: Uuid, vault: Uuid, external_id: &str) -> Value {
    record_with(external_id, json!({"bank_id": bank, "vault_id": vault}))
}

/// A function that imports records one by one and runs `between` after the second.
fn import_in_a_loop(between: &str) -> String {
    format!(
        "CREATE OR REPLACE FUNCTION import_in_a_loop(p_records jsonb[]) RETURNS SETOF jsonb LANGUAGE plpgsql AS $$
         BEGIN
             FOR i IN 1..cardinality(p_records) LOOP
                 RETURN NEXT run_pipeline(p_records[i], '{ALICE}');
                 IF i = 2 THEN {between}; END IF;
             END LOOP;
         END $$"
    )
}

/// A function that runs SQL within a statement if `p_is_due` is true.
fn run_if(sql: &str) -> String {
    format!(
        "CREATE OR REPLACE FUNCTION run_if(p_is_due boolean) RETURNS boolean LANGUAGE plpgsql AS
             $$ BEGIN IF p_is_due THEN {sql}; END IF; RETURN true; END $$"
    )
}

/// Imports four records, runs `change` after the second, and returns the last two results.
type Form = fn(&Database, records: &[Value], change: &str) -> [Value; 2];

const FORMS: [(&str, Form); 6] = [
    ("one call a statement", |db, records, change| {
        let mut service = db.service_role();
        records[..2].iter().for_each(|record| assert_imported(&service.import(record, ALICE)));
        service.run(change);
        [service.import(&records[2], ALICE), service.import(&records[3], ALICE)]
    }),
    ("as the user, changed by another session", |db, records, change| {
        let mut alice = db.authenticated(ALICE);
        records[..2].iter().for_each(|record| assert_imported(&alice.import_own(record)));
        db.service_role().run(change);
        [alice.import_own(&records[2]), alice.import_own(&records[3])]
    }),
    ("a prepared statement in a transaction", |db, records, change| {
        let mut service = db.service_role();
        let mut transaction = service.client.transaction().unwrap();
        let import = transaction.prepare("SELECT run_pipeline($1, $2)").unwrap();
        let run = |transaction: &mut postgres::Transaction, record: &Value| -> Value {
            transaction.query_one(&import, &[record, &ALICE]).unwrap().get(0)
        };
        records[..2].iter().for_each(|record| assert_imported(&run(&mut transaction, record)));
        transaction.batch_execute(change).unwrap();
        let last = [run(&mut transaction, &records[2]), run(&mut transaction, &records[3])];
        transaction.commit().unwrap();
        last
    }),
    ("one SELECT", |db, records, change| {
        db.table_owner().run(&run_if(change));
        let results: Vec<Value> = db.service_role().column(
            "SELECT run_pipeline(record, $2) FROM unnest($1::jsonb[]) WITH ORDINALITY AS given (record, n)
             WHERE run_if(n = 3)",
            &[&records, &ALICE],
        );
        results[..2].iter().for_each(assert_imported);
        [results[2].clone(), results[3].clone()]
    }),
    ("a cursor, changed by another session", |db, records, change| {
        let mut service = db.service_role();
        service.run("BEGIN");
        let cursor = "DECLARE c CURSOR FOR SELECT run_pipeline(record, $2) FROM unnest($1::jsonb[]) AS given (record)";
        let quoted: Vec<String> = records.iter().map(|record| format!("'{record}'")).collect();
        let array = format!("ARRAY[{}]", quoted.join(", "));
        service.run(&cursor.replace("$1", &array).replace("$2", &format!("'{ALICE}'")));
        let mut fetch = || service.value::<Value>("FETCH 1 FROM c", &[]);
        assert_imported(&fetch());
        assert_imported(&fetch());
        db.service_role().run(change);
        let last = [fetch(), fetch()];
        service.run("COMMIT");
        last
    }),
    ("a loop in PL/pgSQL", |db, records, change| {
        db.table_owner().run(&import_in_a_loop(change));
        let results: Vec<Value> = db.service_role().column("SELECT import_in_a_loop($1)", &[&records]);
        results[..2].iter().for_each(assert_imported);
        [results[2].clone(), results[3].clone()]
    }),
];

#[test]
fn an_import_after_the_membership_ended_is_refused_in_every_form_of_call() {
    for (form, import) in FORMS {
        let db = Database::new();
        let (bank, vault) = business_bank(&mut db.table_owner(), ALICE);
        let records = ["a", "b", "c", "d"].map(|id| record_into(bank, vault, id));
        for refused in import(&db, &records, &end_membership(bank)) {
            assert_eq!(refused["code"], "42501", "{form}: {refused}");
        }
        assert_eq!(db.table_owner().count("recordings"), 2, "{form}");
    }
}

#[test]
fn a_vault_that_moved_to_another_bank_gets_no_entry_in_every_form_of_call() {
    for (form, import) in FORMS {
        let db = Database::new();
        let mut owner = db.table_owner();
        let (bank, vault) = business_bank(&mut owner, ALICE);
        let (other, _) = business_bank(&mut owner, BOB);
        let records = ["a", "b", "c", "d"].map(|id| record_into(bank, vault, id));
        let change = format!("UPDATE vaults SET bank_id = '{other}' WHERE id = '{vault}'");
        for warned in import(&db, &records, &change) {
            assert_imported(&warned);
            assert!(warned["warning"].is_string(), "{form}: {warned}");
        }
        assert_eq!(owner.count("vault_entries"), 2, "{form}");
    }
}

#[test]
fn an_import_after_the_membership_was_rolled_back_is_refused() {
    let db = Database::new();
    let mut owner = db.table_owner();
    let (bank, vault) = business_bank(&mut owner, BOB);
    let join = format!("INSERT INTO bank_memberships (bank_id, user_id) VALUES ('{bank}', '{ALICE}')");
    let mut service = db.service_role();
    service.run(&format!("BEGIN; SAVEPOINT s; {join}"));
    assert_imported(&service.import(&record_into(bank, vault, "a"), ALICE));
    service.run("ROLLBACK TO s");
    assert_failed(&service.import(&record_into(bank, vault, "b"), ALICE), "42501", "not a member");
    service.run("COMMIT");
}

/// Ends the membership by table code that runs during the second insert of a statement.
#[test]
fn later_records_of_a_statement_are_refused_when_table_code_ends_the_membership() {
    let table = [
        ("a check", "ALTER TABLE recordings ADD CHECK (leave(title))"),
        (
            "a check that runs a query through ts_rewrite",
            "ALTER TABLE recordings ADD CHECK (
                 ts_rewrite('a'::tsquery, format('SELECT ''b''::tsquery, ''c''::tsquery WHERE leave(%L)', title)) IS NOT NULL)",
        ),
        ("a default", "ALTER TABLE recordings ADD COLUMN new boolean;
             ALTER TABLE recordings ALTER COLUMN new SET DEFAULT leave('leave')"),
        (
            "a cast to jsonb in a default",
            "CREATE TYPE word AS ENUM ('leave');
             CREATE FUNCTION word_to_json(word) RETURNS json LANGUAGE plpgsql AS
                 $$ BEGIN PERFORM leave($1::text); RETURN '{}'; END $$;
             CREATE CAST (word AS json) WITH FUNCTION word_to_json(word);
             ALTER TABLE recordings ADD COLUMN new jsonb;
             ALTER TABLE recordings ALTER COLUMN new SET DEFAULT to_jsonb('leave'::word)",
        ),
        ("an index", "CREATE INDEX ON recordings (look(title))"),
        (
            "a domain",
            "CREATE DOMAIN word AS text CHECK (leave(VALUE)); ALTER TABLE recordings ALTER COLUMN title TYPE word",
        ),
        (
            "a trigger on entries",
            "CREATE FUNCTION leave_too() RETURNS trigger LANGUAGE plpgsql AS
                 $$ BEGIN PERFORM leave('leave'); RETURN NEW; END $$;
             CREATE TRIGGER leave_too AFTER INSERT ON vault_entries FOR EACH ROW EXECUTE FUNCTION leave_too()",
        ),
    ];
    for (what, sql) in table {
        let db = Database::new();
        let (bank, vault) = business_bank(&mut db.table_owner(), ALICE);
        let mut superuser = db.superuser();
        superuser.run(&format!(
            "CREATE FUNCTION leave(text) RETURNS boolean LANGUAGE plpgsql AS
                 $$ BEGIN IF $1 = 'leave' THEN {}; END IF; RETURN true; END $$;
             CREATE FUNCTION look(text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS
                 $$ BEGIN PERFORM leave($1); RETURN true; END $$;
             {sql}",
            end_membership(bank)
        ));
        let records = ["a", "leave", "c", "d"]
            .map(|id| record_with(id, json!({"title": id, "bank_id": bank, "vault_id": vault})));
        let results: Vec<Value> = superuser.column(
            "SELECT run_pipeline(record, $2) FROM unnest($1::jsonb[]) AS given (record)",
            &[&records.as_slice(), &ALICE],
        );
        let members = superuser.count(&format!("bank_memberships WHERE user_id = '{ALICE}'"));
        assert_eq!(members, 0, "{what}: {results:?}");
        assert_eq!(results[3]["code"], "42501", "{what}: {results:?}");
    }
}

#[test]
fn a_vault_that_moves_while_the_import_waits_for_its_key_gets_no_entry() {
    let db = Database::new();
    let (mut first, mut second, mut third) = (db.service_role(), db.service_role(), db.table_owner());
    let other = Uuid::from_u128(0xBA);
    third.run(&format!("INSERT INTO banks (id, name, type) VALUES ('{other}', 'Acme', 'business')"));
    assert_imported(&first.import(&record("before"), ALICE));
    first.run("BEGIN");
    assert_imported(&first.import(&record("a"), ALICE));
    let pid: i32 = second.value("SELECT pg_backend_pid()", &[]);
    let result = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| second.import(&record("a"), ALICE));
        db.wait_until_blocked(pid);
        third.run(&format!("UPDATE vaults SET bank_id = '{other}'"));
        first.run("ROLLBACK");
        waiting.join().unwrap()
    });
    assert_imported(&result);
    assert!(result["warning"].is_string(), "{result}");
    assert_eq!(third.count("vault_entries JOIN recordings ON recordings.id = recording_id WHERE title <> ''"), 1);
}

#[test]
fn run_pipeline_in_returning_sees_the_rows_that_its_command_has_written() {
    let db = Database::new();
    let mut service = db.service_role();
    let mut owner = db.table_owner();
    let (bank, vault) = business_bank(&mut owner, ALICE);
    let (other, _) = business_bank(&mut owner, BOB);
    assert_eq!(service.import(&record_into(bank, vault, "before"), ALICE)["warning"], Value::Null);
    let result: Value = service.value(
        "UPDATE vaults SET bank_id = $1 WHERE id = $2 RETURNING run_pipeline($3, $4)",
        &[&other, &vault, &record_into(bank, vault, "meanwhile"), &ALICE],
    );
    assert!(result["warning"].is_string(), "{result}");
    let result: Value = service.value(
        "DELETE FROM bank_memberships WHERE bank_id = $1 RETURNING run_pipeline($2, $3)",
        &[&bank, &record_into(bank, vault, "too late"), &ALICE],
    );
    assert_failed(&result, "42501", "not a member");
}

#[test]
fn an_import_after_memberships_were_truncated_is_refused() {
    let db = Database::new();
    let mut owner = db.table_owner();
    let (bank, vault) = business_bank(&mut owner, ALICE);
    owner.run("BEGIN");
    assert_imported(&owner.import(&record_into(bank, vault, "a"), ALICE));
    owner.run("TRUNCATE bank_memberships");
    assert_failed(&owner.import(&record_into(bank, vault, "b"), ALICE), "42501", "not a member");
    owner.run("ROLLBACK");
}

#[test]
fn a_policy_that_reads_a_setting_is_evaluated_at_each_call_of_a_statement() {
    let db = Database::new();
    let mut owner = db.table_owner();
    assert_imported(&owner.import(&record("before"), ALICE));
    owner.run(
        "CREATE POLICY of_whom ON bank_memberships USING (user_id::text = current_setting('app.whom', true));
         ALTER TABLE bank_memberships FORCE ROW LEVEL SECURITY",
    );
    let results: Vec<Value> = owner
        .query(
            "SELECT set_config('app.whom', CASE WHEN n < 3 THEN $2 ELSE '' END, true),
                 run_pipeline($1 || jsonb_build_object('external_id', n), $2::text::uuid)
             FROM generate_series(1, 4) AS n",
            &[&record(""), &ALICE.to_string()],
        )
        .iter()
        .map(|row| row.get(1))
        .collect();
    results[..2].iter().for_each(assert_imported);
    results[2..].iter().for_each(|result| assert_failed(result, "42501", ""));
}

#[test]
fn a_personal_bank_that_was_rolled_back_is_made_again() {
    let db = Database::new();
    let mut owner = db.table_owner();
    // STABLE: both calls use one snapshot, and the personal bank that the first call made is rolled back.
    owner.run(
        "CREATE FUNCTION import_and_undo(p_record jsonb, p_owner uuid) RETURNS jsonb LANGUAGE plpgsql STABLE AS $$
         BEGIN
             PERFORM run_pipeline(p_record, p_owner);
             RAISE EXCEPTION 'undo';
         EXCEPTION WHEN raise_exception THEN
             RETURN run_pipeline(p_record, p_owner);
         END $$",
    );
    assert_imported(&owner.value("SELECT import_and_undo($1, $2)", &[&record("x"), &ALICE]));
    assert_eq!(owner.count("recordings"), 1);
    assert_eq!(owner.count("vault_entries"), 1);
}

#[test]
fn a_bank_that_a_dry_run_made_is_not_used_by_the_next_call() {
    let db = Database::new();
    let mut owner = db.table_owner();
    // An adopted schema may lack these foreign keys, which would reject an id that does not exist.
    owner.run(
        "ALTER TABLE recordings DROP CONSTRAINT recordings_bank_id_fkey;
         ALTER TABLE vault_entries DROP CONSTRAINT vault_entries_vault_id_fkey",
    );
    let row = &owner.query(
        "SELECT run_pipeline_batch(jsonb_build_array($1::jsonb), $2, NULL, true), run_pipeline($1, $2)",
        &[&record("x"), &ALICE],
    )[0];
    assert_imported(&row.get(1));
    assert_eq!(owner.count("recordings WHERE bank_id IN (SELECT id FROM banks)"), 1);
    assert_eq!(owner.count("vault_entries WHERE vault_id IN (SELECT id FROM vaults)"), 1);
}
