//! Computes the expected contents of the tables from the clients' results and the ledger.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use uuid::Uuid;

use crate::checks::{Checks, Property};
use crate::history::{Operation, Outcome};
use crate::workload::{Call, FOREIGN_VAULT, Isolation, Key, Kind};

/// Results of committed calls, by number of the operation.
pub type Ledger = BTreeMap<i64, Value>;

/// The expected counts of a sync job.
#[derive(Default, Clone, PartialEq, Eq, Debug)]
pub struct JobCounts {
    pub processed: i64,
    pub skipped: i64,
    pub synced: Vec<String>,
    pub failed: Vec<String>,
}

#[derive(Default)]
pub struct Model {
    /// The recording ids that imports of a key have returned; more than one is a violation.
    pub imported: BTreeMap<Key, Vec<String>>,
    /// The recording ids that were returned for duplicates.
    pub seen: BTreeSet<(Key, String)>,
    /// Recordings whose import was rolled back, with the operation that imported them.
    pub undone: BTreeMap<String, i64>,
    /// Keys with an unknown outcome: a lost connection, and a call outside of the ledger.
    pub possible: BTreeSet<Key>,
    pub attempts: BTreeMap<Key, i64>,
    pub jobs: BTreeMap<Uuid, JobCounts>,
}

/// The faults of a scenario, which explain further errors.
#[derive(Clone, Copy)]
pub struct Situation {
    /// Transactions of several statements, which may deadlock.
    pub has_blocks: bool,
    /// Cancels, locks and timeouts.
    pub has_cancels: bool,
    /// Lost connections.
    pub has_crashes: bool,
}

impl Model {
    pub fn of(history: &[Operation], ledger: &Ledger, situation: Situation, checks: &mut Checks) -> Self {
        let mut model = Model::default();
        check_transactions(history, ledger, checks);
        for operation in history {
            check_result(operation, checks);
            check_error(operation, situation, checks);
            match (ledger.get(&operation.id), &operation.outcome) {
                (Some(result), _) => model.add(operation, result),
                (None, Outcome::Acknowledged(result)) if !operation.statement.is_noted => model.add(operation, result),
                (None, Outcome::Unknown(_)) if !operation.statement.is_noted && operation.call().writes() => {
                    model.possible.extend(operation.call().keys());
                }
                (None, Outcome::Undone(result)) => {
                    let mut undone = Model::default();
                    undone.add(operation, result);
                    model.undone.extend(undone.imported.into_values().flatten().map(|id| (id, operation.id)));
                }
                _ => {}
            }
        }
        model
    }

    /// Counts a call that was committed.
    fn add(&mut self, operation: &Operation, result: &Value) {
        match operation.call() {
            Call::One(key) => self.add_result(*key, result),
            Call::Each(keys) => {
                for (key, result) in keys.iter().zip(result.as_array().into_iter().flatten()) {
                    self.add_result(*key, result);
                }
            }
            Call::Insert(key) => self.imported.entry(*key).or_default().push(text(&result["id"])),
            Call::Check(key) => {
                if result["isDuplicate"] == true {
                    self.seen.insert((*key, text(&result["existingRecordingId"])));
                }
            }
            Call::Batch { is_dry_run: true, .. } => {}
            Call::Batch { job, .. } => {
                let failed = self.add_results(result);
                for key in failed.iter().collect::<BTreeSet<_>>() {
                    *self.attempts.entry(*key).or_default() += 1;
                }
                if let Some(job) = job {
                    self.add_to_job(*job, result);
                }
            }
            Call::Retry { .. } => {
                for key in self.add_results(result) {
                    *self.attempts.entry(key).or_default() += 1;
                }
            }
        }
    }

    /// Counts the results of a batch and returns the keys that failed.
    fn add_results(&mut self, result: &Value) -> Vec<Key> {
        let mut failed = Vec::new();
        for entry in entries(result) {
            let Some(key) = key_of(entry) else { continue };
            self.add_result(key, entry);
            if entry.get("error").is_some() {
                failed.push(key);
            }
        }
        failed
    }

