//! What somebody may say and set here: what a form is made of, and what a program asks before it
//! offers one.

use crate::{Problem, Token, TokenScope, answers::AuthorityAnswer, problem::unprocessable};
use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use utoipa::IntoParams;
use wadi_log::Role;
use wadi_node::Node;
use wadi_record::{
    Begins, Department, EVENTS, EventType, FIELDS, FieldRow, FieldType, HoldType, Kind, Member,
    Policy, Right, SIGNATURE_EVENT, SetBy, Together, Unit, ValueType, schema::effect_name,
};

/// For which department.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct AuthorityQuery {
    /// For an operator, who speaks for each: the department. An officer's token says it.
    department: Option<String>,
}

/// What the token may say and set at this node, out of the tables and the policy in force, with
/// what each event and field holds.
#[utoipa::path(
    get,
    path = "/v1/authority",
    params(AuthorityQuery),
    tag = "records",
    responses(
        (status = 200, description = "what may be said and set", body = AuthorityAnswer),
        (status = 422, body = Problem),
    ),
)]
pub(crate) async fn authority(
    State(node): State<Arc<Node>>,
    token: Token,
    query: Result<Query<AuthorityQuery>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let Query(asked) = query?;
    let department = match (&token.scope, asked.department) {
        (TokenScope::Operator, asked) => asked,
        (_, Some(_)) => {
            let why = "only an operator's token names a department; this one has its own or none";
            return Err(unprocessable("bad_query", why));
        }
        (TokenScope::Officer { department, .. }, None) => Some(department.clone()),
        (TokenScope::Device { .. } | TokenScope::Reader, None) => None,
    };

    let department = department
        .map(|code| code.parse::<Department>())
        .transpose()?;
    let codes: Vec<&str> = Department::ALL.iter().map(|d| d.code()).collect();
    let mut answer = json!({
        "department": "", "departments": codes, "owns": [], "events": [], "fields": [],
    });
    if let Some(department) = department {
        let (_, policy) = node.policy_in_force();
        let speaker = FormSpeaker {
            department,
            policy,
            at_hub: node.me().role == Role::Hub,
        };
        answer["department"] = department.code().into();
        answer["owns"] = json!(speaker.owns());
        answer["events"] = speaker.events().into();
        answer["fields"] = speaker.fields().into();
    }

    Ok(Json(answer))
}

/// Who would speak.
struct FormSpeaker {
    department: Department,
    policy: Policy,
    at_hub: bool,
}

