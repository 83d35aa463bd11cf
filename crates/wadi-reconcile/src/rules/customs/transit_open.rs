//! R27: a transit that was not terminated, or not in time, or not at the exit that was declared.

use crate::{
    Contradiction, Dossier, Fact, Facts, HOUR_MS, Rule, numbers::hours_ms, sentences,
    unheard_limit_ms,
};
use serde_json::json;
use wadi_record::{field_term, says_nothing};

pub(crate) const RULE: Rule = Rule {
    code: "R27",
    name: "transit_open",
    severity: 2,
    sentences: SENTENCES,
    judge,
};

sentences! {
    Open = "R27-open" { passage: record, transit: name }
    NeverLeft = "R27-never-left" { passage: record, transit: name }
    Elsewhere = "R27-elsewhere" {
        passage: record, transit: name, exit: crossing, ended: crossing,
    }
    Late = "R27-late" { passage: record, transit: name, ended: crossing, hours: number }
    WrittenLate = "R27-written-late" {
        passage: record, transit: name, ended: crossing, hours: number,
    }
}

/// The transit field of a record.
const TRANSIT: &str = "transit.ref";

fn judge(dossier: &Dossier) -> Vec<Contradiction> {
    let passage = &dossier.anchor;
    let told = passage.field(TRANSIT);
    let Some(reference) = told.filter(|text| !says_nothing(text)) else {
        return Vec::new();
    };
    if !passage.is_passage() || !passage.is_inbound() || may_be_an_exit(dossier) {
        return Vec::new();
    }
    let Some(since_ms) = under_way_since(dossier) else {
        return Vec::new();
    };

    let due_ms = since_ms.saturating_add(hours_ms(dossier.policy.transit_h));
    // Who names another exit once the transit is overdue keeps nothing waiting for it.
    let declared = passage.field_by("declared_exit", due_ms);
    let transit = Transit {
        dossier,
        reference,
        since_ms,
        due_ms,
        declared: declared.filter(|exit| !says_nothing(exit)),
    };

    let found = match transit.end() {
        None => Some(transit.open()),
        Some(end) => transit.ended_elsewhere(&end).or_else(|| transit.late(&end)),
    };
    found.into_iter().collect()
}

/// A transit that has to be terminated.
struct Transit<'a> {
    dossier: &'a Dossier,
    /// Its document, as the passage names it.
    reference: &'a str,
    /// Since when it is under way, and until when it has to end, Unix milliseconds.
    since_ms: i64,
    due_ms: i64,
    /// The exit that was declared by then.
    declared: Option<&'a str>,
}

impl<'a> Transit<'a> {
    /// What ended it: the exit by which the truck left on its own record, else that of another one;
    /// where it declared none customs may have released the goods before. Of several it is what
    /// was known first: who writes another one later moves nothing.
    fn end(&self) -> Option<TransitEnd<'a>> {
        let (dossier, passage) = (self.dossier, &self.dossier.anchor);
        let exits = dossier.of("passage").filter(|p| ends(dossier, p));
        let exits = exits.filter_map(|out| Some((TransitEnd::by(passage, out)?, &out.id)));
        let first = exits.min_by_key(|(end, id)| (end.known_ms(), *id));
        let own = handed_over_exit(passage, self.declared);
        let exit = own.or_else(|| first.map(|(end, _)| end));

