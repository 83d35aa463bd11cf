//! R11: a result contradicts the release; a recall within sixty days.

use crate::{
    Contradiction, Dossier, Fact, Facts, Rule,
    numbers::{hours_ms, seconds_ms},
    sentences,
};
use serde_json::json;
use std::collections::BTreeMap;
use wadi_record::{Gives, event_type, normalise_label};

pub(crate) const RULE: Rule = Rule {
    code: "R11",
    name: "released_against_result",
    severity: 1,
    sentences: SENTENCES,
    judge,
};

sentences! {
    Against = "R11-against" { hold: record, event: event }
    SaidAfter = "R11-said-after" { hold: record, event: event, officer: officer }
}

fn judge(dossier: &Dossier) -> Vec<Contradiction> {
    let hold = &dossier.anchor;
    if !hold.is_hold() {
        return Vec::new();
    }

    // What goes under conditions goes all the same.
    let mut releases: Vec<Fact<'_>> = hold.any(&["released", "conditional"]).collect();
    if releases.is_empty() {
        return Vec::new();
    }

    releases.sort_by_key(|r| (r.at_ms(), r.id()));
    let doubt_ms = seconds_ms(dossier.policy.clock_doubt_s);
    let recall_ms = hours_ms(dossier.policy.recall_h);
    let against = hold.said().filter(speaks_against).filter_map(|bad| {
        // The first release that it still speaks against. What a search finds later is of what was
        // let go no more.
        let from_ms = match is_search(&bad) {
            true => bad.at_ms(),
            false => bad.at_ms().saturating_sub(recall_ms),
        };
        let first = releases.partition_point(|r| r.at_ms() < from_ms);
        let released = releases
            .get(first)
            .filter(|r| !ResultAnswers::by(hold, r, doubt_ms).answered(&bad, r.at_ms()))?;
        Some(told(hold, &bad, released, doubt_ms))
    });

    against.collect()
}

/// That something speaks against a release. Where it was written down only after the release, and
/// is said to have come before, whoever released could not have read it: that is another case, and
/// another sentence.
fn told(hold: &Facts, bad: &Fact<'_>, released: &Fact<'_>, doubt_ms: i64) -> Contradiction {
    let (event, officer, sample) = (bad.kind(), bad.officer(), bad.text("sample"));
    let mut evidence = json!({
        "release": released.entry(),
        "type": event,
        "officer": officer,
        "sample": sample,
    });
    let basis = json!({"type": event, "officer": officer, "sample": sample});

    let known_ms = released.known_from_ms().saturating_add(doubt_ms);
    let is_said_after = bad.at_ms() <= released.at_ms() && bad.entered_ms() > known_ms;
    let printed = hold.printed();
    let says = if is_said_after {
        evidence["entered_ms"] = bad.entered_ms().into();
        Says::SaidAfter {
            hold: printed,
            event,
            officer,
        }
    } else {
        Says::Against {
            hold: printed,
            event,
        }
    };

    let found = Contradiction::new(
        format!("{event} {officer} {}", sample.unwrap_or_default()),
        released.at_ms().max(bad.at_ms()),
        says,
        evidence,
    );
    found
        .of_cause(basis)
        .each(bad.entry())
        .citing(hold, [released.entry(), bad.entry()])
}

/// What answered a bad result: a better one of the same sample, or an adjudication that lets the
/// goods go. Times ascend.
struct ResultAnswers {
    amended: BTreeMap<Option<String>, Vec<i64>>,
    adjudicated: Vec<i64>,
}

impl ResultAnswers {
    /// Those that whoever said this release could have read: what was written down after it
    /// answered nothing, of whatever time it says that it is.
    fn by(hold: &Facts, release: &Fact<'_>, doubt_ms: i64) -> Self {
        let until_ms = release.entered_ms().saturating_add(doubt_ms);
        let written = |a: &Fact<'_>| a.entered_ms() <= until_ms;
        let mut amended: BTreeMap<Option<String>, Vec<i64>> = BTreeMap::new();
        for a in hold
            .events("result.amended")
            .filter(|a| a.text("outcome") == Some("satisfactory") && written(a))
        {
            amended.entry(sample(&a)).or_default().push(a.at_ms());
        }

        for times in amended.values_mut() {
            times.sort_unstable();
        }

        let better = hold
            .events("rad.adjudicated")
            .filter(|a| !speaks_against(a) && written(a));
        let mut adjudicated: Vec<i64> = better.map(|a| a.at_ms()).collect();

        adjudicated.sort_unstable();
        Self {
            amended,
            adjudicated,
        }
    }

    /// Whether a bad result was answered before a release; a recall is answered by a release after
    /// it.
    fn answered(&self, bad: &Fact<'_>, released_ms: i64) -> bool {
        let of = match bad.kind() {
            "recalled" => return bad.at_ms() <= released_ms,
            _ if is_search(bad) => return false,
            "rad.adjudicated" => Some(&self.adjudicated),
            _ => self.amended.get(&sample(bad)),
        };

        of.and_then(|times| times.get(times.partition_point(|t| *t < bad.at_ms())))
            .is_some_and(|t| *t <= released_ms)
    }
}

/// The sample that a result is of, as it is compared.
fn sample(result: &Fact<'_>) -> Option<String> {
    result.text("sample").map(normalise_label)
}

/// Whether it speaks against a release by the same measure that a release is refused by. What is
/// not settled yet is another rule's.
fn speaks_against(e: &Fact<'_>) -> bool {
    e.refused().is_none() && (e.kind() == "recalled" || e.says_bad())
}

