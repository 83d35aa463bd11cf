//! Keyed hashes of travellers' documents.

use super::plate::normalise_plate;

/// Hexadecimal digits of a SHA-256.
const DIGITS: usize = 64;
/// Names that stand before a hash of that kind, as they are left when signs are taken out.
const NAMES: [&str; 4] = ["", "SHA256", "SHA2256", "0X"];

/// Whether this is a SHA-256: 64 hexadecimal digits, large or small, grouped or not, after the name
/// of the hash or none.
pub fn is_digest(raw: &str) -> bool {
    digits(raw).is_some()
}

/// A document's hash for comparing: 64 hexadecimal digits in small letters. What is none is
/// compared as a plate.
pub fn normalise_document(raw: &str) -> String {
    digits(raw).unwrap_or_else(|| normalise_plate(raw))
}

/// SHA-256 of a text of no length, which a reader sends that read nothing.
const OF_NO_TEXT: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// Whether this has the form of a hash and is one of nothing: of an empty text, or memory that
/// nobody wrote to, all bits of it off or on.
pub(crate) fn is_hash_of_nothing(raw: &str) -> bool {
    let is_all = |digits: &str, digit: char| digits.chars().all(|c| c == digit);
    digits(raw).is_some_and(|d| d == OF_NO_TEXT || is_all(&d, '0') || is_all(&d, 'f'))
}

fn digits(raw: &str) -> Option<String> {
    let text = normalise_plate(raw);
    let after_name = |name: &&str| text.strip_prefix(*name).filter(|rest| is_hexadecimal(rest));

    Some(NAMES.iter().find_map(after_name)?.to_ascii_lowercase())
}

fn is_hexadecimal(text: &str) -> bool {
    text.len() == DIGITS && text.bytes().all(|c| c.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_digits_have_no_case_and_no_groups() {
        let plain = "086ff6e211244cefac94af2bb85f5009bd7f82aa71334617ad11b11e48e3a67d";
        let bytes: Vec<&str> = (0..32)
            .map(|n| plain.get(2 * n..2 * n + 2).unwrap())
            .collect();

        for written in [
            plain.to_uppercase(),
            format!(" {plain} "),
            format!("sha256:{plain}"),
            format!("SHA-256: {plain}"),
            format!("0x{plain}"),
            bytes.join(":"),
            bytes.join(" "),
            format!("sha256:{}", bytes.join(":").to_uppercase()),
            plain.replace('0', "٠"),
        ] {
            assert!(is_digest(&written), "{written}");
            assert_eq!(normalise_document(&written), plain, "{written}");
        }

        assert!(!is_digest("sha256:"));
        assert!(!is_digest(&plain.replace('0', "G")));
        assert!(!is_digest(&format!("{plain}0")));
        assert_ne!(normalise_document(&plain.replace('0', "1")), plain);
    }
}
