//! The life of a finding: a fold over the hub's signed events on the anchor record.
//!
//! Who decides is not who proposed. A proposal and its decision name the evidence they were made
//! on: where it changes, the finding is open again. Of concurrent decisions the rejection holds.
//! What is undone never was.

use crate::{Fact, Facts};
use serde_json::{Value as Json, json};
use std::collections::BTreeSet;

/// Acts that a life tells, the newest ones.
const ACTS_MAX: usize = 50;

/// What a decision says the finding was.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Disposition {
    /// What it says happened, and should not have.
    True,
    /// What it says happened, for a good reason.
    Explained,
    /// What it says did not happen.
    FalseAlarm,
    /// Another finding says the same.
    Duplicate,
}

impl Disposition {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::True,
        Self::Explained,
        Self::FalseAlarm,
        Self::Duplicate,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::True => "true",
            Self::Explained => "explained",
            Self::FalseAlarm => "false_alarm",
            Self::Duplicate => "duplicate",
        }
    }

    /// The one of a name; none where this version knows none.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|d| d.name() == name)
    }
}

/// What people have made of a finding.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Life {
    /// OPEN, ASSIGNED, PENDING_RESOLUTION, RESOLVED or WAIVED.
    pub state: &'static str,
    /// Who looks into it; empty for nobody.
    pub assignee: String,
    /// The proposal that waits or was decided: the event's id, and who made it.
    pub proposal: Option<(String, String)>,
    /// The event that decided it, and who said it.
    pub decision: Option<(String, String)>,
    /// Why it was resolved or waived.
    pub reason: String,
    /// What the decision that holds says it was; none where it says nothing that is known here.
    pub disposition: Option<Disposition>,
    /// When the decision that holds was made, Unix milliseconds; 0 where none holds.
    pub decided_ms: i64,
    /// What people did with it, the oldest first, of many the newest.
    pub acts: Vec<Json>,
    /// The event of the last act; empty where there was none.
    pub last: String,
    /// It was decided once, on evidence that has changed since.
    pub reopened: bool,
    /// What the hub last published on the anchor record: phase and evidence digest.
    pub published: Option<(String, String)>,
}

impl Life {
    /// Of a finding that nobody did anything with.
    fn open() -> Self {
        Self {
            state: "OPEN",
            assignee: String::new(),
            proposal: None,
            decision: None,
            reason: String::new(),
            disposition: None,
            decided_ms: 0,
            acts: Vec::new(),
            last: String::new(),
            reopened: false,
            published: None,
        }
    }

    /// Takes a proposal as it was approved.
    fn settle(&mut self, proposal: &Fact<'_>, decision: &Fact<'_>) {
        let waived = proposal.text("resolution") == Some("WAIVED");
        self.state = if waived { "WAIVED" } else { "RESOLVED" };
        self.proposal = Some((proposal.id().into(), proposal.officer().into()));
        self.decision = Some((decision.id().into(), decision.officer().into()));
        self.reason = proposal.text("reason").unwrap_or_default().into();
        self.disposition = decision
            .text("disposition")
            .and_then(Disposition::from_name);
        self.decided_ms = decision.at_ms();
        self.reopened = false;
    }

    /// As JSON.
    pub fn json(&self) -> Json {
        let pair = |p: &Option<(String, String)>| match p {
            Some((event, officer)) => json!({"event": event, "officer": officer}),
            None => Json::Null,
        };

        json!({
            "state": self.state, "assignee": self.assignee, "proposal": pair(&self.proposal),
            "decision": pair(&self.decision), "reason": self.reason, "reopened": self.reopened,
            "disposition": self.disposition.map(Disposition::name),
            "decided_ms": (self.decided_ms > 0).then_some(self.decided_ms),
            "last": self.last, "acts": self.acts,
        })
    }
}

/// An act as it is told: what was said, by whom and when, and whether it was undone.
fn told_act(said: &Fact<'_>, undone: bool) -> Json {
    let mut act = json!({
        "event": said.id(), "act": said.kind().trim_start_matches("finding."),
        "officer": said.officer(), "at_ms": said.at_ms(), "entry": said.entry(), "undone": undone,
    });
    let members = [
        "assignee",
        "resolution",
        "decision",
        "disposition",
        "duplicate_of",
        "reason",
        "undoes",
    ];
    for member in members {
        if let Some(text) = said.text(member) {
            act[member] = text.into();
        }
    }

    act
}

