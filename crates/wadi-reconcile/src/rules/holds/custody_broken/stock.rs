//! What lies in store for a hold, and for which of its placements.
//!
//! A hold may have several placements, each for other goods: the release of one lets its own goods
//! go, and no others. Nobody writes on a parcel for which of them it lies there, so the order in
//! which things were written tells it. What comes in with the entry of a placement, or after it, is
//! of that one; what is only moved stays what it was; and a placement under which nothing came in
//! holds all that lies there.

use super::amounts::{SumsUpTo, SumsWrittenBy, UNITS, UnitAmounts, UnitSums, amounts_of};
use crate::{Dossier, Fact, Facts, held_spans::HeldSpan, numbers::hours_ms};
use std::collections::{BTreeMap, BTreeSet};
use wadi_record::normalise_label;

/// A sample is at most so small a part of what came in, and all samples together are.
const SAMPLE_PART: i64 = 100;
const SAMPLES_PART: i64 = 10;

/// Placements of a hold, by their places among its spans.
type SpanSet = BTreeSet<usize>;

/// Sums of what went out of each group, by when that was known, and the event's id; without a
/// group, of all.
type WentSums<'a> = BTreeMap<Option<usize>, SumsUpTo<(i64, &'a str)>>;

/// What one event tells of goods that came in.
struct CameIn {
    /// Its place among all that came in.
    place: usize,
    at_ms: i64,
    known_ms: i64,
    amounts: UnitAmounts,
}

