//! Compares the tables with the model, after every run and every recovery.

use std::collections::{BTreeMap, BTreeSet};

use postgres::Client;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::checks::{Checks, Property};
use crate::history::Operation;
use crate::model::{self, JobCounts, Ledger, Model, Situation};
use crate::recordings;
use crate::server::{Result, Server, with_places};
use crate::workload::{JOBS, Key, Kind, OWNERS, SOURCES};

/// Checks all properties of the tables by the history.
pub fn check(server: &Server, history: &[Operation], situation: Situation, checks: &mut Checks) -> Result<()> {
    let mut client = server.owner()?;
    let ledger: Ledger = client
        .query("SELECT operation, result FROM torture.ledger", &[])?
        .iter()
        .map(|row| (row.get(0), row.get(1)))
        .collect();
    let model = Model::of(history, &ledger, situation, checks);
    check_recordings(&mut client, &model, checks)?;
    check_jobs(&mut client, &model, checks)?;
    check_failures(&mut client, &model, checks)?;
    check_banks(&mut client, checks)?;
    check_backfills(&mut client, checks)
}

fn check_recordings(client: &mut Client, model: &Model, checks: &mut Checks) -> Result<()> {
    let found = recordings::of_keys(client, checks)?;
    for (key, rows) in &found {
        checks.holds(Property::Once, Some(*key), rows.len() == 1, || format!("{} rows: {rows:?}", rows.len()));
        let is_explained = model.imported.contains_key(key) || model.possible.contains(key);
        checks.holds(Property::NothingElse, Some(*key), is_explained, || {
            format!("no committed call has imported {rows:?}")
        });
        for recording in rows {
            recording.check(*key, checks);
            let undone = model.undone.get(&recording.id);
            checks.holds(Property::AllOrNothing, Some(*key), undone.is_none(), || {
                format!("recording {} is there, although operation {undone:?} was rolled back", recording.id)
            });
        }
    }
    let is_there = |key: &Key, id: &String| found.get(key).is_some_and(|rows| rows.iter().any(|row| row.id == *id));
    for (key, ids) in &model.imported {
        checks.holds(Property::Once, Some(*key), ids.len() == 1, || format!("imported {} times: {ids:?}", ids.len()));
        for id in ids {
            checks.holds(Property::Acknowledged, Some(*key), is_there(key, id), || {
                format!("an import returned recording {id}; the table has {:?}", found.get(key))
            });
        }
    }
    for (key, id) in &model.seen {
        checks.holds(Property::Acknowledged, Some(*key), is_there(key, id), || {
            format!("a skip returned recording {id}; the table has {:?}", found.get(key))
        });
    }
    let strays = "SELECT count(*) FROM vault_entries WHERE recording_id NOT IN (SELECT id FROM recordings)";
    checks.equal(Property::Entries, "entries without recording", &one(client, strays)?, &0);
    Ok(())
}

fn check_jobs(client: &mut Client, model: &Model, checks: &mut Checks) -> Result<()> {
    let rows = client.query(
        "SELECT id, progress_current::bigint, skipped_count::bigint, synced_ids, failed_ids
         FROM sync_jobs
         WHERE type = 'sync'",
        &[],
    )?;
    for row in rows {
        let id: Uuid = row.get(0);
        let sorted = |mut ids: Vec<String>| {
            ids.sort();
            ids
        };
        let counted = JobCounts {
            processed: row.get(1),
            skipped: row.get(2),
            synced: sorted(row.get(3)),
            failed: sorted(row.get(4)),
        };
        let expected = model.jobs.get(&id).cloned().unwrap_or_default();
        let expected = JobCounts { synced: sorted(expected.synced), failed: sorted(expected.failed), ..expected };
        let summary = |counts: &JobCounts| {
            format!(
                "{} processed, {} skipped, {} synced, {} failed",
                counts.processed,
                counts.skipped,
                counts.synced.len(),
                counts.failed.len()
            )
        };
        checks.holds(Property::Jobs, None, counted == expected, || {
            format!("job {id} has {}; committed calls add up to {}", summary(&counted), summary(&expected))
        });
    }
    Ok(())
}

