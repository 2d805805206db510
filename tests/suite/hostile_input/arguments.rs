//! Tests that each function returns a valid answer or an expected error for any arguments.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::Value;

use super::generators::{self, NEWCOMER, NOBODY, argument, text_array, user};
use super::json::Json;
use super::{Answer, Caller, Queries, World, fuzzer, has_batch_shape, is_sqlstate, require};
use crate::support::*;

/// A call with its arguments.
#[derive(Clone, Debug)]
enum Call {
    CheckDuplicate {
        user: Option<Uuid>,
        source_app: Option<String>,
        external_id: Option<String>,
    },
    CheckDuplicates {
        user: Option<Uuid>,
        source_app: Option<String>,
        external_ids: Option<(Vec<Option<String>>, String)>,
    },
    InsertRecording {
        record: Json,
        user: Option<Uuid>,
    },
    Batch {
        records: Option<Json>,
        user: Option<Uuid>,
        job: Job,
        dry_run: Option<bool>,
    },
    StartSyncJob {
        source_app: Option<String>,
        external_ids: Option<(Vec<Option<String>>, String)>,
        user: Option<Uuid>,
    },
    FinishSyncJob {
        job: Job,
        error: Option<String>,
    },
    Retry {
        source_app: Option<String>,
        user: Option<Uuid>,
        limit: Option<i32>,
    },
    GetImportCounts {
        user: Option<Uuid>,
    },
    EnsurePersonalBank {
        user: Option<Uuid>,
    },
}

#[derive(Clone, Copy, Debug)]
enum Job {
    None,
    Unknown,
    /// The job that the last start_sync_job() of the case made.
    Last,
}

fn call() -> impl Strategy<Value = Call> {
    let job = || select(&[Job::None, Job::Unknown, Job::Last, Job::Last][..]);
    let limit = option::weighted(0.9, prop_oneof![0_i32..5, any::<i32>()]);
    let records = prop_oneof![
        4 => vec(generators::record(), 0..4).prop_map(Json::Array),
        1 => vec(generators::anything(), 0..4).prop_map(Json::Array),
        1 => generators::anything(),
    ];
    prop_oneof![
        (user(), argument(), argument()).prop_map(|(user, source_app, external_id)| Call::CheckDuplicate {
            user,
            source_app,
            external_id
        }),
        (user(), argument(), option::weighted(0.9, text_array()))
            .prop_map(|(user, source_app, external_ids)| Call::CheckDuplicates { user, source_app, external_ids }),
        (generators::record(), user()).prop_map(|(record, user)| Call::InsertRecording { record, user }),
        (option::weighted(0.95, records), user(), job(), option::weighted(0.9, any::<bool>()))
            .prop_map(|(records, user, job, dry_run)| Call::Batch { records, user, job, dry_run }),
        (argument(), option::weighted(0.7, text_array()), user())
            .prop_map(|(source_app, external_ids, user)| Call::StartSyncJob { source_app, external_ids, user }),
        (job(), argument()).prop_map(|(job, error)| Call::FinishSyncJob { job, error }),
        (argument(), user(), limit).prop_map(|(source_app, user, limit)| Call::Retry { source_app, user, limit }),
        user().prop_map(|user| Call::GetImportCounts { user }),
        user().prop_map(|user| Call::EnsurePersonalBank { user }),
    ]
}

#[test]
fn every_call_with_random_arguments_returns_a_valid_answer_or_an_expected_error() {
    let world = World::new();
    let calls = (prop_oneof![Just(Caller::Owner), Just(Caller::Alice)], vec(call(), 1..6));
    fuzzer::run("arguments", &calls, |(caller, calls)| {
        world.in_transaction(*caller, |queries| {
            let mut last_job = None;
            calls.iter().try_for_each(|call| {
                call.check(queries, *caller, &mut last_job).map_err(|fault| format!("{call:?}: {fault}"))
            })
        })
    });
}

