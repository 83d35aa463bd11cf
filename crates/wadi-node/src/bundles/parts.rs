//! Bundles: the blocks of a session in files, each encrypted to one node (`docs/bundles.md`). Here
//! is what making one and taking one in share: the keys, the encrypted body, and what is remembered
//! of whom.

use crate::{
    bundles::Bundles,
    door::{
        error::NodeError,
        sealing::{open_body, recipient},
    },
};
use age::stream::{StreamReader, StreamWriter};
use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write,
};
use wadi_log::{Block, Cosignature, Enrolment, LogId, LogKey, NodeId, SignedCheckpoint};
use wadi_store::{CosignedHead, LocalScope};
use wadi_sync::{
    BundleFileError, Counts, FrameReader, FrameWriter, LogRange, Message, Range, SealedBlock,
    both_may_see,
};

/// Local keys of bundles stand under this scope.
pub(crate) const LOCAL_SCOPE: LocalScope = LocalScope::Bundle;
/// The local key that says whose bundle came last.
pub(crate) const LAST_FROM: &str = "last_from";
/// Logs that are remembered of one carrier at most.
pub(crate) const CARRIED_LOGS_MAX: usize = 1_024;

/// The local key under which the logs stand that a node carried here for others.
pub(crate) fn carried_key(node: &NodeId) -> String {
    format!("carried/{node}")
}

/// The frames of a part's body, decrypted as they are read.
pub(crate) fn open<'b>(
    body: &'b [u8],
    key: &LogKey,
) -> Result<FrameReader<StreamReader<&'b [u8]>>, BundleFileError> {
    let reader = open_body(body, key).map_err(|why| {
        BundleFileError::new(
            "bundle_unreadable",
            format!("its body does not open with this node's key: {why}"),
        )
    })?;

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
        let recipient = recipient(to).map_err(|why| {
            let why = format!("nothing can be encrypted to {}: {why}", to.name);
            BundleFileError::new("bundle_recipient", why)
        })?;
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
        let head = &block.checkpoint.checkpoint;
        let range = Range {
            log: head.log,
            from: block.from,
            to: head.size,
        };
        self.count(range, carried);
        let frame = self.frames.block(block).map_err(unwritten)?;
        self.out.write_all(&frame).map_err(unwritten)
    }

    /// A block that this node carries and cannot read.
    pub(crate) fn sealed(&mut self, sealed: &SealedBlock) -> Result<(), BundleFileError> {
        self.count(sealed.range, true);
        let frame = self.frames.sealed(sealed);
        self.out.write_all(&frame).map_err(unwritten)
    }

    fn count(&mut self, range: Range, carried: bool) {
        let Range { log, from, to } = range;
        let log = log.origin();
        self.counts.blocks += 1;
        self.counts.entries += to - from;
        match self.logs.last_mut() {
            _ if from == to => {}
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
    use crate::door::sealing::identity;
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
