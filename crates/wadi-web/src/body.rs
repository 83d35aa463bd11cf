//! Request bodies, and the workload's operations, as writes.

use crate::{Problem, Token, TokenScope, problem::unprocessable, strict::content_hash};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;
use utoipa::ToSchema;
use wadi_log::{Hash, RecordId, Reference, SshSignature};
use wadi_node::LocalScope;
use wadi_node::{Based, Node, Target, Write, check_person};
use wadi_record::{
    DECISION_NAMESPACE, Draft, Kind, RecordError, SIGNATURE_EVENT, Value, Zone, holds_a_character,
    is_blank, known_field, normalise_plate, read_time_ms, whole_zones, zones_failed,
};

/// What is to be recorded.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DraftBody {
    /// Kind of a new record: passage, hold, customs-entry or site-day.
    pub kind: Option<String>,
    /// Crossing of a new record, where it is not the node's own.
    pub crossing: Option<String>,
    /// Values by field; null clears.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub fields: BTreeMap<String, Json>,
    /// Events, each with a `type` and its members.
    #[serde(default)]
    #[schema(value_type = Vec<Object>)]
    pub events: Vec<Map<String, Json>>,
    /// The entries that the screen showed; all that is held, where it is left out.
    pub based_on: Option<Vec<String>>,
    /// When it happened, Unix milliseconds, where that is not now (a paper backlog).
    pub happened_at_ms: Option<i64>,
    /// Where that time is known from: paper, camera, device.
    pub happened_source: Option<String>,
    /// The device's own counter; required of devices.
    pub device_seq: Option<u64>,
    /// The run of the device's counter that the number is of, as a boot id; with another one its
    /// numbers begin anew.
    pub device_session: Option<String>,
    /// The officer; only the operator may name one.
    pub officer: Option<String>,
    /// The department; only the operator may name one.
    pub department: Option<String>,
    /// Machine-readable zones (ICAO 9303) to be checked; they are not stored. Where there are as
    /// many as travellers whose `person.N.document_hash` the body gives, in the order of N,
    /// `person.N.document_check` tells how each check went. A visa's zone follows the one of the
    /// document that it lies beside, and is of the same traveller.
    #[serde(default)]
    pub check_mrz: Vec<String>,
}

/// The hash of a body and the record that it is about: what the number of a device stands for,
/// whether it comes by the API or in a file.
pub(crate) fn hash_of_number(sent: &Json, on: Option<&RecordId>) -> Hash {
    content_hash(&[sent, &json!(on.map(RecordId::to_string))])
}

/// Who speaks, as what a key stands for has it. What a device was enrolled for is a right of its
/// token, and none of its name.
pub(crate) fn speaker(scope: &TokenScope) -> Json {
    match scope {
        TokenScope::Device { device, .. } => json!(TokenScope::device(device.as_str())),
        TokenScope::Officer { .. } | TokenScope::Operator | TokenScope::Reader => json!(scope),
    }
}

fn value(field: &str, json: &Json) -> Result<Value, Problem> {
    match json {
        Json::Null => Ok(Value::Null),
        Json::String(t) => Ok(Value::Text(t.clone())),
        Json::Bool(b) => Ok(Value::Flag(*b)),
        Json::Number(n) if n.is_i64() => Ok(Value::Int(n.as_i64().unwrap_or_default())),
        other => Err(unprocessable(
            "bad_value",
            format!("{field}: {other} is neither text, a whole number of 64 bits, a flag nor null"),
        )),
    }
}

impl DraftBody {
    /// The travellers whose documents the body gives, by their numbers, ascending.
    fn travellers(&self) -> Vec<u32> {
        let traveller = |field: &str| -> Option<u32> {
            field
                .strip_prefix("person.")?
                .strip_suffix(".document_hash")?
                .parse()
                .ok()
        };

        let given = self.fields.iter().filter(|(_, hash)| hash.is_string());
        let mut travellers: Vec<u32> = given.filter_map(|(field, _)| traveller(field)).collect();
        travellers.sort_unstable();

        travellers
    }

