//! Numbers of certificates.

use super::{
    hs_code::normalise_hs_code,
    letters::SIGN,
    plate::normalise_plate,
    reference::{has_digit, normalise_reference},
    terms::{NO_DIGIT, looked_up_as},
};
use std::{collections::BTreeSet, ops::RangeInclusive};

/// Why a day is no number.
const A_DAY: &str = "is a day: it is no number, and counts as none";
/// Years that a paper may bear, those of the Islamic calendars among them.
const YEARS: RangeInclusive<u16> = 1300..=2200;
/// Fields that nobody looks for, and that name whose the goods are or what they are.
const NAMES: [&str; 4] = ["declarant", "exporter", "consignee", "commodity"];

/// Why a text that says something is not the number of a certificate: a word, or a day.
pub(super) fn certificate_doubt(text: &str) -> Option<&'static str> {
    if !has_digit(text) {
        return Some(NO_DIGIT);
    }

    is_day(&normalise_reference(text)).then_some(A_DAY)
}

/// Whether it is a day of the calendar with all its digits, the year first or last. With fewer
/// digits it may be a number of an office, its register and a year.
fn is_day(form: &str) -> bool {
    let parts: Vec<&str> = form.split(SIGN).collect();
    let (year, one, other) = match parts[..] {
        [year, one, other] if year.len() == 4 => (year, one, other),
        [one, other, year] => (year, one, other),
        _ => return false,
    };

    let number = |part: &str, digits: usize| -> Option<u16> {
        let is_number = part.len() == digits && part.bytes().all(|c| c.is_ascii_digit());
        part.parse().ok().filter(|_| is_number)
    };
    let (Some(year), Some(one), Some(other)) = (number(year, 4), number(one, 2), number(other, 2))
    else {
        return false;
    };

    YEARS.contains(&year)
        && (1..=12).contains(&one.min(other))
        && (1..=31).contains(&one.max(other))
}

/// What fields of a record hold that are no certificates: the codes of its goods, names, and the
/// numbers of other things.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct OtherNumbers {
    numbers: BTreeSet<String>,
    codes: BTreeSet<String>,
}

impl OtherNumbers {
    /// Those among fields, each with its text.
    pub fn of<'a>(fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut out = Self::default();
        for (field, text) in fields {
            let is_code = field.ends_with("hs_code");
            let is_other = match looked_up_as(field) {
                Some(what) => what != "certificate",
                None => is_code || NAMES.contains(&field),
            };

            if is_other {
                out.numbers.insert(normalise_plate(text));
            }
            if is_code {
                out.codes.insert(normalise_hs_code(text));
            }
        }

        out
    }

    /// Whether what is given for a certificate's number is one of them, however it is written.
    pub fn has(&self, certificate: &str) -> bool {
        let form = normalise_plate(certificate);
        if form.is_empty() {
            return false;
        }

        let is_number = form.bytes().all(|c| c.is_ascii_digit());
        self.numbers.contains(&form) || is_number && self.codes.contains(&normalise_hs_code(&form))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_and_a_day_are_no_number() {
        for word in ["phytosanitary", "lost", "see file", "موجود"] {
            assert_eq!(certificate_doubt(word), Some(NO_DIGIT), "{word}");
        }

        for day in [
            "2026-03-01",
            "01/03/2026",
            "31.12.2026",
            "12/31/2026",
            "٠١/٠٣/٢٠٢٦",
            "1447/09/12",
        ] {
            assert_eq!(certificate_doubt(day), Some(A_DAY), "{day}");
        }

        for number in [
            "1",
            "C-100",
            "103/2026",
            "1/3/2026",
            "2026/0003/01",
            "13/14/2026",
            "01/32/2026",
            "00/03/2026",
            "9999-03-01",
            "20260301",
            "IQ 01/03/2026",
            "01/03/2026/7",
        ] {
            assert_eq!(certificate_doubt(number), None, "{number}");
        }
    }

    #[test]
    fn what_another_field_holds_is_known_however_it_is_written() {
        for (certificate, field, value) in [
            ("0714", "goods.1.hs_code", "0714"),
            ("080390", "goods.2.hs_code", "0803.90"),
            ("0803.90", "hs_code", "80390"),
            ("D-7/26", "declarant_ref", "d 7/26"),
            ("AL-RAFIDAIN 1", "declarant", "Al Rafidain 1"),
            ("11A1", "vehicle.plate", "11-A-1"),
            ("T1", "transit.ref", "t-1"),
        ] {
            let is_other = OtherNumbers::of([(field, value)]).has(certificate);
            assert!(is_other, "{certificate} {field} {value}");
        }

        for (certificate, field, value) in [
            ("C1", "certificate.2", "C1"),
            ("C1", "note", "C1"),
            ("EC 0803 90", "goods.1.hs_code", "0803.90"),
            ("0803", "goods.1.hs_code", "0803.90"),
            ("C1", "declarant_ref", "C-11"),
            ("-", "declarant_ref", "+"),
        ] {
            let is_other = OtherNumbers::of([(field, value)]).has(certificate);
            assert!(!is_other, "{certificate} {field} {value}");
        }
    }
}
