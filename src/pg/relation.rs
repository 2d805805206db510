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

    /// Returns whether inserting a row may run code that changes rows after the insert.
    ///
    /// Such code is in triggers (those of partitions don't show in the parent), rules, and tables that inherit. The
    /// triggers of foreign keys don't count.
    pub fn runs_code_on_insert(&self) -> bool {
        const ON_INSERT: i16 = pg_sys::TRIGGER_TYPE_INSERT as i16;
        // SAFETY: as in `owner`; trigdesc is null or has numtriggers triggers, and lives as long as the relation is open.
        unsafe {
            let relation = &*self.0.as_ptr();
            let row = &*relation.rd_rel;
            let fires = |trigger: &pg_sys::Trigger| !trigger.tgisinternal && trigger.tgtype & ON_INSERT != 0;
            let has_trigger = relation.trigdesc.as_ref().is_some_and(|triggers| {
                std::slice::from_raw_parts(triggers.triggers, triggers.numtriggers as usize).iter().any(fires)
            });
            has_trigger || row.relhasrules || row.relhassubclass || self.0.is_partitioned_table()
        }
    }

    /// Returns the size in blocks, without TOAST; None for a relation without storage.
    pub fn blocks(&self) -> Option<u32> {
        // SAFETY: the relation is open and locked, and a plain table has a main fork.
        self.0.is_table().then(|| unsafe {
            pg_sys::RelationGetNumberOfBlocksInFork(self.0.as_ptr(), pg_sys::ForkNumber::MAIN_FORKNUM)
        })
    }
}
