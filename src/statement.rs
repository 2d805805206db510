//! SQL statements that are planned once and kept for the session: a safe, narrow way into SPI.
//!
//! pgrx's SPI can't ask for a generic plan, and its writing calls assign a transaction id before there is anything to
//! write. All parameters here are arrays, a column each, for one record and for many.

use std::ffi::{CStr, CString};

use pgrx::datum::{FromDatum, IntoDatum};
use pgrx::pg_sys::{self, Datum, Oid};
use uuid::Uuid;

use crate::error::Failure;
use crate::jsonb::{Element, Jsonb};

/// One parameter: a column of values, passed as an array.
pub enum Column<'a> {
    Uuids(Vec<Option<Uuid>>),
    Texts(Vec<Option<&'a str>>),
    Jsonbs(Vec<Option<Element<'a>>>),
    Integers(Vec<Option<i32>>),
    Timestamps(Vec<Option<i64>>),
}

/// What a statement may see and do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Reads with the snapshot of the calling query: for STABLE functions.
    Read,
    /// Sees what the transaction did up to now, and may write.
    Write,
    /// Sees what other transactions have committed up to now, whatever the isolation level.
    Latest,
}

/// A kept plan.
pub struct Statement {
    plan: pg_sys::SPIPlanPtr,
}

impl Statement {
    /// Parses `sql`, whose parameters are arrays of the given types. Raises what is wrong with it (a missing table).
    ///
    /// The plan is a generic one: with the array's values at hand PostgreSQL would find a custom plan cheaper and
    /// would plan anew at each call.
    pub fn prepare(sql: &str, types: &[Oid]) -> Self {
        let connection = Connection::open();
        let sql = CString::new(sql).expect("statements hold no NUL");
        // SAFETY: types has as many entries as is said; the plan is moved to memory of its own by SPI_keepplan before
        // the connection that made it is closed.
        let plan = unsafe {
            let plan = pg_sys::SPI_prepare_cursor(
                sql.as_ptr(),
                types.len() as i32,
                types.as_ptr().cast_mut(),
                pg_sys::CURSOR_OPT_GENERIC_PLAN as i32,
            );
            check(if plan.is_null() { pg_sys::SPI_result } else { 0 });
            check(pg_sys::SPI_keepplan(plan));
            plan
        };
        connection.close();
        Self { plan }
    }

    /// Runs the statement and reads each row that it returns.
    pub fn query<T>(&self, access: Access, columns: &[Column], read: impl Fn(Row) -> T) -> Vec<T> {
        let connection = Connection::open();
        self.execute(access, columns);
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
    pub fn run(&self, columns: &[Column]) -> u64 {
        let connection = Connection::open();
        self.execute(Access::Write, columns);
        // SAFETY: set by the execution just done.
        let processed = unsafe { pg_sys::SPI_processed };
        connection.close();
        processed
    }

    fn execute(&self, access: Access, columns: &[Column]) {
        let mut values: Vec<Datum> = columns.iter().map(Column::to_array).collect();
        // SAFETY: the plan is kept for the session, there is a value for each of its parameters, and none is NULL. The
        // arrays were made after SPI_connect, in memory that SPI_finish frees.
        check(unsafe {
            match access {
                Access::Latest => pg_sys::SPI_execute_snapshot(
                    self.plan,
                    values.as_mut_ptr(),
                    std::ptr::null(),
                    pg_sys::GetLatestSnapshot(),
                    std::ptr::null_mut(),
                    false,
                    true,
                    0,
                ),
                _ => pg_sys::SPI_execute_plan(
                    self.plan,
                    values.as_mut_ptr(),
                    std::ptr::null(),
                    access == Access::Read,
                    0,
                ),
            }
        });
    }
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

    pub fn integer(&self, column: i32) -> Option<i32> {
        self.value(column)
    }

    pub fn bigint(&self, column: i32) -> Option<i64> {
        self.value(column)
    }

    pub fn text(&self, column: i32) -> Option<String> {
        self.value(column)
    }

    /// A jsonb, which lives as long as the function call that asks for it.
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
}

impl Row {
    /// The tables may be an application's own, with columns of any type.
    fn must_be(&self, column: i32, wanted: Oid) {
        // SAFETY: shape belongs to a live SPI result; format_type_be and SPI_fname give NUL-terminated strings.
        unsafe {
            let found = pg_sys::SPI_gettypeid(self.shape, column);
            if found != wanted {
                let text = |text: *mut std::ffi::c_char| CStr::from_ptr(text).to_string_lossy().into_owned();
                let (name, found) = (text(pg_sys::SPI_fname(self.shape, column)), text(pg_sys::format_type_be(found)));
                let message = format!("column {name} is of type {found}, not {}", text(pg_sys::format_type_be(wanted)));
                Failure::new(pgrx::PgSqlErrorCode::ERRCODE_DATATYPE_MISMATCH, message)
                    .hint("connector_pipeline needs its tables as bootstrap() makes them: ids are uuid.")
                    .raise();
            }
        }
    }
}

/// How PostgreSQL lays out the elements of an array.
struct ElementType {
    oid: Oid,
    length: i32,
    by_value: bool,
    alignment: u8,
}

impl Column<'_> {
    /// The type of the parameter that the column is passed as.
    pub fn array_type(&self) -> Oid {
        match self {
            Column::Uuids(_) => pg_sys::UUIDARRAYOID,
            Column::Texts(_) => pg_sys::TEXTARRAYOID,
            Column::Jsonbs(_) => pg_sys::JSONBARRAYOID,
            Column::Integers(_) => pg_sys::INT4ARRAYOID,
            Column::Timestamps(_) => pg_sys::TIMESTAMPTZARRAYOID,
        }
    }