        match self.declared {
            Some(_) => exit,
            None => {
                let all = exit.into_iter().chain(self.inland_end());
                all.min_by_key(TransitEnd::known_ms)
            }
        }
    }

    /// The release by customs at which the transit ended in the country. What is to leave by an
    /// exit that the truck declares, or is declared for transit, has to leave.
    fn inland_end(&self) -> Option<TransitEnd<'a>> {
        let passage = &self.dossier.anchor;
        let own = field_term(TRANSIT, self.reference);
        // Goods are released before they come, but not long before: a carnet's number comes again.
        let from_ms = passage.began_ms().saturating_sub(self.dossier.near_ms());

        let of_it = |entry: &&'a Facts| {
            entry.state() != "CANCELLED"
                && entry.shares(passage, TRANSIT)
                && may_be_carried_by(entry, passage)
                && !is_for_transit(entry)
        };
        // Who names the transit on an entry that was released before ends nothing.
        let was_of_it = |entry: &Facts, released: &Fact<'_>| {
            let told = entry.field_by(TRANSIT, released.known_from_ms());
            told.and_then(|text| field_term(TRANSIT, text)) == own
        };

        let mut ends: Vec<TransitEnd<'a>> = Vec::new();
        for entry in self.dossier.of("customs-entry").filter(of_it) {
            let released = entry.events("entry.released");
            let released = released.filter(|e| e.at_ms() >= from_ms && was_of_it(entry, e));
            ends.extend(released.map(|e| TransitEnd::said_by(e, entry.crossing())));
        }
        ends.into_iter().min_by_key(TransitEnd::known_ms)
    }

    /// The crossings at which it may have ended.
    fn concerns(&self) -> Vec<&'a str> {
        match self.declared {
            Some(exit) => vec![exit],
            None => self.dossier.everywhere(),
        }
    }

    /// It did not end.
    fn open(&self) -> Contradiction {
        let passage = &self.dossier.anchor;
        let (printed, transit) = (passage.printed(), self.reference);
        let left_ms = passage.last_ms("gate.out");
        let says = match left_ms {
            Some(_) => Says::Open {
                passage: printed,
                transit,
            },
            None => Says::NeverLeft {
                passage: printed,
                transit,
            },
        };
        let evidence = json!({
            "transit": transit,
            "left_ms": left_ms,
            "due_ms": self.due_ms,
            "exit": self.declared,
        });

        let own = left_ms.is_none().then_some(passage.crossing());
        let concerns = self.concerns().into_iter().chain(own);
        let concerns = concerns.chain(passage.handed_over_to());
        Contradiction::new("open", self.since_ms, says, evidence).until(concerns, self.due_ms)
    }

    /// It ended at another exit than the declared one, and nobody had sent the truck there.
    fn ended_elsewhere(&self, end: &TransitEnd<'_>) -> Option<Contradiction> {
        let exit = self.declared.filter(|to| *to != end.at)?;
        let passage = &self.dossier.anchor;
        // A diversion changes where it ends. What is written long after the truck left is none.
        let by_ms = end.known_ms().saturating_add(self.written_within_ms());
        let own_ms = diverted_ms(passage);
        let diverted_ms = own_ms.into_iter().chain(end.diverted_ms).min();
        if diverted_ms.is_some_and(|ms| ms <= by_ms) {
            return None;
        }

        let says = Says::Elsewhere {
            passage: passage.printed(),
            transit: self.reference,
            exit,
            ended: end.at,
        };
        let evidence = json!({"transit": self.reference, "exit": exit, "ended_at": end.at});
        Some(Contradiction::new("elsewhere", end.at_ms, says, evidence))
    }

    /// How long after its time a word may be written: a dark crossing enters its papers by then.
    fn written_within_ms(&self) -> i64 {
        unheard_limit_ms(&self.dossier.policy)
    }

    /// It ended once it was overdue, or somebody wrote only then that it had. It is the finding of
    /// the open transit, which goes on.
    fn late(&self, end: &TransitEnd<'_>) -> Option<Contradiction> {
        let within_ms = self.written_within_ms();
        let is_written_late = end.entered_ms > self.due_ms.saturating_add(within_ms);
        if end.at_ms <= self.due_ms && !is_written_late {
            return None;
        }

        let passage = &self.dossier.anchor;
        let (printed, transit, ended) = (passage.printed(), self.reference, end.at);
        // What was written when it happened is believed to have happened then.
        let is_by_word = end.entered_ms > end.at_ms.saturating_add(within_ms);
        let hours = |ms: i64| {
            let late_ms = ms.saturating_sub(self.due_ms);
            late_ms.checked_div(HOUR_MS).unwrap_or(0)
        };
        let says = match is_by_word {
            true => Says::WrittenLate {
                passage: printed,
                transit,
                ended,
                hours: hours(end.entered_ms),
            },
            false => Says::Late {
                passage: printed,
                transit,
                ended,
                hours: hours(end.at_ms),
            },
        };
        let evidence = json!({
            "transit": transit,
            "due_ms": self.due_ms,
            "exit": self.declared,
            "ended_at": ended,
            "ended_ms": end.at_ms,
            "ended_written_ms": end.entered_ms,
        });

        let found = Contradiction::new("open", end.at_ms, says, evidence);
        Some(found.until(self.concerns(), self.due_ms))
    }
}

