//! Runs a statement of sql/ once, with parameters of any type.

use pgrx::datum::{DatumWithOid, FromDatum, IntoDatum};
use pgrx::spi::{SpiError, SpiHeapTupleData};
use pgrx::{PgSqlErrorCode, Spi};

use crate::error::{Failure, OrRaise};
use crate::pg::result_rows::ResultRows;
use crate::pg::schema::ExtensionSchema;
use crate::pg::spi;
use crate::sql_template::{fill, fill_from};

/// A statement whose placeholders are filled.
pub struct Sql(String);

impl Sql {
    /// A statement whose only placeholder is `@extschema@`, if any.
    pub fn new(schema: &ExtensionSchema, template: &str) -> Self {
        Self(fill_from(template, |name| (name == "extschema").then(|| schema.quoted.clone())))
    }

    /// A statement with placeholders of its own.
    pub fn filled(template: &str, values: &[(&str, &str)]) -> Self {
        Self(fill(template, values))
    }

    /// The statement as text, to be put into another one.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// Reads rows.
    ///
    /// With the snapshot of the calling query, until the (sub)transaction has run something that may write. From then on
    /// each statement sees what was done and what others have committed up to now (pgrx's `is_xact_still_immutable`).
    pub fn rows<T>(&self, args: &[DatumWithOid], read: impl Fn(Row) -> T) -> Vec<T> {
        let rows = Spi::connect(|client| {
            Ok(client.select(&*self.0, None, args)?.map(|row| read(Row(row))).collect::<Vec<T>>())
        });
        rows.map_err(broken).or_raise()
    }

    /// Hands the rows to the caller of the running function, some at a time, so that many take no more memory than few.
    pub fn rows_into(&self, result: &ResultRows, args: &[DatumWithOid]) {
        const AT_A_TIME: i64 = 100;
        let cursor = Spi::connect(|client| Ok(client.try_open_cursor(&*self.0, args)?.detach_into_name()));
        let cursor = cursor.map_err(broken).or_raise();
        // What a connection has read is freed when it ends.
        let hand_over_some = || {
            Spi::connect(|client| {
                let mut open = client.find_cursor(&cursor)?;
                let rows = open.fetch(AT_A_TIME)?;
                let is_end = rows.is_empty();
                result.add(rows)?;
                if !is_end {
                    // Without this it would be closed here.
                    open.detach_into_name();
                }
                Ok(is_end)
            })
        };
        while !hand_over_some().map_err(broken).or_raise() {}
    }

    /// Runs a statement that may write.
    pub fn run(&self, args: &[DatumWithOid]) {
        spi::execute(&self.0, args);
    }
}

/// A row of a result. Columns count from 1.
pub struct Row<'a>(SpiHeapTupleData<'a>);

impl Row<'_> {
    /// A column that may be NULL.
    pub fn get<T: FromDatum + IntoDatum>(&self, column: usize) -> Option<T> {
        self.0.get(column).map_err(broken).or_raise()
    }

    /// A column in which the statement never has NULL.
    pub fn require<T: FromDatum + IntoDatum>(&self, column: usize) -> T {
        self.get(column).unwrap_or_else(|| panic!("column {column} is NULL"))
    }
}

fn broken(error: SpiError) -> Failure {
    Failure::new(PgSqlErrorCode::ERRCODE_INTERNAL_ERROR, format!("SPI: {error}"))
}
