//! Several seals in one text: what is written so is one seal, and none of those is found by it.

use crate::normalise_plate;

/// Commas of the scripts in use, and semicolons: no seal holds one.
const COMMAS: [char; 5] = [',', ';', '\u{060C}', '\u{061B}', '\u{3001}'];
/// Further signs that stand between two seals, as blanks do. They group the digits of one, too.
const BETWEEN: [char; 6] = ['/', '\\', '|', '+', '&', '_'];
/// Words between two seals, in the normal form of seals.
const AND: [&str; 2] = ["AND", "و"];
/// Digits of a seal of digits alone, at least: groups within one number are shorter.
const DIGITS_MIN: usize = 5;

/// What is strange about the number of a seal that looks like more than one.
pub(super) fn seals_doubt(what: &str, text: &str) -> Option<String> {
    if what != "seal" {
        return None;
    }

    if text.contains(COMMAS) {
        let why = "holds a comma, and is taken for one seal: name each for itself";
        return Some(format!("{text:?} {why}"));
    }

    holds_several(text).then(|| {
        format!("{text:?} looks like several seals, and is taken for one: name each for itself")
    })
}

/// Whether each part of a text looks like a seal by itself: letters and digits in each, or digits
/// enough. The letters before a number, and groups of few digits, are parts of one.
fn holds_several(text: &str) -> bool {
    let parts = text.split(|c: char| c.is_whitespace() || BETWEEN.contains(&c));
    let parts: Vec<String> = parts
        .map(normalise_plate)
        .filter(|part| !part.is_empty() && !AND.contains(&part.as_str()))
        .collect();

    let is_digit = |c: char| c.is_ascii_digit();
    let is_mixed = |part: &String| part.contains(is_digit) && part.contains(char::is_alphabetic);
    let is_number = |part: &String| part.len() >= DIGITS_MIN && part.chars().all(is_digit);
    parts.len() > 1 && (parts.iter().all(is_mixed) || parts.iter().all(is_number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_seals_in_one_text_are_told_and_one_that_is_written_in_groups_is_not() {
        for several in [
            "S1 S2",
            "S1/S2",
            "S1 / S2",
            "s1+s2 & S3",
            "SL100 and SL101",
            "SL100 و SL101",
            "ختم١ ختم٢",
            "123456 123457",
            "S1\u{A0}S2",
            "S1, S2",
        ] {
            let told = seals_doubt("seal", several).unwrap_or_default();
            assert!(told.contains("name each for itself"), "{several}: {told}");
            assert_eq!(seals_doubt("plate", several), None);
        }

        for one in [
            "SL 12345",
            "SL-12345",
            "UL/123456/7",
            "123 456 789",
            "IQ 2026 00123",
            "A1 12345",
            "S1 /",
            "S1S2",
            "S1-S2",
            "SL100",
        ] {
            assert_eq!(seals_doubt("seal", one), None, "{one}");
        }
    }
}
