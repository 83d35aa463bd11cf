//! Arabic that was sent in UTF-8 and read in another code page: `ب` comes as `Ø¨`. Its letters
//! would be folded to others, and two things come to one.

use super::letters::is_noncharacter;
use std::collections::BTreeSet;
use unicode_normalization::UnicodeNormalization;

/// How often a text is read in the wrong code page at most: each program on its way may do so.
const READ_WRONGLY_MAX: usize = 3;
/// Bytes of one character in UTF-8 beside the first letter's own.
const LENGTHS: [usize; 2] = [2, 3];

/// What Windows-1252 has for the bytes 80 to 9F; what it has nothing for is left as a control.
const WESTERN: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8D}', 'Ž', '\u{8F}',
    '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9D}', 'ž', 'Ÿ',
];
/// What Windows-1256 has for the bytes 80 to FF.
const ARABIC: [char; 128] = [
    '€', 'پ', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'ٹ', '‹', 'Œ', 'چ', 'ژ', 'ڈ', 'گ', '‘', '’',
    '“', '”', '•', '–', '—', 'ک', '™', 'ڑ', '›', 'œ', '\u{200C}', '\u{200D}', 'ں', '\u{A0}', '،',
    '¢', '£', '¤', '¥', '¦', '§', '¨', '©', 'ھ', '«', '¬', '\u{AD}', '®', '¯', '°', '±', '²', '³',
    '´', 'µ', '¶', '·', '¸', '¹', '؛', '»', '¼', '½', '¾', '؟', 'ہ', 'ء', 'آ', 'أ', 'ؤ', 'إ', 'ئ',
    'ا', 'ب', 'ة', 'ت', 'ث', 'ج', 'ح', 'خ', 'د', 'ذ', 'ر', 'ز', 'س', 'ش', 'ص', 'ض', '×', 'ط', 'ظ',
    'ع', 'غ', 'ـ', 'ف', 'ق', 'ك', 'à', 'ل', 'â', 'م', 'ن', 'ه', 'و', 'ç', 'è', 'é', 'ê', 'ë', 'ى',
    'ي', 'î', 'ï', '\u{64B}', '\u{64C}', '\u{64D}', '\u{64E}', 'ô', '\u{64F}', '\u{650}', '÷',
    '\u{651}', 'ù', '\u{652}', 'û', 'ü', '\u{200E}', '\u{200F}', 'ے',
];
/// What it has for the second bytes of Arabic letters and stands behind a letter in no number that
/// was meant so. What it has for others may: a comma, a bullet, `ھ` and `ک`.
const STRAY: &str = "€‚ƒ„…†‡ˆ‰ٹپ‹Œ™›œ¢£¤¥¦§¨©«¬\u{AD}®¯°±²³´µ¶·¸¹؛»¼½¾";
/// The letters of Arabic, Persian and Kurdish.
const LETTERS: &str = "ءآأؤإئابةتثجحخدذرزسشصضطظعغفقكلمنهوىيپچژگڤکیۆێەھڕڵ";
/// A blank, which may stand behind any letter.
const HARD_BLANK: char = '\u{A0}';

/// The code pages for which UTF-8 is taken here.
#[derive(Clone, Copy, PartialEq)]
enum CodePage {
    /// Latin-1, and Windows-1252.
    Western,
    /// Windows-1256.
    Arabic,
}

/// Each of them, in the order in which a text is held against them.
const PAGES: [CodePage; 2] = [CodePage::Western, CodePage::Arabic];

/// What a text says of which all letters beyond ASCII may be UTF-8, read in a wrong code page.
struct ReadWrongly {
    meant: String,
    /// Its Arabic letters and digits.
    letters: usize,
    /// Whether no number is written so. Two letters of the script may stand beside each other.
    is_sure: bool,
}

