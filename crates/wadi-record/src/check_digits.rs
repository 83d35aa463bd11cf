//! Check digits as warnings. What an officer saw is recorded as seen; a wrong digit is shown beside
//! it.
//!
//! A traveller's machine-readable zone is read and checked where it is captured and never stored
//! (`normal/zone.rs`): a record tells only that its check failed, in `person.N.document_check`.

use crate::normal::normalise_plate;
use wadi_log::Value;

/// What looks wrong about a value, in a sentence; nothing where it looks right or has no check
/// digit.
pub fn warnings(key: &str, value: &Value) -> Option<String> {
    let Value::Text(text) = value else {
        return None;
    };
    if key.starts_with("container.") {
        let number = normalise_plate(text);
        if let Some(digit) = loading_unit_digit(&number) {
            let CheckDigit { found, expected } = digit;
            return (found != expected).then(|| {
                format!(
                    "{text}: not a valid EN 13044-1 loading unit number (check digit is {found}, \
                     expected {expected})"
                )
            });
        }

        return match iso6346::validate(&number) {
            Ok(()) => None,
            Err(e) => Some(format!(
                "{text}: not a valid ISO 6346 container number ({e})"
            )),
        };
    }

    if key == "vehicle.vin" {
        let number = normalise_plate(text);
        return match vin_info::Vin::try_new(&number) {
            Ok(vin) if vin.is_checksum_valid() || !has_check_digit(&number) => None,
            Ok(_) => Some(format!(
                "{text}: its check digit does not agree (ISO 3779, as used in North America and China)"
            )),
            Err(_) => Some(format!("{text}: not a valid ISO 3779 vehicle number")),
        };
    }

    if let Some(person) = key
        .strip_suffix(".document_check")
        .filter(|p| p.starts_with("person."))
        && text == "failed"
    {
        return Some(format!(
            "{person}: the machine-readable zone of the document failed its check (ICAO 9303)"
        ));
    }

    None
}

/// Whether the ninth place of a vehicle number is a check digit: it has to be in North America (1
/// to 5, and of 7 what is not New Zealand's) and in China (L). Other makers put there what they
/// like.
fn has_check_digit(vin: &str) -> bool {
    let of_new_zealand = |rest: &str| rest.starts_with(['A', 'B', 'C', 'D', 'E']);
    let is_of_seven = vin
        .strip_prefix('7')
        .is_some_and(|rest| !of_new_zealand(rest));

    is_of_seven || vin.starts_with(['1', '2', '3', '4', '5', 'L'])
}

/// What a text tells of itself: the first field whose numbers have its form, or nearly so.
fn looks_like(number: &str) -> Option<&'static str> {
    if !number.bytes().all(|c| c.is_ascii_alphanumeric()) {
        return None;
    }

    // Four letters and six digits, one of them misread; then the check digit, and the codes of size
    // and type, which somebody may have taken along.
    let is_container = number.split_at_checked(4).is_some_and(|(owner, rest)| {
        let digits = rest.bytes().take(6).filter(u8::is_ascii_digit).count();
        let is_owner = owner.bytes().all(|c| c.is_ascii_uppercase());
        is_owner && digits >= 5 && matches!(rest.len(), 6 | 7 | 8 | 11)
    });
    if is_container {
        return Some("container.1");
    }

    // A character may be missing, or one too many; nothing else that is sought is so long.
    let has = |is: fn(&u8) -> bool| number.bytes().any(|c| is(&c));
    let is_vin =
        (16..=18).contains(&number.len()) && has(u8::is_ascii_digit) && has(u8::is_ascii_uppercase);
    is_vin.then_some("vehicle.vin")
}

/// What looks wrong about a text that may be any number that stands on a thing, in a sentence: what
/// has the form of a container's or a vehicle's number is held to its check digit.
pub(crate) fn looks_misread(text: &str) -> Option<String> {
    let field = looks_like(&normalise_plate(text))?;
    warnings(field, &Value::Text(text.into()))
}

/// The same of a text that is read off a container.
pub(crate) fn container_misread(text: &str) -> Option<String> {
    warnings("container.1", &Value::Text(text.into()))
}

