//! An event's JSON as a shape with holes, and the values that fill them: events of one type differ
//! in the values alone.

use super::columns::{ColumnId, column_of};

/// A hole for a text.
const TEXT_HOLE: u8 = 1;
/// A hole for a whole number.
const NUMBER_HOLE: u8 = 2;
/// Bytes of a shape at most; the text of a longer one is taken as a whole.
pub(super) const SHAPE_BYTES_MAX: usize = 512;
/// Digits of a number that fills a hole, at most.
const DIGITS_MAX: usize = 18;

/// What fills a hole.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum HoleValue {
    /// What stands between the quotes, word for word.
    Text(Vec<u8>),
    Number(i64),
}

/// A hole in a shape: its place, and the column of its values.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Hole {
    at: usize,
    pub(super) column: ColumnId,
    pub(super) is_number: bool,
}

/// Takes an event apart; none where its parts would not give the same text again.
pub(super) fn split_event(text: &[u8]) -> Option<(Vec<u8>, Vec<HoleValue>)> {
    if text.iter().any(|byte| *byte <= NUMBER_HOLE) {
        return None;
    }

    let (mut shape, mut values) = (Vec::new(), Vec::new());
    let (mut at, mut member) = (0, &b""[..]);
    while let Some(byte) = text.get(at) {
        let rest = &text[at..];
        if *byte == b'"' {
            let quoted = quoted_len(rest)?;
            let inner = &rest[1..quoted - 1];
            let is_member = rest.get(quoted) == Some(&b':');
            if is_member || member == b"type" {
                shape.extend(&rest[..quoted]);
            } else {
                shape.push(TEXT_HOLE);
                values.push(HoleValue::Text(inner.into()));
            }

            if is_member {
                member = inner;
            }
            at += quoted;
        } else if let Some((number, length)) = number_at(rest) {
            shape.push(NUMBER_HOLE);
            values.push(HoleValue::Number(number));
            at += length;
        } else {
            // A number that fills no hole is copied whole, not from its second digit on.
            let length = rest.iter().take_while(|b| is_of_number(**b)).count().max(1);
            shape.extend(&rest[..length]);
            at += length;
        }
    }

    let whole = shape.len() <= SHAPE_BYTES_MAX && fill_shape(&shape, &values) == text;
    whole.then_some((shape, values))
}

/// The text of a shape and its values.
pub(super) fn fill_shape(shape: &[u8], values: &[HoleValue]) -> Vec<u8> {
    let mut values = values.iter();
    let mut out = Vec::with_capacity(shape.len() + 64);
    for byte in shape {
        match byte {
            &TEXT_HOLE | &NUMBER_HOLE => match values.next() {
                Some(HoleValue::Text(text)) => {
                    out.push(b'"');
                    out.extend(text);
                    out.push(b'"');
                }
                Some(HoleValue::Number(number)) => out.extend(number.to_string().bytes()),
                None => {}
            },
            other => out.push(*other),
        }
    }
    out
}

/// The holes of a shape, in order. A column is of one member of one type of event.
pub(super) fn holes_of(shape: &[u8]) -> Vec<Hole> {
    let mut holes: Vec<(usize, &[u8], bool)> = Vec::new();
    let (mut at, mut member, mut kind) = (0, &b""[..], &b""[..]);
    while let Some(byte) = shape.get(at) {
        let rest = &shape[at..];
        match byte {
            b'"' => {
                let Some(quoted) = quoted_len(rest) else {
                    break;
                };
                let inner = &rest[1..quoted - 1];
                if rest.get(quoted) == Some(&b':') {
                    member = inner;
                } else {
                    kind = inner;
                }
                at += quoted;
                continue;
            }
            &TEXT_HOLE => holes.push((at, member, false)),
            &NUMBER_HOLE => holes.push((at, member, true)),
            _ => {}
        }
        at += 1;
    }

    let part = column_of(kind, 0);
    holes
        .into_iter()
        .map(|(at, member, is_number)| Hole {
            at,
            column: column_of(member, part),
            is_number,
        })
        .collect()
}

/// Bytes of the quoted text that begins here, with its quotes.
fn quoted_len(rest: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        match rest.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

fn is_of_number(byte: u8) -> bool {
    byte.is_ascii_digit() || b"+-.eE".contains(&byte)
}

/// The whole number that stands here, and its length.
fn number_at(rest: &[u8]) -> Option<(i64, usize)> {
    let length = rest.iter().take_while(|b| is_of_number(**b)).count();
    if length == 0 || length > DIGITS_MAX {
        return None;
    }

    let text = std::str::from_utf8(&rest[..length]).ok()?;
    let number: i64 = text.parse().ok()?;
    (number.to_string() == text).then_some((number, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_comes_back_from_its_shape_and_values() {
        let text =
            br#"{"gate":"G1","kg":-20,"note":"a \"b\" \\","of":[1,2.5,"x",1e3],"type":"in"}"#;
        let (shape, values) = split_event(text).unwrap();
        assert_eq!(fill_shape(&shape, &values), text);
        assert_eq!(
            values,
            [
                HoleValue::Text(b"G1".to_vec()),
                HoleValue::Number(-20),
                HoleValue::Text(br#"a \"b\" \\"#.to_vec()),
                HoleValue::Number(1),
                HoleValue::Text(b"x".to_vec()),
            ]
        );
        assert_eq!(holes_of(&shape).len(), values.len());

        let other = br#"{"gate":"G2","kg":7,"note":"","of":[3,2.5,"y",1e3],"type":"in"}"#;
        assert_eq!(split_event(other).unwrap().0, shape, "the same shape");
    }

    #[test]
    fn what_is_no_event_comes_back_all_the_same_or_is_left_whole() {
        for text in [
            &b""[..],
            b"\"",
            b"\"\\",
            b"\"abc",
            b"-0",
            b"007",
            b"99999999999999999999",
            b"{\"a\":\x01}",
            b"\"\":\"\"",
            "{\"الختم\":\"سليم\"}".as_bytes(),
        ] {
            if let Some((shape, values)) = split_event(text) {
                assert_eq!(fill_shape(&shape, &values), text);
                let holes = holes_of(&shape);
                let numbers = values.iter().map(|v| matches!(v, HoleValue::Number(_)));
                assert!(holes.iter().map(|h| h.is_number).eq(numbers));
            }
        }
    }
}
