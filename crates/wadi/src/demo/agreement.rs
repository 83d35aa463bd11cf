//! Whether the nodes agree, and what keeps them from it.

use crate::{
    cli::client::{Client, percent_encode},
    print::time_text,
};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// How each node stands, the hub first; nothing of one that does not answer.
pub type Statuses = [(String, Option<Value>)];

/// What a lane of a crossing comes to must be equal wherever it is held.
const DIGESTS: [&str; 3] = ["entries_digest", "documents_digest", "states_digest"];
/// Findings that one request gives.
const PAGE_FINDINGS: usize = 500;
/// Pages that are read of them.
const PAGES_MAX: usize = 20;

/// Findings that wait for their time, told of as the hub stood at one moment.
#[derive(Clone, Debug, Default)]
pub struct PendingFindings {
    /// How many are past their time: the hub should have heard by then whatever could explain them.
    pub overdue: u64,
    /// Of those that wait, by rule: how many, and when the first and the last of them are due, Unix
    /// milliseconds.
    pub waiting: BTreeMap<String, Deadline>,
}

/// When findings of a rule are due.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Deadline {
    pub count: u64,
    pub first_ms: i64,
    pub last_ms: i64,
}

/// What keeps the nodes from agreeing; empty when all that take a lane of a crossing hold the same
/// entries, documents and states of it, nothing waits, the hub holds everything, and no finding is
/// past its time.
pub fn disagreements(statuses: &Statuses) -> Vec<String> {
    let mut out = Vec::new();
    let mut scopes: BTreeMap<(String, String), Vec<(&str, &Value)>> = BTreeMap::new();
    for (name, status) in statuses {
        let Some(s) = status else {
            out.push(format!("{name} does not answer"));
            continue;
        };
        for member in ["unsent", "waiting"] {
            if s[member] != 0 {
                out.push(format!("{name}: {} {member}", s[member]));
            }
        }

        for scope in s["scopes"].as_array().into_iter().flatten() {
            let text = |member: &str| scope[member].as_str().unwrap_or_default().to_string();
            scopes
                .entry((text("lane"), text("crossing")))
                .or_default()
                .push((name, scope));
        }
    }

    for ((lane, crossing), held) in &scopes {
        out.extend(differences(lane, crossing, held, statuses.len()));
    }

    match overdue(statuses) {
        Some(0) => {}
        Some(n) => out.push(format!("hub: {n} PENDING findings are past their time")),
        None if statuses
            .iter()
            .any(|(name, s)| name == "hub" && s.is_some()) =>
        {
            out.push("hub: it does not say how many findings are past their time".into());
        }
        // That it does not answer is said already.
        None => {}
    }

    out
}

/// What differs in one lane of one crossing.
fn differences(lane: &str, crossing: &str, held: &[(&str, &Value)], nodes: usize) -> Vec<String> {
    let mut out = Vec::new();
    let Some(((first, wanted), others)) = held.split_first() else {
        return out;
    };

    for (name, scope) in others {
        for digest in DIGESTS.into_iter().filter(|d| scope[d] != wanted[d]) {
            out.push(format!(
                "{lane} of {crossing}: {digest} of {name} ({} entries, {} records) is not that of \
                 {first} ({} entries, {} records)",
                scope["entries"], scope["records"], wanted["entries"], wanted["records"]
            ));
        }
    }

    if !held.iter().any(|(name, _)| *name == "hub") {
        out.push(format!("{lane} of {crossing}: the hub holds nothing"));
    }

    // The hub's own site days are the hub's alone.
    if held.len() < 2 && !(lane == "site" && crossing == "HUB") {
        out.push(format!("{lane} of {crossing}: only {first} holds it"));
    }

    // Everybody who takes control and holds takes them of every crossing.
    if ["control", "hold"].contains(&lane) && held.len() != nodes {
        let names: BTreeSet<&str> = held.iter().map(|(name, _)| *name).collect();
        let names: Vec<&str> = names.into_iter().collect();
        out.push(format!(
            "{lane} of {crossing}: held by {} of {nodes} nodes ({})",
            held.len(),
            names.join(", ")
        ));
    }

    out
}

/// How many PENDING findings are past their time, by the hub's word.
pub fn overdue(statuses: &Statuses) -> Option<u64> {
    let (_, hub) = statuses.iter().find(|(name, _)| name == "hub")?;
    hub.as_ref()?["overdue"].as_u64()
}

