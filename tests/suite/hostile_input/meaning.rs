//! Interprets records by the contract, independently of the extension's own validation.

use std::collections::{BTreeMap, BTreeSet};

use super::generators::{OPTIONAL, REQUIRED};
use super::json::{Json, integer};
use crate::support::*;

/// The values of a record, as the pipeline must read them.
#[derive(Default)]
pub struct Meaning {
    /// Keys that are missing or have an invalid value.
    pub faults: BTreeSet<&'static str>,
    /// Keys that the contract does not list.
    pub ignored: BTreeSet<String>,
    pub is_object: bool,
    pub external_id: Option<String>,
    pub source_app: Option<String>,
    pub texts: BTreeMap<&'static str, String>,
    /// Picoseconds since 1970.
    pub times: BTreeMap<&'static str, i128>,
    pub duration: Option<i32>,
    pub uuids: BTreeMap<&'static str, Uuid>,
    /// The JSON text as spelled.
    pub source_metadata: Option<String>,
    pub global_tags: Option<Vec<String>>,
}

impl Meaning {
    /// Interprets a record whose strings are valid.
    pub fn of(record: &Json) -> Self {
        let mut meaning = Self::default();
        let Json::Object(fields) = record else { return meaning };
        meaning.is_object = true;
        let given: BTreeMap<String, &Json> =
            fields.iter().map(|(key, value)| (key.meaning().expect("valid strings"), value)).collect();
        for (key, value) in &given {
            match REQUIRED.iter().chain(&OPTIONAL).find(|known| *known == key) {
                Some(_) if OPTIONAL.contains(&key.as_str()) && matches!(value, Json::Null) => {}
                Some(known) if meaning.take(known, value).is_none() => {
                    meaning.faults.insert(known);
                }
                Some(_) => {}
                None => {
                    meaning.ignored.insert(key.clone());
                }
            }
        }
        meaning.faults.extend(REQUIRED.iter().filter(|key| !given.contains_key(**key)));
        meaning
    }

    fn take(&mut self, key: &'static str, value: &Json) -> Option<()> {
        let text = match value {
            Json::Text(text) => text.meaning(),
            _ => None,
        };
        match key {
            "external_id" => {
                let id = match value {
                    Json::Number(number) => integer(number)?,
                    _ => text?,
                };
                self.external_id = Some(part_of_key(id, 2000)?);
            }
            "source_app" => self.source_app = Some(part_of_key(text?, 500)?),
            "recording_start_time" | "recording_end_time" => {
                self.times.insert(key, picoseconds(&text?)?);
            }
            "duration" => match value {
                Json::Number(number) => self.duration = Some(integer(number)?.parse().ok().filter(|n| *n >= 0)?),
                _ => return None,
            },
            "bank_id" | "vault_id" | "owner_user_id" => {
                self.uuids.insert(key, uuid(&text?)?);
            }
            "source_metadata" => match value {
                Json::Object(_) => self.source_metadata = Some(value.spelled()),
                _ => return None,
            },
            "global_tags" => match value {
                Json::Array(elements) => self.global_tags = Some(elements.iter().map(string).collect::<Option<_>>()?),
                Json::Nested(1, element) => self.global_tags = Some(vec![string(element)?]),
                // In a deeper nesting the elements are arrays, not strings.
                _ => return None,
            },
            _ => {
                self.texts.insert(key, text?);
            }
        }
        Some(())
    }
}

fn string(value: &Json) -> Option<String> {
    match value {
        Json::Text(text) => text.meaning(),
        _ => None,
    }
}

fn part_of_key(text: String, longest: usize) -> Option<String> {
    (text.len() <= longest && !text.chars().all(char::is_whitespace)).then_some(text)
}

/// Parses a uuid in PostgreSQL's notations.
///
/// These have 32 digits, a hyphen after any group of four, and optional braces around the whole.
fn uuid(text: &str) -> Option<Uuid> {
    let inner = text.strip_prefix('{').map_or(Some(text), |rest| rest.strip_suffix('}'))?;
    let mut digits = String::new();
    for (n, part) in inner.split('-').enumerate() {
        let is_whole = !part.is_empty() && part.len() % 4 == 0 && part.bytes().all(|c| c.is_ascii_hexdigit());
        if !is_whole || n > 7 {
            return None;
        }
        digits.push_str(part);
    }
    (digits.len() == 32).then(|| Uuid::from_u128(u128::from_str_radix(&digits, 16).expect("32 digits")))
}

/// Parses an RFC 3339 timestamp; section 5.6 allows a space instead of the T.
fn picoseconds(text: &str) -> Option<i128> {
    const IN_SECOND: i128 = 1_000_000_000_000;
    let number = |from: usize, to: usize, least: i128, most: i128| {
        let digits = text.get(from..to).filter(|digits| digits.bytes().all(|c| c.is_ascii_digit()))?;
        digits.parse().ok().filter(|n| (least..=most).contains(n))
    };
    let is_at = |at: usize, any_of: &str| text.get(at..at + 1).is_some_and(|c| any_of.contains(c));
    let (year, month) = (number(0, 4, 0, 9999)?, number(5, 7, 1, 12)?);
    let is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let days_of = |month: i128| match month {
        2 => 28 + i128::from(is_leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    let day = number(8, 10, 1, days_of(month))?;
    let (hour, minute, second) = (number(11, 13, 0, 23)?, number(14, 16, 0, 59)?, number(17, 19, 0, 60)?);
    let is_punctuated = is_at(4, "-") && is_at(7, "-") && is_at(10, "Tt ") && is_at(13, ":") && is_at(16, ":");
    let rest = text.get(19..)?;
    let fraction = rest.strip_prefix('.').map(|rest| rest.split(|c: char| !c.is_ascii_digit()).next().unwrap_or(""));
    let offset = match fraction {
        Some("") => return None,
        Some(digits) => &rest[1 + digits.len()..],
        None => rest,
    };
    let at = text.len() - offset.len();
    let ahead = match offset {
        "Z" | "z" => 0,
        _ if offset.len() == 6 && is_at(at, "+-") && is_at(at + 3, ":") => {
            let minutes = number(at + 1, at + 3, 0, 23)? * 60 + number(at + 4, at + 6, 0, 59)?;
            if is_at(at, "-") { -minutes } else { minutes }
        }
        _ => return None,
    };
    let fraction = format!("{:0<12.12}", fraction.unwrap_or("")).parse::<i128>().ok()?;
    // Adds the days of the years before, then of the months before.
    let leap_days = if year == 0 { 0 } else { (year - 1) / 4 - (year - 1) / 100 + (year - 1) / 400 + 1 };
    let days = year * 365 + leap_days + (1..month).map(days_of).sum::<i128>() + day - 1 - 719_528;
    let seconds = ((days * 24 + hour) * 60 + minute - ahead) * 60 + second;
    is_punctuated.then_some(seconds * IN_SECOND + fraction)
}
