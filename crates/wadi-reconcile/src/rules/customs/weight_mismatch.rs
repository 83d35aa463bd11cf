//! R03: declared against weighed mass beyond tolerance; weighings that spread; mass changed after
//! the assessment.

mod containers;
mod load_steps;

use crate::{
    Contradiction, Dossier, Fact, Facts, Rule,
    consignment::{Consignment, Load, PUT_ON, TAKEN_OFF},
    numbers::{apart, hours_ms, total, whole},
    sentences,
    stood::stood_beside,
    stored::StoreRide,
};
use containers::{containers_weighed, without_containers};
use load_steps::{MOVED, MovesTold, WhenWritten, WrittenUntil, is_unexplained, steps};
use serde_json::json;
use wadi_record::says_nothing;

pub(crate) const RULE: Rule = Rule {
    code: "R03",
    name: "weight_mismatch",
    severity: 1,
    sentences: SENTENCES,
    judge,
};

/// What an empty truck with its trailer weighs at most, kilograms.
const EMPTY_TRUCK_KG: i64 = 20_000;
/// What a trailer for goods weighs at least, kilograms.
const TRAILER_KG: i64 = 3_000;

sentences! {
    Declared = "R03-declared" { declared: number, weighed: number, trucks: records }
    DeclaredItself = "R03-declared-itself" { declared: number, weighed: number, entry: record }
    Spread = "R03-spread" { record: record, times: number, least: number, most: number }
    SpreadOf = "R03-spread-of" {
        record: record, what: code, times: number, least: number, most: number,
    }
    AfterAssessment = "R03-after-assessment" { fields: fields, entry: record }
}

fn judge(dossier: &Dossier) -> Vec<Contradiction> {
    let anchor = &dossier.anchor;
    match anchor.kind() {
        "passage" => spread(dossier, anchor).into_iter().collect(),
        "customs-entry" => declared(dossier)
            .into_iter()
            .chain(weighed_itself(dossier))
            .chain(spread(dossier, anchor))
            .chain(changed_after(anchor))
            .collect(),
        _ => Vec::new(),
    }
}

fn beyond(a: i64, b: i64, permille: u32) -> bool {
    apart(a, b).saturating_mul(1_000) > a.max(b).saturating_mul(i64::from(permille))
}

/// What was declared against what was weighed: all entries of one consignment with its loads. What
/// nobody weighed, or is empty, adds nothing, and hides nothing that was weighed on another truck.
fn declared(dossier: &Dossier) -> Option<Contradiction> {
    let anchor = &dossier.anchor;
    let permille = dossier.policy.weight_permille;
    let mut all = Consignment::of(dossier, |e| e.sum("goods", "gross_g").is_some())?;

    // Of several entries on one truck the first carries the finding.
    if all.entries.iter().any(|e| e.was_written_before(anchor)) {
        return None;
    }

    let grams = all.entries.iter().filter_map(|e| e.sum("goods", "gross_g"));
    let declared_kg = total(grams) / 1_000;
    let weighed = all.loads.iter().map(|load| LoadMass::of(dossier, load));
    let weighed: Vec<LoadMass<'_>> = weighed.collect();

    let most = most_at_once(&all, &weighed);
    all.containers = containers_weighed(&all, &most, permille);
    let goods_kg = without_containers(kg_of(&most), all.containers.len(), most.len());
    if goods_kg > declared_kg && beyond(declared_kg, goods_kg, permille) {
        return Some(told(dossier, &all, declared_kg, &most));
    }

    // The truck that nobody weighed may have carried the rest.
    let kept = not_riding(&all, &weighed, StoreRide::Collected);
    let least = kept.map(|load| load.least);
    let least: Vec<WeighedMass<'_>> = least.collect::<Option<_>>()?;
    let least_kg = kg_of(&least);
    let is_less = least_kg < declared_kg && beyond(declared_kg, least_kg, permille);
    is_less.then(|| told(dossier, &all, declared_kg, &least))
}

