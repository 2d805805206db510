//! Questions to PostgreSQL's catalogs, and changes to them, for the set-up: nothing here is kept or fast.

use pgrx::datum::DatumWithOid;
use pgrx::{PgSqlErrorCode, Spi};

use crate::error::{Failure, OrRaise};
use crate::pg::schema::Home;

/// Runs statements that answer nothing.
pub fn run(home: &Home, sql: &str) {
    Spi::run(&sql.replace("@extschema@", &home.quoted)).map_err(broken).or_raise();
}

/// The answer to a question of yes or no.
pub fn ask(query: &str, args: &[DatumWithOid]) -> bool {
    let answer = Spi::connect(|client| client.select(&filled_in(query), Some(1), args)?.first().get_one::<bool>());
    answer.map_err(broken).or_raise().unwrap_or_default()
}

/// Rows of texts.
pub fn rows<const WIDTH: usize>(query: &str, args: &[DatumWithOid]) -> Vec<[String; WIDTH]> {
    let rows = Spi::connect(|client| {
        let mut rows = Vec::new();
        for row in client.select(&filled_in(query), None, args)? {
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

/// Queries name the lists that they share.
fn filled_in(query: &str) -> String {
    query
        .replace("@fitting_indexes@", include_str!("../../sql/bootstrap/fitting_indexes.sql"))
        .replace("@needed_columns@", include_str!("../../sql/bootstrap/needed_columns.sql"))
        .replace("@needed_keys@", include_str!("../../sql/bootstrap/needed_keys.sql"))
}

fn broken(error: pgrx::spi::SpiError) -> Failure {
    Failure::new(PgSqlErrorCode::ERRCODE_INTERNAL_ERROR, format!("SPI: {error}"))
}
