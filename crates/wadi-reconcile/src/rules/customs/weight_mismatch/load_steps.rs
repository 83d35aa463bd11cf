//! What happened to one load between its weighings, and what that explains.
//!
//! What was moved off a truck, or on it, explains another mass where it is said to have happened
//! before a weighing, and was written by the time at which that was. Who has seen what the scale
//! shows writes whatever he needs, of whatever time.

use crate::{
    Dossier, Fact, Facts,
    consignment::{PUT_ON, TAKEN_OFF},
};
use std::{cmp::Reverse, collections::BTreeMap};
use wadi_log::{NodeId, Reference};

/// Events by which goods are moved off a truck or on it.
pub(super) const MOVED: [&str; 3] = ["unloaded", "transhipped", "reloaded"];

/// When an event is said to have happened, and when and by whom that was written. It is read once
/// of each event, for it is compared with many.
#[derive(Clone, Copy)]
pub(super) struct WhenWritten {
    at_ms: i64,
    entered_ms: i64,
    /// The node that wrote it; none where the entry does not tell.
    node: Option<NodeId>,
}

impl WhenWritten {
    pub(super) fn of(e: &Fact<'_>) -> Self {
        #[cfg(test)]
        crate::tests::work::note_reading();

        let entry = e.entry().parse::<Reference>().ok();
        Self {
            at_ms: e.at_ms(),
            entered_ms: e.entered_ms(),
            node: entry.map(|entry| entry.log.node),
        }
    }
}

/// Until when what was written was written down when a weighing was. One node's clock tells which
/// of the two came first; of two nodes each writes by its own, and forms of an outage are typed in
/// whatever order they lie in.
pub(super) struct WrittenUntil {
    node: Option<NodeId>,
    /// By the node that wrote the weighing.
    own_ms: i64,
    /// By any other node.
    others_ms: i64,
}

impl WrittenUntil {
    pub(super) fn of(dossier: &Dossier, weighed: &WhenWritten) -> Self {
        let stood_on_paper = weighed.entered_ms > dossier.within_doubt(weighed.at_ms);
        let others_ms = dossier.within_doubt(weighed.entered_ms);
        let own_ms = match stood_on_paper {
            true => others_ms,
            false => weighed.entered_ms,
        };

        Self {
            node: weighed.node,
            own_ms,
            others_ms,
        }
    }

    pub(super) fn covers(&self, moved: &WhenWritten) -> bool {
        let until_ms = match moved.node == self.node {
            true => self.own_ms,
            false => self.others_ms,
        };
        moved.entered_ms <= until_ms
    }
}

/// When some movements were written first, and when first by another node than that: whichever
/// node is left out, one of the two is the first of the others.
#[derive(Clone, Copy, Default)]
struct FirstWritten {
    first: Option<(i64, Option<NodeId>)>,
    second: Option<(i64, Option<NodeId>)>,
}

impl FirstWritten {
    fn add(&mut self, written: (i64, Option<NodeId>)) {
        match self.first {
            Some(first) if first.1 == written.1 => self.first = Some(first.min(written)),
            Some(first) if first <= written => {
                let second = self.second.map_or(written, |second| second.min(written));
                self.second = Some(second);
            }
            first => {
                self.first = Some(written);
                self.second = first;
            }
        }
    }

    /// Whether another node than that of a weighing wrote one of them by then.
    fn is_by_another(&self, until: &WrittenUntil) -> bool {
        let mut both = [self.first, self.second].into_iter().flatten();
        let first = both.find(|(_, node)| *node != until.node);
        first.is_some_and(|(ms, _)| ms <= until.others_ms)
    }
}

/// Movements in some order, each with a mark: the last one that was written by some time is found
/// in as many steps as their number has digits.
pub(super) struct MovesTold<T> {
    marks: Vec<T>,
    /// Of each node when it wrote those after which it wrote none as early, and their numbers:
    /// both rise.
    by_node: BTreeMap<Option<NodeId>, Vec<(i64, usize)>>,
    /// A binary tree from its root, which lies at 1, to a leaf for each movement: the two below `n`
    /// lie at `2 * n` and the place after that.
    tree: Vec<FirstWritten>,
}

impl<T: Copy> MovesTold<T> {
    /// None yet, and at most so many.
    fn with_room(most: usize) -> Self {
        let leaves = most.next_power_of_two();
        Self {
            marks: Vec::new(),
            by_node: BTreeMap::new(),
            tree: vec![FirstWritten::default(); leaves.saturating_mul(2)],
        }
    }

