//! What is thrown at a link itself: frames that are none, frames that inflate without end, blocks
//! of more than a block may have, messages of nonsense, and strangers.

use super::{
    hostile_samples::Surroundings,
    hostile_texts::{json, number, text},
};
use rand::{Rng, RngExt, prelude::IndexedRandom, rngs::StdRng};
use std::collections::BTreeMap;
use wadi_log::*;
use wadi_node::Arriving;
use wadi_sync::{
    ExcerptAmount, ExcerptEntry, Fetched, FrontierPart, Message, Picked, Range, RefuseReason,
    SketchAsk, encode_plain,
};

/// The first byte of a frame under zstd.
const ZSTD_MARK: u8 = 1;

/// One thing to throw, by its name.
pub(crate) fn thrown(
    r: &mut StdRng,
    around: &Surroundings,
    block: &Block,
) -> (&'static str, Arriving) {
    let lane = *Lane::ALL.choose(r).expect("five");
    let of_block = block.checkpoint.checkpoint.log.lane;
    match r.random_range(0..6) {
        0 => {
            let mut bytes = vec![0; r.random_range(0..3_000)];
            r.fill_bytes(&mut bytes);
            if let Some(first) = bytes.first_mut() {
                // A mark that there is, so that it is looked into.
                *first = r.random_range(0..4);
            }
            ("garbage_frame", Arriving::Frame(lane, bytes))
        }
        1 => (
            "bomb",
            Arriving::Frame(lane, bomb(r.random_range(1..2_000))),
        ),
        2 => {
            let crumbs = (0..=BLOCK_ENTRIES_MAX).map(|n| vec![n as u8]).collect();
            let from = block.from;
            let mut checkpoint = block.checkpoint.clone();
            checkpoint.checkpoint.size = from + BLOCK_ENTRIES_MAX as u64 + 1;
            let many = Block {
                from,
                entries: crumbs,
                checkpoint,
            };
            (
                "too_many",
                Arriving::Frame(of_block, raw_frame(&encode_plain(&many))),
            )
        }
        3 => {
            let mut large = block.clone();
            large.entries = vec![vec![9; ENTRY_BYTES_MAX + r.random_range(1..9)]];
            large.checkpoint.checkpoint.size = large.from + 1;
            (
                "too_large",
                Arriving::Frame(of_block, raw_frame(&encode_plain(&large))),
            )
        }
        _ => ("message", Arriving::Message(message(r, around, block))),
    }
}

/// A frame of a few bytes that inflates to 128 KiB for every four of them.
fn bomb(blocks: usize) -> Vec<u8> {
    // A frame of RFC 8878: its magic, no content size, a window of 1 MiB, then runs of one byte.
    let mut out = vec![ZSTD_MARK, 0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x50];
    for n in 0..blocks {
        let is_last = u32::from(n + 1 == blocks);
        let header: u32 = (128 * 1024) << 3 | 1 << 1 | is_last;
        out.extend(&header.to_le_bytes()[..3]);
        out.push(0);
    }

    out
}

/// Bytes as a frame holds them that compresses nothing.
pub(crate) fn raw_frame(body: &[u8]) -> Vec<u8> {
    let mut out = vec![ZSTD_MARK, 0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x50];
    let mut parts = body.chunks(100 * 1024).peekable();
    while let Some(part) = parts.next() {
        let is_last = u32::from(parts.peek().is_none());
        let header: u32 = (part.len() as u32) << 3 | is_last;
        out.extend(&header.to_le_bytes()[..3]);
        out.extend(part);
    }

    out
}

