//! Both versions of the block codec: any entries, any block, any frame.

use proptest::prelude::*;
use std::collections::BTreeSet;
use wadi_log::{
    BLOCK_ENTRIES_MAX, Block, Body, Boot, Change, Checkpoint, Common, Entry, Epoch, Hash, Head,
    Lane, LogId, LogKey, OfficerEntry, Peaks, Put, RecordId, Reference, Seen, Value, leaf_hash,
};
use wadi_sync::{
    BLOCK_FRAME_BYTES_MAX, BlockDecoder, BlockEncoder, CodecVersion, HeldEntry, HeldKey, HeldParts,
    ReadFrame, Reliance, decode_plain, encode_plain, fits_frame,
};

fn log(epoch: u8) -> LogId {
    LogId {
        node: LogKey::from_seed(&[1; 32]).node(),
        epoch: Epoch([epoch; 8]),
        lane: Lane::Passage,
        crossing: "TRB".parse().unwrap(),
    }
}

/// Blocks of these entries, so many each, one after the other in one log. Nothing checks the
/// signature here.
fn blocks_of(log: LogId, entries: &[Vec<u8>], each: usize) -> Vec<Block> {
    let key = LogKey::from_seed(&[1; 32]);
    let mut peaks = Peaks::default();
    let chunks = entries.chunks(each.max(1));
    chunks
        .map(|entries| {
            let from = peaks.size();
            for entry in entries {
                peaks.append(leaf_hash(entry));
            }
            Block {
                from,
                entries: entries.to_vec(),
                checkpoint: key.sign(Checkpoint {
                    log,
                    size: peaks.size(),
                    root: peaks.root(),
                    hub_time_s: peaks.size() as i64,
                    logs: vec![],
                }),
            }
        })
        .collect()
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[A-Z]{2}-[0-9]{4}",
        "[a-z .\"\\\\]{0,40}",
        "\\PC{0,30}",
        Just("الختم سليم".to_string()),
        Just("with a \0 within".to_string()),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Flag),
        any::<i64>().prop_map(Value::Int),
        (0..100i64).prop_map(|n| Value::Int(1_767_225_600_000 + n * 1_000)),
        text().prop_map(Value::Text),
    ]
}

