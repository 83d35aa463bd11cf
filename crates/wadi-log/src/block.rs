//! Blocks: runs of entries of one log that end at a checkpoint, and the only doors to
//! [`VerifiedEntry`].

use crate::{
    Checkpoint, Cosignature, Crossing, Enrolment, Entry, Hash, Lane, LogError, LogId, LogKey,
    Peaks, Reading, Reference, SignedCheckpoint, Subtree, leaf_hash, proof,
};

/// Entries of a block at most. An entry costs a row, a hash and a reading wherever it goes, however
/// short it is.
pub const BLOCK_ENTRIES_MAX: usize = 512;

/// A run of entries of one log, ending at a checkpoint, as it came from anywhere.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Block {
    /// Position of the first entry.
    pub from: u64,
    /// Entries' bytes.
    pub entries: Vec<Vec<u8>>,
    /// Its size is `from` plus the number of entries.
    pub checkpoint: SignedCheckpoint,
}

/// An entry whose bytes were proven to stand in its author's log.
#[derive(Clone, PartialEq, Debug)]
pub struct VerifiedEntry {
    reference: Reference,
    bytes: Vec<u8>,
    reading: Result<Reading, LogError>,
}

impl VerifiedEntry {
    /// For whoever has just proven it.
    pub(crate) fn proven(
        reference: Reference,
        reading: Result<Reading, LogError>,
        bytes: Vec<u8>,
    ) -> Self {
        Self {
            reference,
            bytes,
            reading,
        }
    }

    /// Where it stands.
    pub fn reference(&self) -> Reference {
        self.reference
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What it says. An author can sign bytes that are no entry: those stand in the log all the
    /// same, and are refused each for itself.
    pub fn reading(&self) -> Result<&Reading, &LogError> {
        self.reading.as_ref()
    }

    /// The entry, where it is one of this version.
    pub fn entry(&self) -> Option<&Entry> {
        match &self.reading {
            Ok(Reading::Entry(entry)) => Some(entry),
            _ => None,
        }
    }

    /// An own entry in the place where it is about to stand: encoded and hashed once, and read back
    /// as everybody else will read it.
    ///
    /// # Errors
    ///
    /// What [`Entry::encode`] and [`Entry::read`] say of it.
    pub fn author(log: LogId, seq: u64, entry: &Entry) -> Result<Self, LogError> {
        let bytes = entry.encode()?;
        let reference = Reference {
            log,
            seq,
            leaf: leaf_hash(&bytes),
        };

        Ok(Self {
            reference,
            reading: Ok(Entry::read(&bytes)?),
            bytes,
        })
    }

    /// An entry read back from a store: its bytes must still hash to the leaf that was proven when
    /// they came in.
    pub fn recheck(reference: Reference, bytes: Vec<u8>) -> Result<Self, LogError> {
        if leaf_hash(&bytes) != reference.leaf {
            return Err(LogError::Mismatch {
                what: "stored entry",
            });
        }

        Ok(Self {
            reference,
            reading: Entry::read(&bytes),
            bytes,
        })
    }
}

/// A block that extends the log held, proven by its checkpoint.
#[derive(Clone, PartialEq, Debug)]
pub struct VerifiedBlock {
    entries: Vec<VerifiedEntry>,
    checkpoint: SignedCheckpoint,
    peaks: Peaks,
    kept: Vec<(Subtree, Hash)>,
}

impl VerifiedBlock {
    /// The log.
    pub fn log(&self) -> LogId {
        self.checkpoint.checkpoint.log
    }

    /// The entries, in order.
    pub fn entries(&self) -> &[VerifiedEntry] {
        &self.entries
    }

    /// The checkpoint at its end.
    pub fn checkpoint(&self) -> &SignedCheckpoint {
        &self.checkpoint
    }

    /// The log's peaks after it.
    pub fn peaks(&self) -> &Peaks {
        &self.peaks
    }

    /// Perfect subtrees that it completed, to be kept.
    pub fn kept(&self) -> &[(Subtree, Hash)] {
        &self.kept
    }

    /// Makes entries of this node's own and seals them: [`VerifiedEntry::author`] for each, then
    /// [`Self::seal`].
    pub fn author(
        key: &LogKey,
        log: LogId,
        held: &Peaks,
        entries: &[Entry],
        hub_time_s: i64,
        logs: Vec<(Lane, Crossing, u64)>,
    ) -> Result<Self, LogError> {
        let entries = (held.size()..)
            .zip(entries)
            .map(|(seq, entry)| VerifiedEntry::author(log, seq, entry))
            .collect::<Result<Vec<_>, _>>()?;

        Self::seal(key, log, held, entries, hub_time_s, logs)
    }

