//! What an import costs, in batches and record by record, of new records and of duplicates.

use std::cell::RefCell;

use postgres::Client;

use crate::Bench;
use crate::finding::Finding;
use crate::importers::{BARE_ROW, BARE_SET, BATCHES, Importer, PLPGSQL, ROWS};
use crate::rounds::{Pair, interleave};
use crate::server::{OWNER, Result};
use crate::staging::{self, SIZES, Size};

pub fn batches(bench: &Bench) -> Result<Vec<Finding>> {
    for_each_size(|size| {
        let pair = new_records(bench, size, BATCHES, BARE_SET)?;
        Ok(vec![Finding::ratio(format!("batches of 1,000 new records / B1, {}", size.name), 1.0, &pair)])
    })
}

pub fn rows(bench: &Bench) -> Result<Vec<Finding>> {
    for_each_size(|size| {
        let bare_row = new_records(bench, size, ROWS, BARE_ROW)?;
        let plpgsql = new_records(bench, size, ROWS, PLPGSQL)?;
        Ok(vec![
            Finding::ratio(format!("`run_pipeline`, new records / B2, {}", size.name), 1.0, &bare_row),
            Finding::ratio(format!("`run_pipeline`, new records / B3, {}", size.name), 0.6, &plpgsql),
        ])
    })
}

pub fn duplicates(bench: &Bench) -> Result<Vec<Finding>> {
    for_each_size(|size| {
        let plpgsql = known_records(bench, size, ROWS, PLPGSQL)?;
        let bare_set = known_records(bench, size, BATCHES, BARE_SET)?;
        Ok(vec![
            Finding::ratio(format!("`run_pipeline`, duplicates / B3, {}", size.name), 0.8, &plpgsql),
            Finding::ratio(format!("batches of 1,000 duplicates / B1, {}", size.name), 1.5, &bare_set),
        ])
    })
}

fn for_each_size(measure: impl Fn(&Size) -> Result<Vec<Finding>>) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for size in &SIZES {
        findings.extend(measure(size)?);
    }
    Ok(findings)
}

/// Each round begins with empty tables.
fn new_records(bench: &Bench, size: &Size, ours: Importer, theirs: Importer) -> Result<Pair> {
    let database = bench.server.database("bench_work")?;
    let (mut our_client, mut their_client) = (database.owner()?, database.owner()?);
    staging::stage(&mut our_client, size.records, size.transcript)?;
    let superuser = RefCell::new(database.superuser()?);
    let round = |importer: &Importer, client: &mut Client| {
        let mut superuser = superuser.borrow_mut();
        staging::empty(&mut superuser)?;
        let time = importer.import(client, OWNER, 1, size.records)?;
        staging::check(&mut superuser, size.records.into())?;
        Ok(time)
    };
    interleave(bench.rounds, || round(&ours, &mut our_client), || round(&theirs, &mut their_client))
}

/// All records are in from the beginning.
fn known_records(bench: &Bench, size: &Size, ours: Importer, theirs: Importer) -> Result<Pair> {
    let database = bench.server.database("bench_work")?;
    let (mut our_client, mut their_client) = (database.owner()?, database.owner()?);
    let mut superuser = database.superuser()?;
    staging::stage(&mut our_client, size.records, size.transcript)?;
    BARE_SET.import(&mut our_client, OWNER, 1, size.records)?;
    staging::settle(&mut superuser)?;
    let pair = interleave(
        bench.rounds,
        || ours.import(&mut our_client, OWNER, 1, size.records),
        || theirs.import(&mut their_client, OWNER, 1, size.records),
    )?;
    staging::check(&mut superuser, size.records.into())?;
    Ok(pair)
}
