//! Runs transactions on one connection and records their outcomes.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::Instant;

use postgres::types::{Json, ToSql};
use postgres::{Client, error::Severity};
use serde_json::{Value, json};

use crate::history::{Operation, Outcome};
use crate::workload::{Call, Caller, Isolation, Key, Savepoint, Statement, Transaction};

/// The state that all connections share.
#[derive(Default)]
pub struct Shared {
    next: AtomicI64,
    /// Recordings whose import was acknowledged to a client.
    acknowledged: RwLock<HashMap<Key, String>>,
    endless_conflicts: Mutex<Vec<String>>,
    /// Read-locked during each transaction, write-locked by a transaction that must run alone.
    turns: RwLock<()>,
}

impl Shared {
    fn number(&self) -> i64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    fn known(&self, key: Key) -> Option<String> {
        self.acknowledged.read().unwrap_or_else(PoisonError::into_inner).get(&key).cloned()
    }

    /// Transactions that conflicted at every retry.
    pub fn endless_conflicts(&self) -> Vec<String> {
        self.endless_conflicts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn learn(&self, operation: &Operation) {
        let Outcome::Acknowledged(result) = &operation.outcome else { return };
        let mut learned = Vec::new();
        match operation.call() {
            Call::One(key) if result["success"] == true => learned.push((*key, &result["recordingId"])),
            Call::Each(keys) => {
                let results = result.as_array().into_iter().flatten();
                let imported = keys.iter().zip(results).filter(|(_, result)| result["success"] == true);
                learned.extend(imported.map(|(key, result)| (*key, &result["recordingId"])));
            }
            Call::Insert(key) => learned.push((*key, &result["id"])),
            Call::Batch { keys, is_dry_run: false, .. } => {
                let results = result["results"].as_array().into_iter().flatten();
                let imported = keys.iter().zip(results).filter(|(_, result)| result["success"] == true);
                learned.extend(imported.map(|(key, result)| (*key, &result["recordingId"])));
            }
            _ => {}
        }
        if !learned.is_empty() {
            let mut acknowledged = self.acknowledged.write().unwrap_or_else(PoisonError::into_inner);
            acknowledged.extend(learned.into_iter().map(|(key, id)| (key, id.as_str().unwrap_or_default().to_owned())));
        }
    }
}

/// The end of a transaction.
pub enum End {
    Done,
    /// An error that a retry may resolve: 40001, 40P01.
    Conflict,
    /// Another error, after which the connection is usable.
    Raised,
    Lost,
}

pub struct Connection<'a> {
    pub client: Client,
    number: usize,
    caller: Caller,
    shared: &'a Shared,
    pub history: Vec<Operation>,
}

impl<'a> Connection<'a> {
    pub fn new(client: Client, number: usize, caller: Caller, shared: &'a Shared) -> Self {
        Self { client, number, caller, shared, history: Vec::new() }
    }

    /// Runs a transaction, and retries after a conflict.
    ///
    /// Among 64 connections a long transaction may conflict at every retry, especially at SERIALIZABLE. Without other
    /// transactions, a retry must succeed.
    pub fn run(&mut self, transaction: &Transaction) -> End {
        const AMONG_OTHERS: usize = 20;
        const ALONE: usize = 3;
        let turns = &self.shared.turns;
        for _ in 0..AMONG_OTHERS {
            let _turn = turns.read().unwrap_or_else(PoisonError::into_inner);
            match self.run_once(transaction) {
                End::Conflict => {}
                end => return end,
            }
        }
        let _alone = turns.write().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..ALONE {
            match self.run_once(transaction) {
                End::Conflict => {}
                end => return end,
            }
        }
        let what = format!("connection {}: a conflict without other transactions, in {transaction:?}", self.number);
        self.shared.endless_conflicts.lock().unwrap_or_else(PoisonError::into_inner).push(what);
        End::Conflict
    }

    fn run_once(&mut self, transaction: &Transaction) -> End {
        let first = self.history.len();
        let end = match transaction {
            Transaction::Single(statement) => self.run_single(statement),
            Transaction::Block { isolation, groups, commits } => self.run_block(*isolation, groups, *commits),
        };
        self.history[first..].iter().for_each(|operation| self.shared.learn(operation));
        end
    }

    fn run_single(&mut self, statement: &Statement) -> End {
        let transaction = self.shared.number();
        match self.call(statement, transaction, None) {
            Ok(()) => {
                let operation = self.history.last_mut().expect("the call has added it");
                if let Outcome::Undone(result) = &operation.outcome {
                    operation.outcome = Outcome::Acknowledged(result.clone());
                }
                End::Done
            }
            Err(end) => end,
        }
    }

