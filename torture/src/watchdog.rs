//! Ends calls and rounds that take too long, as violations, so that no run hangs.

use std::collections::HashMap;
use std::process;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use postgres::{Client, Error};

use crate::checks::{Checks, Property};
use crate::faults;
use crate::server::{DATABASE, Server};

/// The longest time for a call, which usually takes milliseconds.
///
/// A call that waits for others waits for a round of some seconds at most.
pub const LONGEST_CALL: Duration = Duration::from_secs(60);
/// The longest time for a round, which usually takes seconds, including the replay.
const LONGEST_ROUND: Duration = Duration::from_secs(600);
/// The longest time from pg_terminate_backend() to the end of the backend.
const LONGEST_END: Duration = Duration::from_secs(10);

#[derive(Clone)]
pub struct Watchdog {
    longest_call: Duration,
    silent: Arc<Mutex<Vec<String>>>,
    round_began: Arc<Mutex<Instant>>,
}

impl Watchdog {
    /// Starts the watchdog's two threads, which run until the program ends.
    ///
    /// The thread that ends a run does not use the server, so that no server can delay it.
    pub fn start(server: &Server, longest_call: Duration) -> Self {
        let watchdog = Self { longest_call, silent: Arc::default(), round_began: Arc::new(Mutex::new(Instant::now())) };
        let (calls, rounds, server) = (watchdog.clone(), watchdog.clone(), server.clone());
        thread::spawn(move || calls.end_silent_calls(&server));
        thread::spawn(move || rounds.end_endless_run());
        watchdog
    }

    pub fn begin_round(&self) {
        *locked(&self.round_began) = Instant::now();
    }

    /// Reports the calls that were ended since the last report.
    pub fn report(&self, checks: &mut Checks) {
        let silent: Vec<String> = locked(&self.silent).drain(..).collect();
        checks.holds(Property::Answers, None, silent.is_empty(), || {
            format!("no answer within {:?}, and ended: {}", self.longest_call, silent.join("\n"))
        });
    }

    fn end_silent_calls(&self, server: &Server) {
        let mut terminated: HashMap<i32, Instant> = HashMap::new();
        let mut client = None;
        loop {
            thread::sleep(Duration::from_secs(1));
            // Other threads crash the server on purpose.
            client = client.or_else(|| server.maintenance().ok());
            let Some(connected) = &mut client else { continue };
            let Ok(silent) = silent_calls(connected, self.longest_call) else {
                client = None;
                continue;
            };
            terminated.retain(|pid, _| silent.iter().any(|(is_silent, _)| is_silent == pid));
            for (pid, what) in silent {
                match terminated.get(&pid) {
                    None => {
                        terminated.insert(pid, Instant::now());
                        locked(&self.silent).push(what);
                        // If this fails, the backend is found again and killed after LONGEST_END.
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

/// Lists process id and activity of each backend without an answer for too long.
///
/// The time of a procedure starts anew with each of its transactions.
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
