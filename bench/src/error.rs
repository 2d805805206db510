//! The error type of the benchmark: a message for the person who runs it.

use std::error::Error;

pub type Result<T> = std::result::Result<T, Box<dyn Error>>;
