//! How many recordings a user has from each source.

use uuid::Uuid;

use crate::caller::Caller;
use crate::error::Failure;
use crate::pg::run_as_owner;
use crate::pg::schema::Home;
use crate::queries::Store;

/// The counts, read as the owner of the table: no policy is asked for each row.
pub fn of(home: &Home, caller: &Caller, user: Option<Uuid>) -> Result<Vec<(String, i64)>, Failure> {
    let user = caller.user(user)?;
    caller.must_be_allowed_for(user)?;
    run_as_owner::act_as(home, &[c"recordings"], || Store::of(home).count_imports(user))
}
