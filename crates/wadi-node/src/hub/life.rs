//! What auditors do with a finding: each act is a signed event on its anchor record.

use crate::{
    door::{
        Door,
        error::{FindingError, NodeError},
        write::{Based, Target, Write, Written},
    },
    hub::reconciler::facts,
};
use serde_json::{Value as Json, json};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::sync::Mutex;
use wadi_log::{Lane, RecordId, Reference, Role, SshSignature};
use wadi_reconcile::{Disposition, Fact, Life, RULE_FAILED, RULES, Sentence};
use wadi_record::{Draft, Kind, hint, nearest, normalise_reference, signature_event};
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
        /// What the finding was. An approval names one.
        disposition: Option<Disposition>,
        /// The finding that says the same, of a duplicate alone.
        duplicate_of: Option<String>,
    },
    /// An earlier act never was.
    Undo {
        /// The event that it undoes; the last decision or proposal where none is given.
        event: Option<String>,
        /// Why.
        reason: String,
    },
}

/// An auditor's own signature over an act, and what it was signed on.
#[derive(Clone, PartialEq, Debug)]
pub struct ActSignature {
    /// The entries that the act is based on.
    pub based_on: Vec<Reference>,
    /// When it was signed, Unix milliseconds.
    pub signed_at_ms: i64,
    /// The signature.
    pub signature: SshSignature,
}

/// What an act came to.
#[derive(Clone, PartialEq, Debug)]
pub struct FindingDone {
    /// The finding.
    pub finding: String,
    /// The signed entry.
    pub written: Written,
    /// The cursor of the change that it is.
    pub changed: i64,
}

/// How a finding stands: it is another one after each act, and where its facts change.
pub fn finding_version(evidence: &str, last_act: &str) -> String {
    format!("{evidence}.{last_act}")
}

/// How long a list may be behind what was done, at most.
const LISTED_WITHIN: Duration = Duration::from_secs(1);

fn check_undecided(row: &FindingRow) -> Result<(), FindingError> {
    match row.state.as_str() {
        "RESOLVED" | "WAIVED" => Err(FindingError::AlreadyDecided {
            state: row.state.clone(),
        }),
        _ => Ok(()),
    }
}

/// A member of what is kept of a finding's life, where it is a text.
fn said_of(life: &Json, member: &str, what: &str) -> Option<String> {
    life[member][what].as_str().map(String::from)
}

/// The proposal that this officer may decide, or why there is none.
fn decidable(row: &FindingRow, life: &Json, officer: &str) -> Result<String, FindingError> {
    check_undecided(row)?;
    let proposal = said_of(life, "proposal", "event");
    let waits = proposal.filter(|_| row.state == "PENDING_RESOLUTION");
    let proposal = waits.ok_or(FindingError::NothingProposed)?;

    // Whoever writes a name otherwise is no second person.
    let proposer = said_of(life, "proposal", "officer").map(|name| normalise_reference(&name));
    match proposer == Some(normalise_reference(officer)) {
        true => Err(FindingError::OwnProposal),
        false => Ok(proposal),
    }
}

