//! R08: one declarant reference, transit reference, registration number, receipt or container in
//! two live entries; one day of a crossing kept twice.

use super::transit_open::{are_transit_and_its_end, is_for_transit};
use crate::{Contradiction, Dossier, Facts, Rule, numbers::total, sentences};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use wadi_record::{SYSTEM_OFFICER, member_term, normalise_reference, says_nothing};

pub(crate) const RULE: Rule = Rule {
    code: "R08",
    name: "duplicate_reference",
    severity: 1,
    sentences: SENTENCES,
    judge,
};

sentences! {
    Twice = "R08-twice" { what: code, value: name, other: record, record: record }
    DayTwice = "R08-day-twice" { date: name, other: record, record: record }
}

fn is_live(entry: &Facts) -> bool {
    entry.is_customs_entry() && entry.state() != "CANCELLED"
}

fn judge(dossier: &Dossier) -> Vec<Contradiction> {
    let anchor = &dossier.anchor;
    if is_kept_day(anchor) {
        return kept_twice(dossier).into_iter().collect();
    }

    if !is_live(anchor) {
        return Vec::new();
    }

    let others = dossier.linked.iter().filter(|o| is_live(o));
    // Of the two the later one carries the finding.
    let earlier = others.filter(|o| o.was_written_before(anchor));

    earlier
        .flat_map(|o| shared(dossier, o).into_iter().map(move |s| (o, s)))
        .map(|(o, s)| found(anchor, o, s))
        .collect()
}

/// Whether it is a day that people keep: of what a node alone said on a day of its own there may be
/// one more.
fn is_kept_day(day: &Facts) -> bool {
    let mut said = day.said().peekable();
    day.kind() == "site-day"
        && (said.peek().is_none() || said.any(|e| e.officer() != SYSTEM_OFFICER))
}

/// Of several the later ones carry the finding, each with the first. Two gates that each begin the
/// day while they cannot hear each other do no harm: what both say of it is read together.
fn kept_twice(dossier: &Dossier) -> Option<Contradiction> {
    let anchor = &dossier.anchor;
    let date = |day: &Facts| day.field("date").map(String::from);
    let others = dossier.of("site-day").filter(|other| {
        is_kept_day(other)
            && other.crossing() == anchor.crossing()
            && date(anchor).is_some()
            && date(other) == date(anchor)
            && other.was_written_before(anchor)
    });

    let first = others.min_by_key(|other| (other.written_ms(), other.id.clone()))?;
    let day = anchor.field("date").unwrap_or_default().to_string();
    Some(found(anchor, first, (DAY, day)))
}

/// What one vehicle, or one container, carries at most, grams.
const LOAD_MAX_G: i64 = 30_000_000;

/// What stands twice: its name in the catalogue, by which a number is looked up, too, and as the
/// evidence has it.
type TwiceNamed = (&'static str, &'static str);

const DAY: TwiceNamed = ("day", "the day");
const DECLARANT: TwiceNamed = ("declarant", "declarant reference");
const TRANSIT: TwiceNamed = ("transit", "transit reference");
const REGISTRATION: TwiceNamed = ("registration", "registration number");
const RECEIPT: TwiceNamed = ("receipt", "receipt");
const CONTAINER: TwiceNamed = ("container", "container");

fn found(anchor: &Facts, other: &Facts, (named, value): (TwiceNamed, String)) -> Contradiction {
    let (code, what) = named;
    let (record, printed) = (anchor.printed(), other.printed());
    let says = match named {
        DAY => Says::DayTwice {
            date: &value,
            other: printed,
            record,
        },
        _ => Says::Twice {
            what: code,
            value: &value,
            other: printed,
            record,
        },
    };

    Contradiction::new(
        format!("{what} {value} {}", other.id),
        anchor.began_ms(),
        says,
        json!({"what": what, "value": value, "other": other.printed()}),
    )
    .citing(anchor, named_by(anchor, code, &value))
    .citing(other, named_by(other, code, &value))
    // One of them may have been cancelled at a crossing that is dark.
    .until(
        [anchor.crossing(), other.crossing()],
        anchor.began_ms().max(other.began_ms()),
    )
}

