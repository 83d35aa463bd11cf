//! Which code was meant by one that was written otherwise.

use super::{country::is_country, currency::currency_doubt, normalise_country};

/// Whether a text has the form of a code: so many capital letters.
pub(crate) fn is_capital_code(text: &str, letters: usize) -> bool {
    text.len() == letters && text.bytes().all(|c| c.is_ascii_uppercase())
}

/// The code of two letters of a country that was written in small letters, or by three.
pub(crate) fn country_meant(text: &str) -> Option<String> {
    let code = normalise_country(text);
    (code != text && is_country(&code)).then_some(code)
}

/// The code of a currency that was written in small letters.
pub(crate) fn currency_meant(text: &str) -> Option<String> {
    let code = text.trim().to_ascii_uppercase();
    (code != text && currency_doubt(&code).is_none()).then_some(code)
}

/// The code of a crossing that was written in small letters.
pub(crate) fn crossing_meant(text: &str) -> Option<String> {
    let code = text.trim().to_ascii_uppercase();
    let is_code = code.parse::<wadi_log::Crossing>().is_ok();
    (code != text && is_code).then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_in_small_letters_is_known_and_no_other_is_guessed() {
        let meant = |of: fn(&str) -> Option<String>, text| of(text).unwrap_or_default();
        assert_eq!(meant(country_meant, "iq"), "IQ");
        assert_eq!(meant(country_meant, "IRQ"), "IQ");
        assert_eq!(meant(currency_meant, " iqd"), "IQD");
        assert_eq!(meant(crossing_meant, "trb"), "TRB");

        for (of, text) in [
            (country_meant as fn(&str) -> Option<String>, "zq"),
            (country_meant, "IQ"),
            (currency_meant, "iqdx"),
            (crossing_meant, "Traibeel"),
        ] {
            assert_eq!(of(text), None, "{text}");
        }
    }
}
