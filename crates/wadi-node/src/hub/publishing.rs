//! What the hub says of findings on their anchor records, so that the crossing sees it: several in
//! one entry, and no more on one record in an hour than people can read.
//!
//! Every entry here goes to every crossing, in the most urgent lane where the record is a hold. So
//! whoever makes findings by the thousand makes the hub say a few of them now, the rest later, and
//! his name in an alarm. Nothing is lost: what was not said is due until it was, over restarts,
//! too.

use crate::door::{
    Door,
    write::{Target, Write},
};
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};
use wadi_log::{NodeId, RecordId, Reference};
use wadi_reconcile::{Facts, Finding};
use wadi_record::{Draft, Kind, SYSTEM_OFFICER};
use wadi_store::{LocalKey, LocalScope};

/// Events of findings said on one record within an hour.
pub(crate) const AN_HOUR: usize = 24;
/// Events in one entry, and bytes of them: an entry has room for 32 KiB.
const ENTRY_EVENTS: usize = 12;
const ENTRY_BYTES: usize = 20_000;
/// Letters of a sentence that is published.
const TEXT_LETTERS: usize = 500;
/// Bytes of what other languages are told it by. A longer one is read in English where the record
/// belongs to.
const SENTENCE_BYTES_MAX: usize = 1_000;
const HOUR_MS: i64 = 3_600_000;
/// What could not be said for another reason than how much was said is tried again after this,
/// milliseconds.
const AGAIN_MS: i64 = 60_000;
/// Where records with something to say are kept.
const KEPT: LocalScope = LocalScope::Unpublished;
/// The alarm, by what it is about.
const ALARM: &str = "findings held back";

/// Something to say of a finding.
pub(crate) struct News {
    pub(crate) severity: u8,
    pub(crate) finding: String,
    pub(crate) rule: String,
    pub(crate) phase: String,
    pub(crate) evidence: String,
    pub(crate) text: String,
    /// The same for other languages: a sentence's JSON.
    pub(crate) sentence: String,
    /// Which node's entries it rests on, where it tells.
    pub(crate) caused_by: Option<NodeId>,
}

/// Records with something to say that had to wait.
#[derive(Default)]
pub(crate) struct Unpublished(BTreeMap<RecordId, RestingRecord>);

/// What waits on one record.
#[derive(Clone, PartialEq, Debug)]
struct RestingRecord {
    /// When there is room again, by the node's clock, Unix milliseconds.
    again_ms: i64,
    count: usize,
    printed: String,
    /// The node that causes most of it, by its name.
    caused_by: String,
}

impl Unpublished {
    /// As the node left it.
    pub(crate) fn read(kept: &[LocalKey]) -> Self {
        let waiting = kept.iter().filter_map(|k| {
            let json: Json = serde_json::from_str(&k.value).ok()?;
            let text = |member: &str| json[member].as_str().unwrap_or_default().to_string();
            let count = json["count"]
                .as_u64()
                .and_then(|n| usize::try_from(n).ok())?;
            let waiting = RestingRecord {
                again_ms: json["again_ms"].as_i64()?,
                count,
                printed: text("record"),
                caused_by: text("caused_by"),
            };

            Some((k.key.parse().ok()?, waiting))
        });

        Self(waiting.collect())
    }

    /// Where it is kept.
    pub(crate) fn scope() -> LocalScope {
        KEPT
    }

    /// Records for which there is room again. A clock that was put back makes nothing wait for
    /// longer than an hour.
    pub(crate) fn due(&self, now_ms: i64) -> Vec<RecordId> {
        let is_due =
            |w: &RestingRecord| w.again_ms <= now_ms || w.again_ms > now_ms.saturating_add(HOUR_MS);
        self.0
            .iter()
            .filter(|(_, w)| is_due(w))
            .map(|(id, _)| *id)
            .collect()
    }