    fn push(&mut self, moved: &WhenWritten, mark: T) {
        let number = self.marks.len();
        self.marks.push(mark);

        let own = self.by_node.entry(moved.node).or_default();
        while own.last().is_some_and(|(ms, _)| *ms >= moved.entered_ms) {
            own.pop();
        }
        own.push((moved.entered_ms, number));

        let mut place = (self.tree.len() / 2).saturating_add(number);
        while place > 0 {
            if let Some(part) = self.tree.get_mut(place) {
                part.add((moved.entered_ms, moved.node));
            }
            place /= 2;
        }
    }

    /// The mark of the last one that was written down when a weighing was.
    fn last(&self, until: &WrittenUntil) -> Option<T> {
        let number = self.last_of_own(until).max(self.last_of_others(until))?;
        self.marks.get(number).copied()
    }

    fn last_of_own(&self, until: &WrittenUntil) -> Option<usize> {
        let own = self.by_node.get(&until.node)?;
        let told = own.partition_point(|(ms, _)| *ms <= until.own_ms);
        let (_, number) = own.get(told.checked_sub(1)?)?;
        Some(*number)
    }

    fn last_of_others(&self, until: &WrittenUntil) -> Option<usize> {
        let leaves = self.tree.len() / 2;
        let is_within = |place: usize| {
            let part = self.tree.get(place);
            part.is_some_and(|part| part.is_by_another(until))
        };

        let mut place = 1;
        while place < leaves {
            let earlier = place.saturating_mul(2);
            let later = earlier.saturating_add(1);
            place = if is_within(later) { later } else { earlier };
        }
        is_within(place).then(|| place.saturating_sub(leaves))
    }
}

impl MovesTold<i64> {
    /// The latest first, so that the last one found is the one that happened first.
    pub(super) fn from_latest(mut all: Vec<WhenWritten>) -> Self {
        all.sort_by_key(|moved| Reverse(moved.at_ms));
        let mut out = Self::with_room(all.len());
        for moved in &all {
            out.push(moved, moved.at_ms);
        }

        out
    }

    /// Whether a weighing shows what was there before all of them: it was made before, or written
    /// before anybody told of one.
    pub(super) fn are_after(&self, dossier: &Dossier, weighed: &WhenWritten) -> bool {
        let first_ms = self.last(&WrittenUntil::of(dossier, weighed));
        first_ms.is_none_or(|at_ms| weighed.at_ms <= at_ms)
    }
}

/// The greatest of some values since each of them.
struct GreatestSince<T> {
    count: usize,
    /// Those after which none was as great, with their numbers: these rise, and the values fall.
    kept: Vec<(usize, T)>,
}

impl<T: Copy + Ord> GreatestSince<T> {
    fn new() -> Self {
        Self {
            count: 0,
            kept: Vec::new(),
        }
    }

    fn push(&mut self, value: T) {
        while self.kept.last().is_some_and(|(_, kept)| *kept <= value) {
            self.kept.pop();
        }
        self.kept.push((self.count, value));
        self.count = self.count.saturating_add(1);
    }

    /// The greatest of all but so many at the beginning; none where these are all.
    fn after(&self, left_out: usize) -> Option<T> {
        let place = self.kept.partition_point(|(number, _)| *number < left_out);
        self.kept.get(place).map(|(_, value)| *value)
    }
}

/// What happened to a load between two weighings, and they.
pub(super) enum LoadStep {
    /// It was weighed, kilograms.
    Weighed(WhenWritten, i64),
    /// Goods came off: it may weigh less.
    TakenOff(WhenWritten),
    /// Goods came on it: it may weigh more.
    PutOn(WhenWritten),
}

/// The weighings so far, and what was moved between them: each movement is marked with how many
/// weighings came before it.
struct LoadSoFar {
    taken_off: MovesTold<usize>,
    put_on: MovesTold<usize>,
    most: GreatestSince<i64>,
    least: GreatestSince<Reverse<i64>>,
}

impl LoadSoFar {
    fn with_room(steps: usize) -> Self {
        Self {
            taken_off: MovesTold::with_room(steps),
            put_on: MovesTold::with_room(steps),
            most: GreatestSince::new(),
            least: GreatestSince::new(),
        }
    }

    /// The most that it weighed since goods were last said to have come off.
    fn most_kg(&self, until: &WrittenUntil) -> i64 {
        let left_out = self.taken_off.last(until).unwrap_or(0);
        self.most.after(left_out).unwrap_or(i64::MIN)
    }

    /// The least that it weighed since goods were last said to have come on it.
    fn least_kg(&self, until: &WrittenUntil) -> i64 {
        let left_out = self.put_on.last(until).unwrap_or(0);
        let least = self.least.after(left_out);
        least.map_or(i64::MAX, |Reverse(kg)| kg)
    }
}

