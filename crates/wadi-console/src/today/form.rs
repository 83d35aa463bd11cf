//! A form, made out of the tables of events and fields: none is written by hand, so that a new
//! event or field has its form by itself.

use super::{
    answers::{MaySay, OfficerList, ReadRecord, Sayable, ValueShape},
    given::FormGiven,
    names::{member_text, unit_text, value_text},
    times,
};
use wadi_words::Language;

/// The event of a form that says none and sets fields alone.
pub(super) const FIELDS_ALONE: &str = "fields";
/// Events of a passage with which it usually begins. Every other form can begin one, too.
const BEGIN: [&str; 2] = ["gate.in", "gate.read"];
/// Members that few people type; they stand under "more".
const RARE: [&str; 11] = [
    "device",
    "device_seq",
    "place",
    "item",
    "ticket",
    "lane",
    "image_bytes",
    "clip_bytes",
    "subject",
    "token",
    "occupancy",
];
/// Fields that stand in sight where a record begins, by its kind; the others stand under "more".
const IN_SIGHT: [(&str, &[&str]); 4] = [
    (
        "passage",
        &[
            "vehicle.plate_raw",
            "vehicle.plate_country",
            "container.1",
            "person.1.document_hash",
            "purpose",
            "direction",
        ],
    ),
    (
        "hold",
        &["commodity", "hs_code", "origin", "quantity", "unit"],
    ),
    (
        "customs-entry",
        &[
            "declarant",
            "declarant_ref",
            "office",
            "container.1",
            "consignee",
            "total_packages",
        ],
    ),
    ("site-day", &["date"]),
];
/// Fields that follow from others: nobody types them.
const FOLLOWS: [&str; 2] = ["vehicle.plate", "person.1.document_check"];
/// What stays as it is from one vehicle to the next, at one gate or one scale.
const STAYS: [&str; 15] = [
    "m.gate",
    "m.lane",
    "m.direction",
    "m.reason",
    "m.scale",
    "m.calibration_due",
    "m.lab",
    "m.method",
    "m.dog",
    "m.handler",
    "m.attested_by",
    "m.attester_department",
    "f.direction",
    "f.vehicle.plate_country",
    "when.day",
];
/// Countries that are offered first: the country itself and its neighbours.
const COUNTRIES: [&str; 8] = ["IQ", "SY", "JO", "SA", "KW", "IR", "TR", "LB"];

/// What a form writes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum WritesOn {
    /// A record that begins with it.
    New,
    /// A record that is there.
    On,
    /// The record of the crossing's day, which begins where it is not there yet.
    SiteDay,
}

/// One input.
#[derive(Clone, Debug)]
pub(super) struct FormInput {
    /// Its name in the form: `m.` and a member's name, `f.` and a field's.
    pub name: String,
    /// Its id on the page.
    pub id: String,
    /// What it is called.
    pub label: String,
    /// What it holds, as the API has it.
    pub shape: ValueShape,
    /// What was given.
    pub values: Vec<String>,
    /// What can be chosen: value, text, whether it is chosen.
    pub choices: Vec<(String, String, bool)>,
    /// The unit.
    pub unit: String,
    /// A list that helps: `officers`, `countries`.
    pub list: &'static str,
    /// What is wrong with what was given.
    pub wrong: String,
    /// Whether the keyboard begins here.
    pub first: bool,
    /// A field that takes the same value, where a record begins.
    pub also: String,
}

impl FormInput {
    /// An input of the form itself, that is of no table.
    pub(super) fn own(language: Language, name: &str, label: &str, given: &FormGiven) -> Self {
        let shape = ValueShape {
            name: name.into(),
            holds: "text".into(),
            ..ValueShape::default()
        };
        Self::of(language, "", &shape, language.sentence(label, []), given)
    }

    fn of(
        language: Language,
        prefix: &str,
        shape: &ValueShape,
        label: String,
        given: &FormGiven,
    ) -> Self {
        let name = format!("{prefix}{}", shape.name);
        let values: Vec<String> = given.all(&name).map(String::from).collect();
        let choices = shape.choices.iter().flatten().map(|choice| {
            let is_chosen = values.contains(choice);
            (choice.clone(), value_text(language, choice), is_chosen)
        });
        let unit = shape
            .unit
            .as_deref()
            .map_or_else(String::new, |unit| unit_text(language, unit));

        Self {
            id: name.replace('.', "-"),
            label,
            unit,
            list: match shape.holds.as_str() {
                "country" => "countries",
                _ => "",
            },
            wrong: String::new(),
            first: false,
            also: String::new(),
            choices: choices.collect(),
            values,
            shape: shape.clone(),
            name,
        }
    }