/// What a number says that is surely UTF-8 read in the wrong code page; none of any other.
pub(crate) fn meant_in_utf8(text: &str) -> Option<String> {
    let read = read_wrongly(text).filter(|read| read.is_sure)?;
    Some(read.meant)
}

/// What a number may say, as that of which nobody can be sure.
pub(crate) fn maybe_meant_in_utf8(text: &str) -> Option<String> {
    Some(read_wrongly(text)?.meant)
}

/// What a name, or a reference of somebody's own, may say. Names have signs behind letters, as a
/// trade mark's: one that looks so beside other letters says nothing.
pub(crate) fn name_meant_in_utf8(text: &str) -> Option<String> {
    let read = read_wrongly(text).filter(|read| read.is_sure)?;
    let has_other = text.contains(|c: char| c.is_ascii_alphabetic());
    (read.letters > 1 || !has_other).then_some(read.meant)
}

fn read_wrongly(text: &str) -> Option<ReadWrongly> {
    if text.is_ascii() {
        return None;
    }

    let composed: String = text.nfc().collect();
    read_up_to(READ_WRONGLY_MAX, &composed)
}

/// Reads a text anew, and what comes of it, so often.
fn read_up_to(times: usize, text: &str) -> Option<ReadWrongly> {
    let times_left = times.checked_sub(1)?;
    PAGES.into_iter().find_map(|page| {
        let read = read_anew(text, page)?;
        let deeper = read_up_to(times_left, &read.meant).filter(|deeper| deeper.is_sure);
        deeper.or_else(|| (read.letters > 0).then_some(read))
    })
}

/// The first character of a text that is none of any alphabet, and never will be.
pub(crate) fn noncharacter_in(text: &str) -> Option<char> {
    text.chars().find(|c| is_noncharacter(*c))
}

/// Reads a text as the UTF-8 that it was; none where nothing of it was, or a letter was not.
fn read_anew(text: &str, page: CodePage) -> Option<ReadWrongly> {
    let chars: Vec<char> = text.chars().collect();
    let mut meant = String::new();
    let mut read: Vec<(char, &[char])> = Vec::new();
    let mut loose = BTreeSet::new();

    let mut rest = chars.as_slice();
    while let Some((first, behind)) = rest.split_first() {
        if let Some((c, whole)) = first_character(rest, page) {
            meant.push(c);
            read.push((c, whole));
            rest = rest.get(whole.len()..).unwrap_or_default();
            continue;
        }

        if !first.is_ascii() && first.is_alphabetic() {
            return None;
        }

        meant.push(*first);
        loose.insert(*first);
        rest = behind;
    }

    // A sign that stands elsewhere, too, is one that parts, and belongs to no letter.
    let is_part = |sign: &char| *sign != HARD_BLANK && !loose.contains(sign);
    let is_told = |(c, whole): &(char, &[char])| is_written(*c) && whole.iter().all(is_part);
    let told: Vec<&[char]> = read
        .iter()
        .filter(|one| is_told(one))
        .map(|(_, whole)| *whole)
        .collect();
    let has_stray = told
        .iter()
        .any(|whole| whole.iter().any(|c| STRAY.contains(*c)));

    (!read.is_empty()).then_some(ReadWrongly {
        meant,
        letters: told.len(),
        is_sure: !told.is_empty() && (page == CodePage::Western || has_stray),
    })
}

/// The character with which a text begins once it is read anew, and what stands there for it. A
/// text may have come in small letters, or in capitals.
fn first_character(rest: &[char], page: CodePage) -> Option<(char, &[char])> {
    let plain = character_of(rest, |c| page.byte(c));
    if plain.is_some_and(|(c, _)| is_written(c)) {
        return plain;
    }

    let capital = character_of(rest, |c| page.byte(in_capitals(c)));
    match capital {
        Some((c, _)) if is_written(c) => capital,
        _ => plain.or(capital),
    }
}

