//! The outcome of a record and of a batch, and their JSON.

use std::collections::HashSet;

use serde::ser::{Serialize, SerializeMap, Serializer};
use uuid::Uuid;

use crate::error::Failure;
use crate::record::Parsed;

/// The outcome of one record.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The recording was inserted; its id is None after a dry run. The warning says why a vault entry is missing.
    Imported { id: Option<Uuid>, warning: Option<String> },
    /// The record's key exists; `existing` is the recording, if visible to the caller.
    Skipped { existing: Option<Uuid> },
    /// Nothing of the record was imported.
    Failed(Failure),
}

impl Outcome {
    fn new_id(&self) -> Option<Uuid> {
        match self {
            Outcome::Imported { id, .. } => *id,
            _ => None,
        }
    }
}

/// The *pipeline result* of one record, in the shape that the TypeScript pipeline returned.
pub struct PipelineResult {
    pub outcome: Outcome,
    /// Why a failed record of a batch could not be kept for a retry.
    pub warning: Option<String>,
    /// Keys of the record that the pipeline doesn't know.
    pub ignored_fields: Vec<String>,
}

impl PipelineResult {
    fn serialize_fields<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        match &self.outcome {
            Outcome::Imported { id, warning } => {
                map.serialize_entry("success", &true)?;
                if let Some(id) = id {
                    map.serialize_entry("recordingId", id)?;
                }
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
                if let Some(warning) = &self.warning {
                    map.serialize_entry("warning", warning)?;
                }
            }
        }
        if !self.ignored_fields.is_empty() {
            map.serialize_entry("ignoredFields", &self.ignored_fields)?;
        }
        Ok(())
    }
}

/// The *batch result*: counts, and the result of each record.
pub struct BatchResult {
    pub results: Vec<PipelineResult>,
    /// The external id of each record, if readable.
    pub external_ids: Vec<Option<String>>,
}

impl BatchResult {
    /// Combines results and their records, which are in the same order.
    pub fn new<'a, R: 'a>(results: Vec<PipelineResult>, records: impl Iterator<Item = &'a Parsed<'a, R>>) -> Self {
        let external_ids = records.map(|record| record.external_id.as_ref().map(ToString::to_string)).collect();
        Self { results, external_ids }
    }

    pub fn imported(&self) -> usize {
        self.count(|outcome| matches!(outcome, Outcome::Imported { .. }))
    }

    pub fn skipped(&self) -> usize {
        self.count(|outcome| matches!(outcome, Outcome::Skipped { .. }))
    }

    pub fn failed(&self) -> usize {
        self.count(|outcome| matches!(outcome, Outcome::Failed(_)))
    }

    /// Removes the ids of recordings that a dry run rolled back.
    pub fn forget_new_ids(&mut self) {
        let new: HashSet<Uuid> = self.results.iter().filter_map(|result| result.outcome.new_id()).collect();
        for result in &mut self.results {
            match &mut result.outcome {
                Outcome::Imported { id, .. } => *id = None,
                Outcome::Skipped { existing } => *existing = existing.filter(|id| !new.contains(id)),
                Outcome::Failed(_) => {}
            }
        }
    }

    fn count(&self, of_kind: impl Fn(&Outcome) -> bool) -> usize {
        self.results.iter().filter(|result| of_kind(&result.outcome)).count()
    }
}

impl Serialize for BatchResult {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let entries = self.results.iter().zip(&self.external_ids).enumerate();
        let mut map = serializer.serialize_map(Some(5))?;
        map.serialize_entry("total", &self.results.len())?;
        map.serialize_entry("imported", &self.imported())?;
        map.serialize_entry("skipped", &self.skipped())?;
        map.serialize_entry("failed", &self.failed())?;
        let entries: Vec<_> =
            entries.map(|(index, (result, external_id))| BatchEntry { index, result, external_id }).collect();
        map.serialize_entry("results", &entries)?;
        map.end()
    }
}

/// A pipeline result with its place in the batch.
struct BatchEntry<'a> {
    index: usize,
    result: &'a PipelineResult,
    external_id: &'a Option<String>,
}

impl Serialize for BatchEntry<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("index", &self.index)?;
        map.serialize_entry("externalId", self.external_id)?;
        self.result.serialize_fields(&mut map)?;
        map.end()
    }
}

impl Serialize for PipelineResult {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        self.serialize_fields(&mut map)?;
        map.end()
    }
}
