//! Texts that may be UTF-8 read in the wrong code page, of which nobody can be sure.

use crate::normal::{maybe_meant_in_utf8, name_meant_in_utf8};

/// Fields, and members of events, with names and with references that somebody chose.
const CHOSEN: [&str; 6] = [
    "declarant",
    "declarant_ref",
    "consignee",
    "exporter",
    "sample",
    "slot",
];

/// What a name, a reference or a number may say that looks as if it was read in the wrong alphabet.
/// A number that surely was is refused before.
pub(super) fn alphabet_doubt(name: &str, is_number: bool, text: &str) -> Option<String> {
    let meant = match (CHOSEN.contains(&name), is_number) {
        (true, _) => name_meant_in_utf8(text)?,
        (false, true) => maybe_meant_in_utf8(text)?,
        (false, false) => return None,
    };

    Some(format!(
        "{text:?} may be {meant:?}, read in the wrong alphabet: send UTF-8"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_looks_misread_is_told_and_one_with_a_mark_of_a_trade_is_not() {
        let told = |name: &str, text: &str| alphabet_doubt(name, name == "plate", text);
        for (name, text, meant) in [
            ("declarant", "Ø´Ø±ÙƒØ©", "شركة"),
            ("consignee", "ط´ط±ظƒط©", "شركة"),
            ("declarant_ref", "Ø±-101", "ر-101"),
            ("plate", "22 طھ 55555", "22 ت 55555"),
        ] {
            let why = told(name, text).unwrap_or_default();
            assert!(why.contains(&format!("may be {meant:?}")), "{text}: {why}");
        }

        for (name, text) in [
            ("declarant", "SØ® A/S"),
            ("declarant", "NÛ’MAN NAKLİYAT"),
            ("declarant", "شركة مصنع® للتجارة"),
            ("exporter", "الشروق (فرع¹)"),
            ("plate", "22 طه 55555"),
            ("note", "Ø´Ø±ÙƒØ©"),
        ] {
            assert_eq!(told(name, text), None, "{text}");
        }
    }
}
