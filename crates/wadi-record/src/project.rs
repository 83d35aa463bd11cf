//! A record as JSON, and the terms by which records are looked up and linked.

use crate::{
    Department, HoldType, Kind, TermValue,
    authority::Refusal,
    carriage::{moves_nothing, terms_that_follow},
    check_digits,
    contained::{Trip, contained, trip},
    device_numbers::{DeviceNumber, numbers_of_puts},
    event_type,
    field_rights::CORRECTION,
    forms::Unfounded,
    held::{Placement, holds},
    joins::{joining_events, told_events},
    judged_change::{ChangedPut, Claim, EventView, Field, JudgedChange, Verdict},
    normal::{field_term, goods_terms, hs_subheading, is_digest, member_term, plate_shape},
    policy::SYSTEM_OFFICER,
    record::Record,
    state::{Fold, State, unreadable},
    stored::terms_of_stores,
};
use serde_json::{Map, Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};
use wadi_log::{Reference, Role, Value};

/// What records are looked up and linked by: (what, value), ascending.
pub type Terms = Vec<(String, String)>;

/// A value as JSON.
pub(crate) fn value_json(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Text(t) => Json::from(t.as_str()),
        Value::Int(i) => Json::from(*i),
        Value::Flag(b) => Json::from(*b),
    }
}

/// Why something does not count, as JSON.
pub(crate) fn refusal_json(refusal: &Refusal) -> Json {
    json!({"code": refusal.code, "why": refusal.why})
}

impl Claim {
    /// The claim as JSON.
    pub fn json(&self) -> Json {
        json!({
            "value": value_json(&self.value),
            "officer": self.officer,
            "department": self.department,
            "at_ms": self.at_ms,
            "entry": self.entry.to_string(),
        })
    }
}

impl EventView {
    /// The event as JSON: its members, who said it and when, and why it does not count where it
    /// does not.
    pub fn json(&self) -> Json {
        let mut data = self.members.clone();
        let kind = data.remove("type").unwrap_or(Json::Null);
        let mut out = Map::new();
        out.insert("id".into(), self.id.as_str().into());
        out.insert("type".into(), kind);
        out.insert(
            "known".into(),
            crate::event_type(self.kind()).is_some().into(),
        );
        if self.members.is_empty() {
            out.insert("text".into(), self.text.as_str().into());
        }

        out.insert("data".into(), Json::Object(data));
        out.insert("officer".into(), self.officer.as_str().into());
        out.insert(
            "department".into(),
            self.department.map(|d| d.code()).into(),
        );
        if !self.device.is_empty() {
            out.insert("device".into(), self.device.as_str().into());
            out.insert("device_seq".into(), self.device_seq.into());
        }

        if !self.device_run.is_empty() {
            out.insert("device_run".into(), self.device_run.as_str().into());
        }

        if self.attested {
            out.insert("attested".into(), true.into());
        }

        out.insert("at_ms".into(), self.at_ms.into());
        out.insert("entered_ms".into(), self.entered_ms.into());
        out.insert("entry".into(), self.reference.to_string().into());
        out.insert("counts".into(), self.counts().into());
        if let Some(refusal) = &self.refusal {
            out.insert("refused".into(), refusal_json(refusal));
        }

        if self.quarantined {
            out.insert("quarantined".into(), true.into());
        }

        if let Some(key) = &self.signed_by {
            out.insert("signed_by".into(), key.fingerprint().into());
        }

        if self.elsewhere {
            out.insert("elsewhere".into(), true.into());
        }

        // Nearly all is written at the record's own crossing; what goes without saying is not said.
        let other = self
            .written_at
            .filter(|c| *c != self.reference.log.crossing);
        if let Some(crossing) = other {
            out.insert("written_at".into(), crossing.to_string().into());
        }

        Json::Object(out)
    }
}

/// All that is made of a record for lists, rules and screens, in one fold.
#[derive(Clone, PartialEq, Debug)]
pub struct Projection {
    /// What the record has come to.
    pub state: State,
    /// Whether some field is contested.
    pub is_contested: bool,
    /// The record as [`Record::json`] gives it.
    pub json: Json,
    /// What it is looked up and linked by.
    pub terms: Terms,
}

