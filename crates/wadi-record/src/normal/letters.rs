//! Letters and digits: one for all the ways in which one of them can be written.

use super::lookalikes::latin_twin;
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// Stands for a blank of any width.
pub(super) const BLANK: char = ' ';
/// Stands for any visible sign that is neither a letter nor a digit.
pub(super) const SIGN: char = '-';
/// Stands for a place of which nobody knows the character: it was not read, or was lost on the way.
/// It parts nothing, and is no letter and no digit.
pub(super) const UNREAD: char = '?';
/// Stands before and after what is printed as a bar code (Code 39), and is no part of it.
const FRAME: char = '*';

/// The text in capital letters, Western digits, [`BLANK`]s, [`SIGN`]s and [`UNREAD`] places alone.
///
/// Compatibility forms are taken apart (NFKD): ligatures, presentation forms, full-width and raised
/// characters. Marks, tatweel and whatever nobody sees are left out. Letters that keyboards and
/// printed plates put for each other are made one.
pub(super) fn folded(raw: &str) -> String {
    let raw = without_frame(raw);

    // Most texts are, and every record has many.
    if raw.is_ascii() {
        return raw.chars().filter_map(folded_ascii).collect();
    }

    capitals(raw).chars().filter_map(folded_char).collect()
}

/// The letters of a text as capitals, each taken apart (NFKD).
pub(super) fn capitals(raw: &str) -> String {
    // The capital of ß is two letters, whichever of the two was written.
    let upper = |c: char| match c {
        'ẞ' => 'ß'.to_uppercase(),
        c => c.to_uppercase(),
    };

    // A capital letter may have to be taken apart again.
    let upper: String = raw.nfkd().flat_map(upper).collect();
    upper.nfkd().collect()
}

/// A text without the asterisks in which a reader of bar codes puts it.
fn without_frame(raw: &str) -> &str {
    let text = raw.trim();
    let inner = text
        .strip_prefix(FRAME)
        .and_then(|rest| rest.strip_suffix(FRAME));

    // Asterisks within are places that were not read, and the outer ones may be, too.
    inner
        .filter(|inner| !inner.contains(FRAME) && !inner.is_empty())
        .unwrap_or(raw)
}

/// The same as [`folded_char`] of the capital, without asking for scripts that ASCII has not.
fn folded_ascii(c: char) -> Option<char> {
    match c {
        c if c.is_ascii_alphanumeric() => Some(c.to_ascii_uppercase()),
        c if is_unread(c) => Some(UNREAD),
        c if c.is_whitespace() => Some(BLANK),
        c if c.is_control() => None,
        _ => Some(SIGN),
    }
}

fn folded_char(c: char) -> Option<char> {
    if c.is_whitespace() {
        return Some(BLANK);
    }

    if is_unread(c) {
        return Some(UNREAD);
    }

    if is_unseen(c) {
        return None;
    }

    if let Some(digit) = western_digit(c) {
        return Some(digit);
    }

    let letter = arabic_letter(c)
        .or_else(|| without_stroke(c))
        .or_else(|| latin_twin(c))
        .unwrap_or(c);
    Some(if letter.is_alphanumeric() {
        letter
    } else {
        SIGN
    })
}

/// Whether a character stands for one that nobody read, or that was lost: a question mark or an
/// asterisk of a camera, an empty box, what converters put for a byte that they cannot read, and
/// what no alphabet has, or ever will.
pub(super) fn is_unread(c: char) -> bool {
    matches!(c,
        // Question marks and asterisks, full-width ones being taken apart by then.
        '?' | '*' | '\u{61F}' | '\u{BF}' | '\u{2E2E}' | '\u{66D}' | '\u{204E}' | '\u{2217}'
        | '\u{2731}'
        // Boxes and the mark of type that is missing.
        | '\u{2370}' | '\u{25A0}'..='\u{25A2}' | '\u{25AE}' | '\u{25AF}'
        | '\u{25FB}'..='\u{25FE}' | '\u{2610}' | '\u{2B1A}'..='\u{2B1C}' | '\u{3013}'
        // Substitutes of converters, and bytes of code pages that were taken for controls.
        | '\u{1A}' | '\u{80}'..='\u{84}' | '\u{86}'..='\u{9F}' | '\u{241A}' | '\u{2425}'
        | '\u{2426}' | '\u{FFFC}' | '\u{FFFD}'
        // Private use.
        | '\u{E000}'..='\u{F8FF}' | '\u{F0000}'..='\u{10FFFF}')
        || is_noncharacter(c)
}

