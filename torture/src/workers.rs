//! Runs transactions on many connections until these are stopped or lost.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Scope, ScopedJoinHandle};

use crate::connection::{Connection, End, Shared};
use crate::faults::Pids;
use crate::history::{Operation, Outcome};
use crate::server::{Result, Server};
use crate::workload::{Call, Caller, Generator, Shape};

/// The settings that all connections share.
#[derive(Clone, Copy)]
pub struct Workers<'a> {
    pub server: &'a Server,
    pub seed: u64,
    /// The number of the round, which selects its random numbers.
    pub round: u64,
    pub shape: Shape,
    pub shared: &'a Shared,
    pub pids: &'a Pids,
    pub stop: &'a AtomicBool,
}

impl<'a> Workers<'a> {
    /// Starts a thread for each connection.
    pub fn spawn<'scope, 'env>(
        self,
        scope: &'scope Scope<'scope, 'env>,
        connections: usize,
    ) -> Vec<ScopedJoinHandle<'scope, Result<Vec<Operation>>>>
    where
        'a: 'scope,
    {
        (0..connections).map(|number| scope.spawn(move || self.work(number, 0, |_| Ok(true)))).collect()
    }

    /// Runs transactions on one connection.
    ///
    /// `before` is how many connections of this number there were before. `prepare` runs before each transaction and
    /// returns false if the connection is lost.
    pub fn work(
        self,
        number: usize,
        before: u64,
        mut prepare: impl FnMut(&mut Connection) -> Result<bool>,
    ) -> Result<Vec<Operation>> {
        let caller = Caller::of_connection(number);
        let part = (self.round << 32) + (before << 8) + number as u64;
        let mut generator = Generator::new(self.seed, part, caller, self.shape);
        let Ok(client) = self.server.caller(caller) else { return Ok(Vec::new()) };
        let mut connection = Connection::new(client, number, caller, self.shared);
        if self.pids.set(number, &mut connection.client).is_err() {
            return Ok(Vec::new());
        }
        while !self.stop.load(Ordering::Relaxed) {
            if !prepare(&mut connection)? {
                break;
            }
            if let End::Lost = connection.run(&generator.transaction()) {
                break;
            }
        }
        self.pids.forget(number);
        Ok(connection.history)
    }
}

/// Counts calls, records and errors.
#[derive(Default)]
pub struct Tally {
    pub calls: usize,
    pub records: usize,
    /// Errors by SQLSTATE; lost connections as "lost".
    errors: BTreeMap<String, usize>,
}

impl Tally {
    pub fn add(&mut self, history: &[Operation]) {
        self.calls += history.len();
        for operation in history {
            self.records += match operation.call() {
                Call::Retry { .. } => 0,
                call => call.keys().len(),
            };
            match &operation.outcome {
                Outcome::Raised { code, .. } => *self.errors.entry(code.clone()).or_default() += 1,
                Outcome::Unknown(_) => *self.errors.entry("lost".to_owned()).or_default() += 1,
                _ => {}
            }
        }
    }

    pub fn errors(&self, code: &str) -> usize {
        self.errors.get(code).copied().unwrap_or_default()
    }
}
