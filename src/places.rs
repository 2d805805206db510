//! Where recordings go: bank and vault of those who ask, looked up once for a statement of the caller.
//!
//! In `SELECT run_pipeline(r) FROM staging` the two look-ups would cost each record a third of its time, for the same
//! answer. So what was found holds for the statement that asked, which sees one state of the memberships as any
//! `INSERT … SELECT` does. Nothing that was remembered decides alone: policies and foreign keys look at every row, and
//! where a row fails, everything is looked up afresh.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use pgrx::pg_sys;

use crate::store::{BankRequest, VaultRequest};
use uuid::Uuid;

/// What was found.
#[derive(Default)]
pub struct Places {
    pub banks: BTreeMap<BankRequest, Uuid>,
    pub vaults: BTreeMap<VaultRequest, Uuid>,
}

/// What is remembered of earlier calls in the same statement.
#[derive(Default)]
pub struct Remembered {
    statement: Cell<Option<CallersStatement>>,
    places: RefCell<Places>,
}

impl Remembered {
    /// More than this many are not kept: a backfill may have as many owners as records.
    const LIMIT: usize = 1000;

    pub fn bank(&self, statement: &CallersStatement, request: &BankRequest) -> Option<Uuid> {
        self.is_of(statement).then(|| self.places.borrow().banks.get(request).copied()).flatten()
    }

    pub fn vault(&self, statement: &CallersStatement, request: &VaultRequest) -> Option<Uuid> {
        self.is_of(statement).then(|| self.places.borrow().vaults.get(request).copied()).flatten()
    }

    /// Adds what a call has found, once all that it did has gone well.
    pub fn add(&self, statement: CallersStatement, mut found: Places) {
        let mut places = self.places.borrow_mut();
        let is_full = places.banks.len() + places.vaults.len() > Self::LIMIT;
        if !self.is_of(&statement) || is_full {
            *places = Places::default();
        }
        places.banks.append(&mut found.banks);
        places.vaults.append(&mut found.vaults);
        self.statement.set(statement.with_transaction());
    }

    pub fn forget(&self) {
        self.statement.set(None);
    }

    fn is_of(&self, statement: &CallersStatement) -> bool {
        self.statement.get().is_some_and(|remembered| Some(remembered) == statement.with_transaction())
    }
}

/// The statement that called, so far as two calls can be told to come from the same.
///
/// A call that imported something has used up a command id. So whatever looks with a snapshot of the same transaction
/// and the same command id has taken that snapshot before: it is the same statement, or one that began beside it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CallersStatement {
    transaction: pg_sys::TransactionId,
    command: Option<pg_sys::CommandId>,
    role: pg_sys::Oid,
}

impl CallersStatement {
    pub fn current() -> Self {
        // SAFETY: reads the session's state; an active snapshot stays as long as its statement, which is calling us.
        unsafe {
            let command = pg_sys::ActiveSnapshotSet().then(|| (*pg_sys::GetActiveSnapshot()).curcid);
            Self { transaction: pg_sys::InvalidTransactionId, command, role: pg_sys::GetUserId() }
        }
    }

    /// None where there is nothing to go by: the transaction has written nothing yet.
    fn with_transaction(self) -> Option<Self> {
        // SAFETY: reads the session's state.
        let transaction = unsafe { pg_sys::GetTopTransactionIdIfAny() };
        let is_known = transaction != pg_sys::InvalidTransactionId && self.command.is_some();
        is_known.then_some(Self { transaction, ..self })
    }
}
