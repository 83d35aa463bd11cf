//! When what waits is expected to be over: at a hub, and at each peer, by lane.
//!
//! The lanes go in their order: what is more urgent goes before, so that a lane is over when all
//! before it and itself are. While a link is up, its pace says when; while it is dark, the hour at
//! which it was up before does, and what the backlog took then.

use crate::{
    api::Reads,
    door::{
        contacts::{ContactKey, PeerContacts},
        next_contact::{EstimatedBy, NextContact},
        pace::Pace,
        status::PeerStatus,
    },
};
use serde::Serialize;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use wadi_log::{Frontier, Lane, LogId, NodeId, Role};

/// What of a lane no hub holds yet.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct LaneUnsent {
    /// The lane.
    pub lane: &'static str,
    /// Entries of this node's own logs that no hub has cosigned.
    pub unsent: u64,
    /// When the last of them is expected at a hub; none where nobody knows.
    pub expected_at_hub: Option<NextContact>,
}

/// Entries of a lane and of all that go before it.
fn ahead_of(lane: Lane, lanes: impl Iterator<Item = (Lane, u64)>) -> u64 {
    lanes
        .filter(|(other, _)| *other <= lane)
        .map(|(_, entries)| entries)
        .fold(0, u64::saturating_add)
}

/// Entries of each lane.
fn by_lane(unsent: &BTreeMap<LogId, u64>) -> BTreeMap<Lane, u64> {
    let mut lanes: BTreeMap<Lane, u64> = BTreeMap::new();
    for (log, entries) in unsent {
        *lanes.entry(log.lane).or_default() += entries;
    }
    lanes
}

impl Reads {
    /// Entries of each own log that no hub has cosigned.
    pub(super) fn unsent(&self, frontier: &Frontier) -> BTreeMap<LogId, u64> {
        let control = self.door.view().control.clone();
        let cosigned = |l: &LogId| control.cosigned(l).map_or(0, |t| t.size);
        let own = frontier.0.iter().filter(|(l, _)| l.node == self.door.id());

        own.map(|(l, t)| (*l, t.size.saturating_sub(cosigned(l))))
            .filter(|(_, n)| *n > 0)
            .collect()
    }

    /// What no hub holds yet of each lane, and when it is expected there, the most urgent first.
    pub(super) fn unsent_by_lane(&self, unsent: &BTreeMap<LogId, u64>) -> Vec<LaneUnsent> {
        let lanes = by_lane(unsent);
        let told = |(lane, entries): (&Lane, &u64)| LaneUnsent {
            lane: lane.name(),
            unsent: *entries,
            expected_at_hub: self.expected_at_hub(*lane, &lanes),
        };
        lanes.iter().map(told).collect()
    }

    /// When what was written of a lane is expected at a hub. None where nobody knows.
    pub(crate) fn lane_expected_at_hub(&self, lane: Lane) -> Option<NextContact> {
        let unsent = self.unsent(&self.door.frontier());
        self.expected_at_hub(lane, &by_lane(&unsent))
    }

    fn expected_at_hub(&self, lane: Lane, unsent: &BTreeMap<Lane, u64>) -> Option<NextContact> {
        let now_ms = self.door.now_ms();
        let peers = self.door.peers.lock().expect("no panic holds it").clone();
        let is_hub = |id: &NodeId| {
            self.door
                .with_control(|c| c.role(id) == Some(Role::Hub) && !c.is_cut(id))
        };

        let hubs = peers.iter().filter(|(id, _)| is_hub(id));
        let expected = hubs.filter_map(|(id, peer)| {
            let known = self.door.contacts.of(&(*id).into());
            if self.goes_now(id, peer, lane) {
                let ahead = ahead_of(lane, peer.lanes.iter().map(|(l, (send, _))| (*l, *send)));
                return by_pace(peer, &known, ahead, now_ms);
            }

            let contact = self.lane_contact(id, peer, lane, now_ms)?;
            let ahead = ahead_of(lane, unsent.iter().map(|(l, n)| (*l, *n)));
            Some(NextContact {
                at_ms: contact.at_ms.saturating_add(
                    send_pace(peer, &known, now_ms).map_or(0, |pace| pace.takes_ms(ahead)),
                ),
                ..contact
            })
        });
        expected.min_by_key(|expected| expected.at_ms)
    }

    /// Whether a lane goes over a link with a peer now.
    fn goes_now(&self, id: &NodeId, peer: &PeerStatus, lane: Lane) -> bool {
        if !peer.connected || peer.links.is_empty() {
            return peer.connected;
        }
        let sends = self.door.links.lanes_of(id);
        sends.values().any(|lanes| lanes.contains(lane))
    }

