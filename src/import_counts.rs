//! Counts the recordings that a user has from each source.

use uuid::Uuid;

use crate::call::Call;
use crate::error::Failure;
use crate::pg::run_as_owner::run_as_owner;

/// Counts as the owner of the table, so that policies are not evaluated per row.
pub fn of(call: &Call, user: Option<Uuid>) -> Result<Vec<(String, i64)>, Failure> {
    let user = call.caller.user(user)?;
    call.caller.must_be_allowed_for(user)?;
    run_as_owner(&call.schema, &[c"recordings"], || call.queries.count_imports(user))
}
