//! The events of a record, as they are asked for while its entries settle: by id, by what they do,
//! by who had seen them.

use crate::{
    Begins, Department, EventType, Gives, HoldType,
    ancestry::Past,
    authority::given,
    event_type,
    events::is_asked_for,
    evidence::speaks_against,
    joins::{LINK, is_of_traffic},
    judged_change::EventView,
    normal::{member_term, normalise_label},
};
use std::collections::{BTreeMap, HashMap};
use wadi_log::Reference;

/// The event by which a traveller comes into the country.
pub(crate) const ADMITTED: &str = "person.admitted";

/// What tells who may end a hold.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Owned {
    /// Whether the commission placed it.
    pub(crate) by_commission: bool,
    /// Its type; `None` where this version does not know it.
    pub(crate) hold: Option<HoldType>,
}

/// What kind of evidence carries a release.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum EvidenceKind {
    /// An adjudication of a radiation alarm.
    Adjudicated,
    /// A search, or a dog.
    Searched,
    /// A laboratory of that department.
    Tested(Department),
}

/// A result that speaks against a release.
struct Against {
    /// Which of the events it is.
    event: usize,
    /// The entry that says it.
    entry: u32,
    /// Entries with a better result that answers it.
    answered_by: Past,
}

/// An event and the entry that says it.
pub(crate) struct Told {
    /// The number under which its entry was settled.
    pub(crate) entry: u32,
    /// Whether a hold begins with it.
    pub(crate) places: bool,
    /// The event.
    pub(crate) view: EventView,
}

/// All events of a record.
#[derive(Default)]
pub(crate) struct Events {
    told: Vec<Told>,
    sorted: BTreeMap<(Reference, String), usize>,
    by_id: HashMap<String, usize>,
    /// Entries with an event of a type that counts where it restricts.
    said: HashMap<&'static str, Past>,
    /// Entries with an event of a type that counts in full; of `handed_over` by where to, and of
    /// [`ADMITTED`] by the traveller's document.
    counting: HashMap<(&'static str, String), Past>,
    placed: BTreeMap<Owned, Past>,
    against: Vec<Against>,
    evidence: HashMap<EvidenceKind, Past>,
}

/// The type of the hold that an event begins, where it begins one: a placement, or a machine's
/// alarm.
pub(crate) fn begun_hold(event: &EventView) -> Option<HoldType> {
    match event_type(event.kind())?.begins {
        Begins::Named(member) => event.text(member).and_then(HoldType::from_name),
        Begins::Alarm(hold) => Some(hold),
        Begins::AlarmIf(member, hold) => {
            (event.members.get(member) == Some(&true.into())).then_some(hold)
        }
        Begins::Nothing => None,
    }
}

/// Whether somebody places a hold with it, of a type that this version knows or not.
pub(crate) fn is_placement(event: &EventView) -> bool {
    event_type(event.kind()).is_some_and(|t| matches!(t.begins, Begins::Named(_)))
}

/// Whether a machine, or a dog, raised an alarm with it.
pub(crate) fn is_alarm(event: &EventView) -> bool {
    event_type(event.kind()).is_some_and(EventType::may_alarm) && begun_hold(event).is_some()
}

pub(crate) fn owned(event: &EventView) -> Owned {
    Owned {
        by_commission: event.department == Some(Department::Hub),
        hold: begun_hold(event),
    }
}

impl Events {
    /// Takes the judged events of an entry whose author had seen `shown`. With the record's first
    /// entry a hold may begin by an alarm alone.
    pub(crate) fn take(
        &mut self,
        entry: u32,
        shown: &Past,
        is_first: bool,
        events: Vec<EventView>,
    ) {
        let by_alarm = is_first && !events.iter().any(is_placement);

        for view in events {
            let places = view.restricts() && (is_placement(&view) || by_alarm && is_alarm(&view));
            if places {
                self.placed.entry(owned(&view)).or_default().insert(entry);
            }

            if let Some(found) = event_type(view.kind()).filter(|t| is_asked_for(t)) {
                self.mark(entry, found.name, &view);
            }

            if given(&view) != Gives::Nothing && view.restricts() {
                self.weigh_result(entry, shown, &view);
            }

            let number = self.told.len();
            self.sorted
                .insert((view.reference, view.id.clone()), number);
            self.by_id.insert(view.id.clone(), number);
            self.told.push(Told {
                entry,
                places,
                view,
            });
        }
    }

    fn mark(&mut self, entry: u32, kind: &'static str, view: &EventView) {
        // Of passages and entries it is asked whether a link rests on them: one that joins nothing
        // is nobody's reason to leave a misread plate as it stands.
        let is_idle = kind == LINK && !is_of_traffic(view.department);
        if view.restricts() && !is_idle {
            self.said.entry(kind).or_default().insert(entry);
        }

        if view.counts() {
            let text = |member: &str| view.text(member).unwrap_or_default();
            let of = match kind {
                // Of a record that was handed over it is asked to which crossing: that one may
                // write.
                "handed_over" => text("to").to_string(),
                ADMITTED => member_term("document", text("document_hash")),
                _ => String::new(),
            };

            self.counting.entry((kind, of)).or_default().insert(entry);
        }
    }

