//! Whole numbers of JSON texts, however they are written.

use std::borrow::Cow;

/// Digits of the largest whole number that a JSON text may hold, 64 bits of them.
const WHOLE_DIGITS: usize = 20;

/// A JSON text with its whole numbers written as such, as 31240 for `31240.0` and `3.124e4`: a
/// double would not hold every one of them, and would make whole ones of others.
pub(crate) fn with_whole_numbers(text: &str) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    let is_of_number = |b: &u8| matches!(b, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
    let (mut out, mut copied, mut at) = (String::new(), 0, 0);

    while let Some(byte) = bytes.get(at) {
        if *byte == b'"' {
            at = end_of_string(bytes, at + 1);
            continue;
        }
        if *byte != b'-' && !byte.is_ascii_digit() {
            at += 1;
            continue;
        }

        let rest = bytes.get(at..).unwrap_or_default();
        let end = at + rest.iter().take_while(|b| is_of_number(b)).count();
        if let Some(whole) = text.get(at..end).and_then(as_whole_number) {
            out += text.get(copied..at).unwrap_or_default();
            out += &whole;
            copied = end;
        }
        at = end;
    }

    if copied == 0 {
        return text.into();
    }
    out += text.get(copied..).unwrap_or_default();
    out.into()
}

/// Where a JSON string ends whose text begins there: behind its quotation mark.
fn end_of_string(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }

    at
}

/// A JSON number with a point or an exponent as the whole number of 64 bits that it exactly is.
fn as_whole_number(token: &str) -> Option<String> {
    if !token.contains(['.', 'e', 'E']) {
        return None;
    }

    let (sign, unsigned) = match token.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", token),
    };
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (unsigned, 0),
    };
    let (whole, decimals) = match mantissa.split_once('.') {
        Some((_, "")) => return None,
        Some(parts) => parts,
        None => (mantissa, ""),
    };

    let is_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let is_padded = whole.len() > 1 && whole.starts_with('0');
    if whole.is_empty() || is_padded || !is_digits(whole) || !is_digits(decimals) {
        return None;
    }

    // Its digits, and how many zeros stand behind them.
    let all = format!("{whole}{decimals}");
    let digits = all.trim_end_matches('0');
    let behind = i64::try_from(all.len() - digits.len()).ok()?;
    let zeros = i64::from(exponent) - i64::try_from(decimals.len()).ok()? + behind;
    let digits = digits.trim_start_matches('0');
    if digits.is_empty() {
        return Some("0".into());
    }
    let zeros = usize::try_from(zeros).ok()?;
    if zeros > WHOLE_DIGITS || digits.len() > WHOLE_DIGITS {
        return None;
    }

    let zeros = "0".repeat(zeros);
    let number: i128 = format!("{sign}{digits}{zeros}").parse().ok()?;
    let is_held = (i128::from(i64::MIN)..=i128::from(u64::MAX)).contains(&number);
    is_held.then(|| number.to_string())
}

#[cfg(test)]
mod tests {
    use crate::strict::parse_json;
    use serde_json::json;

    #[test]
    fn what_is_exactly_whole_is_and_nothing_else_is() {
        for (text, whole) in [
            ("9007199254740993.0", 9_007_199_254_740_993_i64),
            ("9223372036854775807.000", i64::MAX),
            ("-9223372036854775808.0", i64::MIN),
            ("31240.00e1", 312_400),
            ("1e18", 1_000_000_000_000_000_000),
            ("120E-1", 12),
            ("-0.0", 0),
            ("0.0e9", 0),
        ] {
            assert_eq!(parse_json(text).unwrap(), json!(whole), "{text}");
        }

        for fraction in [
            "4503599627370497.5",
            "9007199254740993.5",
            "31240.00000000000000000001",
            "1.5e0",
            "12e-1",
            "1e19.5",
        ] {
            let read = parse_json(fraction);
            assert!(
                read.is_err() || read.is_ok_and(|n| !n.is_i64()),
                "{fraction}"
            );
        }

        // Within texts and names they are no numbers, and what is no JSON stays none.
        assert_eq!(
            parse_json(r#"{"1.0":"2.0 \" 3.0","n":[4.0,-5.0]}"#).unwrap(),
            json!({"1.0": "2.0 \" 3.0", "n": [4, -5]})
        );
        for broken in ["01.0", "1.", ".0", "-.0", "1.0.0", "+1.0", "1.0e", "--1.0"] {
            let told = parse_json(broken).unwrap_err();
            assert_eq!(told.code, "broken_json", "{broken}");
        }
    }
}
