//! OpenSSH's Ed25519 keys, and signatures by them over statements (PROTOCOL.sshsig of OpenSSH).
//!
//! Of that format one encoding is taken: version 1, Ed25519, SHA-512, nothing reserved. All of it
//! but the key and the 64 bytes of the signature is then the same in every one of a namespace, so
//! nothing is parsed: what stands at the places of those two is taken, the whole is made again, and
//! has to be the same bytes. Whoever keeps a signature keeps what `ssh-keygen -Y verify` reads.

use crate::{LogError, LogKey, note::verify};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD},
};
use ed25519_dalek::VerifyingKey;
use sha2::{Digest, Sha256, Sha512};
use std::fmt;

/// Bytes of the text of a signature or of a key at most, looked at before it is decoded.
pub const SSH_TEXT_BYTES_MAX: usize = 1_024;

const KEY_TYPE: &str = "ssh-ed25519";
const MAGIC: &[u8] = b"SSHSIG";
const HASH: &str = "sha512";
const ARMOR_BEGINS: &str = "-----BEGIN SSH SIGNATURE-----";
const ARMOR_ENDS: &str = "-----END SSH SIGNATURE-----";
/// Letters of a line between those, as `ssh-keygen` writes them.
const ARMOR_COLUMNS: usize = 70;

/// An Ed25519 key as OpenSSH has it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SshKey(
    /// The public key.
    pub [u8; 32],
);

impl SshKey {
    /// Reads the line of an OpenSSH public key, as a `.pub` file has it; its comment is left out.
    ///
    /// # Errors
    ///
    /// `malformed` for any other type of key, and for one that could sign nothing.
    pub fn from_openssh(line: &str) -> Result<Self, LogError> {
        let bad = |why: &str| LogError::malformed("ssh key", why);
        if line.len() > SSH_TEXT_BYTES_MAX {
            return Err(bad("too long"));
        }

        let mut words = line.split_whitespace();
        if words.next() != Some(KEY_TYPE) {
            return Err(bad("only keys of type ssh-ed25519 are taken"));
        }

        let blob = words.next().and_then(|text| STANDARD.decode(text).ok());
        let blob = blob.ok_or_else(|| bad("it is no base64"))?;
        Self::from_blob(&blob)
    }

    /// Reads a key as it stands in signatures and in the answers of an agent.
    ///
    /// # Errors
    ///
    /// As [`Self::from_openssh`].
    pub fn from_blob(blob: &[u8]) -> Result<Self, LogError> {
        let bad = |why: &str| LogError::malformed("ssh key", why);
        let key: [u8; 32] = blob
            .len()
            .checked_sub(32)
            .and_then(|from| blob.get(from..)?.try_into().ok())
            .ok_or_else(|| bad("too short"))?;

        let key = Self(key);
        if key.blob() != blob {
            return Err(bad("only keys of type ssh-ed25519 are taken"));
        }

        // A key of small order would verify what nobody signed.
        match VerifyingKey::from_bytes(&key.0).is_ok_and(|point| !point.is_weak()) {
            true => Ok(key),
            false => Err(bad("no point of the curve's large group")),
        }
    }

    /// The key as it stands in signatures.
    pub fn blob(&self) -> Vec<u8> {
        [ssh_string(KEY_TYPE.as_bytes()), ssh_string(&self.0)].concat()
    }

    /// The line of a `.pub` file, without a comment.
    pub fn to_openssh(&self) -> String {
        format!("{KEY_TYPE} {}", STANDARD.encode(self.blob()))
    }

    /// What people compare: `SHA256:…`, as `ssh-keygen -l` prints it.
    pub fn fingerprint(&self) -> String {
        format!(
            "SHA256:{}",
            STANDARD_NO_PAD.encode(Sha256::digest(self.blob()))
        )
    }
}

impl fmt::Display for SshKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.fingerprint())
    }
}

impl fmt::Debug for SshKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.fingerprint())
    }
}

/// A signature by such a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SshSignature {
    /// Whose.
    pub key: SshKey,
    /// Ed25519 over [`ssh_signed_bytes`].
    pub signature: [u8; 64],
}

impl SshSignature {
    /// Reads the base64 of a signature, or all of what `ssh-keygen -Y sign` writes. Nothing is
    /// verified.
    ///
    /// # Errors
    ///
    /// `malformed` for what is too long, for another namespace, type or hash, and for any other
    /// encoding of the same.
    pub fn read(text: &str, namespace: &str) -> Result<Self, LogError> {
        let bad = |why: &str| LogError::malformed("ssh signature", why);
        if text.len() > SSH_TEXT_BYTES_MAX {
            return Err(bad("too long"));
        }

        let text = text.trim();
        let lines = match text.strip_prefix(ARMOR_BEGINS) {
            Some(rest) => rest
                .strip_suffix(ARMOR_ENDS)
                .ok_or_else(|| bad("its last line is missing"))?,
            None => text,
        };
        let joined: String = lines.split_ascii_whitespace().collect();
        let blob = STANDARD
            .decode(joined)
            .map_err(|_| bad("it is no base64"))?;

        let key_at = MAGIC.len() + 4 + 4 + 4 + KEY_TYPE.len() + 4;
        let key = blob.get(key_at..key_at + 32);
        let signature = blob
            .len()
            .checked_sub(64)
            .and_then(|from| blob.get(from..)?.try_into().ok());
        let (Some(key), Some(signature)) = (key, signature) else {
            return Err(bad("too short"));
        };

        let key = [ssh_string(KEY_TYPE.as_bytes()), ssh_string(key)].concat();
        let read = Self {
            key: SshKey::from_blob(&key)?,
            signature,
        };
        match read.blob(namespace) == blob {
            true => Ok(read),
            false => Err(bad(&format!(
                "it is no Ed25519 signature with SHA-512 and the namespace {namespace}"
            ))),
        }
    }