    fn weigh_result(&mut self, entry: u32, shown: &Past, view: &EventView) {
        if speaks_against(view) {
            self.against.push(Against {
                event: self.told.len(),
                entry,
                answered_by: Past::default(),
            });
            return;
        }

        if !view.counts() || !view.attested {
            return;
        }

        let carries = match given(view) {
            Gives::Adjudication => Some(EvidenceKind::Adjudicated),
            Gives::Search | Gives::AllClear => Some(EvidenceKind::Searched),
            Gives::Result | Gives::Amendment => view.department.map(EvidenceKind::Tested),
            Gives::Alarm | Gives::Indication | Gives::Nothing => None,
        };

        if let Some(evidence) = carries {
            self.evidence.entry(evidence).or_default().insert(entry);
        }

        for bad in self
            .against
            .iter_mut()
            .filter(|bad| shown.contains(bad.entry))
        {
            if answers(view, &self.told[bad.event].view) {
                bad.answered_by.insert(entry);
            }
        }
    }

    /// All of them, in an order that depends on their entries alone.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Told> {
        self.sorted.values().map(|n| &self.told[*n])
    }

    /// Those that one entry says.
    pub(crate) fn of(&self, entry: &Reference) -> impl Iterator<Item = &EventView> {
        let entry = *entry;
        let of = self
            .sorted
            .range((entry, String::new())..)
            .take_while(move |((r, _), _)| *r == entry);
        of.map(|(_, n)| &self.told[*n].view)
    }

    /// Releases that count among these entries.
    pub(crate) fn releases<'a>(&'a self, within: &'a Past) -> impl Iterator<Item = &'a EventView> {
        let counts = |t: &&Told| t.view.kind() == "released" && t.view.counts();
        let all = self.told.iter().filter(counts);
        all.filter(|t| within.contains(t.entry)).map(|t| &t.view)
    }

    pub(crate) fn by_id(&self, id: &str) -> Option<&Told> {
        self.by_id.get(id).map(|n| &self.told[*n])
    }

    /// Whether one of these entries says an event of a type, past a cut or not.
    pub(crate) fn any_said(&self, kind: &str, within: &Past) -> bool {
        self.said
            .get(kind)
            .is_some_and(|entries| entries.meets(within))
    }

    /// Whether one of these entries says an event of a type that counts in full.
    pub(crate) fn any_counts(&self, kind: &'static str, within: &Past) -> bool {
        self.counting
            .get(&(kind, String::new()))
            .is_some_and(|entries| entries.meets(within))
    }

    /// Whether one of these entries hands the record over to a crossing.
    pub(crate) fn was_handed_to(&self, crossing: String, within: &Past) -> bool {
        self.counting
            .get(&("handed_over", crossing))
            .is_some_and(|entries| entries.meets(within))
    }

    /// Whether one of these entries admits the holder of a document, in its normal form.
    pub(crate) fn was_admitted(&self, document: String, within: &Past) -> bool {
        self.counting
            .get(&(ADMITTED, document))
            .is_some_and(|entries| entries.meets(within))
    }

    /// Who owns the holds that began with one of these entries.
    pub(crate) fn placed_within(&self, within: &Past) -> Vec<Owned> {
        self.placed
            .iter()
            .filter(|(_, entries)| entries.meets(within))
            .map(|(owned, _)| *owned)
            .collect()
    }

    /// Whether these entries hold a result that speaks against a release, and none that answers it.
    pub(crate) fn is_spoken_against(&self, within: &Past) -> bool {
        self.against
            .iter()
            .any(|bad| within.contains(bad.entry) && !bad.answered_by.meets(within))
    }

    /// Whether these entries hold attested evidence of that kind for a release.
    pub(crate) fn is_carried(&self, evidence: EvidenceKind, within: &Past) -> bool {
        self.evidence
            .get(&evidence)
            .is_some_and(|entries| entries.meets(within))
    }
}

/// Whether a better result answers a bad one: of the same department and sample, by somebody who
/// knew the bad one.
fn answers(better: &EventView, bad: &EventView) -> bool {
    match (given(bad), given(better)) {
        (Gives::Result | Gives::Amendment, Gives::Amendment) => {
            let sample = |result: &EventView| result.text("sample").map(normalise_label);
            let same = sample(bad).is_some_and(|named| sample(better) == Some(named));
            better.department == bad.department && same
        }
        (Gives::Alarm | Gives::Adjudication, Gives::Adjudication) => true,
        (Gives::Indication, Gives::Search | Gives::AllClear) => true,
        _ => false,
    }
}
