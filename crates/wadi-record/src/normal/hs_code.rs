//! Codes of the Harmonized System.

use super::letters::{UNREAD, folded};

/// The shortest and the longest code that goods can have: a heading, and the tariffs of the Gulf.
const DIGITS_MIN: usize = 4;
const DIGITS_MAX: usize = 12;
/// Digits that are the same in all countries.
const SUBHEADING_DIGITS: usize = 6;
/// The last chapter of the nomenclature; countries put what they like into 98 and 99.
const CHAPTER_MAX: u8 = 97;
/// The chapter that the nomenclature keeps for later.
const CHAPTER_RESERVED: u8 = 77;

/// A code for comparing: its digits. A spreadsheet takes `080390` for a number and gives `80390`
/// back, and `8703.20` becomes `8703.2`: as no code has an odd number of digits, the zero that was
/// lost is put back.
pub fn normalise_hs_code(raw: &str) -> String {
    let folded = folded(raw);
    let digits: String = folded.chars().filter(char::is_ascii_digit).collect();
    let is_odd = digits.len() % 2 == 1 && digits.len() < DIGITS_MAX;

    match lost_trailing_zero(folded.trim()) {
        Some(_) if is_odd => format!("{digits}0"),
        None if is_odd && !digits.starts_with('0') => format!("0{digits}"),
        _ => digits,
    }
}

/// The subheading that a code lies under: its first six digits, which all countries have in common.
/// What follows is each country's own, and may be left away.
pub fn hs_subheading(raw: &str) -> String {
    normalise_hs_code(raw)
        .chars()
        .take(SUBHEADING_DIGITS)
        .collect()
}

/// Whether a sign parts the groups of a code. A place that nobody read parts none.
fn parts_groups(c: char) -> bool {
    !c.is_alphanumeric() && c != UNREAD
}

/// The code that is meant where its last digit is missing: the groups before the last have pairs
/// of digits, so that no zero was lost in front.
fn lost_trailing_zero(text: &str) -> Option<String> {
    let groups: Vec<&str> = text.split(parts_groups).collect();
    let (last, before) = groups.split_last()?;
    let is_digits = |group: &str| group.bytes().all(|c| c.is_ascii_digit());
    let is_paired =
        |group: &&str| !group.is_empty() && group.len().is_multiple_of(2) && is_digits(group);

    let is_lost = !before.is_empty()
        && before.iter().all(is_paired)
        && is_digits(last)
        && last.len() % 2 == 1;
    is_lost.then(|| format!("{}0", groups.join(".")))
}

/// The code and all that it lies under, the chapter first.
pub(super) fn headings(code: &str) -> impl Iterator<Item = &str> {
    let whole = code.len();
    let above = (2..whole).step_by(2).take(DIGITS_MAX / 2);
    above.chain([whole]).filter_map(|n| code.get(..n))
}

/// Whether goods of a code lie under a chapter or a heading.
pub fn lies_under(code: &str, heading: &str) -> bool {
    let heading: String = folded(heading)
        .chars()
        .filter(char::is_ascii_digit)
        .collect();
    !heading.is_empty() && normalise_hs_code(code).starts_with(&heading)
}

/// Why this is no code of goods. A code of `digits_min` digits is long enough.
fn wrong(raw: &str, digits_min: usize) -> Option<String> {
    let folded = folded(raw);
    let text = folded.trim();
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let parts = || text.split(parts_groups);
    let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|c| c.is_ascii_digit());

    if !parts().all(is_digits) {
        return Some(format!(
            "{raw:?} is not an HS code: digits, and single dots or blanks between groups of them"
        ));
    }

    if digits.len() % 2 == 1 {
        let n = digits.len();
        let lost = if let Some(meant) = lost_trailing_zero(text) {
            format!("a zero at its end was lost ({meant}?), or one is missing or too many")
        } else if digits.starts_with('0') {
            "one is missing or too many".to_string()
        } else {
            format!("the leading zero was lost (0{digits}?), or one is missing or too many")
        };
        return Some(format!(
            "{raw:?} is not an HS code: {n} digits, an odd number; {lost}"
        ));
    }

    if let Some(n) = odd_first_group(text) {
        let lost = match digits.starts_with('0') {
            true => "a digit is missing or too many",
            false => "the leading zero was lost",
        };
        return Some(format!(
            "{raw:?} is not an HS code: {n} digits in its first group, an odd number; {lost}"
        ));
    }

    if !(digits_min..=DIGITS_MAX).contains(&digits.len()) {
        return Some(format!(
            "{raw:?} is not an HS code: {digits_min} to {DIGITS_MAX} digits, chapter 01 to 97"
        ));
    }

    let chapter = pair(&digits, 0).unwrap_or(0);
    (!(1..=CHAPTER_MAX).contains(&chapter)).then(|| {
        format!("{raw:?} is not an HS code: there is no chapter {chapter:02}, but 01 to 97")
    })
}

/// How many digits stand in the first group of a code, where that is an odd number. A spreadsheet
/// that takes `0803.90` for a number writes `803.9`, and one that takes `080390` for one may write
/// `80390.0`: both have an even number of digits again. Single digits all along are boxes of a
/// form, where there are more than the two of a number with a decimal point, as `8.0`.
fn odd_first_group(text: &str) -> Option<usize> {
    let groups: Vec<usize> = text
        .split(parts_groups)
        .map(|part| part.chars().count())
        .collect();
    let are_boxes = groups.len() > 2 && groups.iter().all(|n| *n == 1);

    groups
        .first()
        .copied()
        .filter(|first| groups.len() > 1 && !are_boxes && first % 2 == 1)
}