/// The event of an act, or why it may not be.
fn event(
    row: &FindingRow,
    life: &Json,
    act: &FindingAct,
    officer: &str,
) -> Result<(&'static str, Json), FindingError> {
    let (finding, evidence) = (row.id.as_str(), row.evidence.as_str());
    Ok(match act {
        FindingAct::Assign { to } => (
            "finding.assigned",
            json!({"finding": finding, "assignee": to}),
        ),
        FindingAct::Propose { waive, reason } => {
            check_undecided(row)?;
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
        FindingAct::Decide {
            approve,
            reason,
            disposition,
            duplicate_of,
        } => {
            let proposal = decidable(row, life, officer)?;
            if *approve && disposition.is_none() {
                return Err(FindingError::NoDisposition);
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

            if let Some(disposition) = disposition {
                data["disposition"] = disposition.name().into();
            }

            if let Some(other) = duplicate_of {
                data["duplicate_of"] = other.as_str().into();
            }

            ("finding.decided", data)
        }
        FindingAct::Undo { event, reason } => {
            let last = event
                .clone()
                .or_else(|| said_of(life, "decision", "event"))
                .or_else(|| said_of(life, "proposal", "event"));
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

/// Whether a state is the one that is wanted.
fn is_of_state(state: &str, wanted: Option<&str>) -> bool {
    match wanted {
        None => true,
        Some("UNDECIDED") => !matches!(state, "RESOLVED" | "WAIVED"),
        Some(wanted) => state == wanted,
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
            || !is_of_state(life.state, filter.state.as_deref())
            || !wanted(
                &filter.disposition,
                life.disposition.map_or("", |d| d.name()),
            )
            || !wanted(&filter.assignee, &life.assignee)
        {
            continue;
        }

        let rule = RULES
            .iter()
            .chain([&RULE_FAILED])
            .find(|r| r.code == text("rule"));
        // A hub of an older version says none.
        let sentence: Option<Sentence> = serde_json::from_str(text("sentence")).ok();
        let said_as = sentence.as_ref().map_or("", |sentence| &*sentence.id);
        let severity = rule.map(|r| r.severity_of(said_as));
        let mut json = json!({
            "finding": id,
            "rule": text("rule"),
            "name": rule.map(|r| r.name),
            "severity": severity,
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

        if let Some(sentence) = sentence {
            json["sentence"] = json!(sentence);
        }

        out.push(PublishedFinding {
            severity: severity.unwrap_or(u8::MAX),
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
    pub(super) door: Arc<Door>,
    /// One acts after the other: each reads what the one before said.
    acting: Mutex<()>,
    /// One changes a desk after the other.
    pub(super) arranging: Mutex<()>,
}

impl Findings {
    pub(crate) fn new(door: Arc<Door>) -> Self {
        Self {
            door,
            acting: Mutex::new(()),
            arranging: Mutex::new(()),
        }
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

    /// One finding at the hub, with what people made of it as its record has it now: its row may be
    /// a moment behind.
    pub async fn fresh(&self, id: &str) -> Result<FindingRow, NodeError> {
        let (row, _, life) = self.read(id).await?;
        let mut json: Json = serde_json::from_str(&row.json).unwrap_or_default();
        json["life"] = life.json();
        Ok(FindingRow {
            state: life.state.into(),
            assignee: life.assignee.clone(),
            disposition: life.disposition.map_or("", |d| d.name()).into(),
            decided_ms: life.decided_ms,
            json: json.to_string(),
            ..row
        })
    }

    /// A finding's row, its anchor, and its life.
    async fn read(&self, id: &str) -> Result<(FindingRow, RecordRow, Life), NodeError> {
        let Some(row) = self.door.store.finding(id).await? else {
            return Err(FindingError::NoSuchFinding { id: id.into() }.into());
        };

        let Some(anchor) = self.door.store.record(&row.anchor).await? else {
            return Err(NodeError::NoRecord(row.anchor.to_string()));
        };

        let life = wadi_reconcile::life(&facts(&anchor), &row.id, &row.evidence);
        Ok((row, anchor, life))
    }

    /// Does something with a finding, in an officer's name. Durable when it returns; the finding's
    /// row follows as soon as the reconciler has seen the entry.
    ///
    /// `seen` is how the finding stood when the officer looked at it. Where somebody acted since,
    /// or its facts changed, nothing is done.
    pub async fn act(
        &self,
        id: &str,
        act: FindingAct,
        officer: &str,
        seen: Option<&str>,
        signature: Option<ActSignature>,
    ) -> Result<FindingDone, NodeError> {
        // Of two who decide at once the second one reads what the first one said.
        let _acting = self.acting.lock().await;
        let mut write = self.drafted(id, &act, officer, seen).await?;
        if let Some(signed) = signature {
            write.based_on = Based::Entries(signed.based_on);
            let event = signature_event(&signed.signature, signed.signed_at_ms);
            write.draft.events.push(event);
        }

        let anchor = write.target.clone();
        let written = self.door.write(write).await?;
        let changed = match anchor {
            Target::On(anchor) => self.door.store.record(&anchor).await?,
            Target::New(_) => None,
        };

        Ok(FindingDone {
            finding: id.into(),
            written,
            changed: changed.map_or(0, |a| a.changed),
        })
    }

    /// Refuses an act that names somebody who is no auditor, or an act that there is not: it would
    /// be signed, and mean nothing.
    fn check_named(
        &self,
        id: &str,
        anchor: &RecordRow,
        act: &FindingAct,
        officer: &str,
    ) -> Result<(), FindingError> {
        match act {
            FindingAct::Assign { to } => [officer, to.as_str()]
                .into_iter()
                .try_for_each(|who| self.check_auditor(who)),
            FindingAct::Undo {
                event: Some(event), ..
            } => {
                let facts = facts(anchor);
                let mut acts = facts.of_findings();
                match acts.any(|e| e.id() == event && e.text("finding") == Some(id)) {
                    true => Ok(()),
                    false => Err(FindingError::NoSuchAct {
                        event: event.clone(),
                    }),
                }
            }
            _ => Ok(()),
        }
    }

    /// Refuses somebody whom the commission did not register as one of its own, where the policy
    /// asks for that.
    fn check_auditor(&self, who: &str) -> Result<(), FindingError> {
        if !self.door.policy_in_force().1.registered_officers {
            return Ok(());
        }

        let view = self.door.view();
        let control = &view.control;

        let why = match control.officer(who, |_| u64::MAX) {
            Some(known) if known.revoked => format!("officer: {who} was revoked"),
            Some(known) if known.department != "HUB" => {
                format!("officer: {who} is of {}, not of HUB", known.department)
            }
            Some(_) => return Ok(()),
            None => {
                let all = control.officers().filter(|o| o.department == "HUB");
                let near = nearest(who, all.map(|o| o.officer.as_str()));
                format!("officer: no officer {who:?} is registered{}", hint(&near))
            }
        };
        Err(FindingError::NotAnAuditor { why })
    }

    /// The write that says an act, before it is written, as [`Self::act`] makes it.
    pub async fn drafted(
        &self,
        id: &str,
        act: &FindingAct,
        officer: &str,
        seen: Option<&str>,
    ) -> Result<Write, NodeError> {
        if self.door.me.role != Role::Hub {
            return Err(FindingError::DecidedAtHub.into());
        }

        let (row, anchor, life) = self.read(id).await?;
        let Some(kind) = kind_of(&anchor) else {
            return Err(NodeError::NoRecord(row.anchor.to_string()));
        };

        if seen.is_some_and(|seen| seen != finding_version(&row.evidence, &life.last)) {
            return Err(moved(&row, &life, seen).into());
        }

        self.check_duplicate(id, act).await?;
        self.check_named(id, &anchor, act, officer)?;
        let row = FindingRow {
            state: life.state.into(),
            ..row
        };
        let (kind_of_event, data) = event(&row, &life.json(), act, officer)?;
        let draft = Draft::new(kind).event(kind_of_event, data);
        Ok(Write::by(officer, "HUB", Target::On(row.anchor), draft))
    }

    /// A duplicate names another finding that there is, and nothing else names one.
    async fn check_duplicate(&self, id: &str, act: &FindingAct) -> Result<(), NodeError> {
        let FindingAct::Decide {
            disposition,
            duplicate_of,
            ..
        } = act
        else {
            return Ok(());
        };

        let bad = |why| Err(NodeError::from(FindingError::BadDuplicate { why }));
        match (disposition, duplicate_of.as_deref()) {
            (Some(Disposition::Duplicate), None) => bad("name the other finding"),
            (Some(Disposition::Duplicate), Some(other)) if other == id => {
                bad("a finding is no duplicate of itself")
            }
            (Some(Disposition::Duplicate), Some(other)) => match self.read(other).await {
                // Of two that name each other nothing would be left open.
                Ok((.., life)) if life.disposition == Some(Disposition::Duplicate) => {
                    bad("the other is a duplicate itself: name the one that it repeats")
                }
                Ok(_) => Ok(()),
                Err(NodeError::Finding(_) | NodeError::NoRecord(_)) => {
                    bad("there is no such other finding")
                }
                Err(error) => Err(error),
            },
            (_, Some(_)) => bad("only a duplicate names another finding"),
            (_, None) => Ok(()),
        }
    }

    /// Waits until lists show what was done, a moment at most: whoever looks at the list next finds
    /// it there. Where the reconciler is further behind, the list follows.
    pub async fn listed(&self, changed: i64) {
        let mut reconciled = self.door.reconciled.subscribe();
        let is_listed = reconciled.wait_for(|cursor| *cursor >= changed);
        let _ = tokio::time::timeout(LISTED_WITHIN, is_listed).await;
    }
}

/// What happened to a finding since somebody looked at it.
fn moved(row: &FindingRow, life: &Life, seen: Option<&str>) -> FindingError {
    let is_of_facts = seen.is_some_and(|seen| seen.ends_with(&format!(".{}", life.last)));
    let last = life.acts.last().filter(|_| !is_of_facts);
    let text = |member: &str| {
        let said = last.and_then(|act| act[member].as_str());
        said.unwrap_or_default().to_string()
    };

    FindingError::Moved {
        finding: row.id.clone(),
        officer: text("officer"),
        act: text("act"),
        state: life.state.into(),
    }
}
