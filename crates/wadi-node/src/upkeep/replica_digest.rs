//! What a node's records came to, said by itself now and then: of two holders of the same entries
//! who say differently, one is damaged or reads them otherwise, and R29 finds it.
//!
//! A node speaks of a lane of a crossing once that has come to rest: for two looks nothing came,
//! and it read the same at both. So two holders who are in step speak of the same entries, and what
//! is still half-way is not spoken of. It speaks at most once a day of its own clock, and only of
//! what changed since; of the lane of site days, where it says so, never.

use crate::door::{
    Door,
    error::NodeError,
    write::{Target, Write},
};
use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use wadi_log::{Crossing, Frontier, Hash, Lane, RecordId, Role, leaf_hash};
use wadi_record::{Department, Kind, SYSTEM_OFFICER, SiteDay};
use wadi_store::{LocalKey, LocalScope, RecordFilter};

/// How often the node's clock is read.
const TICK: Duration = Duration::from_secs(1);
/// The time between two looks, by the node's clock, milliseconds.
const LOOK_MS: i64 = 10 * 60_000;
const DAY_MS: i64 = 24 * 3_600_000;
/// Digests in one entry.
const EVENTS_MAX: usize = 32;
/// Site days, those changed last first, among which today's is looked for.
const SITE_DAYS: u32 = 32;
/// With so many entries waiting it is not known of which lanes they are.
const WAITING_MAX: u32 = 4_096;
/// Where what was said last is kept.
const KEPT: LocalScope = LocalScope::Replica;

type DigestScope = (Lane, Crossing);

/// What was held of a scope, and what it came to.
#[derive(Clone, PartialEq, Debug)]
struct ScopeDigests {
    entries: String,
    documents: String,
    states: String,
}

/// A scope since it last changed.
struct Rest {
    entries: String,
    /// Documents and states, as read at the last look.
    read: Option<(String, String)>,
}

/// What a node has said of its records, and of which scopes it waits to.
#[derive(Default)]
pub(crate) struct ReplicaDigests {
    /// What was said last, and the last day on which that was looked into.
    said: BTreeMap<DigestScope, (i64, ScopeDigests)>,
    resting: BTreeMap<DigestScope, Rest>,
    looked_ms: Option<i64>,
}

/// Speaks of a node's records until the future is dropped. An observer says nothing, for as long.
pub async fn run_replica_digests(door: Arc<Door>) {
    if door.me.role == Role::Observer {
        return std::future::pending().await;
    }

    let mut digests = loop {
        match ReplicaDigests::read(&door).await {
            Ok(digests) => break digests,
            Err(error) => {
                tracing::error!(%error, "what was said of the records last does not read")
            }
        }

        tokio::time::sleep(TICK).await;
    };

    loop {
        tokio::time::sleep(TICK).await;
        if digests.is_time(door.now_ms())
            && let Err(error) = digests.look_at_replicas(&door).await
        {
            tracing::warn!(%error, "nothing could be said of the records");
        }
    }
}

impl ReplicaDigests {
    /// As the node left it.
    pub(crate) async fn read(door: &Door) -> Result<Self, NodeError> {
        let kept = door.store.local_all(&KEPT).await?;
        let said = kept.iter().filter_map(|k| {
            let (lane, crossing) = k.key.split_once(' ')?;
            let scope: DigestScope = (lane.parse().ok()?, crossing.parse().ok()?);
            let mut words = k.value.split(' ');
            let day: i64 = words.next()?.parse().ok()?;
            let [entries, documents, states] =
                [words.next()?, words.next()?, words.next()?].map(String::from);

            Some((
                scope,
                (
                    day,
                    ScopeDigests {
                        entries,
                        documents,
                        states,
                    },
                ),
            ))
        });

        Ok(Self {
            said: said.collect(),
            ..Self::default()
        })
    }

    /// Whether it is time for the next look. A clock that was put back counts as time gone by.
    fn is_time(&self, now_ms: i64) -> bool {
        self.looked_ms
            .is_none_or(|last| !(last..last.saturating_add(LOOK_MS)).contains(&now_ms))
    }

    /// Of the scopes that are due those that held the same entries at the look before; the others
    /// begin to rest.
    fn rested_of(
        &mut self,
        due: BTreeMap<DigestScope, String>,
        mut before: BTreeMap<DigestScope, Rest>,
    ) -> Vec<(DigestScope, Rest)> {
        let mut rested = Vec::new();
        for (scope, entries) in due {
            match before.remove(&scope).filter(|rest| rest.entries == entries) {
                Some(rest) => rested.push((scope, rest)),
                None => {
                    let read = None;
                    self.resting.insert(scope, Rest { entries, read });
                }
            }
        }

        rested
    }

