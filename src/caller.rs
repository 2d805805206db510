//! Who is calling, and for whom it may act.

use std::cell::OnceCell;
use std::ffi::CStr;

use pgrx::pg_sys::{self, Oid};
use serde::Deserialize;
use uuid::Uuid;

use crate::error::Failure;
use crate::pg::relation::Table;
use crate::pg::schema::Home;
use crate::record::shorten;

/// The role that a call runs as, and the user that its JWT speaks of.
pub struct Caller {
    role: Oid,
    may_act_for_anyone: bool,
    subject: OnceCell<Result<Option<Uuid>, Failure>>,
}

impl Caller {
    /// Of a SECURITY INVOKER function: the current user.
    pub fn invoker(home: &Home) -> Self {
        // SAFETY: reads the session's state.
        Self::new(home, unsafe { pg_sys::GetUserId() })
    }

    /// Of a SECURITY DEFINER function: inside, the current user is the function's owner, and the outer user is the
    /// role that SET ROLE or the login set. That is not the caller where PostgreSQL runs a user's code within somebody
    /// else's command (REINDEX, ANALYZE, REFRESH MATERIALIZED VIEW): there nobody acts for another.
    pub fn of_definer_function(home: &Home) -> Self {
        // SAFETY: reads the session's state.
        let (role, is_within_anothers_command) =
            unsafe { (pg_sys::GetOuterUserId(), pg_sys::InSecurityRestrictedOperation()) };
        let caller = Self::new(home, role);
        Self { may_act_for_anyone: caller.may_act_for_anyone && !is_within_anothers_command, ..caller }
    }

    fn new(home: &Home, role: Oid) -> Self {
        // SAFETY: look-ups by oid; roles that are logged in or set exist.
        let beyond_policies = unsafe { pg_sys::superuser_arg(role) || pg_sys::has_bypassrls_privilege(role) };
        let may_act_for_anyone = beyond_policies || owns_recordings(home, role);
        Self { role, may_act_for_anyone, subject: OnceCell::new() }
    }

    /// Whether policies may keep rows of the tables from it.
    pub fn is_bound_by_policies(&self) -> bool {
        !self.may_act_for_anyone
    }

    /// The user to act for: `asked` where given, else the JWT's subject.
    pub fn user(&self, asked: Option<Uuid>) -> Result<Uuid, Failure> {
        match asked {
            Some(user) => Ok(user),
            None => self.subject()?.ok_or_else(|| {
                Failure::invalid("there is no owner: no p_user_id, no owner_user_id and no JWT subject")
                    .hint("Pass p_user_id, or call with a user's JWT (request.jwt.claims with a sub).")
            }),
        }
    }

    /// The owner of a record: `p_user_id` where given, else the record's own, else the JWT's subject.
    pub fn owner(&self, p_user_id: Option<Uuid>, of_record: Option<Uuid>) -> Result<Uuid, Failure> {
        match (p_user_id, of_record) {
            (Some(asked), Some(own)) if asked != own => {
                Err(Failure::invalid(format!("p_user_id {asked} and the record's owner_user_id {own} differ"))
                    .hint("Leave one of the two out."))
            }
            _ => self.user(p_user_id.or(of_record)),
        }
    }

    /// Superusers, roles with BYPASSRLS and owners of the tables act for anyone, everybody else for itself. The answer
    /// depends on nothing that is in the tables.
    pub fn must_be_allowed_for(&self, user: Uuid) -> Result<(), Failure> {
        if self.may_act_for_anyone || self.subject()? == Some(user) {
            return Ok(());
        }
        Err(Failure::forbidden(format!("role {} may act for its own user only, not for {user}", self.role_name()))
            .hint("Call with that user's JWT, or as service_role or the owner of the tables."))
    }

    /// The user to keep a failed record for: its owner where the caller may act for that one, else the caller's own.
    pub fn keeper(&self, p_user_id: Option<Uuid>, of_record: Option<Uuid>) -> Option<Uuid> {
        let owner = self.owner(p_user_id, of_record).ok();
        let allowed = owner.filter(|owner| self.must_be_allowed_for(*owner).is_ok());
        allowed.or_else(|| self.subject().ok().flatten())
    }

    fn subject(&self) -> Result<Option<Uuid>, Failure> {
        self.subject.get_or_init(jwt_subject).clone()
    }

    fn role_name(&self) -> String {
        // SAFETY: with noerr an unknown role gives null, which can't be for a role that is in use.
        unsafe {
            let name = pg_sys::GetUserNameFromId(self.role, true);
            if name.is_null() { self.role.to_string() } else { CStr::from_ptr(name).to_string_lossy().into_owned() }
        }
    }
}

fn owns_recordings(home: &Home, role: Oid) -> bool {
    Table::open(home, c"recordings").is_some_and(|table| {
        // SAFETY: look-up by oid.
        unsafe { pg_sys::has_privs_of_role(role, table.owner()) }
    })
}

/// The `sub` of the JWT, as PostgREST hands it over: in `request.jwt.claims`, before its version 9 in
/// `request.jwt.claim.sub`. Once a transaction that set one of them has ended, it is empty, not unset.
fn jwt_subject() -> Result<Option<Uuid>, Failure> {
    #[derive(Deserialize)]
    struct Claims {
        sub: Option<String>,
    }
    let not_claims = |why: &str| Failure::invalid(format!("request.jwt.claims is not a JSON object of claims: {why}"));
    let subject = match setting(c"request.jwt.claims") {
        // serde would take an array for the fields of a struct in their order.
        Some(claims) if !claims.trim_start().starts_with('{') => return Err(not_claims(&shorten(&claims))),
        Some(claims) => serde_json::from_str::<Claims>(&claims)
            .map_err(|error| not_claims(&error.to_string()))?
            .sub
            .filter(|sub| !sub.is_empty()),
        None => None,
    };
    let legacy = setting(c"request.jwt.claim.sub");
    if subject.is_some() && legacy.is_some() && subject != legacy {
        // Policies go by auth.uid(), which prefers the one that is seldom meant.
        return Err(Failure::invalid("request.jwt.claims and request.jwt.claim.sub name different subjects")
            .hint("Reset request.jwt.claim.sub."));
    }
    match subject.or(legacy) {
        Some(sub) => match Uuid::try_parse(&sub) {
            // In the one form that auth.uid() reads too.
            Ok(user) if sub.len() == 36 => Ok(Some(user)),
            _ => Err(Failure::invalid(format!("the JWT's sub is not a uuid: \"{}\"", shorten(&sub)))),
        },
        None => Ok(None),
    }
}

fn setting(name: &CStr) -> Option<String> {
    // SAFETY: with missing_ok an unknown setting gives null; else a NUL-terminated string, copied at once.
    let value = unsafe {
        let value = pg_sys::GetConfigOption(name.as_ptr(), true, false);
        (!value.is_null()).then(|| CStr::from_ptr(value).to_string_lossy().into_owned())
    };
    value.filter(|value| !value.is_empty())
}
