//! What contradicts what: thirty rules, pure and one file each.
//!
//! A [`Dossier`] is a record with the records one link away, and with its cohorts: records of its
//! device, HS code, plate neighbourhood, officer or replica. A rule looks at one and returns
//! [`Contradiction`]s. A finding whose missing half may still be on its way is PENDING until every
//! crossing concerned is received through the time in question, and FIRM only then: a late truck is
//! not a missing truck.
//!
//! Records hold whatever their authors wrote. So text is cut between letters, sums end at the end
//! of the range of numbers, and a rule that fails all the same is contained and told.

#![deny(clippy::string_slice, clippy::arithmetic_side_effects)]
#![cfg_attr(test, allow(clippy::arithmetic_side_effects))]

mod calibration_expired;
mod causes;
mod certificate_missing;
mod check_digit;
mod clock_or_sequence;
mod contained;
mod contested_field;
mod custody_broken;
mod diversion_open;
mod duplicate_reference;
mod facts;
mod impossible_journey;
mod inland_overdue;
mod lane_ignored;
mod life;
mod missing_counterpart;
mod money_against_state;
mod near_duplicate_vehicle;
mod no_authority;
mod numbers;
mod override_outlier;
mod package_count;
mod passed_while_held;
mod person_in_out;
mod presence_outside_stay;
mod radiation_unresolved;
mod released_against_result;
mod released_unseen_hold;
mod replicas_differ;
mod result_overdue;
mod seal_broken;
mod self_attested;
mod text;
mod transit_open;
mod undervalued;
mod weight_mismatch;

pub use contained::{RULE_FAILED, stands_unjudged};
pub use facts::{Fact, Facts};
pub use life::{Life, life};

use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};
use wadi_record::Policy;

/// An hour in milliseconds.
pub(crate) const HOUR_MS: i64 = 3_600_000;
/// Numbers of a device before one that is missing that are asked for at most, whatever the policy
/// says: a dossier takes a bounded number of its cohorts' records.
const SEQUENCE_BACK_MAX: u64 = 200;

/// How many numbers of a device before one that is missing are looked at.
pub(crate) fn sequence_back(policy: &Policy) -> u64 {
    u64::from(policy.sequence_back).min(SEQUENCE_BACK_MAX)
}

/// A record with the records one link away, of any crossing, and with its cohorts.
#[derive(Clone, Debug)]
pub struct Dossier {
    /// The record in question.
    pub anchor: Facts,
    /// Records that it names, or that name it, or that share a term.
    pub linked: Vec<Facts>,
    /// Records of its cohorts.
    pub peers: Vec<Facts>,
    /// Per crossing: received through that time, Unix milliseconds.
    pub watermarks: BTreeMap<String, i64>,
    /// Tolerances and deadlines.
    pub policy: Policy,
    /// Officers of this record who are revoked by now, and since when, by the hub's clock, Unix
    /// milliseconds.
    pub revoked: BTreeMap<String, i64>,
    /// What the authors of decisions had taken in: (the deciding entry, an entry of another
    /// record).
    pub knew: BTreeSet<(String, String)>,
    /// Of these kinds not all records were taken in: the rules saw the nearest ones.
    pub cut: BTreeMap<String, Cut>,
}

/// How many records of a kind a dossier took, of how many there were.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cut {
    /// So many were taken.
    pub taken: u64,
    /// Of so many.
    pub of: u64,
}

impl Dossier {
    /// Whether a finding that depends on these crossings up to a time is pending or firm.
    fn phase(&self, contradiction: &Contradiction) -> Phase {
        let received = |c: &String| {
            self.watermarks
                .get(c)
                .is_some_and(|w| *w >= contradiction.through_ms)
        };

        if contradiction.concerns.iter().all(received) {
            Phase::Firm
        } else {
            Phase::Pending
        }
    }

    /// Linked records of a kind.
    pub(crate) fn of<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Facts> {
        self.linked.iter().filter(move |r| r.kind() == kind)
    }

