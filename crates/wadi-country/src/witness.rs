//! `tlog-witness`: what a log asks of a witness, and what an answer is worth.

use crate::{CountryError, SignedHead, VKey};
use base64::{Engine, engine::general_purpose::STANDARD};
use std::fmt::Write;
use wadi_log::Hash;

/// Bytes of an answer that are read at most.
pub const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// Characters of an answer's reason that are told.
const WHY_CHARS_MAX: usize = 200;

/// The body of `add-checkpoint`: the size that the witness cosigned last, a proof that the
/// checkpoint follows on it, and the checkpoint.
pub fn ask_for_cosignature(old_size: u64, proof: &[Hash], note: &str) -> String {
    let mut body = format!("old {old_size}\n");
    for hash in proof {
        writeln!(body, "{}", STANDARD.encode(hash.0)).expect("a String grows");
    }

    format!("{body}\n{note}")
}

/// What a witness said.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CosignAnswer {
    /// It cosigned: lines of the note, each with a line feed and each checked.
    Cosigned(String),
    /// It cosigned this size last, and wants a proof from there.
    HasCosigned(u64),
    /// It did not, and why.
    Refused(String),
}

/// Reads an answer to [`ask_for_cosignature`]. Lines by other keys than the witness's are left out,
/// and an answer without a right one is a refusal.
pub fn read_answer(status: u16, body: &str, note: &str, keys: &[VKey]) -> CosignAnswer {
    match status {
        200 => match cosignatures(body, note, keys) {
            Ok(lines) if !lines.is_empty() => CosignAnswer::Cosigned(lines),
            Ok(_) => CosignAnswer::Refused("no line of its answer is by its key".into()),
            Err(error) => CosignAnswer::Refused(error.to_string()),
        },
        409 => match body.strip_suffix('\n').unwrap_or(body).parse() {
            Ok(size) => CosignAnswer::HasCosigned(size),
            Err(_) => CosignAnswer::Refused("its answer of 409 names no size".into()),
        },
        status => {
            let why: String = body.trim().chars().take(WHY_CHARS_MAX).collect();
            CosignAnswer::Refused(format!("HTTP {status}: {why}"))
        }
    }
}

fn cosignatures(answer: &str, note: &str, keys: &[VKey]) -> Result<String, CountryError> {
    let head = SignedHead::parse(note)?.head;
    let mut out = String::new();
    for line in answer.lines() {
        let alone = format!("{}\n{line}\n", head.body());
        let signed = SignedHead::parse(&alone)?;
        for key in keys {
            if signed.signed_by(key)?.is_some_and(|time_s| time_s > 0) {
                writeln!(out, "{line}").expect("a String grows");
            }
        }
    }

    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CountryHead, CountryKey, HeadSigner, SignatureKind};
    use wadi_log::LogKey;

    /// A witness of ours under its own name: only the lines that it signs matter here.
    fn witness(head: &CountryHead) -> (VKey, String) {
        let key = CountryKey::new(&LogKey::from_seed(&[5; 32]), "witness.example/pq");
        let lines = key.lines(head, 1_800_000_000);
        let line = lines
            .lines()
            .nth(1)
            .expect("the ML-DSA-44 line")
            .to_string();
        (key.vkeys()[1].clone(), line)
    }

    fn head() -> CountryHead {
        CountryHead {
            origin: "log.example/1".into(),
            size: 3,
            root: Hash([1; 32]),
        }
    }

    fn note() -> String {
        head().note(
            &CountryKey::new(&LogKey::from_seed(&[1; 32]), "log.example/1"),
            7,
        )
    }

    #[test]
    fn a_request_has_the_lines_that_the_standard_asks_for() {
        let body = ask_for_cosignature(7, &[Hash([0; 32]), Hash([1; 32])], &note());
        let (asked, rest) = body.split_once("\n\n").unwrap();
        assert_eq!(asked.lines().next(), Some("old 7"));
        assert_eq!(asked.lines().count(), 3);
        assert_eq!(rest, note());
        assert!(ask_for_cosignature(0, &[], "n\n").starts_with("old 0\n\nn"));
    }

    #[test]
    fn a_cosignature_is_taken_of_the_key_alone_that_was_asked() {
        let (key, line) = witness(&head());
        assert_eq!(key.kind(), SignatureKind::MlDsa44);
        let keys = [key];
        let answer = format!("{line}\n");
        let taken = read_answer(200, &answer, &note(), &keys);
        assert_eq!(taken, CosignAnswer::Cosigned(answer.clone()));

        let stranger = "\u{2014} stranger AAAAAAAA\n";
        let mixed = read_answer(200, &format!("{stranger}{answer}"), &note(), &keys);
        assert_eq!(mixed, taken);
        assert!(matches!(
            read_answer(200, stranger, &note(), &keys),
            CosignAnswer::Refused(_)
        ));

        // What it signed is another checkpoint.
        let (_, other) = witness(&CountryHead { size: 4, ..head() });
        for odd in [other.as_str(), "", "nonsense", "\n\n\n"] {
            let said = read_answer(200, odd, &note(), &keys);
            assert!(matches!(said, CosignAnswer::Refused(_)), "{odd:?}");
        }
    }

    #[test]
    fn refusals_are_told_and_a_size_that_was_cosigned_before_is_read() {
        let said = |status, body| read_answer(status, body, &note(), &[]);
        assert_eq!(said(409, "12\n"), CosignAnswer::HasCosigned(12));
        assert!(matches!(said(409, "x"), CosignAnswer::Refused(_)));
        let long = "e".repeat(10_000);
        let CosignAnswer::Refused(why) = said(422, &long) else {
            panic!("it was refused");
        };
        assert!(why.starts_with("HTTP 422") && why.len() < 300);
    }
}
