//! How a node stands: what it holds, what it lacks, and what asks for somebody.

use crate::{
    api::{
        Reads,
        alarms::{Alarm, INTEGRITY},
        expected::{LaneUnsent, backlog_json, caught_up_in_ms},
        known::received_ms,
    },
    door::{
        budgets::MemberCost,
        contacts::{ContactKey, PeerContacts},
        error::NodeError,
        next_contact::NextContact,
        scopes::ScopeDigest,
        status::{CountryStanding, LinkStatus, PeerStatus, ScrubStatus},
        traffic::LinkTraffic,
    },
};
use serde::Serialize;
use serde_json::{Value as Json, json};
use std::{collections::BTreeMap, sync::atomic::Ordering};
use wadi_log::{
    CutFact, CutTarget, Enrolment, Frontier, Hash, Lane, LogId, NodeId, Peaks, Role, leaf_hash,
};
use wadi_sync::LaneSet;

/// What a quiet crossing needs at most to say that there was nothing, milliseconds; and by a clock
/// that runs fast, whose pace it cannot keep, of real ones.
const OVERDUE_MS: i64 = 60_000;
const OVERDUE_FAST_MS: i64 = 10_000;

/// Refusals that are shown, the newest ones.
const REFUSALS_SHOWN: u32 = 10;

/// How a node stands.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[allow(missing_docs)]
pub struct Status {
    pub node: String,
    pub id: String,
    pub role: String,
    pub crossing: String,
    pub now_ms: i64,
    pub hub_time_s: i64,
    pub records: i64,
    pub entries: i64,
    pub waiting: i64,
    pub refused: i64,
    pub findings: i64,
    /// Pending findings whose time is past by the hub's: what they wait for has not been heard. A
    /// hub's alone.
    pub overdue: i64,
    /// Through which time each crossing is received, Unix milliseconds. A hub's alone.
    pub watermarks: BTreeMap<String, i64>,
    pub carried_bytes: i64,
    /// Entries of this node's own logs that no hub has cosigned.
    pub unsent: u64,
    /// Age of the oldest of those, milliseconds; none where all are safe.
    pub oldest_unsent_ms: Option<i64>,
    /// Alarms: what is degraded, and why.
    pub alarms: Vec<String>,
    /// How many of them there are, by what they are about.
    pub alarm_kinds: BTreeMap<String, u64>,
    /// How many of the alarms put in doubt what is kept; the others ask for somebody's attention.
    pub integrity_alarms: usize,
    /// What is given up for want of room on the disk: level, reason, bytes; none where nothing is.
    /// It is an alarm, too.
    pub degraded: Option<Json>,
    pub digest: String,
    /// How far everything held was read through, and what was found.
    pub scrub: ScrubStatus,
    pub scopes: Vec<ScopeDigest>,
    pub peers: Vec<Json>,
    /// The version of this node's software.
    pub software: &'static str,
    /// When its own certificate ends, Unix seconds.
    pub certificate_ends_s: Option<i64>,
    /// By how much its clock is ahead of the hub's time, seconds; less than nought, behind. None
    /// where no hub was heard since this start.
    pub clock_ahead_s: Option<i64>,
    /// When what no hub holds yet is expected to be there; none where all is, or nobody knows.
    pub expected_at_hub: Option<NextContact>,
    /// The same by lane, of those of which no hub holds all, the most urgent first.
    pub unsent_by_lane: Vec<LaneUnsent>,
    pub forks: Vec<String>,
    pub cuts: Vec<String>,
    /// What was refused last: subject, code and reason.
    pub last_refused: Vec<Json>,
    /// What each member costs this node, and how it stands.
    pub costs: Vec<MemberCost>,
    /// How the country log stands; none before it has a checkpoint, and where none is kept.
    pub country_log: Option<CountryStanding>,
}

