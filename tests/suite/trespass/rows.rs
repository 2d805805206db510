//! Tests that no table, function or error message reveals or changes another user's rows.

use serde_json::Value;

use crate::comparison::contents;
use crate::support::*;

/// The ids of Alice's rows, which Bob tries to read and change.
struct AlicesIds {
    bank: Uuid,
    vault: Uuid,
    recording: Uuid,
    job: Uuid,
}

/// Gives Alice a row in each table.
fn make_alices_rows(db: &Database) -> AlicesIds {
    let mut alice = db.authenticated(ALICE);
    let recording = recording_id(&alice.import_own(&record("x")));
    let job = alice.value("SELECT start_sync_job('fathom')", &[]);
    alice.query("SELECT run_pipeline_batch('[{}]')", &[]);
    alice.query("INSERT INTO import_sources (user_id, source_app) VALUES ($1, 'fathom')", &[&ALICE]);
    AlicesIds {
        bank: alice.value("SELECT id FROM banks", &[]),
        vault: alice.value("SELECT id FROM vaults", &[]),
        recording,
        job,
    }
}

/// Replaces names like @bank@ by ids.
fn with_ids(statement: &str, ids: &[(&str, Uuid)]) -> String {
    ids.iter().fold(statement.to_owned(), |statement, (name, id)| statement.replace(name, &format!("'{id}'")))
}

/// Checks that each statement is refused or affects no row, while a superuser's affects some.
#[track_caller]
fn assert_statements_change_nothing(db: &Database, session: &mut Session, statements: &str, ids: &[(&str, Uuid)]) {
    let mut superuser = db.superuser();
    let before = contents(db);
    let statements = statements.split(";\n").map(str::trim).filter(|statement| !statement.is_empty());
    for statement in statements.map(|statement| with_ids(statement, ids)) {
        match session.client.execute(&statement, &[]) {
            Ok(rows) => assert_eq!(rows, 0, "{statement}"),
            Err(error) => assert_eq!(error.code().map(|code| code.code()), Some("42501"), "{statement}: {error:?}"),
        }
        superuser.run("BEGIN");
        let rows = superuser.client.execute(&statement, &[]);
        superuser.run("ROLLBACK");
        assert!(!matches!(rows, Ok(0)), "the statement affects no row for a superuser either: {statement}");
    }
    assert_eq!(contents(db), before);
}

#[test]
fn a_user_reaches_no_row_of_another_through_any_table() {
    let db = Database::new();
    let alices = make_alices_rows(&db);
    let mut bob = db.authenticated(BOB);
    let own = recording_id(&bob.import_own(&record("own")));
    let [own_bank, own_vault] = ["banks", "vaults"].map(|table| bob.value(&format!("SELECT id FROM {table}"), &[]));
    bob.run("SELECT start_sync_job('fathom'); SELECT run_pipeline_batch('[{}]')");
    bob.query("INSERT INTO import_sources (user_id, source_app) VALUES ($1, 'fathom')", &[&BOB]);

    let ids = [
        ("@alice@", ALICE),
        ("@bob@", BOB),
        ("@bank@", alices.bank),
        ("@vault@", alices.vault),
        ("@recording@", alices.recording),
        ("@job@", alices.job),
        ("@own@", own),
        ("@own_bank@", own_bank),
        ("@own_vault@", own_vault),
    ];
    assert_statements_change_nothing(&db, &mut bob, include_str!("rows.sql"), &ids);
    let copied = |session: &mut Session, table: &str| {
        let mut rows = String::new();
        let mut reader = session.client.copy_out(&format!("COPY {table} TO STDOUT")).unwrap();
        std::io::Read::read_to_string(&mut reader, &mut rows).unwrap();
        rows
    };
    for table in ["recordings", "vault_entries", "banks", "sync_jobs", "import_failures", "import_sources"] {
        assert_eq!(copied(&mut bob, table).lines().count(), 1, "{table}");
        assert!(!copied(&mut bob, table).contains(&ALICE.to_string()), "{table}");
    }
}

