//! Texts, numbers and JSON that nobody means well with.

use rand::{RngExt, prelude::IndexedRandom, rngs::StdRng};
use wadi_log::Value;
use wadi_record::{EVENTS, FIELDS, FieldRow, FieldType, HoldType, Kind, Member, ValueType};

/// Bytes of a text that fills an entry nearly.
pub(crate) const BIG_TEXT: usize = 31 * 1024;
/// When it all happens, Unix milliseconds: 1 January 2026.
pub(crate) const DAY_MS: i64 = 1_767_225_600_000;

/// Texts that cut badly, compare oddly, or are not what they are taken for.
const TEXTS: &[&str] = &[
    "",
    " ",
    "a",
    "TRB",
    "QAM",
    "HUB",
    "*",
    "..",
    "in",
    "out",
    "OF-1",
    "PORT",
    "aوثيقة-سفر-طويلة",
    "١١-أ-١٢٣٤٥",
    "11-А-12345",
    "🚚🚚🚚🚚🚚",
    "e\u{301}\u{301}\u{301}\u{301}",
    "\u{0}\u{202e}x\u{2066}",
    "\r\n\t\u{1b}[31m",
    "\u{feff}\u{fffd}\u{10ffff}",
    "'; DROP TABLE entries; --",
    "<script>alert(1)</script>",
    "=cmd|' /C calc'!A0",
    "{\"type\":\"gate.in\"}",
    "9223372036854775807",
    "-9223372036854775808",
    "2026-02-30",
    "0803.90",
    "NaN",
    "satisfactory",
    "SECURITY",
];

/// Numbers at and past the edges of what anybody reckons with.
const NUMBERS: &[i64] = &[
    i64::MIN,
    i64::MIN + 1,
    -62_135_596_800_001,
    -1,
    0,
    1,
    2,
    255,
    256,
    65_536,
    1 << 31,
    (1 << 32) - 1,
    1_000,
    3_600_000,
    DAY_MS / 1_000,
    DAY_MS,
    253_402_300_800_000,
    1 << 53,
    (1 << 53) + 1,
    1 << 60,
    i64::MAX / 1_000,
    i64::MAX / 2,
    i64::MAX - 1,
    i64::MAX,
];

/// A text to be afraid of.
pub(crate) fn text(r: &mut StdRng) -> String {
    let one = *TEXTS.choose(r).expect("there are some");
    match r.random_range(0..12) {
        // Letters of two and four bytes, so that a cut at any number of bytes falls into one.
        0 => format!("{}{one}", "x".repeat(r.random_range(0..70))),
        1 => "ح".repeat(r.random_range(1..80)),
        2 => format!("a{}", "🚚".repeat(r.random_range(1..40))),
        3 => one.repeat(r.random_range(1..20)),
        4 => format!("{}", r.random::<u64>()),
        _ => one.into(),
    }
}

/// A number to be afraid of.
pub(crate) fn number(r: &mut StdRng) -> i64 {
    match r.random_range(0..6) {
        0 => r.random(),
        1 => 1i64
            .wrapping_shl(r.random_range(0..64))
            .wrapping_sub(r.random_range(0..3)),
        _ => *NUMBERS.choose(r).expect("there are some"),
    }
}

/// A text in quotes, as JSON has it.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Any JSON, and what is none, as text: objects with a member twice, numbers of four hundred
/// digits.
pub(crate) fn json(r: &mut StdRng, depth: u32) -> String {
    match r.random_range(0..if depth == 0 { 8 } else { 12 }) {
        0..=2 => quoted(&text(r)),
        3 | 4 => number(r).to_string(),
        5 => {
            let odd = [
                "null",
                "true",
                "false",
                "-0",
                "0.5",
                "1e308",
                "1e400",
                "-1e999",
                "1.0",
                "NaN",
                "Infinity",
                "18446744073709551616",
                "1E+2",
                "[]",
                "{}",
                "\"\\ud800\"",
                "\"\\u0000\"",
                "007",
            ];
            (*odd.choose(r).expect("there are some")).into()
        }
        6 => format!("1{}", "0".repeat(r.random_range(1..400))),
        7 => {
            let deep = *[2usize, 60, 127, 128, 129, 2_000].choose(r).expect("some");
            format!("{}{}", "[".repeat(deep), "]".repeat(deep))
        }
        8 | 9 => {
            let parts: Vec<String> = (0..r.random_range(0..4))
                .map(|_| json(r, depth - 1))
                .collect();
            format!("[{}]", parts.join(","))
        }
        _ => {
            let member = |r: &mut StdRng| format!("{}:{}", quoted(&name(r)), json(r, depth - 1));
            let mut parts: Vec<String> = (0..r.random_range(0..4)).map(|_| member(r)).collect();
            if r.random_bool(0.2) {
                parts.extend(parts.first().cloned());
            }
            format!("{{{}}}", parts.join(","))
        }
    }
}

fn name(r: &mut StdRng) -> String {
    if r.random_bool(0.3) {
        return text(r);
    }

    let event = EVENTS.choose(r).expect("there are events");
    event
        .members
        .choose(r)
        .map_or("type", |member| member.name)
        .into()
}