    /// Linked passages or entries of the same journey: those that name each other or share a
    /// container or a reference, and of those that only share a plate the ones within the time that
    /// a counterpart has. A truck comes back.
    pub(crate) fn journey<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Facts> {
        let near_ms = numbers::hours_ms(self.policy.counterpart_h).saturating_mul(2);
        let anchor = &self.anchor;
        self.of(kind).filter(move |r| {
            let containers = r.texts("container", "");
            r.links().contains(&anchor.id.as_str())
                || anchor.links().contains(&r.id.as_str())
                || anchor
                    .texts("container", "")
                    .iter()
                    .any(|c| containers.contains(c))
                || anchor.field("transit.ref").is_some()
                    && anchor.field("transit.ref") == r.field("transit.ref")
                || numbers::apart(r.began_ms(), anchor.began_ms()) <= near_ms
        })
    }

    /// Where it was cut: a sentence's end, empty for a whole one.
    fn cut_sentence(&self) -> String {
        if self.cut.is_empty() {
            return String::new();
        }

        let kinds: Vec<String> = self
            .cut
            .iter()
            .map(|(kind, cut)| format!("{} of {} records of kind {kind}", cut.taken, cut.of))
            .collect();

        format!(" [only {} were looked at]", kinds.join(" and "))
    }

    /// Every crossing of the country.
    pub(crate) fn everywhere(&self) -> Vec<&str> {
        self.watermarks.keys().map(String::as_str).collect()
    }

    /// Whether the author of a decision had taken in an entry of another record.
    pub(crate) fn knew(&self, decision: Fact<'_>, of: &str) -> bool {
        self.knew
            .contains(&(decision.entry().to_string(), of.to_string()))
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
    /// When what it is about happened, as claimed, Unix milliseconds.
    pub at_ms: i64,
    /// What was found, in a sentence.
    pub text: String,
    /// The facts that it rests on; a change of these reopens a decided finding.
    pub evidence: Json,
    /// Crossings whose records may yet explain it.
    pub concerns: Vec<String>,
    /// Once those are received through that time, it is firm. Unix milliseconds.
    pub through_ms: i64,
    /// The entries that say it, where others of the same cause may say it as well.
    references: Vec<String>,
    /// What all of one cause have in common, where the evidence tells more than that.
    basis: Option<Json>,
}

impl Contradiction {
    /// One that nothing still on its way can explain.
    fn new(discriminator: impl Into<String>, at_ms: i64, text: String, evidence: Json) -> Self {
        Self {
            discriminator: discriminator.into(),
            at_ms,
            text,
            evidence,
            concerns: Vec::new(),
            through_ms: at_ms,
            references: Vec::new(),
            basis: None,
        }
    }

    /// It is one of any number of one cause, said by this entry: all of them, told apart by nothing
    /// but that, are one finding with a count.
    fn each(mut self, reference: &str) -> Self {
        self.references.push(reference.into());
        self
    }

    /// What it shares with all of its cause: the finding is another one once this changes, or the
    /// count by much.
    fn of_cause(mut self, basis: Json) -> Self {
        self.basis = Some(basis);
        self
    }

    /// Whether others of the same cause may repeat it.
    fn repeats(&self) -> bool {
        !self.references.is_empty()
    }

    /// It is pending until these crossings are received through a time.
    fn until<'a>(mut self, crossings: impl IntoIterator<Item = &'a str>, through_ms: i64) -> Self {
        let all: BTreeSet<String> = crossings.into_iter().map(String::from).collect();
        (self.concerns, self.through_ms) = (all.into_iter().collect(), through_ms);
        self
    }
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
    /// Its phase.
    pub phase: Phase,
    /// What people have made of it.
    pub life: Life,
    /// Where the dossier that it was made from was cut.
    pub cut: BTreeMap<String, Cut>,
}

