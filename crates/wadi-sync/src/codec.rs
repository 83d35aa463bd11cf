//! The block codec, version 1: entries under zstd, with a context that lives as long as the stream,
//! so that hashes, names and keys that came before cost a back reference.

use crate::{SyncError, bounds::count_fields, pb};
use prost::Message as _;
use wadi_log::{BLOCK_ENTRIES_MAX, Block, SignedCheckpoint};
use zstd::stream::raw::{CParameter, DParameter, Decoder, Encoder, InBuffer, Operation, OutBuffer};

/// The codec's version, the first byte of every frame.
const CODEC_VERSION: u8 = 1;
/// Bytes of a block frame at most.
pub const BLOCK_FRAME_BYTES_MAX: usize = 96 * 1024;
/// Bytes of a block before compression at most. An honest one has some 40 KiB: a run of 8 KiB and
/// an entry behind it. Whatever is taken fits a frame again for whoever is next, however badly it
/// compresses there.
const BODY_BYTES_MAX: usize = BLOCK_FRAME_BYTES_MAX - 4 * 1024;
/// Context of 1 MiB on either side.
const WINDOW_LOG2: u32 = 20;
/// What zstd spends on compressing.
const ZSTD_LEVEL: i32 = 9;
/// Tables of 128 Ki places: an encoder a lane and peer takes 1.2 MB in place of 11, for 0.6 % more
/// bytes. A decoder does not notice.
const TABLES_LOG2: u32 = 17;
/// The field of `BlockBody` that holds its entries.
const ENTRIES_FIELD: u32 = 3;

