//! Nodes that nobody hears, and what waits for them.
//!
//! A finding that may yet be explained waits until the crossings concerned are received, and a
//! crossing is received as far as the slowest of its nodes. One that was enrolled and never
//! started, or fell silent, holds all of that back: it is named, so that somebody starts it, or
//! takes it out.

use crate::door::{Door, known_time::date};
use std::collections::{BTreeMap, BTreeSet};
use wadi_store::{FindingFilter, StoreError};

/// The alarms, by what they are about.
const ABOUT: &str = "silent nodes";
const CLOSED: &str = "closed crossings";
const LOST_POLICY: &str = "a policy that lost";
/// How long after its crossing's end a node may still be heard, milliseconds: whoever closes a
/// crossing takes down what stands there.
const TAKEN_DOWN_MS: i64 = 3_600_000;
/// How long a finding waits before whoever holds it back is named, milliseconds: a day. A dark site
/// comes back before that, or somebody carries a stick.
const WAITED_MS: i64 = 24 * 3_600_000;
/// Pending findings that are looked at.
const PENDING_MAX: u32 = 2_000;
/// Nodes that the alarm names.
const NAMED_MAX: usize = 8;

/// Names the nodes for which findings have waited too long, and how many do.
pub(crate) async fn alarm_of_silent_nodes(
    node: &Door,
    heard: &BTreeMap<String, i64>,
) -> Result<(), StoreError> {
    let pending = FindingFilter {
        phase: Some("PENDING".into()),
        limit: PENDING_MAX,
        ..FindingFilter::default()
    };

    let now_ms = heard.get("HUB").copied().unwrap_or(i64::MIN);
    let overdue_ms = now_ms.saturating_sub(WAITED_MS);
    let mut waiting: BTreeMap<String, usize> = BTreeMap::new();
    for finding in node.store.findings(&pending).await? {
        if finding.due_ms > overdue_ms {
            continue;
        }

        let json: serde_json::Value = serde_json::from_str(&finding.json).unwrap_or_default();
        let crossings = json["waits_for"]["crossings"].as_array();
        for crossing in crossings.into_iter().flatten().filter_map(|c| c.as_str()) {
            let is_awaited = heard.get(crossing).is_none_or(|ms| *ms < finding.due_ms);
            if is_awaited {
                let count = waiting.entry(crossing.into()).or_default();
                *count = count.saturating_add(1);
            }
        }
    }

    let named: Vec<String> = waiting
        .iter()
        .take(NAMED_MAX)
        .filter_map(|(crossing, count)| told(node, crossing, *count))
        .collect();

    node.set_alarm(ABOUT, (!named.is_empty()).then(|| named.join("; ")));
    Ok(())
}

fn told(node: &Door, crossing: &str, count: usize) -> Option<String> {
    let slowest = *node.view().slowest.get(crossing)?;
    let name = node.name_of(&slowest.node);
    let since = match slowest.received_ms {
        0 => "was never heard".to_string(),
        ms => format!("is heard through {} and no further", date(ms / 1_000)),
    };

    let end = match slowest.received_ms {
        0 if !node.view().is_heard(&slowest.node) => "declare it a spare, or cut it",
        _ => "or cut it",
    };
    Some(format!(
        "node {name} of {crossing} {since}: {count} findings wait for it. Start it, carry what it \
         wrote by a bundle, {end}"
    ))
}

/// Names the hubs of whose policies another one of the same revision is in force: each was said by
/// somebody who was told that it holds.
pub(crate) fn alarm_of_lost_policies(node: &Door) {
    let view = node.view();
    let hubs: BTreeSet<String> = view
        .control
        .policies_lost()
        .map(|lost| node.name_of(&lost.log.node))
        .collect();
    let told = (!hubs.is_empty()).then(|| {
        let hubs: Vec<String> = hubs.into_iter().take(NAMED_MAX).collect();
        format!(
            "a policy signed at {} has the revision of the one in force, which another hub \
             signed without knowing of it: compare `wadi policy show` with what was meant, and set \
             it anew",
            hubs.join(", ")
        )
    });

    node.set_alarm(LOST_POLICY, told);
}

/// Names the closed crossings whose nodes are heard on: somebody works where nobody should, or the
/// crossing was closed by mistake.
pub(crate) fn alarm_of_closed_crossings(node: &Door) {
    let view = node.view();
    let told = view.past_closure.iter().filter_map(|(crossing, heard)| {
        let closed_s = view.control.closed_s(crossing.parse().ok()?)?;
        let over_ms = heard
            .received_ms
            .saturating_sub(closed_s.saturating_mul(1_000));
        (over_ms > TAKEN_DOWN_MS).then(|| {
            format!(
                "{crossing} was closed at {}, and its node {} is heard through {}: cut it if \
                 nobody should write there. If it was closed by mistake, all that it says counts \
                 as before",
                date(closed_s),
                node.name_of(&heard.node),
                date(heard.received_ms / 1_000),
            )
        })
    });
    let told: Vec<String> = told.take(NAMED_MAX).collect();

    node.set_alarm(CLOSED, (!told.is_empty()).then(|| told.join("; ")));
}
