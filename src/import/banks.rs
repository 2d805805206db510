//! Finds the bank of a recording: that of `bank_id`, else the vault's bank, else the owner's personal bank.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use crate::call::Call;
use crate::error::Failure;
use crate::import::candidate::Candidate;
use crate::import::isolate::{self, Mode};
use crate::import::personal_bank;
use crate::queries::rows::BankRequest;

/// The bank of each request, or the error of its look-up.
pub type Banks = BTreeMap<BankRequest, Result<Uuid, Failure>>;

/// Finds the bank of each candidate; creates personal banks that are missing.
pub fn find(call: &Call, mode: Mode, candidates: &[&Candidate]) -> Banks {
    let requests: BTreeSet<BankRequest> = candidates.iter().map(|candidate| candidate.bank_request()).collect();
    let with_vault = requests.iter().copied().filter(|request| request.vault_id.is_some()).collect();
    let of_vaults = isolate::look_up(mode, with_vault, |requests| call.queries.find_banks_of_vaults(requests));
    let bank_of_vault = |request: &BankRequest| of_vaults.get(request)?.as_ref().ok().copied().flatten();
    let rest = requests.iter().copied().filter(|request| bank_of_vault(request).is_none()).collect();
    let mut found = isolate::look_up(mode, rest, |requests| call.queries.find_banks(requests));
    found.extend(requests.iter().filter_map(|request| Some((*request, Ok(Some(bank_of_vault(request)?))))));
    // In the order of their owners, so that two batches that create personal banks don't deadlock.
    let banks = found.into_iter().map(|(request, bank)| {
        let bank = bank.and_then(|bank| match bank {
            Some(bank) => Ok(bank),
            None if request.bank_id.is_none() => create_personal_bank(call, mode, &request),
            None => Err(not_a_member(&request)),
        });
        (request, bank)
    });
    banks.collect()
}

/// Raises where an owner is not a member of a bank, or no longer.
pub fn must_be_members(call: &Call, members: impl Iterator<Item = (Uuid, Uuid)>) {
    let requests: BTreeSet<BankRequest> =
        members.map(|(owner, bank)| BankRequest { owner, bank_id: Some(bank), vault_id: None }).collect();
    let requests: Vec<BankRequest> = requests.into_iter().collect();
    if requests.is_empty() {
        return;
    }
    for (request, bank) in requests.iter().zip(call.queries.find_banks(&requests)) {
        if bank.is_none() {
            not_a_member(request).raise();
        }
    }
}

/// Creates the personal bank, then looks that bank up with the caller's rights.
fn create_personal_bank(call: &Call, mode: Mode, request: &BankRequest) -> Result<Uuid, Failure> {
    let created = mode.attempt(|| {
        personal_bank::ensure(call, request.owner)?;
        let found = call.queries.find_banks(std::slice::from_ref(request)).pop().flatten();
        found.ok_or_else(|| no_personal_bank(request))
    });
    created.flatten()
}

/// Creates the error for a bank that the owner is not a member of.
///
/// A bank that does not exist gets the same error, so that callers can't find out which banks exist.
fn not_a_member(request: &BankRequest) -> Failure {
    let bank = request.bank_id.map_or_else(String::new, |bank| bank.to_string());
    Failure::forbidden(format!("bank_id {bank}: user {} is not a member of this bank", request.owner))
        .hint("Leave bank_id out for the personal bank, or add the user to the bank.")
}

fn no_personal_bank(request: &BankRequest) -> Failure {
    Failure::forbidden(format!("the personal bank of user {} is not visible to the caller", request.owner))
        .hint("Check the policies on banks and bank_memberships.")
}
