//! Trailers that one tractor brings, and another one takes with the load on them.
//!
//! A tractor may leave its trailer on the lot and go at once; another one fetches it, under the
//! seal that it came with, hours or days later. That is one load, declared for whoever brought it.
//! The plate of a trailer is typed by anybody at the gate, and many stand on the lot: one officer's
//! word takes none. Customs bear it out, with the seal that they find on it or by a link to the
//! entry, or a scale does. Of two that say they took one trailer, one did.

use crate::{
    Dossier, Fact, Facts, HOUR_MS,
    consignment::{PUT_ON, TAKEN_OFF},
    numbers::apart,
    shown_load::{ShownLoad, allowed_kg},
    stored::are_two,
};
use std::collections::{BTreeMap, BTreeSet};
use wadi_record::{field_term, normalise_reference};

/// So long a trailer waits on the lot for its next tractor at most, milliseconds: two weeks.
const WAITS_MS: i64 = 336 * HOUR_MS;
/// By what the tractor itself is known.
const TRACTOR_FIELDS: [&str; 3] = ["vehicle.plate", "vehicle.plate_raw", "vehicle.vin"];

/// By what it is borne out that a tractor took a trailer, the surest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Proof {
    /// Another officer found the seal on it, or customs linked it with the entry.
    Word,
    /// An attested scale showed the one without its load, or the other without and then with it.
    Scale,
}

/// A passage that had a trailer when it was let go, as it was told then.
struct HookedTractor<'a> {
    passage: &'a Facts,
    trailer: String,
    tractor: BTreeSet<(&'static str, String)>,
    came_ms: i64,
    /// Who told the trailer.
    told_by: BTreeSet<String>,
    /// Its seals, each with who recorded it.
    seals: BTreeMap<String, BTreeSet<String>>,
    /// Seals that were recorded before it left, also where others took their place.
    seals_brought: BTreeSet<String>,
}

impl<'a> HookedTractor<'a> {
    /// None where it has no trailer, or nobody saw it.
    fn of(dossier: &Dossier, passage: &'a Facts) -> Option<Self> {
        let told = |name: &str| field_term(name, passage.field_when_let_go(name)?);
        passage.field("trailer.plate")?;
        let (_, trailer) = told("trailer.plate")?;
        let tractor = TRACTOR_FIELDS.into_iter().filter_map(told).collect();
        let mut seen = passage.of_types(|t| t.proves_presence || t.name == "arrived");
        let first = seen.next()?.at_ms();

        let fields = passage.json["fields"].as_object().into_iter().flatten();
        let names = fields.map(|(name, _)| name);
        let names = names.filter(|name| name.starts_with("seal."));
        let seals = names.filter_map(|name| Some((told(name)?.1, put_by(passage, name))));

        Some(Self {
            passage,
            trailer,
            tractor,
            came_ms: seen.map(|e| e.at_ms()).fold(first, i64::min),
            told_by: put_by(passage, "trailer.plate"),
            seals: seals.collect(),
            seals_brought: seals_brought(dossier, passage),
        })
    }

    fn is_tractor_of(&self, other: &Self) -> bool {
        !self.tractor.is_disjoint(&other.tractor)
    }
}

/// Who put what stands in a field.
fn put_by(passage: &Facts, name: &str) -> BTreeSet<String> {
    let lines = passage.json["put_by"].as_array().into_iter().flatten();
    let of_field = lines.filter(|line| {
        let mut fields = line["fields"].as_array().into_iter().flatten();
        fields.any(|field| field == name)
    });

    let officers = of_field.filter_map(|line| line["officer"].as_str());
    officers.map(normalise_reference).collect()
}

/// The seals that were recorded on a passage before it left, by what was written then.
fn seals_brought(dossier: &Dossier, passage: &Facts) -> BTreeSet<String> {
    let form = |seal: &str| field_term("seal.1", seal).map(|(_, form)| form);
    let Some(recorded) = passage.json["seals_recorded"].as_array() else {
        return passage
            .texts("seal", "")
            .into_iter()
            .filter_map(form)
            .collect();
    };

    let until_ms = dossier.left_by_ms(passage);
    let in_time = recorded.iter().filter(|put| {
        let entered_ms = put["entered_ms"].as_i64();
        entered_ms.is_none_or(|ms| ms <= until_ms)
    });
    let seals = in_time.filter_map(|put| put["seal"].as_str());
    seals.filter_map(form).collect()
}

/// The passages of a dossier that took a trailer with its load, each with the one that had brought
/// it, by their ids.
pub(crate) fn taken_trailers(dossier: &Dossier) -> Vec<(String, String)> {
    let stands = |p: &&Facts| !matches!(p.state(), "VOID" | "TURNED_BACK");
    let all = std::iter::once(&dossier.anchor).chain(&dossier.linked);
    let passages = all.filter(|r| r.is_passage()).filter(stands);
    let mut by_trailer: BTreeMap<String, Vec<HookedTractor<'_>>> = BTreeMap::new();
    for hooked in passages.filter_map(|p| HookedTractor::of(dossier, p)) {
        let of_trailer = by_trailer.entry(hooked.trailer.clone()).or_default();
        of_trailer.push(hooked);
    }

    let groups = by_trailer.into_values();
    groups.flat_map(|group| taken_of(dossier, &group)).collect()
}

