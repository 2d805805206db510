//! Runs random cases until a case fails, and makes the failing case small.
//!
//! CONNECTOR_PIPELINE_FUZZ_CASES is the number of cases, CONNECTOR_PIPELINE_FUZZ_SEED the seed of the random numbers:
//! the same seed gives the same cases. The defaults are CASES and SEED.

use std::env;
use std::fmt::Debug;

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

const CASES: u32 = 2000;
const SEED: u64 = 1;

pub fn cases() -> u32 {
    setting("CONNECTOR_PIPELINE_FUZZ_CASES").unwrap_or(CASES)
}

/// Fails the test with the smallest case that fails `check`, if there is one.
pub fn run<T: Debug>(what: &str, strategy: &impl Strategy<Value = T>, check: impl Fn(&T) -> Result<(), String>) {
    let seed = setting("CONNECTOR_PIPELINE_FUZZ_SEED").unwrap_or(SEED);
    let cases = cases();
    if let Err((reason, case)) = smallest_failure(cases, seed, strategy, check) {
        panic!(
            "{what}: {reason}\n{case:#?}\nTo repeat: dev/fuzz --seed {seed} --cases {cases}\nWhen you have fixed the fault, add this case as a test with a name."
        );
    }
    println!("{what}: {cases} cases from seed {seed}");
}

/// Returns the first case that fails `check`, made as small as possible.
pub fn smallest_failure<T: Debug>(
    cases: u32,
    seed: u64,
    strategy: &impl Strategy<Value = T>,
    check: impl Fn(&T) -> Result<(), String>,
) -> Result<(), (String, T)> {
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 1500, ..Config::default() };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    match runner.run(strategy, |case| check(&case).map_err(TestCaseError::fail)) {
        Ok(()) => Ok(()),
        Err(TestError::Fail(reason, case)) => Err((reason.message().to_owned(), case)),
        Err(TestError::Abort(reason)) => panic!("no cases can be made: {reason}"),
    }
}

fn setting<T: std::str::FromStr>(name: &str) -> Option<T> {
    let value = env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} must be a number, not {value}")))
}
