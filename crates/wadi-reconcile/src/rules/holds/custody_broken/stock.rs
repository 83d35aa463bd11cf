//! What lies in store for a hold, and for which of its placements.
//!
//! A hold may have several placements, each for other goods: the release of one lets its own goods
//! go, and no others. Nobody writes on a parcel for which of them it lies there, so the order in
//! which things were written tells it. What comes in with the entry of a placement, or after it, is
//! of that one; what is only moved stays what it was; and a placement under which nothing came in
//! holds all that lies there.

use crate::{
    Dossier, Fact, Facts,
    held_spans::HeldSpan,
    numbers::{hours_ms, total},
};
use std::collections::{BTreeMap, BTreeSet};
use wadi_record::normalise_label;

/// What a store counts in.
const UNITS: [&str; 3] = ["quantity", "packages", "mass_g"];
/// A sample is at most so small a part of what came in, and all samples together are.
const SAMPLE_PART: i64 = 100;
const SAMPLES_PART: i64 = 10;

/// Placements of a hold, by their places among its spans.
type SpanSet = BTreeSet<usize>;

/// How much of what came in was counted already, by the event and the unit.
type UsedAmounts<'a> = BTreeMap<&'a str, [i64; UNITS.len()]>;

/// Goods that came into store for the same placements.
struct StoredParcel<'a> {
    /// Those; none where they were stored before anything was placed.
    under: SpanSet,
    came: Vec<Fact<'a>>,
}

/// Slots whose goods are told apart from those of all other slots.
struct SlotGroup<'a> {
    slots: BTreeSet<String>,
    parcels: Vec<StoredParcel<'a>>,
}

/// How goods are held.
enum ParcelBond {
    /// By nothing any more.
    Free,
    /// One of their placements was let go, and another one holds what is left.
    InPart,
    /// By all.
    Whole,
}

/// What came into store, and went out of it, for one hold.
pub(super) struct HoldStock<'a> {
    hold: &'a Facts,
    spans: Vec<HeldSpan<'a>>,
    groups: Vec<SlotGroup<'a>>,
    /// The group of each slot, by its place.
    by_slot: BTreeMap<String, usize>,
    /// What went out, each with the group of its slot; none where nothing is known to have come
    /// into that one.
    went: Vec<(Option<usize>, Fact<'a>)>,
    /// Placements under which nothing came in.
    of_all: SpanSet,
    /// How many samples each entry tells of.
    samples: BTreeMap<&'a str, usize>,
    /// How long after another act what belongs to it may be written, milliseconds.
    wait_ms: i64,
}

/// For which placements goods came in last, while the movements are sorted.
#[derive(Default)]
struct LastGoods {
    last: SpanSet,
    /// For which of them goods lay there that were taken out since, and may come into another
    /// slot; and until when they do, Unix milliseconds.
    moved: SpanSet,
    moved_until_ms: i64,
    /// Placements under which something came in.
    with_goods: SpanSet,
}

fn slot_of(e: &Fact<'_>) -> String {
    e.text("slot").map(normalise_label).unwrap_or_default()
}

/// How much of a unit some movements told.
fn amount_of<'e, 'f: 'e>(moved: impl Iterator<Item = &'e Fact<'f>>, unit: &str) -> i64 {
    total(moved.filter_map(|e| e.int(unit)))
}

/// Whether goods are taken from under a placement: while it is open, or by a word that is written
/// while it is.
fn is_held_by(span: &HeldSpan<'_>, e: &Fact<'_>) -> bool {
    is_held_at_its_time(span, e) || span.held_when_written(e)
}

fn is_held_at_its_time(span: &HeldSpan<'_>, e: &Fact<'_>) -> bool {
    span.held_at(e.at_ms()) && span.placed_by_word(e).is_none()
}

