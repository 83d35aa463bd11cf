//! Letters of other alphabets that look like Latin ones.

use super::letters::{capitals, is_unseen, is_usual_arabic, western_digit, without_stroke};

/// Letters of alphabets in which no plate, container or reference is written, and the Latin letter
/// or the digit that each looks like, by code points: Unicode's confusables (UTS 39,
/// `confusables.txt`), the small capitals of phoneticians by their names, Latin letters with hooks,
/// and the Coptic letters that are Greek ones.
const TWINS: [(u32, char); 251] = [
    (0x0181, 'B'),
    (0x0184, 'B'),
    (0x0187, 'C'),
    (0x018A, 'D'),
    (0x018D, 'G'),
    (0x0190, 'E'),
    (0x0191, 'F'),
    (0x0193, 'G'),
    (0x0196, 'I'),
    (0x0198, 'K'),
    (0x019D, 'N'),
    (0x01A4, 'P'),
    (0x01A6, 'R'),
    (0x01A7, '2'),
    (0x01AC, 'T'),
    (0x01B2, 'V'),
    (0x01B3, 'Y'),
    (0x01B7, '3'),
    (0x01BC, '5'),
    (0x01C0, 'I'),
    (0x021C, '3'),
    (0x0222, '8'),
    (0x0224, 'Z'),
    (0x0262, 'G'),
    (0x0274, 'N'),
    (0x028F, 'Y'),
    (0x0299, 'B'),
    (0x029C, 'H'),
    (0x029F, 'L'),
    (0x03E8, '2'),
    (0x054D, 'U'),
    (0x054F, 'S'),
    (0x0555, 'O'),
    (0x13A0, 'D'),
    (0x13A1, 'R'),
    (0x13A2, 'T'),
    (0x13A5, 'I'),
    (0x13A9, 'Y'),
    (0x13AA, 'A'),
    (0x13AB, 'J'),
    (0x13AC, 'E'),
    (0x13B3, 'W'),
    (0x13B7, 'M'),
    (0x13BB, 'H'),
    (0x13BD, 'Y'),
    (0x13C0, 'G'),
    (0x13C2, 'H'),
    (0x13C3, 'Z'),
    (0x13CE, '4'),
    (0x13CF, 'B'),
    (0x13D2, 'R'),
    (0x13D4, 'W'),
    (0x13D5, 'S'),
    (0x13D9, 'V'),
    (0x13DA, 'S'),
    (0x13DE, 'L'),
    (0x13DF, 'C'),
    (0x13E2, 'P'),
    (0x13E6, 'K'),
    (0x13E7, 'D'),
    (0x13EE, '6'),
    (0x13F3, 'G'),
    (0x13F4, 'B'),
    (0x142F, 'V'),
    (0x144C, 'U'),
    (0x146D, 'P'),
    (0x146F, 'D'),
    (0x1472, 'B'),
    (0x148D, 'J'),
    (0x14AA, 'L'),
    (0x14BF, '2'),
    (0x1541, 'X'),
    (0x157C, 'H'),
    (0x157D, 'X'),
    (0x1587, 'R'),
    (0x15AF, 'B'),
    (0x15B4, 'F'),
    (0x15C5, 'A'),
    (0x15DE, 'D'),
    (0x15EA, 'D'),
    (0x15F0, 'M'),
    (0x15F7, 'B'),
    (0x16B7, 'X'),
    (0x16C1, 'I'),
    (0x16D5, 'K'),
    (0x16D6, 'M'),
    (0x1D00, 'A'),
    (0x1D04, 'C'),
    (0x1D05, 'D'),
    (0x1D07, 'E'),
    (0x1D0A, 'J'),
    (0x1D0B, 'K'),
    (0x1D0D, 'M'),
    (0x1D0F, 'O'),
    (0x1D11, 'O'),
    (0x1D18, 'P'),
    (0x1D1B, 'T'),
    (0x1D1C, 'U'),
    (0x1D20, 'V'),
    (0x1D21, 'W'),
    (0x1D22, 'Z'),
    (0x1D83, 'G'),
    (0x1D8C, 'Y'),
    (0x1E9D, 'F'),
    (0x2C6D, 'A'),
    (0x2C80, 'A'),
    (0x2C82, 'B'),
    (0x2C88, 'E'),
    (0x2C8C, 'Z'),
    (0x2C8E, 'H'),
    (0x2C92, 'I'),
    (0x2C94, 'K'),
    (0x2C98, 'M'),
    (0x2C9A, 'N'),
    (0x2C9E, 'O'),
    (0x2CA2, 'P'),
    (0x2CA4, 'C'),
    (0x2CA6, 'T'),
    (0x2CA8, 'Y'),
    (0x2CAC, 'X'),
    (0x2CCA, '9'),
    (0x2CCC, '3'),
    (0x2CD0, 'L'),
    (0x2CD2, '6'),
    (0x2D38, 'V'),
    (0x2D39, 'E'),
    (0x2D4F, 'I'),
    (0x2D54, 'O'),
    (0x2D55, 'Q'),
    (0x2D5D, 'X'),
    (0xA4D0, 'B'),
    (0xA4D1, 'P'),
    (0xA4D2, 'D'),
    (0xA4D3, 'D'),
    (0xA4D4, 'T'),
    (0xA4D6, 'G'),
    (0xA4D7, 'K'),
    (0xA4D9, 'J'),
    (0xA4DA, 'C'),
    (0xA4DC, 'Z'),
    (0xA4DD, 'F'),
    (0xA4DF, 'M'),
    (0xA4E0, 'N'),
    (0xA4E1, 'L'),
    (0xA4E2, 'S'),
    (0xA4E3, 'R'),
    (0xA4E6, 'V'),
    (0xA4E7, 'H'),
    (0xA4EA, 'W'),
    (0xA4EB, 'X'),
    (0xA4EC, 'Y'),
    (0xA4EE, 'A'),
    (0xA4F0, 'E'),
    (0xA4F2, 'I'),
    (0xA4F3, 'O'),
    (0xA4F4, 'U'),
    (0xA6DF, 'V'),
    (0xA6EF, '2'),
    (0xA730, 'F'),
    (0xA731, 'S'),
    (0xA75A, '2'),
    (0xA76A, '3'),
    (0xA76E, '9'),
    (0xA798, 'F'),
    (0xA7AB, '3'),
    (0xA7AC, 'G'),
    (0xA7AE, 'I'),
    (0xA7AF, 'Q'),
    (0xA7B2, 'J'),
    (0xA7B3, 'X'),
    (0xA7B4, 'B'),
    (0xAB32, 'E'),
    (0xAB35, 'F'),
    (0xAB3D, 'O'),
    (0xAB47, 'R'),
    (0xAB48, 'R'),
    (0xAB4E, 'U'),
    (0xAB52, 'U'),
    (0xAB5A, 'Y'),
    (0x10282, 'B'),
    (0x10286, 'E'),
    (0x10287, 'F'),
    (0x1028A, 'I'),
    (0x10290, 'X'),
    (0x10292, 'O'),
    (0x10295, 'P'),
    (0x10296, 'S'),
    (0x10297, 'T'),
    (0x102A0, 'A'),
    (0x102A1, 'B'),
    (0x102A2, 'C'),
    (0x102A5, 'F'),
    (0x102AB, 'O'),
    (0x102B0, 'M'),
    (0x102B1, 'T'),
    (0x102B2, 'Y'),
    (0x102B4, 'X'),
    (0x102CF, 'H'),
    (0x102F5, 'Z'),
    (0x10301, 'B'),
    (0x10302, 'C'),
    (0x10309, 'I'),
    (0x10311, 'M'),
    (0x10315, 'T'),
    (0x10317, 'X'),
    (0x1031A, '8'),
    (0x10320, 'I'),
    (0x10322, 'X'),
    (0x10404, 'O'),
    (0x10415, 'C'),
    (0x1041B, 'L'),
    (0x10420, 'S'),
    (0x104B4, 'R'),
    (0x104C2, 'O'),
    (0x104CE, 'U'),
    (0x104D2, '7'),
    (0x10513, 'N'),
    (0x10516, 'O'),
    (0x10518, 'K'),
    (0x1051C, 'C'),
    (0x1051D, 'V'),
    (0x10525, 'F'),
    (0x10526, 'L'),
    (0x10527, 'X'),
    (0x118A0, 'V'),
    (0x118A2, 'F'),
    (0x118A3, 'L'),
    (0x118A4, 'Y'),
    (0x118A6, 'E'),
    (0x118A9, 'Z'),
    (0x118AC, '9'),
    (0x118AE, 'E'),
    (0x118AF, '4'),
    (0x118B2, 'L'),
    (0x118B5, 'O'),
    (0x118B8, 'U'),
    (0x118BB, '5'),
    (0x118BC, 'T'),
    (0x118EC, 'X'),
    (0x118EF, 'W'),
    (0x118F2, 'C'),
    (0x16F08, 'V'),
    (0x16F0A, 'T'),
    (0x16F16, 'L'),
    (0x16F28, 'I'),
    (0x16F35, 'R'),
    (0x16F3A, 'S'),
    (0x16F3B, '3'),
    (0x16F40, 'A'),
    (0x16F42, 'U'),
    (0x16F43, 'Y'),
];

