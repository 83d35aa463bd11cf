//! Who may read what: who a traveller is, what somebody is looking for, and which kinds of records
//! of which crossings, and holds of which types.
//!
//! What a token does not read is taken out of what it is shown, and named there (`withheld`), so
//! that nobody takes a gap for nothing. Each record in which it was shown is counted by token, and
//! auditors see the counts.

mod named;
mod narrowed;
mod places;
mod written;

pub(crate) use self::named::NamedRecords;
use crate::{Problem, Token, TokenScope, looks::note_look, read_grant::LookoutGrant};
use axum::http::StatusCode;
use serde_json::{Map, Value, json};
use std::{
    borrow::Cow,
    cell::{Cell, OnceCell, RefCell},
    collections::BTreeSet,
    sync::Arc,
};
use wadi_log::RecordId;
use wadi_node::{Node, SensitiveReads};
use wadi_record::{
    Department, HoldType, Kind, LOOKOUT_FIELD, PERSONS_READ_BY, Policy, identifies_person,
    reads_lookout, tells_of_person,
};
use wadi_words::{Language, Sentence};

/// How often counts of reads are written down: a power cut loses the last ones.
const READS_WRITTEN_MS: i64 = 10_000;

/// Whose lookouts are read.
enum Lookouts {
    All,
    /// Those that one of these departments owns.
    Of(BTreeSet<Department>),
}

impl Lookouts {
    fn none() -> Self {
        Self::Of(BTreeSet::new())
    }

    fn granted(grant: &LookoutGrant) -> Self {
        match grant {
            LookoutGrant::Whole(true) => Self::All,
            LookoutGrant::Whole(false) => Self::none(),
            LookoutGrant::Of(named) => {
                Self::Of(named.iter().filter_map(|d| d.parse().ok()).collect())
            }
        }
    }

    /// Those of them that officers of a department read: its own. The commission owns all.
    fn for_officer(self, department: Department) -> Self {
        match self {
            Self::All => Self::Of([department].into()),
            Self::Of(named) if department == Department::Hub => Self::Of(named),
            Self::Of(named) if named.contains(&department) || named.contains(&Department::Hub) => {
                Self::Of([department].into())
            }
            Self::Of(_) => Self::none(),
        }
    }
}

/// Refuses an officer who was revoked, or is of another department by now: such a one reads nothing
/// for this one.
fn check_in_office(node: &Node, officer: &str, department: &str) -> Result<(), Problem> {
    let newest = node.with_control(|c| c.officer(officer, |_| u64::MAX).cloned());
    let Some(newest) = newest else {
        return Ok(());
    };

    let no_longer = |why: String| Err(forbidden("revoked_officer", why));
    if newest.revoked {
        return no_longer(format!("{officer} was revoked, and reads nothing any more"));
    }
    if newest.department != department {
        let now = newest.department;
        return no_longer(format!(
            "{officer} is of {now} by now, and reads nothing for {department} any more"
        ));
    }

    Ok(())
}

/// What one request may read, and what of it was shown.
pub(crate) struct ReadRight<'n> {
    node: &'n Arc<Node>,
    token: &'n Token,
    /// The kinds; all, where it is nothing.
    kinds: Option<BTreeSet<Kind>>,
    /// The crossings, by their codes; all, where it is nothing.
    crossings: Option<BTreeSet<String>>,
    /// The types of the holds; all, where it is nothing.
    hold_types: Option<BTreeSet<HoldType>>,
    persons: bool,
    lookouts: Lookouts,
    policy: OnceCell<Policy>,
    /// Whether records are found by a traveller's document: then each that is found tells of one.
    seeks_document: Cell<bool>,
    /// Which of the records are read that are named in what is shown.
    named: RefCell<NamedRecords>,
    shown: Cell<SensitiveReads>,
}

