//! Which entry goes with which load, where several entries and several loads may.

use super::{Declared, Fit, Load, Tie};

/// The place of each entry's own load: the one that fits it best of those that may be its own. What
/// was let go with a load claims it, and what was not goes to the next one, which may be claimed in
/// turn: so of a series that was entered in advance each entry comes to its own trip, and one whose
/// truck is still to come has none. What the clocks of customs and of the gate leave in doubt is
/// asked for where nothing else claims a load, or fits.
pub(super) fn own_loads(
    entries: &[Declared<'_>],
    loads: &mut [Load<'_>],
    near_ms: i64,
) -> Vec<Option<usize>> {
    let fits = entries.iter().map(|entry| fitting(entry, loads, near_ms));
    let fits: Vec<Vec<usize>> = fits.collect();

    // Each round but the last claims a load.
    loop {
        let all = entries.iter().zip(&fits).enumerate();
        let picked = all.map(|(of, (entry, fits))| pick((of, entry), fits, loads));
        let picked: Vec<Option<usize>> = picked.collect();

        let is_claimed = claim(entries, &picked, loads, false);
        if !is_claimed && !claim(entries, &picked, loads, true) {
            return picked;
        }
    }
}

/// The place of the load that an entry goes with, of those that it fits: the best one that is no
/// other entry's, or with which it was let go.
fn pick((of, entry): (usize, &Declared<'_>), fits: &[usize], loads: &[Load<'_>]) -> Option<usize> {
    let is_free = |load: &Load<'_>| load.declared_by.is_none_or(|by| by == of);
    let is_own = |n: usize| {
        let load = loads.get(n);
        load.is_some_and(|load| is_free(load) || entry.was_let_go_by(load.left))
    };
    let may_be_own = |n: usize| {
        let load = loads.get(n);
        load.is_some_and(|load| entry.was_let_go_by(load.left_by))
    };

    let own = fits.iter().copied().find(|n| is_own(*n));
    own.or_else(|| fits.iter().copied().find(|n| may_be_own(*n)))
}

/// Has each entry claim the load that it goes with, where it was let go with it, and tells whether
/// one did.
fn claim(
    entries: &[Declared<'_>],
    picked: &[Option<usize>],
    loads: &mut [Load<'_>],
    is_within_doubt: bool,
) -> bool {
    let mut is_claimed = false;
    for (of, (entry, picked)) in entries.iter().zip(picked).enumerate() {
        let load = picked.and_then(|n| loads.get_mut(n));
        let Some(load) = load.filter(|load| load.declared_by.is_none()) else {
            continue;
        };

        let left = match is_within_doubt {
            true => load.left_by,
            false => load.left,
        };
        if entry.was_let_go_by(left) {
            load.declared_by = Some(of);
            is_claimed = true;
        }
    }

    is_claimed
}

/// The places of the loads that an entry may go with, the best first.
fn fitting(entry: &Declared<'_>, loads: &[Load<'_>], near_ms: i64) -> Vec<usize> {
    let all = loads.iter().enumerate();
    let fits = all.filter_map(|(n, load)| Some((entry.fit(load, near_ms)?, n)));
    let mut fits: Vec<(Fit, usize)> = fits.collect();

    fits.sort_unstable();
    fits.into_iter().map(|(_, n)| n).collect()
}

/// The entry that a load goes with which is no entry's own, and by what. A container that came
/// before is another time on its way with other goods.
pub(super) fn follows<'e, 'a>(
    entries: &'e [Declared<'a>],
    loads: &[Load<'_>],
    n: usize,
    near_ms: i64,
) -> Option<(&'e Declared<'a>, Tie)> {
    let load = loads.get(n).filter(|load| load.brings_goods())?;
    let came_before = |other: &Load<'_>| {
        other.came_ms() < load.came_ms() && other.any(|s| load.any(|own| own.shares_container(s)))
    };
    let is_first = !loads.iter().any(came_before);

    let fits = entries.iter().filter_map(|entry| {
        let fit = entry.fit(load, near_ms)?;
        let follows = !fit.is_far || is_first || fit.tie == Tie::Word;
        follows.then_some((fit, entry.written_ms, &entry.facts.id, entry))
    });
    let best = fits.min_by(|a, b| (a.0, a.1, a.2).cmp(&(b.0, b.1, b.2)));
    best.map(|(fit, _, _, entry)| (entry, fit.tie))
}
