//! What authors of decisions say that they had taken in, held against what this hub holds.
//!
//! An author names heads of logs in its `Seen` entries. It is believed as far as the root of such a
//! head is the one that this hub holds at that size. A head that goes further than what is held is
//! neither believed nor forgotten: it is a finding that waits, and is looked at again once so much
//! of the log is held. One whose root is another than that held is a lie, unless the log is known
//! to have two branches, of which the author may have held the other. Nothing of that depends on
//! what came first.

use crate::{
    door::{Door, proofs::known_root},
    ledger::seen::seen_entries,
};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use wadi_log::{Body, Hash, Head, Lane, LogId, NodeId, RecordId, Reference, Role};
use wadi_reconcile::{ClaimedHead, Facts};
use wadi_store::{FindingFilter, Store, StoreError};

/// Heads of one log that are held against it for one decision, the furthest first: whoever names
/// more that are not there has been found by then.
const HEADS_MAX: usize = 16;
/// Findings of claims that are known again after a start.
const RECALLED_MAX: u32 = 10_000;
/// Claims that wait for more of a log, or for a fork of it, at once.
const WAITING_MAX: usize = 10_000;
/// The rule that tells of them.
pub(crate) const RULE: &str = "R33";

/// What the authors of a hold's decisions knew, and what they claimed to know.
#[derive(Default)]
pub(crate) struct KnownHolds {
    /// The deciding entry, and the placement of another hold that its author had taken in.
    pub(crate) knew: BTreeSet<(String, String)>,
    /// Heads that are not there.
    pub(crate) claims: Vec<ClaimedHead>,
}

/// Where an author names a head.
struct NamedHead {
    seen: Reference,
    head: Head,
}

/// Claims that are looked at again when more of a log is held, or when it turns out to be forked.
#[derive(Default)]
pub(crate) struct WaitingClaims {
    /// By the log: from which size on, or none where nothing but a fork explains it.
    by_log: BTreeMap<LogId, BTreeSet<(Option<u64>, RecordId)>>,
    count: usize,
    forks: usize,
}

impl WaitingClaims {
    /// Those that findings tell of, as they were when the node stopped.
    pub(crate) async fn recall(store: &dyn Store) -> Result<Self, StoreError> {
        let filter = FindingFilter {
            rule: Some(RULE.into()),
            limit: RECALLED_MAX,
            ..FindingFilter::default()
        };

        let mut waiting = Self::default();
        for finding in store.findings(&filter).await? {
            let json: serde_json::Value = serde_json::from_str(&finding.json).unwrap_or_default();
            let evidence = &json["evidence"];
            let log = evidence["claimed"].as_str().map(LogId::from_origin);
            let size = evidence["size"].as_str().and_then(|size| size.parse().ok());
            if let (Some(Ok(log)), Some(size)) = (log, size) {
                waiting.add(log, Some(size), finding.anchor);
            }
        }

        Ok(waiting)
    }

    fn add(&mut self, log: LogId, size: Option<u64>, anchor: RecordId) {
        if self.count < WAITING_MAX && self.by_log.entry(log).or_default().insert((size, anchor)) {
            self.count = self.count.saturating_add(1);
        }
    }

    /// The records whose claims can be told better now.
    pub(crate) fn due(&mut self, node: &Door) -> BTreeSet<RecordId> {
        let frontier = node.frontier();
        let forked: BTreeSet<LogId> = node.with_control(|c| {
            let known = c.forks().len();
            let is_news = std::mem::replace(&mut self.forks, known) != known;
            let logs = self.by_log.keys().filter(|log| c.forks().contains_key(log));
            logs.filter(|_| is_news).copied().collect()
        });

        let mut due = BTreeSet::new();
        for (log, claims) in &mut self.by_log {
            let held = frontier.0.get(log).map_or(0, |tip| tip.size);
            let is_forked = forked.contains(log);
            let told = |(size, _): &(Option<u64>, RecordId)| {
                is_forked || size.is_some_and(|size| size <= held)
            };
            let taken: Vec<_> = claims.iter().filter(|c| told(c)).copied().collect();
            for claim in taken {
                claims.remove(&claim);
                self.count = self.count.saturating_sub(1);
                due.insert(claim.1);
            }
        }

        self.by_log.retain(|_, claims| !claims.is_empty());
        due
    }
}

