//! R32: a field was changed by somebody who may, after a decision rested on it: an assessment, a
//! release, a clearing, an admission, a link, or a lookout that had matched what it held. Or a
//! whole passage was taken back as recorded in error, after others had seen the vehicle.

use crate::{
    Contradiction, Dossier, Fact, Facts, Rule, numbers::seconds_ms,
    rules::movement::seal_broken::is_changed_by_right, sentence::reason_given, sentences,
};
use serde_json::{Value as Json, json};
use std::collections::BTreeSet;
use wadi_record::{KnownBy, field_term, goods_terms, normalise_target};
use wadi_words::Sentence;

pub(crate) const RULE: Rule = Rule {
    code: "R32",
    name: "changed_after",
    severity: 1,
    sentences: SENTENCES,
    judge,
};

sentences! {
    Changed = "R32-changed" {
        officer: officer, field: field, record: record, before: text, value: text,
        ground: clause, why: clause,
    }
    ChangedAmong = "R32-changed-among" {
        officer: officer, field: field, record: record, before: text, value: text,
        ground: clause, why: clause, n: number,
    }
    Captured = "R32-captured" {
        officer: officer, field: field, record: record, value: text, ground: clause, why: clause,
    }
    Assessed = "R32-assessed" {}
    Paid = "R32-paid" {}
    Released = "R32-released" {}
    Cleared = "R32-cleared" {}
    Admitted = "R32-admitted" {}
    Left = "R32-left" {}
    LetGo = "R32-let-go" {}
    Adjudicated = "R32-adjudicated" {}
    Linked = "R32-linked" {}
    Hold = "R32-hold" { hold: record }
    Entry = "R32-entry" { entry: record }
    HeldGoods = "R32-held-goods" { hold: record, goods: record }
    Voided = "R32-voided" { officer: officer, record: record, event: event, why: clause }
}

/// Types of events by which others than the gate tell that a vehicle was there.
const SEEN_BY_OTHERS: [&str; 6] = [
    "weighed",
    "scanned",
    "check.opened",
    "unloaded",
    "reloaded",
    "transhipped",
];

fn judge(dossier: &Dossier) -> Vec<Contradiction> {
    let anchor = &dossier.anchor;
    let own = changes_of(anchor)
        .filter(|change| !is_mass_of_assessment(anchor, change))
        .filter(|change| !is_resealed(dossier, change))
        .filter_map(|change| found(dossier, change));

    own.chain(of_trucks(dossier))
        .chain(voided_after(anchor))
        .collect()
}

/// A passage that was voided as recorded in error, although others had seen the vehicle: what they
/// said of it counts for nothing any more.
fn voided_after(passage: &Facts) -> Option<Contradiction> {
    if passage.state() != "VOID" {
        return None;
    }

    let all = passage.events("voided");
    let voided = all.min_by_key(|e| (e.known_from_ms(), e.id()))?;
    let is_evidence = |e: &Fact<'_>| {
        let is_of_others =
            e.officer() != voided.officer() && e.said_from_ms() <= voided.known_from_ms();
        let by_supervisors = !matches!(e.department(), "" | "OPS" | "PORT");
        is_of_others && (e.attested() || by_supervisors || e.flag("anomaly"))
    };
    let seen: Vec<Fact<'_>> = passage.any(&SEEN_BY_OTHERS).filter(is_evidence).collect();
    let last = seen.last()?;

    let entries: Vec<&str> = seen.iter().map(Fact::entry).collect();
    let officer = voided.officer();
    let evidence = json!({"officer": officer, "type": last.kind(), "events": entries});
    let says = Says::Voided {
        officer,
        record: passage.printed(),
        event: last.kind(),
        why: reason_given(voided.text("reason")),
    };
    Some(Contradiction::new("voided", voided.at_ms(), says, evidence))
}

/// The changes that a record's projection tells.
fn changes_of(facts: &Facts) -> impl Iterator<Item = FieldChange<'_>> {
    let all = facts.json["changed_after"].as_array();
    all.into_iter().flatten().map(FieldChange)
}

/// Trucks that carried the goods of a held entry until somebody changed what they were known by.
/// They stand on the entry: a passage does not know the holds of its entries.
fn of_trucks(dossier: &Dossier) -> Vec<Contradiction> {
    let goods = &dossier.anchor;
    if !goods.is_customs_entry() {
        return Vec::new();
    }

    let entry = goods.known_by();
    let named = |hold: &&Facts| entry.is_named_by(&hold.known_by());
    let holds: Vec<&Facts> = dossier.of("hold").filter(named).collect();
    if holds.is_empty() {
        return Vec::new();
    }

    let mut all = Vec::new();
    for truck in dossier.of("passage") {
        let changes = changes_of(truck).filter(|change| own_ground(*change).is_none());
        for change in changes {
            let before = change.known_before(truck);
            let mut open = holds.iter().filter(|h| h.was_open_at(change.at_ms()));
            let hold = open.find(|h| !before.is_named_by(&h.known_by()));
            if let Some(hold) = hold
                && before.carries(&entry, &dossier.policy)
            {
                let ground = Ground {
                    name: format!("{} {}", hold.id, truck.id),
                    says: Says::HeldGoods {
                        hold: hold.printed(),
                        goods: goods.printed(),
                    }
                    .into(),
                    concerns: concerned(hold, truck),
                };
                all.push(told(truck, change, &ground));
            }
        }
    }

    all
}

