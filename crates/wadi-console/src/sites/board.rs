//! The board: every node with what is known of it, in words. What nobody knows is "unknown".

use super::{
    answers::{LaneRead, MembersRead, PeerRead, RefusalsRead, SitesRead},
    map,
    when::length,
};
use crate::{
    expected::{ExpectedWords, LaneExpected},
    frame::PageFrame,
    moment::Moment,
};
use std::collections::BTreeMap;

/// Days left to a certificate from which on somebody should renew it.
const CERTIFICATE_DAYS: i64 = 30;
const DAY_S: i64 = 86_400;
/// Seconds of which nobody need be told: the hub's time comes in whole ones, over slow links.
const CLOCK_MOMENT_S: i64 = 5;
/// Seconds from which on entries are found to be of a wrong time, as policies have it.
const CLOCK_DOUBT_S: i64 = 120;

/// One node on the board.
pub(crate) struct BoardLine {
    pub name: String,
    pub crossing: String,
    /// own, up, dark, flapping, unknown.
    pub link: String,
    /// The link in words.
    pub link_word: String,
    /// The kind of badge that the words stand in.
    pub link_kind: &'static str,
    /// What more there is to say of the link.
    pub link_more: String,
    /// Whether somebody should look.
    pub asks: bool,
    /// The names of the alarms that it told. This node's own stand beside the map.
    pub alarms: Vec<String>,
    pub last_contact: Option<Moment>,
    pub last_ago: String,
    pub oldest_unsent: String,
    pub oldest_unwitnessed: String,
    pub backlog: Option<Vec<BacklogLine>>,
    /// What of this node's own no hub holds yet, by lane.
    pub unsent: Vec<LaneExpected>,
    pub expected: String,
    /// When its link is expected to be up, or what it holds to be at the hub.
    pub expected_at: Option<ExpectedWords>,
    pub verified: Option<Moment>,
    pub clock: ToldShortly,
    pub certificate: ToldShortly,
    pub disk: ToldShortly,
    pub software: String,
    pub refusals: u64,
}

impl BoardLine {
    /// What is told in a few words: clock, certificate, disk.
    pub(crate) fn told(&self) -> [&ToldShortly; 3] {
        [&self.clock, &self.certificate, &self.disk]
    }
}

/// What is still to go over of a lane.
pub(crate) struct BacklogLine {
    pub lane: String,
    /// What it lacks, what is lacked of it, and in how long each will be over.
    pub to_send: String,
    pub to_fetch: String,
}

/// Something told in a few words, with more for whoever looks closer.
pub(crate) struct ToldShortly {
    pub text: String,
    pub more: String,
    pub is_bad: bool,
}

impl ToldShortly {
    fn of(text: String) -> Self {
        Self {
            text,
            more: String::new(),
            is_bad: false,
        }
    }

    fn bad(text: String, more: &str) -> Self {
        Self {
            text,
            more: more.into(),
            is_bad: true,
        }
    }
}

/// A node on the map.
pub(crate) struct MapMark {
    pub name: String,
    pub link: String,
    pub word: String,
    pub x: f64,
    pub y: f64,
    /// Where the line of its link ends, which is at this node; none for this node itself.
    pub line: Option<(f64, f64)>,
}

/// A lane in words.
pub(crate) fn lane_word(f: &PageFrame, lane: &str) -> String {
    f.say(&format!("sites-lane-{lane}"))
}

/// Every node, this one first, then by name; those that somebody should look at before the others.
pub(crate) fn lines(
    f: &PageFrame,
    sites: &SitesRead,
    members: &MembersRead,
    refusals: &RefusalsRead,
) -> Vec<BoardLine> {
    let mut refused: BTreeMap<String, u64> = BTreeMap::new();
    for refusal in &refusals.refusals {
        *refused.entry(members.name_of(&refusal.peer)).or_default() += refusal.times;
    }

    let line = |peer: &PeerRead| {
        let count = refused.get(&peer.node).copied().unwrap_or(0);
        peer_line(f, sites, peer, count)
    };
    let mut others: Vec<BoardLine> = sites.peers.iter().map(line).collect();
    others.sort_by(|a, b| (!a.asks, &a.name).cmp(&(!b.asks, &b.name)));
    others.insert(0, own_line(f, sites));
    others
}

