//! Records that are named in what is told of another one, as by a link: the name of a hold that is
//! not read is taken out.

use super::{ReadRight, listed};
use crate::{Problem, Token, written::name_withheld};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use wadi_log::{Lane, RecordId};
use wadi_node::{ErrorClass, Node, NodeError};
use wadi_record::Kind;

/// Records that are looked up at once.
const ROWS: usize = 500;
/// Printed ids in one answer that are looked up; the others are taken for holds that are not read
/// where they are of holds.
const PRINTED_MAX: usize = 200;
/// Members that are told by the name of a field.
const BY_NAME: [&str; 3] = ["fields", "contested", "puts"];
/// Lists whose lines say of which field they are.
const BY_LINE: [&str; 2] = ["refused_fields", "changed_after"];
/// Members that hold what people wrote, beside fields and events.
const BESIDE: [&str; 8] = [
    "placements",
    "unfounded",
    "captured",
    "seals",
    "seals_recorded",
    "warnings",
    "refused",
    "after_assessment",
];

/// Which of the records are read that are named in what is to be shown, by the words that name
/// them. One that nobody here knows is missing.
#[derive(Default)]
pub(crate) struct NamedRecords(BTreeMap<String, bool>);

impl NamedRecords {
    /// Whether a word is taken out: it names a hold that is not read, or a record that nobody here
    /// knows, which may be one. Elsewhere than in a member that names records, what looks like a
    /// full id may as well be a digest.
    fn hides(&self, word: &str, names_records: bool) -> bool {
        match self.0.get(word) {
            Some(is_read) => !is_read,
            None => is_printed_hold(word) || names_records && is_full(word),
        }
    }

