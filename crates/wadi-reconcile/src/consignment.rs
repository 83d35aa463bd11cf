//! Which trucks carried which goods.
//!
//! Goods are one load however many stations weigh them: the truck that is sent on to another
//! crossing, the one that the goods were moved to, the exit of a transit, and the second record of
//! one arrival; so are those of a trailer that its tractor left and another one fetched. A truck
//! that comes again brings another load, and goods that lay in a store are known on the truck that
//! brought them and on the one that collected them. Each entry goes with the load that
//! carried it, and a load that is no entry's own goes with the entry nearest to it; so of a series
//! of any length each trip stands beside its own declaration, and a consignment of several trucks,
//! or one truck with the goods of several people, is added up.
//!
//! What is only announced, void or empty carries nothing, and what leaves the country carries
//! nothing of what came in, but for a transit.

mod pairing;

use crate::{
    Dossier, Fact, Facts,
    marks::KnownMarks,
    numbers::{apart, hours_ms},
    passages::WhenTold,
    stored::StoreRide,
};
use pairing::{follows, own_loads};
use std::collections::BTreeSet;

/// Events by which goods come off a truck.
pub(crate) const TAKEN_OFF: [&str; 2] = ["unloaded", "transhipped"];
/// Events by which they come on it.
pub(crate) const PUT_ON: [&str; 1] = ["reloaded"];

/// What is known of what a passage carries.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cargo {
    /// Goods.
    Goods,
    /// Nobody told, and no scale.
    Untold,
    /// Nothing, or people.
    Nothing,
}

impl Cargo {
    fn of(passage: &Facts) -> Self {
        let mut attested = passage.weighings().filter(Fact::attested);
        let told = passage.field_when_let_go("purpose");
        let is_told = matches!(told, Some("empty" | "passengers"));

        if passage.carries_goods() {
            Self::Goods
        } else if is_told || attested.any(|w| w.net_kg().is_some()) {
            Self::Nothing
        } else {
            Self::Untold
        }
    }
}

/// A passage at which a load may have been weighed.
pub(crate) struct Station<'a> {
    /// The passage.
    pub(crate) passage: &'a Facts,
    marks: KnownMarks,
    /// What it was known by when it was let go: what is captured later joins no loads.
    vehicles: BTreeSet<(&'static str, String)>,
    containers: BTreeSet<String>,
    came_ms: i64,
    left: Option<WhenTold>,
    /// Until when what is written of it counts as written before it left, Unix milliseconds.
    left_by_ms: i64,
    cargo: Cargo,
    /// Whether it goes out, and does not only leave open that it comes in.
    is_exit: bool,
    laden_from_ms: Option<i64>,
    diverted: Vec<Fact<'a>>,
    /// By which words packages went over to another vehicle.
    transhipped: Vec<Fact<'a>>,
}

impl<'a> Station<'a> {
    /// None where nobody saw it yet: what is only announced is no station.
    fn of(dossier: &Dossier, passage: &'a Facts) -> Option<Self> {
        let seen = passage.of_types(|t| t.proves_presence || t.name == "arrived");
        let came_ms = seen.map(|e| e.at_ms()).min()?;
        let transhipped = passage.events("transhipped");

        Some(Self {
            passage,
            marks: KnownMarks::of(passage),
            vehicles: passage.vehicles_told(),
            containers: passage.containers_told(),
            came_ms,
            left: passage.left(),
            left_by_ms: dossier.left_by_ms(passage),
            cargo: Cargo::of(passage),
            is_exit: !passage.is_inbound(),
            laden_from_ms: passage.laden_from_ms(),
            diverted: passage.events("diverted").collect(),
            transhipped: transhipped
                .filter(|e| e.packages_moved().is_some())
                .collect(),
        })
    }

    /// Whether a word was known before it had left: what is said once it is gone joins no loads.
    fn is_in_time(&self, said: &Fact<'_>) -> bool {
        said.known_from_ms() <= self.left_by_ms
    }