/// Where and when a load left the country, or was cleared in it.
struct TransitEnd<'a> {
    at: &'a str,
    /// As claimed, and when that was written down, Unix milliseconds.
    at_ms: i64,
    entered_ms: i64,
    /// Since when it is known on the record of the exit that the truck was sent on.
    diverted_ms: Option<i64>,
}

impl<'a> TransitEnd<'a> {
    /// By a word that was said at a crossing.
    fn said_by(end: Fact<'_>, at: &'a str) -> Self {
        Self {
            at,
            at_ms: end.at_ms(),
            entered_ms: end.entered_ms(),
            diverted_ms: None,
        }
    }

    /// By another passage: its exit that was known first.
    fn by(passage: &Facts, out: &'a Facts) -> Option<Self> {
        let exits = out.events("gate.out");
        let exits = exits.filter(|e| e.at_ms() >= passage.began_ms());
        let first = exits.min_by_key(|e| (e.known_from_ms(), e.at_ms()))?;

        Some(Self {
            diverted_ms: diverted_ms(out),
            ..Self::said_by(first, out.crossing())
        })
    }

    fn known_ms(&self) -> i64 {
        self.at_ms.max(self.entered_ms)
    }
}

/// Since when it is known that a truck was sent on, Unix milliseconds.
fn diverted_ms(passage: &Facts) -> Option<i64> {
    let diverted = passage.events("diverted");
    diverted.map(|e| e.known_from_ms()).min()
}

/// The exit by which a vehicle left on the record with which it came: handed over to the crossing
/// that let it out. Of several it is the one at the declared exit, and the last one else.
fn handed_over_exit<'a>(passage: &'a Facts, declared: Option<&str>) -> Option<TransitEnd<'a>> {
    let exits = || {
        let all = passage.events("gate.out");
        all.filter_map(|out| Some(TransitEnd::said_by(out, out.written_at()?)))
    };
    let as_declared = exits().filter(|end| Some(end.at) == declared);
    let first = as_declared.min_by_key(TransitEnd::known_ms);
    first.or_else(|| exits().max_by_key(|end| end.at_ms))
}

/// Since when a transit is under way, Unix milliseconds: since the truck left the crossing at which
/// it came in or, where it did not leave, since it is here.
fn under_way_since(dossier: &Dossier) -> Option<i64> {
    let passage = &dossier.anchor;
    let own = passage.events("gate.out");
    let own = own.filter(|out| out.written_at().is_none());
    let left_ms = own.map(|out| out.at_ms()).max();

    // Handed over where nobody let it out, it went from there with its arrival.
    let handed_over_ms = || {
        let out_ms = passage.last_ms("gate.out")?;
        Some(passage.first_ms("gate.in").unwrap_or(out_ms))
    };
    left_ms
        .or_else(|| still_here_since(dossier))
        .or_else(handed_over_ms)
}

/// Whether an entry names the vehicle, or a container of it, or none at all: of a convoy on one
/// carnet each truck has its own.
fn may_be_carried_by(entry: &Facts, passage: &Facts) -> bool {
    let containers = entry.texts("container", "").into_iter();
    let mut carriers = containers.chain(entry.field("vehicle.plate"));
    let names_one = carriers.any(|text| !says_nothing(text));

    !names_one
        || entry.shares_vehicle(passage)
        || entry.shares_any(passage, "container")
        || entry.is_linked_to(passage)
}

/// Whether goods are declared to go through the country: by the declaration's type (T1, TR8), or by
/// the procedure of an item (80).
pub(super) fn is_for_transit(entry: &Facts) -> bool {
    let told = entry.field("declaration_type").unwrap_or_default().trim();
    let by_type = told.starts_with(['T', 't']) || told.ends_with('8');
    let procedures = entry.texts("goods", "procedure").into_iter();
    let mut through = procedures.filter(|procedure| procedure.trim().starts_with('8'));
    by_type || through.next().is_some()
}

