use super::*;
use crate::Lane;
use proptest::prelude::*;

pub(crate) fn log(lane: Lane) -> LogId {
    LogId {
        node: NodeId([3; 16]),
        epoch: Epoch([4; 8]),
        lane,
        crossing: "QAM".parse().unwrap(),
    }
}

fn entry() -> Entry {
    let reference = Reference {
        log: log(Lane::Passage),
        seq: 4,
        leaf: Hash([9; 32]),
    };

    Entry {
        common: Common {
            wall_ms: -5,
            officer: "OF-0012".into(),
            department: "PORT".into(),
            ..Default::default()
        },
        body: Body::Change(Change {
            record: Some(RecordId([1; 32])),
            based_on: vec![reference],
            puts: vec![
                Put {
                    key: "direction".into(),
                    value: Value::Text("in".into()),
                },
                Put {
                    key: "vehicle.plate".into(),
                    value: Value::Null,
                },
            ],
            events: vec![r#"{"type":"gate.in"}"#.into()],
        }),
    }
}

#[test]
fn an_entry_survives_its_bytes() {
    let bytes = entry().encode().unwrap();
    assert_eq!(Entry::read(&bytes).unwrap(), Reading::Entry(entry()));
}

#[test]
fn every_other_encoding_of_an_entry_is_refused() {
    let bytes = entry().encode().unwrap();
    let unknown_field = [&bytes[..], &[0x7a, 0x01, 0x00]].concat();
    assert_eq!(
        Entry::read(&unknown_field),
        Err(LogError::NotCanonical { what: "entry" })
    );

    let written_twice = [&bytes[..], &[0x22, 0x00]].concat();
    assert!(Entry::read(&written_twice).is_err());

    let long_version = [&[0x08, 0x81, 0x00], &bytes[2..]].concat();
    assert_eq!(
        Entry::read(&long_version),
        Err(LogError::NotCanonical { what: "entry" })
    );
}

#[test]
fn later_versions_and_kinds_are_kept_verbatim() {
    assert_eq!(
        Entry::read(&[0x08, 0x02, 0xff, 0xff]).unwrap(),
        Reading::Later { version: 2 }
    );

    let unknown = Entry {
        body: Body::Unknown {
            kind: 99,
            bytes: vec![1, 2, 3],
        },
        ..entry()
    };

    assert_eq!(
        Entry::read(&unknown.encode().unwrap()).unwrap(),
        Reading::Entry(unknown)
    );
}

#[test]
fn bounds_are_told_by_name() {
    let mut big = entry();
    let Body::Change(c) = &mut big.body else {
        unreachable!()
    };

    c.puts = vec![Put {
        key: "k".repeat(65),
        value: Value::Int(1),
    }];
    assert_eq!(big.encode().unwrap_err().code(), "limit_exceeded");

    let Body::Change(c) = &mut big.body else {
        unreachable!()
    };
    c.puts = vec![Put {
        key: "ev.x".into(),
        value: Value::Int(1),
    }];
    assert_eq!(big.encode().unwrap_err().code(), "malformed");

    let Body::Change(c) = &mut big.body else {
        unreachable!()
    };
    c.puts = (0..3)
        .map(|i| Put {
            key: format!("k{i}"),
            value: Value::Text("x".repeat(VALUE_BYTES_MAX)),
        })
        .collect();

    assert_eq!(big.encode().unwrap_err().code(), "entry_too_large");
}

proptest! {
    #[test]
    fn whatever_reads_is_the_one_encoding(
        flips in proptest::collection::vec((0usize..400, any::<u8>()), 1..6),
    ) {
        let mut bytes = entry().encode().unwrap();
        for (at, with) in flips {
            let at = at % bytes.len();
            bytes[at] = with;
        }
        if let Ok(Reading::Entry(e)) = Entry::read(&bytes) {
            prop_assert_eq!(e.encode().unwrap(), bytes);
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = Entry::read(&bytes);
        let head = [0x08, 0x01, 0x10, 0x07, 0x5a, bytes.len().min(120) as u8];
        let _ = Entry::read(&[&head, &bytes[..]].concat());
    }
}
