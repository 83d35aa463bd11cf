//! An authenticator of a story's own: it makes passkeys and signs with them as a stick would, and
//! also as no stick should.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use ed25519_dalek::{Signer, SigningKey};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// The user was there, and was verified, and a key is shown (WebAuthn, 6.1).
const PRESENT: u8 = 0x01;
const VERIFIED: u8 = 0x04;
const KEY_SHOWN: u8 = 0x40;

/// A passkey with its private key.
pub struct SoftPasskey {
    key: SigningKey,
    id: [u8; 32],
    /// By what it knows the account, as the node named it.
    pub handle: String,
    /// The host that it is bound to.
    pub host: String,
    /// How often it signed.
    pub counter: u32,
    /// Whether it verifies who uses it.
    pub verifies: bool,
}

fn text_of(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

fn client_data(kind: &str, challenge: &Value, origin: &str) -> Vec<u8> {
    let data = json!({
        "type": kind, "challenge": challenge, "origin": origin, "crossOrigin": false,
    });
    data.to_string().into_bytes()
}

impl SoftPasskey {
    /// One for an account, as a challenge asks for it; nobody has heard of it yet.
    pub fn of(options: &Value) -> Self {
        let said = |part: &str, member: &str| {
            let text = options[part][member].as_str();
            text.expect("a challenge to add a passkey").to_string()
        };
        Self {
            key: SigningKey::from_bytes(&rand::random()),
            id: rand::random(),
            handle: said("user", "id"),
            host: said("rp", "id"),
            counter: 0,
            verifies: true,
        }
    }

    fn authenticator_data(&self, more: u8) -> Vec<u8> {
        let mut data = Sha256::digest(self.host.as_bytes()).to_vec();
        let verified = if self.verifies { VERIFIED } else { 0 };
        data.push(PRESENT | verified | more);
        data.extend(self.counter.to_be_bytes());
        data
    }

    /// What a browser on a page of that origin answers where the passkey is made.
    pub fn shown(&self, options: &Value, origin: &str) -> Value {
        let mut data = self.authenticator_data(KEY_SHOWN);
        data.extend([0; 16]);
        data.extend((self.id.len() as u16).to_be_bytes());
        data.extend(self.id);
        // COSE: an octet key pair, EdDSA, Ed25519, and the point.
        data.extend([0xa4, 0x01, 0x01, 0x03, 0x27, 0x20, 0x06, 0x21, 0x58, 0x20]);
        data.extend(self.key.verifying_key().to_bytes());

        let mut object = b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x58".to_vec();
        object.push(u8::try_from(data.len()).expect("it is short"));
        object.extend(data);
        let client = client_data("webauthn.create", &options["challenge"], origin);
        json!({
            "id": text_of(&self.id), "rawId": text_of(&self.id), "type": "public-key",
            "authenticatorAttachment": "cross-platform", "clientExtensionResults": {},
            "response": {
                "clientDataJSON": text_of(&client),
                "attestationObject": text_of(&object),
                "transports": ["usb"],
            },
        })
    }

    /// What a browser on a page of that origin answers to a challenge to sign in. The counter goes
    /// on.
    pub fn sign(&mut self, options: &Value, origin: &str) -> Value {
        self.counter += 1;
        let data = self.authenticator_data(0);
        let client = client_data("webauthn.get", &options["challenge"], origin);
        let signed = [data.as_slice(), &Sha256::digest(&client)].concat();
        let signature = self.key.sign(&signed).to_bytes();
        json!({
            "id": text_of(&self.id), "rawId": text_of(&self.id), "type": "public-key",
            "authenticatorAttachment": "cross-platform", "clientExtensionResults": {},
            "response": {
                "clientDataJSON": text_of(&client),
                "authenticatorData": text_of(&data),
                "signature": text_of(&signature),
                "userHandle": self.handle,
            },
        })
    }
}