    /// Looks once, and says what there is to say. Returns how many digests were said.
    pub(crate) async fn look_at_replicas(&mut self, door: &Door) -> Result<usize, NodeError> {
        let now_ms = door.now_ms();
        self.looked_ms = Some(now_ms);
        let day = now_ms.div_euclid(DAY_MS);
        let before = std::mem::take(&mut self.resting);
        if !in_step(door) {
            return Ok(0);
        }

        let waiting = door.store.waiting(WAITING_MAX).await?;
        let too_many = waiting.len() >= WAITING_MAX as usize;
        let alarm = || {
            format!(
                "{WAITING_MAX} entries and more wait for others: until they are fewer, this node \
                 says of no record what it holds",
            )
        };

        door.set_alarm("replica digests", too_many.then(alarm));
        if too_many {
            return Ok(0);
        }

        let waiting: BTreeSet<DigestScope> = waiting
            .iter()
            .map(|w| (w.entry.log.lane, w.entry.log.crossing))
            .collect();
        let mut due = entries(door);
        due.retain(|scope, _| {
            let done = self.said.get(scope).is_some_and(|(last, _)| *last == day);
            !done && !waiting.contains(scope)
        });

        let rested = self.rested_of(due, before);
        if rested.is_empty() {
            return Ok(0);
        }

        let mut read = documents_and_states(door).await?;
        let mut news = Vec::new();
        for (scope, rest) in rested {
            let nothing = || (Hash::default().to_string(), Hash::default().to_string());
            let now = read.remove(&scope).unwrap_or_else(nothing);
            if rest.read.as_ref() != Some(&now) {
                self.resting.insert(
                    scope,
                    Rest {
                        entries: rest.entries,
                        read: Some(now),
                    },
                );

                continue;
            }

            let reading = ScopeDigests {
                entries: rest.entries,
                documents: now.0,
                states: now.1,
            };

            match self.said.get_mut(&scope) {
                Some((last, said)) if *said == reading => *last = day,
                _ => news.push((scope, reading)),
            }
        }

        self.say_news(door, day, &news).await?;
        Ok(news.len())
    }

    /// Says it on the node's own site day.
    async fn say_news(
        &mut self,
        door: &Door,
        day: i64,
        news: &[(DigestScope, ScopeDigests)],
    ) -> Result<(), NodeError> {
        if news.is_empty() {
            return Ok(());
        }

        let date = jiff::Timestamp::from_millisecond(day.saturating_mul(DAY_MS)).map_or_else(
            |_| format!("day {day}"),
            |t| t.strftime("%Y-%m-%d").to_string(),
        );
        let mut site_day = site_day(door, &date).await?;
        let department = if door.me.role == Role::Hub {
            Department::Hub
        } else {
            Department::It
        };

        for part in news.chunks(EVENTS_MAX) {
            let mut draft = if site_day.is_some() {
                SiteDay::on()
            } else {
                SiteDay::open(&date)
            };

            let mut kept = Vec::with_capacity(part.len());
            for ((lane, crossing), r) in part {
                let scope = format!("{lane} {crossing}");
                let value = format!("{day} {} {} {}", r.entries, r.documents, r.states);
                let said = json!({
                    "scope": scope,
                    "entries": r.entries,
                    "documents": r.documents,
                    "states": r.states,
                });
                draft = draft.event("replica.digest", said);
                kept.push(LocalKey {
                    scope: KEPT,
                    key: scope,
                    value,
                });

                // Should it be refused, it is not tried again today.
                self.said.insert((*lane, *crossing), (day, r.clone()));
            }

            let target = site_day.map_or(Target::New(None), Target::On);
            let written = door
                .write(Write::by(SYSTEM_OFFICER, department.code(), target, draft))
                .await?;

            site_day = Some(written.record);
            door.set_local(kept, vec![]).await?;
        }

        Ok(())
    }
}

/// Whether others hold what this node holds: a crossing's, while it and a hub have nothing left to
/// tell each other.
fn in_step(door: &Door) -> bool {
    if door.me.role == Role::Hub {
        return true;
    }

    let hubs = door.with_control(|c| {
        c.enrolments()
            .filter(|e| e.role == Role::Hub)
            .map(wadi_log::Enrolment::node)
            .collect::<BTreeSet<_>>()
    });

    let peers = door.peers.lock().expect("no panic holds it");
    peers
        .iter()
        .any(|(id, p)| hubs.contains(id) && p.connected && p.in_step && p.unsent == 0)
}

