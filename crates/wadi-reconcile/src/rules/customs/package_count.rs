//! R16: declared, unloaded and stored counts differ.

use crate::{
    Contradiction, Dossier, Fact, Facts, Rule,
    consignment::{Consignment, Load},
    numbers, sentences,
};
use serde_json::json;
use wadi_record::normalise_label;
use wadi_words::Sentence;

pub(crate) const RULE: Rule = Rule {
    code: "R16",
    name: "package_count",
    severity: 2,
    sentences: SENTENCES,
    judge,
};

/// Trucks that a sentence names; of more it says how many there are.
const TRUCKS_NAMED: usize = 3;

sentences! {
    Items = "R16-items" { entry: record, total: number, items: number }
    Unloaded = "R16-unloaded" { declared: number, unloaded: number, trucks: records }
    UnloadedFromMore = "R16-unloaded-from-more" {
        declared: number, unloaded: number, trucks: records, more: number,
    }
    UnloadedUnheard = "R16-unloaded-unheard" {
        declared: number, unloaded: number, truck: record, entry: record,
    }
    Reloaded = "R16-reloaded" { truck: record, unloaded: number, reloaded: number }
    Counted = "R16-counted" { hold: record, held: number, slot: name, counted: number }
    Stored = "R16-stored" { unloaded: number, source: record, stored: number, holds: records }
}

fn judge(dossier: &Dossier) -> Vec<Contradiction> {
    let anchor = &dossier.anchor;
    match anchor.kind() {
        "customs-entry" => declared(dossier),
        "passage" => reloaded(dossier).into_iter().collect(),
        "hold" => counted(anchor).into_iter().chain(stored(dossier)).collect(),
        _ => Vec::new(),
    }
}

/// The packages that were moved by events of a type; none where none was moved: who says of none
/// that they were unloaded unloaded nothing.
fn total(record: &Facts, kind: &str) -> Option<i64> {
    let all = record.events(kind);
    let all: Vec<i64> = all.filter_map(|e| e.packages_moved()).collect();
    (!all.is_empty()).then(|| numbers::total(all))
}

/// When packages were last moved by an event of a type, Unix milliseconds.
fn last_moved_ms(record: &Facts, kind: &str) -> Option<i64> {
    let all = record.events(kind);
    let moved = all.filter(|e| e.packages_moved().is_some());
    moved.map(|e| e.at_ms()).max()
}

/// Whether packages were moved by an event of one of these types.
fn has_moved(record: &Facts, kinds: &[&str]) -> bool {
    kinds.iter().any(|kind| total(record, kind).is_some())
}

fn declared(dossier: &Dossier) -> Vec<Contradiction> {
    let entry = &dossier.anchor;
    let items = entry.sum("goods", "packages");
    let mut out = Vec::new();
    if let (Some(total), Some(items)) = (entry.int("total_packages"), items)
        && total != items
    {
        let says = Says::Items {
            entry: entry.printed(),
            total,
            items,
        };

        let found = Contradiction::new(
            "items",
            entry.began_ms(),
            says,
            json!({"total": total, "items": items}),
        );
        out.push(found.citing(entry, entry.put_by(declares_packages)));
    }

    out.extend(unloaded(dossier));
    out
}

/// The packages that an entry declares.
fn declared_by(entry: &Facts) -> Option<i64> {
    let items = entry.sum("goods", "packages");
    entry.int("total_packages").or(items)
}

/// A passage that packages were unloaded from, with how many.
fn unloaded_from<'a>(load: &Load<'a>) -> Option<(&'a Facts, i64)> {
    let all = load.stations.iter().map(|station| station.passage);
    let unloaded = all.filter_map(|truck| Some((truck, total(truck, "unloaded")?)));
    // What was moved to another truck, and unloaded there, is the same load.
    unloaded.max_by_key(|(_, packages)| *packages)
}

