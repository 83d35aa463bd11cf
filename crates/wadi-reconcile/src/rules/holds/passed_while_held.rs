//! R02: a truck left, or was turned back, while a hold on it, on the customs entry of what it
//! carries, or on the truck that its goods came from, was open; or one officer alone ended the
//! hold, and it went inland.

mod ended_alone;

use crate::{
    Contradiction, Dossier, Fact, Facts, Rule,
    held_spans::HeldSpan,
    let_out_alone::LetOutAlone,
    numbers::{apart, hours_ms},
    passages::BETWEEN_GATES_MS,
    sentences,
    stored::{InStore, in_store},
};
use ended_alone::{StandsFor, ended_alone};
use serde_json::json;
use std::cell::OnceCell;
use std::collections::BTreeSet;
use wadi_record::KnownBy;

pub(crate) const RULE: Rule = Rule {
    code: "R02",
    name: "passed_while_held",
    severity: 1,
    sentences: SENTENCES,
    judge,
};

sentences! {
    Left = "R02-left" { passage: record, hold: record }
    LeftWithGoods = "R02-left-with-goods" { passage: record, hold: record, goods: record }
    TurnedBack = "R02-turned-back" { passage: record, hold: record }
    TurnedBackWithGoods = "R02-turned-back-with-goods" {
        passage: record, hold: record, goods: record,
    }
    LeftByWord = "R02-left-by-word" { passage: record, hold: record }
    LeftByWordWithGoods = "R02-left-by-word-with-goods" {
        passage: record, hold: record, goods: record,
    }
    PlacedByWord = "R02-placed-by-word" { passage: record, hold: record }
    PlacedByWordWithGoods = "R02-placed-by-word-with-goods" {
        passage: record, hold: record, goods: record,
    }
    EndedByWord = "R02-released-by-word" { passage: record, hold: record }
    EndedByWordWithGoods = "R02-released-by-word-with-goods" {
        passage: record, hold: record, goods: record,
    }
    LetOutAlone = "R02-let-out-alone" { passage: record, hold: record, officer: officer }
    LetOutAloneWithGoods = "R02-let-out-alone-with-goods" {
        passage: record, hold: record, officer: officer, goods: record,
    }
    EndedAlone = "R02-ended-alone" {
        passage: record, hold: record, officer: officer, event: event,
    }
    EndedAloneWithGoods = "R02-ended-alone-with-goods" {
        passage: record, hold: record, officer: officer, event: event, goods: record,
    }
}

/// The event by which a vehicle leaves without a gate that lets it out.
const TURNED_BACK: &str = "turned_back";

fn judge(dossier: &Dossier) -> Vec<Contradiction> {
    let anchor = &dossier.anchor;
    let is_asked = anchor.is_passage() || anchor.is_customs_entry();
    if !is_asked || dossier.of("hold").next().is_none() {
        return Vec::new();
    }

    let own = anchor.known_by();
    let carriers = Carrier::all_of(dossier, &own);
    let let_out_by = dossier.let_out_alone(anchor);
    let mut all = Vec::new();
    for hold in dossier.of("hold") {
        let held = hold.known_by();
        if !own.is_named_by(&held) {
            continue;
        }

        let is_sought = own.is_sought_by(&held);
        let spans = hold.spans_on(anchor, is_sought);
        if anchor.is_passage() {
            let left = (anchor, let_out_by.as_ref());
            let found = Passed::of(dossier, left, (hold, &spans), None);
            all.extend(found.map(|found| found.told(anchor, hold, None)));
        }

        // A hold that names the truck, too, is told there.
        for carrier in carriers.iter().filter(|c| !c.known.is_named_by(&held)) {
            let truck = carrier.truck;
            let joined = carrier.joined_by.map(|link| {
                let all = hold.spans_on(anchor, is_sought).into_iter();
                all.map(|span| span.since(&link)).collect::<Vec<_>>()
            });
            let spans = joined.as_deref().unwrap_or(&spans);
            let left = (truck, carrier.let_out_by.as_ref());
            let found = Passed::of(dossier, left, (hold, spans), Some(anchor));
            all.extend(found.map(|found| found.told(truck, hold, Some(anchor))));
        }
    }

    all
}

