//! Runs statements through SPI, planned once and kept for the session.
//!
//! pgrx's SPI can't request a generic plan, and its writing calls assign a transaction id even if nothing is written.

use std::ffi::{CStr, CString, c_char};

use pgrx::datum::{DatumWithOid, FromDatum, IntoDatum};
use pgrx::pg_sys::{self, Datum, Oid};
use uuid::Uuid;

use crate::error::Failure;
use crate::pg::jsonb::Jsonb;
use crate::pg::param::{Param, ParamStyle};
use crate::pg::raised_error;

/// The snapshot that a statement runs with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum SnapshotMode {
    /// The snapshot of the calling query, read-only: for STABLE functions.
    Callers,
    /// A new snapshot of the transaction: sees the transaction's own writes, and may write.
    Current,
    /// The latest snapshot: sees all committed transactions, whatever the isolation level.
    Latest,
}

/// A statement whose plan is kept.
pub struct Statement {
    plan: pg_sys::SPIPlanPtr,
    style: ParamStyle,
}

impl Statement {
    /// Parses `sql`, with parameters of the types of `params`; raises its errors.
    ///
    /// The plan is generic: with the arrays' values PostgreSQL would consider a custom plan cheaper, and replan at each
    /// call. The plan may use parallel workers, as a query of the caller may.
    pub fn prepare(sql: &str, style: ParamStyle, params: &[Param]) -> Self {
        let types: Vec<Oid> = params.iter().map(|param| param.type_oid(style)).collect();
        let connection = Connection::open();
        let sql = CString::new(sql).expect("statements hold no NUL");
        // SAFETY: types has as many entries as is said; the plan is moved to memory of its own by SPI_keepplan before
        // the connection that made it is closed.
        let plan = unsafe {
            let plan = pg_sys::SPI_prepare_cursor(
                sql.as_ptr(),
                types.len() as i32,
                types.as_ptr().cast_mut(),
                (pg_sys::CURSOR_OPT_GENERIC_PLAN | pg_sys::CURSOR_OPT_PARALLEL_OK) as i32,
            );
            check(if plan.is_null() { pg_sys::SPI_result } else { 0 });
            check(pg_sys::SPI_keepplan(plan));
            plan
        };
        connection.close();
        Self { plan, style }
    }

    /// Runs the statement and reads each row that it returns.
    pub fn query<T>(&self, snapshot: SnapshotMode, params: &[Param], read: impl Fn(Row) -> T) -> Vec<T> {
        let connection = Connection::open();
        self.execute(snapshot, params);
        // SAFETY: after a successful execution SPI_tuptable is null or a table of SPI_processed rows, which lives until
        // the connection is closed; `read` gives owned values.
        let rows = unsafe {
            match pg_sys::SPI_tuptable.as_ref() {
                Some(table) => (0..pg_sys::SPI_processed as usize)
                    .map(|i| read(Row { tuple: *table.vals.add(i), shape: table.tupdesc }))
                    .collect(),
                None => Vec::new(),
            }
        };
        connection.close();
        rows
    }

    /// Runs the statement and counts the rows that it wrote.
    pub fn run(&self, params: &[Param]) -> u64 {
        let connection = Connection::open();
        self.execute(SnapshotMode::Current, params);
        // SAFETY: set by the execution just done.
        let processed = unsafe { pg_sys::SPI_processed };
        connection.close();
        processed
    }

    fn execute(&self, snapshot: SnapshotMode, params: &[Param]) {
        let (mut values, nulls): (Vec<Datum>, Vec<c_char>) = params
            .iter()
            .map(|param| param.to_datum(self.style))
            .map(|value| (value.unwrap_or(Datum::null()), (if value.is_some() { b' ' } else { b'n' }) as c_char))
            .unzip();
        // SAFETY: the plan is kept for the session, and there are a value and a mark for NULL for each of its
        // parameters, of the types that `prepare` stated. The values were made after SPI_connect, in memory that
        // SPI_finish frees, or point into what the caller lends.
        check(unsafe {
            match snapshot {
                SnapshotMode::Latest => {
                    raised_error::execute_snapshot(self.plan, &mut values, &nulls, pg_sys::GetLatestSnapshot())
                }
                SnapshotMode::Current => raised_error::execute_plan(self.plan, &mut values, &nulls, false),
                SnapshotMode::Callers => raised_error::execute_plan(self.plan, &mut values, &nulls, true),
            }
        });
    }
}

