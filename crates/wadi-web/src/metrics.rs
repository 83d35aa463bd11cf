//! `GET /metrics`: what a watcher of many machines reads, in the text of OpenMetrics.

use crate::{Problem, Token};
use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use prometheus_client::{
    encoding::text::encode,
    metrics::{family::Family, gauge::Gauge},
    registry::Registry,
};
use std::{fmt, sync::Arc};
use wadi_node::{
    CountryStanding, LinkTraffic, MemberCost, Node, NodeError, TrafficPurpose, WayBytes,
};

/// What the text is, as its standard has it.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

type Labels = Vec<(String, String)>;
type Gauges = Family<Labels, Gauge>;

/// What the node counts: entries, bytes, refusals, alarms, what waits, and what each member costs.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "sites",
    responses(
        (status = 200, description = "metrics", body = String,
            content_type = "application/openmetrics-text"),
        (status = 403, description = "an operator's alone", body = Problem),
    ),
)]
pub(crate) async fn metrics(
    State(node): State<Arc<Node>>,
    token: Token,
) -> Result<Response, Problem> {
    token.operator()?;
    token.reading(&node)?.all_records()?;
    let text = text_of(&node).await?;
    let kind = [(header::CONTENT_TYPE, OPEN_METRICS)];
    Ok((kind, text).into_response())
}

/// A family of gauges, registered under that name.
fn family(registry: &mut Registry, name: &str, help: &str) -> Gauges {
    let gauges = Gauges::default();
    registry.register(name, help, gauges.clone());
    gauges
}

fn label(name: &str, value: impl fmt::Display) -> (String, String) {
    (name.to_string(), value.to_string())
}

fn set(gauges: &Gauges, labels: Labels, value: impl TryInto<i64>) {
    let value = value.try_into().unwrap_or(i64::MAX);
    gauges.get_or_create(&labels).set(value);
}

async fn text_of(node: &Node) -> Result<String, NodeError> {
    let mut registry = Registry::with_prefix("wadi");
    let status = node.status().await?;
    let bytes = node.reads().database_bytes().await?;

    let held = family(&mut registry, "held", "What is held, by what it is");
    for (what, count) in [
        ("entries", status.entries),
        ("records", status.records),
        ("waiting", status.waiting),
        ("findings", status.findings),
    ] {
        set(&held, vec![label("what", what)], count);
    }

    let stored = family(&mut registry, "stored_bytes", "Bytes on the disk");
    set(&stored, vec![label("what", "database")], bytes);
    set(
        &stored,
        vec![label("what", "carried")],
        status.carried_bytes,
    );

    let counts = family(&mut registry, "events", "What asks for somebody");
    set(&counts, vec![label("what", "refusals")], status.refused);
    set(&counts, vec![label("what", "alarms")], status.alarms.len());
    set(
        &counts,
        vec![label("what", "unsent_entries")],
        status.unsent,
    );

    add_queues(&mut registry, node);
    if let Some(log) = &status.country_log {
        add_country_log(&mut registry, log);
    }
    add_links(&mut registry, node);
    add_costs(&mut registry, &status.costs);

    let mut text = String::new();
    // Writing into a string does not fail.
    let _ = encode(&mut text, &registry);
    Ok(text)
}

fn add_queues(registry: &mut Registry, node: &Node) {
    let queues = family(registry, "queued_commands", "Commands that wait");
    let (own, of_peers) = node.waiting_commands();
    set(&queues, vec![label("of", "this node")], own);
    for (peer, count) in of_peers {
        set(&queues, vec![label("of", peer)], count);
    }
}

/// How far the country log goes, and how far witnesses cosigned it.
fn add_country_log(registry: &mut Registry, log: &CountryStanding) {
    let help = "Leaves of the country log: under its newest checkpoint, and under the newest that \
                a witness cosigned";
    let leaves = family(registry, "country_log_leaves", help);
    set(&leaves, vec![label("of", "published")], log.leaves);
    let cosigned = log.cosigned_leaves.unwrap_or(0);
    set(&leaves, vec![label("of", "cosigned")], cosigned);

    let help = "Whether a witness cosigned the newest checkpoint: 1 where it did";
    let witnesses = family(registry, "country_log_cosigned", help);
    for witness in &log.witnesses {
        let name = vec![label("witness", &witness.name)];
        set(&witnesses, name, i64::from(witness.has_cosigned));
    }
}

/// Bytes of each link today, by what they were for, and this month. Links are named where there are
/// several with a node.
fn add_links(registry: &mut Registry, node: &Node) {
    let help = "Bytes on the wire since midnight UTC, by what they were for";
    let days = family(registry, "link_day_bytes", help);
    let months = family(
        registry,
        "link_month_bytes",
        "Bytes on the wire this calendar month, UTC",
    );
    let now_ms = node.now_ms();
    let ways = |bytes: WayBytes| [("received", bytes.received), ("sent", bytes.sent)];

    let add = |node: &str, link: &str, traffic: &LinkTraffic| {
        let of = |more: &[(&str, &str)]| -> Labels {
            // One link has no name.
            let named = [("link", link)];
            let named = named.iter().filter(|(_, name)| !name.is_empty());
            let all = [("node", node)];
            let all = all.iter().chain(named).chain(more);
            all.map(|(name, value)| label(name, value)).collect()
        };

        let day = traffic.of_day(now_ms);
        for purpose in TrafficPurpose::ALL {
            for (way, bytes) in ways(day.get(&purpose).copied().unwrap_or_default()) {
                let labels = of(&[("purpose", purpose.name()), ("way", way)]);
                set(&days, labels, bytes);
            }
        }
        for (way, bytes) in ways(traffic.of_month(now_ms)) {
            set(&months, of(&[("way", way)]), bytes);
        }
    };

    for name in node.peer_names() {
        let links = node.reads().link_traffic(&name);
        for (link, traffic) in &links {
            add(&name, link, traffic);
        }
        if links.is_empty()
            && let Some(known) = node.reads().contacts_with(&name)
        {
            add(&name, "", &known.traffic);
        }
    }
}

fn add_costs(registry: &mut Registry, members: &[MemberCost]) {
    let used = family(registry, "cost_used", "What a member cost since the start");
    let left = family(registry, "cost_left", "What a member may cost still");
    let paused = family(registry, "cost_state", "0 open, 1 slowed, 2 paused");
    let help = "Bytes of memory that a member's links hold here, and may at most";
    let memory = family(registry, "cost_memory_bytes", help);

    for member in members {
        let of = |budget: &str| vec![label("node", &member.node), label("budget", budget)];
        for budget in &member.budgets {
            set(&used, of(budget.budget), budget.used);
            set(&left, of(budget.budget), budget.left);
        }
        let of = |which: &str| vec![label("node", &member.node), label("which", which)];
        set(&memory, of("held"), member.memory.held);
        set(&memory, of("most"), member.memory.most);

        let node = vec![label("node", &member.node)];
        set(&paused, node, member.state as i64);
    }
}
