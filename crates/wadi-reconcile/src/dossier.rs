//! What a rule sees: a record, the records one link away, and its cohorts.

use crate::{AskedOnce, Contradiction, Fact, Facts, Phase, numbers, sentence};
use std::collections::{BTreeMap, BTreeSet};
use wadi_record::Policy;
use wadi_words::Sentence;

/// The commission, whose own time is always known.
const HUB: &str = "HUB";

/// How long a finding waits beyond its time for a crossing of which nothing was ever heard,
/// milliseconds: as long as a truck has to any crossing of the country.
pub fn unheard_limit_ms(policy: &Policy) -> i64 {
    numbers::hours_ms(policy.diversion_h)
}

/// A record with the records one link away, of any crossing, and with its cohorts.
#[derive(Clone, Debug)]
pub struct Dossier {
    /// The record in question.
    pub anchor: Facts,
    /// Records that it names, or that name it, or that share a term.
    pub linked: Vec<Facts>,
    /// Records of its cohorts.
    pub peers: Vec<Facts>,
    /// Per crossing: received through that time, Unix milliseconds.
    pub watermarks: BTreeMap<String, i64>,
    /// Tolerances and deadlines.
    pub policy: Policy,
    /// Officers of this record who are revoked by now, and since when, by the hub's clock, Unix
    /// milliseconds.
    pub revoked: BTreeMap<String, i64>,
    /// Keys of officers of this record that are taken back by now, by their fingerprints, and since
    /// when, by the hub's clock, Unix milliseconds.
    pub keys_taken_back: BTreeMap<String, i64>,
    /// What the authors of decisions had taken in: (the deciding entry, an entry of another
    /// record).
    pub knew: BTreeSet<(String, String)>,
    /// Heads that the authors of decisions claim to have taken in, and that are not there.
    pub claims: Vec<ClaimedHead>,
    /// Entries of this record that say a time which their hub's word does not allow.
    pub clock_doubts: Vec<ClockDoubt>,
    /// Of these kinds not all records were taken in: the rules saw the nearest ones.
    pub cut: BTreeMap<String, DossierCut>,
    /// What rules asked of all its records.
    pub asked: AskedOnce,
}

/// The head of a log that the author of a decision named as taken in, and that is not there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClaimedHead {
    /// The deciding entry.
    pub decision: String,
    /// The entry that names the head.
    pub seen: String,
    /// The name of the node that wrote both.
    pub node: String,
    /// The log, by its origin.
    pub claimed: String,
    /// The name of the node whose log it is.
    pub of: String,
    /// The crossing of that log.
    pub crossing: String,
    /// How many entries the head has.
    pub size: u64,
    /// So much of the log is held, and its root is another one; else so much is not held yet.
    pub is_there: bool,
}

/// A time that an entry says, beside the hub times between which its node wrote it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClockDoubt {
    /// The entry.
    pub entry: String,
    /// The name of the node that wrote it.
    pub node: String,
    /// The time, Unix milliseconds.
    pub said_ms: i64,
    /// It is when something happened, and not when the entry was written.
    pub happened: bool,
    /// The newest hub time that the node had named before, Unix milliseconds; none where it had
    /// named none.
    pub after_ms: Option<i64>,
    /// When a hub first had the entry, by its own clock, Unix milliseconds.
    pub before_ms: i64,
}

impl ClockDoubt {
    /// By how much the time lies after the hub had the entry, or, negative, before the hub time
    /// that its node had named, milliseconds. What happened long before it was written down is
    /// nothing: somebody entered a form.
    pub fn outside_ms(&self) -> i64 {
        let ahead_ms = self.said_ms.saturating_sub(self.before_ms);
        let behind_ms = self
            .after_ms
            .filter(|_| !self.happened)
            .map_or(0, |after_ms| after_ms.saturating_sub(self.said_ms));

        if ahead_ms > 0 {
            ahead_ms
        } else {
            behind_ms.max(0).saturating_neg()
        }
    }
}

/// How many records of a kind a dossier took, of how many there were.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DossierCut {
    /// So many were taken.
    pub taken: u64,
    /// Of so many.
    pub of: u64,
}

