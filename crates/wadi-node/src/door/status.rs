//! The boards: what each part of a node notes of itself, for status to read.

use crate::door::{
    Door,
    contacts::ContactKey,
    live::LivePart,
    pace::PeerBacklog,
    traffic::{PurposeBytes, WayBytes},
};
use serde::Serialize;
use std::{collections::BTreeMap, sync::atomic::Ordering};
use wadi_log::{Lane, NodeId};
use wadi_sync::LinkSpec;

/// The alarm of links whose month's budget ends, by what it is about.
const METERED: &str = "metered";
const MIB: u64 = 1 << 20;
/// Names of links with one peer that are shown.
const LINK_NAMES_MAX: usize = 8;

/// How a peer stands, for status.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct PeerStatus {
    /// Whether connected now.
    pub connected: bool,
    /// Last contact, node's clock, Unix milliseconds; 0 for never.
    pub last_contact_ms: i64,
    /// Entries that the peer is known to lack.
    pub unsent: u64,
    /// Entries of each lane that it lacks, and that this node lacks and it holds.
    pub lanes: BTreeMap<Lane, (u64, u64)>,
    /// How what it lacks goes over to it.
    pub sending: PeerBacklog,
    /// How what this node lacks comes from it.
    pub fetching: PeerBacklog,
    /// Whether both held the same when last compared.
    pub in_step: bool,
    /// Bytes of blocks sent.
    pub sent_bytes: u64,
    /// The link's provisioned rate, bits a second, where the configuration names one.
    pub rate_bits_s: Option<u64>,
    /// The bytes that may go over the link in a month, both ways, where the configuration says.
    pub month_bytes_max: Option<u64>,
    /// Round trip of the link, milliseconds.
    pub rtt_ms: u64,
    /// Why the last connection failed or ended.
    pub last_error: String,
    /// How each of several links with it stands, by name; none where there is one link.
    pub links: BTreeMap<String, LinkStatus>,
}

/// How one of several links with a peer stands, for status.
#[derive(Clone, PartialEq, Debug)]
pub struct LinkStatus {
    /// Its name, how it is paid and what it is for.
    pub link: LinkSpec,
    /// Whether connected now.
    pub connected: bool,
    /// Last contact, node's clock, Unix milliseconds; 0 for never.
    pub last_contact_ms: i64,
    /// Bytes of blocks sent over its connection.
    pub sent_bytes: u64,
    /// Its provisioned rate, bits a second, where the configuration names one.
    pub rate_bits_s: Option<u64>,
    /// The bytes that may go over it in a month, both ways, where the configuration says.
    pub month_bytes_max: Option<u64>,
    /// Its round trip, milliseconds.
    pub rtt_ms: u64,
    /// Why its last connection failed or ended.
    pub last_error: String,
}

impl LinkStatus {
    fn new(link: LinkSpec) -> Self {
        Self {
            link,
            connected: false,
            last_contact_ms: 0,
            sent_bytes: 0,
            rate_bits_s: None,
            month_bytes_max: None,
            rtt_ms: 0,
            last_error: String::new(),
        }
    }
}

/// How a country log stands.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct CountryStanding {
    /// Its origin.
    pub origin: String,
    /// Leaves under the newest checkpoint.
    pub leaves: u64,
    /// Their root, hexadecimal.
    pub root: String,
    /// How many witnesses cosigned the newest checkpoint.
    pub cosigned: usize,
    /// Leaves under the newest checkpoint that any witness cosigned; none where none did.
    pub cosigned_leaves: Option<u64>,
    /// How each witness of the configuration stands.
    pub witnesses: Vec<WitnessStanding>,
}

/// How a witness of the country log stands.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct WitnessStanding {
    /// Its name, as its key has it.
    pub name: String,
    /// Whether it cosigned the newest checkpoint.
    pub has_cosigned: bool,
    /// Why it did not, when it was asked last; none where it did, or was not asked yet.
    pub trouble: Option<String>,
}

/// What is wrong with a run of entries.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Damage {
    /// The log.
    pub log: String,
    /// First position.
    pub from: u64,
    /// Position after the last.
    pub to: u64,
    /// `missing`, `rotten` or `replaced`.
    pub kind: &'static str,
}

/// How the scrub stands.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct ScrubStatus {
    /// Whether a round is under way.
    pub running: bool,
    /// When the round began, the node's clock, Unix milliseconds; 0 for never.
    pub began_ms: i64,
    /// When the last whole round ended; 0 for never.
    pub ended_ms: i64,
    /// Entries read in this round.
    pub entries: u64,
    /// Entries to read in this round.
    pub of: u64,
    /// Entries found missing, rotten or replaced in this round.
    pub damaged: u64,
    /// Where, the first fifty runs.
    pub damage: Vec<Damage>,
    /// Kept hashes and index rows made again in this round.
    pub remade: u64,
    /// Records that stood differently than their entries say, and were built again.
    pub rederived: u64,
    /// What the engine finds wrong with its pages.
    pub structure: Vec<String>,
}

