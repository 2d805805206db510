//! What a new record costs in a call of its own, in each form of call.

use crate::bench::Bench;
use crate::comparison::{Baseline, Comparison, Records};
use crate::error::Result;
use crate::importers::Importer;
use crate::importers::calls::Form;
use crate::measurement::Measurement;
use crate::staging::{LARGE, SMALL, Size};

pub fn select(bench: &Bench) -> Result<Vec<Measurement>> {
    new_records(bench, Form::Select, &SMALL, 0.75)
}

/// Here the ratio to B3 says little: under row-level security B3's look-up reads all recordings of the owner and source,
/// since `->>` is not leakproof and so can't be an index condition below the policies. B2L has no such look-up.
pub fn select_as_authenticated(bench: &Bench) -> Result<Vec<Measurement>> {
    new_records(bench, Form::SelectAsAuthenticated, &SMALL, 0.75)
}

pub fn in_loop(bench: &Bench) -> Result<Vec<Measurement>> {
    new_records(bench, Form::Loop, &SMALL, 0.75)
}

pub fn prepared(bench: &Bench) -> Result<Vec<Measurement>> {
    new_records(bench, Form::Prepared, &SMALL, 0.75)
}

pub fn select_large(bench: &Bench) -> Result<Vec<Measurement>> {
    new_records(bench, Form::Select, &LARGE, 0.6)
}

fn new_records(bench: &Bench, form: Form, size: &Size, target_of_b3: f64) -> Result<Vec<Measurement>> {
    let comparison = Comparison {
        what: format!("`run_pipeline`, new records, {form}"),
        records: Records::New,
        size,
        ours: Importer::Calls(form, "run_pipeline"),
    };
    let baselines = [
        Baseline { name: "B2L", importer: Importer::Calls(form, "bare_row_with_lookups"), target: 1.0 },
        Baseline { name: "B3", importer: Importer::Calls(form, "plpgsql_pipeline"), target: target_of_b3 },
    ];
    comparison.against(bench, &baselines)
}
