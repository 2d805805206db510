//! Tests the connector record: its keys, their types, and the columns that store them.

use crate::support::*;

#[test]
fn each_key_of_a_record_is_stored_in_the_column_of_its_name() {
    let db = Database::new();
    let mut owner = db.table_owner();
    let result = owner.import(
        &record_with(
            "a/b==",
            json!({
                "recording_end_time": "2026-01-31T12:00:00+02:00",
                "duration": 1800,
                "summary": "They said hello.",
                "audio_url": "https://a.example/1.mp3",
                "video_url": "https://a.example/1.mp4",
                "global_tags": ["sales", "q\"1\\"],
                "source_metadata": {"share_url": "https://a.example/s", "invitees": [{"email": "x@y.z"}]},
            }),
        ),
        ALICE,
    );
    assert_eq!(result, json!({"success": true, "recordingId": recording_id(&result)}));
    let row: serde_json::Value = owner.value("SELECT to_jsonb(r) FROM recordings AS r", &[]);
    let expected = json!({
        "id": recording_id(&result),
        "owner_user_id": ALICE,
        "title": "Weekly",
        "full_transcript": "Ann: hello.\nBen: hello, Ann.",
        "summary": "They said hello.",
        "audio_url": "https://a.example/1.mp3",
        "video_url": "https://a.example/1.mp4",
        "global_tags": ["sales", "q\"1\\"],
        "source_app": "fathom",
        "source_metadata":
            {"share_url": "https://a.example/s", "invitees": [{"email": "x@y.z"}], "external_id": "a/b=="},
        "duration": 1800,
    });
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(row[key], *value, "{key}");
    }
    assert!(row["synced_at"].is_string() && row["created_at"].is_string());
    let times = "SELECT recording_start_time = '2026-01-31 09:30Z' AND recording_end_time = '2026-01-31 10:00Z' FROM recordings";
    assert!(owner.value::<bool>(times, &[]));
}

#[test]
fn all_faults_of_a_record_are_reported_in_one_message_with_their_keys() {
    let db = Database::new();
    let mut owner = db.table_owner();
    let record = json!({
        "external_id": " ", "source_app": 7, "title": null, "full_transcript": ["x"],
        "recording_start_time": "now", "recording_end_time": "2026-01-31T09:30:00", "duration": -1,
        "bank_id": "b", "vault_id": 1, "owner_user_id": {}, "source_metadata": [], "summary": 1, "audio_url": 2,
        "video_url": false, "global_tags": ["a", 1],
    });
    let result = owner.import(&record, ALICE);
    assert_failed(&result, "22023", "");
    for key in record.as_object().unwrap().keys() {
        assert!(result["error"].as_str().unwrap().contains(&format!("{key} ")), "{key} is not in {result}");
    }
    let missing = owner.import(&json!({}), ALICE);
    for key in ["external_id", "source_app", "title", "full_transcript", "recording_start_time"] {
        assert_failed(&missing, "22023", &format!("{key} is missing"));
    }
    assert_eq!(owner.count("recordings"), 0);
}

#[test]
fn a_value_of_a_wrong_type_or_range_is_refused_with_22023_and_its_key() {
    let db = Database::new();
    let mut owner = db.table_owner();
    let cases = [
        ("external_id", json!("\t\n")),
        ("external_id", json!(1.5)),
        ("external_id", json!(true)),
        ("external_id", json!(null)),
        ("source_app", json!("")),
        ("title", json!(5)),
        ("full_transcript", json!(null)),
        ("recording_start_time", json!("now")),
        ("recording_start_time", json!("infinity")),
        ("recording_start_time", json!("2026-01-31")),
        ("recording_start_time", json!("2026-01-31T09:30:00")),
        ("recording_start_time", json!("2026-13-31T09:30:00Z")),
        ("recording_start_time", json!(1769851800)),
        ("recording_end_time", json!("tomorrow")),
        ("duration", json!(1.5)),
        ("duration", json!("60")),
        ("duration", json!(2147483648_i64)),
        ("bank_id", json!("not-a-uuid")),
        ("source_metadata", json!("{}")),
        ("global_tags", json!("a,b")),
        ("global_tags", json!([null])),
    ];
    for (key, value) in cases {
        assert_failed(&owner.import(&record_with("x", json!({key: value})), ALICE), "22023", key);
    }
    assert_eq!(owner.count("recordings"), 0);
}

#[test]
fn a_record_that_is_not_an_object_or_is_null_fails() {
    let db = Database::new();
    let mut owner = db.table_owner();
    for value in [json!([]), json!("x"), json!(1), json!(true), json!(null)] {
        assert_failed(&owner.import(&value, ALICE), "22023", "must be an object");
    }
    assert_failed(&owner.value("SELECT run_pipeline(NULL)", &[]), "22004", "p_record is NULL");
}

#[test]
fn an_empty_title_and_an_empty_transcript_are_imported() {
    let db = Database::new();
    assert_imported(&db.table_owner().import(&record_with("x", json!({"title": "", "full_transcript": ""})), ALICE));
}

#[test]
fn null_for_an_optional_key_means_absent() {
    let db = Database::new();
    let nulls = json!({
        "duration": null, "bank_id": null, "vault_id": null, "source_metadata": null, "owner_user_id": null,
        "summary": null, "recording_end_time": null, "audio_url": null, "video_url": null, "global_tags": null,
    });
    let mut owner = db.table_owner();
    assert_imported(&owner.import(&record_with("x", nulls), ALICE));
    let empty = "SELECT duration IS NULL AND summary IS NULL AND global_tags IS NULL FROM recordings";
    assert!(owner.value::<bool>(empty, &[]));
}

