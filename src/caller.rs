//! The calling role, its JWT subject, and the users that it may act for.

use std::cell::OnceCell;

use pgrx::pg_sys::Oid;
use serde::Deserialize;
use uuid::Uuid;

use crate::error::Failure;
use crate::json::shorten;
use crate::pg::relation::Table;
use crate::pg::schema::ExtensionSchema;
use crate::pg::{role, session};

/// The role that a call runs as, and the user that its JWT names.
pub struct Caller {
    role: Oid,
    may_act_for_anyone: bool,
    subject: OnceCell<Result<Option<Uuid>, Failure>>,
}

impl Caller {
    /// Returns the caller of a SECURITY INVOKER function: the current user.
    pub fn of_invoker_function(schema: &ExtensionSchema) -> Self {
        Self::new(schema, role::current())
    }

    /// Returns the caller of a SECURITY DEFINER function: the outer user.
    ///
    /// The current user is the function's owner; the outer user is the role that SET ROLE or the login set. While
    /// PostgreSQL runs a user's code within another role's command (REINDEX, ANALYZE, REFRESH MATERIALIZED VIEW), the
    /// outer user is not the caller: then nobody may act for another user.
    pub fn of_definer_function(schema: &ExtensionSchema) -> Self {
        let caller = Self::new(schema, role::outer());
        Self { may_act_for_anyone: caller.may_act_for_anyone && !role::is_in_restricted_operation(), ..caller }
    }

    fn new(schema: &ExtensionSchema, role: Oid) -> Self {
        let may_act_for_anyone = role::bypasses_policies(role) || owns_recordings(schema, role);
        Self { role, may_act_for_anyone, subject: OnceCell::new() }
    }

    /// Returns whether policies may hide rows of the tables from the caller.
    pub fn is_bound_by_policies(&self) -> bool {
        !self.may_act_for_anyone
    }

    /// Returns the user to act for: `asked` where given, else the JWT's subject.
    pub fn user(&self, asked: Option<Uuid>) -> Result<Uuid, Failure> {
        match asked {
            Some(user) => Ok(user),
            None => self.subject()?.ok_or_else(|| {
                Failure::invalid("no owner: p_user_id, owner_user_id and the JWT's sub are missing")
                    .hint("Pass p_user_id, or call with a user's JWT (request.jwt.claims with a sub).")
            }),
        }
    }

    /// Returns a record's owner: `p_user_id`, else `owner_user_id`, else the JWT's subject.
    pub fn owner(&self, p_user_id: Option<Uuid>, of_record: Option<Uuid>) -> Result<Uuid, Failure> {
        match (p_user_id, of_record) {
            (Some(asked), Some(own)) if asked != own => {
                Err(Failure::invalid(format!("p_user_id {asked} and the record's owner_user_id {own} differ"))
                    .hint("Pass only one of them."))
            }
            _ => self.user(p_user_id.or(of_record)),
        }
    }

    /// Fails if the caller may not act for the user.
    ///
    /// Superusers, roles with BYPASSRLS and owners of the tables may act for anyone. No row of the tables is read.
    pub fn must_be_allowed_for(&self, user: Uuid) -> Result<(), Failure> {
        if self.may_act_for_anyone || self.subject()? == Some(user) {
            return Ok(());
        }
        Err(Failure::forbidden(format!("role {} may act for its own user only, not for {user}", role::name(self.role)))
            .hint("Call with that user's JWT, or as service_role or the owner of the tables."))
    }

    /// Returns the user who may read a failed record.
    ///
    /// That is the record's owner if the caller may act for that user, else the user of the caller's JWT.
    pub fn failure_owner(&self, p_user_id: Option<Uuid>, of_record: Option<Uuid>) -> Option<Uuid> {
        let owner = self.owner(p_user_id, of_record).ok();
        let allowed = owner.filter(|owner| self.must_be_allowed_for(*owner).is_ok());
        allowed.or_else(|| self.subject().ok().flatten())
    }

    fn subject(&self) -> Result<Option<Uuid>, Failure> {
        self.subject.get_or_init(jwt_subject).clone()
    }
}

fn owns_recordings(schema: &ExtensionSchema, role: Oid) -> bool {
    Table::open(schema, c"recordings").is_some_and(|table| role::has_privileges_of(role, table.owner()))
}

/// Reads the `sub` of the JWT.
///
/// PostgREST sets `request.jwt.claims`, and before its version 9 `request.jwt.claim.sub`. After the transaction that
/// set them, these settings are empty, not unset.
fn jwt_subject() -> Result<Option<Uuid>, Failure> {
    #[derive(Deserialize)]
    struct Claims {
        sub: Option<String>,
    }
    let not_claims = |why: &str| {
        Failure::invalid(format!("request.jwt.claims is not a JSON object of claims: {why}"))
            .hint("Set it to the claims of a JWT, such as {\"sub\": \"<uuid>\"}, or reset it.")
    };
    let subject = match session::setting(c"request.jwt.claims") {
        // serde also reads an array, as the fields of the struct in order.
        Some(claims) if !claims.trim_start().starts_with('{') => return Err(not_claims(&shorten(&claims))),
        Some(claims) => serde_json::from_str::<Claims>(&claims)
            .map_err(|error| not_claims(&error.to_string()))?
            .sub
            .filter(|sub| !sub.is_empty()),
        None => None,
    };
    let legacy = session::setting(c"request.jwt.claim.sub");
    if subject.is_some() && legacy.is_some() && subject != legacy {
        // Policies use auth.uid(), which prefers request.jwt.claim.sub.
        return Err(Failure::invalid("request.jwt.claims and request.jwt.claim.sub name different subjects")
            .hint("Reset request.jwt.claim.sub."));
    }
    match subject.or(legacy) {
        Some(sub) => match Uuid::try_parse(&sub) {
            // Only the hyphenated form: Uuid also parses URNs, which auth.uid() can't cast.
            Ok(user) if sub.len() == 36 => Ok(Some(user)),
            _ => Err(Failure::invalid(format!("the JWT's sub is not a uuid: \"{}\"", shorten(&sub)))
                .hint("Call with a JWT whose sub is the user's id.")),
        },
        None => Ok(None),
    }
}