    /// Takes such words out of all texts of a value. Whether there were any.
    fn hide_in(&self, value: &mut Value, names_records: bool) -> bool {
        match value {
            Value::String(text) => {
                let hidden = ids_in(text).filter(|word| self.hides(word, names_records));
                let hidden: Vec<String> = hidden.map(String::from).collect();
                for word in &hidden {
                    *text = text.replace(word.as_str(), "");
                }
                !hidden.is_empty()
            }
            Value::Array(all) => {
                let mut is_hidden = false;
                for one in all {
                    is_hidden |= self.hide_in(one, names_records);
                }
                is_hidden
            }
            Value::Object(members) => members.iter_mut().fold(false, |is_hidden, (name, one)| {
                let is_named = names_records || names_record(name);
                name != "entry" && self.hide_in(one, is_named) || is_hidden
            }),
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
    }

    /// Takes such words out of a record, a history or one of its entries, and tells out of which
    /// fields, events and other members.
    pub(super) fn hide_named(&self, told: &mut Value, withheld: &mut BTreeSet<String>) {
        for member in BY_NAME {
            let members = told.get_mut(member).and_then(Value::as_object_mut);
            for (name, value) in members.into_iter().flatten() {
                if self.hide_in(value, false) {
                    withheld.insert(name.clone());
                }
            }
        }

        let lists = BY_LINE.map(|list| (list, "field"));
        for (list, by) in lists.into_iter().chain([("events", "type")]) {
            for line in listed(told, list) {
                if self.hide_in(line, false) {
                    let name = line[by].as_str().unwrap_or(list);
                    withheld.insert(name.to_string());
                }
            }
        }

        for member in BESIDE {
            if told.get_mut(member).is_some_and(|m| self.hide_in(m, false)) {
                withheld.insert(member.to_string());
            }
        }

        for entry in listed(told, "entries") {
            self.hide_named(entry, withheld);
        }
    }
}

/// Whether a member of an event names a record.
fn names_record(member: &str) -> bool {
    matches!(member, "record" | "passage" | "hold")
}

fn is_full(word: &str) -> bool {
    word.parse::<RecordId>().is_ok()
}

fn is_printed(word: &str) -> bool {
    word.contains('-') && RecordId::check_printed(&word.to_uppercase()).is_ok()
}

fn is_printed_hold(word: &str) -> bool {
    let letter = word.split('-').nth(1).unwrap_or_default();
    letter.eq_ignore_ascii_case(&Lane::Hold.letter().to_string()) && is_printed(word)
}

/// Parts of a printed id, with a hyphen between each two.
const PRINTED_PARTS: usize = 3;

/// What of a text reads as a record's id, full or printed, whatever it is joined to by hyphens.
fn ids_in(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
    words.flat_map(ids_in_word)
}

/// The same of a word of letters, digits and hyphens.
fn ids_in_word(word: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut begin = 0;
    for part in word.split('-') {
        parts.push((begin, begin + part.len()));
        begin += part.len() + 1;
    }

    let full = parts.iter().filter_map(|(from, to)| word.get(*from..*to));
    let printed = parts.windows(PRINTED_PARTS).filter_map(|run| {
        let ((from, _), (_, to)) = (run.first()?, run.last()?);
        word.get(*from..*to)
    });
    let full = full.filter(|part| is_full(part));
    full.chain(printed.filter(|run| is_printed(run))).collect()
}

/// Gathers the ids that stand in the texts of a value. Which entry said something is none.
fn gather(value: &Value, ids: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => ids.extend(ids_in(text).map(String::from)),
        Value::Array(all) => all.iter().for_each(|one| gather(one, ids)),
        Value::Object(members) => {
            let members = members.iter().filter(|(name, _)| *name != "entry");
            members.for_each(|(_, one)| gather(one, ids));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Gathers the ids in what is told of a record, or of its history.
fn gather_told(told: &Value, ids: &mut BTreeSet<String>) {
    let members = BY_NAME.into_iter().chain(BY_LINE).chain(BESIDE);
    for member in members.chain(["events", "knew"]) {
        gather(&told[member], ids);
    }
    for entry in told["entries"].as_array().into_iter().flatten() {
        gather_told(entry, ids);
    }
}

impl Token {
    /// Looks up which of the records are read that are named in what is to be shown: for a token
    /// that does not read holds of every type.
    pub(crate) async fn named_in(
        &self,
        node: &Arc<Node>,
        shown: &[&Value],
    ) -> Result<NamedRecords, Problem> {
        let mut words = BTreeSet::new();
        if self.reading(node)?.hold_types().is_some() {
            for told in shown {
                gather_told(told, &mut words);
            }
        }

        let (full, printed): (Vec<String>, Vec<String>) =
            words.into_iter().partition(|word| is_full(word));
        let mut by_id: BTreeMap<RecordId, Vec<String>> = BTreeMap::new();
        for word in full
            .into_iter()
            .chain(printed.into_iter().take(PRINTED_MAX))
        {
            let found = node.reads().find_record(&word).await;
            match found {
                Ok(id) => by_id.entry(id).or_default().push(word),
                Err(NodeError::Ambiguous { .. }) => {}
                Err(error) if matches!(error.class(), ErrorClass::NotFound) => {}
                Err(error) => return Err(error.into()),
            }
        }

        let ids: Vec<RecordId> = by_id.keys().copied().collect();
        let mut names = BTreeMap::new();
        for part in ids.chunks(ROWS) {
            let rows = node.store().records_by_id(part).await;
            let rows = rows.map_err(NodeError::from)?;
            let reading = self.reading(node)?;
            for row in rows {
                let record: Value = serde_json::from_str(&row.json).unwrap_or_default();
                let is_read = reading.may_be_named(&record);
                let words = by_id.remove(&row.id).unwrap_or_default();
                names.extend(words.into_iter().map(|word| (word, is_read)));
            }
        }

        Ok(NamedRecords(names))
    }
}

impl ReadRight<'_> {
    /// Goes by what was looked up of the records that are named in what is shown from now on.
    /// Without that every hold that is named is taken for one that is not read.
    pub(crate) fn go_by(&self, named: NamedRecords) {
        *self.named.borrow_mut() = named;
    }

    /// Whether a record is named beside another one: every one but a hold that is not read.
    fn may_be_named(&self, record: &Value) -> bool {
        let kind = record["kind"].as_str();
        let is_none = kind.is_some_and(|kind| kind != Kind::QuarantineHold.name());
        is_none || self.check_record(record).is_ok()
    }

    /// Takes the names of holds that are not read out of a record or a history.
    pub(super) fn hide_named(&self, told: &mut Value, withheld: &mut BTreeSet<String>) {
        if self.hold_types.is_some() {
            self.named.borrow().hide_named(told, withheld);
        }
    }

    /// The same out of what a write changed: nothing of that was looked up.
    pub(super) fn hide_changed(&self, answer: &mut Value, withheld: &mut BTreeSet<String>) {
        if self.hold_types.is_none() {
            return;
        }

        let named = self.named.borrow();
        for line in listed(&mut answer["changed"], "fields") {
            if named.hide_in(line, false) {
                let field = line["field"].as_str().unwrap_or_default();
                withheld.insert(field.to_string());
            }
        }
    }

    /// Takes out of a history, of what the authors of its decisions could have known, the holds
    /// that are not read, and names that.
    pub(crate) fn take_known_holds(&self, history: &mut Value) {
        if self.hold_types.is_none() {
            return;
        }

        let named = self.named.borrow();
        let mut is_taken = false;
        for entry in listed(history, "entries") {
            let holds = entry.pointer_mut("/knew/holds");
            if let Some(holds) = holds.and_then(Value::as_array_mut) {
                let before = holds.len();
                holds.retain(|hold| {
                    let id = hold["hold"].as_str().unwrap_or_default();
                    named.0.get(id).is_some_and(|is_read| *is_read)
                });
                is_taken |= holds.len() < before;
            }
        }

        if is_taken {
            name_withheld(history, "knew");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn id(of: u8) -> String {
        RecordId([of; 32]).to_string()
    }

    fn printed(of: u8, lane: Lane) -> String {
        let crossing = "TRB".parse().expect("a crossing");
        RecordId([of; 32]).print(crossing, lane)
    }

    /// A truck that SEC linked with its hold and CUS with its own, and of which somebody wrote the
    /// hold's id on the paper that the driver shows.
    fn truck(secret: &str, own: &str, note: &str) -> Value {
        json!({
            "fields": {"note": note, "direction": "in"},
            "refused_fields": [{"field": "cargo.note", "value": secret, "entry": id(9)}],
            "events": [
                {"type": "link", "data": {"record": secret}, "entry": id(9)},
                {"type": "link", "data": {"record": own}, "entry": id(8)},
                {"type": "scanned", "data": {"image_sha256": id(7)}, "entry": id(8)},
            ],
        })
    }

    #[test]
    fn a_hold_that_is_not_read_has_no_name_on_the_truck_that_it_is_linked_with() {
        let (secret, own) = (id(1), id(2));
        let paper = printed(1, Lane::Hold);
        let note = format!("see {paper}, bay 4");
        let mut told = truck(&secret, &own, &note);
        let mut ids = BTreeSet::new();
        gather_told(&told, &mut ids);
        assert!(ids.contains(&secret) && ids.contains(&own) && ids.contains(&paper));
        assert!(!ids.contains(&id(9)), "an entry is no record");

        let names = [(secret.clone(), false), (own.clone(), true)];
        let names = NamedRecords(names.into_iter().chain([(paper.clone(), false)]).collect());
        let mut withheld = BTreeSet::new();
        names.hide_named(&mut told, &mut withheld);
        let text = told.to_string();
        assert!(!text.contains(&secret) && !text.contains(&paper), "{text}");
        assert_eq!(told["events"][0]["data"], json!({"record": ""}));
        assert_eq!(told["events"][0]["entry"], id(9));
        assert_eq!(told["events"][1]["data"], json!({"record": own}));
        assert_eq!(told["events"][2]["data"], json!({"image_sha256": id(7)}));
        assert_eq!(
            told["fields"],
            json!({"note": "see , bay 4", "direction": "in"})
        );
        assert!(withheld.iter().eq(["cargo.note", "link", "note"]));
    }

    #[test]
    fn an_id_is_found_whatever_it_is_joined_to() {
        let (full, hold) = (id(1), printed(1, Lane::Hold));
        for text in [
            format!("{hold}- call SEC"),
            format!("see-{hold}"),
            format!("{hold}-2"),
            format!("-{hold}--{}", hold.to_lowercase()),
        ] {
            assert!(ids_in(&text).any(|found| found == hold), "{text}");
        }

        let text = format!("id-{full}-");
        assert!(ids_in(&text).eq([full.as_str()]));
        assert_eq!(ids_in("TRB-H- 22-Ж-1 --").count(), 0);
    }

    #[test]
    fn what_was_not_looked_up_may_be_a_hold_that_is_not_read() {
        let hold = printed(1, Lane::Hold);
        let (passage, lower) = (printed(2, Lane::Passage), hold.to_lowercase());
        let mut told = truck(
            &id(1),
            &id(2),
            &format!("{hold} {passage} {lower} {}", id(5)),
        );
        let mut withheld = BTreeSet::new();
        NamedRecords::default().hide_named(&mut told, &mut withheld);
        assert_eq!(told["events"][0]["data"], json!({"record": ""}));
        assert_eq!(told["events"][1]["data"], json!({"record": ""}));

        // No passage is a hold, and a digest that somebody wrote down is no id.
        let note = told["fields"]["note"].as_str().expect("a note");
        assert!(!note.contains(&hold) && !note.contains(&lower), "{note}");
        assert!(note.contains(&passage) && note.contains(&id(5)), "{note}");
    }

    #[test]
    fn a_history_names_such_a_hold_nowhere_either() {
        let secret = id(1);
        let mut history = json!({
            "record": id(3),
            "fields": {"note": [{"value": secret, "entry": id(9)}]},
            "entries": [{
                "entry": id(9),
                "puts": {"note": secret},
                "events": [{"type": "link", "record": secret}],
            }],
        });
        let whole = history.clone();
        let mut withheld = BTreeSet::new();
        let names = NamedRecords([(secret.clone(), false)].into());
        names.hide_named(&mut history, &mut withheld);
        assert!(!history.to_string().contains(&secret), "{history}");
        assert_eq!(history["entries"][0]["entry"], id(9));
        assert!(withheld.iter().eq(["link", "note"]));

        let mut read = whole.clone();
        let mut withheld = BTreeSet::new();
        NamedRecords([(secret, true)].into()).hide_named(&mut read, &mut withheld);
        assert_eq!(read, whole, "who reads the hold reads its name");
        assert!(withheld.is_empty());
    }
}
