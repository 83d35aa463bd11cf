//! What the fields of a record are looked up and linked by.

use super::{
    certificate::certificate_doubt,
    country::normalise_country,
    digest::{is_hash_of_nothing, normalise_document},
    hs_code::{headings, normalise_hs_code},
    lookout::{goods_term, normalise_target, seeks_nothing},
    plate::{has_unread_place, holds_a_character, normalise_plate},
    reference::{has_digit, normalise_reference, says_nothing},
};

/// Why a text of letters is no number that an office gives out.
pub(super) const NO_DIGIT: &str = "holds no digit: it is no number, and counts as none";

/// What a field is looked up as; nothing for one that nobody looks for.
pub(crate) fn looked_up_as(field: &str) -> Option<&'static str> {
    Some(match field {
        "vehicle.plate" | "vehicle.plate_raw" | "trailer.plate" => "plate",
        "vehicle.vin" => "vin",
        "transit.ref" => "transit",
        "declarant_ref" => "declarant_ref",
        "registration_no" => "registration",
        "target.term" => "target",
        f if f.starts_with("container.") => "container",
        f if f.starts_with("seal.") => "seal",
        f if f.starts_with("certificate.") => "certificate",
        f if f.starts_with("person.") && f.ends_with(".document_hash") => "document",
        _ => return None,
    })
}

/// Whether a field holds a number that is read off a thing or a paper of an office, and no name or
/// reference that somebody chose.
pub(crate) fn is_official_number(field: &str) -> bool {
    looked_up_as(field).is_some_and(|what| what != "declarant_ref")
}

/// The term of a field's text: what it is looked up as, and its normal form. Nothing for a field
/// that nobody looks for, and for a text that says nothing, or that there is none. Codes of goods
/// go with their origin, see [`goods_terms`].
pub fn field_term(field: &str, text: &str) -> Option<(&'static str, String)> {
    let what = looked_up_as(field)?;
    Some((what, member_term(what, text))).filter(|(_, value)| !value.is_empty())
}

/// The normal form of what a member of an event holds, by what it is looked up as. Empty where it
/// says nothing, or that there is none: it matches nothing.
pub fn member_term(what: &str, text: &str) -> String {
    let form: fn(&str) -> String = match what {
        "plate" | "moved_to" | "container" | "seal" | "vin" => normalise_plate,
        "document" => normalise_document,
        "target" => normalise_target,
        "transit" | "declarant_ref" | "registration" | "receipt" | "certificate" => {
            normalise_reference
        }
        _ => return text.into(),
    };

    match no_term(what, text) {
        Some(_) => String::new(),
        None => form(text),
    }
}

/// Why nothing is found by a text, and it finds nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NoTerm {
    /// It holds neither a letter nor a digit.
    Signs,
    /// It says that there is none.
    SaysNone,
    /// A place of it was not read, or was lost: what is left is no other number.
    Unread,
    /// It is a hash that a device makes of nothing.
    HashOfNothing,
    /// It is no number, as a word without a digit.
    NoNumber(&'static str),
}

/// Why a text has no term, by what it is looked up as.
pub(crate) fn no_term(what: &str, text: &str) -> Option<NoTerm> {
    if !holds_a_character(text) {
        return Some(NoTerm::Signs);
    }

    if matches!(what, "document" | "target") && is_hash_of_nothing(text) {
        return Some(NoTerm::HashOfNothing);
    }

    let is_none = match what {
        // Goods of a code and an origin are no number.
        "target" => seeks_nothing(text),
        _ => says_nothing(text),
    };
    if is_none {
        return Some(NoTerm::SaysNone);
    }

    if has_unread_place(text) {
        return Some(NoTerm::Unread);
    }

    match what {
        "certificate" => certificate_doubt(text).map(NoTerm::NoNumber),
        // Offices and treasuries number what they give out; nobody is paid by "cash".
        "registration" | "receipt" | "transit" if !has_digit(text) => {
            Some(NoTerm::NoNumber(NO_DIGIT))
        }
        _ => None,
    }
}

/// Why a field's text has no term; nothing where it has one, and for a field that nobody looks for.
pub(crate) fn field_has_no_term(field: &str, text: &str) -> Option<NoTerm> {
    no_term(looked_up_as(field)?, text)
}

