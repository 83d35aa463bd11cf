//! Entries, one of each kind, to be spoilt.

use super::{author, head, key, reference};
use wadi_log::{
    Admit, AlarmEntry, Body, Boot, ChainHeadEntry, Change, Closure, Common, Cut, CutTarget, Entry,
    Hash, NodeId, OfficerEntry, OfficerKeyEntry, PolicyEntry, Put, RecordId, ReleaseToken,
    ResyncOrder, ResyncReport, Seen, SpareEntry, SshKey, Value,
};

/// An entry of each kind.
pub(super) fn entries() -> Vec<Entry> {
    let put = |key: &str, value: Value| Put {
        key: key.into(),
        value,
    };
    let change = Change {
        record: Some(RecordId([5; 32])),
        based_on: vec![reference(3), reference(300)],
        puts: vec![
            put("lane", Value::Int(-4)),
            put("note", Value::Text("الختم سليم".into())),
            put("seal.1", Value::Null),
            put("urgent", Value::Flag(true)),
        ],
        events: vec![r#"{"gate":"G1","read":"R1","type":"gate.in"}"#.into()],
    };

    let (order, text) = (reference(0), "{}".into());
    let report = ResyncReport { order, text };
    let bodies = [
        Body::Change(change),
        Body::Boot(Boot {
            software: "wadi 0.1.0".into(),
            previous: vec![],
        }),
        Body::Seen(Seen {
            heads: vec![head()],
        }),
        Body::Enrolment(author().clone()),
        Body::Officer(OfficerEntry {
            officer: "OF-7".into(),
            department: "VET".into(),
            crossing: Some("TRB".parse().unwrap()),
            supervisor: true,
            revision: 3,
            revoked: false,
            name: "Layla".into(),
        }),
        Body::Policy(PolicyEntry {
            revision: 2,
            text: "{}".into(),
        }),
        Body::Cut(Cut {
            target: CutTarget::Node(key().node()),
            heads: vec![head()],
            extends: vec![reference(1)],
            reason: "overrun".into(),
            root_signature: Some([8; 64]),
            lifted: false,
            part_of: None,
            successor: None,
        }),
        Body::Cut(Cut {
            extends: vec![reference(2)],
            lifted: true,
            ..Cut::of(CutTarget::Log(head().log), vec![], "a mistake".into())
        }),
        Body::Cut(Cut {
            part_of: Some(head().root),
            ..Cut::of(CutTarget::Log(head().log), vec![head()], String::new())
        }),
        Body::Cut(Cut {
            successor: Some(NodeId([6; 16])),
            ..Cut::of(
                CutTarget::Node(head().log.node),
                vec![head()],
                "a new key".into(),
            )
        }),
        Body::Admit(Admit {
            entries: vec![reference(7)],
            reason: "vouched for".into(),
        }),
        Body::Closure(Closure {
            crossing: "TRB".parse().unwrap(),
            closed_s: 1_767_225_600,
            reason: "flood".into(),
        }),
        Body::ResyncOrder(ResyncOrder {
            id: "R-1".into(),
            crossing: "TRB".parse().unwrap(),
            reason: "after the outage".into(),
            approved_by: "HUB-1".into(),
        }),
        Body::ResyncReport(report),
        Body::ReleaseToken(ReleaseToken {
            crossing: "TRB".parse().ok(),
            department: "SEC".into(),
            officer: "OF-9".into(),
            scope: "SECURITY".into(),
            expires_s: 1_767_225_600,
            reason: "the line is cut for a day".into(),
        }),
        Body::Alarm(AlarmEntry {
            about: "clock".into(),
            text: "this machine's clock cannot be right".into(),
            at_ms: 1_767_225_600_000,
            turn: 3,
        }),
        Body::ChainHead(ChainHeadEntry {
            chain: "looks".into(),
            lines: 41,
            head: Hash([7; 32]),
        }),
        Body::Spare(SpareEntry {
            node: head().log.node,
            ends: vec![reference(9)],
            reason: "it was heard".into(),
        }),
        Body::OfficerKey(OfficerKeyEntry {
            officer: "OF-7".into(),
            key: SshKey([7; 32]),
            revision: 2,
            taken_back: true,
        }),
    ];

    let common = Common {
        wall_ms: 1_767_225_600_123,
        doubt_ms: 400,
        happened_ms: Some(1_767_225_000_000),
        happened_source: "paper".into(),
        officer: "OF-7".into(),
        department: "VET".into(),
        device: "scale-1".into(),
        device_seq: 41,
        device_run: "boot-7".into(),
    };

    bodies
        .map(|body| Entry {
            common: common.clone(),
            body,
        })
        .into()
}
