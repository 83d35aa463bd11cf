//! Equal entries, equal documents: adding one by one and building whole end in the same record, whatever an entry is based
//! on and in whatever order entries and verdicts come.

mod drawn;

use drawn::{Met, add_equals_build};
use rand::{Rng, RngExt, SeedableRng, rngs::StdRng};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Records that one run tells: many more where somebody has the time.
fn seeds() -> std::ops::Range<u64> {
    let seed = std::env::var("WADI_SEED").ok().and_then(|s| s.parse().ok());
    match seed {
        Some(seed) => seed..seed + 1,
        None if std::env::var_os("WADI_LONG").is_some() => 0..1_000_000,
        None => 0..50_000,
    }
}

#[test]
fn whatever_entries_are_based_on_adding_them_equals_building_the_record() {
    let all = seeds();
    let count = all.end - all.start;
    let halves = [all.start..all.start + count / 2, all.start + count / 2..all.end];
    let told: Vec<(Met, Vec<u64>)> = std::thread::scope(|scope| {
        let threads: Vec<_> = halves.into_iter().map(|seeds| scope.spawn(|| tell(seeds))).collect();
        threads.into_iter().map(|t| t.join().expect("each record is told by itself")).collect()
    });

    let differing: Vec<u64> = told.iter().flat_map(|(_, seeds)| seeds.iter().copied()).collect();
    assert!(differing.is_empty(), "{} of {count} records differ; WADI_SEED={}", differing.len(), differing[0]);
    if count > 1 {
        for (met, _) in &told {
            println!("{met:?}");
            let kinds = [met.own_later, met.leaning, met.waiting, met.contested, met.refused_puts, met.without_first];
            assert!(kinds.into_iter().all(|n| n > count as usize / 200), "too tame: {met:?}");
        }
    }
}

/// Tells the records of these seeds and names those that differ.
fn tell(seeds: std::ops::Range<u64>) -> (Met, Vec<u64>) {
    let mut met = Met::default();
    let mut differing = Vec::new();
    for seed in seeds {
        let mut r = StdRng::seed_from_u64(seed);
        let mut bytes = vec![0; r.random_range(40..240)];
        r.fill_bytes(&mut bytes);
        let told = catch_unwind(AssertUnwindSafe(|| add_equals_build(&bytes, &mut met)));
        if told.is_err() {
            differing.push(seed);
        }
    }
    (met, differing)
}