/// The terms of goods of a code and an origin: the code and every heading above it, so that who
/// looks out for a heading finds whatever lies under it.
pub fn goods_terms(code: &str, origin: &str) -> Vec<String> {
    let (code, origin) = (normalise_hs_code(code), normalise_country(origin));
    headings(&code)
        .map(|heading| goods_term(heading, &origin))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goods_are_found_by_every_heading_above_them() {
        let terms = goods_terms("0803.90.10", "EC");
        for lookout in ["0803+EC", "0803.90+ec", "08039010+ECU", "08+EC", "803+EC"] {
            assert!(terms.contains(&normalise_target(lookout)), "{lookout}");
        }

        for lookout in ["0804+EC", "0803+CO", "080310+EC", "0803901000+EC"] {
            assert!(!terms.contains(&normalise_target(lookout)), "{lookout}");
        }
    }

    #[test]
    fn each_field_is_compared_in_its_own_way() {
        let term = |field, text| field_term(field, text);
        assert_eq!(
            term("trailer.plate", "22 a-1"),
            Some(("plate", "22A1".into()))
        );
        assert_eq!(
            term("transit.ref", "1/03"),
            Some(("transit", "1-03".into()))
        );
        assert_eq!(
            term("certificate.2", "c-1"),
            Some(("certificate", "C1".into()))
        );
        assert_eq!(term("seal.3", "sl 9"), Some(("seal", "SL9".into())));
        assert_eq!(term("transit.ref", " - "), None, "it says nothing");
        assert_eq!(term("note", "22A1"), None, "nobody looks for it");
    }

    #[test]
    fn what_says_that_there_is_none_has_no_term() {
        let numbers = [
            "vehicle.plate",
            "vehicle.plate_raw",
            "trailer.plate",
            "vehicle.vin",
            "container.1",
            "seal.2",
            "transit.ref",
            "declarant_ref",
            "registration_no",
            "certificate.1",
            "certificate.ref",
            "target.term",
        ];
        for field in numbers {
            for none in ["N/A", "none", "UNKNOWN", "0", "XXX", "بدون", "غير معروف"] {
                assert_eq!(field_term(field, none), None, "{field} {none}");
            }
            for number in ["22 A 12345", "00100", "A0", "٧"] {
                assert!(field_term(field, number).is_some(), "{field} {number}");
            }
        }

        for what in ["receipt", "registration"] {
            for none in ["N/A", "0", "cash", "نقدا", "بلا"] {
                assert_eq!(member_term(what, none), "", "{what} {none}");
            }
            assert_eq!(member_term(what, "T/٧٧"), "T77");
        }
        assert_eq!(member_term("plate", "no plate"), "");
        assert_eq!(member_term("link", "none"), "none", "compared as it is");
    }

    #[test]
    fn what_has_a_place_that_nobody_read_is_no_other_number() {
        for text in [
            "51 ? 75667",
            "51 * 75667",
            "51 ؟ 75667",
            "51 □ 75667",
            "51 \u{FFFD} 75667",
        ] {
            for field in ["vehicle.plate_raw", "container.1", "seal.1", "target.term"] {
                assert_eq!(field_term(field, text), None, "{field} {text}");
            }
            assert_eq!(member_term("declarant_ref", text), "", "{text}");
        }

        let whole = Some(("plate", "5175667".into()));
        assert_eq!(field_term("vehicle.plate_raw", "51-75667"), whole);
    }

    #[test]
    fn plates_and_seals_of_letters_alone_are_what_they_are() {
        assert_eq!(
            field_term("vehicle.plate", "ملك"),
            Some(("plate", "ملك".into()))
        );
        assert_eq!(field_term("seal.1", "abc"), Some(("seal", "ABC".into())));
        assert_eq!(
            field_term("declarant_ref", "abc"),
            Some(("declarant_ref", "ABC".into()))
        );
    }

    #[test]
    fn a_hash_of_nothing_is_no_document() {
        let of_nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let document = |hash: &str| field_term("person.1.document_hash", hash);
        for hash in [
            of_nothing.to_string(),
            format!("sha256:{}", of_nothing.to_uppercase()),
            "0".repeat(64),
            format!("sha256:{}", "0".repeat(64)),
            "F".repeat(64),
        ] {
            assert_eq!(document(&hash), None, "{hash}");
            assert_eq!(member_term("document", &hash), "", "{hash}");
            assert_eq!(field_term("target.term", &hash), None, "{hash}");
        }

        assert!(document(&"a".repeat(64)).is_some());
        assert!(document(&format!("{}1", "0".repeat(63))).is_some());
        assert_eq!(
            field_term("target.term", "0803+EC"),
            Some(("target", "0803+EC".into()))
        );
    }
}
