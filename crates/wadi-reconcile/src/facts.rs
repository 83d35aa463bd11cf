//! Records as rules see them: their projections, read with little ceremony.

use crate::numbers::total;
use serde_json::{Value as Json, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use wadi_record::{KnownBy, SpeaksAgainst, evidence_against, field_term, held_at, held_now};

/// Fields that say which vehicle a record is about.
const VEHICLE_FIELDS: [&str; 4] = [
    "vehicle.plate",
    "vehicle.plate_raw",
    "trailer.plate",
    "vehicle.vin",
];

/// A record as a rule sees it: its projection.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The record's id, hexadecimal.
    pub id: String,
    /// The projection, as `Record::json` gives it; many dossiers share it.
    pub json: Arc<Json>,
}

/// One event of a record.
#[derive(Clone, Copy, Debug)]
pub struct Fact<'a>(&'a Json);

impl<'a> Fact<'a> {
    fn top(&self, member: &str) -> &'a str {
        self.0[member].as_str().unwrap_or_default()
    }

    /// Its id.
    pub fn id(&self) -> &'a str {
        self.top("id")
    }

    /// Its type.
    pub fn kind(&self) -> &'a str {
        self.top("type")
    }

    /// The entry that says it.
    pub fn entry(&self) -> &'a str {
        self.top("entry")
    }

    /// The officer.
    pub fn officer(&self) -> &'a str {
        self.top("officer")
    }

    /// The department; empty for none.
    pub fn department(&self) -> &'a str {
        self.top("department")
    }

    /// The device; empty for none.
    pub fn device(&self) -> &'a str {
        self.top("device")
    }

    /// The device's own counter; 0 for none.
    pub fn device_seq(&self) -> u64 {
        self.0["device_seq"].as_u64().unwrap_or(0)
    }

    /// The run of that counter; empty where it never began anew.
    pub fn device_run(&self) -> &'a str {
        self.top("device_run")
    }

    /// Whether somebody of a supervising department stands for it.
    pub fn attested(&self) -> bool {
        self.0["attested"] == true
    }

    /// When it happened, as claimed, Unix milliseconds.
    pub fn at_ms(&self) -> i64 {
        self.0["at_ms"].as_i64().unwrap_or(0)
    }

    /// When it was written down, by the clock of the node that wrote it, Unix milliseconds.
    pub(crate) fn entered_ms(&self) -> i64 {
        self.0["entered_ms"].as_i64().unwrap_or(self.at_ms())
    }

    /// When it happened or was written down, whichever is later, Unix milliseconds: nobody rested
    /// on it before.
    pub(crate) fn known_from_ms(&self) -> i64 {
        self.at_ms().max(self.entered_ms())
    }

    /// When it happened or was written down, whichever is earlier, Unix milliseconds: by then it
    /// was so, by one word or the other.
    pub(crate) fn said_from_ms(&self) -> i64 {
        self.at_ms().min(self.entered_ms())
    }

    /// Whether it counts for the state.
    pub fn counts(&self) -> bool {
        self.0["counts"] == true
    }

    /// Whether it counts where it restricts: past a cut, too.
    pub fn restricts(&self) -> bool {
        self.refused().is_none() && (self.counts() || self.0["quarantined"] == true)
    }

    /// Whether it joins what it names, where it is a link: one of a department that has to do with
    /// neither record is kept, and joins nothing.
    pub(crate) fn joins(&self) -> bool {
        self.0["unjoined"] != true
    }

    /// Whether its officer is registered for another crossing than the one that wrote it.
    pub(crate) fn is_elsewhere(&self) -> bool {
        self.0["elsewhere"] == true
    }

    /// The crossing of the node that wrote it, where it is not the record's own.
    pub(crate) fn written_at(&self) -> Option<&'a str> {
        self.0["written_at"].as_str()
    }

    /// The key of its officer's own that signed its entry, by its fingerprint.
    pub(crate) fn signed_by(&self) -> Option<&'a str> {
        self.0["signed_by"].as_str()
    }

    /// Why it does not count: code and reason.
    pub fn refused(&self) -> Option<(&'a str, &'a str)> {
        let r = &self.0["refused"];
        Some((r["code"].as_str()?, r["why"].as_str().unwrap_or_default()))
    }

    /// Whether it says that goods are bad: what nobody should let go.
    pub(crate) fn says_bad(&self) -> bool {
        let members = self.0["data"].as_object();
        members.is_some_and(|members| {
            evidence_against(self.kind(), members) == Some(SpeaksAgainst::Bad)
        })
    }

    /// Whether it says what another one says, whoever and whenever.
    pub(crate) fn says_the_same(&self, other: &Fact<'_>) -> bool {
        self.kind() == other.kind() && self.0["data"] == other.0["data"]
    }

    /// A member's text.
    pub fn text(&self, member: &str) -> Option<&'a str> {
        self.0["data"][member].as_str()
    }

    /// Whether a member is true.
    pub(crate) fn flag(&self, member: &str) -> bool {
        self.0["data"][member] == true
    }

    /// A member's whole number.
    pub fn int(&self, member: &str) -> Option<i64> {
        self.0["data"][member].as_i64()
    }

    /// A member's number.
    pub fn number(&self, member: &str) -> Option<f64> {
        self.0["data"][member].as_f64()
    }

    /// A member's list of text.
    pub fn texts(&self, member: &str) -> Vec<&'a str> {
        self.0["data"][member]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Json::as_str)
            .collect()
    }
}

