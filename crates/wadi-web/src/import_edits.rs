//! Edits of an import: which of a file is which when it comes again, and what has become of those
//! that came before.

use crate::{body::operation_writes, strict::content_hash, written::value_json};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use wadi_log::Hash;
use wadi_record::{Draft, Value as FieldValue};

/// What is said of an edit that came before, where something else was said since.
pub(crate) const OVERTAKEN: &str = "this edit was imported before, and what it says was changed \
     since: it is not written again; where it is meant anew give the line a `key` that was never \
     sent";
/// What is said of an edit that is written after those that the file says later.
pub(crate) const LATE: &str = "edits of the same that stand below it were imported before: this \
     one comes after them now; where the last of them is meant to stand give that line a `key` \
     that was never sent";

/// The keys of operations that have none of their own, in the order of a file.
///
/// An edit is the one that it is by what it says, on which record, and by how often the file said
/// just that before: from A to B and back to A are two edits of A, the same file sent again is the
/// same edits again, and a line that was mended, put in or taken out makes new edits of no other.
/// The same edit twice in a row is one.
#[derive(Default)]
pub struct OperationKeys {
    records: HashMap<String, SaidOfRecord>,
}

/// What a file said of one record so far.
#[derive(Default)]
struct SaidOfRecord {
    /// Whether it began it: a file that only goes on is another one.
    is_begun: bool,
    /// By member, what its last edit said.
    last: BTreeMap<String, Hash>,
    /// How often each was said.
    times: HashMap<Hash, u64>,
}

impl OperationKeys {
    /// The key of the next operation of the file; none where the line is no edit, but begins a
    /// record or is no operation.
    pub fn next(&mut self, line: &Map<String, Value>) -> Option<String> {
        let id = line.get("id")?.as_str()?;
        let mut content = line.clone();
        let own = content
            .remove("key")
            .and_then(|key| key.as_str().map(String::from));
        let content = content_hash(&[&Value::Object(content)]);
        let said = self.records.entry(id.to_string()).or_default();

        if line.get("op").is_none_or(|op| op != "set") {
            *said = SaidOfRecord {
                is_begun: true,
                ..SaidOfRecord::default()
            };
            return None;
        }

        let times = said.count(members_of(line)?, content);
        Some(own.unwrap_or_else(|| {
            let parts = [
                json!(content.to_string()),
                json!(said.is_begun),
                json!(times),
            ];
            content_hash(&parts.each_ref()).to_string()
        }))
    }
}

impl SaidOfRecord {
    /// Counts an edit of these members; how often it was said by now.
    fn count(&mut self, members: &Map<String, Value>, content: Hash) -> u64 {
        let is_again = members.keys().all(|m| self.last.get(m) == Some(&content));
        let times = self.times.entry(content).or_default();
        if !is_again {
            *times = times.saturating_add(1);
        }

        let last = members.keys().map(|member| (member.clone(), content));
        self.last.extend(last);
        *times
    }
}

/// What an edit sets.
fn members_of(line: &Map<String, Value>) -> Option<&Map<String, Value>> {
    line.get("set")?.as_object()
}

/// An edit of a request.
#[derive(Clone)]
pub(crate) struct Edit {
    /// The place of its line, from nought.
    pub(crate) line: usize,
    id: String,
    /// What it sets, as the line says it.
    members: Map<String, Value>,
    fields: BTreeMap<String, FieldValue>,
    events: Vec<Map<String, Value>>,
}

impl Edit {
    /// The edit that a line asks for, of a sender's id.
    pub(crate) fn of(line: usize, id: &str, map: &Map<String, Value>, draft: &Draft) -> Self {
        Self {
            line,
            id: id.into(),
            members: members_of(map).cloned().unwrap_or_default(),
            fields: draft.fields.clone(),
            events: draft.events.clone(),
        }
    }

