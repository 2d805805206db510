//! Connects to the server under test, crashes it and starts it.

use std::error::Error;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use postgres::config::Host;
use postgres::{Client, Config, NoTls};
use serde_json::json;
use uuid::Uuid;

use crate::workload::{self, Caller, JOBS, OWNERS};

pub type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

pub const DATABASE: &str = "torture";
const OWNER: &str = "torture_owner";

/// A PostgreSQL server with the extension, used only by the harness.
#[derive(Clone)]
pub struct Server {
    config: Config,
    /// A command that takes `crash` (an immediate shutdown) and `start`.
    control: Vec<String>,
    amcheck: PathBuf,
}

impl Server {
    pub fn new(url: &str, control: &str, amcheck: PathBuf) -> Result<Self> {
        Ok(Self { config: url.parse()?, control: control.split(' ').map(str::to_owned).collect(), amcheck })
    }

    /// Makes a new database with the tables, the users and the ledger.
    ///
    /// As on Supabase, a superuser installs the extension, and another role owns the tables.
    pub fn make_database(&self) -> Result<()> {
        let mut maintenance = self.maintenance()?;
        maintenance.batch_execute(&format!(
            "DO $$ BEGIN CREATE ROLE {OWNER} LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$"
        ))?;
        maintenance.batch_execute(&format!("DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)"))?;
        maintenance.batch_execute(&format!("CREATE DATABASE {DATABASE} TEMPLATE template0 OWNER {OWNER}"))?;
        let mut superuser = self.superuser()?;
        superuser.batch_execute("CREATE EXTENSION connector_pipeline; SELECT connector_pipeline.bootstrap_auth()")?;
        for owner in OWNERS {
            superuser.execute("INSERT INTO auth.users (id) VALUES ($1)", &[&owner])?;
        }
        let mut owner = self.owner()?;
        owner.batch_execute("SELECT connector_pipeline.bootstrap()")?;
        superuser.batch_execute(&format!("GRANT SELECT ON auth.users TO {OWNER}"))?;
        owner.batch_execute(include_str!("../sql/ledger.sql"))?;
        Ok(())
    }

    /// Resets the database to the state before the first import.
    pub fn reset(&self) -> Result<()> {
        let mut owner = self.owner()?;
        owner.batch_execute(&with_places(include_str!("../sql/reset.sql")))?;
        for (number, job) in JOBS.iter().enumerate() {
            let user = OWNERS[number % OWNERS.len()];
            let insert =
                "INSERT INTO sync_jobs (id, user_id, source_app, status) VALUES ($1, $2, 'fathom', 'processing')";
            owner.execute(insert, &[job, &user])?;
        }
        Ok(())
    }

    /// Connects to the maintenance database, which the tests do not change.
    pub fn maintenance(&self) -> Result<Client> {
        Ok(self.config.connect(NoTls)?)
    }

    pub fn superuser(&self) -> Result<Client> {
        Ok(self.config.clone().dbname(DATABASE).connect(NoTls)?)
    }

    /// Connects as the owner of the tables.
    pub fn owner(&self) -> Result<Client> {
        Ok(self.config.clone().user(OWNER).dbname(DATABASE).connect(NoTls)?)
    }

    /// Opens a caller's session with role and JWT claims, as PostgREST does.
    pub fn caller(&self, caller: Caller) -> Result<Client> {
        let mut client = self.superuser()?;
        let (role, claims) = match caller {
            Caller::Service => ("service_role", json!({"role": "service_role"})),
            Caller::User(owner) => ("authenticated", json!({"role": "authenticated", "sub": OWNERS[owner]})),
        };
        client.execute("SELECT set_config('request.jwt.claims', $1, false)", &[&claims.to_string()])?;
        client.batch_execute(&format!("SET client_min_messages = error; SET ROLE {role}"))?;
        Ok(client)
    }

    /// Waits until the server accepts connections again, 60 seconds at most.
    pub fn wait_until_up(&self) -> Result<()> {
        const LONGEST: Duration = Duration::from_secs(60);
        let start = Instant::now();
        loop {
            match self.superuser().and_then(|mut client| Ok(client.batch_execute("SELECT")?)) {
                Ok(()) => return Ok(()),
                Err(error) if start.elapsed() > LONGEST => {
                    return Err(format!("the server has not come back within {LONGEST:?}: {error}").into());
                }
                Err(_) => thread::sleep(Duration::from_millis(10)),
            }
        }
    }

    /// Shuts the server down in immediate mode: all processes end without a checkpoint.
    pub fn crash(&self) -> Result<()> {
        self.control("crash")
    }

    pub fn start(&self) -> Result<()> {
        self.control("start")
    }

    fn control(&self, action: &str) -> Result<()> {
        let arguments = self.control[1..].iter().map(|argument| argument.replace("ACTION", action));
        let status = Command::new(&self.control[0]).args(arguments).status()?;
        if status.success() { Ok(()) } else { Err(format!("{action} of the server failed: {status}").into()) }
    }

    /// Runs pg_amcheck on all tables and indexes; returns its output if there is damage.
    ///
    /// The check includes that every row is in every index.
    pub fn check_storage(&self) -> Result<std::result::Result<(), String>> {
        let mut command = Command::new(&self.amcheck);
        if let Some(Host::Unix(folder)) = self.config.get_hosts().first() {
            command.arg("--host").arg(folder);
        }
        command.args(["--username", self.config.get_user().unwrap_or("postgres"), "--no-password"]);
        let output = command.args(["--install-missing", "--heapallindexed", "--parent-check", DATABASE]).output()?;
        let output_text =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        Ok(if output.status.success() { Ok(()) } else { Err(output_text) })
    }

    pub fn version(&self) -> Result<String> {
        Ok(self.maintenance()?.query_one("SHOW server_version", &[])?.get(0))
    }
}

/// Puts the ids of the workload's banks and vaults into SQL.
pub fn with_places(sql: &str) -> String {
    let places: [(&str, Uuid); 4] = [
        ("@closed_bank@", workload::CLOSED_BANK),
        ("@closed_vault@", workload::CLOSED_VAULT),
        ("@foreign_bank@", workload::FOREIGN_BANK),
        ("@foreign_vault@", workload::FOREIGN_VAULT),
    ];
    places.iter().fold(sql.to_owned(), |sql, (name, id)| sql.replace(name, &id.to_string()))
}