/// A word that a tractor took a trailer, which is borne out.
struct BorneOut<'s, 'a> {
    proof: Proof,
    taker: &'s HookedTractor<'a>,
    giver: &'s HookedTractor<'a>,
}

impl BorneOut<'_, '_> {
    /// Of two that say they took one trailer the surer one did, and then the earlier one.
    fn rank(&self) -> (Proof, i64, &str) {
        let taker = self.taker;
        (self.proof, taker.came_ms, taker.passage.id.as_str())
    }
}

/// The same of those that had one trailer.
fn taken_of(dossier: &Dossier, group: &[HookedTractor<'_>]) -> Vec<(String, String)> {
    let mut all: Vec<BorneOut<'_, '_>> = Vec::new();
    for taker in group {
        let givers = group
            .iter()
            .filter(|giver| may_have_taken(dossier, taker, giver));
        let borne_out = givers.filter_map(|giver| {
            let proof = proof(dossier, taker, giver)?;
            let is_taken = !was_elsewhere(group, taker, giver);
            is_taken.then_some(BorneOut {
                proof,
                taker,
                giver,
            })
        });
        all.extend(borne_out);
    }

    let is_first = |own: &&BorneOut<'_, '_>| {
        let is_rival = |other: &BorneOut<'_, '_>| {
            let is_same_load = other.giver.passage.id == own.giver.passage.id;
            is_same_load && !other.taker.is_tractor_of(own.taker) && other.rank() < own.rank()
        };
        // What its giver took itself, it had brought no more.
        let brought_it = |other: &BorneOut<'_, '_>| other.taker.passage.id != own.giver.passage.id;
        !all.iter().any(is_rival) && all.iter().all(brought_it)
    };
    let taken = all.iter().filter(is_first);
    let ids = taken.map(|own| (own.taker.passage.id.clone(), own.giver.passage.id.clone()));
    ids.collect()
}

/// Whether one may have left its trailer for the other, as far as times and masses tell.
fn may_have_taken(dossier: &Dossier, taker: &HookedTractor<'_>, giver: &HookedTractor<'_>) -> bool {
    let is_other = !taker.tractor.is_empty() && !giver.tractor.is_empty();
    let is_here = taker.passage.crossing() == giver.passage.crossing();
    let waited_ms = taker.came_ms.saturating_sub(giver.came_ms);
    let is_after = waited_ms > 0 && waited_ms <= WAITS_MS;
    if !is_other || !is_here || !is_after || taker.is_tractor_of(giver) {
        return false;
    }

    giver.passage.is_inbound()
        && was_left(dossier, taker, giver)
        && weighs_no_more(dossier, taker.passage, giver.passage)
        && !has_it_yet(dossier, taker.passage, giver.passage)
}

/// Whether the trailer stayed when its tractor left: that one was there yet, or had parked, or a
/// scale showed it without; or both were weighed, and with the same load.
fn was_left(dossier: &Dossier, taker: &HookedTractor<'_>, giver: &HookedTractor<'_>) -> bool {
    let left_ms = giver.passage.left().map(|left| left.at_ms);
    if left_ms.is_none_or(|ms| dossier.within_doubt(ms) >= taker.came_ms) {
        return true;
    }

    let until_ms = dossier.left_by_ms(giver.passage);
    let mut parked = giver.passage.events("parked");
    let is_same = || match (most_kg(taker.passage), most_kg(giver.passage)) {
        (Some(own), Some(theirs)) => apart(own, theirs) <= allowed_kg(dossier, own.max(theirs)),
        _ => false,
    };
    parked.any(|e| e.known_from_ms() <= until_ms)
        || is_shown_without(dossier, giver.passage)
        || is_same()
}

/// The greatest net mass that attested scales showed, kilograms.
fn most_kg(passage: &Facts) -> Option<i64> {
    let attested = passage.weighings().filter(Fact::attested);
    attested.filter_map(|w| w.net_kg()).max()
}

/// Whether no attested weighing shows more on the taker than on the one that brought the trailer.
fn weighs_no_more(dossier: &Dossier, taker: &Facts, giver: &Facts) -> bool {
    let (Some(own), theirs) = (most_kg(taker), most_kg(giver)) else {
        return true;
    };

    theirs.is_some_and(|theirs| {
        let allowed_kg = allowed_kg(dossier, own.max(theirs));
        own.saturating_sub(theirs) <= allowed_kg
    })
}

/// Whether the one that brought the trailer is weighed with its load once the taker has left, by
/// more than the clocks of scale and gate leave in doubt: then it gave nothing.
fn has_it_yet(dossier: &Dossier, taker: &Facts, giver: &Facts) -> bool {
    let gone_ms = taker.left().map(|left| dossier.within_doubt(left.at_ms));
    gone_ms.is_some_and(|gone_ms| ShownLoad::of(giver, gone_ms).is_kept(dossier))
}

/// Whether the trailer was seen elsewhere between: at another crossing, on its way out, or with its
/// tractor, which came again.
fn was_elsewhere(
    group: &[HookedTractor<'_>],
    taker: &HookedTractor<'_>,
    giver: &HookedTractor<'_>,
) -> bool {
    let left_ms = giver.passage.left().map(|left| left.at_ms);
    group.iter().any(|other| {
        let is_between = other.came_ms > giver.came_ms && other.came_ms < taker.came_ms;
        let is_known = other.passage.was_written_before(taker.passage);
        let came_again =
            other.is_tractor_of(giver) && left_ms.is_some_and(|ms| ms <= other.came_ms);
        let is_away = !other.passage.is_inbound()
            || other.passage.crossing() != giver.passage.crossing()
            || came_again;
        is_between && is_known && is_away
    })
}

/// By what it is borne out that a tractor took the trailer of another one.
fn proof(dossier: &Dossier, taker: &HookedTractor<'_>, giver: &HookedTractor<'_>) -> Option<Proof> {
    let mut same = taker
        .seals
        .iter()
        .filter(|(seal, _)| giver.seals_brought.contains(*seal));
    let is_found = same.clone().any(|(_, by)| are_two(by, &taker.told_by));
    if is_found || is_linked(dossier, taker, giver) {
        return Some(Proof::Word);
    }

    // What is under other seals is another load, as far as a mass alone tells.
    let is_sealed = !taker.seals.is_empty() && !giver.seals_brought.is_empty();
    let is_another = is_sealed && same.next().is_none();
    let is_near = apart(taker.came_ms, giver.came_ms) <= dossier.near_ms();
    if is_another || !is_near || was_laden_before(taker.passage) {
        return None;
    }

    let is_shown =
        is_shown_without(dossier, giver.passage) || was_shown_without(dossier, taker.passage);
    is_shown.then_some(Proof::Scale)
}

/// Whether customs linked the taker with an entry of the one that brought the trailer, before it
/// left, and somebody else told the trailer.
fn is_linked(dossier: &Dossier, taker: &HookedTractor<'_>, giver: &HookedTractor<'_>) -> bool {
    let until_ms = dossier.left_by_ms(taker.passage);
    let is_word = |e: &Fact<'_>| {
        let by = BTreeSet::from([normalise_reference(e.officer())]);
        let is_by_customs = e.department() == "CUS";
        is_by_customs && e.known_from_ms() <= until_ms && are_two(&by, &taker.told_by)
    };
    let links = |entry: &Facts| {
        let mut all = entry.naming(taker.passage);
        all.any(|e| is_word(&e)) || taker.passage.naming(entry).any(|e| is_word(&e))
    };

    let all = std::iter::once(&dossier.anchor).chain(&dossier.linked);
    let mut entries = all.filter(|r| r.is_customs_entry() && r.state() != "CANCELLED");
    entries.any(|entry| {
        let is_named = !giver.tractor.is_disjoint(&entry.vehicles());
        links(entry) && (is_named || entry.is_linked_to(giver.passage))
    })
}

/// Whether attested scales showed a tractor with its load, and since without one, though nothing
/// was taken off it.
fn is_shown_without(dossier: &Dossier, giver: &Facts) -> bool {
    let until_ms = dossier.left_by_ms(giver);
    let attested = || {
        let all = giver.weighings().filter(Fact::attested);
        all.filter(move |w| w.known_from_ms() <= until_ms)
    };
    let laden = attested().filter(Fact::shows_a_load);
    let Some(laden_ms) = laden.map(|w| w.at_ms()).max() else {
        return false;
    };

    let is_light = attested().any(|w| w.at_ms() > laden_ms && w.net_kg().is_some());
    is_light && giver.moved(dossier, &TAKEN_OFF).next().is_none()
}

/// Whether attested scales showed a tractor without a load first, and then with one, though nothing
/// was loaded on it.
fn was_shown_without(dossier: &Dossier, taker: &Facts) -> bool {
    let Some(laden_ms) = taker.laden_from_ms() else {
        return false;
    };

    let attested = taker.weighings().filter(Fact::attested);
    let mut before = attested.filter(|w| w.at_ms() < laden_ms);
    let is_light = before.any(|w| w.net_kg().is_some());
    is_light && taker.moved(dossier, &PUT_ON).next().is_none()
}

/// Whether a vehicle was weighed with a load before anybody told that it has the trailer: it
/// brought goods of its own.
fn was_laden_before(taker: &Facts) -> bool {
    let Some(told_ms) = taker.captured_ms("trailer.plate") else {
        return false;
    };
    let attested = taker.weighings().filter(Fact::attested);
    let mut laden = attested.filter(Fact::shows_a_load);
    laden.any(|w| w.known_from_ms() < told_ms)
}