    /// The one value.
    pub(super) fn value(&self) -> &str {
        self.values.first().map_or("", String::as_str)
    }

    /// Whether what is typed is no word of a language: codes, numbers, times.
    pub(super) fn is_code(&self) -> bool {
        !matches!(
            self.shape.holds.as_str(),
            "text" | "texts" | "choice" | "flag"
        ) || matches!(
            self.shape.name.as_str(),
            "vehicle.vin" | "container.1" | "container.2" | "when.day" | "when.clock"
        )
    }

    /// Which keyboard a touch screen shows.
    pub(super) fn keyboard(&self) -> &'static str {
        match self.shape.holds.as_str() {
            "whole" | "number" | "code" => "decimal",
            _ => "text",
        }
    }
}

/// A form.
pub(super) struct SayForm {
    /// The kind of record.
    pub kind: String,
    /// The event; [`FIELDS_ALONE`] where it says none.
    pub event: String,
    /// What it writes on.
    pub target: WritesOn,
    /// For which department an operator speaks; empty for everybody else.
    pub department: String,
    /// Whether it is of paper: with when it happened.
    pub is_paper: bool,
    /// Whether it asks for a device's read, or a reason.
    pub read_or_reason: bool,
    /// Which record, and what else is asked first.
    pub head: Vec<FormInput>,
    /// What stands in sight.
    pub main: Vec<FormInput>,
    /// What stands under "more".
    pub more: Vec<FormInput>,
    /// When it happened.
    pub paper: Vec<FormInput>,
    /// Records to choose from, where what was given names several.
    pub picks: Vec<ReadRecord>,
    /// Officers who may be named: number and name.
    pub officers: Vec<(String, String)>,
    /// The record that is on the screen.
    pub record: Option<ReadRecord>,
}

/// What a form is made of.
pub(super) struct Making<'a> {
    pub language: Language,
    pub authority: &'a MaySay,
    pub officers: &'a OfficerList,
    pub kind: &'a str,
    pub event: Option<&'a Sayable>,
    pub given: &'a FormGiven,
    pub record: Option<ReadRecord>,
    /// Whether an operator speaks.
    pub for_others: bool,
}

