//! The shared stages, for one record and for many: one path.
//!
//! Dedup, bank, insert, vault entry: each stage is a statement or two for all records that have come so far. At first
//! everything runs in one subtransaction. Where that fails, the stages run again, each in subtransactions of its own
//! that leave out what fails (dedup leaves it to the index). So a good batch costs one subtransaction, and one record
//! takes the way of a batch of one.

pub mod batch;
pub mod duplicates;
mod failures;
mod isolate;
pub mod personal_bank;
pub mod retry;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use pgrx::PgSqlErrorCode;
use uuid::Uuid;

use crate::caller::Caller;
use crate::error::Failure;
use crate::outcome::{Outcome, PipelineResult};
use crate::pg::jsonb::{Element, Jsonb};
use crate::pg::run_as_owner;
use crate::pg::schema::Home;
use crate::pg::spi::Access;
use crate::pg::subtransaction;
use crate::queries::{BankRequest, Key, NewRecording, NewVaultEntry, Store, VaultRequest};
use crate::record::{self, Parsed, Record, Value};
use isolate::Verdict;

type ConnectorRecord<'a> = Record<'a, Element<'a>>;

/// A record as it was looked at, and the owner that was asked for beside it.
pub struct Given<'a> {
    pub element: Element<'a>,
    pub parsed: Parsed<'a, Element<'a>>,
    pub p_user_id: Option<Uuid>,
    /// The user whose record it is, where that is not the caller: it goes no further than that user could take it.
    pub on_behalf_of: Option<Uuid>,
}

/// Imports records; one result each, in their order.
pub fn run(home: &Home, caller: &Caller, records: &[Given]) -> Vec<PipelineResult> {
    let mut outcomes: Vec<Option<Outcome>> = Vec::with_capacity(records.len());
    let mut candidates = Vec::with_capacity(records.len());
    for (position, given) in records.iter().enumerate() {
        outcomes.push(match candidate(caller, position, given) {
            Ok(candidate) => {
                candidates.push(candidate);
                None
            }
            Err(failure) => Some(Outcome::Failed(failure)),
        });
    }
    // Key order is lock order: batches that overlap, in whatever order they came, wait for each other and never in a
    // circle. Of the same key the first given stays first.
    candidates.sort_by_key(|candidate| (candidate.key(), candidate.position));
    for (position, outcome) in import(&Stages::of(home, caller, &Store::of(home)), &candidates) {
        if let Outcome::Imported { id: Some(id), warning: Some(warning) } = &outcome {
            pgrx::warning!("recording {id}: {warning}");
        }
        outcomes[position] = Some(outcome);
    }
    let results = records.iter().zip(outcomes).map(|(given, outcome)| PipelineResult {
        outcome: outcome.expect("every candidate has an outcome"),
        warning: None,
        ignored_fields: given.parsed.ignored_fields.clone(),
    });
    results.collect()
}

/// Imports one record.
pub fn run_one(home: &Home, caller: &Caller, p_user_id: Option<Uuid>, p_record: Option<Jsonb<'_>>) -> PipelineResult {
    let Some(record) = p_record else {
        let outcome = Outcome::Failed(Failure::null_argument("p_record"));
        return PipelineResult { outcome, warning: None, ignored_fields: Vec::new() };
    };
    let given = Given::new(record.element(), p_user_id, None);
    run(home, caller, &[given]).pop().expect("a result for each record")
}

impl<'a> Given<'a> {
    /// Looks at a record, whatever it is.
    pub fn new(element: Element<'a>, p_user_id: Option<Uuid>, on_behalf_of: Option<Uuid>) -> Self {
        let parsed = match element.read() {
            Value::Object(object) => record::parse(object.fields()),
            other => record::not_an_object(&other),
        };
        Self { element, parsed, p_user_id, on_behalf_of }
    }
}

/// A record that is good by itself, with an owner that the caller may import for.
struct Candidate<'a> {
    position: usize,
    owner: Uuid,
    record: &'a ConnectorRecord<'a>,
}

impl<'a> Candidate<'a> {
    fn key(&self) -> Key<'a> {
        Key { owner: self.owner, source_app: self.record.source_app, external_id: &self.record.external_id }
    }

    fn bank_request(&self) -> BankRequest {
        BankRequest { owner: self.owner, bank_id: self.record.bank_id }
    }
}

