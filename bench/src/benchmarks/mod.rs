//! The benchmarks by name.

mod batches;
mod calls;
mod connections;
mod duplicates;
mod growth;
mod memory;
mod reading;
mod side_effects;
mod stale_plan;
mod wire;

use crate::bench::Bench;
use crate::error::Result;
use crate::measurement::Measurement;

type Benchmark = (&'static str, fn(&Bench) -> Result<Vec<Measurement>>);

const BENCHMARKS: [Benchmark; 14] = [
    ("batches", batches::batches),
    ("calls-select", calls::select),
    ("calls-loop", calls::in_loop),
    ("calls-prepared", calls::prepared),
    ("calls-authenticated", calls::select_as_authenticated),
    ("calls-50kB", calls::select_large),
    ("duplicates", duplicates::duplicates),
    ("wire", wire::wire),
    ("reading", reading::reading),
    ("growth", growth::growth),
    ("stale-plan", stale_plan::stale_plan),
    ("memory", memory::memory),
    ("side-effects", side_effects::side_effects),
    ("connections", connections::connections),
];

/// Finds the benchmarks whose name starts with one of the prefixes; all where no prefix is given.
pub fn find(prefixes: &[String]) -> Result<Vec<Benchmark>> {
    let starts_with = |name: &str, prefix: &String| name.starts_with(prefix.as_str());
    if let Some(unknown) = prefixes.iter().find(|prefix| !BENCHMARKS.iter().any(|(name, _)| starts_with(name, prefix)))
    {
        let names = BENCHMARKS.map(|(name, _)| name).join(", ");
        return Err(format!("no benchmark's name starts with {unknown:?}; the names are {names}").into());
    }
    let is_asked = |name| prefixes.is_empty() || prefixes.iter().any(|prefix| starts_with(name, prefix));
    Ok(BENCHMARKS.into_iter().filter(|(name, _)| is_asked(name)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(prefixes: &[&str]) -> Result<Vec<&'static str>> {
        let prefixes: Vec<String> = prefixes.iter().map(|prefix| (*prefix).to_owned()).collect();
        Ok(find(&prefixes)?.iter().map(|(name, _)| *name).collect())
    }

    #[test]
    fn a_prefix_finds_every_benchmark_whose_name_starts_with_it() {
        assert_eq!(names(&["calls-s", "wire"]).unwrap(), ["calls-select", "wire"]);
        assert_eq!(names(&["calls"]).unwrap().len(), 5);
    }

    #[test]
    fn no_prefix_finds_all_benchmarks() {
        assert_eq!(names(&[]).unwrap().len(), BENCHMARKS.len());
    }

    #[test]
    fn an_unknown_prefix_is_refused_with_the_names() {
        let error = names(&["wire", "rows"]).unwrap_err().to_string();
        assert!(error.contains("\"rows\"") && error.contains("calls-loop"), "{error}");
    }
}
