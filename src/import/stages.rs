//! Runs the stages of the pipeline in order.

use std::cell::Cell;

use crate::call::Call;
use crate::import::candidate::Candidate;
use crate::import::isolate::Mode;
use crate::import::key_group::KeyGroup;
use crate::import::{banks, duplicates, recordings, vault_entries};
use crate::outcome::Outcome;

/// Runs all stages; returns the outcome of each candidate.
///
/// `is_inserting` is true while recordings are inserted: an error that ends the run then is about a recording.
pub fn run(call: &Call, mode: Mode, candidates: &[Candidate], is_inserting: &Cell<bool>) -> Vec<(usize, Outcome)> {
    let mut outcomes = Vec::with_capacity(candidates.len());
    let new = duplicates::skip(call, mode, candidates, &mut outcomes);
    let banks = banks::find(call, mode, &new);
    let mut groups = KeyGroup::of_candidates(&new, &banks, &mut outcomes);
    is_inserting.set(true);
    recordings::insert(call, mode, &mut groups);
    is_inserting.set(false);
    vault_entries::insert(call, mode, &mut groups);
    groups.into_iter().for_each(|group| group.report(&mut outcomes));
    outcomes
}
