//! Tests that each random record gets a result with which the tables agree.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::Value;

use super::generators::{self, BANK, NEWCOMER, VAULT};
use super::json::Json;
use super::meaning::Meaning;
use super::{Caller, Queries, World, fuzzer, has_batch_shape, has_result_shape, require};
use crate::support::*;

/// Records for one owner by one caller.
#[derive(Clone, Debug)]
struct Case {
    caller: Caller,
    p_user_id: Option<Uuid>,
    records: Vec<Json>,
}

fn case() -> impl Strategy<Value = Case> {
    let caller = prop_oneof![Just(Caller::Owner), Just(Caller::Alice)];
    let records = vec(generators::record(), 1..5);
    (caller, generators::user(), records).prop_map(|(caller, p_user_id, records)| Case { caller, p_user_id, records })
}

#[test]
fn every_random_record_gets_a_result_that_the_tables_confirm() {
    let world = World::new();
    let check = |case: &Case| world.check(case);
    // The first calls fill caches and would count as growth of memory.
    let warm = fuzzer::smallest_failure(200, 0, &case(), check);
    assert!(warm.is_ok(), "{warm:#?}");
    let before = world.memory();
    fuzzer::run("records", &case(), check);
    let after = world.memory();
    println!("memory of the two backends: {before:?} kB before, {after:?} kB after");
    let grown = before.iter().zip(&after).map(|(before, after)| after - before).max();
    assert!(before.len() == 2 && grown < Some(32 * 1024), "memory grew from {before:?} kB to {after:?} kB");
}

/// Runs the fuzzer on pipelines with a known fault, to show that faults are found.
#[test]
fn the_fuzzer_finds_each_planted_fault_and_makes_its_case_small() {
    let (record, result) = ("p_record", "genuine(p_record, p_user_id)");
    let pipelines = [
        (
            "an id is converted to a float",
            "CASE WHEN jsonb_typeof(p_record -> 'external_id') = 'number' AND p_record ->> 'external_id' !~ '[.]'
                    AND abs((p_record ->> 'external_id')::numeric) < 1e300
                THEN jsonb_set(p_record, '{external_id}', to_jsonb((p_record ->> 'external_id')::float8)) ELSE p_record END",
            result,
            "external_id",
        ),
        (
            "a control character is dropped",
            r"regexp_replace(p_record::text, '\\u000[1-7]', '', 'g')::jsonb",
            result,
            "",
        ),
        ("an error does not name the invalid key", record, "replace(genuine(p_record, p_user_id)::text, 'duration ', 'it ')::jsonb", "duration"),
        ("a code is missing", record, "genuine(p_record, p_user_id) - 'code'", "shape"),
        (
            "a failed record is returned as a duplicate",
            record,
            r#"CASE WHEN genuine(p_record, p_user_id) ? 'error' THEN '{"success": false, "skipped": true}' ELSE genuine(p_record, p_user_id) END"#,
            "",
        ),
        ("a big number raises", record, "genuine(p_record || jsonb_build_object('x', (p_record ->> 'duration')::int8) - 'x', p_user_id)", "raises"),
    ];
    for (what, record, result, in_reason) in pipelines {
        let world = World::new();
        world.db.superuser().run(&format!(
            "ALTER FUNCTION run_pipeline(jsonb, uuid) RENAME TO genuine;
             CREATE FUNCTION run_pipeline(p_record jsonb, p_user_id uuid DEFAULT NULL) RETURNS jsonb LANGUAGE plpgsql AS
                 $f$ BEGIN p_record := {record}; RETURN {result}; END $f$"
        ));
        let found = fuzzer::smallest_failure(10_000, 1, &case(), |case| world.check(case));
        let (reason, smallest) = found.expect_err(what);
        println!("{what}: {reason}\n    {:?}", smallest.records);
        assert!(reason.contains(in_reason), "{what}: {reason} {smallest:#?}");
        assert!(smallest.records.len() == 1 && smallest.records[0].spelled().len() < 400, "{what}: {smallest:#?}");
    }
}

const IMPORT: &str = "SELECT run_pipeline($1::text::jsonb, $2)";
const BATCH: &str = "SELECT run_pipeline_batch($1::text::jsonb, $2, NULL, $3)";