    /// Runs a transaction block, whose calls count as undone until the commit is acknowledged.
    fn run_block(&mut self, isolation: Isolation, groups: &[(Savepoint, Vec<Statement>)], commits: bool) -> End {
        let transaction = self.shared.number();
        let first = self.history.len();
        let mut stays = Vec::new();
        let result = (|| {
            self.command(&format!("BEGIN ISOLATION LEVEL {}", isolation.sql()))?;
            for (savepoint, statements) in groups {
                if *savepoint != Savepoint::None {
                    self.command("SAVEPOINT s")?;
                }
                for statement in statements {
                    self.call(statement, transaction, Some(isolation))?;
                    stays.push(*savepoint != Savepoint::RolledBack);
                }
                match savepoint {
                    Savepoint::None => {}
                    Savepoint::Released => self.command("RELEASE s")?,
                    Savepoint::RolledBack => self.command("ROLLBACK TO s; RELEASE s")?,
                }
            }
            Ok(())
        })();
        let end = match result {
            Ok(()) if commits => self.command("COMMIT"),
            Ok(()) => self.command("ROLLBACK").map(|()| stays.fill(false)),
            Err(End::Lost) => {
                stays.fill(false);
                Err(End::Lost)
            }
            Err(end) => {
                stays.fill(false);
                self.command("ROLLBACK").and(Err(end))
            }
        };
        for (operation, stays) in self.history[first..].iter_mut().zip(stays) {
            if let (true, Outcome::Undone(result)) = (stays, &operation.outcome) {
                match end {
                    Ok(()) => operation.outcome = Outcome::Acknowledged(result.clone()),
                    Err(End::Lost) => operation.outcome = Outcome::Unknown(Some(result.clone())),
                    Err(_) => {}
                }
            }
        }
        match end {
            Ok(()) => End::Done,
            Err(end) => end,
        }
    }

    /// Runs a transaction command, which may fail like any statement.
    fn command(&mut self, sql: &str) -> Result<(), End> {
        self.client.batch_execute(sql).map_err(|error| end_of(&error))
    }

    fn call(&mut self, statement: &Statement, transaction: i64, isolation: Option<Isolation>) -> Result<(), End> {
        let id = self.shared.number();
        let known_before = match &statement.call {
            // In a transaction block the snapshot may be older than the acknowledged import.
            Call::Check(key) if isolation.is_none() => self.shared.known(*key),
            _ => None,
        };
        let began = Instant::now();
        let result = self.ask(statement, id);
        let (outcome, end) = match result {
            Ok(result) => (Outcome::Undone(result), Ok(())),
            Err(error) => match (error.as_db_error(), end_of(&error)) {
                (_, End::Lost) | (None, _) => {
                    let outcome = match isolation {
                        None => Outcome::Unknown(None),
                        Some(_) => Outcome::Raised { code: "08006".to_owned(), message: error.to_string() },
                    };
                    (outcome, Err(End::Lost))
                }
                (Some(raised), end) => {
                    let (code, message) = (raised.code().code().to_owned(), raised.message().to_owned());
                    (Outcome::Raised { code, message }, Err(end))
                }
            },
        };
        self.history.push(Operation {
            id,
            connection: self.number,
            caller: self.caller,
            transaction,
            isolation,
            statement: statement.clone(),
            began,
            ended: Instant::now(),
            outcome,
            known_before,
        });
        end
    }

    fn ask(&mut self, statement: &Statement, id: i64) -> Result<Value, postgres::Error> {
        let job;
        let (answer, parameters): (&str, Vec<Box<dyn ToSql + Sync>>) = match &statement.call {
            Call::One(key) => ("public.run_pipeline($1)", vec![Box::new(key.record())]),
            // Imports several records in one statement.
            Call::Each(keys) => {
                let records: Vec<Value> = keys.iter().map(|key| key.record()).collect();
                let each = "COALESCE(jsonb_agg(public.run_pipeline(record) ORDER BY n), '[]')
                    FROM unnest($1::jsonb[]) WITH ORDINALITY AS given (record, n)";
                (each, vec![Box::new(records)])
            }
            Call::Insert(key) => ("public.insert_recording($1)", vec![Box::new(key.record())]),
            Call::Check(key) => {
                let (source_app, external_id) = (key.source_app(), key.external_id());
                let parameters: Vec<Box<dyn ToSql + Sync>> =
                    vec![Box::new(key.owner()), Box::new(source_app), Box::new(external_id)];
                ("public.check_duplicate($1, $2, $3)", parameters)
            }
            Call::Batch { keys, job: of_job, is_dry_run } => {
                job = *of_job;
                let records: Vec<Value> = keys.iter().map(|key| key.record()).collect();
                let parameters: Vec<Box<dyn ToSql + Sync>> =
                    vec![Box::new(Json(json!(records))), Box::new(job), Box::new(*is_dry_run)];
                ("public.run_pipeline_batch($1, NULL, $2, $3)", parameters)
            }
            Call::Retry { owner, source_app, limit } => {
                let parameters: Vec<Box<dyn ToSql + Sync>> =
                    vec![Box::new(*source_app), Box::new(*owner), Box::new(*limit)];
                ("public.retry_failed_imports($1, $2, $3)", parameters)
            }
        };
        let sql = if statement.is_noted {
            format!("INSERT INTO torture.ledger (operation, result) SELECT {id}, {answer} RETURNING result")
        } else {
            format!("SELECT {answer}")
        };
        let parameters: Vec<&(dyn ToSql + Sync)> = parameters.iter().map(Box::as_ref).collect();
        Ok(self.client.query_one(&sql, &parameters)?.get(0))
    }
}

fn end_of(error: &postgres::Error) -> End {
    match error.as_db_error() {
        None => End::Lost,
        Some(error) => match (error.parsed_severity(), error.code().code()) {
            (Some(Severity::Fatal | Severity::Panic), _) => End::Lost,
            (_, "40001" | "40P01") => End::Conflict,
            _ => End::Raised,
        },
    }
}