/// The id of an act, and the names of what it lacks.
fn lacking(line: &Json) -> Option<(&str, Vec<&str>)> {
    let lacks = line["lacks"].as_array()?.iter().filter_map(Json::as_str);
    Some((line["id"].as_str()?, lacks.collect()))
}

impl Facts {
    /// A record out of its projection's text. One that does not read is known by name alone, and
    /// says so: that it holds nothing must not look as if nothing were wrong with it.
    pub fn read(
        id: String,
        printed: &str,
        kind: &str,
        crossing: &str,
        text: &str,
        born_ms: i64,
    ) -> Self {
        let json = match serde_json::from_str(text) {
            Ok(json @ Json::Object(_)) => json,
            _ => {
                json!({
                    "id": printed,
                    "kind": kind,
                    "crossing": crossing,
                    "unreadable": true,
                })
            }
        };

        Self::of(id, json, born_ms)
    }

    /// A record out of its projection as `Record::json` gives it. `born_ms` is when it first
    /// happened, as claimed, Unix milliseconds.
    pub fn of(id: String, mut json: Json, born_ms: i64) -> Self {
        if let Some(members) = json.as_object_mut() {
            members.insert("born_ms".into(), born_ms.into());
        }

        Self {
            id,
            json: Arc::new(json),
        }
    }

    /// Whether the projection did not read.
    pub fn is_unreadable(&self) -> bool {
        self.json["unreadable"] == true
    }

    fn text(&self, member: &str) -> &str {
        self.json[member].as_str().unwrap_or_default()
    }

    /// The printed id.
    pub fn printed(&self) -> &str {
        self.text("id")
    }

    /// The kind.
    pub fn kind(&self) -> &str {
        self.text("kind")
    }

    /// Whether it is a passage.
    pub fn is_passage(&self) -> bool {
        self.kind() == "passage"
    }

    /// Whether it is a hold.
    pub fn is_hold(&self) -> bool {
        self.kind() == "hold"
    }

    /// Whether it is a customs entry.
    pub fn is_customs_entry(&self) -> bool {
        self.kind() == "customs-entry"
    }

    /// The crossing.
    pub fn crossing(&self) -> &str {
        self.text("crossing")
    }

    /// The state's name.
    pub fn state(&self) -> &str {
        self.text("state")
    }