    fn add_result(&mut self, key: Key, result: &Value) {
        if result["success"] == true {
            self.imported.entry(key).or_default().push(text(&result["recordingId"]));
        } else if result["skipped"] == true {
            self.seen.insert((key, text(&result["recordingId"])));
        }
    }

    fn add_to_job(&mut self, job: Uuid, result: &Value) {
        let counts = self.jobs.entry(job).or_default();
        for entry in entries(result) {
            counts.processed += 1;
            let id = text(&entry["externalId"]);
            if entry["success"] == true {
                counts.synced.push(id);
            } else if entry["skipped"] == true {
                counts.skipped += 1;
            } else {
                counts.failed.push(id);
            }
        }
    }
}

/// Checks that the ledger has all committed calls and none that was rolled back.
///
/// Of a transaction with an unknown outcome the ledger must have all calls or none.
fn check_transactions(history: &[Operation], ledger: &Ledger, checks: &mut Checks) {
    let mut unknown: BTreeMap<i64, (usize, usize)> = BTreeMap::new();
    for operation in history.iter().filter(|operation| operation.statement.is_noted) {
        let noted = ledger.get(&operation.id);
        let key = operation.call().keys().first().copied();
        let described = || format!("operation {} ({}): {:?}", operation.id, operation.call(), operation.outcome);
        match &operation.outcome {
            Outcome::Acknowledged(result) => {
                checks.holds(Property::Acknowledged, key, noted == Some(result), || {
                    format!("the ledger has {noted:?}: {}", described())
                });
            }
            Outcome::Undone(_) | Outcome::Raised { .. } => {
                checks
                    .holds(Property::AllOrNothing, key, noted.is_none(), || format!("the ledger has {}", described()));
            }
            Outcome::Unknown(_) => {
                let (all, there) = unknown.entry(operation.transaction).or_default();
                *all += 1;
                *there += usize::from(noted.is_some());
            }
        }
    }
    for (transaction, (all, there)) in unknown {
        checks.holds(Property::AllOrNothing, None, there == 0 || there == all, || {
            format!("transaction {transaction}: the ledger has {there} of {all} calls")
        });
    }
}

/// Checks the result of a call, also if the call was rolled back later.
fn check_result(operation: &Operation, checks: &mut Checks) {
    let (Outcome::Acknowledged(result) | Outcome::Undone(result) | Outcome::Unknown(Some(result))) = &operation.outcome
    else {
        return;
    };
    match operation.call() {
        Call::One(key) => check_entry(operation, *key, result, checks),
        Call::Each(keys) => {
            let results = result.as_array().map(Vec::as_slice).unwrap_or_default();
            checks.holds(Property::Sums, None, results.len() == keys.len(), || {
                format!("{}: {} results", operation.call(), results.len())
            });
            for (key, result) in keys.iter().zip(results) {
                check_entry(operation, *key, result, checks);
            }
        }
        Call::Insert(key) => {
            let is_right = result["id"].is_string() && matches!(key.kind(), Kind::Good | Kind::ForeignVault);
            checks.holds(Property::Deserved, Some(*key), is_right, || format!("{}: {result}", operation.call()));
        }
        Call::Check(key) => {
            let known = operation.known_before.as_ref();
            let answers = result["isDuplicate"] == true
                && known.is_none_or(|known| result["existingRecordingId"].as_str() == Some(known))
                || result["isDuplicate"] == false && known.is_none();
            checks.holds(Property::Duplicates, Some(*key), answers, || {
                format!("{}: {result}, and before the call its import was acknowledged as {known:?}", operation.call())
            });
        }
        Call::Batch { keys, .. } => {
            check_sums(operation, result, Some(keys), checks);
            for (key, entry) in keys.iter().zip(entries(result)) {
                check_entry(operation, *key, entry, checks);
            }
        }
        Call::Retry { .. } => {
            check_sums(operation, result, None, checks);
            for entry in entries(result) {
                if let Some(key) = key_of(entry) {
                    check_entry(operation, key, entry, checks);
                }
            }
        }
    }
}