impl Reads {
    /// How the node stands.
    pub async fn status(&self) -> Result<Status, NodeError> {
        let door = &self.door;
        let counts = door.store.counts().await?;
        let frontier = door.frontier();
        let unsent = self.unsent(&frontier);
        let unsent_by_lane = self.unsent_by_lane(&unsent);
        let oldest_ms = self.oldest_unsent_ms(&unsent, &frontier).await?;

        let alarms = self.alarms().await?;
        let integrity_alarms = alarms.iter().filter(|a| a.about == INTEGRITY).count();
        let degraded = door.room.degraded();

        let scopes = door.scopes(&frontier, door.store.digests().await?);
        let refusals = door.store.refusals(REFUSALS_SHOWN).await?;

        Ok(Status {
            node: door.me.name.clone(),
            id: door.id().to_string(),
            role: door.me.role.name().into(),
            crossing: door.me.crossing.map(|c| c.to_string()).unwrap_or_default(),
            now_ms: door.now_ms(),
            hub_time_s: door.time.hub_time_s(),
            records: counts.records,
            entries: counts.entries,
            waiting: counts.waiting,
            refused: counts.refused,
            findings: counts.findings,
            overdue: self.overdue().await?,
            watermarks: match door.me.role {
                Role::Hub => door.view().watermarks.as_ref().clone(),
                _ => BTreeMap::new(),
            },
            carried_bytes: counts.carried_bytes,
            unsent: unsent.values().sum(),
            oldest_unsent_ms: oldest_ms.map(|o| (door.now_ms() - o).max(0)),
            alarm_kinds: kinds_of(&alarms),
            alarms: alarms.into_iter().map(|alarm| alarm.text).collect(),
            integrity_alarms,
            degraded,
            digest: digest_of(&scopes).to_string(),
            scrub: door.scrub_status(),
            scopes,
            peers: self.peers_json(),
            software: env!("CARGO_PKG_VERSION"),
            certificate_ends_s: Some(door.own_certificate_ends_s.load(Ordering::Relaxed))
                .filter(|ends_s| *ends_s > 0),
            clock_ahead_s: door.time.ahead_s(),
            expected_at_hub: unsent_by_lane
                .iter()
                .map(|lane| lane.expected_at_hub)
                .collect::<Option<Vec<_>>>()
                .and_then(|all| all.into_iter().max_by_key(|expected| expected.at_ms)),
            unsent_by_lane,
            forks: door.with_control(|c| c.forks().keys().map(LogId::origin).collect()),
            cuts: self.cut_texts(),
            costs: door.costs(),
            country_log: door.country_log.lock().expect("no panic holds it").clone(),
            last_refused: refusals
                .iter()
                .map(|r| {
                    json!({
                        "subject": r.subject,
                        "code": r.code,
                        "why": r.why,
                        "at_ms": r.at_ms,
                        "times": r.times,
                    })
                })
                .collect(),
        })
    }

    /// When the oldest entry was written that no hub has cosigned, Unix milliseconds.
    async fn oldest_unsent_ms(
        &self,
        unsent: &BTreeMap<LogId, u64>,
        frontier: &Frontier,
    ) -> Result<Option<i64>, NodeError> {
        let mut oldest = None;
        for (log, count) in unsent {
            let from = frontier.0[log].size - count;
            let first = match self.door.store.entries(log, from, 1).await {
                // That it is damaged is an alarm, which nobody would see if status ended here.
                Err(error) if error.is_rot() => continue,
                found => found?,
            };

            if let Some(first) = first.first() {
                let at_ms = received_ms(first, self.door.now_ms());
                oldest = Some(oldest.map_or(at_ms, |o: i64| o.min(at_ms)));
            }
        }

        Ok(oldest)
    }

