//! duplicates() and merge_duplicates(): recordings that were imported more than once before there was a dedup index.

use std::time::Instant;

use serde_json::Value;

use crate::application::{import_without_pipeline, with_application};
use crate::support::*;

/// A database whose recordings may be duplicates, with a bank that has three vaults.
struct Place {
    db: Database,
    owner: Session,
    bank: Uuid,
    vaults: Vec<Uuid>,
}

impl Place {
    fn new() -> Self {
        let db = Database::new();
        let mut owner = db.table_owner();
        owner.run("DROP INDEX recordings_dedup_key");
        let (bank, _) = business_bank(&mut owner, ALICE);
        owner.query(
            "INSERT INTO vaults (bank_id, name, vault_type) SELECT $1, 'More', 'team' FROM generate_series(1, 2)",
            &[&bank],
        );
        let vaults = owner.column("SELECT id FROM vaults ORDER BY id", &[]);
        Self { db, owner, bank, vaults }
    }

    /// A recording of Alice's that is so many days old.
    fn recording(&mut self, external_id: &str, days: i32) -> Uuid {
        self.owner.value(
            "INSERT INTO recordings (bank_id, owner_user_id, title, source_app, source_metadata, created_at)
             VALUES ($1, $2, 'Call', 'zoom', jsonb_build_object('external_id', $3::text), now() - $4 * interval '1 day')
             RETURNING id",
            &[&self.bank, &ALICE, &external_id, &f64::from(days)],
        )
    }

    fn entry(&mut self, vault: usize, recording: Uuid, tags: Option<Vec<&str>>, notes: Option<&str>) -> Uuid {
        self.owner.value(
            "INSERT INTO vault_entries (vault_id, recording_id, local_tags, notes) VALUES ($1, $2, $3, $4) RETURNING id",
            &[&self.vaults[vault], &recording, &tags, &notes],
        )
    }

    fn merge(&mut self) -> Vec<Value> {
        self.owner.column("SELECT to_jsonb(m) FROM connector_pipeline.merge_duplicates(false) AS m", &[])
    }

    fn ids(&mut self) -> Vec<Uuid> {
        self.owner.column("SELECT id FROM recordings ORDER BY created_at, id", &[])
    }
}

/// All rows of the tables that merging writes.
fn rows(session: &mut Session) -> String {
    session.value(
        "SELECT md5((SELECT string_agg(r::text, '' ORDER BY id) FROM recordings AS r)
            || (SELECT string_agg(e::text, '' ORDER BY id) FROM vault_entries AS e))",
        &[],
    )
}

