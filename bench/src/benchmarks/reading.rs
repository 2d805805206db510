//! What the read-only functions cost on a table of a million recordings.

use std::time::{Duration, Instant};

use postgres::Client;
use postgres::error::SqlState;
use postgres::types::ToSql;

use crate::bench::Bench;
use crate::error::Result;
use crate::fill::{self, Ids};
use crate::measurement::{Measurement, microseconds};
use crate::rounds::{Pair, interleave};
use crate::server::OWNER;
use crate::staging;

const RECORDINGS: i32 = 1_000_000;
/// One call is too short to measure.
const CALLS: u32 = 20;

/// A longer call is cancelled and counts as this long.
const LIMIT: Duration = Duration::from_secs(5);

const COUNTS: &str = "SELECT * FROM get_import_counts($1)";
const CHECK: &str = "SELECT * FROM check_duplicates($1, $2, $3)";

pub fn reading(bench: &Bench) -> Result<Vec<Measurement>> {
    let database = bench.server.database("bench_ours")?;
    let mut superuser = database.superuser()?;
    fill::fill(&mut superuser, 1, RECORDINGS, Ids::ByTime)?;
    staging::vacuum(&mut superuser)?;
    let (mut owner, mut other, mut user) = (database.owner()?, database.owner()?, database.authenticated(OWNER)?);

    let whose: &[&(dyn ToSql + Sync)] = &[&OWNER];
    let counts = include_str!("../../baselines/import_counts.sql");
    let counting = compare(bench, (&mut owner, COUNTS), (&mut other, counts), whose, 1)?;
    let counting_as_user = compare(bench, (&mut user, COUNTS), (&mut owner, COUNTS), whose, 1)?;

    // Every second id is imported.
    let ids: Vec<String> = superuser
        .query(
            "SELECT left(md5(CASE WHEN n % 2 = 0 THEN 'filled ' ELSE 'other ' END || n * 500), 16)
             FROM generate_series(1, 1000) AS n",
            &[],
        )?
        .iter()
        .map(|row| row.get(0))
        .collect();
    let asked: &[&(dyn ToSql + Sync)] = &[&OWNER, &"fathom", &ids];
    let join = include_str!("../../baselines/check_duplicates.sql");
    let checking = compare(bench, (&mut owner, CHECK), (&mut other, join), asked, CALLS)?;
    let checking_as_user = compare(bench, (&mut user, CHECK), (&mut owner, CHECK), asked, CALLS)?;

    let mut measurements = vec![
        Measurement::ratio("`get_import_counts`, 1 million recordings / the bare `GROUP BY`", 1.1, &counting),
        Measurement::ratio("`check_duplicates`, 1,000 ids in 1 million / the bare join", 1.3, &checking),
        Measurement::ratio("`check_duplicates` as `authenticated` / as the owner", 1.3, &checking_as_user),
        Measurement::ratio("`get_import_counts` as `authenticated` / as the owner", 1.3, &counting_as_user),
    ];
    for measurement in
        measurements.iter_mut().filter(|measurement| measurement.ours == microseconds(LIMIT.as_secs_f64() * 1e6))
    {
        measurement.ours.insert_str(0, "over ");
    }
    Ok(measurements)
}

fn compare(
    bench: &Bench,
    ours: (&mut Client, &str),
    baseline: (&mut Client, &str),
    params: &[&(dyn ToSql + Sync)],
    calls: u32,
) -> Result<Pair> {
    interleave(bench.rounds, || time(ours.0, ours.1, params, calls), || time(baseline.0, baseline.1, params, calls))
}

/// Microseconds a call; at most [`LIMIT`].
fn time(client: &mut Client, sql: &str, params: &[&(dyn ToSql + Sync)], calls: u32) -> Result<f64> {
    client.batch_execute(&format!("SET statement_timeout = '{}s'", LIMIT.as_secs()))?;
    let statement = client.prepare(sql)?;
    let start = Instant::now();
    for _ in 0..calls {
        match client.query(&statement, params) {
            Err(error) if error.code() == Some(&SqlState::QUERY_CANCELED) => return Ok(LIMIT.as_secs_f64() * 1e6),
            outcome => outcome?,
        };
    }
    Ok(start.elapsed().as_secs_f64() * 1e6 / f64::from(calls))
}
