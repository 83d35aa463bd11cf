//! A block that a neighbour carries for a hub: encrypted to hubs, and sealed by its author. Its
//! seal names the log, the range and, by its length, the size, and no more.
//!
//! A carrier checks the seal when it takes one, and so does the hub: what does not bear its
//! author's seal any more was changed by whoever carried it. What bears it and does not open is its
//! author's fault.

use crate::{
    codec::{BLOCK_FRAME_BYTES_MAX, decode_plain},
    message::{Range, SyncError},
    pb,
};
use prost::Message as _;
use wadi_log::{Block, LogId, LogKey, verify_seal};

/// The first byte of a sealed block, where blocks of the codec have their version. Who takes such
/// blocks tells it in `Hello`.
pub const SEALED_MARK: u8 = 0x1f;
/// What the seal is made under.
const CONTEXT: &str = "wadi.carried/v1";

/// A block that only hubs can read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SealedBlock {
    /// Which entries are in it.
    pub range: Range,
    /// The block's frame, encrypted.
    pub body: Vec<u8>,
    /// The author's seal over both.
    signature: [u8; 64],
}

impl SealedBlock {
    /// Whether bytes begin as a sealed block does.
    pub fn is_one(bytes: &[u8]) -> bool {
        bytes.first() == Some(&SEALED_MARK)
    }

    /// Seals what was encrypted of a block of this key's.
    pub fn seal(range: Range, body: Vec<u8>, key: &LogKey) -> Self {
        let unsigned = Self {
            range,
            body,
            signature: [0; 64],
        };
        Self {
            signature: key.seal(CONTEXT, &unsigned.sealed_bytes()),
            ..unsigned
        }
    }

    /// Whether this is what the owner of the key sealed.
    pub fn is_sealed_by(&self, log_key: &[u8; 32]) -> bool {
        verify_seal(log_key, CONTEXT, &self.sealed_bytes(), &self.signature).is_ok()
    }

    /// Whether a block is the one that the seal names.
    pub fn names(&self, block: &Block) -> bool {
        let head = &block.checkpoint.checkpoint;
        let Range { log, from, to } = self.range;
        head.log == log && block.from == from && head.size == to
    }

    /// The log whose entries are in it.
    pub fn log(&self) -> LogId {
        self.range.log
    }

    /// The bytes that travel and are kept.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![SEALED_MARK];
        out.extend(self.to_wire(self.signature.to_vec()).encode_to_vec());
        out
    }

    /// Reads a sealed block. Nothing is verified but its shape.
    pub fn decode(bytes: &[u8]) -> Result<Self, SyncError> {
        let bad = |why: &str| SyncError::BadBlock(format!("a sealed block: {why}"));
        if bytes.len() > BLOCK_FRAME_BYTES_MAX {
            return Err(bad("it is longer than a frame"));
        }

        let Some((&SEALED_MARK, rest)) = bytes.split_first() else {
            return Err(bad("its mark is missing"));
        };
        let read = pb::SealedBlock::decode(rest).map_err(|e| bad(&e.to_string()))?;
        let range = Range {
            log: LogId::from_slice(&read.log)?,
            from: read.start,
            to: read.size,
        };
        if range.to <= range.from {
            return Err(bad("it names no entries"));
        }

        Ok(Self {
            range,
            body: read.body,
            signature: read
                .signature
                .try_into()
                .map_err(|_| bad("its seal has not 64 bytes"))?,
        })
    }

    fn sealed_bytes(&self) -> Vec<u8> {
        self.to_wire(Vec::new()).encode_to_vec()
    }

    fn to_wire(&self, signature: Vec<u8>) -> pb::SealedBlock {
        pb::SealedBlock {
            log: self.range.log.to_bytes().to_vec(),
            start: self.range.from,
            size: self.range.to,
            body: self.body.clone(),
            signature,
        }
    }
}

/// A block that is carried for somebody.
#[derive(Clone, PartialEq, Debug)]
pub enum CarriedBlock {
    /// As earlier versions hand it over: whoever carries it can read it.
    Open(Block),
    /// For hubs alone.
    Sealed(SealedBlock),
}

impl CarriedBlock {
    /// Which entries are in it.
    pub fn range(&self) -> Range {
        match self {
            Self::Sealed(sealed) => sealed.range,
            Self::Open(block) => Range {
                log: block.checkpoint.checkpoint.log,
                from: block.from,
                to: block.checkpoint.checkpoint.size,
            },
        }
    }

    /// Whether the owner of the key made it, and nobody changed it.
    pub fn is_made_by(&self, log_key: &[u8; 32]) -> bool {
        match self {
            Self::Sealed(sealed) => sealed.is_sealed_by(log_key),
            Self::Open(block) => block.checkpoint.verify(log_key).is_ok(),
        }
    }
}

/// Reads a block that is carried, as it is kept.
pub fn read_carried(bytes: &[u8]) -> Result<CarriedBlock, SyncError> {
    Ok(match SealedBlock::is_one(bytes) {
        true => CarriedBlock::Sealed(SealedBlock::decode(bytes)?),
        false => CarriedBlock::Open(decode_plain(bytes)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use wadi_log::{Epoch, Lane};

    fn sealed(key: &LogKey) -> SealedBlock {
        let log = LogId {
            node: key.node(),
            epoch: Epoch([1; 8]),
            lane: Lane::Passage,
            crossing: "QAM".parse().unwrap(),
        };
        let range = Range {
            log,
            from: 7,
            to: 9,
        };
        SealedBlock::seal(range, b"nobody reads this".to_vec(), key)
    }

    #[test]
    fn a_sealed_block_reads_back_and_whatever_is_changed_of_it_breaks_its_seal() {
        let (qam, trb) = (LogKey::from_seed(&[2; 32]), LogKey::from_seed(&[3; 32]));
        let sealed = sealed(&qam);
        let bytes = sealed.encode();
        assert_eq!(SealedBlock::decode(&bytes).unwrap(), sealed);
        assert!(sealed.is_sealed_by(&qam.public()) && !sealed.is_sealed_by(&trb.public()));

        for at in 1..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            let read = SealedBlock::decode(&changed);
            assert!(
                read.is_err() || read.is_ok_and(|s| !s.is_sealed_by(&qam.public())),
                "byte {at}"
            );
        }
    }

    #[test]
    fn what_is_no_sealed_block_is_refused() {
        let key = LogKey::from_seed(&[2; 32]);
        let good = sealed(&key);
        let nothing = Range {
            to: 7,
            ..good.range
        };
        for bad in [
            vec![],
            vec![1, 2, 3],
            vec![SEALED_MARK],
            vec![SEALED_MARK; BLOCK_FRAME_BYTES_MAX + 1],
            SealedBlock::seal(nothing, vec![1], &key).encode(),
        ] {
            assert!(SealedBlock::decode(&bad).is_err());
        }
    }
}
