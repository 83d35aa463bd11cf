//! Alarms: what asks for somebody. They stand in status and health, are said in the log once, and
//! go as entries of the node's control log to the hub, which shows them.

use crate::{
    api::Reads,
    door::{
        error::NodeError,
        excerpt::{ALL_EXCERPTS, EXCERPT_LOST},
        losses::{self, lacks},
        refused_callers::CALLERS,
    },
};
use serde_json::{Value as Json, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};
use wadi_log::{
    ALARM_BYTES_MAX, AlarmEntry, Body, Branch, ForkProof, Frontier, LogId, NodeId, Role,
};
use wadi_store::AnchorState;

/// About what is kept: it is in doubt.
pub(crate) const INTEGRITY: &str = "integrity";

/// How often it is looked what there is to tell.
const LOOK_PERIOD: Duration = Duration::from_secs(5);
/// The least time from one telling of an alarm to its next rise: one that comes and goes is told
/// now and then.
const RISES_AGAIN: Duration = Duration::from_secs(600);
/// For so long after a fork its alarm stands, seconds of the hub's time: somebody looks within a
/// week.
const CLONE_STANDS_S: i64 = 7 * 86_400;
/// The least time from its rise to its end.
const ENDS_AFTER: Duration = Duration::from_secs(30);

/// Something that asks for somebody.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Alarm {
    /// What it is about, in one word.
    pub about: &'static str,
    /// What is wrong, and what to do.
    pub text: String,
}

impl Alarm {
    /// What it is about, as entries and answers name it.
    pub fn kind(&self) -> String {
        self.about.replace([' ', '-'], "_")
    }
}

/// What of the alarms was told.
#[derive(Default)]
struct ToldAlarms {
    /// When each was written of last.
    written: BTreeMap<String, Instant>,
    /// What could not be written: it is, whatever the control log has of it.
    failed: BTreeSet<String>,
    /// What stands as raised in the log of the software.
    logged: BTreeSet<String>,
}

impl ToldAlarms {
    /// What is to be written now: about what, and the text where it rose. `raised` is what the
    /// control log has as raised.
    fn due(
        &self,
        now: &BTreeMap<String, String>,
        raised: &BTreeSet<String>,
        at: Instant,
    ) -> Vec<(String, Option<String>)> {
        let rests = |about: &String, least: Duration| {
            let written = self.written.get(about);
            self.failed.contains(about)
                || written.is_none_or(|then| at.duration_since(*then) >= least)
        };
        let stands = |about: &String| raised.contains(about) && !self.failed.contains(about);

        let rose = now
            .iter()
            .filter(|(about, _)| !stands(about) && rests(about, RISES_AGAIN))
            .map(|(about, text)| (about.clone(), Some(text.clone())));
        let ended = raised
            .iter()
            .chain(&self.failed)
            .collect::<BTreeSet<_>>()
            .into_iter()
            .filter(|about| !now.contains_key(*about) && rests(about, ENDS_AFTER))
            .map(|about| (about.clone(), None));

        rose.chain(ended).collect()
    }

    /// Says in the log what rose and what ended since the last look.
    fn log(&mut self, now: &BTreeMap<String, String>) {
        for (about, text) in now {
            if self.logged.insert(about.clone()) {
                tracing::error!(about, "ALARM: {text}");
            }
        }

        self.logged.retain(|about| {
            let stands = now.contains_key(about);
            if !stands {
                tracing::warn!(about, "the alarm has ended");
            }
            stands
        });
    }
}

/// An alarm's text as far as an entry takes it.
fn cut_to_fit(text: &str) -> String {
    let ends = text.char_indices().map(|(at, c)| at + c.len_utf8());
    let end = ends.take_while(|end| *end <= ALARM_BYTES_MAX).last();
    text.get(..end.unwrap_or(0)).unwrap_or_default().into()
}

impl Reads {
    /// All alarms of this node; those that put in doubt what is kept come first.
    pub async fn alarms(&self) -> Result<Vec<Alarm>, NodeError> {
        let door = &self.door;
        let in_doubt = self.integrity_alarms(&door.frontier()).await?;
        let of = |about| move |text| Alarm { about, text };
        let mut alarms: Vec<Alarm> = in_doubt.into_iter().map(of(INTEGRITY)).collect();

        alarms.extend(self.clone_alarm().map(of("clone")));
        alarms.extend(self.two_histories_alarm().map(of("country_histories")));
        alarms.extend(self.spare_alarm().map(of("spare")));
        alarms.extend(door.time.alarm().map(of("clock")));
        let silent = door.device_habits.alarm(door.clock.steady_ms());
        alarms.extend(silent.map(of("device")));
        let paused = door.budgets.alarm(Instant::now(), |id| door.name_of(id));
        alarms.extend(paused.map(of("cost")));
        let callers = door.refused_callers.alarm(door.clock.steady_ms());
        alarms.extend(callers.map(of(CALLERS)));
        let others = door.alarms.lock().expect("no panic holds it").clone();
        alarms.extend(others.into_iter().map(|(about, text)| of(about)(text)));

        let degraded = door.room.degraded();
        let why = degraded.iter().filter_map(|d| d["why"].as_str());
        alarms.extend(why.map(String::from).map(of("disk")));
        for (task, why) in door.tasks.troubles() {
            if !alarms.iter().any(|alarm| alarm.about == task) {
                alarms.push(of(task)(format!("{task} cannot work: {why}")));
            }
        }

        Ok(alarms)
    }

