//! Which ids of records begin like a text that somebody typed.

use crate::{
    Crossing, Lane, RecordId,
    ids::{ALPHABET, TAIL_CHARS},
};

/// Characters of a tail at least, and digits of a full id, by which records are sought: of a
/// million records some thirty share so many characters. Digits alone may be a plate's, so that
/// more of them are asked for.
const BEGINNING_CHARS_MIN: usize = 3;
const BEGINNING_DIGITS_MIN: usize = 8;

impl RecordId {
    /// The ids whose printed form begins like this, with or without its hyphens: of which crossing
    /// and lane, the first and the last. None for what is no beginning of one, and for one so short
    /// that very many records share it.
    pub fn printed_beginning(text: &str) -> Option<(Crossing, Lane, Self, Self)> {
        let text: String = text.chars().filter(|c| *c != '-').collect();
        let (crossing, rest) = text.split_at_checked(3)?;
        let (letter, tail) = rest.split_at_checked(1)?;
        let lane = Lane::ALL
            .into_iter()
            .find(|l| letter.starts_with(l.letter()))?;
        if !(BEGINNING_CHARS_MIN..=TAIL_CHARS + 1).contains(&tail.len()) {
            return None;
        }

        let (mut first, mut last) = ([0; 32], [0xff; 32]);
        for (place, c) in tail.bytes().take(TAIL_CHARS).enumerate() {
            let value = ALPHABET.iter().position(|known| *known == c)?;
            for bit in 0..5 {
                let at = place * 5 + bit;
                let mask = 0x80 >> (at % 8);
                match value >> (4 - bit) & 1 {
                    1 => first[at / 8] |= mask,
                    _ => last[at / 8] &= !mask,
                }
            }
        }

        Some((crossing.parse().ok()?, lane, Self(first), Self(last)))
    }

    /// The ids whose full form begins with these hexadecimal digits: the first and the last. None
    /// for what is no beginning of one, and for one so short that very many records share it.
    pub fn hex_beginning(text: &str) -> Option<(Self, Self)> {
        if !(BEGINNING_DIGITS_MIN..=64).contains(&text.len()) || !text.is_ascii() {
            return None;
        }

        let fill = |with: &str| format!("{text}{}", with.repeat(64 - text.len())).parse();
        Some((fill("0").ok()?, fill("f").ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_lies_between_the_ends_of_each_of_its_beginnings() {
        let id = RecordId(std::array::from_fn(|n| (n as u8).wrapping_mul(37) ^ 0x5a));
        let (crossing, lane) = ("TRB".parse().unwrap(), Lane::Passage);
        let printed = id.print(crossing, lane);
        for end in "TRB-P-123".len()..=printed.len() {
            let beginning = printed.get(..end).unwrap();
            let (c, l, from, to) = RecordId::printed_beginning(beginning).unwrap();
            assert!(
                (c, l) == (crossing, lane) && from <= id && id <= to,
                "{beginning}"
            );
            assert_eq!(
                RecordId::printed_beginning(&beginning.replace('-', "")),
                Some((c, l, from, to))
            );
        }

        let other = RecordId([0x11; 32]).print(crossing, lane);
        let (.., from, to) = RecordId::printed_beginning(&other).unwrap();
        assert!(id < from || to < id);

        for none in [
            "",
            "TRB",
            "TRB-P",
            "TRB-P-12",
            "TRB-X-123",
            "TRB-P-12U",
            "trb-P-123",
            "سيط-P-123",
        ] {
            assert_eq!(RecordId::printed_beginning(none), None, "{none}");
        }

        let text = id.to_string();
        let (from, to) = RecordId::hex_beginning(text.get(..9).unwrap()).unwrap();
        assert!(from <= id && id <= to);
        assert_eq!(RecordId::hex_beginning(&text), Some((id, id)));
        for none in ["", "abcdef0", "xyzwxyzw", "éééé", &"0".repeat(65)] {
            assert_eq!(RecordId::hex_beginning(none), None, "{none}");
        }
    }
}
