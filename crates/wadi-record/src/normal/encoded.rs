//! Text as forms and links carry it.

/// The bytes that `%C8` and the like stand for in a form or a link. What they make may be no text:
/// whoever reads it as one asks first, or a letter is lost that nobody sees.
pub fn percent_decoded(encoded: &[u8]) -> Vec<u8> {
    let hexadecimal = |at: usize| {
        let byte = encoded.get(at).copied()?;
        char::from(byte).to_digit(16)
    };

    let mut decoded = Vec::with_capacity(encoded.len());
    let mut at = 0;
    while let Some(byte) = encoded.get(at).copied() {
        let escaped = hexadecimal(at + 1)
            .zip(hexadecimal(at + 2))
            .filter(|_| byte == b'%')
            .and_then(|(high, low)| u8::try_from(high * 16 + low).ok());

        decoded.push(escaped.unwrap_or(byte));
        at += if escaped.is_some() { 3 } else { 1 };
    }

    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_escaped_is_read_and_all_else_stays() {
        for (encoded, decoded) in [
            ("a=b&c=%D8%A8", "a=b&c=ب".as_bytes()),
            ("51+ب", "51+ب".as_bytes()),
            ("100%", b"100%"),
            ("%ZZ%4", b"%ZZ%4"),
            ("%25%33", b"%3"),
            ("51+%C8+n", b"51+\xC8+n"),
        ] {
            assert_eq!(percent_decoded(encoded.as_bytes()), decoded, "{encoded}");
        }
    }
}
