//! Keys of notes: how they are written down, and what they sign.

use crate::{CountryError, CountryHead};
use base64::{Engine, engine::general_purpose::STANDARD};
use ml_dsa::{EncodedSignature, EncodedVerifyingKey, MlDsa44, Signature, SigningKey, VerifyingKey};
use ml_dsa::{Keypair, SignatureEncoding, Signer, Verifier};
use sha2::{Digest, Sha256};
use wadi_log::{LogKey, hex, verify_ed25519};

/// Bytes of an ML-DSA-44 public key.
const ML_DSA_KEY_BYTES: usize = 1_312;
/// Bytes of a key's name at most: the text that ML-DSA-44 signs counts them in one byte.
const NAME_BYTES_MAX: usize = 255;

/// What a key of a note signs, by the type byte of C2SP signed-note.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SignatureKind {
    /// 0x01: Ed25519 over the note's text.
    Ed25519,
    /// 0x04: a timestamped Ed25519 cosignature.
    Cosignature,
    /// 0x06: a timestamped ML-DSA-44 cosignature.
    MlDsa44,
}

impl SignatureKind {
    fn byte(self) -> u8 {
        match self {
            Self::Ed25519 => 0x01,
            Self::Cosignature => 0x04,
            Self::MlDsa44 => 0x06,
        }
    }

    fn of_byte(byte: u8) -> Option<Self> {
        [Self::Ed25519, Self::Cosignature, Self::MlDsa44]
            .into_iter()
            .find(|kind| kind.byte() == byte)
    }

    fn key_bytes(self) -> usize {
        match self {
            Self::Ed25519 | Self::Cosignature => 32,
            Self::MlDsa44 => ML_DSA_KEY_BYTES,
        }
    }
}

/// A verifier key: `name+id+base64(type ‖ key)`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VKey {
    name: String,
    kind: SignatureKind,
    key: Vec<u8>,
}

impl VKey {
    /// A key under a name, which has neither spaces nor a plus.
    pub fn new(name: &str, kind: SignatureKind, key: &[u8]) -> Result<Self, CountryError> {
        let bad = |why: &str| Err(CountryError::malformed("verifier key", why));
        let is_odd = |c: char| c.is_whitespace() || c.is_control() || c == '+';
        if name.is_empty() || name.len() > NAME_BYTES_MAX || name.chars().any(is_odd) {
            return bad("its name");
        }

        if key.len() != kind.key_bytes() {
            return bad("its length is not that of a key of its type");
        }

        Ok(Self {
            name: name.into(),
            kind,
            key: key.into(),
        })
    }

    /// Reads one. The id must be the one that follows from name, type and key.
    pub fn parse(text: &str) -> Result<Self, CountryError> {
        let bad = |why: &str| CountryError::malformed("verifier key", why);
        let mut parts = text.splitn(3, '+');
        let mut next = || parts.next().ok_or_else(|| bad("not name+id+key"));
        let (name, id, key) = (next()?, next()?, next()?);
        let bytes = STANDARD.decode(key).map_err(|_| bad("its base64"))?;
        let (byte, key) = bytes.split_first().ok_or_else(|| bad("it is empty"))?;
        let kind = SignatureKind::of_byte(*byte).ok_or_else(|| bad("its type is not known"))?;

        let this = Self::new(name, kind, key)?;
        if hex(&this.id()) == id {
            Ok(this)
        } else {
            Err(bad("its id does not follow from its name and key"))
        }
    }

    /// Its text.
    pub fn text(&self) -> String {
        let bytes = [&[self.kind.byte()][..], &self.key].concat();
        format!(
            "{}+{}+{}",
            self.name,
            hex(&self.id()),
            STANDARD.encode(bytes)
        )
    }

    /// The name under which it signs.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it signs.
    pub fn kind(&self) -> SignatureKind {
        self.kind
    }

    /// The key itself.
    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// The first four bytes of SHA-256 over name, line feed, type and key.
    pub fn id(&self) -> [u8; 4] {
        let mut hasher = Sha256::new();
        hasher.update(self.name.as_bytes());
        hasher.update([b'\n', self.kind.byte()]);
        hasher.update(&self.key);
        let hash: [u8; 32] = hasher.finalize().into();
        [hash[0], hash[1], hash[2], hash[3]]
    }

