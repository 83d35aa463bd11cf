//! Sums of what came into a store and went out of it, looked up for each movement of a hold that
//! may have very many: no movement walks all the others.

use crate::Fact;

/// What a store counts in.
pub(super) const UNITS: [&str; 3] = ["quantity", "packages", "mass_g"];

/// So much of each unit.
pub(super) type UnitAmounts = [i64; UNITS.len()];

/// How much of each unit a movement tells; nothing where it does not.
pub(super) fn amounts_of(moved: &Fact<'_>) -> UnitAmounts {
    UNITS.map(|unit| moved.int(unit).unwrap_or(0))
}

/// Sums of each unit: wide enough for any number of foreign amounts, in whatever order.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct UnitSums([i128; UNITS.len()]);

impl UnitSums {
    /// What one movement adds up to.
    pub(super) fn of(amounts: UnitAmounts) -> Self {
        Self(amounts.map(i128::from))
    }

    /// Adds what others add up to.
    pub(super) fn include(&mut self, more: Self) {
        for (sum, more) in self.0.iter_mut().zip(more.0) {
            *sum = sum.saturating_add(more);
        }
    }

    /// The sum of a unit, by its place; it ends at the range's end.
    pub(super) fn of_unit(&self, place: usize) -> i64 {
        let sum = self.0.get(place).copied().unwrap_or(0);
        i64::try_from(sum).unwrap_or(match sum.is_negative() {
            true => i64::MIN,
            false => i64::MAX,
        })
    }
}

/// Each key, with the sums of all up to it.
pub(super) struct SumsUpTo<K>(Vec<(K, UnitSums)>);

impl<K: Copy + Ord> SumsUpTo<K> {
    /// Of these keys, each with its own amounts, in any order.
    pub(super) fn of(mut all: Vec<(K, UnitSums)>) -> Self {
        all.sort_by_key(|(key, _)| *key);

        let mut sum = UnitSums::default();
        for (_, amounts) in &mut all {
            sum.include(*amounts);
            *amounts = sum;
        }
        Self(all)
    }

    /// The sums of those whose key is no greater.
    pub(super) fn up_to(&self, key: K) -> UnitSums {
        let count = self.0.partition_point(|(own, _)| *own <= key);
        let last = count.checked_sub(1).and_then(|n| self.0.get(n));
        last.map(|(_, sum)| *sum).unwrap_or_default()
    }
}

/// Sums of what is said to have happened by a time, and was written down by another one.
pub(super) struct SumsWrittenBy<'a> {
    /// When each is said to have happened, and its id, in that order.
    said: Vec<(i64, &'a str)>,
    /// For each of them the run that ends with it, by when it was written down. The runs are those
    /// of a binary indexed tree: few of them make up all that was said by a time.
    runs: Vec<SumsUpTo<i64>>,
}

/// Where the run begins that ends before a place.
fn run_start(end: usize) -> usize {
    end & end.saturating_sub(1)
}

impl<'a> SumsWrittenBy<'a> {
    /// Of these movements, in any order.
    pub(super) fn of(all: &[Fact<'a>]) -> Self {
        let mut in_order = all.to_vec();
        in_order.sort_by_key(|e| (e.at_ms(), e.id()));

        let written = in_order.iter();
        let written = written.map(|e| (e.entered_ms(), UnitSums::of(amounts_of(e))));
        let written: Vec<(i64, UnitSums)> = written.collect();
        let run = |end: usize| {
            let run = written.get(run_start(end)..end).unwrap_or_default();
            SumsUpTo::of(run.to_vec())
        };

        Self {
            said: in_order.iter().map(|e| (e.at_ms(), e.id())).collect(),
            runs: (1..=written.len()).map(run).collect(),
        }
    }

    /// The sums of those that are said to lie no later than another event, and were written down by
    /// a time, Unix milliseconds.
    pub(super) fn up_to(&self, said: (i64, &str), written_ms: i64) -> UnitSums {
        let mut sum = UnitSums::default();
        let mut end = self.said.partition_point(|own| *own <= said);
        while let Some(run) = end.checked_sub(1).and_then(|n| self.runs.get(n)) {
            sum.include(run.up_to(written_ms));
            end = run_start(end);
        }
        sum
    }
}