/// Whether a code point is no character, and never will be one: a byte order mark that was read the
/// wrong way, or a number that programs use for themselves.
pub fn is_noncharacter(c: char) -> bool {
    let code = u32::from(c);
    matches!(code, 0xFDD0..=0xFDEF) || code & 0xFFFE == 0xFFFE
}

/// A Latin letter without the stroke through it, which is a mark like others.
pub(super) fn without_stroke(c: char) -> Option<char> {
    Some(match c {
        'Ⱥ' => 'A',
        'Ƀ' => 'B',
        'Ȼ' => 'C',
        'Đ' | 'Ð' | 'Ɖ' => 'D',
        'Ɇ' => 'E',
        'Ǥ' | 'Ꞡ' => 'G',
        'Ħ' => 'H',
        'Ɨ' => 'I',
        'Ɉ' => 'J',
        'Ꝁ' | 'Ꞣ' => 'K',
        'Ł' | 'Ƚ' | 'Ⱡ' => 'L',
        'Ꞥ' => 'N',
        'Ø' | 'Ɵ' => 'O',
        'Ᵽ' => 'P',
        'Ɍ' | 'Ꞧ' => 'R',
        'Ꞩ' => 'S',
        'Ŧ' | 'Ⱦ' => 'T',
        'Ʉ' => 'U',
        'Ɏ' => 'Y',
        'Ƶ' => 'Z',
        _ => return None,
    })
}

/// Whether a character takes no room: joiners, direction marks, fillers, soft hyphens, byte order
/// marks, variation selectors and tags (Unicode's Default_Ignorable_Code_Point, and the anchors of
/// annotations).
pub fn takes_no_room(c: char) -> bool {
    matches!(c,
        '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}'
        | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}'
        | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}'
        | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFB}' | '\u{1BCA0}'..='\u{1BCA3}'
        | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}')
}

/// What changes nothing that is read: marks, tatweel and other letters that only carry or lengthen,
/// control and direction characters, and those that take no room.
pub(super) fn is_unseen(c: char) -> bool {
    // Tatweel, the high hamza, small waw and yeh, and the apostrophes of transcriptions.
    let carries = matches!(
        c,
        '\u{640}' | '\u{674}' | '\u{6E5}' | '\u{6E6}' | '\u{2B9}'..='\u{2FF}'
    );

    takes_no_room(c) || carries || c.is_control() || is_combining_mark(c)
}

/// Whether nobody sees anything of a text: it is empty, or blanks and characters that take no room
/// are all of it.
pub fn is_blank(text: &str) -> bool {
    text.chars().all(|c| c.is_whitespace() || is_unseen(c))
}

/// Arabic letters as Arabic, Persian, Kurdish and Urdu keyboards write them for each other. What a
/// hamza or a madda sits on has lost it already. Letters of their own, as پ, چ, ژ and گ, stay: a
/// plate of the police is none of a citizen.
fn arabic_letter(c: char) -> Option<char> {
    Some(match c {
        'ٱ' | 'ٲ' | 'ٳ' => 'ا',
        'ى' | 'ی' | 'ې' | 'ۍ' | 'ێ' | 'ے' | 'ۑ' | '\u{620}' => 'ي',
        'ک' | 'ڪ' | 'ګ' => 'ك',
        'ة' | 'ە' | 'ھ' | 'ہ' | 'ۃ' => 'ه',
        '\u{6C4}'..='\u{6CB}' | 'ۏ' => 'و',
        'ڕ' => 'ر',
        'ڵ' => 'ل',
        '\u{6BA}' => 'ن',
        _ => return None,
    })
}

