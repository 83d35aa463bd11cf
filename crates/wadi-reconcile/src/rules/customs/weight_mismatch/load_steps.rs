//! What happened to one load between its weighings, and what that explains.
//!
//! What was moved off a truck, or on it, explains another mass where it is said to have happened
//! before a weighing, and was written by the time at which that was. Who has seen what the scale
//! shows writes whatever he needs, of whatever time.

use crate::{
    Dossier, Fact, Facts,
    consignment::{PUT_ON, TAKEN_OFF},
};
use wadi_log::{NodeId, Reference};

/// Events by which goods are moved off a truck or on it.
pub(super) const MOVED: [&str; 3] = ["unloaded", "transhipped", "reloaded"];

/// The node that wrote an event; none where the entry does not tell.
fn written_by(e: &Fact<'_>) -> Option<NodeId> {
    let entry = e.entry().parse::<Reference>().ok()?;
    Some(entry.log.node)
}

/// Whether something was written down when a weighing was. One node's clock tells which of the two
/// came first; of two nodes each writes by its own, and forms of an outage are typed in whatever
/// order they lie in.
pub(super) fn is_written_by(dossier: &Dossier, moved: &Fact<'_>, weighed: &Fact<'_>) -> bool {
    let is_one_clock = written_by(moved) == written_by(weighed);
    let stood_on_paper = weighed.entered_ms() > dossier.within_doubt(weighed.at_ms());
    let until_ms = match is_one_clock && !stood_on_paper {
        true => weighed.entered_ms(),
        false => dossier.within_doubt(weighed.entered_ms()),
    };

    moved.entered_ms() <= until_ms
}

/// Whether a weighing shows what was there before a movement: it was made before, or written
/// before anybody told of that.
pub(super) fn is_before(dossier: &Dossier, weighed: &Fact<'_>, moved: &Fact<'_>) -> bool {
    weighed.at_ms() <= moved.at_ms() || !is_written_by(dossier, moved, weighed)
}

/// What happened to a load between two weighings, and they.
pub(super) enum LoadStep<'a> {
    /// It was weighed, kilograms.
    Weighed(Fact<'a>, i64),
    /// Goods came off: it may weigh less.
    TakenOff(Fact<'a>),
    /// Goods came on it: it may weigh more.
    PutOn(Fact<'a>),
}

/// Weighings from one movement to the next one.
struct WeighedStretch<'s, 'a> {
    /// The movement that it begins with; none for the first one.
    moved: Option<&'s LoadStep<'a>>,
    most: i64,
    least: i64,
}

impl<'s, 'a> WeighedStretch<'s, 'a> {
    fn after(moved: Option<&'s LoadStep<'a>>) -> Self {
        Self {
            moved,
            most: i64::MIN,
            least: i64::MAX,
        }
    }
}

/// The stretches since the last movement that explains something.
fn since<'t, 's, 'a>(
    all: &'t [WeighedStretch<'s, 'a>],
    explains: impl Fn(&LoadStep<'a>) -> bool,
) -> &'t [WeighedStretch<'s, 'a>] {
    let last = all.iter().rposition(|s| s.moved.is_some_and(&explains));
    all.get(last.unwrap_or(0)..).unwrap_or_default()
}

/// Whether masses differ by more than is allowed, and nothing that was moved between explains it.
pub(super) fn is_unexplained(dossier: &Dossier, steps: &[LoadStep<'_>], allowed: i64) -> bool {
    let mut stretches = vec![WeighedStretch::after(None)];
    steps.iter().any(|step| {
        let LoadStep::Weighed(weighed, kg) = step else {
            stretches.push(WeighedStretch::after(Some(step)));
            return false;
        };

        let is_told = |moved: &Fact<'_>| is_written_by(dossier, moved, weighed);
        let came_off = |step: &LoadStep<'_>| matches!(step, LoadStep::TakenOff(e) if is_told(e));
        let came_on = |step: &LoadStep<'_>| matches!(step, LoadStep::PutOn(e) if is_told(e));
        let most = since(&stretches, came_off).iter().map(|s| s.most).max();
        let least = since(&stretches, came_on).iter().map(|s| s.least).min();
        let is_lighter = most.is_some_and(|most| most.saturating_sub(*kg) > allowed);
        let is_heavier = least.is_some_and(|least| kg.saturating_sub(least) > allowed);

        if let Some(last) = stretches.last_mut() {
            last.most = last.most.max(*kg);
            last.least = last.least.min(*kg);
        }
        is_lighter || is_heavier
    })
}

/// Weighings and movements of one record, in the order in which they happened.
pub(super) fn steps<'a>(
    dossier: &Dossier,
    weighed: &'a Facts,
    masses: &[(Fact<'a>, i64)],
    is_tare: bool,
) -> Vec<LoadStep<'a>> {
    let all = masses.iter();
    let mut steps: Vec<(i64, LoadStep<'a>)> = all
        .map(|(e, kg)| (e.at_ms(), LoadStep::Weighed(*e, *kg)))
        .collect();
    let taken_off = weighed.moved(dossier, &TAKEN_OFF);
    steps.extend(taken_off.map(|e| (e.at_ms(), LoadStep::TakenOff(e))));
    let put_on = weighed.moved(dossier, &PUT_ON);
    steps.extend(put_on.map(|e| (e.at_ms(), LoadStep::PutOn(e))));

    // With the goods a trailer or a container may go or come, either way.
    if is_tare {
        let both = weighed.moved(dossier, &MOVED).flat_map(|e| {
            let at_ms = e.at_ms();
            [(at_ms, LoadStep::TakenOff(e)), (at_ms, LoadStep::PutOn(e))]
        });
        steps.extend(both);
    }

    steps.sort_by_key(|(at_ms, _)| *at_ms);
    steps.into_iter().map(|(_, step)| step).collect()
}

#[cfg(test)]
mod tests {
    use crate::{HOUR_MS, Phase, tests::*};
    use serde_json::{Value as Json, json};

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
}