impl Token {
    /// What this token reads. A device reads nothing but the answers to what it says.
    pub(crate) fn reading<'n>(&'n self, node: &'n Arc<Node>) -> Result<ReadRight<'n>, Problem> {
        let grant = self.reads.as_ref();
        let granted = grant.map(|g| Lookouts::granted(&g.lookouts));
        let (persons, lookouts) = match &self.scope {
            TokenScope::Device { .. } => {
                return Err(forbidden(
                    "not_for_devices",
                    "a device's token reads nothing but the answers to what it says",
                ));
            }
            TokenScope::Operator => (
                grant.is_none_or(|g| g.persons),
                granted.unwrap_or(Lookouts::All),
            ),
            TokenScope::Officer {
                officer,
                department,
            } => {
                check_in_office(node, officer, department)?;
                let department = department.parse::<Department>().ok();
                let reads_persons = department.is_some_and(|d| PERSONS_READ_BY.contains(&d));
                let granted = granted.unwrap_or(Lookouts::All);
                (
                    reads_persons && grant.is_none_or(|g| g.persons),
                    department.map_or_else(Lookouts::none, |d| granted.for_officer(d)),
                )
            }
            TokenScope::Reader => (
                grant.is_some_and(|g| g.persons),
                granted.unwrap_or_else(Lookouts::none),
            ),
        };

        let kinds = grant.map(|g| &g.kinds).filter(|kinds| !kinds.is_empty());
        let kinds = kinds.map(|kinds| kinds.iter().filter_map(|k| k.parse().ok()).collect());
        let crossings = grant
            .map(|g| &g.crossings)
            .filter(|codes| !codes.is_empty());
        let types = grant
            .map(|g| &g.hold_types)
            .filter(|types| !types.is_empty());
        let types = types.map(|types| types.iter().filter_map(|of| HoldType::from_name(of)));

        Ok(ReadRight {
            node,
            token: self,
            kinds,
            crossings: crossings.cloned(),
            hold_types: types.map(Iterator::collect),
            persons,
            lookouts,
            policy: OnceCell::new(),
            seeks_document: Cell::new(false),
            named: RefCell::default(),
            shown: Cell::default(),
        })
    }
}

fn forbidden(code: &str, why: impl Into<String>) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, code, why)
}

impl ReadRight<'_> {
    /// Whether travellers are sought by their documents.
    pub(crate) fn seeks_persons(&self) -> bool {
        self.persons
    }

    /// Whether all lookouts are read, whoever owns them.
    pub(crate) fn reads_all_lookouts(&self) -> bool {
        matches!(self.lookouts, Lookouts::All)
    }

    /// Notes that records are sought by a traveller's document.
    pub(crate) fn note_document_sought(&self) {
        self.seeks_document.set(true);
    }

    /// Takes out of a record what is not read, and names it. Whether the record is read at all.
    pub(crate) fn show_record(&self, record: &mut Value) -> bool {
        let is_read = self.check_record(record).is_ok();
        if is_read {
            self.show_named(record);
        }
        is_read
    }

    /// The same of one that was found among others by a filter that finds no hold of a type that
    /// is not read, and that does not tell of which it is.
    pub(crate) fn show_found(&self, record: &mut Value) -> bool {
        let is_read = self.check_place(record).is_ok();
        if is_read {
            self.show_named(record);
        }
        is_read
    }

    /// The same of a record of a list, whose filter finds none that is not read: it may show
    /// members beside its id alone.
    pub(crate) fn show_listed(&self, id: &RecordId, record: &mut Value) {
        self.show_read(&id.to_string(), record);
    }

    fn show_named(&self, record: &mut Value) {
        let about = record["record"].as_str().unwrap_or_default().to_string();
        self.show_read(&about, record);
    }

    /// Takes out of a record that is read what of it is not, and names it.
    fn show_read(&self, about: &str, record: &mut Value) {
        let mut tally = self.tally_of(record);
        tally.persons_shown = self.seeks_document.get();
        for member in ["fields", "contested"] {
            tally.take_named(record.get_mut(member).and_then(Value::as_object_mut));
        }
        for member in ["refused_fields", "changed_after"] {
            tally.take_listed(record.get_mut(member).and_then(Value::as_array_mut));
        }
        tally.take_warnings(record.get_mut("warnings").and_then(Value::as_array_mut));
        for event in listed(record, "events") {
            tally.take_event(event, "data");
        }
        if self.take_detentions(record) {
            tally.withheld.insert("detained_by".into());
        }
        self.hide_named(record, &mut tally.withheld);

        self.tell(about, record, tally);
    }

    /// What is to be taken out of what is told of a record.
    fn tally_of(&self, record: &Value) -> Tally {
        Tally {
            // A finding that was published with a record tells of what else it is about.
            published: self.hold_types.is_none(),
            ..Tally::of(self.persons, self.reads_lookout_of(record))
        }
    }

    /// The same of a history, beside its record as it stands.
    pub(crate) fn show_history(&self, history: &mut Value, record: &Value) -> Result<(), Problem> {
        self.check_record(record)?;

        let mut tally = self.tally_of(record);
        tally.take_named(history.get_mut("fields").and_then(Value::as_object_mut));
        for line in listed(history, "entries") {
            tally.take_named(line.get_mut("puts").and_then(Value::as_object_mut));
            for event in listed(line, "events") {
                tally.take_raw_event(event);
            }
        }
        self.hide_named(history, &mut tally.withheld);

        let about = history["record"].as_str().unwrap_or_default().to_string();
        self.tell(&about, history, tally);
        Ok(())
    }

    /// Refuses what can only be given whole, where a part of it is not read: its history holds all
    /// that stands and that ever stood, and counts as one look.
    pub(crate) fn show_whole(&self, record: &Value, history: &mut Value) -> Result<(), Problem> {
        self.show_history(history, record)?;
        if history["withheld"].is_null() {
            return Ok(());
        }

        let why = "it is given whole or not at all, and holds what this token does not read";
        Err(forbidden("withheld", why))
    }

    /// Takes out of a finding who a traveller is, and what a lookout seeks.
    pub(crate) fn show_finding(&self, finding: &mut Value) {
        let reads_lookouts = match &self.lookouts {
            Lookouts::All => true,
            // A finding does not tell whose the lookout is.
            Lookouts::Of(departments) => departments.contains(&Department::Hub),
        };

        let about = finding["record"].as_str().or(finding["finding"].as_str());
        let about = about.unwrap_or_default().to_string();
        let mut tally = Tally::of(self.persons, reads_lookouts);
        if tally.keeps_finding(finding) {
            self.tell(&about, finding, tally);
            return;
        }

        if let Some(evidence) = finding.get_mut("evidence").and_then(Value::as_object_mut) {
            evidence.retain(|name, _| !TELLING_EVIDENCE.contains(&name.as_str()));
        }
        let withheld = Sentence::new("withheld", []);
        finding["text"] = Language::English.finding_text(&withheld).into();
        finding["sentence"] = json!(withheld);
        tally.withheld = ["text".to_string()].into();
        self.tell(&about, finding, tally);
    }

    /// Whether what the lookout seeks is read, if the record is one.
    fn reads_lookout_of(&self, record: &Value) -> bool {
        match &self.lookouts {
            Lookouts::All => true,
            Lookouts::Of(departments) => {
                let hold = record["fields"]["type"]
                    .as_str()
                    .and_then(HoldType::from_name);
                let policy = self.policy.get_or_init(|| self.node.policy_in_force().1);
                let mut departments = departments.iter();
                departments.any(|department| reads_lookout(*department, hold, policy))
            }
        }
    }

    fn tell(&self, about: &str, told: &mut Value, tally: Tally) {
        let mut shown = self.shown.get();
        shown.persons += u64::from(tally.persons_shown);
        shown.lookouts += u64::from(tally.lookout_shown);
        self.shown.set(shown);
        self.note_looks(about, &tally);

        if !tally.withheld.is_empty() {
            told["withheld"] = json!(tally.withheld);
        }
    }
}