/// Goods that came into store for the same placements.
struct StoredParcel<'a> {
    /// Those; none where they were stored before anything was placed.
    under: SpanSet,
    came: Vec<CameIn>,
    came_sums: SumsWrittenBy<'a>,
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
    went_sums: WentSums<'a>,
    /// The same of what went out with the word that a sample is taken.
    sampled_sums: WentSums<'a>,
    /// The ids of those events in their order, by entry and slot.
    sampled: BTreeMap<(&'a str, String), Vec<&'a str>>,
    /// The place of each event that tells of goods that came in, by its id.
    places: BTreeMap<&'a str, usize>,
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

/// The sums of what went out.
fn sums_of<'a>(went: &[(Option<usize>, Fact<'a>)]) -> WentSums<'a> {
    let mut all: BTreeMap<Option<usize>, Vec<_>> = BTreeMap::new();
    for (group, e) in went {
        let told = ((e.known_from_ms(), e.id()), UnitSums::of(amounts_of(e)));
        all.entry(None).or_default().push(told);
        if group.is_some() {
            all.entry(*group).or_default().push(told);
        }
    }

    let sums = all.into_iter();
    sums.map(|(group, told)| (group, SumsUpTo::of(told)))
        .collect()
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
            went_sums: WentSums::new(),
            sampled_sums: WentSums::new(),
            sampled: BTreeMap::new(),
            places: BTreeMap::new(),
            of_all: SpanSet::new(),
            samples,
            wait_ms: hours_ms(dossier.policy.counterpart_h),
        };
        stock.sort_goods();

        let went = hold.events("store.out");
        stock.went = went.map(|e| (stock.group_of(&e), e)).collect();
        stock.sum_up();
        stock
    }

    /// Sums up what went out, once for all who ask.
    fn sum_up(&mut self) {
        let sampled = self.went.iter().copied();
        let sampled = sampled.filter(|(_, e)| self.samples.contains_key(e.entry()));
        let sampled: Vec<(Option<usize>, Fact<'a>)> = sampled.collect();
        for (_, e) in &sampled {
            let in_slot = self.sampled.entry((e.entry(), slot_of(e))).or_default();
            in_slot.push(e.id());
        }
        for ids in self.sampled.values_mut() {
            ids.sort_unstable();
        }

        self.went_sums = sums_of(&self.went);
        self.sampled_sums = sums_of(&sampled);
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
            let parcels = vec![self.parcel_of(under, &came)];
            self.put_together(SlotGroup { slots, parcels });
        }

        for (n, group) in self.groups.iter().enumerate() {
            let slots = group.slots.iter().cloned();
            self.by_slot.extend(slots.map(|slot| (slot, n)));
        }
    }

    /// Goods that came in for the same placements.
    fn parcel_of(&mut self, under: SpanSet, came: &[Fact<'a>]) -> StoredParcel<'a> {
        let came_in = came.iter().map(|e| {
            let next = self.places.len();
            CameIn {
                place: *self.places.entry(e.id()).or_insert(next),
                at_ms: e.at_ms(),
                known_ms: e.known_from_ms(),
                amounts: amounts_of(e),
            }
        });

        StoredParcel {
            under,
            came: came_in.collect(),
            came_sums: SumsWrittenBy::of(came),
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
    fn went_by(sums: &WentSums<'a>, group: Option<usize>, out: &Fact<'a>) -> UnitSums {
        let by = (out.known_from_ms(), out.id());
        let of_it = sums.get(&group);
        of_it.map(|sums| sums.up_to(by)).unwrap_or_default()
    }

    /// What of a parcel was in when goods were taken out. Its paper may be written a little later.
    fn came_by(&self, parcel: &StoredParcel<'a>, out: &Fact<'_>) -> UnitSums {
        let until_ms = out.known_from_ms().saturating_add(self.wait_ms);
        let said = (out.at_ms(), out.id());
        parcel.came_sums.up_to(said, until_ms)
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
        let mut free = UnitSums::default();
        let mut in_part = UnitSums::default();
        for parcel in self.parcels(group) {
            match self.bond(&parcel.under, out) {
                ParcelBond::Free => free.include(self.came_by(parcel, out)),
                ParcelBond::InPart => in_part.include(self.came_by(parcel, out)),
                // Nobody knows that it was not this that was taken.
                ParcelBond::Whole if group.is_none() => return false,
                ParcelBond::Whole => {}
            }
        }

        let went = Self::went_by(&self.went_sums, group, out);
        let is_let_go = |n: usize| {
            let (went, free, in_part) = (went.of_unit(n), free.of_unit(n), in_part.of_unit(n));
            went <= free || in_part > 0 && went < free.saturating_add(in_part)
        };
        let told = UNITS.into_iter().enumerate();
        let told = told.filter(|(_, unit)| out.int(unit).is_some_and(|n| n > 0));
        let told: Vec<usize> = told.map(|(n, _)| n).collect();
        !told.is_empty() && told.into_iter().all(is_let_go)
    }

    /// Whether goods that were taken out are a sample that the same entry tells of: one package, or
    /// a small part of what lay there. A sample is taken of a slot once.
    pub(super) fn is_sample(&self, out: &Fact<'a>) -> bool {
        if UNITS.iter().all(|unit| out.int(unit).is_none()) {
            return false;
        }

        let samples = self.samples.get(out.entry()).copied().unwrap_or(0);
        let beside = self.sampled.get(&(out.entry(), slot_of(out)));
        let before = beside.map_or(0, |ids| ids.partition_point(|id| *id < out.id()));
        if before >= samples {
            return false;
        }

        let group = self.group_of(out);
        let mut came = UnitSums::default();
        for parcel in self.parcels(group) {
            came.include(self.came_by(parcel, out));
        }
        let taken = Self::went_by(&self.sampled_sums, group, out);

        let is_small = |(n, unit): (usize, &str)| {
            let came = came.of_unit(n);
            let least = i64::from(unit != "mass_g");
            let own = out.int(unit).unwrap_or(0);
            own <= (came / SAMPLE_PART).max(least)
                && taken.of_unit(n) <= (came / SAMPLES_PART).max(least)
        };
        UNITS.into_iter().enumerate().all(is_small)
    }

    /// What was taken out from under the hold and did not come back into a slot. What came back
    /// once is not counted for two.
    pub(super) fn not_brought_back(&self, taken: &[Fact<'a>]) -> Vec<Fact<'a>> {
        let mut in_order = taken.to_vec();
        in_order.sort_by_key(|e| (e.at_ms(), e.id()));

        let mut used = vec![UnitAmounts::default(); self.places.len()];
        in_order.retain(|e| !self.comes_back(e, &mut used));
        in_order
    }

    /// Whether as much as was taken out came back since, beside what was counted for others.
    fn comes_back(&self, out: &Fact<'a>, used: &mut [UnitAmounts]) -> bool {
        let Some(since_ms) = self.held_since(out) else {
            return false;
        };

        let until_ms = out.known_from_ms().saturating_add(self.wait_ms);
        let came = self
            .parcels(self.group_of(out))
            .flat_map(|parcel| &parcel.came);
        let back = came.filter(|e| e.at_ms >= since_ms && e.known_ms <= until_ms);
        let back: Vec<&CameIn> = back.collect();

        let mut counted: Vec<(usize, usize, i64)> = Vec::new();
        let mut is_back = !back.is_empty();
        for (n, mut wanted) in amounts_of(out).into_iter().enumerate() {
            for e in &back {
                if wanted <= 0 {
                    break;
                }
                let of_it = used.get_mut(e.place).and_then(|units| units.get_mut(n));
                let (Some(used), Some(came)) = (of_it, e.amounts.get(n)) else {
                    continue;
                };
                let part = came.saturating_sub(*used).min(wanted);
                if part > 0 {
                    *used = used.saturating_add(part);
                    wanted = wanted.saturating_sub(part);
                    counted.push((e.place, n, part));
                }
            }
            if wanted > 0 {
                is_back = false;
                break;
            }
        }

        // What did not come back as a whole uses up nothing.
        if !is_back {
            for (place, n, part) in counted {
                if let Some(used) = used.get_mut(place).and_then(|units| units.get_mut(n)) {
                    *used = used.saturating_sub(part);
                }
            }
        }
        is_back
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

#[cfg(test)]
mod tests;