/// The entries that name what stands twice.
fn named_by<'a>(of: &'a Facts, code: &'static str, value: &str) -> Vec<&'a str> {
    let wanted = member_term(code, value);
    let is_it = move |text: &str| member_term(code, text) == wanted;
    let of_act = |act: &'static str, member: &str| {
        let all = of.events(act);
        let named = all.filter(|e| e.text(member).is_some_and(&is_it));
        named.map(|e| e.entry()).collect()
    };

    match code {
        "registration" => of_act("registered", "registration_no"),
        "receipt" => of_act("paid", "receipt"),
        "day" => of.put_by(|name| name == "date").collect(),
        "transit" => of.put_by(|name| name == "transit.ref").collect(),
        "declarant" => {
            let named = of.put_by(|name| matches!(name, "declarant" | "declarant_ref"));
            named.collect()
        }
        _ => {
            let named =
                of.put_where(move |name, text| name.starts_with("container.") && is_it(text));
            named.collect()
        }
    }
}

/// Who is named in a field of an entry, as it stood when duty was assessed on it: who changes a
/// duplicate later makes it no other one's goods.
fn party(entry: &Facts, name: &str) -> Option<String> {
    let told = entry.field_when_assessed(name);
    told.filter(|text| !says_nothing(text))
        .map(normalise_reference)
}

/// Whether two entries tell that they declare goods of two: for a consignee each or, where one of
/// them names none, from an exporter each. Where nobody tells whose the goods are, nobody tells
/// that they are not the same.
fn are_of_two(one: &Facts, other: &Facts) -> bool {
    let parties = ["consignee", "exporter"].into_iter();
    let mut told = parties.filter_map(|name| Some((party(one, name)?, party(other, name)?)));
    told.next().is_some_and(|(own, theirs)| own != theirs)
}

/// Whether two entries may be parts of one load that is there once: declared at one crossing
/// within the time of one journey, of goods that they tell to be of two, and together no more than
/// one vehicle carries. What they say they weigh is compared with the scale as one (R03).
fn are_parts(dossier: &Dossier, other: &Facts, is_of_load: impl Fn(&Facts) -> bool) -> bool {
    let anchor = &dossier.anchor;
    let others = dossier.of("customs-entry");
    let all = others
        .filter(|e| is_live(e) && is_of_load(e))
        .chain([anchor]);
    let masses: Option<Vec<i64>> = all
        .map(|e| e.sum("goods", "gross_g").filter(|grams| *grams > 0))
        .collect();
    let fits = masses.is_some_and(|all| total(all) <= LOAD_MAX_G);

    is_together(dossier, other) && are_of_two(anchor, other) && fits
}

/// Whether two entries were declared for what comes together: at one crossing, within the time of
/// one journey.
fn is_together(dossier: &Dossier, other: &Facts) -> bool {
    dossier.anchor.crossing() == other.crossing() && dossier.is_near(&dossier.anchor, other)
}

/// Whether two entries name a vehicle each.
fn have_own_vehicles(a: &Facts, b: &Facts) -> bool {
    let told = |e: &Facts| {
        e.field("vehicle.plate")
            .is_some_and(|text| !says_nothing(text))
    };
    told(a) && told(b) && !a.shares_vehicle(b)
}