    fn to_array(&self) -> Datum {
        let text_like = |oid| ElementType { oid, length: -1, by_value: false, alignment: b'i' };
        match self {
            Column::Uuids(values) => {
                let uuid = ElementType { oid: pg_sys::UUIDOID, length: 16, by_value: false, alignment: b'c' };
                array(uuid, values.iter().map(|value| value.as_ref().map(|uuid| Datum::from(uuid.as_bytes().as_ptr()))))
            }
            Column::Texts(values) => {
                array(text_like(pg_sys::TEXTOID), values.iter().map(|value| value.map(text_datum)))
            }
            Column::Jsonbs(values) => {
                array(text_like(pg_sys::JSONBOID), values.iter().map(|value| value.map(Element::to_datum)))
            }
            Column::Integers(values) => {
                let integer = ElementType { oid: pg_sys::INT4OID, length: 4, by_value: true, alignment: b'i' };
                array(integer, values.iter().map(|value| value.map(Datum::from)))
            }
            Column::Timestamps(values) => {
                let timestamp = ElementType { oid: pg_sys::TIMESTAMPTZOID, length: 8, by_value: true, alignment: b'd' };
                array(timestamp, values.iter().map(|value| value.map(Datum::from)))
            }
        }
    }
}

fn text_datum(text: &str) -> Datum {
    // SAFETY: pointer and length are those of a str, whose bytes are copied.
    Datum::from(unsafe { pg_sys::cstring_to_text_with_len(text.as_ptr().cast(), text.len() as i32) })
}

fn array(element: ElementType, values: impl Iterator<Item = Option<Datum>>) -> Datum {
    let (mut datums, mut nulls): (Vec<Datum>, Vec<bool>) =
        values.map(|value| (value.unwrap_or(Datum::null()), value.is_none())).unzip();
    // SAFETY: datums and nulls have one entry an element, each of the type whose layout `element` states (pg_type), and
    // construct_md_array copies what they point to. It makes an array without dimensions of no elements.
    Datum::from(unsafe {
        pg_sys::construct_md_array(
            datums.as_mut_ptr(),
            nulls.as_mut_ptr(),
            1,
            [datums.len() as i32].as_mut_ptr(),
            [1].as_mut_ptr(),
            element.oid,
            element.length,
            element.by_value,
            element.alignment as std::ffi::c_char,
        )
    })
}

/// A level of SPI's stack, and its memory.
struct Connection;

impl Connection {
    fn open() -> Self {
        // SAFETY: paired with SPI_finish in close(). On an error in between, the abort of the (sub)transaction closes it
        // (AtEOSubXact_SPI), together with the levels that a failing trigger left open above it.
        check(unsafe { pg_sys::SPI_connect() });
        Self
    }

    fn close(self) {
        // SAFETY: the innermost level is the one that open() made.
        check(unsafe { pg_sys::SPI_finish() });
    }
}

/// SPI says by a negative number what is a mistake in the call, never what is wrong with data.
fn check(status: i32) {
    if status < 0 {
        let code = pgrx::PgSqlErrorCode::ERRCODE_INTERNAL_ERROR;
        Failure::new(code, format!("SPI answered {status}")).raise();
    }
}
