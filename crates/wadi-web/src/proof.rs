//! The steps by which evidence is checked, told one by one (`docs/evidence.md`).

use serde_json::{Value, json};
use wadi_log::{Evidence, EvidenceError};

/// Each step in its order, with the codes of the errors that end it.
const STEPS: [(&str, &[&str]); 8] = [
    ("read", &["malformed", "not_evidence"]),
    ("whole", &["cut", "changed"]),
    ("members", &["bad_enrolment"]),
    ("checkpoints", &["bad_checkpoint"]),
    ("entries", &["bad_proof"]),
    ("seal", &["bad_seal"]),
    ("record", &["other_record"]),
    ("complete", &["incomplete"]),
];

/// How many lines of a file are of a kind.
fn lines_of(text: &str, kind: &str) -> usize {
    let begins = format!("{{\"{kind}\":");
    text.lines()
        .filter(|line| line.starts_with(&begins))
        .count()
}

/// How much a step checks.
fn amount(step: &str, text: &str) -> usize {
    match step {
        "read" => text.len(),
        "whole" => text.lines().count(),
        "members" => lines_of(text, "enrolment"),
        "checkpoints" => lines_of(text, "checkpoint"),
        "entries" => lines_of(text, "entry"),
        _ => 1,
    }
}

/// What the check of a file came to.
pub(crate) fn told(text: &str, verdict: &Result<Evidence, EvidenceError>) -> Value {
    let failed = verdict.as_ref().err();
    let failed_at = failed.map(|error| {
        let at = STEPS
            .iter()
            .position(|(_, codes)| codes.contains(&error.code));
        at.unwrap_or(0)
    });

    let steps = STEPS.iter().enumerate().map(|(place, (step, _))| {
        let outcome = match failed_at {
            Some(at) if place == at => "failed",
            Some(at) if place > at => "not_reached",
            _ => "passed",
        };
        json!({"step": step, "outcome": outcome, "amount": amount(step, text)})
    });

    let mut answer = json!({
        "valid": failed.is_none(),
        "steps": steps.collect::<Vec<_>>(),
        "bytes": text.len(),
    });
    match verdict {
        Ok(evidence) => {
            let by_hub = evidence.statements.iter();
            let by_hub = by_hub.filter(|s| s.not_after_s.is_some()).count();
            answer["statements"] = evidence.statements.len().into();
            answer["vouched_for_by_hub"] = by_hub.into();
            answer["control"] = evidence.control.into();
            answer["forks"] = evidence.forks.into();
            answer["made_by"] = evidence.made_by.as_str().into();
            answer["made_s"] = evidence.made_s.into();
        }
        Err(error) => {
            answer["code"] = error.code.into();
            answer["why"] = error.why.as_str().into();
        }
    }

    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_step_that_failed_is_told_and_those_after_it_were_not_reached() {
        let error = EvidenceError {
            code: "bad_proof",
            why: "its path does not lead to the root that was signed".into(),
        };
        let answer = told("{\"entry\":{}}\n{\"entry\":{}}\n", &Err(error));
        assert_eq!(answer["valid"], false);
        let steps = answer["steps"].as_array().unwrap();
        let outcomes: Vec<_> = steps
            .iter()
            .map(|s| s["outcome"].as_str().unwrap())
            .collect();
        assert_eq!(
            outcomes[..5],
            ["passed", "passed", "passed", "passed", "failed"]
        );
        assert_eq!(outcomes[5..], ["not_reached"; 3]);
        assert_eq!(steps[4]["amount"], 2);
    }

    /// A check that gets a code of its own gets its place among the steps, too.
    #[test]
    fn every_code_of_the_verifier_belongs_to_a_step() {
        let source = concat!(
            include_str!("../../wadi-log/src/evidence/mod.rs"),
            include_str!("../../wadi-log/src/evidence/verify.rs"),
        );
        let quoted = source
            .split("bad(\"")
            .skip(1)
            .chain(source.split("bad(\n").skip(1));
        for rest in quoted {
            let code = rest.trim_start().trim_start_matches('"');
            let code = code.split('"').next().unwrap();
            let known = STEPS.iter().any(|(_, codes)| codes.contains(&code));
            assert!(known, "{code:?} belongs to no step");
        }
    }
}