/// The letters A of Unicode's rows of letters in signs, which NFKD does not take apart: white
/// letters in black circles and squares, and those that flags are made of. The 25 others follow
/// each.
const SIGNED: [u32; 3] = [0x1F150, 0x1F170, 0x1F1E6];

/// A letter of a number or a reference that is not what whoever reads it takes it for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum StrangeLetter {
    /// It is compared as the letter or the digit that it looks like.
    Lookalike(char),
    /// It is compared as itself.
    Foreign(char),
}

/// The Latin capital, or the digit, that a capital of another alphabet looks like.
pub(super) fn latin_twin(c: char) -> Option<char> {
    road_twin(c).or_else(|| other_twin(c))
}

/// The Latin capital that a Greek or Cyrillic one looks like. Greek and Russian plates have these
/// letters alone, so that they can be read everywhere (Vienna Convention on Road Traffic, annex 2).
fn road_twin(c: char) -> Option<char> {
    Some(match c {
        'А' | 'Α' => 'A',
        'В' | 'Β' => 'B',
        'С' => 'C',
        'Е' | 'Ε' => 'E',
        'Н' | 'Η' => 'H',
        'І' | 'Ι' | 'Ӏ' => 'I',
        'Ј' | 'Ϳ' => 'J',
        'К' | 'Κ' => 'K',
        'М' | 'Μ' => 'M',
        'Ν' => 'N',
        'О' | 'Ο' => 'O',
        'Р' | 'Ρ' => 'P',
        'Ԛ' => 'Q',
        'Ѕ' => 'S',
        'Т' | 'Τ' => 'T',
        'Ѵ' => 'V',
        'Ԝ' => 'W',
        'Х' | 'Χ' => 'X',
        'У' | 'Υ' => 'Y',
        'Ζ' => 'Z',
        _ => return None,
    })
}

