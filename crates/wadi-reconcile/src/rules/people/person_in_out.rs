//! R25: a person out who never came in, or in twice, or in the country without having been admitted
//! with the others of a list; a vehicle in twice that never left between.

mod not_admitted;

use crate::{
    Contradiction, Dossier, Fact, Facts, Rule,
    numbers::{apart, hours_ms},
    rules::movement::impossible_journey::is_told_with,
    sentences,
    text::head,
};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use wadi_record::{field_term, member_term};

pub(crate) const RULE: Rule = Rule {
    code: "R25",
    name: "person_in_out",
    severity: 3,
    sentences: SENTENCES,
    judge,
};

sentences! {
    InTwice = "R25-in-twice" { document: name }
    OutTwice = "R25-out-twice" { document: name }
    NotAdmitted = "R25-not-admitted" { document: name, listed: record, seen: record }
    VehicleCameIn = "R25-vehicle-twice" { plate: name, first: record, second: record }
    ExitWrittenLate = "R25-vehicle-written-late" { plate: name, first: record, second: record }
}

/// Letters of a document's hash that a sentence shows.
const DOCUMENT_SHOWN_CHARS: usize = 8;

fn judge(dossier: &Dossier) -> Vec<Contradiction> {
    let anchor = &dossier.anchor;
    if !anchor.is_passage() || !passed(anchor) {
        return Vec::new();
    }

    let mut by_form: BTreeMap<String, &str> = BTreeMap::new();
    for document in documents(anchor) {
        by_form.entry(form(document)).or_insert(document);
    }

    let people = by_form
        .into_values()
        .filter_map(|document| check(dossier, document));
    let people = people.chain(not_admitted::not_admitted(dossier));
    people.chain(vehicle_twice(dossier)).collect()
}

/// Whether somebody really went through: not announced only, not turned back, not sent to another
/// crossing.
fn passed(p: &Facts) -> bool {
    const NOT: [&str; 6] = [
        "ANNOUNCED",
        "VOID",
        "TURNED_BACK",
        "DIVERTED",
        "ARRIVED_ELSEWHERE",
        "ABANDONED",
    ];

    !NOT.contains(&p.state())
}

/// Documents of those who pass: of its fields, and of those who were admitted. Where some of a list
/// were admitted, the others of it did not pass here: they were refused, or are still waited for.
fn documents(p: &Facts) -> impl Iterator<Item = &str> {
    let admitted = p.events("person.admitted");
    let admitted: Vec<&str> = admitted.filter_map(|e| e.text("document_hash")).collect();
    let forms: BTreeSet<String> = admitted.iter().map(|document| form(document)).collect();
    let fields = p.texts("person", "document_hash").into_iter();

    let passed = fields.filter(move |of| forms.is_empty() || forms.contains(&form(of)));
    passed.chain(admitted)
}

/// A document as it is compared; nothing is left of a hash of nothing, which is nobody's.
fn form(document: &str) -> String {
    member_term("document", document)
}

/// Whether somebody of a passage has the document.
fn is_held_by(document: &str, p: &Facts) -> bool {
    let wanted = form(document);
    let mut theirs = documents(p).map(form);

    !wanted.is_empty() && theirs.any(|other| other == wanted)
}

/// Of the passages that somebody or something made, the pairs that follow each other and of which
/// the anchor is the one that was written down later, each in its order.
fn pairs<'a>(
    anchor: &'a Facts,
    others: impl Iterator<Item = &'a Facts>,
    came_ms: impl Fn(&Facts) -> i64,
) -> Vec<[&'a Facts; 2]> {
    let place = |p: &'a Facts| (came_ms(p), &p.id);
    let mut all: Vec<&Facts> = others.collect();
    all.sort_by_key(|p| place(p));

    let (before, after) = all.split_at(all.partition_point(|p| place(p) < place(anchor)));
    let before = before.last().map(|p| (*p, [*p, anchor]));
    let after = after.first().map(|p| (*p, [anchor, *p]));
    let both = before.into_iter().chain(after);
    both.filter(|(other, _)| other.was_written_before(anchor))
        .map(|(_, pair)| pair)
        .collect()
}

