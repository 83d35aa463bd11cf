//! What contradicts what: rules over a dossier, pure and one file each.
//!
//! A [`Dossier`] is a record with the records one link away. A rule looks at one and returns [`Contradiction`]s. A
//! finding whose missing half may still be on its way is PENDING until every crossing concerned is received through the
//! time in question, and FIRM only then: a late truck is not a missing truck.

mod contested_field;
mod missing_counterpart;
mod passed_while_held;

use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use wadi_record::Policy;

/// A record as a rule sees it: its projection.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The record's id, hexadecimal.
    pub id: String,
    /// The projection, as `Book::json` gives it.
    pub json: Json,
}

impl Facts {
    fn text(&self, member: &str) -> &str {
        self.json[member].as_str().unwrap_or_default()
    }
    /// The printed id.
    pub fn printed(&self) -> &str {
        self.text("id")
    }
    /// The kind.
    pub fn kind(&self) -> &str {
        self.text("kind")
    }
    /// The crossing.
    pub fn crossing(&self) -> &str {
        self.text("crossing")
    }
    /// The state's name.
    pub fn state(&self) -> &str {
        self.text("state")
    }
    /// A settled field's text.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.json["fields"][name].as_str()
    }
    /// Events that count, of a type.
    pub fn events<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Json> {
        let all = self.json["events"].as_array().map(Vec::as_slice).unwrap_or_default();
        all.iter().filter(move |e| e["type"] == kind && e["counts"] == true)
    }
    /// When the record first happened, as claimed, Unix milliseconds.
    pub fn began_ms(&self) -> i64 {
        let all = self.json["events"].as_array().map(Vec::as_slice).unwrap_or_default();
        let first = all.iter().filter_map(|e| e["at_ms"].as_i64()).min();
        first.or_else(|| self.json["at_ms"].as_i64()).unwrap_or(0)
    }
}

/// A record with the records one link away, of any crossing.
#[derive(Clone, Debug)]
pub struct Dossier {
    /// The record in question.
    pub anchor: Facts,
    /// Records that it names, or that name it, or that share a term.
    pub linked: Vec<Facts>,
    /// Per crossing: received through that time, Unix milliseconds.
    pub watermarks: BTreeMap<String, i64>,
    /// Tolerances and deadlines.
    pub policy: Policy,
}

impl Dossier {
    /// The phase of a finding that depends on these crossings up to a time.
    pub fn phase<'a>(&self, crossings: impl IntoIterator<Item = &'a str>, through_ms: i64) -> Phase {
        let received = |c: &str| self.watermarks.get(c).is_some_and(|w| *w >= through_ms);
        if crossings.into_iter().all(received) { Phase::Firm } else { Phase::Pending }
    }
}

/// Whether something that is still on its way may yet explain a finding.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// It may.
    Pending,
    /// All crossings concerned are received through the time in question.
    Firm,
}

impl Phase {
    /// The phase's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Firm => "FIRM",
        }
    }
}

/// What a rule found.
#[derive(Clone, Debug)]
pub struct Contradiction {
    /// Tells this contradiction from others of the rule on the same anchor.
    pub discriminator: String,
    /// What was found, in a sentence.
    pub text: String,
    /// The facts that it rests on; a change of these reopens a decided finding.
    pub evidence: Json,
    /// Its phase.
    pub phase: Phase,
}

/// A finding: a rule's contradiction on its anchor.
#[derive(Clone, Debug)]
pub struct Finding {
    /// SHA-256 of rule, anchor and discriminator, the first 16 bytes in hexadecimal.
    pub id: String,
    /// The rule.
    pub rule: &'static Rule,
    /// SHA-256 of the evidence's JSON, the first 16 bytes in hexadecimal.
    pub evidence_digest: String,
    /// What was found.
    pub contradiction: Contradiction,
}

impl Finding {
    /// The finding as JSON.
    pub fn json(&self, anchor: &Facts) -> Json {
        json!({
            "finding": self.id, "rule": self.rule.code, "name": self.rule.name, "severity": self.rule.severity,
            "phase": self.contradiction.phase.name(), "record": anchor.printed(), "crossing": anchor.crossing(),
            "text": self.contradiction.text, "evidence": self.contradiction.evidence,
            "evidence_digest": self.evidence_digest,
        })
    }
}

/// A rule.
#[derive(Debug)]
pub struct Rule {
    /// Its code.
    pub code: &'static str,
    /// Its name.
    pub name: &'static str,
    /// 1 is highest.
    pub severity: u8,
    judge: fn(&Dossier) -> Vec<Contradiction>,
}

/// All rules.
pub const RULES: &[Rule] = &[passed_while_held::RULE, contested_field::RULE, missing_counterpart::RULE];

fn short_hash(parts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.finalize()[..16].iter().map(|b| format!("{b:02x}")).collect()
}

/// All findings on a dossier's anchor. The same dossier gives the same findings.
pub fn reconcile(dossier: &Dossier) -> Vec<Finding> {
    let finding = |rule: &'static Rule, contradiction: Contradiction| Finding {
        id: short_hash(&[rule.code, &dossier.anchor.id, &contradiction.discriminator]),
        rule,
        evidence_digest: short_hash(&[&contradiction.evidence.to_string()]),
        contradiction,
    };
    RULES.iter().flat_map(|rule| (rule.judge)(dossier).into_iter().map(move |c| finding(rule, c))).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn facts(id: &str, kind: &str, crossing: &str, more: Json) -> Facts {
        let mut json = json!({
            "id": id, "kind": kind, "crossing": crossing, "fields": {}, "contested": {}, "events": [], "open_holds": []
        });
        json.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        Facts { id: id.into(), json }
    }

    pub(crate) fn dossier(anchor: Facts, linked: Vec<Facts>, received_ms: i64) -> Dossier {
        let watermarks = ["TRB", "QAM"].map(|c| (c.to_string(), received_ms)).into();
        Dossier { anchor, linked, watermarks, policy: Policy::default() }
    }

    pub(crate) fn event(kind: &str, at_ms: i64, data: Json) -> Json {
        json!({"type": kind, "at_ms": at_ms, "counts": true, "data": data, "id": format!("{kind}@{at_ms}")})
    }

    #[test]
    fn identity_stays_when_the_evidence_changes() {
        let at = |value: &str| {
            let contested = json!({"contested": {"seal.1": [{"value": value}, {"value": "b"}]}});
            reconcile(&dossier(facts("P1", "passage", "TRB", contested), vec![], 0)).remove(0)
        };
        assert_eq!(at("a").id, at("c").id);
        assert_ne!(at("a").evidence_digest, at("c").evidence_digest);
    }
}
