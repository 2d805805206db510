//! What a new record costs in batches.

use crate::bench::Bench;
use crate::comparison::{Baseline, Comparison, Records};
use crate::error::Result;
use crate::importers::Importer;
use crate::importers::statement::{BARE_SET, BATCHES};
use crate::measurement::Measurement;
use crate::staging::SIZES;

const BASELINES: [Baseline; 2] = [
    Baseline { name: "B0", importer: Importer::Copy, target: 1.1 },
    Baseline { name: "B1", importer: Importer::Statement(BARE_SET), target: 1.0 },
];

pub fn batches(bench: &Bench) -> Result<Vec<Measurement>> {
    let mut measurements = Vec::new();
    for size in &SIZES {
        let comparison = Comparison {
            what: "batches of 1,000 new records".to_owned(),
            records: Records::New,
            size,
            ours: Importer::Statement(BATCHES),
        };
        measurements.extend(comparison.against(bench, &BASELINES)?);
    }
    Ok(measurements)
}