#[test]
fn of_100_000_recordings_2_000_keys_are_merged_and_nothing_is_lost() {
    let mut place = Place::new();
    // 97,000 keys; 2,000 of them have two or three recordings. Each recording is in one to three vaults, with tags and
    // notes, and duplicates share some of their vaults.
    place.owner.query(
        "INSERT INTO recordings (bank_id, owner_user_id, title, source_app, source_metadata, full_transcript, created_at)
         SELECT $1, $2, 'Call ' || n, 'zoom', jsonb_build_object('external_id', CASE
                 WHEN n <= 97000 THEN n WHEN n <= 99000 THEN n - 97000 ELSE n - 99000
             END::text),
             repeat('Ann: hello. ', 10), now() - (100000 - n) * interval '1 minute'
         FROM generate_series(1, 100000) AS n",
        &[&place.bank, &ALICE],
    );
    place.owner.run(
        "INSERT INTO vault_entries (vault_id, recording_id, local_tags, notes)
         SELECT vault.id, recording.id, ARRAY['t' || hashtext(recording.id::text) % 5, 'shared'], 'note ' || recording.title
         FROM recordings AS recording
         JOIN (SELECT id, row_number() OVER (ORDER BY id) AS number FROM vaults) AS vault
             ON vault.number = 1 OR hashtext(recording.id::text || vault.number) % 2 = 0;
         ANALYZE recordings; ANALYZE vault_entries",
    );
    // What every vault has of every key, and what has to be left of it.
    let shown = "
        SELECT md5(string_agg(DISTINCT format('%s %s %s', vault_id, source_metadata ->> 'external_id', tag), ',')) || ' '
            || count(DISTINCT (vault_id, source_metadata ->> 'external_id'))
        FROM vault_entries JOIN recordings ON recordings.id = recording_id, unnest(local_tags) AS tag";
    let noted = "
        SELECT md5(string_agg(DISTINCT format('%s %s %s', vault_id, source_metadata ->> 'external_id', note), ','))
        FROM vault_entries JOIN recordings ON recordings.id = recording_id, string_to_table(notes, E'\\n\\n') AS note";
    let oldest = "
        SELECT md5(string_agg(id::text, ',' ORDER BY id)) FROM (
            SELECT DISTINCT ON (source_metadata ->> 'external_id') id FROM recordings
            ORDER BY source_metadata ->> 'external_id', created_at, id) AS oldest";
    let has_to_stay = [shown, noted, oldest];
    let before: Vec<String> = has_to_stay.iter().map(|query| place.owner.value(query, &[])).collect();
    let rows_before = rows(&mut place.owner);
    let entries_before = place.owner.count("vault_entries");
    assert_eq!(place.owner.count("recordings"), 100_000);

    let groups: Vec<i32> =
        place.owner.column("SELECT cardinality(recording_ids) FROM connector_pipeline.duplicates()", &[]);
    assert_eq!((groups.len(), groups.iter().sum::<i32>()), (2_000, 5_000));
    let report = "SELECT md5(string_agg(m::text, '')), count(*), count(DISTINCT removed_id), sum(entries_moved),
        sum(jsonb_array_length(entries_merged)) FROM connector_pipeline.merge_duplicates($1) AS m";
    let read = |row: &postgres::Row| -> (String, i64, i64, i64, i64) {
        (row.get(0), row.get(1), row.get(2), row.get(3), row.get(4))
    };
    let start = Instant::now();
    let dry = read(&place.owner.query(report, &[&true])[0]);
    let dry_time = start.elapsed();
    assert_eq!(rows(&mut place.owner), rows_before, "a dry run changes nothing");
    let start = Instant::now();
    let done = read(&place.owner.query(report, &[&false])[0]);
    println!("100,000 recordings, 2,000 keys: dry run {dry_time:.1?}, merge {:.1?}", start.elapsed());
    assert_eq!(done, dry);
    let (_, reported, removed, moved, merged) = done;
    assert_eq!((reported, removed), (3_000, 3_000));
    assert!(moved > 0 && merged > 3_000, "{moved} moved, {merged} merged");

    let after: Vec<String> = has_to_stay.iter().map(|query| place.owner.value(query, &[])).collect();
    assert_eq!(after, before);
    assert_eq!(place.owner.count("recordings"), 97_000);
    assert_eq!(place.owner.count("vault_entries"), entries_before - merged);
    assert_eq!(place.owner.count("connector_pipeline.duplicates()"), 0);
    assert_eq!(place.merge(), Vec::<Value>::new());
    let created = "SELECT action FROM connector_pipeline.bootstrap() WHERE object LIKE 'index recordings_dedup_key%'";
    assert_eq!(place.owner.value::<String>(created, &[]), "created");
    let again = place.db.service_role().import(&record_with("1", json!({"source_app": "zoom"})), ALICE);
    assert_eq!(again["skipped"], true, "{again}");
}