/// The Latin capital, or the digit, that a letter of any further alphabet looks like.
fn other_twin(c: char) -> Option<char> {
    let code = u32::from(c);
    if let Ok(found) = TWINS.binary_search_by_key(&code, |(code, _)| *code) {
        return Some(TWINS[found].1);
    }

    let a = SIGNED.iter().find(|a| (**a..**a + 26).contains(&code))?;
    char::from_u32(u32::from('A') + code - a)
}

/// An alphabet, as far as it matters which one a letter is of.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Alphabet {
    /// Of plates and references here: A to Z, with whatever marks.
    Latin,
    /// Of plates and references here: those of Arabic, Persian and Kurdish.
    Arabic,
    /// Of plates abroad, alone or beside Latin letters: Han, kana and Hangul. Nobody takes them
    /// for Latin ones.
    Ideographs,
    Greek,
    Cyrillic,
    Other,
}

fn alphabet(c: char) -> Alphabet {
    match u32::from(c) {
        _ if other_twin(c).is_some() => Alphabet::Other,
        _ if c.is_ascii_alphabetic() || without_stroke(c).is_some() => Alphabet::Latin,
        _ if is_usual_arabic(c) => Alphabet::Arabic,
        0x370..=0x3E1 | 0x3F0..=0x3FF | 0x1F00..=0x1FFF => Alphabet::Greek,
        0x400..=0x52F | 0x1C80..=0x1C8F | 0xA640..=0xA69F => Alphabet::Cyrillic,
        0x1100..=0x11FF | 0x2E80..=0x312F | 0x3130..=0x9FFF => Alphabet::Ideographs,
        0xA960..=0xA97F | 0xAC00..=0xD7FF | 0x20000..=0x3FFFF => Alphabet::Ideographs,
        _ => Alphabet::Other,
    }
}