    /// Whether a line of a note is by this key: the name and the first bytes say so.
    pub(crate) fn is_of(&self, name: &str, signature: &[u8]) -> bool {
        self.name == name && signature.starts_with(&self.id())
    }

    /// Checks what stands behind the id in a line of a note. The time that a cosigner names, Unix
    /// seconds; 0 for a plain signature.
    pub(crate) fn verify(
        &self,
        head: &CountryHead,
        body: &str,
        signature: &[u8],
    ) -> Result<u64, CountryError> {
        let wrong = || CountryError::BadSignature(self.name.clone());
        let (time_s, message, signature) = match self.kind {
            SignatureKind::Ed25519 => (0, body.as_bytes().to_vec(), signature),
            SignatureKind::Cosignature => {
                let (time_s, rest) = split_time(signature).ok_or_else(wrong)?;
                (time_s, cosigned_text(time_s, body), rest)
            }
            SignatureKind::MlDsa44 => {
                let (time_s, rest) = split_time(signature).ok_or_else(wrong)?;
                (time_s, subtree_text(&self.name, time_s, head), rest)
            }
        };

        let is_right = match self.kind {
            SignatureKind::MlDsa44 => is_by_ml_dsa(&self.key, &message, signature),
            _ => is_by_ed25519(&self.key, &message, signature),
        };
        if is_right { Ok(time_s) } else { Err(wrong()) }
    }
}

/// A cosigner's time, Unix seconds, and the signature behind it.
fn split_time(signature: &[u8]) -> Option<(u64, &[u8])> {
    let (time, rest) = signature.split_first_chunk::<8>()?;
    let time_s = u64::from_be_bytes(*time);
    // Of a whole tree a time is said, and one that a signed number holds.
    (time_s > 0 && i64::try_from(time_s).is_ok()).then_some((time_s, rest))
}

fn is_by_ed25519(key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let (Ok(key), Ok(signature)) = (key.try_into(), signature.try_into()) else {
        return false;
    };
    verify_ed25519(key, message, signature)
}

fn is_by_ml_dsa(key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let (Ok(key), Ok(signature)) = (
        EncodedVerifyingKey::<MlDsa44>::try_from(key),
        EncodedSignature::<MlDsa44>::try_from(signature),
    ) else {
        return false;
    };
    let Some(signature) = Signature::<MlDsa44>::decode(&signature) else {
        return false;
    };

    VerifyingKey::<MlDsa44>::decode(&key)
        .verify(message, &signature)
        .is_ok()
}

fn cosigned_text(time_s: u64, body: &str) -> Vec<u8> {
    format!("cosignature/v1\ntime {time_s}\n{body}").into_bytes()
}

/// What an ML-DSA-44 cosigner signs of a whole tree (tlog-cosignature, `cosigned_message`). It
/// names the signer, the log, the size and the root; extension lines are not a part of it.
fn subtree_text(cosigner: &str, time_s: u64, head: &CountryHead) -> Vec<u8> {
    let counted = |out: &mut Vec<u8>, text: &str| {
        out.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
        out.extend_from_slice(text.as_bytes());
    };

    let mut out = b"subtree/v1\n\0".to_vec();
    counted(&mut out, cosigner);
    out.extend_from_slice(&time_s.to_be_bytes());
    counted(&mut out, &head.origin);
    out.extend_from_slice(&0u64.to_be_bytes());
    out.extend_from_slice(&head.size.to_be_bytes());
    out.extend_from_slice(&head.root.0);
    out
}

/// Whatever signs heads under a name.
pub trait HeadSigner {
    /// The keys under which it signs.
    fn vkeys(&self) -> Vec<VKey>;
    /// Its lines of a note, each with a line feed.
    fn lines(&self, head: &CountryHead, time_s: u64) -> String;
}

/// A hub's keys of its country log: its own log key, and an ML-DSA-44 key that follows from it.
///
/// One seed makes both, so nothing more is issued, sealed, renewed or lost. Whoever breaks Ed25519
/// finds the number that signs, which a hash made of the seed, and not the seed: the second key
/// stands though the first be broken.
pub struct CountryKey {
    origin: String,
    log_key: LogKey,
    ml_dsa: SigningKey<MlDsa44>,
}

/// The context of the seed of the second key.
const ML_DSA_CONTEXT: &str = "wadi.country/v1 ml-dsa-44";

