//! Whether importing runs nothing of the application's own: see are_tables_plain.sql.

use std::cell::RefCell;

use crate::statement::Statement;
use crate::store::Store;
use crate::subtransaction;

/// The last answer, and a statement that is valid as long as the tables stay as they were.
#[derive(Default)]
pub struct Plainness(RefCell<Option<(Statement, bool)>>);

impl Plainness {
    /// Asks again when one of the tables has changed. Where the question can't be answered (a catalog that the caller may
    /// not read), the answer is no: a short cut less, and no import lost.
    pub fn of(&self, store: &Store) -> bool {
        if let Some((watch, is_plain)) = &*self.0.borrow()
            && watch.is_valid()
        {
            return *is_plain;
        }
        // First the one and then the other: what changes in between is noticed.
        let Ok(watch) = subtransaction::run(|| store.watch_tables()) else { return false };
        let is_plain = subtransaction::run(|| store.are_tables_plain()).unwrap_or_default();
        if let Some((outdated, _)) = self.0.replace(Some((watch, is_plain))) {
            outdated.free();
        }
        is_plain
    }
}
