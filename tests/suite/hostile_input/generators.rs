//! Generates random JSON, records that are nearly valid, and arguments of the other functions.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::string::string_regex;

use super::json::{Json, Text, Unit};
use crate::support::*;

/// A user without a bank.
pub const NEWCOMER: Uuid = Uuid::from_u128(0xCAFE);
/// An id without a user.
pub const NOBODY: Uuid = Uuid::from_u128(0xDEAD);
/// A business bank with a vault, of which Alice is a member.
pub const BANK: Uuid = Uuid::from_u128(0xBA);
pub const VAULT: Uuid = Uuid::from_u128(0x5A);

pub const REQUIRED: [&str; 5] = ["external_id", "source_app", "title", "full_transcript", "recording_start_time"];
pub const OPTIONAL: [&str; 10] = [
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

fn regex(pattern: &str) -> impl Strategy<Value = String> + use<> {
    string_regex(pattern).expect("it is a regular expression")
}

fn unit() -> impl Strategy<Value = Unit> {
    const ODD: [char; 12] = [
        '"',
        '\\',
        '/',
        '\u{7f}',
        '\u{a0}',
        '\u{200b}',
        '\u{202e}',
        '\u{2028}',
        '\u{feff}',
        '\u{fffe}',
        '😀',
        '\u{10ffff}',
    ];
    prop_oneof![
        8 => any::<char>().prop_map(|c| if c == '\0' { Unit::Plain(' ') } else { Unit::Plain(c) }),
        8 => select(&ODD[..]).prop_map(Unit::Plain),
        8 => (1_u16..0x20).prop_map(Unit::Escaped),
        4 => (0x20_u16..0xD800).prop_map(Unit::Escaped),
        1 => prop_oneof![Just(0), 0xD800_u16..0xE000].prop_map(Unit::Escaped),
    ]
}

/// A character outside of the Basic Multilingual Plane, as two escapes.
fn pair() -> impl Strategy<Value = [Unit; 2]> {
    (0xD800_u16..0xDC00, 0xDC00_u16..0xE000).prop_map(|(high, low)| [Unit::Escaped(high), Unit::Escaped(low)])
}

pub fn text() -> impl Strategy<Value = Text> {
    prop_oneof![
        30 => regex("[a-zA-Z .]{0,12}").prop_map(|text| Text::plain(&text)),
        10 => vec(unit(), 0..5).prop_map(Text),
        3 => (unit(), pair(), unit()).prop_map(|(before, [high, low], after)| Text(vec![before, high, low, after])),
        4 => select(&["", " ", "\t\n", "\u{a0}\u{3000}", "null", "now", "{}", "'; DROP TABLE recordings; --"][..])
            .prop_map(Text::plain),
        1 => (select(&['x', 'ä', '"', '😀', '\u{1}'][..]), 1_usize..60_000).prop_map(|(c, n)| Text(vec![Unit::Run(c, n)])),
    ]
}

/// Text with a length in bytes near a limit.
fn text_about(limit: usize) -> impl Strategy<Value = Text> {
    (select(&['x', '€'][..]), 0_usize..8)
        .prop_map(move |(c, more)| Text(vec![Unit::Run(c, (limit + 4 - more) / c.len_utf8())]))
}

pub fn number() -> impl Strategy<Value = Json> {
    const SPECIAL: [&str; 24] = [
        "-0",
        "-0.0",
        "0e5",
        "0e-5",
        "1e0",
        "1.0",
        "1.5",
        "10e-1",
        "1E+2",
        "-1",
        "2147483647",
        "2147483648",
        "-2147483649",
        "9007199254740993",
        "18446744073709551616",
        "18446744073709551617",
        "123456789012345678901234567890",
        "1e400",
        "1e-400",
        "1e1999",
        "1e2000",
        "1e131071",
        "1e131072",
        "1e-20000",
    ];
    let spelled = prop_oneof![
        select(&SPECIAL[..]).prop_map(str::to_owned),
        any::<i32>().prop_map(|n| n.to_string()),
        regex("-?[1-9][0-9]{0,40}"),
        regex("-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?"),
    ];
    spelled.prop_map(Json::Number)
}

/// Any JSON value.
pub fn anything() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        1 => Just(Json::Null),
        1 => any::<bool>().prop_map(Json::Bool),
        2 => number(),
        3 => text().prop_map(Json::Text),
    ];
    leaf.prop_recursive(3, 10, 4, |inner| {
        prop_oneof![
            3 => vec(inner.clone(), 0..4).prop_map(Json::Array),
            3 => vec((text(), inner.clone()), 0..4).prop_map(Json::Object),
            1 => (depth(), inner).prop_map(|(depth, inner)| Json::Nested(depth, Box::new(inner))),
        ]
    })
}

