//! R21: an actor without authority, off shift or revoked.

use crate::{Contradiction, Dossier, Fact, Facts, HOUR_MS, Rule};
use serde_json::json;

pub(crate) const RULE: Rule = Rule { code: "R21", name: "no_authority", severity: 1, judge };

/// Codes of refusals that are about the actor, and not about the act.
const CODES: [&str; 6] = [
    "no_authority",
    "unregistered_officer",
    "revoked_officer",
    "unknown_department",
    "no_second_officer",
    "unseen_hold",
];
/// Acts that need somebody on shift.
const ON_SHIFT: [&str; 6] = ["gate.in", "gate.out", "cleared", "released", "entry.released", "handed_over"];

fn judge(dossier: &Dossier) -> Vec<Contradiction> {
    let anchor = &dossier.anchor;
    let mut out: Vec<Contradiction> = anchor
        .said()
        .filter_map(|e| {
            let (code, why) = e.refused().filter(|(code, _)| CODES.contains(code))?;
            let text = format!("{} said {} on {}: {why}", e.officer(), e.kind(), anchor.printed());
            let evidence = json!({"event": e.entry(), "officer": e.officer(), "code": code});
            Some(Contradiction::new(e.id(), e.at_ms(), text, evidence))
        })
        .collect();
    out.extend(anchor.any(&ON_SHIFT).filter_map(|e| off_shift(dossier, e)));
    // The crossing had not heard of the revocation: the act stands, and is marked.
    out.extend(anchor.said().filter(Fact::counts).filter_map(|e| {
        let since_ms = *dossier.revoked.get(e.officer()).filter(|since| e.at_ms() >= **since)?;
        let text = format!("{} said {} on {} after being revoked", e.officer(), e.kind(), anchor.printed());
        let evidence = json!({"event": e.entry(), "officer": e.officer(), "revoked_ms": since_ms});
        Some(Contradiction::new(format!("revoked {}", e.id()), e.at_ms(), text, evidence))
    }));
    let foreign = |r: &&serde_json::Value| r["code"] == "foreign_crossing";
    out.extend(anchor.json["refused"].as_array().into_iter().flatten().filter(foreign).map(|r| {
        let (entry, why) = (r["entry"].as_str().unwrap_or_default(), r["why"].as_str().unwrap_or_default());
        let text = format!("an entry on {} does not count: {why}", anchor.printed());
        Contradiction::new(format!("foreign {entry}"), anchor.ended_ms(), text, json!({"entry": entry}))
    }));
    out.extend(spent_twice(dossier));
    out
}

/// A token lets one hold go, once.
fn spent_twice(dossier: &Dossier) -> Vec<Contradiction> {
    let anchor = &dossier.anchor;
    let tokens = |r: &Facts| -> Vec<String> {
        r.any(&["released", "token.spent"]).filter_map(|e| e.text("token")).map(String::from).collect()
    };
    let own = tokens(anchor);
    // Of two holds the later one carries the finding.
    let earlier = dossier.of("hold").filter(|h| (h.began_ms(), &h.id) < (anchor.began_ms(), &anchor.id));
    earlier
        .filter_map(|h| Some((h, tokens(h).into_iter().find(|t| own.contains(t))?)))
        .map(|(h, token)| {
            let text = format!("a token spent on {} was spent on {} already", anchor.printed(), h.printed());
            let evidence = json!({"token": token, "other": h.printed()});
            Contradiction::new(format!("token {token} {}", h.id), anchor.ended_ms(), text, evidence)
        })
        .collect()
}