/// The loads that have not this to do with goods that lay in a store.
fn not_riding<'s, 'a>(
    all: &'s Consignment<'a>,
    weighed: &'s [LoadMass<'a>],
    ride: StoreRide,
) -> impl Iterator<Item = &'s LoadMass<'a>> {
    let loads = all.loads.iter().zip(weighed);
    let kept = loads.filter(move |(load, _)| load.store_ride != Some(ride));
    kept.map(|(_, mass)| mass)
}

/// The most that was weighed. What lay in a store was on the truck that brought it and on the one
/// that collected it: it is one mass, the greater of the two.
fn most_at_once<'a>(all: &Consignment<'a>, weighed: &[LoadMass<'a>]) -> Vec<WeighedMass<'a>> {
    let without = |ride| not_riding(all, weighed, ride).filter_map(|load| load.most);
    let brought: Vec<WeighedMass<'a>> = without(StoreRide::Collected).collect();
    let collected: Vec<WeighedMass<'a>> = without(StoreRide::Brought).collect();

    match kg_of(&collected) > kg_of(&brought) {
        true => collected,
        false => brought,
    }
}

/// What one passage of a load weighed net.
#[derive(Clone, Copy)]
struct WeighedMass<'a> {
    truck: &'a Facts,
    net: NetMass<'a>,
}

fn kg_of(masses: &[WeighedMass<'_>]) -> i64 {
    total(masses.iter().map(|mass| mass.net.kg))
}

/// What a load weighed on its way: one load, at whatever stations.
#[derive(Default)]
struct LoadMass<'a> {
    /// The most that a station weighed; none where none did.
    most: Option<WeighedMass<'a>>,
    /// The least, as long as nothing had come off.
    least: Option<WeighedMass<'a>>,
}

