//! What a record costs as the table grows, from ten thousand recordings to two million.

use std::thread;

use postgres::Client;
use serde_json::json;

use crate::bench::Bench;
use crate::chart::{self, Curve};
use crate::error::Result;
use crate::fill::{self, Ids};
use crate::importers::statement::{self, BARE_SET, BATCHES};
use crate::measurement::{Measurement, Unit, microseconds};
use crate::rounds::{Pair, interleave, median};
use crate::server::OWNER;
use crate::staging::{self, BATCH, SMALL};

const SIZES: [i32; 7] = [10_000, 50_000, 100_000, 200_000, 500_000, 1_000_000, 2_000_000];

/// The cost of a record in a table of that many recordings.
struct Point {
    recordings: i32,
    pair: Pair,
}

/// Measures both sides at each size, each on tables with ids as it generates them.
///
/// There is no checkpoint in between: the first change of a page after a checkpoint writes the whole page to the WAL, and
/// the larger the table, the fewer changes share a page. That cost is the same for both sides and would hide the growth.
pub fn growth(bench: &Bench) -> Result<Vec<Measurement>> {
    // One batch for each round and one for the unmeasured round.
    let batches_a_size = bench.rounds as i32 + 1;
    let staged = batches_a_size * BATCH * SIZES.len() as i32;
    let ours = bench.server.database("bench_ours")?;
    staging::stage(&mut ours.owner()?, staged, SMALL.transcript)?;
    let baseline = bench.server.copy(ours.name(), "bench_baseline")?;
    let (mut our_superuser, mut baseline_superuser) = (ours.superuser()?, baseline.superuser()?);
    let (mut our_client, mut baseline_client) = (ours.owner()?, baseline.owner()?);

    let mut points = Vec::new();
    let (mut filled, mut imported) = (0, 0);
    for recordings in SIZES {
        // The table reaches this size half-way through the rounds.
        let wanted = recordings - imported - batches_a_size * BATCH / 2;
        let grow = |superuser: &mut Client, ids: Ids| -> Result<()> {
            if wanted > filled {
                fill::fill(superuser, filled + 1, wanted, ids)?;
            }
            Ok(superuser.batch_execute("VACUUM ANALYZE recordings, vault_entries")?)
        };
        // In parallel: nothing is measured here.
        thread::scope(|scope| -> Result<()> {
            let baseline =
                scope.spawn(|| grow(&mut baseline_superuser, Ids::Random).map_err(|error| error.to_string()));
            grow(&mut our_superuser, Ids::ByTime)?;
            Ok(baseline.join().map_err(|_| "the thread that fills the table panicked")??)
        })?;
        filled = filled.max(wanted);
        let (mut our_first, mut baseline_first) = (imported + 1, imported + 1);
        let pair = interleave(
            bench.rounds,
            || {
                our_first += BATCH;
                statement::import(&mut our_client, BATCHES, OWNER, our_first - BATCH, our_first - 1)
            },
            || {
                baseline_first += BATCH;
                statement::import(&mut baseline_client, BARE_SET, OWNER, baseline_first - BATCH, baseline_first - 1)
            },
        )?;
        imported += batches_a_size * BATCH;
        for superuser in [&mut our_superuser, &mut baseline_superuser] {
            staging::check_counts(superuser, (filled + imported).into())?;
        }
        eprintln!(
            "   {recordings} recordings: ours {}, B1 {}",
            microseconds(median(&pair.ours)),
            microseconds(median(&pair.baseline)),
        );
        points.push(Point { recordings, pair });
    }
    let caption = "Cost of a new record (2 kB transcript) as the table grows";
    chart::draw(caption, &curves(&points), &bench.output.join("growth.svg"))?;
    Ok(vec![measurement(&points)])
}

fn curves(points: &[Point]) -> [Curve; 2] {
    let curve = |name, cost: fn(&Pair) -> &[f64]| {
        let points = points.iter().map(|point| (f64::from(point.recordings), median(cost(&point.pair))));
        Curve { name, points: points.collect() }
    };
    [
        curve("run_pipeline_batch, 1,000 records a call", |pair| &pair.ours),
        curve("B1, one bare INSERT … SELECT a 1,000 records", |pair| &pair.baseline),
    ]
}

fn measurement(points: &[Point]) -> Measurement {
    let (first, last) = (&points[0].pair, &points[points.len() - 1].pair);
    let growth = |first: &[f64], last: &[f64]| median(last) / median(first);
    let raw: Vec<_> = points
        .iter()
        .map(|Point { recordings, pair }| {
            json!({"recordings": recordings, "ours_us": pair.ours, "baseline_us": pair.baseline})
        })
        .collect();
    Measurement {
        what: "a record into 2 million recordings / into 10,000, in batches; baseline: B1's own".to_owned(),
        ours: format!("{} / {}", microseconds(median(&last.ours)), microseconds(median(&first.ours))),
        baseline: format!("{:.2}", growth(&first.baseline, &last.baseline)),
        figure: growth(&first.ours, &last.ours),
        unit: Unit::Ratio,
        spread: Some(Pair { ours: last.ours.clone(), baseline: first.ours.clone() }.spread()),
        target: Some(1.3),
        raw: raw.into(),
    }
}