    /// The same edit, of some of its members alone.
    fn of_members(&self, members: Map<String, Value>) -> Option<Self> {
        if members.len() == self.members.len() {
            return Some(self.clone());
        }

        let mut map = Map::new();
        map.insert("op".into(), "set".into());
        map.insert("id".into(), self.id.as_str().into());
        map.insert("set".into(), Value::Object(members));
        let (id, _, draft, _) = operation_writes(&map).ok()?;
        Some(Self::of(self.line, &id, &map, &draft))
    }

    /// Whether the record says something else by now in what it set, whoever said so. What others
    /// said of anything else, as a hub of what it found, does not concern it.
    pub(crate) fn is_overtaken(&self, record: &Value) -> bool {
        let is_other = |(field, value): (&String, &FieldValue)| match value {
            FieldValue::Null => {
                !record["fields"][field].is_null() || !record["contested"][field].is_null()
            }
            value => record["fields"][field] != value_json(value),
        };
        if self.fields.iter().any(is_other) {
            return true;
        }

        let told = record["events"].as_array().map_or(&[][..], Vec::as_slice);
        self.events.iter().any(|event| {
            let kind = event.get("type").unwrap_or(&Value::Null);
            // A weighing of the other mass by another scale is none of the same.
            let is_said = |(name, value): &(&String, &Value)| match name.as_str() {
                "type" | "scale" => false,
                "status" => **value != "unchanged",
                _ => true,
            };
            event.iter().filter(is_said).any(|(name, value)| {
                let of_kind = told.iter().rev().filter(|one| one["type"] == *kind);
                let mut last = of_kind.map(|one| &one["data"][name]);
                last.find(|said| !said.is_null())
                    .is_some_and(|said| said != value)
            })
        })
    }
}

/// The edits of a request, each with those members alone that none below it sets on the same id:
/// the last line first.
pub(crate) fn last_edits(edits: &[Edit]) -> Vec<Edit> {
    let mut set_below: HashSet<(&str, &str)> = HashSet::new();
    let mut last = Vec::new();
    for edit in edits.iter().rev() {
        let mut members = Map::new();
        for (member, value) in &edit.members {
            if set_below.insert((edit.id.as_str(), member.as_str())) {
                members.insert(member.clone(), value.clone());
            }
        }

        if !members.is_empty() {
            last.extend(edit.of_members(members));
        }
    }

    last
}

/// What stands last in a request of a member of a record.
struct LastSaid<'e> {
    value: &'e Value,
    /// Whether an earlier request said it. An edit that is sent twice in one is written in it.
    is_of_before: bool,
}

/// The lines that were written now, while the last edit of the same, which stands below them and
/// says something else, was before: they stand, and it does not.
pub(crate) fn late_edits(edits: &[Edit], results: &[Option<Value>]) -> BTreeSet<usize> {
    let result_of = |edit: &Edit| results.get(edit.line).and_then(Option::as_ref);
    let is_new = |result: &&Value| result["repeated"] == false;
    let new: HashSet<&str> = edits
        .iter()
        .filter_map(|edit| result_of(edit).filter(is_new)?["entry"].as_str())
        .collect();

    let mut last: HashMap<(&str, &str), LastSaid<'_>> = HashMap::new();
    let mut late = BTreeSet::new();
    for edit in edits.iter().rev() {
        // What is bad says nothing.
        let Some(result) = result_of(edit).filter(|line| line["repeated"].is_boolean()) else {
            continue;
        };
        let entry = result["entry"].as_str().unwrap_or_default();
        let is_of_before = !is_new(&result) && !new.contains(entry);
        for (member, value) in &edit.members {
            let said = LastSaid {
                value,
                is_of_before,
            };
            let of = (edit.id.as_str(), member.as_str());
            let below = last.entry(of).or_insert(said);
            if !is_of_before && below.is_of_before && below.value != value {
                late.insert(edit.line);
            }
        }
    }

    late
}

