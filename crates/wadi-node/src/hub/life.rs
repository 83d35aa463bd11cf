//! What auditors do with a finding: each act is a signed event on its anchor record.

use crate::{
    door::{
        Door,
        error::{FindingError, NodeError},
        write::{Target, Write, Written},
    },
    hub::reconciler::facts,
};
use serde_json::{Value as Json, json};
use std::{collections::BTreeMap, sync::Arc};
use wadi_log::{Lane, RecordId, Role};
use wadi_reconcile::{Fact, RULE_FAILED, RULES};
use wadi_record::{Draft, Kind};
use wadi_store::{FindingFilter, FindingRow, RecordRow};

/// Records with published findings that are read together.
const PAGE: u32 = 256;

/// An act on a finding.
#[derive(Clone, PartialEq, Debug)]
pub enum FindingAct {
    /// Somebody is to look into it.
    Assign {
        /// Who.
        to: String,
    },
    /// How it should be settled, on the evidence as it stands.
    Propose {
        /// Whether it is to be waived, and not resolved.
        waive: bool,
        /// Why.
        reason: String,
    },
    /// Another auditor's word on the proposal that waits.
    Decide {
        /// Whether it is approved.
        approve: bool,
        /// Why; may be empty.
        reason: String,
    },
    /// An earlier act never was.
    Undo {
        /// The event that it undoes; the last decision or proposal where none is given.
        event: Option<String>,
        /// Why.
        reason: String,
    },
}

/// What an act came to.
#[derive(Clone, PartialEq, Debug)]
pub struct FindingDone {
    /// The finding.
    pub finding: String,
    /// The signed entry.
    pub written: Written,
}

/// The event of an act, or why it may not be.
fn event(
    row: &FindingRow,
    life: &Json,
    act: &FindingAct,
    officer: &str,
) -> Result<(&'static str, Json), FindingError> {
    let (finding, evidence) = (row.id.as_str(), row.evidence.as_str());
    let of = |member: &str, what: &str| life[member][what].as_str().map(String::from);
    Ok(match act {
        FindingAct::Assign { to } => (
            "finding.assigned",
            json!({"finding": finding, "assignee": to}),
        ),
        FindingAct::Propose { waive, reason } => {
            if matches!(row.state.as_str(), "RESOLVED" | "WAIVED") {
                let state = row.state.clone();
                return Err(FindingError::AlreadyDecided { state });
            }

            if row.state == "PENDING_RESOLUTION" {
                return Err(FindingError::AlreadyProposed);
            }

            let resolution = if *waive { "WAIVED" } else { "RESOLVED" };
            let data = json!({
                "finding": finding,
                "evidence": evidence,
                "resolution": resolution,
                "reason": reason,
            });
            ("finding.proposed", data)
        }
        FindingAct::Decide { approve, reason } => {
            if matches!(row.state.as_str(), "RESOLVED" | "WAIVED") {
                let state = row.state.clone();
                return Err(FindingError::AlreadyDecided { state });
            }

            let Some(proposal) =
                of("proposal", "event").filter(|_| row.state == "PENDING_RESOLUTION")
            else {
                return Err(FindingError::NothingProposed);
            };

            if of("proposal", "officer").as_deref() == Some(officer) {
                return Err(FindingError::OwnProposal);
            }

            let decision = if *approve { "APPROVED" } else { "REJECTED" };
            let mut data = json!({
                "finding": finding,
                "evidence": evidence,
                "proposal": proposal,
                "decision": decision,
            });
            if !reason.is_empty() {
                data["reason"] = reason.as_str().into();
            }

            ("finding.decided", data)
        }
        FindingAct::Undo { event, reason } => {
            let last = event
                .clone()
                .or_else(|| of("decision", "event"))
                .or_else(|| of("proposal", "event"));
            let Some(undoes) = last else {
                return Err(FindingError::NothingToUndo);
            };

            (
                "finding.undone",
                json!({"finding": finding, "undoes": undoes, "reason": reason}),
            )
        }
    })
}

/// A finding that the hub published on a record held here.
#[derive(Clone, PartialEq, Debug)]
pub struct PublishedFinding {
    /// 1 is highest.
    pub severity: u8,
    /// When it was published, Unix milliseconds.
    pub at_ms: i64,
    /// Its id.
    pub id: String,
    /// The finding as JSON.
    pub json: Json,
}

impl PublishedFinding {
    /// Its place in lists.
    fn place(&self) -> (u8, i64, &str) {
        (self.severity, self.at_ms, &self.id)
    }
}