    /// Whether it was known before it had left that it belongs with an entry.
    fn is_linked(&self, entry: &Declared<'_>) -> bool {
        let is_named = entry.marks.named.contains(&self.passage.id)
            || self.marks.named.contains(&entry.facts.id);

        is_named && self.passage.was_linked_by(entry.facts, self.left_by_ms)
    }

    fn shares_container(&self, other: &Station<'_>) -> bool {
        !self.containers.is_disjoint(&other.containers)
    }

    fn shares_vehicle(&self, other: &Station<'_>) -> bool {
        !self.vehicles.is_disjoint(&other.vehicles)
    }

    /// Whether it carries the load of an earlier station.
    fn carries_on(&self, dossier: &Dossier, earlier: &Self) -> bool {
        let shares_container = self.shares_container(earlier);
        let is_same = shares_container || self.shares_vehicle(earlier);

        // A transit comes in at one crossing and goes out at another.
        let is_way_out = self.is_exit && !earlier.is_exit;
        if is_way_out && is_same && self.marks.shares_transit(&earlier.marks) {
            return true;
        }

        // Another tractor fetches what the first one left on the lot.
        if dossier.took_trailer(self.passage, earlier.passage) {
            return true;
        }

        // What had left, or was sent back, comes again with another load.
        let had_left = earlier.left.is_some_and(|left| left.at_ms < self.came_ms);
        if had_left || earlier.is_turned_back() {
            return false;
        }

        let is_here = is_same && self.is_recorded_twice(dossier, earlier);
        let is_sent_on = is_same && self.was_sent_on(dossier, earlier);
        is_here || is_sent_on || self.took_over(dossier, earlier, shares_container)
    }

    /// Whether it is the second record of one arrival: a camera and a clerk may begin one each. A
    /// scale that shows a load on both shows two loads.
    fn is_recorded_twice(&self, dossier: &Dossier, earlier: &Self) -> bool {
        let within_ms = hours_ms(dossier.policy.lookalike_h);
        let is_at_once = apart(self.came_ms, earlier.came_ms) < within_ms;
        let is_one_place = self.passage.crossing() == earlier.passage.crossing();
        let is_one_way = self.is_exit == earlier.is_exit;
        let is_weighed_once = self.laden_from_ms.is_none() || earlier.laden_from_ms.is_none();

        is_at_once && is_one_place && is_one_way && is_weighed_once
    }

    /// Whether it came from another crossing that had sent it on.
    fn was_sent_on(&self, dossier: &Dossier, earlier: &Self) -> bool {
        let on_its_way_ms = hours_ms(dossier.policy.diversion_h);
        let within_ms = dossier.near_ms().saturating_add(on_its_way_ms);
        let is_soon = apart(self.came_ms, earlier.came_ms) <= within_ms;
        let is_elsewhere = self.passage.crossing() != earlier.passage.crossing();

        is_soon && is_elsewhere && earlier.diverted.iter().any(|e| self.is_in_time(e))
    }

    /// Whether the goods of an earlier station were moved to it while it was there. What was laden
    /// before took over no whole load.
    fn took_over(&self, dossier: &Dossier, earlier: &Self, shares_container: bool) -> bool {
        let is_near = apart(self.came_ms, earlier.came_ms) <= dossier.near_ms();
        if !is_near || earlier.transhipped.is_empty() {
            return false;
        }

        let is_move = |e: &Fact<'_>| {
            e.packages_moved().is_some()
                && self.is_in_time(e)
                && self.came_ms <= e.at_ms()
                && self.laden_from_ms.is_none_or(|ms| ms >= e.at_ms())
        };
        let mut named = earlier.passage.transhipped_to(self.passage);
        named.any(|e| is_move(&e)) || shares_container && earlier.transhipped.iter().any(is_move)
    }

    fn is_turned_back(&self) -> bool {
        self.passage.state() == "TURNED_BACK"
    }
}

