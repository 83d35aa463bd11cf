//! Protobuf as bytes have it: read into fields, spoilt in one place, and written again, whether the
//! result is canonical or not.

use super::hostile_texts::{BIG_TEXT, number, text};
use rand::{RngExt, prelude::IndexedRandom, rngs::StdRng};

/// A field, by its number.
#[derive(Clone, Debug)]
pub(crate) struct MessageField {
    number: u32,
    value: FieldBytes,
}

/// What a field holds.
#[derive(Clone, Debug)]
enum FieldBytes {
    Varint(u64),
    Bytes(Vec<u8>),
}

/// The fields whose bytes are a message of their own: the kind of the entry's body, and the numbers
/// that lead there from the entry on.
const NESTED: &[(u64, &[u32])] = &[
    (1, &[11]),
    (1, &[11, 2]),
    (1, &[11, 3]),
    (1, &[11, 3, 2]),
    (2, &[11]),
    (2, &[11, 2]),
    (3, &[11]),
    (3, &[11, 1]),
    (4, &[11]),
    (4, &[11, 1]),
    (4, &[11, 1, 6]),
    (5, &[11]),
    (6, &[11]),
    (7, &[11]),
    (7, &[11, 3]),
    (7, &[11, 4]),
    (8, &[11]),
    (8, &[11, 1]),
    (9, &[11]),
    (10, &[11]),
    (11, &[11]),
    (11, &[11, 1]),
    (12, &[11]),
    (13, &[11]),
    (14, &[11]),
];

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut out = 0u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        out |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(out);
        }
    }

    None
}

fn put_varint(mut n: u64, out: &mut Vec<u8>) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

/// The fields of a message; none where the bytes are none of the messages here.
pub(crate) fn read_fields(mut bytes: &[u8]) -> Option<Vec<MessageField>> {
    let mut out = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes)?;
        let number = u32::try_from(key >> 3).ok()?;
        let value = match key & 7 {
            0 => FieldBytes::Varint(varint(&mut bytes)?),
            2 => {
                let length = usize::try_from(varint(&mut bytes)?).ok()?;
                let (inner, rest) = bytes.split_at_checked(length)?;
                bytes = rest;
                FieldBytes::Bytes(inner.to_vec())
            }
            _ => return None,
        };
        out.push(MessageField { number, value });
    }

    Some(out)
}

/// A message of these fields, in their order.
pub(crate) fn write_fields(fields: &[MessageField]) -> Vec<u8> {
    let mut out = Vec::new();
    for field in fields {
        let wire = match field.value {
            FieldBytes::Varint(_) => 0,
            FieldBytes::Bytes(_) => 2,
        };
        put_varint(u64::from(field.number) << 3 | wire, &mut out);
        match &field.value {
            FieldBytes::Varint(n) => put_varint(*n, &mut out),
            FieldBytes::Bytes(bytes) => {
                put_varint(bytes.len() as u64, &mut out);
                out.extend(bytes);
            }
        }
    }

    out
}

/// An entry with one of its fields spoilt, however deep it lies.
pub(crate) fn spoilt_field(r: &mut StdRng, entry: &[u8]) -> Vec<u8> {
    let Some(fields) = read_fields(entry) else {
        return entry.to_vec();
    };
    let kind = fields.iter().find_map(|f| match f.value {
        FieldBytes::Varint(kind) if f.number == 2 => Some(kind),
        _ => None,
    });

    write_fields(&spoilt(r, fields, kind.unwrap_or(0), &[]))
}

fn spoilt(
    r: &mut StdRng,
    mut fields: Vec<MessageField>,
    kind: u64,
    path: &[u32],
) -> Vec<MessageField> {
    if fields.is_empty() {
        fields.push(stranger(r));
        return fields;
    }

    let at = r.random_range(0..fields.len());
    let deeper = [path, &[fields[at].number]].concat();
    let is_nested = NESTED.iter().any(|(k, p)| *k == kind && *p == deeper);
    // The body is most of an entry: it is gone into more often than the few fields around it.
    let goes_in = match path.is_empty() {
        true => r.random_bool(0.9),
        false => r.random_bool(0.7),
    };

    if is_nested
        && goes_in
        && let FieldBytes::Bytes(bytes) = &fields[at].value
        && let Some(inner) = read_fields(bytes)
    {
        let inner = spoilt(r, inner, kind, &deeper);
        fields[at].value = FieldBytes::Bytes(write_fields(&inner));
        return fields;
    }

    spoil_one(r, &mut fields, at);
    fields
}

