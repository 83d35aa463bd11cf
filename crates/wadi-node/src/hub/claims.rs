//! What authors of decisions say that they had taken in, held against what this hub holds.
//!
//! An author names heads of logs in its `Seen` entries. It is believed as far as the root of such a
//! head is the one that this hub holds at that size. A head that goes further than what is held is
//! neither believed nor forgotten: it is a finding that waits, and is looked at again once so much
//! of the log is held. One whose root is another than that held is a lie, unless the log is known
//! to have two branches, of which the author may have held the other. Nothing of that depends on
//! what came first.
//!
//! Of a decision two things are asked: what its author had taken in of the logs in which others
//! placed holds on the same goods, and whether the heads are there that were named last before it.
//! Those that are there are remembered, for one `Seen` stands before many decisions.

use crate::{
    door::{
        Door,
        proofs::{given, known_root},
    },
    ledger::seen::{HEADS_MAX, seen_entries},
};
use lru::LruCache;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    num::NonZeroUsize,
};
use wadi_log::{Body, Hash, Head, Lane, LogId, NodeId, RecordId, Reference, Role};
use wadi_reconcile::{ClaimedHead, Facts};
use wadi_store::{FindingFilter, Store, StoreError};

/// `Seen` entries, one behind the other, whose heads are held against what is there. A node names
/// two hundred heads in one: at its first decision after a start those of the whole country.
const RUN_MAX: u32 = 16;
/// Heads that are not there, of which one record tells: whoever names more has been found by then.
const CLAIMS_MAX: usize = 16;
/// Decisions of one record, in the order of their references, for which it is looked whether the
/// heads are there that were named last before them. Nobody honest comes near it.
const DECISIONS_MAX: usize = 256;
/// Runs of `Seen` entries, and decisions behind them, that are remembered as borne out.
const BORNE_OUT_MAX: usize = 16_384;
/// Roots that are remembered.
const ROOTS_MAX: usize = 32_768;
/// Findings of claims that are known again after a start.
const RECALLED_MAX: u32 = 10_000;
/// Claims that wait for more of a log, or for a fork of it, at once.
const WAITING_MAX: usize = 50_000;
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
struct MentionedHead {
    seen: Reference,
    head: Head,
}

/// Claims that are looked at again when more of a log is held, or when it turns out to be forked,
/// and what is remembered of those that were looked at.
pub(crate) struct WaitingClaims {
    /// By the log: from which size on, or none where nothing but a fork explains it.
    by_log: BTreeMap<LogId, BTreeSet<(Option<u64>, RecordId)>>,
    count: usize,
    forks: usize,
    /// Decisions, and the last `Seen` before them, by log and position, of logs that have one
    /// branch: every head that was named there is there. That stays so, whatever comes.
    borne_out: LruCache<(LogId, u64), ()>,
    /// Roots of logs that have one branch, by log and size.
    roots: LruCache<(LogId, u64), Hash>,
}