/// Goods that were carried at once, with the stations on their way, the earliest first.
pub(crate) struct Load<'a> {
    /// The stations; never none.
    pub(crate) stations: Vec<Station<'a>>,
    /// When it left the last of them.
    left: Option<WhenTold>,
    /// The same as late as other clocks may have it.
    left_by: Option<WhenTold>,
    /// The place of an entry that goes with it, and had been let go when it left.
    declared_by: Option<usize>,
    /// It is no entry's own as yet, and nobody said whose it is: its own may still come.
    pub(crate) waits_for_entry: bool,
    /// What it has to do with goods that lay in a store, and ride on two trucks.
    pub(crate) store_ride: Option<StoreRide>,
}

impl<'a> Load<'a> {
    fn of(station: Station<'a>) -> Self {
        Self {
            stations: vec![station],
            left: None,
            left_by: None,
            declared_by: None,
            waits_for_entry: false,
            store_ride: None,
        }
    }

    /// When it came to its first station, Unix milliseconds.
    pub(crate) fn came_ms(&self) -> i64 {
        let all = self.stations.iter().map(|s| s.came_ms);
        all.min().unwrap_or_default()
    }

    fn any(&self, is_so: impl Fn(&Station<'a>) -> bool) -> bool {
        self.stations.iter().any(is_so)
    }

    /// Whether it only goes out of the country.
    fn is_outbound(&self) -> bool {
        !self.any(|s| !s.is_exit)
    }

    /// Whether it brought nothing: what is empty, or was sent back.
    fn is_nothing(&self) -> bool {
        !self.any(|s| s.cargo != Cargo::Nothing && !s.is_turned_back())
    }

    /// Whether it brought goods into the country.
    fn brings_goods(&self) -> bool {
        let is_laden = self.any(|s| s.cargo == Cargo::Goods && !s.is_turned_back());
        is_laden && !self.is_outbound()
    }

    /// By what it is known to be of an entry, as far as the marks tell.
    fn tie(&self, entry: &Declared<'_>, is_far: bool) -> Option<Tie> {
        let of = |s: &Station<'_>| {
            let (own, theirs) = (&s.marks, &entry.marks);
            let shares_goods = own.shares_container(theirs) || own.shares_transit(theirs);
            let shares_vehicle = own.shares_vehicle(theirs);
            let is_near = !is_far && (shares_vehicle || own.shares_seal(theirs));
            match (shares_goods, shares_vehicle) {
                (true, true) => Some(Tie::GoodsAndVehicle),
                (true, false) => Some(Tie::Goods),
                _ if is_near => Some(Tie::Vehicle),
                _ => s.is_linked(entry).then_some(Tie::Word),
            }
        };
        self.stations.iter().filter_map(of).min()
    }
}

/// By what a load is known to be of an entry, the surest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Tie {
    /// A container or a transit reference, and the vehicle.
    GoodsAndVehicle,
    /// A container or a transit reference.
    Goods,
    /// The vehicle or a seal, and the time.
    Vehicle,
    /// A link that was said before it left.
    Word,
}

/// How well a load fits an entry: of several the least fits best.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Fit {
    is_nothing: bool,
    is_far: bool,
    tie: Tie,
    /// The two were never there at one time.
    is_apart: bool,
    is_outbound: bool,
    apart_ms: i64,
    from_beginning_ms: i64,
    came_ms: i64,
}

/// A customs entry that declares something.
struct Declared<'a> {
    facts: &'a Facts,
    marks: KnownMarks,
    began_ms: i64,
    written_ms: i64,
    released: Option<WhenTold>,
    /// Since when it is known to be cancelled, Unix milliseconds.
    cancelled_ms: Option<i64>,
}

