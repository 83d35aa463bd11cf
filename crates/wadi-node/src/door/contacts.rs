//! When each peer was in contact, and what went over: so that a link that is dark by habit is told
//! from one that is dark against it. A node remembers this for itself, and tells it nobody. When a
//! link is expected to be up again is in [`super::next_contact`].

use super::{
    pace::Pace,
    traffic::{LinkTraffic, PurposeBytes, WayBytes, sum_of},
};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Mutex,
};
use wadi_log::NodeId;
use wadi_store::{LocalKey, LocalScope};
use wadi_sync::LinkSpec;

/// Where contacts are kept.
pub(crate) const SCOPE: LocalScope = LocalScope::Contact;

/// Contacts remembered of one peer: a link that is up twice a day is remembered for three months.
const CONTACTS_MAX: usize = 200;
/// Peers that are remembered, and links with them.
const PEERS_MAX: usize = 1_024;
/// Links with one peer that are remembered, where there are several.
const LINKS_OF_PEER_MAX: usize = 8;
/// How often a backlog is written down, milliseconds, and how many of those are kept: three days.
const BACKLOG_EVERY_MS: i64 = 900_000;
const BACKLOGS_MAX: usize = 288;
/// A contact that begins so soon after the last one is a part of it where the habit is told.
const SAME_CONTACT_MS: i64 = 60_000;
/// Times of being dark that make a habit.
const HABIT_OF: usize = 6;
/// Contacts begun within an hour that make a link one that flaps.
const FLAPS_AN_HOUR: usize = 6;
const HOUR_MS: i64 = 3_600_000;
/// The least time between two writings of one peer's contacts: a link that flaps writes no more.
const WRITE_PAUSE_MS: i64 = 60_000;

/// One contact.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Contact {
    /// When it began, this node's clock, Unix milliseconds.
    pub began_ms: i64,
    /// When it ended, or when it was last looked at.
    pub ended_ms: i64,
    /// Bytes sent on the wire.
    pub sent_bytes: u64,
    /// Bytes received on the wire.
    pub received_bytes: u64,
}

impl Contact {
    fn wire(&self) -> WayBytes {
        WayBytes {
            sent: self.sent_bytes,
            received: self.received_bytes,
        }
    }
}

/// How many entries a peer lacked at a time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct BacklogThen {
    /// When, Unix milliseconds.
    pub at_ms: i64,
    /// Entries that it lacked.
    pub unsent: u64,
}

/// How a link stands, as people are told.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkState {
    /// In contact.
    Up,
    /// Not in contact.
    Dark,
    /// In contact or not, and it changed often within the hour.
    Flapping,
    /// This node never was in contact with it.
    Unknown,
}

/// What is remembered of one peer.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PeerContacts {
    /// The contacts, the oldest first.
    pub contacts: VecDeque<Contact>,
    /// What it lacked, the oldest first.
    pub backlog: VecDeque<BacklogThen>,
    /// When the certificate ends that it showed last, Unix seconds.
    pub certificate_ends_s: Option<i64>,
    /// The version of its software, as it said last; empty where it never did.
    pub software: String,
    /// How fast a backlog went over to it last.
    pub send_pace: Option<Pace>,
    /// How fast one came from it last.
    pub fetch_pace: Option<Pace>,
    /// What went over, by day and by what for.
    pub traffic: LinkTraffic,
    /// When this was written down, Unix milliseconds.
    #[serde(skip)]
    written_ms: i64,
}

impl PeerContacts {
    fn begin(&mut self, now_ms: i64) {
        self.contacts.push_back(Contact {
            began_ms: now_ms,
            ended_ms: now_ms,
            sent_bytes: 0,
            received_bytes: 0,
        });
        if self.contacts.len() > CONTACTS_MAX {
            self.contacts.pop_front();
        }
    }

    fn go_on(&mut self, now_ms: i64, wire: WayBytes, unsent: u64) {
        if let Some(contact) = self.contacts.back_mut() {
            contact.ended_ms = now_ms.max(contact.began_ms);
            contact.sent_bytes = wire.sent;
            contact.received_bytes = wire.received;
        }

        let last_ms = self.backlog.back().map(|b| b.at_ms);
        if last_ms.is_none_or(|last| now_ms.saturating_sub(last) >= BACKLOG_EVERY_MS) {
            let at_ms = now_ms;
            self.backlog.push_back(BacklogThen { at_ms, unsent });
        }
        if self.backlog.len() > BACKLOGS_MAX {
            self.backlog.pop_front();
        }
    }