/// What was declared against what was unloaded. More than was declared is wrong of all that came
/// together. What did not come off went on with the truck: it is looked for where one entry and one
/// load stand for each other, and what came off does not lie in stores.
fn unloaded(dossier: &Dossier) -> Option<Contradiction> {
    let entry = &dossier.anchor;
    let all = Consignment::of(dossier, |e| declared_by(e).is_some())?;
    let is_first = !all.entries.iter().any(|e| e.was_written_before(entry));
    // What is loaded again was taken off for an inspection.
    let stations = || all.loads.iter().flat_map(|load| &load.stations);
    let is_inspected = stations().any(|station| has_moved(station.passage, &["reloaded"]));

    let from: Vec<(&Facts, i64)> = all.loads.iter().filter_map(unloaded_from).collect();
    let (truck, _) = *from.first().filter(|_| is_first && !is_inspected)?;
    let unloaded = numbers::total(from.iter().map(|(_, packages)| *packages));
    let declared = numbers::total(all.entries.iter().filter_map(|e| declared_by(e)));
    let trucks: Vec<&Facts> = from.iter().map(|(truck, _)| *truck).collect();
    let last_ms = trucks.iter().filter_map(|t| last_moved_ms(t, "unloaded"));
    let at_ms = last_ms.max()?;

    let is_part = unloaded < declared;
    let is_alone = all.entries.len() == 1 && all.loads.len() == 1;
    if unloaded == declared || is_part && !is_alone {
        return None;
    }

    let due_ms = rest_due_ms(dossier, at_ms);
    let holds = holds_of(dossier, &trucks);
    if is_part && stored_by(&holds, due_ms) == Some(unloaded) {
        return None;
    }

    let is_gone = stations().any(|station| has_left(station.passage, at_ms));
    let is_unheard = is_part && !knows_holds(entry, &trucks, &holds);
    let through_ms = match is_part {
        // Whoever keeps the hold has as long again to name the entry, too.
        true if is_unheard => rest_due_ms(dossier, due_ms),
        // The rest may have been unloaded and not be heard of yet, or be unloaded next, and what
        // came off may be on its way to a store.
        true if !is_gone || !holds.is_empty() => due_ms,
        _ => at_ms,
    };

    let names: Vec<&str> = trucks.iter().map(|truck| truck.printed()).collect();
    let says = sentence(entry, [declared, unloaded], &names, is_unheard);
    let records = trucks.iter().chain(&all.entries);
    let found = Contradiction::new(
        format!("unloaded {}", truck.id),
        at_ms,
        says,
        json!({"declared": declared, "unloaded": unloaded}),
    )
    .until(records.chain(&holds).map(|of| of.crossing()), through_ms);

    let found = all.entries.iter().fold(found, |found, entry| {
        found.citing(entry, entry.put_by(declares_packages))
    });
    let found = trucks.iter().fold(found, |found, truck| {
        found.citing(truck, truck.said_by(&["unloaded"]))
    });
    Some(holds.iter().fold(found, |found, hold| {
        found.citing(hold, hold.said_by(&["store.in", "store.out"]))
    }))
}

/// The sentence of what was declared and what was unloaded, from these trucks. Where a hold may
/// name the truck alone it says that nothing was heard of one.
fn sentence(
    entry: &Facts,
    [declared, unloaded]: [i64; 2],
    names: &[&str],
    is_unheard: bool,
) -> Sentence {
    if is_unheard && let &[truck] = names {
        let says = Says::UnloadedUnheard {
            declared,
            unloaded,
            truck,
            entry: entry.printed(),
        };
        return says.into();
    }

    let (trucks, more) = names.split_at(names.len().min(TRUCKS_NAMED));
    let says = match more.len() {
        0 => Says::Unloaded {
            declared,
            unloaded,
            trucks,
        },
        more => Says::UnloadedFromMore {
            declared,
            unloaded,
            trucks,
            more: numbers::whole(more),
        },
    };
    says.into()
}

/// The holds on an entry or on the trucks of its goods.
fn holds_of<'a>(dossier: &'a Dossier, trucks: &[&Facts]) -> Vec<&'a Facts> {
    let is_of_goods = |hold: &&Facts| {
        let is_of_truck = trucks.iter().any(|truck| hold.is_linked_to(truck));
        is_of_truck || hold.is_linked_to(&dossier.anchor)
    };
    dossier.of("hold").filter(is_of_goods).collect()
}

/// Whether an entry's dossier has the holds of these trucks. A hold may name the truck alone: it is
/// known beside an entry that names the truck as well, and beside no other one.
fn knows_holds(entry: &Facts, trucks: &[&Facts], holds: &[&Facts]) -> bool {
    let own = entry.links();
    let are_named = trucks.iter().all(|truck| own.contains(&truck.id.as_str()));
    are_named || !holds.is_empty()
}

