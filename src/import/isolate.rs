//! Isolates the items of a batch that fail, so that the others go through.

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

/// How a stage guards against failure.
#[derive(Clone, Copy)]
pub enum Mode {
    /// Not at all: one subtransaction is around all stages.
    Together,
    /// Each step in a subtransaction of its own, and each record where a step fails.
    Isolated,
}

impl Mode {
    /// Runs `work`, which fails as a whole.
    pub fn attempt<T>(self, work: impl FnOnce() -> T) -> Result<T, Failure> {
        match self {
            Mode::Together => Ok(work()),
            Mode::Isolated => subtransaction::run(work),
        }
    }

    /// Runs `act` over all items, and hands each item that fails to `on_error`.
    pub fn for_each<T>(self, items: &mut [T], act: impl Fn(&mut [T]), on_error: impl Fn(&mut T, Failure) -> OnError) {
        match self {
            _ if items.is_empty() => {}
            Mode::Together => act(items),
            Mode::Isolated => run(items, &act, &on_error),
        }
    }
}

/// What was found for each request: an id, nothing, or the error of its look-up.
pub type Found<R> = BTreeMap<R, Result<Option<Uuid>, Failure>>;

/// Looks requests up all at once, and where that fails, isolates those whose look-up fails.
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

/// Runs `act` over all items, in order, in few subtransactions, and hands each item that fails to `on_error`.
///
/// An item that fails costs three to five subtransactions, whatever the number of items: one that fails, one that walks
/// item by item to find the culprit, and one for those before it. (Halving would take two for each power of two in the
/// number of items.) After a failure the next try takes about as many items as succeeded before it, and twice as many
/// each time one succeeds, so that many failures don't make it quadratic where an error comes at the end only, as that
/// of a foreign key does.
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

/// Runs an item with a unique violation once more, which may have been one of the dedup key.
///
/// While REINDEX or CREATE INDEX CONCURRENTLY runs, two unique indexes on one key are filled, and ON CONFLICT goes by those
/// that were valid when its statement was planned: of two sessions that insert the same key one may get a unique violation
/// instead of doing nothing, up to PostgreSQL 18. By then the other's row is committed, and another try finds it through any
/// index. Any other violation comes again.
fn retry_unique_violation<T>(item: &mut [T], act: &impl Fn(&mut [T]), failure: Failure) -> Result<(), Failure> {
    if failure.is(PgSqlErrorCode::ERRCODE_UNIQUE_VIOLATION) {
        return subtransaction::run(|| act(item));
    }
    Err(failure)
}

/// Finds the first item that fails where each runs by itself, after those before it. With None all of them succeeded one
/// by one, and their writes stay.
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