/// A truck that the goods of the anchor are on, or went on to.
struct Carrier<'a> {
    truck: &'a Facts,
    known: &'a KnownBy,
    /// The link that alone says so: it carried them from then on.
    joined_by: Option<Fact<'a>>,
    /// Its exits by which one officer alone sent it back and let it out.
    let_out_by: Option<LetOutAlone<'a>>,
}

impl<'a> Carrier<'a> {
    fn all_of(dossier: &'a Dossier, own: &KnownBy) -> Vec<Self> {
        let trucks = match dossier.anchor.is_passage() {
            true => went_on(dossier, own),
            false => carrying(dossier, own),
        };
        let carrier = |(truck, known): (&'a Facts, &'a KnownBy)| Self {
            truck,
            known,
            joined_by: joined_by_word(dossier, own, (truck, known)),
            let_out_by: dossier.let_out_alone(truck),
        };
        trucks.into_iter().map(carrier).collect()
    }
}

/// The linked passages, each with what holds know it by.
fn passages(dossier: &Dossier) -> impl Iterator<Item = (&Facts, &KnownBy)> {
    dossier.known_beside().filter(|(r, _)| r.is_passage())
}

/// The trucks that carry what is entered: a hold on an entry holds them. The finding stands on the
/// entry, since a passage does not know the holds of its entries.
fn carrying<'a>(dossier: &'a Dossier, entry: &KnownBy) -> Vec<(&'a Facts, &'a KnownBy)> {
    let others = dossier.beside();
    let all: Vec<(&Facts, &KnownBy)> = passages(dossier)
        .filter(|(_, own)| own.carries_beside(entry, others, &dossier.policy))
        .collect();

    // What left before the entry began carried what was entered afterwards only where no other did,
    // and not after the time by which an entry has to be there.
    let late_ms = hours_ms(dossier.policy.counterpart_h);
    let is_there = all.iter().any(|(_, known)| !known.left_before(entry, 0));
    let allowed_ms = if is_there { 0 } else { late_ms };
    let links = dossier.anchor.links();
    let is_meant = |(truck, known): &(&Facts, &KnownBy)| {
        let is_linked = links.contains(&truck.id.as_str())
            || truck.links().contains(&dossier.anchor.id.as_str());
        is_linked || !known.left_before(entry, allowed_ms)
    };

    all.into_iter().filter(is_meant).collect()
}

/// The link that alone says that a truck carries what is entered: it carried it from then on.
fn joined_by_word<'a>(
    dossier: &'a Dossier,
    entry: &KnownBy,
    (truck, known): (&'a Facts, &KnownBy),
) -> Option<Fact<'a>> {
    let goods = &dossier.anchor;
    let shares = known.shares_load(entry, &[], &dossier.policy);
    let is_by_word = goods.is_customs_entry() && !shares;
    goods.first_link_with(truck).filter(|_| is_by_word)
}

/// The trucks that the goods of a passage went on to. A passage does not know the holds of another:
/// the finding stands on the first.
fn went_on<'a>(dossier: &'a Dossier, first: &KnownBy) -> Vec<(&'a Facts, &'a KnownBy)> {
    let others = dossier.beside();
    passages(dossier)
        .filter(|(_, known)| known.took_over_beside(first, others, &dossier.policy))
        .collect()
}

/// How a truck passed a placement: as all that was written tells, or by times that were said
/// afterwards. Whoever lets a held truck go would say so, too; a book of the gate that is entered
/// later looks the same, and an auditor lays it beside the finding.
#[derive(Clone, Copy)]
enum HowPassed<'a> {
    /// It left while the placement held.
    Left,
    /// It was sent back where it came from while the placement held.
    TurnedBack,
    /// It left while the placement held, and whoever let it out says alone that it was sent back.
    LetOutAlone { officer: &'a str },
    /// Its exit is said to lie before the placement, and was written down while that held.
    LeftByWord { entered_ms: i64 },
    /// It is said to have been placed before the exit, and was written down after it: who opened
    /// the gate could not know of it.
    PlacedByWord { entered_ms: i64 },
    /// What ended it is said to lie before the exit, and was written down after it.
    EndedByWord { entered_ms: i64 },
    /// One officer alone said that the goods are gone, and it went inland.
    EndedAlone { end: Fact<'a> },
}

impl HowPassed<'_> {
    /// What is told of several: the surest one.
    fn rank(&self) -> u8 {
        match self {
            Self::Left | Self::TurnedBack | Self::LetOutAlone { .. } => 0,
            Self::LeftByWord { .. } | Self::PlacedByWord { .. } | Self::EndedByWord { .. } => 1,
            Self::EndedAlone { .. } => 2,
        }
    }
}

