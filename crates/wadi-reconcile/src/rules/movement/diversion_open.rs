//! R06: diverted and not arrived within the limit, or arrived unannounced.

use crate::{Contradiction, Dossier, Fact, Facts, Rule, numbers::hours_ms, sentences};
use serde_json::json;

pub(crate) const RULE: Rule = Rule {
    code: "R06",
    name: "diversion_open",
    severity: 1,
    sentences: SENTENCES,
    judge,
};

sentences! {
    NotArrived = "R06-not-arrived" { passage: record, to: crossing }
    Unannounced = "R06-unannounced" { passage: record, from: crossing }
    UnannouncedFromUnknown = "R06-unannounced-from-unknown" { passage: record }
}

/// Diversions of one truck that are looked at from the first and from the last on: nobody sends one
/// to so many crossings.
const DIVERSIONS_EACH_END: usize = 8;

fn judge(dossier: &Dossier) -> Vec<Contradiction> {
    let passage = &dossier.anchor;
    if !passage.is_passage() {
        return Vec::new();
    }

    let mut out: Vec<Contradiction> = not_arrived(dossier).into_iter().collect();
    out.extend(unannounced(dossier));
    out
}

/// The diversion of a truck that never came. One that is sent on before it had to be there goes
/// where it was sent last. Who sends a truck elsewhere that is missing by then makes it no less
/// missing: it is told where it was to be first, until it comes to one of those crossings.
fn not_arrived(dossier: &Dossier) -> Option<Contradiction> {
    let passage = &dossier.anchor;
    let limit_ms = hours_ms(dossier.policy.diversion_h);
    let due_ms = |d: &Fact<'_>| d.at_ms().saturating_add(limit_ms);
    // One that went on here after all stays.
    let is_over = |d: &Fact<'_>| {
        let stayed = !passage.flag("HANDED_OVER") && went_on_here(passage, d, due_ms(d));
        stayed || has_arrived(dossier, d)
    };

    let sent = diversions(passage);
    let mut from_each = (0..sent.len()).filter_map(|n| sent.get(n..)?.split_first());
    let (diverted, _) = from_each.find(|&(diverted, later)| {
        let next = later.first();
        let is_sent_on = next.is_some_and(|next| next.known_from_ms() <= due_ms(diverted));
        !is_sent_on && !is_over(diverted) && !later.iter().any(is_over)
    })?;

    let (to, due_ms) = (diverted.text("to")?, due_ms(diverted));
    let says = Says::NotArrived {
        passage: passage.printed(),
        to,
    };
    let evidence = json!({"diverted": diverted.entry(), "to": to, "due_ms": due_ms});
    let found = Contradiction::new(diverted.id(), diverted.at_ms(), says, evidence);
    Some(found.until([to, passage.crossing()], due_ms))
}

/// The diversions of a passage in the order in which they were written, of many the first and the
/// last ones.
fn diversions(passage: &Facts) -> Vec<Fact<'_>> {
    let mut sent: Vec<Fact<'_>> = passage.events("diverted").collect();
    sent.sort_by_key(Fact::known_from_ms);
    let last_from = sent.len().saturating_sub(DIVERSIONS_EACH_END);
    let is_shown = |n: usize| n < DIVERSIONS_EACH_END || n >= last_from;

    let shown = sent.into_iter().enumerate().filter(|(n, _)| is_shown(*n));
    shown.map(|(_, sent)| sent).collect()
}

/// Whether a truck came where it was sent. Whoever sent it away cannot tell that it arrived.
fn has_arrived(dossier: &Dossier, diverted: &Fact<'_>) -> bool {
    let passage = &dossier.anchor;
    let Some(to) = diverted.text("to") else {
        return true;
    };

    let mut counting = passage.said().filter(Fact::counts);
    let is_said_there =
        counting.any(|e| e.written_at() == Some(to) && e.at_ms() >= diverted.at_ms());
    let mut there = dossier.of("passage").filter(|p| p.crossing() == to);
    is_said_there || there.any(|p| came_with_load(passage, p, diverted))
}

/// Whether a truck that was sent away went on here after all: through a gate, or cleared before it
/// had to be there. A clearing says nothing of where it stands: once it is missing it takes a gate.
fn went_on_here(passage: &Facts, diverted: &Fact<'_>, due_ms: i64) -> bool {
    let mut after = passage.any(&["gate.in", "cleared", "gate.out"]);
    after.any(|e| {
        let is_in_time = e.kind() != "cleared" || e.known_from_ms() <= due_ms;
        e.at_ms() > diverted.at_ms() && is_in_time
    })
}

/// Whether another passage brought the load where it was sent. Of a convoy each truck arrives for
/// itself.
fn came_with_load(passage: &Facts, there: &Facts, diverted: &Fact<'_>) -> bool {
    let counting = there.said().filter(Fact::counts);
    let after = counting.filter(|e| e.at_ms() >= diverted.at_ms());
    let is_silent = there.began_ms() >= diverted.at_ms();
    let first_ms = after.map(|e| e.known_from_ms()).min();
    let came_ms = first_ms.or_else(|| is_silent.then(|| there.written_ms()));

    there.state() != "VOID" && came_ms.is_some_and(|ms| passage.is_same_load_by(there, ms))
}