impl Making<'_> {
    /// What the form writes on.
    pub(super) fn target(&self) -> WritesOn {
        let asked_new = self.given.has("new");
        let on = self.given.has("on") || self.record.is_some();
        let begins = match self.event {
            Some(event) => event.begins_hold || BEGIN.contains(&event.event.as_str()),
            None => true,
        };

        match self.kind {
            "site-day" => WritesOn::SiteDay,
            _ if asked_new => WritesOn::New,
            _ if on && !self.event.is_some_and(|e| e.begins_hold) => WritesOn::On,
            _ if begins => WritesOn::New,
            _ => WritesOn::On,
        }
    }

    /// The form.
    pub(super) fn form(self) -> SayForm {
        let target = self.target();
        let mut members = self.members();
        let (mut main, mut more) = (Vec::new(), Vec::new());
        let (seen, rest) = self.fields(&mut members, target);
        let (rare, members): (Vec<_>, Vec<_>) = members
            .into_iter()
            .partition(|i| !i.shape.required && RARE.contains(&i.shape.name.as_str()));

        // A passage is known by its plate; of everything else the event comes first.
        match self.kind {
            "passage" => {
                main.extend(seen);
                main.extend(members);
            }
            _ => {
                main.extend(members);
                main.extend(seen);
            }
        }
        more.extend(rare);
        more.extend(rest);

        let mut form = SayForm {
            kind: self.kind.into(),
            event: self.event.map_or(FIELDS_ALONE, |e| e.event.as_str()).into(),
            target,
            department: match self.for_others {
                true => self.authority.department.clone(),
                false => String::new(),
            },
            is_paper: self.given.has("paper"),
            read_or_reason: self.event.is_some_and(|e| e.read_or_reason),
            head: self.head(target),
            main,
            more,
            paper: self.paper(),
            picks: Vec::new(),
            officers: self.officers(),
            record: self.record,
        };
        form.set_first();
        form
    }

    /// Which record, and for whom.
    fn head(&self, target: WritesOn) -> Vec<FormInput> {
        let own = |name, label| FormInput::own(self.language, name, label, self.given);
        let mut head = Vec::new();
        if self.for_others {
            head.push(FormInput {
                list: "officers",
                ..own("officer", "today-officer")
            });
        }

        let can_be_about = matches!(self.kind, "hold" | "customs-entry");
        match target {
            WritesOn::On if self.record.is_none() => head.push(own("on", on_label(self.kind))),
            WritesOn::New if can_be_about => head.push(own("about", "today-about")),
            WritesOn::On | WritesOn::New | WritesOn::SiteDay => {}
        }
        head
    }

    fn paper(&self) -> Vec<FormInput> {
        let own = |name, label| FormInput::own(self.language, name, label, self.given);
        vec![
            own("when.day", "today-when-day"),
            own("when.clock", "today-when-clock"),
            own("when.paper", "today-when-paper"),
        ]
    }

    /// The event's members.
    fn members(&self) -> Vec<FormInput> {
        let shapes = self.event.iter().flat_map(|event| &event.members);
        shapes.map(|shape| self.member(shape)).collect()
    }

    fn member(&self, shape: &ValueShape) -> FormInput {
        let mut shape = shape.clone();
        if shape.name.ends_with("department") {
            shape.holds = "choice".into();
            shape.choices = Some(self.authority.departments.clone());
        }
        let open_holds = self
            .record
            .iter()
            .flat_map(|r| &r.placements)
            .filter(|p| p.open);
        if shape.name == "holds" && self.kind == "hold" {
            shape.holds = "holds".into();
            shape.choices = Some(open_holds.clone().map(|p| p.id.clone()).collect());
        }

        let label = member_text(self.language, &shape.name);
        let mut input = FormInput::of(self.language, "m.", &shape, label, self.given);
        if ["second_officer", "attested_by", "officer", "assignee"].contains(&shape.name.as_str()) {
            input.list = "officers";
        }
        if shape.name.ends_with("department") {
            for (code, text, _) in &mut input.choices {
                *text = self.language.department(code);
            }
        }

        let hold_type = self.event.and_then(|e| e.hold_type_member.as_deref());
        if hold_type == Some(shape.name.as_str()) {
            input.also = "type".into();
            for (name, text, chosen) in &mut input.choices {
                *text = self.language.hold_type(name);
                *chosen |= self.authority.owns.len() == 1;
            }
        }

        // The one hold that is open is meant; of several, people choose.
        if shape.holds == "holds" {
            let is_only = open_holds.clone().count() == 1;
            for ((_, text, chosen), placed) in input.choices.iter_mut().zip(open_holds) {
                let of = placed.of.as_deref().unwrap_or_default();
                let since = times::stamp(placed.placed_ms);
                *text = format!("{} · {since}", self.language.hold_type(of));
                *chosen |= is_only;
            }
        }
        input
    }

    /// The fields that stand in sight, and the others. A member of the same name takes its place,
    /// so that nobody types anything twice.
    fn fields(
        &self,
        members: &mut [FormInput],
        target: WritesOn,
    ) -> (Vec<FormInput>, Vec<FormInput>) {
        let names = IN_SIGHT.iter().find(|(kind, _)| *kind == self.kind);
        let names = names.map_or(&[][..], |(_, names)| names);
        let hold_type = members.iter().any(|m| m.also == "type");
        let (mut seen, mut rest) = (Vec::new(), Vec::new());
        let of_kind = self.authority.fields.iter().filter(|f| f.kind == self.kind);

        for field in of_kind {
            for name in numbered(&field.value.name) {
                if FOLLOWS.contains(&name.as_str()) || hold_type && name == "type" {
                    continue;
                }

                if let Some(same) = members.iter_mut().find(|m| m.shape.name == name) {
                    same.also = name;
                    if field.value.holds == "choice" {
                        self.let_choose(same, &field.value);
                    }
                    continue;
                }

                let shape = ValueShape {
                    name: name.clone(),
                    ..field.value.clone()
                };
                let label = self.language.field(&name);
                let input = FormInput::of(self.language, "f.", &shape, label, self.given);
                match target != WritesOn::On && names.contains(&name.as_str()) {
                    true => seen.push(input),
                    false => rest.push(input),
                }
            }
        }

        seen.sort_by_key(|i| names.iter().position(|n| *n == i.shape.name));
        (seen, rest)
    }

    /// Lets a member be chosen as the field of its name is.
    fn let_choose(&self, member: &mut FormInput, field: &ValueShape) {
        let given = match member.values.is_empty() && self.event.is_some_and(is_way_in) {
            true => vec!["in".to_string()],
            false => member.values.clone(),
        };
        let shape = ValueShape {
            choices: field.choices.clone(),
            holds: "choice".into(),
            ..member.shape.clone()
        };
        let label = member.label.clone();
        let mut chosen = FormInput::of(self.language, "m.", &shape, label, self.given);
        for (value, _, is_chosen) in &mut chosen.choices {
            *is_chosen = given.contains(value);
        }
        chosen.also = member.also.clone();
        *member = chosen;
    }

    fn officers(&self) -> Vec<(String, String)> {
        let listed = self.officers.officers.iter().filter(|o| !o.revoked);
        listed
            .map(|o| (o.officer.clone(), o.name.clone()))
            .collect()
    }
}

