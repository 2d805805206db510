//! What became of a record, and the JSON that says so.

use serde::ser::{Serialize, SerializeMap, Serializer};
use uuid::Uuid;

use crate::error::Failure;

/// What the pipeline did with one record.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The recording is in. With a warning: its vault entry is not, and why.
    Imported { id: Uuid, warning: Option<String> },
    /// The record's key was there already; the id of its recording where the caller may see it.
    Skipped { existing: Option<Uuid> },
    /// Nothing of the record is in.
    Failed(Failure),
}

/// The *pipeline result* of one record, in the shape that the TypeScript pipeline returned.
pub struct PipelineResult {
    pub outcome: Outcome,
    /// Keys of the record that the pipeline doesn't know.
    pub ignored_fields: Vec<String>,
}

impl PipelineResult {
    fn serialize_fields<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        match &self.outcome {
            Outcome::Imported { id, warning } => {
                map.serialize_entry("success", &true)?;
                map.serialize_entry("recordingId", id)?;
                if let Some(warning) = warning {
                    map.serialize_entry("warning", warning)?;
                }
            }
            Outcome::Skipped { existing } => {
                map.serialize_entry("success", &false)?;
                map.serialize_entry("skipped", &true)?;
                if let Some(id) = existing {
                    map.serialize_entry("recordingId", id)?;
                }
            }
            Outcome::Failed(failure) => {
                map.serialize_entry("success", &false)?;
                map.serialize_entry("error", &failure.text())?;
                map.serialize_entry("code", &failure.code.to_string())?;
            }
        }
        if !self.ignored_fields.is_empty() {
            map.serialize_entry("ignoredFields", &self.ignored_fields)?;
        }
        Ok(())
    }
}

impl Serialize for PipelineResult {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        self.serialize_fields(&mut map)?;
        map.end()
    }
}