    /// A record that is gone has nothing to say. The key to take away, where there is one.
    pub(crate) fn forget(&mut self, id: RecordId) -> Option<(LocalScope, String)> {
        self.0.remove(&id).map(|_| (KEPT, id.to_string()))
    }

    /// The keys to write, and those to take away, where it is known now what waits on a record.
    fn note(
        &mut self,
        id: RecordId,
        waiting: Option<RestingRecord>,
    ) -> Result<LocalKey, (LocalScope, String)> {
        let key = id.to_string();
        match waiting {
            None => {
                self.0.remove(&id);
                Err((KEPT, key))
            }
            Some(w) => {
                let value = json!({
                    "again_ms": w.again_ms,
                    "count": w.count,
                    "record": w.printed,
                    "caused_by": w.caused_by,
                });
                self.0.insert(id, w);
                Ok(LocalKey {
                    scope: KEPT,
                    key,
                    value: value.to_string(),
                })
            }
        }
    }

    /// Says, or stops saying, that findings are held back.
    fn alarm(&self, door: &Door) {
        let count: usize = self.0.values().map(|w| w.count).sum();
        let most = self.0.values().max_by_key(|w| w.count);
        let alarm = most.map(|w| {
            format!(
                "{count} findings on {} records wait to be published, {} of them on {}, caused by \
                 {}: too many at once",
                self.0.len(),
                w.count,
                w.printed,
                w.caused_by,
            )
        });

        door.set_alarm(ALARM, alarm);
    }
}

/// What is to be said on one record now.
pub(crate) struct Edition {
    pub(crate) record: RecordId,
    printed: String,
    pub(crate) writes: Vec<Write>,
    news: usize,
    held_back: usize,
    again_ms: i64,
    caused_by: Option<NodeId>,
}

impl Edition {
    /// The most severe first, as far as there is room, on the record and for whoever causes them:
    /// `publishes` says whether one more of a node's is published now.
    pub(crate) fn new(
        record: RecordId,
        anchor: &Facts,
        mut news: Vec<News>,
        now_ms: i64,
        publishes: impl Fn(NodeId) -> bool,
    ) -> Self {
        news.sort_by(|a, b| {
            (a.severity, &a.rule, &a.finding).cmp(&(b.severity, &b.rule, &b.finding))
        });

        let said: Vec<i64> = said_lately(anchor, now_ms);
        let mut later = news.split_off(news.len().min(AN_HOUR.saturating_sub(said.len())));
        let (news, held_back): (Vec<News>, Vec<News>) = news
            .into_iter()
            .partition(|n| n.caused_by.is_none_or(&publishes));
        later.extend(held_back);

        let again_ms = said
            .iter()
            .min()
            .map_or(now_ms, |first| *first)
            .saturating_add(HOUR_MS);

        Self {
            record,
            printed: anchor.printed().to_string(),
            writes: entries(record, anchor, &news),
            news: news.len(),
            held_back: later.len(),
            again_ms,
            caused_by: most_often(later.iter().filter_map(|n| n.caused_by)),
        }
    }

    /// Notes what is left to say once it was tried; `failed`: not all of this was taken.
    pub(crate) fn note_left(
        &self,
        door: &Door,
        unpublished: &mut Unpublished,
        failed: bool,
    ) -> Option<Result<LocalKey, (LocalScope, String)>> {
        let left = if failed {
            self.news.saturating_add(self.held_back)
        } else {
            self.held_back
        };

        if left == 0 && !unpublished.0.contains_key(&self.record) {
            return None;
        }

        let now_ms = door.now_ms();
        let again_ms = if failed {
            now_ms.saturating_add(AGAIN_MS)
        } else {
            self.again_ms
        };

        let caused_by = self.caused_by.map_or_else(
            || "nobody in particular".to_string(),
            |id| door.name_of(&id),
        );
        let waiting = RestingRecord {
            again_ms,
            count: left,
            printed: self.printed.clone(),
            caused_by,
        };

        let noted = unpublished.note(self.record, (left > 0).then_some(waiting));
        unpublished.alarm(door);
        Some(noted)
    }
}

