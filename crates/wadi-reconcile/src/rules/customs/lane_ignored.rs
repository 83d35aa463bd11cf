//! R19: released from the red channel without inspection; a channel lowered without reason or by
//! somebody who may not.

use crate::{Contradiction, Dossier, Rule, sentences};
use serde_json::json;

pub(crate) const RULE: Rule = Rule {
    code: "R19",
    name: "lane_ignored",
    severity: 1,
    sentences: SENTENCES,
    judge,
};

sentences! {
    Uninspected = "R19-uninspected" { entry: record }
    LoweredRefused = "R19-lowered-refused" { entry: record, why: refusal }
    Lowered = "R19-lowered" { entry: record }
}

fn judge(dossier: &Dossier) -> Vec<Contradiction> {
    let entry = &dossier.anchor;
    if !entry.is_customs_entry() {
        return Vec::new();
    }

    let mut out = Vec::new();
    let searched = |r: &crate::Facts| r.has("inspected") || r.has("search.found");
    if let Some(released_ms) = entry.first_ms("entry.released")
        && entry.flag("RED")
        && !searched(entry)
        && !dossier.named_holds().any(searched)
    {
        out.push(
            Contradiction::new(
                "uninspected",
                released_ms,
                Says::Uninspected {
                    entry: entry.printed(),
                },
                json!({"released_ms": released_ms}),
            )
            .until([entry.crossing()], released_ms),
        );
    }

    for lowered in entry.said().filter(|e| e.kind() == "lane.lowered") {
        let printed = entry.printed();
        let (why, says) = match lowered.refused() {
            Some((code, why)) => (
                why,
                Says::LoweredRefused {
                    entry: printed,
                    why: (code, why),
                },
            ),
            None if lowered.text("reason").is_none_or(|r| r.trim().is_empty()) => {
                ("no reason was given", Says::Lowered { entry: printed })
            }
            None => continue,
        };

        let found = Contradiction::new(
            format!("lowered {} {why}", lowered.officer()),
            lowered.at_ms(),
            says,
            json!({"officer": lowered.officer(), "why": why}),
        );

        out.push(found.each(lowered.entry()));
    }

    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Phase, tests::*};

    #[test]
    fn a_red_entry_is_inspected_before_it_is_released() {
        let released = event("entry.released", 9, json!({}));
        let red = |events: &[serde_json::Value]| {
            entry("E1", json!({}), events).with("flags", json!(["RED"]))
        };
        let bare = red(std::slice::from_ref(&released));
        assert_eq!(
            phases("R19", &dossier(bare.clone(), vec![], 8)),
            [Phase::Pending]
        );
        assert_eq!(firm("R19", bare.clone(), vec![]), [Phase::Firm]);
        assert_eq!(
            firm(
                "R19",
                red(&[event("inspected", 5, json!({})), released]),
                vec![]
            ),
            []
        );

        assert_eq!(
            firm("R19", bare.with("flags", json!(["YELLOW"])), vec![]),
            []
        );
    }

    #[test]
    fn a_lane_is_lowered_with_a_reason_by_whoever_may() {
        let mut lowered = event(
            "lane.lowered",
            5,
            json!({"lane": "GREEN", "reason": "trusted trader"}),
        );

        assert_eq!(
            firm(
                "R19",
                entry("E1", json!({}), std::slice::from_ref(&lowered)),
                vec![]
            ),
            []
        );

        lowered["counts"] = false.into();
        lowered["refused"] = json!({"code": "no_authority", "why": "not a supervisor"});
        assert_eq!(
            firm("R19", entry("E1", json!({}), &[lowered]), vec![]),
            [Phase::Firm]
        );
    }
}
