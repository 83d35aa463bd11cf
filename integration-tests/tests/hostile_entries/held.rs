//! What a node holds, so that two of them can be compared.

use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};
use std::{collections::BTreeMap, path::Path, time::Duration};
use wadi_log::{Cut, Role, hex};
use wadi_node::Node;
use wadi_store::FindingFilter;

/// Letters of a finding that are shown where two nodes do not have it alike.
const FINDING_SHOWN: usize = 1_500;

/// Digests of each scope, records, findings and control facts. A line for each record and finding
/// goes into `listing`.
pub(crate) async fn held(node: &Node, listing: &Path) -> Json {
    quiet(node).await;
    let lines = records(node).await;
    let findings = findings(node).await;
    let listed = [&lines[..], &findings[..]].concat().join("\n");
    std::fs::write(listing, listed).expect("written");

    let facts = node.with_control(|c| {
        // Where a cut of a hub's own stands is each hub's own, too; what it says is not.
        let said = |cut: Cut| format!("{:?} {:?}", cut.target, cut.heads);
        let mut facts: Vec<String> = c.cuts().map(|fact| said(fact.cut)).collect();
        facts.sort();
        facts.extend(c.forks().keys().map(|log| log.origin()));
        facts.extend(c.officers().map(|o| format!("{o:?}")));
        facts.push(format!("{:?}", c.policy(|_| u64::MAX)));
        hex(&Sha256::digest(facts.join("\n")))
    });

    json!({
        "scopes": scopes(node).await,
        "records": lines.len(),
        "listing": hex(&Sha256::digest(lines.join("\n"))),
        "findings": findings.len(),
        "found": hex(&Sha256::digest(findings.join("\n"))),
        "facts": facts,
    })
}

/// Digests of each lane and crossing. A hub says its findings on records, in an epoch of its own:
/// there they are its own.
pub(crate) async fn scopes(node: &Node) -> BTreeMap<String, Json> {
    if node.me().role == Role::Hub {
        return BTreeMap::new();
    }

    let status = node.status().await.expect("a status");
    status
        .scopes
        .iter()
        // In the control lane lies what this node wrote itself.
        .filter(|s| s.lane != "control")
        .map(|s| (format!("{}/{}", s.lane, s.crossing), json!(s)))
        .collect()
}

/// A line for each record: what it is, and a hash of how it stands.
pub(crate) async fn records(node: &Node) -> Vec<String> {
    let is_hub = node.me().role == Role::Hub;
    let mut lines = Vec::new();
    for id in node.store().record_ids().await.expect("ids") {
        let row = node.store().record(&id).await.expect("a row");
        let Some(row) = row else { continue };
        let what = match is_hub {
            true => row.state.clone(),
            false => format!("{} {} {}", row.state, row.digest, row.json),
        };
        lines.push(format!(
            "{id} {} {}",
            row.printed,
            hex(&Sha256::digest(what))
        ));
    }

    lines.sort();
    lines
}

/// A line for each finding. Whether it is firm is left out: a finding that was firm stays so, and a
/// captive that names an earlier time after a later one is heard through another time by whoever
/// has all of its logs at the later one, and by whoever has not.
pub(crate) async fn findings(node: &Node) -> Vec<String> {
    let filter = FindingFilter {
        limit: 1_000_000,
        ..Default::default()
    };
    let found = node.store().findings(&filter).await.expect("findings");
    let mut out: Vec<String> = found
        .into_iter()
        .map(|f| {
            let mut json: Json = serde_json::from_str(&f.json).expect("a finding");
            if let Some(members) = json.as_object_mut() {
                members.remove("phase");
                members.remove("waits_for");
            }

            let said: String = json.to_string().chars().take(FINDING_SHOWN).collect();
            let stands = match f.phase.as_str() {
                "PENDING" | "FIRM" => "stands",
                other => other,
            };
            format!(
                "{} {} {} {stands} {} {said}",
                f.rule, f.anchor, f.id, f.evidence
            )
        })
        .collect();
    out.sort();
    out
}

/// Waits until a hub has looked at every change, and finds nothing more.
pub(crate) async fn quiet(node: &Node) {
    if node.me().role != Role::Hub {
        return;
    }

    let (mut calm, mut before) = (0, usize::MAX);
    while calm < 4 {
        let through = node.reconciled();
        let left = node.store().changes(through, 1).await.expect("changes");
        let found = findings(node).await.len();
        calm = match left.is_empty() && found == before {
            true => calm + 1,
            false => 0,
        };
        before = found;
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}