/// Whether two entries of one transit reference are its two procedures: the goods came in under the
/// transit, and were cleared in the country by the other one, which ends it. By what either said
/// when duty was assessed: who changes a duplicate later makes it of no other procedure.
pub(super) fn are_transit_and_its_end(one: &Facts, other: &Facts) -> bool {
    const TYPE: &str = "declaration_type";
    let is_settled = |e: &Facts| e.field_when_assessed(TYPE) == e.field(TYPE);
    let (transit, import) = match is_for_transit(one) {
        true => (one, other),
        false => (other, one),
    };
    let is_one_of_each = is_for_transit(transit) && !is_for_transit(import);
    let is_in_order = transit.began_ms() <= import.began_ms();

    is_one_of_each && is_in_order && is_settled(one) && is_settled(other)
}

/// Since when a vehicle is here that came in and of which nobody said that it went on; nothing
/// where something is known of it: a hold keeps it, or it was sent away.
fn still_here_since(dossier: &Dossier) -> Option<i64> {
    let passage = &dossier.anchor;
    let went_elsewhere = matches!(
        passage.state(),
        "VOID" | "TURNED_BACK" | "DIVERTED" | "ARRIVED_ELSEWHERE" | "ABANDONED"
    );
    if went_elsewhere || passage.was_taken_over() {
        return None;
    }

    let known = passage.known_by();
    let keeps_it = |hold: &Facts| hold.is_open_hold() && known.is_named_by(&hold.known_by());
    let is_kept = dossier.of("hold").any(keeps_it);
    passage.last_ms("gate.in").filter(|_| !is_kept)
}

/// Whether a passage that told no direction may be the end of the transit: the same load had come
/// in with it before.
fn may_be_an_exit(dossier: &Dossier) -> bool {
    let passage = &dossier.anchor;
    let came_before = |p: &Facts| {
        p.direction() == Some("in")
            && p.began_ms() < passage.began_ms()
            && p.shares(passage, TRANSIT)
            && p.is_same_load(passage)
    };

    passage.direction() != Some("in") && dossier.of("passage").any(came_before)
}

/// Whether a passage took the load out of the country. What left before the goods came in, or was
/// recorded in error, or carries another load of the same transit, ends nothing; nor does what ends
/// a later arrival of the same load.
fn ends(dossier: &Dossier, out: &Facts) -> bool {
    let passage = &dossier.anchor;
    let left_ms = out.last_ms("gate.out");
    let is_exit = out.direction() == Some("out")
        && !matches!(out.state(), "VOID" | "TURNED_BACK" | "CANCELLED")
        && left_ms >= Some(passage.began_ms());
    // Of a truck that is missing nobody says later that it was another one, which left.
    let known_ms = out.left().map_or(i64::MIN, |left| left.known_ms);
    let is_it = || passage.is_same_load_by(out, known_ms);
    // A transit that is named when the truck is gone was not that one's.
    let is_of_transit = passage.shares(out, TRANSIT) && out.was_told(TRANSIT);
    if !is_exit || !is_of_transit || !is_it() {
        return false;
    }

    let is_later_arrival = |p: &Facts| {
        p.direction() == Some("in")
            && p.state() != "VOID"
            && p.has("gate.out")
            && (p.began_ms(), &p.id) > (passage.began_ms(), &passage.id)
            && Some(p.began_ms()) < left_ms
            && p.shares(passage, TRANSIT)
            && came_again(passage, p)
            && p.is_same_load(out)
    };
    // A truck that was sent on comes in twice, and goes out once.
    let is_named = passage.has("diverted") || passage.is_linked_to(out);
    is_named || !dossier.of("passage").any(is_later_arrival)
}

/// Whether a later passage is of the same vehicle, or of a container that no other one took over.
/// The truck that the goods went on to goes on with the same transit.
fn came_again(first: &Facts, later: &Facts) -> bool {
    let went_on = || first.transhipped_to(later).next().is_some();
    first.shared_vehicle(later) || first.shared_container(later) && !went_on()
}

#[cfg(test)]
mod tests;