    /// The machine-readable zones, checked. A reader that found none sends an empty one, which says
    /// nothing of a document.
    fn zones(&self, node: &Node) -> Vec<Zone> {
        let now_ms = node.time().best_ms();
        let sent = self.check_mrz.iter().map(String::as_str);
        let read: Vec<&str> = sent.filter(|zone| !is_blank(zone)).collect();
        let zones = whole_zones(&read);
        zones.iter().map(|zone| Zone::read(zone, now_ms)).collect()
    }

    /// What looks wrong about the machine-readable zones, and whether it is told of nobody because
    /// nobody can tell whose they are.
    pub(crate) fn zone_warnings(&self, node: &Node) -> Vec<String> {
        let zones = self.zones(node);
        let many = zones.len() > 1;
        let mut out = Vec::new();
        for (n, zone) in zones.iter().enumerate() {
            out.extend(zone.warnings().map(|why| match many {
                true => format!("zone {}: {why}", n + 1),
                false => why.to_string(),
            }));
        }

        let empty = self.check_mrz.iter().filter(|zone| is_blank(zone)).count();
        if empty > 0 {
            out.push(format!(
                "{empty} of the machine-readable zones was empty, and says nothing"
            ));
        }

        out.extend(zones_failed(self.travellers().len(), &zones).err());
        out
    }

    /// How the check of each traveller's machine-readable zones went, as fields.
    fn document_checks(&self, node: &Node) -> Vec<(String, Value)> {
        let travellers = self.travellers();
        let failed = zones_failed(travellers.len(), &self.zones(node)).unwrap_or_default();

        let checked = travellers.iter().zip(failed);
        checked
            .map(|(n, failed)| {
                let outcome = if failed { "failed" } else { "passed" };
                (
                    format!("person.{n}.document_check"),
                    Value::Text(outcome.into()),
                )
            })
            .collect()
    }

    /// Refuses how the check of a document went from whoever checks none: a false document would be
    /// a right one by a word. A reader that checks by itself says it as the device that it is.
    fn check_said_checks(&self, scope: &TokenScope) -> Result<(), Problem> {
        let is_check =
            |field: &&String| field.starts_with("person.") && field.ends_with(".document_check");
        match self.fields.keys().find(is_check) {
            Some(field) if !matches!(scope, TokenScope::Device { .. }) => {
                let why = format!(
                    "{field}: this node says how a check went: give the zone, in `check_mrz`"
                );
                Err(unprocessable("bad_value", why))
            }
            _ => Ok(()),
        }
    }

    /// The write that this body asks for, about a new record or one that exists.
    pub async fn into_write(
        mut self,
        node: &Node,
        token: &Token,
        on: Option<(RecordId, Kind)>,
        key: Option<String>,
    ) -> Result<Write, Problem> {
        let (target, kind) = match on {
            Some((id, kind)) => (Target::On(id), kind),
            None => {
                let kind = self
                    .kind
                    .as_deref()
                    .ok_or_else(|| unprocessable("kind_missing", "a new record needs a `kind`"))?;
                let crossing = self.crossing.as_deref().map(str::parse).transpose();
                let crossing =
                    crossing.map_err(|e| unprocessable("bad_crossing", format!("{e}")))?;

                (Target::New(crossing), kind.parse::<Kind>()?)
            }
        };

        self.check_said_checks(&token.scope)?;
        let draft = self.take_draft(node, kind).await?;
        let mut write = Write::by("", "", target, draft);
        self.set_speaker(&mut write, &token.scope)?;
        check_person(&write.officer)?;

        if let Some(entries) = self.based_on {
            let parse = |e: &String| {
                e.parse::<Reference>()
                    .map_err(|why| unprocessable("bad_reference", why.to_string()))
            };
            write.based_on = Based::Entries(entries.iter().map(parse).collect::<Result<_, _>>()?);
        }

        if let Some(at) = self.happened_at_ms {
            write.happened = Some((at, self.happened_source.unwrap_or_else(|| "paper".into())));
        }

        write.key = key.map(|k| (LocalScope::Idempotency(token.name.clone()), k));
        Ok(write)
    }