/// Nesting depths below and above the limit of jsonb, which is some thousand levels.
fn depth() -> impl Strategy<Value = usize> {
    prop_oneof![20 => 1_usize..200, 1 => 200_usize..8000]
}

fn timestamp() -> impl Strategy<Value = Json> {
    const SPECIAL: [&str; 20] = [
        "now",
        "infinity",
        "-infinity",
        "epoch",
        "today",
        "",
        "2026-01-31",
        "2026-01-31T09:30:00",
        "2026-01-31T09:30Z",
        "2026-01-31T24:00:00Z",
        "2016-12-31T23:59:60Z",
        "2026-01-31T09:30:00.Z",
        "2026-01-31T09:30:00+0100",
        "2026-01-31T09:30:00+24:00",
        "2026-01-31T09:30:00\u{2212}01:00",
        "2026-01-31T09:30:00Z ",
        "２026-01-31T09:30:00Z",
        "+12026-01-31T09:30:00Z",
        "2026-01-31t09:30:00z",
        "2026-01-31 09:30:00 UTC",
    ];
    let year = prop_oneof![select(&[0, 1, 1969, 1970, 1999, 2000, 2024, 2026, 9999][..]), 0_u32..10_000];
    let time = (0_u32..25, 0_u32..61, 0_u32..62, regex("(\\.[0-9]{1,12})?"));
    let offset = prop_oneof![
        3 => Just("Z".to_owned()),
        2 => (select(&["+", "-"][..]), 0_u32..25, 0_u32..61).prop_map(|(sign, h, m)| format!("{sign}{h:02}:{m:02}")),
    ];
    let made = (year, 1_u32..13, 1_u32..32, time, select(&["T", "t", " "][..]), offset).prop_map(
        |(year, month, day, (hour, minute, second, fraction), separator, offset)| {
            format!("{year:04}-{month:02}-{day:02}{separator}{hour:02}:{minute:02}:{second:02}{fraction}{offset}")
        },
    );
    prop_oneof![1 => select(&SPECIAL[..]).prop_map(str::to_owned), 4 => made].prop_map(|text| Json::text(&text))
}

/// A uuid in a notation that PostgreSQL accepts, or an invalid one.
fn uuid() -> impl Strategy<Value = Json> {
    let which = select(&[ALICE, ALICE, BOB, NEWCOMER, NOBODY, BANK, BANK, VAULT, VAULT][..]);
    let canonical = which.clone().prop_map(|uuid| uuid.to_string());
    let grouped =
        (which.clone(), any::<[bool; 7]>(), any::<bool>(), any::<bool>()).prop_map(|(uuid, hyphens, braces, upper)| {
            let digits = uuid.simple().to_string();
            let groups = (0..8).map(|n| &digits[4 * n..4 * n + 4]);
            let text: String =
                groups.enumerate().flat_map(|(n, group)| [group, if n < 7 && hyphens[n] { "-" } else { "" }]).collect();
            let text = if upper { text.to_uppercase() } else { text };
            if braces { format!("{{{text}}}") } else { text }
        });
    let broken = (which, 0_usize..36, select(&["", "-", "g", " ", "{", "é"][..])).prop_map(|(uuid, at, with)| {
        let mut text = uuid.to_string();
        text.replace_range(at..at + 1, with);
        text
    });
    let urn = Just(ALICE.urn().to_string());
    prop_oneof![6 => canonical, 3 => grouped, 1 => broken, 1 => urn].prop_map(|text| Json::text(&text))
}

