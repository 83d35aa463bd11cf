//! The values that lists can be filtered by. One that does not exist is an error that names the
//! nearest: a list that is empty because of a slip of the pen reads as if there were nothing to
//! find.

use crate::{Problem, problem::unprocessable};
use axum::http::StatusCode;
use std::collections::BTreeSet;
use wadi_log::{Crossing, LogId};
use wadi_node::{DETAINED, Node};
use wadi_record::{HoldType, Kind, STATE_NAMES, hint, holds_a_character, member_term, nearest};

/// The problem with a value that is none of those that a filter may have.
pub(crate) fn unknown_value<'a>(
    what: &str,
    given: &str,
    allowed: impl IntoIterator<Item = &'a str>,
) -> Problem {
    let allowed: Vec<&str> = allowed.into_iter().collect();
    let why = format!(
        "{given:?} is no {what}{}; there are: {}",
        hint(&nearest(given, allowed.iter().copied())),
        allowed.join(", ")
    );

    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "unknown_value", why)
}

/// What a reader of queries and bodies says of a name that it does not know, with the nearest one
/// that it does; its other words stay as they are.
pub(crate) fn with_nearest(words: &str) -> String {
    let quoted = |text: &str| -> Vec<String> {
        text.split('`')
            .skip(1)
            .step_by(2)
            .map(String::from)
            .collect()
    };
    let is_name = words.contains("unknown field `") || words.contains("unknown variant `");
    let names = quoted(words);
    let Some((given, known)) = names.split_first().filter(|_| is_name) else {
        return words.into();
    };

    match nearest(given, known.iter().map(String::as_str)) {
        Some(name) => format!("{words}; did you mean {name:?}?"),
        None => words.into(),
    }
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

/// A number that stands on a thing, in its normal form, by what it is looked up as. One by which
/// nothing is looked up would find nothing, as if there were nothing to find.
pub(crate) fn read_off(what: &str, given: &str) -> Result<String, Problem> {
    let form = member_term(what, given);
    if !form.is_empty() {
        return Ok(form);
    }

    let why = match holds_a_character(given) {
        false => format!("{what} holds neither a letter nor a digit"),
        true => format!(
            "{what}: {given:?} says that there is none, or has a place that nobody read: no record \
             is looked up by it"
        ),
    };
    Err(unprocessable("nothing_sought", why))
}

/// Refuses a time that ends before it begins, in which nothing is found.
pub(crate) fn in_order(from_ms: Option<i64>, until_ms: Option<i64>) -> Result<(), Problem> {
    match (from_ms, until_ms) {
        (Some(from), Some(until)) if until < from => {
            let why = format!("until_ms: {until} is before from_ms, {from}");
            Err(unprocessable("bad_query", why))
        }
        _ => Ok(()),
    }
}

/// A kind of record.
pub(crate) fn kind(given: &str) -> Result<Kind, Problem> {
    let name = one("kind of record", given, Kind::ALL.iter().map(|k| k.name()))?;
    Ok(name.parse()?)
}

/// A type of hold.
pub(crate) fn hold_type(given: &str) -> Result<String, Problem> {
    let names = HoldType::ALL.iter().map(|of| of.name());
    one("type of hold", given, names)
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

/// The name of a member that this node knows, as its papers have it.
pub(crate) fn member(node: &Node, given: &str) -> Result<String, Problem> {
    let enrolled =
        node.with_control(|c| c.enrolments().map(|e| e.name.clone()).collect::<Vec<_>>());
    let known: BTreeSet<String> = enrolled.into_iter().collect();

    one("member known here", given, known.iter().map(String::as_str))
}

/// Refuses the origin of a log that this node does not hold. There may be hundreds: one is named.
pub(crate) fn held_log(node: &Node, given: &str) -> Result<(), Problem> {
    let origins: Vec<String> = {
        let view = node.view();
        view.frontier.0.keys().map(LogId::origin).collect()
    };
    if origins.iter().any(|origin| origin == given) {
        return Ok(());
    }

    let why = format!(
        "{given:?} is the origin of no log that is held here{}",
        hint(&nearest(given, origins.iter().map(String::as_str)))
    );
    Err(Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "unknown_value",
        why,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_in_which_nothing_is_left_is_not_sought() {
        for nothing in ["", " ", "---", "\0", "*", "\u{200F}"] {
            let told = read_off("plate", nothing).unwrap_err();
            assert_eq!((told.status, told.code.as_str()), (422, "nothing_sought"));
        }
        for no_plate in ["UNKNOWN", "بدون", "0", "51 ? 75667", "51 \u{FFFD} n"] {
            let told = read_off("plate", no_plate).unwrap_err();
            assert_eq!(told.code, "nothing_sought", "{no_plate}");
            assert!(
                told.detail.contains("no record is looked up"),
                "{}",
                told.detail
            );
        }
        assert_eq!(read_off("plate", "23-a ٧٨").unwrap(), "23A78");
        assert_eq!(
            read_off("container", "CSQU 305438-3").unwrap(),
            "CSQU3054383"
        );

        assert!(in_order(Some(5), Some(5)).is_ok() && in_order(None, Some(-1)).is_ok());
        assert_eq!(in_order(Some(5), Some(4)).unwrap_err().code, "bad_query");
    }

    #[test]
    fn a_name_that_is_not_known_is_told_its_neighbour() {
        let told = with_nearest("plat: unknown field `plat`, expected one of `q`, `plate`, `kind`");
        assert!(told.ends_with("; did you mean \"plate\"?"), "{told}");

        for words in [
            "zz: unknown field `zz`, expected one of `q`, `plate`",
            "limit: invalid digit found in string",
            "missing field `from_ms`",
        ] {
            assert_eq!(with_nearest(words), words);
        }
    }

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

        assert_eq!(hold_type("customs").unwrap(), "CUSTOMS");
        let told = hold_type("radiologic").unwrap_err().detail;
        assert!(told.contains("did you mean \"RADIOLOGICAL\"?"), "{told}");
    }
}