    /// When a link with a dark peer is expected that takes a lane.
    fn lane_contact(
        &self,
        id: &NodeId,
        peer: &PeerStatus,
        lane: Lane,
        now_ms: i64,
    ) -> Option<NextContact> {
        if peer.links.is_empty() {
            return self.door.contacts.of(&(*id).into()).next_contact(now_ms);
        }

        let takes_it = peer.links.values().filter(|l| l.link.rank(lane).is_some());
        let expected = takes_it.filter_map(|l| {
            let known = self.door.contacts.of(&ContactKey::of(*id, &l.link));
            known.next_contact(now_ms)
        });
        expected.min_by_key(|expected| expected.at_ms)
    }
}

/// When so many entries are over that go over a link that is up.
fn by_pace(
    peer: &PeerStatus,
    known: &PeerContacts,
    ahead: u64,
    now_ms: i64,
) -> Option<NextContact> {
    let takes_ms = match ahead {
        0 => 0,
        _ => send_pace(peer, known, now_ms)?.takes_ms(ahead),
    };
    Some(NextContact {
        at_ms: now_ms.saturating_add(takes_ms),
        by: EstimatedBy::Pace,
        wrong_by_ms: peer.sending.wrong_by_ms(),
    })
}

fn send_pace(peer: &PeerStatus, known: &PeerContacts, now_ms: i64) -> Option<Pace> {
    peer.sending.pace(now_ms).or(known.send_pace)
}

/// In how long a connected peer lacks nothing, milliseconds. None where nobody knows.
pub(super) fn caught_up_in_ms(peer: &PeerStatus, known: &PeerContacts, now_ms: i64) -> Option<i64> {
    match peer.unsent {
        0 => Some(0),
        unsent => Some(send_pace(peer, known, now_ms)?.takes_ms(unsent)),
    }
}

/// What is still to go over of each lane, both ways, and in how long it will be over.
pub(super) fn backlog_json(peer: &PeerStatus, known: &PeerContacts, now_ms: i64) -> Json {
    let send_pace = send_pace(peer, known, now_ms);
    let fetch_pace = peer.fetching.pace(now_ms).or(known.fetch_pace);
    let in_ms = |pace: Option<Pace>, own: u64, ahead: u64| match own {
        0 => Some(0),
        _ => pace.map(|pace| pace.takes_ms(ahead)),
    };

    let lane = |(lane, (send, fetch)): (&Lane, &(u64, u64))| {
        let to_send = ahead_of(*lane, peer.lanes.iter().map(|(l, (send, _))| (*l, *send)));
        let to_fetch = ahead_of(*lane, peer.lanes.iter().map(|(l, (_, fetch))| (*l, *fetch)));
        json!({
            "lane": lane.name(),
            "to_send": send,
            "sent_in_ms": in_ms(send_pace, *send, to_send),
            "to_fetch": fetch,
            "fetched_in_ms": in_ms(fetch_pace, *fetch, to_fetch),
        })
    };
    peer.lanes.iter().map(lane).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_more_urgent_goes_before() {
        let mut peer = PeerStatus::default();
        peer.note_lanes(
            BTreeMap::from([(Lane::Hold, (20, 0)), (Lane::Passage, (180, 4))]),
            0,
        );
        peer.note_lanes(
            BTreeMap::from([(Lane::Hold, (10, 0)), (Lane::Passage, (90, 4))]),
            10_000,
        );

        let json = backlog_json(&peer, &PeerContacts::default(), 10_000);
        assert_eq!(json[0]["lane"], "hold");
        assert_eq!(json[0]["sent_in_ms"], 1_000);
        assert_eq!(json[0]["fetched_in_ms"], 0, "nothing of it is to come");
        assert_eq!(json[1]["sent_in_ms"], 10_000, "behind the holds");
        assert_eq!(json[1]["fetched_in_ms"], Json::Null, "nothing came yet");
    }

    #[test]
    fn a_link_that_begins_goes_by_the_pace_of_earlier_days() {
        let mut peer = PeerStatus::default();
        peer.note_lanes(BTreeMap::from([(Lane::Customs, (300, 0))]), 0);
        let mut known = PeerContacts::default();
        assert_eq!(by_pace(&peer, &known, 300, 0), None);

        known.send_pace = Some(Pace {
            entries: 100,
            took_ms: 5_000,
        });
        assert_eq!(by_pace(&peer, &known, 300, 0).unwrap().at_ms, 15_000);
        assert_eq!(caught_up_in_ms(&peer, &known, 0), Some(15_000));
    }
}
