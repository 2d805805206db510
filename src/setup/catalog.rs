//! Reads PostgreSQL's catalogs and runs DDL for the set-up; keeps no plans.

use pgrx::datum::DatumWithOid;
use pgrx::{PgSqlErrorCode, Spi};

use crate::error::{Failure, OrRaise};
use crate::pg::schema::ExtensionSchema;
use crate::sql_template::{fill, fill_from};

/// Runs statements that return nothing.
pub fn run(sql: &str) {
    Spi::run(sql).map_err(broken).or_raise();
}

/// Fills the schema into an SQL file.
pub fn in_schema(schema: &ExtensionSchema, template: &str) -> String {
    fill(template, &[("extschema", &schema.quoted)])
}

/// Returns the boolean that a query returns; false for NULL.
pub fn ask(query: &str, args: &[DatumWithOid]) -> bool {
    let answer = Spi::connect(|client| client.select(query, Some(1), args)?.first().get_one::<bool>());
    answer.map_err(broken).or_raise().unwrap_or_default()
}

/// Returns rows of texts; NULL becomes an empty text.
pub fn rows<const WIDTH: usize>(query: &str, args: &[DatumWithOid]) -> Vec<[String; WIDTH]> {
    let rows = Spi::connect(|client| {
        let mut rows = Vec::new();
        for row in client.select(query, None, args)? {
            let mut texts = [const { String::new() }; WIDTH];
            for (position, text) in texts.iter_mut().enumerate() {
                *text = row.get(position + 1)?.unwrap_or_default();
            }
            rows.push(texts);
        }
        Ok(rows)
    });
    rows.map_err(broken).or_raise()
}

/// Fills in the lists that several queries share.
pub fn with_lists(query: &str) -> String {
    fill_from(query, |name| match name {
        "fitting_indexes" => Some(with_lists(include_str!("../../sql/bootstrap/fitting_indexes.sql"))),
        "needed_columns" => Some(include_str!("../../sql/bootstrap/needed_columns.sql").to_owned()),
        "needed_keys" => Some(include_str!("../../sql/bootstrap/needed_keys.sql").to_owned()),
        _ => None,
    })
}

fn broken(error: pgrx::spi::SpiError) -> Failure {
    Failure::new(PgSqlErrorCode::ERRCODE_INTERNAL_ERROR, format!("SPI: {error}"))
}