fn event() -> impl Strategy<Value = String> {
    let number = prop_oneof![
        any::<i64>().prop_map(|n| n.to_string()),
        Just("1.5e3".to_string())
    ];
    prop_oneof![
        (text(), number).prop_map(|(text, number)| {
            let text = serde_json::to_string(&text).unwrap();
            format!(r#"{{"kg":{number},"scale":{text},"type":"weighed"}}"#)
        }),
        text(),
    ]
}

fn reference() -> impl Strategy<Value = Reference> {
    (0..3u8, 0..40u64, any::<u8>()).prop_map(|(epoch, seq, leaf)| Reference {
        log: log(epoch),
        seq,
        leaf: Hash([leaf; 32]),
    })
}

fn common() -> impl Strategy<Value = Common> {
    (
        any::<i64>(),
        0..3u64,
        proptest::option::of(any::<i64>()),
        text(),
        text(),
        any::<u64>(),
        proptest::option::of("[a-c#][0-9]{0,2}"),
    )
        .prop_map(
            |(wall_ms, doubt_ms, happened_ms, officer, device, device_seq, run)| Common {
                wall_ms,
                doubt_ms,
                happened_source: happened_ms.map_or_else(String::new, |_| "paper".into()),
                happened_ms,
                officer: officer.chars().take(12).collect(),
                department: "VET".into(),
                device: device.chars().take(12).collect(),
                device_seq,
                device_run: run.unwrap_or_default(),
            },
        )
}

fn body() -> impl Strategy<Value = Body> {
    let change = (
        proptest::option::of(any::<u8>()),
        proptest::collection::btree_set(reference(), 0..3),
        proptest::collection::btree_map("[a-z]{1,3}(\\.[0-9])?", value(), 0..6),
        proptest::collection::vec(event(), 0..3),
    )
        .prop_map(|(record, based_on, puts, events)| {
            Body::Change(Change {
                record: record.map(|n| RecordId([n; 32])),
                based_on: based_on.into_iter().collect(),
                puts: puts
                    .into_iter()
                    .map(|(key, value)| Put { key, value })
                    .collect(),
                events,
            })
        });
    let head = || {
        reference().prop_map(|r| Head {
            log: r.log,
            size: r.seq,
            root: r.leaf,
        })
    };

    prop_oneof![
        4 => change,
        1 => proptest::collection::vec(head(), 0..3)
            .prop_map(|heads| Body::Seen(Seen { heads })),
        1 => (text(), proptest::collection::vec(head(), 0..3)).prop_map(|(software, previous)| {
            Body::Boot(Boot { software, previous })
        }),
        1 => (text(), any::<u64>()).prop_map(|(name, revision)| {
            Body::Officer(OfficerEntry {
                officer: "OF-1".into(),
                department: "VET".into(),
                crossing: None,
                supervisor: true,
                revision,
                revoked: false,
                name,
            })
        }),
        1 => proptest::collection::vec(any::<u8>(), 0..80)
            .prop_map(|bytes| Body::Unknown { kind: 99, bytes }),
    ]
}

/// Bytes of an entry: one that reads, one that is spoilt, or garbage.
fn entry_bytes() -> impl Strategy<Value = Vec<u8>> {
    let entry = (common(), body()).prop_map(|(common, body)| {
        let entry = Entry { common, body };
        // Some are beyond the format's rules: those stand in for what is no entry.
        entry
            .encode()
            .unwrap_or_else(|_| b"\x08\x01\x10\x01".to_vec())
    });
    let spoilt = (
        entry,
        proptest::option::weighted(0.2, (any::<u16>(), any::<u8>())),
    )
        .prop_map(|(mut bytes, spoil)| {
            if let Some((at, with)) = spoil {
                let at = usize::from(at) % bytes.len();
                bytes[at] = with;
            }
            bytes
        });

    prop_oneof![
        6 => spoilt,
        1 => proptest::collection::vec(any::<u8>(), 0..200),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn any_entries_in_any_blocks_come_back_from_a_stream(
        entries in proptest::collection::vec(entry_bytes(), 1..40),
        each in 1..9usize,
    ) {
        let blocks = blocks_of(log(9), &entries, each);
        for version in CodecVersion::ALL {
            let mut encoder = BlockEncoder::of_version(version).unwrap();
            let mut decoder = BlockDecoder::new().unwrap();
            for block in &blocks {
                let frame = encoder.encode(block).unwrap();
                prop_assert_eq!(&decoder.decode(&frame).unwrap(), block);
            }
        }
    }

    #[test]
    fn what_is_left_out_comes_back_from_what_is_held_or_is_said_in_full(
        entries in proptest::collection::vec(entry_bytes(), 1..30),
        knows in any::<bool>(),
    ) {
        // All that could be left out is held, with hashes as they are said.
        let held = held_of(&entries);
        let told = if knows { held.clone() } else { HeldParts::default() };
        let mut encoder = BlockEncoder::of_version(CodecVersion::Columns).unwrap();
        let mut decoder = BlockDecoder::new().unwrap();

        for block in blocks_of(log(9), &entries, 4) {
            let frame = encoder.encode_with(&block, &held, Reliance::Stream).unwrap();
            let ReadFrame::Said(said) = decoder.read(&frame).unwrap() else {
                panic!("version 2 says what it leaves out");
            };
            prop_assert!(said.asks().is_subset(&encoder_asks(&block)));
            let is_whole = knows || said.asks().is_empty();
            let rebuilt = decoder.rebuild(said, &told).unwrap();
            prop_assert_eq!(rebuilt.is_ok() || !is_whole, true);
            if let Ok(rebuilt) = rebuilt {
                prop_assert_eq!(&rebuilt, &block);
                continue;
            }

            // Once more, in full: the stream goes on.
            let frame = encoder.encode_with(&block, &held, Reliance::Nothing).unwrap();
            prop_assert_eq!(&decoder.decode(&frame).unwrap(), &block);
        }
    }

    #[test]
    fn no_frame_makes_a_decoder_panic_or_spend_more_than_a_block(
        entries in proptest::collection::vec(entry_bytes(), 1..20),
        spoil in proptest::collection::vec((any::<u16>(), any::<u8>()), 0..4),
        cut in proptest::option::of(any::<u16>()),
    ) {
        let mut encoder = BlockEncoder::of_version(CodecVersion::Columns).unwrap();
        let mut decoder = BlockDecoder::new().unwrap();
        for block in blocks_of(log(9), &entries, 5) {
            let mut frame = encoder.encode(&block).unwrap();
            for (at, with) in &spoil {
                let at = usize::from(*at) % frame.len();
                frame[at] = if at == 0 { CodecVersion::Columns.mark() } else { *with };
            }
            if let Some(cut) = cut {
                frame.truncate(usize::from(cut) % frame.len() + 1);
            }

            let Ok(block) = decoder.decode(&frame) else { break };
            prop_assert!(fits_frame(&block));
        }
    }

    #[test]
    fn no_bytes_make_a_decoder_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let frame = [&[CodecVersion::Columns.mark()][..], &bytes].concat();
        let mut decoder = BlockDecoder::new().unwrap();
        if let Ok(block) = decoder.decode(&frame) {
            prop_assert!(fits_frame(&block));
        }
        let _ = decoder.decode(&frame);
    }
}

fn encoder_asks(block: &Block) -> BTreeSet<HeldKey> {
    let encoder = BlockEncoder::of_version(CodecVersion::Columns).unwrap();
    let own = encoder.asks_of(block);
    // The stream may know more than a new one; it never asks for more.
    own
}

fn held_of(entries: &[Vec<u8>]) -> HeldParts {
    let mut held = HeldParts::default();
    for bytes in entries {
        let Ok(wadi_log::Reading::Entry(entry)) = Entry::read(bytes) else {
            continue;
        };
        match entry.body {
            Body::Change(change) => {
                for r in change.based_on.iter().filter(|r| r.log != log(9)) {
                    let record = change.record;
                    let leaf = r.leaf;
                    let at = (r.log, r.seq);
                    held.entries.insert(at, HeldEntry { leaf, record });
                }
            }
            Body::Seen(Seen { heads })
            | Body::Boot(Boot {
                previous: heads, ..
            }) => {
                held.roots
                    .extend(heads.iter().map(|h| ((h.log, h.size), h.root)));
            }
            _ => {}
        }
    }
    held
}

#[test]
fn versions_and_dictionaries_that_are_not_known_are_refused_by_name() {
    let mut decoder = BlockDecoder::new().unwrap();
    let mut refused = |mark: u8| decoder.decode(&[mark, 0, 0, 0]).unwrap_err();
    let later = refused(0x13);
    assert_eq!(later.code(), "bad_block");
    assert!(
        later
            .to_string()
            .contains("codec version 3 with dictionary 1"),
        "{later}"
    );

    let dictionary = refused(0x22);
    assert!(
        dictionary
            .to_string()
            .contains("version 2 with dictionary 2"),
        "{dictionary}"
    );
    assert!(decoder.decode(&[]).is_err());

    assert_eq!(CodecVersion::best_of(&[]), CodecVersion::Zstd);
    assert_eq!(CodecVersion::best_of(&[0x22, 0x13]), CodecVersion::Zstd);
    assert_eq!(CodecVersion::best_of(&[0x22, 0x12]), CodecVersion::Columns);
}

#[test]
fn a_frame_that_inflates_without_bound_is_refused() {
    let letters = Entry {
        common: Common::default(),
        body: Body::Change(Change {
            puts: vec![Put {
                key: "note".into(),
                value: Value::Text("a".repeat(16 * 1024)),
            }],
            ..Default::default()
        }),
    };
    let bytes = letters.encode().unwrap();
    for (count, taken) in [(5, true), (6, false), (500, false)] {
        let block = blocks_of(log(9), &vec![bytes.clone(); count], count).remove(0);
        let mut encoder = BlockEncoder::of_version(CodecVersion::Columns).unwrap();
        let frame = encoder.encode(&block).unwrap();
        assert!(frame.len() < 8 * 1024, "{} bytes", frame.len());

        let read = BlockDecoder::new().unwrap().decode(&frame);
        assert_eq!(read.is_ok(), taken, "{count} entries");
        if let Err(refused) = read {
            assert!(
                refused.to_string().contains("inflates to more than"),
                "{refused}"
            );
        }
    }
}

#[test]
fn whatever_is_taken_from_one_stream_fits_a_frame_of_another() {
    let noise = |n: u64| -> Vec<u8> {
        let word = |i: u64| leaf_hash(&(n * 1_000 + i).to_be_bytes()).0;
        (0..1_000).flat_map(word).collect()
    };
    for version in CodecVersion::ALL {
        let of = |count: u64| {
            let entries: Vec<Vec<u8>> = (0..count).map(noise).collect();
            blocks_of(log(9), &entries, 9).remove(0)
        };
        let (large, larger) = (of(2), of(4));
        assert!(fits_frame(&large) && !fits_frame(&larger));

        let encode = |block: &Block| {
            let mut encoder = BlockEncoder::of_version(version).unwrap();
            encoder.encode(block).unwrap()
        };
        let frame = encode(&large);
        assert!(frame.len() <= BLOCK_FRAME_BYTES_MAX);
        assert_eq!(BlockDecoder::new().unwrap().decode(&frame).unwrap(), large);

        let refused = BlockDecoder::new().unwrap().decode(&encode(&larger));
        assert!(refused.is_err(), "it could not be sent on");
    }
}

#[test]
fn five_hundred_and_twelve_entries_are_taken_and_one_more_is_not_however_short() {
    for entry_bytes in [0, 1, 100] {
        let of = |count: usize| blocks_of(log(9), &vec![vec![7; entry_bytes]; count], count);
        let most = of(BLOCK_ENTRIES_MAX).remove(0);
        assert!(fits_frame(&most));
        assert_eq!(decode_plain(&encode_plain(&most)).unwrap(), most);

        let more = of(BLOCK_ENTRIES_MAX + 1).remove(0);
        assert!(!fits_frame(&more), "a session does not send it");
        let refused = decode_plain(&encode_plain(&more)).unwrap_err();
        assert!(
            refused
                .to_string()
                .contains("513 entries; the limit is 512")
        );

        for version in CodecVersion::ALL {
            let mut encoder = BlockEncoder::of_version(version).unwrap();
            let frame = encoder.encode(&more).unwrap();
            let read = BlockDecoder::new().unwrap().decode(&frame);
            assert_eq!(read.unwrap_err(), refused);
        }
    }
}

#[test]
fn entries_are_counted_in_whatever_order_the_fields_of_a_block_come() {
    // A checkpoint in front of the entries, and fields that nobody knows between them.
    let count = BLOCK_ENTRIES_MAX + 1;
    let block = blocks_of(log(9), &vec![vec![7]; count], count).remove(0);
    let mut body = Vec::new();
    prost::encoding::bytes::encode(4, &block.checkpoint.to_bytes(), &mut body);
    for entry in &block.entries {
        prost::encoding::uint64::encode(99, &7, &mut body);
        prost::encoding::bytes::encode(3, entry, &mut body);
    }

    let log = block.checkpoint.checkpoint.log.to_bytes().to_vec();
    prost::encoding::bytes::encode(1, &log, &mut body);
    let refused = decode_plain(&body).unwrap_err();
    assert!(refused.to_string().contains("513 entries"));
}

#[test]
fn checkpoints_come_back_whatever_they_name() {
    let trb = "TRB".parse().unwrap();
    let key = LogKey::from_seed(&[1; 32]);
    let mut encoder = BlockEncoder::of_version(CodecVersion::Columns).unwrap();
    let mut decoder = BlockDecoder::new().unwrap();
    let named = vec![(Lane::Hold, trb, 2), (Lane::Passage, trb, u64::MAX)];
    for (size, hub_time_s, logs) in [
        (0, 0, vec![]),
        (0, i64::MIN, named.clone()),
        (0, i64::MAX, named),
    ] {
        let control = LogId {
            lane: Lane::Control,
            ..log(9)
        };
        let block = Block {
            from: size,
            entries: vec![],
            checkpoint: key.sign(Checkpoint {
                log: control,
                size,
                root: Peaks::default().root(),
                hub_time_s,
                logs,
            }),
        };
        let frame = encoder.encode(&block).unwrap();
        assert_eq!(decoder.decode(&frame).unwrap(), block);
    }
}