impl<'a> Declared<'a> {
    fn of(entry: &'a Facts) -> Self {
        let released = entry.events("entry.released").min_by_key(|e| e.at_ms());
        Self {
            facts: entry,
            marks: KnownMarks::of(entry),
            began_ms: entry.began_ms(),
            written_ms: entry.written_ms(),
            released: released.map(|e| e.when_told()),
            cancelled_ms: entry.events("cancelled").map(|e| e.known_from_ms()).min(),
        }
    }

    /// Whether it was known to be cancelled before a load left: it declares nothing of that. What
    /// is cancelled when the load is gone declared it at the gate.
    fn was_cancelled_by(&self, left: Option<WhenTold>) -> bool {
        let is_by = |ms: i64| left.is_none_or(|left| ms <= left.known_ms);
        self.cancelled_ms.is_some_and(is_by)
    }

    /// Whether it was made and let go before a load left, by what is said and by what was written
    /// then. Of what is still there nobody can tell.
    fn was_let_go_by(&self, left: Option<WhenTold>) -> bool {
        let Some(left) = left else {
            return true;
        };
        let made = WhenTold {
            at_ms: self.began_ms,
            known_ms: self.written_ms,
        };

        let is_let_go = self.released.is_some_and(|released| released.is_by(left));
        made.is_by(left) && is_let_go && !self.was_cancelled_by(Some(left))
    }

    fn fit(&self, load: &Load<'_>, near_ms: i64) -> Option<Fit> {
        let came_ms = load.came_ms();
        let until_ms = self.released.map_or(i64::MIN, |released| released.at_ms);
        let before_ms = came_ms.saturating_sub(until_ms.max(self.began_ms)).max(0);
        let after_ms = load.left.map_or(0, |left| {
            let left_ms = left.at_ms.max(came_ms);
            self.began_ms.saturating_sub(left_ms).max(0)
        });
        let apart_ms = before_ms.max(after_ms);

        let is_near = load.any(|s| apart(s.came_ms, self.began_ms) <= near_ms);
        let is_there = apart_ms == 0 && load.any(|s| s.left.is_some());
        let is_far = !is_near && !is_there;
        let tie = load.tie(self, is_far)?;

        // What was long gone before somebody entered goods brought others in that container.
        let is_past = is_far && after_ms > 0 && tie != Tie::Word;
        // A truck that goes out empty brought nothing of them.
        let is_gone = load.is_nothing() && load.is_outbound();
        (!is_past && !is_gone).then(|| Fit {
            is_nothing: load.is_nothing(),
            is_far,
            tie,
            is_apart: apart_ms > 0,
            is_outbound: load.is_outbound(),
            apart_ms,
            from_beginning_ms: apart(came_ms, self.began_ms),
            came_ms,
        })
    }
}

/// Entries and loads that stand for each other.
pub(crate) struct Consignment<'a> {
    /// The entries, the anchor first.
    pub(crate) entries: Vec<&'a Facts>,
    /// The loads that carried what they declare.
    pub(crate) loads: Vec<Load<'a>>,
    /// Containers that both the entries and the trucks name.
    pub(crate) containers: BTreeSet<String>,
}

impl<'a> Consignment<'a> {
    /// What goes with the anchor, an entry, among the live ones that declare what is asked for;
    /// none where no load of it is known.
    pub(crate) fn of(dossier: &'a Dossier, declares: impl Fn(&Facts) -> bool) -> Option<Self> {
        let is_live = |e: &Facts| e.state() != "CANCELLED" && declares(e);
        if !is_live(&dossier.anchor) {
            return None;
        }

        let others = dossier.of("customs-entry").filter(|&e| is_live(e));
        let all = std::iter::once(&dossier.anchor).chain(others);
        let entries: Vec<Declared<'a>> = all.map(Declared::of).collect();
        let near_ms = dossier.near_ms();
        let mut loads = loads(dossier);

        let picked = own_loads(&entries, &mut loads, near_ms);
        let own = picked.first().copied().flatten()?;
        let left_by = loads.get(own)?.left_by;
        if entries.first()?.was_cancelled_by(left_by) {
            return None;
        }

        let of_own = entries.iter().zip(&picked);
        let of_own = of_own.filter(|(_, picked)| **picked == Some(own));
        let of_own = of_own.map(|(entry, _)| entry);
        let of_own = of_own.filter(|entry| !entry.was_cancelled_by(left_by));
        let of_own: Vec<&Declared<'a>> = of_own.collect();

        let mut taken = Vec::new();
        for n in 0..loads.len() {
            if n == own {
                taken.push((n, false));
            } else if !picked.contains(&Some(n))
                && let Some((entry, tie)) = follows(&entries, &loads, n, near_ms)
                && of_own.iter().any(|e| e.facts.id == entry.facts.id)
            {
                taken.push((n, tie != Tie::Word));
            }
        }

        Some(Self::gathered(&of_own, loads, &taken))
    }

