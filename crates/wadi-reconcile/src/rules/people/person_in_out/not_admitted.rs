//! Somebody who came on a list of which others were admitted, was not, and is in the country all
//! the same: who leaves it by another passage, or slept in a rest house, had come in.
//!
//! Whoever is refused waits at the crossing, and goes back from there: what is seen of them at the
//! same crossing within a day is nothing strange.

use super::{DOCUMENT_SHOWN_CHARS, Says, documents, form, is_held_by, passed, told_of_document};
use crate::{
    Contradiction, Dossier, Fact, Facts,
    numbers::{apart, hours_ms},
    text::head,
    unheard_limit_ms,
};
use serde_json::json;
use std::collections::BTreeMap;

/// Where somebody with a document was seen in the country.
struct SeenInside<'a> {
    document: &'a str,
    at_ms: i64,
    /// When that was known, Unix milliseconds.
    known_ms: i64,
    /// The entry that tells it, where it is not what the passage holds as a whole.
    entry: Option<&'a str>,
}

/// Those whom the anchor shows in the country though they were not admitted.
pub(super) fn not_admitted(dossier: &Dossier) -> Vec<Contradiction> {
    let seen = seen_inside(&dossier.anchor);
    let told = seen.into_iter().filter_map(|(wanted, seen)| {
        let listed = listed_alone(dossier, &wanted, &seen)?;
        Some(found(dossier, (wanted.as_str(), &seen), listed))
    });
    told.collect()
}

/// Whom a passage shows in the country, by their documents, and when first: those who leave with
/// it, and those who slept in a rest house.
fn seen_inside(passage: &Facts) -> BTreeMap<String, SeenInside<'_>> {
    let leaves = passage.direction() == Some("out");
    let out = documents(passage).filter(|_| leaves);
    let out = out.map(|document| SeenInside {
        document,
        at_ms: passage.began_ms(),
        known_ms: passage.written_ms().max(passage.began_ms()),
        entry: None,
    });
    let stayed = passage.events("stayed").filter_map(|e| {
        Some(SeenInside {
            document: e.text("document_hash")?,
            at_ms: e.at_ms(),
            known_ms: e.known_from_ms(),
            entry: Some(e.entry()),
        })
    });

    let mut first: BTreeMap<String, SeenInside<'_>> = BTreeMap::new();
    for seen in out.chain(stayed) {
        let wanted = form(seen.document);
        let is_first = first.get(&wanted).is_none_or(|of| seen.at_ms < of.at_ms);
        if is_first && !wanted.is_empty() {
            first.insert(wanted, seen);
        }
    }

    first
}

/// The last list before on which somebody came and was not admitted, though others were: where
/// nobody admitted them anywhere since, and they had not come in with another passage.
fn listed_alone<'a>(
    dossier: &'a Dossier,
    wanted: &str,
    seen: &SeenInside<'_>,
) -> Option<&'a Facts> {
    let anchor = &dossier.anchor;
    let all = || std::iter::once(anchor).chain(dossier.of("passage"));
    let came_before = |p: &&Facts| passed(p) && p.began_ms() <= seen.at_ms;
    let place = |p: &&Facts| (p.began_ms(), p.id.clone());

    let by_ms = written_by_ms(dossier, seen);
    let lists = all().filter(came_before);
    let lists = lists.filter(|p| p.direction() == Some("in") && is_left_out(p, wanted, by_ms));
    let listed = lists.max_by_key(place)?;

    // Whoever waits to be let in, or to go back, does so at the crossing.
    let wait_ms = hours_ms(dossier.policy.counterpart_h);
    let is_here = listed.crossing() == anchor.crossing();
    if is_here && apart(listed.began_ms(), seen.at_ms) <= wait_ms {
        return None;
    }

    // Of a passage that shows them inside nobody asks how they came into it.
    let is_other = |p: &&Facts| p.id != listed.id && p.id != anchor.id;
    let others = || dossier.of("passage").filter(is_other);
    let mut admitted = others().filter(|p| p.state() != "VOID");
    let since_ms = listed.began_ms();
    if admitted.any(|p| was_admitted(p, wanted, since_ms, by_ms)) {
        return None;
    }

    let real = others().filter(|p| came_before(p) && p.written_ms() <= by_ms);
    let real = real.filter(|p| p.direction().is_some() && is_held_by(wanted, p));
    let is_explained = |last: &Facts| match last.direction() {
        // Who leaves twice is told as such.
        Some("out") => seen.entry.is_none(),
        _ => true,
    };
    let last = real.max_by_key(place);
    (!last.is_some_and(is_explained)).then_some(listed)
}

