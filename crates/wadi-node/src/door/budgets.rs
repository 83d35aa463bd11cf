//! What each member may cost this node: bytes, disk, processor, logs, refusals.
//!
//! Every member has a bucket for each [`Cost`]. What it costs is taken out, and time fills it
//! again. A member whose bucket is empty is slowed: its link is read more slowly. One that owes too
//! much is paused: its blocks are refused with a reason, and asked for again when it owes nothing
//! more. Nobody is refused for good, and no budget decides what counts.
//!
//! What a peer sends is charged to the peer. What lasts (disk, logs, entries that wait) is charged
//! to the author, whoever brings it: an honest neighbour pays for nobody.

use crate::door::{
    budget_limits::{BudgetLimits, Cost, Limit},
    held_of_peers::PeerMemoryUse,
};
use serde::Serialize;
use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard},
    time::{Duration, Instant},
};
use wadi_log::{Lane, NodeId, Role};

/// The longest pause between two things that are read of a member that is slowed.
const SLOWED_MAX: Duration = Duration::from_secs(5);
/// A member that needs longer than this to owe nothing is paused, seconds.
const PAUSED_AFTER_S: f64 = 60.0;
/// A pause for what lasts ends at the latest when so large a part of the burst is there again.
const RESUMED_AT: f64 = 0.1;
/// Nobody owes more than what fills up in this time, seconds; of what lasts, a part of the burst.
const OWED_MAX_S: f64 = 900.0;
/// The same for answers: nobody waits longer for one.
const ANSWER_OWED_MAX_S: f64 = 30.0;
/// Members that are remembered. Beyond that those go that cost least.
pub(super) const MEMBERS_MAX: usize = 1_024;
/// Bytes that a wire byte may become here, for as long as somebody likes.
pub(crate) const INFLATED_PER_WIRE_BYTE: f64 = 8.0;
/// Entries of an author for which it may open one more log: whoever has much to say has many logs.
const ENTRIES_PER_LOG: f64 = 64.0;
/// What control entries and holds may take beyond an empty budget of disk, as a part of it.
const URGENT_RESERVE: f64 = 0.1;

/// One bucket.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bucket {
    level: f64,
    at: Instant,
    /// All that was ever taken out since this start.
    spent: f64,
    is_paused: bool,
}

impl Bucket {
    fn full(limit: Limit, now: Instant) -> Self {
        Self {
            level: limit.burst,
            at: now,
            spent: 0.0,
            is_paused: false,
        }
    }

    /// One of which so much was used up before this start.
    pub(super) fn lacking(cost: Cost, limit: Limit, lacking: f64, now: Instant) -> Self {
        let mut bucket = Self::full(limit, now);
        bucket.take(cost, limit, lacking.max(0.0), now);
        bucket.spent = 0.0;
        bucket
    }

    /// What is in it now.
    fn level_at(&self, limit: Limit, now: Instant) -> f64 {
        let gone_s = now.saturating_duration_since(self.at).as_secs_f64();
        (self.level + gone_s * limit.per_s).min(limit.burst)
    }

    fn settle(&mut self, cost: Cost, limit: Limit, now: Instant) {
        self.level = self.level_at(limit, now);
        self.at = now;
        self.is_paused = self.is_paused_at(cost, limit, now);
    }

    /// A pause ends later than it begins, so that nobody goes in and out of it with each block.
    fn is_paused_at(&self, cost: Cost, limit: Limit, now: Instant) -> bool {
        let level = self.level_at(limit, now);
        let (begins, ends) = match cost.lasts() {
            true => (
                0.0,
                (PAUSED_AFTER_S * limit.per_s).min(limit.burst * RESUMED_AT),
            ),
            false => (-PAUSED_AFTER_S * limit.per_s, 0.0),
        };

        match self.is_paused {
            true => level < ends,
            false => level < begins,
        }
    }

    fn take(&mut self, cost: Cost, limit: Limit, amount: f64, now: Instant) {
        let owed_max = match cost {
            Cost::Answers => ANSWER_OWED_MAX_S * limit.per_s,
            // As deep as urgent lanes may draw.
            cost if cost.lasts() => limit.burst * URGENT_RESERVE,
            _ => OWED_MAX_S * limit.per_s,
        };

        self.settle(cost, limit, now);
        self.spent += amount;
        self.level = (self.level - amount).max(-owed_max);
        self.is_paused = self.is_paused_at(cost, limit, now);
    }

