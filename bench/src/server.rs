//! A PostgreSQL server with the extension, whose databases all start alike.

use std::mem::ManuallyDrop;

use serde_json::{Map, Value, json};
use tokio_postgres::Config;
use uuid::Uuid;

use crate::database::{Database, TABLE_OWNER, connect};
use crate::error::Result;

/// The users who own recordings; each has a personal bank and vault.
pub const OWNERS: [Uuid; 8] = {
    let mut owners = [Uuid::nil(); 8];
    let mut number = 0;
    while number < owners.len() {
        owners[number] = Uuid::from_u128(0xA11CE + number as u128);
        number += 1;
    }
    owners
};
pub const OWNER: Uuid = OWNERS[0];

/// The database that the others are copies of.
const TEMPLATE: &str = "bench_template";

/// A server that only the benchmark uses.
pub struct Server {
    config: Config,
}

impl Server {
    /// Creates the template database on the server of a superuser's connection string.
    pub fn prepare(url: &str) -> Result<Self> {
        let server = Self { config: url.parse()? };
        server.create_template()?;
        Ok(server)
    }

    fn create_template(&self) -> Result<()> {
        connect(&self.config)?.batch_execute(&format!(
            "DO $$ BEGIN CREATE ROLE {TABLE_OWNER} LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$"
        ))?;
        // Not dropped at the end of this function: the other databases are copied from it.
        let template = ManuallyDrop::new(self.copy("template0", TEMPLATE)?);
        let mut superuser = template.superuser()?;
        superuser.batch_execute("CREATE EXTENSION connector_pipeline; SELECT connector_pipeline.bootstrap_auth()")?;
        let mut owner = template.owner()?;
        owner.batch_execute("SELECT connector_pipeline.bootstrap()")?;
        for user in OWNERS {
            superuser.execute("INSERT INTO auth.users (id) VALUES ($1)", &[&user])?;
        }
        owner.batch_execute(include_str!("../sql/template.sql"))?;
        owner.batch_execute(include_str!("../baselines/bare_row_with_lookups.sql"))?;
        owner.batch_execute(include_str!("../baselines/plpgsql_pipeline.sql"))?;
        Ok(())
    }

    /// Creates a database with the tables of bootstrap(), the baselines and an empty staging table.
    pub fn database(&self, name: &str) -> Result<Database> {
        self.copy(TEMPLATE, name)
    }

    /// Creates a database that starts as another one is now. No session may be connected to that one.
    pub fn copy(&self, original: &str, name: &str) -> Result<Database> {
        Database::create(self.config.clone(), original, name)
    }

    /// Describes the machine and the server, as far as they matter for the figures.
    pub fn describe(&self) -> Result<Value> {
        let mut superuser = connect(&self.config)?;
        let version: String = superuser.query_one("SHOW server_version", &[])?.get(0);
        let settings = superuser.query(
            "SELECT name, current_setting(name)
             FROM pg_settings
             WHERE source = 'command line' AND name NOT IN ('unix_socket_directories', 'port', 'hba_file')
             ORDER BY name",
            &[],
        )?;
        let settings: Map<String, Value> =
            settings.iter().map(|row| (row.get(0), Value::String(row.get::<_, String>(1)))).collect();
        let processor = std::fs::read_to_string("/proc/cpuinfo").ok().and_then(|info| {
            Some(info.lines().find(|line| line.starts_with("model name"))?.split_once(": ")?.1.to_owned())
        });
        let cores = std::thread::available_parallelism()?.get();
        Ok(json!({"postgresql": version, "settings": settings, "processor": processor, "cores": cores}))
    }
}
