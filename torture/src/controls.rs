//! Runs negative controls: pipelines with a fault, which the checks must detect.

use std::time::Duration;

use crate::Run;
use crate::checks::{Checks, Property};
use crate::server::Result;
use crate::{cancel, concurrency, crash};

/// The longest time for a call of the unchanged pipeline.
pub const LONGEST_CALL: Duration = Duration::from_secs(10);

type Scenario = fn(&mut Run, &mut Checks) -> Result<String>;

struct Control {
    name: &'static str,
    /// A superuser runs this in the database.
    sql: &'static str,
    scenario: Scenario,
    must_fail: Property,
}

const CONTROLS: [Control; 22] = [
    Control {
        name: "check, then insert, without the dedup index",
        sql: include_str!("../controls/check_then_insert.sql"),
        scenario: many_connections,
        must_fail: Property::Once,
    },
    Control {
        name: "a sync job's counts are added twice",
        sql: include_str!("../controls/counts_added_twice.sql"),
        scenario: many_connections,
        must_fail: Property::Jobs,
    },
    Control {
        name: "a failure is kept twice",
        sql: include_str!("../controls/failure_kept_twice.sql"),
        scenario: many_connections,
        must_fail: Property::Failures,
    },
    Control {
        name: "success is returned, and then rolled back",
        sql: include_str!("../controls/success_then_rolled_back.sql"),
        scenario: many_connections,
        must_fail: Property::Acknowledged,
    },
    Control {
        name: "a vault entry is left out without a warning",
        sql: include_str!("../controls/entry_left_out.sql"),
        scenario: many_connections,
        must_fail: Property::Entries,
    },
    Control {
        name: "a record of a batch is dropped from the result",
        sql: include_str!("../controls/result_left_out.sql"),
        scenario: many_connections,
        must_fail: Property::Sums,
    },
    Control {
        name: "cancel and timeouts become a record's failure",
        sql: include_str!("../controls/cancel_swallowed.sql"),
        scenario: many_cancels,
        must_fail: Property::Deserved,
    },
    Control {
        name: "a timeout in the vault-entry step becomes a warning",
        sql: include_str!("../controls/timeout_becomes_warning.sql"),
        scenario: many_cancels,
        must_fail: Property::Deserved,
    },
    Control {
        name: "check_duplicate fails open on cancel and timeouts too",
        sql: include_str!("../controls/fail_open_on_cancel.sql"),
        scenario: many_cancels,
        must_fail: Property::Duplicates,
    },
    Control {
        name: "a commit is acknowledged before it is on disk",
        sql: include_str!("../controls/commit_not_on_disk.sql"),
        scenario: some_crashes,
        must_fail: Property::Acknowledged,
    },
    Control {
        name: "a record gets another's contents",
        sql: include_str!("../controls/contents_changed.sql"),
        scenario: many_connections,
        must_fail: Property::Contents,
    },
    Control {
        name: "a recording goes into another tenant's bank",
        sql: include_str!("../controls/other_bank.sql"),
        scenario: many_connections,
        must_fail: Property::Places,
    },
    Control {
        name: "a vault entry goes into another tenant's vault",
        sql: include_str!("../controls/other_vault.sql"),
        scenario: many_connections,
        must_fail: Property::Places,
    },
    Control {
        name: "a dry run imports",
        sql: include_str!("../controls/dry_run_imports.sql"),
        scenario: many_connections,
        must_fail: Property::NothingElse,
    },
    Control {
        name: "an import outlives its caller's rollback",
        sql: include_str!("../controls/outlives_rollback.sql"),
        scenario: many_cancels,
        must_fail: Property::AllOrNothing,
    },
    Control {
        name: "a duplicate raises the dedup index's error",
        sql: include_str!("../controls/duplicate_raises.sql"),
        scenario: many_connections,
        must_fail: Property::Errors,
    },
    Control {
        name: "personal banks are made without a lock",
        sql: include_str!("../controls/bank_made_without_lock.sql"),
        scenario: many_connections,
        must_fail: Property::Banks,
    },
    Control {
        name: "a backfill commits a chunk before its count",
        sql: include_str!("../controls/count_after_commit.sql"),
        scenario: many_cancels,
        must_fail: Property::Backfills,
    },
    Control {
        name: "a batch updates the recordings that it skips",
        sql: include_str!("../controls/replay_writes.sql"),
        scenario: many_connections,
        must_fail: Property::Replay,
    },
    Control {
        name: "an index differs from its table",
        sql: include_str!("../controls/index_differs_from_table.sql"),
        scenario: many_connections,
        must_fail: Property::Storage,
    },
    Control {
        name: "a call is never answered",
        sql: include_str!("../controls/no_answer.sql"),
        scenario: many_connections,
        must_fail: Property::Answers,
    },
    Control {
        name: "a conflict never ends",
        sql: include_str!("../controls/endless_conflict.sql"),
        scenario: many_connections,
        must_fail: Property::Answers,
    },
];

// Each scenario ends after the first round or crash with a violation.

fn many_connections(run: &mut Run, checks: &mut Checks) -> Result<String> {
    concurrency::run(run, Duration::from_secs(2), checks)
}

fn many_cancels(run: &mut Run, checks: &mut Checks) -> Result<String> {
    cancel::run(run, Duration::from_secs(20), checks)
}

fn some_crashes(run: &mut Run, checks: &mut Checks) -> Result<String> {
    crash::run(run, 20, checks)
}

/// Runs the controls with these words in their names; returns whether all were caught.
pub fn run(run: &mut Run, words: &str) -> Result<bool> {
    let mut caught = 0;
    let chosen: Vec<&Control> = CONTROLS.iter().filter(|control| control.name.contains(words)).collect();
    for control in &chosen {
        run.server.make_database()?;
        run.server.superuser()?.batch_execute(control.sql)?;
        let mut checks = Checks::default();
        let ended = (control.scenario)(run, &mut checks);
        run.watchdog.report(&mut checks);
        let violations = checks.are_violated(control.must_fail);
        if let (0, Some(other)) = (violations, checks.violations.first()) {
            // This other violation may have ended the run too early.
            println!("of {}: {}: VIOLATED: {}", control.name, other.property, other.what);
        }
        match (violations, ended) {
            (0, Err(error)) => println!("NOT CAUGHT: {}: the run ended with {error}", control.name),
            (0, Ok(report)) => println!("NOT CAUGHT: {}: {report}", control.name),
            _ => {
                caught += 1;
                println!("caught: {}; violated {violations} times: {}", control.name, control.must_fail);
            }
        }
    }
    println!("{caught} of {} negative controls caught", chosen.len());
    Ok(caught == chosen.len() && caught > 0)
}
