//! What a rule is, what it says, and what becomes of that: a finding with its phase and its life.

use crate::{Dossier, DossierCut, Facts, Life, SentenceShape, cited::CitedEntries};
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};
use wadi_words::Sentence;

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
    /// What was found.
    pub sentence: Sentence,
    /// The facts that it rests on; a change of these reopens a decided finding.
    pub evidence: Json,
    /// Crossings whose records may yet explain it.
    pub concerns: Vec<String>,
    /// Once those are received through that time, it is firm. Unix milliseconds.
    pub through_ms: i64,
    /// The entries that say it, where others of the same cause may say it as well.
    pub(crate) references: Vec<String>,
    /// What all of one cause have in common, where the evidence tells more than that.
    pub(crate) basis: Option<Json>,
    /// The entries that it rests on, of each side.
    pub(crate) cites: CitedEntries,
    /// Those of the records that a side is compared with.
    pub(crate) peers: CitedEntries,
}

impl Contradiction {
    /// One that nothing still on its way can explain.
    pub(crate) fn new(
        discriminator: impl Into<String>,
        at_ms: i64,
        sentence: impl Into<Sentence>,
        evidence: Json,
    ) -> Self {
        Self {
            discriminator: discriminator.into(),
            at_ms,
            sentence: sentence.into(),
            evidence,
            concerns: Vec::new(),
            through_ms: at_ms,
            references: Vec::new(),
            basis: None,
            cites: CitedEntries::new(),
            peers: CitedEntries::new(),
        }
    }

    /// It is one of any number of one cause, said by this entry: all of them, told apart by nothing
    /// but that, are one finding with a count.
    pub(crate) fn each(mut self, reference: &str) -> Self {
        self.references.push(reference.into());
        self
    }

    /// What it shares with all of its cause: the finding is another one once this changes, or the
    /// count by much.
    pub(crate) fn of_cause(mut self, basis: Json) -> Self {
        self.basis = Some(basis);
        self
    }

    /// Whether others of the same cause may repeat it.
    pub(crate) fn repeats(&self) -> bool {
        !self.references.is_empty()
    }

    /// It is pending until these crossings are received through a time.
    pub(crate) fn until<'a>(
        mut self,
        crossings: impl IntoIterator<Item = &'a str>,
        through_ms: i64,
    ) -> Self {
        let all: BTreeSet<String> = crossings.into_iter().map(String::from).collect();
        self.concerns = all.into_iter().collect();
        self.through_ms = through_ms;

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
    /// The same in an English sentence.
    pub text: String,
    /// Its phase.
    pub phase: Phase,
    /// What people have made of it.
    pub life: Life,
    /// What it is about besides its anchor: values by their names, `record`, `plate`, `container`
    /// and `officer`.
    pub about: BTreeMap<&'static str, BTreeSet<String>>,
    /// Where the dossier that it was made from was cut.
    pub cut: BTreeMap<String, DossierCut>,
}

impl Finding {
    /// 1 is highest: the rule's, or that of a milder case of it.
    pub fn severity(&self) -> u8 {
        self.rule.severity_of(&self.contradiction.sentence.id)
    }

    /// The finding as JSON.
    pub fn json(&self, anchor: &Facts) -> Json {
        let c = &self.contradiction;
        let mut json = json!({
            "finding": self.id,
            "rule": self.rule.code,
            "name": self.rule.name,
            "severity": self.severity(),
            "phase": self.phase.name(),
            "record": anchor.printed(),
            "crossing": anchor.crossing(),
            "text": self.text,
            "sentence": c.sentence,
            "evidence": c.cited_evidence(),
            "evidence_digest": self.evidence_digest,
            "at_ms": c.at_ms,
            "waits_for": match self.phase {
                Phase::Pending => json!({"crossings": c.concerns, "through_ms": c.through_ms}),
                Phase::Firm => Json::Null,
            },
            "life": self.life.json(),
            "about": self.about,
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
    /// What it may say.
    pub sentences: &'static [SentenceShape],
    pub(crate) judge: fn(&Dossier) -> Vec<Contradiction>,
}

/// Sentences that tell a milder case than the rest of their rule, with the severity of that.
const MILDER: [(&str, u8); 2] = [("R08-day-twice", 3), ("R27-late", 3)];

impl Rule {
    /// How severe it is what a sentence of the rule says; 1 is highest.
    pub fn severity_of(&self, sentence: &str) -> u8 {
        let milder = MILDER.iter().find(|(id, _)| *id == sentence);
        milder.map_or(self.severity, |(_, severity)| *severity)
    }
}

/// SHA-256 of these texts, each with its length before it: the first 16 bytes in hexadecimal.
pub(crate) fn short_hash(parts: &[&str]) -> String {
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
