//! Counts the checks of each property and collects the violations.

use std::collections::BTreeMap;
use std::fmt;

use crate::workload::Key;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Property {
    Once,
    Acknowledged,
    NothingElse,
    AllOrNothing,
    Entries,
    Contents,
    Places,
    Sums,
    Deserved,
    Errors,
    Duplicates,
    Jobs,
    Failures,
    Banks,
    Backfills,
    Replay,
    Storage,
    Answers,
}

impl Property {
    pub const ALL: [Property; 18] = [
        Property::Once,
        Property::Acknowledged,
        Property::NothingElse,
        Property::AllOrNothing,
        Property::Entries,
        Property::Contents,
        Property::Places,
        Property::Sums,
        Property::Deserved,
        Property::Errors,
        Property::Duplicates,
        Property::Jobs,
        Property::Failures,
        Property::Banks,
        Property::Backfills,
        Property::Replay,
        Property::Storage,
        Property::Answers,
    ];
}

impl fmt::Display for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Property::Once => "each key is imported once, and has one row",
            Property::Acknowledged => "every acknowledged import is there, with the id that was returned",
            Property::NothingElse => "every row was acknowledged, or the outcome of its commit is unknown",
            Property::AllOrNothing => "a transaction leaves all or nothing, an error leaves nothing",
            Property::Entries => "every recording has its vault entry or its warning, no entry is without recording",
            Property::Contents => "every recording has the contents of its record",
            Property::Places => {
                "every recording is in its owner's bank or the one it names, its entry in that bank's vault"
            }
            Property::Sums => "imported + skipped + failed = records given, in their order",
            Property::Deserved => "each result says what the record deserves",
            Property::Errors => "only errors that the situation explains reach a caller",
            Property::Duplicates => "check_duplicate knows what is imported, or raises",
            Property::Jobs => "sync jobs equal a recount",
            Property::Failures => "kept failures equal a recount, attempt by attempt",
            Property::Banks => "each owner has one personal bank at most",
            Property::Backfills => "what backfills count equals what is there",
            Property::Replay => "a replay imports what is missing, a second one changes nothing",
            Property::Storage => "pg_amcheck finds nothing",
            Property::Answers => "every call is answered in time, and a conflict ends",
        })
    }
}

#[derive(Debug)]
pub struct Violation {
    pub property: Property,
    pub key: Option<Key>,
    pub what: String,
}

#[derive(Default)]
pub struct Checks {
    counts: BTreeMap<Property, u64>,
    pub violations: Vec<Violation>,
}

impl Checks {
    pub fn holds(&mut self, property: Property, key: Option<Key>, holds: bool, what: impl FnOnce() -> String) {
        *self.counts.entry(property).or_default() += 1;
        if !holds {
            self.violations.push(Violation { property, key, what: what() });
        }
    }

    pub fn equal<T: PartialEq + fmt::Debug>(&mut self, property: Property, what: &str, is: &T, should_be: &T) {
        self.holds(property, None, is == should_be, || format!("{what}: {is:?}, should be {should_be:?}"));
    }

    pub fn count(&self, property: Property) -> u64 {
        self.counts.get(&property).copied().unwrap_or_default()
    }

    pub fn are_violated(&self, property: Property) -> usize {
        self.violations.iter().filter(|violation| violation.property == property).count()
    }
}
