//! Numbers that stand on things: of plates, containers, vehicles and seals.

use super::letters::{UNREAD, folded};

/// A plate, or the number of a container, a vehicle or a seal, for comparing: capital letters and
/// digits, and a question mark for each place that nobody read, so that it is no other plate.
/// Blanks, hyphens, slashes and dots only group them.
pub fn normalise_plate(raw: &str) -> String {
    folded(raw)
        .chars()
        .filter(|c| c.is_alphanumeric() || *c == UNREAD)
        .collect()
}

/// Whether a text holds a letter or a digit that somebody read.
pub fn holds_a_character(raw: &str) -> bool {
    folded(raw).chars().any(char::is_alphanumeric)
}

/// Whether a place of a text was not read, or lost on its way, as where a question mark stands.
pub(super) fn has_unread_place(raw: &str) -> bool {
    folded(raw).contains(UNREAD)
}

/// A plate with the letters and digits that cameras and clerks take for each other made one: two
/// plates of one shape may be one plate misread.
pub fn plate_shape(plate: &str) -> String {
    let same = |c| match c {
        'O' | 'D' | 'Q' => '0',
        'I' | 'L' => '1',
        'Z' => '2',
        'S' => '5',
        'G' => '6',
        'B' => '8',
        c => c,
    };

    plate.chars().map(same).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_plate_is_one_however_it_is_written() {
        for (one, other) in [
            ("٢٢ أ ١٢٣٤٥", "22-أ-12345"),
            ("23 ه 78804", "23 هـ 78804"),
            ("23 ب 78803", "23 ﺏ 78803"),
            ("23 لا 78809", "23 ﻻ 78809"),
            ("ايران 11 78805", "ایران ۱۱ ۷۸۸۰۵"),
            ("23 ك 78806", "23 ک 78806"),
            ("23A78807", "２３Ａ７８８０７"),
            ("23 ب 78810", "23 بَ 78810"),
            ("23A78811", "२३A78811"),
            ("23a/788.12", "23-A-78812"),
            ("23A78813", "\u{2067}23\u{200F}A78813\u{2069}"),
            ("A123BC77", "А123ВС77"),
            ("MÜ-A 1", "MU A1"),
        ] {
            assert_eq!(
                normalise_plate(one),
                normalise_plate(other),
                "{one} {other}"
            );
        }

        assert_eq!(normalise_plate("CSQU 305438-3"), "CSQU3054383");
        assert_eq!(normalise_plate("csqu305438/3"), "CSQU3054383");
    }

    #[test]
    fn another_plate_is_another() {
        for (one, other) in [
            ("23 ب 78820", "23 ت 78820"),
            ("23A78820", "23A78821"),
            ("11 پ 1", "11 ب 1"),
            ("11O123", "110123"),
            ("51 ? 75667", "5175667"),
            ("51 \u{FFFD} 75667", "5175667"),
            ("51 □ 75667", "51 ب 75667"),
        ] {
            assert_ne!(
                normalise_plate(one),
                normalise_plate(other),
                "{one} {other}"
            );
        }
    }

    /// Ways of writing one character of a plate.
    fn otherwise(c: char, how: u8) -> String {
        match (c, how % 8) {
            ('0'..='9', 0) => char::from_u32(0x660 + c as u32 - '0' as u32)
                .into_iter()
                .collect(),
            ('0'..='9', 1) => char::from_u32(0x6F0 + c as u32 - '0' as u32)
                .into_iter()
                .collect(),
            ('0'..='9' | 'A'..='Z', 2) => char::from_u32(c as u32 + 0xFEE0).into_iter().collect(),
            (c, 3) => c.to_lowercase().collect(),
            (c, 4) => format!("{c}\u{200F}"),
            (c, 5) => format!(" {c}"),
            (c, 6) => format!("{c}-"),
            (c, _) => c.to_string(),
        }
    }

    proptest! {
        #[test]
        fn writing_a_plate_otherwise_never_changes_it(
            written in proptest::collection::vec(("[A-Z0-9ابتسهوى]", any::<u8>()), 1..12)
        ) {
            let plain: String = written.iter().map(|(c, _)| c.as_str()).collect();
            let other: String = written
                .iter()
                .flat_map(|(c, how)| c.chars().map(|c| otherwise(c, *how)))
                .collect();

            prop_assert_eq!(normalise_plate(&plain), normalise_plate(&other));
        }

        #[test]
        fn a_normal_plate_stays_as_it_is(raw in any::<String>()) {
            let once = normalise_plate(&raw);
            prop_assert_eq!(normalise_plate(&once), once);
        }
    }
}