#[test]
fn unknown_keys_of_a_record_are_listed_in_ignored_fields_and_block_no_import() {
    let db = Database::new();
    let mut owner = db.table_owner();
    let result = owner.import(&record_with("x", json!({"colour": "red", "size": {"w": 1}})), ALICE);
    assert_imported(&result);
    assert_eq!(result["ignoredFields"], json!(["size", "colour"]));
    let failed = owner.import(&json!({"colour": 1}), ALICE);
    assert_eq!(failed["ignoredFields"], json!(["colour"]));
}

#[test]
fn an_integer_external_id_is_stored_as_its_exact_decimal_text() {
    let db = Database::new();
    let mut owner = db.table_owner();
    let import = |owner: &mut Session, id: &str| -> serde_json::Value {
        let record = record("@").to_string().replace("\"@\"", id);
        owner.value("SELECT run_pipeline($1::text::jsonb, $2)", &[&record, &ALICE])
    };
    for id in ["18446744073709551616", "18446744073709551617", "123", "-1"] {
        assert_imported(&import(&mut owner, id));
    }
    let stored: Vec<String> = owner.column("SELECT source_metadata ->> 'external_id' FROM recordings ORDER BY 1", &[]);
    assert_eq!(stored, ["-1", "123", "18446744073709551616", "18446744073709551617"]);
    // The string "123" is the same key as the number 123.
    assert_eq!(owner.import(&record("123"), ALICE)["skipped"], true);
}

#[test]
fn the_records_own_external_id_wins_over_one_in_the_metadata() {
    let db = Database::new();
    let mut owner = db.table_owner();
    let metadata = json!({"source_metadata": {"external_id": "impostor", "a": 1}});
    let first = owner.import(&record_with("real", metadata.clone()), ALICE);
    assert_imported(&first);
    assert_skipped(&owner.import(&record_with("real", metadata), ALICE), recording_id(&first));
    assert_imported(&owner.import(&record("impostor"), ALICE));
    let stored: serde_json::Value =
        owner.value("SELECT source_metadata FROM recordings WHERE id = $1", &[&recording_id(&first)]);
    assert_eq!(stored, json!({"external_id": "real", "a": 1}));
}

#[test]
fn source_metadata_ordered_puts_external_id_first() {
    let db = Database::new();
    let mut owner = db.table_owner();
    owner.import(&record_with("i\"d", json!({"source_metadata": {"a": 1, "zz": [true, null], "b": "ä"}})), ALICE);
    let ordered: String = owner.value("SELECT source_metadata_ordered(r)::text FROM recordings AS r", &[]);
    assert!(ordered.starts_with(r#"{"external_id": "i\"d", "#), "{ordered}");
    let same = "SELECT source_metadata_ordered(r)::jsonb = source_metadata FROM recordings AS r";
    assert!(owner.value::<bool>(same, &[]));
    // PostgREST selects a computed column with this notation.
    assert_eq!(owner.value::<String>("SELECT r.source_metadata_ordered::text FROM recordings AS r", &[]), ordered);
    owner.run("UPDATE recordings SET source_metadata = '{}'");
    assert_eq!(owner.value::<String>("SELECT source_metadata_ordered(r)::text FROM recordings AS r", &[]), "{}");
    assert!(owner.value::<bool>("SELECT source_metadata_ordered(NULL) IS NULL", &[]));
}

#[test]
fn source_metadata_with_numbers_beyond_floats_or_deep_nesting_is_stored_unchanged() {
    let db = Database::new();
    let mut owner = db.table_owner();
    let deep = format!("{}1{}", "[".repeat(3000), "]".repeat(3000));
    for (id, metadata) in
        [("big", "1e400".to_owned()), ("deep", deep), ("digits", "0.1234567890123456789012345".to_owned())]
    {
        let record = record_with(id, json!({"source_metadata": {"v": "@"}})).to_string().replace("\"@\"", &metadata);
        assert_imported(&owner.value("SELECT run_pipeline($1::text::jsonb, $2)", &[&record, &ALICE]));
        let kept = "SELECT source_metadata -> 'v' = $1::text::jsonb FROM recordings WHERE source_metadata ->> 'external_id' = $2";
        assert!(owner.value::<bool>(kept, &[&metadata, &id]), "{id}");
    }
}

#[test]
fn a_uuid_is_accepted_in_each_notation_that_postgresql_accepts() {
    let db = Database::new();
    let mut owner = db.table_owner();
    let digits = ALICE.simple().to_string();
    let notations = [
        ALICE.to_string(),
        digits.clone(),
        format!("{{{digits}}}"),
        format!("{{{ALICE}}}").to_uppercase(),
        format!("{}-{}", &digits[..4], &digits[4..]),
        format!("{}-{}", &digits[..3], &digits[3..]),
        format!("{digits}-"),
        ALICE.urn().to_string(),
        format!("{{{ALICE}"),
    ];
    for (id, notation) in notations.into_iter().enumerate() {
        let result: serde_json::Value =
            owner.value("SELECT run_pipeline($1)", &[&record_with(id, json!({"owner_user_id": notation}))]);
        match owner.client.query_one("SELECT $1::text::uuid", &[&notation]) {
            Ok(_) => assert_imported(&result),
            Err(_) => assert_failed(&result, "22023", "owner_user_id must be a uuid"),
        }
    }
}
