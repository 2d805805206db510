//! The server under test: how to connect, and how to bring it down and up.

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

/// A PostgreSQL server with the extension installed, that is the harness's own.
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

    /// A fresh database with the tables, the users and the ledger. As on Supabase, a superuser has installed the
    /// extension, and another role owns the tables.
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

    /// Takes the database back to where nothing has been imported.
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

    /// To the database that is there whatever is done to the one under test.
    pub fn maintenance(&self) -> Result<Client> {
        Ok(self.config.connect(NoTls)?)
    }

    pub fn superuser(&self) -> Result<Client> {
        Ok(self.config.clone().dbname(DATABASE).connect(NoTls)?)
    }

    /// The owner of the tables.
    pub fn owner(&self) -> Result<Client> {
        Ok(self.config.clone().user(OWNER).dbname(DATABASE).connect(NoTls)?)
    }

    /// A caller's session, as PostgREST sets it up.
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

    /// Waits until the server takes connections again, as long as it says that it is coming up.
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

    /// Immediate shutdown: every process ends at once, nothing is written out.
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

    /// What pg_amcheck has to say of all tables and indexes, and whether every row is in every index.
    pub fn check_storage(&self) -> Result<std::result::Result<(), String>> {
        let mut command = Command::new(&self.amcheck);
        if let Some(Host::Unix(folder)) = self.config.get_hosts().first() {
            command.arg("--host").arg(folder);
        }
        command.args(["--username", self.config.get_user().unwrap_or("postgres"), "--no-password"]);
        let output = command.args(["--install-missing", "--heapallindexed", "--parent-check", DATABASE]).output()?;
        let told = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        Ok(if output.status.success() { Ok(()) } else { Err(told) })
    }

    pub fn version(&self) -> Result<String> {
        Ok(self.maintenance()?.query_one("SHOW server_version", &[])?.get(0))
    }
}

/// SQL with the ids of the workload's banks and vaults.
pub fn with_places(sql: &str) -> String {
    let places: [(&str, Uuid); 4] = [
        ("@closed_bank@", workload::CLOSED_BANK),
        ("@closed_vault@", workload::CLOSED_VAULT),
        ("@foreign_bank@", workload::FOREIGN_BANK),
        ("@foreign_vault@", workload::FOREIGN_VAULT),
    ];
    places.iter().fold(sql.to_owned(), |sql, (name, id)| sql.replace(name, &id.to_string()))
}