impl<'a> HoldStock<'a> {
    /// What the anchor, a hold, has in store.
    pub(super) fn of(dossier: &'a Dossier) -> Self {
        let hold = &dossier.anchor;
        let mut samples = BTreeMap::new();
        for sample in hold.events("sample.taken") {
            let of_entry: &mut usize = samples.entry(sample.entry()).or_default();
            *of_entry = of_entry.saturating_add(1);
        }

        let mut stock = Self {
            hold,
            spans: hold.spans(),
            groups: Vec::new(),
            by_slot: BTreeMap::new(),
            went: Vec::new(),
            of_all: SpanSet::new(),
            samples,
            wait_ms: hours_ms(dossier.policy.counterpart_h),
        };
        stock.sort_goods();

        let went = hold.events("store.out");
        stock.went = went.map(|e| (stock.group_of(&e), e)).collect();
        stock
    }

    /// Sorts what came in by the placements for which it did.
    fn sort_goods(&mut self) {
        let mut moves: Vec<Fact<'a>> = self.hold.any(&["store.in", "store.out"]).collect();
        moves.sort_by_key(|e| (e.known_from_ms(), e.id()));

        let mut parcels: BTreeMap<SpanSet, (BTreeSet<String>, Vec<Fact<'a>>)> = BTreeMap::new();
        let mut slots: BTreeMap<String, SpanSet> = BTreeMap::new();
        let mut goods = LastGoods::default();
        for e in moves {
            let slot = slot_of(&e);
            if e.kind() == "store.out" {
                let is_sample = self.samples.contains_key(e.entry());
                let under = slots.get(&slot).filter(|_| !is_sample);
                let held = under.into_iter().flatten().filter(|n| self.holds(**n, &e));
                goods.moved.extend(held);
                goods.moved_until_ms = e.known_from_ms().saturating_add(self.wait_ms);
                continue;
            }

            let under = self.came_under(&e, &mut goods);
            goods.with_goods.extend(&under);
            goods.last.clone_from(&under);
            slots.entry(slot.clone()).or_default().extend(&under);

            let (in_slots, came) = parcels.entry(under).or_default();
            in_slots.insert(slot);
            came.push(e);
        }

        let all = 0..self.spans.len();
        self.of_all = all.filter(|n| !goods.with_goods.contains(n)).collect();
        for (under, (slots, came)) in parcels {
            let parcels = vec![StoredParcel { under, came }];
            self.put_together(SlotGroup { slots, parcels });
        }

        for (n, group) in self.groups.iter().enumerate() {
            let slots = group.slots.iter().cloned();
            self.by_slot.extend(slots.map(|slot| (slot, n)));
        }
    }

    /// The placements for which goods come in.
    fn came_under(&self, e: &Fact<'_>, goods: &mut LastGoods) -> SpanSet {
        let moved = std::mem::take(&mut goods.moved);
        let spans = || self.spans.iter().enumerate();
        let with_it = spans().filter(|(_, s)| !s.entry.is_empty() && s.entry == e.entry());
        let with_it: SpanSet = with_it.map(|(n, _)| n).collect();
        if !with_it.is_empty() {
            return with_it;
        }
        let known_ms = e.known_from_ms();
        if !moved.is_empty() && known_ms <= goods.moved_until_ms {
            return moved;
        }

        let by_then = spans().filter(|(_, s)| s.placed_ms.max(s.entered_ms) <= known_ms);
        let by_then = by_then.map(|(n, _)| n);
        let new: SpanSet = by_then.filter(|n| !goods.with_goods.contains(n)).collect();
        match new.is_empty() {
            true => goods.last.clone(),
            false => new,
        }
    }

    /// Slots that two parcels lie in are of one group.
    fn put_together(&mut self, mut one: SlotGroup<'a>) {
        let (of_it, others): (Vec<_>, Vec<_>) = std::mem::take(&mut self.groups)
            .into_iter()
            .partition(|group| !group.slots.is_disjoint(&one.slots));

        for group in of_it {
            one.slots.extend(group.slots);
            one.parcels.extend(group.parcels);
        }
        self.groups = others;
        self.groups.push(one);
    }

    fn holds(&self, place: usize, e: &Fact<'_>) -> bool {
        let span = self.spans.get(place);
        span.is_some_and(|span| is_held_by(span, e))
    }

    /// The goods among which those lie that were taken out; none where nothing is known to have
    /// come into that slot.
    fn group_of(&self, out: &Fact<'_>) -> Option<usize> {
        self.by_slot.get(&slot_of(out)).copied()
    }

    /// The parcels of a group, or all.
    fn parcels(&self, group: Option<usize>) -> impl Iterator<Item = &StoredParcel<'a>> {
        let all = self.groups.iter().enumerate();
        let of_it = all.filter(move |(n, _)| group.is_none_or(|group| group == *n));
        of_it.flat_map(|(_, group)| &group.parcels)
    }

