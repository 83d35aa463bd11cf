//! Fields of records: names, types, and what a draft may put into them.
//!
//! A name may hold `N`, which stands for a number from 1. What an author's newer version puts into
//! a field unknown here is kept and merged all the same; only what is written *here* is checked
//! against the table.

use crate::{Kind, RecordError, error::nearest};
use wadi_log::Value;

/// What a field holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FieldType {
    /// Text.
    Text,
    /// A whole number in the unit that the name ends in.
    Int,
    /// A Unix time in milliseconds.
    Time,
    /// One of a list.
    OneOf(&'static [&'static str]),
    /// Two letters, ISO 3166.
    Country,
    /// Three letters, ISO 4217.
    Currency,
    /// A Harmonized System code: 4 to 12 digits, dots allowed.
    HsCode,
    /// A crossing's code.
    Crossing,
    /// SHA-256 in hexadecimal.
    Digest,
}

use FieldType::{Country, Crossing, Currency, Digest, HsCode, Int, OneOf, Text, Time};

/// Kind, name, type, and whether the field is legal: contested, it blocks an assessment.
pub const FIELDS: &[(Kind, &str, FieldType, bool)] = &[
    (Kind::Passage, "direction", OneOf(&["in", "out"]), true),
    (Kind::Passage, "vehicle.plate_raw", Text, false),
    (Kind::Passage, "vehicle.plate", Text, true),
    (Kind::Passage, "vehicle.plate_country", Country, true),
    (Kind::Passage, "vehicle.vin", Text, true),
    (Kind::Passage, "trailer.plate", Text, true),
    (Kind::Passage, "container.N", Text, true),
    (Kind::Passage, "seal.N", Text, true),
    (Kind::Passage, "transit.ref", Text, true),
    (Kind::Passage, "person.N.document_hash", Digest, true),
    (Kind::Passage, "person.N.document_type", Text, false),
    (
        Kind::Passage,
        "person.N.document_check",
        OneOf(&["passed", "failed"]),
        false,
    ),
    (Kind::Passage, "person.N.nationality", Country, true),
    (Kind::Passage, "declared_exit", Crossing, true),
    (
        Kind::Passage,
        "purpose",
        OneOf(&["goods", "passengers", "empty"]),
        true,
    ),
    (Kind::Passage, "goods.hs_code", HsCode, true),
    (Kind::Passage, "goods.origin", Country, true),
    (Kind::Passage, "goods.destination", Country, false),
    (Kind::Passage, "lane", Int, false),
    (Kind::Passage, "arrived_at_ms", Time, false),
    (Kind::Passage, "handled_by", Text, false),
    (Kind::Passage, "note", Text, false),
    (
        Kind::QuarantineHold,
        "type",
        OneOf(&[
            "FOOD_EQUIPMENT",
            "AGRICULTURAL",
            "VETERINARY",
            "MEDICAL",
            "RADIOLOGICAL",
            "SECURITY",
            "CUSTOMS",
        ]),
        true,
    ),
    (Kind::QuarantineHold, "legal_basis", Text, true),
    (Kind::QuarantineHold, "due_at_ms", Time, true),
    (Kind::QuarantineHold, "commodity", Text, true),
    (Kind::QuarantineHold, "hs_code", HsCode, true),
    (Kind::QuarantineHold, "origin", Country, true),
    (Kind::QuarantineHold, "quantity", Int, true),
    (Kind::QuarantineHold, "unit", Text, true),
    (Kind::QuarantineHold, "certificate.ref", Text, true),
    (Kind::QuarantineHold, "certificate.net_g", Int, true),
    (Kind::QuarantineHold, "target.term", Text, true),
    (Kind::QuarantineHold, "note", Text, false),
    (Kind::CustomsEntry, "office", Text, true),
    (Kind::CustomsEntry, "declaration_type", Text, true),
    (Kind::CustomsEntry, "declarant", Text, true),
    (Kind::CustomsEntry, "declarant_ref", Text, true),
    (Kind::CustomsEntry, "registration_no", Text, true),
    (Kind::CustomsEntry, "exporter", Text, true),
    (Kind::CustomsEntry, "consignee", Text, true),
    (Kind::CustomsEntry, "total_packages", Int, true),
    (Kind::CustomsEntry, "currency", Currency, true),
    (Kind::CustomsEntry, "invoice_minor", Int, true),
    (Kind::CustomsEntry, "container.N", Text, true),
    (Kind::CustomsEntry, "transit.ref", Text, true),
    (Kind::CustomsEntry, "certificate.N", Text, true),
    (Kind::CustomsEntry, "certificate.N.net_g", Int, true),
    (Kind::CustomsEntry, "vehicle.plate", Text, true),
    (Kind::CustomsEntry, "goods.N.hs_code", HsCode, true),
    (Kind::CustomsEntry, "goods.N.description", Text, false),
    (Kind::CustomsEntry, "goods.N.procedure", Text, true),
    (Kind::CustomsEntry, "goods.N.origin", Country, true),
    (Kind::CustomsEntry, "goods.N.gross_g", Int, true),
    (Kind::CustomsEntry, "goods.N.net_g", Int, true),
    (Kind::CustomsEntry, "goods.N.packages", Int, true),
    (Kind::CustomsEntry, "goods.N.package_type", Text, false),
    (
        Kind::CustomsEntry,
        "goods.N.statistical_value_minor",
        Int,
        true,
    ),
    (Kind::CustomsEntry, "goods.N.duty_minor", Int, true),
    (
        Kind::CustomsEntry,
        "goods.N.supplementary_unit",
        Text,
        false,
    ),
    (Kind::CustomsEntry, "note", Text, false),
    (Kind::SiteDay, "date", Text, true),
    (Kind::SiteDay, "note", Text, false),
];

/// Type and legal weight of a field, `N` standing for any number from 1 to 999.
pub fn field_type(kind: Kind, name: &str) -> Option<(FieldType, bool)> {
    let general = general_name(name);
    FIELDS
        .iter()
        .find(|(k, n, ..)| *k == kind && *n == general)
        .map(|(_, _, t, legal)| (*t, *legal))
}

/// A field's name as it stands in tables: each number from 1 to 999 as `N`.
pub(crate) fn general_name(name: &str) -> String {
    let parts: Vec<&str> = name
        .split('.')
        .map(|p| if is_ordinal(p) { "N" } else { p })
        .collect();
    parts.join(".")
}

fn is_ordinal(part: &str) -> bool {
    part.len() <= 3
        && !part.starts_with('0')
        && !part.is_empty()
        && part.bytes().all(|c| c.is_ascii_digit())
}

/// Checks that a draft may put this value into this field. Null clears any field.
pub fn check_put(kind: Kind, name: &str, value: &Value) -> Result<(), RecordError> {
    let Some((field, _)) = field_type(kind, name) else {
        let names = FIELDS
            .iter()
            .filter(|(k, ..)| *k == kind)
            .map(|(_, n, ..)| *n);

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

    let text = match (field, value) {
        (_, Value::Null) | (Int | Time, Value::Int(_)) => return Ok(()),
        (Int | Time, other) => {
            return bad(format!(
                "expected a whole number, found {}",
                describe(other)
            ));
        }
        (_, Value::Text(text)) => text,
        (_, other) => return bad(format!("expected text, found {}", describe(other))),
    };

    let letters = |n| text.len() == n && text.bytes().all(|c| c.is_ascii_uppercase());
    match field {
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
}