fn check_sums(operation: &Operation, result: &Value, keys: Option<&[Key]>, checks: &mut Checks) {
    let number = |key: &str| result[key].as_u64().unwrap_or(u64::MAX) as usize;
    let total = keys.map_or(number("total"), <[Key]>::len);
    let entries = entries(result);
    let are_in_order = entries.iter().enumerate().all(|(position, entry)| entry["index"] == position);
    let are_ours = keys.is_none_or(|keys| {
        keys.iter().zip(entries).all(|(key, entry)| entry["externalId"].as_str() == Some(&key.external_id()))
    });
    let parts = [number("imported"), number("skipped"), number("failed")];
    let holds = parts.iter().fold(0usize, |sum, part| sum.saturating_add(*part)) == total
        && number("total") == total
        && entries.len() == total
        && are_in_order
        && are_ours;
    checks.holds(Property::Sums, None, holds, || {
        format!("{}: {total} records, counts {parts:?}, {} results", operation.call(), entries.len())
    });
}

/// Checks the result of a record against the kind of its key, whatever faults occurred.
///
/// In particular no timeout may become a record's error or warning.
fn check_entry(operation: &Operation, key: Key, entry: &Value, checks: &mut Checks) {
    let is_dry_run = matches!(operation.call(), Call::Batch { is_dry_run: true, .. });
    let is_imported = entry["success"] == true && (entry["recordingId"].is_string() || is_dry_run);
    let is_skipped = entry["skipped"] == true && (entry["recordingId"].is_string() || is_dry_run);
    let warning = entry["warning"].as_str();
    let is_right = match key.kind() {
        Kind::Good => (is_imported || is_skipped) && warning.is_none(),
        Kind::ForeignVault => {
            is_imported && warning.is_some_and(|warning| warning.contains(&FOREIGN_VAULT.to_string())) || is_skipped
        }
        Kind::Bad => entry["success"] == false && entry["code"] == "22023",
        Kind::Later => entry["success"] == false && entry["code"] == "42501",
    };
    checks.holds(Property::Deserved, Some(key), is_right, || format!("{}: {key} got {entry}", operation.call()));
}

fn check_error(operation: &Operation, situation: Situation, checks: &mut Checks) {
    let (code, message) = match &operation.outcome {
        Outcome::Raised { code, message } => (code.as_str(), message.as_str()),
        Outcome::Unknown(_) => ("08006", "connection lost"),
        _ => return,
    };
    let key = operation.call().keys().first().copied();
    let sees_only_its_snapshot = !matches!(operation.isolation, None | Some(Isolation::ReadCommitted));
    let is_explained = match (code, operation.call()) {
        ("23505", Call::Insert(_)) => message.starts_with("the record is imported already"),
        ("22023", Call::Insert(key)) => key.kind() == Kind::Bad,
        ("42501", Call::Insert(key)) => key.kind() == Kind::Later,
        ("40001", _) => sees_only_its_snapshot,
        ("40P01", _) => situation.has_blocks,
        ("57014" | "55P03", _) => situation.has_cancels,
        ("57P01", _) => situation.has_cancels || situation.has_crashes,
        ("08006" | "57P02" | "57P03", _) => situation.has_crashes || situation.has_cancels,
        _ => false,
    };
    checks.holds(Property::Errors, key, is_explained, || {
        format!("{} raised {code}: {message} (transaction {:?})", operation.call(), operation.isolation)
    });
}

pub fn entries(result: &Value) -> &[Value] {
    result["results"].as_array().map_or(&[], Vec::as_slice)
}

/// The key of a result: external ids are key numbers.
pub fn key_of(entry: &Value) -> Option<Key> {
    entry["externalId"].as_str()?.parse().ok().map(Key)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
