//! The tables of events and fields for others: as JSON, as Markdown, and looked up by a name.

mod authority;
mod markdown;
mod words;

pub use authority::authority;
pub use markdown::markdown;
pub use words::{field_changers, field_holds, field_setters, guarded_from, member_holds, speakers};

use crate::{
    Departments, EVENTS, Effect, EventType, FIELDS, FieldRow, FieldType, Kind, Member, RecordError,
    SetBy, Together, Unit, ValueType, error::nearest, fields::general_name,
};
use serde_json::{Map, Value as Json, json};

/// The largest whole number that JSON holds exactly, as every reader takes it.
const WHOLE_MAX: i64 = 1 << 53;
/// Names by which whole tables are asked for.
const TABLES: [&str; 2] = ["events", "fields"];

/// Rows of both tables.
#[derive(Clone, Debug)]
pub struct Selection {
    /// Types of events.
    pub events: Vec<&'static EventType>,
    /// Fields.
    pub fields: Vec<&'static FieldRow>,
}

impl Selection {
    /// Both tables whole.
    pub fn all() -> Self {
        Self {
            events: EVENTS.iter().collect(),
            fields: FIELDS.iter().collect(),
        }
    }

    /// What a name stands for: `events`, `fields`, a kind of record with all that it has, a type of
    /// event, or a field. Of a field's numbers any will do.
    ///
    /// # Errors
    ///
    /// [`RecordError::UnknownName`] where it stands for nothing.
    pub fn of(name: &str) -> Result<Self, RecordError> {
        let mut selected = Self::all();
        let kind = name.parse::<Kind>().ok();
        let general = general_name(name);

        selected.events.retain(|e| {
            name == "events" || e.name == name || kind.is_some_and(|k| e.kinds.contains(&k))
        });
        selected.fields.retain(|f| {
            name == "fields" || f.name == general || kind.is_some_and(|k| f.kinds.contains(&k))
        });

        if selected.events.is_empty() && selected.fields.is_empty() {
            let kinds = Kind::ALL.into_iter().map(Kind::name);
            let names = TABLES
                .into_iter()
                .chain(kinds)
                .chain(EVENTS.iter().map(|e| e.name))
                .chain(FIELDS.iter().map(|f| f.name));

            return Err(RecordError::UnknownName {
                name: name.into(),
                suggestion: nearest(name, names).map(String::from),
            });
        }

        Ok(selected)
    }

    /// The rows as JSON Schema: `events` by their names, `fields` by kind of record and name. What
    /// JSON Schema has no word for stands in members that begin with `x-`.
    pub fn json(&self) -> Json {
        let events = self.events.iter().map(|e| (e.name.into(), event_json(e)));
        let events: Map<String, Json> = events.collect();

        let of_kind = |kind: Kind| {
            let fields = self.fields.iter().filter(|f| f.kinds.contains(&kind));
            let fields: Map<String, Json> = fields
                .map(|field| (field.name.into(), field_json(field)))
                .collect();
            (kind.name().to_string(), Json::Object(fields))
        };
        let fields: Map<String, Json> = Kind::ALL
            .into_iter()
            .map(of_kind)
            .filter(|(_, fields)| fields.as_object().is_some_and(|f| !f.is_empty()))
            .collect();

        json!({"events": events, "fields": fields})
    }
}

/// Both tables as fragments of JSON Schema (draft 2020-12), for an API's description.
pub fn json() -> Json {
    Selection::all().json()
}

fn event_json(event: &EventType) -> Json {
    let mut properties = Map::from_iter([("type".into(), json!({"const": event.name}))]);
    let members = event.members.iter();
    properties.extend(members.map(|m| (m.name.into(), member_json(m))));

    let required: Vec<&str> = std::iter::once("type")
        .chain(event.members.iter().filter(|m| m.required).map(|m| m.name))
        .collect();

    let departments = match event.departments {
        Departments::Only(list) => json!(list),
        Departments::Any => Json::Null,
    };

    let mut out = json!({
        "type": "object",
        "description": event.meaning,
        "properties": properties,
        "required": required,
        "additionalProperties": false,
        "x-kinds": kinds_json(event.kinds),
        "x-departments": departments,
        "x-said-by": speakers(event),
        "x-device": event.by_device,
        "x-effect": effect_name(event.effect),
        "x-decision": event.decision,
        "x-terms": event.terms.iter().map(|t| t.what).collect::<Vec<_>>(),
    });

    if event.together == Together::ReadOrReason {
        out["anyOf"] = json!([{"required": ["read"]}, {"required": ["reason"]}]);
    }

    out
}