/// What the authors of a hold's decisions knew of the holds beside it, and what they claimed.
pub(crate) async fn known(
    node: &Door,
    id: RecordId,
    anchor: &Facts,
    linked: &[Facts],
    waiting: &mut WaitingClaims,
) -> Result<KnownHolds, StoreError> {
    let mut out = KnownHolds::default();
    if !anchor.is_hold() {
        return Ok(out);
    }

    let placed: BTreeSet<Reference> = linked
        .iter()
        .filter(|h| h.is_hold())
        .flat_map(|h| h.placements())
        .filter_map(|entry| entry.parse().ok())
        .collect();
    let released: BTreeSet<Reference> = anchor
        .events("released")
        .filter_map(|e| e.entry().parse().ok())
        .collect();

    let mut named: Option<(LogId, BTreeMap<LogId, Vec<NamedHead>>)> = None;
    let mut roots = HashMap::new();
    for decision in released {
        let index = match named.take() {
            Some((log, index)) if log == decision.log => index,
            _ => named_heads(&*node.store, &decision.log).await?,
        };

        let mut logs: BTreeSet<LogId> = placed.iter().map(|p| p.log).collect();
        logs.extend(just_named(&index, decision.seq));
        let mut checked = HeadCheck {
            node,
            roots: &mut roots,
            decision,
            claims: &mut out.claims,
            waiting: &mut *waiting,
            anchor: id,
        };

        let mut sizes: HashMap<LogId, u64> = HashMap::new();
        for log in logs.into_iter().filter(|log| log.node != decision.log.node) {
            let heads = index.get(&log).map(Vec::as_slice).unwrap_or_default();
            sizes.insert(log, checked.known_size(log, heads).await?);
        }

        for other in &placed {
            // What its own node said before, it knew.
            let is_own = other.log.node == decision.log.node;
            if is_own || sizes.get(&other.log).is_some_and(|size| *size > other.seq) {
                out.knew.insert((decision.to_string(), other.to_string()));
            }
        }

        named = Some((decision.log, index));
    }

    Ok(out)
}

/// All heads that a log's author names, by the logs that they are of.
async fn named_heads(
    store: &dyn Store,
    log: &LogId,
) -> Result<BTreeMap<LogId, Vec<NamedHead>>, StoreError> {
    let mut named: BTreeMap<LogId, Vec<NamedHead>> = BTreeMap::new();
    for entry in seen_entries(store, log).await? {
        let seen = entry.reference();
        if let Some(Body::Seen(said)) = entry.entry().map(|e| &e.body) {
            for head in &said.heads {
                named
                    .entry(head.log)
                    .or_default()
                    .push(NamedHead { seen, head: *head });
            }
        }
    }

    Ok(named)
}

/// The logs named just before a decision: a node writes down what it has taken in, and then
/// decides.
fn just_named(index: &BTreeMap<LogId, Vec<NamedHead>>, decision: u64) -> BTreeSet<LogId> {
    let all: BTreeSet<u64> = index.values().flatten().map(|n| n.seen.seq).collect();
    let mut from = decision;
    while from
        .checked_sub(1)
        .is_some_and(|before| all.contains(&before))
    {
        from = from.saturating_sub(1);
    }

    let is_near = |n: &NamedHead| (from..decision).contains(&n.seen.seq);
    let near = index.iter().filter(|(log, heads)| {
        matches!(log.lane, Lane::Hold | Lane::Control) && heads.iter().any(is_near)
    });
    near.map(|(log, _)| *log).collect()
}