    /// The fields and events of this body.
    async fn take_draft(&mut self, node: &Node, kind: Kind) -> Result<Draft, Problem> {
        let mut draft = Draft::new(kind);
        for (field, json) in &self.fields {
            draft.fields.insert(field.clone(), value(field, json)?);
        }

        // Whoever gives the plate as seen need not normalise it too.
        if let Some(Value::Text(raw)) = draft.fields.get("vehicle.plate_raw")
            && !draft.fields.contains_key("vehicle.plate")
        {
            let plate = normalise_plate(raw);
            if !holds_a_character(raw) {
                let why =
                    format!("{raw:?} holds neither a letter nor a digit; null clears a field");
                return Err(unprocessable(
                    "bad_value",
                    format!("vehicle.plate_raw: {why}"),
                ));
            }

            draft
                .fields
                .insert("vehicle.plate".into(), Value::Text(plate));
        }

        // What came of the check is this node's to say, whatever the sender makes of the zone.
        draft.fields.extend(self.document_checks(node));

        for mut event in std::mem::take(&mut self.events) {
            // Links are kept by the full id: the printed tail is for people.
            if event.get("type").is_some_and(|t| t == "link")
                && let Some(text) = event.get("record").and_then(Json::as_str)
            {
                let id = node.reads().find_record(text).await?;
                event.insert("record".into(), id.to_string().into());
            }

            if event.get("type").is_some_and(|t| t == SIGNATURE_EVENT) {
                in_one_line(&mut event);
            }

            draft.events.push(event);
        }

        Ok(draft)
    }

    /// Refuses a body that names who speaks, where its token does.
    fn check_speaker_left_out(&self) -> Result<(), Problem> {
        match self.officer.is_some() || self.department.is_some() {
            true => Err(unprocessable(
                "officer_given",
                "the token says who speaks; leave officer and department out",
            )),
            false => Ok(()),
        }
    }

    /// Refuses what a device sets beyond what it was enrolled for. What this node adds by itself,
    /// as the plate for comparing or how a check went, is not the device's to be allowed.
    fn check_fields_enrolled(
        &self,
        kind: Kind,
        device: &str,
        fields: Option<&[String]>,
    ) -> Result<(), Problem> {
        // A name that the table does not have is told of as one when the draft is checked.
        let general = |name: &String| known_field(kind, name).map(|row| row.name);
        let mut set = self.fields.keys().filter_map(general);
        match set.find(|name| !is_enrolled(fields, name)) {
            Some(field) => Err(not_enrolled(device, field)),
            None => Ok(()),
        }
    }

    /// Says in a write who speaks, as the token allows.
    fn set_speaker(&self, write: &mut Write, scope: &TokenScope) -> Result<(), Problem> {
        // Whoever sends a number expects that it counts: what would be dropped is refused.
        let is_device = matches!(scope, TokenScope::Device { .. });
        let numbered = self.device_seq.is_some() || self.device_session.is_some();
        if numbered && !is_device {
            return Err(unprocessable(
                "bad_value",
                "device_seq: only a device numbers what it says; give an `Idempotency-Key`, or in \
                 an import a `key`",
            ));
        }

        match scope {
            TokenScope::Reader => {
                return Err(Problem::new(
                    StatusCode::FORBIDDEN,
                    "read_only",
                    "this token may only read",
                ));
            }
            TokenScope::Officer {
                officer,
                department,
            } => {
                self.check_speaker_left_out()?;
                (write.officer, write.department) = (officer.clone(), department.clone());
            }
            TokenScope::Device {
                device,
                events,
                fields,
            } => {
                self.check_speaker_left_out()?;
                let draft = &write.draft;
                check_enrolled(draft, device, events.as_deref())?;
                self.check_fields_enrolled(draft.kind, device, fields.as_deref())?;
                let Some(seq) = self.device_seq.filter(|seq| *seq > 0) else {
                    return Err(unprocessable(
                        "device_seq_missing",
                        "a device gives its own `device_seq`, from 1",
                    ));
                };

                write.device = device.clone();
                write.device_seq = seq;
                write.device_session = self.device_session.clone().unwrap_or_default();
            }
            TokenScope::Operator => {
                write.officer = self.officer.clone().unwrap_or_default();
                write.department = self.department.clone().unwrap_or_default();
                if write.officer.is_empty() || write.department.is_empty() {
                    return Err(unprocessable(
                        "officer_missing",
                        "say for whom: `officer` and `department`",
                    ));
                }
            }
        }

        Ok(())
    }
}

