//! Hands the rows of a set-returning function to PostgreSQL as they come, which keeps them on disk where they are many.
//!
//! pgrx's `TableIterator` would hold all of them in memory.

use pgrx::callconv::{Arg, ArgAbi};
use pgrx::pg_sys::{self, Datum};
use pgrx::pgrx_sql_entity_graph::metadata::{
    ArgumentError, ReturnsError, ReturnsRef, SqlMappingRef, SqlTranslatable, TypeOrigin,
};
use pgrx::spi::SpiTupleTable;

/// The result of the running function. As an argument it is not part of the SQL signature; the function returns nothing else.
pub struct ResultRows {
    store: *mut pg_sys::Tuplestorestate,
    shape: pg_sys::TupleDesc,
}

impl ResultRows {
    /// Adds the rows of a query, which has the columns that the function has.
    pub fn add(&self, mut rows: SpiTupleTable) -> Result<(), pgrx::spi::SpiError> {
        // SAFETY: shape is that of the running call.
        let width = unsafe { (*self.shape).natts };
        while rows.next().is_some() {
            let mut values = Vec::with_capacity(width as usize);
            let mut nulls = Vec::with_capacity(width as usize);
            for column in 1..=width {
                // SAFETY: as above, and the column is one of its.
                let wanted = unsafe { pg_sys::SPI_gettypeid(self.shape, column) };
                assert_eq!(rows.column_type_oid(column as usize)?.value(), wanted, "type of column {column}");
                let value = rows.get_datum_by_ordinal(column as usize)?;
                nulls.push(value.is_none());
                values.push(value.unwrap_or(Datum::null()));
            }
            // SAFETY: the store is that of the running call, and there are a value and a mark for NULL for each column of its
            // shape, of the column's type. They are copied.
            unsafe { pg_sys::tuplestore_putvalues(self.store, self.shape, values.as_mut_ptr(), nulls.as_mut_ptr()) };
        }
        Ok(())
    }
}

// SAFETY: a virtual argument: it reads no datum, only the call info.
unsafe impl<'fcx> ArgAbi<'fcx> for ResultRows {
    unsafe fn unbox_arg_unchecked(arg: Arg<'_, 'fcx>) -> Self {
        // SAFETY: the call info is that of the running call. InitMaterializedSRF raises unless resultinfo is a ReturnSetInfo
        // that takes a tuplestore, and fills it in. Both store and shape live as long as the query.
        unsafe {
            let call: pg_sys::FunctionCallInfo = arg.unbox_unchecked();
            pg_sys::InitMaterializedSRF(call, 0);
            let result: *const pg_sys::ReturnSetInfo = (*call).resultinfo.cast();
            Self { store: (*result).setResult, shape: (*result).setDesc }
        }
    }

    fn is_virtual_arg() -> bool {
        true
    }
}

// SAFETY: takes no part in the SQL signature, as is_virtual_arg says.
unsafe impl SqlTranslatable for ResultRows {
    const TYPE_IDENT: &'static str = "connector_pipeline::pg::result_rows::ResultRows";
    const TYPE_ORIGIN: TypeOrigin = TypeOrigin::External;
    const ARGUMENT_SQL: Result<SqlMappingRef, ArgumentError> = Ok(SqlMappingRef::Skip);
    const RETURN_SQL: Result<ReturnsRef, ReturnsError> = Ok(ReturnsRef::One(SqlMappingRef::Skip));
}