impl Default for WaitingClaims {
    fn default() -> Self {
        let so_many = |max| NonZeroUsize::new(max).expect("not zero");
        Self {
            by_log: BTreeMap::new(),
            count: 0,
            forks: 0,
            borne_out: LruCache::new(so_many(BORNE_OUT_MAX)),
            roots: LruCache::new(so_many(ROOTS_MAX)),
        }
    }
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

/// What the authors of a record's decisions knew of the holds beside it, where it is a hold itself,
/// and what they claimed.
pub(crate) async fn known(
    node: &Door,
    id: RecordId,
    anchor: &Facts,
    linked: &[Facts],
    waiting: &mut WaitingClaims,
) -> Result<KnownHolds, StoreError> {
    let mut out = KnownHolds::default();
    let decisions: BTreeSet<Reference> = anchor
        .decisions()
        .filter_map(|e| e.entry().parse().ok())
        .collect();
    if decisions.is_empty() {
        return Ok(out);
    }

    let placed: BTreeSet<Reference> = linked
        .iter()
        .filter(|h| h.is_hold())
        .flat_map(|h| h.placements())
        .filter_map(|entry| entry.parse().ok())
        .collect();

    let mut named: Option<(LogId, BTreeMap<LogId, Vec<MentionedHead>>)> = None;
    for (n, decision) in decisions.into_iter().enumerate() {
        if n >= DECISIONS_MAX && !anchor.is_hold() {
            break;
        }

        let mut checked = HeadCheck {
            node,
            decision,
            claims: &mut out.claims,
            waiting: &mut *waiting,
            anchor: id,
        };

        let logs = placed.iter().map(|p| p.log);
        let logs: BTreeSet<LogId> = logs.filter(|log| log.node != decision.log.node).collect();
        let mut sizes: HashMap<LogId, u64> = HashMap::new();
        if !logs.is_empty() {
            let index = match named.take() {
                Some((log, index)) if log == decision.log => index,
                _ => named_heads(&*node.store, &decision.log).await?,
            };
            for log in logs {
                let heads = index.get(&log).map(Vec::as_slice).unwrap_or_default();
                sizes.insert(log, checked.known_size(log, heads).await?);
            }
            named = Some((decision.log, index));
        }

        if n < DECISIONS_MAX {
            checked.look_at_last_named(&sizes).await?;
        }

        // What its own node said before, it knew.
        let is_known = |other: &&Reference| {
            let is_own = other.log.node == decision.log.node;
            is_own || sizes.get(&other.log).is_some_and(|size| *size > other.seq)
        };
        if anchor.is_hold() {
            let known = placed.iter().filter(is_known);
            out.knew
                .extend(known.map(|other| (decision.to_string(), other.to_string())));
        }
    }

    Ok(out)
}

/// All heads that a log's author names, by the logs that they are of.
async fn named_heads(
    store: &dyn Store,
    log: &LogId,
) -> Result<BTreeMap<LogId, Vec<MentionedHead>>, StoreError> {
    let mut named: BTreeMap<LogId, Vec<MentionedHead>> = BTreeMap::new();
    for entry in seen_entries(store, log).await? {
        let seen = entry.reference();
        if let Some(Body::Seen(said)) = entry.entry().map(|e| &e.body) {
            for head in &said.heads {
                named
                    .entry(head.log)
                    .or_default()
                    .push(MentionedHead { seen, head: *head });
            }
        }
    }

    Ok(named)
}

/// The heads that were named last before a decision: in one `Seen` entry, or in several, one behind
/// the other. A node writes down what it has taken in, and then decides.
struct LastNamed {
    /// The position of the last of these entries.
    seq: u64,
    /// The heads of control and hold logs of others, by their logs.
    heads: BTreeMap<LogId, Vec<MentionedHead>>,
}

impl LastNamed {
    /// Nothing where none was named, or where what names it is damaged.
    async fn before(store: &dyn Store, decision: &Reference) -> Result<Option<Self>, StoreError> {
        let read = store.seen_before(&decision.log, decision.seq, RUN_MAX);
        let entries = given(read.await)?.unwrap_or_default();
        let Some(last) = entries.first().map(|seen| seen.reference().seq) else {
            return Ok(None);
        };

        let mut heads: BTreeMap<LogId, Vec<MentionedHead>> = BTreeMap::new();
        for (entry, back) in entries.iter().zip(0..) {
            let seen = entry.reference();
            if last.checked_sub(back) != Some(seen.seq) {
                break;
            }
            let Some(Body::Seen(said)) = entry.entry().map(|e| &e.body) else {
                continue;
            };

            let is_judged_by = |head: &&Head| {
                matches!(head.log.lane, Lane::Hold | Lane::Control)
                    && head.log.node != decision.log.node
            };
            for head in said.heads.iter().filter(is_judged_by) {
                let of = heads.entry(head.log).or_default();
                of.push(MentionedHead { seen, head: *head });
            }
        }

        Ok(Some(Self { seq: last, heads }))
    }
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
    decision: Reference,
    claims: &'a mut Vec<ClaimedHead>,
    waiting: &'a mut WaitingClaims,
    anchor: RecordId,
}

impl HeadCheck<'_> {
    /// Looks whether the heads are there that were named last before the decision, but for the logs
    /// that were looked at.
    async fn look_at_last_named(
        &mut self,
        looked_at: &HashMap<LogId, u64>,
    ) -> Result<(), StoreError> {
        let log = self.decision.log;
        let decision = (log, self.decision.seq);
        // Of a forked log another branch, with other entries, may be held tomorrow.
        let is_forked = self.node.with_control(|c| c.forks().contains_key(&log));
        let is_remembered = !is_forked && self.waiting.borne_out.get(&decision).is_some();
        let is_own = log.node == self.node.me.node();
        if is_own || is_remembered || self.claims.len() >= CLAIMS_MAX {
            return Ok(());
        }

        let Some(last) = LastNamed::before(&*self.node.store, &self.decision).await? else {
            return Ok(());
        };
        let run = (log, last.seq);
        let mut is_borne_out = !is_forked && self.waiting.borne_out.get(&run).is_some();

        if !is_borne_out {
            is_borne_out = true;
            for (of, heads) in &last.heads {
                if looked_at.contains_key(of) {
                    is_borne_out = false;
                    continue;
                }

                let furthest = heads.iter().map(|named| named.head.size).max();
                let size = self.known_size(*of, heads).await?;
                is_borne_out &= Some(size) == furthest;
                if self.claims.len() >= CLAIMS_MAX {
                    return Ok(());
                }
            }
        }

        if is_borne_out && !is_forked {
            self.waiting.borne_out.put(run, ());
            self.waiting.borne_out.put(decision, ());
        }
        Ok(())
    }

