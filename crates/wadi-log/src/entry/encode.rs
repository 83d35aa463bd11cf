//! The one encoding of a body.

use super::{Body, Cut, CutTarget, Head, OfficerKeyEntry, Put, ReleaseToken, SpareEntry, Value};
use crate::{Reference, pb};
use prost::Message;

impl Body {
    pub(super) fn encode(&self) -> (u32, Vec<u8>) {
        let bytes = match self {
            Self::Change(c) => pb::Change {
                record: c.record.map(|r| r.0.to_vec()).unwrap_or_default(),
                based_on: c.based_on.iter().map(ref_out).collect(),
                puts: c.puts.iter().map(Put::encode).collect(),
                events: c.events.clone(),
            }
            .encode_to_vec(),
            Self::Boot(b) => pb::Boot {
                software: b.software.clone(),
                previous: heads_out(&b.previous),
            }
            .encode_to_vec(),
            Self::Seen(s) => pb::Seen {
                heads: heads_out(&s.heads),
            }
            .encode_to_vec(),
            Self::Enrolment(e) => e.to_pb().encode_to_vec(),
            Self::Officer(o) => pb::Officer {
                officer: o.officer.clone(),
                department: o.department.clone(),
                crossing: o.crossing.map_or("*".into(), |c| c.to_string()),
                supervisor: o.supervisor,
                revision: o.revision,
                revoked: o.revoked,
                name: o.name.clone(),
            }
            .encode_to_vec(),
            Self::Policy(p) => pb::Policy {
                revision: p.revision,
                text: p.text.clone(),
            }
            .encode_to_vec(),
            Self::Cut(c) => c.to_pb().encode_to_vec(),
            Self::Admit(a) => pb::Admit {
                entries: a.entries.iter().map(ref_out).collect(),
                reason: a.reason.clone(),
            }
            .encode_to_vec(),
            Self::Closure(c) => pb::Closure {
                crossing: c.crossing.to_string(),
                closed_s: c.closed_s,
                reason: c.reason.clone(),
            }
            .encode_to_vec(),
            Self::ResyncOrder(o) => pb::ResyncOrder {
                id: o.id.clone(),
                crossing: o.crossing.to_string(),
                reason: o.reason.clone(),
                approved_by: o.approved_by.clone(),
            }
            .encode_to_vec(),
            Self::ResyncReport(r) => pb::ResyncReport {
                order: Some(ref_out(&r.order)),
                text: r.text.clone(),
            }
            .encode_to_vec(),
            Self::ReleaseToken(t) => t.to_pb().encode_to_vec(),
            Self::Alarm(a) => pb::Alarm {
                about: a.about.clone(),
                text: a.text.clone(),
                at_ms: a.at_ms,
                turn: a.turn,
            }
            .encode_to_vec(),
            Self::ChainHead(c) => pb::ChainHead {
                chain: c.chain.clone(),
                lines: c.lines,
                head: c.head.0.to_vec(),
            }
            .encode_to_vec(),
            Self::Spare(s) => s.to_pb().encode_to_vec(),
            Self::OfficerKey(k) => k.to_pb().encode_to_vec(),
            Self::Unknown { bytes, .. } => bytes.clone(),
        };

        (self.kind(), bytes)
    }
}

impl Put {
    fn encode(&self) -> pb::Put {
        use pb::value::Of;
        let of = match &self.value {
            Value::Null => Of::Null(true),
            Value::Text(t) => Of::Text(t.clone()),
            Value::Int(i) => Of::Int(*i),
            Value::Flag(b) => Of::Flag(*b),
        };

        pb::Put {
            key: self.key.clone(),
            value: Some(pb::Value { of: Some(of) }),
        }
    }
}

impl ReleaseToken {
    fn to_pb(&self) -> pb::ReleaseToken {
        pb::ReleaseToken {
            crossing: self.crossing.map_or("*".into(), |c| c.to_string()),
            department: self.department.clone(),
            officer: self.officer.clone(),
            scope: self.scope.clone(),
            expires_s: self.expires_s,
            reason: self.reason.clone(),
        }
    }
}

impl OfficerKeyEntry {
    fn to_pb(&self) -> pb::OfficerKey {
        pb::OfficerKey {
            officer: self.officer.clone(),
            key: self.key.0.to_vec(),
            revision: self.revision,
            taken_back: self.taken_back,
        }
    }
}

impl SpareEntry {
    fn to_pb(&self) -> pb::Spare {
        pb::Spare {
            node: self.node.0.to_vec(),
            ends: self.ends.iter().map(ref_out).collect(),
            reason: self.reason.clone(),
        }
    }
}

impl Cut {
    pub(super) fn to_pb(&self) -> pb::Cut {
        let (node, log) = match self.target {
            CutTarget::Node(n) => (n.0.to_vec(), vec![]),
            CutTarget::Log(l) => (vec![], l.to_bytes().to_vec()),
        };

        pb::Cut {
            node,
            log,
            heads: heads_out(&self.heads),
            extends: self.extends.iter().map(ref_out).collect(),
            reason: self.reason.clone(),
            root_signature: self.root_signature.map(|s| s.to_vec()).unwrap_or_default(),
            lifted: self.lifted,
            part_of: self.part_of.map(|h| h.0.to_vec()).unwrap_or_default(),
            successor: self.successor.map(|n| n.0.to_vec()).unwrap_or_default(),
        }
    }
}

fn ref_out(r: &Reference) -> pb::Reference {
    pb::Reference {
        log: r.log.to_bytes().to_vec(),
        seq: r.seq,
        leaf: r.leaf.0.to_vec(),
    }
}

fn heads_out(heads: &[Head]) -> Vec<pb::Head> {
    heads
        .iter()
        .map(|h| pb::Head {
            log: h.log.to_bytes().to_vec(),
            size: h.size,
            root: h.root.0.to_vec(),
        })
        .collect()
}
