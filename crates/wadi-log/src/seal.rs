//! Seals: a node's signature under a text that is neither an entry nor a checkpoint, as the manifest of a backup.

use crate::{LogError, LogKey, hex, note::verify, unhex};

/// What is signed: nothing else that a log key signs begins like it, and no kind of text can be passed off as another.
fn sealed_bytes(kind: &str, text: &str) -> Vec<u8> {
    format!("wadi.seal/v1\n{kind}\n{text}").into_bytes()
}

impl LogKey {
    /// This node's seal under a text of a kind, in hexadecimal. A kind is one line.
    pub fn seal(&self, kind: &str, text: &str) -> String {
        hex(&self.sign_bytes(&sealed_bytes(kind, text)))
    }
}

/// Checks a seal under a text of a kind against a node's log key.
pub fn check_seal(log_key: &[u8; 32], kind: &str, text: &str, seal: &str) -> Result<(), LogError> {
    let signature: Option<[u8; 64]> = unhex(seal).and_then(|bytes| bytes.try_into().ok());
    let signature = signature.ok_or_else(|| LogError::malformed("seal", "expected 128 hexadecimal digits"))?;
    verify(log_key, &sealed_bytes(kind, text), &signature, "seal")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_holds_for_its_text_its_kind_and_its_key() {
        let key = LogKey::from_seed(&[5; 32]);
        let seal = key.seal("backup", "a text");
        check_seal(&key.public(), "backup", "a text", &seal).unwrap();
        let stranger = LogKey::from_seed(&[6; 32]);
        for (by, kind, text) in [
            (key.public(), "backup", "another text"),
            (key.public(), "receipt", "a text"),
            (stranger.public(), "backup", "a text"),
        ] {
            assert_eq!(check_seal(&by, kind, text, &seal).unwrap_err().code(), "bad_signature");
        }
        assert_eq!(check_seal(&key.public(), "backup", "a text", "zz").unwrap_err().code(), "malformed");
    }
}