#[test]
fn a_user_reaches_no_row_of_another_through_any_function() {
    let db = Database::new();
    let alices = make_alices_rows(&db);
    let before = contents(&db);
    let mut bob = db.authenticated(BOB);
    for call in [
        "SELECT * FROM get_import_counts(@alice@)",
        "SELECT ensure_personal_bank(@alice@)",
        "SELECT start_sync_job('fathom', NULL, @alice@)",
        r#"SELECT insert_recording('{"external_id": "y", "source_app": "fathom", "title": "", "full_transcript": "",
            "recording_start_time": "2026-01-31T09:30:00Z"}', @alice@)"#,
    ] {
        assert_eq!(bob.sqlstate(&with_ids(call, &[("@alice@", ALICE)]), &[]), "42501", "{call}");
    }
    assert_failed(&bob.import(&record("x"), ALICE), "42501", "own user only");
    let checked: Value = bob.value("SELECT check_duplicate($1, 'fathom', 'x')", &[&ALICE]);
    assert_eq!(checked, json!({"isDuplicate": false}));
    let checked =
        "SELECT is_duplicate OR existing_recording_id IS NOT NULL FROM check_duplicates($1, 'fathom', '{x,y}')";
    assert_eq!(bob.column::<bool>(checked, &[&ALICE]), [false, false]);
    let retried: Value = bob.value("SELECT retry_failed_imports(NULL, $1)", &[&ALICE]);
    assert_eq!(retried["total"], 0);
    assert_eq!(bob.sqlstate("SELECT finish_sync_job($1)", &[&alices.job]), "22023");
    let batch = "SELECT run_pipeline_batch('[]', NULL, $1)";
    assert_eq!(bob.sqlstate(batch, &[&alices.job]), "22023");
    assert_eq!(contents(&db), before);
}

/// Compares the answers for an id of Alice with those for an unknown id.
#[test]
fn no_answer_shows_whether_an_id_of_another_user_exists() {
    let db = Database::new();
    let alices = make_alices_rows(&db);
    let mut bob = db.authenticated(BOB);
    bob.value::<Uuid>("SELECT ensure_personal_bank()", &[]);
    let nothing = Uuid::from_u128(0xDEAD);
    // Returns the result, or the error with all its fields, without the id in the call.
    let mut answer = |call: &str, id: Uuid, params: Params| -> String {
        let call = call.replace("@id@", &format!("'{id}'"));
        bob.run("BEGIN");
        let text = match bob.client.query(&call, params) {
            Ok(rows) => rows.iter().map(|row| row.get::<_, Option<Value>>(0).unwrap_or_default().to_string()).collect(),
            Err(error) => {
                let error = error.as_db_error().unwrap();
                format!("{} {} {:?} {:?}", error.code().code(), error.message(), error.detail(), error.hint())
            }
        };
        bob.run("ROLLBACK");
        text.replace(&id.to_string(), "@id@")
    };
    let to_bank = "jsonb_build_object('external_id', 'z', 'source_app', 'fathom', 'title', '', 'full_transcript', '',
        'recording_start_time', '2026-01-31T09:30:00Z', 'bank_id', @id@::text)";
    let to_vault = to_bank.replace("bank_id", "vault_id");
    for (id, call) in [
        (alices.job, "SELECT finish_sync_job(@id@)".to_owned()),
        (alices.job, "SELECT run_pipeline_batch('[]', NULL, @id@)".to_owned()),
        (alices.bank, format!("SELECT run_pipeline({to_bank})")),
        (alices.bank, format!("SELECT insert_recording({to_bank})")),
        (
            alices.bank,
            "INSERT INTO recordings (bank_id, owner_user_id, title) VALUES (@id@, auth.uid(), '')".to_owned(),
        ),
        (alices.vault, format!("SELECT run_pipeline({to_vault}) - 'recordingId'")),
        (
            alices.vault,
            "INSERT INTO vault_entries (vault_id, recording_id) VALUES (@id@, gen_random_uuid())".to_owned(),
        ),
    ] {
        assert_eq!(answer(&call, id, &[]), answer(&call, nothing, &[]), "{call}");
    }
    for call in [
        "SELECT check_duplicate(@id@, 'fathom', 'x')",
        "SELECT to_jsonb(c) FROM check_duplicates(@id@, 'fathom', '{x}') AS c",
        "SELECT run_pipeline($1, @id@)",
        "SELECT insert_recording($1, @id@)",
        "SELECT to_jsonb(c) FROM get_import_counts(@id@) AS c",
        "SELECT to_jsonb(ensure_personal_bank(@id@))",
        "SELECT retry_failed_imports(NULL, @id@)",
        "SELECT to_jsonb(start_sync_job('fathom', NULL, @id@))",
    ] {
        let record = record("x");
        let params: [&(dyn postgres::types::ToSql + Sync); 1] = [&record];
        let params = &params[..call.matches('$').count()];
        assert_eq!(answer(call, ALICE, params), answer(call, nothing, params), "{call}");
    }
}

