//! The ways to import the staged records that are compared with each other.

pub mod calls;
pub mod copy;
pub mod five_steps;
mod pipelined;
pub mod session;
pub mod statement;

use crate::database::Database;
use crate::error::Result;
use crate::staging::Size;
use calls::Form;
use session::Session;

#[derive(Clone, Copy)]
pub enum Importer {
    /// One of [`statement`]'s statements imports all.
    Statement(&'static str),
    /// Calls a function of `(record, owner)` for each record.
    Calls(Form, &'static str),
    /// B0.
    Copy,
}

impl Importer {
    /// Prepares a session on a database whose staging table has the records of a size.
    pub fn open(self, database: &Database, size: &Size) -> Result<Session> {
        match self {
            Self::Statement(sql) => Ok(statement::session(database.owner()?, sql.to_owned(), size)),
            Self::Calls(form, function) => calls::session(form, function, database, size),
            Self::Copy => copy::session(database, size),
        }
    }
}
