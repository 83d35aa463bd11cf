//! Several seals in one text: what is written so is one seal, and none of those is found by it.

use crate::normalise_plate;
use unicode_normalization::UnicodeNormalization;

/// Commas of the scripts in use, and semicolons: no seal holds one. Full-width and small ones are
/// made the plain ones before.
const COMMAS: [char; 5] = [',', ';', '\u{060C}', '\u{061B}', '\u{3001}'];
/// Further signs that stand between two seals, as blanks do. They group the digits of one, too.
const BETWEEN: [char; 23] = [
    '/', '\\', '|', '+', '&', '_', '.', ':', '=', '~', '(', ')', '[', ']', '·', '•', '–', '—', '→',
    '\u{2044}', '\u{2215}', '\u{2027}', '\u{22C5}',
];
/// Words between two seals, in the normal form of seals: of English, Arabic, Kurdish, Turkish,
/// French, German and Spanish.
const AND: [&str; 9] = ["AND", "و", "U", "VE", "ILE", "ET", "UND", "Y", "DAN"];
/// The Arabic one, which stands before the next word without a blank.
const WAW: char = 'و';
/// Digits of a seal of digits alone, at least: groups within one number are shorter.
const DIGITS_MIN: usize = 5;
/// The same of the numbers that a sign or a word parts.
const PARTED_DIGITS_MIN: usize = 3;
/// In how many of their last digits two seals of one roll differ at most.
const COUNTED_DIGITS: usize = 2;

/// What is strange about the number of a seal that looks like more than one.
pub(super) fn seals_doubt(what: &str, text: &str) -> Option<String> {
    if what != "seal" {
        return None;
    }

    let plain: String = text.nfkc().collect();
    if plain.contains(COMMAS) {
        let why = "holds a comma, and is taken for one seal: name each for itself";
        return Some(format!("{text:?} {why}"));
    }

    holds_several(&plain).then(|| {
        format!("{text:?} looks like several seals, and is taken for one: name each for itself")
    })
}

/// A part of a text, in the normal form of seals.
struct SealPart {
    text: String,
    /// Whether a sign or a word stands before it, and no blank alone.
    is_parted: bool,
}

impl SealPart {
    fn is_number(&self) -> bool {
        self.text.chars().all(|c| c.is_ascii_digit())
    }

    fn holds_digit(&self) -> bool {
        self.text.contains(|c: char| c.is_ascii_digit())
    }

    fn is_mixed(&self) -> bool {
        self.holds_digit() && self.text.contains(char::is_alphabetic)
    }

    /// What stands before the digits at its end, and those.
    fn halves(&self) -> (&str, &str) {
        let before = self.text.trim_end_matches(|c: char| c.is_ascii_digit());
        (before, self.text.strip_prefix(before).unwrap_or_default())
    }
}

/// Whether each part of a text looks like a seal by itself, as letters and digits in each, or
/// digits enough; or two of them are the seals of one row, as by the same letters before a number.
/// The letters before one number, and groups of few digits, are parts of one.
fn holds_several(text: &str) -> bool {
    let parts = parts_of(text);
    let is_long = |part: &SealPart| part.is_number() && part.text.len() >= DIGITS_MIN;
    if parts.len() > 1 && (parts.iter().all(SealPart::is_mixed) || parts.iter().all(is_long)) {
        return true;
    }

    joined(parts)
        .windows(2)
        .any(|two| matches!(two, [first, second] if are_of_one_row(first, second)))
}

/// The parts of a text, without words that only stand between them.
fn parts_of(text: &str) -> Vec<SealPart> {
    let mut parts = Vec::new();
    let mut is_parted = false;
    for block in text.split(BETWEEN) {
        for word in block.split_whitespace() {
            // Among Latin letters and digits it is no letter of a seal.
            let is_latin = word.contains(|c: char| c.is_ascii_alphabetic());
            for piece in word.split(|c: char| is_latin && c == WAW) {
                let text = normalise_plate(piece);
                if text.is_empty() || AND.contains(&text.as_str()) {
                    is_parted = true;
                    continue;
                }

                parts.push(SealPart { text, is_parted });
                is_parted = is_latin && word.contains(WAW);
            }
        }

        is_parted = true;
    }

    parts
}

/// The same, with letters put before the number that follows them.
fn joined(parts: Vec<SealPart>) -> Vec<SealPart> {
    let mut joined: Vec<SealPart> = Vec::new();
    for part in parts {
        match joined.last_mut() {
            Some(before) if !before.holds_digit() && part.is_number() => {
                before.text.push_str(&part.text);
            }
            _ => joined.push(part),
        }
    }

    joined
}

/// Whether two parts are two seals of one row: the same letters stand before their numbers, or both
/// numbers are long, or the second one counts on from the first.
fn are_of_one_row(first: &SealPart, second: &SealPart) -> bool {
    let (letters, number) = first.halves();
    let (other_letters, other) = second.halves();
    if number.is_empty() || other.is_empty() {
        return false;
    }

    if !letters.is_empty() && !other_letters.is_empty() {
        let is_same = letters.trim_start_matches(WAW) == other_letters.trim_start_matches(WAW);
        return is_same || number.len().min(other.len()) >= DIGITS_MIN;
    }

    let digits_min = match second.is_parted {
        true => PARTED_DIGITS_MIN,
        false => DIGITS_MIN,
    };
    let same = number
        .bytes()
        .zip(other.bytes())
        .take_while(|(a, b)| a == b)
        .count();
    other_letters.is_empty()
        && number.len() == other.len()
        && other.len() >= digits_min
        && (other.len().saturating_sub(COUNTED_DIGITS)..other.len()).contains(&same)
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
            "S1，S2",
            "S1﹔S2",
            "S1／S2",
            "S1:S2",
            "S1 (S2)",
            "SL100.SL101",
            "SL100–SL101",
            "SL100 ve SL101",
            "SL100 et SL101",
            "SL100 û SL101",
            "SL100وSL101",
            "SL100/101",
            "SL100 و 101",
            "1234/1235",
            "SL 12345 SL 12346",
            "SL 12345 / SL 12346",
            "SL 12345 SL12346",
            "SL 12345 CN 77001",
            "SL 12345 12346",
            "UL 1 UL 2",
            "ختم 12345 ختم 12346",
            "ختم 12345 وختم 12346",
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
            "IQ 123456 B",
            "UL 123 456",
            "H12 3456",
            "1234/2026",
            "SL 100.200",
            "12345678 CN",
            "12و34",
            "S1 /",
            "S1S2",
            "S1-S2",
            "SL100",
        ] {
            assert_eq!(seals_doubt("seal", one), None, "{one}");
        }
    }
}