impl Finding {
    /// The finding as JSON.
    pub fn json(&self, anchor: &Facts) -> Json {
        let c = &self.contradiction;
        let mut json = json!({
            "finding": self.id, "rule": self.rule.code, "name": self.rule.name, "severity": self.rule.severity,
            "phase": self.phase.name(), "record": anchor.printed(), "crossing": anchor.crossing(),
            "text": c.text, "evidence": c.evidence, "evidence_digest": self.evidence_digest, "at_ms": c.at_ms,
            "waits_for": match self.phase {
                Phase::Pending => json!({"crossings": c.concerns, "through_ms": c.through_ms}),
                Phase::Firm => Json::Null,
            },
            "life": self.life.json(),
        });

        if !self.cut.is_empty() {
            let cut = self
                .cut
                .iter()
                .map(|(kind, c)| (kind.clone(), json!({"taken": c.taken, "of": c.of})));
            json["dossier_cut"] = Json::Object(cut.collect());
        }

        json
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

/// All rules, in the order of their codes.
pub const RULES: &[Rule] = &[
    released_unseen_hold::RULE,
    passed_while_held::RULE,
    weight_mismatch::RULE,
    impossible_journey::RULE,
    presence_outside_stay::RULE,
    diversion_open::RULE,
    near_duplicate_vehicle::RULE,
    duplicate_reference::RULE,
    seal_broken::RULE,
    result_overdue::RULE,
    released_against_result::RULE,
    radiation_unresolved::RULE,
    contested_field::RULE,
    money_against_state::RULE,
    missing_counterpart::RULE,
    package_count::RULE,
    certificate_missing::RULE,
    custody_broken::RULE,
    lane_ignored::RULE,
    clock_or_sequence::RULE,
    no_authority::RULE,
    self_attested::RULE,
    calibration_expired::RULE,
    check_digit::RULE,
    person_in_out::RULE,
    inland_overdue::RULE,
    transit_open::RULE,
    undervalued::RULE,
    replicas_differ::RULE,
    override_outlier::RULE,
];

/// A term by which other records belong into a record's dossier or cohorts.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Ask {
    /// What is looked up.
    pub what: &'static str,
    /// The term.
    pub value: String,
    /// Whether those found are peers of a cohort, and not linked.
    pub cohort: bool,
}

/// What a record's terms ask for. Symmetrical: a record that asks for another's term is asked for
/// by it, so that a change of either looks at both.
pub fn asks(id: &str, terms: &[(String, String)], policy: &Policy) -> BTreeSet<Ask> {
    let back = sequence_back(policy);
    let mut out = BTreeSet::new();
    let mut ask = |what, value: &str, cohort| {
        out.insert(Ask {
            what,
            value: value.into(),
            cohort,
        });
    };

    ask("link", id, false);
    for (what, value) in terms {
        match what.as_str() {
            "plate" => ["plate", "target"].map(|w| ask(w, value, false)),
            "container" => ["container", "target"].map(|w| ask(w, value, false)),
            "document" => ["document", "target"].map(|w| ask(w, value, false)),
            "vin" => ["vin", "target"].map(|w| ask(w, value, false)),
            _ => [(); 2],
        };

        match what.as_str() {
            "target" => ["plate", "container", "document", "vin", "goods"]
                .into_iter()
                .for_each(|w| ask(w, value, false)),
            "goods" => ask("target", value, false),
            "link" => ask("link", value, false),
            "declarant_ref" => ask("declarant_ref", value, false),
            "transit" => ask("transit", value, false),
            "seal" => ask("seal", value, false),
            "certificate" => ask("certificate", value, false),
            "token" => ask("token", value, false),
            "acts" => ask("shift", value, false),
            "shift" => ask("acts", value, false),
            "plate_shape" => ask("plate_shape", value, true),
            "hs" => ask("hs", value, true),
            "forced" => ask("forced", value, true),
            "replica" => ask("replica", value, true),
            "device_seq" => {
                let Some((device, n)) = value.rsplit_once('#') else {
                    continue;
                };
                let n: u64 = n.parse().unwrap_or(0);
                for other in n.saturating_sub(back).max(1)..=n.saturating_add(back) {
                    ask("device_seq", &format!("{device}#{other}"), true);
                }
            }
            _ => {}
        }
    }

    out
}

fn short_hash(parts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part.as_bytes());
    }

    hasher
        .finalize()
        .iter()
        .take(16)
        .fold(String::new(), |mut out, b| {
            let _ = write!(out, "{b:02x}");
            out
        })
}

/// All findings on a dossier's anchor. The same dossier gives the same findings.
pub fn reconcile(dossier: &Dossier) -> Vec<Finding> {
    contained::judge_each(RULES, dossier)
}

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod repetition;
#[cfg(test)]
pub(crate) mod tests;