fn message(r: &mut StdRng, around: &Surroundings, block: &Block) -> Message {
    let log = around.log(r);
    let size = number(r) as u64;
    let tip = Tip {
        size,
        root: Hash(r.random()),
    };
    let range = Range {
        log,
        from: number(r) as u64,
        to: number(r) as u64,
    };

    match r.random_range(0..18) {
        0 => Message::Frontier {
            folded: Folded {
                open: (0..r.random_range(0..400))
                    .map(|_| (around.log(r), tip))
                    .collect(),
                closed: (0..r.random_range(0..40))
                    .map(|_| (NodeId(r.random()), (number(r) as u64, Hash(r.random()))))
                    .collect(),
            },
            part: FrontierPart {
                unfolded: r.random(),
                since: r.random(),
                more: r.random(),
            },
        },
        1 => Message::Unfold((0..300).map(|_| NodeId(r.random())).collect()),
        2 => Message::Ack {
            log,
            size,
            cosignature: None,
            refused: r.random::<bool>().then_some(RefuseReason::Retry),
        },
        3 => Message::Probe {
            log,
            sizes: (0..r.random_range(0..200))
                .map(|_| number(r) as u64)
                .collect(),
        },
        4 => Message::Roots {
            log,
            roots: BTreeMap::from([(size, Hash(r.random())), (0, Hash([0; 32]))]),
        },
        5 => Message::WantBranch { log, at: size },
        6 => Message::BranchAt {
            log,
            at: size,
            branch: Box::new(branch(r, block)),
        },
        7 => Message::ForkProofs(vec![ForkProof::new(
            number(r) as u64,
            branch(r, block),
            branch(r, block),
        )]),
        8 => Message::Excerpt {
            record: around.record(r),
            from: number(r) as u32,
            entries: vec![ExcerptEntry {
                log,
                seq: size,
                bytes: json(r, 2).into_bytes(),
                path: (0..r.random_range(0..70))
                    .map(|_| Hash(r.random()))
                    .collect(),
                checkpoint: block.checkpoint.clone(),
                cosignature: cosignature(r, block),
            }],
        },
        9 => Message::ExcerptAck(ExcerptAmount::Entries {
            record: around.record(r),
            entries: number(r) as u32,
        }),
        10 => Message::Cosigned {
            checkpoint: Box::new(block.checkpoint.clone()),
            cosignature: cosignature(r, block),
        },
        11 => Message::CarryOffer(vec![range; 30]),
        12 => Message::CarryWant(vec![range; 30]),
        13 => Message::Carry {
            log,
            block: match r.random() {
                true => text(r).into_bytes(),
                false => encode_plain(block),
            },
        },
        14 => Message::Sketch {
            log,
            tip,
            salt: r.random(),
            ask: sketch_ask(r),
        },
        15 => Message::Pick {
            log,
            tip,
            ranges: vec![(
                range.from,
                range.from.saturating_add(1 + number(r) as u64 % 500),
            )],
        },
        16 => Message::Picked(Picked {
            log,
            tip,
            from: size,
            entries: block.entries.iter().take(3).cloned().collect(),
        }),
        _ => Message::Fetched(Fetched {
            log,
            tip,
            stretches: vec![Stretch {
                from: size,
                entries: block.entries.iter().take(3).cloned().collect(),
                around: (0..r.random_range(0..40))
                    .map(|_| Hash(r.random()))
                    .collect(),
            }],
            absent: vec![(size, number(r) as u64)],
        }),
    }
}

/// A question for a sketch, of a tree that need not be so large.
fn sketch_ask(r: &mut StdRng) -> SketchAsk {
    match r.random_range(0..3) {
        0 => SketchAsk::Tiles {
            estimator: r.random(),
            cells: r.random_range(1..8_192),
        },
        1 => SketchAsk::Row {
            from: number(r) as u64,
            count: r.random_range(1..16_384),
        },
        _ => SketchAsk::Leaves {
            tiles: (0..r.random_range(1..2_048)).collect(),
            cells: r.random_range(0..8_192),
            raw: vec![number(r) as u64],
        },
    }
}

fn branch(r: &mut StdRng, block: &Block) -> Branch {
    Branch {
        checkpoint: block.checkpoint.clone(),
        leaf: Hash(r.random()),
        path: (0..r.random_range(0..70))
            .map(|_| Hash(r.random()))
            .collect(),
    }
}

fn cosignature(r: &mut StdRng, block: &Block) -> Cosignature {
    let key = LogKey::from_seed(&r.random());
    key.cosign(&block.checkpoint.checkpoint, r.random())
}
