//! What every importer is prepared as.

use crate::error::Result;

/// Imports all staged records at each call, and returns the microseconds a record.
pub type Session = Box<dyn FnMut() -> Result<f64>>;
