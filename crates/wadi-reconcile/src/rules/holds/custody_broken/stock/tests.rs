//! What is summed up once and looked up is what a walk through all movements tells.

use super::*;
use crate::{HOUR_MS, tests::*};
use serde_json::{Value as Json, json};

/// Numbers that look drawn by chance, and are the same in each run.
struct StoreDraws(u64);

impl StoreDraws {
    fn below(&mut self, end: i64) -> i64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = self.0.wrapping_add(1_442_695_040_888_963_407);
        i64::try_from(self.0 >> 33).unwrap() % end
    }

    fn one_of<'s>(&mut self, all: &[&'s str]) -> &'s str {
        let end = i64::try_from(all.len()).unwrap();
        all[usize::try_from(self.below(end)).unwrap()]
    }

    /// A movement of one of few slots, at a time of few, written then or later.
    fn movement(&mut self, n: usize) -> Json {
        let kinds = [
            "store.in",
            "store.in",
            "store.out",
            "store.out",
            "sample.taken",
            "hold.placed",
            "released",
        ];
        let kind = self.one_of(&kinds);
        let mut data = json!({"slot": self.one_of(&["A", "B", "C", "Z"])});
        for unit in UNITS {
            if self.below(3) > 0 {
                data[unit] = self.below(40).into();
            }
        }
        if kind == "store.out" && self.below(2) > 0 {
            data["slot"] = "elsewhere".into();
        }
        if kind == "released" {
            data["holds"] = json!([format!("id {}", self.below(12))]);
        }

        let at_ms = self.below(30) * 4 * HOUR_MS;
        let mut said = event(kind, at_ms, data);
        said["entered_ms"] = (at_ms + (self.below(24) - 4) * 3 * HOUR_MS).into();
        said["id"] = format!("id {n}").into();
        said["entry"] = format!("entry {}", self.below(20)).into();
        said
    }

    fn hold(&mut self) -> Dossier {
        let mut events = vec![event("hold.placed", 1, json!({}))];
        events.extend((0..60).map(|n| self.movement(n)));
        dossier(hold("H1", json!({}), &events), vec![], i64::MAX)
    }
}

fn plain_sum<'a>(moved: impl Iterator<Item = Fact<'a>>) -> UnitSums {
    let mut sum = UnitSums::default();
    for e in moved {
        sum.include(UnitSums::of(amounts_of(&e)));
    }
    sum
}

/// What came in with a parcel, found by walking through everything.
fn came_of<'a>(stock: &HoldStock<'a>, parcel: &StoredParcel<'a>) -> Vec<Fact<'a>> {
    let came = stock.hold.events("store.in");
    let place = |e: &Fact<'a>| stock.places.get(e.id()).copied();
    came.filter(|e| parcel.came.iter().any(|c| Some(c.place) == place(e)))
        .collect()
}

/// The same as `comes_back`, on a copy of all that was used.
fn plain_comes_back<'a>(
    stock: &HoldStock<'a>,
    out: &Fact<'a>,
    used: &mut BTreeMap<&'a str, UnitAmounts>,
) -> bool {
    let Some(since_ms) = stock.held_since(out) else {
        return false;
    };
    let until_ms = out.known_from_ms() + stock.wait_ms;
    let mut back: Vec<Fact<'a>> = Vec::new();
    for parcel in stock.parcels(stock.group_of(out)) {
        let mut came = came_of(stock, parcel);
        came.sort_by_key(|e| (e.known_from_ms(), e.id()));
        came.retain(|e| e.at_ms() >= since_ms && e.known_from_ms() <= until_ms);
        back.extend(came);
    }

    let mut taken = used.clone();
    for (n, unit) in UNITS.into_iter().enumerate() {
        let mut wanted = out.int(unit).unwrap_or(0);
        for e in &back {
            let used = &mut taken.entry(e.id()).or_default()[n];
            let part = (e.int(unit).unwrap_or(0) - *used).min(wanted).max(0);
            *used += part;
            wanted -= part;
        }
        if wanted > 0 {
            return false;
        }
    }

    *used = taken;
    !back.is_empty()
}

#[test]
fn what_is_looked_up_is_what_a_walk_through_all_tells() {
    let (mut with_goods, mut back_again, mut not_back) = (0, 0, 0);
    for seed in 0..100 {
        let drawn = StoreDraws(seed).hold();
        let stock = HoldStock::of(&drawn);
        let outs: Vec<Fact<'_>> = drawn.anchor.events("store.out").collect();
        for out in &outs {
            let group = stock.group_of(out);
            let by = (out.known_from_ms(), out.id());
            let went = stock.went.iter();
            let went = went.filter(|(of, _)| group.is_none() || *of == group);
            let went = went.map(|(_, e)| *e);
            let went = went.filter(|e| (e.known_from_ms(), e.id()) <= by);
            let went: Vec<Fact<'_>> = went.collect();
            let found = HoldStock::went_by(&stock.went_sums, group, out);
            assert_eq!(found, plain_sum(went.iter().copied()), "seed {seed}");

            let with_sample = |e: &Fact<'_>| stock.samples.contains_key(e.entry());
            let sampled = plain_sum(went.into_iter().filter(with_sample));
            let found = HoldStock::went_by(&stock.sampled_sums, group, out);
            assert_eq!(found, sampled, "seed {seed}");

            let until_ms = out.known_from_ms() + stock.wait_ms;
            for parcel in stock.parcels(group) {
                let came = came_of(&stock, parcel).into_iter();
                let by_then = came.filter(|e| (e.at_ms(), e.id()) <= (out.at_ms(), out.id()));
                let sum = plain_sum(by_then.filter(|e| e.entered_ms() <= until_ms));
                assert_eq!(stock.came_by(parcel, out), sum, "seed {seed}");
                with_goods += usize::from(sum != UnitSums::default());
            }
        }

        let mut used = BTreeMap::new();
        let mut plain = outs.clone();
        plain.sort_by_key(|e| (e.at_ms(), e.id()));
        plain.retain(|e| !plain_comes_back(&stock, e, &mut used));
        let ids = |all: &[Fact<'_>]| all.iter().map(|e| e.id().to_string()).collect::<Vec<_>>();
        assert_eq!(
            ids(&stock.not_brought_back(&outs)),
            ids(&plain),
            "seed {seed}"
        );
        not_back += plain.len();
        back_again += outs.len() - plain.len();
    }

    let all = [with_goods, back_again, not_back];
    assert!(all.iter().all(|count| *count > 100), "{all:?}");
}

#[test]
fn a_hold_is_walked_through_as_often_however_much_was_taken_out_of_it() {
    let readings = |count: i64| {
        let mut events = vec![event("hold.placed", 1, json!({}))];
        for n in 1..=count {
            let moved = json!({"slot": "A", "packages": 1});
            events.push(event("store.in", 2 * n, moved.clone()));
            events.push(event("store.out", 2 * n + 1, moved));
        }
        let held = dossier(hold("H1", json!({}), &events), vec![], i64::MAX);
        let (readings, found) = work::work("R18", &held);
        assert!(found > 0);
        readings
    };

    assert_eq!(readings(20), readings(200));
}