/// The packages that holds put into their stores, written down by a time; none where none did, or
/// where a movement was not counted in packages.
fn stored_by(holds: &[&Facts], known_ms: i64) -> Option<i64> {
    let is_known = |hold: &&&Facts| {
        let mut stored = hold.events("store.in");
        stored.any(|e| e.known_from_ms() <= known_ms)
    };
    let stored = holds.iter().filter(is_known);
    let stored = stored.map(|hold| lay_together(hold, 0));
    let stored: Vec<i64> = stored.collect::<Option<_>>()?;
    (!stored.is_empty()).then(|| numbers::total(stored))
}

/// Whether a field declares packages, of an item or in all.
fn declares_packages(name: &str) -> bool {
    name == "total_packages" || name.starts_with("goods.") && name.ends_with(".packages")
}

/// When the rest of what was begun has to be done, Unix milliseconds.
fn rest_due_ms(dossier: &Dossier, at_ms: i64) -> i64 {
    at_ms.saturating_add(numbers::hours_ms(dossier.policy.counterpart_h))
}

/// Whether a truck went out after it was worked on last: nothing more is moved on it or off it.
fn has_left(truck: &Facts, at_ms: i64) -> bool {
    truck
        .last_ms("gate.out")
        .is_some_and(|left_ms| left_ms >= at_ms)
}

fn reloaded(dossier: &Dossier) -> Option<Contradiction> {
    let truck = &dossier.anchor;
    let (unloaded, reloaded) = (total(truck, "unloaded")?, total(truck, "reloaded")?);
    let at_ms = last_moved_ms(truck, "reloaded")?;
    // Loading goes on until all is on the truck again.
    let may_go_on = reloaded < unloaded && !has_left(truck, at_ms);
    let through_ms = match may_go_on {
        true => rest_due_ms(dossier, at_ms),
        false => at_ms,
    };

    (unloaded != reloaded).then(|| {
        let says = Says::Reloaded {
            truck: truck.printed(),
            unloaded,
            reloaded,
        };

        Contradiction::new(
            "reloaded",
            at_ms,
            says,
            json!({"unloaded": unloaded, "reloaded": reloaded}),
        )
        .until([truck.crossing()], through_ms)
        .citing(truck, truck.said_by(&["unloaded", "reloaded"]))
    })
}

/// What was counted in a slot against what went in and out of it before.
fn counted(hold: &Facts) -> Option<Contradiction> {
    let counted = hold.events("store.counted").last()?;
    let slot_of = |e: &Fact<'_>| e.text("slot").map(normalise_label);
    let place = slot_of(&counted);
    let moved = |kind: &'static str| -> i64 {
        let here = hold
            .events(kind)
            .filter(|e| slot_of(e) == place && e.at_ms() <= counted.at_ms());
        numbers::total(here.filter_map(|e| e.int("packages")))
    };

    let (held, found) = (
        moved("store.in").saturating_sub(moved("store.out")),
        counted.int("packages")?,
    );

    (held != found).then(|| {
        let moves = hold.any(&["store.in", "store.out"]);
        let moves = moves.filter(|e| slot_of(e) == place && e.at_ms() <= counted.at_ms());
        let moved_by: Vec<&str> = moves.map(|e| e.entry()).chain([counted.entry()]).collect();
        let slot = counted.text("slot").unwrap_or_default();
        let says = Says::Counted {
            hold: hold.printed(),
            held,
            slot,
            counted: found,
        };

        Contradiction::new(
            format!("slot {}", place.as_deref().unwrap_or_default()),
            counted.at_ms(),
            says,
            json!({"held": held, "counted": found}),
        )
        .until([hold.crossing()], counted.at_ms())
        .citing(hold, moved_by)
    })
}

