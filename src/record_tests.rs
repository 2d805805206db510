use super::*;

/// A JSON value as a test writes it.
#[derive(Clone)]
enum Sample {
    Number(&'static str),
    Array(bool),
    Object,
}

impl Raw for Sample {
    fn decimal(&self) -> String {
        match self {
            Sample::Number(digits) => (*digits).to_owned(),
            _ => unreachable!("only numbers have a decimal text"),
        }
    }

    fn holds_only_strings(&self) -> bool {
        matches!(self, Sample::Array(true))
    }
}

type Field = (&'static str, Value<'static, Sample>);

fn number(digits: &'static str) -> Value<'static, Sample> {
    Value::Number(Sample::Number(digits))
}

/// Returns a valid record with `changes` applied.
fn record_with(changes: Vec<Field>) -> Vec<Field> {
    let mut fields = vec![
        ("external_id", Value::Text("a")),
        ("source_app", Value::Text("zoom")),
        ("title", Value::Text("Weekly")),
        ("full_transcript", Value::Text("")),
        ("recording_start_time", Value::Text("2026-01-31T09:30:00Z")),
    ];
    fields.retain(|(key, _)| changes.iter().all(|(changed, _)| changed != key));
    fields.extend(changes);
    fields
}

fn fault_of(changes: Vec<Field>) -> String {
    parse(record_with(changes)).record.err().unwrap_or_default()
}

fn start_of(text: &'static str) -> Option<Timestamp> {
    parse(record_with(vec![("recording_start_time", Value::Text(text))])).record.ok().map(|r| r.recording_start_time)
}

#[test]
fn a_record_with_only_the_required_keys_is_valid() {
    let parsed = parse(record_with(vec![]));
    let record = parsed.record.unwrap_or_else(|fault| panic!("{fault}"));
    assert_eq!(record.external_id, "a");
    assert_eq!(record.full_transcript, "");
    assert!(parsed.ignored_fields.is_empty());
}

#[test]
fn every_fault_is_named_with_its_key_in_one_message() {
    let fields: Vec<Field> = vec![
        ("external_id", Value::Text(" \t")),
        ("source_app", Value::Null),
        ("full_transcript", number("7")),
        ("recording_start_time", Value::Text("yesterday")),
        ("duration", number("-1")),
        ("bank_id", Value::Text("nope")),
        ("source_metadata", Value::Array(Sample::Array(true))),
        ("global_tags", Value::Array(Sample::Array(false))),
    ];
    let message = parse(fields).record.err().unwrap();
    for fault in [
        "external_id must not be blank",
        "source_app is null, but required",
        "title is missing",
        "full_transcript must be a string, not the number 7",
        "recording_start_time must be an RFC 3339 timestamp with offset, like 2026-01-31T09:30:00Z, not the string \"yesterday\"",
        "duration must be an integer number of seconds from 0 to 2147483647, not the number -1",
        "bank_id must be a uuid, not the string \"nope\"",
        "source_metadata must be an object, not an array",
        "global_tags must be an array of strings, but has other elements",
    ] {
        assert!(message.contains(fault), "{fault:?} is not in {message:?}");
    }
}

#[test]
fn an_integer_id_becomes_its_exact_decimal_text() {
    for digits in ["0", "-5", "18446744073709551616", "18446744073709551617"] {
        let parsed = parse(record_with(vec![("external_id", number(digits))]));
        assert_eq!(parsed.record.ok().map(|r| r.external_id.into_owned()).as_deref(), Some(digits));
    }
    assert!(fault_of(vec![("external_id", number("1.5"))]).contains("external_id must be a string or an integer"));
    assert!(fault_of(vec![("external_id", Value::Bool(true))]).contains("not the boolean true"));
}

#[test]
fn times_need_a_date_a_time_and_an_offset() {
    assert_eq!(start_of("2000-01-01T00:00:00Z"), Some(0));
    assert_eq!(start_of("2000-01-01T02:00:00+02:00"), Some(0));
    assert_eq!(start_of("2000-01-01T00:00:00.123456Z"), Some(123_456));
    assert_eq!(start_of("2000-01-01T00:00:00.1234567Z"), Some(123_457));
    assert_eq!(start_of("1999-12-31T23:59:59.9999999Z"), Some(0));
    for refused in ["now", "infinity", "epoch", "2026-01-31", "2026-01-31T09:30:00", "2026-02-30T00:00:00Z", "", "🕐"]
    {
        assert_eq!(start_of(refused), None, "{refused:?} was taken");
    }
}

#[test]
fn null_for_an_optional_key_means_absent() {
    let optional = KEYS[5..].iter().map(|key| (*key, Value::Null)).collect();
    let record = parse(record_with(optional)).record.unwrap_or_else(|fault| panic!("{fault}"));
    assert!(record.duration.is_none() && record.source_metadata.is_none() && record.bank_id.is_none());
}

#[test]
fn unknown_keys_are_listed_and_the_record_is_valid() {
    let parsed = parse(record_with(vec![("colour", Value::Object(Sample::Object)), ("size", Value::Bool(true))]));
    assert!(parsed.record.is_ok());
    assert_eq!(parsed.ignored_fields, ["colour", "size"]);
}

#[test]
fn a_long_value_is_shortened_in_the_message() {
    let message = fault_of(vec![("bank_id", Value::Text("äöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöü"))]);
    assert!(message.contains("...") && message.len() < 150, "{message}");
}

#[test]
fn a_uuid_is_accepted_in_the_notations_of_postgresql_only() {
    let uuid = Uuid::from_u128(0xa0eebc99_9c0b_4ef8_bb6d_6bb9bd380a11);
    for good in [
        "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11",
        "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}",
        "a0eebc999c0b4ef8bb6d6bb9bd380a11",
        "{a0eebc999c0b4ef8bb6d6bb9bd380a11}",
        "a0ee-bc99-9c0b-4ef8-bb6d-6bb9-bd38-0a11",
        "{a0eebc99-9c0b4ef8-bb6d6bb9-bd380a11}",
    ] {
        assert_eq!(parse_uuid(good), Some(uuid), "{good}");
    }
    for bad in [
        "",
        "{}",
        "urn:uuid:a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}",
        "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11-",
        "a0eebc999c-0b4ef8-bb6d-6bb9bd380a11",
        "a0eebc99--9c0b-4ef8-bb6d-6bb9bd380a11",
        "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1g",
        "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1",
        " a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        "é0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1",
    ] {
        assert_eq!(parse_uuid(bad), None, "{bad}");
    }
}