/// Crossings that may yet tell of a hold's release, or of when something was said: those of the
/// hold and of the record, and the hub.
fn concerned(other: &Facts, changed: &Facts) -> Vec<String> {
    [other.crossing(), changed.crossing(), "HUB"]
        .map(String::from)
        .to_vec()
}

/// A change of a field, as the record's projection tells it.
#[derive(Clone, Copy)]
struct FieldChange<'a>(&'a Json);

impl<'a> FieldChange<'a> {
    fn text(self, member: &str) -> &'a str {
        self.0[member].as_str().unwrap_or_default()
    }

    fn is_of_seal(self) -> bool {
        self.text("field").starts_with("seal.")
    }

    /// When the field changed: when it was written, whatever time its author says it is of. What
    /// rested on it by then was there to be seen.
    fn at_ms(self) -> i64 {
        let said_ms = self.0["at_ms"].as_i64().unwrap_or(0);
        self.0["entered_ms"]
            .as_i64()
            .unwrap_or(said_ms)
            .max(said_ms)
    }

    /// What its record was known by through this field before it was changed.
    fn known_before(self, of: &Facts) -> KnownBy {
        let values = self.0["before"].as_array().into_iter().flatten();
        let claims: Vec<Json> = values.map(|value| json!({"value": value})).collect();
        let projection = json!({
            "kind": of.kind(),
            "contested": {(self.text("field")): claims},
        });
        KnownBy::of(&of.id, of.known_by_ms(), &projection)
    }

    /// The texts that the field held before.
    fn texts_before(self) -> impl Iterator<Item = &'a str> {
        let before = self.0["before"].as_array().into_iter().flatten();
        before.filter_map(Json::as_str)
    }

    /// What the field held before, as lookouts are compared with it.
    fn held_before(self) -> impl Iterator<Item = String> + 'a {
        let field = self.text("field");
        self.texts_before()
            .filter_map(move |text| Some(field_term(field, text)?.1))
    }
}

/// What rested on a field of the record.
struct Ground {
    /// Its name, which tells it from others of one officer.
    name: String,
    /// The same as a clause.
    says: Sentence,
    /// Crossings that may yet tell otherwise.
    concerns: Vec<String>,
}

/// A mass that was changed after the assessment is told by R03.
fn is_mass_of_assessment(anchor: &Facts, change: &FieldChange<'_>) -> bool {
    let field = change.text("field");
    let mut told = anchor.json["after_assessment"]
        .as_array()
        .into_iter()
        .flatten();
    field.ends_with("_g") && told.any(|f| f == field)
}

/// A seal that gave way to another one as a search, or customs at a reloading, had told by then.
fn is_resealed(dossier: &Dossier, change: &FieldChange<'_>) -> bool {
    if !change.is_of_seal() {
        return false;
    }

    let doubt_ms = seconds_ms(dossier.policy.clock_doubt_s);
    let by_ms = change.at_ms().saturating_add(doubt_ms);
    let before: Vec<&str> = change.texts_before().collect();
    is_changed_by_right(dossier, &before, change.0["value"].as_str(), by_ms)
}

fn found(dossier: &Dossier, change: FieldChange<'_>) -> Option<Contradiction> {
    let anchor = &dossier.anchor;
    let mut ground = own_ground(change).or_else(|| matched(dossier, change))?;
    // The search that names the new seal may still be on its way.
    if change.is_of_seal() {
        ground.concerns = concerned(anchor, anchor);
    }

    Some(told(anchor, change, &ground))
}

/// The finding of a change of a record.
fn told(changed: &Facts, change: FieldChange<'_>, ground: &Ground) -> Contradiction {
    let (officer, field) = (change.text("officer"), change.text("field"));
    let record = changed.printed();
    let (before, value) = (
        &change.0["before"].to_string(),
        &change.0["value"].to_string(),
    );
    let reason = Some(change.text("reason")).filter(|reason| !reason.is_empty());
    let (why, rested) = (reason_given(reason), ground.says.clone());
    let mut evidence = json!({
        "officer": officer,
        "field": field,
        "before": change.0["before"],
        "value": change.0["value"],
        "after": ground.name,
    });

    let held_nothing = change.0["before"].as_array().is_some_and(Vec::is_empty);
    let says = match untold(changed) {
        None if held_nothing => Says::Captured {
            officer,
            field,
            record,
            value,
            ground: rested,
            why,
        },
        None => Says::Changed {
            officer,
            field,
            record,
            before,
            value,
            ground: rested,
            why,
        },
        Some(in_all) => {
            evidence["changes_in_all"] = in_all.into();
            Says::ChangedAmong {
                officer,
                field,
                record,
                before,
                value,
                ground: rested,
                why,
                n: i64::try_from(in_all).unwrap_or(i64::MAX),
            }
        }
    };

    let basis = json!({"officer": officer, "after": ground.name});
    let name = format!("{} {officer}", ground.name);
    let found = Contradiction::new(name, change.at_ms(), says, evidence)
        .of_cause(basis)
        .each(change.text("entry"));

    let concerns = ground.concerns.iter().map(String::as_str);
    found.until(concerns, change.at_ms())
}

