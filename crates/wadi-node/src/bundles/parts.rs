//! Bundles: the blocks of a session in files, each encrypted to one node (`docs/bundles.md`). Here
//! is what making one and taking one in share: the keys, the encrypted body, and what is remembered
//! of whom.
//!
//! A node has one key on record, its Ed25519 log key. What is encrypted to it goes to the X25519
//! key that the birational map makes of it, so that whoever knows an enrolment can address a
//! bundle, and no second key has to be enrolled or kept.

use crate::{bundles::Bundles, door::error::NodeError};
use age::stream::{StreamReader, StreamWriter};
use bech32::{Bech32, Hrp};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Display,
    io::Write,
};
use wadi_log::{Block, Cosignature, Enrolment, LogId, LogKey, NodeId, SignedCheckpoint};
use wadi_store::{CosignedHead, LocalScope};
use wadi_sync::{
    BundleFileError, Counts, FrameReader, FrameWriter, LogRange, Message, both_may_see,
};

/// Local keys of bundles stand under this scope.
pub(crate) const LOCAL_SCOPE: LocalScope = LocalScope::Bundle;
/// The local key that says whose bundle came last.
pub(crate) const LAST_FROM: &str = "last_from";
/// Logs that are remembered of one carrier at most.
pub(crate) const CARRIED_LOGS_MAX: usize = 1_024;

/// age takes its keys as text only (Bech32, BIP-173), in these two forms.
const PUBLIC: Hrp = Hrp::parse_unchecked("age");
const SECRET: Hrp = Hrp::parse_unchecked("age-secret-key-");

/// The local key under which the logs stand that a node carried here for others.
pub(crate) fn carried_key(node: &NodeId) -> String {
    format!("carried/{node}")
}

/// The recipient that a node is.
fn recipient(node: &Enrolment) -> Result<age::x25519::Recipient, BundleFileError> {
    let failed = |why: &dyn Display| {
        BundleFileError::new(
            "bundle_recipient",
            format!("nothing can be encrypted to {}: {why}", node.name),
        )
    };

    let key = node.x25519_public().map_err(|e| failed(&e))?;
    let text = bech32::encode::<Bech32>(PUBLIC, &key).map_err(|e| failed(&e))?;
    text.parse().map_err(|e: &str| failed(&e))
}

/// The identity that opens what is encrypted to the owner of a log key.
fn identity(key: &LogKey) -> Result<age::x25519::Identity, BundleFileError> {
    let failed = |why: &dyn Display| {
        BundleFileError::new("bundle_unreadable", format!("this node's key: {why}"))
    };
    let text =
        bech32::encode_upper::<Bech32>(SECRET, &key.x25519_secret()).map_err(|e| failed(&e))?;
    text.parse().map_err(|e: &str| failed(&e))
}

/// The frames of a part's body, decrypted as they are read.
pub(crate) fn open<'b>(
    body: &'b [u8],
    key: &LogKey,
) -> Result<FrameReader<StreamReader<&'b [u8]>>, BundleFileError> {
    let failed = |e: age::DecryptError| {
        BundleFileError::new(
            "bundle_unreadable",
            format!("its body does not open with this node's key: {e}"),
        )
    };

    let identity = identity(key)?;
    let decryptor = age::Decryptor::new_buffered(body).map_err(failed)?;
    let reader = decryptor
        .decrypt(std::iter::once(&identity as &dyn age::Identity))
        .map_err(failed)?;

    FrameReader::new(reader)
}

/// Writes one part's body, encrypted as it is written.
pub(crate) struct PartWriter {
    out: StreamWriter<Vec<u8>>,
    frames: FrameWriter,
    logs: Vec<LogRange>,
    counts: Counts,
}

fn unwritten(why: impl ToString) -> BundleFileError {
    BundleFileError::new("bundle_unwritten", why)
}

impl PartWriter {
    pub(crate) fn new(to: &Enrolment) -> Result<Self, BundleFileError> {
        let recipient = recipient(to)?;
        let recipients = std::iter::once(&recipient as &dyn age::Recipient);
        let encryptor = age::Encryptor::with_recipients(recipients).map_err(unwritten)?;
        let out = encryptor.wrap_output(Vec::new()).map_err(unwritten)?;
        let frames = FrameWriter::new().map_err(unwritten)?;

        Ok(Self {
            out,
            frames,
            logs: Vec::new(),
            counts: Counts::default(),
        })
    }

    pub(crate) fn message(&mut self, message: &Message) -> Result<(), BundleFileError> {
        match message {
            Message::Members(all) => self.counts.enrolments += all.len() as u64,
            Message::ForkProofs(all) => self.counts.forks += all.len() as u64,
            Message::Cosigned { .. } => self.counts.cosignatures += 1,
            Message::Excerpt { entries, .. } => self.counts.excerpts += entries.len() as u64,
            _ => return Err(unwritten("a message that has no place in a bundle")),
        }

        let frame = self.frames.message(message);
        self.out.write_all(&frame).map_err(unwritten)
    }

