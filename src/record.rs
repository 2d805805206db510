//! Parses a connector record and reports its faults. Knows no SQL and no server.

use std::borrow::Cow;

use chrono::DateTime;
use uuid::Uuid;

use crate::json::{Raw, Value};

/// Microseconds since 2000-01-01 00:00:00 UTC, PostgreSQL's timestamptz.
pub type Timestamp = i64;

/// A valid connector record.
pub struct Record<'a, R> {
    pub external_id: Cow<'a, str>,
    pub source_app: &'a str,
    pub title: &'a str,
    pub full_transcript: &'a str,
    pub recording_start_time: Timestamp,
    pub recording_end_time: Option<Timestamp>,
    pub duration: Option<i32>,
    pub bank_id: Option<Uuid>,
    pub vault_id: Option<Uuid>,
    pub owner_user_id: Option<Uuid>,
    pub source_metadata: Option<R>,
    pub summary: Option<&'a str>,
    pub audio_url: Option<&'a str>,
    pub video_url: Option<&'a str>,
    pub global_tags: Option<R>,
}

/// The result of parsing a record, valid or not.
pub struct Parsed<'a, R> {
    /// The record, or all its faults in one message.
    pub record: Result<Record<'a, R>, String>,
    /// The id, if readable.
    pub external_id: Option<Cow<'a, str>>,
    pub source_app: Option<&'a str>,
    pub owner_user_id: Option<Uuid>,
    /// Keys that the pipeline doesn't know.
    pub ignored_fields: Vec<String>,
}

/// The keys of a record, the required ones first.
const KEYS: [&str; 15] = [
    "external_id",
    "source_app",
    "title",
    "full_transcript",
    "recording_start_time",
    "recording_end_time",
    "duration",
    "bank_id",
    "vault_id",
    "owner_user_id",
    "source_metadata",
    "summary",
    "audio_url",
    "video_url",
    "global_tags",
];

/// Checks and normalises the fields of a record; reports all faults, each with its key.
pub fn parse<'a, R: Raw>(given: impl IntoIterator<Item = (&'a str, Value<'a, R>)>) -> Parsed<'a, R> {
    let mut fields = Fields { values: std::array::from_fn(|_| None), faults: Vec::new() };
    let mut ignored_fields = Vec::new();
    for (key, value) in given {
        match position(key) {
            Some(position) => fields.values[position] = Some(value),
            None => ignored_fields.push(key.to_owned()),
        }
    }

    // Every key is read before the first `?` below, so that no fault hides another.
    let external_id = fields.required("external_id", identifier);
    let source_app = fields.required("source_app", self::source_app);
    let title = fields.required("title", text);
    let full_transcript = fields.required("full_transcript", text);
    let recording_start_time = fields.required("recording_start_time", timestamp);
    let recording_end_time = fields.optional("recording_end_time", timestamp);
    let duration = fields.optional("duration", seconds);
    let bank_id = fields.optional("bank_id", uuid);
    let vault_id = fields.optional("vault_id", uuid);
    let owner_user_id = fields.optional("owner_user_id", uuid);
    let source_metadata = fields.optional("source_metadata", object);
    let summary = fields.optional("summary", text);
    let audio_url = fields.optional("audio_url", text);
    let video_url = fields.optional("video_url", text);
    let global_tags = fields.optional("global_tags", strings);

    let parsed_external_id = external_id.clone();
    let complete = || {
        Some(Record {
            external_id: external_id?,
            source_app: source_app?,
            title: title?,
            full_transcript: full_transcript?,
            recording_start_time: recording_start_time?,
            recording_end_time,
            duration,
            bank_id,
            vault_id,
            owner_user_id,
            source_metadata,
            summary,
            audio_url,
            video_url,
            global_tags,
        })
    };
    let record = if fields.faults.is_empty() { complete() } else { None };
    Parsed {
        record: record.ok_or_else(|| format!("invalid record: {}", fields.faults.join("; "))),
        external_id: parsed_external_id,
        source_app,
        owner_user_id,
        ignored_fields,
    }
}

/// Returns the parse result for a value that isn't an object.
pub fn not_an_object<'a, R: Raw>(value: &Value<'_, R>) -> Parsed<'a, R> {
    let fault = format!("invalid record: the record {}", expected("an object", value));
    Parsed { record: Err(fault), external_id: None, source_app: None, owner_user_id: None, ignored_fields: Vec::new() }
}

fn position(key: &str) -> Option<usize> {
    KEYS.iter().position(|known| *known == key)
}

/// The values of a record, in the order of [`KEYS`], and their faults.
struct Fields<'a, R> {
    values: [Option<Value<'a, R>>; KEYS.len()],
    faults: Vec<String>,
}

impl<'a, R> Fields<'a, R> {
    fn required<T>(&mut self, key: &str, read: impl FnOnce(Value<'a, R>) -> Read<T>) -> Option<T> {
        match self.value(key) {
            None => self.fault(key, "is missing"),
            Some(Value::Null) => self.fault(key, "is null, but required"),
            Some(value) => read(value).map_or_else(|fault| self.fault(key, &fault), Some),
        }
    }

    /// Reads an optional key; `null` means absent.
    fn optional<T>(&mut self, key: &str, read: impl FnOnce(Value<'a, R>) -> Read<T>) -> Option<T> {
        match self.value(key) {
            None | Some(Value::Null) => None,
            Some(value) => read(value).map_or_else(|fault| self.fault(key, &fault), Some),
        }
    }

    fn value(&mut self, key: &str) -> Option<Value<'a, R>> {
        position(key).and_then(|position| self.values[position].take())
    }

    fn fault<T>(&mut self, key: &str, fault: &str) -> Option<T> {
        self.faults.push(format!("{key} {fault}"));
        None
    }
}

/// A value, or its fault: what is expected, and what was given.
type Read<T> = Result<T, String>;

fn text<'a, R: Raw>(value: Value<'a, R>) -> Read<&'a str> {
    match value {
        Value::Text(text) => Ok(text),
        other => Err(expected("a string", &other)),
    }
}

