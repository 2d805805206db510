//! Negative controls: the pipeline with a guard taken out, which the same run has to catch.

use std::time::Duration;

use crate::Run;
use crate::checks::{Checks, Property};
use crate::server::Result;
use crate::{cancel, concurrency, crash};

type Scenario = fn(&mut Run, &mut Checks) -> Result<String>;

struct Control {
    name: &'static str,
    /// Installed over the database by a superuser.
    sql: &'static str,
    scenario: Scenario,
    must_fail: Property,
}

const CONTROLS: [Control; 10] = [
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
        name: "success is told, and then rolled back",
        sql: include_str!("../controls/told_then_rolled_back.sql"),
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
        name: "a commit is told before it is on disk",
        sql: include_str!("../controls/commit_not_on_disk.sql"),
        scenario: some_crashes,
        must_fail: Property::Acknowledged,
    },
];

// Each ends with the first round, or crash, that violates something.

fn many_connections(run: &mut Run, checks: &mut Checks) -> Result<String> {
    concurrency::run(run, Duration::from_secs(2), checks)
}

fn many_cancels(run: &mut Run, checks: &mut Checks) -> Result<String> {
    cancel::run(run, Duration::from_secs(20), checks)
}

fn some_crashes(run: &mut Run, checks: &mut Checks) -> Result<String> {
    crash::run(run, 20, checks)
}

/// Runs each control; whether all were caught.
pub fn run(run: &mut Run) -> Result<bool> {
    let mut caught = 0;
    for control in &CONTROLS {
        run.server.make_database()?;
        run.server.superuser()?.batch_execute(control.sql)?;
        let mut checks = Checks::default();
        let ended = (control.scenario)(run, &mut checks);
        let violations = checks.are_violated(control.must_fail);
        match (violations, ended) {
            (0, Err(error)) => println!("NOT CAUGHT: {}: the run ended with {error}", control.name),
            (0, Ok(told)) => println!("NOT CAUGHT: {}: {told}", control.name),
            _ => {
                caught += 1;
                println!("caught: {}; violated {violations} times: {}", control.name, control.must_fail);
            }
        }
    }
    println!("{caught} of {} negative controls caught", CONTROLS.len());
    Ok(caught == CONTROLS.len())
}
