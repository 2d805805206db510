//! Reads PostgreSQL's jsonb in place.
//!
//! pgrx's `JsonB` argument goes through text and serde_json: 1e400 or deep nesting panic there, integers beyond u64
//! become floats (two vendor ids become one), and a transcript is copied several times. Here only the top level of a
//! record is walked, strings are borrowed, and nested values stay jsonb.

use std::ffi::CStr;
use std::marker::PhantomData;
use std::mem::MaybeUninit;

use pgrx::callconv::{Arg, ArgAbi};
use pgrx::pg_sys::{self, Datum, JsonbIteratorToken, jbvType};
use pgrx::pgrx_sql_entity_graph::metadata::{
    ArgumentError, ReturnsError, ReturnsRef, SqlMappingRef, SqlTranslatable, TypeOrigin,
};

use crate::json::{Raw, Value};

// Flags of JsonbContainer.header, utils/jsonb.h.
const JB_FSCALAR: u32 = 0x1000_0000;
const JB_FOBJECT: u32 = 0x2000_0000;

/// A jsonb argument, detoasted, valid for the call.
#[derive(Clone, Copy)]
pub struct Jsonb<'a> {
    container: *mut pg_sys::JsonbContainer,
    lifetime: PhantomData<&'a ()>,
}

/// A number or a container inside a [`Jsonb`], still in PostgreSQL's form.
#[derive(Clone, Copy)]
pub struct Element<'a> {
    value: pg_sys::JsonbValue,
    lifetime: PhantomData<&'a ()>,
}

impl<'a> Jsonb<'a> {
    /// Copies a jsonb of an SPI result into the memory context outside of SPI.
    ///
    /// The copy lives as long as the call.
    ///
    /// # Safety
    /// The datum is a jsonb, and an SPI connection is open.
    pub unsafe fn copied_out_of_spi(datum: Datum) -> Self {
        // SAFETY: promised by the caller; SPI_datumTransfer copies the varlena, and a varlena that detoasting has
        // allocated may be freed.
        unsafe {
            let detoasted: *mut pg_sys::varlena = pg_sys::pg_detoast_datum(datum.cast_mut_ptr());
            let copy = pg_sys::SPI_datumTransfer(Datum::from(detoasted), false, -1);
            if detoasted != datum.cast_mut_ptr() {
                // One statement may read many rows.
                pg_sys::pfree(detoasted.cast());
            }
            Self::at(copy)
        }
    }

    /// # Safety
    /// The datum points to a detoasted jsonb that lives for 'a.
    unsafe fn at(datum: Datum) -> Self {
        let jsonb: *mut pg_sys::Jsonb = datum.cast_mut_ptr();
        // SAFETY: promised by the caller.
        Self { container: unsafe { &raw mut (*jsonb).root }, lifetime: PhantomData }
    }

    /// Reads the value at the root.
    pub fn root(self) -> Value<'a, Element<'a>> {
        self.element().read()
    }

    /// Returns the root as an element.
    pub fn element(self) -> Element<'a> {
        // SAFETY: container points at the header of a detoasted jsonb.
        if unsafe { (*self.container).header } & JB_FSCALAR != 0 {
            // PostgreSQL stores a scalar root as an array of one element.
            return self.values().next().expect("a scalar root has one element");
        }
        let mut value = pg_sys::JsonbValue { type_: jbvType::jbvBinary, ..Default::default() };
        value.val.binary.data = self.container;
        // SAFETY: a root container lies behind the length word of its varlena; the length is that of the container.
        value.val.binary.len = unsafe {
            let varlena: *const pg_sys::varlena = self.container.byte_sub(pg_sys::VARHDRSZ).cast();
            (pgrx::varsize(varlena) - pg_sys::VARHDRSZ) as i32
        };
        Element { value, lifetime: PhantomData }
    }

    /// Returns the fields' values or the array's elements.
    fn values(self) -> impl Iterator<Item = Element<'a>> {
        self.tokens()
            .filter_map(|(token, value)| carries_value(token).then_some(Element { value, lifetime: PhantomData }))
    }

    fn tokens(self) -> Tokens<'a> {
        // SAFETY: container is a valid jsonb container for 'a.
        Tokens { iterator: unsafe { pg_sys::JsonbIteratorInit(self.container) }, lifetime: PhantomData }
    }
}

impl<'a> Element<'a> {
    /// Reads the element's kind, and the value of a string or a boolean.
    pub fn read(self) -> Value<'a, Element<'a>> {
        match self.value.type_ {
            jbvType::jbvString => Value::Text(text(&self.value)),
            jbvType::jbvNumeric => Value::Number(self),
            // SAFETY: type_ says which member of the union is set.
            jbvType::jbvBool => Value::Bool(unsafe { self.value.val.boolean }),
            jbvType::jbvNull => Value::Null,
            // SAFETY: as above; with skipNested the rest are containers as jbvBinary.
            _ if unsafe { (*self.value.val.binary.data).header } & JB_FOBJECT != 0 => Value::Object(self),
            _ => Value::Array(self),
        }
    }

    /// Returns the fields of an object, keys in jsonb's order.
    pub fn fields(self) -> impl Iterator<Item = (&'a str, Value<'a, Element<'a>>)> {
        let mut key = "";
        self.contents().tokens().filter_map(move |(token, value)| {
            if token == JsonbIteratorToken::WJB_KEY {
                key = text(&value);
            }
            carries_value(token).then(|| (key, Element { value, lifetime: PhantomData }.read()))
        })
    }