/// An exit under a hold, and how many there are.
struct Passed<'a> {
    how: HowPassed<'a>,
    exit: Fact<'a>,
    placed_ms: i64,
    exits: usize,
    /// Until then something may be told that explains it, Unix milliseconds: all came off the truck
    /// before, and a store takes it in; or it was sent back, and what it brought is rejected, or
    /// goes over the border with it.
    waits_ms: Option<i64>,
}

impl<'a> Passed<'a> {
    /// How a truck passed a hold: every exit is held against every placement. Of several exits the
    /// first one is told, with their number.
    fn of(
        dossier: &'a Dossier,
        (truck, let_out_by): (&'a Facts, Option<&LetOutAlone<'a>>),
        (hold, spans): (&'a Facts, &[HeldSpan<'a>]),
        goods: Option<&'a Facts>,
    ) -> Option<Self> {
        let mut all: Vec<(HowPassed<'a>, Fact<'a>, i64)> = Vec::new();
        let cell = OnceCell::new();
        let stands_for = || cell.get_or_init(|| StandsFor::of(dossier, truck, [Some(hold), goods]));
        // Of goods that went over from another truck nothing was on this one before.
        let first = goods.filter(|goods| goods.is_passage());
        let over_ms = first.and_then(|first| first.over_since_ms(dossier, truck));
        let had_it = |exit: &Fact<'_>| over_ms.is_none_or(|over| exit.known_from_ms() >= over);

        let records: Vec<&Facts> = std::iter::once(truck).chain(first).collect();
        let lies = |exit: &Fact<'_>| in_store(dossier, &records, hold, exit);

        let exits = exits(dossier, truck, (hold, let_out_by.is_some()));
        for exit in exits.into_iter().filter(had_it) {
            let passed = spans.iter().filter_map(|span| {
                let alone = || {
                    // What is sent back does not go inland.
                    if exit.kind() == TURNED_BACK {
                        return None;
                    }
                    let end = ended_alone(dossier, span, exit, &stands_for)?;
                    Some(HowPassed::EndedAlone { end })
                };
                let how = by_times(span, &exit, let_out_by).or_else(alone)?;
                Some((how, exit, span.placed_ms))
            });
            // Most exits pass no hold: what lies in a store is asked for the others alone.
            let first = passed.min_by_key(|(how, _, placed_ms)| (how.rank(), *placed_ms));
            all.extend(first.filter(|(_, exit, _)| lies(exit) != InStore::All));
        }

        let exits = departures(truck, all.iter().map(|(_, exit, _)| exit.at_ms()).collect());
        let first = all
            .into_iter()
            .min_by_key(|(how, exit, placed_ms)| (how.rank(), exit.at_ms(), *placed_ms));
        let (how, exit, placed_ms) = first?;
        let waits_ms = match (lies(&exit), how) {
            (InStore::MayCome(due_ms), _) => Some(due_ms),
            (_, HowPassed::TurnedBack | HowPassed::LetOutAlone { .. }) => {
                Some(dossier.within_doubt(exit.known_from_ms()))
            }
            _ => None,
        };
        Some(Self {
            how,
            exit,
            placed_ms,
            exits,
            waits_ms,
        })
    }

    /// The finding, on the passage, or on the record of the goods that it carries.
    fn told(&self, truck: &Facts, hold: &Facts, goods: Option<&Facts>) -> Contradiction {
        let held = hold.printed();
        let (left_ms, placed_ms) = (self.exit.at_ms(), self.placed_ms);
        let mut evidence = json!({"hold": held, "placed_ms": placed_ms, "left_ms": left_ms});
        let mut through_ms = left_ms;
        match self.how {
            HowPassed::Left | HowPassed::TurnedBack => {}
            HowPassed::LetOutAlone { officer } => evidence["officer"] = officer.into(),
            HowPassed::LeftByWord { entered_ms }
            | HowPassed::PlacedByWord { entered_ms }
            | HowPassed::EndedByWord { entered_ms } => {
                evidence["entered_ms"] = entered_ms.into();
                through_ms = entered_ms;
            }
            HowPassed::EndedAlone { end } => {
                evidence["end"] = end.entry().into();
                evidence["officer"] = end.officer().into();
            }
        }

        // Who was excused for one exit was not for the next.
        if self.exits > 1 {
            evidence["exits"] = self.exits.into();
        }
        // On the record of the goods two vehicles are two cases.
        if goods.is_some() {
            evidence["passage"] = truck.printed().into();
        }

        let says = self.sentence(truck.printed(), held, goods.map(Facts::printed));
        let discriminator = match goods {
            Some(_) => format!("{} {}", hold.id, truck.id),
            None => hold.id.clone(),
        };
        // A release made before the truck left may still be on its way, from the hold's crossing or
        // from the hub; and so may what tells where the goods are.
        let first = goods.filter(|goods| goods.is_passage());
        let first = first.map(Facts::crossing);
        let concerned = [hold.crossing(), truck.crossing(), "HUB"];
        let due_ms = self.waits_ms.unwrap_or(through_ms).max(through_ms);
        let found = Contradiction::new(discriminator, through_ms, says, evidence)
            .until(concerned.into_iter().chain(first), due_ms)
            .citing(truck, [self.exit.entry()])
            .citing(hold, hold.placements().chain(self.end()))
            .citing(hold, naming(hold, goods.unwrap_or(truck)));
        match goods {
            Some(goods) => found
                .citing(goods, goods.begun_by())
                .citing(goods, naming(goods, truck))
                .citing(truck, naming(truck, goods)),
            None => found,
        }
    }

    /// The entry by which one officer alone ended the hold.
    fn end(&self) -> Option<&str> {
        match self.how {
            HowPassed::EndedAlone { end } => Some(end.entry()),
            _ => None,
        }
    }

    fn sentence<'s>(&'s self, passage: &'s str, hold: &'s str, goods: Option<&'s str>) -> Says<'s> {
        match (self.how, goods) {
            (HowPassed::Left, None) => Says::Left { passage, hold },
            (HowPassed::TurnedBack, None) => Says::TurnedBack { passage, hold },
            (HowPassed::LetOutAlone { officer }, None) => Says::LetOutAlone {
                passage,
                hold,
                officer,
            },
            (HowPassed::LeftByWord { .. }, None) => Says::LeftByWord { passage, hold },
            (HowPassed::PlacedByWord { .. }, None) => Says::PlacedByWord { passage, hold },
            (HowPassed::EndedByWord { .. }, None) => Says::EndedByWord { passage, hold },
            (HowPassed::EndedAlone { end }, None) => Says::EndedAlone {
                passage,
                hold,
                officer: end.officer(),
                event: end.kind(),
            },
            (HowPassed::Left, Some(goods)) => Says::LeftWithGoods {
                passage,
                hold,
                goods,
            },
            (HowPassed::TurnedBack, Some(goods)) => Says::TurnedBackWithGoods {
                passage,
                hold,
                goods,
            },
            (HowPassed::LetOutAlone { officer }, Some(goods)) => Says::LetOutAloneWithGoods {
                passage,
                hold,
                officer,
                goods,
            },
            (HowPassed::LeftByWord { .. }, Some(goods)) => Says::LeftByWordWithGoods {
                passage,
                hold,
                goods,
            },
            (HowPassed::PlacedByWord { .. }, Some(goods)) => Says::PlacedByWordWithGoods {
                passage,
                hold,
                goods,
            },
            (HowPassed::EndedByWord { .. }, Some(goods)) => Says::EndedByWordWithGoods {
                passage,
                hold,
                goods,
            },
            (HowPassed::EndedAlone { end }, Some(goods)) => Says::EndedAloneWithGoods {
                passage,
                hold,
                officer: end.officer(),
                event: end.kind(),
                goods,
            },
        }
    }
}