impl Record {
    /// All that is made of the record, in one fold. Where that fails, it is shown as one that
    /// cannot be read, and holds what it held.
    pub fn projection(&self) -> Projection {
        let terms = || contained(|| terms(self)).unwrap_or_default();
        contained(|| self.folded()).unwrap_or_else(|| Projection {
            state: unreadable(self),
            is_contested: false,
            json: self.unreadable_json(),
            terms: terms(),
        })
    }

    fn folded(&self) -> Projection {
        let fold = Fold::of(self);
        trip(Trip::Terms, self.changes());
        let json = self.json_of(&fold);

        Projection {
            state: fold.state,
            is_contested: !fold.contested.is_empty(),
            json,
            terms: terms(self),
        }
    }

    /// What is told of a record that cannot be folded: its name, and that it may hold.
    fn unreadable_json(&self) -> Json {
        let state = unreadable(self);
        let placed_ms = self.rows().map(|(said, _)| said.at_ms()).min();
        let placements = state.open_holds.iter();
        let placements = placements.map(|id| {
            json!({
                "id": id,
                "entry": null,
                "type": null,
                "department": null,
                "placed_ms": placed_ms,
                "open": true,
                "ends": [],
            })
        });
        json!({
            "id": self.printed(),
            "record": self.id().to_string(),
            "kind": self.kind().map(Kind::name),
            "crossing": self.listed_under().map_or(String::new(), |c| c.to_string()),
            "state": state.name,
            "flags": state.flags,
            "open_holds": state.open_holds,
            "placements": placements.collect::<Vec<_>>(),
            "unreadable": true,
        })
    }

    /// The record as JSON: fields settled and contested, events by the time they happened, state,
    /// heads, what waits and what was refused.
    pub fn json(&self) -> Json {
        contained(|| self.json_of(&Fold::of(self))).unwrap_or_else(|| self.unreadable_json())
    }

    fn json_of(&self, fold: &Fold<'_>) -> Json {
        let state = &fold.state;
        let (mut fields, mut contested, mut warnings) = (Map::new(), Map::new(), Vec::new());
        for name in self.field_names() {
            match self.field(&name) {
                Some(Field::Settled(Value::Null)) | None => {}
                Some(Field::Settled(value)) => {
                    warnings.extend(check_digits::warnings(&name, &value));
                    fields.insert(name, value_json(&value));
                }
                Some(Field::Contested(claims)) => {
                    contested.insert(name, claims.iter().map(Claim::json).collect());
                }
            }
        }

        let mut events: Vec<&EventView> = self.events().collect();
        events.sort_by_key(|e| (e.at_ms, e.entered_ms, e.reference, e.ordinal));

        let missing = self.all_missing();
        let mut waiting_count = 0u64;
        let (mut refused, mut waiting) = (Vec::new(), Vec::new());
        for (said, row) in self.rows() {
            let entry = said.reference.to_string();
            match row {
                Verdict::Counts => {}
                Verdict::Refused(r) => {
                    refused.push(json!({"entry": entry, "code": r.code, "why": r.why}))
                }
                Verdict::Waits(_) if waiting.len() == WAITING_MAX => waiting_count += 1,
                Verdict::Waits(_) => {
                    waiting_count += 1;
                    let missing = missing.get(&said.reference).into_iter().flatten();
                    let missing = missing.take(WAITING_MAX);
                    let missing: Vec<String> = missing.map(ToString::to_string).collect();
                    waiting.push(json!({"entry": entry, "for": missing}));
                }
            }
        }

        let mut told = json!({
            "id": self.printed(),
            "record": self.id().to_string(),
            "kind": self.kind().map(Kind::name),
            "crossing": self.listed_under().map_or(String::new(), |c| c.to_string()),
            "state": state.name,
            "flags": state.flags,
            "open_holds": state.open_holds,
            "placements": fold.placements.iter().map(Placement::json).collect::<Vec<_>>(),
            "unfounded": fold.unfounded.iter().map(Unfounded::json).collect::<Vec<_>>(),
            "fields": fields,
            "put_by": self.put_by(),
            "captured": self.captured(),
            "seals": self.seals(),
            "seals_recorded": self.seals_recorded(),
            "device_numbers": self.device_numbers(),
            "written_ms": self.written_ms(),
            "contested": contested,
            "events": told_events(self, &events, &fold.placements),
            "heads": self.heads().iter().map(ToString::to_string).collect::<Vec<_>>(),
            "warnings": warnings,
            "refused": refused,
            "refused_fields": self.refused_fields(),
            "waiting": waiting,
            "waiting_count": waiting_count,
            "time_reversals": self.time_reversals(),
            "after_assessment": self.after_assessment(),
            "changed_after": self.changed_after(),
            "changed_after_count": self.changed_puts().count(),
        });
        if self.kind() == Some(Kind::QuarantineHold) {
            told["hold_types"] = json!(self.told_types());
        }

        told
    }

