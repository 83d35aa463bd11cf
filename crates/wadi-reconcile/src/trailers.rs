//! Trailers that one tractor brings, and another one takes with the load on them.
//!
//! A tractor may leave its trailer on the lot and go at once; another one fetches it, under the
//! seal that it came with, hours or days later. That is one load, declared for whoever brought it.
//! The plate of a trailer is typed by anybody at the gate, and many stand on the lot: one officer's
//! word takes none. Customs bear it out, with the seal that they find on it or by a link to the
//! entry, or a scale does. Of two that say they took one trailer, one did.
//!
//! Any two of the tractors that told one trailer are held against each other. So what is asked of
//! one of them alone is read off its record once, and the links of all entries are read once.

use crate::{
    Dossier, Fact, Facts, HOUR_MS,
    consignment::{PUT_ON, TAKEN_OFF},
    numbers::apart,
    passages::WhenTold,
    shown_load::{ShownLoad, allowed_kg},
    stored::are_two,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
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

/// The passages that took a trailer with its load.
#[derive(Default, Debug)]
pub(crate) struct TakenTrailers {
    /// By the id of the one that had brought it: the ids of those that took it.
    by_giver: BTreeMap<String, BTreeSet<Arc<str>>>,
}

impl TakenTrailers {
    /// Whether one took it over from the other, by their ids.
    pub(crate) fn has(&self, taker: &str, giver: &str) -> bool {
        let takers = self.by_giver.get(giver);
        takers.is_some_and(|takers| takers.contains(taker))
    }
}

/// Plates and vehicle numbers, in their normal forms.
type VehicleMarks = BTreeSet<(&'static str, String)>;

/// The customs entries of a dossier, by what passages have to do with them.
struct EntryTies<'a> {
    /// The ids of the entries that name a vehicle.
    by_vehicle: BTreeMap<(&'static str, String), Vec<&'a str>>,
    /// By a passage's id: the entries with which it is linked, whichever names the other, each with
    /// the link.
    by_passage: BTreeMap<&'a str, Vec<(&'a str, Fact<'a>)>>,
}

impl<'a> EntryTies<'a> {
    fn of(dossier: &'a Dossier, passages: &[&'a Facts]) -> Self {
        let all = std::iter::once(&dossier.anchor).chain(&dossier.linked);
        let entries = all.filter(|r| r.is_customs_entry() && r.state() != "CANCELLED");
        let entries: Vec<&'a Facts> = entries.collect();
        let mut ties = Self {
            by_vehicle: BTreeMap::new(),
            by_passage: BTreeMap::new(),
        };

        for entry in &entries {
            for mark in entry.vehicles() {
                let of_vehicle = ties.by_vehicle.entry(mark).or_default();
                of_vehicle.push(entry.id.as_str());
            }
            for link in entry.joining() {
                if let Some(passage) = link.text("record") {
                    let of_passage = ties.by_passage.entry(passage).or_default();
                    of_passage.push((entry.id.as_str(), link));
                }
            }
        }

        let ids: BTreeSet<&str> = entries.iter().map(|entry| entry.id.as_str()).collect();
        for passage in passages {
            let links = passage.joining();
            let named = links.filter_map(|link| Some((link.text("record")?, link)));
            let named = named.filter(|(entry, _)| ids.contains(entry));
            let of_passage = ties.by_passage.entry(passage.id.as_str()).or_default();
            of_passage.extend(named);
        }

        ties
    }

    fn links_of(&self, passage: &Facts) -> impl Iterator<Item = &(&'a str, Fact<'a>)> {
        let links = self.by_passage.get(passage.id.as_str());
        links.into_iter().flatten()
    }

    /// The entries of which customs said that a passage belongs with them, by a time, and another
    /// one than these officers.
    fn by_customs(
        &self,
        passage: &Facts,
        until_ms: i64,
        but_for: &BTreeSet<String>,
    ) -> BTreeSet<&'a str> {
        let words = self.links_of(passage).filter(|(_, link)| {
            let by = BTreeSet::from([normalise_reference(link.officer())]);
            let is_by_customs = link.department() == "CUS";
            is_by_customs && link.known_from_ms() <= until_ms && are_two(&by, but_for)
        });

        words.map(|(entry, _)| *entry).collect()
    }

    /// The entries that name a tractor, or with which its passage is linked.
    fn declared_for(&self, passage: &Facts, tractor: &VehicleMarks) -> BTreeSet<&'a str> {
        let named = tractor.iter().filter_map(|mark| self.by_vehicle.get(mark));
        let linked = self.links_of(passage).map(|(entry, _)| *entry);
        named.flatten().copied().chain(linked).collect()
    }
}