impl Dossier {
    /// Whether a finding that depends on these crossings up to a time is pending or firm.
    ///
    /// Who names a crossing of which nothing was ever heard, as one that has no node, keeps nothing
    /// waiting for ever: so long as a truck may take to any crossing of the country.
    pub(crate) fn phase(&self, contradiction: &Contradiction) -> Phase {
        let through_ms = contradiction.through_ms;
        let waited_ms = through_ms.saturating_add(unheard_limit_ms(&self.policy));
        let is_over = self.is_received(HUB, waited_ms);
        let is_settled =
            |c: &String| self.is_received(c, through_ms) || is_over && self.is_never_heard(c);

        if contradiction.concerns.iter().all(is_settled) {
            Phase::Firm
        } else {
            Phase::Pending
        }
    }

    /// The crossings concerned of which nothing was ever heard.
    pub(crate) fn unheard<'a>(&self, contradiction: &'a Contradiction) -> Vec<&'a str> {
        let through_ms = contradiction.through_ms;
        let is_unheard = |c: &&String| self.is_never_heard(c) && !self.is_received(c, through_ms);
        let concerns = contradiction.concerns.iter();
        concerns.filter(is_unheard).map(String::as_str).collect()
    }

    fn is_received(&self, crossing: &str, through_ms: i64) -> bool {
        let received_ms = self.watermarks.get(crossing);
        received_ms.is_some_and(|ms| *ms >= through_ms)
    }

    /// Whether a crossing has no node that was ever enrolled or heard. One that is enrolled and
    /// says nothing is waited for: operators are told of it, and may declare it a spare.
    fn is_never_heard(&self, crossing: &str) -> bool {
        !self.watermarks.contains_key(crossing)
    }

    /// Linked records of a kind.
    pub(crate) fn of<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Facts> {
        self.linked.iter().filter(move |r| r.kind() == kind)
    }

    /// Holds that name the record, or that it names, or that name what it names: a lookout for its
    /// goods is none of them.
    pub(crate) fn named_holds(&self) -> impl Iterator<Item = &Facts> {
        let own = self.anchor.links();
        self.of("hold").filter(move |hold| {
            let names_same = hold.links().iter().any(|link| own.contains(link));
            names_same || hold.is_linked_to(&self.anchor)
        })
    }

    /// Linked passages or entries of the same journey: those that name each other or share a
    /// container or a transit reference, and of those that share a vehicle or a seal the ones
    /// within the time that a counterpart has. A truck comes back, and a declarant has one
    /// reference, or one certificate, for many.
    pub(crate) fn journey<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Facts> {
        self.of(kind).filter(move |r| self.is_of_journey(r))
    }

    /// Whether a linked record is of the same journey.
    pub(crate) fn is_of_journey(&self, other: &Facts) -> bool {
        let anchor = &self.anchor;
        // What was recorded in error went nowhere.
        if matches!(other.state(), "VOID" | "CANCELLED") {
            return false;
        }

        other.is_linked_to(anchor)
            || anchor.shares_any(other, "container")
            || anchor.shares(other, "transit.ref")
            || self.is_near(other, anchor)
                && (anchor.shares_vehicle(other) || anchor.shares_any(other, "seal"))
    }

    /// Whether two records began so near to each other that what they share, and what comes back,
    /// is of one journey.
    pub(crate) fn is_near(&self, one: &Facts, other: &Facts) -> bool {
        numbers::apart(one.began_ms(), other.began_ms()) <= self.near_ms()
    }

    /// A time as late as another clock may have it, Unix milliseconds. At one visit of a gate a
    /// clerk, a scale and a camera write by clocks of their own, and none of them is the right one.
    pub(crate) fn within_doubt(&self, ms: i64) -> i64 {
        ms.saturating_add(numbers::seconds_ms(self.policy.clock_doubt_s))
    }

    /// Until when what is written of a passage counts as written before it left, Unix milliseconds:
    /// what was written beside its exit, by whatever clock. Of what is still there that is always.
    pub(crate) fn left_by_ms(&self, passage: &Facts) -> i64 {
        let left = passage.left();
        left.map_or(i64::MAX, |left| self.within_doubt(left.known_ms))
    }

    /// How far apart records of one journey begin, milliseconds.
    pub(crate) fn near_ms(&self) -> i64 {
        numbers::hours_ms(self.policy.counterpart_h).saturating_mul(2)
    }

    /// Where it was cut; nothing for a whole one.
    pub(crate) fn cut_sentence(&self) -> Option<Sentence> {
        let whole = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        let kinds = self.cut.iter();
        let kinds = kinds.map(|(kind, cut)| (kind.as_str(), whole(cut.taken), whole(cut.of)));

        (!self.cut.is_empty()).then(|| sentence::cut(kinds))
    }

    /// Every crossing of the country.
    pub(crate) fn everywhere(&self) -> Vec<&str> {
        self.watermarks.keys().map(String::as_str).collect()
    }

    /// Whether the author of a decision had taken in an entry of another record.
    pub(crate) fn knew(&self, decision: Fact<'_>, of: &str) -> bool {
        self.knew
            .contains(&(decision.entry().to_string(), of.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use crate::{HOUR_MS, Phase, tests::*};
    use serde_json::json;

    const DUE_MS: i64 = 1_000;
    const LIMIT_MS: i64 = 48 * HOUR_MS;

    /// A finding that waits for a crossing, at a hub whose own time has come so far.
    fn waits(crossing: &str, hub_ms: i64, heard_ms: Option<i64>) -> (Phase, Vec<String>) {
        let mut d = dossier(passage("P1", json!({}), &[]), vec![], hub_ms);
        d.watermarks
            .extend(heard_ms.map(|ms| (crossing.to_string(), ms)));
        let found = crate::Contradiction::new("d", 0, said("it"), json!({}))
            .until([crossing, "TRB"], DUE_MS);
        let unheard = d.unheard(&found).into_iter().map(String::from);
        (d.phase(&found), unheard.collect())
    }

    #[test]
    fn nothing_waits_for_ever_for_a_crossing_of_which_nothing_was_ever_heard() {
        let limit_ms = DUE_MS + LIMIT_MS;
        for crossing in ["XYZ", "MAN"] {
            assert_eq!(waits(crossing, limit_ms - 1, None).0, Phase::Pending);
            let named = vec![crossing.to_string()];
            assert_eq!(waits(crossing, limit_ms, None), (Phase::Firm, named));
            // Its node is enrolled and was never started: operators are told of that one.
            let enrolled = waits(crossing, limit_ms, Some(0));
            assert_eq!(enrolled, (Phase::Pending, vec![]));
        }
    }

    /// A truck was sent to a crossing that has no node, and never came: said so, firm, after four
    /// days. Then the commission enrols a node there, and it is switched on a week later.
    #[test]
    fn a_dark_crossing_that_was_heard_before_is_waited_for() {
        let long_after = 999 * LIMIT_MS;
        assert_eq!(waits("MAN", long_after, Some(DUE_MS - 1)).0, Phase::Pending);
        assert_eq!(
            waits("MAN", long_after, Some(DUE_MS)),
            (Phase::Firm, vec![])
        );
    }

    #[test]
    fn what_was_not_heard_is_said() {
        let truck = passage(
            "P1",
            json!({}),
            &[event("diverted", 1_000, json!({"to": "XYZ"}))],
        );
        let text = |hub_ms| {
            let found = crate::reconcile(&dossier(truck.clone(), vec![], hub_ms));
            let of_rule = found.into_iter().find(|f| f.rule.code == "R06");
            of_rule.map(|f| (f.phase, f.text)).expect("it never came")
        };

        let due_ms = 1_000 + 48 * HOUR_MS;
        let (phase, waits) = text(due_ms);
        assert_eq!(phase, Phase::Pending);
        assert!(!waits.contains("XYZ: what"), "{waits}");
        let (phase, told) = text(due_ms + LIMIT_MS);
        assert_eq!(phase, Phase::Firm);
        assert!(told.contains("nothing was ever heard of XYZ"), "{told}");
    }
}