impl ReadRight<'_> {
    /// Notes who looked at what of a record or finding.
    fn note_looks(&self, about: &str, tally: &Tally) {
        for (shown, what) in [
            (tally.persons_shown, "person"),
            (tally.lookout_shown, "lookout"),
        ] {
            if shown {
                note_look(self.node, self.token, about, what);
            }
        }
    }
}

/// What stands in a list of an object; nothing where it has no such list. A member that is missing
/// stays so: it was not asked for.
fn listed<'v>(object: &'v mut Value, member: &str) -> impl Iterator<Item = &'v mut Value> {
    let list = object.get_mut(member).and_then(Value::as_array_mut);
    list.into_iter().flatten()
}

/// Rules whose findings are about a traveller.
const PERSON_RULES: &[&str] = &["R25"];
/// Members of a finding's evidence that hold what a document or a traveller's field says.
const TELLING_EVIDENCE: &[&str] = &["document", "claims", "before", "value", "warning"];
/// Sentences of findings that are about a traveller, whatever the rule.
const PERSON_SENTENCES: &[&str] = &["R24-document"];

/// Whether a finding, or the event that published it, tells who a traveller is: it is about a
/// document, or about the values of a field that identifies somebody.
fn finding_tells_of_person(finding: &Value) -> bool {
    let sentence = sentence_of(finding);
    PERSON_RULES.contains(&finding["rule"].as_str().unwrap_or_default())
        || PERSON_SENTENCES.contains(&sentence["id"].as_str().unwrap_or_default())
        || finding["evidence"]["document"].is_string()
        || fields_told(finding).iter().any(|f| identifies_person(f))
}

/// The sentence of a finding. In an event it stands as a text.
fn sentence_of(finding: &Value) -> Cow<'_, Value> {
    let published = finding["sentence"].as_str();
    let read = published.and_then(|text| serde_json::from_str(text).ok());
    read.map_or(Cow::Borrowed(&finding["sentence"]), Cow::Owned)
}

/// The fields whose values a finding tells.
fn fields_told(finding: &Value) -> Vec<String> {
    let sentence = sentence_of(finding);
    let fields = [
        &finding["evidence"]["field"],
        &sentence["values"]["field"]["field"],
    ];
    let texts = fields.into_iter().filter_map(Value::as_str);
    texts.map(String::from).collect()
}

impl Drop for ReadRight<'_> {
    /// Counts what was shown. Nobody waits for the note.
    fn drop(&mut self) {
        let shown = self.shown.get();
        if shown != SensitiveReads::default() {
            self.token.count_reads(self.node, shown);
        }
    }
}