/// Whether plates and references are written with that letter of the Arabic script, in Arabic,
/// Persian or Kurdish, or it is one that a keyboard puts for such a letter. All others look much
/// like one of these, without its dots or with more of them.
pub(super) fn is_usual_arabic(c: char) -> bool {
    const USUAL: &str = "ءابتثجحخدذرزسشصضطظعغفقكلمنهويپچژگڤ";
    USUAL.contains(arabic_letter(c).unwrap_or(c))
}

/// A text that somebody typed with every decimal digit as a Western one, full-width characters as
/// those that they are, and without characters that take no room. All else stays as it stands.
pub fn typed_plainly(text: &str) -> String {
    let plain = |c: char| match u32::from(c) {
        // Full-width characters lie in the order of ASCII's.
        code @ 0xFF01..=0xFF5E => char::from_u32(code - 0xFEE0).unwrap_or(c),
        // Five rows of digits in letters of formulas, and those of segments.
        code @ 0x1D7CE..=0x1D7FF => char::from_digit((code - 0x1D7CE) % 10, 10).unwrap_or(c),
        code @ 0x1FBF0..=0x1FBF9 => char::from_digit(code - 0x1FBF0, 10).unwrap_or(c),
        _ => western_digit(c).unwrap_or(c),
    };

    let seen = text.chars().filter(|c| !takes_no_room(*c));
    seen.map(plain).collect()
}

/// The zeros of Unicode's rows of decimal digits; the nine others follow each. Rows that NFKD takes
/// apart are not among them.
const ZEROS: [u32; 67] = [
    0x660, 0x6F0, 0x7C0, 0x966, 0x9E6, 0xA66, 0xAE6, 0xB66, 0xBE6, 0xC66, 0xCE6, 0xD66, 0xDE6,
    0xE50, 0xED0, 0xF20, 0x1040, 0x1090, 0x17E0, 0x1810, 0x1946, 0x19D0, 0x1A80, 0x1A90, 0x1B50,
    0x1BB0, 0x1C40, 0x1C50, 0xA620, 0xA8D0, 0xA900, 0xA9D0, 0xA9F0, 0xAA50, 0xABF0, 0x104A0,
    0x10D30, 0x10D40, 0x11066, 0x110F0, 0x11136, 0x111D0, 0x112F0, 0x11450, 0x114D0, 0x11650,
    0x116C0, 0x116D0, 0x116DA, 0x11730, 0x118E0, 0x11950, 0x11BF0, 0x11C50, 0x11D50, 0x11DA0,
    0x11F50, 0x16130, 0x16A60, 0x16AC0, 0x16B50, 0x16D70, 0x1E140, 0x1E2F0, 0x1E4F0, 0x1E5F1,
    0x1E950,
];

