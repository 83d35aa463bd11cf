//! R08: one declarant reference, transit reference, registration number, receipt or container in
//! two live entries; one day of a crossing kept twice.

use crate::{Contradiction, Dossier, Facts, Rule, sentences};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use wadi_record::{SYSTEM_OFFICER, member_term, normalise_reference};

pub(crate) const RULE: Rule = Rule {
    code: "R08",
    name: "duplicate_reference",
    severity: 1,
    sentences: SENTENCES,
    judge,
};

sentences! {
    Twice = "R08-twice" { what: code, value: name, other: record, record: record }
}

fn is_live(entry: &Facts) -> bool {
    entry.is_customs_entry() && entry.state() != "CANCELLED"
}

fn judge(dossier: &Dossier) -> Vec<Contradiction> {
    let anchor = &dossier.anchor;
    if is_kept_day(anchor) {
        return kept_twice(dossier).collect();
    }

    if !is_live(anchor) {
        return Vec::new();
    }

    let others = dossier.linked.iter().filter(|o| is_live(o));
    // Of the two the later one carries the finding.
    let earlier = others.filter(|o| o.was_written_before(anchor));

    earlier
        .flat_map(|o| shared(anchor, o).into_iter().map(move |s| (o, s)))
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

/// Of two the later one carries the finding.
fn kept_twice(dossier: &Dossier) -> impl Iterator<Item = Contradiction> + '_ {
    let anchor = &dossier.anchor;
    let date = |day: &Facts| day.field("date").map(String::from);
    let others = dossier.of("site-day").filter(move |other| {
        is_kept_day(other)
            && other.crossing() == anchor.crossing()
            && date(anchor).is_some()
            && date(other) == date(anchor)
            && other.was_written_before(anchor)
    });

    others.map(|other| {
        let day = anchor.field("date").unwrap_or_default().to_string();
        found(anchor, other, (DAY, day))
    })
}

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
    Contradiction::new(
        format!("{what} {value} {}", other.id),
        anchor.began_ms(),
        Says::Twice {
            what: code,
            value: &value,
            other: other.printed(),
            record: anchor.printed(),
        },
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

/// What both entries name, as the first of them writes it.
fn shared(a: &Facts, b: &Facts) -> Vec<(TwiceNamed, String)> {
    let mut out = Vec::new();
    let declarant = |e: &Facts| e.field("declarant").map(normalise_reference);
    let mut put = |what, text: &str| out.push((what, text.to_string()));

    if a.shares(b, "declarant_ref") && declarant(a) == declarant(b) {
        put(DECLARANT, a.field("declarant_ref").unwrap_or_default());
    }

    if a.shares(b, "transit.ref") {
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
        own.filter(|c| b.has_among("container", c))
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
    use crate::{Phase, tests::*};

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