/// A truck that arrived, and that nobody sent.
fn unannounced(dossier: &Dossier) -> Vec<Contradiction> {
    let passage = &dossier.anchor;
    let mut out = Vec::new();
    let announced = |p: &Facts| {
        p.events("diverted")
            .any(|d| p.id == passage.id || d.text("to") == Some(passage.crossing()))
    };
    let mut others = dossier.of("passage");
    let known = announced(passage) || others.any(|p| announced(p) && p.is_same_load(passage));

    for arrived in passage.events("arrived").filter(|_| !known) {
        let from = arrived.text("from").unwrap_or_default();
        let printed = passage.printed();
        let (concerns, says) = if from.is_empty() {
            let says = Says::UnannouncedFromUnknown { passage: printed };
            (dossier.everywhere(), says)
        } else {
            let says = Says::Unannounced {
                passage: printed,
                from,
            };
            (vec![from, passage.crossing()], says)
        };

        out.push(
            Contradiction::new(
                format!("arrived from {from}"),
                arrived.at_ms(),
                says,
                json!({"from": from}),
            )
            .each(arrived.entry())
            .until(concerns, arrived.at_ms()),
        );
    }

    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{HOUR_MS, Phase, tests::*};
    use serde_json::Value as Json;

    const DUE: i64 = 100 + 48 * HOUR_MS;

    #[test]
    fn a_diverted_truck_has_two_days_and_a_late_record_of_its_arrival_is_waited_for() {
        let gone = passage(
            "P1",
            json!({}),
            &[event("diverted", 100, json!({"to": "QAM"}))],
        );

        assert_eq!(
            phases("R06", &dossier(gone.clone(), vec![], DUE - 1)),
            [Phase::Pending]
        );
        assert_eq!(
            phases("R06", &dossier(gone.clone(), vec![], DUE)),
            [Phase::Firm]
        );

        let there = passage("P2", json!({}), &[event("gate.in", 200, json!({}))]).at("QAM");
        assert_eq!(firm("R06", gone.clone(), vec![there.clone()]), []);
        assert_eq!(
            firm("R06", gone, vec![there.at("TRB")]),
            [Phase::Firm],
            "that is no arrival at Al-Qaem"
        );
    }

    #[test]
    fn of_a_convoy_each_truck_arrives_for_itself() {
        let of_convoy = |id: &str, plate: &str, events: &[serde_json::Value]| {
            passage(
                id,
                json!({"vehicle.plate": plate, "transit.ref": "T-1"}),
                events,
            )
        };
        let gone = |more: &[serde_json::Value]| {
            let sent = event("diverted", 100, json!({"to": "QAM"}));
            of_convoy("P1", "11A1", &[more, &[sent]].concat())
        };
        let came = |plate: &str| {
            let arrived = event("gate.in", 200, json!({}));
            vec![of_convoy("P2", plate, &[arrived]).at("QAM")]
        };

        assert_eq!(firm("R06", gone(&[]), came("22B2")), [Phase::Firm]);
        assert_eq!(firm("R06", gone(&[]), came("11-A-1")), []);
        let in_error = came("11A1").remove(0).state_is("VOID");
        assert_eq!(firm("R06", gone(&[]), vec![in_error]), [Phase::Firm]);

        let over = event("transhipped", 90, json!({"to_plate": "22 B 2"}));
        let found = firm("R06", gone(&[over]), came("22B2"));
        assert_eq!(found, [], "its goods went on by the other truck");

        let unannounced = event("arrived", 300, json!({"from": "TRB"}));
        let stranger = of_convoy("P3", "22B2", &[unannounced]).at("QAM");
        assert_eq!(
            firm("R06", stranger, vec![gone(&[])]),
            [Phase::Firm],
            "another truck was sent"
        );
    }

    #[test]
    fn a_truck_that_is_missing_does_not_arrive_by_a_word_that_is_written_later() {
        let of = |id: &str, plate: &str, events: &[Json]| {
            let fields = json!({"vehicle.plate": plate, "transit.ref": "T-1"});
            passage(id, fields, events)
        };
        let sent = event("diverted", 100, json!({"to": "QAM"}));
        let gone = |more: Json| of("P1", "11A1", &[sent.clone(), more]);
        let mate = |events: &[Json]| vec![of("P2", "22B2", events).at("QAM")];
        let came = event("gate.in", 200, json!({}));
        let arrived = || mate(std::slice::from_ref(&came));

        let over =
            |at_ms: i64, packages: i64| event("transhipped", at_ms, json!({"packages": packages}));
        assert_eq!(firm("R06", gone(over(150, 9)), arrived()), []);
        assert_eq!(firm("R06", gone(over(150, 0)), arrived()), [Phase::Firm]);
        assert_eq!(firm("R06", gone(over(DUE, 9)), arrived()), [Phase::Firm]);

        let link = |to: &str| event("link", DUE, json!({"record": to}));
        assert_eq!(firm("R06", gone(link("P2")), arrived()), [Phase::Firm]);
        let told_there = mate(&[came.clone(), link("P1")]);
        let silent = event("parked", 99, json!({}));
        assert_eq!(
            firm("R06", gone(silent), told_there),
            [],
            "who is there says that it is the truck, misread"
        );
    }

    #[test]
    fn a_truck_that_is_missing_is_not_cleared_where_it_was_sent_away() {
        let found = |kind: &str, at_ms: i64, entered_ms: i64| {
            let sent = event("diverted", 100, json!({"to": "QAM"}));
            let mut after = event(kind, at_ms, json!({}));
            after["entered_ms"] = entered_ms.into();
            firm("R06", passage("P1", json!({}), &[sent, after]), vec![])
        };

        assert_eq!(found("cleared", 200, 200), [], "it went on here");
        assert_eq!(found("cleared", DUE + 1, DUE + 1), [Phase::Firm]);
        assert_eq!(found("cleared", 200, DUE + 1), [Phase::Firm], "back-dated");
        assert_eq!(found("gate.out", DUE + 1, DUE + 1), [], "it was here yet");
    }

    #[test]
    fn a_truck_that_nobody_announced_is_found_once_its_origin_is_heard() {
        let came = passage(
            "P1",
            json!({}),
            &[event("arrived", 100, json!({"from": "QAM"}))],
        );

        assert_eq!(
            phases("R06", &dossier(came.clone(), vec![], 99)),
            [Phase::Pending]
        );
        assert_eq!(firm("R06", came.clone(), vec![]), [Phase::Firm]);

        let sent = passage(
            "P2",
            json!({}),
            &[event("diverted", 50, json!({"to": "TRB"}))],
        )
        .at("QAM");

        assert_eq!(firm("R06", came, vec![sent]), []);
    }

    #[test]
    fn whoever_sent_it_away_cannot_tell_that_it_arrived() {
        let sent = |written_at: Option<&str>| {
            let mut arrived = event("arrived", 200, json!({"from": "TRB"}));
            if let Some(crossing) = written_at {
                arrived["written_at"] = crossing.into();
            }
            let diverted = event("diverted", 100, json!({"to": "QAM"}));
            let passage = passage("P1", json!({}), &[diverted, arrived]);
            firm("R06", passage, vec![])
        };

        assert_eq!(sent(None), [Phase::Firm], "its own crossing says so");
        assert_eq!(sent(Some("MAN")), [Phase::Firm], "it was not sent there");
        assert_eq!(sent(Some("QAM")), []);
    }

    #[test]
    fn who_sends_a_missing_truck_elsewhere_makes_it_no_less_missing() {
        let sent = |to: &str, at_ms: i64| {
            let mut sent = event("diverted", at_ms, json!({"to": to}));
            sent["id"] = format!("to {to}").into();
            sent
        };
        let found = |second_ms: i64, others: Vec<Facts>, received_ms: i64| {
            let events = [sent("QAM", 100), sent("MUN", second_ms)];
            let truck = passage("P1", json!({"vehicle.plate": "11A1"}), &events);
            let all = crate::reconcile(&dossier(truck, others, received_ms)).into_iter();
            let of_rule = all.filter(|f| f.rule.code == "R06");
            of_rule
                .map(|f| (f.phase, f.contradiction.discriminator))
                .collect::<Vec<_>>()
        };
        let told = |phase, to: &str| vec![(phase, format!("to {to}"))];

        assert_eq!(found(DUE, vec![], DUE), told(Phase::Pending, "MUN"));
        assert_eq!(found(DUE + 1, vec![], DUE), told(Phase::Firm, "QAM"));

        let fields = json!({"vehicle.plate": "11A1"});
        let came = [event("gate.in", DUE + 9, json!({}))];
        let arrived = vec![passage("P2", fields, &came).at("MUN")];
        assert_eq!(found(DUE + 1, arrived, DUE), [], "late, and there");
    }

    #[test]
    fn a_container_that_is_captured_on_a_missing_truck_brings_it_nowhere() {
        let found = |captured_ms: i64| {
            let captured = json!([{"entered_ms": captured_ms, "fields": ["container.1"]}]);
            let boxed = |plate: &str| json!({"vehicle.plate": plate, "container.1": "C1"});
            let sent = event("diverted", 100, json!({"to": "QAM"}));
            let missing = passage("P1", boxed("11A1"), &[sent]).with("captured", captured);
            let came = event("gate.in", 200, json!({}));
            let mate = passage("P2", boxed("22B2"), &[came]).at("QAM");
            firm("R06", missing, vec![mate])
        };

        assert_eq!(found(100), []);
        assert_eq!(found(DUE), [Phase::Firm]);
    }
}