/// The maximum length of `external_id`, in bytes.
///
/// Together with the owner and `source_app`, it fits into a tuple of the dedup index (2,704 bytes) even uncompressed.
const MAX_EXTERNAL_ID: usize = 2000;
/// The maximum length of `source_app`, in bytes.
const MAX_SOURCE_APP: usize = 500;

fn part_of_key(text: Cow<'_, str>, max: usize) -> Read<Cow<'_, str>> {
    if text.trim().is_empty() {
        Err("must not be blank".to_owned())
    } else if text.len() > max {
        Err(format!("must be at most {max} bytes long, not {}", text.len()))
    } else {
        Ok(text)
    }
}

fn source_app<'a, R: Raw>(value: Value<'a, R>) -> Read<&'a str> {
    let name = text(value)?;
    part_of_key(Cow::Borrowed(name), MAX_SOURCE_APP).map(|_| name)
}

/// Reads a vendor's id: a string, or an integer.
///
/// The decimal text of an integer is exact and never goes through a float.
fn identifier<'a, R: Raw>(value: Value<'a, R>) -> Read<Cow<'a, str>> {
    let id = match value {
        Value::Text(text) => Cow::Borrowed(text),
        Value::Number(number) => match integer_text(&number) {
            Some(digits) => Cow::Owned(digits),
            None => return Err(expected("a string or an integer", &Value::Number(number))),
        },
        other => return Err(expected("a string or an integer", &other)),
    };
    part_of_key(id, MAX_EXTERNAL_ID)
}

fn seconds<R: Raw>(value: Value<'_, R>) -> Read<i32> {
    const WANTED: &str = "an integer number of seconds from 0 to 2147483647";
    match value {
        Value::Number(number) => integer_text(&number)
            .and_then(|digits| digits.parse().ok())
            .filter(|seconds| *seconds >= 0)
            .ok_or_else(|| expected(WANTED, &Value::Number(number))),
        other => Err(expected(WANTED, &other)),
    }
}

fn integer_text<R: Raw>(number: &R) -> Option<String> {
    let digits = number.decimal();
    (!digits.contains('.')).then_some(digits)
}

/// Reads an RFC 3339 timestamp with an offset, to the microsecond.
fn timestamp<R: Raw>(value: Value<'_, R>) -> Read<Timestamp> {
    const WANTED: &str = "an RFC 3339 timestamp with offset, like 2026-01-31T09:30:00Z";
    /// 2000-01-01T00:00:00Z in seconds since 1970.
    const POSTGRES_EPOCH: i64 = 946_684_800;
    match value {
        Value::Text(text) => match DateTime::parse_from_rfc3339(text) {
            // chrono accepts U+2212 as a minus; RFC 3339 doesn't.
            Ok(time) if text.is_ascii() => {
                let seconds = time.timestamp() - POSTGRES_EPOCH;
                // Rounds to the microsecond, as PostgreSQL does.
                let microseconds = (i64::from(time.timestamp_subsec_nanos()) + 500) / 1000;
                Ok(seconds * 1_000_000 + microseconds)
            }
            _ => Err(expected::<R>(WANTED, &Value::Text(text))),
        },
        other => Err(expected(WANTED, &other)),
    }
}

fn uuid<R: Raw>(value: Value<'_, R>) -> Read<Uuid> {
    match value {
        Value::Text(text) => parse_uuid(text).ok_or_else(|| expected::<R>("a uuid", &Value::Text(text))),
        other => Err(expected("a uuid", &other)),
    }
}

/// Reads a uuid in any notation that PostgreSQL accepts.
///
/// That is 32 digits, a hyphen after any four of them but the last, in braces or not. The parser of the uuid crate
/// refuses some of these notations, and accepts URNs.
fn parse_uuid(text: &str) -> Option<Uuid> {
    let inner = match text.strip_prefix('{') {
        Some(rest) => rest.strip_suffix('}')?,
        None => text,
    };
    let is_whole = |group: &str| !group.is_empty() && group.len().is_multiple_of(4);
    let digits: String = inner.split('-').all(is_whole).then(|| inner.replace('-', ""))?;
    (digits.len() == 32).then(|| Uuid::try_parse(&digits).ok())?
}

fn object<R: Raw>(value: Value<'_, R>) -> Read<R> {
    match value {
        Value::Object(object) => Ok(object),
        other => Err(expected("an object", &other)),
    }
}

fn strings<R: Raw>(value: Value<'_, R>) -> Read<R> {
    match value {
        Value::Array(array) if array.holds_only_strings() => Ok(array),
        Value::Array(_) => Err("must be an array of strings, but has other elements".to_owned()),
        other => Err(expected("an array of strings", &other)),
    }
}

fn expected<R: Raw>(wanted: &str, got: &Value<'_, R>) -> String {
    format!("must be {wanted}, not {}", got.describe())
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
