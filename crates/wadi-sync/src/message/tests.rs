//! Messages of this version and of earlier and later ones, and lists without number.

use super::*;
use crate::link_spec::{LinkCost, LinkPurpose};
use wadi_log::{Epoch, LogKey, Role, Scope};

/// `Hello` as versions before the link's rate knew it.
#[derive(Clone, PartialEq, prost::Message)]
struct EarlierHello {
    #[prost(uint32, tag = "1")]
    version: u32,
    #[prost(bytes = "vec", tag = "2")]
    enrolment: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    digest: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    members: Vec<u8>,
    #[prost(int64, tag = "5")]
    hub_time_s: i64,
    #[prost(bytes = "vec", tag = "6")]
    remembers: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct EarlierMessage {
    #[prost(message, optional, tag = "1")]
    hello: Option<EarlierHello>,
}

fn hello(rate_bits_s: Option<u64>, codecs: &[u8]) -> Message {
    let key = LogKey::from_seed(&[2; 32]);
    let enrolment = Enrolment {
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

    Message::Hello {
        version: 1,
        enrolment: Some(Box::new(enrolment)),
        digest: Hash([1; 32]),
        members: Hash([2; 32]),
        hub_time_s: 7,
        remembers: Some(Hash([3; 32])),
        rate_bits_s,
        codecs: codecs.into(),
        software: match rate_bits_s {
            Some(_) => "0.1.0".into(),
            None => String::new(),
        },
        link: rate_bits_s.map(|_| LinkSpec {
            name: "vsat".into(),
            cost: LinkCost::Metered,
            purpose: LinkPurpose::Urgent,
        }),
    }
}

#[test]
fn earlier_versions_read_a_hello_with_rate_codecs_and_software_and_are_read_without() {
    let later = hello(Some(256_000), &[0x12, 0x23]);
    let told = later.encode();
    assert_eq!(Message::decode(&told).unwrap(), later);

    let earlier = EarlierMessage::decode(&told[..]).expect("it skips what it does not know");
    assert_eq!(
        Message::decode(&earlier.encode_to_vec()).unwrap(),
        hello(None, &[])
    );
}

#[test]
fn a_version_that_is_told_is_short_and_visible_whatever_a_peer_says() {
    use pb::message::Of;
    let Of::Hello(told) = hello(None, &[]).to_wire() else {
        panic!("a Hello");
    };
    let told = pb::Hello {
        software: format!("0.1\u{202e}\n<b>{}", "9".repeat(5_000)),
        ..told
    };
    let bytes = pb::Message {
        of: Some(Of::Hello(told)),
    };
    let Message::Hello { software, .. } = Message::decode(&bytes.encode_to_vec()).unwrap() else {
        panic!("a Hello");
    };
    assert_eq!((software.len(), software.get(..6)), (40, Some("0.1<b>")));
}

#[test]
fn what_would_take_many_times_its_bytes_is_refused_before_it_is_decoded() {
    use pb::message::Of;
    let refusal = |of| {
        let bytes = pb::Message { of: Some(of) }.encode_to_vec();
        Message::decode(&bytes).unwrap_err().to_string()
    };

    // A number of a byte takes eight here, and a tip of two bytes a hundred.
    let probe = pb::Probe {
        log: vec![],
        sizes: vec![1; 100_000],
    };
    assert!(refusal(Of::Probe(probe)).contains("Probe of"));
    let tips = vec![pb::TipOf::default(); 100_000];
    let epochs = vec![pb::EpochTips {
        tips,
        ..Default::default()
    }];
    let nodes = vec![pb::NodeTips {
        epochs,
        ..Default::default()
    }];
    let frontier = pb::Frontier {
        nodes,
        ..Default::default()
    };
    assert!(refusal(Of::Frontier(frontier)).contains("logs of a frontier"));
    let members = pb::Members {
        enrolments: vec![vec![]; 100_000],
    };
    assert!(refusal(Of::Members(members)).contains("enrolments"));
}

#[test]
fn lists_without_number_are_refused_before_they_are_decoded() {
    use pb::message::Of;
    let bytes = |of| pb::Message { of: Some(of) }.encode_to_vec();
    let stretch = |n| pb::Stretch {
        start: 0,
        entries: vec![vec![]; n],
        around: vec![],
    };

    let fetched = |stretches| {
        bytes(Of::Fetched(pb::Fetched {
            stretches,
            ..Default::default()
        }))
    };

    let excerpt = |n| {
        let entries = vec![pb::ExcerptEntry::default(); n];
        bytes(Of::Excerpt(pb::Excerpt {
            entries,
            ..Default::default()
        }))
    };

    for (message, what) in [
        (fetched(vec![stretch(100_000)]), "100000 entries fetched"),
        (fetched(vec![stretch(1); 1_537]), "1537 entries fetched"),
        (excerpt(513), "513 entries of an excerpt"),
    ] {
        let refused = Message::decode(&message).unwrap_err().to_string();
        assert!(refused.contains(what), "{refused}");
    }
}

/// `Ack` as versions before the numbers of reasons knew it.
#[derive(Clone, PartialEq, prost::Message)]
struct EarlierAck {
    #[prost(bytes = "vec", tag = "1")]
    log: Vec<u8>,
    #[prost(uint64, tag = "2")]
    size: u64,
    #[prost(bytes = "vec", tag = "3")]
    cosignature: Vec<u8>,
    #[prost(string, tag = "4")]
    refused: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct EarlierAckMessage {
    #[prost(message, optional, tag = "5")]
    ack: Option<EarlierAck>,
}

fn a_log() -> LogId {
    LogId {
        node: NodeId([1; 16]),
        epoch: Epoch([2; 8]),
        lane: Lane::Passage,
        crossing: Crossing::HUB,
    }
}

fn ack(refused: Option<RefuseReason>) -> Message {
    Message::Ack {
        log: a_log(),
        size: 7,
        cosignature: None,
        refused,
    }
}

#[test]
fn earlier_versions_read_a_refusal_with_a_number_and_are_understood_without_one() {
    for (reason, code) in [
        (RefuseReason::Gap, "gap"),
        (RefuseReason::Stopping, "stopping"),
        (
            RefuseReason::Database("database_slow".into()),
            "database_slow",
        ),
        (RefuseReason::from_code("bad_signature"), "bad_signature"),
    ] {
        let said = ack(Some(reason));
        assert_eq!(Message::decode(&said.encode()).unwrap(), said);

        let earlier = EarlierAckMessage::decode(&said.encode()[..]).expect("it skips the number");
        assert_eq!(earlier.ack.as_ref().unwrap().refused, code);
        assert_eq!(Message::decode(&earlier.encode_to_vec()).unwrap(), said);
    }

    // What refuses nothing has the bytes that it always had.
    let taken = ack(None).encode();
    let earlier = EarlierAckMessage::decode(&taken[..]).unwrap();
    assert_eq!(earlier.encode_to_vec(), taken);
    assert_eq!(Message::decode(&taken).unwrap(), ack(None));
}

#[test]
fn a_reason_of_a_later_version_keeps_its_number_and_comes_out_as_it_came_in() {
    let later = pb::Message {
        of: Some(pb::message::Of::Ack(pb::Ack {
            log: a_log().to_bytes().to_vec(),
            size: 7,
            cosignature: vec![],
            refused: "of_tomorrow".into(),
            reason: 4_711,
        })),
    }
    .encode_to_vec();

    let read = Message::decode(&later).unwrap();
    let reason = RefuseReason::Other {
        code: "of_tomorrow".into(),
        number: Some(4_711),
    };
    assert!(!reason.is_store_trouble(), "its log rests, and no other");
    assert_eq!(read, ack(Some(reason)));
    assert_eq!(read.encode(), later);
}

#[test]
fn all_records_stand_on_the_wire_as_zeros() {
    let all = Message::ExcerptAck(ExcerptAmount::NothingOfAny);
    let wire = pb::Message {
        of: Some(pb::message::Of::ExcerptAck(pb::ExcerptAck {
            record: vec![0; 32],
            entries: 0,
        })),
    };
    assert_eq!(all.encode(), wire.encode_to_vec());
    assert_eq!(Message::decode(&all.encode()).unwrap(), all);

    let one = Message::ExcerptAck(ExcerptAmount::Entries {
        record: RecordId([1; 32]),
        entries: 3,
    });
    assert_eq!(Message::decode(&one.encode()).unwrap(), one);
}

#[test]
fn a_question_for_a_sketch_is_one_of_three_and_a_pick_is_of_a_bounded_number_in_order() {
    use pb::message::Of;
    let reads = |of| Message::decode(&pb::Message { of: Some(of) }.encode_to_vec()).is_ok();
    let whole = pb::Sketch {
        log: a_log().to_bytes().to_vec(),
        size: 7_000,
        root: vec![1; 32],
        salt: 3,
        ..pb::Sketch::default()
    };

    type Change = fn(&mut pb::Sketch);
    let cases: [(Change, bool); 11] = [
        (|s| s.cells = 24, true),
        (|s| (s.cells, s.estimator) = (24, true), true),
        (|s| s.row_count = 7, true),
        (
            |s| (s.tiles, s.raw, s.cells) = (vec![0, 1], vec![5], 24),
            true,
        ),
        // Nothing, two at once, too much, twice the same, numbers that go round.
        (|_| {}, false),
        (|s| (s.cells, s.row_count) = (24, 7), false),
        (|s| (s.estimator, s.raw) = (true, vec![5]), false),
        (|s| s.cells = 8_193, false),
        (|s| s.row_count = 16_385, false),
        (|s| s.raw = vec![5, 0], false),
        (|s| s.tiles = vec![5, u64::MAX], false),
    ];
    for (number, (change, fits)) in cases.into_iter().enumerate() {
        let mut sketch = whole.clone();
        change(&mut sketch);
        assert_eq!(reads(Of::Sketch(sketch)), fits, "{number}");
    }

    let pick = |ranges: Vec<u64>| {
        reads(Of::Pick(pb::Pick {
            log: a_log().to_bytes().to_vec(),
            size: 7_000,
            root: vec![1; 32],
            ranges,
        }))
    };
    assert!(pick(vec![0, 1, 5, 2]) && pick([7, 1].repeat(PICK_RANGES_MAX)));
    assert!(pick(vec![9, PICK_ENTRIES_MAX as u64]));
    for ranges in [
        vec![],
        vec![1],
        vec![1, 0],
        vec![1, 1, 0, 1],
        vec![u64::MAX, 1],
        vec![9, PICK_ENTRIES_MAX as u64 + 1],
        [7, 1].repeat(PICK_RANGES_MAX + 1),
    ] {
        assert!(!pick(ranges.clone()), "{ranges:?}");
    }

    let entries = vec![vec![]; PICK_ENTRIES_MAX + 1];
    let picked = pb::Picked {
        entries,
        ..pb::Picked::default()
    };
    let bytes = pb::Message {
        of: Some(Of::Picked(picked)),
    };
    let refused = Message::decode(&bytes.encode_to_vec()).unwrap_err();
    assert!(
        refused.to_string().contains("513 entries picked"),
        "{refused}"
    );
}