/// Entries that wait of which it is looked why.
const WAITING_READ: u32 = 2_000;
/// The alarm, by what it is about.
const CLAIMED_CONTROL: &str = "claimed control entries";

/// Names a node that says it had taken in control entries which are not there. Its own entries wait
/// for them, and count for nothing: nobody can tell by which policy and officers to judge them.
pub(crate) async fn alarm_of_claimed_control(node: &Door) -> Result<(), StoreError> {
    let waiting = node.store.waiting(WAITING_READ).await?;
    let mut claimed: BTreeMap<(NodeId, Reference), usize> = BTreeMap::new();
    for waiting in waiting {
        let missing = waiting.missing.filter(|m| m.log.lane == Lane::Control);
        // Of its own logs a hub holds all there is. No other node but a hub says control facts.
        let is_not_there = |m: &Reference| {
            let role = node.with_control(|c| c.role(&m.log.node));
            m.log.node == node.me.node() || role.is_some_and(|role| role != Role::Hub)
        };

        if let Some(missing) = missing.filter(is_not_there) {
            let count = claimed
                .entry((waiting.entry.log.node, missing))
                .or_default();
            *count = count.saturating_add(1);
        }
    }

    let alarm = claimed.iter().next().map(|((by, missing), count)| {
        let (by, of) = (node.name_of(by), node.name_of(&missing.log.node));
        format!(
            "node {by} says that it had taken in entry {} of a control log of {of}, which is not \
             there: {count} of its entries wait for it and count for nothing. Look whose hands \
             {by} is in",
            missing.seq,
        )
    });

    node.set_alarm(CLAIMED_CONTROL, alarm);
    Ok(())
}

/// Holding what an author named against what is held.
struct HeadCheck<'a> {
    node: &'a Door,
    roots: &'a mut HashMap<(LogId, u64), Option<Hash>>,
    decision: Reference,
    claims: &'a mut Vec<ClaimedHead>,
    waiting: &'a mut WaitingClaims,
    anchor: RecordId,
}

impl HeadCheck<'_> {
    /// How much of a log the author of the decision had taken in, as far as the root that it named
    /// bears that out.
    async fn known_size(&mut self, log: LogId, heads: &[NamedHead]) -> Result<u64, StoreError> {
        let held = self.node.frontier().0.get(&log).map_or(0, |tip| tip.size);
        let is_forked = self.node.with_control(|c| c.forks().contains_key(&log));
        let mut before: Vec<&NamedHead> = heads
            .iter()
            .filter(|n| n.seen.seq < self.decision.seq)
            .collect();
        before.sort_by_key(|n| std::cmp::Reverse((n.head.size, n.head.root)));
        before.dedup_by_key(|n| (n.head.size, n.head.root));

        for named in before.into_iter().take(HEADS_MAX) {
            let size = named.head.size;
            let is_there = size <= held;
            if is_there {
                match self.root(&log, size).await? {
                    Some(root) if root == named.head.root => return Ok(size),
                    Some(_) => {}
                    // What is damaged here tells nothing of anybody.
                    None => continue,
                }
            }

            if !is_forked {
                self.waiting
                    .add(log, (!is_there).then_some(size), self.anchor);
                self.claims.push(ClaimedHead {
                    decision: self.decision.to_string(),
                    seen: named.seen.to_string(),
                    node: self.node.name_of(&named.seen.log.node),
                    claimed: log.origin(),
                    of: self.node.name_of(&log.node),
                    crossing: log.crossing.to_string(),
                    size,
                    is_there,
                });
            }
        }

        Ok(0)
    }

    async fn root(&mut self, log: &LogId, size: u64) -> Result<Option<Hash>, StoreError> {
        if let Some(known) = self.roots.get(&(*log, size)) {
            return Ok(*known);
        }

        let root = match size {
            0 => None,
            _ => known_root(&*self.node.store, log, size).await?,
        };
        self.roots.insert((*log, size), root);
        Ok(root)
    }
}