/// A passage that had a trailer when it was let go, as it was told then.
struct HookedTractor<'a> {
    passage: &'a Facts,
    id: Arc<str>,
    trailer: String,
    tractor: VehicleMarks,
    is_inbound: bool,
    came_ms: i64,
    written_ms: i64,
    left: Option<WhenTold>,
    /// Who told the trailer.
    told_by: BTreeSet<String>,
    /// Its seals, each with who recorded it.
    seals: BTreeMap<String, BTreeSet<String>>,
    /// Seals that were recorded before it left, also where others took their place.
    seals_brought: BTreeSet<String>,
    /// Entries with which customs linked it before it left, by somebody else than told the trailer.
    linked_by_customs: BTreeSet<&'a str>,
    /// Entries that name its tractor, or are linked with it.
    declared: BTreeSet<&'a str>,
    /// Its weighings that somebody stands for.
    attested: Vec<Fact<'a>>,
    /// The greatest net mass that they showed, kilograms.
    most_kg: Option<i64>,
    /// Whether it parked before it left.
    has_parked: bool,
    /// Whether scales showed it with its load, and since without one.
    is_shown_without: bool,
    /// Whether scales showed it without a load first, and then with one.
    was_shown_without: bool,
    /// Whether it brought goods of its own.
    was_laden_before: bool,
}

impl<'a> HookedTractor<'a> {
    /// None where nobody saw it.
    fn of(dossier: &Dossier, ties: &EntryTies<'a>, passage: &'a Facts) -> Option<Self> {
        let told = |name: &str| field_term(name, passage.field_when_let_go(name)?);
        let (_, trailer) = told("trailer.plate")?;
        let tractor: VehicleMarks = TRACTOR_FIELDS.into_iter().filter_map(told).collect();
        let mut seen = passage.of_types(|t| t.proves_presence || t.name == "arrived");
        let first = seen.next()?.at_ms();

        let fields = passage.json["fields"].as_object().into_iter().flatten();
        let names = fields.map(|(name, _)| name);
        let names = names.filter(|name| name.starts_with("seal."));
        let seals = names.filter_map(|name| Some((told(name)?.1, put_by(passage, name))));

        let until_ms = dossier.left_by_ms(passage);
        let told_by = put_by(passage, "trailer.plate");
        let attested: Vec<Fact<'a>> = passage.weighings().filter(Fact::attested).collect();
        let mut parked = passage.events("parked");

        Some(Self {
            passage,
            id: Arc::from(passage.id.as_str()),
            trailer,
            is_inbound: passage.is_inbound(),
            came_ms: seen.map(|e| e.at_ms()).fold(first, i64::min),
            written_ms: passage.written_ms(),
            left: passage.left(),
            seals: seals.collect(),
            seals_brought: seals_brought(passage, until_ms),
            linked_by_customs: ties.by_customs(passage, until_ms, &told_by),
            declared: ties.declared_for(passage, &tractor),
            most_kg: attested.iter().filter_map(Fact::net_kg).max(),
            has_parked: parked.any(|e| e.known_from_ms() <= until_ms),
            is_shown_without: is_shown_without(dossier, passage, &attested),
            was_shown_without: was_shown_without(dossier, passage, &attested),
            was_laden_before: was_laden_before(passage, &attested),
            tractor,
            told_by,
            attested,
        })
    }

    fn is_tractor_of(&self, other: &Self) -> bool {
        !self.tractor.is_disjoint(&other.tractor)
    }