/// Writes a signature as entries have it, where it comes as `ssh-keygen -Y sign` writes it. One
/// that does not read stays as it is, and is refused when the write is judged.
fn in_one_line(event: &mut Map<String, Json>) {
    let text = event.get("signature").and_then(Json::as_str);
    let read = text.and_then(|text| SshSignature::read(text, DECISION_NAMESPACE).ok());
    if let Some(signature) = read {
        let line = signature.to_base64(DECISION_NAMESPACE);
        event.insert("signature".into(), line.into());
    }
}

/// Whether a name is among those that a device was enrolled for. Where it was enrolled for nothing
/// by name the tables judge it.
fn is_enrolled(list: Option<&[String]>, name: &str) -> bool {
    list.is_none_or(|names| names.iter().any(|n| n == name))
}

fn not_enrolled(device: &str, name: &str) -> Problem {
    let why = format!("{device} was not enrolled for {name}; `wadi token list` shows for what");
    Problem::new(StatusCode::FORBIDDEN, "not_enrolled", why)
}

/// Refuses what a device says beyond what it was enrolled for.
fn check_enrolled(draft: &Draft, device: &str, events: Option<&[String]>) -> Result<(), Problem> {
    let mut said = draft.events.iter().filter_map(|e| e.get("type")?.as_str());
    match said.find(|name| !is_enrolled(events, name)) {
        Some(event) => Err(not_enrolled(device, event)),
        None => Ok(()),
    }
}

/// What an operation does: whether it begins a record, what it sets, and its `id`.
fn operation_parts(
    op: &Map<String, Json>,
) -> Result<(bool, Map<String, Json>, Option<&Json>), Problem> {
    let bad = |why: String| unprocessable("bad_operation", why);
    Ok(match op.get("op").and_then(Json::as_str) {
        Some(kind @ ("new" | "set")) => {
            let known = |name: &&String| ["op", "id", "set"].contains(&name.as_str());
            if let Some(name) = op.keys().find(|name| !known(name)) {
                let why = format!("{name:?} is no member of an operation: op, id, set and key are");
                return Err(bad(why));
            }

            let set = op
                .get("set")
                .and_then(Json::as_object)
                .ok_or_else(|| bad("`set` is no object".into()))?;
            (kind == "new", set.clone(), op.get("id"))
        }
        // A line of a base file: the record itself.
        None if op.contains_key("id") => {
            let mut set = op.clone();
            set.remove("id");
            (true, set, op.get("id"))
        }
        Some(other) => return Err(bad(format!("op {other:?} is neither \"new\" nor \"set\""))),
        None => return Err(bad("`op` is missing: \"new\" or \"set\"".into())),
    })
}

