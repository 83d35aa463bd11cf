//! The block codec: how a run of entries travels.
//!
//! Version 1 is entries under zstd. Version 2 says them in columns, and leaves out what follows
//! from what both ends hold. Each end tells in its Hello what it reads; whoever tells nothing reads
//! version 1. What is carried for others and what lies in bundles stands for itself.

mod column_change;
mod column_stream;
mod columnar;
mod columns;
mod dictionary;
mod event_shape;
mod model;
mod names;
mod past;
mod range_coder;
mod wire_entry;
mod zstd_stream;

pub use columnar::{Reliance, Unresolved};
pub use past::{HeldEntry, HeldKey, HeldParts};
pub use range_coder::CostPart;

use crate::{SyncError, bounds::count_fields, pb};
use columnar::{ColumnDecoder, ColumnEncoder, SaidBlock};
use prost::Message as _;
use std::collections::BTreeSet;
use wadi_log::{BLOCK_ENTRIES_MAX, Block, LogId, SignedCheckpoint};
use zstd_stream::{ZstdDecoder, ZstdEncoder};

/// Bytes of a block frame at most.
pub const BLOCK_FRAME_BYTES_MAX: usize = 96 * 1024;
/// Bytes of a block before compression at most. An honest one has some 40 KiB: a run of 8 KiB and
/// an entry behind it. Whatever is taken fits a frame again for whoever is next, however badly it
/// compresses there.
const BODY_BYTES_MAX: usize = BLOCK_FRAME_BYTES_MAX - 4 * 1024;
/// The dictionary that version 2 begins with.
const DICTIONARY_VERSION: u8 = 1;
/// The field of `BlockBody` that holds its entries.
const ENTRIES_FIELD: u32 = 3;

fn broken(why: impl ToString) -> SyncError {
    SyncError::BadBlock(why.to_string())
}

/// A version of the codec that this node reads and writes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum CodecVersion {
    /// Entries under zstd.
    Zstd,
    /// Columns, with dictionary 1.
    Columns,
}

impl CodecVersion {
    /// All of them, the best one last.
    pub const ALL: [Self; 2] = [Self::Zstd, Self::Columns];

    /// The first byte of a frame: the codec's version in its lower half, the dictionary's in its
    /// upper half.
    pub fn mark(self) -> u8 {
        match self {
            Self::Zstd => zstd_stream::FRAME_MARK,
            Self::Columns => columnar::FRAME_MARK,
        }
    }

    /// The best version that a peer reads, by the marks that it told. One that tells none reads
    /// version 1.
    pub fn best_of(marks: &[u8]) -> Self {
        let known = Self::ALL.into_iter().rev();
        let mut known = known.filter(|version| marks.contains(&version.mark()));
        known.next().unwrap_or(Self::Zstd)
    }

    fn of_frame(frame: &[u8]) -> Result<(Self, &[u8]), SyncError> {
        let (mark, data) = frame.split_first().ok_or_else(|| broken("empty frame"))?;
        let version = Self::ALL
            .into_iter()
            .find(|version| version.mark() == *mark);
        let version = version.ok_or_else(|| {
            broken(format!(
                "codec version {} with dictionary {}; this node knows version 1, and version 2 \
                 with dictionary {DICTIONARY_VERSION}",
                mark & 0xf,
                mark >> 4
            ))
        })?;

        Ok((version, data))
    }
}

/// Encodes blocks for one stream.
pub struct BlockEncoder(OwnEncoder);

enum OwnEncoder {
    Zstd(ZstdEncoder),
    Columns(ColumnEncoder),
}

impl BlockEncoder {
    /// A new stream of version 1, which every version reads.
    ///
    /// # Errors
    ///
    /// [`SyncError::BadBlock`] where zstd takes no context.
    pub fn new() -> Result<Self, SyncError> {
        Self::of_version(CodecVersion::Zstd)
    }

    /// A new stream of a version.
    ///
    /// # Errors
    ///
    /// As [`Self::new`].
    pub fn of_version(version: CodecVersion) -> Result<Self, SyncError> {
        Ok(Self(match version {
            CodecVersion::Zstd => OwnEncoder::Zstd(ZstdEncoder::new()?),
            CodecVersion::Columns => OwnEncoder::Columns(ColumnEncoder::new()),
        }))
    }