fn check_failures(client: &mut Client, model: &Model, checks: &mut Checks) -> Result<()> {
    let rows = client.query(
        "SELECT external_id, attempts::bigint, code, user_id = owner_user_id
         FROM import_failures
         WHERE source_app <> 'archive'",
        &[],
    )?;
    let mut kept = BTreeMap::new();
    for row in rows {
        let key = Key(row.get::<_, String>(0).parse()?);
        let code: String = row.get(2);
        let expected = if key.kind() == Kind::Bad { "22023" } else { "42501" };
        checks.holds(Property::Failures, Some(key), code == expected && row.get(3), || format!("kept with {code}"));
        kept.insert(key, row.get::<_, i64>(1));
    }
    for key in kept.keys().chain(model.attempts.keys()).collect::<BTreeSet<_>>() {
        let (kept, expected) = (kept.get(key), model.attempts.get(key));
        checks.holds(Property::Failures, Some(*key), kept == expected, || {
            format!("kept with {kept:?} attempts; committed calls add up to {expected:?}")
        });
    }
    Ok(())
}

fn check_banks(client: &mut Client, checks: &mut Checks) -> Result<()> {
    let several = "SELECT count(*) FROM (
        SELECT FROM bank_memberships AS membership JOIN banks ON banks.id = membership.bank_id
        WHERE banks.type = 'personal' GROUP BY membership.user_id HAVING count(*) > 1) AS owner";
    checks.equal(Property::Banks, "owners with several personal banks", &one(client, several)?, &0);
    Ok(())
}

/// Checks the counts of backfills, which are exact because each chunk commits with its count.
fn check_backfills(client: &mut Client, checks: &mut Checks) -> Result<()> {
    let counted = "FROM sync_jobs WHERE type = 'backfill'";
    for (what, is, should_be) in [
        (
            "recordings of backfills, and the counts of their jobs",
            "SELECT count(*) FROM recordings WHERE source_app = 'archive'",
            format!("SELECT coalesce(sum((metadata ->> 'imported')::bigint), 0)::bigint {counted}"),
        ),
        (
            "entries of backfills, and recordings",
            "SELECT count(*) FROM vault_entries JOIN recordings ON recordings.id = recording_id
             WHERE source_app = 'archive'",
            "SELECT count(*) FROM recordings WHERE source_app = 'archive'".to_owned(),
        ),
        (
            "keys of backfills, and recordings",
            "SELECT count(DISTINCT source_metadata ->> 'external_id') FROM recordings WHERE source_app = 'archive'",
            "SELECT count(*) FROM recordings WHERE source_app = 'archive'".to_owned(),
        ),
        (
            "attempts of failed records of backfills, and the counts of their jobs",
            "SELECT coalesce(sum(attempts), 0)::bigint FROM import_failures WHERE source_app = 'archive'",
            format!("SELECT coalesce(sum((metadata ->> 'failed')::bigint), 0)::bigint {counted}"),
        ),
        (
            "progress of backfill jobs, and imported + skipped + failed",
            "SELECT coalesce(sum(progress_current), 0)::bigint FROM sync_jobs WHERE type = 'backfill'",
            format!(
                "SELECT coalesce(sum((metadata ->> 'imported')::bigint + (metadata ->> 'skipped')::bigint
                     + (metadata ->> 'failed')::bigint), 0)::bigint {counted}"
            ),
        ),
    ] {
        let (is, should_be) = (one(client, is)?, one(client, &should_be)?);
        checks.equal(Property::Backfills, what, &is, &should_be);
    }
    let changed = one(client, include_str!("../sql/changed_by_backfills.sql"))?;
    checks.equal(Property::Contents, "recordings of backfills that differ from their records", &changed, &0);
    let misplaced = one(client, include_str!("../sql/misplaced_by_backfills.sql"))?;
    checks.equal(Property::Places, "recordings of backfills outside of their owner's bank and vault", &misplaced, &0);
    Ok(())
}

/// Checks that a backfill that has returned has imported all its records.
pub fn check_finished_backfill(client: &mut Client, checks: &mut Checks) -> Result<()> {
    let missing = "SELECT count(*) FROM torture.archive
        WHERE (record ->> 'duration')::integer >= 0
            AND n::text NOT IN (SELECT source_metadata ->> 'external_id' FROM recordings WHERE source_app = 'archive')";
    checks.equal(Property::Backfills, "records missing after a backfill", &one(client, missing)?, &0);
    Ok(())
}

/// Ends a round: makes the owners members, retries failures, replays all input, finishes the jobs.
///
/// No other connection works at this time.
pub fn settle(server: &Server, checks: &mut Checks) -> Result<()> {
    let mut client = server.owner()?;
    client.batch_execute("SET client_min_messages = error")?;
    client.batch_execute(&with_places(include_str!("../sql/open_bank.sql")))?;
    retry(&mut client, checks)?;
    replay(&mut client, checks)?;
    finish_jobs(&mut client, checks)?;
    check_storage(server, checks)
}