fn own_line(f: &PageFrame, sites: &SitesRead) -> BoardLine {
    let age = sites.oldest_unsent_ms.map(|ms| length(f, ms));
    let oldest = age.unwrap_or_else(|| f.say("sites-nothing"));
    let disk = match &sites.degraded {
        None => ToldShortly::of(f.say("sites-no-alarm")),
        Some(d) => {
            let free = super::when::bytes(d.free_bytes as f64);
            ToldShortly::bad(free, &f.say_alarm(&d.why))
        }
    };
    BoardLine {
        name: sites.node.clone(),
        crossing: sites.crossing.clone(),
        link: "own".into(),
        link_word: f.say("sites-link-own"),
        link_kind: "note",
        link_more: String::new(),
        asks: !sites.alarms.is_empty() || !sites.alarm_kinds.is_empty(),
        alarms: Vec::new(),
        last_contact: None,
        last_ago: f.say("sites-link-own"),
        oldest_unsent: oldest.clone(),
        oldest_unwitnessed: oldest,
        backlog: None,
        unsent: match sites.role.as_str() {
            // Another hub holds what a hub says when it comes by; nobody waits for it.
            "hub" => Vec::new(),
            _ => LaneExpected::of(f, &sites.unsent_by_lane),
        },
        expected: match (&sites.expected_at_hub, sites.unsent) {
            (_, 0) => f.say("sites-nothing"),
            (Some(_), _) => String::new(),
            (None, _) => f.say("sites-unknown"),
        },
        expected_at: sites
            .expected_at_hub
            .as_ref()
            .map(|read| ExpectedWords::at_hub(f, Some(read))),
        verified: verified(sites, &sites.crossing),
        clock: own_clock(f, sites),
        certificate: certificate(f, sites.certificate_ends_s, sites.now_ms / 1_000),
        disk,
        software: sites.software.clone(),
        refusals: 0,
    }
}

fn peer_line(f: &PageFrame, sites: &SitesRead, peer: &PeerRead, refusals: u64) -> BoardLine {
    let unknown = || f.say("sites-unknown");
    let crossing = peer.crossing.clone().unwrap_or_default();
    let (link_kind, asks) = link_kind(peer);
    // Both hold the same: nothing of it is unsent, and what the hub holds is witnessed.
    let is_level = peer.in_step == Some(true);
    let oldest = if is_level {
        f.say("sites-nothing")
    } else {
        unknown()
    };
    let expected = match peer.caught_up_in_ms {
        Some(0) => f.say("sites-nothing"),
        Some(ms) => length(f, ms),
        None if peer.next_contact.is_some() => String::new(),
        None => unknown(),
    };
    let ago_ms = sites.now_ms - peer.last_contact_ms;

    BoardLine {
        link_word: link_word(f, peer),
        link_more: link_more(f, peer),
        link_kind,
        asks: asks || !peer.alarms.is_empty(),
        alarms: peer
            .alarms
            .iter()
            .map(|alarm| f.language.alarm(&alarm.about))
            .collect(),
        last_contact: Moment::if_any(peer.last_contact_ms),
        last_ago: match peer.last_contact_ms {
            0 => unknown(),
            _ => length(f, ago_ms),
        },
        oldest_unsent: oldest.clone(),
        oldest_unwitnessed: oldest,
        backlog: peer.backlog.as_ref().map(|lanes| {
            let line = |l: &LaneRead| BacklogLine {
                lane: lane_word(f, &l.lane),
                to_send: way(f, "sites-to-send", l.to_send, l.sent_in_ms),
                to_fetch: way(f, "sites-to-fetch", l.to_fetch, l.fetched_in_ms),
            };
            lanes.iter().map(line).collect()
        }),
        unsent: Vec::new(),
        expected,
        expected_at: peer
            .next_contact
            .as_ref()
            .map(|read| ExpectedWords::of_link(f, read)),
        verified: verified(sites, &crossing),
        clock: told_alarm(f, peer, "clock"),
        certificate: certificate(f, peer.certificate_ends_s, sites.now_ms / 1_000),
        disk: told_alarm(f, peer, "disk"),
        software: peer.software.clone().unwrap_or_else(unknown),
        refusals,
        name: peer.node.clone(),
        crossing,
        link: match (peer.link.as_str(), peer.dark_as_usual) {
            ("dark", Some(false)) => "late".into(),
            (link, _) => link.into(),
        },
    }
}

/// What is to go one way of a lane, and in how long it will be over.
fn way(f: &PageFrame, said: &str, entries: u64, over_in_ms: Option<i64>) -> String {
    let count = f.say_n(said, entries);
    match (entries, over_in_ms) {
        (0, _) => count,
        (_, Some(ms)) => format!("{count} ({})", f.say_of("sites-over-in", &length(f, ms))),
        (_, None) => format!("{count} ({})", f.say("sites-over-unknown")),
    }
}

fn verified(sites: &SitesRead, crossing: &str) -> Option<Moment> {
    Moment::if_any(sites.watermarks.get(crossing).copied().unwrap_or(0))
}

/// The badge of a link, and whether somebody should look: dark within the habit is no alarm.
fn link_kind(peer: &PeerRead) -> (&'static str, bool) {
    match (peer.link.as_str(), peer.dark_as_usual) {
        ("up", _) => ("good", false),
        ("flapping", _) => ("warn", true),
        ("dark", Some(false)) => ("bad", true),
        ("dark", _) => ("plain", false),
        _ => ("plain", false),
    }
}