    /// How much of a log the author of the decision had taken in, as far as the root that it named
    /// bears that out.
    async fn known_size(&mut self, log: LogId, heads: &[MentionedHead]) -> Result<u64, StoreError> {
        let held = self.node.frontier().0.get(&log).map_or(0, |tip| tip.size);
        let is_forked = self.node.with_control(|c| c.forks().contains_key(&log));
        let mut before: Vec<&MentionedHead> = heads
            .iter()
            .filter(|n| n.seen.seq < self.decision.seq)
            .collect();
        before.sort_by_key(|n| std::cmp::Reverse((n.head.size, n.head.root)));
        before.dedup_by_key(|n| (n.head.size, n.head.root));

        for named in before.into_iter().take(HEADS_MAX) {
            let size = named.head.size;
            if wadi_store::defence::off("borne-out") {
                return Ok(size);
            }

            let is_there = size <= held;
            if is_there {
                match self.root(&log, size, is_forked).await? {
                    Some(root) if root == named.head.root => return Ok(size),
                    Some(_) => {}
                    // What is damaged here tells nothing of anybody.
                    None => continue,
                }
            }

            if !is_forked {
                self.waiting
                    .add(log, (!is_there).then_some(size), self.anchor);
                if self.claims.len() >= CLAIMS_MAX {
                    continue;
                }
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

    /// The root at a size that is held; none where that is damaged, or 0. Of a forked log another
    /// branch may be held tomorrow.
    async fn root(
        &mut self,
        log: &LogId,
        size: u64,
        is_forked: bool,
    ) -> Result<Option<Hash>, StoreError> {
        if size == 0 {
            return Ok(None);
        }
        if is_forked {
            return known_root(&*self.node.store, log, size).await;
        }

        let of = (*log, size);
        if let Some(known) = self.waiting.roots.get(&of) {
            return Ok(Some(*known));
        }

        let root = known_root(&*self.node.store, log, size).await?;
        if let Some(root) = root {
            self.waiting.roots.put(of, root);
        }
        Ok(root)
    }
}