/// Runs a statement once, with parameters of any type; it may write.
pub fn execute(sql: &str, args: &[DatumWithOid]) {
    let connection = Connection::open();
    let sql = CString::new(sql).expect("statements hold no NUL");
    let mut types: Vec<Oid> = args.iter().map(DatumWithOid::oid).collect();
    let (mut values, nulls): (Vec<Datum>, Vec<c_char>) = args
        .iter()
        .map(|arg| arg.datum().map(|datum| datum.sans_lifetime()))
        .map(|value| (value.unwrap_or(Datum::null()), (if value.is_some() { b' ' } else { b'n' }) as c_char))
        .unzip();
    // SAFETY: the connection is open, and there are a type, a value of it and a mark for NULL for each parameter. The
    // transaction gets an id, as by pgrx's writing calls: from then on pgrx's reading calls see what was written.
    check(unsafe {
        pg_sys::GetCurrentTransactionId();
        raised_error::execute_once(&sql, &mut types, &mut values, &nulls)
    });
    connection.close();
}

/// A row of a result. Columns count from 1.
pub struct Row {
    tuple: pg_sys::HeapTuple,
    shape: pg_sys::TupleDesc,
}

impl Row {
    pub fn uuid(&self, column: i32) -> Option<Uuid> {
        self.value::<pgrx::Uuid>(column).map(|uuid| Uuid::from_bytes(*uuid.as_bytes()))
    }

    pub fn boolean(&self, column: i32) -> Option<bool> {
        self.value(column)
    }

    pub fn integer(&self, column: i32) -> Option<i32> {
        self.value(column)
    }

    pub fn bigint(&self, column: i32) -> Option<i64> {
        self.value(column)
    }

    /// Microseconds since 2000-01-01 00:00:00 UTC.
    pub fn timestamp(&self, column: i32) -> Option<i64> {
        self.value::<pgrx::datum::TimestampWithTimeZone>(column).map(i64::from)
    }

    pub fn text(&self, column: i32) -> Option<String> {
        self.value(column)
    }

    /// Copies a jsonb into the memory of the function call.
    pub fn jsonb<'a>(&self, column: i32) -> Option<Jsonb<'a>> {
        self.must_be(column, pg_sys::JSONBOID);
        let mut is_null = false;
        // SAFETY: as in `value`; rows are read while the connection is open.
        unsafe {
            let datum = pg_sys::SPI_getbinval(self.tuple, self.shape, column, &mut is_null);
            (!is_null).then(|| Jsonb::copied_out_of_spi(datum))
        }
    }

    fn value<T: FromDatum + IntoDatum>(&self, column: i32) -> Option<T> {
        self.must_be(column, T::type_oid());
        let mut is_null = false;
        // SAFETY: tuple and shape belong to a live SPI result, and the column is of the type that is read.
        unsafe {
            let datum = pg_sys::SPI_getbinval(self.tuple, self.shape, column, &mut is_null);
            T::from_datum(datum, is_null)
        }
    }

    /// Raises if the column has another type, as an application's own table may have.
    fn must_be(&self, column: i32, wanted: Oid) {
        // SAFETY: shape belongs to a live SPI result; format_type_be and SPI_fname give NUL-terminated strings.
        unsafe {
            let found = pg_sys::SPI_gettypeid(self.shape, column);
            if found != wanted {
                let text = |text: *mut c_char| CStr::from_ptr(text).to_string_lossy().into_owned();
                let (name, found) = (text(pg_sys::SPI_fname(self.shape, column)), text(pg_sys::format_type_be(found)));
                let message = format!("column {name} is of type {found}, not {}", text(pg_sys::format_type_be(wanted)));
                Failure::new(pgrx::PgSqlErrorCode::ERRCODE_DATATYPE_MISMATCH, message)
                    .hint("connector_pipeline needs its tables as bootstrap() creates them: ids are uuid.")
                    .raise();
            }
        }
    }
}

/// A level of SPI's stack, with its memory.
struct Connection;

impl Connection {
    fn open() -> Self {
        // SAFETY: paired with SPI_finish in close(). On an error in between, the abort of the (sub)transaction closes
        // it (AtEOSubXact_SPI), together with the levels that a failing trigger left open above it.
        check(unsafe { pg_sys::SPI_connect() });
        Self
    }

    fn close(self) {
        // SAFETY: the innermost level is the one that open() made.
        check(unsafe { pg_sys::SPI_finish() });
    }
}

/// Raises for a negative status: SPI reports wrong calls that way, never bad data.
fn check(status: i32) {
    if status < 0 {
        let code = pgrx::PgSqlErrorCode::ERRCODE_INTERNAL_ERROR;
        Failure::new(code, format!("SPI returned {status}")).raise();
    }
}