#[test]
fn duplicates_are_told_oldest_first_and_only_for_keys() {
    let mut place = Place::new();
    let (young, old, middle) = (place.recording("a", 1), place.recording("a", 9), place.recording("a", 5));
    let undated = place.recording("a", 20);
    place.owner.run("ALTER TABLE recordings ALTER created_at DROP NOT NULL");
    place.owner.query("UPDATE recordings SET created_at = NULL WHERE id = $1", &[&undated]);
    place.recording("b", 1);
    // No keys: without a source or an id there is nothing to be the same.
    for _ in 0..2 {
        let id = place.recording("c", 1);
        place.owner.query("UPDATE recordings SET source_app = NULL WHERE id = $1", &[&id]);
        let id = place.recording("d", 1);
        place.owner.query("UPDATE recordings SET source_metadata = '{\"external_id\": null}' WHERE id = $1", &[&id]);
    }
    let found: Vec<Value> = place.owner.column("SELECT to_jsonb(d) FROM connector_pipeline.duplicates() AS d", &[]);
    let bank = place.bank;
    assert_eq!(
        found,
        [json!({
            "owner_user_id": ALICE, "source_app": "zoom", "external_id": "a",
            "recording_ids": [old, middle, young, undated], "bank_ids": [bank, bank, bank, bank],
        })]
    );
    let checked: Value = place.owner.value("SELECT check_duplicate($1, 'zoom', 'a')", &[&ALICE]);
    assert_eq!(checked["existingRecordingId"], json!(old));
    let kept: Vec<Value> = place.merge().into_iter().map(|row| row["kept_id"].clone()).collect();
    assert_eq!(kept, vec![json!(old); 3]);
    assert_eq!(place.owner.count("recordings"), 6);
    // Of two without a date, the one with the lower id.
    let (first, second) = (undated.min(young), undated.max(young));
    for id in [second, first] {
        place.owner.query(
            "INSERT INTO recordings (id, bank_id, owner_user_id, title, source_app, source_metadata, created_at)
             VALUES ($1, $2, $3, 'Call', 'zoom', '{\"external_id\": \"e\"}', NULL)",
            &[&id, &bank, &ALICE],
        );
    }
    let checked: Value = place.owner.value("SELECT check_duplicate($1, 'zoom', 'e')", &[&ALICE]);
    assert_eq!(checked["existingRecordingId"], json!(first));
    assert_eq!(place.merge()[0]["kept_id"], json!(first));
}

#[test]
fn entries_go_to_the_recording_that_is_kept_with_their_tags_and_notes() {
    let mut place = Place::new();
    let (kept, second, third) = (place.recording("a", 9), place.recording("a", 5), place.recording("a", 1));
    let stays = place.entry(0, kept, Some(vec!["x", "y"]), Some("first"));
    let merged = place.entry(0, second, Some(vec!["y", "z"]), Some("second"));
    place.entry(0, third, None, Some("first"));
    let moved = place.entry(1, second, None, None);
    place.entry(1, third, Some(vec!["t"]), Some("third"));
    let alone = place.entry(2, third, Some(vec!["u"]), None);
    let report = place.merge();

    let short: Vec<Value> = report
        .iter()
        .map(|row| {
            let merged: Vec<&Value> =
                row["entries_merged"].as_array().unwrap().iter().map(|entry| &entry["id"]).collect();
            json!([row["kept_id"], row["removed_id"], row["removed_row"]["id"], row["entries_moved"], merged.len()])
        })
        .collect();
    assert_eq!(short, [json!([kept, second, second, 1, 1]), json!([kept, third, third, 1, 2])]);
    let lost = report[0]["entries_merged"][0].clone();
    assert_eq!(
        (&lost["id"], &lost["notes"], &lost["local_tags"]),
        (&json!(merged), &json!("second"), &json!(["y", "z"]))
    );

    let entries: Vec<Value> = place.owner.column(
        "SELECT jsonb_build_array(id, recording_id, local_tags, notes) FROM vault_entries ORDER BY vault_id",
        &[],
    );
    assert_eq!(
        entries,
        [
            json!([stays, kept, ["x", "y", "z"], "first\n\nsecond"]),
            json!([moved, kept, ["t"], "third"]),
            json!([alone, kept, ["u"], null]),
        ]
    );
    assert_eq!(place.ids(), [kept]);
}

#[test]
fn tags_are_taken_over_also_where_one_is_null() {
    let mut place = Place::new();
    let (kept, gone) = (place.recording("a", 9), place.recording("a", 1));
    for (recording, tags) in [(kept, "{a,NULL}"), (gone, "{b,a,NULL,c}")] {
        let entry = place.entry(0, recording, None, None);
        place.owner.query("UPDATE vault_entries SET local_tags = $2::text::text[] WHERE id = $1", &[&entry, &tags]);
    }
    place.merge();
    assert_eq!(place.owner.value::<String>("SELECT local_tags::text FROM vault_entries", &[]), "{a,NULL,b,c}");
}