impl PeerStatus {
    /// Whether whoever shows it has to show it anew. What moves with every word of a peer (the time
    /// of it, bytes, round trips) moves on the screen by itself.
    fn looks_otherwise(&self, before: &Self) -> bool {
        let shown_link = |(name, link): (&String, &LinkStatus)| {
            let still = LinkStatus {
                last_contact_ms: 0,
                sent_bytes: 0,
                rtt_ms: 0,
                ..link.clone()
            };
            (name.clone(), still)
        };
        let shown = |status: &Self| Self {
            last_contact_ms: 0,
            sent_bytes: 0,
            rtt_ms: 0,
            sending: PeerBacklog::default(),
            fetching: PeerBacklog::default(),
            links: status.links.iter().map(shown_link).collect(),
            ..status.clone()
        };
        shown(self) != shown(before)
    }

    /// Takes in what each side lacks of each lane now.
    pub(crate) fn note_lanes(&mut self, lanes: BTreeMap<Lane, (u64, u64)>, now_ms: i64) {
        let sum = |all: &mut dyn Iterator<Item = u64>| all.fold(0, u64::saturating_add);
        self.unsent = sum(&mut lanes.values().map(|(send, _)| *send));
        let unfetched = sum(&mut lanes.values().map(|(_, fetch)| *fetch));

        self.sending.note(self.unsent, now_ms);
        self.fetching.note(unfetched, now_ms);
        self.lanes = lanes;
    }
}

impl Door {
    /// A contact with a peer begins, over this one of several links where there are several: when
    /// the certificate ends that it showed.
    pub fn contact_begins(&self, peer: NodeId, link: Option<&LinkSpec>, certificate_ends_s: i64) {
        let now_ms = self.now_ms();
        match link {
            None => self.contacts.begin(peer.into(), now_ms),
            Some(link) => {
                // A peer is in contact as long as one of its links is.
                if !self.is_linked(&peer) {
                    self.contacts.begin(peer.into(), now_ms);
                }
                self.contacts.begin(ContactKey::of(peer, link), now_ms);
                self.note_link(peer, link, |l| l.connected = true);
            }
        }

        let ends_s = Some(certificate_ends_s).filter(|s| *s > 0);
        self.contacts
            .note(peer, |known| known.certificate_ends_s = ends_s);
        self.live.moved(LivePart::Links);
    }

    /// Whether one of several links with a peer is connected.
    fn is_linked(&self, peer: &NodeId) -> bool {
        let peers = self.peers.lock().expect("no panic holds it");
        let links = peers.get(peer).into_iter().flat_map(|p| p.links.values());
        links.into_iter().any(|link| link.connected)
    }

    /// A peer said which version of its software it runs.
    pub(crate) fn note_software(&self, peer: NodeId, software: &str) {
        self.contacts
            .note(peer, |known| known.software = software.into());
        self.live.moved(LivePart::Links);
    }

    /// A contact goes on, or ends: all bytes on the wire since it began, and what they were for
    /// since that was told last.
    pub async fn contact_goes_on(
        &self,
        peer: NodeId,
        link: Option<&LinkSpec>,
        wire: WayBytes,
        by: &PurposeBytes,
    ) {
        let mut unsent = 0;
        let mut paces = (None, None);
        self.note_peer(peer, |p| {
            unsent = p.unsent;
            paces = (p.sending.remembered(), p.fetching.remembered());
        });
        self.contacts.note(peer, |known| {
            known.send_pace = paces.0.or(known.send_pace);
            known.fetch_pace = paces.1.or(known.fetch_pace);
        });

        let now_ms = self.now_ms();
        let due = match link {
            None => vec![self.contacts.go_on(peer.into(), now_ms, (wire, by), unsent)],
            Some(link) => vec![
                self.contacts
                    .go_on(ContactKey::of(peer, link), now_ms, (wire, by), unsent),
                self.contacts.go_on_beside(peer, now_ms, by, unsent),
            ],
        };
        self.tell_metered_links();

        let due: Vec<_> = due.into_iter().flatten().collect();
        if !due.is_empty()
            && let Err(error) = self.set_local(due, vec![]).await
        {
            tracing::debug!(%error, "a contact cannot be written down now");
        }
    }

    /// Says of which links a month's budget is used up, or will be soon. Nothing is held back for
    /// it: a hold is worth more than a bill.
    pub fn tell_metered_links(&self) {
        self.set_alarm(METERED, self.metered_alarm());
    }