/// Whether masses differ by more than is allowed, and nothing that was moved between explains it.
pub(super) fn is_unexplained(dossier: &Dossier, steps: &[LoadStep], allowed: i64) -> bool {
    let mut load = LoadSoFar::with_room(steps.len());
    steps.iter().any(|step| match step {
        LoadStep::TakenOff(moved) => {
            load.taken_off.push(moved, load.most.count);
            false
        }
        LoadStep::PutOn(moved) => {
            load.put_on.push(moved, load.most.count);
            false
        }
        LoadStep::Weighed(weighed, kg) => {
            let until = WrittenUntil::of(dossier, weighed);
            let is_lighter = load.most_kg(&until).saturating_sub(*kg) > allowed;
            let is_heavier = kg.saturating_sub(load.least_kg(&until)) > allowed;

            load.most.push(*kg);
            load.least.push(Reverse(*kg));
            is_lighter || is_heavier
        }
    })
}

/// Weighings and movements of one record, in the order in which they happened.
pub(super) fn steps(
    dossier: &Dossier,
    weighed: &Facts,
    masses: &[(Fact<'_>, i64)],
    is_tare: bool,
) -> Vec<LoadStep> {
    let written = |e: Fact<'_>| WhenWritten::of(&e);
    let all = masses.iter();
    let mut steps: Vec<(i64, LoadStep)> = all
        .map(|(e, kg)| (e.at_ms(), LoadStep::Weighed(written(*e), *kg)))
        .collect();
    let taken_off = weighed.moved(dossier, &TAKEN_OFF).map(written);
    steps.extend(taken_off.map(|e| (e.at_ms, LoadStep::TakenOff(e))));
    let put_on = weighed.moved(dossier, &PUT_ON).map(written);
    steps.extend(put_on.map(|e| (e.at_ms, LoadStep::PutOn(e))));

    // With the goods a trailer or a container may go or come, either way.
    if is_tare {
        let moved = weighed.moved(dossier, &MOVED).map(written);
        let both = moved.flat_map(|e| {
            let at_ms = e.at_ms;
            [(at_ms, LoadStep::TakenOff(e)), (at_ms, LoadStep::PutOn(e))]
        });
        steps.extend(both);
    }

    steps.sort_by_key(|(at_ms, _)| *at_ms);
    steps.into_iter().map(|(_, step)| step).collect()
}

#[cfg(test)]
mod tests {
    use super::{LoadStep, MovesTold, WhenWritten, WrittenUntil, is_unexplained};
    use crate::{Dossier, HOUR_MS, Phase, tests::*};
    use serde_json::{Value as Json, json};
    use wadi_log::NodeId;

    /// An event of an hour, that was written at another one.
    fn at(kind: &str, hour: i64, written: i64, data: Json) -> Json {
        let mut e = event(kind, hour * HOUR_MS, data);
        e["entered_ms"] = (written * HOUR_MS).into();
        e
    }

    fn weighed(hour: i64, written: i64, net_kg: i64) -> Json {
        let mut e = at("weighed", hour, written, json!({"net_kg": net_kg}));
        e["attested"] = true.into();
        e
    }

    fn unloaded(hour: i64, written: i64) -> Json {
        at("unloaded", hour, written, json!({"packages": 1}))
    }

    /// A truck is lighter at the second scale; then somebody says that a package had come off.
    #[test]
    fn what_is_written_once_the_scale_has_shown_less_explains_nothing_of_it() {
        let told = |unloaded: Json, more: &[Json]| {
            let first = [weighed(1, 1, 30_000), unloaded, weighed(6, 6, 20_000)];
            let events = [&first, more].concat();
            let on_truck = passage("P1", json!({"direction": "in"}), &events);
            let on_entry = entry("E1", json!({}), &events);
            [on_truck, on_entry].map(|of| firm("R03", of, vec![]))
        };
        let both = || [vec![Phase::Firm], vec![Phase::Firm]];
        let none = || [vec![], vec![]];

        assert_eq!(told(unloaded(3, 7), &[]), both());
        assert_eq!(told(unloaded(3, 6), &[]), none());
        assert_eq!(told(unloaded(3, 4), &[]), none());
        // It explains a third weighing all the same, and not that the second one showed less.
        let third = [weighed(9, 9, 10_000)];
        assert_eq!(told(unloaded(3, 7), &third), both());
        let second = [unloaded(4, 5), weighed(9, 9, 20_000)];
        assert_eq!(told(unloaded(3, 7), &second), none());
    }

    /// All that was done in an outage is typed when it is over, in whatever order it lies there.
    #[test]
    fn forms_of_an_outage_are_typed_in_whatever_order_they_lie_in() {
        let told = |typed_ms: i64| {
            let mut late = unloaded(3, 20);
            late["entered_ms"] = (20 * HOUR_MS + typed_ms).into();
            let events = [weighed(1, 20, 30_000), late, weighed(6, 20, 20_000)];
            firm("R03", passage("P1", json!({}), &events), vec![]).len()
        };
        assert_eq!(told(300_000), 0);
        assert_eq!(told(HOUR_MS), 1);
    }

    /// More is declared than the one scale shows, and then somebody says what had come off before.
    #[test]
    fn what_is_said_to_have_come_off_once_the_only_weighing_was_written_hides_nothing() {
        let told = |written: i64| {
            let came = at("gate.in", 1, 1, json!({}));
            let out = at("gate.out", 9, 9, json!({}));
            let events = [came, unloaded(2, written), weighed(3, 3, 20_000), out];
            let truck = passage("P1", json!({"direction": "in"}), &events);
            let fields = json!({"goods.1.gross_g": 30_000_000});
            let registered = event("registered", 0, json!({}));
            let goods = entry("E1", fields, &[registered]);
            firm("R03", goods, vec![truck]).len()
        };
        assert_eq!(told(4), 1);
        assert_eq!(told(2), 0, "nobody weighed it before");
    }

    /// Numbers below a bound, the same ones for one seed.
    struct Draw(u64);

    impl Draw {
        fn below(&mut self, bound: u64) -> i64 {
            let next = self.0.wrapping_mul(6_364_136_223_846_793_005);
            self.0 = next.wrapping_add(1_442_695_040_888_963_407);
            ((self.0 >> 33) % bound) as i64
        }

        /// Within some seconds, now and then typed in long after; by one of three nodes, or by
        /// nobody knows whom.
        fn written(&mut self) -> WhenWritten {
            let at_ms = self.below(9) * 1_000;
            let late_ms = [0, 1_000, 2_000, 6_000][self.below(4) as usize];
            let node = self.below(4) as u8;
            WhenWritten {
                at_ms,
                entered_ms: at_ms + late_ms - self.below(2) * 1_000,
                node: (node > 0).then_some(NodeId([node; 16])),
            }
        }

        fn step(&mut self) -> LoadStep {
            let written = self.written();
            match self.below(4) {
                0 => LoadStep::TakenOff(written),
                1 => LoadStep::PutOn(written),
                _ => LoadStep::Weighed(written, self.below(6)),
            }
        }
    }

    /// Whether a weighing is unexplained, where each movement before it is asked by itself.
    fn is_unexplained_one_by_one(dossier: &Dossier, steps: &[LoadStep], allowed: i64) -> bool {
        steps.iter().enumerate().any(|(n, step)| {
            let LoadStep::Weighed(weighed, kg) = step else {
                return false;
            };

            let until = WrittenUntil::of(dossier, weighed);
            let came_off = |s: &LoadStep| matches!(s, LoadStep::TakenOff(e) if until.covers(e));
            let came_on = |s: &LoadStep| matches!(s, LoadStep::PutOn(e) if until.covers(e));
            let off = steps[..n].iter().rposition(came_off).unwrap_or(0);
            let on = steps[..n].iter().rposition(came_on).unwrap_or(0);

            let mass = |s: &LoadStep| match s {
                LoadStep::Weighed(_, kg) => Some(*kg),
                LoadStep::TakenOff(_) | LoadStep::PutOn(_) => None,
            };
            let most = steps[off..n].iter().filter_map(mass).max();
            let least = steps[on..n].iter().filter_map(mass).min();
            most.is_some_and(|most| most - kg > allowed)
                || least.is_some_and(|least| kg - least > allowed)
        })
    }

    #[test]
    fn what_is_searched_for_is_what_asking_each_movement_tells() {
        let mut dossier = dossier(passage("P1", json!({}), &[]), vec![], 0);
        dossier.policy.clock_doubt_s = 2;
        let mut answers = [0; 4];

        for seed in 1..=4_000 {
            let mut draw = Draw(seed);
            let count = draw.below(14);
            let steps: Vec<LoadStep> = (0..count).map(|_| draw.step()).collect();
            let allowed = draw.below(5);
            let found = is_unexplained(&dossier, &steps, allowed);
            let wanted = is_unexplained_one_by_one(&dossier, &steps, allowed);
            assert_eq!(found, wanted, "steps of seed {seed}");

            let moved: Vec<WhenWritten> = (0..count).map(|_| draw.written()).collect();
            let weighed = draw.written();
            let until = WrittenUntil::of(&dossier, &weighed);
            let mut each = moved.iter();
            let is_full = each.all(|e| weighed.at_ms <= e.at_ms || !until.covers(e));
            let told = MovesTold::from_latest(moved).are_after(&dossier, &weighed);
            assert_eq!(told, is_full, "movements of seed {seed}");

            answers[usize::from(found)] += 1;
            answers[2 + usize::from(told)] += 1;
        }
        assert!(answers.iter().all(|times| *times > 200), "{answers:?}");
    }
}