impl CountryKey {
    /// The keys that sign a country log of this origin.
    pub fn new(log_key: &LogKey, origin: &str) -> Self {
        let seed = log_key.derived_seed(ML_DSA_CONTEXT);
        Self {
            origin: origin.into(),
            log_key: log_key.clone(),
            ml_dsa: SigningKey::from_seed(&seed.into()),
        }
    }

    fn vkey(&self, kind: SignatureKind, key: &[u8]) -> VKey {
        VKey {
            name: self.origin.clone(),
            kind,
            key: key.into(),
        }
    }

    fn line(&self, key: &VKey, parts: &[&[u8]]) -> String {
        let bytes = [&key.id()[..], &parts.concat()].concat();
        format!("\u{2014} {} {}\n", self.origin, STANDARD.encode(bytes))
    }
}

impl HeadSigner for CountryKey {
    fn vkeys(&self) -> Vec<VKey> {
        let ml_dsa = self.ml_dsa.verifying_key().encode();
        vec![
            self.vkey(SignatureKind::Ed25519, &self.log_key.public()),
            self.vkey(SignatureKind::MlDsa44, &ml_dsa),
        ]
    }

    fn lines(&self, head: &CountryHead, time_s: u64) -> String {
        let vkeys = self.vkeys();
        let plain = self.log_key.sign_text(&head.body());
        let message = subtree_text(&self.origin, time_s, head);
        let signature = self.ml_dsa.sign(&message).to_bytes();

        vkeys
            .iter()
            .map(|key| match key.kind() {
                SignatureKind::MlDsa44 => self.line(key, &[&time_s.to_be_bytes(), &signature]),
                _ => self.line(key, &[&plain]),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wadi_log::Hash;

    fn head() -> CountryHead {
        CountryHead {
            origin: "wadi.country/v1/hub".into(),
            size: 7,
            root: Hash([3; 32]),
        }
    }

    #[test]
    fn the_example_of_signed_note_reads() {
        let text = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
        let key = VKey::parse(text).unwrap();
        assert_eq!(
            (key.name(), key.kind()),
            ("example.com/foo", SignatureKind::Ed25519)
        );
        assert_eq!(key.text(), text);

        for odd in [
            text.replace("530d", "530e"),
            text.replace("example", "exam ple"),
            text.replace("+Ae", "+Be"),
            "a+b".into(),
            String::new(),
        ] {
            assert!(VKey::parse(&odd).is_err(), "{odd}");
        }
    }

    #[test]
    fn both_keys_sign_and_neither_signs_for_another_head() {
        let log_key = LogKey::from_seed(&[9; 32]);
        let signer = CountryKey::new(&log_key, "wadi.country/v1/hub");
        let (head, other) = (head(), CountryHead { size: 8, ..head() });
        let note = format!("{}\n{}", head.body(), signer.lines(&head, 1_800_000_000));
        let (body, lines) = wadi_log::parse_note(&note).unwrap();
        assert_eq!(lines.len(), 2);

        for (key, (name, bytes)) in signer.vkeys().iter().zip(&lines) {
            assert!(key.is_of(name, bytes));
            let signature = &bytes[4..];
            let time_s = key.verify(&head, body, signature).unwrap();
            let timed = key.kind() == SignatureKind::MlDsa44;
            assert_eq!(time_s, if timed { 1_800_000_000 } else { 0 });
            assert!(key.verify(&other, &other.body(), signature).is_err());
            assert!(key.verify(&head, body, &signature[1..]).is_err());
            assert_eq!(&VKey::parse(&key.text()).unwrap(), key);
        }
    }

    #[test]
    fn the_text_that_ml_dsa_signs_is_laid_out_as_the_standard_says() {
        let text = subtree_text("w", 5, &head());
        let origin = b"wadi.country/v1/hub";
        let expected = [
            &b"subtree/v1\n\0"[..],
            &[1, b'w'],
            &5u64.to_be_bytes(),
            &[origin.len() as u8],
            origin,
            &0u64.to_be_bytes(),
            &7u64.to_be_bytes(),
            &[3; 32],
        ];
        assert_eq!(text, expected.concat());
    }

    #[test]
    fn the_second_key_is_another_hubs_where_the_first_is() {
        let of = |seed: u8| CountryKey::new(&LogKey::from_seed(&[seed; 32]), "o").vkeys();
        assert_eq!(of(1), of(1));
        assert_ne!(of(1)[1], of(2)[1]);
    }
}
