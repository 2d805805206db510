//! Groups candidates by dedup key: the first is imported, the others are its duplicates.

use std::collections::VecDeque;

use uuid::Uuid;

use crate::error::Failure;
use crate::import::banks::Banks;
use crate::import::candidate::Candidate;
use crate::import::isolate::OnError;
use crate::outcome::Outcome;
use crate::queries::rows::{Key, NewRecording, StoredRecording, VaultRequest};

/// The candidates for a key that is not imported yet. If the first fails, the next is tried.
pub struct KeyGroup<'a> {
    waiting: VecDeque<Placed<'a>>,
    failed: Vec<(usize, Failure)>,
    /// Candidates without a bank, after the first: duplicates if an earlier candidate is imported.
    without_bank: Vec<(usize, Failure)>,
    /// The id of the recording to insert.
    pub id: Uuid,
    pub outcome: Option<Outcome>,
}

/// A candidate with the bank of its recording.
struct Placed<'a> {
    candidate: &'a Candidate<'a>,
    bank_id: Uuid,
}

/// An imported recording, its vault request, and a warning about its vault entry.
pub struct Imported<'a> {
    pub recording_id: Uuid,
    pub key: Key<'a>,
    pub vault_request: VaultRequest,
    pub warning: &'a mut Option<String>,
}

impl<'a> KeyGroup<'a> {
    /// Groups candidates, which must be sorted by key.
    ///
    /// A candidate without a bank fails at once if no earlier candidate of its key has a bank.
    pub fn of_candidates(
        candidates: &[&'a Candidate<'a>],
        banks: &Banks,
        outcomes: &mut Vec<(usize, Outcome)>,
    ) -> Vec<Self> {
        let mut groups: Vec<Self> = Vec::with_capacity(candidates.len());
        for candidate in candidates {
            let group = groups.last_mut().filter(|group| group.key() == candidate.key());
            match (&banks[&candidate.bank_request()], group) {
                (Ok(bank_id), Some(group)) => group.waiting.push_back(Placed { candidate, bank_id: *bank_id }),
                (Ok(bank_id), None) => groups.push(Self::new(Placed { candidate, bank_id: *bank_id })),
                (Err(failure), Some(group)) => group.without_bank.push((candidate.position, failure.clone())),
                (Err(failure), None) => outcomes.push((candidate.position, Outcome::Failed(failure.clone()))),
            }
        }
        groups
    }

    fn new(first: Placed<'a>) -> Self {
        Self {
            waiting: VecDeque::from([first]),
            failed: Vec::new(),
            without_bank: Vec::new(),
            id: Uuid::now_v7(),
            outcome: None,
        }
    }

    fn first(&self) -> &Placed<'a> {
        self.waiting.front().expect("the last candidate of a group is never taken out")
    }

    pub fn key(&self) -> Key<'a> {
        self.first().candidate.key()
    }

    /// Returns the row of the first candidate.
    pub fn row(&self) -> NewRecording<'a> {
        let Placed { candidate, bank_id } = *self.first();
        NewRecording { id: self.id, bank_id, owner: candidate.owner, record: candidate.record }
    }

    /// Sets the outcome of the first candidate, and the bank, which a trigger may have changed.
    pub fn set_imported(&mut self, stored: &StoredRecording) {
        self.outcome = Some(Outcome::Imported { id: Some(stored.id), warning: None });
        if let (Some(bank_id), Some(first)) = (stored.bank_id, self.waiting.front_mut()) {
            first.bank_id = bank_id;
        }
    }

    /// Returns the owner and the bank of the first candidate.
    pub fn owner_and_bank(&self) -> (Uuid, Uuid) {
        let Placed { candidate, bank_id } = *self.first();
        (candidate.owner, bank_id)
    }

    pub fn imported(&mut self) -> Option<Imported<'_>> {
        let Placed { candidate, bank_id } = *self.first();
        match &mut self.outcome {
            Some(Outcome::Imported { id: Some(id), warning }) => Some(Imported {
                recording_id: *id,
                key: candidate.key(),
                vault_request: VaultRequest { owner: candidate.owner, bank_id, vault_id: candidate.record.vault_id },
                warning,
            }),
            _ => None,
        }
    }

    /// Fails the first candidate; the next candidate of the key, if any, is tried.
    pub fn fail_first(&mut self, failure: Failure) -> OnError {
        if self.waiting.len() == 1 {
            self.outcome = Some(Outcome::Failed(failure));
            return OnError::Fail;
        }
        let failed = self.waiting.pop_front().expect("there are several");
        self.failed.push((failed.candidate.position, failure));
        OnError::Retry
    }

    /// Adds the outcome of each candidate to `outcomes`.
    pub fn report(self, outcomes: &mut Vec<(usize, Outcome)>) {
        let first = self.first().candidate.position;
        outcomes.extend(self.failed.into_iter().map(|(position, failure)| (position, Outcome::Failed(failure))));
        let outcome = self.outcome.expect("the insert stage sets the outcome of every group");
        let existing = match outcome {
            Outcome::Imported { id, .. } => id,
            Outcome::Skipped { existing } => existing,
            Outcome::Failed(_) => None,
        };
        let exists = !matches!(outcome, Outcome::Failed(_));
        outcomes.extend(self.without_bank.into_iter().map(|(position, failure)| {
            let is_duplicate = exists && first < position;
            (position, if is_duplicate { Outcome::Skipped { existing } } else { Outcome::Failed(failure) })
        }));
        let mut positions = self.waiting.iter().map(|placed| placed.candidate.position);
        outcomes.extend(positions.next().map(|first| (first, outcome)));
        outcomes.extend(positions.map(|other| (other, Outcome::Skipped { existing })));
    }
}
