//! R16: declared, unloaded and stored counts differ.

use crate::{Contradiction, Dossier, Fact, Facts, Rule, numbers, sentences};
use serde_json::json;
use wadi_record::normalise_label;

pub(crate) const RULE: Rule = Rule {
    code: "R16",
    name: "package_count",
    severity: 2,
    sentences: SENTENCES,
    judge,
};

sentences! {
    Items = "R16-items" { entry: record, total: number, items: number }
    Unloaded = "R16-unloaded" { declared: number, unloaded: number, truck: record }
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

fn total(record: &Facts, kind: &str) -> Option<i64> {
    let all: Vec<i64> = record
        .events(kind)
        .filter_map(|e| e.int("packages"))
        .collect();
    (!all.is_empty()).then(|| numbers::total(all))
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

    let Some(declared) = entry.int("total_packages").or(items) else {
        return out;
    };

    // Only where one entry and one truck stand for each other can the counts be compared.
    let alone = dossier.journey("passage").count() == 1
        && dossier.journey("customs-entry").next().is_none();
    for truck in dossier.journey("passage").filter(|_| alone) {
        // What is loaded again was taken off for an inspection.
        if let Some(unloaded) = total(truck, "unloaded")
            && !truck.has("reloaded")
            && unloaded != declared
        {
            let at_ms = truck.last_ms("unloaded").unwrap_or_default();
            let may_go_on = unloaded < declared && !has_left(truck, at_ms);
            let through_ms = match may_go_on {
                true => rest_due_ms(dossier, at_ms),
                false => at_ms,
            };
            out.push(
                Contradiction::new(
                    format!("unloaded {}", truck.id),
                    at_ms,
                    Says::Unloaded {
                        declared,
                        unloaded,
                        truck: truck.printed(),
                    },
                    json!({"declared": declared, "unloaded": unloaded}),
                )
                // The rest may have been unloaded and not be heard of yet, or be unloaded next.
                .until([truck.crossing(), entry.crossing()], through_ms)
                .citing(entry, entry.put_by(declares_packages))
                .citing(truck, truck.said_by(&["unloaded"])),
            );
        }
    }

    out
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
    let at_ms = truck.last_ms("reloaded").unwrap_or_default();
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

    let (source, holds) = if hold.has("unloaded") {
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
    let unloaded_ms = source.last_ms("unloaded")?;

    // What was loaded again, or on another truck, need not have lain in a store.
    let went_on = [source]
        .iter()
        .chain(&holds)
        .any(|r| r.any(&["reloaded", "transhipped"]).next().is_some());
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
        if h.has("unloaded")
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
mod tests {
    use super::*;
    use crate::{HOUR_MS, Phase, tests::*};

    #[test]
    fn packages_are_counted_three_times() {
        let declared = entry("E1", json!({"total_packages": 10}), &[]);
        let truck = |n| {
            vec![passage(
                "P1",
                json!({}),
                &[event("unloaded", 5, json!({"packages": n}))],
            )]
        };

        assert_eq!(
            phases("R16", &dossier(declared.clone(), truck(11), 4)),
            [Phase::Pending]
        );
        assert_eq!(
            phases("R16", &dossier(declared.clone(), truck(11), 5)),
            [Phase::Firm],
            "more than was declared is wrong at once"
        );
        assert_eq!(firm("R16", declared.clone(), truck(9)), [Phase::Firm]);
        assert_eq!(firm("R16", declared, truck(10)), []);

        let items = entry(
            "E1",
            json!({"total_packages": 10, "goods.1.packages": 4, "goods.2.packages": 5}),
            &[],
        );

        assert_eq!(firm("R16", items, vec![]), [Phase::Firm]);

        let slot = |n| {
            let events = [
                event("store.in", 1, json!({"slot": "A", "packages": 10})),
                event("store.counted", 2, json!({"slot": "A", "packages": n})),
            ];
            hold("H1", json!({}), &events)
        };

        assert_eq!(firm("R16", slot(8), vec![]), [Phase::Firm]);
        assert_eq!(firm("R16", slot(10), vec![]), []);
    }

    #[test]
    fn work_that_goes_on_has_a_day() {
        let due_ms = 6 + 24 * HOUR_MS;
        let packages = |kind, at_ms, n: i64| event(kind, at_ms, json!({"packages": n}));
        let left = || event("gate.out", 9, json!({}));

        let declared = || entry("E1", json!({"total_packages": 10}), &[]);
        let shift = |more: &[serde_json::Value]| {
            let events = [&[packages("unloaded", 6, 4)], more].concat();
            vec![passage("P1", json!({}), &events)]
        };
        let found =
            |more: &[serde_json::Value], ms| phases("R16", &dossier(declared(), shift(more), ms));
        assert_eq!(found(&[], due_ms - 1), [Phase::Pending]);
        assert_eq!(found(&[], due_ms), [Phase::Firm]);
        assert_eq!(found(&[left()], 9), [Phase::Firm], "nothing more comes off");

        let inspected = |again: i64, more: &[serde_json::Value]| {
            let moved = [packages("unloaded", 5, 10), packages("reloaded", 6, again)];
            passage("P1", json!({}), &[&moved, more].concat())
        };
        let found = |again, more: &[serde_json::Value], ms| {
            phases("R16", &dossier(inspected(again, more), vec![], ms))
        };
        assert_eq!(found(6, &[], due_ms - 1), [Phase::Pending]);
        assert_eq!(found(6, &[], due_ms), [Phase::Firm]);
        assert_eq!(found(6, &[left()], 9), [Phase::Firm]);
        assert_eq!(found(11, &[], 6), [Phase::Firm], "more than came off");
        assert_eq!(found(10, &[], due_ms), []);
    }

    #[test]
    fn a_slot_is_one_however_it_is_written() {
        let found = |put: &str, counted: &str, n: i64| {
            let events = [
                event("store.in", 1, json!({"slot": put, "packages": 10})),
                event("store.counted", 2, json!({"slot": counted, "packages": n})),
            ];
            firm("R16", hold("H1", json!({}), &events), vec![])
        };
        assert_eq!(found("A-1", "a-1", 10), []);
        assert_eq!(found("ع-١", "ع-1", 10), []);
        assert_eq!(found("A-1", "a-1", 9), [Phase::Firm]);
        assert_eq!(found("A-1", "A-2", 10), [Phase::Firm], "another slot");
    }

    fn link(to: &str) -> serde_json::Value {
        event("link", 0, json!({"record": to}))
    }

    fn lorry(id: &str, packages: i64, more: &[serde_json::Value]) -> Facts {
        let mut events = vec![event("unloaded", 5, json!({"packages": packages}))];
        events.extend_from_slice(more);
        passage(id, json!({}), &events)
    }

    /// A hold on a truck whose goods went into a slot.
    fn keeping(id: &str, truck: &str, packages: i64, more: &[serde_json::Value]) -> Facts {
        let mut events = vec![
            link(truck),
            event("store.in", 6, json!({"slot": "A", "packages": packages})),
        ];
        events.extend_from_slice(more);
        hold(id, json!({}), &events)
    }

    #[test]
    fn what_was_unloaded_is_what_was_stored() {
        let found = |packages, received_ms| {
            phases(
                "R16",
                &dossier(
                    keeping("H1", "P1", packages, &[]),
                    vec![lorry("P1", 10, &[])],
                    received_ms,
                ),
            )
        };

        assert_eq!(found(10, i64::MAX), []);
        // More than came off the truck is wrong at once; the rest of it has a day to reach the
        // store.
        assert_eq!(found(11, 5), [Phase::Pending]);
        assert_eq!(found(11, 6), [Phase::Firm]);
        assert_eq!(found(9, 5 + 24 * HOUR_MS - 1), [Phase::Pending]);
        assert_eq!(found(9, 5 + 24 * HOUR_MS), [Phase::Firm]);

        let other = keeping("H2", "P1", 4, &[]);
        assert_eq!(
            firm(
                "R16",
                keeping("H1", "P1", 6, &[]),
                vec![lorry("P1", 10, &[]), other.clone()]
            ),
            []
        );

        assert_eq!(
            firm(
                "R16",
                keeping("H1", "P1", 7, &[]),
                vec![lorry("P1", 10, &[]), other.clone()]
            ),
            [Phase::Firm]
        );

        let first = keeping("H1", "P1", 7, &[]);
        assert_eq!(
            firm("R16", other, vec![lorry("P1", 10, &[]), first]),
            [],
            "the first hold carries it"
        );

        let own = event("unloaded", 5, json!({"packages": 8}));
        assert_eq!(
            firm(
                "R16",
                keeping("H1", "P1", 8, &[own]),
                vec![lorry("P1", 10, &[])]
            ),
            [],
            "its own unloading"
        );
    }

    #[test]
    fn what_went_on_or_was_only_moved_is_not_missed() {
        let found = |more: &[serde_json::Value], on_truck: &[serde_json::Value]| {
            firm(
                "R16",
                keeping("H1", "P1", 10, more),
                vec![lorry("P1", 12, on_truck)],
            )
        };

        assert_eq!(found(&[], &[]), [Phase::Firm]);
        assert_eq!(
            found(&[], &[event("transhipped", 7, json!({"packages": 2}))]),
            []
        );

        let moved = |kind, at_ms| event(kind, at_ms, json!({"slot": "B", "packages": 10}));
        let enough = |more: &[serde_json::Value]| {
            firm(
                "R16",
                keeping("H1", "P1", 10, more),
                vec![lorry("P1", 10, &[])],
            )
        };

        assert_eq!(
            enough(&[moved("store.out", 60_000), moved("store.in", 60_001)]),
            []
        );
        assert_eq!(
            enough(&[moved("store.in", 60_000), moved("store.out", 60_001)]),
            [],
            "within the clocks' doubt"
        );

        assert_eq!(enough(&[moved("store.out", 7)]), [], "taken out at once");
        assert_eq!(enough(&[moved("store.in", 60_000)]), [Phase::Firm]);
        assert_eq!(
            enough(&[event("store.in", 7, json!({"slot": "B", "quantity": 3}))]),
            [],
            "not counted in packages"
        );

        let two = keeping("H1", "P1", 5, &[link("P2")]);
        let trucks = vec![lorry("P1", 10, &[]), lorry("P2", 10, &[])];
        assert_eq!(
            firm("R16", two.clone(), trucks),
            [],
            "which truck's are they?"
        );

        assert_eq!(
            firm("R16", two, vec![lorry("P1", 10, &[])]),
            [],
            "nobody knows what the other record is"
        );
    }

    #[test]
    fn whoever_declared_unloaded_and_stored_is_cited() {
        let declared = entry(
            "E1",
            json!({"total_packages": 10, "goods.1.packages": 9}),
            &[],
        );
        assert_eq!(
            cited("R16", declared, vec![lorry("P1", 11, &[])]),
            [
                side("E1", &["fields of E1"]),
                side("E1", &["fields of E1"]),
                side("P1", &["entry unloaded@5"]),
            ]
        );

        let again = event("reloaded", 9, json!({"packages": 12}));
        assert_eq!(
            cited("R16", lorry("P1", 10, &[again]), vec![]),
            [side("P1", &["entry unloaded@5", "entry reloaded@9"])]
        );

        let stored = keeping("H1", "P1", 11, &[]);
        assert_eq!(
            cited("R16", stored, vec![lorry("P1", 10, &[])]),
            [
                side("H1", &["entry store.in@6"]),
                side("P1", &["entry unloaded@5"]),
            ]
        );

        let counted = event("store.counted", 9, json!({"slot": "A", "packages": 3}));
        let counted = keeping("H1", "P9", 10, &[counted]);
        assert_eq!(
            cited("R16", counted, vec![]),
            [side("H1", &["entry store.in@6", "entry store.counted@9"])]
        );
    }
}
