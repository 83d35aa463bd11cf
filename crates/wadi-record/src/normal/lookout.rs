//! What a lookout seeks.

use super::{
    country::{is_country, is_nationality, normalise_country},
    digest::{is_digest, is_hash_of_nothing},
    hs_code::{hs_doubt, normalise_hs_code, wrong_heading},
    normalise_document,
    plate::normalise_plate,
    reference::says_nothing,
};

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

    if !is_digest(text) && normalise_plate(text).is_empty() {
        return Some(format!(
            "{text:?} holds neither a letter nor a digit: nothing matches it"
        ));
    }

    if is_hash_of_nothing(text) {
        return Some(format!("{text:?} is a hash of nothing: nothing matches it"));
    }

    seeks_nothing(text).then(|| format!("{text:?} says that there is none: nothing matches it"))
}

/// Why nothing is likely to be found by this, in a sentence: goods come from countries, and have
/// codes that the nomenclature has.
pub(crate) fn target_doubt(text: &str) -> Option<String> {
    let (code, origin) = goods(text)?;
    let origin = normalise_country(origin);
    if !is_country(&origin) {
        return Some(format!(
            "no goods come from {origin}: ISO 3166 has no country of that code, and nothing \
             matches this"
        ));
    }

    hs_doubt(code)
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
        ] {
            assert_eq!(target_doubt(usual), None, "{usual}");
        }

        for (strange, why) in [
            ("0803+XXX", "no goods come from XXX"),
            ("0803+XXB", "no goods come from XXB"),
            ("0803+UNO", "no goods come from UNO"),
            ("77+EC", "chapter 77"),
            ("0800+EC", "heading 00"),
        ] {
            assert_eq!(wrong_target(strange), None, "it is recorded: {strange}");
            let told = target_doubt(strange).unwrap_or_default();
            assert!(told.contains(why), "{strange}: {told}");
        }
    }
}
