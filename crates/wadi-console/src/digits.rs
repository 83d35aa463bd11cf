//! Numbers as people type them: in digits of either script, with or without separators.

/// What is wrong with a number that somebody typed, as a sentence of the console.
pub(crate) type WrongNumber = &'static str;

/// A text with its digits as Western ones; everything else as it stands.
pub(crate) fn latin(text: &str) -> String {
    let digit = |c: char, zero: char| {
        let n = u32::from(c).checked_sub(u32::from(zero))?;
        char::from_digit(n, 10)
    };
    text.chars()
        .map(|c| match c {
            '\u{0660}'..='\u{0669}' => digit(c, '\u{0660}').unwrap_or(c),
            '\u{06F0}'..='\u{06F9}' => digit(c, '\u{06F0}').unwrap_or(c),
            _ => c,
        })
        .collect()
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

/// Whole numbers, parted by semicolons, spaces or lines: the masses of axles.
pub(crate) fn wholes(text: &str) -> Result<Vec<i64>, WrongNumber> {
    let parts = text.split(|c: char| matches!(c, ';' | '\u{061B}') || c.is_whitespace());
    parts.filter(|part| !part.is_empty()).map(whole).collect()
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
    }
}