/// What the hub published on one record, as far as a filter takes it.
fn published_on(row: &RecordRow, filter: &FindingFilter, out: &mut Vec<PublishedFinding>) {
    let facts = facts(row);
    let mut latest: BTreeMap<&str, Fact<'_>> = BTreeMap::new();
    for said in facts
        .of_findings()
        .filter(|e| e.kind() == "finding" && e.counts())
    {
        latest.insert(said.text("finding").unwrap_or_default(), said);
    }

    for (id, said) in latest {
        let text = |m| said.text(m).unwrap_or_default();
        let life = wadi_reconcile::life(&facts, id, text("evidence"));
        let wanted = |want: &Option<String>, is: &str| want.as_ref().is_none_or(|w| w == is);
        if text("phase") == "WITHDRAWN"
            || !wanted(&filter.rule, text("rule"))
            || !wanted(&filter.phase, text("phase"))
            || !wanted(&filter.crossing, &row.crossing)
            || !wanted(&filter.state, life.state)
            || !wanted(&filter.assignee, &life.assignee)
        {
            continue;
        }

        let rule = RULES
            .iter()
            .chain([&RULE_FAILED])
            .find(|r| r.code == text("rule"));
        let json = json!({
            "finding": id,
            "rule": text("rule"),
            "name": rule.map(|r| r.name),
            "severity": rule.map(|r| r.severity),
            "phase": text("phase"),
            "record": row.printed,
            "crossing": row.crossing,
            "text": text("text"),
            "evidence_digest": text("evidence"),
            "at_ms": said.at_ms(),
            "state": life.state,
            "assignee": life.assignee,
            "life": life.json(),
        });

        out.push(PublishedFinding {
            severity: rule.map_or(u8::MAX, |r| r.severity),
            at_ms: said.at_ms(),
            id: id.into(),
            json,
        });
    }
}

/// A record's kind by its lane's number.
fn kind_of(row: &RecordRow) -> Option<Kind> {
    Lane::from_u8(row.lane).ok().and_then(Kind::of_lane)
}

/// What becomes of findings, by the hand of auditors.
pub struct Findings {
    door: Arc<Door>,
}

impl Findings {
    pub(crate) fn new(door: Arc<Door>) -> Self {
        Self { door }
    }

    /// What the hub published on records held here, and what became of it: how much of it the
    /// filter takes, and a page of that, the most severe first, of those the oldest.
    pub async fn published(
        &self,
        filter: &FindingFilter,
    ) -> Result<(usize, Vec<PublishedFinding>), NodeError> {
        let mut out: Vec<PublishedFinding> = Vec::new();
        let mut after: Option<RecordId> = None;
        if let Some(anchor) = filter.anchor {
            let rows = self.door.store.records_by_id(&[anchor]).await?;
            rows.iter()
                .for_each(|row| published_on(row, filter, &mut out));
        }

        while filter.anchor.is_none() {
            // All of them, page by page: nobody's many records hide another's.
            let page = self
                .door
                .store
                .by_term("finding", "published", after.as_ref(), PAGE)
                .await?;
            let Some(last) = page.last() else { break };

            after = Some(last.id);
            page.iter()
                .for_each(|row| published_on(row, filter, &mut out));
        }

        let count = out.len();
        if let Some((severity, at_ms, id)) = &filter.after {
            out.retain(|found| found.place() > (*severity, *at_ms, id.as_str()));
        }

        out.sort_by(|a, b| a.place().cmp(&b.place()));
        out.truncate(filter.limit as usize);
        Ok((count, out))
    }

    /// One of them, as JSON.
    pub async fn published_one(&self, id: &str) -> Result<Json, NodeError> {
        let all = FindingFilter {
            limit: u32::MAX,
            ..FindingFilter::default()
        };
        let (_, published) = self.published(&all).await?;
        let found = published.into_iter().find(|found| found.id == id);
        let gone = || FindingError::NoSuchFinding { id: id.into() };

        Ok(found.ok_or_else(gone)?.json)
    }

    /// Has every record looked at afresh.
    pub fn recheck(&self) -> Result<(), NodeError> {
        if self.door.me.role != Role::Hub {
            return Err(FindingError::FoundAtHub.into());
        }

        self.door
            .recheck
            .store(true, std::sync::atomic::Ordering::Relaxed);
        self.door.reconcile.notify_one();

        Ok(())
    }

    /// Does something with a finding, in an officer's name. Durable when it returns; the finding's
    /// row follows as soon as the reconciler has seen the entry.
    pub async fn act(
        &self,
        id: &str,
        act: FindingAct,
        officer: &str,
    ) -> Result<FindingDone, NodeError> {
        if self.door.me.role != Role::Hub {
            return Err(FindingError::DecidedAtHub.into());
        }

        let Some(row) = self.door.store.finding(id).await? else {
            return Err(FindingError::NoSuchFinding { id: id.into() }.into());
        };

        let Some(anchor) = self.door.store.record(&row.anchor).await? else {
            return Err(NodeError::NoRecord(row.anchor.to_string()));
        };
        let Some(kind) = kind_of(&anchor) else {
            return Err(NodeError::NoRecord(row.anchor.to_string()));
        };

        // The row may be a moment behind the record: what was said last is read from the record
        // itself.
        let life = wadi_reconcile::life(&facts(&anchor), &row.id, &row.evidence);
        let row = FindingRow {
            state: life.state.into(),
            ..row
        };
        let (kind_of_event, data) = event(&row, &life.json(), &act, officer)?;
        let draft = Draft::new(kind).event(kind_of_event, data);
        let written = self
            .door
            .write(Write::by(officer, "HUB", Target::On(row.anchor), draft))
            .await?;

        Ok(FindingDone {
            finding: row.id,
            written,
        })
    }
}