impl World {
    fn check(&self, case: &Case) -> Result<(), String> {
        let mut records = Vec::new();
        for record in &case.records {
            let spelled = record.spelled();
            let mut is_accepted = true;
            self.in_transaction(case.caller, |queries| {
                is_accepted = is_accepted_by_jsonb(queries, record, &spelled)?;
                Ok(())
            })?;
            if is_accepted {
                records.push((Meaning::of(record), spelled));
            }
        }
        let mut singles = Vec::new();
        self.in_transaction(case.caller, |queries| {
            let mut seen = BTreeMap::new();
            for (meaning, spelled) in &records {
                let result: Value = queries.value(IMPORT, &[spelled, &case.p_user_id])?;
                case.check(queries, meaning, &result, &mut seen).map_err(|fault| format!("{fault}: {result}"))?;
                singles.push(result);
            }
            Ok(())
        })?;
        self.in_transaction(case.caller, |queries| {
            let spelled: Vec<&str> = records.iter().map(|(_, spelled)| spelled.as_str()).collect();
            case.check_batch(queries, &records, &format!("[{}]", spelled.join(",")), &singles)
        })
    }
}

/// Whether jsonb accepts a record; other records never reach the pipeline.
fn is_accepted_by_jsonb(queries: &mut Queries, record: &Json, spelled: &String) -> Result<bool, String> {
    match queries.try_query("SELECT $1::text::jsonb IS NULL", &[spelled])? {
        Ok(_) if record.has_valid_strings() => Ok(true),
        Ok(_) => Err("jsonb accepts an invalid string".to_owned()),
        // Half of a surrogate pair, a NUL, a number out of range, or nesting that is too deep.
        Err((code, _)) if ["22P02", "22P05", "22003", "54001"].contains(&code.as_str()) => Ok(false),
        Err((code, message)) => Err(format!("jsonb refuses with {code}: {message}")),
    }
}

impl Case {
    /// The expected owner of a record, or the SQLSTATE and a word of the error.
    fn owner(&self, meaning: &Meaning) -> Result<Uuid, (&'static str, &'static str)> {
        let own = meaning.uuids.get("owner_user_id").copied();
        let subject = (self.caller == Caller::Alice).then_some(ALICE);
        let owner = match (self.p_user_id, own) {
            (Some(asked), Some(own)) if asked != own => return Err(("22023", "owner_user_id")),
            _ => self.p_user_id.or(own).or(subject).ok_or(("22023", "owner"))?,
        };
        if subject.is_some_and(|subject| subject != owner) { Err(("42501", "its own user")) } else { Ok(owner) }
    }

    /// The expected owner of a record with a new key, or the expected error.
    ///
    /// The error is a SQLSTATE and a word of the message.
    fn expected_outcome(&self, meaning: &Meaning) -> Result<Uuid, (&'static str, &'static str)> {
        if !meaning.is_object {
            return Err(("22023", "must be an object"));
        } else if !meaning.faults.is_empty() {
            return Err(("22023", "invalid record: "));
        }
        let owner = self.owner(meaning)?;
        match meaning.uuids.get("bank_id") {
            Some(&BANK) if owner == ALICE => Ok(owner),
            Some(_) => Err(("42501", "bank_id")),
            None if owner == ALICE || owner == BOB || owner == NEWCOMER => Ok(owner),
            None => Err(("23503", "does not exist")),
        }
    }