fn candidate<'a>(caller: &Caller, position: usize, given: &'a Given<'a>) -> Result<Candidate<'a>, Failure> {
    let record = given.parsed.record.as_ref().map_err(|faults| Failure::invalid(faults.as_str()))?;
    let owner = caller.owner(given.p_user_id, record.owner_user_id)?;
    caller.must_be_allowed_for(owner)?;
    match given.on_behalf_of {
        Some(user) if user != owner => Err(not_that_users(user, owner)),
        _ => Ok(Candidate { position, owner, record }),
    }
}

/// The outcome of each candidate, by its position among the records.
fn import(stages: &Stages, candidates: &[Candidate]) -> Vec<(usize, Outcome)> {
    if candidates.is_empty() {
        return Vec::new();
    }
    let failure = match subtransaction::run(|| stages.run(Mode::Together, candidates)) {
        Ok(outcomes) => return outcomes,
        Err(failure) => failure,
    };
    match candidates {
        // Nothing is left to be taken apart, and a trigger that failed need not fail twice. (A unique violation may be
        // the dedup key's after all: see apart.rs.)
        [candidate] if stages.inserting.get() && !failure.is(PgSqlErrorCode::ERRCODE_UNIQUE_VIOLATION) => {
            vec![(candidate.position, Outcome::Failed(failure))]
        }
        _ => stages.run(Mode::Apart, candidates),
    }
}

/// How the stages guard against failure.
#[derive(Clone, Copy)]
enum Mode {
    /// Not at all: everything is in one subtransaction already.
    Together,
    /// Each by itself, and each record where it has to be.
    Apart,
}

impl Mode {
    fn attempt<T>(self, work: impl FnOnce() -> T) -> Result<T, Failure> {
        match self {
            Mode::Together => Ok(work()),
            Mode::Apart => subtransaction::run(work),
        }
    }

    fn for_each<T>(self, items: &mut [T], act: impl Fn(&mut [T]), blame: impl Fn(&mut T, Failure) -> Verdict) {
        match self {
            _ if items.is_empty() => {}
            Mode::Together => act(items),
            Mode::Apart => isolate::run(items, &act, &blame),
        }
    }
}

struct Stages<'a> {
    home: &'a Home,
    caller: &'a Caller,
    store: &'a Store,
    /// Set while recordings are inserted: an error that came then is about a recording.
    inserting: Cell<bool>,
}

impl<'a> Stages<'a> {
    fn of(home: &'a Home, caller: &'a Caller, store: &'a Store) -> Self {
        Self { home, caller, store, inserting: Cell::new(false) }
    }
}