/// The entry by which a record was known first to name another one.
fn naming<'a>(record: &'a Facts, other: &'a Facts) -> Option<&'a str> {
    record.first_naming(other).map(|link| link.entry())
}

/// How an exit passed a placement that held, by the times that are said and those of writing.
fn by_times<'a>(
    span: &HeldSpan<'_>,
    exit: &Fact<'a>,
    let_out_by: Option<&LetOutAlone<'_>>,
) -> Option<HowPassed<'a>> {
    let is_alone = let_out_by.is_some_and(|alone| alone.is_of(exit));
    if span.held_at(exit.at_ms()) {
        return Some(match span.placed_by_word(exit) {
            Some(entered_ms) => HowPassed::PlacedByWord { entered_ms },
            None if exit.kind() == TURNED_BACK => HowPassed::TurnedBack,
            None if is_alone => HowPassed::LetOutAlone {
                officer: exit.officer(),
            },
            None => HowPassed::Left,
        });
    }

    if span.held_when_written(exit) {
        let entered_ms = exit.entered_ms();
        return Some(HowPassed::LeftByWord { entered_ms });
    }

    let entered_ms = span.ended_by_word(exit)?;
    Some(HowPassed::EndedByWord { entered_ms })
}

/// How a truck left: out by a gate, or sent back where it came from, where no gate let it out after
/// that before it came in again. What a hold rejected goes back by right: whoever rejects it and
/// whoever sends it back write at one visit, by two clocks. The gate that leads it back where it
/// was sent is no exit of its own, unless one officer alone says all of that.
fn exits<'a>(
    dossier: &Dossier,
    truck: &'a Facts,
    (hold, is_let_out_alone): (&Facts, bool),
) -> Vec<Fact<'a>> {
    let is_rejected = |back: &Fact<'_>| {
        let told = back.when_told().within_doubt(dossier);
        let mut rejected = hold.events("rejected");
        rejected.any(|e| e.when_told().is_by(told))
    };
    // The fold of states tells whether it was led back, or let go after all.
    let is_led_back = truck.state() == "TURNED_BACK" && !is_let_out_alone;
    let back_ms = truck.last_ms(TURNED_BACK).filter(|_| is_led_back);
    let is_let_out = |back: &Fact<'_>| {
        let gates = truck.any(&["gate.in", "gate.out"]);
        let after = gates.filter(|gate| gate.at_ms() >= back.at_ms());
        let next = after.min_by_key(|gate| gate.at_ms());
        next.is_some_and(|gate| gate.kind() == "gate.out" && !is_led_back)
    };

    let back = truck.events(TURNED_BACK);
    let back = back.filter(|back| !is_rejected(back) && !is_let_out(back));
    let out = truck.events("gate.out");
    let out = out.filter(|out| back_ms.is_none_or(|ms| out.at_ms() < ms));
    out.chain(back).collect()
}

/// How often a truck went out with these exits: it has to come in between, or some time passes.
fn departures(truck: &Facts, mut exits: Vec<i64>) -> usize {
    exits.sort_unstable();
    let came: Vec<i64> = truck.events("gate.in").map(|e| e.at_ms()).collect();
    let is_one = |one: i64, next: i64| {
        let is_back = came.iter().any(|at_ms| (one..next).contains(at_ms));
        !is_back && apart(one, next) <= BETWEEN_GATES_MS
    };

    let first: BTreeSet<i64> = exits
        .windows(2)
        .filter_map(|pair| match pair {
            [one, next] if !is_one(*one, *next) => Some(*next),
            _ => None,
        })
        .chain(exits.first().copied())
        .collect();
    first.len()
}

#[cfg(test)]
mod linked_late;
#[cfg(test)]
mod sent_back;
#[cfg(test)]
mod tests;