/// What was unloaded against what went into the stores: for a hold that tells its own unloading its
/// own, else of a truck the goods of all its holds. Of several holds the first carries the finding.
fn stored(dossier: &Dossier) -> Option<Contradiction> {
    let hold = &dossier.anchor;
    if !hold.has("store.in") {
        return None;
    }

    let (source, holds) = if has_moved(hold, &["unloaded"]) {
        (hold, vec![hold])
    } else {
        of_one_truck(dossier)?
    };

    let first = holds
        .iter()
        .all(|h| (hold.began_ms(), &hold.id) <= (h.began_ms(), &h.id));
    let unloaded = total(source, "unloaded").filter(|_| first)?;
    let doubt_ms = numbers::seconds_ms(dossier.policy.clock_doubt_s);
    let (mut least, mut most) = (0i64, 0i64);
    for h in &holds {
        least = least.saturating_add(lay_together(h, doubt_ms.saturating_neg())?);
        most = most.saturating_add(lay_together(h, doubt_ms)?);
    }

    let stored_ms = holds.iter().filter_map(|h| h.last_ms("store.in")).max()?;
    let unloaded_ms = last_moved_ms(source, "unloaded")?;

    // What was loaded again, or on another truck, need not have lain in a store.
    let went_on = [source]
        .iter()
        .chain(&holds)
        .any(|r| has_moved(r, &["reloaded", "transhipped"]));
    let (stored, through_ms) = if least > unloaded {
        (least, unloaded_ms.max(stored_ms))
    } else if most < unloaded && !went_on {
        // The rest may still be on its way to the store.
        let due_ms = unloaded_ms.saturating_add(numbers::hours_ms(dossier.policy.counterpart_h));
        (most, due_ms.max(stored_ms))
    } else {
        return None;
    };

    let names: Vec<&str> = holds.iter().map(|h| h.printed()).collect();
    let crossings = holds
        .iter()
        .map(|h| h.crossing())
        .chain([source.crossing()]);
    let found = Contradiction::new(
        format!("stored {}", source.id),
        unloaded_ms.max(stored_ms),
        Says::Stored {
            unloaded,
            source: source.printed(),
            stored,
            holds: &names,
        },
        json!({"unloaded": unloaded, "stored": stored, "holds": names}),
    );

    let found = found
        .until(crossings, through_ms)
        .citing(source, source.said_by(&["unloaded"]));
    Some(holds.iter().fold(found, |found, stored| {
        found.citing(stored, stored.said_by(&["store.in", "store.out"]))
    }))
}

/// The truck of a hold, and all holds that stored goods of it; nothing where other trucks' goods
/// may be among them.
fn of_one_truck(dossier: &Dossier) -> Option<(&Facts, Vec<&Facts>)> {
    let hold = &dossier.anchor;
    let own = hold.links();
    let mut trucks = dossier
        .of("passage")
        .filter(|p| own.contains(&p.id.as_str()));
    let (truck, None) = (trucks.next()?, trucks.next()) else {
        return None;
    };

    let on_it = |h: &&Facts| h.links().contains(&truck.id.as_str()) && h.has("store.in");
    let mut holds: Vec<&Facts> = dossier.of("hold").filter(on_it).chain([hold]).collect();
    holds.sort_by_key(|h| h.id.clone());

    let no_truck = |id: &str| dossier.linked.iter().any(|r| r.id == id && !r.is_passage());
    for h in &holds {
        // A hold of the truck that tells its own unloading leaves open what of it the truck's count
        // takes in.
        if has_moved(h, &["unloaded"])
            || h.links()
                .into_iter()
                .any(|id| id != truck.id && !no_truck(id))
        {
            return None;
        }
    }

    Some((truck, holds))
}

/// The most packages that lay in a hold's stores at one time, with what was taken out moved by a
/// time; nothing where a movement was not counted in packages. From one slot to another the same
/// packages go out and in at about one time.
fn lay_together(hold: &Facts, out_by_ms: i64) -> Option<i64> {
    let came = hold
        .events("store.in")
        .map(|e| Some((e.at_ms(), e.int("packages")?)));
    let went = hold.events("store.out").map(|e| {
        let packages = e.int("packages")?;
        Some((
            e.at_ms().saturating_add(out_by_ms),
            packages.saturating_neg(),
        ))
    });

    let mut moves = came.chain(went).collect::<Option<Vec<(i64, i64)>>>()?;
    moves.sort_unstable();
    let (mut held, mut most) = (0i64, 0i64);
    for (_, packages) in moves {
        held = held.saturating_add(packages);
        most = most.max(held);
    }

    Some(most)
}

#[cfg(test)]
mod tests;