    fn left_ms(&self) -> Option<i64> {
        self.left.map(|left| left.at_ms)
    }

    /// When its record was written: of two the lesser one was written before.
    fn written(&self) -> (i64, &'a str) {
        (self.written_ms, self.passage.id.as_str())
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

/// The seals that were recorded on a passage by a time, Unix milliseconds, as was written then.
fn seals_brought(passage: &Facts, until_ms: i64) -> BTreeSet<String> {
    let form = |seal: &str| field_term("seal.1", seal).map(|(_, form)| form);
    let Some(recorded) = passage.json["seals_recorded"].as_array() else {
        return passage
            .texts("seal", "")
            .into_iter()
            .filter_map(form)
            .collect();
    };

    let in_time = recorded.iter().filter(|put| {
        let entered_ms = put["entered_ms"].as_i64();
        entered_ms.is_none_or(|ms| ms <= until_ms)
    });
    let seals = in_time.filter_map(|put| put["seal"].as_str());
    seals.filter_map(form).collect()
}

/// The passages of a dossier that took a trailer with its load.
pub(crate) fn taken_trailers(dossier: &Dossier) -> TakenTrailers {
    let stands = |p: &&Facts| !matches!(p.state(), "VOID" | "TURNED_BACK");
    let all = std::iter::once(&dossier.anchor).chain(&dossier.linked);
    let passages = all.filter(|r| r.is_passage()).filter(stands);
    let hooked = passages.filter(|p| p.field("trailer.plate").is_some());
    let hooked: Vec<&Facts> = hooked.collect();
    let mut taken = TakenTrailers::default();
    if hooked.len() < 2 {
        return taken;
    }

    let ties = EntryTies::of(dossier, &hooked);
    let mut by_trailer: BTreeMap<String, Vec<HookedTractor<'_>>> = BTreeMap::new();
    let hooked = hooked.into_iter();
    for hooked in hooked.filter_map(|p| HookedTractor::of(dossier, &ties, p)) {
        let of_trailer = by_trailer.entry(hooked.trailer.clone()).or_default();
        of_trailer.push(hooked);
    }

    for group in by_trailer.values_mut() {
        group.sort_by_key(|hooked| hooked.came_ms);
        let given = given_of(dossier, group).into_iter();
        let by_giver = given.map(|(giver, takers)| (giver.passage.id.clone(), takers));
        taken.by_giver.extend(by_giver);
    }

    taken
}

/// A word that a tractor took a trailer, which is borne out.
struct BorneOut<'s, 'a> {
    proof: Proof,
    taker: &'s HookedTractor<'a>,
}

impl<'a> BorneOut<'_, 'a> {
    /// Of two that say they took one trailer the surer one did, and then the earlier one.
    fn rank(&self) -> (Proof, i64, &'a str) {
        let taker = self.taker;
        (self.proof, taker.came_ms, taker.passage.id.as_str())
    }
}

/// Those of one trailer, the earliest first, that gave it away, each with who took it.
fn given_of<'s, 'a>(
    dossier: &Dossier,
    group: &'s [HookedTractor<'a>],
) -> Vec<(&'s HookedTractor<'a>, BTreeSet<Arc<str>>)> {
    let mut given = Vec::new();
    let mut all_takers: BTreeSet<&str> = BTreeSet::new();
    for giver in group {
        let mut borne_out = borne_out(dossier, group, giver);
        if borne_out.is_empty() {
            continue;
        }

        borne_out.sort_by_key(BorneOut::rank);
        all_takers.extend(borne_out.iter().map(|own| own.taker.passage.id.as_str()));
        given.push((giver, first_takers(&borne_out)));
    }

    // What its giver took itself, it had brought no more.
    given.retain(|(giver, _)| !all_takers.contains(giver.passage.id.as_str()));
    given
}