impl<'a> LoadMass<'a> {
    fn of(dossier: &Dossier, load: &Load<'a>) -> Self {
        let mut out = Self::default();
        let mut is_part = false;
        for station in &load.stations {
            let truck = station.passage;
            let taken_off: Vec<Fact<'a>> = truck.moved(dossier, &TAKEN_OFF).collect();
            let packages = |all: &[Fact<'_>]| total(all.iter().filter_map(Fact::packages_moved));
            let put_on: Vec<Fact<'a>> = truck.moved(dossier, &PUT_ON).collect();
            let goes_on_whole = packages(&put_on) >= packages(&taken_off);

            let unloaded = taken_off.iter().map(WhenWritten::of).collect();
            let unloaded = MovesTold::from_latest(unloaded);
            let is_full = |w: &Fact<'_>| unloaded.are_after(dossier, &WhenWritten::of(w));
            let before = latest_net(dossier, truck, is_full).filter(|_| !taken_off.is_empty());
            let latest = latest_net(dossier, truck, |_| true);
            let mass = |net: NetMass<'a>| WeighedMass { truck, net };

            let both = [before, latest].into_iter().flatten().map(mass);
            out.most = out
                .most
                .into_iter()
                .chain(both)
                .max_by_key(|mass| mass.net.kg);
            let full = if goes_on_whole { latest } else { before };
            let full = full.filter(|_| !is_part).map(mass);
            out.least = out
                .least
                .into_iter()
                .chain(full)
                .min_by_key(|mass| mass.net.kg);
            is_part |= !goes_on_whole;
        }

        out
    }
}

/// The finding, of the weighings that it rests on.
fn told(
    dossier: &Dossier,
    all: &Consignment<'_>,
    declared_kg: i64,
    masses: &[WeighedMass<'_>],
) -> Contradiction {
    let net_kg = kg_of(masses);
    let trucks: Vec<&str> = masses.iter().map(|mass| mass.truck.printed()).collect();
    let weighings: Vec<&str> = masses.iter().flat_map(|mass| mass.net.entries()).collect();
    let times = masses.iter().map(|mass| mass.net.at_ms());
    let at_ms = times.max().unwrap_or_default();

    let mut evidence = json!({
        "declared_kg": declared_kg,
        "weighed_kg": net_kg,
        "weighings": weighings,
    });
    if !all.containers.is_empty() {
        evidence["containers"] = json!(all.containers);
    }

    let says = Says::Declared {
        declared: declared_kg,
        weighed: net_kg,
        trucks: &trucks,
    };
    let trucks_at = masses.iter().map(|mass| mass.truck.crossing());
    let entries_at = all.entries.iter().map(|e| e.crossing());
    let found = Contradiction::new("declared", at_ms, says, evidence)
        // A second weighing, or an amended declaration, may still be on its way.
        .until(
            trucks_at.chain(entries_at),
            due_ms(dossier, all, declared_kg, masses).max(at_ms),
        );

    let found = all.entries.iter().fold(found, |found, entry| {
        let linked = all.loads.iter().flat_map(|load| &load.stations);
        let links = linked.filter_map(|station| entry.first_naming(station.passage));
        let links: Vec<&str> = links.map(|link| link.entry()).collect();
        found
            .citing(entry, entry.put_by(declares_mass))
            .citing(entry, links)
    });
    masses.iter().fold(found, |found, mass| {
        let entries = all.entries.iter();
        let links = entries.filter_map(|entry| mass.truck.first_naming(entry));
        let links: Vec<&str> = links.map(|link| link.entry()).collect();
        found
            .citing(mass.truck, mass.net.entries())
            .citing(mass.truck, links)
    })
}

/// Whether a field declares a mass that a scale can show.
fn declares_mass(name: &str) -> bool {
    name.starts_with("goods.") && name.ends_with(".gross_g")
}

/// Through which time something may still come that explains it, Unix milliseconds: the next truck
/// with the rest of the goods, the truck whose weighing customs disputed, on its way back to a
/// scale, or the own entry of a truck that has none.
fn due_ms(
    dossier: &Dossier,
    all: &Consignment<'_>,
    declared_kg: i64,
    masses: &[WeighedMass<'_>],
) -> i64 {
    let counterpart_ms = hours_ms(dossier.policy.counterpart_h);
    let lets_go = ["entry.released", "entry.exited"];
    let is_let_go = |e: &&Facts| e.any(&lets_go).next().is_some();
    let is_less = kg_of(masses) < declared_kg;
    let is_disputed = |mass: &WeighedMass<'_>| mass.truck.is_disputed(&mass.net.weighing);
    let may_change = is_less || masses.iter().any(is_disputed);
    // Of several entries one may have been made, and let go, long before its truck comes.
    let is_in_advance = is_less && all.entries.len() > 1;
    let is_open = may_change && !all.entries.iter().all(is_let_go);
    let rest_ms = match is_in_advance {
        true => dossier.near_ms(),
        false => counterpart_ms,
    };

    let weighed_ms = masses.iter().map(|mass| mass.net.at_ms()).max();
    let weighed_ms = weighed_ms.filter(|_| is_in_advance || is_open);
    let weighed_ms = weighed_ms.map(|ms| ms.saturating_add(rest_ms));

    let own = all.loads.iter();
    let own = own.filter(|load| load.waits_for_entry && !is_less);
    let own_ms = own.map(|load| {
        let is_diverted = load.stations.iter().any(|s| s.passage.has("diverted"));
        let on_its_way_ms = hours_ms(dossier.policy.diversion_h);
        let more_ms = if is_diverted { on_its_way_ms } else { 0 };
        let due_ms = load.came_ms().saturating_add(counterpart_ms);
        due_ms.saturating_add(more_ms)
    });

    let ended = all.entries.iter().map(|e| e.ended_ms());
    ended.chain(own_ms).chain(weighed_ms).max().unwrap_or(0)
}

/// A net mass, and the weighings that show it.
#[derive(Clone, Copy)]
struct NetMass<'a> {
    weighing: Fact<'a>,
    /// The one of the empty truck, where the laden one told a gross alone.
    tare: Option<Fact<'a>>,
    kg: i64,
}

impl<'a> NetMass<'a> {
    /// What a weighing shows, by itself or beside that of the empty truck.
    fn of(weighing: Fact<'a>, empty: Option<Fact<'a>>, permille: u32) -> Option<Self> {
        let (tare, kg) = match weighing.net_kg() {
            Some(kg) => (None, kg),
            None => {
                let tare = empty.filter(|empty| is_beside(&weighing, empty, permille))?;
                let kg = weighing
                    .int("gross_kg")?
                    .saturating_sub(tare.int("gross_kg")?);
                (Some(tare), kg)
            }
        };

        Some(Self { weighing, tare, kg })
    }

    /// The attested weighing of the record by which so much was known first. Who types something
    /// after that one, and has the truck weighed again, has seen what its scale showed.
    fn shown_first(&self, weighed: &'a Facts, permille: u32) -> Fact<'a> {
        let own_kg = self.weighing.int("gross_kg");
        let is_as_much = |w: &Fact<'a>| {
            let grosses = w.int("gross_kg").zip(own_kg);
            let nets = w.net_kg().map(|net| (net, self.kg));
            let both = grosses.or(nets);
            both.is_some_and(|(kg, own)| kg >= own || !beyond(kg, own, permille))
        };

        let attested = weighed.weighings().filter(Fact::attested);
        let first = attested.filter(is_as_much).min_by_key(|w| w.entered_ms());
        first.unwrap_or(self.weighing)
    }

    /// When it was known, Unix milliseconds.
    fn at_ms(&self) -> i64 {
        let tare_ms = self.tare.map_or(i64::MIN, |tare| tare.at_ms());
        self.weighing.at_ms().max(tare_ms)
    }

    fn entries(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let tare = self.tare.map(|tare| tare.entry());
        std::iter::once(self.weighing.entry()).chain(tare)
    }
}

/// Of some attested weighings of a record the latest of its load, with the net mass; where all call
/// it empty, the latest of these. The empty truck may be weighed before or after.
fn latest_net<'a>(
    dossier: &Dossier,
    weighed: &'a Facts,
    is_meant: impl Fn(&Fact<'a>) -> bool,
) -> Option<NetMass<'a>> {
    let permille = dossier.policy.weight_permille;
    let attested: Vec<Fact<'a>> = weighed.weighings().filter(Fact::attested).collect();
    let empty = empty_weighing(dossier, weighed, &attested);
    let all = attested.into_iter().filter(is_meant);
    let all: Vec<NetMass<'a>> = all
        .filter_map(|w| NetMass::of(w, empty, permille))
        .collect();

    let mut laden = all.iter().rev();
    let laden = laden.find(|net| !says_empty(&net.weighing, permille));
    laden.or(all.last()).copied()
}

/// The entry against the latest attested weighing that stands on it, and on no truck.
fn weighed_itself(dossier: &Dossier) -> Option<Contradiction> {
    let entry = &dossier.anchor;
    let declared_kg = entry.sum("goods", "gross_g")? / 1_000;
    let permille = dossier.policy.weight_permille;
    let found = latest_net(dossier, entry, |_| true)?;
    let net = found.kg;
    let weighing = found.shown_first(entry, permille);
    let containers = entry.containers_known().into_values();
    let containers = containers.filter(|since_ms| stood_beside(*since_ms, &weighing));
    let goods_kg = without_containers(net, containers.count(), 1);
    // A container on the scale explains that more was weighed, and never less.
    let nearest_kg = declared_kg.clamp(goods_kg.min(net), net);

    beyond(declared_kg, nearest_kg, permille).then(|| {
        let at_ms = found.at_ms();
        let weighings: Vec<&str> = found.entries().collect();
        Contradiction::new(
            "declared itself",
            at_ms,
            Says::DeclaredItself {
                declared: declared_kg,
                weighed: net,
                entry: entry.printed(),
            },
            json!({
                "declared_kg": declared_kg,
                "weighed_kg": net,
                "weighings": weighings,
            }),
        )
        .until([entry.crossing()], at_ms.max(entry.ended_ms()))
        .citing(entry, entry.put_by(declares_mass).chain(found.entries()))
    })
}

/// Whether a weighing itself calls the truck empty: it weighed no more than its tare.
fn says_empty(weighed: &Fact<'_>, permille: u32) -> bool {
    let gross = weighed.int("gross_kg");
    match (gross, weighed.int("tare_kg"), weighed.int("net_kg")) {
        (Some(gross), Some(tare), _) => !beyond(tare, gross, permille),
        (Some(gross), None, Some(net)) => !beyond(gross.saturating_sub(net), gross, permille),
        (None, _, Some(net)) => net <= 0,
        _ => false,
    }
}

/// What a weighing tells that has a gross alone, kilograms.
fn gross_alone(weighed: &Fact<'_>) -> Option<i64> {
    let is_alone = weighed.int("tare_kg").or(weighed.int("net_kg")).is_none();
    weighed.int("gross_kg").filter(|_| is_alone)
}

/// The lightest of the weighings that may be of the empty truck: tankers and bulk are weighed when
/// they come and when they leave, and each time the scale tells a gross. Where packages were moved
/// on a truck nobody can tell whether it was empty before or after; what is said of that once the
/// last weighing was written tells nothing.
fn empty_weighing<'a>(dossier: &Dossier, weighed: &Facts, all: &[Fact<'a>]) -> Option<Fact<'a>> {
    let last = all.iter().max_by_key(|w| w.entered_ms())?;
    let until = WrittenUntil::of(dossier, &WhenWritten::of(last));
    let mut moved = weighed.moved(dossier, &MOVED);
    if moved.any(|e| until.covers(&WhenWritten::of(&e))) {
        return None;
    }

    let permille = dossier.policy.weight_permille;
    let may_be_empty = |w: &&Fact<'_>| {
        let is_light = w
            .int("gross_kg")
            .is_some_and(|kg| (1..=EMPTY_TRUCK_KG).contains(&kg));
        is_light && (gross_alone(w).is_some() || says_empty(w, permille))
    };
    let empty = all.iter().filter(may_be_empty);
    empty.min_by_key(|w| w.int("gross_kg")).copied()
}

