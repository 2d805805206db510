//! What a record costs as the table grows, from ten thousand recordings to two million.

use std::thread;

use postgres::Client;
use serde_json::json;

use crate::Bench;
use crate::filling::{self, Ids};
use crate::finding::{Finding, Unit, microseconds};
use crate::importers::{BARE_SET, BATCHES};
use crate::picture;
use crate::rounds::{Pair, interleave, median};
use crate::server::{OWNER, Result};
use crate::staging::{self, BATCH, SMALL};

const SIZES: [i32; 7] = [10_000, 50_000, 100_000, 200_000, 500_000, 1_000_000, 2_000_000];

/// The cost of a record in a table of so many recordings.
pub struct Point {
    pub recordings: i32,
    pub pair: Pair,
}

/// Each contender has tables of its own that hold what it would have put there, ids above all.
///
/// There is no checkpoint in between: the first change of a page after one writes the whole page to the log, and the
/// larger the table, the fewer changes share a page. It is the same for everybody, and would hide what is to be seen.
pub fn growth(bench: &Bench) -> Result<Vec<Finding>> {
    // One batch in each round, and one before them.
    let batches_a_size = bench.rounds as i32 + 1;
    let staged = batches_a_size * BATCH * SIZES.len() as i32;
    let ours = bench.server.database("bench_growth_ours")?;
    staging::stage(&mut ours.owner()?, staged, SMALL.transcript)?;
    let theirs = bench.server.copy(ours.name(), "bench_growth_baseline")?;
    let (mut our_superuser, mut their_superuser) = (ours.superuser()?, theirs.superuser()?);
    let (mut our_client, mut their_client) = (ours.owner()?, theirs.owner()?);

    let mut points = Vec::new();
    let (mut filled, mut imported) = (0, 0);
    for recordings in SIZES {
        // So that the table passes this size half-way through the rounds.
        let wanted = recordings - imported - batches_a_size * BATCH / 2;
        let grow = |superuser: &mut Client, ids: Ids| -> Result<()> {
            if wanted > filled {
                filling::fill(superuser, filled + 1, wanted, ids)?;
            }
            Ok(superuser.batch_execute("VACUUM ANALYZE recordings, vault_entries")?)
        };
        // Both at once: nothing is measured here.
        thread::scope(|scope| -> Result<()> {
            let theirs = scope.spawn(|| grow(&mut their_superuser, Ids::Random).map_err(|error| error.to_string()));
            grow(&mut our_superuser, Ids::ByTime)?;
            Ok(theirs.join().map_err(|_| "the thread that fills the table panicked")??)
        })?;
        filled = filled.max(wanted);
        let (mut our_first, mut their_first) = (imported + 1, imported + 1);
        let pair = interleave(
            bench.rounds,
            || {
                our_first += BATCH;
                BATCHES.import(&mut our_client, OWNER, our_first - BATCH, our_first - 1)
            },
            || {
                their_first += BATCH;
                BARE_SET.import(&mut their_client, OWNER, their_first - BATCH, their_first - 1)
            },
        )?;
        imported += batches_a_size * BATCH;
        for superuser in [&mut our_superuser, &mut their_superuser] {
            staging::check(superuser, (filled + imported).into())?;
        }
        eprintln!(
            "   {recordings} recordings: ours {}, B1 {}",
            microseconds(median(&pair.ours)),
            microseconds(median(&pair.theirs)),
        );
        points.push(Point { recordings, pair });
    }
    picture::draw(&points, &bench.output.join("growth.svg"))?;
    Ok(vec![finding(&points)])
}

fn finding(points: &[Point]) -> Finding {
    let (first, last) = (&points[0].pair, &points[points.len() - 1].pair);
    let growth = |first: &[f64], last: &[f64]| median(last) / median(first);
    let raw: Vec<_> = points
        .iter()
        .map(|Point { recordings, pair }| {
            json!({"recordings": recordings, "ours_us": pair.ours, "baseline_us": pair.theirs})
        })
        .collect();
    Finding {
        what: "a record into 2 million recordings / into 10,000, in batches; baseline: B1's own".to_owned(),
        ours: format!("{} / {}", microseconds(median(&last.ours)), microseconds(median(&first.ours))),
        baseline: format!("{:.2}", growth(&first.theirs, &last.theirs)),
        figure: growth(&first.ours, &last.ours),
        unit: Unit::Ratio,
        spread: Some(Pair { ours: last.ours.clone(), theirs: first.ours.clone() }.spread()),
        target: Some(1.3),
        raw: raw.into(),
    }
}