    /// How the link stands.
    pub fn link(&self, connected: bool, now_ms: i64) -> LinkState {
        let flaps = self.begun_within_hour(now_ms) >= FLAPS_AN_HOUR;
        match (self.contacts.is_empty(), connected) {
            (_, _) if flaps => LinkState::Flapping,
            (_, true) => LinkState::Up,
            (false, false) => LinkState::Dark,
            (true, false) => LinkState::Unknown,
        }
    }

    fn row(&self, key: &ContactKey) -> LocalKey {
        LocalKey {
            scope: SCOPE,
            key: key.text(),
            value: serde_json::to_string(self).unwrap_or_default(),
        }
    }

    /// What is to be written down, where the last time is long enough ago.
    fn due_at(&mut self, now_ms: i64, key: &ContactKey) -> Option<LocalKey> {
        if now_ms.saturating_sub(self.written_ms) < WRITE_PAUSE_MS {
            return None;
        }

        self.written_ms = now_ms;
        Some(self.row(key))
    }

    /// Contacts that began within the hour.
    pub fn begun_within_hour(&self, now_ms: i64) -> usize {
        let recent = |c: &&Contact| now_ms.saturating_sub(c.began_ms) < HOUR_MS;
        self.contacts.iter().rev().take_while(recent).count()
    }

    /// For how long the link is dark as a rule: nine of ten times it was no longer, milliseconds.
    /// None where too little is known for a habit.
    pub fn usual_dark_ms(&self) -> Option<i64> {
        let pairs = self.contacts.iter().zip(self.contacts.iter().skip(1));
        let mut dark: Vec<i64> = pairs
            .map(|(before, after)| after.began_ms.saturating_sub(before.ended_ms))
            .filter(|ms| *ms > SAME_CONTACT_MS)
            .collect();
        if dark.len() < HABIT_OF {
            return None;
        }

        dark.sort_unstable();
        dark.get((dark.len() * 9).div_ceil(10).saturating_sub(1))
            .copied()
    }

    /// When the last contact ended, or was last looked at, Unix milliseconds.
    pub fn last_ms(&self) -> Option<i64> {
        self.contacts.back().map(|c| c.ended_ms)
    }

    /// Whether the link is dark no longer than it is as a rule, or than was to be expected of the
    /// hour at which it went dark. None where neither is known.
    pub fn is_dark_as_usual(&self, now_ms: i64) -> Option<bool> {
        let last_ms = self.last_ms()?;
        let by_habit = self
            .usual_dark_ms()
            .map(|usual_ms| now_ms.saturating_sub(last_ms) <= usual_ms);
        let by_hour = self
            .next_contact(last_ms.saturating_add(1))
            .map(|expected| {
                let doubt_ms = expected.wrong_by_ms.unwrap_or(0).max(SAME_CONTACT_MS);
                now_ms <= expected.at_ms.saturating_add(doubt_ms)
            });
        match (by_habit, by_hour) {
            (None, None) => None,
            (habit, hour) => Some(habit == Some(true) || hour == Some(true)),
        }
    }
}

/// What is remembered apart: a peer, or one of several links with it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct ContactKey {
    pub(crate) peer: NodeId,
    /// The link's name; empty for the peer, whatever links there are.
    pub(crate) link: String,
}

impl From<NodeId> for ContactKey {
    fn from(peer: NodeId) -> Self {
        Self {
            peer,
            link: String::new(),
        }
    }
}

impl ContactKey {
    /// One of several links with a peer.
    pub(crate) fn of(peer: NodeId, link: &LinkSpec) -> Self {
        Self {
            peer,
            link: link.name.clone(),
        }
    }

    fn text(&self) -> String {
        let peer = wadi_log::hex(&self.peer.0);
        match self.link.as_str() {
            "" => peer,
            name => format!("{peer}/{name}"),
        }
    }

    fn read(text: &str) -> Option<Self> {
        let (peer, link) = text.split_once('/').unwrap_or((text, ""));
        Some(Self {
            peer: NodeId::from_slice(&wadi_log::unhex(peer)?).ok()?,
            link: link.into(),
        })
    }
}

/// What is remembered of all peers, and of links with them.
#[derive(Debug, Default)]
pub(crate) struct Contacts(Mutex<BTreeMap<ContactKey, PeerContacts>>);