    /// How each peer stands. A site that a hub has not heard since this start is dark, and not
    /// absent.
    fn peers_json(&self) -> Vec<Json> {
        let mut peers = self.door.peers.lock().expect("no panic holds it").clone();
        if self.door.me.role == Role::Hub {
            let known = self.door.with_control(|c| {
                let sites = c
                    .enrolments()
                    .filter(|e| e.role == Role::Crossing && !c.is_cut(&e.node()));
                sites.map(|e| e.node()).collect::<Vec<_>>()
            });

            for id in known {
                peers.entry(id).or_default();
            }
        }

        peers
            .iter()
            .map(|(id, p)| {
                // What a dark peer lacks, and whether it is in step, nobody knows.
                let seen = |value: Json| if p.connected { value } else { Json::Null };
                let (role, crossing) = self.place_of(id);
                let contacts = self.door.contacts.of(&(*id).into());
                let now_ms = self.door.now_ms();
                json!({
                    "node": self.door.name_of(id),
                    "role": role,
                    "crossing": crossing,
                    "connected": p.connected,
                    "link": contacts.link(p.connected, now_ms),
                    "contacts_in_hour": contacts.begun_within_hour(now_ms),
                    "usual_dark_ms": contacts.usual_dark_ms(),
                    "dark_as_usual": match p.connected {
                        true => None,
                        false => contacts.is_dark_as_usual(now_ms),
                    },
                    "next_contact": match p.connected {
                        true => None,
                        false => contacts.next_contact(now_ms),
                    },
                    "certificate_ends_s": contacts.certificate_ends_s,
                    "software": Some(&contacts.software).filter(|said| !said.is_empty()),
                    "backlog": seen(backlog_json(p, &contacts, now_ms)),
                    "caught_up_in_ms": seen(caught_up_in_ms(p, &contacts, now_ms).into()),
                    // Before this start it was in contact when its last contact ended.
                    "last_contact_ms": p.last_contact_ms.max(contacts.last_ms().unwrap_or(0)),
                    "unsent": seen(p.unsent.into()),
                    "in_step": seen(p.in_step.into()),
                    "sent_bytes": p.sent_bytes,
                    "traffic": traffic_json(&contacts.traffic, p.month_bytes_max, now_ms),
                    "rtt_ms": seen(p.rtt_ms.into()),
                    "last_error": p.last_error,
                    "links": self.links_json(id, p),
                    "alarms": self.told_by(id),
                    "chains": self.door.chains_of(id),
                })
            })
            .collect()
    }

    /// How each of several links with a peer stands; nothing where there is one.
    fn links_json(&self, id: &NodeId, peer: &PeerStatus) -> Vec<Json> {
        let now_ms = self.door.now_ms();
        let sends = self.door.links.lanes_of(id);
        let link = |(name, l): (&String, &LinkStatus)| {
            let known = self.door.contacts.of(&ContactKey::of(*id, &l.link));
            let lanes = sends.get(name).copied().filter(|_| l.connected);
            let lanes = lanes.into_iter().flat_map(LaneSet::lanes);
            json!({
                "name": name,
                "cost": l.link.cost.name(),
                "purpose": l.link.purpose.name(),
                "connected": l.connected,
                "link": known.link(l.connected, now_ms),
                "sends": lanes.map(Lane::name).collect::<Vec<_>>(),
                "next_contact": match l.connected {
                    true => None,
                    false => known.next_contact(now_ms),
                },
                "last_contact_ms": l.last_contact_ms.max(known.last_ms().unwrap_or(0)),
                "sent_bytes": l.sent_bytes,
                "rate_bits_s": l.rate_bits_s,
                "rtt_ms": l.connected.then_some(l.rtt_ms),
                "traffic": traffic_json(&known.traffic, l.month_bytes_max, now_ms),
                "last_error": l.last_error,
            })
        };
        peer.links.iter().map(link).collect()
    }

    /// The traffic of each of several links with a peer, by name; nothing where there is one.
    pub fn link_traffic(&self, name: &str) -> BTreeMap<String, LinkTraffic> {
        let id = self
            .door
            .with_control(|c| c.by_name(name).map(Enrolment::node));
        let peers = self.door.peers.lock().expect("no panic holds it").clone();
        let links = id.and_then(|id| Some((id, &peers.get(&id)?.links)));
        let named = links
            .into_iter()
            .flat_map(|(id, links)| links.values().map(move |l| (id, l)));
        named
            .map(|(id, l)| {
                let key = ContactKey::of(id, &l.link);
                let known = self.door.contacts.look_at(&key, |k| k.traffic.clone());
                (l.link.name.clone(), known.unwrap_or_default())
            })
            .collect()
    }