/// Folds the events on an anchor record that speak of one finding, as its evidence now stands.
pub fn life(anchor: &Facts, finding: &str, evidence: &str) -> Life {
    let said: Vec<_> = anchor
        .of_findings()
        .filter(|e| e.counts() && e.text("finding") == Some(finding))
        .collect();
    let undone: BTreeSet<&str> = said
        .iter()
        .filter(|e| e.kind() == "finding.undone")
        .filter_map(|e| e.text("undoes"))
        .collect();

    let live = |kind: &'static str| {
        said.iter()
            .filter(move |e| e.kind() == kind)
            .filter(|e| !undone.contains(e.id()))
    };

    let mut out = Life::open();
    let acts: Vec<_> = said.iter().filter(|e| e.kind() != "finding").collect();
    out.last = acts.last().map_or("", |e| e.id()).into();
    out.acts = acts
        .iter()
        .skip(acts.len().saturating_sub(ACTS_MAX))
        .map(|e| told_act(e, undone.contains(e.id())))
        .collect();

    if let Some(published) = said.iter().rfind(|e| e.kind() == "finding") {
        let text = |m| published.text(m).unwrap_or_default().to_string();
        out.published = Some((text("phase"), text("evidence")));
    }

    if let Some(assigned) = live("finding.assigned").next_back() {
        (out.state, out.assignee) = (
            "ASSIGNED",
            assigned.text("assignee").unwrap_or_default().into(),
        );
    }

    for proposal in live("finding.proposed") {
        let decisions: Vec<_> = live("finding.decided")
            .filter(|d| {
                d.text("proposal") == Some(proposal.id())
                    && d.text("evidence") == proposal.text("evidence")
            })
            .filter(|d| d.officer() != proposal.officer())
            .collect();

        let approved = decisions
            .iter()
            .find(|d| d.text("decision") == Some("APPROVED"));
        let rejected = decisions
            .iter()
            .any(|d| d.text("decision") == Some("REJECTED"));
        let current = proposal.text("evidence") == Some(evidence);

        match approved {
            _ if rejected => continue,
            Some(_) if !current => out.reopened = true,
            Some(decision) => {
                out.settle(proposal, decision);
                return out;
            }
            None if current => {
                out.state = "PENDING_RESOLUTION";
                out.proposal = Some((proposal.id().into(), proposal.officer().into()));
                out.reason = proposal.text("reason").unwrap_or_default().into();
            }
            None => {}
        }
    }

    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::*;

    fn by(officer: &str, mut event: Json) -> Json {
        event["officer"] = officer.into();
        event
    }

    fn told(events: &[Json], evidence: &str) -> Life {
        life(&passage("P1", json!({}), events), "f", evidence)
    }

    #[test]
    fn a_finding_goes_from_open_to_waived_by_two_people_and_opens_again_on_other_evidence() {
        let assigned = by(
            "AU-0",
            event(
                "finding.assigned",
                1,
                json!({"finding": "f", "assignee": "AU-1"}),
            ),
        );

        let proposed = by(
            "AU-1",
            event(
                "finding.proposed",
                2,
                json!({"finding": "f", "evidence": "e", "resolution": "WAIVED", "reason": "drill"}),
            ),
        );

        let decided = |officer, decision: &str| {
            let data = json!({
                "finding": "f",
                "evidence": "e",
                "proposal": "finding.proposed@2",
                "decision": decision,
            });
            by(officer, event("finding.decided", 3, data))
        };
        let approved = decided("AU-2", "APPROVED");
        assert_eq!(told(&[], "e").state, "OPEN");
        assert_eq!(told(std::slice::from_ref(&assigned), "e").state, "ASSIGNED");
        assert_eq!(
            told(&[assigned.clone(), proposed.clone()], "e").state,
            "PENDING_RESOLUTION"
        );

        let waived = told(&[assigned.clone(), proposed.clone(), approved.clone()], "e");
        assert_eq!(
            (
                waived.state,
                waived.reason.as_str(),
                waived.assignee.as_str()
            ),
            ("WAIVED", "drill", "AU-1")
        );

        // A decision of an older version, or of a newer one, that says nothing known here.
        assert_eq!(waived.disposition, None);
        for (said, read) in [("true", Some(Disposition::True)), ("of_tomorrow", None)] {
            let mut named = approved.clone();
            named["data"]["disposition"] = said.into();
            let life = told(&[proposed.clone(), named], "e");
            assert_eq!((life.state, life.disposition), ("WAIVED", read), "{said}");
        }

        let told_acts: Vec<&str> = waived
            .acts
            .iter()
            .filter_map(|a| a["act"].as_str())
            .collect();
        assert_eq!(told_acts, ["assigned", "proposed", "decided"]);
        assert_eq!(waived.last, "finding.decided@3");

        let reopened = told(
            &[assigned.clone(), proposed.clone(), approved.clone()],
            "other",
        );
        assert_eq!((reopened.state, reopened.reopened), ("ASSIGNED", true));

        // Who proposed does not decide.
        let own = decided("AU-1", "APPROVED");
        assert_eq!(
            told(&[proposed.clone(), own], "e").state,
            "PENDING_RESOLUTION"
        );

        // Of concurrent decisions the rejection holds.
        let rejected = by("AU-3", decided("AU-3", "REJECTED"));
        assert_eq!(
            told(&[proposed.clone(), approved.clone(), rejected], "e").state,
            "OPEN"
        );

        // A decision that is undone leaves the proposal waiting.
        let undone = event(
            "finding.undone",
            4,
            json!({"finding": "f", "undoes": "finding.decided@3", "reason": "wrong one"}),
        );

        assert_eq!(
            told(&[proposed, approved, undone], "e").state,
            "PENDING_RESOLUTION"
        );
    }
}