/// Of all who say that they took the trailer of one, the surest first, those before whom no other
/// tractor did: the records of one tractor are no rivals.
fn first_takers(by_rank: &[BorneOut<'_, '_>]) -> BTreeSet<Arc<str>> {
    // Whoever has all marks of one of these sets shares one with each that came before, and nobody
    // else does. A tractor has a few marks, so that the sets stay few, however many come.
    let mut shared: Vec<BTreeSet<&(&'static str, String)>> = vec![BTreeSet::new()];
    let mut first = BTreeSet::new();
    for own in by_rank {
        let marks: BTreeSet<&(&'static str, String)> = own.taker.tractor.iter().collect();
        if shared.iter().any(|some| some.is_subset(&marks)) {
            first.insert(own.taker.id.clone());
        }

        let (mut kept, met_none): (Vec<_>, Vec<_>) = shared
            .into_iter()
            .partition(|some| !some.is_disjoint(&marks));
        for some in met_none.iter().filter(|s| s.len() < TRACTOR_FIELDS.len()) {
            let with = |mark| -> BTreeSet<_> { some.iter().copied().chain([mark]).collect() };
            kept.extend(marks.iter().copied().map(with));
        }
        shared = kept;
        if shared.is_empty() {
            break;
        }
    }

    first
}

/// Those by whose word, borne out, the trailer of one was taken.
fn borne_out<'s, 'a>(
    dossier: &Dossier,
    group: &'s [HookedTractor<'a>],
    giver: &HookedTractor<'a>,
) -> Vec<BorneOut<'s, 'a>> {
    let elsewhere = SeenElsewhere::of(group, giver);
    let takers = group.iter().filter(|taker| {
        let may_have_taken = may_have_taken(dossier, taker, giver);
        may_have_taken && !elsewhere.is_before(taker)
    });

    let borne_out = takers.filter_map(|taker| {
        let proof = proof(dossier, taker, giver)?;
        let is_taken = !has_it_yet(dossier, taker, giver);
        is_taken.then_some(BorneOut { proof, taker })
    });
    borne_out.collect()
}

/// Whether one may have left its trailer for the other, as far as times and masses tell.
fn may_have_taken(dossier: &Dossier, taker: &HookedTractor<'_>, giver: &HookedTractor<'_>) -> bool {
    let waited_ms = taker.came_ms.saturating_sub(giver.came_ms);
    let is_after = waited_ms > 0 && waited_ms <= WAITS_MS;
    if !is_after || !giver.is_inbound {
        return false;
    }

    let is_other = !taker.tractor.is_empty() && !giver.tractor.is_empty();
    let is_here = taker.passage.crossing() == giver.passage.crossing();
    is_other
        && is_here
        && !taker.is_tractor_of(giver)
        && was_left(dossier, taker, giver)
        && weighs_no_more(dossier, taker, giver)
}

/// Whether the trailer stayed when its tractor left: that one was there yet, or had parked, or a
/// scale showed it without; or both were weighed, and with the same load.
fn was_left(dossier: &Dossier, taker: &HookedTractor<'_>, giver: &HookedTractor<'_>) -> bool {
    let left_ms = giver.left_ms();
    if left_ms.is_none_or(|ms| dossier.within_doubt(ms) >= taker.came_ms) {
        return true;
    }

    let is_same = match (taker.most_kg, giver.most_kg) {
        (Some(own), Some(theirs)) => apart(own, theirs) <= allowed_kg(dossier, own.max(theirs)),
        _ => false,
    };
    giver.has_parked || giver.is_shown_without || is_same
}

/// Whether no attested weighing shows more on the taker than on the one that brought the trailer.
fn weighs_no_more(dossier: &Dossier, taker: &HookedTractor<'_>, giver: &HookedTractor<'_>) -> bool {
    let (Some(own), theirs) = (taker.most_kg, giver.most_kg) else {
        return true;
    };

    theirs.is_some_and(|theirs| {
        let allowed_kg = allowed_kg(dossier, own.max(theirs));
        own.saturating_sub(theirs) <= allowed_kg
    })
}

/// Whether the one that brought the trailer is weighed with its load once the taker has left, by
/// more than the clocks of scale and gate leave in doubt: then it gave nothing.
fn has_it_yet(dossier: &Dossier, taker: &HookedTractor<'_>, giver: &HookedTractor<'_>) -> bool {
    let gone_ms = taker.left_ms().map(|ms| dossier.within_doubt(ms));
    gone_ms.is_some_and(|gone_ms| ShownLoad::among(&giver.attested, gone_ms).is_kept(dossier))
}

/// When the trailer that one brought was seen elsewhere since: at another crossing, on its way out,
/// or with its tractor, which came again.
struct SeenElsewhere<'a> {
    /// The times, the earliest first, each with when the first of the records until then was
    /// written.
    times: Vec<(i64, (i64, &'a str))>,
}

impl<'a> SeenElsewhere<'a> {
    /// Of the passages of one trailer, the earliest first.
    fn of(group: &[HookedTractor<'a>], giver: &HookedTractor<'a>) -> Self {
        let left_ms = giver.left_ms();
        let since = group.iter().filter(|other| other.came_ms > giver.came_ms);
        let away = since.filter(|other| {
            let came_again =
                || other.is_tractor_of(giver) && left_ms.is_some_and(|ms| ms <= other.came_ms);
            !other.is_inbound
                || other.passage.crossing() != giver.passage.crossing()
                || came_again()
        });

        let mut first: Option<(i64, &'a str)> = None;
        let times = away.map(|other| {
            let written = other.written();
            let least = first.map_or(written, |first| first.min(written));
            first = Some(least);
            (other.came_ms, least)
        });
        Self {
            times: times.collect(),
        }
    }

    /// Whether that was before one came, by a record that was written before its own.
    fn is_before(&self, taker: &HookedTractor<'_>) -> bool {
        let before = self.times.partition_point(|(ms, _)| *ms < taker.came_ms);
        let last = before.checked_sub(1).and_then(|n| self.times.get(n));
        last.is_some_and(|(_, written)| *written < taker.written())
    }
}

/// By what it is borne out that a tractor took the trailer of another one.
fn proof(dossier: &Dossier, taker: &HookedTractor<'_>, giver: &HookedTractor<'_>) -> Option<Proof> {
    let mut same = taker
        .seals
        .iter()
        .filter(|(seal, _)| giver.seals_brought.contains(*seal));
    let is_found = same.clone().any(|(_, by)| are_two(by, &taker.told_by));
    // Customs linked the taker with an entry of the one that brought the trailer.
    let is_linked = || !taker.linked_by_customs.is_disjoint(&giver.declared);
    if is_found || is_linked() {
        return Some(Proof::Word);
    }

    // What is under other seals is another load, as far as a mass alone tells.
    let is_sealed = !taker.seals.is_empty() && !giver.seals_brought.is_empty();
    let is_another = is_sealed && same.next().is_none();
    let is_near = apart(taker.came_ms, giver.came_ms) <= dossier.near_ms();
    if is_another || !is_near || taker.was_laden_before {
        return None;
    }

    let is_shown = giver.is_shown_without || taker.was_shown_without;
    is_shown.then_some(Proof::Scale)
}

/// Whether attested scales showed a tractor with its load, and since without one, though nothing
/// was taken off it.
fn is_shown_without(dossier: &Dossier, giver: &Facts, attested: &[Fact<'_>]) -> bool {
    let until_ms = dossier.left_by_ms(giver);
    let in_time = || {
        attested
            .iter()
            .filter(move |w| w.known_from_ms() <= until_ms)
    };
    let laden = in_time().filter(|w| w.shows_a_load());
    let Some(laden_ms) = laden.map(|w| w.at_ms()).max() else {
        return false;
    };

    let is_light = in_time().any(|w| w.at_ms() > laden_ms && w.net_kg().is_some());
    is_light && giver.moved(dossier, &TAKEN_OFF).next().is_none()
}

/// Whether attested scales showed a tractor without a load first, and then with one, though nothing
/// was loaded on it.
fn was_shown_without(dossier: &Dossier, taker: &Facts, attested: &[Fact<'_>]) -> bool {
    let laden = attested.iter().filter(|w| w.shows_a_load());
    let Some(laden_ms) = laden.map(|w| w.at_ms()).min() else {
        return false;
    };

    let mut before = attested.iter().filter(|w| w.at_ms() < laden_ms);
    let is_light = before.any(|w| w.net_kg().is_some());
    is_light && taker.moved(dossier, &PUT_ON).next().is_none()
}

/// Whether a vehicle was weighed with a load before anybody told that it has the trailer: it
/// brought goods of its own.
fn was_laden_before(taker: &Facts, attested: &[Fact<'_>]) -> bool {
    let Some(told_ms) = taker.captured_ms("trailer.plate") else {
        return false;
    };

    let mut laden = attested.iter().filter(|w| w.shows_a_load());
    laden.any(|w| w.known_from_ms() < told_ms)
}

#[cfg(test)]
mod tests {
    use crate::{Dossier, Facts, HOUR_MS, tests::*};
    use serde_json::{Value as Json, json};

    const H: i64 = HOUR_MS;

    /// A tractor that left its trailer on the lot, or came for it.
    fn tractor(id: &str, hour: i64, mut fields: Json) -> Facts {
        fields["trailer.plate"] = "T-1".into();
        let events = [
            event("gate.in", hour * H, json!({})),
            event("parked", hour * H + 1, json!({"bay": "B1"})),
            event("gate.out", (hour + 1) * H, json!({})),
        ];
        let told = json!([{"entry": "t", "officer": "OF-7", "fields": ["trailer.plate"]}]);
        passage(id, fields, &events).with("put_by", told)
    }

    fn linked(record: &str, hour: i64, department: &str, officer: &str) -> Json {
        let mut link = event("link", hour * H, json!({"record": record}));
        link["department"] = department.into();
        link["officer"] = officer.into();
        link
    }

    /// Who took the trailer of `P1`, which the entry `E1` names.
    fn takers(takers: &[Facts], links: &[Json]) -> Vec<String> {
        let giver = tractor("P1", 0, json!({"vehicle.plate": "11A1"}));
        let goods = entry("E1", json!({"vehicle.plate": "11A1"}), links);
        let all: Dossier = dossier(goods, [&[giver], takers].concat(), 0);
        let (giver, others) = all.linked.split_first().expect("the giver");
        let took = others.iter().filter(|by| all.took_trailer(by, giver));
        took.map(|by| by.id.clone()).collect()
    }

    #[test]
    fn customs_bear_it_out_by_a_link_with_the_entry_of_the_first() {
        let second = [tractor("P2", 20, json!({"vehicle.plate": "22B2"}))];
        let with = |link: Json| takers(&second, &[link]);

        assert_eq!(with(linked("P2", 20, "CUS", "OF-C2")), ["P2"]);
        let none: [&str; 0] = [];
        assert_eq!(with(linked("P2", 20, "GAT", "OF-C2")), none, "not customs");
        assert_eq!(with(linked("P2", 20, "CUS", "of-7")), none, "one officer");
        assert_eq!(with(linked("P2", 30, "CUS", "OF-C2")), none, "it had gone");
        assert_eq!(with(linked("P9", 20, "CUS", "OF-C2")), none);
    }

    #[test]
    fn of_several_that_are_linked_the_first_took_it_by_all_of_its_records() {
        let of = |id: &str, hour: i64, plate: &str, vin: &str| {
            let fields = json!({"vehicle.plate": plate, "vehicle.vin": vin});
            tractor(id, hour, fields)
        };
        let links = ["P2", "P3", "P4", "P5"].map(|id| linked(id, 20, "CUS", "OF-C2"));
        let first = of("P2", 20, "22B2", "WDB1111111111111A");

        let by_vin = of("P3", 21, "33C3", "WDB1111111111111A");
        let by_both = of("P4", 22, "22B2", "WDB1111111111111A");
        let by_plate = of("P5", 23, "22B2", "WDB2222222222222B");
        let all = [first.clone(), by_vin, by_both, by_plate];
        assert_eq!(takers(&all, &links), ["P2", "P3", "P4"], "no mark of P3");

        let another = of("P3", 21, "33C3", "WDB3333333333333C");
        assert_eq!(takers(&[another, first], &links), ["P2"]);
    }
}