/// What both entries name, as the first of them writes it.
fn shared(dossier: &Dossier, b: &Facts) -> Vec<(TwiceNamed, String)> {
    let a = &dossier.anchor;
    let mut out = Vec::new();
    let declarant = |e: &Facts| e.field("declarant").map(normalise_reference);
    let mut put = |what, text: &str| out.push((what, text.to_string()));

    if a.shares(b, "declarant_ref") && declarant(a) == declarant(b) {
        put(DECLARANT, a.field("declarant_ref").unwrap_or_default());
    }

    // One carnet serves the trucks of a convoy, or the goods of several people on one.
    let is_convoy = have_own_vehicles(a, b) && is_together(dossier, b);
    let is_through = is_for_transit(a);
    let is_of_transit = |e: &Facts| e.shares(a, "transit.ref") && is_for_transit(e) == is_through;
    let is_one_transit = || {
        let is_end = are_transit_and_its_end(a, b);
        is_convoy || is_end || are_parts(dossier, b, is_of_transit)
    };
    if a.shares(b, "transit.ref") && !is_one_transit() {
        put(TRANSIT, a.field("transit.ref").unwrap_or_default());
    }

    // Each customs house numbers its own books.
    if a.crossing() == b.crossing() {
        let numbered = [
            (REGISTRATION, "registered", "registration_no"),
            (RECEIPT, "paid", "receipt"),
        ];
        for (what, act, member) in numbered {
            let theirs = numbers(b, what, act, member).map(|(n, _)| n);
            let theirs: BTreeSet<String> = theirs.collect();
            let own: BTreeMap<String, &str> = numbers(a, what, act, member).collect();
            own.into_iter()
                .filter(|(n, _)| theirs.contains(n))
                .for_each(|(_, text)| put(what, text));
        }
    }

    // A container comes back with other goods once the entry before has left.
    let left = |e: &Facts| matches!(e.state(), "RELEASED" | "EXITED");
    if !left(a) && !left(b) {
        let own = a.texts("container", "").into_iter();
        let both = own.filter(|c| b.has_among("container", c));
        let is_groupage = |c: &str| {
            let is_in_it = |e: &Facts| e.has_among("container", c);
            !have_own_vehicles(a, b) && are_parts(dossier, b, is_in_it)
        };
        both.filter(|c| !is_groupage(c))
            .for_each(|c| put(CONTAINER, c));
    }

    out
}

