//! Receipts: what a bundle's recipient holds, in its own words and under its seal.

use crate::{
    BundleFileError, Party,
    seal::{self, Seal, SealKind},
};
use serde::{Deserialize, Serialize};
use wadi_log::{
    Cosignature, Frontier, Hash, LogError, LogId, LogKey, SignedCheckpoint, Tip, hex, unhex,
};

const KIND: SealKind = SealKind {
    name: "receipt",
    format: "wadi.receipt/v1",
    unreadable: "receipt_unreadable",
    version: "receipt_version",
    changed: "receipt_changed",
};
/// Bytes of a receipt at most.
pub const RECEIPT_BYTES_MAX: usize = 8 * 1024 * 1024;

/// A log, and how much of it is held.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReceiptLog {
    /// The log's origin.
    pub log: String,
    /// Entries.
    pub size: u64,
    /// The root over them, in hexadecimal.
    pub root: String,
}

/// A checkpoint, and a witness's cosignature over it, both encoded, in hexadecimal.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Witness {
    /// The checkpoint.
    pub checkpoint: String,
    /// The cosignature.
    pub cosignature: String,
}

/// What a node says that it holds of what it and the reader may both see.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// Always `wadi.receipt/v1`.
    pub format: String,
    /// Who says it.
    pub by: Party,
    /// To whom.
    #[serde(rename = "for")]
    pub to: Party,
    /// When, by its maker's clock, Unix seconds.
    pub made_s: i64,
    /// The logs held.
    pub logs: Vec<ReceiptLog>,
    /// Cosignatures that the reader may not have heard of.
    pub cosigned: Vec<Witness>,
}

impl Receipt {
    /// A receipt over a frontier.
    pub fn new(
        by: Party,
        to: Party,
        made_s: i64,
        held: &Frontier,
        cosigned: &[(SignedCheckpoint, Cosignature)],
    ) -> Self {
        let log = |(log, tip): (&LogId, &Tip)| ReceiptLog {
            log: log.origin(),
            size: tip.size,
            root: tip.root.to_string(),
        };

        let witness = |(checkpoint, cosignature): &(SignedCheckpoint, Cosignature)| Witness {
            checkpoint: hex(&checkpoint.to_bytes()),
            cosignature: hex(&cosignature.to_bytes()),
        };

        Self {
            format: KIND.format.into(),
            by,
            to,
            made_s,
            logs: held.0.iter().map(log).collect(),
            cosigned: cosigned.iter().map(witness).collect(),
        }
    }

    /// The receipt on one line, under its maker's seal.
    pub fn seal(&self, key: &LogKey) -> String {
        seal::write(&KIND, self, key)
    }

    /// Reads a receipt. Who made it is known when its seal is checked.
    pub fn read(text: &str) -> Result<(Self, Seal), BundleFileError> {
        if text.len() > RECEIPT_BYTES_MAX {
            return Err(unreadable(format!(
                "{} bytes; the limit is {RECEIPT_BYTES_MAX}",
                text.len()
            )));
        }

        seal::read(&KIND, text.trim_end())
    }

    /// What its maker holds.
    pub fn held(&self) -> Result<Frontier, BundleFileError> {
        let tip = |l: &ReceiptLog| {
            Ok((
                LogId::from_origin(&l.log)?,
                Tip {
                    size: l.size,
                    root: root(&l.root)?,
                },
            ))
        };

        let logs = self.logs.iter().map(tip).collect::<Result<_, LogError>>();
        logs.map(Frontier).map_err(|e| unreadable(e.to_string()))
    }

    /// The cosignatures in it; whether they hold is for whoever takes them to check.
    pub fn cosignatures(&self) -> Result<Vec<(SignedCheckpoint, Cosignature)>, BundleFileError> {
        let read = |w: &Witness| {
            let checkpoint = SignedCheckpoint::from_bytes(&bytes(&w.checkpoint)?)?;
            Ok((
                checkpoint,
                Cosignature::from_slice(&bytes(&w.cosignature)?)?,
            ))
        };

        self.cosigned
            .iter()
            .map(read)
            .collect::<Result<_, LogError>>()
            .map_err(|e| unreadable(e.to_string()))
    }
}

fn unreadable(why: String) -> BundleFileError {
    BundleFileError {
        code: KIND.unreadable,
        why,
    }
}

fn bytes(text: &str) -> Result<Vec<u8>, LogError> {
    unhex(text).ok_or_else(|| LogError::Malformed {
        what: "receipt",
        why: "it is not hexadecimal".into(),
    })
}

fn root(text: &str) -> Result<Hash, LogError> {
    Hash::from_slice(&bytes(text)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::tests::{enrolment, log, party};

    #[test]
    fn a_receipt_reads_back_and_nobody_changes_it_unseen() {
        let (hub, trb) = (LogKey::from_seed(&[1; 32]), LogKey::from_seed(&[2; 32]));
        let tip = Tip {
            size: 7,
            root: Hash([3; 32]),
        };
        let held = Frontier([(log(&trb), tip)].into());
        let checkpoint = wadi_log::Checkpoint {
            log: log(&trb),
            size: 7,
            root: tip.root,
            hub_time_s: 0,
            logs: vec![],
        };

        let signed = trb.sign(checkpoint);
        let cosignature = hub.cosign(&signed.checkpoint, 99);
        let receipt = Receipt::new(
            party(&hub),
            party(&trb),
            100,
            &held,
            &[(signed.clone(), cosignature)],
        );

        let text = receipt.seal(&hub);
        let (read, seal) = Receipt::read(&text).unwrap();
        assert_eq!(read, receipt);

        seal.verify(&enrolment(&hub, "hub")).unwrap();
        assert_eq!(
            seal.verify(&enrolment(&trb, "trb")).unwrap_err().code,
            "receipt_changed"
        );
        assert_eq!(
            (read.held().unwrap(), read.cosignatures().unwrap()),
            (held, vec![(signed, cosignature)])
        );

        let more = text.replace("\"size\":7", "\"size\":8");
        let (read, seal) = Receipt::read(&more).unwrap();
        assert_eq!(read.held().unwrap().0[&log(&trb)].size, 8);
        assert_eq!(
            seal.verify(&enrolment(&hub, "hub")).unwrap_err().code,
            "receipt_changed"
        );

        for (text, code) in [
            (text.replace("receipt/v1", "receipt/v2"), "receipt_version"),
            (
                text.replace("receipt/v1", "recipe/v1"),
                "receipt_unreadable",
            ),
            (
                text.replace("wadi.receipt/v1", "wadi.bundle/v1"),
                "receipt_unreadable",
            ),
            (text.replace("\"made_s\"", "\"made\""), "receipt_unreadable"),
            (
                text.chars().take(text.len() / 2).collect(),
                "receipt_unreadable",
            ),
            (
                text.split(",\"signature\"").next().unwrap().to_string() + "}",
                "receipt_unreadable",
            ),
            (String::new(), "receipt_unreadable"),
        ] {
            assert_eq!(Receipt::read(&text).unwrap_err().code, code, "{text}");
        }
    }
}