/// The number that a pair of digits of a code makes.
fn pair(digits: &str, from: usize) -> Option<u8> {
    digits.get(from..from + 2)?.parse().ok()
}

/// What is strange about a code that could be one, in a sentence.
pub(crate) fn hs_doubt(raw: &str) -> Option<String> {
    let digits = normalise_hs_code(raw);
    if pair(&digits, 0) == Some(CHAPTER_RESERVED) {
        return Some(format!("{raw}: chapter 77 of the HS is empty"));
    }

    (pair(&digits, 2) == Some(0)).then(|| format!("{raw}: no chapter of the HS has a heading 00"))
}

/// Why this is no code that goods can have.
pub(crate) fn wrong_hs_code(raw: &str) -> Option<String> {
    wrong(raw, DIGITS_MIN)
}

/// Why this is no code that a lookout can name: a chapter will do.
pub(crate) fn wrong_heading(raw: &str) -> Option<String> {
    wrong(raw, 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_pairs_of_digits_and_says_why_it_is_none() {
        for right in [
            "0803",
            "080390",
            "0803.90",
            "0803 90",
            "08.03.90",
            "0803.9010",
            "0803-90-10",
            "0803 90 100 0",
            "080390100000",
            " 0803.90\u{200F}",
            "0 8 0 3 9 0",
            "٠٨٠٣٩٠",
            "９７０１",
        ] {
            assert_eq!(wrong_hs_code(right), None, "{right}");
        }

        for (code, why) in [
            ("80390", "leading zero was lost (080390?)"),
            ("8039010", "leading zero was lost (08039010?)"),
            ("0803900", "one is missing or too many"),
            ("803", "leading zero"),
            ("80390.0", "leading zero was lost"),
            ("803.9", "leading zero was lost"),
            ("8703.2", "a zero at its end was lost (8703.20?)"),
            ("8415.1", "a zero at its end was lost (8415.10?)"),
            ("0803.9", "a zero at its end was lost (0803.90?)"),
            ("٨٧٠٣٫٢", "a zero at its end was lost (8703.20?)"),
            ("8703.23.1", "a zero at its end was lost (8703.23.10?)"),
            ("8 7 0 3 2", "leading zero was lost (087032?)"),
            ("870.32", "leading zero was lost (087032?)"),
            ("٨٠٣٫٩", "leading zero was lost"),
            ("803.90", "leading zero was lost (080390?)"),
            ("803 90 100 0", "leading zero was lost"),
            ("080.390", "missing or too many"),
            ("080..390", "single dots"),
            ("....0803", "single dots"),
            ("0803.", "single dots"),
            ("0803O0", "single dots"),
            ("0803?90", "single dots"),
            ("0803\u{FFFD}90", "single dots"),
            ("", "single dots"),
            ("08", "4 to 12 digits"),
            ("08039010000000", "4 to 12 digits"),
            ("9903.90", "no chapter 99"),
            ("0003.90", "no chapter 00"),
        ] {
            let told = wrong_hs_code(code).unwrap_or_default();
            assert!(told.contains(why), "{code}: {told}");
        }

        for heading in ["08", "0803", "0 8 0 3"] {
            assert_eq!(wrong_heading(heading), None, "a lookout may name {heading}");
        }
        for lost in ["8.0", "8,0", "8 0", "٨٫٠"] {
            let told = wrong_heading(lost).unwrap_or_default();
            assert!(told.contains("the leading zero was lost"), "{lost}: {told}");
        }
    }

    #[test]
    fn a_heading_that_nobody_has_is_strange() {
        assert_eq!(hs_doubt("0803.90"), None);
        assert!(hs_doubt("0800.90").is_some());
        assert!(hs_doubt("7701.10").is_some());
        assert_eq!(wrong_hs_code("7701.10"), None);
    }

    #[test]
    fn the_first_six_digits_are_every_countrys() {
        for code in ["7210.70", "72107000", "7210.70.00.10", "٧٢١٠٧٠"] {
            assert_eq!(hs_subheading(code), "721070", "{code}");
        }
        assert_eq!(
            hs_subheading("7210"),
            "7210",
            "a heading is none of its subheadings"
        );
    }

    #[test]
    fn a_lost_zero_is_put_back_and_signs_say_nothing() {
        assert_eq!(normalise_hs_code("80390"), "080390");
        assert_eq!(normalise_hs_code("8039010"), "08039010");
        assert_eq!(normalise_hs_code("0803.90"), "080390");
        assert_eq!(normalise_hs_code("8703.2"), "870320");
        assert_eq!(normalise_hs_code("0803.9"), "080390");
        assert_eq!(normalise_hs_code("٠٨٠٣ ٩٠"), "080390");
        assert_eq!(
            normalise_hs_code("0803900"),
            "0803900",
            "nobody knows which it was"
        );
        assert_eq!(normalise_hs_code(&normalise_hs_code("80390")), "080390");
    }

    #[test]
    fn a_code_lies_under_its_headings() {
        let under = |code| headings(code).collect::<Vec<_>>();
        assert_eq!(under("08039010"), ["08", "0803", "080390", "08039010"]);
        assert_eq!(under("0803900"), ["08", "0803", "080390", "0803900"]);
        assert_eq!(under("08"), ["08"]);

        assert!(lies_under("0803.90", "08") && lies_under("80390", "0803.9"));
        assert!(!lies_under("0803.90", "80") && !lies_under("0803.90", ""));
    }
}
