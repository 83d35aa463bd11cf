//! References: of declarants, transits, certificates, and names.

use super::letters::{BLANK, SIGN, folded};

/// A reference for comparing: capital letters and digits, and one hyphen where any sign parts two
/// digits. `103/2026` and `103-2026` are one; `1/03` and `10/3` are two. Blanks group, and say
/// nothing; a sign beside a letter does not either.
pub fn normalise_reference(raw: &str) -> String {
    let (mut out, mut parted) = (String::new(), false);

    for c in folded(raw).chars() {
        match c {
            BLANK => {}
            SIGN => parted = true,
            c => {
                let after_digit = out.ends_with(|last: char| last.is_ascii_digit());
                if parted && after_digit && c.is_ascii_digit() {
                    out.push(SIGN);
                }

                out.push(c);
                parted = false;
            }
        }
    }

    out
}

/// What is written where there is none, in the normal form of references.
const NOTHING: [&str; 10] = [
    "NONE",
    "NO",
    "NA",
    "NIL",
    "NULL",
    "UNKNOWN",
    "X",
    "XXX",
    "بدون",
    "لايوجد",
];

/// Whether a number or a reference says that there is none: no letter and no digit, zeros alone, or
/// a word for it, as `-`, `000`, `N/A` or `بدون`.
pub fn says_nothing(text: &str) -> bool {
    let form = normalise_reference(text);
    form.chars().all(|c| matches!(c, '0' | SIGN)) || NOTHING.contains(&form.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_written_where_there_is_none_says_nothing() {
        for text in ["-", "", "000", "n/a", "None", "بدون", "لا يوجد", "٠"] {
            assert!(says_nothing(text), "{text}");
        }
        for text in ["1", "C-100", "NONE-1", "A0"] {
            assert!(!says_nothing(text), "{text}");
        }
    }

    #[test]
    fn one_reference_is_one_however_it_is_written() {
        for (one, other) in [
            ("R-101", "R-101 "),
            ("R-102", "R-102\u{200F}"),
            ("T-102", "\u{200F}T-102"),
            ("103/2026", "١٠٣/٢٠٢٦"),
            ("أ-106", "ا\u{654}-106"),
            ("R-107", "r/107"),
            ("R-107", "R 107"),
            ("R-107", "R107"),
            ("XA.12345678", "xa 1234 5678"),
            ("24IQ1234567890ABC1", "24 IQ 1234567890 ABC 1"),
            ("2026/000123", "2026-000123"),
            ("2026/000123", "2026\u{2013}000123"),
            ("2026/000123", "۲۰۲۶ / ۰۰۰۱۲۳"),
            ("C-108", "С-108"),
            ("شركة الرافدين", "شرکه  الرافدین"),
        ] {
            assert_eq!(
                normalise_reference(one),
                normalise_reference(other),
                "{one} {other}"
            );
        }
    }

    #[test]
    fn another_reference_is_another() {
        for (one, other) in [
            ("1/03", "10/3"),
            ("103/2026", "1032026"),
            ("R-101", "R-0101"),
            ("R-101", "P-101"),
            ("101-A", "101-B"),
        ] {
            assert_ne!(
                normalise_reference(one),
                normalise_reference(other),
                "{one} {other}"
            );
        }
    }

    proptest! {
        #[test]
        fn a_normal_reference_stays_as_it_is(raw in any::<String>()) {
            let once = normalise_reference(&raw);
            prop_assert_eq!(normalise_reference(&once), once);
        }

        #[test]
        fn signs_at_its_ends_say_nothing(raw in "[A-Z0-9/-]{0,20}") {
            prop_assert_eq!(normalise_reference(&format!(" -{raw}. ")), normalise_reference(&raw));
        }
    }
}