/// A link's state in words, with how usual it is that it is dark.
pub(crate) fn link_word(f: &PageFrame, peer: &PeerRead) -> String {
    match (peer.link.as_str(), peer.dark_as_usual) {
        ("dark", Some(false)) => f.say("sites-link-late"),
        ("dark", Some(true)) => f.say("sites-link-dark-usual"),
        (state, _) => state_word(f, state),
    }
}

/// The state of a link in words.
pub(super) fn state_word(f: &PageFrame, state: &str) -> String {
    f.say(match state {
        "up" => "sites-link-up",
        "flapping" => "sites-link-flapping",
        "dark" => "sites-link-dark",
        _ => "sites-link-unknown",
    })
}

fn link_more(f: &PageFrame, peer: &PeerRead) -> String {
    match (peer.link.as_str(), peer.usual_dark_ms) {
        ("flapping", _) => f.say_n("sites-contacts-in-hour", peer.contacts_in_hour),
        ("dark", Some(ms)) => f.say_of("sites-usually-dark", &length(f, ms)),
        ("dark", None) => f.say("sites-no-habit"),
        _ => String::new(),
    }
}

fn told_alarm(f: &PageFrame, peer: &PeerRead, about: &str) -> ToldShortly {
    match peer.alarms.iter().find(|a| a.about == about) {
        Some(alarm) => ToldShortly::bad(
            f.say(&format!("sites-alarm-{about}")),
            &f.say_alarm(&alarm.text),
        ),
        None if peer.last_contact_ms == 0 => ToldShortly::of(f.say("sites-unknown")),
        None => ToldShortly::of(f.say("sites-no-alarm")),
    }
}

/// By how much this node's clock differs from the hub's time; a hub's, from what it goes by.
fn own_clock(f: &PageFrame, sites: &SitesRead) -> ToldShortly {
    let Some(ahead_s) = sites.clock_ahead_s else {
        return ToldShortly::of(f.say("sites-unknown"));
    };
    let text = match ahead_s.abs() {
        ..CLOCK_MOMENT_S => f.say("sites-clock-right"),
        _ if ahead_s > 0 => f.say_of("sites-clock-ahead", &length(f, ahead_s * 1_000)),
        _ => f.say_of("sites-clock-behind", &length(f, -ahead_s * 1_000)),
    };
    match ahead_s.abs() >= CLOCK_DOUBT_S {
        true => ToldShortly::bad(text, &f.say("sites-alarm-clock")),
        false => ToldShortly::of(text),
    }
}

fn certificate(f: &PageFrame, ends_s: Option<i64>, now_s: i64) -> ToldShortly {
    let Some(ends_s) = ends_s else {
        return ToldShortly::of(f.say("sites-unknown"));
    };
    let days = (ends_s - now_s) / DAY_S;
    let text = f.say_n("sites-days", days.max(0));
    match days {
        days if days < CERTIFICATE_DAYS => ToldShortly::bad(text, &f.say("sites-certificate-ends")),
        _ => ToldShortly::of(text),
    }
}

/// The nodes that the map has places for, and the names of those that it has none for.
pub(crate) fn marks(f: &PageFrame, sites: &SitesRead) -> (Vec<MapMark>, Vec<String>) {
    let own_code = match sites.role.as_str() {
        "hub" => "HUB",
        _ => sites.crossing.as_str(),
    };
    let own_place = map::place(own_code);
    let (mut marks, mut unplaced) = (Vec::new(), Vec::new());
    let mut taken: BTreeMap<String, u32> = BTreeMap::new();

    for peer in &sites.peers {
        let code = match peer.role.as_deref() {
            Some("hub") => "HUB".to_string(),
            _ => peer.crossing.clone().unwrap_or_default(),
        };
        let Some((x, y)) = map::place(&code) else {
            unplaced.push(peer.node.clone());
            continue;
        };

        // Several nodes of one crossing stand beside each other.
        let before = taken.entry(code).or_default();
        let x = x + f64::from(*before) * 18.0;
        *before += 1;
        let (kind, _) = link_kind(peer);
        marks.push(MapMark {
            name: peer.node.clone(),
            link: match (peer.link.as_str(), kind) {
                ("dark", "bad") => "late".into(),
                (link, _) => link.into(),
            },
            word: link_word(f, peer),
            x,
            y,
            line: own_place,
        });
    }

    match own_place {
        Some((x, y)) => marks.push(MapMark {
            name: sites.node.clone(),
            link: "own".into(),
            word: f.say("sites-link-own"),
            x,
            y,
            line: None,
        }),
        None => unplaced.push(sites.node.clone()),
    }
    (marks, unplaced)
}