/// What may be said on records of a kind, as signed text: mostly of the table, and spoilt in a
/// member or two.
pub(crate) fn event(r: &mut StdRng, kind: Kind, records: &[String]) -> String {
    let of_kind: Vec<_> = EVENTS.iter().filter(|e| e.kinds.contains(&kind)).collect();
    let row = match r.random_bool(0.8) {
        true => *of_kind.choose(r).expect("each kind has events"),
        false => EVENTS.choose(r).expect("there are events"),
    };

    let mut members: Vec<(String, String)> = vec![("type".into(), quoted(row.name))];
    for member in row.members {
        if member.required && r.random_bool(0.93) || r.random_bool(0.3) {
            members.push((member.name.into(), member_value(r, member, records)));
        }
    }

    match r.random_range(0..16) {
        0 => members.push((text(r), json(r, 2))),
        1 => members.extend(members.first().cloned()),
        2 => members[0].1 = quoted(&text(r)),
        3 => members[0].1 = json(r, 1),
        4 => drop(members.remove(0)),
        5 => members.reverse(),
        _ => members.sort(),
    }

    let parts: Vec<String> = members
        .into_iter()
        .map(|(name, value)| format!("{}:{value}", quoted(&name)))
        .collect();
    match r.random_range(0..60) {
        0 => json(r, 3),
        1 => format!("{{{}", parts.join(",")),
        2 => format!(" {{{} }}", parts.join(" , ")),
        _ => format!("{{{}}}", parts.join(",")),
    }
}

fn member_value(r: &mut StdRng, member: &Member, records: &[String]) -> String {
    if r.random_bool(0.12) {
        return json(r, 2);
    }

    let of_records = ["record", "holds", "to_record", "passage"].contains(&member.name);
    match member.value {
        ValueType::Text if of_records && !records.is_empty() => {
            quoted(records.choose(r).expect("there are some"))
        }
        ValueType::Text => quoted(&format!("V{}", r.random_range(0..4))),
        ValueType::Int(_) | ValueType::Number(_) => r.random_range(0..50_000).to_string(),
        ValueType::Flag => r.random::<bool>().to_string(),
        ValueType::Time => (DAY_MS + r.random_range(-100..100) * 60_000).to_string(),
        ValueType::Ints(_) => format!("[{},{}]", r.random_range(0..9), r.random_range(0..9)),
        ValueType::Texts if of_records && !records.is_empty() => {
            format!("[{}]", quoted(records.choose(r).expect("there are some")))
        }
        ValueType::Texts => "[\"V1\",\"V2\"]".into(),
        ValueType::OneOf(list) => quoted(list.choose(r).expect("a list is not empty")),
        ValueType::Codes { from, to, .. } => r.random_range(from..=to).to_string(),
        ValueType::Day => quoted("2026-01-02"),
        ValueType::Digest => quoted(&format!("{:064x}", r.random_range(0..4))),
        ValueType::Crossing => quoted(["TRB", "QAM"].choose(r).expect("two")),
        ValueType::Currency => quoted("IQD"),
        ValueType::TypeOfHold => quoted(HoldType::ALL.choose(r).expect("seven").name()),
    }
}

/// A field of records of that kind, and what is put into it.
pub(crate) fn field(r: &mut StdRng, kind: Kind) -> (String, Value) {
    let of_kind: Vec<&FieldRow> = FIELDS.iter().filter(|f| f.kinds.contains(&kind)).collect();
    let row = match r.random_bool(0.9) {
        true => *of_kind.choose(r).expect("each kind has fields"),
        false => FIELDS.choose(r).expect("there are fields"),
    };

    let n = *[0, 1, 1, 1, 2, 999, 1_000, 4_000_000_000u32]
        .choose(r)
        .expect("there are some");
    let name: Vec<String> = row
        .name
        .split('.')
        .map(|part| match part {
            "N" => n.to_string(),
            part => part.to_string(),
        })
        .collect();

    let value = match r.random_range(0..8) {
        0 => Value::Null,
        1 => Value::Flag(r.random()),
        2 => Value::Int(number(r)),
        3 => Value::Text(text(r)),
        _ => meant(r, row.value),
    };
    (name.join("."), value)
}

fn meant(r: &mut StdRng, of: FieldType) -> Value {
    let text = match of {
        FieldType::Int(_) => return Value::Int(r.random_range(0..50_000)),
        FieldType::Time => return Value::Int(DAY_MS + r.random_range(0..86_400_000)),
        FieldType::OneOf(list) => list.choose(r).expect("a list is not empty"),
        FieldType::Country => "IQ",
        FieldType::Nationality => "IRQ",
        FieldType::Day => "2026-01-02",
        FieldType::Currency => "IQD",
        FieldType::HsCode => "0803.90",
        FieldType::Crossing => "QAM",
        FieldType::Digest => "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        FieldType::Text | FieldType::Lookout => {
            return Value::Text(format!("V{}", r.random_range(0..400)));
        }
    };

    Value::Text(text.into())
}
