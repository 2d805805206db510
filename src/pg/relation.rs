//! Reads a table's owner, kind and size through the relation cache.

use std::ffi::CStr;

use pgrx::PgRelation;
use pgrx::pg_sys::{self, Oid};

use crate::error::Failure;
use crate::pg::schema::ExtensionSchema;

/// An open relation, locked in ACCESS SHARE mode.
pub struct Table(PgRelation);

impl Table {
    /// Opens the relation of that name in the extension's schema, whatever its kind.
    pub fn open(schema: &ExtensionSchema, name: &CStr) -> Option<Self> {
        // SAFETY: name is NUL-terminated; an unknown name gives InvalidOid.
        let oid = unsafe { pg_sys::get_relname_relid(name.as_ptr(), schema.oid) };
        // SAFETY: the oid was found a moment ago; with_lock raises if the relation has been dropped since.
        (oid != pg_sys::InvalidOid).then(|| Self(unsafe { PgRelation::with_lock(oid, pg_sys::AccessShareLock as i32) }))
    }

    /// Opens a table; fails if it is missing or another kind of relation.
    ///
    /// A view, for example, would run its owner's code.
    pub fn require(schema: &ExtensionSchema, name: &CStr) -> Result<Self, Failure> {
        let qualified = || format!("{}.{}", schema.quoted, name.to_string_lossy());
        let table = Self::open(schema, name).ok_or_else(|| Failure::missing_table(&qualified()))?;
        if table.0.is_table() || table.0.is_partitioned_table() {
            Ok(table)
        } else {
            Err(Failure::not_a_table(&qualified()))
        }
    }

    pub fn owner(&self) -> Oid {
        // SAFETY: an open relation has its pg_class row in rd_rel.
        unsafe { (*self.0.rd_rel).relowner }
    }

    /// Returns whether policies apply to the table's owner too.
    pub fn forces_row_security(&self) -> bool {
        // SAFETY: as in `owner`.
        unsafe { (*self.0.rd_rel).relforcerowsecurity }
    }

    /// Returns the size in blocks, without TOAST; None for a relation without storage.
    pub fn blocks(&self) -> Option<u32> {
        // SAFETY: the relation is open and locked, and a plain table has a main fork.
        self.0.is_table().then(|| unsafe {
            pg_sys::RelationGetNumberOfBlocksInFork(self.0.as_ptr(), pg_sys::ForkNumber::MAIN_FORKNUM)
        })
    }
}
