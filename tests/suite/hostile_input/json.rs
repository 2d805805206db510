//! Represents JSON by its spelling, and computes its meaning without PostgreSQL or serde.

use std::fmt;

/// A JSON value with its spelling: always valid JSON, but not always accepted by jsonb.
#[derive(Clone)]
pub enum Json {
    Null,
    Bool(bool),
    /// The digits as spelled.
    Number(String),
    Text(Text),
    Array(Vec<Json>),
    /// Keys may repeat: the last value counts.
    Object(Vec<(Text, Json)>),
    /// A value within a number of nested arrays.
    Nested(usize, Box<Json>),
}

/// A string with its spelling.
#[derive(Clone, Debug)]
pub struct Text(pub Vec<Unit>);

#[derive(Clone, Copy, Debug)]
pub enum Unit {
    Plain(char),
    /// `\uXXXX`, possibly half of a surrogate pair.
    Escaped(u16),
    Run(char, usize),
}

impl Json {
    pub fn text(text: &str) -> Self {
        Json::Text(Text::plain(text))
    }

    pub fn spelled(&self) -> String {
        let mut spelling = String::new();
        self.spell(&mut spelling);
        spelling
    }

    fn spell(&self, to: &mut String) {
        match self {
            Json::Null => to.push_str("null"),
            Json::Bool(value) => to.push_str(if *value { "true" } else { "false" }),
            Json::Number(digits) => to.push_str(digits),
            Json::Text(text) => text.spell(to),
            Json::Array(elements) => {
                for (n, element) in elements.iter().enumerate() {
                    to.push(if n == 0 { '[' } else { ',' });
                    element.spell(to);
                }
                to.push_str(if elements.is_empty() { "[]" } else { "]" });
            }
            Json::Object(fields) => {
                for (n, (key, value)) in fields.iter().enumerate() {
                    to.push(if n == 0 { '{' } else { ',' });
                    key.spell(to);
                    to.push(':');
                    value.spell(to);
                }
                to.push_str(if fields.is_empty() { "{}" } else { "}" });
            }
            Json::Nested(depth, inner) => {
                to.push_str(&"[".repeat(*depth));
                inner.spell(to);
                to.push_str(&"]".repeat(*depth));
            }
        }
    }

    /// Whether jsonb accepts all strings: none has a NUL or half of a surrogate pair.
    pub fn has_valid_strings(&self) -> bool {
        match self {
            Json::Text(text) => text.meaning().is_some(),
            Json::Array(elements) => elements.iter().all(Json::has_valid_strings),
            Json::Object(fields) => {
                fields.iter().all(|(key, value)| key.meaning().is_some() && value.has_valid_strings())
            }
            Json::Nested(_, inner) => inner.has_valid_strings(),
            Json::Null | Json::Bool(_) | Json::Number(_) => true,
        }
    }
}

impl Text {
    pub fn plain(text: &str) -> Self {
        Self(text.chars().map(Unit::Plain).collect())
    }

    fn spell(&self, to: &mut String) {
        fn character(c: char, to: &mut String) {
            match c {
                '"' | '\\' => to.extend(['\\', c]),
                '\0'..' ' => to.push_str(&format!("\\u{:04x}", c as u32)),
                _ => to.push(c),
            }
        }
        to.push('"');
        for unit in &self.0 {
            match unit {
                Unit::Plain(c) => character(*c, to),
                Unit::Escaped(half) => to.push_str(&format!("\\u{half:04X}")),
                Unit::Run(c, times) => (0..*times).for_each(|_| character(*c, to)),
            }
        }
        to.push('"');
    }

    /// The decoded string.
    ///
    /// None: the text has a NUL or half of a surrogate pair, which jsonb refuses.
    pub fn meaning(&self) -> Option<String> {
        let mut meaning = String::new();
        let mut halves = Vec::new();
        let close = |halves: &mut Vec<u16>, meaning: &mut String| {
            meaning.push_str(&String::from_utf16(halves).ok()?);
            halves.clear();
            Some(())
        };
        for unit in &self.0 {
            match unit {
                Unit::Escaped(half) => halves.push(*half),
                Unit::Plain(c) => {
                    close(&mut halves, &mut meaning)?;
                    meaning.push(*c);
                }
                Unit::Run(c, times) => {
                    close(&mut halves, &mut meaning)?;
                    meaning.extend(std::iter::repeat_n(*c, *times));
                }
            }
        }
        close(&mut halves, &mut meaning)?;
        (!meaning.contains('\0')).then_some(meaning)
    }
}

/// The digits of a number that PostgreSQL's numeric shows as an integer.
///
/// `1e2` gives 100; `1.0` gives None, because numeric keeps the decimal digit.
pub fn integer(number: &str) -> Option<String> {
    let (sign, digits) = number.strip_prefix('-').map_or(("", number), |rest| ("-", rest));
    let (mantissa, exponent) = digits.split_once(['e', 'E']).unwrap_or((digits, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let zeros: usize = (exponent.parse::<i64>().ok()? - fraction.len() as i64).try_into().ok()?;
    let digits = format!("{whole}{fraction}");
    match digits.trim_start_matches('0') {
        "" => Some("0".to_owned()),
        significant => Some(format!("{sign}{significant}{}", "0".repeat(zeros))),
    }
}

/// Shows the first 1,500 characters of the spelling.
impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const ENOUGH: usize = 1500;
        let spelled = self.spelled();
        match spelled.char_indices().nth(ENOUGH) {
            Some((end, _)) => write!(f, "{}… ({} bytes)", &spelled[..end], spelled.len()),
            None => f.write_str(&spelled),
        }
    }
}
