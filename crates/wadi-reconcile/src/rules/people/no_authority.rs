//! R21: an actor without authority, off shift or revoked.

use crate::{Contradiction, Dossier, Fact, Facts, Rule, sentences};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use wadi_record::{SHIFT_EVENTS, ShiftTurn, is_off_shift};

pub(crate) const RULE: Rule = Rule {
    code: "R21",
    name: "no_authority",
    severity: 1,
    sentences: SENTENCES,
    judge,
};

sentences! {
    Refused = "R21-refused" { officer: officer, event: event, record: record, why: refusal }
    RefusedField = "R21-refused-field" {
        actor: name, field: field, record: record, why: refusal,
    }
    Revoked = "R21-revoked" { officer: officer, event: event, record: record }
    TakenBackKey = "R21-key" { officer: officer, event: event, record: record }
    Foreign = "R21-foreign" { record: record, why: refusal }
    ForeignRecord = "R21-foreign-record" { record: record, why: refusal }
    Elsewhere = "R21-elsewhere" { officer: officer, event: event, record: record }
    TokenTwice = "R21-token-twice" { hold: record }
    TokenElsewhere = "R21-token-elsewhere" { hold: record, other: record }
    OffShift = "R21-off-shift" { officer: officer, event: event, record: record }
}

/// The code of an entry that came from a crossing which the record does not belong to.
const FOREIGN: &str = "foreign_crossing";
/// The state of a record that another crossing began in its crossing's name.
const BEGUN_BY_ANOTHER: &str = "FOREIGN";

/// Codes of refusals that are about the actor, and not about the act.
const REFUSAL_CODES: [&str; 13] = [
    "no_authority",
    "unregistered_officer",
    "revoked_officer",
    "unknown_department",
    "no_second_officer",
    "unseen_hold",
    "token_unknown",
    "token_foreign",
    "token_expired",
    "token_spent",
    "decision_unsigned",
    "decision_signature",
    "decision_key",
];

fn judge(dossier: &Dossier) -> Vec<Contradiction> {
    let anchor = &dossier.anchor;
    let mut out: Vec<Contradiction> = refused(anchor).chain(refused_fields(anchor)).collect();
    let shifts = Shifts::of(dossier);
    out.extend(
        anchor
            .of_types(|t| t.needs_shift)
            .filter_map(|e| shifts.off_shift(dossier, e)),
    );

    out.extend(after_revocation(dossier));
    out.extend(by_taken_back_keys(dossier));
    out.extend(foreign(anchor));
    out.extend(elsewhere(anchor));
    out.extend(spent_twice(dossier));

    out
}

/// Acts that were refused for their actor. Whoever invents a name for each act is told by the log
/// that says it.
fn refused(anchor: &Facts) -> impl Iterator<Item = Contradiction> {
    anchor.said().filter_map(|e| {
        let (code, why) = e
            .refused()
            .filter(|(code, _)| REFUSAL_CODES.contains(code))?;
        let actor = if code == "unregistered_officer" {
            log_of(e.entry())
        } else {
            e.officer()
        };

        let says = Says::Refused {
            officer: e.officer(),
            event: e.kind(),
            record: anchor.printed(),
            why: (code, why),
        };

        let evidence = json!({"type": e.kind(), "officer": e.officer(), "code": code});
        let basis = json!({"type": e.kind(), "actor": actor, "code": code});
        let found = Contradiction::new(
            format!("{code} {} {actor}", e.kind()),
            e.at_ms(),
            says,
            evidence,
        );

        Some(found.of_cause(basis).each(e.entry()))
    })
}

/// Values that somebody put without the right to. An honest node does not write them at all.
fn refused_fields(anchor: &Facts) -> impl Iterator<Item = Contradiction> {
    let all = anchor.json["refused_fields"]
        .as_array()
        .into_iter()
        .flatten();
    all.map(|put| {
        let text = |member: &str| put[member].as_str().unwrap_or_default();
        let (code, entry) = (text("code"), text("entry"));
        let (officer, field) = (text("officer"), text("field"));
        let actor = if officer.is_empty() {
            log_of(entry)
        } else {
            officer
        };
        let says = Says::RefusedField {
            actor,
            field,
            record: anchor.printed(),
            why: (code, text("why")),
        };
        let evidence = json!({"field": field, "officer": officer, "code": code});
        let basis = json!({"actor": actor, "code": code});
        let at_ms = put["at_ms"].as_i64().unwrap_or_default();

        Contradiction::new(format!("{code} fields {actor}"), at_ms, says, evidence)
            .of_cause(basis)
            .each(entry)
    })
}

