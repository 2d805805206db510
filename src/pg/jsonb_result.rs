//! The jsonb that a function returns.

use std::ffi::CString;

use pgrx::callconv::{BoxRet, FcInfo};
use pgrx::pg_sys::{self, Datum};
use pgrx::pgrx_sql_entity_graph::metadata::{
    ArgumentError, ReturnsError, ReturnsRef, SqlMappingRef, SqlTranslatable, TypeOrigin,
};
use serde::Serialize;

/// A jsonb result, in the memory context of the call.
pub struct JsonbResult(Datum);

impl JsonbResult {
    /// Serializes a result to text and lets PostgreSQL parse it.
    ///
    /// pgrx's `JsonB` would build a tree of it first: for a batch of 100,000 records, 60 MB.
    pub fn of(result: impl Serialize) -> Self {
        let text = serde_json::to_string(&result).expect("results are made of strings, numbers and booleans");
        drop(result);
        let text = CString::new(text).expect("JSON escapes NUL");
        // SAFETY: jsonb_in takes a NUL-terminated string, which lives until it returns.
        let jsonb = unsafe { pgrx::direct_function_call_as_datum(pg_sys::jsonb_in, &[Some(text.as_ptr().into())]) };
        Self(jsonb.expect("jsonb_in returns a jsonb"))
    }
}

// SAFETY: the datum is a jsonb in the memory context of the call, as RETURN_SQL below declares it.
unsafe impl BoxRet for JsonbResult {
    unsafe fn box_into<'fcx>(self, fcinfo: &mut FcInfo<'fcx>) -> pgrx::datum::Datum<'fcx> {
        // SAFETY: as above.
        unsafe { fcinfo.return_raw_datum(self.0) }
    }
}

// SAFETY: BoxRet above returns what SQL calls jsonb.
unsafe impl SqlTranslatable for JsonbResult {
    const TYPE_IDENT: &'static str = "connector_pipeline::pg::jsonb_result::JsonbResult";
    const TYPE_ORIGIN: TypeOrigin = TypeOrigin::External;
    const ARGUMENT_SQL: Result<SqlMappingRef, ArgumentError> = Ok(SqlMappingRef::literal("jsonb"));
    const RETURN_SQL: Result<ReturnsRef, ReturnsError> = Ok(ReturnsRef::One(SqlMappingRef::literal("jsonb")));
}