/// Digests of the documents and of the states of each scope, as they are now.
async fn documents_and_states(
    door: &Door,
) -> Result<BTreeMap<DigestScope, (String, String)>, NodeError> {
    let mut read: BTreeMap<DigestScope, (String, String)> = BTreeMap::new();
    for (lane, crossing, _, documents, states) in door.store.digests_anew().await? {
        if let (Ok(lane), Ok(crossing)) = (Lane::from_u8(lane), crossing.parse::<Crossing>()) {
            read.insert(
                (lane, crossing),
                (documents.to_string(), states.to_string()),
            );
        }
    }

    Ok(read)
}

/// Of each scope that has records of trucks, goods and people: a digest over all that its documents
/// are made of, which is its logs and the cuts and admissions. Nothing of a scope with a forked
/// log: its holders hold different branches.
fn entries(door: &Door) -> BTreeMap<DigestScope, String> {
    let frontier = door.frontier();
    let mut scopes: BTreeMap<DigestScope, Frontier> = BTreeMap::new();
    for (log, tip) in frontier
        .0
        .iter()
        .filter(|(l, _)| door.me.scope.takes_log(l))
    {
        if Kind::of_lane(log.lane).is_some_and(|kind| kind != Kind::SiteDay) {
            scopes
                .entry((log.lane, log.crossing))
                .or_default()
                .0
                .insert(*log, *tip);
        }
    }

    door.with_control(|c| {
        for log in c.forks().keys() {
            scopes.remove(&(log.lane, log.crossing));
        }

        let decided: Vec<String> = c.cuts_and_admissions().map(ToString::to_string).collect();
        let digest = |logs: &Frontier| {
            leaf_hash(format!("{} {}", logs.digest(), decided.join(" ")).as_bytes())
        };

        scopes
            .iter()
            .map(|(scope, logs)| (*scope, digest(logs).to_string()))
            .collect()
    })
}

