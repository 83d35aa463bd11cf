//! The block codec, version 1: entries under zstd, with a context that lives as long as the stream,
//! so that hashes, names and keys that came before cost a back reference.

use super::{BODY_BYTES_MAX, broken, decode_plain, encode_plain};
use crate::SyncError;
use wadi_log::Block;
use zstd::stream::raw::{CParameter, DParameter, Decoder, Encoder, InBuffer, Operation, OutBuffer};

/// The first byte of a frame.
pub(super) const FRAME_MARK: u8 = 1;
/// Context of 1 MiB on either side.
const WINDOW_LOG2: u32 = 20;
/// What zstd spends on compressing.
const ZSTD_LEVEL: i32 = 9;
/// Tables of 128 Ki places: an encoder a lane and peer takes 1.2 MB in place of 11, for 0.6 % more
/// bytes. A decoder does not notice.
const TABLES_LOG2: u32 = 17;

/// Encodes blocks for one stream.
pub(super) struct ZstdEncoder(Encoder<'static>);
/// Decodes blocks of one stream.
pub(super) struct ZstdDecoder(Decoder<'static>);

impl ZstdEncoder {
    /// A new context.
    pub(super) fn new() -> Result<Self, SyncError> {
        let mut encoder = Encoder::new(ZSTD_LEVEL).map_err(broken)?;
        for parameter in [
            CParameter::WindowLog(WINDOW_LOG2),
            CParameter::HashLog(TABLES_LOG2),
            CParameter::ChainLog(TABLES_LOG2),
        ] {
            encoder.set_parameter(parameter).map_err(broken)?;
        }

        Ok(Self(encoder))
    }

    /// One frame. The frames of a stream have to be decoded in the order of their encoding.
    pub(super) fn encode(&mut self, block: &Block) -> Result<Vec<u8>, SyncError> {
        let body = encode_plain(block);
        let mut out = vec![0; zstd::zstd_safe::compress_bound(body.len()) + 128];
        let (mut input, mut at) = (InBuffer::around(&body), 0);
        while input.pos() < body.len() {
            let mut buffer = OutBuffer::around_pos(&mut out, at);
            self.0.run(&mut input, &mut buffer).map_err(broken)?;
            at = buffer.pos();
        }

        loop {
            let mut buffer = OutBuffer::around_pos(&mut out, at);
            let left = self.0.flush(&mut buffer).map_err(broken)?;
            at = buffer.pos();
            if left == 0 {
                break;
            }
        }

        out.truncate(at);
        out.insert(0, FRAME_MARK);
        Ok(out)
    }
}

impl ZstdDecoder {
    /// A new context.
    pub(super) fn new() -> Result<Self, SyncError> {
        let mut decoder = Decoder::new().map_err(broken)?;
        // The peer chooses the window; it must not choose how much memory this node spends.
        decoder
            .set_parameter(DParameter::WindowLogMax(WINDOW_LOG2))
            .map_err(broken)?;
        Ok(Self(decoder))
    }

    /// Reads one frame behind its first byte. What it inflates to is bounded before anything of it is parsed.
    pub(super) fn decode(&mut self, data: &[u8]) -> Result<Block, SyncError> {
        let mut out = vec![0; BODY_BYTES_MAX];
        let (mut input, mut at) = (InBuffer::around(data), 0);
        loop {
            let mut buffer = OutBuffer::around_pos(&mut out, at);
            self.0.run(&mut input, &mut buffer).map_err(broken)?;
            let grown = buffer.pos() - at;
            at = buffer.pos();
            if at == BODY_BYTES_MAX {
                return Err(broken(format!(
                    "it inflates to more than {BODY_BYTES_MAX} bytes"
                )));
            }

            if input.pos() == data.len() && grown == 0 {
                break;
            }
        }

        decode_plain(&out[..at])
    }
}