/// When something was said of findings on a record, within the last hour. Of what was said by a
/// clock that stood far ahead nothing is known.
fn said_lately(anchor: &Facts, now_ms: i64) -> Vec<i64> {
    let lately = now_ms.saturating_sub(HOUR_MS)..=now_ms.saturating_add(HOUR_MS);
    let said = anchor
        .of_findings()
        .filter(|e| e.kind() == "finding" && e.counts());

    said.map(|e| e.at_ms())
        .filter(|at_ms| lately.contains(at_ms) && *at_ms > *lately.start())
        .collect()
}

/// Which node's entries a finding rests on most.
pub(crate) fn caused_by(found: &Finding) -> Option<NodeId> {
    let mut named = Vec::new();
    name_nodes(&found.contradiction.evidence, &mut named);
    most_often(named)
}

fn name_nodes(evidence: &Json, into: &mut Vec<NodeId>) {
    match evidence {
        Json::String(text) => into.extend(text.parse::<Reference>().ok().map(|r| r.log.node)),
        Json::Array(all) => all.iter().for_each(|v| name_nodes(v, into)),
        Json::Object(all) => all.values().for_each(|v| name_nodes(v, into)),
        _ => {}
    }
}

fn most_often(all: impl IntoIterator<Item = NodeId>) -> Option<NodeId> {
    let mut counts: BTreeMap<NodeId, usize> = BTreeMap::new();
    for id in all {
        let count = counts.entry(id).or_default();
        *count = count.saturating_add(1);
    }

    counts
        .into_iter()
        .max_by_key(|(_, count)| *count)
        .map(|(id, _)| id)
}