/// The log that an entry stands in, out of its reference.
fn log_of(entry: &str) -> &str {
    entry.split_once('@').map_or(entry, |(log, _)| log)
}

/// The crossing had not heard of the revocation: the act stands, and is marked.
fn after_revocation(dossier: &Dossier) -> impl Iterator<Item = Contradiction> {
    let anchor = &dossier.anchor;
    anchor.said().filter(Fact::counts).filter_map(move |e| {
        let since_ms = *dossier
            .revoked
            .get(e.officer())
            .filter(|since| e.at_ms() >= **since)?;
        let says = Says::Revoked {
            officer: e.officer(),
            event: e.kind(),
            record: anchor.printed(),
        };

        let evidence = json!({"officer": e.officer(), "revoked_ms": since_ms});
        Some(
            Contradiction::new(
                format!("revoked {}", e.officer()),
                e.at_ms(),
                says,
                evidence,
            )
            .each(e.entry()),
        )
    })
}

/// The crossing had not heard that the key was taken back: the act stands, and is marked.
fn by_taken_back_keys(dossier: &Dossier) -> impl Iterator<Item = Contradiction> {
    let anchor = &dossier.anchor;
    let lets_go = anchor.of_types(wadi_record::EventType::lets_go);
    lets_go.filter(Fact::counts).filter_map(move |e| {
        let key = e.signed_by()?;
        let taken_back = dossier.keys_taken_back.get(key);
        let since_ms = *taken_back.filter(|since| e.at_ms() >= **since)?;
        let says = Says::TakenBackKey {
            officer: e.officer(),
            event: e.kind(),
            record: anchor.printed(),
        };

        let evidence = json!({"officer": e.officer(), "key": key, "taken_back_ms": since_ms});
        let found = Contradiction::new(format!("key {key}"), e.at_ms(), says, evidence);
        Some(found.each(e.entry()))
    })
}

/// Entries of a crossing to which the record was not handed over.
fn foreign(anchor: &Facts) -> impl Iterator<Item = Contradiction> {
    let refused = anchor.json["refused"].as_array().into_iter().flatten();
    refused.filter(|r| r["code"] == FOREIGN).map(|r| {
        let entry = r["entry"].as_str().unwrap_or_default();
        let why = r["why"].as_str().unwrap_or_default();
        let record = anchor.printed();
        let says = match anchor.state() {
            BEGUN_BY_ANOTHER => Says::ForeignRecord {
                record,
                why: (FOREIGN, why),
            },
            _ => Says::Foreign {
                record,
                why: (FOREIGN, why),
            },
        };
        let log = log_of(entry);
        let found = Contradiction::new(
            format!("foreign {log}"),
            anchor.ended_ms(),
            says,
            json!({"log": log}),
        );

        found.each(entry)
    })
}

/// What counts although its officer is registered for another crossing: it holds something back,
/// or has happened. Either the officer was there, or somebody speaks in his name.
fn elsewhere(anchor: &Facts) -> impl Iterator<Item = Contradiction> {
    let all = anchor.said().filter(|e| e.counts() && e.is_elsewhere());
    all.map(|e| {
        let says = Says::Elsewhere {
            officer: e.officer(),
            event: e.kind(),
            record: anchor.printed(),
        };
        let log = log_of(e.entry());
        let evidence = json!({"type": e.kind(), "officer": e.officer(), "log": log});

        Contradiction::new(
            format!("elsewhere {} {log}", e.officer()),
            e.at_ms(),
            says,
            evidence,
        )
        .of_cause(json!({"officer": e.officer(), "log": log}))
        .each(e.entry())
    })
}

/// Tokens that were spent on a hold.
fn tokens(hold: &Facts) -> impl Iterator<Item = &str> {
    hold.any(&["released", "token.spent"])
        .filter_map(|e| e.text("token"))
}

