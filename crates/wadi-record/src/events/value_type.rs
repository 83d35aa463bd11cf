//! What a member of an event holds.

use crate::{
    HoldType, Unit,
    error::{hint, nearest},
    normal::{crossing_meant, currency_meant, is_capital_code, is_digest},
    ranges::impossible_time,
};
use serde_json::Value;

/// What a hash has to be.
const DIGEST_EXPECTED: &str = "expected a SHA-256 of 64 hexadecimal digits";

/// What a member of an event holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ValueType {
    /// Text.
    Text,
    /// A whole number.
    Int(Unit),
    /// Any number.
    Number(Unit),
    /// The code of a currency, ISO 4217.
    Currency,
    /// Yes or no.
    Flag,
    /// A Unix time in milliseconds.
    Time,
    /// A list of whole numbers.
    Ints(Unit),
    /// A list of text.
    Texts,
    /// One of a list.
    OneOf(&'static [&'static str]),
    /// A whole number out of a list of codes.
    Codes {
        /// What they are called.
        what: &'static str,
        /// The first.
        from: i64,
        /// The last.
        to: i64,
    },
    /// A day, as `2026-03-01`.
    Day,
    /// A SHA-256, in hexadecimal.
    Digest,
    /// A crossing's code.
    Crossing,
    /// The name of a type of hold.
    TypeOfHold,
}

impl ValueType {
    /// What is expected, where a value is not even of the right form.
    pub(super) fn wrong_form(self, value: &Value) -> Option<&'static str> {
        let list = |each: fn(&Value) -> bool| value.as_array().is_some_and(|a| a.iter().all(each));
        let (fits, expected) = match self {
            Self::Text
            | Self::OneOf(_)
            | Self::Day
            | Self::Digest
            | Self::Crossing
            | Self::Currency
            | Self::TypeOfHold => (
                value.as_str().is_some_and(|t| !t.is_empty()),
                "expected text that is not empty",
            ),
            Self::Int(_) | Self::Codes { .. } => (value.is_i64(), "expected a whole number"),
            Self::Number(_) => (value.is_number(), "expected a number"),
            Self::Flag => (value.is_boolean(), "expected true or false"),
            Self::Time => (value.is_i64(), "expected a Unix time in milliseconds"),
            Self::Ints(_) => (list(Value::is_i64), "expected a list of whole numbers"),
            Self::Texts => (list(Value::is_string), "expected a list of text"),
        };

        (!fits).then_some(expected)
    }

    /// What is wrong with a value of the right form.
    pub(super) fn wrong_value(self, value: &Value) -> Option<String> {
        let text = value.as_str().unwrap_or_default();
        let (fits, why) = match self {
            Self::OneOf(list) => (
                list.contains(&text),
                format!(
                    "is none of {}{}",
                    list.join(", "),
                    hint(&nearest(text, list.iter().copied()))
                ),
            ),
            Self::Codes { what, from, to } => (
                value
                    .as_i64()
                    .is_some_and(|code| (from..=to).contains(&code)),
                format!("{what} are {from} to {to}"),
            ),
            Self::Day => (is_day(text), format!("{text:?} is no day, as 2026-03-01")),
            Self::Digest => (is_digest(text), DIGEST_EXPECTED.into()),
            Self::Crossing => (
                text.parse::<wadi_log::Crossing>().is_ok(),
                format!("is not a crossing's code{}", hint(&crossing_meant(text))),
            ),
            Self::Currency => (
                is_capital_code(text, 3),
                format!(
                    "is not an ISO 4217 code of three capital letters{}",
                    hint(&currency_meant(text))
                ),
            ),
            Self::Int(unit) | Self::Number(unit) => {
                return value
                    .as_f64()
                    .and_then(|number| unit.impossible(number, value));
            }
            Self::Ints(unit) => {
                let mut all = value.as_array()?.iter();
                return all.find_map(|given| unit.impossible(given.as_f64()?, given));
            }
            Self::Time => return value.as_i64().and_then(impossible_time),
            Self::TypeOfHold => (
                HoldType::from_name(text).is_some(),
                format!(
                    "is no type of hold{}",
                    hint(&nearest(
                        text,
                        HoldType::ALL.into_iter().map(HoldType::name)
                    ))
                ),
            ),
            _ => return None,
        };

        (!fits).then_some(why)
    }
}

/// Rules compare days as text: no other way of writing one will do.
pub(crate) fn is_day(text: &str) -> bool {
    text.len() == 10
        && text.bytes().all(|c| c.is_ascii_digit() || c == b'-')
        && text.parse::<jiff::civil::Date>().is_ok()
}
