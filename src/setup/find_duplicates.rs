//! Finds recordings that were imported more than once, from before the dedup index.
//!
//! Works on any adopted schema before bootstrap(), which refuses as long as there are duplicates.

use pgrx::Uuid;

use crate::error::Failure;
use crate::pg::result_rows::ResultRows;
use crate::pg::schema::ExtensionSchema;
use crate::setup::merge_checks::{must_have_ids, must_see_all_rows};
use crate::setup::sql::Sql;

const FIND: &str = include_str!("../../sql/merge_duplicates/find_duplicates.sql");

/// The recordings of one key, the oldest first.
pub struct Duplicates {
    pub owner: Uuid,
    pub source_app: String,
    pub external_id: String,
    pub recordings: Vec<Uuid>,
    /// The bank of each recording.
    pub banks: Vec<Option<Uuid>>,
}

/// duplicates(): all keys that more than one recording has.
pub fn report(schema: &ExtensionSchema, result: &ResultRows) -> Result<(), Failure> {
    must_have_ids(schema, &["recordings"])?;
    must_see_all_rows(&format!("{}.recordings", schema.quoted))?;
    Sql::new(schema, FIND).rows_into(result, &[]);
    Ok(())
}

/// The same, for merging. The ids have been looked at.
pub fn find(schema: &ExtensionSchema) -> Result<Vec<Duplicates>, Failure> {
    must_see_all_rows(&format!("{}.recordings", schema.quoted))?;
    Ok(Sql::new(schema, FIND).rows(&[], |row| Duplicates {
        owner: row.require(1),
        source_app: row.require(2),
        external_id: row.require(3),
        recordings: row.require(4),
        banks: row.require(5),
    }))
}