    fn metered_alarm(&self) -> Option<String> {
        let now_ms = self.now_ms();
        let peers = self.peers.lock().expect("no panic holds it");
        let budgets: Vec<(ContactKey, u64)> = peers
            .iter()
            .flat_map(|(id, p)| {
                let whole = p.month_bytes_max.map(|most| (ContactKey::from(*id), most));
                let links = p
                    .links
                    .values()
                    .filter_map(|l| Some((ContactKey::of(*id, &l.link), l.month_bytes_max?)));
                whole.into_iter().chain(links).collect::<Vec<_>>()
            })
            .collect();
        drop(peers);

        let told: Vec<String> = budgets
            .into_iter()
            .filter_map(|(key, most)| {
                let used = self.contacts.look_at(&key, |known| {
                    let traffic = &known.traffic;
                    let used = traffic.of_month(now_ms).both();
                    traffic.nears(most, now_ms).then_some(used)
                })??;
                let which = match key.link.as_str() {
                    "" => "its link".to_string(),
                    name => format!("its link {name}"),
                };
                Some(format!(
                    "{}: {} of {} MiB of this month's budget went over {which}; see what for in \
                     `wadi status --traffic`",
                    self.name_of(&key.peer),
                    used / MIB,
                    most / MIB
                ))
            })
            .collect();
        (!told.is_empty()).then(|| told.join("; "))
    }

    /// Says when this node's own certificate ends, Unix seconds.
    pub fn set_own_certificate(&self, ends_s: i64) {
        self.own_certificate_ends_s.store(ends_s, Ordering::Relaxed);
    }

    /// Raises an alarm of the daemon's, or ends it.
    pub fn set_alarm(&self, about: &'static str, alarm: Option<String>) {
        let mut alarms = self.alarms.lock().expect("no panic holds it");
        let before = match alarm.clone() {
            Some(text) => alarms.insert(about, text),
            None => alarms.remove(about),
        };
        if before != alarm {
            self.live.moved(LivePart::Links);
        }
    }

    /// Changes how a peer stands, for status.
    pub fn note_peer(&self, peer: NodeId, change: impl FnOnce(&mut PeerStatus)) {
        let mut peers = self.peers.lock().expect("no panic holds it");
        let status = peers.entry(peer).or_default();
        let before = status.clone();
        change(status);
        if status.looks_otherwise(&before) {
            self.live.moved(LivePart::Links);
        }
    }

    /// Changes how one of several links with a peer stands, for status.
    pub fn note_link(&self, peer: NodeId, link: &LinkSpec, change: impl FnOnce(&mut LinkStatus)) {
        self.note_peer(peer, |p| {
            // A peer that gives its links other names each time fills no memory.
            let is_known = p.links.contains_key(&link.name);
            if !is_known && p.links.len() >= LINK_NAMES_MAX {
                let is_told =
                    |l: &LinkStatus| l.rate_bits_s.is_none() && l.month_bytes_max.is_none();
                let mut links = p.links.iter();
                let gone = links.find(|(_, l)| !l.connected && is_told(l));
                let Some(gone) = gone.map(|(name, _)| name.clone()) else {
                    return;
                };
                p.links.remove(&gone);
            }

            let known = p.links.entry(link.name.clone());
            let status = known.or_insert_with(|| LinkStatus::new(link.clone()));
            status.link = link.clone();
            change(status);
        });
    }

    /// The names of the peers that were in contact, or are dialled, since this start.
    pub fn peer_names(&self) -> Vec<String> {
        let peers = self.peers.lock().expect("no panic holds it");
        let ids: Vec<NodeId> = peers.keys().copied().collect();
        drop(peers);
        ids.iter().map(|id| self.name_of(id)).collect()
    }

    /// How the scrub stands.
    pub fn scrub_status(&self) -> ScrubStatus {
        self.scrub.lock().expect("no panic holds it").clone()
    }

    /// Has everything read through soon, as fast as the disk gives it.
    pub fn scrub_soon(&self) {
        self.scrub_now.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_of_a_peer_is_no_change_and_a_link_that_ends_is_one() {
        let up = PeerStatus {
            connected: true,
            ..PeerStatus::default()
        };
        let later = PeerStatus {
            last_contact_ms: 7_000,
            sent_bytes: 812,
            rtt_ms: 640,
            ..up.clone()
        };
        assert!(!later.looks_otherwise(&up));
        assert!(PeerStatus::default().looks_otherwise(&later));
        let behind = PeerStatus {
            unsent: 3,
            ..up.clone()
        };
        assert!(behind.looks_otherwise(&up));
    }
}
