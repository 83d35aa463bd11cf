//! Equal entries, equal documents: adding one by one and building whole end in the same record,
//! whatever an entry is based on and in whatever order entries and verdicts come.

mod desk;
mod drawn;

use desk::{build, desk, view};
use drawn::{Met, add_equals_build};
use rand::{Rng, RngExt, SeedableRng, rngs::StdRng};
use std::panic::{AssertUnwindSafe, catch_unwind};
use wadi_log::{Lane, RecordId, Role};
use wadi_record::{Passage, Verdict};

/// Five entries, of which one names a later position of its own log, made two honest nodes hold
/// different documents for ever: where the record was built whole, the entries after it came before
/// those that its log had said first.
#[test]
fn an_entry_that_names_a_later_one_of_its_own_log_keeps_its_place() {
    let mut trb = desk(1, "TRB", Role::Crossing, Lane::Passage, "TRB");
    let mut hub = desk(9, "HUB", Role::Hub, Lane::Passage, "TRB");
    let note = |text: &str| Passage::on().text("note", text);
    let first = trb.say("of-port", None, &[], Passage::announce("in"));
    let id = RecordId::of_first(&first.reference);

    // A log that is ordered after the others holds its first entry up, where the record is built
    // whole.
    let of_hub = hub.say("of-hub", Some(id), &[first.reference], note("hub"));

    let mut other = desk(2, "TRB", Role::Crossing, Lane::Passage, "TRB");
    let one = other.say("of-port", Some(id), &[of_hub.reference], note("one"));
    let mut two = other.say("of-port", Some(id), &[first.reference], note("two"));
    let three = other.say("of-port", Some(id), &[first.reference], note("three"));

    two.change.based_on = vec![three.reference];

    let rows = [&first, &of_hub, &one, &two, &three];
    let whole = build(&rows);
    let mut grown = build(&rows[..1]);
    for said in &rows[1..] {
        grown.add((*said).clone());
        grown.heads();
    }

    assert_eq!(view(&grown), view(&whole));

    let stands: Vec<bool> = rows
        .iter()
        .map(|s| *whole.row(&s.reference).unwrap().1 == Verdict::Counts)
        .collect();
    assert_eq!(stands, [true, true, true, false, true]);
}

/// Records that one run tells: many more where somebody has the time.
fn seeds() -> std::ops::Range<u64> {
    let seed = std::env::var("WADI_SEED").ok().and_then(|s| s.parse().ok());
    match seed {
        Some(seed) => seed..seed + 1,
        None if std::env::var("WADI_LONG").is_ok_and(|l| l == "1") => 0..1_000_000,
        None => 0..15_000,
    }
}

#[test]
fn whatever_entries_are_based_on_adding_them_equals_building_the_record() {
    let all = seeds();
    let count = all.end - all.start;
    let halves = [
        all.start..all.start + count / 2,
        all.start + count / 2..all.end,
    ];
    let told: Vec<(Met, Vec<u64>)> = std::thread::scope(|scope| {
        let threads: Vec<_> = halves
            .into_iter()
            .map(|seeds| scope.spawn(|| tell(seeds)))
            .collect();

        threads
            .into_iter()
            .map(|t| t.join().expect("each record is told by itself"))
            .collect()
    });

    let differing: Vec<u64> = told
        .iter()
        .flat_map(|(_, seeds)| seeds.iter().copied())
        .collect();
    assert!(
        differing.is_empty(),
        "{} of {count} records differ; WADI_SEED={}",
        differing.len(),
        differing[0]
    );

    if count > 1 {
        for (met, _) in &told {
            println!("{met:?}");
            let kinds = [
                met.own_later,
                met.leaning,
                met.waiting,
                met.contested,
                met.refused_puts,
                met.without_first,
            ];

            assert!(
                kinds.into_iter().all(|n| n > count as usize / 200),
                "too tame: {met:?}"
            );
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
