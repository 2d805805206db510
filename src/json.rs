//! A JSON value whose numbers and containers stay in the form in which they came. Pure: knows no SQL.

use std::borrow::Cow;

/// A JSON value. Numbers and containers keep their own form `R` and are read only where a key asks for them.
pub enum Value<'a, R> {
    Null,
    Bool(bool),
    Number(R),
    Text(&'a str),
    Array(R),
    Object(R),
}

/// What validation reads from a number or a container in its own form.
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

/// Cuts a value to the length that identifies it in an error message.
pub fn shorten(text: &str) -> Cow<'_, str> {
    const MAX_CHARACTERS: usize = 40;
    match text.char_indices().nth(MAX_CHARACTERS) {
        Some((end, _)) => Cow::Owned(format!("{}...", &text[..end])),
        None => Cow::Borrowed(text),
    }
}
