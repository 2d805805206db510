//! Records each call with its caller and outcome.

use std::fmt;
use std::time::Instant;

use serde_json::Value;

use crate::workload::{Call, Caller, Isolation, Key, Statement};

/// The outcome of a call, as its client knows it.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The client received the result and the commit.
    Acknowledged(Value),
    /// The client received the result; then the transaction or savepoint was rolled back.
    Undone(Value),
    /// The connection was lost before the client learned of commit or rollback.
    Unknown(Option<Value>),
    /// An error reached the caller.
    Raised { code: String, message: String },
}

#[derive(Clone, Debug)]
pub struct Operation {
    /// The number of the operation in the ledger.
    pub id: i64,
    pub connection: usize,
    pub caller: Caller,
    /// The number of the transaction, shared by its calls.
    pub transaction: i64,
    /// None: a statement outside of a transaction block.
    pub isolation: Option<Isolation>,
    pub statement: Statement,
    pub began: Instant,
    pub ended: Instant,
    pub outcome: Outcome,
    /// For check_duplicate: the recording whose import was acknowledged before the call began.
    pub known_before: Option<String>,
}

impl Operation {
    pub fn call(&self) -> &Call {
        &self.statement.call
    }

    /// Describes the part of the outcome for a key, or all of a single result.
    fn outcome_for(&self, key: Key) -> String {
        let of_key = |result: &Value| match result.get("results").and_then(Value::as_array) {
            Some(results) => {
                let results = results.iter().filter(|entry| entry["externalId"] == key.external_id());
                results.map(Value::to_string).collect::<Vec<_>>().join(", ")
            }
            None => result.to_string(),
        };
        match &self.outcome {
            Outcome::Acknowledged(result) => format!("committed: {}", of_key(result)),
            Outcome::Undone(result) => format!("rolled back: {}", of_key(result)),
            Outcome::Unknown(Some(result)) => format!("connection lost after the result: {}", of_key(result)),
            Outcome::Unknown(None) => "connection lost".to_owned(),
            Outcome::Raised { code, message } => format!("error {code}: {message}"),
        }
    }

    fn touches(&self, key: Key) -> bool {
        let is_in_result = |result: &Value| {
            let results = result.get("results").and_then(Value::as_array);
            results.is_some_and(|results| results.iter().any(|entry| entry["externalId"] == key.external_id()))
        };
        self.call().keys().contains(&key)
            || matches!(&self.outcome, Outcome::Acknowledged(result) | Outcome::Undone(result) if is_in_result(result))
    }
}

/// Displays the operations on a key, in the order in which they ended.
pub struct OfKey<'a> {
    pub history: &'a [Operation],
    pub key: Key,
    pub start: Instant,
}

impl fmt::Display for OfKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MOST: usize = 60;
        let mut touching: Vec<&Operation> = self.history.iter().filter(|op| op.touches(self.key)).collect();
        touching.sort_by_key(|operation| operation.ended);
        writeln!(f, "history of {}: {} operations", self.key, touching.len())?;
        for operation in touching.iter().take(MOST) {
            let at = |moment: Instant| moment.saturating_duration_since(self.start).as_secs_f64();
            writeln!(
                f,
                "  {:9.4}–{:9.4} s  connection {:2} ({:?}), transaction {} ({}), operation {}: {}\n      {}",
                at(operation.began),
                at(operation.ended),
                operation.connection,
                operation.caller,
                operation.transaction,
                operation.isolation.map_or("by itself", Isolation::sql),
                operation.id,
                operation.call(),
                operation.outcome_for(self.key)
            )?;
        }
        Ok(())
    }
}
