//! Importers that call a function once a record, in each form that callers use.
//!
//! The forms cost differently for the same function, so that a function is compared with a baseline in the same form.

use std::fmt;

use super::session::Session;
use super::{pipelined, statement};
use crate::database::Database;
use crate::error::Result;
use crate::server::OWNER;
use crate::staging::Size;

#[derive(Clone, Copy)]
pub enum Form {
    /// One statement selects from the staging table.
    Select,
    /// The same, by a user under row-level security.
    SelectAsAuthenticated,
    /// A PL/pgSQL function loops over the staging table.
    Loop,
    /// A client executes a prepared statement for each record, in one transaction.
    Prepared,
}

impl fmt::Display for Form {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str(match self {
            Self::Select => "top-level SELECT",
            Self::SelectAsAuthenticated => "SELECT as `authenticated`",
            Self::Loop => "PL/pgSQL loop",
            Self::Prepared => "one prepared statement a call",
        })
    }
}

/// Calls a function of `(record, owner)`.
pub fn session(form: Form, function: &str, database: &Database, size: &Size) -> Result<Session> {
    match form {
        Form::Select => Ok(statement::session(database.owner()?, select(function), size)),
        Form::SelectAsAuthenticated => Ok(statement::session(database.authenticated(OWNER)?, select(function), size)),
        Form::Loop => {
            let mut client = database.owner()?;
            client.batch_execute(&create_loop(function))?;
            Ok(statement::session(client, "SELECT pg_temp.call_in_loop($1, $2, $3)".to_owned(), size))
        }
        Form::Prepared => pipelined::session(format!("SELECT {function}($1, $2)"), database, size),
    }
}

/// The statement of [`Form::Select`], with the parameters of [`statement::import`].
pub fn select(function: &str) -> String {
    format!("SELECT count({function}(record, $1)) FROM staged WHERE position BETWEEN $2 AND $3")
}

fn create_loop(function: &str) -> String {
    format!(
        "CREATE FUNCTION pg_temp.call_in_loop(p_owner uuid, p_first integer, p_last integer) RETURNS void
         LANGUAGE plpgsql AS $$
         DECLARE
             each record;
         BEGIN
             FOR each IN SELECT staged.record FROM staged WHERE staged.position BETWEEN p_first AND p_last LOOP
                 PERFORM {function}(each.record, p_owner);
             END LOOP;
         END
         $$"
    )
}
