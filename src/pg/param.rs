//! Parameters of a statement: values, or arrays with one element per row.

use std::ffi::c_char;

use pgrx::pg_sys::{self, Datum, Oid};
use uuid::Uuid;

use crate::json::Value;
use crate::pg::jsonb::Element;

/// How a statement takes its parameters.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum ParamStyle {
    /// Each is an array, with one element per row.
    Arrays,
    /// There is one row, and each is a plain value.
    Values,
}

/// One parameter: its value for each row.
pub enum Param<'a> {
    Uuids(Vec<Option<Uuid>>),
    Texts(Vec<Option<&'a str>>),
    Jsonbs(Vec<Option<Element<'a>>>),
    /// JSON arrays of strings, passed as text that the statement casts to text[].
    ///
    /// An array of arrays would need equal lengths.
    TextArrays(Vec<Option<Element<'a>>>),
    Integers(Vec<Option<i32>>),
    /// Microseconds since 2000-01-01 00:00:00 UTC.
    Timestamps(Vec<Option<i64>>),
}

/// The type of a parameter, and the layout of its values in an array (pg_type).
struct ParamType {
    oid: Oid,
    array_oid: Oid,
    length: i32,
    by_value: bool,
    alignment: u8,
}

impl Param<'_> {
    /// Returns the type that the statement declares for the parameter.
    pub fn type_oid(&self, style: ParamStyle) -> Oid {
        match style {
            ParamStyle::Arrays => self.param_type().array_oid,
            ParamStyle::Values => self.param_type().oid,
        }
    }

    /// Returns the number of rows.
    pub fn len(&self) -> usize {
        match self {
            Param::Uuids(values) => values.len(),
            Param::Texts(values) => values.len(),
            Param::Jsonbs(values) | Param::TextArrays(values) => values.len(),
            Param::Integers(values) => values.len(),
            Param::Timestamps(values) => values.len(),
        }
    }

    /// Creates the datum in the current memory context.
    ///
    /// A uuid's datum points into the parameter itself.
    pub fn to_datum(&self, style: ParamStyle) -> Option<Datum> {
        let mut datums = self.datums();
        match style {
            ParamStyle::Arrays => Some(array(&self.param_type(), datums)),
            ParamStyle::Values => datums.pop().expect("a parameter of one row"),
        }
    }

    fn param_type(&self) -> ParamType {
        let of =
            |oid, array_oid, length, by_value, alignment| ParamType { oid, array_oid, length, by_value, alignment };
        match self {
            Param::Uuids(_) => of(pg_sys::UUIDOID, pg_sys::UUIDARRAYOID, 16, false, b'c'),
            Param::Texts(_) | Param::TextArrays(_) => of(pg_sys::TEXTOID, pg_sys::TEXTARRAYOID, -1, false, b'i'),
            Param::Jsonbs(_) => of(pg_sys::JSONBOID, pg_sys::JSONBARRAYOID, -1, false, b'i'),
            Param::Integers(_) => of(pg_sys::INT4OID, pg_sys::INT4ARRAYOID, 4, true, b'i'),
            Param::Timestamps(_) => of(pg_sys::TIMESTAMPTZOID, pg_sys::TIMESTAMPTZARRAYOID, 8, true, b'd'),
        }
    }

    fn datums(&self) -> Vec<Option<Datum>> {
        match self {
            Param::Uuids(values) => {
                values.iter().map(|value| value.as_ref().map(|uuid| Datum::from(uuid.as_bytes().as_ptr()))).collect()
            }
            Param::Texts(values) => values.iter().map(|value| value.map(text_datum)).collect(),
            Param::Jsonbs(values) => values.iter().map(|value| value.map(Element::to_datum)).collect(),
            Param::TextArrays(values) => {
                values.iter().map(|value| value.map(|strings| text_datum(&array_literal(strings)))).collect()
            }
            Param::Integers(values) => values.iter().map(|value| value.map(Datum::from)).collect(),
            Param::Timestamps(values) => values.iter().map(|value| value.map(Datum::from)).collect(),
        }
    }
}

fn text_datum(text: &str) -> Datum {
    // SAFETY: pointer and length are those of a str, whose bytes are copied.
    Datum::from(unsafe { pg_sys::cstring_to_text_with_len(text.as_ptr().cast(), text.len() as i32) })
}

/// Writes a JSON array of strings as PostgreSQL writes an array: `{"one","the \"other\""}`.
fn array_literal(strings: Element) -> String {
    let quoted = strings.elements().filter_map(|element| match element.read() {
        Value::Text(text) => Some(format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))),
        _ => None,
    });
    format!("{{{}}}", quoted.collect::<Vec<_>>().join(","))
}

fn array(element: &ParamType, values: Vec<Option<Datum>>) -> Datum {
    let (mut datums, mut nulls): (Vec<Datum>, Vec<bool>) =
        values.into_iter().map(|value| (value.unwrap_or(Datum::null()), value.is_none())).unzip();
    // SAFETY: datums and nulls have one item per element, each of the type whose layout `element` states, and
    // construct_md_array copies what they point to. Without elements it creates an array without dimensions.
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
            element.alignment as c_char,
        )
    })
}