impl Stages<'_> {
    fn run(&self, mode: Mode, candidates: &[Candidate]) -> Vec<(usize, Outcome)> {
        let mut outcomes = Vec::with_capacity(candidates.len());
        let fresh = self.skip_duplicates(mode, candidates, &mut outcomes);
        let mut lanes = self.find_lanes(mode, &fresh, &mut outcomes);
        self.inserting.set(true);
        mode.for_each(&mut lanes, |lanes| self.insert_recordings(lanes), Lane::blame);
        self.inserting.set(false);
        self.enter_vaults(mode, &mut lanes);
        lanes.into_iter().for_each(|lane| lane.report(&mut outcomes));
        outcomes
    }

    /// Dedup. Only a short cut: where the look-up fails, the dedup index still decides.
    fn skip_duplicates<'a>(
        &self,
        mode: Mode,
        candidates: &'a [Candidate<'a>],
        outcomes: &mut Vec<(usize, Outcome)>,
    ) -> Vec<&'a Candidate<'a>> {
        let keys: Vec<Key> = candidates.iter().map(Candidate::key).collect();
        let existing = mode.attempt(|| self.find_existing(&keys)).unwrap_or_else(|failure| {
            pgrx::warning!("dedup check failed, the import goes on: {}", failure.text());
            vec![None; keys.len()]
        });
        let mut fresh = Vec::with_capacity(candidates.len());
        for (candidate, existing) in candidates.iter().zip(existing) {
            match existing {
                Some(_) => outcomes.push((candidate.position, Outcome::Skipped { existing })),
                None => fresh.push(candidate),
            }
        }
        fresh
    }

    fn find_existing(&self, keys: &[Key]) -> Vec<Option<Uuid>> {
        duplicates::find_existing(self.home, self.caller, Access::Write, keys)
    }

    /// Finds the bank of each candidate, and gathers the candidates for one key.
    fn find_lanes<'a>(
        &self,
        mode: Mode,
        fresh: &[&'a Candidate<'a>],
        outcomes: &mut Vec<(usize, Outcome)>,
    ) -> Vec<Lane<'a>> {
        let banks = self.find_banks(mode, fresh.iter().map(|candidate| candidate.bank_request()).collect());
        let mut lanes: Vec<Lane> = Vec::with_capacity(fresh.len());
        for candidate in fresh {
            match &banks[&candidate.bank_request()] {
                Ok(bank_id) => {
                    let placed = Placed { candidate, bank_id: *bank_id };
                    match lanes.last_mut() {
                        Some(lane) if lane.first().candidate.key() == candidate.key() => lane.waiting.push_back(placed),
                        _ => lanes.push(Lane::new(placed)),
                    }
                }
                Err(failure) => match lanes.last_mut() {
                    Some(lane) if lane.first().candidate.key() == candidate.key() => {
                        lane.refused.push((candidate.position, failure.clone()));
                    }
                    _ => outcomes.push((candidate.position, Outcome::Failed(failure.clone()))),
                },
            }
        }
        lanes
    }

    fn find_banks(&self, mode: Mode, requests: BTreeSet<BankRequest>) -> BTreeMap<BankRequest, Result<Uuid, Failure>> {
        let found = self.look_up(mode, requests, |requests| self.store.find_banks(requests));
        let found = found.into_iter().map(|(request, bank)| {
            let bank = bank.and_then(|bank| match bank {
                Some(bank) => Ok(bank),
                None if request.bank_id.is_none() => self.make_personal_bank(mode, &request),
                None => Err(not_a_member(&request)),
            });
            (request, bank)
        });
        found.collect()
    }

    fn find_vaults(&self, mode: Mode, requests: BTreeSet<VaultRequest>) -> Found<VaultRequest> {
        self.look_up(mode, requests, |requests| self.store.find_vaults(requests))
    }

    /// Asks for all at once, and where that fails, for each by itself.
    fn look_up<R: Ord + Copy>(
        &self,
        mode: Mode,
        requests: BTreeSet<R>,
        find: impl Fn(&[R]) -> Vec<Option<Uuid>>,
    ) -> Found<R> {
        let mut found: Vec<(R, Result<Option<Uuid>, Failure>)> =
            requests.into_iter().map(|request| (request, Ok(None))).collect();
        let ask = |sought: &mut [(R, Result<Option<Uuid>, Failure>)]| {
            let requests: Vec<R> = sought.iter().map(|(request, _)| *request).collect();
            for ((_, place), answer) in sought.iter_mut().zip(find(&requests)) {
                *place = Ok(answer);
            }
        };
        mode.for_each(&mut found, ask, |(_, place), failure| {
            *place = Err(failure);
            Verdict::GiveUp
        });
        found.into_iter().collect()
    }

    /// A user's first import finds no personal bank. Requests come in the order of their owners, so that two batches
    /// never wait for each other's in a circle.
    fn make_personal_bank(&self, mode: Mode, request: &BankRequest) -> Result<Uuid, Failure> {
        let made = mode.attempt(|| {
            personal_bank::ensure(self.home, self.store, request.owner)?;
            let found = self.store.find_banks(std::slice::from_ref(request)).pop().flatten();
            found.ok_or_else(|| no_personal_bank(request))
        });
        made.flatten()
    }

    /// Inserts the first candidate of each lane.
    fn insert_recordings(&self, lanes: &mut [Lane]) {
        let inserted = self.store.insert_recordings(&lanes.iter().map(Lane::row).collect::<Vec<_>>());
        if inserted.len() == lanes.len() {
            for (lane, id) in lanes.iter_mut().zip(inserted) {
                lane.imported(id);
            }
            return;
        }
        let inserted: BTreeSet<Uuid> = inserted.into_iter().collect();
        if lanes.iter().filter(|lane| inserted.contains(&lane.id)).count() < inserted.len() {
            // One by one it is clear which is which.
            Failure::invalid("a trigger on recordings changes the id").raise();
        }
        let (new, old): (Vec<_>, Vec<_>) = lanes.iter_mut().partition(|lane| inserted.contains(&lane.id));
        new.into_iter().for_each(|lane| lane.imported(lane.id));
        let keys: Vec<Key> = old.iter().map(|lane| lane.first().candidate.key()).collect();
        let existing = self.find_existing(&keys);
        for (lane, existing) in old.into_iter().zip(existing) {
            lane.outcome = Some(match existing {
                // A trigger has put the row elsewhere, say into a table that inherits from recordings.
                Some(id) if id == lane.id => Outcome::Imported { id: existing, warning: None },
                Some(_) => Outcome::Skipped { existing },
                None => self.explain_missing_row(lane),
            });
        }
    }

    /// A row that is not in, and no row with its key to be seen: there is one that a policy hides, or a trigger dropped
    /// ours, and then the import would be lost without a word. To tell the two apart, insert without ON CONFLICT.
    fn explain_missing_row(&self, lane: &Lane) -> Outcome {
        match subtransaction::run(|| self.store.insert_recording_or_raise(&lane.row())) {
            Ok(Some(id)) => Outcome::Imported { id: Some(id), warning: None },
            Ok(None) => Outcome::Failed(dropped_by_trigger()),
            // Of the dedup key, if somebody has it; else of another index, maybe of a trigger's table.
            Err(failure) if failure.is(PgSqlErrorCode::ERRCODE_UNIQUE_VIOLATION) && self.is_there(lane) => {
                Outcome::Skipped { existing: None }
            }
            Err(failure) => Outcome::Failed(failure),
        }
    }

    /// Whether a recording has the key, be it one that the caller may not see.
    fn is_there(&self, lane: &Lane) -> bool {
        let key = [lane.first().candidate.key()];
        let look = || self.store.find_duplicates(Access::Latest, &key).iter().any(Option::is_some);
        run_as_owner::act_as(self.home, &[c"recordings"], look).unwrap_or(false)
    }

    /// Puts what has been imported into its vault. What fails here leaves the recording where it is.
    fn enter_vaults(&self, mode: Mode, lanes: &mut [Lane]) {
        let imported: Vec<_> = lanes.iter_mut().filter_map(Lane::imported_into).collect();
        if imported.is_empty() {
            return;
        }
        let vaults = self.find_vaults(mode, imported.iter().map(|(request, ..)| *request).collect());
        let mut entries = Vec::with_capacity(imported.len());
        for (request, recording_id, warning) in imported {
            match &vaults[&request] {
                Ok(Some(vault_id)) => {
                    let entry = NewVaultEntry { id: Uuid::now_v7(), vault_id: *vault_id, recording_id };
                    entries.push((entry, warning));
                }
                Ok(None) => *warning = Some(no_vault(&request)),
                Err(failure) => *warning = Some(no_vault_entry(failure)),
            }
        }
        let insert = |entries: &mut [(NewVaultEntry, &mut Option<String>)]| {
            let rows: Vec<NewVaultEntry> = entries.iter().map(|(entry, _)| *entry).collect();
            if self.store.insert_vault_entries(&rows) == rows.len() {
                return;
            }
            for ((_, warning), is_there) in entries.iter_mut().zip(self.store.find_vault_entries(&rows)) {
                if !is_there {
                    **warning = Some("the vault entry was not kept: look for a trigger on vault_entries".to_owned());
                }
            }
        };
        mode.for_each(&mut entries, insert, |(_, warning), failure| {
            **warning = Some(no_vault_entry(&failure));
            Verdict::GiveUp
        });
    }
}