#[test]
fn a_colleague_reads_and_writes_only_the_rows_that_its_memberships_allow() {
    let db = Database::new();
    let mut owner = db.table_owner();
    let (bank, open_vault) = business_bank(&mut owner, ALICE);
    let closed_vault: Uuid = owner
        .value("INSERT INTO vaults (bank_id, name, vault_type) VALUES ($1, 'Board', 'team') RETURNING id", &[&bank]);
    owner.query("INSERT INTO vault_memberships (vault_id, user_id) VALUES ($1, $2)", &[&closed_vault, &ALICE]);
    owner.query("INSERT INTO bank_memberships (bank_id, user_id) VALUES ($1, $2)", &[&bank, &BOB]);
    owner.query(
        "INSERT INTO vault_memberships (vault_id, user_id, role) VALUES ($1, $2, 'viewer')",
        &[&open_vault, &BOB],
    );
    let mut alice = db.authenticated(ALICE);
    let into = |id: &str, vault: Uuid| record_with(id, json!({"bank_id": bank, "vault_id": vault}));
    let seen = recording_id(&alice.import_own(&into("seen", open_vault)));
    let unseen = recording_id(&alice.import_own(&into("unseen", closed_vault)));

    let mut bob = db.authenticated(BOB);
    assert_eq!(bob.column::<Uuid>("SELECT id FROM recordings", &[]), [seen]);
    assert_eq!(bob.column::<Uuid>("SELECT vault_id FROM vault_entries", &[]), [open_vault]);
    assert_eq!(bob.column::<Uuid>("SELECT id FROM vaults", &[]), [open_vault]);
    assert_eq!(bob.column::<Uuid>("SELECT user_id FROM bank_memberships", &[]), [BOB]);
    // Bob may import into the bank, but may not add entries to the vaults.
    for vault in [open_vault, closed_vault] {
        let result = bob.import_own(&into(&vault.to_string(), vault));
        assert_imported(&result);
        assert!(result["warning"].as_str().unwrap_or_default().starts_with("no vault entry was created"), "{result}");
    }
    let own: Uuid = bob.column("SELECT id FROM recordings WHERE owner_user_id = $1", &[&BOB])[0];
    let ids = [
        ("@alice@", ALICE),
        ("@bob@", BOB),
        ("@bank@", bank),
        ("@open@", open_vault),
        ("@closed@", closed_vault),
        ("@seen@", seen),
        ("@unseen@", unseen),
        ("@own@", own),
    ];
    assert_statements_change_nothing(&db, &mut bob, include_str!("colleagues.sql"), &ids);

    owner.query("DELETE FROM vault_memberships WHERE user_id = $1", &[&BOB]);
    assert_eq!(bob.query("SELECT FROM recordings WHERE owner_user_id <> $1", &[&BOB]).len(), 0);
    owner.query("DELETE FROM bank_memberships WHERE user_id = $1", &[&BOB]);
    assert_failed(&bob.import_own(&into("late", open_vault)), "42501", "not a member");
}

/// Retries records for another owner, also by roles that could import them.
#[test]
fn a_failed_record_that_its_user_may_not_import_is_not_imported_by_any_retry() {
    let db = Database::new();
    let mut alice = db.authenticated(ALICE);
    alice.query("SELECT run_pipeline_batch($1)", &[&json!([record_with("batch", json!({"owner_user_id": BOB}))])]);
    alice.query("SELECT run_pipeline_batch($1, $2)", &[&json!([record("argument")]), &BOB]);
    let plant = "INSERT INTO import_failures (user_id, owner_user_id, source_app, external_id, record, error, code)
                 VALUES ($1, $2, 'fathom', $3::jsonb ->> 'external_id', $3, '', '')";
    alice.query(plant, &[&ALICE, &Some(BOB), &record("planted")]);
    alice.query(plant, &[&ALICE, &None::<Uuid>, &record_with("planted too", json!({"owner_user_id": BOB}))]);
    for mut session in [db.authenticated(ALICE), db.service_role(), db.table_owner(), db.superuser()] {
        let retried: Value = session.value("SELECT retry_failed_imports(NULL, $1)", &[&ALICE]);
        assert_eq!((&retried["total"], &retried["failed"]), (&json!(4), &json!(4)), "{retried}");
        assert_failed(&retried["results"][0], "42501", &BOB.to_string());
    }
    let mut owner = db.table_owner();
    assert_eq!(owner.count("recordings"), 0);
    assert_eq!(owner.column::<i32>("SELECT attempts FROM import_failures", &[]), [5, 5, 5, 5]);
}

#[test]
fn a_sync_job_with_invalid_contents_does_not_stop_anothers_backfill() {
    let db = Database::new();
    let mut bob = db.authenticated(BOB);
    let job = "INSERT INTO sync_jobs (user_id, type, status, metadata, progress_current, progress_total)
               VALUES ($1, 'backfill', 'processing', $2, -1, 0)";
    for metadata in
        [json!({}), json!({"pid": "none"}), json!({"pid": -1}), json!({"pid": 1e30}), json!(["pid"]), json!("pid")]
    {
        bob.query(job, &[&BOB, &metadata]);
    }
    let mut owner = db.table_owner();
    owner.run(&format!("CALL connector_pipeline.backfill($q$ SELECT '{}'::jsonb $q$, '{ALICE}')", record("x")));
    assert_eq!(owner.column::<Uuid>("SELECT owner_user_id FROM recordings", &[]), [ALICE]);
}
