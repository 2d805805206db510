//! Where recordings go: bank and vault of those who ask, looked up once as long as nothing can have changed.
//!
//! In `SELECT run_pipeline(r) FROM staging` the two look-ups would cost each record a third of its time, for the same
//! answer. So an answer is used again as long as a fresh look-up could not see anything else: see [`Moment`]. (In a command
//! that writes itself nothing is: what it has written up to now has no moment.)

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use pgrx::pg_sys;
use uuid::Uuid;

use crate::store::{BankRequest, VaultRequest};

/// What was found.
#[derive(Default)]
pub struct Places {
    pub banks: BTreeMap<BankRequest, Uuid>,
    pub vaults: BTreeMap<VaultRequest, Uuid>,
}

impl Places {
    /// Whether there is a way to the end: a bank without a vault leads to a warning, which is looked into each time.
    pub fn are_whole(&self) -> bool {
        !self.banks.is_empty() && !self.vaults.is_empty()
    }
}

/// What earlier calls have found.
#[derive(Default)]
pub struct Remembered {
    as_of: Cell<Option<Moment>>,
    places: RefCell<Places>,
    was_new: Cell<bool>,
}

impl Remembered {
    /// More than this many are not kept: a backfill may have as many owners as records.
    const LIMIT: usize = 1000;

    pub fn bank(&self, now: Moment, request: &BankRequest) -> Option<Uuid> {
        self.holds(now).then(|| self.places.borrow().banks.get(request).copied()).flatten()
    }

    pub fn vault(&self, now: Moment, request: &VaultRequest) -> Option<Uuid> {
        self.holds(now).then(|| self.places.borrow().vaults.get(request).copied()).flatten()
    }

    /// Whether all that the last call was given was new. That of the next is likely to be so too.
    pub fn was_new(&self, now: Moment) -> bool {
        self.holds(now) && self.was_new.get()
    }

    /// Whether nothing has changed since the last call that was added.
    pub fn holds(&self, now: Moment) -> bool {
        self.as_of.get() == Some(now)
    }

    /// Adds what a call has found that began at `began` and now ends, having written nothing but recordings and entries.
    pub fn add(&self, began: Moment, mut found: Places, was_new: bool) {
        let now = Moment::now();
        let mut places = self.places.borrow_mut();
        if !self.holds(began) {
            *places = Places::default();
        }
        places.banks.append(&mut found.banks);
        places.vaults.append(&mut found.vaults);
        let is_too_much = places.banks.len() + places.vaults.len() > Self::LIMIT;
        if is_too_much {
            *places = Places::default();
        }
        self.was_new.set(was_new);
        self.as_of.set((!is_too_much && now.is_still(&began)).then_some(now));
    }

    pub fn forget(&self) {
        self.as_of.set(None);
    }
}

/// A state of the tables as a role sees it who is above the policies. In two moments that are equal every query finds
/// the same, for each part stands for one way in which that can change. (But for TRUNCATE of a table that is new in this
/// transaction: see Store::are_tables_plain.)
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    role: pg_sys::Oid,
    /// Our own transaction: commits and rollbacks of it and of its savepoints.
    transaction: pg_sys::TransactionId,
    subtransaction: pg_sys::SubTransactionId,
    /// Our own commands that have written something.
    command: pg_sys::CommandId,
    /// Other transactions that have ended. PostgreSQL goes by this number too, to use a snapshot again.
    others_ended: u64,
}

impl Moment {
    pub fn now() -> Self {
        // SAFETY: in a transaction, as every call is, and not in a parallel worker, as no function that writes is. The
        // increment is what SPI does before each statement: it counts what a function in SQL has written just now.
        // GetTransactionSnapshot gives a valid snapshot, which lives at least until the next is asked for; the rest reads
        // the session's state.
        unsafe {
            pg_sys::CommandCounterIncrement();
            Self {
                role: pg_sys::GetUserId(),
                transaction: pg_sys::GetTopTransactionIdIfAny(),
                subtransaction: pg_sys::GetCurrentSubTransactionId(),
                command: pg_sys::GetCurrentCommandId(false),
                others_ended: (*pg_sys::GetTransactionSnapshot()).snapXactCompletionCount,
            }
        }
    }

    /// Whether another transaction has ended since: what we have waited for, say.
    pub fn is_overtaken(&self) -> bool {
        Self::now().others_ended != self.others_ended
    }

    /// Whether only we have done something since.
    fn is_still(&self, earlier: &Self) -> bool {
        self.role == earlier.role
            && self.subtransaction == earlier.subtransaction
            && self.others_ended == earlier.others_ended
    }
}
