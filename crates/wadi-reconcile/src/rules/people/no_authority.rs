//! R21: an actor without authority, off shift or revoked.

mod shifts;

use crate::{Contradiction, Dossier, Fact, Facts, Rule, sentences};
use serde_json::json;
use shifts::Shifts;
use std::collections::BTreeSet;

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

/// Tokens that were spent on a hold, and the entries that spend them: a release and what is said of
/// its token beside it, in one entry, are one spending.
fn tokens(hold: &Facts) -> BTreeSet<(&str, &str)> {
    hold.any(&["released", "token.spent"])
        .filter_map(|e| Some((e.text("token")?, e.entry())))
        .collect()
}

/// A token lets one hold go, once.
fn spent_twice(dossier: &Dossier) -> Vec<Contradiction> {
    let anchor = &dossier.anchor;
    let all = tokens(anchor);
    let own: BTreeSet<&str> = all.iter().map(|(token, _)| *token).collect();
    if own.is_empty() {
        return Vec::new();
    }

    let again = own
        .iter()
        .filter(|t| all.iter().filter(|(token, _)| token == *t).count() > 1);
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
        .filter_map(|h| {
            let mut theirs = tokens(h).into_iter().map(|(token, _)| token);
            Some((h, theirs.find(|token| own.contains(token))?))
        })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Phase, tests::*};

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

        // Whoever lets go names the token, and says beside it that it is spent.
        let said = |entry: &str, kind| {
            let mut said = event(kind, 1, json!({"token": "T"}));
            said["entry"] = entry.into();
            said
        };
        let told = |other| [said("e1", "released"), said(other, "token.spent")];
        assert_eq!(firm("R21", hold("H1", json!({}), &told("e1")), vec![]), []);
        let twice = firm("R21", hold("H1", json!({}), &told("e2")), vec![]);
        assert_eq!(twice, [Phase::Firm]);
    }
}