/// The first letter of a number or a reference that no office writes there: one that only looks
/// Latin, a Greek or Cyrillic one among letters of another alphabet, or one that no plate is
/// written with, be it of the Arabic or the Latin script. Somebody hides a plate, or a keyboard was
/// switched in between. Russian and Greek plates, and Latin beside Arabic letters, are nothing
/// strange.
pub(crate) fn strange_letter(raw: &str) -> Option<StrangeLetter> {
    if raw.is_ascii() {
        return None;
    }

    let is_letter = |c: &char| {
        let says = c.is_alphanumeric() || latin_twin(*c).is_some();
        says && !c.is_ascii_digit() && western_digit(*c).is_none() && !is_unseen(*c)
    };
    let letters: Vec<(char, Alphabet)> = capitals(raw)
        .chars()
        .filter(is_letter)
        .map(|c| (c, alphabet(c)))
        .collect();

    let is_mixed = letters.iter().any(|(_, of)| *of != letters[0].1);
    let strange = || {
        let is_strange = |of: Alphabet| match of {
            Alphabet::Latin | Alphabet::Arabic | Alphabet::Ideographs => false,
            Alphabet::Greek | Alphabet::Cyrillic => is_mixed,
            Alphabet::Other => true,
        };
        let all = letters.iter().filter(move |(_, of)| is_strange(*of));
        all.map(|(c, _)| *c)
    };

    let twin = strange().find(|c| latin_twin(*c).is_some());
    twin.map(StrangeLetter::Lookalike)
        .or_else(|| strange().next().map(StrangeLetter::Foreign))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::normal::normalise_plate;
    use StrangeLetter::{Foreign, Lookalike};

    #[test]
    fn every_twin_is_a_capital_that_looks_like_one_letter() {
        assert!(TWINS.is_sorted_by(|a, b| a.0 < b.0));
        for (code, latin) in TWINS {
            let letter = char::from_u32(code).unwrap();
            assert!(latin.is_ascii_uppercase() || latin.is_ascii_digit());
            let text = letter.to_string();
            assert_eq!(normalise_plate(&text), latin.to_string(), "U+{code:04X}");
            assert_eq!(strange_letter(&text), Some(Lookalike(letter)));
        }
    }

    #[test]
    fn a_plate_is_what_it_looks_like_in_whatever_letters_it_hides() {
        for (written, plate, letter) in [
            ("2Ꭺ B 12", "2AB12", 'Ꭺ'),
            ("AᏴ1234", "AB1234", 'Ᏼ'),
            ("22ᴀB12", "22AB12", 'ᴀ'),
            ("ꓮB123", "AB123", 'ꓮ'),
            ("ⲀB12", "AB12", 'Ⲁ'),
            ("🅰B12", "AB12", '🅰'),
            ("🇦B12", "AB12", '🇦'),
            ("🅐B12", "AB12", '🅐'),
            ("ՍB12", "UB12", 'Ս'),
            ("ꭺᏼ 12", "AB12", 'Ꭺ'),
            ("А123BC77", "A123BC77", 'А'),
            ("ΑВ12", "AB12", 'Α'),
            ("أ А 12", "اA12", 'А'),
            ("ƘB12", "KB12", 'Ƙ'),
            ("ɛB12", "EB12", 'Ɛ'),
        ] {
            assert_eq!(normalise_plate(written), plate, "{written}");
            assert_eq!(
                strange_letter(written),
                Some(Lookalike(letter)),
                "{written}"
            );
        }
    }

    #[test]
    fn a_letter_that_looks_like_none_is_told_where_no_plate_has_it() {
        for (written, letter) in [
            ("ԱB12", 'Ա'),
            ("12Ꭶ34", 'Ꭶ'),
            ("AБ123", 'Б'),
            ("AΩ123", 'Ω'),
            ("אב123", 'א'),
            ("51 ٮ 7", 'ٮ'),
            ("51 ڡ 7", 'ڡ'),
            ("51 ٯ 7", 'ٯ'),
            ("51 ڭ 7", 'ڭ'),
            ("51 ݐ 7", 'ݐ'),
            ("51 ۿ 7", 'ۿ'),
            ("ÆB12", 'Æ'),
            ("Œ 12", 'Œ'),
            ("Þ 12", 'Þ'),
            ("Ŋ 12", 'Ŋ'),
        ] {
            assert_eq!(strange_letter(written), Some(Foreign(letter)), "{written}");
        }
    }

    #[test]
    fn what_offices_write_is_nothing_strange() {
        for usual in [
            "22 A 12345",
            "٢٢ أ ١٢٣٤٥",
            "22 أ A 12345",
            "ایران ۱۱ ۷۸۸۰۵",
            "А123ВС77",
            "БЖ 1234",
            "ΙΚΖ-1234",
            "MÜ-A 1",
            "ŁÓ 12ß",
            "ØĐ 12ẞ",
            "پ چ ژ گ ڤ 12",
            "سلێمانی ۆ ڕ ڵ ە ھ 12",
            "23 ں ؠ ۅ",
            "京A12345",
            "서울 12가 3456",
            "２３Ａ\u{200F}",
            "Ⓐ1",
            "№ 12",
            "२३A78811",
            "",
        ] {
            assert_eq!(strange_letter(usual), None, "{usual}");
        }
    }
}