fn check(dossier: &Dossier, document: &str) -> Option<Contradiction> {
    let anchor = &dossier.anchor;
    anchor.direction()?;
    let real = |p: &&Facts| passed(p) && p.direction().is_some();
    let same = dossier
        .of("passage")
        .filter(real)
        .filter(|p| is_held_by(document, p));

    // Whoever came in before the window of the dossier is not known here: a resident goes out
    // first.
    let [first, second] =
        pairs(anchor, same, Facts::began_ms)
            .into_iter()
            .find(|[first, second]| {
                first.direction() == second.direction() && !is_one_arrival(dossier, first, second)
            })?;
    let direction = second.direction()?;
    let shown = head(&form(document), DOCUMENT_SHOWN_CHARS);
    let says = match direction {
        "in" => Says::InTwice { document: &shown },
        _ => Says::OutTwice { document: &shown },
    };
    let other = if first.id == anchor.id { second } else { first };

    Some(
        Contradiction::new(
            document,
            second.began_ms(),
            says,
            json!({
                "document": document,
                "direction": direction,
                "other": other.printed(),
            }),
        )
        // They may have gone by any crossing.
        .until(dossier.everywhere(), second.began_ms())
        .citing(first, told_of_document(first, document))
        .citing(second, told_of_document(second, document)),
    )
}

/// Whether two records of somebody are of one arrival: the list of a bus, and the desk that looked
/// at the passport, of one crossing and one time, which one of the two names.
fn is_one_arrival(dossier: &Dossier, first: &Facts, second: &Facts) -> bool {
    let apart_ms = apart(first.began_ms(), second.began_ms());
    first.crossing() == second.crossing()
        && first.is_linked_to(second)
        && apart_ms < hours_ms(dossier.policy.lookalike_h)
}

/// The gates of a passage.
const GATES: [&str; 2] = ["gate.in", "gate.out"];

/// The entries that tell that somebody with a document went through, and which way.
fn told_of_document<'a>(p: &'a Facts, document: &str) -> Vec<&'a str> {
    let wanted = form(document);
    let admitted = p.events("person.admitted");
    let is_it = |e: &Fact<'_>| e.text("document_hash").is_some_and(|d| form(d) == wanted);
    let admitted: Vec<&str> = admitted.filter(is_it).map(|e| e.entry()).collect();
    let put = p.put_where(move |name, text| {
        name.starts_with("person.") && name.ends_with(".document_hash") && form(text) == wanted
    });
    let way = p.put_by(|name| name == "direction");

    let named = put.chain(admitted);
    named.chain(way).chain(p.said_by(&GATES)).collect()
}

/// When the vehicle of a passage came to a gate, Unix milliseconds.
fn gate_ms(p: &Facts) -> i64 {
    let gates = p.any(&["gate.in", "gate.out"]).map(|e| e.at_ms());
    gates.min().unwrap_or_else(|| p.began_ms())
}

/// Whether two passages are of one vehicle, by its plate or its number. Its trailer is another.
fn is_one_vehicle(one: &Facts, other: &Facts) -> bool {
    let term = |p: &Facts, name: &str| field_term(name, p.field(name)?);
    let compared = |name: &str| Some(term(one, name)? == term(other, name)?);
    let plates = compared("vehicle.plate");

    // Of one plate with two numbers R07 tells.
    match compared("vehicle.vin") {
        Some(is_same) => is_same,
        None => plates == Some(true),
    }
}

/// A vehicle that came in, and again, and of which nobody said that it left between.
fn vehicle_twice(dossier: &Dossier) -> Vec<Contradiction> {
    let anchor = &dossier.anchor;
    let moved = |p: &&Facts| {
        let went = p.any(&["gate.in", "gate.out"]).next().is_some();
        passed(p) && went && p.direction().is_some()
    };
    if !moved(&anchor) {
        return Vec::new();
    }

    let same = dossier
        .of("passage")
        .filter(moved)
        .filter(|p| is_one_vehicle(p, anchor));
    let found = pairs(anchor, same, gate_ms);
    let found = found.into_iter().filter(|pair| came_twice(dossier, *pair));
    found.map(|pair| told(dossier, pair)).collect()
}

fn told(dossier: &Dossier, [first, second]: [&Facts; 2]) -> Contradiction {
    let plate = second.field("vehicle.plate");
    let plate = plate.or_else(|| second.field("vehicle.vin"));
    let plate = plate.unwrap_or_default();
    let second_ms = gate_ms(second);

    let (one, two) = (first.printed(), second.printed());
    let late_ms = left_by_late_word(dossier, [first, second]);
    let says = match late_ms {
        None => Says::VehicleCameIn {
            plate,
            first: one,
            second: two,
        },
        Some(_) => Says::ExitWrittenLate {
            plate,
            first: one,
            second: two,
        },
    };
    let mut evidence = json!({
        "plate": plate,
        "first": first.printed(),
        "second": second.printed(),
        "first_ms": gate_ms(first),
        "second_ms": second_ms,
    });
    if let Some(entered_ms) = late_ms {
        evidence["entered_ms"] = entered_ms.into();
    }

    // It may have left by any crossing.
    Contradiction::new(format!("vehicle {}", first.id), second_ms, says, evidence)
        .until(dossier.everywhere(), second_ms)
        .citing(first, came_by(first))
        .citing(second, came_by(second))
}