/// How many changes there are in all, where a record has more than it tells each for itself.
fn untold(anchor: &Facts) -> Option<u64> {
    let told = anchor.json["changed_after"].as_array().map_or(0, Vec::len);
    let in_all = anchor.json["changed_after_count"].as_u64()?;
    (in_all > told as u64).then_some(in_all)
}

/// What its author knew of rests on it, in the record itself: nothing on its way changes that, but
/// of a seal.
fn own_ground(change: FieldChange<'_>) -> Option<Ground> {
    let after = change.text("after");
    let says = match after {
        "" => return None,
        "assessed" => Says::Assessed {},
        "paid" => Says::Paid {},
        "released" | "entry.released" => Says::Released {},
        "conditional" => Says::LetGo {},
        "rad.adjudicated" => Says::Adjudicated {},
        "cleared" => Says::Cleared {},
        "person.admitted" => Says::Admitted {},
        "gate.out" => Says::Left {},
        _ => Says::Linked {},
    };

    Some(Ground {
        name: after.into(),
        says: says.into(),
        concerns: Vec::new(),
    })
}

/// What goods were known by before their code or origin was changed: the one as it was before this
/// change, with the other as it stood then.
fn goods_before(anchor: &Facts, change: FieldChange<'_>) -> Vec<String> {
    let field = change.text("field");
    let (item, other) = match (field.strip_suffix("hs_code"), field.strip_suffix("origin")) {
        (Some(item), _) => (item, "origin"),
        (_, Some(item)) => (item, "hs_code"),
        (None, None) => return Vec::new(),
    };

    // Where it was changed later, or in the same entry, it stood as it was before that.
    let other = format!("{item}{other}");
    let later = changes_of(anchor)
        .filter(|c| c.text("field") == other && c.at_ms() >= change.at_ms())
        .min_by_key(|c| c.at_ms());
    let stood: Vec<&str> = match later {
        Some(later) => later.texts_before().collect(),
        None => anchor.field(&other).into_iter().collect(),
    };

    let pairs = change.texts_before().flat_map(|before| {
        stood
            .iter()
            .map(move |other| match field.ends_with("origin") {
                true => (*other, before),
                false => (before, *other),
            })
    });
    pairs
        .flat_map(|(code, origin)| goods_terms(code, origin))
        .collect()
}

/// Another record rested on it: an open hold or a customs entry that named it, or a lookout for
/// what it was known by.
fn matched(dossier: &Dossier, change: FieldChange<'_>) -> Option<Ground> {
    let anchor = &dossier.anchor;
    let at_ms = change.at_ms();
    let named = |other: &Facts| {
        let mut links = other.naming(anchor);
        links.any(|l| l.at_ms() <= at_ms)
    };
    let before: BTreeSet<String> = change
        .held_before()
        .chain(goods_before(anchor, change))
        .collect();
    let looked_out = |hold: &Facts| {
        let target = hold.field("target.term").map(normalise_target);
        target.is_some_and(|target| before.contains(&target))
    };

    let holds = dossier.of("hold").filter(|h| h.was_open_at(at_ms));
    // A hold on the papers of an entry is there to have them put right.
    let is_named = |h: &Facts| anchor.is_passage() && named(h);
    let hold = holds.into_iter().find(|h| looked_out(h) || is_named(h));
    // Cancelled afterwards, it stood when the field was changed.
    let cancelled_later = |e: &Facts| {
        let mut cancelled = e.events("cancelled");
        cancelled.any(|c| c.known_from_ms() > at_ms)
    };
    let stood = |e: &Facts| e.state() != "CANCELLED" || cancelled_later(e);
    let mut entries = dossier.of("customs-entry");
    let entry = || entries.find(|e| anchor.is_passage() && stood(e) && named(e));
    let other = hold.or_else(entry)?;

    let printed = other.printed();
    let says = if other.is_hold() {
        Says::Hold { hold: printed }
    } else {
        Says::Entry { entry: printed }
    };
    Some(Ground {
        name: other.id.clone(),
        says: says.into(),
        // Its release, or when it was said, may still be on its way.
        concerns: concerned(other, anchor),
    })
}

#[cfg(test)]
mod tests;