    /// Appends this node's own entries and signs the new head. An empty run signs the head anew,
    /// with a newer hub time.
    ///
    /// # Errors
    ///
    /// [`LogError::Mismatch`] where an entry was made for another place than the next one.
    pub fn seal(
        key: &LogKey,
        log: LogId,
        held: &Peaks,
        entries: Vec<VerifiedEntry>,
        hub_time_s: i64,
        logs: Vec<(Lane, Crossing, u64)>,
    ) -> Result<Self, LogError> {
        let mut peaks = held.clone();
        let mut kept = Vec::new();
        for entry in &entries {
            let at = entry.reference();
            if (at.log, at.seq) != (log, peaks.size()) {
                return Err(LogError::Mismatch { what: "own entry" });
            }
            kept.extend(peaks.append(at.leaf));
        }

        let head = Checkpoint {
            log,
            size: peaks.size(),
            root: peaks.root(),
            hub_time_s,
            logs,
        };

        Ok(Self {
            entries,
            checkpoint: key.sign(head),
            peaks,
            kept,
        })
    }
}

/// Checks a block against the log held so far and the author's enrolment. The log itself is not
/// read.
pub fn verify_block(
    block: Block,
    held: &Peaks,
    author: &Enrolment,
) -> Result<VerifiedBlock, LogError> {
    let Block {
        from,
        entries,
        checkpoint,
    } = block;

    let log = checkpoint.checkpoint.log;
    if author.node() != log.node {
        return Err(LogError::NotEnrolled(log.node.to_string()));
    }

    if from != held.size() {
        return Err(LogError::Gap {
            from,
            size: held.size(),
        });
    }

    let (entries, peaks, kept) = extend(log, held, entries)?;
    let head = &checkpoint.checkpoint;
    let is_other = head.size != peaks.size() || head.root != peaks.root();
    if is_other && !crate::defence::off("block-root") {
        return Err(LogError::Mismatch { what: "block" });
    }

    if !crate::defence::off("block-signature") {
        checkpoint.verify(&author.log_key)?;
    }

    Ok(VerifiedBlock {
        entries,
        checkpoint,
        peaks,
        kept,
    })
}

/// Checks one entry against a checkpoint that the hub has cosigned, without the log around it.
pub fn verify_excerpt(
    (log, seq): (LogId, u64),
    bytes: Vec<u8>,
    path: &[Hash],
    checkpoint: &SignedCheckpoint,
    author: &Enrolment,
    (cosignature, hub): (&Cosignature, &Enrolment),
) -> Result<VerifiedEntry, LogError> {
    if checkpoint.checkpoint.log != log {
        return Err(LogError::malformed(
            "excerpt",
            "the checkpoint is another log's",
        ));
    }

    if bytes.len() > crate::ENTRY_BYTES_MAX {
        return Err(LogError::TooLarge {
            bytes: bytes.len(),
            max: crate::ENTRY_BYTES_MAX,
        });
    }

    let reference = Reference {
        log,
        seq,
        leaf: leaf_hash(&bytes),
    };

    let root = proof::root_from_inclusion(reference.leaf, seq, checkpoint.checkpoint.size, path)?;
    if root != checkpoint.checkpoint.root {
        return Err(LogError::Mismatch { what: "excerpt" });
    }

    checkpoint.verify(&author.log_key)?;
    if hub.role != crate::Role::Hub {
        return Err(LogError::NoRight(format!(
            "{} is no hub: its cosignature does not carry an excerpt",
            hub.name
        )));
    }

    cosignature.verify(&checkpoint.checkpoint, &hub.log_key)?;
    Ok(VerifiedEntry {
        reference,
        reading: Entry::read(&bytes),
        bytes,
    })
}

type Extended = (Vec<VerifiedEntry>, Peaks, Vec<(Subtree, Hash)>);

fn extend(log: LogId, held: &Peaks, entries: Vec<Vec<u8>>) -> Result<Extended, LogError> {
    let mut peaks = held.clone();
    let mut out = Vec::with_capacity(entries.len());
    let mut kept = Vec::new();
    for bytes in entries {
        // The cap holds for whatever stands in a log: past it nothing is read, hashed or kept.
        if bytes.len() > crate::ENTRY_BYTES_MAX && !crate::defence::off("entry-bytes-max") {
            return Err(LogError::TooLarge {
                bytes: bytes.len(),
                max: crate::ENTRY_BYTES_MAX,
            });
        }

        let reference = Reference {
            log,
            seq: peaks.size(),
            leaf: leaf_hash(&bytes),
        };

        kept.extend(peaks.append(reference.leaf));
        out.push(VerifiedEntry {
            reference,
            reading: Entry::read(&bytes),
            bytes,
        });
    }

    Ok((out, peaks, kept))
}
