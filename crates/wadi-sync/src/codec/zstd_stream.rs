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
/// What a context takes: an encoder's as measured, a decoder's by its window, blocks and tables.
pub(super) const ENCODER_BYTES: usize = 1_250_000;
pub(super) const DECODER_BYTES: usize = 1_500_000;

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

    /// Reads one frame behind its first byte. What it inflates to is bounded before anything of it
    /// is parsed.
    pub(super) fn decode(&mut self, data: &[u8]) -> Result<Block, SyncError> {
        let mut out = vec![0; BODY_BYTES_MAX];
        let (mut input, mut at) = (InBuffer::around(data), 0);
        loop {
            let mut buffer = OutBuffer::around_pos(&mut out, at);
            self.0.run(&mut input, &mut buffer).map_err(broken)?;
            let grown = buffer.pos() - at;
            at = buffer.pos();
            if at == out.len() && wadi_log::defence::off("inflated-bytes-max") {
                out.resize(2 * at, 0);
            } else if at == BODY_BYTES_MAX {
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

#[cfg(test)]
mod tests {
    use super::*;
    use wadi_log::{Body, Change, Common, Entry, LogId, LogKey, Peaks, Put, Value, VerifiedBlock};

    fn blocks(count: u64) -> Vec<Block> {
        let key = LogKey::from_seed(&[1; 32]);
        let log = LogId {
            node: key.node(),
            epoch: wadi_log::Epoch([2; 8]),
            lane: wadi_log::Lane::Passage,
            crossing: "TRB".parse().unwrap(),
        };

        let mut peaks = Peaks::default();
        (0..count)
            .map(|n| {
                let puts = vec![Put {
                    key: "vehicle.plate".into(),
                    value: Value::Text(format!("11-A-{n}")),
                }];
                let change = Change {
                    puts,
                    ..Default::default()
                };

                let common = Common {
                    wall_ms: n as i64,
                    officer: "OF-0001".into(),
                    ..Default::default()
                };

                let entry = Entry {
                    common,
                    body: Body::Change(change),
                };
                let block = VerifiedBlock::author(&key, log, &peaks, &[entry], 0, vec![]).unwrap();
                let from = peaks.size();

                peaks = block.peaks().clone();
                Block {
                    from,
                    entries: block.entries().iter().map(|e| e.bytes().to_vec()).collect(),
                    checkpoint: block.checkpoint().clone(),
                }
            })
            .collect()
    }

    #[test]
    fn blocks_survive_a_stream_in_order_and_later_ones_cost_less() {
        let (mut encoder, mut decoder) = (ZstdEncoder::new().unwrap(), ZstdDecoder::new().unwrap());
        let mut sizes = vec![];
        for block in blocks(5) {
            let frame = encoder.encode(&block).unwrap();
            sizes.push(frame.len());
            assert_eq!(decoder.decode(&frame[1..]).unwrap(), block);
        }

        assert!(sizes[4] < sizes[0], "{sizes:?}");
    }

    #[test]
    fn a_frame_that_inflates_without_bound_is_refused() {
        let mut encoder = Encoder::new(19).unwrap();
        let zeros = vec![0; 4 * BODY_BYTES_MAX];
        let mut out = vec![0; 64 * 1024];
        let mut buffer = OutBuffer::around(&mut out[..]);

        encoder
            .run(&mut InBuffer::around(&zeros), &mut buffer)
            .unwrap();
        encoder.flush(&mut buffer).unwrap();

        let at = buffer.pos();
        let frame = [&[FRAME_MARK], &out[..at]].concat();
        assert_eq!(
            ZstdDecoder::new()
                .unwrap()
                .decode(&frame[1..])
                .unwrap_err()
                .code(),
            "bad_block"
        );
    }

    /// An encoder as it was before its tables were made smaller.
    fn with_default_tables() -> ZstdEncoder {
        let mut encoder = Encoder::new(ZSTD_LEVEL).unwrap();
        encoder
            .set_parameter(CParameter::WindowLog(WINDOW_LOG2))
            .unwrap();
        ZstdEncoder(encoder)
    }

    #[test]
    fn streams_of_either_size_of_tables_are_read_alike_and_cost_alike() {
        let mut bytes = Vec::new();
        for mut encoder in [with_default_tables(), ZstdEncoder::new().unwrap()] {
            let mut decoder = ZstdDecoder::new().unwrap();
            let mut stream = 0;
            for block in blocks(300) {
                let frame = encoder.encode(&block).unwrap();
                stream += frame.len();
                assert_eq!(decoder.decode(&frame[1..]).unwrap(), block);
            }

            bytes.push(stream as f64);
        }

        assert!(
            bytes[1] < bytes[0] * 1.02,
            "{} bytes before, {} now",
            bytes[0],
            bytes[1]
        );
    }

    #[test]
    fn a_mebibyte_and_a_byte_is_refused_before_it_is_inflated() {
        for inflated in [(1 << 20) + 1, 64 << 20] {
            let ZstdEncoder(mut encoder) = ZstdEncoder::new().unwrap();
            let zeros = vec![0; inflated];
            let mut out = vec![0; zstd::zstd_safe::compress_bound(inflated)];
            let mut buffer = OutBuffer::around(&mut out[..]);
            let mut input = InBuffer::around(&zeros);
            while input.pos() < zeros.len() {
                encoder.run(&mut input, &mut buffer).unwrap();
            }

            encoder.flush(&mut buffer).unwrap();
            let at = buffer.pos();
            let frame = [&[FRAME_MARK], &out[..at]].concat();

            let mut decoder = ZstdDecoder::new().unwrap();
            let refused = decoder.decode(&frame[1..]).unwrap_err();
            assert!(
                refused.to_string().contains("inflates to more than"),
                "{refused}"
            );
        }
    }
}