/// What is taken out of one answer, and what is left in it.
struct Tally {
    persons: bool,
    lookout: bool,
    /// Whether what the hub published of findings stays, as far as it tells nothing else that does
    /// not.
    published: bool,
    withheld: BTreeSet<String>,
    persons_shown: bool,
    lookout_shown: bool,
}

impl Tally {
    fn of(persons: bool, lookout: bool) -> Self {
        Self {
            persons,
            lookout,
            published: true,
            withheld: BTreeSet::new(),
            persons_shown: false,
            lookout_shown: false,
        }
    }

    /// Whether a field stays, as far as it is one that not everybody reads.
    fn keeps(&mut self, field: &str) -> bool {
        let (is_read, shown) = if identifies_person(field) {
            (self.persons, &mut self.persons_shown)
        } else if field == LOOKOUT_FIELD {
            (self.lookout, &mut self.lookout_shown)
        } else {
            return true;
        };

        *shown |= is_read;
        if !is_read {
            self.withheld.insert(field.to_string());
        }
        is_read
    }

    fn take_named(&mut self, members: Option<&mut Map<String, Value>>) {
        if let Some(members) = members {
            members.retain(|name, _| self.keeps(name));
        }
    }

    fn take_listed(&mut self, lines: Option<&mut Vec<Value>>) {
        if let Some(lines) = lines {
            lines.retain(|line| self.keeps(line["field"].as_str().unwrap_or_default()));
        }
    }

    /// Takes out what a record warns of a traveller: a warning begins with what it is about.
    fn take_warnings(&mut self, warnings: Option<&mut Vec<Value>>) {
        let Some(warnings) = warnings else { return };
        warnings.retain(|warning| {
            let is_of_person = warning.as_str().is_some_and(identifies_person);
            self.persons_shown |= is_of_person && self.persons;
            if is_of_person && !self.persons {
                self.withheld.insert("warnings".into());
            }
            !is_of_person || self.persons
        });
    }

    /// Whether an event's members stay.
    fn keeps_event(&mut self, event: &Value) -> bool {
        let name = event["type"].as_str().unwrap_or_default();
        if !tells_of_person(name) {
            return true;
        }

        self.persons_shown |= self.persons;
        if !self.persons {
            self.withheld.insert(name.to_string());
        }
        self.persons
    }

    /// Takes out of what the hub published of a finding who a traveller is, and all that it says
    /// where it may be of a hold that is not read.
    fn take_published(&mut self, published: &mut Value) {
        let before = self.withheld.clone();
        if self.published && self.keeps_finding(published) {
            return;
        }

        if let Some(members) = published.as_object_mut() {
            members.retain(|name, _| !matches!(name.as_str(), "text" | "sentence"));
            self.withheld = before;
            self.withheld.insert("finding".into());
        }
    }

    /// Whether what a finding tells stays: of travellers, and of what lookouts seek.
    fn keeps_finding(&mut self, finding: &Value) -> bool {
        let mut keeps = true;
        if finding_tells_of_person(finding) {
            self.persons_shown |= self.persons;
            keeps = self.persons;
        }

        let fields = fields_told(finding);
        let lookouts = fields.iter().filter(|f| *f == LOOKOUT_FIELD);
        lookouts.fold(keeps, |keeps, field| self.keeps(field) && keeps)
    }

    fn take_event(&mut self, event: &mut Value, member: &str) {
        if !self.keeps_event(event) {
            event[member] = json!({});
        } else if event["type"] == "finding" {
            self.take_published(&mut event[member]);
        }
    }

    /// An event as it was said: its members stand beside its type.
    fn take_raw_event(&mut self, event: &mut Value) {
        if !self.keeps_event(event) {
            *event = json!({"type": event["type"]});
        } else if event["type"] == "finding" {
            self.take_published(event);
        }
    }
}

impl Token {
    /// Counts records in which it read what not everybody may. Written down now and then.
    fn count_reads(&self, node: &Arc<Node>, shown: SensitiveReads) {
        let due = node
            .tokens()
            .count_reads(self.hash(), shown, node.now_ms(), READS_WRITTEN_MS);
        let Some(due) = due else { return };

        let (node, hash) = (node.clone(), self.hash().to_string());
        tokio::spawn(async move {
            let add = |token: &mut Self| {
                token.persons_read = token.persons_read.saturating_add(due.persons);
                token.lookouts_read = token.lookouts_read.saturating_add(due.lookouts);
            };
            if let Err(error) = Self::change_kept(&node, &hash, add).await {
                tracing::warn!(%error, ?due, "reads with a token were not written down");
            }
        });
    }
}

#[cfg(test)]
#[path = "reading_tests.rs"]
mod tests;