/// Whether a weighing tells a gross alone, of the truck of which the other one is the tare.
fn is_beside(laden: &Fact<'_>, empty: &Fact<'_>, permille: u32) -> bool {
    let (Some(gross), Some(tare)) = (gross_alone(laden), empty.int("gross_kg")) else {
        return false;
    };
    gross > tare && beyond(gross, tare, permille)
}

/// Whether a weighing tells a gross alone, and another one is of the laden truck and tells that
/// mass as its tare, or tells a gross alone as well, beside which this one is the empty truck's: it
/// was weighed empty on its way in or out. What nobody attested does not explain away what somebody
/// did.
fn is_tare_of_another(
    weighed: &Fact<'_>,
    all: &[Fact<'_>],
    empty: Option<&Fact<'_>>,
    permille: u32,
) -> bool {
    let Some(gross) = gross_alone(weighed) else {
        return false;
    };
    let empty_kg = empty.and_then(|empty| empty.int("gross_kg"));
    let is_empty = empty_kg.is_some_and(|kg| !beyond(kg, gross, permille));

    all.iter().any(|other| {
        let weighs = other.attested() || !weighed.attested();
        let tare = other.int("tare_kg");
        let is_same = tare.is_some_and(|tare| !beyond(tare, gross, permille));
        let is_laden = is_same && !says_empty(other, permille);
        let is_pair = is_empty && is_beside(other, weighed, permille);
        weighs && (is_laden || is_pair)
    })
}

/// Whether a weighing is of a tractor without the trailer that it was told to have when it was let
/// go, and another one tells the tare of both: they are two vehicles on the scale. What nobody
/// attested does not explain away what somebody did.
fn is_tractor_alone(record: &Facts, weighed: &Fact<'_>, all: &[Fact<'_>], permille: u32) -> bool {
    let trailer = record.field_when_let_go("trailer.plate");
    let has_trailer = trailer.is_some_and(|plate| !says_nothing(plate));
    let is_empty = says_empty(weighed, permille) || gross_alone(weighed).is_some();
    let own_kg = weighed.int("gross_kg").filter(|_| has_trailer && is_empty);
    let Some(own_kg) = own_kg else {
        return false;
    };

    all.iter().any(|other| {
        let weighs = other.attested() || !weighed.attested();
        let tare_kg = other.int("tare_kg").unwrap_or(0);
        let is_both = tare_kg.saturating_sub(own_kg) >= TRAILER_KG;
        weighs && is_both && !says_empty(other, permille)
    })
}