    pub(crate) fn block(&mut self, block: &Block, carried: bool) -> Result<(), BundleFileError> {
        let (log, from, to) = (
            block.checkpoint.checkpoint.log.origin(),
            block.from,
            block.checkpoint.checkpoint.size,
        );

        self.counts.blocks += 1;
        self.counts.entries += block.entries.len() as u64;
        match self.logs.last_mut() {
            _ if block.entries.is_empty() => {}
            Some(last) if last.log == log && last.to == from && last.carried == carried => {
                last.to = to
            }
            _ => self.logs.push(LogRange {
                log,
                from,
                to,
                carried,
            }),
        }

        let frame = self.frames.block(block).map_err(unwritten)?;
        self.out.write_all(&frame).map_err(unwritten)
    }

    /// The encrypted body, and what is in it.
    pub(crate) fn finish(self) -> Result<(Vec<u8>, Vec<LogRange>, Counts), BundleFileError> {
        let Self {
            mut out,
            frames,
            logs,
            counts,
        } = self;

        out.write_all(&frames.end()).map_err(unwritten)?;
        Ok((out.finish().map_err(unwritten)?, logs, counts))
    }
}

/// How far each witness has cosigned each log, as held here, and when.
pub(crate) struct Cosigned(BTreeMap<(LogId, NodeId), (u64, u64)>);

impl Cosigned {
    /// Whether a cosignature is news.
    pub(crate) fn is_news(&self, checkpoint: &SignedCheckpoint, cosignature: &Cosignature) -> bool {
        let head = &checkpoint.checkpoint;
        let held = self.0.get(&(head.log, cosignature.witness));
        held.is_none_or(|held| *held < (head.size, cosignature.time_s))
    }
}

impl Bundles {
    /// A member by its name or its id.
    pub(crate) fn member(&self, text: &str) -> Result<Enrolment, NodeError> {
        let found = self.door.with_control(|c| match text.parse::<NodeId>() {
            Ok(id) => c.enrolment(&id).cloned(),
            Err(_) => c.by_name(&text.to_lowercase()).cloned(),
        });

        let unknown = || crate::door::error::BundleError::UnknownNode { name: text.into() };
        Ok(found.ok_or_else(unknown)?)
    }

    /// Logs that a node carried here for others: it is owed the hub's cosignatures over them.
    pub(crate) async fn carried_by(&self, node: &NodeId) -> Result<BTreeSet<LogId>, NodeError> {
        let text = self
            .door
            .store
            .local(&LOCAL_SCOPE, &carried_key(node))
            .await?
            .unwrap_or_default();

        Ok(text
            .lines()
            .filter_map(|line| LogId::from_origin(line).ok())
            .collect())
    }

    /// Cosignatures held that a node may not have heard of: over its own logs and those that it
    /// carried here, and with `all` over all that both may see.
    pub(crate) async fn cosigned_for(
        &self,
        to: &Enrolment,
        all: bool,
    ) -> Result<Vec<CosignedHead>, NodeError> {
        let (id, carried) = (to.node(), self.carried_by(&to.node()).await?);
        let concerns = |log: &LogId| {
            log.node == id || carried.contains(log) || (all && both_may_see(&self.door.me, to, log))
        };
        let mut heads = self.door.store.cosignatures(None).await?;

        heads.retain(|h| h.cosignature.witness != id && concerns(&h.checkpoint.checkpoint.log));
        heads.sort_by_key(|h| {
            (
                h.checkpoint.checkpoint.log.lane,
                h.checkpoint.checkpoint.log,
                h.cosignature.witness,
            )
        });

        Ok(heads)
    }

    /// What is cosigned of everything, to tell news.
    pub(crate) async fn cosigned(&self) -> Result<Cosigned, NodeError> {
        let heads = self.door.store.cosignatures(None).await?;
        let place = |h: &CosignedHead| {
            let head = &h.checkpoint.checkpoint;
            (
                (head.log, h.cosignature.witness),
                (head.size, h.cosignature.time_s),
            )
        };

        Ok(Cosigned(heads.iter().map(place).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wadi_log::{Crossing, Role, Scope};
    use wadi_sync::Frame;

    fn enrolment(key: &LogKey) -> Enrolment {
        let of = Enrolment {
            name: "hub".into(),
            role: Role::Hub,
            crossing: Some(Crossing::HUB),
            log_key: key.public(),
            tls_key: [0; 32],
            scope: Scope::all(),
            serial: 1,
            issued_s: 0,
            root_signature: [0; 64],
        };

        of.issue(&LogKey::from_seed(&[9; 32])).unwrap()
    }

    #[test]
    fn what_is_encrypted_to_an_enrolment_opens_with_its_log_key_alone() {
        for seed in 0..32 {
            let (key, stranger) = (
                LogKey::from_seed(&[seed; 32]),
                LogKey::from_seed(&[seed + 100; 32]),
            );
            let enrolled = enrolment(&key);
            assert_eq!(
                recipient(&enrolled).unwrap(),
                identity(&key).unwrap().to_public(),
                "both sides of the map"
            );

            let mut part = PartWriter::new(&enrolled).unwrap();
            let said = Message::Members(vec![enrolled]);
            part.message(&said).unwrap();

            let (body, logs, counts) = part.finish().unwrap();
            assert_eq!((logs.len(), counts.enrolments), (0, 1));

            let mut frames = open(&body, &key).unwrap();
            assert_eq!(frames.read().unwrap(), Some(Frame::Message(said)));
            assert_eq!(frames.read().unwrap(), None);
            assert_eq!(
                open(&body, &stranger).err().map(|e| e.code),
                Some("bundle_unreadable")
            );
        }
    }
}
