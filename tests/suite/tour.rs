//! Calls every function of the contract, each by a role that may call it.

use serde_json::Value;

use crate::support::*;

/// The functions that the tour calls, directly or through backfill().
const CALLED: [&str; 26] = [
    "backfill",
    "bootstrap",
    "bootstrap_auth",
    "check_duplicate",
    "check_duplicates",
    "count_chunk",
    "count_records",
    "cursor_of",
    "duplicates",
    "ensure_personal_bank",
    "finish_backfill",
    "finish_sync_job",
    "get_import_counts",
    "import_chunk",
    "insert_recording",
    "merge_duplicates",
    "open_backfill_job",
    "record_of",
    "retry_failed_imports",
    "run_pipeline",
    "run_pipeline_batch",
    "source_metadata_ordered",
    "start_backfill",
    "start_sync_job",
    "subquery_of",
    "type_of",
];

/// Calls every function with qualified names and an empty search_path.
///
/// Two tours in one database need different values of `source`.
pub fn call_everything(db: &Database, source: &str) {
    call_everything_with(db, source, without_search_path);
}

/// The same in sessions that `prepare` has changed.
pub fn call_everything_with(db: &Database, source: &str, prepare: fn(Session) -> Session) {
    assert_all_functions_are_called(db);
    let schema: String = db.superuser().value(
        "SELECT quote_ident(nspname) FROM pg_extension JOIN pg_namespace AS n ON n.oid = extnamespace
         WHERE extname = 'connector_pipeline'",
        &[],
    );
    // Puts the schema of the extension into SQL.
    let sql = |text: &str| text.replace("@schema@", &schema);
    let item = |id: &str| record_with(id, json!({"source_app": source}));
    let bad = |id: &str| record_with(id, json!({"source_app": source, "duration": -1}));
    let mut alice = prepare(db.authenticated(ALICE));
    let mut service = prepare(db.service_role());
    let mut owner = prepare(db.table_owner());

    let bank: Uuid = alice.value(&sql("SELECT @schema@.ensure_personal_bank()"), &[]);
    let run_pipeline = sql("SELECT @schema@.run_pipeline($1)");
    let first: Value = alice.value(&run_pipeline, &[&item("first")]);
    assert_imported(&first);
    let first = recording_id(&first);
    assert_skipped(&alice.value(&run_pipeline, &[&item("first")]), first);
    assert_imported(&service.value(&sql("SELECT @schema@.run_pipeline($1, $2)"), &[&item("first"), &BOB]));
    let bank_of_first = sql("SELECT bank_id FROM @schema@.recordings WHERE id OPERATOR(pg_catalog.=) $1");
    assert_eq!(alice.value::<Uuid>(&bank_of_first, &[&first]), bank);

    let insert_recording = sql("SELECT @schema@.insert_recording($1)");
    assert!(alice.value::<Value>(&insert_recording, &[&item("second")])["id"].is_string());
    assert_eq!(alice.sqlstate(&insert_recording, &[&item("second")]), "23505");

    let checked: Value = alice.value(&sql("SELECT @schema@.check_duplicate($1, $2, 'first')"), &[&ALICE, &source]);
    assert_eq!(checked, json!({"isDuplicate": true, "existingRecordingId": first}));
    let checked: Vec<bool> = alice.column(
        &sql("SELECT is_duplicate FROM @schema@.check_duplicates($1, $2, ARRAY['first', 'third'])"),
        &[&ALICE, &source],
    );
    assert_eq!(checked, [true, false]);

    let job: Uuid = alice.value(&sql("SELECT @schema@.start_sync_job($1, ARRAY['first', 'third', 'bad'])"), &[&source]);
    let batch: Value = alice.value(
        &sql("SELECT @schema@.run_pipeline_batch($1, NULL, $2)"),
        &[&json!([item("first"), item("third"), bad("bad")]), &job],
    );
    assert_eq!(batch["imported"], 1, "{batch}");
    let summary: Value = alice.value(&sql("SELECT @schema@.finish_sync_job($1)"), &[&job]);
    assert_eq!(summary["message"], "1 new, 1 skipped, 1 failed");

    let retry = sql("SELECT @schema@.retry_failed_imports($1)");
    assert_eq!(alice.value::<Value>(&retry, &[&source])["failed"], 1);
    let correct = sql(
        "UPDATE @schema@.import_failures SET record = record OPERATOR(pg_catalog.-) 'duration' WHERE source_app OPERATOR(pg_catalog.=) $1",
    );
    owner.query(&correct, &[&source]);
    assert_eq!(alice.value::<Value>(&retry, &[&source])["imported"], 1);

    let query = format!(
        "SELECT record FROM pg_catalog.jsonb_array_elements($r${}$r$) AS record",
        json!([item("fourth"), bad("fifth"), item("first"),])
    );
    owner.run(&format!("CALL connector_pipeline.backfill($q${query}$q$, '{BOB}', 2)"));
    let kept = sql("SELECT pg_catalog.count(*) FROM @schema@.import_failures
                     WHERE source_app OPERATOR(pg_catalog.=) $1 AND user_id OPERATOR(pg_catalog.=) $2");
    assert_eq!(owner.value::<i64>(&kept, &[&source, &BOB]), 1);

    let counts = sql("SELECT call_count FROM @schema@.get_import_counts() WHERE source_app OPERATOR(pg_catalog.=) $1");
    assert_eq!(alice.column::<i64>(&counts, &[&source]), [4], "first, second, third, bad");
    let counts =
        sql("SELECT call_count FROM @schema@.get_import_counts($2) WHERE source_app OPERATOR(pg_catalog.=) $1");
    assert_eq!(service.column::<i64>(&counts, &[&source, &BOB]), [2], "first, fourth");
    let ordered = sql("SELECT @schema@.source_metadata_ordered(r)::pg_catalog.text FROM @schema@.recordings AS r
                       WHERE id OPERATOR(pg_catalog.=) $1");
    assert_eq!(alice.value::<String>(&ordered, &[&first]), r#"{"external_id": "first"}"#);

    // Rolled back: the tour must not change a database of an older version.
    owner.run("BEGIN");
    assert!(!owner.query("SELECT * FROM connector_pipeline.bootstrap()", &[]).is_empty());
    owner.run("ROLLBACK");
    assert_eq!(owner.sqlstate("SELECT connector_pipeline.bootstrap_auth()", &[]), "42P06");

    // Version 0.1.0 has no merge_duplicates().
    if owner.value("SELECT pg_catalog.to_regproc('connector_pipeline.merge_duplicates') IS NOT NULL", &[]) {
        owner.run(&sql("BEGIN; DROP INDEX @schema@.recordings_dedup_key"));
        let copy = sql("INSERT INTO @schema@.recordings (bank_id, owner_user_id, title, source_app, source_metadata)
             SELECT bank_id, owner_user_id, title, source_app, source_metadata FROM @schema@.recordings
             WHERE id OPERATOR(pg_catalog.=) $1
             RETURNING id");
        let second: Uuid = owner.value(&copy, &[&first]);
        let enter = sql("INSERT INTO @schema@.vault_entries (vault_id, recording_id, local_tags, notes)
             SELECT vault_id, $2, ARRAY['kept'], 'kept too' FROM @schema@.vault_entries
             WHERE recording_id OPERATOR(pg_catalog.=) $1");
        owner.query(&enter, &[&first, &second]);
        let found = "SELECT recording_ids FROM connector_pipeline.duplicates()";
        assert_eq!(owner.column::<Vec<Uuid>>(found, &[]), [vec![first, second]]);
        let removed = "SELECT removed_id FROM connector_pipeline.merge_duplicates(false)";
        assert_eq!(owner.column::<Uuid>(removed, &[]), [second]);
        assert_eq!(owner.query(found, &[]).len(), 0);
        let kept = sql("SELECT local_tags OPERATOR(pg_catalog.||) notes FROM @schema@.vault_entries
             WHERE recording_id OPERATOR(pg_catalog.=) $1");
        assert_eq!(owner.column::<Vec<String>>(&kept, &[&first]), [["kept", "kept too"]]);
        owner.run("ROLLBACK");
    }
}

fn without_search_path(mut session: Session) -> Session {
    session.run("SET search_path = ''");
    session
}

fn assert_all_functions_are_called(db: &Database) {
    let functions = "
        SELECT proname::text FROM pg_depend JOIN pg_proc AS proc ON proc.oid = objid AND classid = 'pg_proc'::regclass
        WHERE deptype = 'e' AND pronamespace::regnamespace::text <> 'tests'
            AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'connector_pipeline')";
    let mut left_out: Vec<String> = db.superuser().column(functions, &[]);
    left_out.retain(|name| !CALLED.contains(&name.as_str()));
    assert!(left_out.is_empty(), "the tour doesn't call {left_out:?}");
}
