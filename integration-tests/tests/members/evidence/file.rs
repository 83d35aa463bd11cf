//! A file of evidence in the hands of somebody who changes it.

use super::hex;
use base64::{Engine, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signer, SigningKey};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// A file's lines, to be tampered with, and sealed again by whoever has a key.
#[derive(Clone)]
pub(crate) struct File(pub(crate) Vec<Value>);

impl File {
    pub(crate) fn read(text: &str) -> Self {
        Self(
            text.lines()
                .map(|l| serde_json::from_str(l).unwrap())
                .collect(),
        )
    }

    pub(crate) fn text(&self) -> String {
        self.0.iter().map(|l| format!("{l}\n")).collect()
    }

    pub(crate) fn sealed(&self, key: &SigningKey) -> String {
        let lines = &self.0[..self.0.len() - 1];
        let body: String = lines.iter().map(|l| format!("{l}\n")).collect();
        let sha256 = hex(&Sha256::digest(body.as_bytes()));
        let signature = key
            .sign(format!("wadi.evidence/v1\n{sha256}\n").as_bytes())
            .to_bytes();
        let by = wadi_log::NodeId::of_key(&key.verifying_key().to_bytes()).to_string();
        let seal = json!({
            "seal": {
                "by": by,
                "lines": lines.len(),
                "sha256": sha256,
                "signature": STANDARD.encode(signature),
            },
        });

        format!("{body}{seal}\n")
    }

    pub(crate) fn all(&self, member: &str) -> Vec<usize> {
        (0..self.0.len())
            .filter(|n| self.0[*n].get(member).is_some())
            .collect()
    }

    pub(crate) fn of_record(&self) -> Vec<usize> {
        self.all("entry")
            .into_iter()
            .filter(|n| self.0[*n]["entry"]["role"] == "record")
            .collect()
    }
}
