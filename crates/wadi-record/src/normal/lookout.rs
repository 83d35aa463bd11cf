//! What a lookout seeks.

use super::{
    country::{is_country, is_nationality, normalise_country},
    digest::{is_digest, is_hash_of_nothing},
    hs_code::{hs_doubt, normalise_hs_code, wrong_heading},
    letters::folded,
    normalise_document,
    plate::{has_unread_place, holds_a_character},
    reference::{has_digit, says_nothing},
};
use crate::check_digits::looks_misread;

/// A code and an origin, as `0803+EC`, whatever plus sign stands between them.
fn goods(text: &str) -> Option<(&str, &str)> {
    text.split_once(['+', '\u{FF0B}', '\u{FE62}'])
}

/// What a lookout seeks, as terms have it: a plate, container, vehicle number or document, or
/// `HS+ORIGIN`.
pub fn normalise_target(text: &str) -> String {
    match goods(text) {
        Some((code, origin)) => goods_term(&normalise_hs_code(code), &normalise_country(origin)),
        None => normalise_document(text),
    }
}

/// Goods of a code and an origin as terms have them.
pub(super) fn goods_term(code: &str, origin: &str) -> String {
    format!("{code}+{origin}")
}

/// Whether it names a thing by what says that there is none.
pub(super) fn seeks_nothing(text: &str) -> bool {
    goods(text).is_none() && says_nothing(text)
}

/// Why nothing can be found by this, which its author would never notice.
pub(crate) fn wrong_target(text: &str) -> Option<String> {
    if let Some((code, origin)) = goods(text) {
        if !is_nationality(&normalise_country(origin)) {
            return Some(format!(
                "{text:?}: after the plus stands the country of origin, as in 0803+EC"
            ));
        }

        return wrong_heading(code);
    }

    if !is_digest(text) && !holds_a_character(text) {
        return Some(format!(
            "{text:?} holds neither a letter nor a digit: nothing matches it"
        ));
    }

    if is_hash_of_nothing(text) {
        return Some(format!("{text:?} is a hash of nothing: nothing matches it"));
    }

    if seeks_nothing(text) {
        return Some(format!(
            "{text:?} says that there is none: nothing matches it"
        ));
    }

    has_unread_place(text).then(|| {
        format!("{text:?} has a place that nobody read, as a question mark: nothing matches it")
    })
}

/// A code of goods and an origin between which no plus sign stands, as `0803/EC` or `EC 0803`.
fn goods_without_plus(text: &str) -> Option<(String, String)> {
    let folded = folded(text);
    let is_digits = |part: &str| part.bytes().all(|c| c.is_ascii_digit());
    let is_letters = |part: &str| part.bytes().all(|c| c.is_ascii_uppercase());
    let parts_all = |c: char| !c.is_alphanumeric();

    // Groups of digits, and one of letters before or behind them, parted from them or not.
    let text = folded.trim();
    let behind = text.trim_start_matches(|c: char| c.is_ascii_digit() || parts_all(c));
    let before = text.trim_end_matches(|c: char| c.is_ascii_digit() || parts_all(c));
    let (code, origin) = match (text.strip_suffix(behind), text.strip_prefix(before)) {
        (Some(code), _) if !behind.is_empty() && !code.is_empty() => (code, behind),
        (_, Some(code)) if !before.is_empty() && !code.is_empty() => (code, before),
        _ => return None,
    };

    let code = code.trim_matches(parts_all);
    let is_goods = code.split(parts_all).all(is_digits) && wrong_heading(code).is_none();
    let origin = Some(origin)
        .filter(|origin| is_letters(origin))
        .map(normalise_country)
        .filter(|origin| is_goods && is_country(origin))?;
    Some((normalise_hs_code(code), origin))
}

/// Why nothing is likely to be found by this, in a sentence: goods come from countries, and have
/// codes that the nomenclature has; numbers on things hold digits, and the right check digit.
pub(crate) fn target_doubt(text: &str) -> Option<String> {
    let Some((code, origin)) = goods(text) else {
        return thing_doubt(text);
    };
    let origin = normalise_country(origin);
    if !is_country(&origin) {
        return Some(format!(
            "no goods come from {origin}: ISO 3166 has no country of that code, and nothing \
             matches this"
        ));
    }

    hs_doubt(code)
}