#[test]
fn an_entry_that_is_there_twice_is_merged_too() {
    let mut place = Place::new();
    place.owner.run("ALTER TABLE vault_entries DROP CONSTRAINT vault_entries_vault_id_recording_id_key");
    let only = place.recording("a", 1);
    place.entry(0, only, Some(vec!["x"]), None);
    place.entry(0, only, Some(vec!["y"]), Some("n"));
    let report = place.merge();
    assert_eq!(report.len(), 1);
    assert_eq!((&report[0]["kept_id"], &report[0]["removed_id"]), (&json!(only), &Value::Null));
    let tags: Vec<String> = place.owner.column("SELECT unnest(local_tags) FROM vault_entries ORDER BY 1", &[]);
    assert_eq!(tags, ["x", "y"]);
    place.owner.run("SELECT connector_pipeline.bootstrap()");
}

#[test]
fn what_refers_to_a_duplicate_refers_to_the_recording_that_is_kept() {
    let mut place = Place::new();
    place.owner.run(
        "ALTER TABLE recordings ADD UNIQUE (id, bank_id), ADD parent_id uuid REFERENCES recordings (id);
         CREATE TABLE comments (recording_id uuid REFERENCES recordings (id) ON DELETE CASCADE, body text);
         CREATE TABLE shares (recording_id uuid, bank_id uuid,
             FOREIGN KEY (recording_id, bank_id) REFERENCES recordings (id, bank_id));
         CREATE TABLE pins (entry_id uuid REFERENCES vault_entries (id) ON DELETE CASCADE);
         CREATE TABLE plays (recording_id uuid REFERENCES recordings (id) ON DELETE CASCADE, day date) PARTITION BY RANGE (day);
         CREATE TABLE plays_now PARTITION OF plays DEFAULT;
         CREATE SCHEMA \"a.b\";
         CREATE TABLE \"a.b\".\"@changes@ = 1; --\" (\"@matches@ \"\"x\" uuid REFERENCES recordings (id) ON DELETE CASCADE)",
    );
    let (kept, gone) = (place.recording("a", 9), place.recording("a", 1));
    let child = place.recording("child", 1);
    let bank = place.bank;
    let (entry, gone_entry) = (place.entry(0, kept, None, None), place.entry(0, gone, None, None));
    place.owner.query("UPDATE recordings SET parent_id = $1 WHERE id = $2", &[&gone, &child]);
    place.owner.query("INSERT INTO comments VALUES ($1, 'good'), ($1, 'better')", &[&gone]);
    place.owner.query("INSERT INTO shares VALUES ($1, $2)", &[&gone, &bank]);
    place.owner.query("INSERT INTO pins VALUES ($1)", &[&gone_entry]);
    place.owner.query("INSERT INTO plays VALUES ($1, '2026-01-01')", &[&gone]);
    place.owner.query(r#"INSERT INTO "a.b"."@changes@ = 1; --" VALUES ($1)"#, &[&gone]);
    place.merge();
    for (column, expected) in [
        ("recording_id FROM comments", vec![kept, kept]),
        ("recording_id FROM shares", vec![kept]),
        ("recording_id FROM plays", vec![kept]),
        (r#""@matches@ ""x" FROM "a.b"."@changes@ = 1; --""#, vec![kept]),
        ("entry_id FROM pins", vec![entry]),
        ("parent_id FROM recordings WHERE parent_id IS NOT NULL", vec![kept]),
    ] {
        assert_eq!(place.owner.column::<Uuid>(&format!("SELECT {column}"), &[]), expected, "{column}");
    }
}

#[test]
fn a_row_that_cannot_be_moved_is_told_instead_of_lost_with_the_duplicate() {
    let comments = "CREATE TABLE comments (recording_id uuid REFERENCES recordings (id) ON DELETE CASCADE);
        INSERT INTO comments SELECT id FROM recordings";
    let pins = "CREATE TABLE pins (entry_id uuid REFERENCES vault_entries (id) ON DELETE SET NULL);
        INSERT INTO pins SELECT id FROM vault_entries";
    let parts = "CREATE TABLE parts (recording_id uuid REFERENCES recordings (id) ON DELETE CASCADE) PARTITION BY RANGE (recording_id);
        CREATE TABLE part PARTITION OF parts DEFAULT; INSERT INTO parts SELECT id FROM recordings";
    let functions = "
        CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
        CREATE FUNCTION old() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END'";
    let cases = [
        (
            comments,
            "CREATE TRIGGER keep BEFORE UPDATE ON comments FOR EACH ROW EXECUTE FUNCTION no()",
            "comments",
            "trigger keep",
        ),
        (
            comments,
            "CREATE TRIGGER keep BEFORE UPDATE ON comments FOR EACH ROW EXECUTE FUNCTION old()",
            "comments",
            "trigger keep",
        ),
        (comments, "CREATE RULE forget AS ON UPDATE TO comments DO INSTEAD NOTHING", "comments", "rule forget"),
        (
            pins,
            "CREATE TRIGGER keep BEFORE UPDATE ON pins FOR EACH ROW WHEN (NEW.entry_id IS NOT NULL) EXECUTE FUNCTION old()",
            "pins",
            "trigger keep",
        ),
        (
            parts,
            "CREATE TRIGGER keep BEFORE UPDATE ON part FOR EACH ROW EXECUTE FUNCTION old()",
            "parts",
            "trigger keep",
        ),
    ];
    for (table, obstacle, name, place_to_look) in cases {
        let mut place = Place::new();
        let (kept, gone) = (place.recording("a", 9), place.recording("a", 1));
        place.entry(0, kept, None, None);
        place.entry(0, gone, None, None);
        place.owner.run(&format!("{table}; {functions}; {obstacle}"));
        let as_text = format!("SELECT string_agg(r::text, ',' ORDER BY r::text) FROM {name} AS r");
        let before: String = place.owner.value(&as_text, &[]);
        for call in ["merge_duplicates()", "merge_duplicates(false)"] {
            let error = place.owner.error(&format!("SELECT connector_pipeline.{call}"), &[]);
            assert_eq!(error.code().code(), "09000", "{obstacle}: {error:?}");
            assert!(error.message().contains(&format!("1 rows of public.{name}")), "{obstacle}: {error:?}");
            assert!(error.detail().unwrap_or_default().starts_with("The first is {"), "{obstacle}: {error:?}");
            assert!(error.hint().unwrap_or_default().contains(place_to_look), "{obstacle}: {error:?}");
        }
        assert_eq!(place.owner.value::<String>(&as_text, &[]), before, "{obstacle}");
        assert_eq!(place.ids(), [kept, gone], "{obstacle}");
    }
}

#[test]
fn a_trigger_that_deletes_recordings_in_no_vault_takes_nothing_along() {
    for event in ["DELETE", "UPDATE"] {
        let mut place = Place::new();
        let (kept, gone) = (place.recording("a", 9), place.recording("a", 1));
        place.entry(0, kept, None, None);
        // One that is merged, one that is moved.
        place.entry(if event == "DELETE" { 0 } else { 1 }, gone, None, None);
        place.owner.run(&format!(
            "CREATE FUNCTION tidy() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 DELETE FROM recordings AS r WHERE id = OLD.recording_id
                     AND NOT EXISTS (SELECT FROM vault_entries AS e WHERE e.recording_id = r.id);
                 RETURN NULL;
             END $$;
             CREATE TRIGGER tidy AFTER {event} ON vault_entries FOR EACH ROW EXECUTE FUNCTION tidy();
             CREATE TABLE comments (recording_id uuid REFERENCES recordings (id) ON DELETE CASCADE)"
        ));
        place.owner.query("INSERT INTO comments VALUES ($1)", &[&gone]);
        place.merge();
        assert_eq!(place.owner.column::<Uuid>("SELECT recording_id FROM comments", &[]), [kept], "{event}");
        assert_eq!(place.ids(), [kept], "{event}");
    }
}

#[test]
fn ids_that_merging_needs_are_told_where_they_are_missing() {
    for (change, told) in [
        ("ALTER TABLE vault_entries DROP id", "vault_entries.id is not there"),
        ("ALTER TABLE vault_entries DROP id, ADD id bigserial", "vault_entries.id is bigint"),
        (
            "ALTER TABLE vault_entries DROP id, ADD id bigserial; ALTER TABLE vaults DROP bank_id CASCADE",
            "vaults.bank_id is not there",
        ),
    ] {
        let mut place = Place::new();
        place.recording("a", 9);
        place.recording("a", 1);
        place.owner.run(change);
        let error = place.owner.error("SELECT connector_pipeline.merge_duplicates()", &[]);
        assert_eq!(error.code().code(), "55000", "{change}: {error:?}");
        assert!(error.detail().unwrap_or_default().contains(told), "{change}: {error:?}");
        assert!(error.hint().unwrap_or_default().contains("bootstrap()"), "{change}: {error:?}");
    }
}

#[test]
fn duplicates_of_a_table_whose_ids_are_no_uuids_are_refused() {
    let mut place = Place::new();
    place.owner.run("ALTER TABLE recordings DROP id CASCADE, ADD id bigserial");
    for call in ["duplicates()", "merge_duplicates()"] {
        let error = place.owner.error(&format!("SELECT connector_pipeline.{call}"), &[]);
        assert_eq!(error.code().code(), "55000", "{call}: {error:?}");
        assert!(error.detail().unwrap_or_default().contains("recordings.id is bigint"), "{call}: {error:?}");
    }
}

#[test]
fn a_removed_row_with_a_number_beyond_every_float_is_reported_exactly() {
    let mut place = Place::new();
    place.recording("a", 9);
    let gone = place.recording("a", 1);
    place.owner.query(
        r#"UPDATE recordings SET source_metadata = source_metadata || '{"n": 1e400, "m": 18446744073709551617}' WHERE id = $1"#,
        &[&gone],
    );
    let metadata = "SELECT removed_row #>> '{source_metadata,n}' = (1e400::numeric)::text
        AND removed_row #>> '{source_metadata,m}' = '18446744073709551617'
        FROM connector_pipeline.merge_duplicates(false)";
    assert!(place.owner.value::<bool>(metadata, &[]));
}

#[test]
fn a_duplicate_that_is_committed_while_a_merge_waits_is_merged_too() {
    let mut place = Place::new();
    let kept = place.recording("a", 9);
    place.recording("a", 5);
    let mut other = place.db.table_owner();
    other.run("BEGIN");
    other.query(
        "INSERT INTO recordings (bank_id, owner_user_id, title, source_app, source_metadata)
        SELECT bank_id, owner_user_id, title, source_app, source_metadata FROM recordings WHERE id = $1",
        &[&kept],
    );
    let Place { db, mut owner, .. } = place;
    let pid: i32 = owner.value("SELECT pg_backend_pid()", &[]);
    std::thread::scope(|threads| {
        let merge = threads.spawn(move || owner.count("connector_pipeline.merge_duplicates(false)"));
        db.wait_until_blocked(pid);
        other.run("COMMIT");
        assert_eq!(merge.join().unwrap(), 2);
    });
    assert_eq!(db.table_owner().column::<Uuid>("SELECT id FROM recordings", &[]), [kept]);
}

#[test]
fn an_error_of_a_trigger_keeps_its_code_or_is_named_where_the_code_is_invented() {
    for (code, raised, detail) in [("P0Q01", "P0001", Some("SQLSTATE P0Q01")), ("23514", "23514", None)] {
        let mut place = Place::new();
        place.recording("a", 9);
        place.recording("a", 1);
        place.owner.run(&format!(
            "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 RAISE EXCEPTION 'not this one' USING ERRCODE = '{code}', HINT = 'Ask.';
             END $$;
             CREATE TRIGGER no BEFORE DELETE ON recordings FOR EACH ROW EXECUTE FUNCTION no()"
        ));
        for call in ["merge_duplicates()", "merge_duplicates(false)"] {
            let error = place.owner.error(&format!("SELECT connector_pipeline.{call}"), &[]);
            let parts = (error.code().code(), error.message(), error.detail(), error.hint());
            assert_eq!(parts, (raised, "not this one", detail, Some("Ask.")), "{call}");
        }
    }
}

#[test]
fn what_cannot_be_merged_is_told_and_nothing_is_changed() {
    let dropping =
        "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; CREATE TRIGGER no BEFORE ";
    let cases = [
        (
            "CREATE TABLE reviews (recording_id uuid PRIMARY KEY REFERENCES recordings (id) ON DELETE CASCADE);
             INSERT INTO reviews SELECT id FROM recordings"
                .to_owned(),
            ["23505", "rows of public.reviews that refer to duplicates", "reviews_pkey"],
        ),
        (
            "INSERT INTO banks (name, type) VALUES ('Other', 'business');
             UPDATE recordings SET bank_id = (SELECT id FROM banks WHERE name = 'Other') WHERE created_at > now() - interval '3 days'"
                .to_owned(),
            ["55000", "duplicates lie in different banks", "external_id a of zoom"],
        ),
        (
            "ALTER TABLE recordings ALTER bank_id DROP NOT NULL;
             UPDATE recordings SET bank_id = NULL WHERE created_at < now() - interval '3 days'"
                .to_owned(),
            ["55000", "duplicates lie in different banks", "external_id a of zoom"],
        ),
        (
            "WITH bank AS (INSERT INTO banks (name, type) VALUES ('Other', 'business') RETURNING id),
                 vault AS (INSERT INTO vaults (bank_id, name, vault_type) SELECT id, 'Other', 'team' FROM bank RETURNING id)
             INSERT INTO vault_entries (vault_id, recording_id)
             SELECT vault.id, recordings.id FROM vault, recordings ORDER BY created_at DESC LIMIT 1"
                .to_owned(),
            ["55000", "vaults of other banks", "vault entry "],
        ),
        (
            "ALTER TABLE recordings ADD parent_id uuid REFERENCES recordings (id) ON DELETE CASCADE;
             UPDATE recordings SET parent_id = (SELECT id FROM recordings ORDER BY created_at DESC LIMIT 1)
             WHERE created_at < now() - interval '3 days'"
                .to_owned(),
            ["55000", "1 rows of public.recordings refer to their own duplicates", "The first is"],
        ),
        (
            "CREATE FUNCTION all_copies() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 DELETE FROM recordings WHERE source_metadata = OLD.source_metadata;
                 RETURN NULL;
             END $$;
             CREATE TRIGGER all_copies AFTER DELETE ON recordings FOR EACH ROW EXECUTE FUNCTION all_copies()"
                .to_owned(),
            ["09000", "1 rows of public.recordings would be lost", "The first is"],
        ),
        (
            "CREATE FUNCTION uncommented() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 DELETE FROM recordings WHERE id = OLD.recording_id;
                 RETURN NULL;
             END $$;
             CREATE TABLE comments (recording_id uuid REFERENCES recordings (id) ON DELETE CASCADE);
             CREATE TABLE shares (recording_id uuid REFERENCES recordings (id) ON DELETE CASCADE);
             INSERT INTO comments SELECT id FROM recordings;
             INSERT INTO shares SELECT id FROM recordings;
             CREATE TRIGGER uncommented AFTER UPDATE ON comments FOR EACH ROW EXECUTE FUNCTION uncommented()"
                .to_owned(),
            ["09000", "1 rows of public.recordings would be lost", "The first is"],
        ),
        (format!("{dropping} DELETE ON recordings FOR EACH ROW EXECUTE FUNCTION no()"), ["09000", "1 rows of public.recordings", "The first is"]),
        (format!("{dropping} DELETE ON vault_entries FOR EACH ROW EXECUTE FUNCTION no()"), ["09000", "1 rows of public.vault_entries", "The first is"]),
        (format!("{dropping} UPDATE ON vault_entries FOR EACH ROW EXECUTE FUNCTION no()"), ["09000", "1 rows of public.vault_entries", "The first is"]),
        ("ALTER TABLE recordings FORCE ROW LEVEL SECURITY".to_owned(), ["42501", "row-level security may hide rows of public.recordings", ""]),
        ("ALTER TABLE vault_entries FORCE ROW LEVEL SECURITY".to_owned(), ["42501", "row-level security may hide rows of public.vault_entries", ""]),
    ];
    for (situation, [code, message, detail]) in cases {
        let mut place = Place::new();
        let (kept, gone) = (place.recording("a", 9), place.recording("a", 1));
        place.entry(0, kept, None, None);
        place.entry(0, gone, None, None);
        place.entry(1, gone, None, None);
        place.owner.run(&situation);
        let mut superuser = place.db.superuser();
        let before = rows(&mut superuser);
        for call in ["merge_duplicates()", "merge_duplicates(false)"] {
            let error = place.owner.error(&format!("SELECT connector_pipeline.{call}"), &[]);
            assert_eq!(error.code().code(), code, "{situation}: {error:?}");
            assert!(error.message().contains(message), "{situation}: {error:?}");
            assert!(error.detail().unwrap_or_default().contains(detail), "{situation}: {error:?}");
            assert!(error.hint().is_some(), "{situation}: {error:?}");
        }
        assert_eq!(rows(&mut superuser), before, "{situation}");
    }
}

#[test]
fn a_merge_lets_others_read_and_keeps_them_from_writing() {
    let mut place = Place::new();
    let (_, gone) = (place.recording("a", 9), place.recording("a", 1));
    place.owner.run("CREATE TABLE comments (recording_id uuid REFERENCES recordings (id) ON DELETE CASCADE)");
    let mut other = place.db.table_owner();
    other.run("SET lock_timeout = '100ms'");

    place.owner.run("BEGIN");
    place.owner.run("SELECT connector_pipeline.merge_duplicates()");
    other.query("INSERT INTO comments VALUES ($1)", &[&gone]);
    place.owner.run("SELECT connector_pipeline.merge_duplicates(false)");
    assert_eq!(other.count("recordings"), 2);
    for write in [
        "UPDATE recordings SET title = 'x' WHERE true",
        "DELETE FROM vault_entries WHERE true",
        "INSERT INTO comments SELECT id FROM recordings",
    ] {
        assert_eq!(other.sqlstate(write, &[]), "55P03", "{write}");
    }
    place.owner.run("COMMIT");
    assert_eq!(other.count("comments"), 1);
    assert_eq!(place.ids().len(), 1);
}

#[test]
fn duplicates_of_an_application_are_merged_before_its_tables_are_adopted() {
    let db = with_application();
    let mut owner = db.table_owner();
    let oldest: Uuid = owner.value("SELECT id FROM recordings", &[]);
    import_without_pipeline(&mut owner, "old");
    // Neither tags nor notes that could be merged.
    owner.run("ALTER TABLE vault_entries DROP local_tags, ALTER notes TYPE jsonb USING to_jsonb(notes)");
    assert_eq!(owner.sqlstate("SELECT connector_pipeline.bootstrap()", &[]), "55000");
    let kept: Uuid = owner.value("SELECT kept_id FROM connector_pipeline.merge_duplicates(false)", &[]);
    assert_eq!(kept, oldest);
    assert_eq!((owner.count("recordings"), owner.count("vault_entries")), (1, 1));
    // Its trigger has run, and found its table by the caller's search_path.
    assert_eq!(owner.count("audit_log WHERE what = 'DELETE'"), 1);
    owner.run("SELECT connector_pipeline.bootstrap()");
    assert_skipped(&db.authenticated(ALICE).import_own(&record("old")), oldest);
}

#[test]
fn only_the_owner_of_the_database_may_merge() {
    let db = Database::new();
    for mut session in [db.authenticated(ALICE), db.service_role(), db.anon(), db.login("stranger")] {
        for call in ["duplicates()", "merge_duplicates()"] {
            assert_eq!(session.sqlstate(&format!("SELECT connector_pipeline.{call}"), &[]), "42501", "{call}");
        }
    }
    assert_eq!(db.table_owner().sqlstate("SELECT connector_pipeline.merge_duplicates(NULL)", &[]), "22004");
    assert_eq!(db.table_owner().count("connector_pipeline.merge_duplicates()"), 0);
}