/// The hub's word on the anchor record, several findings in one entry.
fn entries(record: RecordId, anchor: &Facts, news: &[News]) -> Vec<Write> {
    let Ok(kind) = anchor.kind().parse::<Kind>() else {
        return Vec::new();
    };
    let mut out: Vec<Draft> = Vec::new();
    let mut events = 0usize;
    let mut bytes = 0usize;
    let mut told: BTreeSet<&str> = BTreeSet::new();

    for n in news.iter().filter(|n| told.insert(&n.finding)) {
        let mut said = json!({
            "finding": n.finding, "rule": n.rule, "phase": n.phase, "evidence": n.evidence,
            "text": n.text.chars().take(TEXT_LETTERS).collect::<String>(),
        });
        if n.sentence.len() <= SENTENCE_BYTES_MAX {
            said["sentence"] = n.sentence.as_str().into();
        }

        let size = said.to_string().len();
        events = events.saturating_add(1);
        bytes = bytes.saturating_add(size);
        let draft = match out.pop() {
            Some(draft) if events <= ENTRY_EVENTS && bytes <= ENTRY_BYTES => draft,
            full => {
                out.extend(full);
                (events, bytes) = (1, size);
                Draft::new(kind)
            }
        };

        out.push(draft.event("finding", said));
    }

    out.into_iter()
        .map(|draft| Write::by(SYSTEM_OFFICER, "HUB", Target::On(record), draft))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn anchor(said_ms: &[i64]) -> Facts {
        let said = |at: &i64| {
            json!({
                "type": "finding",
                "at_ms": at,
                "counts": true,
                "data": {"finding": "f"},
            })
        };
        let events: Vec<Json> = said_ms.iter().map(said).collect();
        let text = json!({"id": "TRB-P-1", "kind": "passage", "crossing": "TRB", "events": events})
            .to_string();
        Facts::read("P1".into(), "TRB-P-1", "passage", "TRB", &text, 0)
    }

    fn news(count: usize) -> Vec<News> {
        let one = |n: usize| News {
            severity: if n.is_multiple_of(2) { 1 } else { 3 },
            finding: format!("f{n:03}"),
            rule: "R21".into(),
            phase: "FIRM".into(),
            evidence: "e".into(),
            text: "نص ".repeat(400),
            sentence: "s".repeat(SENTENCE_BYTES_MAX + n % 2),
            caused_by: None,
        };

        (0..count).map(one).collect()
    }

    #[test]
    fn a_few_are_said_now_several_in_an_entry_and_the_severe_first() {
        let edition = Edition::new(
            RecordId([1; 32]),
            &anchor(&[]),
            news(100),
            10 * HOUR_MS,
            |_| true,
        );
        assert_eq!(
            (edition.news, edition.held_back, edition.again_ms),
            (AN_HOUR, 100 - AN_HOUR, 11 * HOUR_MS)
        );
        assert!(
            edition.writes.len() <= 4,
            "{} entries",
            edition.writes.len()
        );

        for write in &edition.writes {
            let sizes: Vec<usize> = write
                .draft
                .events
                .iter()
                .map(|e| json!(e).to_string().len())
                .collect();

            assert!(
                sizes.iter().all(|size| *size < 16_384),
                "an event is larger than a value may be"
            );
            assert!(sizes.iter().sum::<usize>() < 30_000);
        }

        let said = format!("{:?}", edition.writes);
        assert!(
            said.contains("f000") && !said.contains("f001"),
            "the severe ones come first"
        );
        assert!(said.contains("sentence"));

        let long: Vec<News> = news(2).split_off(1);
        let edition = Edition::new(RecordId([1; 32]), &anchor(&[]), long, 10 * HOUR_MS, |_| {
            true
        });
        assert!(!format!("{:?}", edition.writes).contains("sentence"));
    }

    #[test]
    fn an_hour_later_there_is_room_again_and_a_clock_far_ahead_blocks_nothing() {
        let now = 10 * HOUR_MS;
        let full = anchor(&[now - 5; AN_HOUR]);
        let edition = Edition::new(RecordId([1; 32]), &full, news(3), now, |_| true);
        assert_eq!(
            (edition.news, edition.held_back, edition.again_ms),
            (0, 3, now - 5 + HOUR_MS)
        );
        assert_eq!(
            Edition::new(RecordId([1; 32]), &full, news(3), now - 5 + HOUR_MS, |_| {
                true
            })
            .held_back,
            0
        );

        let ahead = anchor(&[now + 1_000 * HOUR_MS; AN_HOUR]);
        assert_eq!(
            Edition::new(RecordId([1; 32]), &ahead, news(3), now, |_| true).held_back,
            0
        );
    }

    #[test]
    fn what_waits_is_known_after_a_restart() {
        let mut unpublished = Unpublished::default();
        let waiting = RestingRecord {
            again_ms: 500,
            count: 7,
            printed: "TRB-P-1".into(),
            caused_by: "trb".into(),
        };

        let key = unpublished
            .note(RecordId([1; 32]), Some(waiting.clone()))
            .unwrap();
        let mut again = Unpublished::read(std::slice::from_ref(&key));
        assert_eq!(again.0, unpublished.0);
        assert_eq!(again.due(499), []);
        assert_eq!(again.due(500), [RecordId([1; 32])]);
        assert_eq!(
            again.note(RecordId([1; 32]), None).unwrap_err(),
            (KEPT, key.key)
        );
    }

    #[test]
    fn whoever_causes_more_than_its_share_waits_and_nobody_else() {
        let (flood, honest) = (NodeId([1; 16]), NodeId([2; 16]));
        let mut said = news(6);
        for (n, one) in said.iter_mut().enumerate() {
            one.caused_by = Some(if n < 4 { flood } else { honest });
        }

        let publishes = |node| node != flood;
        let edition = Edition::new(RecordId([1; 32]), &anchor(&[]), said, HOUR_MS, publishes);
        assert_eq!((edition.news, edition.held_back), (2, 4));
        assert_eq!(edition.caused_by, Some(flood));
        assert!(edition.again_ms > HOUR_MS);
    }
}
