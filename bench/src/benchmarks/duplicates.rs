//! What a record costs that is imported already.

use crate::bench::Bench;
use crate::comparison::{Baseline, Comparison, Records};
use crate::error::Result;
use crate::importers::Importer;
use crate::importers::calls::Form;
use crate::importers::statement::{BARE_SET, BATCHES};
use crate::measurement::Measurement;
use crate::staging::SIZES;

const CALLS: Importer = Importer::Calls(Form::Select, "run_pipeline");
const B3: Baseline = Baseline { name: "B3", importer: Importer::Calls(Form::Select, "plpgsql_pipeline"), target: 0.5 };
const B1: Baseline = Baseline { name: "B1", importer: Importer::Statement(BARE_SET), target: 1.5 };

pub fn duplicates(bench: &Bench) -> Result<Vec<Measurement>> {
    let mut measurements = Vec::new();
    for size in &SIZES {
        for (what, ours, baseline) in [
            ("`run_pipeline`, duplicates", CALLS, B3),
            ("batches of 1,000 duplicates", Importer::Statement(BATCHES), B1),
        ] {
            let comparison = Comparison { what: what.to_owned(), records: Records::Duplicates, size, ours };
            measurements.extend(comparison.against(bench, &[baseline])?);
        }
    }
    Ok(measurements)
}
