//! A table of the pipeline, looked at through the relation cache: its owner, its kind, its size.

use std::ffi::CStr;

use pgrx::pg_sys::{self, Oid};
use pgrx::{PgRelation, PgSqlErrorCode};

use crate::error::Failure;
use crate::pg::schema::Home;

/// An open table, or what stands in its place.
pub struct Table(PgRelation);

impl Table {
    /// The relation of that name in the extension's schema.
    pub fn open(home: &Home, name: &CStr) -> Option<Self> {
        // SAFETY: name is NUL-terminated; an unknown name gives InvalidOid.
        let oid = unsafe { pg_sys::get_relname_relid(name.as_ptr(), home.schema) };
        // SAFETY: the oid was found a moment ago; should the relation be gone by the time it is locked, that raises.
        (oid != pg_sys::InvalidOid).then(|| Self(unsafe { PgRelation::with_lock(oid, pg_sys::AccessShareLock as i32) }))
    }

    /// The same, where it has to be there and to be a table: a view in its place would run somebody's code.
    pub fn require(home: &Home, name: &CStr) -> Result<Self, Failure> {
        let shown = name.to_string_lossy();
        let table = Self::open(home, name).ok_or_else(|| {
            let code = PgSqlErrorCode::ERRCODE_UNDEFINED_TABLE;
            Failure::new(code, format!("there is no table {}.{shown}", home.quoted)).with_bootstrap_hint()
        })?;
        if table.0.is_table() || table.0.is_partitioned_table() {
            return Ok(table);
        }
        let code = PgSqlErrorCode::ERRCODE_WRONG_OBJECT_TYPE;
        Err(Failure::new(code, format!("{}.{shown} is not a table", home.quoted))
            .hint("Rename what is in its place, then run SELECT * FROM connector_pipeline.bootstrap()."))
    }

    pub fn owner(&self) -> Oid {
        // SAFETY: an open relation has its pg_class row in rd_rel.
        unsafe { (*self.0.rd_rel).relowner }
    }

    /// Whether policies bind its owner too.
    pub fn forces_row_security(&self) -> bool {
        // SAFETY: as in `owner`.
        unsafe { (*self.0.rd_rel).relforcerowsecurity }
    }

    /// Its size in blocks, without what is toasted. None: it has no storage of its own.
    pub fn blocks(&self) -> Option<u32> {
        // SAFETY: the relation is open and locked, and a plain table has a main fork.
        self.0.is_table().then(|| unsafe {
            pg_sys::RelationGetNumberOfBlocksInFork(self.0.as_ptr(), pg_sys::ForkNumber::MAIN_FORKNUM)
        })
    }
}
