//! References: of declarants, transits, certificates, and names.

use super::letters::{BLANK, SIGN, UNREAD, folded};

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

/// What is written where there is none, or where nobody could read it, in the normal form of
/// references: in English, Arabic, Kurdish, Persian, Turkish and Russian. None of them holds a
/// digit, so that no number with one is among them.
const NOTHING: &[&str] = &[
    "AWAITED",
    "BELIRSIZ",
    "BILINMIYOR",
    "BLANK",
    "DAMAGED",
    "EMPTY",
    "ERR",
    "ERROR",
    "FAILED",
    "HET",
    "ILLEGIBLE",
    "LATER",
    "LOST",
    "MEVCUTDEGIL",
    "MISSING",
    "NA",
    "NAN",
    "NIL",
    "NO",
    "NONE",
    "NONUMBER",
    "NOPLATE",
    "NOPLATES",
    "NOREAD",
    "NOSEAL",
    "NOSEALS",
    "NOTAPPLICABLE",
    "NOTAVAILABLE",
    "NOTCLEAR",
    "NOTFOUND",
    "NOTHING",
    "NOTISSUED",
    "NOTKNOWN",
    "NOTKNOWNYET",
    "NOTLEGIBLE",
    "NOTREAD",
    "NOTREADABLE",
    "NOTREQUIRED",
    "NOTVISIBLE",
    "NOTYET",
    "NULL",
    "OKUNAMADI",
    "OKUNAMIYOR",
    "OKUNMADI",
    "OKUNMUYOR",
    "PENDING",
    "PLAKASIZ",
    "RUHSATSIZ",
    "TBA",
    "TBC",
    "TBD",
    "TEMP",
    "TEMPORARY",
    "TOFOLLOW",
    "UNAVAILABLE",
    "UNCLEAR",
    "UNDEFINED",
    "UNK",
    "UNKN",
    "UNKNOWN",
    "UNLABELLED",
    "UNMARKED",
    "UNREAD",
    "UNREADABLE",
    "UNREGISTERED",
    "UNSEALED",
    "UNSPECIFIED",
    "WITHOUT",
    "WITHOUTPLATE",
    "WITHOUTPLATES",
    "YOK",
    "بدون",
    "بدونختم",
    "بدونرقم",
    "بدونلوحه",
    "بلا",
    "بلاختم",
    "بلارقم",
    "بلالوحه",
    "تالف",
    "تالفه",
    "خطا",
    "دون",
    "ديارنيه",
    "ضايع",
    "ضايعه",
    "غيرمتاح",
    "غيرمتوفر",
    "غيرمتوفره",
    "غيرمحدد",
    "غيرمحدده",
    "غيرمريي",
    "غيرمرييه",
    "غيرمسجل",
    "غيرمسجله",
    "غيرمطلوب",
    "غيرمطلوبه",
    "غيرمعروف",
    "غيرمعروفه",
    "غيرمعلوم",
    "غيرمعلومه",
    "غيرمقروء",
    "غيرمقروءه",
    "غيرموجود",
    "غيرموجوده",
    "غيرواضح",
    "غيرواضحه",
    "فارغ",
    "فارغه",
    "فيمابعد",
    "قيدالاصدار",
    "قيدالانتظار",
    "لا",
    "لاتوجد",
    "لاحقا",
    "لاشي",
    "لاشيء",
    "لاينطبق",
    "لايوجد",
    "لميقرا",
    "ليسبعد",
    "ليسلديه",
    "ليسله",
    "ليسلها",
    "مجهول",
    "مجهوله",
    "مخدوش",
    "مفقود",
    "مفقوده",
    "موقت",
    "موقته",
    "ناخوانا",
    "ناديار",
    "نازانراو",
    "نامشخص",
    "نامعلوم",
    "ندارد",
    "نهزانراو",
    "نيه",
    "نييه",
    "ونبوو",
];