fn member_json(member: &Member) -> Json {
    let whole = || json!({"type": "integer", "minimum": -WHOLE_MAX, "maximum": WHOLE_MAX});
    let text = || json!({"type": "string", "minLength": 1});

    match member.value {
        // Hashes are taken in digits of any script, and grouped.
        ValueType::Text | ValueType::Digest => text(),
        ValueType::Int(unit) => with_unit(whole(), unit),
        ValueType::Number(unit) => with_unit(json!({"type": "number"}), unit),
        ValueType::Flag => json!({"type": "boolean"}),
        ValueType::Time => time_json(whole()),
        ValueType::Ints(unit) => {
            json!({"type": "array", "items": with_unit(json!({"type": "integer"}), unit)})
        }
        ValueType::Texts => json!({"type": "array", "items": {"type": "string"}}),
        ValueType::OneOf(list) => json!({"type": "string", "enum": list}),
        ValueType::Codes { from, to, .. } => {
            json!({"type": "integer", "minimum": from, "maximum": to})
        }
        ValueType::Day => json!({"type": "string", "format": "date"}),
        ValueType::Crossing => described(text(), "a crossing's code"),
        ValueType::Currency => described(text(), "a currency's code, ISO 4217"),
        ValueType::TypeOfHold => json!({"type": "string", "enum": crate::HoldType::NAMES}),
    }
}

fn field_json(field: &FieldRow) -> Json {
    let text = |pattern: &str| json!({"type": ["string", "null"], "pattern": pattern});
    let number = || json!({"type": ["integer", "null"]});

    let mut out = match field.value {
        FieldType::Text => json!({"type": ["string", "null"], "minLength": 1}),
        FieldType::Int(unit) => with_unit(number(), unit),
        FieldType::Time => time_json(number()),
        FieldType::OneOf(list) => {
            let values: Vec<Json> = list.iter().map(|v| json!(v)).chain([Json::Null]).collect();
            json!({"enum": values})
        }
        FieldType::Country => text("^[A-Z]{2}$"),
        FieldType::Nationality => text("^[A-Z]{1,3}<{0,2}$"),
        FieldType::Day => json!({"type": ["string", "null"], "format": "date"}),
        FieldType::Currency => text("^[A-Z]{3}$"),
        // Codes and hashes are taken in digits of any script, and grouped.
        FieldType::HsCode | FieldType::Digest | FieldType::Lookout | FieldType::Crossing => {
            json!({"type": ["string", "null"], "minLength": 1})
        }
    };

    out["description"] = field.meaning.into();
    out["x-holds"] = field_holds(field).into();
    out["x-legal"] = field.legal.into();
    out["x-guarded"] = guarded_from(field.guarded).into();
    out["x-set-by"] = field_setters(field).into();
    out["x-changed-by"] = json!(field_changers(field));
    out["x-device"] = field.by_device().into();
    out["x-departments"] = match field.set_by {
        SetBy::Departments(list) => json!(list),
        SetBy::HoldOwner | SetBy::RegisteredHoldOwner => Json::Null,
    };

    if field.name.split('.').any(|part| part == "N") {
        out["x-name-pattern"] = name_pattern(field.name).into();
    }

    out
}

/// The names that a field's name with `N` stands for, as a regular expression.
fn name_pattern(name: &str) -> String {
    let parts = name.split('.').map(|part| match part {
        "N" => "[1-9][0-9]{0,2}",
        part => part,
    });

    format!("^{}$", parts.collect::<Vec<_>>().join("\\."))
}

fn with_unit(mut schema: Json, unit: Unit) -> Json {
    schema["x-unit"] = unit.name().into();
    schema
}

fn time_json(schema: Json) -> Json {
    let mut schema = described(schema, "Unix time in milliseconds");
    schema["x-unit"] = "ms".into();
    schema
}

fn described(mut schema: Json, what: &str) -> Json {
    schema["description"] = what.into();
    schema
}

fn kinds_json(kinds: &[Kind]) -> Vec<&'static str> {
    kinds.iter().map(|k| k.name()).collect()
}

/// What an effect is called.
pub fn effect_name(effect: Effect) -> &'static str {
    match effect {
        Effect::Notes => "notes",
        Effect::Restricts => "restricts",
        Effect::Releases => "releases",
        Effect::Ends => "ends",
    }
}