/// A token lets one hold go, once.
fn spent_twice(dossier: &Dossier) -> Vec<Contradiction> {
    let anchor = &dossier.anchor;
    let own: BTreeSet<&str> = tokens(anchor).collect();
    if own.is_empty() {
        return Vec::new();
    }

    let all: Vec<&str> = tokens(anchor).collect();
    let again = own
        .iter()
        .filter(|t| all.iter().filter(|o| o == t).count() > 1);
    let again = again.map(|token| {
        let says = Says::TokenTwice {
            hold: anchor.printed(),
        };
        let evidence = json!({"token": token, "other": anchor.printed()});
        Contradiction::new(format!("token {token}"), anchor.ended_ms(), says, evidence)
    });

    // Of two holds the later one carries the finding.
    let earlier = dossier
        .of("hold")
        .filter(|h| (h.began_ms(), &h.id) < (anchor.began_ms(), &anchor.id));

    earlier
        .filter_map(|h| Some((h, tokens(h).find(|t| own.contains(t))?)))
        .map(|(h, token)| {
            let says = Says::TokenElsewhere {
                hold: anchor.printed(),
                other: h.printed(),
            };

            let evidence = json!({"token": token, "other": h.printed()});
            Contradiction::new(
                format!("token {token} {}", h.id),
                anchor.ended_ms(),
                says,
                evidence,
            )
        })
        .chain(again)
        .collect()
}

/// The shifts that the site days of the crossing tell, by officer, the oldest first.
struct Shifts<'a>(BTreeMap<&'a str, Vec<ShiftTurn>>);

impl<'a> Shifts<'a> {
    fn of(dossier: &'a Dossier) -> Self {
        let here = dossier.anchor.crossing();
        let days = dossier.of("site-day").filter(|d| d.crossing() == here);
        let mut by_officer: BTreeMap<&str, Vec<ShiftTurn>> = BTreeMap::new();
        for shift in days.flat_map(|d| d.any(&SHIFT_EVENTS)) {
            by_officer
                .entry(shift.text("officer").unwrap_or_default())
                .or_default()
                .push(ShiftTurn::of(shift.kind(), shift.at_ms()));
        }

        for turns in by_officer.values_mut() {
            turns.sort_by_key(|turn| (turn.at_ms, turn.is_on));
        }

        Self(by_officer)
    }