    /// Bytes that the stream takes here, about.
    pub fn held_bytes(&self) -> usize {
        match &self.0 {
            OwnEncoder::Zstd(_) => zstd_stream::ENCODER_BYTES,
            OwnEncoder::Columns(encoder) => encoder.held_bytes(),
        }
    }

    /// What the block could leave out if the receiver holds it.
    pub fn asks_of(&self, block: &Block) -> BTreeSet<HeldKey> {
        match &self.0 {
            OwnEncoder::Zstd(_) => BTreeSet::new(),
            OwnEncoder::Columns(encoder) => encoder.asks_of(block),
        }
    }

    /// One frame, which relies on nothing but the stream. The frames of a stream have to be decoded
    /// in the order of their encoding.
    ///
    /// # Errors
    ///
    /// [`SyncError::BadBlock`] where zstd fails.
    pub fn encode(&mut self, block: &Block) -> Result<Vec<u8>, SyncError> {
        self.encode_with(block, &HeldParts::default(), Reliance::Stream)
    }

    /// One frame, which leaves out what the receiver is known to hold.
    ///
    /// # Errors
    ///
    /// As [`Self::encode`].
    pub fn encode_with(
        &mut self,
        block: &Block,
        held: &HeldParts,
        reliance: Reliance,
    ) -> Result<Vec<u8>, SyncError> {
        match &mut self.0 {
            OwnEncoder::Zstd(encoder) => encoder.encode(block),
            OwnEncoder::Columns(encoder) => encoder.encode(block, held, reliance),
        }
    }
}

/// Measures what blocks cost in a stream of version 2, by part. It sends nothing.
pub struct BlockMeter(ColumnEncoder);

impl BlockMeter {
    /// A new stream.
    #[allow(clippy::new_without_default, reason = "as the encoder beside it")]
    pub fn new() -> Self {
        Self(ColumnEncoder::new())
    }

    /// What the block could leave out if the receiver holds it.
    pub fn asks_of(&self, block: &Block) -> BTreeSet<HeldKey> {
        self.0.asks_of(block)
    }

    /// Bytes that the next block costs, by part.
    ///
    /// # Errors
    ///
    /// [`SyncError::BadBlock`] where it cannot be encoded.
    pub fn bytes_by_part(
        &mut self,
        block: &Block,
        held: &HeldParts,
    ) -> Result<Vec<(CostPart, f64)>, SyncError> {
        let bits = self.0.cost_of(block, held)?;
        let of = |(part, bits): (CostPart, f64)| (part, bits / 8.0);
        Ok(CostPart::ALL.into_iter().zip(bits).map(of).collect())
    }
}

/// Decodes blocks of one stream, of whatever version.
#[derive(Default)]
pub struct BlockDecoder {
    zstd: Option<ZstdDecoder>,
    columns: Option<ColumnDecoder>,
}

/// A frame that was read.
pub enum ReadFrame {
    /// A block.
    Whole(Block),
    /// What was said of a block. The rest has to be looked up.
    Said(SaidFrame),
}

/// What a frame said of a block.
pub struct SaidFrame(SaidBlock);

impl SaidFrame {
    /// The block's log.
    pub fn log(&self) -> LogId {
        self.0.log()
    }

    /// What it leaves out and the store has to tell.
    pub fn asks(&self) -> BTreeSet<HeldKey> {
        self.0.asks()
    }
}

impl BlockDecoder {
    /// A new stream. A context is made when a frame of its version comes.
    ///
    /// # Errors
    ///
    /// None at present.
    pub fn new() -> Result<Self, SyncError> {
        Ok(Self::default())
    }

    /// Bytes that the stream takes here, about.
    pub fn held_bytes(&self) -> usize {
        let zstd = self.zstd.as_ref().map_or(0, |_| zstd_stream::DECODER_BYTES);
        let columns = self.columns.as_ref().map_or(0, ColumnDecoder::held_bytes);
        zstd + columns
    }