/// Encodes blocks for one stream.
pub struct BlockEncoder(Encoder<'static>);
/// Decodes blocks of one stream.
pub struct BlockDecoder(Decoder<'static>);

fn broken(why: impl ToString) -> SyncError {
    SyncError::BadBlock(why.to_string())
}

impl BlockEncoder {
    /// A new context.
    pub fn new() -> Result<Self, SyncError> {
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
    pub fn encode(&mut self, block: &Block) -> Result<Vec<u8>, SyncError> {
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
        out.insert(0, CODEC_VERSION);
        Ok(out)
    }
}

impl BlockDecoder {
    /// A new context.
    pub fn new() -> Result<Self, SyncError> {
        let mut decoder = Decoder::new().map_err(broken)?;
        // The peer chooses the window; it must not choose how much memory this node spends.
        decoder
            .set_parameter(DParameter::WindowLogMax(WINDOW_LOG2))
            .map_err(broken)?;
        Ok(Self(decoder))
    }

    /// Reads one frame. What it inflates to is bounded before anything of it is parsed.
    pub fn decode(&mut self, frame: &[u8]) -> Result<Block, SyncError> {
        let (version, data) = frame.split_first().ok_or_else(|| broken("empty frame"))?;
        if *version != CODEC_VERSION {
            return Err(broken(format!(
                "codec version {version}, this node knows {CODEC_VERSION}"
            )));
        }

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

/// Whether a frame takes the block, and whoever reads it does.
pub fn fits_frame(block: &Block) -> bool {
    block.entries.len() <= BLOCK_ENTRIES_MAX && encode_plain(block).len() < BODY_BYTES_MAX
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
    if entries > BLOCK_ENTRIES_MAX {
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
        let (mut encoder, mut decoder) =
            (BlockEncoder::new().unwrap(), BlockDecoder::new().unwrap());
        let mut sizes = vec![];
        for block in blocks(5) {
            let frame = encoder.encode(&block).unwrap();
            sizes.push(frame.len());
            assert_eq!(decoder.decode(&frame).unwrap(), block);
        }

        assert!(sizes[4] < sizes[0], "{sizes:?}");
    }

    #[test]
    fn whatever_is_taken_from_one_stream_fits_a_frame_of_another() {
        // Noise, which does not compress.
        let noise = |n: u64| -> Vec<u8> {
            let word = |i: u64| wadi_log::leaf_hash(&(n * 1_000 + i).to_be_bytes()).0;
            (0..1_000).flat_map(word).collect()
        };
        let made = blocks(1).remove(0);
        let of = |entries: Vec<Vec<u8>>| {
            let mut checkpoint = made.checkpoint.clone();
            checkpoint.checkpoint.size = entries.len() as u64;
            Block {
                from: 0,
                entries,
                checkpoint,
            }
        };

        let (large, larger) = (
            of((0..2).map(noise).collect()),
            of((0..4).map(noise).collect()),
        );
        assert!(fits_frame(&large) && !fits_frame(&larger));

        let frame = BlockEncoder::new().unwrap().encode(&large).unwrap();
        assert!(
            frame.len() <= BLOCK_FRAME_BYTES_MAX,
            "{} bytes",
            frame.len()
        );

        assert_eq!(BlockDecoder::new().unwrap().decode(&frame).unwrap(), large);

        let (mut encoder, mut decoder) =
            (BlockEncoder::new().unwrap(), BlockDecoder::new().unwrap());
        decoder.decode(&encoder.encode(&large).unwrap()).unwrap();
        assert!(
            decoder.decode(&encoder.encode(&larger).unwrap()).is_err(),
            "it could not be sent on"
        );
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
        let frame = [&[CODEC_VERSION], &out[..at]].concat();
        assert_eq!(
            BlockDecoder::new()
                .unwrap()
                .decode(&frame)
                .unwrap_err()
                .code(),
            "bad_block"
        );

        assert!(BlockDecoder::new().unwrap().decode(&[9, 1, 2]).is_err());
        assert!(BlockDecoder::new().unwrap().decode(&[]).is_err());
    }

    /// An encoder as it was before its tables were made smaller.
    fn with_default_tables() -> BlockEncoder {
        let mut encoder = Encoder::new(ZSTD_LEVEL).unwrap();
        encoder
            .set_parameter(CParameter::WindowLog(WINDOW_LOG2))
            .unwrap();
        BlockEncoder(encoder)
    }

    #[test]
    fn streams_of_either_size_of_tables_are_read_alike_and_cost_alike() {
        let mut bytes = Vec::new();
        for mut encoder in [with_default_tables(), BlockEncoder::new().unwrap()] {
            let mut decoder = BlockDecoder::new().unwrap();
            let mut stream = 0;
            for block in blocks(300) {
                let frame = encoder.encode(&block).unwrap();
                stream += frame.len();
                assert_eq!(decoder.decode(&frame).unwrap(), block);
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

    /// A block of so many entries of some bytes each.
    fn of_entries(count: usize, entry_bytes: usize) -> Block {
        let mut checkpoint = blocks(1).remove(0).checkpoint;
        checkpoint.checkpoint.size = count as u64;
        Block {
            from: 0,
            entries: vec![vec![7; entry_bytes]; count],
            checkpoint,
        }
    }

    #[test]
    fn five_hundred_and_twelve_entries_are_taken_and_one_more_is_not_however_short() {
        for entry_bytes in [0, 1, 100] {
            let most = of_entries(BLOCK_ENTRIES_MAX, entry_bytes);
            assert!(fits_frame(&most));
            assert_eq!(decode_plain(&encode_plain(&most)).unwrap(), most);

            let more = of_entries(BLOCK_ENTRIES_MAX + 1, entry_bytes);
            assert!(!fits_frame(&more), "a session does not send it");

            let refused = decode_plain(&encode_plain(&more)).unwrap_err();
            assert!(
                refused
                    .to_string()
                    .contains("513 entries; the limit is 512"),
                "{refused}"
            );

            let frame = BlockEncoder::new().unwrap().encode(&more).unwrap();
            assert_eq!(
                BlockDecoder::new().unwrap().decode(&frame).unwrap_err(),
                refused
            );
        }
    }

    #[test]
    fn entries_are_counted_in_whatever_order_the_fields_of_a_block_come() {
        // A checkpoint in front of the entries, and fields that nobody knows between them.
        let block = of_entries(BLOCK_ENTRIES_MAX + 1, 1);
        let mut body = Vec::new();
        prost::encoding::bytes::encode(4, &block.checkpoint.to_bytes(), &mut body);
        for entry in &block.entries {
            prost::encoding::uint64::encode(99, &7, &mut body);
            prost::encoding::bytes::encode(3, entry, &mut body);
        }

        prost::encoding::bytes::encode(
            1,
            &block.checkpoint.checkpoint.log.to_bytes().to_vec(),
            &mut body,
        );

        assert!(
            decode_plain(&body)
                .unwrap_err()
                .to_string()
                .contains("513 entries")
        );
    }

    #[test]
    fn a_mebibyte_and_a_byte_is_refused_before_it_is_inflated() {
        for inflated in [(1 << 20) + 1, 64 << 20] {
            let BlockEncoder(mut encoder) = BlockEncoder::new().unwrap();
            let zeros = vec![0; inflated];
            let mut out = vec![0; zstd::zstd_safe::compress_bound(inflated)];
            let mut buffer = OutBuffer::around(&mut out[..]);
            let mut input = InBuffer::around(&zeros);
            while input.pos() < zeros.len() {
                encoder.run(&mut input, &mut buffer).unwrap();
            }

            encoder.flush(&mut buffer).unwrap();
            let at = buffer.pos();
            let frame = [&[CODEC_VERSION], &out[..at]].concat();

            let mut decoder = BlockDecoder::new().unwrap();
            let refused = decoder.decode(&frame).unwrap_err();
            assert!(
                refused.to_string().contains("inflates to more than"),
                "{refused}"
            );
        }
    }
}
