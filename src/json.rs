//! A JSON value whose numbers and containers keep the form of their source. Knows no SQL.

use std::borrow::Cow;

/// A JSON value. Numbers and containers keep their source's form `R`, and are read only when needed.
pub enum Value<'a, R> {
    Null,
    Bool(bool),
    Number(R),
    Text(&'a str),
    Array(R),
    Object(R),
}

/// The operations of validation on numbers and containers in their source's form.
pub trait Raw {
    /// Returns a number's exact decimal text.
    fn decimal(&self) -> String;
    /// Returns whether every element of an array is a string.
    fn holds_only_strings(&self) -> bool;
}

impl<R: Raw> Value<'_, R> {
    /// Describes the value, short enough for an error message.
    pub fn describe(&self) -> String {
        match self {
            Value::Null => "null".to_owned(),
            Value::Bool(value) => format!("the boolean {value}"),
            Value::Number(number) => format!("the number {}", shorten(&number.decimal())),
            Value::Text(text) => format!("the string \"{}\"", shorten(text)),
            Value::Array(_) => "an array".to_owned(),
            Value::Object(_) => "an object".to_owned(),
        }
    }
}

/// Truncates a value for an error message.
pub fn shorten(text: &str) -> Cow<'_, str> {
    const MAX_CHARACTERS: usize = 40;
    match text.char_indices().nth(MAX_CHARACTERS) {
        Some((end, _)) => Cow::Owned(format!("{}...", &text[..end])),
        None => Cow::Borrowed(text),
    }
}