/// Until when a crossing that was dark types its forms, an admission among them, Unix milliseconds.
fn written_by_ms(dossier: &Dossier, seen: &SeenInside<'_>) -> i64 {
    let within_ms = unheard_limit_ms(&dossier.policy);
    seen.known_ms.saturating_add(within_ms)
}

/// Whether a list names somebody, and others of it were admitted by a time, and they were not.
fn is_left_out(list: &Facts, wanted: &str, by_ms: i64) -> bool {
    let listed = list.texts("person", "document_hash");
    let mut others = list.events("person.admitted").filter(|e| !is_of(e, wanted));

    listed.into_iter().any(|document| form(document) == wanted)
        && others.any(|e| e.known_from_ms() <= by_ms && e.text("document_hash").is_some())
        && !was_admitted(list, wanted, i64::MIN, by_ms)
}

/// Whether a passage tells that somebody was admitted since a time, as was written by another one.
fn was_admitted(passage: &Facts, wanted: &str, since_ms: i64, by_ms: i64) -> bool {
    let mut admitted = passage.events("person.admitted");
    admitted.any(|e| is_of(&e, wanted) && e.at_ms() >= since_ms && e.known_from_ms() <= by_ms)
}

fn is_of(e: &Fact<'_>, wanted: &str) -> bool {
    e.text("document_hash").is_some_and(|of| form(of) == wanted)
}