/// Whether most who say it come into the country.
fn is_way_in(event: &Sayable) -> bool {
    event.event == "gate.in"
}

fn on_label(kind: &str) -> &'static str {
    match kind {
        "hold" => "today-on-hold",
        "customs-entry" => "today-on-entry",
        _ => "today-on-passage",
    }
}

/// The names that a field's name with `N` is asked for under.
fn numbered(name: &str) -> Vec<String> {
    let is_repeated = matches!(name, "container.N" | "seal.N");
    match name.split('.').any(|part| part == "N") {
        false => vec![name.into()],
        true if is_repeated => (1..=3).map(|n| name.replace('N', &n.to_string())).collect(),
        true => vec![
            name.split('.')
                .map(|p| if p == "N" { "1" } else { p })
                .collect::<Vec<_>>()
                .join("."),
        ],
    }
}

impl SayForm {
    /// Every input, in the order of the page.
    pub(super) fn inputs(&self) -> impl Iterator<Item = &FormInput> {
        let of_paper = self.paper.iter().filter(|_| self.is_paper);
        self.head
            .iter()
            .chain(of_paper)
            .chain(&self.main)
            .chain(&self.more)
    }

    fn inputs_mut(&mut self) -> impl Iterator<Item = &mut FormInput> {
        let is_paper = self.is_paper;
        let of_paper = self.paper.iter_mut().filter(move |_| is_paper);
        self.head
            .iter_mut()
            .chain(of_paper)
            .chain(&mut self.main)
            .chain(&mut self.more)
    }

    /// The keyboard begins at what is wrong, else at the first input that holds nothing.
    pub(super) fn set_first(&mut self) {
        self.inputs_mut().for_each(|i| i.first = false);
        let wrong = self.inputs().position(|i| !i.wrong.is_empty());
        let empty = self
            .inputs()
            .position(|i| i.values.is_empty() && i.shape.holds != "holds");
        let first = wrong.or(empty).unwrap_or(0);
        if let Some(input) = self.inputs_mut().nth(first) {
            input.first = true;
        }
    }

    /// Tells what is wrong with an input; whether there is one of that name.
    pub(super) fn tell_wrong(&mut self, name: &str, why: String) -> bool {
        match self.inputs_mut().find(|i| i.name == name) {
            Some(input) if input.wrong.is_empty() => {
                input.wrong = why;
                true
            }
            found => found.is_some(),
        }
    }

    /// The inputs with which something is wrong.
    pub(super) fn wrong(&self) -> Vec<&FormInput> {
        self.inputs().filter(|i| !i.wrong.is_empty()).collect()
    }

    /// Whether what stands under "more" is shown: something of it was given, or is wrong.
    pub(super) fn more_is_open(&self) -> bool {
        self.more
            .iter()
            .any(|i| !i.values.is_empty() || !i.wrong.is_empty())
    }

    /// Countries that are offered.
    pub(super) fn countries(&self) -> [&'static str; 8] {
        COUNTRIES
    }

    /// Whether it writes on a record that is there.
    pub(super) fn is_on(&self) -> bool {
        self.target == WritesOn::On
    }

    /// The entries that the screen shows of its record.
    pub(super) fn heads(&self) -> String {
        self.record
            .as_ref()
            .map_or_else(String::new, |r| r.heads.join(","))
    }

    /// The values that stay for the next vehicle, as a query.
    pub(super) fn stays(&self, given: &FormGiven) -> String {
        let mut query = String::new();
        let handed_on = ["paper", "new", "department", "officer"];
        for name in STAYS.iter().chain(&handed_on) {
            for value in given.all(name) {
                let value = crate::values::query_escaped(value);
                query += &format!("&{name}={value}");
            }
        }
        query
    }
}