/// A decimal digit of any script as a Western one.
pub(super) fn western_digit(c: char) -> Option<char> {
    let code = u32::from(c);
    let before = ZEROS.partition_point(|zero| *zero <= code);
    let zero = ZEROS[before.checked_sub(1)?];

    char::from_digit(code - zero, 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_letters_come_to_the_same_by_the_short_way() {
        for c in '\0'..='\x7F' {
            assert_eq!(
                folded_ascii(c),
                folded_char(c.to_ascii_uppercase()),
                "{c:?}"
            );
        }
    }
    use proptest::prelude::*;

    #[test]
    fn digits_of_every_script_are_one() {
        assert!(ZEROS.is_sorted());
        for zero in ZEROS {
            let row: String = (zero..zero + 10).filter_map(char::from_u32).collect();
            assert!(row.chars().all(char::is_numeric), "{zero:x}");
            assert_eq!(folded(&row), "0123456789", "{zero:x}");
        }

        for row in ["０１２３４５６７８９", "⁰¹²³⁴⁵⁶⁷⁸⁹", "𝟎𝟏𝟐𝟑𝟒𝟓𝟔𝟕𝟖𝟗"]
        {
            assert_eq!(folded(row), "0123456789");
        }
    }

    #[test]
    fn what_keyboards_put_for_each_other_is_one_letter() {
        for (one, other) in [
            ("كرمانشاه", "کرمانشاه"),
            ("علي", "علی"),
            ("علي", "على"),
            ("أربيل", "اربيل"),
            ("إيران", "ایران"),
            ("آمد", "امد"),
            ("ٱلموصل", "الموصل"),
            ("البصرة", "البصره"),
            ("سلێمانی", "سليماني"),
            ("کوردستان", "كۆردستان"),
            ("ھەولێر", "هەولير"),
            ("دهۆک", "دهوك"),
            ("مسؤول", "مسوول"),
            ("ﻻ", "لا"),
            ("ﺏ", "ب"),
            ("بـــغداد", "بغداد"),
            ("بَغْدَاد", "بغداد"),
            ("23 ں", "23 ن"),
            ("23 ؠ", "23 ي"),
            ("ۅ ۉ ۊ", "و و و"),
        ] {
            assert_eq!(folded(one), folded(other), "{one} {other}");
        }

        for (one, other) in [
            ("ب", "ت"),
            ("ب", "پ"),
            ("ز", "ژ"),
            ("ك", "گ"),
            ("ج", "چ"),
            ("س", "ش"),
        ] {
            assert_ne!(folded(one), folded(other), "{one} {other}");
        }
    }

    #[test]
    fn a_stroke_is_a_mark_and_a_sharp_s_is_two_letters() {
        for (one, other) in [
            ("ØĐÐŁĦŦɃƵ", "ODDLHTBZ"),
            ("øđðłħŧƀƶ", "ODDLHTBZ"),
            ("12 ẞ", "12 ß"),
            ("12 ẞ", "12 ss"),
        ] {
            assert_eq!(folded(one), folded(other), "{one} {other}");
        }
    }

    #[test]
    fn a_place_that_nobody_read_stays_one() {
        for unread in [
            "?",
            "*",
            "؟",
            "？",
            "＊",
            "\u{FFFD}",
            "\u{FFFC}",
            "□",
            "\u{1A}",
            "\u{90}",
            "\u{E000}",
            "\u{10FFFD}",
            "\u{FFFE}",
            "\u{FDD0}",
            "\u{1FFFF}",
        ] {
            assert_eq!(folded(&format!("51{unread}7")), "51?7", "{unread:?}");
        }

        assert_eq!(folded("*CSQU3054383*"), "CSQU3054383", "a bar code's frame");
        assert_eq!(folded("*51*7*"), "?51?7?");
        assert_eq!(folded("51*"), "51?");
    }

    #[test]
    fn what_is_typed_keeps_its_signs_and_loses_what_nobody_sees() {
        for typed in [
            "\u{200F}31,240.5",
            "٣١,٢٤٠.٥",
            "３１，２４０．５",
            "३१,२४०.५\u{202C}",
        ] {
            assert_eq!(typed_plainly(typed), "31,240.5", "{typed:?}");
        }
        assert_eq!(typed_plainly("-٣ ½\n"), "-3 ½\n");
    }

    #[test]
    fn whatever_nobody_sees_is_left_out() {
        for unseen in [
            '\u{200F}', '\u{200E}', '\u{202B}', '\u{2067}', '\u{2069}', '\u{61C}', '\u{200B}',
            '\u{200C}', '\u{200D}', '\u{FEFF}', '\u{AD}', '\u{FE0F}', '\u{3164}', '\u{0}',
        ] {
            assert_eq!(folded(&format!("1{unseen}A")), "1A", "{unseen:?}");
        }

        assert_eq!(folded("1\u{A0}A\u{3000}2\u{2009}"), "1 A 2 ");
    }

    proptest! {
        #[test]
        fn what_is_folded_stays_as_it_is(raw in any::<String>()) {
            let once = folded(&raw);
            prop_assert_eq!(folded(&once), once);
        }

        #[test]
        fn every_character_is_folded_once_and_for_all(c in any::<char>()) {
            let once = folded(&c.to_string());
            prop_assert_eq!(folded(&once), once);
        }
    }
}
