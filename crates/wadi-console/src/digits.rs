//! Numbers as people type them: in digits of every script, with or without separators.

use wadi_record::typed_plainly;

/// What is wrong with a number that somebody typed, as a sentence of the console.
pub(crate) type WrongNumber = &'static str;

/// A text with its digits as Western ones and without direction marks and the like, which nobody
/// sees; everything else as it stands.
pub(crate) fn latin(text: &str) -> String {
    typed_plainly(text)
}

/// A number's sign, the groups of its whole part, and its decimals.
struct Typed {
    negative: bool,
    whole: String,
    decimals: Option<String>,
}

/// Whether a character stands between thousands and nowhere else.
fn is_separator(c: char) -> bool {
    matches!(c, ',' | '\u{066C}' | '\u{060C}' | '\'' | '\u{2019}' | '_') || c.is_whitespace()
}

/// Reads digits with separators of thousands. Separators part groups of three, so that a comma that
/// was meant for decimals is not read as thousands.
fn typed(text: &str) -> Result<Typed, WrongNumber> {
    const WRONG: WrongNumber = "today-wrong-number";
    let text = latin(text);
    let text = text.trim();
    let (negative, text) = match text.strip_prefix(['-', '\u{2212}']) {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, decimals) = match text.split_once(['.', '\u{066B}']) {
        Some((whole, decimals)) => (whole, Some(decimals)),
        None => (text, None),
    };

    let groups: Vec<&str> = whole.split(is_separator).collect();
    let is_digits = |g: &str| !g.is_empty() && g.bytes().all(|b| b.is_ascii_digit());
    if !groups.iter().all(|g| is_digits(g)) || !decimals.is_none_or(is_digits) {
        return Err(WRONG);
    }

    let grouped =
        groups.len() == 1 || groups[0].len() <= 3 && groups[1..].iter().all(|g| g.len() == 3);
    if !grouped {
        return Err("today-wrong-groups");
    }

    Ok(Typed {
        negative,
        whole: groups.concat(),
        decimals: decimals.map(String::from),
    })
}

/// A whole number.
pub(crate) fn whole(text: &str) -> Result<i64, WrongNumber> {
    let typed = typed(text)?;
    if typed.decimals.is_some() {
        return Err("today-wrong-whole");
    }

    let number: i64 = typed.whole.parse().map_err(|_| "today-wrong-number")?;
    Ok(if typed.negative { -number } else { number })
}

/// A number, as the JSON number that says exactly what was typed.
pub(crate) fn number(text: &str) -> Result<serde_json::Number, WrongNumber> {
    const WRONG: WrongNumber = "today-wrong-number";
    let typed = typed(text)?;
    let sign = if typed.negative { "-" } else { "" };
    match typed.decimals {
        None => whole(text).map(Into::into),
        Some(decimals) => {
            let number: f64 = format!("{sign}{}.{decimals}", typed.whole)
                .parse()
                .map_err(|_| WRONG)?;
            serde_json::Number::from_f64(number).ok_or(WRONG)
        }
    }
}

/// Whole numbers, parted by semicolons or lines, or else by spaces: the masses of axles. Where
/// spaces alone stand between them, none may be one between thousands.
pub(crate) fn wholes(text: &str) -> Result<Vec<i64>, WrongNumber> {
    let parts_numbers = |c: char| matches!(c, ';' | '\u{061B}' | '\n' | '\r');
    if text.trim().contains(parts_numbers) {
        let parts = text.split(parts_numbers).map(str::trim);
        return parts.filter(|part| !part.is_empty()).map(whole).collect();
    }

    let text = latin(text);
    let parts: Vec<&str> = text.split_whitespace().collect();
    let is_plain = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let may_be_thousands = parts.windows(2).any(|pair| match pair {
        [one, other] => {
            let is_group = is_plain(other) && other.len() == 3;
            is_plain(one) && one.len() <= 3 && is_group
        }
        _ => false,
    });

    match may_be_thousands {
        true => Err("today-wrong-groups"),
        false => parts.into_iter().map(whole).collect(),
    }
}

/// A number with separators of thousands, to be read.
pub(crate) fn grouped(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut out = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if number < 0 { format!("-{out}") } else { out }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mass_is_read_in_either_script_and_with_separators() {
        for text in [
            "31240",
            "31,240",
            "31 240",
            "٣١٢٤٠",
            "٣١٬٢٤٠",
            "٣١،٢٤٠",
            "۳۱۲۴۰",
            " 31'240 ",
            "+31240",
            "\u{200F}31,240\u{202C}",
            "３１，２４０",
            "३१२४०",
            "౩౧౨౪౦",
        ] {
            assert_eq!(whole(text), Ok(31_240), "{text}");
        }
        assert_eq!(whole("1,234,567"), Ok(1_234_567));
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(grouped(-31_240), "-31,240");
        assert_eq!(grouped(240), "240");
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_not_read() {
        assert_eq!(whole("31,24"), Err("today-wrong-groups"));
        assert_eq!(whole("3124,0"), Err("today-wrong-groups"));
        assert_eq!(whole("31.240"), Err("today-wrong-whole"));
        for text in [
            "",
            "31 tonnes",
            "31,,240",
            "--3",
            "٣١ كغم",
            "9223372036854775808",
            "1e5",
        ] {
            assert_eq!(whole(text), Err("today-wrong-number"), "{text}");
        }
    }

    #[test]
    fn a_temperature_may_be_below_zero() {
        for text in ["-3.5", "−٣٫٥", "-٣.٥"] {
            assert_eq!(number(text).unwrap().as_f64(), Some(-3.5), "{text}");
        }
        assert_eq!(number("4").unwrap(), 4.into());
        assert_eq!(number("3,5"), Err("today-wrong-groups"));
        assert_eq!(wholes("7,100; ٨٢٠٠\n 8300"), Ok(vec![7_100, 8_200, 8_300]));
        for text in [
            "7 100; 8 200",
            "7\u{A0}100؛ ٨ ٢٠٠",
            "7100 8200",
            "7,100 8,200",
        ] {
            assert_eq!(wholes(text), Ok(vec![7_100, 8_200]), "{text}");
        }
        for text in ["7 100 8 200", "7 100"] {
            assert_eq!(wholes(text), Err("today-wrong-groups"), "{text}");
        }
    }
}