/// An operation of the common workload (`docs/import.md`) as writes: `new` makes a passage, `set`
/// puts more on it. The sender's `id` stays on this node, as the key under which the record is
/// found again.
pub fn operation_writes(op: &Map<String, Json>) -> Result<(String, bool, Draft, String), Problem> {
    let bad = |why: String| unprocessable("bad_operation", why);
    let (is_new, set, id) = operation_parts(op)?;

    let id = id
        .and_then(Json::as_str)
        .filter(|i| !i.is_empty())
        .ok_or_else(|| bad("`id` is missing".into()))?;
    let mut draft = Draft::new(Kind::Passage);
    let mut status = Map::new();
    let mut officer = "import".to_string();

    for (name, json) in &set {
        let text = || {
            json.as_str()
                .map(String::from)
                .ok_or_else(|| bad(format!("{name}: expected text, found {json}")))
        };

        let number = || {
            json.as_i64()
                .ok_or_else(|| bad(format!("{name}: expected a whole number, found {json}")))
        };

        match name.as_str() {
            "plate" => {
                let raw = text()?;
                draft = draft
                    .text("vehicle.plate", normalise_plate(&raw))
                    .text("vehicle.plate_raw", raw);
            }
            "plate_cc" => draft = draft.text("vehicle.plate_country", text()?),
            "container" => draft = draft.text("container.1", text()?),
            "hs" => draft = draft.text("goods.hs_code", text()?),
            "origin" => draft = draft.text("goods.origin", text()?),
            "dest" => draft = draft.text("goods.destination", text()?),
            "direction" => draft = draft.text("direction", text()?),
            "seal" => draft = draft.text("seal.1", text()?),
            "lane" => draft = draft.int("lane", number()?),
            "note" if json == "" => draft = draft.clear("note"),
            "note" => draft = draft.text("note", text()?),
            "officer" => {
                officer = text()?;
                draft = draft.text("handled_by", officer.clone());
            }
            "arrived_at" => draft = draft.int("arrived_at_ms", time_ms(name, &text()?)?),
            // A weighing is never overwritten, only followed by another: both masses are events.
            "gross_kg" | "tare_kg" => {
                let mut members = json!({"scale": "import"});
                members[name.as_str()] = number()?.into();
                draft = draft.event("weighed", members);
            }
            "status" => drop(status.insert("status".into(), text()?.into())),
            "cleared_at" => {
                drop(status.insert("cleared_at".into(), time_ms(name, &text()?)?.into()))
            }
            other => {
                return Err(RecordError::UnknownField {
                    kind: "workload operation",
                    field: other.into(),
                    suggestion: None,
                }
                .into());
            }
        }
    }

    if !status.is_empty() {
        status.entry("status").or_insert_with(|| "unchanged".into());
        draft = draft.event("status.noted", Json::Object(status));
    }

    draft.check()?;
    Ok((id.to_string(), is_new, draft, officer))
}

fn time_ms(name: &str, text: &str) -> Result<i64, Problem> {
    read_time_ms(text).map_err(|why| unprocessable("bad_operation", format!("{name}: {why}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(set: Json) -> Result<Draft, Problem> {
        let line = json!({"op": "new", "id": "L1", "set": set});
        let Json::Object(line) = line else {
            unreachable!("an object");
        };
        operation_writes(&line).map(|(_, _, draft, _)| draft)
    }

    #[test]
    fn both_masses_of_a_line_are_kept_as_they_were_read() {
        let draft = line(json!({"gross_kg": 12_340, "tare_kg": 13_000})).unwrap();
        assert_eq!(draft.events.len(), 2, "the two are no one weighing");
    }

    #[test]
    fn a_time_whose_offset_and_zone_differ_is_none() {
        let at = |text: &str| line(json!({"arrived_at": text}));
        assert!(at("2026-11-28T08:00:00+03:00[Asia/Baghdad]").is_ok());
        assert!(at("2026-11-28T08:00:00Z").is_ok());
        for wrong in [
            "2026-11-28T08:00:00+02:00[Asia/Baghdad]",
            "2026-11-28T08:00:00+25:59",
        ] {
            assert_eq!(at(wrong).unwrap_err().code, "bad_operation", "{wrong}");
        }
    }

    #[test]
    fn a_device_is_held_to_what_it_sent_and_not_to_what_follows_from_it() {
        let sent = |names: &[&str]| DraftBody {
            fields: names.iter().map(|n| (n.to_string(), json!("1"))).collect(),
            ..DraftBody::default()
        };
        let own = ["vehicle.plate_raw".to_string()];
        let check =
            |names: &[&str]| sent(names).check_fields_enrolled(Kind::Passage, "CAM-1", Some(&own));

        assert!(check(&["vehicle.plate_raw"]).is_ok());
        let told = check(&["vehicle.plate", "vehicle.plate_raw"]).unwrap_err();
        assert_eq!((told.status, told.code.as_str()), (403, "not_enrolled"));
        assert!(told.detail.contains("vehicle.plate;"), "{}", told.detail);
    }
}