    /// What had gone out of a group when goods were taken out, themselves included, by when it was
    /// written: nobody takes more than there is by what another one writes later.
    fn went_by(&self, group: Option<usize>, out: &Fact<'a>) -> Vec<&Fact<'a>> {
        let by = (out.known_from_ms(), out.id());
        let all = self.went.iter();
        let of_it = all.filter(|(of, _)| group.is_none() || *of == group);
        of_it
            .map(|(_, e)| e)
            .filter(|e| (e.known_from_ms(), e.id()) <= by)
            .collect()
    }

    /// Whether goods were in when others were taken out. Its paper may be written a little later.
    fn was_in_by(&self, e: &Fact<'_>, out: &Fact<'_>) -> bool {
        let is_before = (e.at_ms(), e.id()) <= (out.at_ms(), out.id());
        let until_ms = out.known_from_ms().saturating_add(self.wait_ms);
        is_before && e.entered_ms() <= until_ms
    }

    /// When goods were taken from under a placement: while it was open, or when that was written.
    pub(super) fn held_since(&self, e: &Fact<'_>) -> Option<i64> {
        if self.spans.iter().any(|span| is_held_at_its_time(span, e)) {
            return Some(e.at_ms());
        }

        let is_written = self.spans.iter().any(|span| span.held_when_written(e));
        is_written.then(|| e.entered_ms())
    }

    /// How goods that came in for some placements were held when others were taken out.
    fn bond(&self, under: &SpanSet, out: &Fact<'_>) -> ParcelBond {
        let mut holding = under.union(&self.of_all);
        if !holding.any(|n| self.holds(*n, out)) {
            return ParcelBond::Free;
        }

        let own = match under.is_empty() {
            true => &self.of_all,
            false => under,
        };
        let was_let_go = |n: &usize| {
            let span = self.spans.get(*n);
            span.is_some_and(|span| !span.ended_before(out).is_empty())
        };
        match own.iter().any(was_let_go) {
            true => ParcelBond::InPart,
            false => ParcelBond::Whole,
        }
    }

    /// Whether goods that were taken out are those of placements that were let go by then: no more
    /// than came in for them. Of goods of several, of which one was let go, something stays for the
    /// others.
    pub(super) fn lets_go(&self, out: &Fact<'a>) -> bool {
        let group = self.group_of(out);
        let mut free: Vec<&Fact<'a>> = Vec::new();
        let mut in_part: Vec<&Fact<'a>> = Vec::new();
        for parcel in self.parcels(group) {
            let came = parcel.came.iter().filter(|e| self.was_in_by(e, out));
            match self.bond(&parcel.under, out) {
                ParcelBond::Free => free.extend(came),
                ParcelBond::InPart => in_part.extend(came),
                // Nobody knows that it was not this that was taken.
                ParcelBond::Whole if group.is_none() => return false,
                ParcelBond::Whole => {}
            }
        }

        let went = self.went_by(group, out);
        let is_let_go = |unit: &str| {
            let amount = |all: &[&Fact<'a>]| amount_of(all.iter().copied(), unit);
            let (went, free, in_part) = (amount(&went), amount(&free), amount(&in_part));
            went <= free || in_part > 0 && went < free.saturating_add(in_part)
        };
        let told = UNITS.into_iter();
        let told = told.filter(|unit| out.int(unit).is_some_and(|n| n > 0));
        let told: Vec<&str> = told.collect();
        !told.is_empty() && told.into_iter().all(is_let_go)
    }

    /// Whether goods that were taken out are a sample that the same entry tells of: one package, or
    /// a small part of what lay there. A sample is taken of a slot once.
    pub(super) fn is_sample(&self, out: &Fact<'a>) -> bool {
        let samples = |e: &Fact<'_>| self.samples.get(e.entry()).copied().unwrap_or(0);
        if UNITS.iter().all(|unit| out.int(unit).is_none()) {
            return false;
        }

        let slot = slot_of(out);
        let all = self.went.iter().map(|(_, e)| e);
        let beside = all.filter(|e| e.entry() == out.entry() && e.id() < out.id());
        let before = beside.filter(|e| slot_of(e) == slot);
        if before.count() >= samples(out) {
            return false;
        }

        let group = self.group_of(out);
        let parcels = self.parcels(group).flat_map(|parcel| &parcel.came);
        let came: Vec<&Fact<'a>> = parcels.filter(|e| self.was_in_by(e, out)).collect();
        let mut taken = self.went_by(group, out);
        taken.retain(|e| samples(e) > 0);

        let is_small = |unit: &str| {
            let came = amount_of(came.iter().copied(), unit);
            let least = i64::from(unit != "mass_g");
            let own = out.int(unit).unwrap_or(0);
            own <= (came / SAMPLE_PART).max(least)
                && amount_of(taken.iter().copied(), unit) <= (came / SAMPLES_PART).max(least)
        };
        UNITS.into_iter().all(is_small)
    }

    /// What was taken out from under the hold and did not come back into a slot. What came back
    /// once is not counted for two.
    pub(super) fn not_brought_back(&self, taken: &[Fact<'a>]) -> Vec<Fact<'a>> {
        let mut in_order = taken.to_vec();
        in_order.sort_by_key(|e| (e.at_ms(), e.id()));

        let mut used = UsedAmounts::new();
        in_order.retain(|e| !self.comes_back(e, &mut used));
        in_order
    }

    /// Whether as much as was taken out came back since, beside what was counted for others.
    fn comes_back(&self, out: &Fact<'a>, used: &mut UsedAmounts<'a>) -> bool {
        let Some(since_ms) = self.held_since(out) else {
            return false;
        };

        let until_ms = out.known_from_ms().saturating_add(self.wait_ms);
        let came = self
            .parcels(self.group_of(out))
            .flat_map(|parcel| &parcel.came);
        let back = came.filter(|e| e.at_ms() >= since_ms && e.known_from_ms() <= until_ms);
        let back: Vec<&Fact<'a>> = back.collect();

        let mut taken = used.clone();
        for (n, unit) in UNITS.into_iter().enumerate() {
            let mut wanted = out.int(unit).unwrap_or(0);
            for e in &back {
                let Some(used) = taken.entry(e.id()).or_default().get_mut(n) else {
                    continue;
                };
                let left = e.int(unit).unwrap_or(0).saturating_sub(*used);
                let part = left.min(wanted).max(0);
                *used = used.saturating_add(part);
                wanted = wanted.saturating_sub(part);
            }
            if wanted > 0 {
                return false;
            }
        }

        *used = taken;
        !back.is_empty()
    }

    /// Since when goods lie in store that nothing holds any more, Unix milliseconds, as claimed:
    /// those of which nothing but samples was ever taken out.
    pub(super) fn left_since(&self) -> Option<i64> {
        let went = self.went.iter().filter(|(_, e)| !self.is_sample(e));
        let went: BTreeSet<Option<usize>> = went.map(|(group, _)| *group).collect();
        // Nobody knows what was taken out of a slot into which nothing came.
        if went.contains(&None) {
            return None;
        }

        let groups = self.groups.iter().enumerate();
        let left = groups.filter(|(n, _)| !went.contains(&Some(*n)));
        let parcels = left.flat_map(|(_, group)| &group.parcels);
        parcels.filter_map(|parcel| self.let_go_ms(parcel)).min()
    }

    /// When the last of its placements was let go, where all were.
    fn let_go_ms(&self, parcel: &StoredParcel<'_>) -> Option<i64> {
        if self.spans.is_empty() {
            let releases = self.hold.any(&["released", "conditional"]);
            return releases.map(|e| e.at_ms()).max();
        }

        let holding = parcel.under.union(&self.of_all);
        let holding: Vec<&HeldSpan<'a>> = holding.filter_map(|n| self.spans.get(*n)).collect();
        match holding.iter().any(|span| span.is_open) {
            true => None,
            false => holding.iter().filter_map(|span| span.let_go_ms()).max(),
        }
    }
}
