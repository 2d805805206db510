//! A valid record with an owner whom the caller may import for.

use uuid::Uuid;

use crate::caller::Caller;
use crate::error::Failure;
use crate::import::input_record::{ConnectorRecord, InputRecord};
use crate::queries::rows::{BankRequest, Key};

/// A record that is ready to be imported.
pub struct Candidate<'a> {
    /// The record's place in its batch.
    pub position: usize,
    pub owner: Uuid,
    pub record: &'a ConnectorRecord<'a>,
}

impl<'a> Candidate<'a> {
    /// Checks that a record is valid and that the caller may import for its owner.
    pub fn authorise(caller: &Caller, position: usize, input: &'a InputRecord<'a>) -> Result<Self, Failure> {
        let record = input.parsed.record.as_ref().map_err(|faults| Failure::invalid(faults.as_str()))?;
        let owner = caller.owner(input.p_user_id, record.owner_user_id)?;
        caller.must_be_allowed_for(owner)?;
        match input.on_behalf_of {
            Some(user) if user != owner => Err(not_that_users(user, owner)),
            _ => Ok(Self { position, owner, record }),
        }
    }

    pub fn key(&self) -> Key<'a> {
        Key { owner: self.owner, source_app: self.record.source_app, external_id: &self.record.external_id }
    }

    pub fn bank_request(&self) -> BankRequest {
        let vault_id = self.record.vault_id.filter(|_| self.record.bank_id.is_none());
        BankRequest { owner: self.owner, bank_id: self.record.bank_id, vault_id }
    }
}

fn not_that_users(user: Uuid, owner: Uuid) -> Failure {
    Failure::forbidden(format!("user {user} may import as its own user only, not for {owner}"))
        .hint("To import it anyway, call run_pipeline() with the record.")
}