/// The one character of whose bytes a text begins with as many as it has.
fn character_of(rest: &[char], byte_of: impl Fn(char) -> Option<u8>) -> Option<(char, &[char])> {
    LENGTHS.iter().find_map(|length| {
        let whole = rest.get(..*length)?;
        let bytes: Option<Vec<u8>> = whole.iter().map(|c| byte_of(*c)).collect();
        let read = String::from_utf8(bytes?).ok()?;
        let mut chars = read.chars();
        let c = chars.next()?;

        (chars.next().is_none() && !c.is_ascii()).then_some((c, whole))
    })
}

/// The capital of a letter that has one.
fn in_capitals(c: char) -> char {
    let mut capitals = c.to_uppercase();
    match (capitals.next(), capitals.next()) {
        (Some(capital), None) => capital,
        _ => c,
    }
}

impl CodePage {
    /// The byte beyond ASCII for which it has a character.
    fn byte(self, c: char) -> Option<u8> {
        let upper_half = |at: usize| u8::try_from(at).ok()?.checked_add(0x80);
        if self == Self::Arabic {
            return ARABIC.iter().position(|of| *of == c).and_then(upper_half);
        }

        let byte = match (c, WESTERN.iter().position(|of| *of == c)) {
            (_, Some(at)) => upper_half(at),
            // Capitals of what that page has as signs.
            ('Ƒ', None) => Some(0x83),
            ('Μ' | 'μ', None) => Some(0xB5),
            (_, None) => u8::try_from(u32::from(c)).ok(),
        };
        byte.filter(|byte| !byte.is_ascii())
    }
}

