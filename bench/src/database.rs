//! A database of a benchmark, and the roles that connect to it.

use postgres::{Client, NoTls};
use serde_json::json;
use tokio_postgres::Config;
use uuid::Uuid;

use crate::error::Result;

/// Owns the tables. An ordinary role, as on Supabase.
pub const TABLE_OWNER: &str = "bench_owner";

/// Dropped with its value.
pub struct Database {
    /// A superuser's connection to the server.
    config: Config,
    name: String,
}

impl Database {
    /// Creates a database as a copy of another one, to which no session may be connected. Replaces one of that name.
    pub fn create(config: Config, template: &str, name: &str) -> Result<Self> {
        let mut superuser = connect(&config)?;
        superuser.batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))?;
        superuser.batch_execute(&format!("CREATE DATABASE {name} TEMPLATE {template} OWNER {TABLE_OWNER}"))?;
        Ok(Self { config, name: name.to_owned() })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn superuser(&self) -> Result<Client> {
        connect(self.config.clone().dbname(&self.name))
    }

    /// Connects as the owner of the tables, who may import for anyone: row-level security does not apply to it.
    pub fn owner(&self) -> Result<Client> {
        connect(&self.owner_config())
    }

    /// How [`owner`](Self::owner) connects, for a client of another kind.
    pub fn owner_config(&self) -> Config {
        let mut config = self.config.clone();
        config.user(TABLE_OWNER).dbname(&self.name);
        config
    }

    /// Connects with a user's role and JWT claims, as PostgREST sets them.
    pub fn authenticated(&self, user: Uuid) -> Result<Client> {
        let mut client = self.superuser()?;
        let claims = json!({"role": "authenticated", "sub": user.to_string()}).to_string();
        client.batch_execute("SET ROLE authenticated")?;
        client.execute("SELECT set_config('request.jwt.claims', $1, false)", &[&claims])?;
        Ok(client)
    }

    /// Connects as the owner of the tables over TCP, where the server asks for a password.
    pub fn owner_over_loopback(&self) -> Result<Client> {
        let password = Uuid::new_v4().to_string();
        self.superuser()?.batch_execute(&format!("ALTER ROLE {TABLE_OWNER} PASSWORD '{password}'"))?;
        let mut config = Config::new();
        config.host("127.0.0.1").port(*self.config.get_ports().first().unwrap_or(&5432));
        connect(config.user(TABLE_OWNER).password(password).dbname(&self.name))
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Ok(mut superuser) = connect(&self.config) {
            // The next run drops what this leaves.
            let _ = superuser.batch_execute(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
        }
    }
}

pub fn connect(config: &Config) -> Result<Client> {
    Ok(postgres::Config::from(config.clone()).connect(NoTls)?)
}