/// The same of what is not goods of a code and an origin.
fn thing_doubt(text: &str) -> Option<String> {
    if let Some((code, origin)) = goods_without_plus(text) {
        return Some(format!(
            "{text:?} is taken for a plate: goods are sought with a plus sign, as {}",
            goods_term(&code, &origin)
        ));
    }

    if is_digest(text) {
        return None;
    }

    let no_digit = (!has_digit(text)).then(|| no_digit_told(text));
    no_digit.or_else(|| looks_misread(text))
}

/// What is strange about a plate without a digit.
pub(crate) fn no_digit_told(text: &str) -> String {
    format!(
        "{text:?} holds no digit, and hardly any plate is without one: read it again; where there \
         is none, leave it out"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lookout_is_one_however_it_is_written() {
        assert_eq!(normalise_target("22-a/12 345"), "22A12345");
        assert_eq!(normalise_target("0803.90 + ec"), "080390+EC");
        assert_eq!(normalise_target("٠٨٠٣٩٠＋ECU"), "080390+EC");
        assert_eq!(normalise_target("80390+EC"), "080390+EC");

        let hash = "AB".repeat(32);
        assert_eq!(
            normalise_target(&format!("sha256:{hash}")),
            hash.to_lowercase()
        );
    }

    #[test]
    fn one_that_nothing_could_match_is_no_lookout() {
        for right in ["22 A 1", "0803+EC", "08+EC", "CSQU3054383", "٢٢ أ ١"] {
            assert_eq!(wrong_target(right), None, "{right}");
        }

        for wrong in [
            "--",
            "\u{200F}",
            "80390+EC",
            "0803+",
            "0803+Ecuador",
            "+EC",
            "plate+EC",
            "UNKNOWN",
            "n/a",
            "000",
            "بدون",
            "NOREAD",
            "لا توجد لوحة",
            "51 ? 75667",
            "51 \u{FFFD} 75667",
            "8.0+PE",
        ] {
            assert!(wrong_target(wrong).is_some(), "{wrong}");
        }
        assert!(wrong_target(&"0".repeat(64)).is_some(), "a hash of nothing");
        assert_eq!(wrong_target(&"a".repeat(64)), None);
    }

    #[test]
    fn a_lookout_for_goods_of_no_country_is_strange() {
        for usual in [
            "0803+EC",
            "08+ecu",
            "0803 + EU",
            "0803+XKX",
            "22 A 1",
            "CSQU3054383",
            "1M8GDM9AXKP042788",
            "11 ب 12345",
            "803 CL",
            "0803 XQ",
            "22 IQ 12345",
        ] {
            assert_eq!(target_doubt(usual), None, "{usual}");
        }
        assert_eq!(target_doubt(&"a".repeat(64)), None);

        for (strange, why) in [
            ("0803+XXX", "no goods come from XXX"),
            ("0803+XXB", "no goods come from XXB"),
            ("0803+UNO", "no goods come from UNO"),
            ("77+EC", "chapter 77"),
            ("0800+EC", "heading 00"),
            ("0803/CL", "as 0803+CL"),
            ("0803 CL", "as 0803+CL"),
            ("0803-cl", "as 0803+CL"),
            ("0803,CL", "as 0803+CL"),
            ("CL 0803", "as 0803+CL"),
            ("0803.90 CHL", "as 080390+CL"),
            ("٠٨٠٣/CL", "as 0803+CL"),
            ("0803CL", "as 0803+CL"),
            ("ملك", "holds no digit"),
            ("CSQU3054384", "not a valid ISO 6346 container number"),
            ("CSQU305438", "not a valid ISO 6346 container number"),
            ("CSQU3054383/22G1", "not a valid ISO 6346 container number"),
            (
                "ATBE 100309-2",
                "not a valid EN 13044-1 loading unit number",
            ),
            ("1M8GDM9A1KP042788", "its check digit does not agree"),
            ("1M8GDM9AXKP04278", "not a valid ISO 3779 vehicle number"),
        ] {
            assert_eq!(wrong_target(strange), None, "it is recorded: {strange}");
            let told = target_doubt(strange).unwrap_or_default();
            assert!(told.contains(why), "{strange}: {told}");
        }
    }
}