    /// Whether a flag stands beside the state.
    pub fn flag(&self, name: &str) -> bool {
        self.json["flags"]
            .as_array()
            .is_some_and(|f| f.iter().any(|f| f == name))
    }

    /// A settled field's text.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.json["fields"][name].as_str()
    }

    /// Whether a settled field of both says the same, however it is written.
    pub(crate) fn shares(&self, other: &Facts, name: &str) -> bool {
        let form = |facts: &Facts| field_term(name, facts.field(name)?);
        form(self).is_some_and(|own| Some(own) == form(other))
    }

    /// Whether one of the settled fields `PREFIX.N` says the same as a text, however it is written.
    pub(crate) fn has_among(&self, prefix: &str, text: &str) -> bool {
        let form = |text: &str| field_term(&format!("{prefix}.1"), text);
        let Some(wanted) = form(text) else {
            return false;
        };

        let own = self.texts(prefix, "");
        own.into_iter()
            .any(|own| form(own).as_ref() == Some(&wanted))
    }

    /// Whether one of the settled fields `PREFIX.N` says what one of another's says.
    pub(crate) fn shares_any(&self, other: &Facts, prefix: &str) -> bool {
        let own = self.texts(prefix, "");
        own.into_iter().any(|own| other.has_among(prefix, own))
    }

    /// Plates and vehicle numbers in their normal forms, those among them that were changed after
    /// somebody had rested on them.
    pub(crate) fn vehicles(&self) -> BTreeSet<(&'static str, String)> {
        self.vehicles_of(|_| true)
    }

    /// The same, with what stands now only in fields of such names.
    pub(crate) fn vehicles_of(
        &self,
        is_meant: impl Fn(&str) -> bool,
    ) -> BTreeSet<(&'static str, String)> {
        #[cfg(test)]
        crate::tests::work::note_reading();
        let meant = VEHICLE_FIELDS.iter().filter(|name| is_meant(name));
        let now = meant.filter_map(|name| Some((*name, self.field(name)?)));
        let changes = self.json["changed_after"].as_array().into_iter().flatten();
        let before = changes.flat_map(|change| {
            let name = change["field"].as_str().unwrap_or_default();
            let values = change["before"].as_array().into_iter().flatten();
            values.filter_map(move |value| Some((name, value.as_str()?)))
        });

        let before = before.filter(|(name, _)| VEHICLE_FIELDS.contains(name));
        let all = now.chain(before);
        all.filter_map(|(name, text)| field_term(name, text))
            .collect()
    }

    /// Whether both are about one vehicle.
    pub(crate) fn shares_vehicle(&self, other: &Facts) -> bool {
        !self.vehicles().is_disjoint(&other.vehicles())
    }

    /// What holds know the record by.
    pub(crate) fn known_by(&self) -> KnownBy {
        #[cfg(test)]
        crate::tests::work::note_reading();
        KnownBy::of(&self.id, self.known_by_ms(), &self.json)
    }

    /// When the record first happened, as what holds know it by has it, Unix milliseconds.
    pub(crate) fn known_by_ms(&self) -> i64 {
        let born_ms = self.json["born_ms"].as_i64();
        born_ms.unwrap_or_else(|| self.began_ms())
    }

    /// A settled field's whole number.
    pub fn int(&self, name: &str) -> Option<i64> {
        self.json["fields"][name].as_i64()
    }

    /// Settled values of fields `PREFIX.N` or, with a suffix, `PREFIX.N.SUFFIX`, in the order of
    /// their names.
    pub fn numbered<'a>(
        &'a self,
        prefix: &'a str,
        suffix: &'a str,
    ) -> impl Iterator<Item = &'a Json> {
        #[cfg(test)]
        crate::tests::work::note_reading();
        let fields = self.json["fields"].as_object();
        fields
            .into_iter()
            .flatten()
            .filter_map(move |(name, value)| {
                let rest = name.strip_prefix(prefix)?.strip_prefix('.')?;
                let (_, last) = rest.split_once('.').unwrap_or((rest, ""));
                (last == suffix).then_some(value)
            })
    }

    /// The same, as text.
    pub fn texts<'a>(&'a self, prefix: &'a str, suffix: &'a str) -> Vec<&'a str> {
        self.numbered(prefix, suffix)
            .filter_map(Json::as_str)
            .collect()
    }

    /// The sum of whole numbers in such fields; nothing where there is none.
    pub fn sum(&self, prefix: &str, suffix: &str) -> Option<i64> {
        let all: Vec<i64> = self
            .numbered(prefix, suffix)
            .filter_map(Json::as_i64)
            .collect();
        (!all.is_empty()).then(|| total(all))
    }

    /// What people and devices said, whether it counts or not, the oldest first. What the hub says
    /// of its findings is no fact of the crossing: a finding must not rest on having been
    /// published.
    pub fn said(&self) -> impl Iterator<Item = Fact<'_>> {
        self.everything()
            .filter(|e| e.kind() != "finding" && !e.kind().starts_with("finding."))
    }

    /// What the hub and its auditors said of findings on this record, the oldest first.
    pub fn of_findings(&self) -> impl Iterator<Item = Fact<'_>> {
        self.everything()
            .filter(|e| e.kind() == "finding" || e.kind().starts_with("finding."))
    }

    fn everything(&self) -> impl Iterator<Item = Fact<'_>> {
        #[cfg(test)]
        crate::tests::work::note_reading();
        self.json["events"]
            .as_array()
            .into_iter()
            .flatten()
            .map(Fact)
    }

    /// Events that count, of a type.
    pub fn events<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = Fact<'a>> {
        self.said().filter(move |e| e.counts() && e.kind() == kind)
    }

    /// Events that count, of any of these types.
    pub fn any<'a>(&'a self, kinds: &'a [&'a str]) -> impl Iterator<Item = Fact<'a>> {
        self.said()
            .filter(move |e| e.counts() && kinds.contains(&e.kind()))
    }

    /// Events that count, of types of which the table of events says so. A type that this version
    /// does not know is none of them.
    pub(crate) fn of_types<'a>(
        &'a self,
        says: impl Fn(&wadi_record::EventType) -> bool + 'a,
    ) -> impl Iterator<Item = Fact<'a>> {
        self.said()
            .filter(move |e| e.counts() && wadi_record::event_type(e.kind()).is_some_and(&says))
    }

    /// Decisions that count: before one its node writes down what it had taken in. An assessment is
    /// among them, for duties rest on it.
    pub fn decisions(&self) -> impl Iterator<Item = Fact<'_>> {
        self.of_types(|t| t.decision || t.name == "assessed")
    }

    /// Acts of legal weight that lack what they need, as the fold of states has them, each with the
    /// names of what it lacks.
    pub(crate) fn unfounded(&self) -> impl Iterator<Item = (Fact<'_>, Vec<&str>)> {
        let lines = self.json["unfounded"].as_array().into_iter().flatten();
        let by_id: BTreeMap<&str, Vec<&str>> = lines.filter_map(lacking).collect();

        self.said()
            .filter_map(move |e| Some((e, by_id.get(e.id())?.clone())))
    }

    /// Whether an event of that type counts.
    pub fn has(&self, kind: &str) -> bool {
        self.said().any(|e| e.counts() && e.kind() == kind)
    }

    /// When the first event of a type that counts happened.
    pub fn first_ms(&self, kind: &str) -> Option<i64> {
        self.said()
            .filter(|e| e.counts() && e.kind() == kind)
            .map(|e| e.at_ms())
            .min()
    }

    /// When the last event of a type that counts happened.
    pub fn last_ms(&self, kind: &str) -> Option<i64> {
        self.said()
            .filter(|e| e.counts() && e.kind() == kind)
            .map(|e| e.at_ms())
            .max()
    }

    /// When the record first happened, as claimed, Unix milliseconds.
    pub fn began_ms(&self) -> i64 {
        let first = self.said().filter(Fact::counts).map(|e| e.at_ms()).min();
        first.or_else(|| self.json["born_ms"].as_i64()).unwrap_or(0)
    }

    /// When it was first written down, by the clock of the node that wrote it, Unix milliseconds:
    /// no claim moves this.
    pub(crate) fn written_ms(&self) -> i64 {
        let first = || {
            let counting = self.said().filter(Fact::counts);
            counting.map(|e| e.entered_ms()).min()
        };
        let told = self.json["written_ms"].as_i64().or_else(first);
        told.unwrap_or_else(|| self.began_ms())
    }

    /// Whether it was written down before another one. Of two that contradict each other the later
    /// one carries the finding: who writes one today cannot have been there before, whatever time
    /// he says it is of.
    pub(crate) fn was_written_before(&self, other: &Facts) -> bool {
        (self.written_ms(), &self.id) < (other.written_ms(), &other.id)
    }

    /// When something was last said of it, as claimed, Unix milliseconds.
    pub fn ended_ms(&self) -> i64 {
        self.said()
            .filter(Fact::counts)
            .map(|e| e.at_ms())
            .max()
            .unwrap_or_else(|| self.began_ms())
    }

    /// Whether this hold held something back at a time, as the fold of states sees it.
    pub fn was_open_at(&self, at_ms: i64) -> bool {
        held_at(&self.json, at_ms)
    }

    /// When the first hold of this record began, as claimed, Unix milliseconds: with a placement,
    /// or with a machine's alarm.
    pub fn held_from_ms(&self) -> Option<i64> {
        let all = self.json["placements"].as_array().into_iter().flatten();
        all.filter_map(|p| p["placed_ms"].as_i64()).min()
    }

    /// Whether something of a hold is still open.
    pub fn is_open_hold(&self) -> bool {
        held_now(&self.json)
    }

    /// The entries whose placements of this hold held something back at a time.
    pub(crate) fn placed_by(&self, at_ms: i64) -> impl Iterator<Item = &str> {
        let all = self.json["placements"].as_array().into_iter().flatten();
        let held = all.filter(move |p| held_at(&json!({"placements": [p]}), at_ms));
        held.filter_map(|p| p["entry"].as_str())
    }

    /// The entries that placed what this hold holds, or held.
    pub fn placements(&self) -> impl Iterator<Item = &str> {
        self.json["placements"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|p| p["entry"].as_str())
    }
}

