//! One cause, one finding, however often somebody repeats it.
//!
//! A rule says every contradiction that it meets. Those of one cause (the same officer, the same
//! type of event, the same refusal) come together here as one with a count, so that two hundred and
//! fifty refused events in one entry are one line, and not as many. Of the entries that say it the
//! first and the last are named. Should there still be too many causes of one rule on one record,
//! the earliest are told each for itself and the rest in one line.

use crate::{
    Contradiction, Dossier, Phase,
    numbers::{magnitude, whole},
    sentence::{english, more_findings, more_of_this_kind},
    short_hash,
    text::bounded,
};
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};

/// Findings of one rule on one record that are told each for itself.
pub(crate) const FINDINGS_MAX: usize = 100;
/// Members of a list that are shown from its beginning, and from its end, where it is longer than
/// both.
pub(crate) const SHOWN_EACH_END: usize = 10;
/// Letters of a finding's sentence.
pub(crate) const TEXT_LETTERS_MAX: usize = 1_000;
/// Letters of a value of the sentence, and members of a list in it.
const VALUE_LETTERS_MAX: usize = 200;
const VALUE_MEMBERS_MAX: usize = 10;
/// Letters of a text in the evidence.
const EVIDENCE_LETTERS_MAX: usize = 300;
/// Levels of lists and objects in the evidence.
const EVIDENCE_DEPTH_MAX: usize = 8;

/// A contradiction as it becomes a finding.
pub(crate) struct JudgedContradiction {
    pub(crate) contradiction: Contradiction,
    /// Its sentence in English.
    pub(crate) text: String,
    pub(crate) phase: Phase,
    pub(crate) evidence_digest: String,
}

/// What a rule said of a dossier, one for each cause.
pub(crate) fn one_for_each_cause(
    dossier: &Dossier,
    said: Vec<Contradiction>,
) -> Vec<JudgedContradiction> {
    let mut causes: BTreeMap<String, Vec<Contradiction>> = BTreeMap::new();
    for contradiction in said {
        causes
            .entry(contradiction.discriminator.clone())
            .or_default()
            .push(contradiction);
    }

    let mut told: Vec<JudgedContradiction> = causes
        .into_values()
        .filter_map(|all| merge_cause(dossier, all))
        .collect();
    if told.len() > FINDINGS_MAX {
        told.sort_by(|a, b| order_key(a).cmp(&order_key(b)));
        let rest = told.split_off(FINDINGS_MAX);
        told.extend(the_rest(dossier, &rest));
    }

    told
}

fn order_key(told: &JudgedContradiction) -> (i64, &str) {
    (told.contradiction.at_ms, &told.contradiction.discriminator)
}

/// All contradictions of one cause as one. Of those that repeat, the ones count that nothing on its
/// way can explain any more, where there are any: a repetition makes no firm finding wait again.
fn merge_cause(dossier: &Dossier, all: Vec<Contradiction>) -> Option<JudgedContradiction> {
    let repeats = all.first()?.repeats();
    if !repeats {
        let contradiction = all.into_iter().next()?;
        let evidence_digest = short_hash(&[&contradiction.evidence.to_string()]);
        return Some(bounded_contradiction(
            dossier,
            contradiction,
            evidence_digest,
        ));
    }

    let (firm, pending): (Vec<_>, Vec<_>) = all
        .into_iter()
        .partition(|c| dossier.phase(c) == Phase::Firm);
    let mut these = if firm.is_empty() { pending } else { firm };

    these.sort_by(|a, b| (a.at_ms, &a.references).cmp(&(b.at_ms, &b.references)));
    let count = these.len();
    let references: Vec<&str> = these
        .iter()
        .flat_map(|c| &c.references)
        .map(String::as_str)
        .collect();

    let events = ends(&distinct(&references));

    // Pending ones become firm with the one that waits the shortest.
    let at = these
        .iter()
        .enumerate()
        .min_by_key(|(n, c)| (c.through_ms, *n))
        .map_or(0, |(n, _)| n);

    let soonest = these.get(at)?;
    let concerns = soonest.concerns.clone();
    let through_ms = soonest.through_ms;

    let mut these = these.into_iter();
    let mut first = these.next()?;
    these.for_each(|other| first.cite_all_of(&other));
    first.concerns = concerns;
    first.through_ms = through_ms;

    if count > 1 {
        let more = more_of_this_kind(whole(count.saturating_sub(1)));
        first.sentence.then.push(more);
    }

    let basis = first.basis.as_ref().unwrap_or(&first.evidence).to_string();
    let evidence_digest = short_hash(&[&basis, &magnitude(count).to_string()]);
    if let Some(evidence) = first.evidence.as_object_mut() {
        evidence.insert("count".into(), count.into());
        evidence.insert("events".into(), events);
    }

    Some(bounded_contradiction(dossier, first, evidence_digest))
}