/// Numbers that events of a type name, as they are compared and as they were written. What says
/// that there is none is no number.
fn numbers<'a>(
    entry: &'a Facts,
    (named, _): TwiceNamed,
    act: &'a str,
    member: &'a str,
) -> impl Iterator<Item = (String, &'a str)> {
    entry
        .events(act)
        .filter_map(move |e| e.text(member))
        .map(move |text| (member_term(named, text), text))
        .filter(|(n, _)| !n.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{HOUR_MS, Phase, tests::*};

    #[test]
    fn one_receipt_pays_for_one_entry_and_one_number_stands_for_one() {
        let paid = |id, receipt: &str, at_ms| {
            let data = json!({"amount_minor": 5, "currency": "IQD", "receipt": receipt});
            entry(id, json!({}), &[event("paid", at_ms, data)])
        };
        let registered = |id, number: &str, at_ms| {
            let data = json!({"registration_no": number});
            entry(id, json!({}), &[event("registered", at_ms, data)])
        };

        let second = || paid("E2", "T/77", 9);
        assert_eq!(
            firm("R08", second(), vec![paid("E1", "t-٧٧", 1)]),
            [Phase::Firm]
        );
        let found = crate::reconcile(&dossier(second(), vec![paid("E1", "T/77", 1)], 9));
        assert!(
            found
                .iter()
                .any(|f| f.rule.code == "R08" && f.severity() == 1)
        );
        assert_eq!(
            firm(
                "R08",
                registered("E2", "C/9", 9),
                vec![registered("E1", "C-9", 1)]
            ),
            [Phase::Firm]
        );

        let silent = [
            paid("E1", "T/77", 1).state_is("CANCELLED"),
            paid("E1", "T/78", 1),
            paid("E1", "T/77", 1).at("QAM"),
            registered("E1", "T/77", 1),
        ];
        for other in silent {
            assert_eq!(firm("R08", second(), vec![other]), []);
        }

        for none in ["--", "N/A", "0", "cash", "بلا", "لا يوجد"] {
            let first = vec![paid("E1", none, 1)];
            assert_eq!(firm("R08", paid("E2", none, 9), first), [], "{none}");
            let first = vec![registered("E1", none, 1)];
            assert_eq!(firm("R08", registered("E2", none, 9), first), [], "{none}");
        }
    }

    #[test]
    fn what_says_that_there_is_none_is_no_reference_of_two() {
        let with = |id, field: &str, text: &str, at_ms| {
            let fields = json!({"declarant": "A", (field): text});
            entry(id, fields, &[event("registered", at_ms, json!({}))])
        };

        for field in ["declarant_ref", "transit.ref", "container.1"] {
            let first = || vec![with("E1", field, "R-1", 1)];
            let found = firm("R08", with("E2", field, "r 1", 9), first());
            assert_eq!(found, [Phase::Firm], "{field}");

            for none in ["N/A", "none", "0", "بلا", "لا يوجد", "XXX"] {
                let first = vec![with("E1", field, none, 1)];
                assert_eq!(
                    firm("R08", with("E2", field, none, 9), first),
                    [],
                    "{field} {none}"
                );
            }
        }
    }

    #[test]
    fn a_day_that_people_keep_twice_at_one_crossing_is_found() {
        let day = |id: &str, date: &str, officer: &str, at_ms: i64| {
            let mut shift = event("shift.on", at_ms, json!({"officer": "OF-1"}));
            shift["officer"] = officer.into();
            let more = json!({"fields": {"date": date}, "events": [shift]});
            facts(id, "site-day", "TRB", more)
        };
        let first = || day("S1", "2026-03-01", "OF-1", 1);
        let second = || day("S2", "2026-03-01", "OF-2", 9);
        assert_eq!(firm("R08", second(), vec![first()]), [Phase::Firm]);
        assert_eq!(
            firm("R08", first(), vec![second()]),
            [],
            "one of the two carries it"
        );

        let third = day("S3", "2026-03-01", "OF-3", 20);
        let found = crate::reconcile(&dossier(third, vec![second(), first()], i64::MAX));
        let of_rule: Vec<_> = found.iter().filter(|f| f.rule.code == "R08").collect();
        assert_eq!(of_rule.len(), 1, "with the first one");
        assert_eq!(of_rule[0].severity(), 3, "no goods are declared twice");
        assert_eq!(of_rule[0].contradiction.evidence["other"], "S1");

        let silent = [
            day("S1", "2026-03-02", "OF-1", 1),
            first().at("QAM"),
            day("S1", "2026-03-01", SYSTEM_OFFICER, 1),
        ];
        for other in silent {
            assert_eq!(firm("R08", second(), vec![other]), []);
        }
    }

    #[test]
    fn two_live_entries_with_one_reference_are_found_and_a_cancellation_on_its_way_is_waited_for() {
        let declared = |id, by: &str, at_ms| {
            let fields = json!({"declarant": by, "declarant_ref": "D1"});
            entry(id, fields, &[event("registered", at_ms, json!({}))])
        };
        let first = declared("E1", "A", 1).at("QAM");
        let second = declared("E2", "A", 9);
        assert_eq!(
            phases("R08", &dossier(second.clone(), vec![first.clone()], 8)),
            [Phase::Pending]
        );
        assert_eq!(
            firm("R08", second.clone(), vec![first.clone()]),
            [Phase::Firm]
        );
        assert_eq!(
            firm("R08", first.clone(), vec![second.clone()]),
            [],
            "one of the two carries it"
        );

        assert_eq!(
            firm("R08", second.clone(), vec![first.state_is("CANCELLED")]),
            []
        );
        assert_eq!(
            firm("R08", second, vec![declared("E1", "B", 1)]),
            [],
            "another declarant's own numbering"
        );
    }

    #[test]
    fn a_reference_written_otherwise_is_the_same_one() {
        let declared = |id, by: &str, reference: &str, at_ms| {
            let fields = json!({"declarant": by, "declarant_ref": reference});
            entry(id, fields, &[event("registered", at_ms, json!({}))])
        };

        for (by, reference) in [
            ("D ", "103-2026"),
            ("d", "\u{200F}١٠٣/٢٠٢٦"),
            ("D", "103 / 2026 "),
        ] {
            let second = declared("E2", by, reference, 9);
            let first = declared("E1", "D", "103/2026", 1);
            assert_eq!(
                firm("R08", second, vec![first]),
                [Phase::Firm],
                "{reference}"
            );
        }

        let second = declared("E2", "D", "10/32026", 9);
        let first = declared("E1", "D", "103/2026", 1);
        assert_eq!(firm("R08", second, vec![first]), [], "another number");

        let mut claimed = event("registered", 1, json!({}));
        claimed["entered_ms"] = 20.into();
        let fields = json!({"declarant": "D", "declarant_ref": "103/2026"});
        let late = entry("E2", fields, &[claimed]);
        let honest = declared("E1", "D", "103/2026", 9);
        assert_eq!(
            firm("R08", honest.clone(), vec![late.clone()]),
            [],
            "an earlier time that was said later takes nobody's place"
        );
        assert_eq!(firm("R08", late, vec![honest]), [Phase::Firm]);

        let signs = |id, at_ms| declared(id, "D", "--", at_ms);
        assert_eq!(
            firm("R08", signs("E2", 9), vec![signs("E1", 1)]),
            [],
            "it says nothing"
        );
    }

    /// An entry of so many tonnes.
    fn part(id: &str, at_ms: i64, tonnes: i64, mut fields: serde_json::Value) -> Facts {
        fields["goods.1.gross_g"] = (tonnes * 1_000_000).into();
        entry(id, fields, &[event("registered", at_ms, json!({}))])
    }

    #[test]
    fn several_people_have_goods_in_one_container() {
        let of = |consignee: &str| json!({"container.1": "C1", "consignee": consignee});
        let found = |own: Facts, first: Facts| firm("R08", own, vec![first]);
        let second = |tonnes| part("E2", 9, tonnes, of("B"));

        assert_eq!(found(second(7), part("E1", 1, 7, of("A"))), []);
        let silent = || part("E1", 1, 7, json!({"container.1": "C1"}));
        let untold = found(second(7), silent());
        assert_eq!(untold, [Phase::Firm], "nobody tells whose the first is");
        let more = found(second(20), part("E1", 1, 20, of("A")));
        assert_eq!(more, [Phase::Firm], "no container carries as much");
        let same = found(second(7), part("E1", 1, 7, of("b ")));
        assert_eq!(same, [Phase::Firm], "one consignee's, declared twice");
        let elsewhere = found(second(7), part("E1", 1, 7, of("A")).at("QAM"));
        assert_eq!(elsewhere, [Phase::Firm]);
        let before = part("E1", -72 * HOUR_MS, 7, of("A"));
        assert_eq!(found(second(7), before), [Phase::Firm], "three days before");
        let mut other = of("A");
        other["vehicle.plate"] = "22B2".into();
        let on_two = found(second(7), part("E1", 1, 7, other));
        assert_eq!(on_two, [Phase::Firm], "one container on two trucks");
    }

    #[test]
    fn entries_that_tell_nobody_whose_the_goods_are_are_no_parts_of_one_load() {
        for of_load in ["container.1", "transit.ref"] {
            let of = |party: &str, name: &str| json!({(of_load): "C-1", (party): name});
            let found = |own: serde_json::Value, first: serde_json::Value| {
                let first = part("E1", 1, 7, first);
                firm("R08", part("E2", 9, 7, own), vec![first])
            };

            let nobody = json!({(of_load): "C-1"});
            let twice = found(nobody.clone(), nobody.clone());
            assert_eq!(twice, [Phase::Firm], "{of_load}: declared twice");
            for none in ["N/A", "-", "لا يوجد"] {
                let said = found(of("consignee", none), of("consignee", "A"));
                assert_eq!(said, [Phase::Firm], "{of_load}: {none}");
            }

            let two = found(of("consignee", "B"), of("consignee", "A"));
            assert_eq!(two, [], "{of_load}: for two");
            let two = found(of("exporter", "B"), of("exporter", "A"));
            assert_eq!(two, [], "{of_load}: from two");
            let one = found(of("exporter", "A"), of("exporter", "a"));
            assert_eq!(one, [Phase::Firm], "{of_load}: from one");
        }
    }

    #[test]
    fn a_consignee_who_is_named_once_duty_was_assessed_makes_no_part_of_a_duplicate() {
        let second = |captured_ms: i64| {
            let fields = json!({"container.1": "C1", "consignee": "B"});
            let captured = json!([{"entered_ms": captured_ms, "fields": ["consignee"]}]);
            let assessed = event("assessed", 20, json!({}));
            let events = json!([event("registered", 9, json!({})), assessed]);
            let own = part("E2", 9, 7, fields).with("events", events);
            own.with("captured", captured)
        };
        let first = || part("E1", 1, 7, json!({"container.1": "C1", "consignee": "A"}));

        assert_eq!(firm("R08", second(15), vec![first()]), []);
        let later = firm("R08", second(48 * HOUR_MS), vec![first()]);
        assert_eq!(later, [Phase::Firm]);
    }

    #[test]
    fn a_convoy_goes_on_one_carnet() {
        let of = |plate: &str| json!({"transit.ref": "T-1", "vehicle.plate": plate});
        let second = || part("E2", 9, 20, of("22B2"));
        let found = |first: Facts| firm("R08", second(), vec![first]);

        assert_eq!(found(part("E1", 1, 20, of("11A1"))), []);
        let same = found(part("E1", 1, 20, of("22-B-2")));
        assert_eq!(same, [Phase::Firm], "one truck, declared twice");
        let before = found(part("E1", -72 * HOUR_MS, 20, of("11A1")));
        assert_eq!(before, [Phase::Firm], "a carnet that was used before");
        let elsewhere = found(part("E1", 1, 20, of("11A1")).at("QAM"));
        assert_eq!(elsewhere, [Phase::Firm]);
    }

    #[test]
    fn a_container_may_come_back_after_it_has_left() {
        let with = |id, at_ms| {
            entry(
                id,
                json!({"container.1": "C1"}),
                &[event("registered", at_ms, json!({}))],
            )
        };

        assert_eq!(
            firm("R08", with("E2", 9), vec![with("E1", 1)]),
            [Phase::Firm]
        );

        let grouped = entry("E1", json!({"container.2": "c-1"}), &[]);
        assert_eq!(firm("R08", with("E2", 9), vec![grouped]), [Phase::Firm]);
        assert_eq!(
            firm("R08", with("E2", 9), vec![with("E1", 1).state_is("EXITED")]),
            []
        );
    }

    #[test]
    fn what_names_it_on_either_entry_is_cited() {
        let paid = |id, receipt: &str, at_ms| {
            let data = json!({"amount_minor": 5, "currency": "IQD", "receipt": receipt});
            let other = json!({"amount_minor": 1, "currency": "IQD", "receipt": "T/1"});
            let events = [event("paid", at_ms, data), event("paid", 77, other)];
            entry(id, json!({}), &events)
        };
        // The other receipt is shared, too, and is a finding of its own.
        let found = cited("R08", paid("E2", "T/77", 9), vec![paid("E1", "t-٧٧", 1)]);
        for cites in [side("E1", &["entry paid@1"]), side("E2", &["entry paid@9"])] {
            assert!(found.contains(&cites), "{found:?}");
        }

        for field in ["container.1", "transit.ref", "declarant_ref"] {
            let with = |id, at_ms| {
                let registered = event("registered", at_ms, json!({}));
                entry(id, json!({"declarant": "A", (field): "R-1"}), &[registered])
            };
            assert_eq!(
                cited("R08", with("E2", 9), vec![with("E1", 1)]),
                [side("E1", &["fields of E1"]), side("E2", &["fields of E2"])],
                "{field}"
            );
        }
    }
}
