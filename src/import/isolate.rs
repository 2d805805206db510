//! Isolates the items of a batch that fail, so that the others succeed.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use pgrx::PgSqlErrorCode;
use uuid::Uuid;

use crate::error::Failure;
use crate::pg::subtransaction;

/// What to do with an item that has failed.
#[derive(PartialEq, Eq)]
pub enum OnError {
    /// The item has changed and may succeed now.
    Retry,
    /// The item stays failed.
    Fail,
}

/// How a stage handles errors.
#[derive(Clone, Copy)]
pub enum Mode {
    /// An error ends all stages, which run in one subtransaction.
    Together,
    /// An error ends one step, and fails the records that cause the error.
    ///
    /// Each step runs in its own subtransactions.
    Isolated,
}

impl Mode {
    /// Runs `work` as one step.
    pub fn attempt<T>(self, work: impl FnOnce() -> T) -> Result<T, Failure> {
        match self {
            Mode::Together => Ok(work()),
            Mode::Isolated => subtransaction::run(work),
        }
    }

    /// Runs `act` over all items, and passes each item that fails to `on_error`.
    pub fn for_each<T>(self, items: &mut [T], act: impl Fn(&mut [T]), on_error: impl Fn(&mut T, Failure) -> OnError) {
        match self {
            _ if items.is_empty() => {}
            Mode::Together => act(items),
            Mode::Isolated => run(items, &act, &on_error),
        }
    }
}

/// The result of each request: an id, nothing, or the error of its look-up.
pub type Found<R> = BTreeMap<R, Result<Option<Uuid>, Failure>>;

/// Looks up all requests at once; if that fails, isolates the requests that fail.
pub fn look_up<R: Ord + Copy>(mode: Mode, requests: BTreeSet<R>, find: impl Fn(&[R]) -> Vec<Option<Uuid>>) -> Found<R> {
    let mut found: Vec<(R, Result<Option<Uuid>, Failure>)> =
        requests.into_iter().map(|request| (request, Ok(None))).collect();
    let ask = |sought: &mut [(R, Result<Option<Uuid>, Failure>)]| {
        let requests: Vec<R> = sought.iter().map(|(request, _)| *request).collect();
        for ((_, id), answer) in sought.iter_mut().zip(find(&requests)) {
            *id = Ok(answer);
        }
    };
    mode.for_each(&mut found, ask, |(_, id), failure| {
        *id = Err(failure);
        OnError::Fail
    });
    found.into_iter().collect()
}

/// Runs `act` over all items, in order; passes each item that fails to `on_error`.
///
/// An item that fails costs three to five subtransactions, whatever the number of items: one that fails, one that runs
/// the items one by one to find the culprit, and one for the items before the culprit. (Bisection would cost two for
/// each halving.) After a failure the next attempt takes about as many items as succeeded before, and each success
/// doubles that number. So many failures don't make the cost quadratic, even if errors are raised only at the end of a
/// statement, as foreign key violations are.
pub fn run<T>(items: &mut [T], act: &impl Fn(&mut [T]), on_error: &impl Fn(&mut T, Failure) -> OnError) {
    let mut start = 0;
    let mut size = items.len();
    while start < items.len() {
        let end = items.len().min(start.saturating_add(size));
        let together = &mut items[start..end];
        let Err(failure) = subtransaction::run(|| act(together)) else {
            start = end;
            size = size.saturating_mul(2);
            continue;
        };
        let culprit = if together.len() == 1 { Some((0, failure)) } else { find_culprit(together, act) };
        let Some((culprit, failure)) = culprit else {
            start = end;
            continue;
        };
        run(&mut items[start..start + culprit], act, on_error);
        start += culprit;
        let failure = retry_unique_violation(&mut items[start..=start], act, failure).err();
        if failure.is_none_or(|failure| on_error(&mut items[start], failure) == OnError::Fail) {
            start += 1;
        }
        size = culprit.max(1);
    }
}

/// Runs an item again after a unique violation, which may come from the dedup key.
///
/// While REINDEX or CREATE INDEX CONCURRENTLY runs, two unique indexes cover the key, and ON CONFLICT uses those that
/// were valid when its statement was planned: up to PostgreSQL 18, of two sessions that insert the same key, one may
/// get a unique violation instead of doing nothing. By then the other session's row is committed, and the second
/// attempt finds that row through either index. Any other violation is raised again.
fn retry_unique_violation<T>(item: &mut [T], act: &impl Fn(&mut [T]), failure: Failure) -> Result<(), Failure> {
    if failure.is(PgSqlErrorCode::ERRCODE_UNIQUE_VIOLATION) {
        return subtransaction::run(|| act(item));
    }
    Err(failure)
}

/// Finds the first item that fails when the items run one by one.
///
/// Returns None if all items succeed; their writes stay.
fn find_culprit<T>(items: &mut [T], act: &impl Fn(&mut [T])) -> Option<(usize, Failure)> {
    let reached = Cell::new(0);
    let walk = || {
        for (position, item) in items.chunks_mut(1).enumerate() {
            reached.set(position);
            act(item);
        }
    };
    subtransaction::run(walk).err().map(|failure| (reached.get(), failure))
}