    /// Of an officer whom none of the site days names nothing is known.
    fn off_shift(&self, dossier: &Dossier, act: Fact<'_>) -> Option<Contradiction> {
        let anchor = &dossier.anchor;
        let turns = self.0.get(act.officer())?;
        let at_ms = act.at_ms();
        is_off_shift(turns, at_ms, &dossier.policy).then(|| {
            Contradiction::new(
                format!("off shift {} {}", act.kind(), act.officer()),
                at_ms,
                Says::OffShift {
                    officer: act.officer(),
                    event: act.kind(),
                    record: anchor.printed(),
                },
                json!({"type": act.kind(), "officer": act.officer()}),
            )
            .each(act.entry())
            .until([anchor.crossing()], at_ms)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{HOUR_MS, Phase, tests::*};

    #[test]
    fn an_act_that_was_refused_for_its_actor_is_reported() {
        let refused = |code: &str| {
            let mut e = event("released", 5, json!({}));
            e["counts"] = false.into();
            e["refused"] = json!({"code": code, "why": "revoked in March"});
            hold("H1", json!({}), &[e])
        };

        assert_eq!(
            firm("R21", refused("revoked_officer"), vec![]),
            [Phase::Firm]
        );
        assert_eq!(
            firm("R21", refused("no_attested_result"), vec![]),
            [],
            "the officer may, the evidence is missing"
        );
    }

    #[test]
    fn who_is_registered_for_another_crossing_and_is_heard_all_the_same_is_reported() {
        let placed = |is_elsewhere: bool| {
            let mut e = event("hold.placed", 5, json!({}));
            if is_elsewhere {
                e["elsewhere"] = true.into();
            }
            hold("H1", json!({}), &[e])
        };

        assert_eq!(firm("R21", placed(true), vec![]), [Phase::Firm]);
        assert_eq!(firm("R21", placed(false), vec![]), []);
    }

    #[test]
    fn values_that_were_put_without_the_right_are_one_finding_for_each_who_put_them() {
        let put = |officer: &str, field: &str, entry: &str| {
            json!({"officer": officer, "field": field, "entry": entry, "code": "no_authority",
                "why": "OPS may not", "at_ms": 5})
        };
        let found = |puts: serde_json::Value| {
            let truck = passage("P1", json!({}), &[]).with("refused_fields", puts);
            firm("R21", truck, vec![]).len()
        };

        assert_eq!(found(json!([])), 0);
        assert_eq!(found(json!([put("OF-1", "vehicle.plate", "e1")])), 1);
        let two = json!([
            put("OF-1", "vehicle.plate", "e1"),
            put("OF-1", "seal.1", "e2")
        ]);
        assert_eq!(found(two), 1);
        let others = json!([
            put("OF-1", "vehicle.plate", "e1"),
            put("OF-2", "seal.1", "e2")
        ]);
        assert_eq!(found(others), 2);
    }

    #[test]
    fn what_an_officer_said_after_being_revoked_stands_and_is_marked() {
        let found = |since_ms| {
            let mut d = dossier(
                passage("P1", json!({}), &[event("weighed", 5, json!({}))]),
                vec![],
                0,
            );

            d.revoked.insert("OF-1".into(), since_ms);
            phases("R21", &d)
        };

        assert_eq!(found(5), [Phase::Firm]);
        assert_eq!(found(6), [], "said before");
    }

    #[test]
    fn a_token_is_spent_once() {
        let spent = |id, at, token: &str| {
            hold(
                id,
                json!({}),
                &[event("released", at, json!({"token": token}))],
            )
        };

        assert_eq!(
            firm("R21", spent("H2", 2, "T"), vec![spent("H1", 1, "T")]),
            [Phase::Firm]
        );
        assert_eq!(
            firm("R21", spent("H2", 2, "T"), vec![spent("H1", 1, "U")]),
            []
        );

        let releases = |other: &str| {
            let one = event("released", 1, json!({"token": "T"}));
            hold(
                "H1",
                json!({}),
                &[one, event("released", 2, json!({"token": other}))],
            )
        };
        assert_eq!(
            firm("R21", releases("T"), vec![]),
            [Phase::Firm],
            "twice on one hold"
        );
        assert_eq!(firm("R21", releases("U"), vec![]), []);
    }

    #[test]
    fn an_officer_acts_on_shift_as_far_as_shifts_are_kept() {
        let left = |at| passage("P1", json!({}), &[event("gate.out", at, json!({}))]);
        let day = |from: i64, to: i64| {
            let shift =
                |kind, at| event(kind, at, json!({"officer": "OF-1", "department": "PORT"}));
            let events = [shift("shift.on", from), shift("shift.off", to)];
            vec![facts("S1", "site-day", "TRB", json!({"events": events}))]
        };

        assert_eq!(
            firm("R21", left(3 * HOUR_MS), day(HOUR_MS, 2 * HOUR_MS)),
            [Phase::Firm]
        );
        assert_eq!(
            phases(
                "R21",
                &dossier(left(3 * HOUR_MS), day(HOUR_MS, 2 * HOUR_MS), 0)
            ),
            [Phase::Pending]
        );

        assert_eq!(
            firm("R21", left(3 * HOUR_MS), day(HOUR_MS, 4 * HOUR_MS)),
            []
        );
        assert_eq!(
            firm("R21", left(3 * HOUR_MS), vec![]),
            [],
            "nobody kept the day"
        );
    }
    #[test]
    fn how_long_a_shift_lasts_that_nobody_ended_is_the_policys_to_say() {
        let found = |shift_h: u32, since_h: i64| {
            let left = passage(
                "P1",
                json!({}),
                &[event("gate.out", since_h * HOUR_MS, json!({}))],
            );

            let shift =
                |kind, at| event(kind, at, json!({"officer": "OF-1", "department": "PORT"}));

            // The book of the next day was kept, so that an officer whose shift is over is known to
            // be off.
            let next = shift("shift.on", (since_h + 1) * HOUR_MS);
            let day = facts(
                "S1",
                "site-day",
                "TRB",
                json!({"events": [shift("shift.on", 0), next]}),
            );

            let mut d = dossier(left, vec![day], i64::MAX);
            d.policy.shift_h = shift_h;
            phases("R21", &d)
        };

        assert_eq!(found(24, 23), []);
        assert_eq!(found(24, 25), [Phase::Firm]);
        assert_eq!(found(36, 25), []);
        assert_eq!(found(12, 13), [Phase::Firm]);
    }
}