    /// A hub says of this node, which runs, that it is a spare: by mistake, or to have findings
    /// firm without what it says.
    fn spare_alarm(&self) -> Option<String> {
        let me = self.door.id();
        let declared = self.door.with_control(|c| c.spare_declarations(&me));
        let at = declared.first()?;
        Some(format!(
            "a hub declared this node a spare ({at}), and it runs: nobody waits for what it says \
             until a hub has heard it. If the commission knows nothing of that, tell it"
        ))
    }

    /// Tells of alarms, in the log and in the control log, until the future is dropped.
    pub async fn tell_alarms(&self) {
        let mut told = ToldAlarms::default();
        loop {
            // What cannot be read now is looked at again.
            if let Ok(alarms) = self.alarms().await {
                let mut now: BTreeMap<String, String> = BTreeMap::new();
                for alarm in alarms {
                    now.entry(alarm.kind()).or_insert(alarm.text);
                }

                told.log(&now);
                self.write_alarms(&mut told, &now).await;
            }

            self.keep_habits().await;
            tokio::time::sleep(LOOK_PERIOD).await;
        }
    }

    /// Keeps the habits of devices on disk, so that the next start knows them. Where that cannot be
    /// done now it is done later.
    pub(crate) async fn keep_habits(&self) {
        let habits = &self.door.device_habits;
        let (keys, gone) = habits.unkept(self.door.clock.steady_ms());
        if keys.is_empty() && gone.is_empty() {
            return;
        }

        if let Err(error) = self.door.set_local(keys, gone).await {
            habits.keep_again();
            tracing::debug!(%error, "the habits of devices were not kept");
        }
    }

    /// Writes into the control log what is to be told. What cannot be written now is tried again.
    async fn write_alarms(&self, told: &mut ToldAlarms, now: &BTreeMap<String, String>) {
        let id = self.door.id();
        let at_ms = self.door.time.now_ms();
        let (due, bodies): (Vec<_>, Vec<_>) = {
            let orders = self.door.orders.lock().expect("no panic holds it");
            let raised = orders.alarms_of(&id).into_iter().map(|a| a.about).collect();
            let due = told.due(now, &raised, Instant::now());
            let entry = |(about, text): (String, Option<String>)| {
                let body = Body::Alarm(AlarmEntry {
                    text: cut_to_fit(text.as_deref().unwrap_or_default()),
                    at_ms,
                    turn: orders.turns_of(&id, &about).saturating_add(1),
                    about: about.clone(),
                });
                (about, body)
            };
            due.into_iter().map(entry).unzip()
        };

        if due.is_empty() || self.door.me.role == Role::Observer {
            return;
        }

        if let Err(error) = self.door.write_control(bodies, "").await {
            tracing::debug!(%error, "alarms cannot be written into the control log now");
            told.failed.extend(due);
            return;
        }

        let at = Instant::now();
        for about in due {
            told.failed.remove(&about);
            told.written.insert(about, at);
        }
    }

    /// Alarms that a node told in its control log and that have not ended.
    pub(crate) fn told_by(&self, node: &NodeId) -> Vec<Json> {
        let orders = self.door.orders.lock().expect("no panic holds it");
        let alarms = orders.alarms_of(node).into_iter();
        alarms
            .map(|a| json!({"about": a.about, "text": a.text, "since_ms": a.at_ms}))
            .collect()
    }

    /// What is to be told of forks: of this node's own logs, at a hub of anybody's. A fork is known
    /// for ever; its alarm stands for a week by the hub's time, or until the node is cut.
    fn clone_alarm(&self) -> Option<String> {
        let door = &self.door;
        let hub_time_s = door.time.hub_time_s();
        let named_s = |proof: &ForkProof| {
            let of = |branch: &Branch| branch.checkpoint.checkpoint.hub_time_s;
            of(&proof.one).max(of(&proof.other)).min(hub_time_s)
        };
        let concerns = |log: &LogId| log.node == door.id() || door.me.role == Role::Hub;

        let control = door.view().control.clone();
        let forks = control.forks().iter();
        let fresh = forks.filter(|(log, proof)| {
            let is_old = hub_time_s.saturating_sub(named_s(proof)) > CLONE_STANDS_S;
            let is_told = named_s(proof) > 0;
            concerns(log) && !control.is_cut(&log.node) && !(is_told && is_old)
        });
        let names: BTreeSet<String> = fresh.map(|(log, _)| door.name_of(&log.node)).collect();

        (!names.is_empty()).then(|| {
            let names: Vec<String> = names.into_iter().collect();
            format!(
                "two machines wrote under the key of {}: a disk was copied, a snapshot was put \
                 back, or the key was stolen; find out which, and cut the node where it was stolen",
                names.join(", ")
            )
        })
    }