/// Whether it tells what a search found.
fn is_search(e: &Fact<'_>) -> bool {
    event_type(e.kind()).is_some_and(|row| row.gives == Gives::Search)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{HOUR_MS, Phase, tests::*};

    fn found(events: &[serde_json::Value]) -> Vec<Phase> {
        let mut all = vec![event("released", 100, json!({}))];
        all.extend(events.iter().cloned());
        firm("R11", hold("H1", json!({}), &all), vec![])
    }

    #[test]
    fn a_second_adjudication_or_a_second_release_settles_it() {
        let judged = |at, code| event("rad.adjudicated", at, json!({"code": code}));
        assert_eq!(found(&[judged(50, 1)]), [Phase::Firm]);
        assert_eq!(found(&[judged(50, 1), judged(60, 6)]), []);
        assert_eq!(
            found(&[event("recalled", 50, json!({}))]),
            [],
            "recalled, and released after that"
        );
    }

    #[test]
    fn a_bad_result_or_a_recall_contradicts_a_release() {
        let result =
            |kind, at, outcome: &str| event(kind, at, json!({"sample": "S1", "outcome": outcome}));
        assert_eq!(
            found(&[result("result.amended", 150, "unsatisfactory")]),
            [Phase::Firm]
        );
        assert_eq!(found(&[result("result.issued", 50, "satisfactory")]), []);

        let answered = [
            result("result.issued", 50, "unsatisfactory"),
            result("result.amended", 60, "satisfactory"),
        ];
        assert_eq!(found(&answered), [], "amended before the release");

        let of = |kind, at, sample: &str, outcome: &str| {
            event(kind, at, json!({"sample": sample, "outcome": outcome}))
        };
        let answered_by = |sample| {
            let bad = of("result.issued", 50, "ع-١٢", "unsatisfactory");
            found(&[bad, of("result.amended", 60, sample, "satisfactory")])
        };
        assert_eq!(
            answered_by("ع 12"),
            [],
            "the same sample, written otherwise"
        );
        assert_eq!(answered_by("ع-13"), [Phase::Firm]);

        assert_eq!(
            found(&[event(
                "recalled",
                100 + 60 * 24 * HOUR_MS,
                json!({"reason": "symptoms"})
            )]),
            [Phase::Firm]
        );

        assert_eq!(
            found(&[event(
                "recalled",
                101 + 60 * 24 * HOUR_MS,
                json!({"reason": "symptoms"})
            )]),
            []
        );
    }

    #[test]
    fn contraband_speaks_against_whatever_lets_the_goods_go_afterwards() {
        let searched = |at_ms: i64, data| event("search.found", at_ms, data);
        let bad = json!({"findings": "x", "contraband": true});
        assert_eq!(found(&[searched(50, bad.clone())]), [Phase::Firm]);
        assert_eq!(found(&[searched(150, bad.clone())]), [], "after it");

        let seized = json!({"findings": "x", "seizure_no": "7"});
        let on_terms = [
            searched(50, seized),
            event("conditional", 100, json!({"conditions": "keep cold"})),
        ];
        assert_eq!(
            firm("R11", hold("H1", json!({}), &on_terms), vec![]),
            [Phase::Firm]
        );

        for data in [
            json!({"findings": "nothing"}),
            json!({"findings": "nothing", "contraband": false}),
        ] {
            assert_eq!(found(&[searched(50, data)]), []);
        }

        // What is not settled is told elsewhere.
        let inconclusive = json!({"sample": "S1", "outcome": "inconclusive"});
        assert_eq!(found(&[event("result.issued", 50, inconclusive)]), []);
        assert_eq!(found(&[event("k9.indicated", 50, json!({}))]), []);
    }

    #[test]
    fn what_was_written_after_the_release_answers_nothing_whatever_time_it_says() {
        let amended = |at_ms: i64, entered_ms: i64, outcome: &str| {
            let data = json!({"sample": "S1", "outcome": outcome});
            let mut said = event("result.amended", at_ms, data);
            said["entered_ms"] = entered_ms.into();
            said
        };
        let good = |entered_ms| {
            let bad = amended(40, 40, "unsatisfactory");
            found(&[bad, amended(50, entered_ms, "satisfactory")])
        };

        assert_eq!(good(50), []);
        assert_eq!(good(100 + 600_000), [], "clocks differ by so much");
        assert_eq!(good(101 + 600_000), [Phase::Firm]);
    }

    #[test]
    fn what_is_written_after_the_release_and_said_to_have_come_before_is_told_as_such() {
        let told = |entered_ms: i64| {
            let bad = json!({"findings": "x", "contraband": true});
            let mut searched = event("search.found", 50, bad);
            searched["entered_ms"] = entered_ms.into();
            let all = [event("released", 100, json!({})), searched];
            let d = dossier(hold("H1", json!({}), &all), vec![], 0);
            let mut found = crate::reconcile(&d).into_iter();
            let found = found.find(|f| f.rule.code == "R11").expect("contraband");
            (
                found.text,
                found.contradiction.evidence["entered_ms"].clone(),
            )
        };

        let (known, entered) = told(60);
        assert_eq!(known, "H1 was released, and search.found speaks against it");
        assert!(entered.is_null());
        assert_eq!(told(100 + 600_000).0, known, "clocks differ by so much");

        let (late, entered) = told(101 + 600_000);
        assert!(late.contains("written down afterwards by OF-1"), "{late}");
        assert_eq!(entered, 101 + 600_000);
    }
}