impl Contacts {
    /// Takes in what was kept before this start. What does not read is forgotten.
    pub(crate) fn recall(&self, kept: &[LocalKey]) {
        let read = |key: &LocalKey| {
            let whose = ContactKey::read(&key.key)?;
            Some((whose, serde_json::from_str(&key.value).ok()?))
        };
        let mut peers = self.0.lock().expect("no panic holds it");
        peers.extend(kept.iter().take(PEERS_MAX).filter_map(read));
    }

    /// A contact begins.
    pub(crate) fn begin(&self, key: ContactKey, now_ms: i64) {
        let mut peers = self.0.lock().expect("no panic holds it");
        // A peer that gives its links other names each time takes no more than its part.
        let named = |k: &&ContactKey| k.peer == key.peer && !k.link.is_empty();
        let has_room = peers.len() < PEERS_MAX
            && (key.link.is_empty() || peers.keys().filter(named).count() < LINKS_OF_PEER_MAX);
        if has_room || peers.contains_key(&key) {
            peers.entry(key).or_default().begin(now_ms);
        }
    }

    /// A contact goes on, or ends: the bytes sent and received since it began, what they were for
    /// since that was told last, and the entries that the peer lacks. What is to be written down,
    /// where that is due.
    pub(crate) fn go_on(
        &self,
        key: ContactKey,
        now_ms: i64,
        (wire, by): (WayBytes, &PurposeBytes),
        unsent: u64,
    ) -> Option<LocalKey> {
        let mut peers = self.0.lock().expect("no panic holds it");
        let known = peers.get_mut(&key)?;
        known.go_on(now_ms, wire, unsent);
        known.traffic.add(now_ms, by);
        known.due_at(now_ms, &key)
    }

    /// A contact with a peer goes on over one of several links: what went over it since that was
    /// told last comes to what went over the others.
    pub(crate) fn go_on_beside(
        &self,
        peer: NodeId,
        now_ms: i64,
        by: &PurposeBytes,
        unsent: u64,
    ) -> Option<LocalKey> {
        let mut peers = self.0.lock().expect("no panic holds it");
        let key = ContactKey::from(peer);
        let known = peers.get_mut(&key)?;
        let mut wire = known.contacts.back().map(Contact::wire)?;
        wire.add(sum_of(by));
        known.go_on(now_ms, wire, unsent);
        known.traffic.add(now_ms, by);
        known.due_at(now_ms, &key)
    }

    /// All that is remembered, to be written down before a stop.
    pub(crate) fn keys(&self) -> Vec<LocalKey> {
        let peers = self.0.lock().expect("no panic holds it");
        peers.iter().map(|(key, known)| known.row(key)).collect()
    }

    /// Remembers what a peer showed or said of itself. It is written down with its contact.
    pub(crate) fn note(&self, peer: NodeId, note: impl FnOnce(&mut PeerContacts)) {
        let mut peers = self.0.lock().expect("no panic holds it");
        if let Some(known) = peers.get_mut(&peer.into()) {
            note(known);
        }
    }

    /// What is remembered of one peer, or of one of several links with it.
    pub(crate) fn of(&self, key: &ContactKey) -> PeerContacts {
        self.look_at(key, PeerContacts::clone).unwrap_or_default()
    }