#[cfg(test)]
mod tests {
    use crate::tests::*;
    use serde_json::json;
    use wadi_record::Policy;

    #[test]
    fn what_says_that_there_is_none_joins_nobody() {
        let both = |text: &str| {
            let fields = json!({
                "vehicle.plate": text,
                "trailer.plate": text,
                "transit.ref": text,
                "container.1": text,
                "seal.1": text,
            });
            (passage("P1", fields.clone(), &[]), entry("E1", fields, &[]))
        };
        let is_joined = |text: &str| {
            let (truck, entry) = both(text);
            let carries = truck
                .known_by()
                .carries(&entry.known_by(), &Policy::default());
            let shares = truck.shares(&entry, "transit.ref")
                || truck.shares_vehicle(&entry)
                || truck.shares_any(&entry, "container")
                || truck.has_among("seal", text);
            let journey = dossier(entry, vec![truck], 0);
            let meets = journey.journey("passage").next().is_some();

            assert!(carries == shares && shares == meets, "{text}");
            meets
        };

        for none in [
            "N/A",
            "none",
            "UNKNOWN",
            "0",
            "NO PLATE",
            "XXX",
            "بدون",
            "غير معروف",
        ] {
            assert!(!is_joined(none), "{none}");
        }
        for number in ["22 A 12345", "00100", "٧"] {
            assert!(is_joined(number), "{number}");
        }
    }
}