/// The node's own site day of a date, where somebody began it.
async fn site_day(door: &Door, date: &str) -> Result<Option<RecordId>, NodeError> {
    let own = door.me.crossing.unwrap_or(Crossing::HUB).to_string();
    let filter = RecordFilter {
        lane: Some(Lane::Site as u8),
        crossing: Some(own),
        limit: SITE_DAYS,
        ..RecordFilter::default()
    };

    let rows = door.store.records(&filter).await?;
    let is_it = |json: &str| {
        let json: serde_json::Value = serde_json::from_str(json).unwrap_or_default();
        json["fields"]["date"] == date
    };

    Ok(rows.iter().find(|r| is_it(&r.json)).map(|r| r.id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::Node;
    use crate::tests::order::{Country, MINUTE, blocks, deliver, found, found_country, looked};
    use rand::{SeedableRng, rngs::StdRng};
    use serde_json::Value as Json;
    use std::sync::atomic::Ordering;
    use wadi_log::LogId;
    use wadi_record::Passage;

    /// Three looks, ten minutes apart: how many digests were said.
    async fn looks(country: &Country, digests: &mut ReplicaDigests, node: &Node) -> usize {
        let mut said = 0;
        for _ in 0..3 {
            country.clock.0.fetch_add(10 * MINUTE, Ordering::Relaxed);
            said += digests.look_at_replicas(node).await.unwrap();
        }
        said
    }

    async fn truck(site: &Node, plate: &str) {
        let draft = Passage::announce("in")
            .plate(plate, "IQ")
            .gate_in("G1", plate);
        site.write(Write::by("OF-1", "PORT", Target::New(None), draft))
            .await
            .unwrap();
    }

    async fn hear(hub: &Node, site: &Node, taken: &mut BTreeMap<LogId, u64>) {
        let mut logs = BTreeMap::new();
        blocks(site, taken, &mut logs).await;
        deliver(hub, &logs, &mut StdRng::seed_from_u64(1), false).await;
        looked(hub).await;
    }

    /// The digests said on a crossing's site days, as a node holds them, and how many site days
    /// there are.
    async fn told(node: &Node, crossing: &str) -> (Vec<Json>, usize) {
        let (lane, crossing) = (Some(Lane::Site as u8), Some(crossing.to_string()));
        let rows = node
            .store
            .records(&RecordFilter {
                lane,
                crossing,
                limit: 100,
                ..Default::default()
            })
            .await
            .unwrap();

        let mut out = Vec::new();
        for row in &rows {
            let json: Json = serde_json::from_str(&row.json).unwrap();
            let events = json["events"].as_array().cloned().unwrap_or_default();
            let digests = events
                .iter()
                .filter(|e| e["type"] == "replica.digest" && e["counts"] == true);
            out.extend(digests.map(|e| e["data"].clone()));
        }

        out.sort_by_key(Json::to_string);
        (out, rows.len())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn two_who_hold_the_same_say_the_same_once_a_day_and_only_what_changed() {
        let dir = tempfile::tempdir().unwrap();
        let (country, sites) = found_country(dir.path()).await;
        let hub = country.node(dir.path(), 2, "hub").await;
        let trb = &sites[0];
        let mut taken = BTreeMap::new();
        let (mut at_trb, mut at_hub) = (ReplicaDigests::default(), ReplicaDigests::default());
        let a_day = || {
            country
                .clock
                .0
                .fetch_add(24 * 60 * MINUTE, Ordering::Relaxed);
        };

        // The clerk has begun the day's record: what the node says stands there, too.
        let day = SiteDay::open("2026-01-01");
        trb.write(Write::by("OF-1", "PORT", Target::New(None), day))
            .await
            .unwrap();
        truck(trb, "11-A-1").await;
        hear(&hub, trb, &mut taken).await;
        assert_eq!(
            looks(&country, &mut at_trb, trb).await,
            0,
            "no hub is in step with it"
        );

        trb.note_peer(hub.id(), |p| (p.connected, p.in_step) = (true, true));
        assert_eq!(looks(&country, &mut at_trb, trb).await, 1);
        assert_eq!(looks(&country, &mut at_hub, &hub).await, 1);
        assert_eq!(told(trb, "TRB").await.1, 1);
        assert_eq!(looks(&country, &mut at_trb, trb).await, 0, "once a day");

        a_day();
        assert_eq!(
            looks(&country, &mut at_trb, trb).await,
            0,
            "nothing changed"
        );

        assert_eq!(
            looks(&country, &mut at_hub, &hub).await,
            0,
            "nothing changed"
        );

        truck(trb, "11-A-2").await;
        assert_eq!(
            looks(&country, &mut at_trb, trb).await,
            0,
            "this day was looked into"
        );

        a_day();
        assert_eq!(looks(&country, &mut at_trb, trb).await, 1);
        assert_eq!(
            ReplicaDigests::read(trb).await.unwrap().said,
            at_trb.said,
            "kept over a restart"
        );

        hear(&hub, trb, &mut taken).await;
        assert_eq!(looks(&country, &mut at_hub, &hub).await, 1);

        looked(&hub).await;
        let (by_trb, by_hub) = (told(&hub, "TRB").await.0, told(&hub, "HUB").await.0);
        assert_eq!(by_trb.len(), 2);
        assert_eq!(by_trb, by_hub);

        let differing = async || {
            found(&hub)
                .await
                .into_iter()
                .filter(|f| f.0.starts_with("R29"))
                .collect::<Vec<_>>()
        };

        assert!(differing().await.is_empty());

        // Traibeel's node reads the same entries otherwise.
        let mut otherwise = by_hub[0].clone();
        otherwise["documents"] = "00".into();
        let day = SiteDay::open("2026-01-09").event("replica.digest", otherwise);
        trb.write(Write::by(SYSTEM_OFFICER, "IT", Target::New(None), day))
            .await
            .unwrap();
        hear(&hub, trb, &mut taken).await;

        let phases: Vec<String> = differing().await.into_iter().map(|f| f.1).collect();
        assert_eq!(
            phases,
            ["FIRM", "FIRM"],
            "from what Traibeel's own node said, and from what the hub said"
        );
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_has_not_come_to_rest_is_not_spoken_of() {
        let dir = tempfile::tempdir().unwrap();
        let (country, sites) = found_country(dir.path()).await;
        let trb = &sites[0];
        let hub = country.members_of(Role::Hub)[0];

        trb.note_peer(hub, |p| (p.connected, p.in_step) = (true, true));
        let mut digests = ReplicaDigests::default();
        for n in 0..6 {
            truck(trb, &format!("11-A-{n}")).await;
            country.clock.0.fetch_add(10 * MINUTE, Ordering::Relaxed);
            assert_eq!(digests.look_at_replicas(trb).await.unwrap(), 0);
        }

        trb.note_peer(hub, |p| p.unsent = 1);
        assert_eq!(
            looks(&country, &mut digests, trb).await,
            0,
            "the hub lacks something"
        );

        trb.note_peer(hub, |p| p.unsent = 0);
        assert_eq!(looks(&country, &mut digests, trb).await, 1);

        // A clock that was put back does not keep the node from looking.
        let now_ms = trb.now_ms();
        assert!(
            !digests.is_time(now_ms)
                && digests.is_time(now_ms - 1)
                && digests.is_time(now_ms + LOOK_MS)
        );
    }
}