    /// What somebody wants to know of one that is remembered, without a copy of the rest.
    pub(crate) fn look_at<T>(
        &self,
        key: &ContactKey,
        look: impl FnOnce(&PeerContacts) -> T,
    ) -> Option<T> {
        let peers = self.0.lock().expect("no panic holds it");
        peers.get(key).map(look)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;
    const PEER: NodeId = NodeId([7; 16]);

    /// Bytes of a contact, and nothing of what they were for.
    fn nothing_told(sent: u64, received: u64) -> (WayBytes, &'static PurposeBytes) {
        static NOTHING: PurposeBytes = PurposeBytes::new();
        (WayBytes { sent, received }, &NOTHING)
    }

    /// A crossing whose link is up for ten minutes every two hours.
    fn desert_link(days: i64) -> Contacts {
        let contacts = Contacts::default();
        for n in 0..days * 12 {
            let began_ms = n * 120 * MINUTE;
            contacts.begin(PEER.into(), began_ms);
            contacts.go_on(
                PEER.into(),
                began_ms + 10 * MINUTE,
                nothing_told(1_000, 2_000),
                3,
            );
        }
        contacts
    }

    #[test]
    fn dark_as_ever_is_told_from_dark_for_too_long() {
        let known = desert_link(1).of(&PEER.into());
        let ended_ms = known.last_ms().unwrap();
        assert_eq!(known.usual_dark_ms(), Some(110 * MINUTE));
        assert_eq!(known.link(false, ended_ms + MINUTE), LinkState::Dark);
        assert_eq!(known.is_dark_as_usual(ended_ms + 100 * MINUTE), Some(true));
        assert_eq!(known.is_dark_as_usual(ended_ms + 111 * MINUTE), Some(false));
    }

    #[test]
    fn a_few_contacts_are_no_habit_and_none_is_unknown() {
        let contacts = Contacts::default();
        assert_eq!(contacts.of(&PEER.into()).link(false, 0), LinkState::Unknown);

        contacts.begin(PEER.into(), 0);
        let known = contacts.of(&PEER.into());
        assert_eq!(known.link(true, 1), LinkState::Up);
        assert_eq!(
            (known.usual_dark_ms(), known.is_dark_as_usual(1)),
            (None, None)
        );
    }

    #[test]
    fn a_link_that_comes_and_goes_flaps_and_makes_no_habit() {
        let contacts = Contacts::default();
        for n in 0..20 {
            contacts.begin(PEER.into(), n * 2_000);
            contacts.go_on(PEER.into(), n * 2_000 + 1_000, nothing_told(1, 1), 0);
        }
        let known = contacts.of(&PEER.into());
        assert_eq!(known.link(true, 41_000), LinkState::Flapping);
        assert_eq!(known.usual_dark_ms(), None);
        assert_eq!(known.link(false, 2 * HOUR_MS), LinkState::Dark);
    }

    #[test]
    fn a_peer_is_in_contact_as_long_as_one_of_its_links_and_each_link_counts_for_itself() {
        use super::super::traffic::TrafficPurpose::BlocksHold;
        let link = |name: &str| {
            let link = LinkSpec {
                name: name.into(),
                cost: wadi_sync::LinkCost::Flat,
                purpose: wadi_sync::LinkPurpose::All,
            };
            ContactKey::of(PEER, &link)
        };
        let contacts = Contacts::default();
        contacts.begin(PEER.into(), 0);
        for (name, sent) in [("sat", 10), ("vsat", 300)] {
            let wire = WayBytes { sent, received: 1 };
            let by = PurposeBytes::from([(BlocksHold, wire)]);
            contacts.begin(link(name), 0);
            contacts.go_on(link(name), MINUTE, (wire, &by), 0);
            contacts.go_on_beside(PEER, MINUTE, &by, 0);
        }

        let month = |key: &ContactKey| contacts.of(key).traffic.of_month(MINUTE).both();
        assert_eq!((month(&link("sat")), month(&link("vsat"))), (11, 301));
        assert_eq!(month(&PEER.into()), 312);
        let whole = contacts.of(&PEER.into());
        assert_eq!(whole.contacts.back().map(|c| c.sent_bytes), Some(310));

        let again = Contacts::default();
        again.recall(&contacts.keys());
        assert_eq!(
            again.of(&link("sat")).traffic,
            contacts.of(&link("sat")).traffic
        );

        // Names without number take no more than the peer's part.
        for n in 0..100 {
            contacts.begin(link(&format!("l{n}")), 0);
        }
        assert_eq!(contacts.keys().len(), 1 + LINKS_OF_PEER_MAX);
    }

    #[test]
    fn what_is_kept_reads_back_takes_bounded_room_and_is_written_now_and_then() {
        let contacts = desert_link(400);
        let known = contacts.of(&PEER.into());
        assert_eq!(known.contacts.len(), CONTACTS_MAX);
        assert_eq!(known.backlog.len(), BACKLOGS_MAX);

        let later_ms = known.last_ms().unwrap() + MINUTE;
        let kept = contacts
            .go_on(PEER.into(), later_ms, nothing_told(5, 6), 0)
            .unwrap();
        assert_eq!(
            contacts.go_on(PEER.into(), later_ms + 1, nothing_told(5, 6), 0),
            None
        );

        let again = Contacts::default();
        again.recall(&[kept]);
        assert_eq!(
            again.of(&PEER.into()).contacts.back().unwrap().sent_bytes,
            5
        );
        assert!(wadi_log::hex(&PEER.0).len() == 32);
    }
}