/// Says of a line what looks wrong.
pub(crate) fn warn_of(line: &mut Value, why: &str) {
    if let Some(warnings) = line["warnings"].as_array_mut() {
        warnings.push(why.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::strict::parse_object;
    use wadi_words::Language;

    const NEW: &str = r#"{"op":"new","id":"T1","set":{"direction":"in"}}"#;

    fn set(member: &str, value: impl Into<Value>) -> String {
        let mut members = Map::new();
        members.insert(member.into(), value.into());
        json!({"op": "set", "id": "T1", "set": members}).to_string()
    }

    fn keys(lines: &[&str]) -> Vec<Option<String>> {
        let mut keys = OperationKeys::default();
        lines
            .iter()
            .map(|line| keys.next(&parse_object(line).unwrap()))
            .collect()
    }

    fn edit(line: usize, text: &str) -> Edit {
        let map = parse_object(text).unwrap();
        let (id, _, draft, _) = operation_writes(&map).unwrap();
        Edit::of(line, &id, &map, &draft)
    }

    #[test]
    fn there_and_back_are_two_edits_and_the_file_again_is_the_same_edits() {
        let (three, four) = (set("lane", 3), set("lane", 4));
        let once = keys(&[NEW, &three, &four, &three]);
        assert_eq!(once[0], None);
        assert!(once[1].is_some() && once[1] != once[3]);
        assert_eq!(keys(&[NEW, &three, &four, &three]), once);
        assert_eq!(keys(&[NEW, &three])[1], once[1], "the first part of it");
        assert_ne!(keys(&[&three])[0], once[1], "a later file that goes on");
    }

    #[test]
    fn a_line_that_is_mended_put_in_or_taken_out_makes_no_new_edits_of_others() {
        let weighed = |kg: u32| set("gross_kg", kg);
        let (first, second, third) = (weighed(20_000), weighed(24_000), weighed(31_000));
        let whole = keys(&[NEW, &first, &second, &third, &first]);
        let without = keys(&[NEW, &first, &third, &first]);
        assert_eq!(without, [0, 1, 3, 4].map(|n: usize| whole[n].clone()));

        for bad in [set("gross_kg", "24OOO"), set("gross_kg", 24_000.5)] {
            let mut with = keys(&[NEW, &first, &bad, &third, &first]);
            assert_ne!(with[2], whole[2]);
            with[2].clone_from(&whole[2]);
            assert_eq!(with, whole);
        }

        // The line that begins the record, too.
        let other = NEW.replace("in", "out");
        assert_eq!(keys(&[&other, &first, &second, &third, &first]), whole);

        let (lane, noted) = (set("lane", "three"), set("note", "n"));
        let twice = keys(&[NEW, &lane, &first, &noted, &first]);
        assert_eq!(twice[2], twice[4], "twice in a row is once");
    }

    #[test]
    fn a_key_of_its_own_is_kept_and_other_records_do_not_matter() {
        let own = r#"{"op":"set","id":"T1","key":"E7","set":{"lane":3}}"#;
        assert_eq!(keys(&[own])[0].as_deref(), Some("E7"));
        let a = r#"{"op":"set","id":"T1","set":{"lane":3}}"#;
        let b = r#"{"op":"set","id":"T2","set":{"lane":3}}"#;
        assert_eq!(keys(&[a, b])[0], keys(&[b, a])[1]);
    }

    fn edits_of(lines: &[String]) -> Vec<Edit> {
        (0..).zip(lines).map(|(n, line)| edit(n, line)).collect()
    }

    /// What became of lines: whether each was written before, and in which entry it stands.
    fn results<const N: usize>(
        repeated: [Option<bool>; N],
        entries: [&str; N],
    ) -> Vec<Option<Value>> {
        let lines = repeated.into_iter().zip(entries);
        let told = |(repeated, entry): (Option<bool>, &str)| {
            repeated.map(|repeated| json!({"repeated": repeated, "entry": entry}))
        };
        lines.map(told).collect()
    }

    #[test]
    fn an_edit_that_is_sent_twice_or_says_the_same_is_late_for_nothing() {
        let (heavy, light) = (set("gross_kg", 31_000), set("gross_kg", 20_000));
        let (now, before) = (Some(false), Some(true));
        let late = |lines: &[String], told: Vec<Option<Value>>| {
            let edits = edits_of(lines);
            late_edits(&edits, &told)
        };

        // The second line is the first one, which this very request wrote.
        let twice = [heavy.clone(), heavy.clone()];
        let told = results([now, before], ["e1", "e1"]);
        assert!(late(&twice, told).is_empty());
        // It has another key than before, and says what stands last all the same.
        let told = results([now, before], ["e2", "e1"]);
        assert!(late(&twice, told).is_empty());

        // What stands last in the file was written now: that is what stands.
        let anew = [light.clone(), heavy.clone(), light.clone()];
        let told = results([now, before, before], ["e2", "e1", "e2"]);
        assert!(late(&anew, told).is_empty());

        let changed = [light, heavy];
        let told = results([now, before], ["e2", "e1"]);
        assert_eq!(late(&changed, told), BTreeSet::from([0]));
    }

    #[test]
    fn an_edit_that_is_written_after_later_ones_is_told() {
        let lines = [
            set("gross_kg", 20_000),
            set("gross_kg", 24_000),
            set("note", "n"),
            set("gross_kg", 31_000),
        ];
        let edits = edits_of(&lines);
        let late = |repeated: [Option<bool>; 4]| {
            let entries = ["e0", "e1", "e2", "e3"];
            late_edits(&edits, &results(repeated, entries))
        };

        let (now, before) = (Some(false), Some(true));
        assert_eq!(late([before, now, before, before]), BTreeSet::from([1]));
        assert!(late([before, now, before, now]).is_empty(), "at the end");
        assert!(late([before, now, before, None]).is_empty(), "it is bad");
        assert!(late([before, before, now, before]).is_empty(), "a note");
        assert_eq!(last_edits(&edits)[0].line, 3);
    }

    #[test]
    fn what_a_line_says_last_of_a_member_is_looked_at_whatever_stands_below_it() {
        let first = json!({"op": "set", "id": "T1", "set": {"note": "E", "seal": "S1"}});
        let edits = edits_of(&[first.to_string(), set("seal", "S2"), set("lane", 3)]);
        let overtaken = |note: &str| {
            let record = json!({
                "fields": {"note": note, "seal.1": "S2", "lane": 3},
                "contested": {},
                "events": [],
            });
            let mut lines = Vec::new();
            for edit in last_edits(&edits) {
                lines.extend(edit.is_overtaken(&record).then_some(edit.line));
            }
            lines
        };

        assert_eq!(overtaken("D"), [0]);
        assert!(overtaken("E").is_empty(), "its seal was set anew below");
    }

    #[test]
    fn an_edit_is_overtaken_by_what_says_otherwise_of_the_same_alone() {
        let weighing = |kg: u32| json!({"type": "weighed", "data": {"gross_kg": kg, "scale": "S"}});
        let found = json!({"type": "finding", "data": {"rule": "R03"}});
        let record = json!({
            "fields": {"lane": 4},
            "contested": {"note": [{"value": "a"}, {"value": "b"}]},
            "events": [weighing(24_000), weighing(31_000), found],
        });
        for (member, value, is_overtaken) in [
            ("lane", json!(4), false),
            ("lane", json!(3), true),
            ("gross_kg", json!(31_000), false),
            ("gross_kg", json!(24_000), true),
            ("tare_kg", json!(7_000), false),
            ("note", json!("a"), true),
            ("note", json!(""), true),
            ("hs", json!("0803"), true),
        ] {
            let edit = edit(0, &set(member, value.clone()));
            assert_eq!(
                edit.is_overtaken(&record),
                is_overtaken,
                "{member}: {value}"
            );
        }
    }

    #[test]
    fn what_is_told_of_edits_stands_in_the_catalogue() {
        for why in [OVERTAKEN, LATE] {
            let arabic = Language::Arabic.warning(why).expect("in the catalogue");
            assert!(!arabic.contains("imported"), "{arabic}");
        }
    }
}