/// The check digit that a number has, and the one that it has to have.
struct CheckDigit {
    found: u32,
    expected: u32,
}

/// The check digit of a number of an intermodal loading unit (EN 13044-1): as a container's, with
/// one of the letters A, B, D, E and K in the fourth place. Nothing where the number has not that
/// form.
fn loading_unit_digit(number: &str) -> Option<CheckDigit> {
    let bytes = number.as_bytes();
    if bytes.len() != 11 || !matches!(bytes[3], b'A' | b'B' | b'D' | b'E' | b'K') {
        return None;
    }

    let (owner, digits) = bytes.split_at(4);
    if !owner.iter().all(u8::is_ascii_uppercase) || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }

    // ISO 6346: letters count from 10 on, leaving out the multiples of eleven.
    let value = |byte: u8| match byte {
        b'0'..=b'9' => u32::from(byte - b'0'),
        _ => {
            let place = u32::from(byte - b'A');
            10 + place + place.div_ceil(10)
        }
    };

    let sum: u32 = bytes[..10]
        .iter()
        .enumerate()
        .map(|(n, byte)| value(*byte) << n)
        .sum();

    Some(CheckDigit {
        found: value(bytes[10]),
        expected: sum % 11 % 10,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_number_with_a_check_digit_is_held_to_it() {
        for misread in [
            "CSQU3054384",
            "CSQU305438",
            "CSQU3O54383",
            "CSQU3054383/22G1",
            "CSQU30543833",
            "1M8GDM9A1KP042788",
            "1M8GDM9AXKP04278",
        ] {
            assert!(looks_misread(misread).is_some(), "{misread}");
        }

        for right in [
            "CSQU 305438-3",
            "1M8GDM9AXKP042788",
            "22 A 12345",
            "ABCD 12345",
            "٢٢ أ ١٢٣٤٥",
            "0123456789012345",
        ] {
            assert_eq!(looks_misread(right), None, "{right}");
        }
    }

    #[test]
    fn a_wrong_digit_is_a_warning_and_never_a_refusal() {
        let text = |t: &str| Value::Text(t.into());
        // ISO 6346's own example, and the specimen of ICAO 9303 part 4.
        assert_eq!(warnings("container.1", &text("CSQU3054383")), None);
        assert!(warnings("container.1", &text("CSQU3054384")).is_some());
        assert_eq!(warnings("vehicle.vin", &text("1M8GDM9AXKP042788")), None);
        assert!(warnings("vehicle.vin", &text("1M8GDM9A1KP042788")).is_some());

        // As people write it; and of a maker that has no check digit.
        assert_eq!(warnings("vehicle.vin", &text("1m8gdm9axk p042788")), None);
        assert_eq!(warnings("vehicle.vin", &text("WVGZZZ5NZJM131395")), None);
        assert_eq!(warnings("vehicle.vin", &text("7ATZZZ5NZJM131395")), None);
        assert_eq!(warnings("vehicle.vin", &text("7SAYGDEE1NF123456")), None);
        for wrong in ["7SAYGDEE2NF123456", "7FCTGAAA0NN000001"] {
            assert!(warnings("vehicle.vin", &text(wrong)).is_some(), "{wrong}");
        }
        assert!(warnings("vehicle.vin", &text("WVGZZZ5NZJM13139")).is_some());

        for loading_unit in ["ATBE1003091", "ATBA1003095", "MSCK1003090"] {
            assert_eq!(
                warnings("container.1", &text(loading_unit)),
                None,
                "{loading_unit}"
            );
        }

        assert_eq!(
            warnings("container.1", &text("ATBE 100309-2")).unwrap(),
            "ATBE 100309-2: not a valid EN 13044-1 loading unit number (check digit is 2, \
             expected 1)"
        );

        for wrong in ["ATBE1003092", "ATBC1003091", "ATBE100309"] {
            assert!(warnings("container.1", &text(wrong)).is_some(), "{wrong}");
        }

        assert!(
            warnings("person.2.document_check", &text("failed"))
                .unwrap()
                .starts_with("person.2: ")
        );

        assert_eq!(warnings("person.2.document_check", &text("passed")), None);
        assert_eq!(warnings("person.2.document_type", &text("failed")), None);
    }
}