    /// Reads one frame. What it inflates to is bounded before anything of it is parsed.
    ///
    /// # Errors
    ///
    /// [`SyncError::BadBlock`] where its version is unknown, or it is no frame of that version.
    pub fn read(&mut self, frame: &[u8]) -> Result<ReadFrame, SyncError> {
        let (version, data) = CodecVersion::of_frame(frame)?;
        match version {
            CodecVersion::Zstd => {
                let decoder = match &mut self.zstd {
                    Some(decoder) => decoder,
                    none => none.insert(ZstdDecoder::new()?),
                };
                decoder.decode(data).map(ReadFrame::Whole)
            }
            CodecVersion::Columns => {
                let decoder = self.columns.get_or_insert_with(ColumnDecoder::new);
                Ok(ReadFrame::Said(SaidFrame(decoder.read(data)?)))
            }
        }
    }

    /// Puts together what a frame said and what is held here. Frames have to be put together in the
    /// order in which they were read.
    ///
    /// # Errors
    ///
    /// [`SyncError::BadBlock`] where the block is larger than one may be.
    pub fn rebuild(
        &mut self,
        said: SaidFrame,
        held: &HeldParts,
    ) -> Result<Result<Block, Unresolved>, SyncError> {
        let decoder = self.columns.get_or_insert_with(ColumnDecoder::new);
        let rebuilt = decoder.rebuild(said.0, held);
        if rebuilt.as_ref().is_ok_and(|block| !fits_frame(block)) {
            return Err(broken(format!(
                "it inflates to more than {BODY_BYTES_MAX} bytes"
            )));
        }

        Ok(rebuilt)
    }

    /// Reads one frame of a stream that stands for itself.
    ///
    /// # Errors
    ///
    /// As [`Self::read`] and [`Self::rebuild`], and where it leaves out what the stream does not
    /// tell.
    pub fn decode(&mut self, frame: &[u8]) -> Result<Block, SyncError> {
        let said = match self.read(frame)? {
            ReadFrame::Whole(block) => return Ok(block),
            ReadFrame::Said(said) => said,
        };

        let rebuilt = self.rebuild(said, &HeldParts::default())?;
        rebuilt.map_err(|_| broken("it leaves out what the stream does not tell"))
    }
}

/// Whether a frame takes the block, and whoever reads it does.
pub fn fits_frame(block: &Block) -> bool {
    let entries = block.entries.iter();
    let entries: usize = entries
        .map(|entry| prost::encoding::bytes::encoded_len(ENTRIES_FIELD, entry))
        .sum();
    let rest = Block {
        from: block.from,
        entries: Vec::new(),
        checkpoint: block.checkpoint.clone(),
    };

    block.entries.len() <= BLOCK_ENTRIES_MAX && entries + encode_plain(&rest).len() < BODY_BYTES_MAX
}

/// A block without compression: for carrying and bundles.
pub fn encode_plain(block: &Block) -> Vec<u8> {
    pb::BlockBody {
        log: block.checkpoint.checkpoint.log.to_bytes().to_vec(),
        start: block.from,
        entries: block.entries.clone(),
        checkpoint: block.checkpoint.to_bytes(),
    }
    .encode_to_vec()
}

/// Reads a block without compression. Nothing is verified but its shape.
pub fn decode_plain(bytes: &[u8]) -> Result<Block, SyncError> {
    // Counted before anything is allocated for them.
    let entries = count_fields(bytes, &[ENTRIES_FIELD]).map_err(broken)?;
    if entries > BLOCK_ENTRIES_MAX && !wadi_log::defence::off("block-entries-max") {
        return Err(broken(format!(
            "{entries} entries; the limit is {BLOCK_ENTRIES_MAX}"
        )));
    }

    let body = pb::BlockBody::decode(bytes).map_err(broken)?;
    let checkpoint = SignedCheckpoint::from_bytes(&body.checkpoint).map_err(broken)?;
    if checkpoint.checkpoint.log.to_bytes()[..] != body.log[..] {
        return Err(broken("its checkpoint is another log's"));
    }

    if checkpoint
        .checkpoint
        .size
        .checked_sub(body.entries.len() as u64)
        != Some(body.start)
    {
        return Err(broken("its entries do not end at its checkpoint"));
    }

    Ok(Block {
        from: body.start,
        entries: body.entries,
        checkpoint,
    })
}