/// Words that stand before the name of a thing where there is none of it, in the same form.
const LACKS_BEFORE: &[&str] = &[
    "NO",
    "NOT",
    "WITHOUT",
    "بدون",
    "بغير",
    "بلا",
    "بهبي",
    "بي",
    "دون",
    "غير",
    "فاقد",
    "لا",
    "لاتوجد",
    "لاتوجدله",
    "لاتوجدلها",
    "لايوجد",
    "لايوجدله",
    "لايوجدلها",
    "ليستله",
    "ليستلها",
    "ليسله",
    "ليسلها",
    "مندون",
];

/// What numbers stand on, and what they are called, in the same form.
const THINGS: &[&str] = &[
    "CONTAINER",
    "LICENCEPLATE",
    "LICENCEPLATES",
    "LICENSEPLATE",
    "LICENSEPLATES",
    "NUMBER",
    "NUMBERPLATE",
    "NUMBERPLATES",
    "NUMBERS",
    "NUMPLATE",
    "PLAKA",
    "PLAKASI",
    "PLATE",
    "PLATENUMBER",
    "PLATES",
    "READ",
    "READING",
    "REGISTRATION",
    "SEAL",
    "SEALNUMBER",
    "SEALS",
    "TAG",
    "VIN",
    "اختام",
    "ارقام",
    "الختم",
    "الرقم",
    "القراءه",
    "اللوحات",
    "اللوحه",
    "تابلو",
    "تابلوي",
    "تسجيل",
    "ختم",
    "رقم",
    "رقماللوحه",
    "رقملوحه",
    "شماره",
    "قراءه",
    "لوحات",
    "لوحاتارقام",
    "لوحه",
    "لوحهارقام",
    "لوحهتسجيل",
    "لوحهرقم",
    "مهر",
    "مور",
    "موري",
    "نمره",
    "پلاك",
    "پلاكي",
    "پلومب",
    "ژماره",
    "ژمارهي",
];

/// Words that stand behind the name of a thing where there is none of it, or nobody could read it.
const LACKS_BEHIND: &[&str] = &[
    "ILLEGIBLE",
    "LOST",
    "MISSING",
    "NONE",
    "NOTFOUND",
    "NOTREAD",
    "NOTREADABLE",
    "NOTVISIBLE",
    "OKUNAMADI",
    "OKUNMUYOR",
    "UNCLEAR",
    "UNKNOWN",
    "UNREADABLE",
    "YOK",
    "YOKTUR",
    "غيرمتوفر",
    "غيرمتوفره",
    "غيرمعروف",
    "غيرمعروفه",
    "غيرمقروء",
    "غيرمقروءه",
    "غيرموجود",
    "غيرموجوده",
    "غيرواضح",
    "غيرواضحه",
    "مفقود",
    "مفقوده",
    "ناخوانا",
    "نامشخص",
    "نامعلوم",
    "ندارد",
    "نداره",
    "نهبوو",
    "نيست",
    "نيه",
    "نييه",
];

/// What places of a form are filled with where nothing is known.
const FILLERS: [char; 2] = ['0', 'X'];

/// Whether a number, a plate, a seal or a reference says that there is none: no letter and no
/// digit, zeros alone, the letter X alone, or words for it, as `-`, `000`, `XXX`, `N/A`, `NO READ`,
/// `بدون` or `لا توجد لوحة`. What holds any other digit is a number.
pub fn says_nothing(text: &str) -> bool {
    let form = normalise_reference(text).replace(UNREAD, "");
    let is_all = |filler: &char| form.chars().all(|c| c == *filler || c == SIGN);
    let is_thing = |text: &str| THINGS.contains(&text);
    let is_without = |word: &&str| form.strip_prefix(*word).is_some_and(is_thing);
    let is_lacking = |word: &&str| form.strip_suffix(*word).is_some_and(is_thing);

    FILLERS.iter().any(is_all)
        || NOTHING.contains(&form.as_str())
        || LACKS_BEFORE.iter().any(is_without)
        || LACKS_BEHIND.iter().any(is_lacking)
}