    /// A member's role and crossing, as its enrolment has them.
    fn place_of(&self, id: &NodeId) -> (Option<&'static str>, Option<String>) {
        self.door.with_control(|c| {
            let known = c.enrolment(id);
            let crossing = known.and_then(|e| e.crossing).map(|c| c.to_string());
            (known.map(|e| e.role.name()), crossing)
        })
    }

    /// When a peer of that name was in contact, and what it lacked. None where no such peer is
    /// enrolled.
    pub fn contacts_with(&self, name: &str) -> Option<PeerContacts> {
        let id = self
            .door
            .with_control(|c| c.by_name(name).map(Enrolment::node))?;
        Some(self.door.contacts.of(&id.into()))
    }

    /// What was cut, and why.
    fn cut_texts(&self) -> Vec<String> {
        self.door.with_control(|c| {
            let of = |target: &CutTarget| match target {
                CutTarget::Node(node) => c
                    .enrolment(node)
                    .map_or_else(|| node.to_string(), |e| e.name.clone()),
                CutTarget::Log(log) => log.origin(),
            };

            let text = |f: CutFact| {
                let what = if f.cut.lifted { "taken back: " } else { "" };
                format!("{}: {what}{}", of(&f.cut.target), f.cut.reason)
            };

            let whole = c.cuts().filter(|f| f.cut.part_of.is_none());
            whole.map(text).collect()
        })
    }

    /// Pending findings whose time is past by more than what a quiet link needs to say that there
    /// was nothing.
    async fn overdue(&self) -> Result<i64, NodeError> {
        if self.door.me.role != Role::Hub {
            return Ok(0);
        }

        let grace_ms = OVERDUE_MS.max((OVERDUE_FAST_MS as f64 * self.door.clock.pace()) as i64);
        Ok(self
            .door
            .store
            .findings_overdue(self.door.time.now_ms().saturating_sub(grace_ms))
            .await?)
    }
}

/// How many alarms there are of each kind.
fn kinds_of(alarms: &[Alarm]) -> BTreeMap<String, u64> {
    let mut kinds: BTreeMap<String, u64> = BTreeMap::new();
    for alarm in alarms {
        let count = kinds.entry(alarm.kind()).or_default();
        *count = count.saturating_add(1);
    }

    kinds
}

/// What went over a link today, by what for, and this month.
fn traffic_json(traffic: &LinkTraffic, month_bytes_max: Option<u64>, now_ms: i64) -> Json {
    json!({
        "day": traffic.of_day(now_ms),
        "month": traffic.of_month(now_ms),
        "month_bytes_max": month_bytes_max,
    })
}

/// One digest over the scopes that every node holds.
fn digest_of(scopes: &[ScopeDigest]) -> Hash {
    let mut peaks = Peaks::default();
    let shared = scopes
        .iter()
        .filter(|s| s.lane == "control" || s.lane == "hold");

    for s in shared {
        let line = format!(
            "{} {} {} {} {}",
            s.lane, s.crossing, s.entries_digest, s.documents_digest, s.states_digest
        );
        peaks.append(leaf_hash(line.as_bytes()));
    }

    peaks.root()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(lane: &str, states: &str) -> ScopeDigest {
        ScopeDigest {
            lane: lane.into(),
            crossing: "TRB".into(),
            records: 1,
            entries: 1,
            entries_digest: String::new(),
            documents_digest: String::new(),
            states_digest: states.into(),
        }
    }

    #[test]
    fn only_what_every_node_holds_is_in_its_digest() {
        let of = |scopes: &[ScopeDigest]| digest_of(scopes);
        let shared = [scope("control", "a"), scope("hold", "b")];
        let more = [
            scope("control", "a"),
            scope("passage", "c"),
            scope("hold", "b"),
        ];
        assert_eq!(of(&shared), of(&more));

        assert_ne!(
            of(&shared),
            of(&[scope("control", "a"), scope("hold", "x")])
        );
        assert_ne!(of(&shared), of(&[]));
    }
}
