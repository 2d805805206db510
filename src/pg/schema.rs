//! The schema that the extension's functions, and the tables that they work on, are in.

use std::ffi::CStr;

use pgrx::callconv::{Arg, ArgAbi};
use pgrx::pg_sys;
use pgrx::pgrx_sql_entity_graph::metadata::{
    ArgumentError, ReturnsError, ReturnsRef, SqlMappingRef, SqlTranslatable, TypeOrigin,
};

use crate::error::{Failure, OrRaise};
use crate::pg::session;

/// The extension's schema.
///
/// As a function's first argument it is not part of the SQL signature, and is the schema of the function itself: that
/// is in the syscache, while a look-up in pg_extension would scan that catalog at each call.
#[derive(Clone, PartialEq, Eq)]
pub struct ExtensionSchema {
    pub oid: pg_sys::Oid,
    /// The schema's name, quoted if necessary.
    pub quoted: String,
}

impl ExtensionSchema {
    /// Returns the extension's schema, for functions in the schema connector_pipeline.
    pub fn of_extension() -> Self {
        let oid = pgrx::Spi::connect(|client| {
            let query = "SELECT extnamespace FROM pg_catalog.pg_extension WHERE extname OPERATOR(pg_catalog.=) 'connector_pipeline'";
            client.select(query, Some(1), &[])?.first().get_one::<pg_sys::Oid>()
        });
        Self::new(oid.ok().flatten().expect("a function of the extension runs, so it is installed"))
    }

    fn new(oid: pg_sys::Oid) -> Self {
        refuse_other_encodings_than_utf8();
        // SAFETY: get_namespace_name gives a NUL-terminated string in the current memory context, or null where there
        // is no such schema; quote_identifier takes and gives such strings.
        let quoted = unsafe {
            let name = pg_sys::get_namespace_name(oid);
            (!name.is_null()).then(|| CStr::from_ptr(pg_sys::quote_identifier(name)).to_string_lossy().into_owned())
        };
        Self { oid, quoted: quoted.ok_or_else(dropped_while_running).or_raise() }
    }
}

/// Creates the error for a function that was dropped while a statement was calling it.
///
/// PostgreSQL does not lock a running function.
fn dropped_while_running() -> Failure {
    let code = pgrx::PgSqlErrorCode::ERRCODE_UNDEFINED_FUNCTION;
    Failure::new(code, "the function was dropped while a statement was calling it")
        .hint("CREATE EXTENSION connector_pipeline creates it again.")
}

/// Raises if the database's encoding is not UTF-8.
///
/// Rust's strings are UTF-8, and the server's strings are borrowed without conversion.
fn refuse_other_encodings_than_utf8() {
    if !session::is_utf8() {
        let code = pgrx::PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED;
        Failure::new(code, "connector_pipeline needs a database whose encoding is UTF8")
            .hint("Create one with CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0.")
            .raise();
    }
}

// SAFETY: a virtual argument: it reads no datum, only the function's own oid from the call info.
unsafe impl<'fcx> ArgAbi<'fcx> for ExtensionSchema {
    unsafe fn unbox_arg_unchecked(arg: Arg<'_, 'fcx>) -> Self {
        // SAFETY: the call info is that of the running call, whose flinfo PostgreSQL has filled in.
        unsafe {
            let call: pg_sys::FunctionCallInfo = arg.unbox_unchecked();
            Self::new(pg_sys::get_func_namespace((*(*call).flinfo).fn_oid))
        }
    }

    fn is_virtual_arg() -> bool {
        true
    }
}

// SAFETY: not part of the SQL signature, as is_virtual_arg says.
unsafe impl SqlTranslatable for ExtensionSchema {
    const TYPE_IDENT: &'static str = "connector_pipeline::pg::schema::ExtensionSchema";
    const TYPE_ORIGIN: TypeOrigin = TypeOrigin::External;
    const ARGUMENT_SQL: Result<SqlMappingRef, ArgumentError> = Ok(SqlMappingRef::Skip);
    const RETURN_SQL: Result<ReturnsRef, ReturnsError> = Ok(ReturnsRef::One(SqlMappingRef::Skip));
}