    fn check(
        &self,
        queries: &mut Queries,
        meaning: &Meaning,
        result: &Value,
        seen: &mut BTreeMap<(Uuid, String, String), String>,
    ) -> Result<(), String> {
        require(has_result_shape(result, false), || "the result does not have the shape of the contract".to_owned())?;
        let ignored: Vec<&str> =
            result["ignoredFields"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let are_listed =
            ignored.len() == meaning.ignored.len() && ignored.iter().all(|key| meaning.ignored.contains(*key));
        require(are_listed, || format!("ignoredFields should be {:?}", meaning.ignored))?;

        let key = self.owner(meaning).ok().zip(meaning.source_app.clone()).zip(meaning.external_id.clone());
        let key = key.map(|((owner, source_app), external_id)| (owner, source_app, external_id));
        let is_valid = meaning.is_object && meaning.faults.is_empty();
        if let Some(known) = key.as_ref().filter(|_| is_valid).and_then(|key| seen.get(key)) {
            return require(result["recordingId"] == **known && result["skipped"] == true, || {
                format!("should be a duplicate of {known}")
            });
        }
        if let Some((ALICE | BOB, source_app, external_id)) = key.as_ref().filter(|_| is_valid)
            && (source_app.as_str(), external_id.as_str()) == ("fathom", "known")
        {
            return require(result["skipped"] == true, || {
                "should be a duplicate of the recording \"known\"".to_owned()
            });
        }
        match self.expected_outcome(meaning) {
            Err((code, word)) => {
                let error = result["error"].as_str().unwrap_or_default();
                require(result["code"] == code && error.contains(word), || {
                    format!("should fail with {code} and \"{word}\"")
                })?;
                let unnamed = meaning.faults.iter().find(|key| !error.contains(&format!("{key} ")));
                require(unnamed.is_none(), || format!("the error should name {}", unnamed.unwrap_or(&"")))
            }
            Ok(owner) => {
                let id = result["recordingId"].as_str().filter(|_| result["success"] == true);
                let id = id.ok_or("should be imported")?;
                seen.insert(key.expect("a good record has a key"), id.to_owned());
                self.check_row(
                    queries,
                    meaning,
                    owner,
                    id.parse().expect("it has the shape of a uuid"),
                    &result["warning"],
                )
            }
        }
    }

    /// Checks that the recording exists and has the values of the record.
    fn check_row(
        &self,
        queries: &mut Queries,
        meaning: &Meaning,
        owner: Uuid,
        id: Uuid,
        warning: &Value,
    ) -> Result<(), String> {
        let query =
            "SELECT owner_user_id, bank_id, source_app, source_metadata ->> 'external_id', duration, global_tags,
                source_metadata = coalesce($2::text::jsonb, '{}') || jsonb_build_object('external_id', $3::text),
                title, full_transcript, summary, audio_url, video_url,
                (extract(epoch FROM recording_start_time) * 1000000)::bigint,
                (extract(epoch FROM recording_end_time) * 1000000)::bigint,
                ARRAY(SELECT vault_id FROM vault_entries WHERE recording_id = recordings.id)
            FROM recordings WHERE id = $1";
        let external_id = meaning.external_id.as_deref();
        let rows = queries
            .try_query(query, &[&id, &meaning.source_metadata, &external_id])?
            .map_err(|(code, error)| format!("{code}: {error}"))?;
        let [row] = &rows[..] else { return Err(format!("there are {} rows with the recordingId", rows.len())) };
        let require_text = |column: usize, expected: Option<&str>, name: &str| {
            let found: Option<String> = row.get(column);
            require(found.as_deref() == expected, || format!("the row's {name} is {found:?}, not {expected:?}"))
        };
        require_text(3, external_id, "external_id")?;
        require_text(2, meaning.source_app.as_deref(), "source_app")?;
        for (column, name) in
            [(7, "title"), (8, "full_transcript"), (9, "summary"), (10, "audio_url"), (11, "video_url")]
        {
            require_text(column, meaning.texts.get(name).map(String::as_str), name)?;
        }
        require(row.get::<_, Uuid>(0) == owner, || "the row has another owner".to_owned())?;
        require(row.get::<_, Option<i32>>(4) == meaning.duration, || "the row has another duration".to_owned())?;
        require(row.get::<_, Option<Vec<String>>>(5) == meaning.global_tags, || {
            "the row has other global_tags".to_owned()
        })?;
        require(row.get(6), || "the row has other source_metadata".to_owned())?;
        for (column, name) in [(12, "recording_start_time"), (13, "recording_end_time")] {
            let found = row.get::<_, Option<i64>>(column).map(|microseconds| i128::from(microseconds) * 1_000_000);
            let is_near = match (found, meaning.times.get(name)) {
                (Some(found), Some(meant)) => (found - meant).abs() * 2 <= 1_000_000,
                (found, meant) => found.is_none() && meant.is_none(),
            };
            require(is_near, || format!("the row has another {name}"))?;
        }
        let vaults: Vec<Uuid> = row.get(14);
        let wanted = meaning.uuids.get("vault_id");
        let in_business = row.get::<_, Uuid>(1) == BANK;
        // The business bank has no personal vault; the personal bank has only its personal vault.
        let has_vault = if in_business { wanted == Some(&VAULT) } else { wanted.is_none() };
        // A vault without a bank leads to the vault's bank, of which Alice is a member.
        let asks_for_business = match meaning.uuids.get("bank_id") {
            Some(bank) => *bank == BANK,
            None => wanted == Some(&VAULT) && row.get::<_, Uuid>(0) == ALICE,
        };
        require(in_business == asks_for_business, || "the row is in another bank".to_owned())?;
        require(vaults.len() == usize::from(has_vault), || {
            format!("the recording has {} vault entries", vaults.len())
        })?;
        require(warning.is_string() != has_vault, || format!("the warning is {warning}"))
    }

    /// Compares a batch with single calls, with its dry run, and with a second run.
    ///
    /// The second run must skip all that the first has imported.
    fn check_batch(
        &self,
        queries: &mut Queries,
        records: &[(Meaning, String)],
        spelled: &str,
        singles: &[Value],
    ) -> Result<(), String> {
        let mut run = |is_dry_run: bool| queries.value::<Value>(BATCH, &[&spelled, &self.p_user_id, &is_dry_run]);
        // The array nests the records one level deeper, which may exceed jsonb's limit.
        if spelled.contains(&"[".repeat(1000)) {
            return Ok(());
        }
        let (dry, batch, again) = (run(true)?, run(false)?, run(false)?);
        for (name, result) in [("batch", &batch), ("second batch", &again)] {
            require(has_batch_shape(result), || {
                format!("the {name}'s result does not have the shape of the contract: {result}")
            })?;
        }
        let results = |batch: &Value| batch["results"].as_array().cloned().unwrap_or_default();
        let expected = comparable(singles);
        require(comparable(&results(&batch)) == expected, || {
            format!("the batch returns {batch}, single calls {singles:?}")
        })?;
        let counts = |batch: &Value| ["total", "imported", "skipped", "failed"].map(|key| batch[key].clone());
        require(counts(&dry) == counts(&batch), || format!("the dry run returns {dry}, the batch {batch}"))?;
        let is_in = |id: &Value| id.is_string() && results(&batch).iter().any(|result| result["recordingId"] == *id);
        for (((meaning, _), first), second) in records.iter().zip(results(&batch)).zip(results(&again)) {
            let external_id = meaning.external_id.as_deref();
            require(first["externalId"].as_str() == external_id, || {
                format!("externalId should be {external_id:?}: {first}")
            })?;
            let holds = match first["recordingId"].as_str() {
                Some(id) => second["skipped"] == true && second["recordingId"] == id,
                // The record failed, or a later record of its key has been imported.
                None => {
                    second["error"] == first["error"] || (second["skipped"] == true && is_in(&second["recordingId"]))
                }
            };
            require(holds, || format!("imported again, {first} becomes {second}"))?;
        }
        Ok(())
    }
}

/// Removes from results the values that differ from run to run.
///
/// New ids become numbers, and warnings lose the id of a new bank.
fn comparable(results: &[Value]) -> Vec<Value> {
    let mut ids: Vec<Value> = Vec::new();
    let without_differences = |result: &Value| {
        let mut result = result.clone();
        let fields = result.as_object_mut().expect("the result is an object");
        fields.remove("index");
        fields.remove("externalId");
        if let Some(id) = fields.get_mut("recordingId") {
            let number = ids.iter().position(|known| known == id).unwrap_or_else(|| {
                ids.push(id.clone());
                ids.len() - 1
            });
            *id = json!(number);
        }
        if let Some(warning) = fields.get_mut("warning") {
            *warning = json!(warning.as_str().and_then(|text| text.split(" bank ").next()));
        }
        result
    };
    results.iter().map(without_differences).collect()
}