    fn blob(&self, namespace: &str) -> Vec<u8> {
        let signature = [ssh_string(KEY_TYPE.as_bytes()), ssh_string(&self.signature)].concat();
        [
            MAGIC.to_vec(),
            1u32.to_be_bytes().to_vec(),
            ssh_string(&self.key.blob()),
            ssh_string(namespace.as_bytes()),
            ssh_string(b""),
            ssh_string(HASH.as_bytes()),
            ssh_string(&signature),
        ]
        .concat()
    }

    /// The base64 of it, in one line: what [`Self::read`] reads.
    pub fn to_base64(&self, namespace: &str) -> String {
        STANDARD.encode(self.blob(namespace))
    }

    /// The file that `ssh-keygen -Y verify -s` reads.
    pub fn armored(&self, namespace: &str) -> String {
        let base64 = self.to_base64(namespace).into_bytes();
        let lines: Vec<String> = base64
            .chunks(ARMOR_COLUMNS)
            .map(|line| String::from_utf8_lossy(line).into_owned())
            .collect();
        format!("{ARMOR_BEGINS}\n{}\n{ARMOR_ENDS}\n", lines.join("\n"))
    }

    /// Signs a statement with the seed of a private key.
    pub fn sign(seed: &[u8; 32], namespace: &str, statement: &[u8]) -> Self {
        let key = LogKey::from_seed(seed);
        Self {
            key: SshKey(key.public()),
            signature: key.sign_bytes(&ssh_signed_bytes(namespace, statement)),
        }
    }

    /// Checks it over a statement, under its own key. Whose that is, is for the caller to know.
    ///
    /// # Errors
    ///
    /// `bad_signature`.
    pub fn verify(&self, namespace: &str, statement: &[u8]) -> Result<(), LogError> {
        let signed = ssh_signed_bytes(namespace, statement);
        verify(&self.key.0, &signed, &self.signature, "statement")
    }
}

/// The bytes that are signed for a statement.
pub fn ssh_signed_bytes(namespace: &str, statement: &[u8]) -> Vec<u8> {
    [
        MAGIC.to_vec(),
        ssh_string(namespace.as_bytes()),
        ssh_string(b""),
        ssh_string(HASH.as_bytes()),
        ssh_string(&Sha512::digest(statement)),
    ]
    .concat()
}

/// A string of OpenSSH's protocols (RFC 4251, section 5): its length, and its bytes.
pub fn ssh_string(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    [&length.to_be_bytes()[..], bytes].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMESPACE: &str = "wadi-decision@wadi.example";

    fn signed(seed: u8, statement: &[u8]) -> SshSignature {
        SshSignature::sign(&[seed; 32], NAMESPACE, statement)
    }

    #[test]
    fn a_key_is_read_from_its_line_and_no_other_type_is() {
        let key = SshKey(LogKey::from_seed(&[5; 32]).public());
        let line = format!("{} layla@cus", key.to_openssh());
        assert_eq!(SshKey::from_openssh(&line), Ok(key));
        assert!(key.fingerprint().starts_with("SHA256:"));

        let small = SshKey([0; 32]).to_openssh();
        let other = line.replace("ssh-ed25519", "ssh-rsa");
        let long = format!("{line}{}", "x".repeat(SSH_TEXT_BYTES_MAX));
        for wrong in [small, other, long, String::new(), "ssh-ed25519".into()] {
            assert!(SshKey::from_openssh(&wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_signature_is_read_in_one_encoding_and_verifies_over_one_statement_of_one_namespace() {
        let made = signed(5, b"release");
        for text in [made.to_base64(NAMESPACE), made.armored(NAMESPACE)] {
            assert_eq!(SshSignature::read(&text, NAMESPACE), Ok(made));
        }

        made.verify(NAMESPACE, b"release").unwrap();
        assert!(made.verify(NAMESPACE, b"refuse").is_err());
        assert!(made.verify("file", b"release").is_err());
        assert!(SshSignature::read(&made.to_base64("file"), NAMESPACE).is_err());

        let mut other = made;
        other.key = SshKey(LogKey::from_seed(&[6; 32]).public());
        assert!(other.verify(NAMESPACE, b"release").is_err());
    }

    #[test]
    fn no_byte_of_a_signature_may_be_another_one() {
        let made = signed(5, b"release");
        let blob = STANDARD.decode(made.to_base64(NAMESPACE)).unwrap();
        for at in 0..blob.len() {
            let mut spoilt = blob.clone();
            spoilt[at] ^= 1;
            let read = SshSignature::read(&STANDARD.encode(spoilt), NAMESPACE);
            let holds = read.is_ok_and(|read| read.verify(NAMESPACE, b"release").is_ok());
            assert!(!holds, "byte {at}");
        }

        for length in 0..blob.len() {
            let short = STANDARD.encode(&blob[..length]);
            assert!(SshSignature::read(&short, NAMESPACE).is_err(), "{length}");
        }

        let long = "A".repeat(SSH_TEXT_BYTES_MAX + 1);
        assert!(SshSignature::read(&long, NAMESPACE).is_err());
    }
}