fn spread(dossier: &Dossier, weighed: &Facts) -> Option<Contradiction> {
    let permille = dossier.policy.weight_permille;
    let all: Vec<Fact<'_>> = weighed.weighings().collect();
    let empty = empty_weighing(dossier, weighed, &all);
    let is_tractor = |w: &Fact<'_>| is_tractor_alone(weighed, w, &all, permille);
    let is_laden = |w: &&Fact<'_>| {
        let is_tare = is_tare_of_another(w, &all, empty.as_ref(), permille);
        !is_tare && !says_empty(w, permille) && !is_tractor(w)
    };
    let laden: Vec<&Fact<'_>> = all.iter().filter(is_laden).collect();

    let gross = laden.iter().filter_map(|w| Some((**w, w.int("gross_kg")?)));
    let gross: Vec<(Fact<'_>, i64)> = gross.collect();
    let net = laden.iter().filter_map(|w| Some((**w, w.net_kg()?)));
    let net: Vec<(Fact<'_>, i64)> = net.collect();
    let tare = all.iter().filter(|w| !is_tractor(w));
    let tare = tare.filter_map(|w| Some((*w, w.int("tare_kg")?)));
    let tare: Vec<(Fact<'_>, i64)> = tare.collect();

    // A scale errs by what stands on it: net and tare may differ by what the gross may.
    let most_of = |masses: &[(Fact<'_>, i64)]| masses.iter().map(|(_, kg)| *kg).max();
    let greatest = most_of(&gross).or(most_of(&net)).or(most_of(&tare))?;
    let allowed = greatest
        .saturating_mul(i64::from(permille))
        .checked_div(1_000)?;

    let judged = [("gross", gross), ("net", net), ("tare", tare)];
    let (what, masses) = judged.into_iter().find(|(what, masses)| {
        let steps = steps(dossier, weighed, masses, *what == "tare");
        is_unexplained(dossier, &steps, allowed)
    })?;
    let masses: Vec<i64> = masses.into_iter().map(|(_, kg)| kg).collect();
    let (least, most) = (*masses.iter().min()?, *masses.iter().max()?);

    let (record, times) = (weighed.printed(), whole(masses.len()));
    let says = match what {
        "gross" => Says::Spread {
            record,
            times,
            least,
            most,
        },
        _ => Says::SpreadOf {
            record,
            what,
            times,
            least,
            most,
        },
    };

    let at_ms = weighed.last_ms("weighed").unwrap_or_default();
    let evidence = match what {
        "gross" => json!({"gross_kg": masses}),
        "net" => json!({"net_kg": masses}),
        _ => json!({"tare_kg": masses}),
    };

    let found = Contradiction::new("spread", at_ms, says, evidence);
    Some(found.citing(weighed, all.iter().map(|w| w.entry())))
}

fn changed_after(entry: &Facts) -> Option<Contradiction> {
    let all = entry.json["after_assessment"]
        .as_array()?
        .iter()
        .filter_map(|n| n.as_str());
    let mass: Vec<&str> = all.filter(|n| n.ends_with("_g")).collect();

    (!mass.is_empty()).then(|| {
        Contradiction::new(
            "after assessment",
            entry.last_ms("assessed").unwrap_or_default(),
            Says::AfterAssessment {
                fields: &mass,
                entry: entry.printed(),
            },
            json!({"fields": mass}),
        )
    })
}

#[cfg(test)]
mod journeys;
#[cfg(test)]
mod tests;