/// Whether it is a letter or a digit as people write them here, or a form of one.
fn is_written(c: char) -> bool {
    LETTERS.contains(c)
        || matches!(c,
            '\u{660}'..='\u{669}' | '\u{6F0}'..='\u{6F9}' | '\u{FB50}'..='\u{FDFF}'
            | '\u{FE70}'..='\u{FEFC}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A text as a program reads it that takes its UTF-8 for a code page.
    fn misread(text: &str, page: fn(u8) -> char) -> String {
        text.bytes().map(page).collect()
    }

    fn latin(byte: u8) -> char {
        char::from(byte)
    }

    fn western(byte: u8) -> char {
        match byte {
            0x80..=0x9F => WESTERN[usize::from(byte) - 0x80],
            _ => char::from(byte),
        }
    }

    fn arabic(byte: u8) -> char {
        match byte {
            0x80..=0xFF => ARABIC[usize::from(byte) - 0x80],
            _ => char::from(byte),
        }
    }

    #[test]
    fn arabic_that_was_read_in_another_code_page_is_known_for_what_it_says() {
        assert_eq!(misread("ب", western), "Ø¨");
        for text in [
            "ب",
            "22 أ 12345",
            "٢٢ أ ١٢٣٤٥",
            "51 ب 75667",
            "پلاک 12",
            "ختم-٧",
            "ﺏ 7",
        ] {
            for page in [latin as fn(u8) -> char, western] {
                let once = misread(text, page);
                assert_eq!(meant_in_utf8(&once).as_deref(), Some(text), "{once:?}");
                let twice = misread(&once, page);
                assert_eq!(meant_in_utf8(&twice).as_deref(), Some(text), "{twice:?}");
            }
        }
        for text in ["ب", "٢٢ أ ١٢٣٤٥", "22 ح 7 ب"] {
            let once = misread(text, arabic);
            assert_eq!(meant_in_utf8(&once).as_deref(), Some(text), "{once:?}");
        }
    }

    #[test]
    fn each_letter_of_a_plate_is_known_by_itself() {
        // Of these what stands there may be two letters, or a letter and a sign of the text.
        const UNSURE: &str = "ءتژێەڕ";
        for letter in LETTERS.chars() {
            let text = format!("22 {letter} 55555");
            for page in [latin as fn(u8) -> char, western] {
                let once = misread(&text, page);
                assert_eq!(meant_in_utf8(&once).as_deref(), Some(&*text), "{once:?}");
                let apart: String = once.nfd().collect();
                assert_eq!(meant_in_utf8(&apart).as_deref(), Some(&*text), "{apart:?}");
            }

            let once = misread(&text, arabic);
            let sure = (!UNSURE.contains(letter)).then_some(&*text);
            assert_eq!(meant_in_utf8(&once).as_deref(), sure, "{once:?}");
            assert_eq!(maybe_meant_in_utf8(&once).as_deref(), Some(&*text));
            let pages: [[fn(u8) -> char; 2]; 3] =
                [[western, arabic], [arabic, western], [arabic, arabic]];
            for [first, then] in pages {
                let twice = misread(&misread(&text, first), then);
                assert!(meant_in_utf8(&twice).is_some(), "{letter}: {twice:?}");
            }
        }
        for (small, meant) in [("22 ù„ 5", "22 ل 5"), ("22 ùš 5", "22 ي 5"), ("ù…", "م")]
        {
            assert_eq!(meant_in_utf8(small).as_deref(), Some(meant), "{small}");
        }
    }

    #[test]
    fn names_as_people_write_them_are_taken_for_nothing_else() {
        for name in [
            "NÛ’MAN NAKLİYAT",
            "PIÙ’ TRASPORTI",
            "GESÙ’ S.r.l.",
            "»BRØ« Spedition",
            "»BRØ«",
            "Ø–TRANS",
            "SØ® A/S",
            "GRØ™",
            "Ú° Trade",
            "KÛ® LTD",
            "DÛ…",
            "شركة مصنع® للتجارة",
            "شركة الإبداع™",
            "خطوط® الشرق",
            "شركة ‹النفط› العامة",
            "الشروق (فرع¹)",
        ] {
            assert_eq!(name_meant_in_utf8(name), None, "{name}");
        }

        for page in [western as fn(u8) -> char, arabic] {
            for name in ["شركة النفط", "شركة ABC"] {
                let once = misread(name, page);
                assert_eq!(name_meant_in_utf8(&once).as_deref(), Some(name), "{once}");
            }
        }
        assert_eq!(name_meant_in_utf8("Ø±-101").as_deref(), Some("ر-101"));
    }

    #[test]
    fn what_was_meant_as_it_stands_is_taken_for_nothing_else() {
        for text in [
            "22 A 12345",
            "22 أ 12345",
            "Ø 12",
            "Ø\u{A0}12",
            "Østergård",
            "Ångström",
            "Müller & Söhne",
            "São Paulo",
            "Ã©",
            "À §5",
            "عکس ظپ",
            "ط؟",
            "«طارق»",
            "ع، غ",
            "MÜ-A 1",
            "51 \u{FFFD} 7",
            "22·ط·55555",
            "22 طھ 55555",
            "22 ظ\u{A0}5",
        ] {
            assert_eq!(meant_in_utf8(text), None, "{text:?}");
        }

        assert_eq!(noncharacter_in("51\u{FFFE}7"), Some('\u{FFFE}'));
        assert_eq!(noncharacter_in("\u{FDD0}"), Some('\u{FDD0}'));
        assert_eq!(noncharacter_in("51 \u{FFFD} \u{FEFF}7"), None);
    }

    proptest! {
        #[test]
        fn no_text_that_is_arabic_is_taken_for_another(
            text in "[0-9 ابتثجحخدذرزسشصضطظعغفقكلمنهويپچژگک٠-٩،؛؟-]{0,20}"
        ) {
            // No number has these, and what is read wrongly has them.
            prop_assume!(!["ظپ", "ط؛"].iter().any(|pair| text.contains(pair)));
            prop_assert_eq!(meant_in_utf8(&text), None);
        }

        #[test]
        fn any_text_is_read(text in any::<String>()) {
            let _ = meant_in_utf8(&text);
        }
    }
}
