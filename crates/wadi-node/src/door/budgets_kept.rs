//! What members used up of what lasts, kept over starts: whoever has a node started anew, or has it
//! crash, has no new budget of its disk.
//!
//! A row goes along with a commit that charges its member, a few seconds apart at least; what a
//! crash takes with it is what was charged since. Time that passes while a node is off fills
//! budgets as any other time does, by the machine's clock: one that goes back fills nothing.

use super::{
    budget_limits::{BudgetLimits, Cost},
    budgets::{Bucket, Budgets, MEMBERS_MAX, MemberBuckets},
};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};
use wadi_log::{NodeId, Role, hex, unhex};
use wadi_store::{LocalKey, LocalScope};

/// Under which scope a member's row lies, by its id.
pub(crate) const SCOPE: LocalScope = LocalScope::Budget;
/// The shortest time between two rows of one member.
const WRITE_PAUSE: Duration = Duration::from_secs(10);
/// What is kept: budgets that fill up over days. The others do within minutes.
const KEPT: [Cost; 5] = [
    Cost::Refusals,
    Cost::Stored,
    Cost::Logs,
    Cost::Waiting,
    Cost::Findings,
];

/// What a member had used up when its row was written.
#[derive(Serialize, Deserialize)]
struct UsedUp {
    role: String,
    /// The machine's clock, Unix milliseconds.
    at_ms: i64,
    /// What was lacking of each budget's burst, by the budget's name.
    lacking: BTreeMap<String, f64>,
}

impl Budgets {
    /// The row of a member that was charged, where the last one was written long enough ago.
    pub(crate) fn row_due(&self, node: NodeId, now: Instant, wall_ms: i64) -> Option<LocalKey> {
        let mut members = self.lock();
        let member = members.get_mut(&node)?;
        let is_due = |at: Instant| now.saturating_duration_since(at) >= WRITE_PAUSE;
        if !member.kept_at.is_none_or(is_due) {
            return None;
        }

        member.kept_at = Some(now);
        Some(row_of(&node, member, now, wall_ms))
    }

    /// The rows of all members that used something up, to be written down before a stop.
    pub(crate) fn rows(&self, now: Instant, wall_ms: i64) -> Vec<LocalKey> {
        let members = self.lock();
        let used = members
            .iter()
            .filter(|(_, member)| KEPT.into_iter().any(|cost| member.lacking(cost, now) > 0.0));
        used.map(|(id, member)| row_of(id, member, now, wall_ms))
            .collect()
    }

    /// Takes in what was kept before this start. What does not read is forgotten.
    pub(crate) fn recall(&self, kept: &[LocalKey], now: Instant, wall_ms: i64) {
        if wadi_store::defence::off("kept-budgets") {
            return;
        }

        let read = |row: &LocalKey| {
            let node = NodeId::from_slice(&unhex(&row.key)?).ok()?;
            let used: UsedUp = serde_json::from_str(&row.value).ok()?;
            Some((node, member_of(&self.limits, &used, now, wall_ms)?))
        };
        let recalled = kept.iter().take(MEMBERS_MAX).filter_map(read);
        self.lock().extend(recalled);
    }
}

fn row_of(node: &NodeId, member: &MemberBuckets, now: Instant, wall_ms: i64) -> LocalKey {
    let lacking = KEPT.map(|cost| (cost.name().to_string(), member.lacking(cost, now)));
    let used = UsedUp {
        role: member.role.name().into(),
        at_ms: wall_ms,
        lacking: lacking.into(),
    };
    LocalKey {
        scope: SCOPE,
        key: hex(&node.0),
        value: serde_json::to_string(&used).unwrap_or_default(),
    }
}

/// A member as it stood when its row was written, and what filled up since.
fn member_of(
    limits: &BudgetLimits,
    used: &UsedUp,
    now: Instant,
    wall_ms: i64,
) -> Option<MemberBuckets> {
    let role: Role = used.role.parse().ok()?;
    let mut member = MemberBuckets::new(limits, role, now);
    let gone_s = wall_ms.saturating_sub(used.at_ms).max(0) as f64 / 1_000.0;

    for cost in KEPT {
        let lacking = used.lacking.get(cost.name()).copied();
        // What somebody else wrote into the row is no number that a budget could have.
        let lacking = lacking.filter(|n| n.is_finite() && *n > 0.0).unwrap_or(0.0);
        let limit = member.limits[cost as usize];
        member.buckets[cost as usize] =
            Bucket::lacking(cost, limit, lacking - gone_s * limit.per_s, now);
    }

    Some(member)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::door::budget_limits::Limit;
    use wadi_log::Lane;

    const ME: NodeId = NodeId([1; 16]);
    const TRB: NodeId = NodeId([2; 16]);
    const DAY_MS: i64 = 86_400_000;

    /// A gigabyte at once, and a hundred megabytes a day.
    fn budgets() -> Budgets {
        let limit = Limit {
            burst: 1e9,
            per_s: 1e8 / 86_400.0,
        };
        Budgets::new(ME, BudgetLimits::default().with(Cost::Stored, limit))
    }

    fn pauses(budgets: &Budgets, now: Instant) -> Option<Cost> {
        budgets.pauses_author(&TRB, Lane::Passage, false, now)
    }

    #[test]
    fn a_node_that_starts_anew_gives_nobody_a_new_budget_of_its_disk() {
        let now = Instant::now();
        let before = budgets();
        before.charge(TRB, Role::Crossing, Cost::Stored, 1.05e9, now);
        assert_eq!(pauses(&before, now), Some(Cost::Stored));

        let after = budgets();
        after.recall(&before.rows(now, 0), now, 60_000);
        assert_eq!(pauses(&after, now), Some(Cost::Stored));

        // Two days later a fifth of it is there again.
        let later = budgets();
        later.recall(&before.rows(now, 0), now, 2 * DAY_MS);
        assert_eq!(pauses(&later, now), None);
        later.charge(TRB, Role::Crossing, Cost::Stored, 1.6e8, now);
        assert_eq!(pauses(&later, now), Some(Cost::Stored));
    }

    #[test]
    fn a_clock_that_goes_back_fills_nothing_and_rows_come_seconds_apart() {
        let now = Instant::now();
        let before = budgets();
        before.charge(TRB, Role::Crossing, Cost::Stored, 2e9, now);
        let row = before.row_due(TRB, now, DAY_MS).expect("the first is due");
        assert!(before.row_due(TRB, now, DAY_MS).is_none());
        assert!(before.row_due(TRB, now + WRITE_PAUSE, DAY_MS).is_some());

        let after = budgets();
        after.recall(&[row], now, 0);
        assert_eq!(pauses(&after, now), Some(Cost::Stored));
    }

    #[test]
    fn what_a_row_cannot_say_is_forgotten() {
        let now = Instant::now();
        let mut row = {
            let before = budgets();
            before.charge(TRB, Role::Crossing, Cost::Stored, 2e9, now);
            before.rows(now, 0).remove(0)
        };
        for value in [
            "",
            "{}",
            r#"{"role":"king","at_ms":0,"lacking":{}}"#,
            r#"{"role":"crossing","at_ms":-9223372036854775808,"lacking":{"stored_bytes":-1e300}}"#,
        ] {
            row.value = value.into();
            let after = budgets();
            after.recall(std::slice::from_ref(&row), now, i64::MAX);
            assert_eq!(pauses(&after, now), None, "{value}");
        }
    }
}