/// The entries that tell which vehicle came, and which way.
fn came_by(p: &Facts) -> impl Iterator<Item = &str> {
    let named = p.put_by(|name| matches!(name, "vehicle.plate" | "vehicle.vin" | "direction"));
    named.chain(p.said_by(&GATES))
}

/// When the exit of the first of two passages was written down, Unix milliseconds, where all of
/// its exits were written so long after they are said to have been, and after the vehicle had come
/// again, that no papers of a day explain it: whoever looks away writes that as well.
fn left_by_late_word(dossier: &Dossier, [first, second]: [&Facts; 2]) -> Option<i64> {
    let came = second.events("gate.in").map(|e| e.known_from_ms()).min()?;
    let by_ms = dossier.within_doubt(came);
    let papers_ms = hours_ms(dossier.policy.counterpart_h);

    let is_late = |out: &Fact<'_>| {
        let due_ms = out.at_ms().saturating_add(papers_ms);
        out.entered_ms() > due_ms.max(by_ms)
    };
    let mut exits = first.events("gate.out");
    let known_ms = first.events("gate.out").map(|e| e.entered_ms()).min();
    exits.all(|out| is_late(&out)).then_some(known_ms).flatten()
}

/// Whether the first of two passages of one vehicle never ended, by what was written in time, and
/// the second is no second capture of it.
fn came_twice(dossier: &Dossier, [first, second]: [&Facts; 2]) -> bool {
    let are_inbound = [first, second].map(Facts::direction) == [Some("in"); 2];
    let is_late = || left_by_late_word(dossier, [first, second]).is_some();
    let is_open = (first.state() != "EXITED" || is_late()) && !first.flag("HANDED_OVER");
    let both_came = first.has("gate.in") && second.has("gate.in");

    // A camera and a clerk may begin a record each of one arrival.
    let is_at_once = first.crossing() == second.crossing()
        && gate_ms(second).saturating_sub(gate_ms(first)) < hours_ms(dossier.policy.lookalike_h);
    let is_known = first.is_linked_to(second) && dossier.is_near(first, second);

    let is_twice = are_inbound && is_open && both_came && !is_at_once && !is_known;

    // At two places at once it is one vehicle too many, and R04 tells that.
    let is_first = first.id == dossier.anchor.id;
    let other = if is_first { second } else { first };
    is_twice && !is_told_with(dossier, other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Phase, tests::*};

    fn person(id: &str, direction: &str, at_ms: i64) -> Facts {
        let fields = json!({"direction": direction, "person.1.document_hash": "ab12"});
        passage(id, fields, &[event("person.admitted", at_ms, json!({}))])
    }

    #[test]
    fn a_document_in_letters_of_many_bytes_is_a_document_like_any_other() {
        let arabic = |id: &str, at_ms| {
            let fields =
                json!({"direction": "in", "person.1.document_hash": "aوثيقة-سفر-غير-صحيحة"});
            passage(id, fields, &[event("person.admitted", at_ms, json!({}))])
        };

        assert_eq!(
            firm("R25", arabic("P2", 9), vec![arabic("P1", 1)]),
            [Phase::Firm]
        );
    }

    #[test]
    fn hexadecimal_digits_have_no_case() {
        let with = |id: &str, hash: String, at_ms| {
            let fields = json!({"direction": "in", "person.1.document_hash": hash});
            passage(id, fields, &[event("person.admitted", at_ms, json!({}))])
        };

        let small = with("P1", "ab".repeat(32), 1);
        let large = with("P2", format!("sha256:{}", "AB".repeat(32)), 9);
        assert_eq!(firm("R25", large, vec![small.clone()]), [Phase::Firm]);
        assert_eq!(firm("R25", with("P2", "AC".repeat(32), 9), vec![small]), []);

        // What readers send that read nothing.
        let of_no_text = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        for nothing in ["0".repeat(64), "f".repeat(64), of_no_text.into()] {
            let first = with("P1", nothing.clone(), 1);
            assert_eq!(firm("R25", with("P2", nothing, 9), vec![first]), []);
        }
    }

    #[test]
    fn who_was_refused_while_others_of_the_list_were_admitted_did_not_pass() {
        let list = |id: &str, admitted: &str, at_ms| {
            let fields = json!({
                "direction": "in",
                "person.1.document_hash": "ab12",
                "person.2.document_hash": "cd34",
            });
            let admitted = json!({"document_hash": admitted});
            passage(id, fields, &[event("person.admitted", at_ms, admitted)])
        };
        let again = || person("P2", "in", 9);

        assert_eq!(firm("R25", again(), vec![list("P1", "cd34", 1)]), []);
        let twice = firm("R25", again(), vec![list("P1", "ab12", 1)]);
        assert_eq!(twice, [Phase::Firm]);
    }

    #[test]
    fn the_list_of_a_bus_and_the_desk_tell_of_one_arrival_where_one_names_the_other() {
        let desk = |events: &[serde_json::Value]| {
            let admitted = event("person.admitted", 9, json!({"document_hash": "ab12"}));
            let fields = json!({"direction": "in", "person.1.document_hash": "ab12"});
            passage("P2", fields, &[&[admitted], events].concat())
        };
        let link = event("link", 9, json!({"record": "P1"}));
        let named = || desk(std::slice::from_ref(&link));
        let bus = || person("P1", "in", 1);

        assert_eq!(firm("R25", named(), vec![bus()]), []);
        assert_eq!(firm("R25", desk(&[]), vec![bus()]), [Phase::Firm]);
        let elsewhere = firm("R25", named(), vec![bus().at("QAM")]);
        assert_eq!(elsewhere, [Phase::Firm]);
    }

    #[test]
    fn nobody_comes_in_twice_unless_a_dark_crossing_let_them_out() {
        let twice = (person("P2", "in", 9), vec![person("P1", "in", 1)]);
        assert_eq!(
            phases("R25", &dossier(twice.0.clone(), twice.1.clone(), 8)),
            [Phase::Pending]
        );
        assert_eq!(firm("R25", twice.0.clone(), twice.1.clone()), [Phase::Firm]);

        let by_gate = |way: &str| {
            let fields = json!({"person.1.document_hash": "ab12"});
            let came = event("gate.in", 9, json!({"direction": way}));
            firm("R25", passage("P2", fields, &[came]), twice.1.clone())
        };
        assert_eq!(by_gate("in"), [Phase::Firm], "the gate tells the direction");
        assert_eq!(by_gate("out"), []);

        let between = vec![person("P1", "in", 1), person("P3", "out", 5).at("QAM")];
        assert_eq!(firm("R25", twice.0, between), []);
        assert_eq!(
            firm("R25", person("P1", "out", 5), vec![]),
            [],
            "a resident on the way out"
        );
    }

    fn vehicle(id: &str, hour: i64, more: serde_json::Value) -> Facts {
        let mut fields = json!({"direction": "in", "vehicle.plate": "11A1"});
        for (name, value) in more.as_object().unwrap() {
            fields[name] = value.clone();
        }
        let came = event("gate.in", hour * crate::HOUR_MS, json!({}));
        passage(id, fields, &[came]).state_is("ADMITTED")
    }

    #[test]
    fn a_vehicle_that_never_left_does_not_come_again() {
        let first = || vehicle("P1", 0, json!({}));
        let second = || vehicle("P2", 100, json!({"vehicle.plate": "11-a-1"})).at("QAM");
        let came_ms = 100 * crate::HOUR_MS;
        let at = |ms| phases("R25", &dossier(second(), vec![first()], ms));
        assert_eq!(
            at(came_ms - 1),
            [Phase::Pending],
            "its exit may be on its way"
        );
        assert_eq!(at(came_ms), [Phase::Firm]);
        assert_eq!(firm("R25", first(), vec![second()]), [], "one of the two");

        for state in [
            "EXITED",
            "TURNED_BACK",
            "VOID",
            "DIVERTED",
            "ARRIVED_ELSEWHERE",
        ] {
            let ended = first().state_is(state);
            assert_eq!(firm("R25", second(), vec![ended]), [], "{state}");
        }

        let out = vehicle("P3", 50, json!({"direction": "out"}));
        assert_eq!(firm("R25", second(), vec![first(), out]), []);
        let third = vehicle("P0", 150, json!({}));
        assert_eq!(firm("R25", third, vec![first(), second()]), [Phase::Firm]);
    }

    #[test]
    fn an_exit_that_is_written_when_the_vehicle_has_come_again_is_told_as_such() {
        let hours = |h: i64| h * crate::HOUR_MS;
        let found = |left_h: i64, entered_h: i64| {
            let came = event("gate.in", 0, json!({}));
            let mut out = event("gate.out", hours(left_h), json!({}));
            out["entered_ms"] = hours(entered_h).into();
            let fields = json!({"direction": "in"});
            let first = passage("P1", fields, &[came, out]).state_is("EXITED");
            let all = crate::reconcile(&dossier(
                vehicle("P2", 30, json!({})),
                vec![first],
                i64::MAX,
            ));
            let told = all.into_iter().filter(|f| f.rule.code == "R25");
            let told = told.map(|f| f.contradiction.sentence.id.to_string());
            told.collect::<Vec<_>>()
        };

        assert_eq!(found(10, 42), ["R25-vehicle-written-late"]);
        assert_eq!(found(10, 10), [""; 0], "at once");
        assert_eq!(found(10, 29), [""; 0], "before it came again");
        assert_eq!(found(20, 42), [""; 0], "papers of a day");
    }

    #[test]
    fn what_is_another_vehicle_or_the_same_arrival_did_not_come_twice() {
        let first = |more| vehicle("P1", 0, more);
        let found = |more, hour| {
            let second = vehicle("P2", hour, more);
            firm("R25", second, vec![first(json!({}))])
        };
        assert_eq!(found(json!({}), 100), [Phase::Firm]);
        assert_eq!(found(json!({}), 11), [], "a camera and a clerk");
        assert_eq!(found(json!({"vehicle.plate": "22B2"}), 100), []);
        assert_eq!(found(json!({"vehicle.plate": null}), 100), [], "contested");

        let trailer = |plate: &str| json!({"vehicle.plate": plate, "trailer.plate": "T1"});
        let swapped = firm(
            "R25",
            vehicle("P2", 100, trailer("22B2")),
            vec![first(trailer("11A1"))],
        );
        assert_eq!(swapped, [], "the trailer has another truck");

        let vin = |plate: &str, vin: &str| json!({"vehicle.plate": plate, "vehicle.vin": vin});
        let numbered = |plate, number| {
            firm(
                "R25",
                vehicle("P2", 100, vin(plate, number)),
                vec![first(vin("11A1", "V1"))],
            )
        };
        assert_eq!(
            numbered("22B2", "v 1"),
            [Phase::Firm],
            "another plate on it"
        );
        assert_eq!(numbered("11A1", "V2"), [], "R07 tells");
    }

    #[test]
    fn whoever_writes_an_earlier_arrival_later_carries_it() {
        let honest = || vehicle("P1", 100, json!({}));
        let mut came = event("gate.in", 0, json!({}));
        came["entered_ms"] = (200 * crate::HOUR_MS).into();
        let fields = json!({"direction": "in", "vehicle.plate": "11A1"});
        let claimed = || passage("P2", fields.clone(), std::slice::from_ref(&came));

        assert_eq!(firm("R25", honest(), vec![claimed()]), []);
        assert_eq!(firm("R25", claimed(), vec![honest()]), [Phase::Firm]);
    }

    #[test]
    fn what_tells_of_either_way_is_cited() {
        let way = |id: &str, at_ms| {
            let gate = event("gate.in", at_ms, json!({}));
            let admitted = event(
                "person.admitted",
                at_ms + 1,
                json!({"document_hash": "ab12"}),
            );
            passage(id, json!({"direction": "in"}), &[gate, admitted])
        };
        let entries = |id: &str, at_ms: i64| {
            let gate = format!("entry gate.in@{at_ms}");
            let admitted = format!("entry person.admitted@{}", at_ms + 1);
            side(id, &[&gate, &admitted, &format!("fields of {id}")])
        };
        let late = 100 * crate::HOUR_MS;
        let found = cited("R25", way("P2", late), vec![way("P1", 0)]);
        assert_eq!(found[..2], [entries("P1", 0), entries("P2", late)]);

        let came = |id: &str, at_ms: i64| {
            let gate = format!("entry gate.in@{at_ms}");
            side(id, &[&gate, &format!("fields of {id}")])
        };
        let first = vec![vehicle("P1", 0, json!({}))];
        assert_eq!(
            cited("R25", vehicle("P2", 100, json!({})), first),
            [came("P1", 0), came("P2", late)]
        );
    }

    #[test]
    fn a_plate_at_two_places_at_once_is_one_finding() {
        let came = |id: &str, minute: i64| {
            let came = event("gate.in", minute * 60_000, json!({}));
            passage(id, json!({"direction": "in"}), &[came])
        };
        let codes = |minute: i64| {
            let second = came("P2", minute).at("QAM");
            let found = crate::reconcile(&dossier(second, vec![came("P1", 1)], i64::MAX));
            let of_two = found.into_iter().map(|f| f.rule.code);
            of_two
                .filter(|code| ["R04", "R25"].contains(code))
                .collect::<Vec<_>>()
        };

        assert_eq!(codes(12), ["R04"]);
        assert_eq!(codes(600), ["R25"], "it had the time to get there");
    }
}