impl FormSpeaker {
    fn owns(&self) -> Vec<&'static str> {
        let mut owned = HoldType::ALL.to_vec();
        // The commission speaks from a hub alone.
        owned.retain(|hold| {
            self.policy.owns(self.department, *hold)
                && (self.at_hub || self.department != Department::Hub)
        });
        owned.into_iter().map(HoldType::name).collect()
    }

    fn may_say(&self, event: &EventType) -> bool {
        if self.department == Department::Hub {
            return self.at_hub;
        }

        let needs_hold = matches!(
            event.right,
            Right::OwnerOfType | Right::OwnerOfHold | Right::EndsHolds | Right::EndsNamedHolds
        );
        self.policy.may(self.department, event.name) && (!needs_hold || !self.owns().is_empty())
    }

    fn may_set(&self, kind: Kind, field: &FieldRow) -> bool {
        match field.set_by {
            SetBy::HoldOwner | SetBy::RegisteredHoldOwner => !self.owns().is_empty(),
            SetBy::Departments(table) => self
                .policy
                .setters(kind, field.name)
                .unwrap_or(table)
                .contains(&self.department),
        }
    }

    fn events(&self) -> Vec<Value> {
        // A form cannot sign: what brings a signature is made by whoever holds the key.
        let said = EVENTS.iter().filter(|event| event.name != SIGNATURE_EVENT);
        let said = said.filter(|event| self.may_say(event));
        said.map(|event| self.event(event)).collect()
    }

    fn event(&self, event: &EventType) -> Value {
        let kinds: Vec<&str> = event.kinds.iter().map(|k| k.name()).collect();
        let members: Vec<Value> = event.members.iter().map(|m| self.member(m)).collect();
        let mut told = json!({
            "event": event.name,
            "meaning": event.meaning,
            "kinds": kinds,
            "effect": effect_name(event.effect),
            "begins_hold": event.begins != Begins::Nothing,
            "at_gate": event.proves_presence,
            "read_or_reason": event.together == Together::ReadOrReason,
            "members": members,
        });
        if let Begins::Named(member) = event.begins {
            told["hold_type_member"] = member.into();
        }
        told
    }

    fn member(&self, member: &Member) -> Value {
        let mut told = match member.value {
            ValueType::Text | ValueType::Digest | ValueType::Currency => json!({"holds": "text"}),
            ValueType::Int(unit) => with_unit("whole", unit),
            ValueType::Number(unit) => with_unit("number", unit),
            ValueType::Flag => json!({"holds": "flag"}),
            ValueType::Time => json!({"holds": "time"}),
            ValueType::Ints(unit) => with_unit("wholes", unit),
            ValueType::Texts => json!({"holds": "texts"}),
            ValueType::OneOf(list) => json!({"holds": "choice", "choices": list}),
            ValueType::Codes { from, to, .. } => json!({"holds": "code", "from": from, "to": to}),
            ValueType::Day => json!({"holds": "day"}),
            ValueType::Crossing => json!({"holds": "crossing"}),
            ValueType::TypeOfHold => json!({"holds": "choice", "choices": self.owns()}),
        };
        told["name"] = member.name.into();
        told["required"] = member.required.into();
        told
    }

    fn fields(&self) -> Vec<Value> {
        let mut all = Vec::new();
        for kind in Kind::ALL {
            let of_kind = FIELDS.iter().filter(|f| f.kinds.contains(&kind));
            for field in of_kind.filter(|f| self.may_set(kind, f)) {
                all.push(json!({
                    "kind": kind.name(),
                    "at_beginning": field.set_by.is_hold_owner(),
                    "value": self.field(field),
                }));
            }
        }
        all
    }

    fn field(&self, field: &FieldRow) -> Value {
        let is_type_of_hold = field.set_by == SetBy::HoldOwner && field.name == "type";
        let mut told = match field.value {
            FieldType::OneOf(_) if is_type_of_hold => {
                json!({"holds": "choice", "choices": self.owns()})
            }
            FieldType::OneOf(list) => json!({"holds": "choice", "choices": list}),
            FieldType::Text => json!({"holds": "text"}),
            FieldType::Int(unit) => with_unit("whole", unit),
            FieldType::Time => json!({"holds": "time"}),
            FieldType::Country | FieldType::Nationality => json!({"holds": "country"}),
            FieldType::Day => json!({"holds": "day"}),
            FieldType::Currency => json!({"holds": "currency"}),
            FieldType::HsCode => json!({"holds": "hs_code"}),
            FieldType::Crossing => json!({"holds": "crossing"}),
            FieldType::Digest => json!({"holds": "digest"}),
            FieldType::Lookout => json!({"holds": "lookout"}),
        };
        told["name"] = field.name.into();
        told["meaning"] = field.meaning.into();
        told["required"] = false.into();
        told
    }
}

fn with_unit(holds: &str, unit: Unit) -> Value {
    json!({"holds": holds, "unit": unit.name()})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn speaker(department: Department) -> FormSpeaker {
        FormSpeaker {
            department,
            policy: Policy::default(),
            at_hub: false,
        }
    }

    fn may_say(department: Department, event: &str) -> bool {
        let events = speaker(department).events();
        events.iter().any(|e| e["event"] == event)
    }

    #[test]
    fn a_department_is_offered_what_the_tables_let_it_say() {
        assert!(may_say(Department::Port, "gate.in"));
        assert!(!may_say(Department::Vet, "gate.in"));
        assert!(may_say(Department::Vet, "hold.placed"));
        assert!(may_say(Department::Vet, "released"));

        // It owns no type of hold, and so places and ends none.
        assert!(!may_say(Department::Port, "hold.placed"));
        assert!(!may_say(Department::Port, "released"));
        assert!(!may_say(Department::Hub, "remark"), "not from a crossing");
    }

    #[test]
    fn the_policy_in_force_widens_and_narrows_it() {
        let mut said = speaker(Department::Cus);
        assert!(!said.may_say(wadi_record::event_type("gate.in").unwrap()));
        said.policy
            .acts
            .insert("gate.in".into(), vec![Department::Cus]);
        assert!(said.may_say(wadi_record::event_type("gate.in").unwrap()));

        let seal = FIELDS.iter().find(|f| f.name == "seal.N").unwrap();
        assert!(said.may_set(Kind::Passage, seal));
        said.policy
            .fields
            .insert("passage seal.N".into(), vec![Department::Sec]);
        assert!(!said.may_set(Kind::Passage, seal));
    }

    #[test]
    fn types_of_hold_that_can_be_chosen_are_the_departments_own() {
        let vet = speaker(Department::Vet);
        let placed = wadi_record::event_type("hold.placed").unwrap();
        let told = vet.event(placed);
        assert_eq!(told["members"][0]["choices"], json!(["VETERINARY"]));
        assert_eq!(told["hold_type_member"], "type_of_hold");
    }
}
