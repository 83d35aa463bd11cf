//! What was changed by right, after a decision rested on it.

use super::FieldAct;
use crate::{
    ChangedBy, FieldRow, event_index::ADMITTED, judged_change::ChangedPut, normal::member_term,
};
use wadi_log::{Put, Value};

/// The events of a hold that rest on what it says of itself.
const ENDED_BY: [&str; 3] = ["released", "conditional", "rad.adjudicated"];

/// The events of a customs entry that rest on all that it declares. Whoever pays, or lets goods go,
/// rests on it without an assessment, too.
const SETTLED_BY: [&str; 3] = ["assessed", "paid", "entry.released"];

impl FieldAct<'_> {
    /// What a permitted put changed, where a decision that is seen here rests on the field, or one
    /// of another record may.
    pub(super) fn change(&self, put: &Put, row: &FieldRow, stood: &[&Value]) -> Option<ChangedPut> {
        let events = &self.record.events;
        let counts = |kind: &'static str| events.any_counts(kind, self.known()).then_some(kind);
        let went = || counts("cleared").or_else(|| counts("gate.out"));
        let is_first = self.record.first == Some(self.said.reference);

        let after = match row.changed_by {
            ChangedBy::UntilMatched(..) => {
                let is_linked = || events.any_said("link", self.known()).then_some("link");
                self.admission(&put.key).or_else(went).or_else(is_linked)
            }
            // The seals of a load: it goes on with those that were there.
            ChangedBy::Officers(_) => Some(went()?),
            // What a machine reads again at the next desk is no change of anybody's.
            ChangedBy::Setters if !self.is_device() => Some(self.admission(&put.key)?),
            ChangedBy::Supervisors(_) => Some(SETTLED_BY.into_iter().find_map(counts)?),
            ChangedBy::SupervisorsOnceSought(_) => SETTLED_BY.into_iter().find_map(counts),
            ChangedBy::HoldOwner | ChangedBy::HoldOwnerWithReason if !is_first => {
                Some(ENDED_BY.into_iter().find_map(counts)?)
            }
            _ => return None,
        };

        Some(ChangedPut {
            entry: self.said.reference,
            field: put.key.clone(),
            before: stood.iter().map(|v| (*v).clone()).collect(),
            after,
        })
    }

    /// What a permitted put added where nothing stood, after a decision that is seen here rests on
    /// all that the record says: the assessment of an entry, its payment or its release, or the
    /// release of a hold. A truck may be described further when it is gone; rules ask what was said
    /// of it by then.
    pub(super) fn capture(&self, put: &Put, row: &FieldRow) -> Option<ChangedPut> {
        if put.value == Value::Null {
            return None;
        }

        let decisions: &[&'static str] = match row.changed_by {
            ChangedBy::Supervisors(_) | ChangedBy::SupervisorsOnceSought(_) => &SETTLED_BY,
            ChangedBy::HoldOwner | ChangedBy::HoldOwnerWithReason => &["released"],
            _ => return None,
        };
        let events = &self.record.events;
        let mut decisions = decisions.iter().copied();
        let after = decisions.find(|&decision| events.any_counts(decision, self.known()))?;

        Some(ChangedPut {
            entry: self.said.reference,
            field: put.key.clone(),
            before: Vec::new(),
            after: Some(after),
        })
    }

    /// The admission of the traveller whom a field is about, as far as its author, or its log,
    /// knew: by the document that stands there, for of a bus one traveller is admitted and the
    /// next is still asked.
    fn admission(&self, field: &str) -> Option<&'static str> {
        let (traveller, _) = field.strip_prefix("person.")?.split_once('.')?;
        let documents = self.values(&format!("person.{traveller}.document_hash"));
        let documents = documents.into_iter().filter_map(|value| match value {
            Value::Text(document) => Some(member_term("document", document)),
            _ => None,
        });

        let events = &self.record.events;
        let is_admitted = |document: String| events.was_admitted(document, self.known());
        let mut documents = documents.filter(|document| !document.is_empty());
        documents.any(is_admitted).then_some(ADMITTED)
    }
}