/// Shifts are kept by the site day of the crossing. Of an officer whom none of them names nothing is known.
fn off_shift(dossier: &Dossier, act: Fact<'_>) -> Option<Contradiction> {
    let anchor = &dossier.anchor;
    let days = dossier.of("site-day").filter(|d| d.crossing() == anchor.crossing());
    let mut shifts: Vec<Fact<'_>> = days
        .flat_map(|d| d.any(&["shift.on", "shift.off"]))
        .filter(|s| s.text("officer") == Some(act.officer()))
        .collect();
    shifts.sort_by_key(Fact::at_ms);
    let doubt_ms = i64::from(dossier.policy.clock_doubt_s) * 1_000;
    // A shift that nobody ended is taken for one of so many hours.
    let shift_ms = i64::from(dossier.policy.shift_h) * HOUR_MS;
    let on_at = |at_ms: i64| {
        let last = shifts.iter().rfind(|s| s.at_ms() <= at_ms);
        last.is_some_and(|s| s.kind() == "shift.on" && at_ms - s.at_ms() <= shift_ms)
    };
    // The clocks of the gate and of the shift book may differ a little.
    let on = [act.at_ms(), act.at_ms() - doubt_ms, act.at_ms() + doubt_ms].into_iter().any(on_at);
    // Only where a shift of that very day is known: a day that nobody kept proves nothing.
    let kept = shifts.iter().any(|s| (s.at_ms() - act.at_ms()).abs() <= shift_ms / 2);
    (kept && !on).then(|| {
        Contradiction::new(
            format!("off shift {}", act.id()),
            act.at_ms(),
            format!("{} said {} on {} while off shift", act.officer(), act.kind(), anchor.printed()),
            json!({"event": act.entry(), "officer": act.officer()}),
        )
        .until([anchor.crossing()], act.at_ms())
    })
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
        assert_eq!(firm("R21", refused("revoked_officer"), vec![]), [Phase::Firm]);
        assert_eq!(firm("R21", refused("no_attested_result"), vec![]), [], "the officer may, the evidence is missing");
    }

    #[test]
    fn what_an_officer_said_after_being_revoked_stands_and_is_marked() {
        let found = |since_ms| {
            let mut d = dossier(passage("P1", json!({}), &[event("weighed", 5, json!({}))]), vec![], 0);
            d.revoked.insert("OF-1".into(), since_ms);
            phases("R21", &d)
        };
        assert_eq!(found(5), [Phase::Firm]);
        assert_eq!(found(6), [], "said before");
    }

    #[test]
    fn a_token_is_spent_once() {
        let spent = |id, at, token: &str| hold(id, json!({}), &[event("released", at, json!({"token": token}))]);
        assert_eq!(firm("R21", spent("H2", 2, "T"), vec![spent("H1", 1, "T")]), [Phase::Firm]);
        assert_eq!(firm("R21", spent("H2", 2, "T"), vec![spent("H1", 1, "U")]), []);
    }

    #[test]
    fn an_officer_acts_on_shift_as_far_as_shifts_are_kept() {
        let left = |at| passage("P1", json!({}), &[event("gate.out", at, json!({}))]);
        let day = |from: i64, to: i64| {
            let shift = |kind, at| event(kind, at, json!({"officer": "OF-1", "department": "PORT"}));
            let events = [shift("shift.on", from), shift("shift.off", to)];
            vec![facts("S1", "site-day", "TRB", json!({"events": events}))]
        };
        assert_eq!(firm("R21", left(3 * HOUR_MS), day(HOUR_MS, 2 * HOUR_MS)), [Phase::Firm]);
        assert_eq!(phases("R21", &dossier(left(3 * HOUR_MS), day(HOUR_MS, 2 * HOUR_MS), 0)), [Phase::Pending]);
        assert_eq!(firm("R21", left(3 * HOUR_MS), day(HOUR_MS, 4 * HOUR_MS)), []);
        assert_eq!(firm("R21", left(3 * HOUR_MS), vec![]), [], "nobody kept the day");
    }
    #[test]
    fn how_long_a_shift_lasts_that_nobody_ended_is_the_policys_to_say() {
        let found = |shift_h: u32, since_h: i64| {
            let left = passage("P1", json!({}), &[event("gate.out", since_h * HOUR_MS, json!({}))]);
            let shift = |kind, at| event(kind, at, json!({"officer": "OF-1", "department": "PORT"}));
            // The book of the next day was kept, so that an officer whose shift is over is known to be off.
            let next = shift("shift.on", (since_h + 1) * HOUR_MS);
            let day = facts("S1", "site-day", "TRB", json!({"events": [shift("shift.on", 0), next]}));
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