    /// Every seal that was ever recorded and counted, also where another took its place.
    fn seals(&self) -> BTreeSet<&str> {
        let texts = self.seal_puts().map(|(seal, _)| seal);
        texts.take(SEALS_MAX).collect()
    }

    /// The same, each with when it was first written down, by the clock of the node that wrote it,
    /// and by which entry: one that was recorded after another had been found excuses nothing.
    fn seals_recorded(&self) -> Vec<Json> {
        let mut first: BTreeMap<&str, (i64, Reference)> = BTreeMap::new();
        for (seal, entry) in self.seal_puts().take(SEALS_MAX) {
            let Some((said, _)) = self.row(&entry) else {
                continue;
            };

            let written = (said.common.wall_ms, entry);
            let known = first.entry(seal).or_insert(written);
            *known = written.min(*known);
        }

        let line = |(seal, (entered_ms, entry)): (&str, (i64, Reference))| {
            json!({
                "seal": seal,
                "entered_ms": entered_ms,
                "entry": entry.to_string(),
            })
        };
        first.into_iter().map(line).collect()
    }

    /// All that was put for a seal and counted, each with its entry.
    fn seal_puts(&self) -> impl Iterator<Item = (&str, Reference)> {
        let document = &self.now().document;
        let fields = document.field_names().filter(|n| n.starts_with("seal."));
        let puts = fields.flat_map(move |name| document.puts(name));

        puts.filter_map(move |(put, _)| match self.value(put) {
            Value::Text(seal) => Some((seal.as_str(), *self.now().entry(put.entry))),
            _ => None,
        })
    }

    /// Values that were put without the right to, with who put them and why they do not count.
    fn refused_fields(&self) -> Vec<Json> {
        let line = |put: &crate::RefusedPut| {
            let mut line = self.claim(put.value.clone(), put.entry).json();
            line["field"] = put.field.as_str().into();
            line["code"] = put.refusal.code.into();
            line["why"] = put.refusal.why.as_str().into();
            line
        };

        self.refused_puts().map(line).collect()
    }

    /// What fields held before somebody changed them after a decision rested on them, or where one
    /// of another record may: with who changed them, what rested on them and the reason given.
    fn changed_after(&self) -> Vec<Json> {
        let line = |put: &ChangedPut| {
            let (said, _) = self.row(&put.entry)?;
            let own = &mut said.change.puts.iter();
            let value = own.find(|p| p.key == put.field)?.value.clone();
            let events = self.now().events.of(&put.entry);
            let reason = events
                .filter(|e| e.counts() && e.kind() == CORRECTION)
                .find_map(|e| e.text("reason"));

            let mut line = self.claim(value, put.entry).json();
            line["field"] = put.field.as_str().into();
            line["entered_ms"] = said.common.wall_ms.into();
            line["before"] = put.before.iter().map(value_json).collect();
            line["after"] = put.after.into();
            line["reason"] = reason.into();
            Some(line)
        };

        self.told_changes().filter_map(line).collect()
    }

    /// What goods were known by before a change of their code or their origin: every pair that may
    /// have stood.
    fn goods_before(&self) -> BTreeSet<String> {
        let mut items: BTreeMap<&str, [BTreeSet<String>; 2]> = BTreeMap::new();
        for change in self.told_changes() {
            let parts = ["hs_code", "origin"].into_iter().enumerate();
            for (n, part) in parts {
                if let Some(item) = change.field.strip_suffix(part) {
                    let before = change.before.iter().filter_map(|value| match value {
                        Value::Text(text) => Some(text.clone()),
                        _ => None,
                    });
                    items.entry(item).or_default()[n].extend(before);
                }
            }
        }

        let mut out = BTreeSet::new();
        for (item, [mut codes, mut origins]) in items {
            codes.extend(self.texts(&format!("{item}hs_code")));
            origins.extend(self.texts(&format!("{item}origin")));
            for code in &codes {
                out.extend(origins.iter().flat_map(|origin| goods_terms(code, origin)));
            }
        }

        out
    }

