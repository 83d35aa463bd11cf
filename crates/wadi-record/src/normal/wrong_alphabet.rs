//! Arabic that was sent in UTF-8 and read in another code page: `ب` comes as `Ø¨`. Its letters
//! would be folded to others, and two things come to one.

use super::letters::is_noncharacter;

/// How often a text is read in the wrong code page at most: each program on its way may do so.
const READ_WRONGLY_MAX: usize = 3;
/// Bytes of one character in UTF-8 beside the first letter's own.
const LENGTHS: [usize; 2] = [2, 3];

/// What Windows-1252 has for the bytes 80 to 9F; what it has nothing for is left as a control.
const WESTERN: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8D}', 'Ž', '\u{8F}',
    '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9D}', 'ž', 'Ÿ',
];
/// What Windows-1256 has for the bytes 80 to BF, which follow the first one of an Arabic letter.
const ARABIC: [char; 64] = [
    '€', 'پ', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'ٹ', '‹', 'Œ', 'چ', 'ژ', 'ڈ', 'گ', '‘', '’',
    '“', '”', '•', '–', '—', 'ک', '™', 'ڑ', '›', 'œ', '\u{200C}', '\u{200D}', 'ں', '\u{A0}', '،',
    '¢', '£', '¤', '¥', '¦', '§', '¨', '©', 'ھ', '«', '¬', '\u{AD}', '®', '¯', '°', '±', '²', '³',
    '´', 'µ', '¶', '·', '¸', '¹', '؛', '»', '¼', '½', '¾', '؟',
];
/// What it has for the bytes D8 to DB, with which Arabic letters and digits begin.
const ARABIC_FIRST: [char; 4] = ['ط', 'ظ', 'ع', 'غ'];
/// Signs of that code page which stand behind an Arabic letter in no text that was meant so.
const STRAY: &str = "€‚ƒ„†‡ˆ‰‹Œ™›œ¢£¤¥¦§¨©¬®¯±²³´µ¶·¸¹¼½¾";

/// What a text says that is surely UTF-8 read in the wrong code page; none of any other.
pub(crate) fn meant_in_utf8(text: &str) -> Option<String> {
    if text.is_ascii() {
        return None;
    }

    let mut told = text.to_string();
    for _ in 0..READ_WRONGLY_MAX {
        let Some(read) = read_anew(&told, western_byte) else {
            break;
        };
        if read.is_arabic {
            return Some(read.text);
        }
        told = read.text;
    }

    let read = read_anew(text, arabic_byte)?;
    (read.is_arabic && read.holds_stray).then_some(read.text)
}

/// The first character of a text that is none of any alphabet, and never will be.
pub(crate) fn noncharacter_in(text: &str) -> Option<char> {
    text.chars().find(|c| is_noncharacter(*c))
}

/// A text whose bytes were taken for UTF-8 again, where they are that.
struct ReadAnew {
    text: String,
    /// Whether it holds Arabic that it did not hold before. A blank may stand behind any letter.
    is_arabic: bool,
    /// Whether a sign was a part of that which stands behind no letter.
    holds_stray: bool,
}

/// Reads a text as the UTF-8 that it was; none where nothing of it was.
fn read_anew(text: &str, byte_of: fn(char) -> Option<u8>) -> Option<ReadAnew> {
    let chars: Vec<char> = text.chars().collect();
    let mut out = ReadAnew {
        text: String::new(),
        is_arabic: false,
        holds_stray: false,
    };

    let (mut rest, mut was_read) = (chars.as_slice(), false);
    while let Some((first, behind)) = rest.split_first() {
        let whole = LENGTHS.iter().find_map(|length| {
            let whole = rest.get(..*length)?;
            Some((whole, one_character(whole, byte_of)?))
        });
        let Some((whole, c)) = whole else {
            out.text.push(*first);
            rest = behind;
            continue;
        };

        out.text.push(c);
        was_read = true;
        out.is_arabic |= is_arabic(c) && !whole.contains(&'\u{A0}');
        out.holds_stray |= whole.iter().any(|c| STRAY.contains(*c));
        rest = rest.get(whole.len()..).unwrap_or_default();
    }

    was_read.then_some(out)
}

/// The one character of which these are the bytes.
fn one_character(whole: &[char], byte_of: fn(char) -> Option<u8>) -> Option<char> {
    let bytes: Option<Vec<u8>> = whole.iter().map(|c| byte_of(*c)).collect();
    let read = String::from_utf8(bytes?).ok()?;
    let mut chars = read.chars();
    let c = chars.next()?;

    (chars.next().is_none() && !c.is_ascii()).then_some(c)
}

fn western_byte(c: char) -> Option<u8> {
    let in_page = WESTERN.iter().position(|of| *of == c);
    let code = match in_page {
        Some(at) => u32::try_from(at).ok()?.saturating_add(0x80),
        None => u32::from(c),
    };
    u8::try_from(code).ok().filter(|byte| !byte.is_ascii())
}

fn arabic_byte(c: char) -> Option<u8> {
    let at = |list: &[char], from: u8| {
        let at = list.iter().position(|of| *of == c)?;
        u8::try_from(at).ok()?.checked_add(from)
    };
    at(&ARABIC_FIRST, 0xD8).or_else(|| at(&ARABIC, 0x80))
}

fn is_arabic(c: char) -> bool {
    matches!(c,
        '\u{600}'..='\u{6FF}' | '\u{750}'..='\u{77F}' | '\u{FB50}'..='\u{FDFF}'
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
            0x80..=0xBF => ARABIC[usize::from(byte) - 0x80],
            0xD8..=0xDB => ARABIC_FIRST[usize::from(byte) - 0xD8],
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
            text in "[0-9 ابتثجحخدذرزسشصضطظعغفقكلمنهويپچژگک٠-٩،؛؟«»-]{0,20}"
        ) {
            prop_assert_eq!(meant_in_utf8(&text), None);
        }

        #[test]
        fn any_text_is_read(text in any::<String>()) {
            let _ = meant_in_utf8(&text);
        }
    }
}
