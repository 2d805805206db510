//! What a connector record is: its keys, their types, and all that can be wrong with one. Pure: no SQL, no server.

use std::borrow::Cow;

use chrono::DateTime;
use uuid::Uuid;

/// A JSON value of a record. Numbers and containers stay in the form in which they came (`R`), for they are looked
/// into only where a key asks for them.
pub enum Value<'a, R> {
    Null,
    Bool(bool),
    Number(R),
    Text(&'a str),
    Array(R),
    Object(R),
}

/// What the record needs to know of a value that stays in its own form.
pub trait Raw {
    /// A number's exact decimal text.
    fn decimal(&self) -> String;
    /// Whether every element of an array is a string.
    fn holds_only_strings(&self) -> bool;
}

/// Microseconds since 2000-01-01 00:00:00 UTC, PostgreSQL's timestamptz.
pub type Timestamp = i64;

/// A connector record that has been checked.
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

/// A record after the look at it: good or not, what could be read of it.
pub struct Parsed<'a, R> {
    /// The record, or all that is wrong with it in one message.
    pub record: Result<Record<'a, R>, String>,
    /// What the record is named by, as far as it could be read.
    pub external_id: Option<Cow<'a, str>>,
    pub source_app: Option<&'a str>,
    pub owner_user_id: Option<Uuid>,
    /// Keys that the pipeline doesn't know.
    pub ignored_fields: Vec<String>,
}

/// The keys of a record, those that are required first.
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

/// Checks and normalises the fields of one record. All that is wrong is reported at once, each fault with its key.
pub fn parse<'a, R: Raw>(fields: impl IntoIterator<Item = (&'a str, Value<'a, R>)>) -> Parsed<'a, R> {
    let mut given = Given { values: std::array::from_fn(|_| None), faults: Vec::new() };
    let mut ignored_fields = Vec::new();
    for (key, value) in fields {
        match position(key) {
            Some(position) => given.values[position] = Some(value),
            None => ignored_fields.push(key.to_owned()),
        }
    }

    // Every key is read before the first `?` below, so that no fault hides another.
    let external_id = given.required("external_id", identifier);
    let source_app = given.required("source_app", self::source_app);
    let title = given.required("title", text);
    let full_transcript = given.required("full_transcript", text);
    let recording_start_time = given.required("recording_start_time", timestamp);
    let recording_end_time = given.optional("recording_end_time", timestamp);
    let duration = given.optional("duration", seconds);
    let bank_id = given.optional("bank_id", uuid);
    let vault_id = given.optional("vault_id", uuid);
    let owner_user_id = given.optional("owner_user_id", uuid);
    let source_metadata = given.optional("source_metadata", object);
    let summary = given.optional("summary", text);
    let audio_url = given.optional("audio_url", text);
    let video_url = given.optional("video_url", text);
    let global_tags = given.optional("global_tags", strings);

    let named_by = external_id.clone();
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
    let record = if given.faults.is_empty() { complete() } else { None };
    Parsed {
        record: record.ok_or_else(|| format!("invalid record: {}", given.faults.join("; "))),
        external_id: named_by,
        source_app,
        owner_user_id,
        ignored_fields,
    }
}

/// What is to be said of a value that is no object at all.
pub fn not_an_object<'a, R: Raw>(value: &Value<'_, R>) -> Parsed<'a, R> {
    let fault = format!("invalid record: it {}", expected("an object", value));
    Parsed { record: Err(fault), external_id: None, source_app: None, owner_user_id: None, ignored_fields: Vec::new() }
}

fn position(key: &str) -> Option<usize> {
    KEYS.iter().position(|known| *known == key)
}

/// The values of a record by the position of their key in [`KEYS`], and everything that is wrong with them.
struct Given<'a, R> {
    values: [Option<Value<'a, R>>; KEYS.len()],
    faults: Vec<String>,
}

impl<'a, R> Given<'a, R> {
    fn required<T>(&mut self, key: &str, read: impl FnOnce(Value<'a, R>) -> Read<T>) -> Option<T> {
        match self.value(key) {
            None => self.fault(key, "is missing"),
            Some(Value::Null) => self.fault(key, "is null, but required"),
            Some(value) => read(value).map_or_else(|fault| self.fault(key, &fault), Some),
        }
    }

    /// `null` for an optional key means absent.
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

/// What a reader says of a value that it can't take: what is expected, and what came instead.
type Read<T> = Result<T, String>;

fn text<'a, R: Raw>(value: Value<'a, R>) -> Read<&'a str> {
    match value {
        Value::Text(text) => Ok(text),
        other => Err(expected("a string", &other)),
    }
}

/// The longest `external_id` and `source_app`, in bytes: with the owner both fit into an entry of the dedup index (2,704
/// bytes), however little they compress.
const MAX_EXTERNAL_ID: usize = 2000;
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

/// A vendor's id: a string, or an integer, whose decimal text is taken as it is and never goes through a float.
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

/// RFC 3339 with an offset, to the microsecond.
fn timestamp<R: Raw>(value: Value<'_, R>) -> Read<Timestamp> {
    const WANTED: &str = "an RFC 3339 timestamp with offset, like 2026-01-31T09:30:00Z";
    /// 2000-01-01T00:00:00Z in seconds since 1970.
    const POSTGRES_EPOCH: i64 = 946_684_800;
    match value {
        Value::Text(text) => match DateTime::parse_from_rfc3339(text) {
            // chrono takes U+2212 for a minus; RFC 3339 doesn't.
            Ok(time) if text.is_ascii() => {
                let seconds = time.timestamp() - POSTGRES_EPOCH;
                // PostgreSQL rounds what lies beyond the microsecond; so do we.
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

/// The notations that PostgreSQL takes: 32 digits, a hyphen after any four of them but the last, in braces or not. Uuid's
/// own parser refuses some of them, and takes a URN.
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

impl<R: Raw> Value<'_, R> {
    /// What it is, short enough for a message.
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

/// Enough of a value to recognise it by.
pub fn shorten(text: &str) -> Cow<'_, str> {
    const ENOUGH: usize = 40;
    match text.char_indices().nth(ENOUGH) {
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
