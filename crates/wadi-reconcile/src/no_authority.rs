//! R21: an actor without authority, off shift or revoked.

use crate::{Contradiction, Dossier, Fact, HOUR_MS, Rule};
use serde_json::json;

pub(crate) const RULE: Rule = Rule { code: "R21", name: "no_authority", severity: 1, judge };

/// Codes of refusals that are about the actor, and not about the act.
const CODES: [&str; 7] = [
    "no_authority",
    "unregistered_officer",
    "revoked_officer",
    "unknown_department",
    "no_second_officer",
    "foreign_crossing",
    "unseen_hold",
];
/// Acts that need somebody on shift.
const ON_SHIFT: [&str; 6] = ["gate.in", "gate.out", "cleared", "released", "entry.released", "handed_over"];
/// A shift that nobody ended is taken for one of so many hours.
const SHIFT_MS: i64 = 24 * HOUR_MS;

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
    out
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
    let last = shifts.iter().rfind(|s| s.at_ms() <= act.at_ms());
    let on = last.is_some_and(|s| s.kind() == "shift.on" && act.at_ms() - s.at_ms() <= SHIFT_MS);
    // Only where a shift of that very day is known: a day that nobody kept proves nothing.
    let kept = shifts.iter().any(|s| (s.at_ms() - act.at_ms()).abs() <= SHIFT_MS / 2);
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
}