/// In their order, each once.
fn distinct<'a>(all: &[&'a str]) -> Vec<Json> {
    let mut seen: BTreeSet<&'a str> = BTreeSet::new();
    all.iter()
        .filter(|r| seen.insert(r))
        .map(|r| Json::from(*r))
        .collect()
}

/// What there is beyond the findings that are told each for itself.
fn the_rest(dossier: &Dossier, rest: &[JudgedContradiction]) -> Option<JudgedContradiction> {
    let firm = rest.iter().any(|t| t.phase == Phase::Firm);
    let soonest = rest.iter().min_by_key(|t| t.contradiction.through_ms)?;
    let texts: Vec<Json> = rest.iter().map(|t| Json::from(t.text.as_str())).collect();
    let count = rest.len();
    let contradiction = Contradiction {
        concerns: if firm {
            Vec::new()
        } else {
            soonest.contradiction.concerns.clone()
        },
        through_ms: soonest.contradiction.through_ms,
        ..Contradiction::new(
            "the rest",
            soonest.contradiction.at_ms,
            more_findings(whole(count), dossier.anchor.printed()),
            json!({"count": count, "findings": ends(&texts)}),
        )
    };

    let evidence_digest = short_hash(&["the rest", &magnitude(count).to_string()]);
    Some(bounded_contradiction(
        dossier,
        contradiction,
        evidence_digest,
    ))
}

/// With a sentence and evidence of bounded length. What it rests on is in the digest, and on the
/// records.
fn bounded_contradiction(
    dossier: &Dossier,
    mut contradiction: Contradiction,
    evidence_digest: String,
) -> JudgedContradiction {
    let phase = dossier.phase(&contradiction);
    let unheard = dossier.unheard(&contradiction);
    if phase == Phase::Firm && !unheard.is_empty() {
        let not_heard = crate::sentence::unheard(&unheard);
        contradiction.sentence.then.push(not_heard);
    }

    let text = bounded(&english(&contradiction.sentence), TEXT_LETTERS_MAX);
    contradiction.sentence = contradiction
        .sentence
        .bounded(VALUE_LETTERS_MAX, VALUE_MEMBERS_MAX);
    contradiction.evidence = bounded_json(&contradiction.evidence, EVIDENCE_DEPTH_MAX);

    JudgedContradiction {
        contradiction,
        text,
        phase,
        evidence_digest,
    }
}

/// A list, or where it is long its two ends and how long it is.
fn ends(all: &[Json]) -> Json {
    let (Some(first), Some(last)) = (
        all.get(..SHOWN_EACH_END),
        all.len().checked_sub(SHOWN_EACH_END),
    ) else {
        return all.into();
    };

    if all.len() <= SHOWN_EACH_END.saturating_mul(2) {
        return all.into();
    }

    json!({"first": first, "last": all.get(last..).unwrap_or_default(), "of": all.len()})
}

fn bounded_json(value: &Json, depth: usize) -> Json {
    let Some(below) = depth.checked_sub(1) else {
        return "…".into();
    };
    match value {
        Json::String(text) => bounded(text, EVIDENCE_LETTERS_MAX).into(),
        Json::Array(all) => ends(
            &all.iter()
                .map(|v| bounded_json(v, below))
                .collect::<Vec<_>>(),
        ),
        Json::Object(all) => {
            let members = all
                .iter()
                .map(|(name, v)| (bounded(name, EVIDENCE_LETTERS_MAX), bounded_json(v, below)));
            Json::Object(members.collect())
        }
        other => other.clone(),
    }
}
