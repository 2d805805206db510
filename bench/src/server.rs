//! The server that is measured, and databases on it that start alike.

use std::error::Error;

use postgres::{Client, Config, NoTls};
use serde_json::{Map, Value, json};
use uuid::Uuid;

pub type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Who owns recordings; each has a personal bank and vault.
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

/// A PostgreSQL server with the extension installed, that nobody else uses.
pub struct Server {
    config: Config,
}

impl Server {
    /// The server of a superuser's connection string, with the database that the others are copies of.
    pub fn prepare(url: &str) -> Result<Self> {
        let server = Self { config: url.parse()? };
        server.make_template()?;
        Ok(server)
    }

    fn make_template(&self) -> Result<()> {
        let mut superuser = self.config.connect(NoTls)?;
        // The tables belong to an ordinary role, as they do on Supabase.
        superuser.batch_execute(
            "DO $$ BEGIN CREATE ROLE bench_owner LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$",
        )?;
        let template = self.copy("template0", TEMPLATE)?;
        let mut superuser = template.superuser()?;
        superuser.batch_execute("CREATE EXTENSION connector_pipeline; SELECT connector_pipeline.bootstrap_auth()")?;
        let mut owner = template.owner()?;
        owner.batch_execute("SELECT connector_pipeline.bootstrap()")?;
        for user in OWNERS {
            superuser.execute("INSERT INTO auth.users (id) VALUES ($1)", &[&user])?;
        }
        owner.batch_execute(include_str!("../sql/template.sql"))?;
        owner.batch_execute(include_str!("../baselines/bare_row.sql"))?;
        owner.batch_execute(include_str!("../baselines/plpgsql_pipeline.sql"))?;
        Ok(())
    }

    /// A fresh database in place of any of that name.
    pub fn database(&self, name: &str) -> Result<Database<'_>> {
        self.copy(TEMPLATE, name)
    }

    /// A database that starts as another is now. Nobody may be connected to that one.
    pub fn copy(&self, original: &str, name: &str) -> Result<Database<'_>> {
        let mut superuser = self.config.connect(NoTls)?;
        superuser.batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))?;
        superuser.batch_execute(&format!("CREATE DATABASE {name} TEMPLATE {original} OWNER bench_owner"))?;
        Ok(Database { server: self, name: name.to_owned() })
    }

    /// What one has to know of the machine and the server to judge the figures.
    pub fn describe(&self) -> Result<Value> {
        let mut superuser = self.config.connect(NoTls)?;
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

/// A database of a measurement, dropped at its end.
pub struct Database<'a> {
    server: &'a Server,
    name: String,
}

impl Database<'_> {
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The owner of the tables, who imports for anyone: row-level security doesn't bind it.
    pub fn owner(&self) -> Result<Client> {
        self.login("bench_owner")
    }

    pub fn superuser(&self) -> Result<Client> {
        Ok(self.server.config.clone().dbname(&self.name).connect(NoTls)?)
    }

    /// A user with its JWT's claims, as PostgREST hands them over.
    pub fn authenticated(&self, user: Uuid) -> Result<Client> {
        let mut client = self.superuser()?;
        let claims = json!({"role": "authenticated", "sub": user.to_string()}).to_string();
        client.batch_execute("SET ROLE authenticated")?;
        client.execute("SELECT set_config('request.jwt.claims', $1, false)", &[&claims])?;
        Ok(client)
    }

    /// The owner of the tables over TCP, where the server wants a password.
    pub fn owner_over_loopback(&self) -> Result<Client> {
        let mut superuser = self.superuser()?;
        let password = Uuid::new_v4().to_string();
        superuser.batch_execute(&format!("ALTER ROLE bench_owner PASSWORD '{password}'"))?;
        let mut config = Config::new();
        config.host("127.0.0.1").port(*self.server.config.get_ports().first().unwrap_or(&5432));
        Ok(config.user("bench_owner").password(password).dbname(&self.name).connect(NoTls)?)
    }

    fn login(&self, role: &str) -> Result<Client> {
        Ok(self.server.config.clone().user(role).dbname(&self.name).connect(NoTls)?)
    }
}

impl Drop for Database<'_> {
    fn drop(&mut self) {
        if self.name == TEMPLATE {
            return;
        }
        if let Ok(mut superuser) = self.server.config.connect(NoTls) {
            // What is left is dropped by the next run.
            let _ = superuser.batch_execute(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
        }
    }
}