/// Whether a text holds a digit of any script, as every number does that an office gives out.
pub(crate) fn has_digit(text: &str) -> bool {
    folded(text).chars().any(|c| c.is_ascii_digit())
}

/// The name of one thing among others of a record, as of a sample or a slot of a store, for
/// comparing: as a reference, but that a blank parts two digits, too. One in which nothing is left
/// stays as it is.
pub fn normalise_label(raw: &str) -> String {
    let form = normalise_reference(&raw.replace(char::is_whitespace, "-"));
    match form.is_empty() {
        true => raw.trim().into(),
        false => form,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_written_where_there_is_none_says_nothing() {
        for text in [
            "-",
            "",
            "000",
            "n/a",
            "N.A.",
            "None",
            "بدون",
            "لا يوجد",
            "٠",
            "0000-00",
            "x",
            "XXXX",
            "хх",
            "T.B.D.",
            "to follow",
            "no plate",
            "Pending",
            "بلا",
            "بِلا",
            "غير متوفّر",
            "غير متوفرة",
            "لاحقًا",
            "غير مطلوب",
            "لا ينطبق",
            "لا شيء",
            "لا شئ",
            "غير معروف",
            "بدون لوحة",
            "قيد الإصدار",
            "???",
            "بدون؟",
        ] {
            assert!(says_nothing(text), "{text}");
        }
    }

    #[test]
    fn what_nobody_could_read_and_what_has_no_number_says_nothing() {
        for text in [
            "بدون لوحات",
            "لا توجد لوحة",
            "لا يوجد رقم",
            "من دون لوحة",
            "ليس له لوحة",
            "غير مقروء",
            "غير مقروءة",
            "غير واضحة",
            "اللوحة مفقودة",
            "فاقد پلاک",
            "پلاک ندارد",
            "پلاک ناخوانا",
            "ناخوانا",
            "نامشخص",
            "بێ ژمارە",
            "ژمارەی نییە",
            "нет",
            "yok",
            "plaka yok",
            "plakasız",
            "NOREAD",
            "NO READ",
            "NO_READ",
            "no number plate",
            "plate not readable",
            "UNREADABLE",
            "illegible",
            "UNK",
            "MISSING",
            "TEMP",
            "Error",
        ] {
            assert!(says_nothing(text), "{text}");
        }
    }

    #[test]
    fn what_holds_a_number_says_something() {
        for text in [
            "1",
            "C-100",
            "NONE-1",
            "A0",
            "0X0",
            "X1",
            "00100",
            "22 A 12345",
            "NA 12",
            "بلا 7",
            "ABC",
            "XY",
            "٢٢ أ ١",
            "بغداد",
            "لوحة",
            "NO READ 1",
            "READ",
            "TEMPO",
            "NOTRE",
            "51 ? 75667",
        ] {
            assert!(!says_nothing(text), "{text}");
        }

        for words in [NOTHING, LACKS_BEFORE, THINGS, LACKS_BEHIND] {
            for word in words {
                assert_eq!(normalise_reference(word), *word);
                assert!(!has_digit(word), "{word}");
            }
            assert!(words.is_sorted_by(|a, b| a < b), "each once, in order");
        }
    }

    #[test]
    fn a_label_is_one_however_it_is_written_and_blanks_part_its_digits() {
        for (one, other) in [
            ("ع-١٢", "ع-12"),
            ("A-1", "a1"),
            ("S 12", "S-12"),
            (" S-12\u{200F}", "s12"),
            ("1 12", "1-12"),
        ] {
            assert_eq!(
                normalise_label(one),
                normalise_label(other),
                "{one} {other}"
            );
        }

        for (one, other) in [
            ("1 12", "11 2"),
            ("S-12", "S-1-2"),
            ("A-1", "A-01"),
            ("-", "+"),
        ] {
            assert_ne!(
                normalise_label(one),
                normalise_label(other),
                "{one} {other}"
            );
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
