//! Injects faults: kills, cancels, locks, and rebuilds of the dedup index.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use postgres::Client;
use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use rand::seq::IndexedRandom;

use crate::server::{Result, Server};
use crate::workload::{JOBS, Key};

/// Kills a backend with SIGKILL, as the kernel's OOM killer does.
pub fn kill(pid: i32) -> Result<bool> {
    let status = Command::new("kill").args(["-KILL", &pid.to_string()]).stderr(Stdio::null()).status()?;
    Ok(status.success())
}

/// The process ids of the current connections.
pub struct Pids(Vec<AtomicI32>);

impl Pids {
    pub fn new(connections: usize) -> Self {
        Self((0..connections).map(|_| AtomicI32::new(0)).collect())
    }

    pub fn set(&self, connection: usize, client: &mut Client) -> Result<()> {
        self.0[connection].store(client.query_one("SELECT pg_backend_pid()", &[])?.get(0), Ordering::Relaxed);
        Ok(())
    }

    pub fn forget(&self, connection: usize) {
        self.0[connection].store(0, Ordering::Relaxed);
    }

    pub fn any(&self, random: &mut ChaCha8Rng) -> Option<i32> {
        let pids: Vec<i32> = self.0.iter().map(|pid| pid.load(Ordering::Relaxed)).filter(|pid| *pid != 0).collect();
        pids.choose(random).copied()
    }
}

/// Repeats REINDEX CONCURRENTLY of the dedup index; returns how often.
pub fn reindex(server: &Server, stop: &AtomicBool) -> Result<usize> {
    let mut owner = server.owner()?;
    // A REINDEX CONCURRENTLY that fails leaves this invalid index.
    let leftover = "DROP INDEX CONCURRENTLY IF EXISTS recordings_dedup_key_ccnew";
    let mut rebuilt = 0;
    while !stop.load(Ordering::Relaxed) {
        match owner.batch_execute("REINDEX INDEX CONCURRENTLY recordings_dedup_key") {
            Ok(()) => rebuilt += 1,
            // REINDEX CONCURRENTLY waits for transactions and may deadlock with them.
            Err(error) if error.code().is_some_and(|code| code.code() == "40P01") => owner.batch_execute(leftover)?,
            Err(error) => return Err(error.into()),
        }
    }
    owner.batch_execute(leftover)?;
    Ok(rebuilt)
}

/// Cancels calls and terminates some connections; returns how often it did each.
pub fn cancel(server: &Server, pids: &Pids, mut random: ChaCha8Rng, stop: &AtomicBool) -> Result<(usize, usize)> {
    let mut superuser = server.superuser()?;
    let (mut cancelled, mut terminated) = (0, 0);
    while !stop.load(Ordering::Relaxed) {
        thread::sleep(Duration::from_micros(random.random_range(500..30_000)));
        let Some(pid) = pids.any(&mut random) else { continue };
        if random.random_bool(0.05) {
            superuser.query("SELECT pg_terminate_backend($1)", &[&pid])?;
            terminated += 1;
        } else {
            superuser.query("SELECT pg_cancel_backend($1)", &[&pid])?;
            cancelled += 1;
        }
    }
    Ok((cancelled, terminated))
}

/// Locks tables and rows, so that imports wait at every stage; returns how often.
pub fn lock(server: &Server, mut random: ChaCha8Rng, stop: &AtomicBool) -> Result<usize> {
    let mut owner = server.owner()?;
    let mut held = 0;
    while !stop.load(Ordering::Relaxed) {
        owner.batch_execute("SET client_min_messages = error; BEGIN")?;
        let locked = match random.random_range(0..9) {
            // Blocks the vault-entry stage: inserting entries and looking up vaults.
            0 | 1 => owner.batch_execute("LOCK TABLE vault_entries IN SHARE MODE"),
            2 => owner.batch_execute("LOCK TABLE vaults IN ACCESS EXCLUSIVE MODE"),
            // Blocks the look-up of duplicates, which fails open.
            3 | 8 => owner.batch_execute("LOCK TABLE recordings IN ACCESS EXCLUSIVE MODE"),
            4 => owner.batch_execute("LOCK TABLE import_failures IN SHARE MODE"),
            5 => {
                let jobs = JOBS.sample(&mut random, 4).map(|job| format!("'{job}'")).collect::<Vec<_>>();
                let jobs = jobs.join(", ");
                owner.batch_execute(&format!("SELECT FROM sync_jobs WHERE id IN ({jobs}) ORDER BY id FOR UPDATE"))
            }
            // Imports keys and rolls them back.
            _ => {
                let keys: Vec<Key> = Key::all().collect();
                let records: Vec<_> = keys.sample(&mut random, 50).map(|key| key.record()).collect();
                let records = serde_json::Value::from(records);
                owner.query("SELECT run_pipeline_batch($1)", &[&records]).map(drop)
            }
        };
        match locked {
            Ok(()) => {
                held += 1;
                sleep_until(Instant::now() + Duration::from_millis(random.random_range(5..250)), stop);
            }
            Err(error) if error.code().is_some_and(|code| code.code() == "40P01") => {}
            Err(error) => return Err(error.into()),
        }
        owner.batch_execute("ROLLBACK")?;
        sleep_until(Instant::now() + Duration::from_millis(random.random_range(5..100)), stop);
    }
    Ok(held)
}

pub fn sleep_until(moment: Instant, stop: &AtomicBool) {
    while Instant::now() < moment && !stop.load(Ordering::Relaxed) {
        thread::sleep(Duration::from_millis(5).min(moment.saturating_duration_since(Instant::now())));
    }
}
