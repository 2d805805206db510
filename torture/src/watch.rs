//! Sees to it that a run ends: what does not answer is a violation, not a run that hangs.

use std::collections::HashMap;
use std::process;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use postgres::{Client, Error};

use crate::checks::{Checks, Property};
use crate::faults;
use crate::server::{DATABASE, Server};

/// Calls take milliseconds. What waits for others waits for a round of some seconds at most.
pub const LONGEST_CALL: Duration = Duration::from_secs(60);
/// Rounds take seconds, with the replay of all input at their end.
const LONGEST_ROUND: Duration = Duration::from_secs(600);
/// How long a backend may take to end when it is told to.
const LONGEST_END: Duration = Duration::from_secs(10);

#[derive(Clone)]
pub struct Watch {
    longest_call: Duration,
    silent: Arc<Mutex<Vec<String>>>,
    round_began: Arc<Mutex<Instant>>,
}

impl Watch {
    /// Watches until the program ends. Of its threads the one that ends a run speaks to no server: so none can hold it up.
    pub fn start(server: &Server, longest_call: Duration) -> Self {
        let watch = Self { longest_call, silent: Arc::default(), round_began: Arc::new(Mutex::new(Instant::now())) };
        let (calls, rounds, server) = (watch.clone(), watch.clone(), server.clone());
        thread::spawn(move || calls.end_silent_calls(&server));
        thread::spawn(move || rounds.end_endless_run());
        watch
    }

    pub fn begin_round(&self) {
        *locked(&self.round_began) = Instant::now();
    }

    /// What did not answer since the last report.
    pub fn report(&self, checks: &mut Checks) {
        let silent: Vec<String> = locked(&self.silent).drain(..).collect();
        checks.holds(Property::Answers, None, silent.is_empty(), || {
            format!("no answer within {:?}, and ended: {}", self.longest_call, silent.join("\n"))
        });
    }

    fn end_silent_calls(&self, server: &Server) {
        let mut told: HashMap<i32, Instant> = HashMap::new();
        let mut client = None;
        loop {
            thread::sleep(Duration::from_secs(1));
            // The server is down now and then, on purpose.
            client = client.or_else(|| server.maintenance().ok());
            let Some(connected) = &mut client else { continue };
            let Ok(silent) = silent_calls(connected, self.longest_call) else {
                client = None;
                continue;
            };
            told.retain(|pid, _| silent.iter().any(|(is_silent, _)| is_silent == pid));
            for (pid, what) in silent {
                match told.get(&pid) {
                    None => {
                        told.insert(pid, Instant::now());
                        locked(&self.silent).push(what);
                        // Where it fails the next second finds the backend again, and kills it at last.
                        let _ = connected.execute("SELECT pg_terminate_backend($1)", &[&pid]);
                    }
                    Some(at) if at.elapsed() > LONGEST_END => {
                        let _ = faults::kill(pid);
                    }
                    Some(_) => {}
                }
            }
        }
    }

    fn end_endless_run(&self) {
        while locked(&self.round_began).elapsed() < LONGEST_ROUND {
            thread::sleep(Duration::from_secs(1));
        }
        eprintln!("VIOLATED: {}: a round has not ended within {LONGEST_ROUND:?}", Property::Answers);
        process::exit(1);
    }
}

/// Process ids, and what each is at. A procedure answers with each transaction that it begins.
fn silent_calls(client: &mut Client, longest: Duration) -> Result<Vec<(i32, String)>, Error> {
    let rows = client.query(
        "SELECT pid, concat_ws(' ', 'process', pid, 'waiting for', wait_event_type, wait_event, 'in', left(query, 300))
         FROM pg_stat_activity
         WHERE datname = $1 AND backend_type = 'client backend' AND state = 'active'
             AND clock_timestamp() - greatest(query_start, xact_start) > make_interval(secs => $2)",
        &[&DATABASE, &longest.as_secs_f64()],
    )?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