pub fn check_storage(server: &Server, checks: &mut Checks) -> Result<()> {
    let found = server.check_storage()?;
    checks.holds(Property::Storage, None, found.is_ok(), || found.clone().unwrap_err());
    Ok(())
}

fn retry(client: &mut Client, checks: &mut Checks) -> Result<()> {
    for (owner, source_app) in OWNERS.into_iter().flat_map(|owner| SOURCES.map(|source_app| (owner, source_app))) {
        let result: Value =
            client.query_one("SELECT retry_failed_imports($1, $2, 1000000)", &[&source_app, &owner])?.get(0);
        for entry in model::entries(&result) {
            let Some(key) = model::key_of(entry) else { continue };
            let is_right = match key.kind() {
                Kind::Later => entry["success"] == true && entry.get("warning").is_none(),
                _ => entry["code"] == "22023",
            };
            checks.holds(Property::Deserved, Some(key), is_right, || format!("retried as a member, {key} got {entry}"));
        }
    }
    let left = "SELECT count(*) FROM import_failures WHERE code <> '22023'";
    checks.equal(Property::Failures, "failures left after the retry", &one(client, left)?, &0);
    Ok(())
}

fn replay(client: &mut Client, checks: &mut Checks) -> Result<()> {
    let found = recordings::of_keys(client, checks)?;
    let importable: Vec<Key> = Key::all().filter(|key| key.kind() != Kind::Bad).collect();
    let missing = importable.iter().filter(|key| !found.contains_key(key)).count() as i64;
    let bad = i64::from(crate::workload::KEYS) - importable.len() as i64;
    checks.equal(Property::Replay, "first replay", &import_all(client)?, &(missing, found.len() as i64, bad));
    let before = digest(client)?;
    let all = (0, importable.len() as i64, bad);
    checks.equal(Property::Replay, "second replay", &import_all(client)?, &all);
    checks.equal(Property::Replay, "rows and entries after the second replay", &digest(client)?, &before);
    for (key, rows) in recordings::of_keys(client, checks)? {
        checks.holds(Property::Replay, Some(key), rows.len() == 1, || format!("after the replays there is {rows:?}"));
        rows.iter().for_each(|recording| recording.check(key, checks));
    }
    Ok(())
}

/// Imports all keys; returns how many were imported, skipped and failed.
fn import_all(client: &mut Client) -> Result<(i64, i64, i64)> {
    let (mut imported, mut skipped, mut failed) = (0, 0, 0);
    let keys: Vec<Key> = Key::all().collect();
    for keys in keys.chunks(1000) {
        let records: Vec<Value> = keys.iter().map(|key| key.record()).collect();
        let result: Value = client.query_one("SELECT run_pipeline_batch($1)", &[&json!(records)])?.get(0);
        imported += result["imported"].as_i64().unwrap_or_default();
        skipped += result["skipped"].as_i64().unwrap_or_default();
        failed += result["failed"].as_i64().unwrap_or_default();
    }
    Ok((imported, skipped, failed))
}

fn digest(client: &mut Client) -> Result<String> {
    let digest = "SELECT concat(
        (SELECT md5(string_agg(r::text, '' ORDER BY id)) FROM recordings AS r), ' ',
        (SELECT md5(string_agg(e::text, '' ORDER BY id)) FROM vault_entries AS e))";
    Ok(client.query_one(digest, &[])?.get(0))
}

fn finish_jobs(client: &mut Client, checks: &mut Checks) -> Result<()> {
    for job in JOBS {
        let row = client.query_one(
            "SELECT cardinality(synced_ids), skipped_count, cardinality(failed_ids) FROM sync_jobs WHERE id = $1",
            &[&job],
        )?;
        let (imported, skipped, failed): (i32, i32, i32) = (row.get(0), row.get(1), row.get(2));
        let status = if failed > 0 { "completed_with_errors" } else { "completed" };
        let message = format!("{imported} new, {skipped} skipped, {failed} failed");
        let should_be = json!({
            "status": status, "imported": imported, "skipped": skipped, "failed": failed, "message": message
        });
        let is: Value = client.query_one("SELECT finish_sync_job($1)", &[&job])?.get(0);
        checks.equal(Property::Jobs, "finish_sync_job", &is, &should_be);
    }
    Ok(())
}

fn one(client: &mut Client, sql: &str) -> Result<i64> {
    Ok(client.query_one(sql, &[])?.get(0))
}
