//! connector_pipeline: imports call recordings from connectors into PostgreSQL, exactly once.
//!
//! A call travels one way: [`api`] → [`caller`], [`record`] → [`pipeline`] → [`store`] → [`outcome`].

mod apart;
mod api;
mod bootstrap;
mod caller;
mod dedup;
mod error;
mod home;
mod import_counts;
mod jsonb;
mod outcome;
mod personal_bank;
mod pipeline;
mod record;
mod statement;
mod store;
mod subtransaction;
mod table;
mod table_owner;

pgrx::pg_module_magic!(name, version);

pgrx::extension_sql_file!("../sql/comments.sql", name = "comments", finalize);
pgrx::extension_sql_file!("../sql/grants.sql", name = "grants", requires = ["comments"]);

/// Lets `cargo pgrx test` start its server: the tests proper are in tests/suite and speak SQL.
#[cfg(feature = "pg_test")]
#[pgrx::pg_schema]
mod tests {
    use pgrx::prelude::*;

    #[pg_test]
    fn extension_is_loaded() {
        let loaded = Spi::get_one::<bool>("SELECT true FROM pg_extension WHERE extname = 'connector_pipeline'");
        assert_eq!(loaded, Ok(Some(true)));
    }
}

#[cfg(test)]
pub mod pg_test {
    pub fn setup(_options: Vec<&str>) {}

    pub fn postgresql_conf_options() -> Vec<&'static str> {
        vec!["max_connections = 150"]
    }
}