fn spoil_one(r: &mut StdRng, fields: &mut Vec<MessageField>, at: usize) {
    match r.random_range(0..12) {
        0 => drop(fields.remove(at)),
        // Twice in a row; by hundreds; at the end, where canonical bytes do not have it.
        1 => fields.insert(at, fields[at].clone()),
        2 => {
            let field = fields[at].clone();
            let times = *[2usize, 40, 255, 256, 257]
                .choose(r)
                .expect("there are some");
            let room = 24_000 / write_fields(std::slice::from_ref(&field)).len().max(1);
            (0..times.min(room)).for_each(|_| fields.insert(at, field.clone()));
        }
        3 => {
            let field = fields.remove(at);
            fields.push(field);
        }
        4 => fields.push(stranger(r)),
        // Another type of field under the same number.
        5 => {
            fields[at].value = match &fields[at].value {
                FieldBytes::Varint(n) => FieldBytes::Bytes(n.to_le_bytes().to_vec()),
                FieldBytes::Bytes(bytes) => FieldBytes::Varint(bytes.len() as u64),
            }
        }
        _ => spoil_value(r, &mut fields[at].value),
    }
}

fn stranger(r: &mut StdRng) -> MessageField {
    let number = *[12, 15, 16, 99, 1_000, (1 << 29) - 1]
        .choose(r)
        .expect("there are some");
    let value = match r.random() {
        true => FieldBytes::Varint(r.random()),
        false => FieldBytes::Bytes(text(r).into_bytes()),
    };

    MessageField { number, value }
}

fn spoil_value(r: &mut StdRng, value: &mut FieldBytes) {
    match value {
        FieldBytes::Varint(n) => {
            *n = match r.random_range(0..4) {
                0 => r.random(),
                1 => n.wrapping_add(r.random_range(1..3)),
                2 => n.wrapping_neg(),
                _ => number(r) as u64,
            }
        }
        FieldBytes::Bytes(bytes) => spoil_bytes(r, bytes),
    }
}

fn spoil_bytes(r: &mut StdRng, bytes: &mut Vec<u8>) {
    match r.random_range(0..9) {
        0 => bytes.clear(),
        1 => bytes.truncate(bytes.len() / 2),
        2 => bytes.extend(bytes.clone()),
        3 => *bytes = vec![0; bytes.len()],
        4 => *bytes = vec![0xff; bytes.len()],
        // A letter of two bytes that straddles where somebody may cut.
        5 => {
            let at = r.random_range(0..=bytes.len());
            bytes.splice(at..at, "ح".bytes());
        }
        6 if r.random_bool(0.05) => {
            // As long as an entry may be, and longer than each of its parts.
            let of = text(r);
            *bytes = of
                .as_bytes()
                .iter()
                .copied()
                .cycle()
                .take(BIG_TEXT)
                .collect();
        }
        7 if !bytes.is_empty() => {
            let at = r.random_range(0..bytes.len());
            bytes[at] ^= 1 << r.random_range(0..8);
        }
        _ => *bytes = text(r).into_bytes(),
    }
}

/// Bytes spoilt in one to four places, whatever they are.
pub(crate) fn spoilt_bytes(r: &mut StdRng, mut bytes: Vec<u8>) -> Vec<u8> {
    const EDGES: [u8; 8] = [0x00, 0x01, 0x7f, 0x80, 0x81, 0xfe, 0xff, b'"'];
    for _ in 0..r.random_range(1..=4) {
        let at = r.random_range(0..=bytes.len());
        let end = r.random_range(at..=bytes.len());

        match r.random_range(0..7) {
            0 if at < bytes.len() => bytes[at] ^= 1 << r.random_range(0..8),
            1 if at < bytes.len() => bytes[at] = EDGES[r.random_range(0..EDGES.len())],
            2 => bytes.truncate(at),
            3 => drop(bytes.drain(at..end.min(at + 16))),
            4 => {
                let run = bytes[at..end.min(at + 64)].to_vec();
                bytes.splice(at..at, run);
            }
            5 => {
                // A length, a count or a size of 64 bits.
                let huge = [0xff; 9].into_iter().chain([0x01]);
                bytes.splice(at..at, huge);
            }
            _ => bytes.insert(at, r.random()),
        }
    }

    bytes
}

#[test]
fn what_was_read_is_written_again_byte_for_byte() {
    use rand::SeedableRng;
    let mut r = StdRng::seed_from_u64(1);
    for entry in super::hostile_samples::one_of_each(&mut r) {
        let fields = read_fields(&entry).expect("good entries read");
        assert_eq!(write_fields(&fields), entry);
    }
}
