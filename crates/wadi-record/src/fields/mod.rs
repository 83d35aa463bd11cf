//! Fields of records: names, types, who may set them, and what a draft may put into them.
//!
//! Each has its row in one table, `table/`, whose columns are in `columns.rs`. A name may hold `N`,
//! which stands for a number from 1. What an author's newer version puts into a field unknown here
//! is kept and merged all the same; only what is written *here* is checked against the table.

mod columns;
mod row;
mod table;

pub use columns::{ChangedBy, DeviceSets, FieldRow, FieldType, Guarded, SetBy};

use crate::{
    Kind, RecordError,
    error::{hint, nearest},
    events::is_day,
    normal::{
        country_meant, crossing_meant, currency_meant, is_blank, is_capital_code, is_digest,
        wrong_hs_code, wrong_target,
    },
    ranges::impossible_time,
};
use columns::FieldType::{
    Country, Crossing, Currency, Day, Digest, HsCode, Int, Lookout, Nationality, OneOf, Time,
};
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
            suggestion: nearest(name, names).map(String::from),
        });
    };

    let bad = |why: String| {
        Err(RecordError::BadValue {
            field: name.into(),
            why,
        })
    };

    let text = match (field.value, value) {
        (_, Value::Null) => return Ok(()),
        (Int(unit), Value::Int(number)) => {
            return unit.impossible(*number as f64, number).map_or(Ok(()), bad);
        }
        (Time, Value::Int(ms)) => return impossible_time(*ms).map_or(Ok(()), bad),
        (Int(_) | Time, other) => {
            return bad(format!(
                "expected a whole number, found {}",
                describe(other)
            ));
        }
        (_, Value::Text(text)) => text,
        (_, other) => return bad(format!("expected text, found {}", describe(other))),
    };

    match field.value {
        OneOf(list) if !list.contains(&text.as_str()) => {
            let near = nearest(text, list.iter().copied());
            bad(format!(
                "{text:?} is none of {}{}",
                list.join(", "),
                hint(&near)
            ))
        }
        Country if !is_capital_code(text, 2) => bad(format!(
            "{text:?} is not an ISO 3166 code of two capital letters{}",
            hint(&country_meant(text))
        )),
        Currency if !is_capital_code(text, 3) => bad(format!(
            "{text:?} is not an ISO 4217 code of three capital letters{}",
            hint(&currency_meant(text))
        )),
        Crossing if text.parse::<wadi_log::Crossing>().is_err() => bad(format!(
            "{text:?} is not a crossing's code{}",
            hint(&crossing_meant(text))
        )),
        Digest if !is_digest(text) => bad(
            "expected a SHA-256 of 64 hexadecimal digits; documents are never stored in the clear"
                .into(),
        ),
        HsCode if wrong_hs_code(text).is_some() => bad(wrong_hs_code(text).unwrap_or_default()),
        Day if !is_day(text) => bad(format!("{text:?} is no day, as 2026-03-01")),
        Lookout if wrong_target(text).is_some() => bad(wrong_target(text).unwrap_or_default()),
        Nationality if !is_nationality_form(text) => bad(format!(
            "{text:?} is not a code of capital letters: two or three of ISO 3166, or those of a \
             travel document (ICAO Doc 9303){}",
            hint(&country_meant(text))
        )),
        _ if is_blank(text) => bad("empty text; use null to clear a field".into()),
        _ => Ok(()),
    }
}

/// Whether this has the form of a country's code, or of a field of a machine-readable zone: three
/// places, those that are left over filled.
fn is_nationality_form(text: &str) -> bool {
    let code = text.trim_end_matches('<');
    let is_filled = code.len() == text.len() || text.len() == 3;
    let is_short = code.len() == 1 && code != "D";

    is_filled
        && !is_short
        && (1..=3).contains(&code.len())
        && code.bytes().all(|c| c.is_ascii_uppercase())
}

fn describe(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Text(t) => format!("{t:?}"),
        Value::Int(i) => i.to_string(),
        Value::Flag(b) => b.to_string(),
    }
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
    fn a_value_that_is_nearly_right_is_told_the_right_one() {
        for (kind, field, given, meant) in [
            (Kind::Passage, "direction", "IN", "in"),
            (Kind::Passage, "vehicle.plate_country", "IRQ", "IQ"),
            (Kind::CustomsEntry, "currency", "iqd", "IQD"),
        ] {
            let error = check_put(kind, field, &Value::Text(given.into())).unwrap_err();
            let near = format!("; did you mean {meant:?}?");
            assert!(error.to_string().ends_with(&near), "{error}");
        }

        let of_kind = "Pasage".parse::<Kind>().unwrap_err().to_string();
        assert!(of_kind.ends_with("did you mean \"passage\"?"), "{of_kind}");
        let of_department = "cus".parse::<crate::Department>().unwrap_err().to_string();
        assert!(
            of_department.ends_with("did you mean \"CUS\"?"),
            "{of_department}"
        );
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
