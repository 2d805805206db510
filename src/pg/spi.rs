//! SQL statements that are planned once and kept for the session: a safe, narrow way into SPI.
//!
//! pgrx's SPI can't ask for a generic plan, and its writing calls assign a transaction id before there is anything to
//! write. All parameters here are columns: passed as arrays, or a column of one value as that value ([`Form`]).

use std::ffi::{CStr, CString, c_char};

use pgrx::datum::{FromDatum, IntoDatum};
use pgrx::pg_sys::{self, Datum, Oid};
use uuid::Uuid;

use crate::error::Failure;
use crate::pg::jsonb::{Element, Jsonb};
use crate::record::{Timestamp, Value};

/// How a statement takes its parameters.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Each is an array, one element a row.
    Arrays,
    /// There is one row, and each is a plain value.
    Values,
}

/// One parameter: a column of values.
pub enum Column<'a> {
    Uuids(Vec<Option<Uuid>>),
    Texts(Vec<Option<&'a str>>),
    Jsonbs(Vec<Option<Element<'a>>>),
    /// Arrays of strings, of any length each: what an array of arrays can't be. The statement casts them to text[].
    TextArrays(Vec<Option<Element<'a>>>),
    Integers(Vec<Option<i32>>),
    Timestamps(Vec<Option<Timestamp>>),
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
    form: Form,
}

impl Statement {
    /// Parses `sql`, whose parameters are like `columns`. Raises what is wrong with it (a missing table).
    ///
    /// The plan is a generic one: with the array's values at hand PostgreSQL would find a custom plan cheaper and
    /// would plan anew at each call. It may use parallel workers, as a query of the caller's own may.
    pub fn prepare(sql: &str, form: Form, columns: &[Column]) -> Self {
        let types: Vec<Oid> = columns.iter().map(|column| column.kind().parameter_type(form)).collect();
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
        Self { plan, form }
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
        let parameters = columns.iter().map(|column| column.to_parameter(self.form));
        let (mut values, nulls): (Vec<Datum>, Vec<c_char>) = parameters
            .map(|value| (value.unwrap_or(Datum::null()), (if value.is_some() { b' ' } else { b'n' }) as c_char))
            .unzip();
        // SAFETY: the plan is kept for the session, and there are a value and a mark for NULL for each of its
        // parameters, of the types that `prepare` stated. The values were made after SPI_connect, in memory that
        // SPI_finish frees, or point into what the caller lends.
        check(unsafe {
            match access {
                Access::Latest => pg_sys::SPI_execute_snapshot(
                    self.plan,
                    values.as_mut_ptr(),
                    nulls.as_ptr(),
                    pg_sys::GetLatestSnapshot(),
                    std::ptr::null_mut(),
                    false,
                    true,
                    0,
                ),
                _ => {
                    pg_sys::SPI_execute_plan(self.plan, values.as_mut_ptr(), nulls.as_ptr(), access == Access::Read, 0)
                }
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

    pub fn boolean(&self, column: i32) -> Option<bool> {
        self.value(column)
    }

    pub fn integer(&self, column: i32) -> Option<i32> {
        self.value(column)
    }

    pub fn bigint(&self, column: i32) -> Option<i64> {
        self.value(column)
    }

    pub fn timestamp(&self, column: i32) -> Option<Timestamp> {
        self.value::<pgrx::datum::TimestampWithTimeZone>(column).map(Timestamp::from)
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
                let text = |text: *mut c_char| CStr::from_ptr(text).to_string_lossy().into_owned();
                let (name, found) = (text(pg_sys::SPI_fname(self.shape, column)), text(pg_sys::format_type_be(found)));
                let message = format!("column {name} is of type {found}, not {}", text(pg_sys::format_type_be(wanted)));
                Failure::new(pgrx::PgSqlErrorCode::ERRCODE_DATATYPE_MISMATCH, message)
                    .hint("connector_pipeline needs its tables as bootstrap() makes them: ids are uuid.")
                    .raise();
            }
        }
    }
}

/// A type that columns can have, and how PostgreSQL lays its values out in an array (pg_type).
struct Kind {
    oid: Oid,
    array_oid: Oid,
    length: i32,
    by_value: bool,
    alignment: u8,
}

impl Kind {
    fn parameter_type(&self, form: Form) -> Oid {
        match form {
            Form::Arrays => self.array_oid,
            Form::Values => self.oid,
        }
    }
}

impl Column<'_> {
    fn kind(&self) -> Kind {
        let of = |oid, array_oid, length, by_value, alignment| Kind { oid, array_oid, length, by_value, alignment };
        match self {
            Column::Uuids(_) => of(pg_sys::UUIDOID, pg_sys::UUIDARRAYOID, 16, false, b'c'),
            Column::Texts(_) | Column::TextArrays(_) => of(pg_sys::TEXTOID, pg_sys::TEXTARRAYOID, -1, false, b'i'),
            Column::Jsonbs(_) => of(pg_sys::JSONBOID, pg_sys::JSONBARRAYOID, -1, false, b'i'),
            Column::Integers(_) => of(pg_sys::INT4OID, pg_sys::INT4ARRAYOID, 4, true, b'i'),
            Column::Timestamps(_) => of(pg_sys::TIMESTAMPTZOID, pg_sys::TIMESTAMPTZARRAYOID, 8, true, b'd'),
        }
    }

    /// How many values it has.
    pub fn len(&self) -> usize {
        match self {
            Column::Uuids(values) => values.len(),
            Column::Texts(values) => values.len(),
            Column::Jsonbs(values) | Column::TextArrays(values) => values.len(),
            Column::Integers(values) => values.len(),
            Column::Timestamps(values) => values.len(),
        }
    }

    fn to_parameter(&self, form: Form) -> Option<Datum> {
        let mut datums = self.datums();
        match form {
            Form::Arrays => Some(array(&self.kind(), datums)),
            Form::Values => datums.pop().expect("a column of one value"),
        }
    }

    fn datums(&self) -> Vec<Option<Datum>> {
        match self {
            Column::Uuids(values) => {
                values.iter().map(|value| value.as_ref().map(|uuid| Datum::from(uuid.as_bytes().as_ptr()))).collect()
            }
            Column::Texts(values) => values.iter().map(|value| value.map(text_datum)).collect(),
            Column::Jsonbs(values) => values.iter().map(|value| value.map(Element::to_datum)).collect(),
            Column::TextArrays(values) => {
                values.iter().map(|value| value.map(|strings| text_datum(&array_literal(strings)))).collect()
            }
            Column::Integers(values) => values.iter().map(|value| value.map(Datum::from)).collect(),
            Column::Timestamps(values) => values.iter().map(|value| value.map(Datum::from)).collect(),
        }
    }
}

fn text_datum(text: &str) -> Datum {
    // SAFETY: pointer and length are those of a str, whose bytes are copied.
    Datum::from(unsafe { pg_sys::cstring_to_text_with_len(text.as_ptr().cast(), text.len() as i32) })
}

/// A JSON array of strings as PostgreSQL writes an array: `{"one","the \"other\""}`.
fn array_literal(strings: Element) -> String {
    let quoted = strings.elements().filter_map(|element| match element.read() {
        Value::Text(text) => Some(format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))),
        _ => None,
    });
    format!("{{{}}}", quoted.collect::<Vec<_>>().join(","))
}

fn array(kind: &Kind, values: Vec<Option<Datum>>) -> Datum {
    let (mut datums, mut nulls): (Vec<Datum>, Vec<bool>) =
        values.into_iter().map(|value| (value.unwrap_or(Datum::null()), value.is_none())).unzip();
    // SAFETY: datums and nulls have one entry an element, each of the type whose layout `kind` states, and construct_md_array
    // copies what they point to. It makes an array without dimensions of no elements.
    Datum::from(unsafe {
        pg_sys::construct_md_array(
            datums.as_mut_ptr(),
            nulls.as_mut_ptr(),
            1,
            [datums.len() as i32].as_mut_ptr(),
            [1].as_mut_ptr(),
            kind.oid,
            kind.length,
            kind.by_value,
            kind.alignment as c_char,
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
