//! All together, and where that fails, apart: finds the items of a batch that fail, and lets the others through.

use std::cell::Cell;

use pgrx::PgSqlErrorCode;

use crate::error::Failure;
use crate::pg::subtransaction;

/// What to do with an item that has failed.
#[derive(PartialEq, Eq)]
pub enum Verdict {
    /// The item has changed and may be tried again.
    Again,
    /// The item stays failed.
    GiveUp,
}

/// Runs `act` over all items, in order, in as few subtransactions as can be, and hands each item that fails to `blame`.
///
/// One that fails costs three to five subtransactions, whatever the number of items: one that fails, one that walks item
/// by item to find out who it was, and one for those before it. (Halving would take two for each power of two in the
/// number of items.) After a failure the next try takes about as many items as went well before it, and twice as many
/// each time one succeeds, so that many failures don't make it quadratic where an error shows at the end only, as that
/// of a foreign key does.
pub fn run<T>(items: &mut [T], act: &impl Fn(&mut [T]), blame: &impl Fn(&mut T, Failure) -> Verdict) {
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
        run(&mut items[start..start + culprit], act, blame);
        start += culprit;
        let failure = try_once_more(&mut items[start..=start], act, failure).err();
        if failure.is_none_or(|failure| blame(&mut items[start], failure) == Verdict::GiveUp) {
            start += 1;
        }
        size = culprit.max(1);
    }
}

/// While REINDEX or CREATE INDEX CONCURRENTLY runs, two unique indexes on one key are filled, and ON CONFLICT goes by those
/// that were valid when its statement was planned: of two sessions that insert the same key one may get a unique violation
/// instead of doing nothing, up to PostgreSQL 18. By then the other's row is committed, and another try finds it through any
/// index. A violation that is what it says comes again.
fn try_once_more<T>(item: &mut [T], act: &impl Fn(&mut [T]), failure: Failure) -> Result<(), Failure> {
    if failure.is(PgSqlErrorCode::ERRCODE_UNIQUE_VIOLATION) {
        return subtransaction::run(|| act(item));
    }
    Err(failure)
}

/// The first item that fails where each goes by itself, after those before it. None: apart they all went well, and what
/// they did is done.
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