    /// Hubs whose country logs were told to have two histories.
    fn two_histories_alarm(&self) -> Option<String> {
        let door = &self.door;
        let nodes = door
            .orders
            .lock()
            .expect("no panic holds it")
            .two_histories();
        let names: Vec<String> = nodes.iter().map(|node| door.name_of(node)).collect();
        (!names.is_empty()).then(|| {
            format!(
                "{} told of two histories of its country log: it shows different people different \
                 things, or two machines have its key; keep what you hold, tell the commission, \
                 and compare what both say by wadi audit compare",
                names.join(", ")
            )
        })
    }

    /// Alarms that put in doubt what is kept.
    async fn integrity_alarms(&self, frontier: &Frontier) -> Result<Vec<String>, NodeError> {
        let mut alarms: Vec<String> = self.anchor_alarm(frontier).into_iter().collect();
        let missing = self
            .door
            .wants
            .lock()
            .expect("no panic holds it")
            .missing_count();

        if missing > 0 {
            alarms.push(format!(
                "{missing} entries are damaged or missing on this disk; they are fetched back from \
                 peers",
            ));
        }

        let lost = self.door.store.local_all(&EXCERPT_LOST).await?;
        let lost = lost.iter().filter(|l| l.key != ALL_EXCERPTS).count();
        if lost > 0 {
            alarms.push(format!(
                "entries of {lost} records handed over to this crossing are damaged; the hub sends \
                 them again",
            ));
        }

        if let Some(first) = self.door.scrub_status().structure.first() {
            alarms.push(format!(
                "the database is damaged and is set aside at the next start: {first}"
            ));
        }

        let set_aside = self.door.store.local_all(&losses::SCOPE).await?;
        alarms.extend(set_aside.iter().filter_map(losses::alarm));
        Ok(alarms)
    }

    /// What the anchor says against the database, until everything that it vouched for is held
    /// again.
    fn anchor_alarm(&self, frontier: &Frontier) -> Option<String> {
        match self.door.store.anchor_state() {
            AnchorState::LostTail {
                anchored,
                held,
                heads,
            } if lacks(heads, frontier) || heads.is_empty() && !self.door.compared() => {
                Some(format!(
                    "the database was restored or damaged: it held {held} of {anchored} \
                     acknowledged commits; what is missing is fetched back from peers",
                ))
            }
            AnchorState::Unanchored => Some(
                "the anchor file is missing: nobody can tell whether the database is whole".into(),
            ),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now(alarms: &[&str]) -> BTreeMap<String, String> {
        let of = |about: &&str| (about.to_string(), format!("{about} is wrong"));
        alarms.iter().map(of).collect()
    }

    fn raised(abouts: &[&str]) -> BTreeSet<String> {
        abouts.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_alarm_is_told_when_it_rises_and_when_it_ends_and_not_each_time_it_flickers() {
        let began = Instant::now();
        let (clock, none) = (raised(&["clock"]), raised(&[]));
        let mut told = ToldAlarms::default();
        let rose = told.due(&now(&["clock"]), &none, began);
        assert_eq!(rose.len(), 1);
        assert!(rose[0].1.is_some());

        told.written.insert("clock".into(), began);
        let later = began + RISES_AGAIN;
        assert!(told.due(&now(&["clock"]), &clock, later).is_empty());
        assert!(told.due(&now(&[]), &clock, began).is_empty(), "it flickers");

        let end = began + ENDS_AFTER;
        assert_eq!(told.due(&now(&[]), &clock, end), [("clock".into(), None)]);
        told.written.insert("clock".into(), end);
        let soon = told.due(&now(&["clock"]), &none, end + ENDS_AFTER);
        assert!(soon.is_empty());
        assert_eq!(
            told.due(&now(&["clock"]), &none, end + RISES_AGAIN).len(),
            1
        );
    }

    #[test]
    fn what_an_earlier_start_told_is_ended_and_what_could_not_be_written_is_tried_again() {
        let at = Instant::now();
        let mut told = ToldAlarms::default();
        let ended = [("spool".into(), None)];
        assert_eq!(told.due(&now(&[]), &raised(&["spool"]), at), ended);

        // It is in memory, and the commit failed.
        told.written.insert("spool".into(), at);
        told.failed.insert("spool".into());
        assert_eq!(told.due(&now(&[]), &raised(&[]), at), ended);
        let again = told.due(&now(&["spool"]), &raised(&["spool"]), at);
        assert_eq!(again.len(), 1);
    }

    #[test]
    fn a_long_text_is_cut_between_letters() {
        let cut = cut_to_fit(&"ä".repeat(ALARM_BYTES_MAX));
        assert_eq!(cut.len(), ALARM_BYTES_MAX);
        assert_eq!(cut_to_fit("short"), "short");
    }
}