fn found(
    dossier: &Dossier,
    (wanted, seen): (&str, &SeenInside<'_>),
    listed: &Facts,
) -> Contradiction {
    let anchor = &dossier.anchor;
    let shown = head(wanted, DOCUMENT_SHOWN_CHARS);
    let says = Says::NotAdmitted {
        document: &shown,
        listed: listed.printed(),
        seen: anchor.printed(),
    };
    let evidence = json!({"document": seen.document, "other": listed.printed()});

    // They may have been admitted at any crossing, and the form of it not be typed yet.
    let due_ms = written_by_ms(dossier, seen);
    Contradiction::new(format!("inside {wanted}"), seen.at_ms, says, evidence)
        .until(dossier.everywhere(), due_ms)
        .citing(listed, told_of_document(listed, wanted))
        .citing(listed, listed.said_by(&["person.admitted"]))
        .citing(anchor, told_of_document(anchor, wanted))
        .citing(anchor, seen.entry)
}

#[cfg(test)]
mod tests {
    use crate::{Facts, HOUR_MS, Phase, tests::*};
    use serde_json::{Value as Json, json};

    const DAY_MS: i64 = 24 * HOUR_MS;

    fn admitted(document: &str, at_ms: i64) -> Json {
        event("person.admitted", at_ms, json!({"document_hash": document}))
    }

    /// A bus with two travellers, of whom these are admitted.
    fn bus(events: &[Json]) -> Facts {
        let fields = json!({
            "direction": "in",
            "vehicle.plate": "33C3",
            "person.1.document_hash": "ab12",
            "person.2.document_hash": "cd34",
        });
        let came = event("gate.in", 0, json!({}));
        passage("P1", fields, &[&[came], events].concat())
    }

    fn one_in() -> Facts {
        bus(&[admitted("cd34", 1)])
    }

    /// The traveller leaves after so long.
    fn leaves(crossing: &str, at_ms: i64) -> Facts {
        let fields = json!({"direction": "out", "person.1.document_hash": "ab12"});
        let out = event("gate.out", at_ms, json!({}));
        passage("P2", fields, &[out]).at(crossing)
    }

    #[test]
    fn who_was_not_admitted_with_the_others_and_leaves_the_country_later_is_told() {
        let found = |bus: Facts, out: Facts| firm("R25", out, vec![bus]);
        assert_eq!(found(one_in(), leaves("QAM", 3 * DAY_MS)), [Phase::Firm]);
        assert_eq!(found(one_in(), leaves("TRB", 3 * DAY_MS)), [Phase::Firm]);
        let back = found(one_in(), leaves("TRB", 5 * HOUR_MS));
        assert_eq!(back, [], "refused, and sent back");

        let both = bus(&[admitted("cd34", 1), admitted("ab12", 2)]);
        assert_eq!(found(both, leaves("QAM", 3 * DAY_MS)), []);
        let untold = found(bus(&[]), leaves("QAM", 3 * DAY_MS));
        assert_eq!(untold, [], "nobody of the list was told apart");
    }

    #[test]
    fn who_is_admitted_elsewhere_or_came_before_is_in_the_country_by_right() {
        let alone = |direction: &str, at_ms: i64| {
            let fields = json!({"direction": direction, "person.1.document_hash": "ab12"});
            passage("P3", fields, &[admitted("ab12", at_ms)])
        };
        let found = |other: Facts| firm("R25", leaves("QAM", 9 * DAY_MS), vec![one_in(), other]);

        assert_eq!(found(alone("in", DAY_MS)), [], "the next day");
        assert_eq!(found(alone("in", -DAY_MS)), [], "by another passage");
        let twice = found(alone("out", -DAY_MS));
        assert_eq!(twice, [Phase::Firm], "told as one who left twice");

        let typed = |entered_ms: i64| {
            let mut typed = admitted("ab12", DAY_MS);
            typed["entered_ms"] = entered_ms.into();
            let fields = json!({"direction": "in", "person.1.document_hash": "ab12"});
            passage("P3", fields, &[typed])
        };
        assert_eq!(
            found(typed(11 * DAY_MS)),
            [],
            "the forms of a dark crossing"
        );
        let late = found(typed(11 * DAY_MS + 1));
        assert_eq!(late, [Phase::Firm], "said long after");
    }

    #[test]
    fn who_was_not_admitted_and_sleeps_in_a_rest_house_days_later_is_told() {
        let stayed = |crossing: &str, at_ms: i64| {
            let data = json!({"document_hash": "ab12", "check_in": "2026-01-01T00:00:00Z"});
            let fields = json!({"direction": "in", "vehicle.plate": "44D4"});
            passage("P2", fields, &[event("stayed", at_ms, data)]).at(crossing)
        };
        let found = |other: Facts| firm("R25", other, vec![one_in()]);

        assert_eq!(found(stayed("QAM", 2 * DAY_MS)), [Phase::Firm]);
        assert_eq!(found(stayed("TRB", 5 * HOUR_MS)), [], "waiting for a visa");
        let sleeps = event(
            "stayed",
            5 * DAY_MS,
            json!({"document_hash": "ab12", "check_in": "2026-01-01T00:00:00Z"}),
        );
        let own = bus(&[admitted("cd34", 1), sleeps]);
        assert_eq!(firm("R25", own, vec![]), [Phase::Firm]);
    }

    #[test]
    fn an_admission_that_is_typed_late_has_two_days() {
        let left_ms = 3 * DAY_MS;
        let found = |ms: i64| {
            let out = leaves("QAM", left_ms);
            phases("R25", &dossier(out, vec![one_in()], ms))
        };
        assert_eq!(found(left_ms + 2 * DAY_MS - 1), [Phase::Pending]);
        assert_eq!(found(left_ms + 2 * DAY_MS), [Phase::Firm]);
    }
}
