//! R06: diverted and not arrived within the limit, or arrived unannounced.

use crate::{Contradiction, Dossier, Rule, numbers::hours_ms, sentences};
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

fn judge(dossier: &Dossier) -> Vec<Contradiction> {
    let passage = &dossier.anchor;
    if !passage.is_passage() {
        return Vec::new();
    }

    let limit_ms = hours_ms(dossier.policy.diversion_h);
    let mut out = Vec::new();

    // A truck diverted again goes where it was sent last; one that went on here after all stays.
    let last = passage.events("diverted").last().into_iter();
    let stayed = |d: &crate::Fact<'_>| {
        passage
            .any(&["gate.in", "cleared", "gate.out"])
            .any(|e| e.at_ms() > d.at_ms())
    };

    for diverted in last.filter(|d| passage.flag("HANDED_OVER") || !stayed(d)) {
        let Some(to) = diverted.text("to") else {
            continue;
        };
        let arrived = passage
            .said()
            // Whoever sent it away cannot tell that it arrived.
            .any(|e| e.counts() && e.written_at() == Some(to) && e.at_ms() >= diverted.at_ms())
            || dossier.of("passage").any(|p| {
                // Of a convoy each truck arrives for itself.
                let is_there = p.crossing() == to && p.ended_ms() >= diverted.at_ms();
                is_there && p.state() != "VOID" && p.is_same_load(passage)
            });

        if !arrived {
            let due_ms = diverted.at_ms().saturating_add(limit_ms);
            out.push(
                Contradiction::new(
                    diverted.id(),
                    diverted.at_ms(),
                    Says::NotArrived {
                        passage: passage.printed(),
                        to,
                    },
                    json!({"diverted": diverted.entry(), "to": to, "due_ms": due_ms}),
                )
                .until([to, passage.crossing()], due_ms),
            );
        }
    }

    out.extend(unannounced(dossier));
    out
}

/// A truck that arrived, and that nobody sent.
fn unannounced(dossier: &Dossier) -> Vec<Contradiction> {
    let passage = &dossier.anchor;
    let mut out = Vec::new();
    let announced = |p: &crate::Facts| {
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
}
