//! An auditor's desk: views that were saved, and findings put aside until something has come. It is
//! that person's alone, on this node alone: nobody hides a finding from somebody else.

use crate::{
    door::{
        error::{FindingError, NodeError},
        write::check_name,
    },
    hub::life::Findings,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use wadi_store::{LocalKey, LocalScope};

/// Views on one desk.
const VIEWS_MAX: usize = 20;
/// Findings put aside on one desk: each stands in the question for a list.
const SNOOZED_MAX: usize = 200;
/// Bytes of a view's query.
const QUERY_BYTES_MAX: usize = 500;
/// How far ahead a snooze may end, milliseconds: a month. What is put aside longer is forgotten.
const SNOOZE_MS_MAX: i64 = 31 * 24 * 3_600_000;

/// What an auditor keeps at hand.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct FindingDesk {
    /// Views, in the order of their names.
    #[serde(default)]
    pub views: Vec<SavedView>,
    /// Findings put aside.
    #[serde(default)]
    pub snoozed: Vec<Snooze>,
}

/// A view of the queue.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SavedView {
    /// What its owner calls it.
    pub name: String,
    /// The query, as in the address of the list.
    pub query: String,
}

/// A finding put aside until these crossings are received through a time.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Snooze {
    /// The finding.
    pub finding: String,
    /// The crossings; `HUB` is the hub's own time.
    pub crossings: Vec<String>,
    /// Through when, Unix milliseconds.
    pub through_ms: i64,
}

impl Snooze {
    /// Whether what it waits for has come.
    fn is_over(&self, heard: &BTreeMap<String, i64>) -> bool {
        let is_heard = |c: &String| heard.get(c).is_some_and(|ms| *ms >= self.through_ms);
        self.crossings.iter().all(is_heard)
    }
}

impl Findings {
    /// Through which time each crossing is heard by now, and the hub itself.
    pub fn heard(&self) -> BTreeMap<String, i64> {
        let mut heard = self.door.view().watermarks.as_ref().clone();
        let hub = heard.entry("HUB".into()).or_insert(i64::MIN);
        *hub = self.door.time().now_ms().max(*hub);
        heard
    }

    /// A person's desk. What was put aside and came back is not on it.
    pub async fn desk(&self, person: &str) -> Result<FindingDesk, NodeError> {
        let kept = self
            .door
            .store
            .local(&LocalScope::FindingDesk, person)
            .await?;
        let mut desk: FindingDesk = kept
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or_default();

        let heard = self.heard();
        desk.snoozed.retain(|snooze| !snooze.is_over(&heard));
        Ok(desk)
    }

    async fn keep_desk(&self, person: &str, desk: &FindingDesk) -> Result<(), NodeError> {
        let value = serde_json::to_string(desk).expect("a desk of text and numbers serialises");
        let key = LocalKey {
            scope: LocalScope::FindingDesk,
            key: person.into(),
            value,
        };
        self.door.set_local(vec![key], vec![]).await
    }

    /// Saves a view under its name, in place of the one that had it.
    pub async fn save_view(&self, person: &str, view: SavedView) -> Result<(), NodeError> {
        let bad = |why: String| Err(NodeError::from(FindingError::BadView { why }));
        if view.name.trim().is_empty() {
            return bad("a view has a name".into());
        }

        if view.query.len() > QUERY_BYTES_MAX {
            return bad(format!(
                "a view's query has {QUERY_BYTES_MAX} bytes at most"
            ));
        }

        check_name("name", &view.name)?;
        let _arranging = self.arranging.lock().await;
        let mut desk = self.desk(person).await?;
        desk.views.retain(|v| v.name != view.name);
        if desk.views.len() >= VIEWS_MAX {
            let full = FindingError::DeskFull {
                what: "views",
                most: VIEWS_MAX,
            };
            return Err(full.into());
        }

        desk.views.push(view);
        desk.views.sort_by(|a, b| a.name.cmp(&b.name));
        self.keep_desk(person, &desk).await
    }

    /// Forgets a view.
    pub async fn forget_view(&self, person: &str, name: &str) -> Result<(), NodeError> {
        let _arranging = self.arranging.lock().await;
        let mut desk = self.desk(person).await?;
        let before = desk.views.len();
        desk.views.retain(|v| v.name != name);
        if desk.views.len() == before {
            return Err(FindingError::NoSuchView { name: name.into() }.into());
        }

        self.keep_desk(person, &desk).await
    }

    /// Puts a finding aside until something has come.
    pub async fn snooze(&self, person: &str, snooze: Snooze) -> Result<(), NodeError> {
        let finding = self.fresh(&snooze.finding).await?;
        let bad = |why: &str| Err(NodeError::from(FindingError::BadSnooze { why: why.into() }));
        if snooze.crossings.is_empty() || snooze.is_over(&self.heard()) {
            return bad("what it would wait for has come");
        }

        if snooze.through_ms.saturating_sub(self.door.time().now_ms()) > SNOOZE_MS_MAX {
            return bad("a finding is put aside for a month at most");
        }

        let _arranging = self.arranging.lock().await;
        let mut desk = self.desk(person).await?;
        desk.snoozed.retain(|s| s.finding != finding.id);
        if desk.snoozed.len() >= SNOOZED_MAX {
            let full = FindingError::DeskFull {
                what: "findings put aside",
                most: SNOOZED_MAX,
            };
            return Err(full.into());
        }

        desk.snoozed.push(snooze);
        self.keep_desk(person, &desk).await
    }

    /// Takes a finding up again before its time.
    pub async fn wake(&self, person: &str, finding: &str) -> Result<(), NodeError> {
        let _arranging = self.arranging.lock().await;
        let mut desk = self.desk(person).await?;
        desk.snoozed.retain(|s| s.finding != finding);
        self.keep_desk(person, &desk).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snooze_is_over_once_all_it_waits_for_has_come() {
        let snooze = Snooze {
            finding: "f".into(),
            crossings: vec!["TRB".into(), "QAM".into()],
            through_ms: 100,
        };
        let heard = |trb: i64, qam: Option<i64>| {
            let all = [("TRB", Some(trb)), ("QAM", qam)];
            let known = all
                .into_iter()
                .filter_map(|(c, ms)| Some((c.to_string(), ms?)));
            known.collect::<BTreeMap<_, _>>()
        };

        assert!(!snooze.is_over(&heard(100, None)));
        assert!(!snooze.is_over(&heard(100, Some(99))));
        assert!(snooze.is_over(&heard(100, Some(100))));
    }
}