/// What was found for each request. None: there is no such bank or vault for the owner.
type Found<R> = BTreeMap<R, Result<Option<Uuid>, Failure>>;

/// A recording that is in: the vault that it belongs to, its id, and the place for a warning.
type Imported<'a> = (VaultRequest, Uuid, &'a mut Option<String>);

/// A candidate with the bank that its recording goes to.
struct Placed<'a> {
    candidate: &'a Candidate<'a>,
    bank_id: Uuid,
}

/// The candidates for one key that is not imported yet. The first is imported, and the others are duplicates of it;
/// where it fails, the next has its turn.
struct Lane<'a> {
    waiting: VecDeque<Placed<'a>>,
    failed: Vec<(usize, Failure)>,
    /// Candidates that came after the first and have no bank: duplicates too, where one before them is imported.
    refused: Vec<(usize, Failure)>,
    /// The id that the recording gets.
    id: Uuid,
    outcome: Option<Outcome>,
}

impl<'a> Lane<'a> {
    fn new(first: Placed<'a>) -> Self {
        Self {
            waiting: VecDeque::from([first]),
            failed: Vec::new(),
            refused: Vec::new(),
            id: Uuid::now_v7(),
            outcome: None,
        }
    }

    fn first(&self) -> &Placed<'a> {
        self.waiting.front().expect("a lane is left alone when its last candidate has failed")
    }

    fn row(&self) -> NewRecording<'a> {
        let Placed { candidate, bank_id } = *self.first();
        NewRecording { id: self.id, bank_id, owner: candidate.owner, record: candidate.record }
    }

    fn imported_into(&mut self) -> Option<Imported<'_>> {
        let Placed { candidate, bank_id } = *self.first();
        match &mut self.outcome {
            Some(Outcome::Imported { id: Some(id), warning }) => {
                let request = VaultRequest { owner: candidate.owner, bank_id, vault_id: candidate.record.vault_id };
                Some((request, *id, warning))
            }
            _ => None,
        }
    }

    fn imported(&mut self, id: Uuid) {
        self.outcome = Some(Outcome::Imported { id: Some(id), warning: None });
    }

    fn blame(&mut self, failure: Failure) -> Verdict {
        if self.waiting.len() == 1 {
            self.outcome = Some(Outcome::Failed(failure));
            return Verdict::GiveUp;
        }
        let failed = self.waiting.pop_front().expect("there are several");
        self.failed.push((failed.candidate.position, failure));
        Verdict::Again
    }

    /// What became of each of the lane's candidates.
    fn report(self, outcomes: &mut Vec<(usize, Outcome)>) {
        let winner = self.first().candidate.position;
        outcomes.extend(self.failed.into_iter().map(|(position, failure)| (position, Outcome::Failed(failure))));
        let outcome = self.outcome.expect("the insert stage decides on every lane");
        let existing = match outcome {
            Outcome::Imported { id, .. } => id,
            Outcome::Skipped { existing } => existing,
            Outcome::Failed(_) => None,
        };
        let is_in = !matches!(outcome, Outcome::Failed(_));
        outcomes.extend(self.refused.into_iter().map(|(position, failure)| {
            let is_duplicate = is_in && winner < position;
            (position, if is_duplicate { Outcome::Skipped { existing } } else { Outcome::Failed(failure) })
        }));
        let mut positions = self.waiting.iter().map(|placed| placed.candidate.position);
        outcomes.extend(positions.next().map(|first| (first, outcome)));
        outcomes.extend(positions.map(|other| (other, Outcome::Skipped { existing })));
    }
}

