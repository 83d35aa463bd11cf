//! R32: a field was changed by somebody who may, after a decision rested on it: an assessment, a
//! release, a clearing, a link, or a lookout that had matched what it held. Or a whole passage was
//! taken back as recorded in error, after others had seen the vehicle.

use crate::{Contradiction, Dossier, Fact, Facts, Rule, sentence::reason_given, sentences};
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
    Assessed = "R32-assessed" {}
    Released = "R32-released" {}
    Cleared = "R32-cleared" {}
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

fn found(dossier: &Dossier, change: FieldChange<'_>) -> Option<Contradiction> {
    let ground = own_ground(change).or_else(|| matched(dossier, change))?;
    Some(told(&dossier.anchor, change, &ground))
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

    let says = match untold(changed) {
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

/// What its author knew of rests on it, in the record itself: nothing on its way changes that.
fn own_ground(change: FieldChange<'_>) -> Option<Ground> {
    let after = change.text("after");
    let says = match after {
        "" => return None,
        "assessed" => Says::Assessed {},
        "released" => Says::Released {},
        "conditional" => Says::LetGo {},
        "rad.adjudicated" => Says::Adjudicated {},
        "cleared" => Says::Cleared {},
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
        let mut links = other.events("link");
        links.any(|l| l.text("record") == Some(anchor.id.as_str()) && l.at_ms() <= at_ms)
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
mod tests {
    use super::*;
    use crate::{Phase, reconcile, tests::*};

    fn change(field: &str, before: &str, at_ms: i64, after: Option<&str>) -> Json {
        json!({
            "field": field,
            "before": [before],
            "value": "99Z1",
            "officer": "OF-1",
            "department": "PORT",
            "at_ms": at_ms,
            "entry": format!("entry@{at_ms}"),
            "after": after,
            "reason": null,
        })
    }

    fn truck(changes: &[Json]) -> Facts {
        passage("P1", json!({"vehicle.plate": "99Z1"}), &[]).with("changed_after", json!(changes))
    }

    fn lookout(term: &str, placed_ms: i64, more: &[Json]) -> Facts {
        let placed = event("hold.placed", placed_ms, json!({}));
        let events = [&[placed], more].concat();
        hold("H1", json!({"target.term": term}), &events)
    }

    #[test]
    fn what_rested_on_it_in_the_record_is_enough() {
        for after in ["cleared", "link"] {
            let changed = truck(&[change("vehicle.plate", "11A1", 5, Some(after))]);
            assert_eq!(
                firm("R32", changed.clone(), vec![]),
                [Phase::Firm],
                "{after}"
            );
            assert_eq!(phases("R32", &dossier(changed, vec![], 0)), [Phase::Firm]);
        }

        let goods = |field: &str| {
            let changes = json!([change(field, "1", 5, Some("assessed"))]);
            entry("E1", json!({}), &[]).with("changed_after", changes)
        };
        assert_eq!(firm("R32", goods("goods.1.hs_code"), vec![]), [Phase::Firm]);

        let mass = goods("goods.1.net_g").with("after_assessment", json!(["goods.1.net_g"]));
        assert_eq!(firm("R32", mass, vec![]), [], "R03 tells it");
        assert_eq!(firm("R32", truck(&[]), vec![]), []);
    }

    #[test]
    fn what_others_have_seen_is_not_taken_back_as_an_error() {
        let found = |(officer, department, attested): (&str, &str, bool), mut said: Json| {
            said["officer"] = officer.into();
            said["department"] = department.into();
            said["attested"] = attested.into();
            let voided = event("voided", 9, json!({"reason": "a typing error"}));
            let truck = passage("P1", json!({}), &[said, voided]);
            assert_eq!(firm("R32", truck.clone(), vec![]), [], "it stands");
            firm("R32", truck.state_is("VOID"), vec![])
        };

        let weighed = || event("weighed", 5, json!({"gross_kg": 45_000}));
        assert_eq!(found(("OF-2", "OPS", true), weighed()), [Phase::Firm]);
        let check = event("check.opened", 5, json!({"check": "documents"}));
        assert_eq!(found(("OF-2", "CUS", false), check), [Phase::Firm]);
        let strange = event("scanned", 5, json!({"anomaly": true}));
        assert_eq!(found(("OF-2", "OPS", false), strange), [Phase::Firm]);

        assert_eq!(found(("OF-2", "OPS", false), weighed()), [], "unattested");
        assert_eq!(found(("OF-1", "PORT", true), weighed()), [], "its own");
        let read = event("gate.read", 5, json!({"device": "ANPR"}));
        assert_eq!(found(("", "", false), read), [], "a camera's slip");
    }

    #[test]
    fn changes_by_one_officer_for_one_cause_are_one_finding() {
        let changes: Vec<Json> = (0..9)
            .map(|n| change("vehicle.plate", "11A1", n, Some("cleared")))
            .collect();
        assert_eq!(firm("R32", truck(&changes), vec![]).len(), 1);
    }

    #[test]
    fn changes_beyond_those_told_are_counted() {
        let changes = [change("vehicle.plate", "11A1", 1, Some("cleared"))];
        let found = |in_all: u64| {
            let truck = truck(&changes).with("changed_after_count", in_all.into());
            let all = reconcile(&dossier(truck, vec![], 0));
            let found = all.into_iter().find(|f| f.rule.code == "R32").unwrap();
            found.contradiction
        };

        let all_told = found(1);
        assert_eq!(all_told.evidence["changes_in_all"], Json::Null);
        assert!(!crate::sentence::english(&all_told.sentence).contains("such changes"));
        let more = found(250);
        assert_eq!(more.evidence["changes_in_all"], 250);
        let told = crate::sentence::english(&more.sentence);
        assert!(told.contains("the record has 250 such changes"), "{told}");
    }

    #[test]
    fn a_lookout_that_had_matched_tells_of_the_plate_that_was_changed_away() {
        let changed = || truck(&[change("vehicle.plate", "11-A-1", 50, None)]);
        let found = |hold: Facts| firm("R32", changed(), vec![hold]);
        assert_eq!(found(lookout("11 A 1", 10, &[])), [Phase::Firm]);

        let waits = dossier(changed(), vec![lookout("11A1", 10, &[])], 49);
        assert_eq!(
            phases("R32", &waits),
            [Phase::Pending],
            "a release may be on its way"
        );

        let mut backdated = change("vehicle.plate", "11-A-1", 5, None);
        backdated["entered_ms"] = 50.into();
        assert_eq!(
            firm("R32", truck(&[backdated]), vec![lookout("11 A 1", 10, &[])]),
            [Phase::Firm],
            "it was written when the lookout stood"
        );

        assert_eq!(found(lookout("11A2", 10, &[])), [], "it looked for another");
        assert_eq!(found(lookout("11A1", 60, &[])), [], "it was placed later");
        let released = event("released", 40, json!({"holds": ["hold.placed@10"]}));
        assert_eq!(found(lookout("11A1", 10, &[released])), [], "it was over");
        assert_eq!(
            firm("R32", changed(), vec![]),
            [],
            "a misread plate, and nothing rests on it"
        );
    }

    #[test]
    fn goods_of_a_held_entry_rest_on_the_container_that_carried_them() {
        let goods = || entry("E1", json!({"container.1": "CSQU3054383"}), &[]);
        let hold = |more: &[Json]| {
            let placed = [
                event("hold.placed", 10, json!({})),
                event("link", 10, json!({"record": "E1"})),
            ];
            hold("H1", json!({}), &[&placed, more].concat())
        };
        let found = |before: &str, hold: Facts| {
            let changed = truck(&[change("container.1", before, 50, None)]);
            firm("R32", goods(), vec![changed, hold])
        };

        assert_eq!(found("CSQU 305438-3", hold(&[])), [Phase::Firm]);
        assert_eq!(
            found("MSCU1234565", hold(&[])),
            [],
            "it carried other goods"
        );
        let released = event("released", 40, json!({"holds": ["hold.placed@10"]}));
        assert_eq!(found("CSQU3054383", hold(&[released])), [], "it was over");

        let linked = change("container.1", "CSQU3054383", 50, Some("link"));
        let told_there = firm("R32", goods(), vec![truck(&[linked]), hold(&[])]);
        assert_eq!(told_there, [], "the truck's own finding tells it");
    }

    #[test]
    fn what_names_the_truck_rests_on_it_from_then_on() {
        let changed = || truck(&[change("container.1", "CSQU3054383", 50, None)]);
        let linked = |at_ms: i64| event("link", at_ms, json!({"record": "P1"}));
        let goods = |at_ms| entry("E1", json!({}), &[linked(at_ms)]);
        assert_eq!(firm("R32", changed(), vec![goods(40)]), [Phase::Firm]);
        assert_eq!(
            firm("R32", changed(), vec![goods(51)]),
            [],
            "linked afterwards"
        );
        let cancelled = |at_ms: i64| {
            let cancelled = event("cancelled", at_ms, json!({}));
            entry("E1", json!({}), &[linked(40), cancelled]).state_is("CANCELLED")
        };
        assert_eq!(firm("R32", changed(), vec![cancelled(45)]), []);
        assert_eq!(
            firm("R32", changed(), vec![cancelled(60)]),
            [Phase::Firm],
            "it stood by then"
        );
    }

    #[test]
    fn a_lookout_for_goods_is_not_shaken_off_by_another_origin() {
        let goods = |field: &str, before: &str, now: (&str, &str)| {
            let fields = json!({"goods.hs_code": now.0, "goods.origin": now.1});
            let changes = json!([change(field, before, 5, None)]);
            passage("P1", fields, &[]).with("changed_after", changes)
        };
        let sought = || vec![lookout("0701+EC", 1, &[])];

        let origin = goods("goods.origin", "EC", ("0701.90", "TR"));
        assert_eq!(firm("R32", origin, sought()), [Phase::Firm]);
        let code = goods("goods.hs_code", "0701.90", ("252329", "EC"));
        assert_eq!(firm("R32", code, sought()), [Phase::Firm]);

        let other = goods("goods.origin", "CO", ("0701.90", "TR"));
        assert_eq!(firm("R32", other, sought()), [], "nobody sought that");
        let later = goods("goods.origin", "EC", ("0701.90", "TR"));
        assert_eq!(firm("R32", later, vec![lookout("0701+EC", 9, &[])]), []);
    }

    #[test]
    fn both_halves_of_what_goods_are_known_by_may_change_at_once() {
        let changes = json!([
            change("goods.1.hs_code", "0701", 5, None),
            change("goods.1.origin", "EC", 5, None),
        ]);
        let fields = json!({"goods.1.hs_code": "2523", "goods.1.origin": "TR"});
        let declared = entry("E1", fields, &[]).with("changed_after", changes);

        let sought = || vec![lookout("0701+EC", 1, &[])];
        assert_eq!(firm("R32", declared.clone(), sought()).len(), 1);
        assert_eq!(firm("R32", declared, vec![lookout("0701+TR", 1, &[])]), []);
    }
}
