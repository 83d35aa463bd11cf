//! What the answer to a write shows of the fields that it changed: what stood there before is read
//! by it, and is shown to those who read it by other ways.

use super::{ReadRight, Tally};
use crate::Token;
use serde_json::{Value, json};
use std::{collections::BTreeSet, sync::Arc};
use wadi_node::{Changed, Node, Written};
use wadi_record::{Kind, LOOKOUT_FIELD, identifies_person};

impl Token {
    /// Takes out of the answer to a write what this token does not read of the fields that were
    /// changed, and names it there. A device, and whose right to read has ended, reads nothing but
    /// what it has just said.
    pub(crate) fn show_written(&self, node: &Arc<Node>, written: &Written, answer: &mut Value) {
        let Some(changed) = &written.changed else {
            return;
        };

        match self.reading(node) {
            Ok(right) => right.show_changed(&written.record.to_string(), changed, answer),
            Err(_) => show_own_words(answer),
        }
    }
}

/// The lines of the fields that a write changed.
fn lines(answer: &mut Value) -> Option<&mut Vec<Value>> {
    answer["changed"]["fields"].as_array_mut()
}

/// Takes out what is not read, and names it.
fn withhold(mut tally: Tally, answer: &mut Value) {
    tally.take_listed(lines(answer));
    if !tally.withheld.is_empty() {
        answer["withheld"] = json!(tally.withheld);
    }
}

/// Leaves what whoever wrote has just said, and takes out what stood there before.
fn show_own_words(answer: &mut Value) {
    let mut tally = Tally::of(false, false);
    if let Some(all) = lines(answer) {
        let more = all.extract_if(.., |line| tells_more(line));
        let names = more.filter_map(|line| line["field"].as_str().map(String::from));
        tally.withheld = names.collect();
    }
    withhold(tally, answer);
}

/// Whether a line tells more than whoever wrote it has just said.
fn tells_more(line: &Value) -> bool {
    let count = |member: &str| line[member].as_array().map_or(0, Vec::len);
    count("before") > 0 || count("after") > 1
}

/// What a record has come to, which nobody is told who does not read it.
const STANDING: [&str; 3] = ["state", "flags", "heads"];

/// Takes out a member. Whether it told anything.
fn take_member(told: &mut Value, member: &str) -> bool {
    let taken = told.as_object_mut().and_then(|all| all.remove(member));
    taken.is_some_and(|value| !value.is_null())
}

/// Takes out of what a record came to what only those are told who read it.
fn take_standing(standing: &mut Value) -> Vec<&'static str> {
    let told = STANDING.into_iter();
    told.filter(|member| take_member(standing, member))
        .collect()
}

impl ReadRight<'_> {
    /// Takes out of what a record came to by a write what is not read, and tells what that was. Who
    /// does not read the record wrote on it, and is told no more than whoever cannot ask for it;
    /// that it is detained tells of others, and is told as everywhere.
    pub(crate) fn show_standing(&self, standing: &mut Value) -> Vec<&'static str> {
        let mut taken = match self.check_record(standing) {
            Ok(()) => Vec::new(),
            Err(_) => take_standing(standing),
        };
        if self.take_detentions(standing) {
            taken.push("detained_by");
        }
        taken
    }

    fn show_changed(&self, about: &str, changed: &Changed, answer: &mut Value) {
        let record = json!({
            "kind": changed.kind.map(Kind::name),
            "crossing": changed.crossing.to_string(),
            "fields": {"type": changed.hold_type},
            "hold_types": changed.told_types,
        });

        // What it changed tells what stood there: whether it was open, and as what.
        let mut tally = self.tally_of(&record);
        if self.check_record(&record).is_err() {
            take_member(answer, "changed");
            tally.withheld = ["changed".to_string()].into();
            self.tell(about, answer, tally);
            return;
        }

        tally.take_listed(lines(answer));
        self.hide_changed(answer, &mut tally.withheld);
        let left = answer["changed"]["fields"].as_array();
        let told: BTreeSet<&str> = left
            .into_iter()
            .flatten()
            .filter(|line| tells_more(line))
            .filter_map(|line| line["field"].as_str())
            .collect();
        tally.persons_shown = told.iter().any(|field| identifies_person(field));
        tally.lookout_shown = told.contains(LOOKOUT_FIELD);
        self.tell(about, answer, tally);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer() -> Value {
        json!({"changed": {"fields": [
            {"field": "person.1.document_hash", "before": ["ab"], "after": ["cd"]},
            {"field": "target.term", "before": [], "after": ["22A1"]},
            {"field": "note", "before": [], "after": ["n"]},
        ]}})
    }

    #[test]
    fn what_a_token_does_not_read_of_a_change_is_taken_out_and_named() {
        let mut shown = answer();
        withhold(Tally::of(false, false), &mut shown);
        let note = json!([{"field": "note", "before": [], "after": ["n"]}]);
        assert_eq!(shown["changed"]["fields"], note);
        let names = json!(["person.1.document_hash", "target.term"]);
        assert_eq!(shown["withheld"], names);

        let mut whole = answer();
        withhold(Tally::of(true, true), &mut whole);
        assert_eq!(whole, answer(), "nothing is withheld, and nothing named");
    }

    #[test]
    fn what_a_hold_came_to_is_not_told_by_a_write_of_no_consequence() {
        let mut standing = json!({
            "state": "PLACED", "flags": ["LOOKOUT"], "heads": ["e"], "kind": "hold",
            "detained_by": [{"hold": "TRB-H-1", "type": "CUSTOMS"}],
        });
        assert_eq!(take_standing(&mut standing), ["state", "flags", "heads"]);
        for member in STANDING {
            assert!(standing[member].is_null(), "{member}: {standing}");
        }
        assert!(standing["detained_by"].is_array(), "it must not leave");
        assert_eq!(take_standing(&mut standing), [""; 0], "named once");

        let mut answer = json!({"warnings": [], "changed": {"flags_came": ["RELEASED"]}});
        assert!(take_member(&mut answer, "changed"));
        assert_eq!(answer, json!({"warnings": []}));
    }

    #[test]
    fn who_reads_nothing_is_shown_no_value_that_stood_there_before() {
        let mut shown = json!({"changed": {"fields": [
            {"field": "note", "before": ["secret"], "after": ["n"]},
            {"field": "seal.1", "before": [], "after": ["S1"]},
        ]}});
        show_own_words(&mut shown);
        let seal = json!([{"field": "seal.1", "before": [], "after": ["S1"]}]);
        assert_eq!(shown["changed"]["fields"], seal);
        assert_eq!(shown["withheld"], json!(["note"]));
    }

    #[test]
    fn only_what_stood_before_and_what_others_said_is_more_than_the_writer_knew() {
        for (before, after, tells) in [
            (json!([]), json!(["a"]), false),
            (json!(["b"]), json!(["a"]), true),
            (json!(["b"]), json!([]), true),
            (json!([]), json!(["a", "b"]), true),
        ] {
            let line = json!({"field": "person.1.nationality", "before": before, "after": after});
            assert_eq!(tells_more(&line), tells, "{line}");
        }
    }
}