/// The error of a record whose key is there already, for those who want one.
pub fn duplicate(existing: Option<Uuid>) -> Failure {
    let as_what = existing.map_or_else(String::new, |id| format!(", as recording {id}"));
    Failure::new(PgSqlErrorCode::ERRCODE_UNIQUE_VIOLATION, format!("the record is imported already{as_what}"))
        .hint("run_pipeline() skips what is imported already.")
}

/// The same for a bank that does not exist and for one that is not the owner's: which of the two is nobody's business.
fn not_a_member(request: &BankRequest) -> Failure {
    let bank = request.bank_id.map_or_else(String::new, |bank| bank.to_string());
    Failure::forbidden(format!("bank_id {bank}: user {} is not a member of this bank", request.owner))
        .hint("Leave bank_id out for the personal bank, or add the user to the bank.")
}

fn not_that_users(user: Uuid, owner: Uuid) -> Failure {
    Failure::forbidden(format!("user {user} may import as its own user only, not for {owner}"))
        .hint("Call run_pipeline() with the record where it is to be imported all the same.")
}

fn no_personal_bank(request: &BankRequest) -> Failure {
    Failure::forbidden(format!("user {} has no personal bank that can be seen", request.owner))
        .hint("Look at the policies on banks and bank_memberships.")
}

fn no_vault_entry(failure: &Failure) -> String {
    format!("no vault entry was made: {}", failure.text())
}

fn no_vault(request: &VaultRequest) -> String {
    let VaultRequest { bank_id, vault_id, .. } = request;
    match vault_id {
        Some(vault) => format!("no vault entry was made: vault_id {vault} is not a vault of bank {bank_id}"),
        None => format!("no vault entry was made: bank {bank_id} has no personal vault of this user"),
    }
}

fn dropped_by_trigger() -> Failure {
    let code = PgSqlErrorCode::ERRCODE_TRIGGERED_ACTION_EXCEPTION;
    Failure::new(code, "the recording was not kept: the insert went through and left no row")
        .hint("Look for a trigger or a rule on recordings that drops rows.")
}