/// A value of about the type of a key, valid or not.
fn value_of(key: &'static str) -> BoxedStrategy<Json> {
    let few = select(&["a", "b", "1", "a ", "A"][..]).prop_map(Json::text);
    match key {
        "external_id" => prop_oneof![
            6 => few,
            2 => select(&["1", "1e0", "1.0", "-0", "0"][..]).prop_map(|digits| Json::Number(digits.to_owned())),
            3 => number(),
            3 => text().prop_map(Json::Text),
            1 => text_about(2000).prop_map(Json::Text),
        ]
        .boxed(),
        "source_app" => prop_oneof![
            6 => select(&["fathom", "zoom"][..]).prop_map(Json::text),
            2 => text().prop_map(Json::Text),
            1 => text_about(500).prop_map(Json::Text),
        ]
        .boxed(),
        "recording_start_time" | "recording_end_time" => timestamp().boxed(),
        "duration" => number().boxed(),
        "bank_id" | "vault_id" | "owner_user_id" => uuid().boxed(),
        "source_metadata" => prop_oneof![
            2 => vec((text(), anything()), 0..4).prop_map(Json::Object),
            1 => anything().prop_map(|value| Json::Object(vec![(Text::plain("external_id"), value)])),
        ]
        .boxed(),
        "global_tags" => prop_oneof![
            3 => vec(text().prop_map(Json::Text), 0..4).prop_map(Json::Array),
            1 => vec(anything(), 0..3).prop_map(Json::Array),
        ]
        .boxed(),
        _ => text().prop_map(Json::Text).boxed(),
    }
}

/// A key with a value: a known key, plain or escaped, or an unknown key.
fn field() -> impl Strategy<Value = (Text, Json)> {
    let known = || select([&REQUIRED[..], &OPTIONAL[..]].concat());
    let escaped = |key: &str| Text(key.encode_utf16().map(Unit::Escaped).collect());
    prop_oneof![
        10 => known().prop_flat_map(|key| value_of(key).prop_map(move |value| (Text::plain(key), value))),
        4 => (known(), anything()).prop_map(|(key, value)| (Text::plain(key), value)),
        1 => (known(), anything()).prop_map(move |(key, value)| (escaped(key), value)),
        1 => known().prop_flat_map(|key| any::<bool>().prop_map(move |before| {
            (Text::plain(&if before { format!(" {key}") } else { key.to_uppercase() }), Json::Null)
        })),
        3 => (text(), anything()),
    ]
}

/// A record that is valid except for some additional fields before or after its own.
pub fn record() -> impl Strategy<Value = Json> {
    let base = (
        value_of("external_id"),
        select(&["fathom", "zoom"][..]),
        proptest::option::weighted(0.03, select(&REQUIRED[..])),
    );
    let more = vec((field(), proptest::bool::weighted(0.8)), 0..5);
    let object = (base, more).prop_map(|((external_id, source_app, without), more)| {
        let good = [
            ("external_id", external_id),
            ("source_app", Json::text(source_app)),
            ("title", Json::text("Weekly")),
            ("full_transcript", Json::text("")),
            ("recording_start_time", Json::text("2026-01-31T09:30:00Z")),
        ];
        let good = good.into_iter().filter(|(key, _)| Some(*key) != without);
        let mut fields: Vec<(Text, Json)> = good.map(|(key, value)| (Text::plain(key), value)).collect();
        for (field, comes_after) in more {
            fields.insert(if comes_after { fields.len() } else { 0 }, field);
        }
        Json::Object(fields)
    });
    prop_oneof![30 => object, 1 => anything()]
}

/// An owner to import for.
pub fn user() -> impl Strategy<Value = Option<Uuid>> {
    select(&[Some(ALICE), Some(ALICE), Some(ALICE), Some(BOB), Some(NEWCOMER), Some(NOBODY), None][..])
}

/// A text argument, without NUL, which PostgreSQL's protocol can't carry.
pub fn argument() -> impl Strategy<Value = Option<String>> {
    let text = prop_oneof![2 => Just("fathom".to_owned()), 1 => Just("known".to_owned()), 3 => text().prop_map(|text| {
        text.meaning().unwrap_or_default()
    })];
    proptest::option::weighted(0.9, text)
}

/// Texts with an array literal of them, of one or two dimensions and any lower bound.
pub fn text_array() -> impl Strategy<Value = (Vec<Option<String>>, String)> {
    (vec(argument(), 0..5), 0_u8..4).prop_map(|(texts, form)| {
        let quote = |text: &String| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
        let elements: Vec<String> =
            texts.iter().map(|text| text.as_ref().map_or_else(|| "NULL".to_owned(), quote)).collect();
        let literal = match form {
            0 if !texts.is_empty() => format!("{{{{{}}}}}", elements.join("},{")),
            1 if !texts.is_empty() => format!("[-3:{}]={{{}}}", texts.len() as i64 - 4, elements.join(",")),
            _ => format!("{{{}}}", elements.join(",")),
        };
        (texts, literal)
    })
}
