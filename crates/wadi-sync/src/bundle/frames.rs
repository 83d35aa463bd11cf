//! The frames of a body: what sessions say in messages, blocks in one stream of the block codec,
//! and an end that counts them.

use super::{BUNDLE_BYTES_MAX, BundleFileError, unreadable};
use crate::{
    codec::{BlockDecoder, BlockEncoder},
    message::{MESSAGE_BYTES_MAX, Message, SyncError},
    sealed_block::SealedBlock,
};
use std::io::Read;
use wadi_log::Block;

/// Bytes of a frame at most: a message, or a block that does not compress.
const FRAME_BYTES_MAX: usize = 2 * MESSAGE_BYTES_MAX;
/// Bytes that the frames of a part inflate to at most. A part is filled by what it holds before
/// compression.
pub(super) const INFLATED_BYTES_MAX: usize = 2 * BUNDLE_BYTES_MAX;

/// The kind of a frame, its first byte: the end, which counts the frames before it.
const END_KIND: u8 = 0;
/// A message.
pub(super) const MESSAGE_KIND: u8 = 1;
/// A block.
pub(super) const BLOCK_KIND: u8 = 2;
/// A sealed block, which the maker carries and cannot read.
const SEALED_KIND: u8 = 3;

/// One piece of a body.
#[derive(Clone, PartialEq, Debug)]
pub enum Frame {
    /// Enrolments, fork proofs, a cosignature or an excerpt, as a session says them.
    Message(Message),
    /// A run of entries that ends at a checkpoint.
    Block(Block),
    /// The same, carried for its author and sealed to hubs.
    Sealed(SealedBlock),
}

/// Writes the frames of one body, in order.
pub struct FrameWriter {
    encoder: BlockEncoder,
    frames: u64,
}

impl FrameWriter {
    /// A new body.
    pub fn new() -> Result<Self, SyncError> {
        Ok(Self {
            encoder: BlockEncoder::new()?,
            frames: 0,
        })
    }

    /// A message's frame.
    pub fn message(&mut self, message: &Message) -> Vec<u8> {
        self.frame(MESSAGE_KIND, &message.encode())
    }

    /// A block's frame.
    pub fn block(&mut self, block: &Block) -> Result<Vec<u8>, SyncError> {
        let bytes = self.encoder.encode(block)?;
        Ok(self.frame(BLOCK_KIND, &bytes))
    }

    /// A sealed block's frame.
    pub fn sealed(&mut self, sealed: &SealedBlock) -> Vec<u8> {
        self.frame(SEALED_KIND, &sealed.encode())
    }

    /// The end, which says how many there were.
    pub fn end(mut self) -> Vec<u8> {
        let frames = self.frames;
        self.frame(END_KIND, &frames.to_be_bytes())
    }

    fn frame(&mut self, kind: u8, payload: &[u8]) -> Vec<u8> {
        self.frames += 1;
        let length = u32::try_from(payload.len()).expect("messages and blocks are far smaller");
        [&[kind][..], &length.to_be_bytes()[..], payload].concat()
    }
}

/// Reads the frames of one body. Nothing that they claim is verified but their shape.
pub struct FrameReader<R> {
    from: R,
    decoder: BlockDecoder,
    frames: u64,
    left: usize,
    ended: bool,
}

impl<R: Read> FrameReader<R> {
    /// Reads a decrypted body.
    pub fn new(from: R) -> Result<Self, BundleFileError> {
        let decoder = BlockDecoder::new().map_err(unreadable)?;
        Ok(Self {
            from,
            decoder,
            frames: 0,
            left: INFLATED_BYTES_MAX,
            ended: false,
        })
    }

    /// The next frame; nothing behind the last, if all that were written have come.
    pub fn read(&mut self) -> Result<Option<Frame>, BundleFileError> {
        if self.ended {
            return Ok(None);
        }

        let mut head = [0; 5];
        self.from.read_exact(&mut head).map_err(unreadable)?;
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;

        // The length is checked before anything is allocated for it.
        if length > FRAME_BYTES_MAX {
            return Err(unreadable(format!(
                "a frame of {length} bytes; the limit is {FRAME_BYTES_MAX}"
            )));
        }

        let mut payload = vec![0; length];
        self.from.read_exact(&mut payload).map_err(unreadable)?;
        let (frame, bytes) = match head[0] {
            END_KIND => return self.end(&payload),
            MESSAGE_KIND => (
                Frame::Message(Message::decode(&payload).map_err(unreadable)?),
                length,
            ),
            BLOCK_KIND => {
                let block = self.decoder.decode(&payload).map_err(unreadable)?;
                let bytes = block.entries.iter().map(Vec::len).sum::<usize>();
                (Frame::Block(block), bytes)
            }
            SEALED_KIND => (
                Frame::Sealed(SealedBlock::decode(&payload).map_err(unreadable)?),
                length,
            ),
            kind => {
                return Err(unreadable(format!(
                    "a frame of kind {kind}, which this version does not know"
                )));
            }
        };

        self.frames += 1;
        self.left = self.left.checked_sub(bytes).ok_or_else(|| {
            unreadable(format!(
                "it inflates to more than {INFLATED_BYTES_MAX} bytes: no honest node made it"
            ))
        })?;

        Ok(Some(frame))
    }

    fn end(&mut self, payload: &[u8]) -> Result<Option<Frame>, BundleFileError> {
        if payload != self.frames.to_be_bytes() {
            return Err(unreadable(format!(
                "{} frames have come, and the end counts others",
                self.frames
            )));
        }

        if self.from.read(&mut [0]).map_err(unreadable)? != 0 {
            return Err(unreadable("something follows its end"));
        }

        self.ended = true;
        Ok(None)
    }
}
