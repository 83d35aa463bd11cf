//! The values that lists can be filtered by. One that does not exist is an error that names the
//! nearest: a list that is empty because of a slip of the pen reads as if there were nothing to
//! find.

use crate::Problem;
use axum::http::StatusCode;
use std::collections::BTreeSet;
use wadi_log::Crossing;
use wadi_node::{DETAINED, Node};
use wadi_record::{Kind, STATE_NAMES};

/// How much of a name a slip may change and still be told the name: of 1, as the measure has it.
const NEAR: f64 = 0.7;

/// The problem with a value that is none of those that a filter may have.
pub(crate) fn unknown_value<'a>(
    what: &str,
    given: &str,
    allowed: impl IntoIterator<Item = &'a str>,
) -> Problem {
    let allowed: Vec<&str> = allowed.into_iter().collect();
    let likeness = |name: &str| strsim::jaro_winkler(&given.to_lowercase(), &name.to_lowercase());
    let nearest = allowed
        .iter()
        .map(|name| (likeness(name), name))
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let hint = nearest
        .filter(|(near, _)| *near >= NEAR)
        .map(|(_, name)| format!("; did you mean {name:?}?"));

    let why = format!(
        "{given:?} is no {what}{}; there are: {}",
        hint.unwrap_or_default(),
        allowed.join(", ")
    );

    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "unknown_value", why)
}

/// One of these names, whatever its case.
pub(crate) fn one<'a>(
    what: &str,
    given: &str,
    allowed: impl IntoIterator<Item = &'a str>,
) -> Result<String, Problem> {
    let allowed: Vec<&str> = allowed.into_iter().collect();
    let found = allowed.iter().find(|name| name.eq_ignore_ascii_case(given));
    found
        .map(|name| name.to_string())
        .ok_or_else(|| unknown_value(what, given, allowed.iter().copied()))
}

/// The problem with two filters of which one can be given.
pub(crate) fn one_of(first: &str, second: &str) -> Problem {
    let why = format!("give {first} or {second}, not both");
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_query", why)
}

/// A kind of record.
pub(crate) fn kind(given: &str) -> Result<Kind, Problem> {
    let name = one("kind of record", given, Kind::ALL.iter().map(|k| k.name()))?;
    Ok(name.parse()?)
}

/// A state of records, or a flag.
pub(crate) fn record_state(given: &str) -> Result<String, Problem> {
    one(
        "state or flag of records",
        given,
        STATE_NAMES.iter().copied().chain([DETAINED]),
    )
}

/// The code of a crossing that this node knows: its own, the hub's, and those of all that are
/// enrolled.
pub(crate) fn crossing(node: &Node, given: &str) -> Result<String, Problem> {
    let enrolled = node.with_control(|c| {
        c.enrolments()
            .filter_map(|e| e.crossing)
            .collect::<Vec<Crossing>>()
    });

    let known: BTreeSet<String> = enrolled
        .into_iter()
        .chain(node.me().crossing)
        .chain([Crossing::HUB])
        .map(|c| c.to_string())
        .collect();

    one(
        "crossing known here",
        given,
        known.iter().map(String::as_str),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_exist_is_told_its_neighbour_and_the_list() {
        let problem = record_state("DETANED").unwrap_err();
        assert_eq!(
            (problem.status, problem.code.as_str()),
            (422, "unknown_value")
        );
        assert!(
            problem.detail.contains("did you mean \"DETAINED\"?"),
            "{}",
            problem.detail
        );

        assert!(
            problem.detail.contains("IN_PROCESS, CLEARED"),
            "{}",
            problem.detail
        );

        assert!(
            kind("lorry")
                .unwrap_err()
                .detail
                .contains("passage, hold, customs-entry, site-day")
        );

        assert!(
            kind("pasage")
                .unwrap_err()
                .detail
                .contains("did you mean \"passage\"?")
        );

        assert_eq!(record_state("exited").unwrap(), "EXITED");
    }
}