impl Call {
    fn check(&self, queries: &mut Queries, caller: Caller, last_job: &mut Option<Uuid>) -> Result<(), String> {
        let job = |job: &Job| match job {
            Job::None => None,
            Job::Unknown => Some(NOBODY),
            Job::Last => *last_job,
        };
        let subject = (caller == Caller::Alice).then_some(ALICE);
        match self {
            Call::CheckDuplicate { user, source_app, external_id } => {
                let answer =
                    queries.try_in_savepoint("SELECT check_duplicate($1, $2, $3)", &[user, source_app, external_id])?;
                let codes =
                    [(source_app.is_none() || external_id.is_none(), "22004"), (user.or(subject).is_none(), "22023")];
                let Some(answer) = value::<Value>(answer, &codes)? else { return Ok(()) };
                let is_known = answer["isDuplicate"] == true;
                require(is_known == answer["existingRecordingId"].is_string(), || format!("{answer}"))?;
                require(answer["isDuplicate"].is_boolean(), || format!("{answer}"))
            }
            Call::CheckDuplicates { user, source_app, external_ids } => {
                let literal = external_ids.as_ref().map(|(_, literal)| literal);
                let sql = "SELECT external_id, is_duplicate, existing_recording_id FROM check_duplicates($1, $2, $3::text::text[])";
                let answer = queries.try_in_savepoint(sql, &[user, source_app, &literal])?;
                let codes =
                    [(source_app.is_none() || external_ids.is_none(), "22004"), (user.or(subject).is_none(), "22023")];
                let Some(rows) = rows(answer, &codes)? else { return Ok(()) };
                let asked: Vec<Option<String>> = rows.iter().map(|row| row.get(0)).collect();
                require(Some(&asked) == external_ids.as_ref().map(|(ids, _)| ids), || {
                    format!("the answer is for {asked:?}")
                })?;
                let agree = |row: &postgres::Row| row.get::<_, bool>(1) == row.get::<_, Option<Uuid>>(2).is_some();
                require(rows.iter().all(agree), || "is_duplicate and existing_recording_id don't agree".to_owned())
            }
            Call::InsertRecording { record, user } => {
                let spelled = record.spelled();
                if queries.try_in_savepoint("SELECT $1::text::jsonb IS NULL", &[&spelled])?.is_err() {
                    return Ok(());
                }
                queries.run("SAVEPOINT prediction")?;
                let predicted: Value = queries.value("SELECT run_pipeline($1::text::jsonb, $2)", &[&spelled, user])?;
                queries.run("ROLLBACK TO prediction; RELEASE prediction")?;
                match queries.try_in_savepoint("SELECT insert_recording($1::text::jsonb, $2)", &[&spelled, user])? {
                    Ok(rows) => {
                        let answer: Value = rows[0].get(0);
                        let fields = 1 + usize::from(predicted["warning"].is_string());
                        let is_id = answer.as_object().is_some_and(|found| found.len() == fields)
                            && answer["id"].is_string()
                            && answer["warning"].is_string() == predicted["warning"].is_string();
                        require(is_id && predicted["success"] == true, || {
                            format!("insert_recording returns {answer}, run_pipeline {predicted}")
                        })
                    }
                    Err((code, message)) => {
                        let expected = predicted["code"].as_str().unwrap_or("23505");
                        require(code == expected && predicted["success"] == false, || {
                            format!("insert_recording raises {code}: {message}, run_pipeline returns {predicted}")
                        })
                    }
                }
            }
            Call::Batch { records, user, job: which, dry_run } => {
                let spelled = records.as_ref().map(Json::spelled);
                if queries.try_in_savepoint("SELECT $1::text::jsonb IS NULL", &[&spelled])?.is_err() {
                    return Ok(());
                }
                let sql = "SELECT run_pipeline_batch($1::text::jsonb, $2, $3, $4)";
                let answer = queries.try_in_savepoint(sql, &[&spelled, user, &job(which), dry_run])?;
                let codes = [
                    (records.is_none() || dry_run.is_none(), "22004"),
                    (!matches!(records, Some(Json::Array(_) | Json::Nested(..))), "22023"),
                    (matches!(which, Job::Unknown), "22023"),
                ];
                let Some(batch) = value::<Value>(answer, &codes)? else { return Ok(()) };
                if *dry_run == Some(true) {
                    return require(batch["total"].is_u64(), || format!("{batch}"));
                }
                require(has_batch_shape(&batch), || format!("{batch}"))
            }
            Call::StartSyncJob { source_app, external_ids, user } => {
                let literal = external_ids.as_ref().map(|(_, literal)| literal);
                let answer = queries.try_in_savepoint(
                    "SELECT start_sync_job($1, $2::text::text[], $3)",
                    &[source_app, &literal, user],
                )?;
                let is_blank = source_app.as_deref().is_some_and(|name| name.chars().all(|c| c == ' '));
                if !is_blank && source_app.as_deref().is_some_and(|name| name.trim().is_empty()) {
                    // Whether other characters count as blank depends on the database's locale.
                    return Ok(());
                }
                let codes = [
                    (source_app.is_none(), "22004"),
                    (is_blank || user.or(subject).is_none(), "22023"),
                    (user.is_some_and(|user| user == NOBODY), "23503"),
                    (subject.is_some() && user.is_some_and(|user| user != ALICE), "42501"),
                ];
                if let Some(made) = value::<Uuid>(answer, &codes)? {
                    *last_job = Some(made);
                }
                Ok(())
            }
            Call::FinishSyncJob { job: which, error } => {
                let answer = queries.try_in_savepoint("SELECT finish_sync_job($1, $2)", &[&job(which), error])?;
                let Some(answer) = value::<Value>(answer, &[(job(which).is_none_or(|job| job == NOBODY), "22023")])?
                else {
                    return Ok(());
                };
                let counts = ["imported", "skipped", "failed"].map(|key| answer[key].as_u64());
                let [Some(imported), Some(skipped), Some(failed)] = counts else { return Err(format!("{answer}")) };
                let status = match error.as_deref() {
                    None | Some("") if failed == 0 => "completed",
                    None | Some("") => "completed_with_errors",
                    _ => "failed",
                };
                let message = format!("{imported} new, {skipped} skipped, {failed} failed");
                require(answer["status"] == status && answer["message"] == *message, || format!("{answer}"))
            }
            Call::Retry { source_app, user, limit } => {
                let kept: i64 =
                    queries.value("SELECT count(*) FROM import_failures WHERE user_id = $1", &[&user.or(subject)])?;
                let answer =
                    queries.try_in_savepoint("SELECT retry_failed_imports($1, $2, $3)", &[source_app, user, limit])?;
                let codes = [
                    (limit.is_none(), "22004"),
                    (limit.is_some_and(|limit| limit < 1) || user.or(subject).is_none(), "22023"),
                ];
                let Some(batch) = value::<Value>(answer, &codes)? else { return Ok(()) };
                require(has_batch_shape(&batch), || format!("{batch}"))?;
                let is_all = source_app.is_some() || batch["total"] == kept.min(i64::from(limit.unwrap_or(0)));
                require(is_all, || format!("{kept} failures are kept, and the retry returns {batch}"))
            }
            Call::GetImportCounts { user } => {
                let answer =
                    queries.try_in_savepoint("SELECT source_app, call_count FROM get_import_counts($1)", &[user])?;
                let codes = [
                    (user.or(subject).is_none(), "22023"),
                    (subject.is_some() && user.is_some_and(|user| user != ALICE), "42501"),
                ];
                let Some(rows) = rows(answer, &codes)? else { return Ok(()) };
                let is_positive = rows.iter().all(|row| row.get::<_, i64>(1) > 0);
                let has_recordings = user.or(subject).is_some_and(|user| user == ALICE || user == BOB);
                require(is_positive && (!has_recordings || !rows.is_empty()), || format!("{} rows", rows.len()))
            }
            Call::EnsurePersonalBank { user } => {
                let answer = queries.try_in_savepoint("SELECT ensure_personal_bank($1)", &[user])?;
                let codes = [
                    (user.or(subject).is_none(), "22023"),
                    (subject.is_some() && user.is_some_and(|user| user != ALICE), "42501"),
                    (user.is_some_and(|user| ![ALICE, BOB, NEWCOMER].contains(&user)), "23503"),
                ];
                value::<Uuid>(answer, &codes).map(|_| ())
            }
        }
    }
}

/// The rows of an answer. None: the call has raised one of the expected SQLSTATEs.
fn rows(answer: Answer, errors: &[(bool, &str)]) -> Result<Option<Vec<postgres::Row>>, String> {
    let expected: Vec<&str> = errors.iter().filter(|(is_expected, _)| *is_expected).map(|(_, code)| *code).collect();
    match answer {
        Ok(rows) if expected.is_empty() => Ok(Some(rows)),
        Ok(rows) => Err(format!("the call should raise {expected:?}, and returns {} rows", rows.len())),
        Err((code, _)) if is_sqlstate(&code) && expected.contains(&code.as_str()) => Ok(None),
        Err((code, message)) => Err(format!("the call raises {code}: {message}, not one of {expected:?}")),
    }
}

fn value<T: postgres::types::FromSqlOwned>(answer: Answer, errors: &[(bool, &str)]) -> Result<Option<T>, String> {
    match rows(answer, errors)? {
        Some(rows) => rows[0].try_get(0).map(Some).map_err(|error| error.to_string()),
        None => Ok(None),
    }
}