    /// The loads of these places, each with whether its own entry may still come.
    fn gathered(entries: &[&Declared<'a>], loads: Vec<Load<'a>>, taken: &[(usize, bool)]) -> Self {
        let all = loads.into_iter().enumerate();
        let loads: Vec<Load<'a>> = all
            .filter_map(|(n, mut load)| {
                let (_, waits) = taken.iter().find(|(of, _)| *of == n)?;
                load.waits_for_entry = *waits;
                Some(load)
            })
            .collect();

        let stations = loads.iter().flat_map(|load| &load.stations);
        let carried: BTreeSet<&String> = stations.flat_map(|s| &s.containers).collect();
        let declared = entries.iter().flat_map(|e| &e.marks.containers);
        let containers = declared.filter(|c| carried.contains(c)).cloned().collect();

        Self {
            entries: entries.iter().map(|e| e.facts).collect(),
            loads,
            containers,
        }
    }
}

/// The loads that passages of a dossier carried, the earliest first.
fn loads(dossier: &Dossier) -> Vec<Load<'_>> {
    let passages = dossier.of("passage").filter(|p| p.state() != "VOID");
    let mut stations: Vec<Station<'_>> = passages
        .filter_map(|passage| Station::of(dossier, passage))
        .collect();
    stations.sort_by(|a, b| (a.came_ms, &a.passage.id).cmp(&(b.came_ms, &b.passage.id)));

    let mut loads: Vec<Load<'_>> = Vec::new();
    for station in stations {
        let is_of = |load: &Load<'_>| load.any(|earlier| station.carries_on(dossier, earlier));
        let of = loads.iter().position(is_of);
        match of.and_then(|n| loads.get_mut(n)) {
            Some(load) => load.stations.push(station),
            None => loads.push(Load::of(station)),
        }
    }

    let left: Vec<Option<WhenTold>> = loads
        .iter()
        .map(|load| {
            let last = load.stations.last().and_then(|s| s.left);
            last.or_else(|| came_again(&loads, load))
        })
        .collect();
    let rides = dossier.store_rides();
    for (load, left) in loads.iter_mut().zip(left) {
        load.left = left;
        load.left_by = left.map(|left| left.within_doubt(dossier));
        load.store_ride = rides.of_load(load.stations.iter().map(|s| s.passage));
    }

    loads
}

/// When the vehicle of a load came with the next one: by then it had left, though nobody wrote it.
fn came_again(loads: &[Load<'_>], load: &Load<'_>) -> Option<WhenTold> {
    let since_ms = load.stations.iter().map(|s| s.came_ms).max()?;
    let all = loads.iter().flat_map(|other| &other.stations);
    let next =
        all.filter(|next| next.came_ms > since_ms && load.any(|own| own.shares_vehicle(next)));

    let next = next.min_by(|a, b| (a.came_ms, &a.passage.id).cmp(&(b.came_ms, &b.passage.id)))?;
    Some(WhenTold {
        at_ms: next.came_ms,
        known_ms: next.passage.written_ms().max(next.came_ms),
    })
}