    /// Of all changes those that are told each for itself: those after a decision first, and of
    /// each kind the earliest.
    fn told_changes(&self) -> impl Iterator<Item = &ChangedPut> {
        let mut all: Vec<&ChangedPut> = self.changed_puts().collect();
        all.sort_by_key(|put| put.after.is_none());
        all.into_iter().take(CHANGES_MAX)
    }

    /// Entries whose authors' clocks stood before those of what they are based on. What a hub says
    /// by itself on a record rests on all that stands there, whatever times that claims: it is no
    /// evidence of the hub's clock.
    fn time_reversals(&self) -> Vec<Json> {
        let by_itself = |said: &JudgedChange| {
            said.judge.author.role == Role::Hub && said.common.officer == SYSTEM_OFFICER
        };

        let reversal = |(said, _): (&JudgedChange, &Verdict)| {
            if by_itself(said) {
                return None;
            }

            let wall = |r| self.row(r).map(|(s, _)| s.common.wall_ms);
            let newest = said.change.based_on.iter().filter_map(wall).max()?;
            let by_ms = newest.saturating_sub(said.common.wall_ms);
            (by_ms > REVERSAL_MS).then(|| {
                json!({
                    "entry": said.reference.to_string(),
                    "node": said.judge.author.name,
                    "by_ms": by_ms,
                })
            })
        };

        self.rows().filter_map(reversal).collect()
    }

    /// Legal fields whose standing values were put by somebody who did not go before the
    /// assessment.
    fn after_assessment(&self) -> Vec<String> {
        let assessed: Vec<&EventView> = self
            .events()
            .filter(|e| e.kind() == "assessed" && e.counts())
            .collect();
        let Some(first) = assessed.first() else {
            return Vec::new();
        };
        let Some((said, _)) = self.row(&first.reference) else {
            return Vec::new();
        };

        let mut past = self.past(&said.change.based_on);
        past.insert(first.reference);
        let is_later = |name: &String| self.claims(name).iter().any(|c| !past.contains(&c.entry));

        self.field_names()
            .into_iter()
            .filter(|name| self.is_legal(name) && is_later(name))
            .collect()
    }
}

/// Seals of one record that are remembered: more than any load ever had.
const SEALS_MAX: usize = 256;
/// Changes of one record that are told each for itself. More of them tell nothing more.
const CHANGES_MAX: usize = 100;
/// Entries that wait, and what each of them waits for, that are told each for itself.
const WAITING_MAX: usize = 100;
/// Clocks that differ by less are not worth a line, milliseconds.
const REVERSAL_MS: i64 = 60_000;
/// Bytes of a term as it is looked up; a longer one is looked up by its hash.
const TERM_BYTES_MAX: usize = 128;

/// A term as it is looked up: an index takes neither NUL nor text of any length.
pub fn term(value: &str) -> String {
    if value.len() > TERM_BYTES_MAX || value.contains('\0') {
        return format!("sha256:{}", wadi_log::leaf_hash(value.as_bytes()));
    }
    value.to_string()
}

/// The value of a term that an event's row names. Empty where the event has none.
fn term_value(value: TermValue, event: &EventView) -> String {
    let text = |member: &str| event.text(member).unwrap_or_default();
    match value {
        TermValue::Member(member) => text(member).into(),
        TermValue::MemberOfSome(_, count) if moves_nothing(event.int(count)) => String::new(),
        TermValue::MemberOfSome(member, _) => text(member).into(),
        TermValue::Members(one, other) => format!("{} {}", text(one), text(other)),
        TermValue::Officer => event.officer.clone(),
        TermValue::OfficerIf(member) if event.members.contains_key(member) => event.officer.clone(),
        TermValue::OfficerIf(_) => String::new(),
        TermValue::Always(value) => value.into(),
    }
}