    fn give(&mut self, cost: Cost, limit: Limit, amount: f64, now: Instant) {
        self.settle(cost, limit, now);
        self.level = (self.level + amount).min(limit.burst);
        self.is_paused = self.is_paused_at(cost, limit, now);
    }

    /// How long it takes until nothing is owed, seconds.
    fn owes_s(&self, limit: Limit, now: Instant) -> f64 {
        let level = self.level_at(limit, now);
        match level < 0.0 {
            true => -level / limit.per_s,
            false => 0.0,
        }
    }

    /// How long it takes until a pause ends, seconds.
    fn resumes_in_s(&self, cost: Cost, limit: Limit, now: Instant) -> f64 {
        let reserve = match cost.lasts() {
            true => PAUSED_AFTER_S.min(limit.burst * RESUMED_AT / limit.per_s),
            false => 0.0,
        };
        let level = self.level_at(limit, now);
        (reserve - level / limit.per_s).max(0.0)
    }
}

/// The buckets of one member.
#[derive(Debug)]
pub(super) struct MemberBuckets {
    pub(super) role: Role,
    pub(super) limits: [Limit; Cost::COUNT],
    pub(super) buckets: [Bucket; Cost::COUNT],
    /// When what it used up was written down last.
    pub(super) kept_at: Option<Instant>,
}

impl MemberBuckets {
    pub(super) fn new(limits: &BudgetLimits, role: Role, now: Instant) -> Self {
        let limits = Cost::ALL.map(|cost| limits.of(cost, role));
        Self {
            role,
            limits,
            buckets: limits.map(|limit| Bucket::full(limit, now)),
            kept_at: None,
        }
    }

    /// What is lacking of a budget's burst.
    pub(super) fn lacking(&self, cost: Cost, now: Instant) -> f64 {
        let (bucket, limit) = self.bucket(cost);
        limit.burst - bucket.level_at(limit, now)
    }

    fn bucket(&self, cost: Cost) -> (&Bucket, Limit) {
        let n = cost as usize;
        (&self.buckets[n], self.limits[n])
    }

    fn is_paused(&self, cost: Cost, now: Instant) -> bool {
        let (bucket, limit) = self.bucket(cost);
        bucket.is_paused_at(cost, limit, now)
    }

    /// The least part that is left of any of its budgets.
    fn least_left(&self, now: Instant) -> f64 {
        let left = Cost::ALL.map(|cost| {
            let (bucket, limit) = self.bucket(cost);
            bucket.level_at(limit, now) / limit.burst
        });
        left.into_iter().fold(1.0, f64::min)
    }
}

/// How a member stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BudgetState {
    /// It has all that it may have.
    Open,
    /// Its link is read more slowly.
    Slowed,
    /// Its blocks are refused for now.
    Paused,
}

/// What a member did cost, and what it may cost still.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct MemberCost {
    /// Its name.
    pub node: String,
    /// Its id.
    pub id: String,
    /// How it stands.
    pub state: BudgetState,
    /// Which budget is used up; none where none is.
    pub over: Option<&'static str>,
    /// In how long that ends if it costs nothing more, seconds.
    pub again_in_s: Option<u64>,
    /// What it has this node hold in memory.
    pub memory: PeerMemoryUse,
    /// Each budget.
    pub budgets: Vec<CostUse>,
}

/// How much of one budget is used.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct CostUse {
    /// Which.
    pub budget: &'static str,
    /// What was used since this start.
    pub used: u64,
    /// What is left now; 0 where more is owed.
    pub left: u64,
    /// What it may be at once.
    pub burst: u64,
}

/// What members cost, as all parts of a node see it.
#[derive(Debug)]
pub struct Budgets {
    /// This node: its own entries cost nothing, whoever brings them back.
    me: NodeId,
    pub(super) limits: BudgetLimits,
    members: Mutex<BTreeMap<NodeId, MemberBuckets>>,
}

