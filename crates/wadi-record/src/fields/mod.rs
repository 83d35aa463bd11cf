//! Fields of records: names, types, who may set them, and what a draft may put into them.
//!
//! Each has its row in one table, `table/`, whose columns are in `columns.rs`. A name may hold `N`,
//! which stands for a number from 1. What an author's newer version puts into a field unknown here
//! is kept and merged all the same; only what is written *here* is checked against the table.

mod columns;
mod row;
mod table;

pub use columns::{DeviceSets, FieldRow, FieldType, Guarded, SetBy};

use crate::{Kind, RecordError, error::nearest};
use columns::FieldType::{Country, Crossing, Currency, Digest, HsCode, Int, OneOf, Time};
use std::{borrow::Cow, collections::HashMap, sync::LazyLock};
use wadi_log::Value;

/// Every field: those of a passage, of a hold, of a customs entry, and the others.
pub static FIELDS: &[FieldRow] = &table::joined();

/// The row of a field, `N` standing for any number from 1 to 999.
pub fn known_field(kind: Kind, name: &str) -> Option<&'static FieldRow> {
    static BY_NAME: LazyLock<HashMap<&str, Vec<&FieldRow>>> = LazyLock::new(|| {
        let mut by_name: HashMap<&str, Vec<&FieldRow>> = HashMap::new();
        for row in FIELDS {
            by_name.entry(row.name).or_default().push(row);
        }
        by_name
    });

    let of_name = BY_NAME.get(general_name(name).as_ref())?;
    of_name
        .iter()
        .find(|row| row.kinds.contains(&kind))
        .copied()
}

/// A field's name as it stands in tables: each number from 1 to 999 as `N`.
pub(crate) fn general_name(name: &str) -> Cow<'_, str> {
    if !name.split('.').any(is_ordinal) {
        return name.into();
    }

    let parts: Vec<&str> = name
        .split('.')
        .map(|p| if is_ordinal(p) { "N" } else { p })
        .collect();
    parts.join(".").into()
}

fn is_ordinal(part: &str) -> bool {
    part.len() <= 3
        && !part.starts_with('0')
        && !part.is_empty()
        && part.bytes().all(|c| c.is_ascii_digit())
}

/// Checks that a draft may put this value into this field. Null clears any field.
pub fn check_put(kind: Kind, name: &str, value: &Value) -> Result<(), RecordError> {
    let Some(field) = known_field(kind, name) else {
        let of_kind = FIELDS.iter().filter(|row| row.kinds.contains(&kind));
        let names = of_kind.map(|row| row.name);

        return Err(RecordError::UnknownField {
            kind: kind.name(),
            field: name.into(),
            suggestion: nearest(name, names),
        });
    };

    let bad = |why: String| {
        Err(RecordError::BadValue {
            field: name.into(),
            why,
        })
    };

    let text = match (field.value, value) {
        (_, Value::Null) | (Int(_) | Time, Value::Int(_)) => return Ok(()),
        (Int(_) | Time, other) => {
            return bad(format!(
                "expected a whole number, found {}",
                describe(other)
            ));
        }
        (_, Value::Text(text)) => text,
        (_, other) => return bad(format!("expected text, found {}", describe(other))),
    };

    let letters = |n| text.len() == n && text.bytes().all(|c| c.is_ascii_uppercase());
    match field.value {
        OneOf(list) if !list.contains(&text.as_str()) => {
            bad(format!("{text:?} is none of {}", list.join(", ")))
        }
        Country if !letters(2) => bad(format!(
            "{text:?} is not an ISO 3166 code of two capital letters"
        )),
        Currency if !letters(3) => bad(format!(
            "{text:?} is not an ISO 4217 code of three capital letters"
        )),
        Crossing if text.parse::<wadi_log::Crossing>().is_err() => {
            bad(format!("{text:?} is not a crossing's code"))
        }
        Digest if text.len() != 64 || !text.bytes().all(|c| c.is_ascii_hexdigit()) => bad(
            "expected a SHA-256 of 64 hexadecimal digits; documents are never stored in the clear"
                .into(),
        ),
        HsCode if !is_hs_code(text) => bad(format!(
            "{text:?} is not an HS code: 4 to 12 digits, chapter 01 to 97"
        )),
        _ if text.is_empty() => bad("empty text; use null to clear a field".into()),
        _ => Ok(()),
    }
}

fn is_hs_code(text: &str) -> bool {
    let digits: String = text.chars().filter(|c| *c != '.').collect();
    let chapter = digits.get(..2).and_then(|chapter| chapter.parse().ok());
    (4..=12).contains(&digits.len())
        && digits.bytes().all(|c| c.is_ascii_digit())
        && matches!(chapter, Some(1u8..=97))
}

fn describe(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Text(t) => format!("{t:?}"),
        Value::Int(i) => i.to_string(),
        Value::Flag(b) => b.to_string(),
    }
}

/// A plate for comparing: Arabic digits made Western, letters upper case, everything but letters
/// and digits left out.
pub fn normalise_plate(raw: &str) -> String {
    raw.chars()
        .filter_map(|c| match c {
            '\u{0660}'..='\u{0669}' => char::from_digit(c as u32 - 0x660, 10),
            '\u{06F0}'..='\u{06F9}' => char::from_digit(c as u32 - 0x6F0, 10),
            c if c.is_alphanumeric() => c.to_uppercase().next(),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_field_is_told_its_neighbour() {
        let error = check_put(Kind::Passage, "vehicle.plat", &Value::Int(1)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "passage has no field \"vehicle.plat\"; did you mean \"vehicle.plate\"?"
        );
        assert_eq!(error.code(), "unknown_field");
    }

    #[test]
    fn values_must_fit_their_field() {
        let text = |t: &str| Value::Text(t.into());
        check_put(Kind::CustomsEntry, "goods.12.hs_code", &text("0803.90")).unwrap();
        check_put(
            Kind::CustomsEntry,
            "certificate.2.net_g",
            &Value::Int(20_000_000),
        )
        .unwrap();

        for (field, value) in [
            ("goods.1.hs_code", text("9903.90")),
            ("goods.1.gross_g", text("12")),
            ("currency", text("iqd")),
            ("goods.1.origin", text("Iraq")),
            ("declarant", Value::Flag(true)),
            ("declarant", text("")),
        ] {
            assert_eq!(
                check_put(Kind::CustomsEntry, field, &value)
                    .unwrap_err()
                    .code(),
                "bad_value",
                "{field}"
            );
        }

        assert!(check_put(Kind::CustomsEntry, "goods.0.gross_g", &Value::Int(1)).is_err());
        check_put(Kind::CustomsEntry, "declarant", &Value::Null).unwrap();
    }

    #[test]
    fn arabic_and_western_plates_compare_equal() {
        assert_eq!(normalise_plate("٢٢ أ ١٢٣٤٥"), normalise_plate("22-أ-12345"));
    }

    #[test]
    fn a_field_has_one_row_for_each_kind_that_has_it() {
        for (n, row) in FIELDS.iter().enumerate() {
            let is_twice = |other: &FieldRow| {
                other.name == row.name && other.kinds.iter().any(|k| row.kinds.contains(k))
            };

            assert!(!FIELDS[n + 1..].iter().any(is_twice), "{}", row.name);

            for kind in row.kinds {
                let found = known_field(*kind, &row.name.replace('N', "7"));
                assert_eq!(found.map(|f| f.name), Some(row.name));
            }
        }
    }
}
