//! What opens a session: who is there, and what both hold.

use super::{
    Message,
    wire::{bad, lane_in},
};
use crate::{
    frontiers::FrontierPart,
    link_spec::{link_in, link_out},
    pb,
};
use std::collections::BTreeMap;
use wadi_log::{Enrolment, Epoch, Folded, Hash, LogError, LogId, NodeId, Tip};

/// Characters of a software's version at most.
const SOFTWARE_CHARS_MAX: usize = 40;

/// A Hello as the wire has it; nothing of any other message.
pub(super) fn hello_out(message: &Message) -> pb::Hello {
    let Message::Hello {
        version,
        enrolment,
        digest,
        members,
        hub_time_s,
        remembers,
        rate_bits_s,
        codecs,
        software,
        link,
    } = message
    else {
        return pb::Hello::default();
    };

    pb::Hello {
        version: *version,
        enrolment: enrolment.as_ref().map(|e| e.to_bytes()).unwrap_or_default(),
        digest: digest.0.to_vec(),
        members: members.0.to_vec(),
        hub_time_s: *hub_time_s,
        remembers: remembers.map(|r| r.0.to_vec()).unwrap_or_default(),
        rate_bits_s: rate_bits_s.unwrap_or(0),
        codecs: codecs.clone(),
        software: software.clone(),
        link: link_out(link.as_ref()),
    }
}

pub(super) fn hello_in(m: &pb::Hello) -> Result<Message, LogError> {
    let remembers = if m.remembers.is_empty() {
        None
    } else {
        Some(Hash::from_slice(&m.remembers)?)
    };

    let enrolment = if m.enrolment.is_empty() {
        None
    } else {
        Some(Box::new(Enrolment::from_bytes(&m.enrolment)?))
    };

    Ok(Message::Hello {
        version: m.version,
        enrolment,
        digest: Hash::from_slice(&m.digest)?,
        members: Hash::from_slice(&m.members)?,
        hub_time_s: m.hub_time_s,
        remembers,
        rate_bits_s: Some(m.rate_bits_s).filter(|rate| *rate > 0),
        codecs: m.codecs.clone(),
        software: software_in(&m.software),
        link: link_in(m.link.as_ref()),
    })
}

/// A version as it is kept: visible ASCII, and no more of it than a version needs.
fn software_in(told: &str) -> String {
    let visible = told.chars().filter(char::is_ascii_graphic);
    visible.take(SOFTWARE_CHARS_MAX).collect()
}

pub(super) fn members_out(all: &[Enrolment]) -> pb::Members {
    pb::Members {
        enrolments: all.iter().map(Enrolment::to_bytes).collect(),
    }
}

pub(super) fn members_in(m: &pb::Members) -> Result<Vec<Enrolment>, LogError> {
    m.enrolments
        .iter()
        .map(|e| Enrolment::from_bytes(e))
        .collect()
}

pub(super) fn unfold_out(nodes: &[NodeId]) -> pb::Unfold {
    pb::Unfold {
        nodes: nodes.iter().map(|n| n.0.to_vec()).collect(),
    }
}

pub(super) fn unfold_in(m: &pb::Unfold) -> Result<Vec<NodeId>, LogError> {
    m.nodes.iter().map(|n| NodeId::from_slice(n)).collect()
}

pub(super) fn frontier_out(folded: &Folded, part: FrontierPart) -> pb::Frontier {
    let mut open: BTreeMap<NodeId, BTreeMap<Epoch, Vec<pb::TipOf>>> = BTreeMap::new();
    for (log, tip) in &folded.open {
        let epochs = open.entry(log.node).or_default();
        epochs.entry(log.epoch).or_default().push(pb::TipOf {
            lane: log.lane as u32,
            crossing: log.crossing.to_string(),
            size: tip.size,
            root: tip.root.0.to_vec(),
        });
    }

    // A node whose logs are all closed is named by their digest alone.
    for node in folded.closed.keys() {
        open.entry(*node).or_default();
    }

    let epoch_out = |(epoch, tips): (Epoch, Vec<pb::TipOf>)| pb::EpochTips {
        epoch: epoch.0.to_vec(),
        tips,
    };
    let node_out = |(node, epochs): (NodeId, BTreeMap<Epoch, Vec<pb::TipOf>>)| {
        let closed = folded.closed.get(&node);
        pb::NodeTips {
            node: node.0.to_vec(),
            epochs: epochs.into_iter().map(epoch_out).collect(),
            closed: closed.map_or(0, |(count, _)| *count),
            closed_digest: closed.map_or_else(Vec::new, |(_, digest)| digest.0.to_vec()),
        }
    };

    pb::Frontier {
        nodes: open.into_iter().map(node_out).collect(),
        unfolded: part.unfolded,
        since: part.since,
        more: part.more,
    }
}

pub(super) fn frontier_message_in(m: &pb::Frontier) -> Result<Message, LogError> {
    Ok(Message::Frontier {
        folded: frontier_in(m)?,
        part: FrontierPart {
            unfolded: m.unfolded,
            since: m.since,
            more: m.more,
        },
    })
}

fn frontier_in(f: &pb::Frontier) -> Result<Folded, LogError> {
    let mut out = Folded::default();
    for n in &f.nodes {
        let node = NodeId::from_slice(&n.node)?;
        if n.closed > 0 {
            out.closed
                .insert(node, (n.closed, Hash::from_slice(&n.closed_digest)?));
        }

        for e in &n.epochs {
            let epoch = Epoch(e.epoch.clone().try_into().map_err(|_| bad("epoch"))?);
            for t in &e.tips {
                let lane = lane_in(t.lane)?;
                let log = LogId {
                    node,
                    epoch,
                    lane,
                    crossing: t.crossing.parse()?,
                };

                out.open.insert(
                    log,
                    Tip {
                        size: t.size,
                        root: Hash::from_slice(&t.root)?,
                    },
                );
            }
        }
    }

    Ok(out)
}