/// The terms that the texts of fields make by themselves, in their normal forms.
pub(crate) fn terms_of_texts<T: AsRef<str>>(
    texts: &BTreeMap<&str, Vec<T>>,
) -> impl Iterator<Item = (&'static str, String)> {
    let terms_of = |(name, values): (&&str, &Vec<T>)| -> Vec<(&'static str, String)> {
        let values = values.iter().map(AsRef::as_ref);
        if !name.ends_with("hs_code") {
            return values.filter_map(|text| field_term(name, text)).collect();
        }

        let origins = texts.get(name.replace("hs_code", "origin").as_str());
        let goods = values.flat_map(|code| {
            let origins = origins.into_iter().flatten();
            origins.flat_map(move |origin| goods_terms(code, origin.as_ref()))
        });
        goods.map(|goods| ("goods", goods)).collect()
    };

    texts.iter().flat_map(terms_of)
}

/// The terms that an event makes, in their normal forms.
fn terms_of_event(record: &Record, event: &EventView) -> Vec<(&'static str, String)> {
    let named = event_type(event.kind()).map_or(&[][..], |t| t.terms);
    let terms = named.iter().map(|term| {
        let value = member_term(term.what, &term_value(term.value, event));
        (term.what, value)
    });

    let number = DeviceNumber {
        device: &event.device,
        run: &event.device_run,
        number: event.device_seq,
    };
    let numbered = (number.number > 0).then(|| number.terms(record));
    terms.chain(numbered.into_iter().flatten()).collect()
}

/// The terms of a record, contested values included: what may be meant is found.
pub fn terms(record: &Record) -> Terms {
    let mut out = Vec::new();
    let mut put = |what: &str, value: String| {
        if !value.is_empty() {
            out.push((what.to_string(), term(&value)));
        }
    };

    let is_entry = record.kind() == Some(Kind::CustomsEntry);
    let names = record.field_names();
    let texts: BTreeMap<&str, Vec<String>> = names
        .iter()
        .map(|name| (name.as_str(), record.texts(name)))
        .collect();

    for (what, value) in terms_of_texts(&texts) {
        if what == "plate" {
            put("plate_shape", plate_shape(&value));
        }

        // Whoever reads a plate otherwise is told to read it again.
        if what == "target" && !is_digest(&value) && !value.contains('+') {
            put("target_shape", plate_shape(&value));
        }

        // By it an entry is found by trucks that were known by the same before a change.
        if is_entry && matches!(what, "plate" | "container") {
            put("carried", value.clone());
        }

        put(what, value);
    }

    for (name, texts) in &texts {
        let is_code = is_entry && name.ends_with("hs_code");
        let codes = texts.iter().filter(|_| is_code);
        codes.for_each(|code| put("hs", hs_subheading(code)));

        let days = texts.iter().filter(|_| *name == "date");
        days.for_each(|day| put("day", format!("{} {day}", record.crossing())));
    }

    // By what it was known before a change, a record is found by who had rested on that.
    for change in record.told_changes() {
        let texts = change.before.iter().filter_map(|value| match value {
            // A seal is nobody's to look out for.
            Value::Text(text) => field_term(&change.field, text).filter(|t| t.0 != "seal"),
            _ => None,
        });
        texts.for_each(|(_, before)| put("was", before));
    }
    let goods = record.goods_before().into_iter();
    goods.for_each(|goods| put("was", goods));

    // Holds are listed by whose they are, and by their type.
    let placements = holds(record);
    for placement in &placements {
        let owner = placement.department.map_or("", Department::code);
        put("owner", owner.into());
        let of = placement.hold.map_or("", HoldType::name);
        put("hold_type", of.into());
    }
    let told = record.told_types().into_iter();
    told.for_each(|of| put("told_type", of));

    for event in joining_events(record, &placements) {
        for (what, value) in terms_of_event(record, event) {
            put(what, value);
        }
    }

    numbers_of_puts(record).for_each(|(what, value)| put(what, value));

    let following = terms_that_follow(record, &out);
    out.extend(following);
    out.extend(terms_of_stores(record));
    out.sort();
    out.dedup();
    out
}