impl Budgets {
    /// Nobody has cost anything.
    pub(crate) fn new(me: NodeId, limits: BudgetLimits) -> Self {
        Self {
            me,
            limits,
            members: Mutex::default(),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, BTreeMap<NodeId, MemberBuckets>> {
        self.members.lock().expect("no panic holds it")
    }

    fn with<T>(
        &self,
        node: NodeId,
        role: Role,
        now: Instant,
        of: impl FnOnce(&mut MemberBuckets) -> T,
    ) -> Option<T> {
        if node == self.me {
            return None;
        }

        let mut members = self.lock();
        if members.len() >= MEMBERS_MAX && !members.contains_key(&node) {
            let left = |(id, m): (&NodeId, &MemberBuckets)| (*id, m.least_left(now));
            let most = members.iter().map(left).max_by(|a, b| a.1.total_cmp(&b.1));
            most.map(|(id, _)| members.remove(&id));
        }

        let member = members
            .entry(node)
            .or_insert_with(|| MemberBuckets::new(&self.limits, role, now));
        if member.role != role {
            // Papers were renewed with another role: what was used stays used.
            member.role = role;
            member.limits = Cost::ALL.map(|cost| self.limits.of(cost, role));
        }

        Some(of(member))
    }

    /// A member did cost so much.
    pub(crate) fn charge(&self, node: NodeId, role: Role, cost: Cost, amount: f64, now: Instant) {
        if wadi_store::defence::off("budgets") {
            return;
        }

        let n = cost as usize;
        let paused = self.with(node, role, now, |member| {
            let before = member.is_paused(cost, now);
            let limit = member.limits[n];
            member.buckets[n].take(cost, limit, amount, now);
            !before && member.buckets[n].is_paused
        });

        if paused == Some(true) {
            let budget = cost.name();
            tracing::warn!(node = %node, budget, "a member is paused: its budget is used up");
        }
    }

    /// So many bytes came from a peer: it may store as many times that.
    pub(crate) fn charge_wire(&self, peer: NodeId, role: Role, bytes: usize, now: Instant) {
        self.charge(peer, role, Cost::Wire, bytes as f64, now);
        self.give(
            peer,
            role,
            Cost::Inflated,
            bytes as f64 * INFLATED_PER_WIRE_BYTE,
            now,
        );
    }

    /// So many entries of an author were stored, of so many bytes: it pays for what the database
    /// grew by.
    pub(crate) fn charge_stored(
        &self,
        author: NodeId,
        role: Role,
        (entries, bytes): (usize, usize),
        now: Instant,
    ) {
        let entries = entries as f64;
        let stored =
            bytes as f64 * Cost::STORED_PER_ENTRY_BYTE + entries * Cost::STORED_BYTES_PER_ENTRY;
        self.charge(author, role, Cost::Stored, stored, now);
        self.give(author, role, Cost::Logs, entries / ENTRIES_PER_LOG, now);
    }

    fn give(&self, node: NodeId, role: Role, cost: Cost, amount: f64, now: Instant) {
        self.with(node, role, now, |member| {
            let n = cost as usize;
            let limit = member.limits[n];
            member.buckets[n].give(cost, limit, amount, now);
        });
    }

    /// How long nothing more is read of a peer.
    pub(crate) fn slows(&self, peer: &NodeId, now: Instant) -> Duration {
        let members = self.lock();
        let Some(member) = members.get(peer) else {
            return Duration::ZERO;
        };

        let owes_s = Cost::OF_PEERS.map(|cost| {
            let (bucket, limit) = member.bucket(cost);
            bucket.owes_s(limit, now)
        });
        let longest_s = owes_s.into_iter().fold(0.0, f64::max);
        Duration::from_secs_f64(longest_s.min(SLOWED_MAX.as_secs_f64()))
    }

    /// Whether one more finding that rests on a member's entries is published now; it is charged
    /// where it is.
    pub(crate) fn publishes(&self, node: NodeId, role: Role, now: Instant) -> bool {
        if wadi_store::defence::off("budgets") {
            return true;
        }

        let n = Cost::Findings as usize;
        let has_room = self.with(node, role, now, |member| {
            let limit = member.limits[n];
            let has_room = member.buckets[n].level_at(limit, now) >= 1.0;
            if has_room {
                member.buckets[n].take(Cost::Findings, limit, 1.0, now);
            }
            has_room
        });
        has_room.unwrap_or(true)
    }

    /// When a peer's next question is answered.
    pub(crate) fn answers_at(&self, peer: &NodeId, now: Instant) -> Instant {
        let members = self.lock();
        let owes_s = members.get(peer).map_or(0.0, |member| {
            let (bucket, limit) = member.bucket(Cost::Answers);
            bucket.owes_s(limit, now)
        });

        now + Duration::from_secs_f64(owes_s)
    }

    /// Why nothing of a peer is taken now; none where it is.
    pub(crate) fn pauses_peer(&self, peer: &NodeId, now: Instant) -> Option<Cost> {
        let members = self.lock();
        let member = members.get(peer)?;
        let mut costs = Cost::OF_PEERS.into_iter();
        costs.find(|cost| member.is_paused(*cost, now))
    }

    /// Why a block of an author's is not taken now, whoever brings it; none where it is.
    pub(crate) fn pauses_author(
        &self,
        author: &NodeId,
        lane: Lane,
        opens_log: bool,
        now: Instant,
    ) -> Option<Cost> {
        let members = self.lock();
        let member = members.get(author)?;
        let mut costs = Cost::OF_AUTHORS.into_iter();
        costs.find(|cost| {
            // A flood of passages holds up no hold.
            let (bucket, limit) = member.bucket(*cost);
            let has_reserve = *cost == Cost::Stored
                && lane <= Lane::Hold
                && !wadi_store::defence::off("urgent-reserve")
                && bucket.level_at(limit, now) > -limit.burst * URGENT_RESERVE;
            let concerns = *cost != Cost::Logs || opens_log;

            concerns && !has_reserve && member.is_paused(*cost, now)
        })
    }

    /// How each member stands, by the names that `name_of` gives, and what `memory_of` tells.
    pub(crate) fn of_members(
        &self,
        now: Instant,
        name_of: impl Fn(&NodeId) -> String,
        memory_of: impl Fn(&NodeId) -> PeerMemoryUse,
    ) -> Vec<MemberCost> {
        let members = self.lock();
        let of = |(id, member): (&NodeId, &MemberBuckets)| {
            let (state, over) = standing(member, now);
            let again_in_s = over.map(|cost| {
                let (bucket, limit) = member.bucket(cost);
                let seconds = match state {
                    BudgetState::Paused => bucket.resumes_in_s(cost, limit, now),
                    _ => bucket.owes_s(limit, now),
                };
                seconds.ceil() as u64
            });

            MemberCost {
                node: name_of(id),
                id: id.to_string(),
                state,
                over: over.map(Cost::name),
                again_in_s,
                memory: memory_of(id),
                budgets: Cost::ALL.map(|cost| use_of(member, cost, now)).into(),
            }
        };

        members.iter().map(of).collect()
    }

    /// What is to be told of members that are paused, by their names.
    pub(crate) fn alarm(
        &self,
        now: Instant,
        name_of: impl Fn(&NodeId) -> String,
    ) -> Option<String> {
        let members = self.lock();
        let paused = members.iter().filter_map(|(id, member)| {
            let (state, over) = standing(member, now);
            let budget = over.filter(|_| state == BudgetState::Paused)?;
            Some(format!("{} ({})", name_of(id), budget.name()))
        });
        let paused: Vec<String> = paused.collect();

        (!paused.is_empty()).then(|| {
            format!(
                "paused for what they cost this node: {}; what they send is taken later; look at \
                 those nodes, and cut one that is captured",
                paused.join(", ")
            )
        })
    }
}

fn use_of(member: &MemberBuckets, cost: Cost, now: Instant) -> CostUse {
    let (bucket, limit) = member.bucket(cost);
    CostUse {
        budget: cost.name(),
        used: bucket.spent as u64,
        left: bucket.level_at(limit, now).max(0.0) as u64,
        burst: limit.burst as u64,
    }
}

/// How a member stands, and which of its budgets makes it so.
fn standing(member: &MemberBuckets, now: Instant) -> (BudgetState, Option<Cost>) {
    let mut all = Cost::ALL.into_iter();
    let paused = all.find(|cost| *cost != Cost::Answers && member.is_paused(*cost, now));
    if paused.is_some() {
        return (BudgetState::Paused, paused);
    }

    let mut of_peers = Cost::OF_PEERS.into_iter();
    let slowed = of_peers.find(|cost| {
        let (bucket, limit) = member.bucket(*cost);
        bucket.owes_s(limit, now) > 0.0
    });
    match slowed {
        Some(_) => (BudgetState::Slowed, slowed),
        None => (BudgetState::Open, None),
    }
}

#[cfg(test)]
#[path = "budgets_tests.rs"]
mod tests;
