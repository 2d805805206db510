//! Compares importers on new records or on duplicates, each on a database of its own.

use postgres::Client;

use crate::bench::{Before, Bench};
use crate::database::Database;
use crate::error::Result;
use crate::importers::session::Session;
use crate::importers::{Importer, statement};
use crate::measurement::Measurement;
use crate::rounds::{Pair, interleave};
use crate::server::{OWNER, Server};
use crate::staging::{self, Size};

#[derive(Clone, Copy)]
pub enum Records {
    /// The tables are empty before each round.
    New,
    /// All records are in the tables from the start.
    Duplicates,
}

/// A baseline for [`Comparison::against`], and the largest ratio that meets the target.
pub struct Baseline {
    pub name: &'static str,
    pub importer: Importer,
    pub target: f64,
}

pub struct Comparison<'a> {
    pub what: String,
    pub records: Records,
    pub size: &'a Size,
    pub ours: Importer,
}

impl Comparison<'_> {
    /// Measures our importer against each baseline, and against the earlier build where there is one.
    pub fn against(&self, bench: &Bench, baselines: &[Baseline]) -> Result<Vec<Measurement>> {
        let size = self.size.name;
        let mut measurements = Vec::new();
        for Baseline { name, importer, target } in baselines {
            let pair = self.measure(bench, &bench.server, *importer)?;
            measurements.push(Measurement::ratio(format!("{} / {name}, {size}", self.what), *target, &pair));
        }
        if let Some(Before { server, revision }) = &bench.before {
            let pair = self.measure(bench, server, self.ours)?;
            measurements.push(Measurement::ratio(format!("{} / build of {revision}, {size}", self.what), None, &pair));
        }
        Ok(measurements)
    }

    fn measure(&self, bench: &Bench, baseline_server: &Server, baseline: Importer) -> Result<Pair> {
        let mut ours = Side::open(&bench.server, "bench_ours", self.ours, self.size, self.records)?;
        let mut baseline = Side::open(baseline_server, "bench_baseline", baseline, self.size, self.records)?;
        interleave(bench.rounds, || ours.round(), || baseline.round())
    }
}

/// One importer of a comparison.
struct Side {
    session: Session,
    superuser: Client,
    records: Records,
    count: i32,
    // Dropped last: the database goes with it.
    _database: Database,
}

impl Side {
    fn open(server: &Server, name: &str, importer: Importer, size: &Size, records: Records) -> Result<Self> {
        let database = server.database(name)?;
        let mut owner = database.owner()?;
        let mut superuser = database.superuser()?;
        staging::stage(&mut owner, size.records, size.transcript)?;
        let session = importer.open(&database, size)?;
        if let Records::Duplicates = records {
            statement::import(&mut owner, statement::BARE_SET, OWNER, 1, size.records)?;
            staging::vacuum(&mut superuser)?;
        }
        Ok(Self { session, superuser, records, count: size.records, _database: database })
    }

    /// Imports the records once, and returns the microseconds a record.
    fn round(&mut self) -> Result<f64> {
        if let Records::New = self.records {
            staging::truncate(&mut self.superuser)?;
        }
        let time = (self.session)()?;
        staging::check_counts(&mut self.superuser, self.count.into())?;
        Ok(time)
    }
}