/// What is PENDING at the hub, with the times that it waits for. To be called off the runtime's
/// threads.
pub fn pending(hub: &Client) -> PendingFindings {
    let mut out = PendingFindings::default();
    let mut after = String::new();
    for _ in 0..PAGES_MAX {
        let Ok(page) = hub.get(&format!(
            "/v1/findings?phase=PENDING&limit={PAGE_FINDINGS}{after}"
        )) else {
            break;
        };
        for finding in page["findings"].as_array().into_iter().flatten() {
            let due_ms = finding["waits_for"]["through_ms"].as_i64().unwrap_or(0);
            let rule = finding["rule"].as_str().unwrap_or_default().to_string();
            let new = Deadline {
                count: 0,
                first_ms: due_ms,
                last_ms: due_ms,
            };

            let rule = out.waiting.entry(rule).or_insert(new);
            rule.count += 1;
            rule.first_ms = rule.first_ms.min(due_ms);
            rule.last_ms = rule.last_ms.max(due_ms);
        }

        match page["next_after"].as_str() {
            Some(next) => after = format!("&after={}", percent_encode(next)),
            None => break,
        }
    }

    out
}

impl Deadline {
    /// The deadline in words.
    pub fn text(&self, rule: &str) -> String {
        let Self {
            count,
            first_ms,
            last_ms,
        } = *self;

        match first_ms == last_ms {
            true => format!("{rule}: {count} PENDING until {}", time_text(first_ms)),
            false => {
                format!(
                    "{rule}: {count} PENDING, the first until {}, the last until {}",
                    time_text(first_ms),
                    time_text(last_ms)
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn scope(lane: &str, crossing: &str, digest: &str) -> Value {
        json!({
            "lane": lane,
            "crossing": crossing,
            "entries": 1,
            "records": 1,
            "entries_digest": digest,
            "documents_digest": "d",
            "states_digest": "s",
        })
    }

    fn status(scopes: Vec<Value>) -> Option<Value> {
        Some(json!({"unsent": 0, "waiting": 0, "overdue": 0, "scopes": scopes}))
    }

    fn two(hub: Option<Value>, trb: Option<Value>) -> Vec<(String, Option<Value>)> {
        vec![("hub".into(), hub), ("trb".into(), trb)]
    }

    #[test]
    fn whatever_keeps_nodes_from_agreeing_is_named_and_nothing_else() {
        let same = || {
            status(vec![
                scope("hold", "TRB", "x"),
                scope("passage", "TRB", "x"),
            ])
        };

        assert_eq!(disagreements(&two(same(), same())), Vec::<String>::new());

        let with = |member: &str, value: Value| {
            let mut changed = same().unwrap();
            changed[member] = value;
            Some(changed)
        };

        let only_control = || status(vec![scope("hold", "TRB", "x")]);
        let cases = [
            (two(same(), None), "trb does not answer"),
            (two(None, same()), "hub does not answer"),
            (two(same(), with("unsent", 3.into())), "trb: 3 unsent"),
            (two(same(), with("waiting", 2.into())), "trb: 2 waiting"),
            (
                two(with("overdue", 5.into()), same()),
                "hub: 5 PENDING findings are past their time",
            ),
            (
                two(with("overdue", Value::Null), same()),
                "does not say how many findings",
            ),
            (
                two(
                    same(),
                    status(vec![
                        scope("hold", "TRB", "y"),
                        scope("passage", "TRB", "x"),
                    ]),
                ),
                "entries_digest of trb",
            ),
            (
                two(only_control(), same()),
                "passage of TRB: the hub holds nothing",
            ),
            (
                two(same(), only_control()),
                "passage of TRB: only hub holds it",
            ),
            (
                two(same(), status(vec![scope("passage", "TRB", "x")])),
                "hold of TRB: held by 1 of 2 nodes (hub)",
            ),
        ];

        for (statuses, wanted) in cases {
            let found = disagreements(&statuses);
            assert!(
                found.iter().any(|line| line.contains(wanted)),
                "{wanted}: {found:?}"
            );
        }
    }

    #[test]
    fn deadlines_are_told_with_their_times() {
        let one = Deadline {
            count: 1,
            first_ms: 1_772_341_200_000,
            last_ms: 1_772_341_200_000,
        };

        assert_eq!(one.text("R10"), "R10: 1 PENDING until 2026-03-01 05:00:00");

        let two = Deadline {
            count: 2,
            last_ms: 1_772_344_800_000,
            ..one
        };

        let text = two.text("R10");
        assert_eq!(
            text,
            "R10: 2 PENDING, the first until 2026-03-01 05:00:00, the last until 2026-03-01 \
             06:00:00"
        );
    }
}