    /// Returns the elements of an array.
    pub fn elements(self) -> impl Iterator<Item = Element<'a>> {
        self.contents().values()
    }

    /// Copies the element into a jsonb datum, in the current memory context.
    pub fn to_datum(mut self) -> Datum {
        // SAFETY: value is a complete JsonbValue that points into a live jsonb; it is copied.
        Datum::from(unsafe { pg_sys::JsonbValueToJsonb(&mut self.value) })
    }

    /// Returns how many bytes a string or a container takes, and 0 for anything else.
    pub fn size(self) -> usize {
        match self.read() {
            Value::Text(text) => text.len(),
            Value::Object(_) | Value::Array(_) => {
                // SAFETY: `read` makes these of jbvBinary values alone.
                usize::try_from(unsafe { self.value.val.binary.len }).unwrap_or_default()
            }
            Value::Number(_) | Value::Bool(_) | Value::Null => 0,
        }
    }

    /// Returns PostgreSQL's hash of the value: equal values have equal hashes.
    pub fn hash(self) -> u64 {
        // SAFETY: the arguments are those that jsonb_hash_extended takes, a jsonb and a bigint; it returns a bigint.
        let hash = unsafe {
            pgrx::direct_function_call::<i64>(
                pg_sys::jsonb_hash_extended,
                &[Some(self.to_datum()), Some(Datum::from(0_i64))],
            )
        };
        hash.unwrap_or_default().cast_unsigned()
    }

    fn contents(self) -> Jsonb<'a> {
        debug_assert!(self.value.type_ == jbvType::jbvBinary);
        // SAFETY: `read` makes containers of jbvBinary values alone, and only containers are looked into.
        Jsonb { container: unsafe { self.value.val.binary.data }, lifetime: PhantomData }
    }
}

impl Raw for Element<'_> {
    fn decimal(&self) -> String {
        debug_assert!(self.value.type_ == jbvType::jbvNumeric);
        // SAFETY: `decimal` is called only for numbers, whose union member is numeric; numeric_out returns a
        // NUL-terminated string in the current memory context.
        unsafe {
            let digits =
                pgrx::direct_function_call::<&CStr>(pg_sys::numeric_out, &[Some(Datum::from(self.value.val.numeric))]);
            digits.unwrap_or_default().to_string_lossy().into_owned()
        }
    }

    fn holds_only_strings(&self) -> bool {
        self.elements().all(|element| matches!(element.read(), Value::Text(_)))
    }
}

/// The tokens of one level: a nested container is one value.
struct Tokens<'a> {
    iterator: *mut pg_sys::JsonbIterator,
    lifetime: PhantomData<&'a ()>,
}

impl Iterator for Tokens<'_> {
    type Item = (JsonbIteratorToken::Type, pg_sys::JsonbValue);

    fn next(&mut self) -> Option<Self::Item> {
        let mut value = MaybeUninit::zeroed();
        // SAFETY: iterator came from JsonbIteratorInit and is not used after WJB_DONE, for it is null by then and
        // JsonbIteratorNext returns WJB_DONE for a null iterator. All-zero bytes are a valid JsonbValue (jbvNull).
        unsafe {
            let token = pg_sys::JsonbIteratorNext(&mut self.iterator, value.as_mut_ptr(), true);
            (token != JsonbIteratorToken::WJB_DONE).then(|| (token, value.assume_init()))
        }
    }
}

/// Returns whether a token comes with a field's value or an array's element.
fn carries_value(token: JsonbIteratorToken::Type) -> bool {
    token == JsonbIteratorToken::WJB_VALUE || token == JsonbIteratorToken::WJB_ELEM
}

fn text<'a>(value: &pg_sys::JsonbValue) -> &'a str {
    // SAFETY: called for jbvString (keys are strings too), whose bytes lie in the jsonb, which outlives 'a; they are in
    // the server's encoding, and ExtensionSchema refuses to work if that is not UTF-8.
    unsafe {
        let string = value.val.string;
        std::str::from_utf8_unchecked(std::slice::from_raw_parts(string.val.cast(), string.len as usize))
    }
}

// SAFETY: the datum is that of a jsonb argument, as ARGUMENT_SQL below declares it; pg_detoast_datum gives a complete
// jsonb that lives at least as long as the call.
unsafe impl<'fcx> ArgAbi<'fcx> for Jsonb<'fcx> {
    unsafe fn unbox_arg_unchecked(arg: Arg<'_, 'fcx>) -> Self {
        // SAFETY: the caller promises a jsonb that is not NULL.
        unsafe {
            let datum = arg.unbox_arg_using_from_datum::<JsonbDatum>().expect("the argument is not NULL");
            Self::at(Datum::from(pg_sys::pg_detoast_datum(datum.0.cast_mut_ptr())))
        }
    }
}

/// The bare datum of a jsonb.
struct JsonbDatum(Datum);

impl pgrx::FromDatum for JsonbDatum {
    unsafe fn from_polymorphic_datum(datum: Datum, is_null: bool, _: pg_sys::Oid) -> Option<Self> {
        (!is_null).then_some(Self(datum))
    }
}

// SAFETY: ArgAbi above reads what SQL calls jsonb.
unsafe impl SqlTranslatable for Jsonb<'_> {
    const TYPE_IDENT: &'static str = "connector_pipeline::pg::jsonb::Jsonb";
    const TYPE_ORIGIN: TypeOrigin = TypeOrigin::External;
    const ARGUMENT_SQL: Result<SqlMappingRef, ArgumentError> = Ok(SqlMappingRef::literal("jsonb"));
    const RETURN_SQL: Result<ReturnsRef, ReturnsError> = Ok(ReturnsRef::One(SqlMappingRef::literal("jsonb")));
}
