//! What a benchmark needs for its measurements.

use std::path::PathBuf;

use crate::server::Server;

pub struct Bench {
    /// The server with the build that is measured.
    pub server: Server,
    /// An earlier build to compare it with.
    pub before: Option<Before>,
    pub rounds: usize,
    /// The folder for the raw figures and the chart.
    pub output: PathBuf,
}

/// An earlier build of the extension, on a server of its own: a server loads one library of a name.
pub struct Before {
    pub server: Server,
    /// The revision as the user gave it.
    pub revision: String,
}
