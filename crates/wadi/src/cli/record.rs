//! `wadi record`: records begun, changed, shown and listed.

use super::{
    history::{history_text, whole_history},
    signing::SigningArgs,
    typed::{field_is_text, member_is_text, pairs, strict_json},
};
use crate::{
    cli::{
        NodeAt,
        client::{Client, percent_encode},
    },
    failure::{Exit, Failure},
    print::{self, member_text, print_answer, shown},
    words,
};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use wadi_record::read_time_ms;
use wadi_words::Group;

/// Who speaks, where the operator writes for somebody.
#[derive(Args, Clone, Debug)]
pub struct SpeakerArgs {
    /// The officer's service number.
    #[arg(long)]
    pub(super) officer: Option<String>,
    /// The department's code.
    #[arg(long)]
    pub(super) department: Option<String>,
}

/// What is to be recorded.
#[derive(Args, Clone, Debug)]
pub struct ChangeArgs {
    /// field=value; a value of null clears; repeat it.
    #[arg(long = "set", value_name = "FIELD=VALUE")]
    set: Vec<String>,
    /// An event as JSON, as '{"type":"gate.in","gate":"G1","read":"R7"}'; repeat it.
    #[arg(long = "event", value_name = "JSON")]
    event: Vec<String>,
    /// Entries that the screen showed, as `record show` names them; all that is held, where it is
    /// left out.
    #[arg(long)]
    based_on: Vec<String>,
    /// When it happened, as 2026-03-01T08:00:00Z, where that is not now.
    #[arg(long)]
    happened_at: Option<String>,
    #[command(flatten)]
    who: SpeakerArgs,
}

#[derive(Subcommand)]
pub enum RecordCommand {
    /// Begins a record. Exit code 5 where an open hold detains it.
    New {
        /// passage, hold, customs-entry or site-day.
        kind: String,
        #[command(flatten)]
        what: ChangeArgs,
        #[command(flatten)]
        at: NodeAt,
    },
    /// Puts fields and says events on a record. Exit code 5 where an open hold detains it.
    Set {
        /// The record's id, as TRB-P-98H7EFAKPBWYY.
        id: String,
        #[command(flatten)]
        what: ChangeArgs,
        #[command(flatten)]
        signing: SigningArgs,
        #[command(flatten)]
        at: NodeAt,
    },
    /// Says one event: a type and member=value pairs. Exit code 5 where an open hold detains the
    /// record.
    Event {
        /// The record's id, as TRB-P-98H7EFAKPBWYY.
        id: String,
        /// The event's type, as gate.out.
        event_type: String,
        /// member=value.
        members: Vec<String>,
        #[command(flatten)]
        who: SpeakerArgs,
        #[command(flatten)]
        signing: SigningArgs,
        #[command(flatten)]
        at: NodeAt,
    },
    /// Shows a record.
    Show {
        /// The record's id, as TRB-P-98H7EFAKPBWYY.
        id: String,
        #[command(flatten)]
        at: NodeAt,
    },
    /// Shows every entry of a record: who said what, when, and where it is safe.
    History {
        /// The record's id, as TRB-P-98H7EFAKPBWYY.
        id: String,
        #[command(flatten)]
        at: NodeAt,
    },
    /// Shows a record as of entries (comma between) or as of a Unix time in milliseconds.
    At {
        /// The record's id, as TRB-P-98H7EFAKPBWYY.
        id: String,
        /// The entries, comma between, or the Unix time in milliseconds.
        as_of: String,
        #[command(flatten)]
        at: NodeAt,
    },
    /// Lists records.
    List {
        /// passage, hold, customs-entry or site-day.
        #[arg(long)]
        kind: Option<String>,
        /// The crossing's code, as TRB.
        #[arg(long)]
        crossing: Option<String>,
        /// A state or a flag, as EXITED, CONTESTED or DETAINED.
        #[arg(long)]
        state: Option<String>,
        /// The vehicle's plate.
        #[arg(long)]
        plate: Option<String>,
        /// Only those with contested fields.
        #[arg(long)]
        contested: bool,
        /// At most so many.
        #[arg(long, default_value_t = 50)]
        limit: u32,
        #[command(flatten)]
        at: NodeAt,
    },
}

fn put_who(body: &mut Value, who: &SpeakerArgs) {
    if let Some(officer) = &who.officer {
        body["officer"] = officer.as_str().into();
    }
    if let Some(department) = &who.department {
        body["department"] = department.as_str().into();
    }
}

fn body_of(what: &ChangeArgs) -> Result<Value, Failure> {
    let events = what.event.iter().map(|text| match strict_json(text)? {
        event @ Value::Object(_) => Ok(event),
        _ => {
            let why = format!("{text}: an event is an object");
            Err(Failure::usage("broken_json", why))
        }
    });
    let events = events.collect::<Result<Vec<_>, _>>()?;
    let fields = pairs(&what.set, field_is_text)?;

    let mut body = json!({"fields": fields, "events": events});
    if !what.based_on.is_empty() {
        body["based_on"] = what.based_on.clone().into();
    }

    if let Some(at) = &what.happened_at {
        let at_ms =
            read_time_ms(at).map_err(|why| Failure::usage("bad_time", format!("{at}: {why}")))?;
        body["happened_at_ms"] = at_ms.into();
    }

    put_who(&mut body, &what.who);
    Ok(body)
}

fn written_text(value: &Value) -> String {
    let mut out = format!(
        "{}  {}\n  entry {}",
        member_text(value, "id"),
        state_text(value),
        member_text(value, "entry")
    );

    if is_detained(value) {
        let told: Vec<String> = detentions(value)
            .map(|hold| format!("*** DETAINED by {}", detention_text(hold)))
            .collect();
        let told = told.join("\n");
        out = format!("{told}\n*** it must not leave before that is released ***\n{out}");
    }

    if value["repeated"] == true {
        out += "\n  written before: nothing was written now";
    }

    for line in change_lines(value) {
        out += &format!("\n  {line}");
    }

    for warning in value["warnings"].as_array().into_iter().flatten() {
        out += &format!(
            "\n*** look again: {}",
            words::warning(warning.as_str().unwrap_or_default())
        );
    }

    out
}

/// The texts of a list.
fn listed<'v>(value: &'v Value, member: &str) -> impl Iterator<Item = &'v str> {
    let list = value[member].as_array().into_iter().flatten();
    list.filter_map(Value::as_str)
}

/// What a write changed, a line for each.
fn change_lines(written: &Value) -> Vec<String> {
    let changed = &written["changed"];
    let mut out = Vec::new();
    if changed["state"].is_object() {
        let state = |member: &str| match changed["state"][member].as_str() {
            Some(name) => words::beside(Group::State, name),
            None => "nothing".into(),
        };
        out.push(format!("state: {} -> {}", state("before"), state("after")));
    }

    for (member, how) in [("flags_came", "is now"), ("flags_went", "is no longer")] {
        let flags = listed(changed, member).map(|flag| words::beside(Group::State, flag));
        out.extend(flags.map(|flag| format!("{how} {flag}")));
    }
    for (member, how) in [("holds_opened", "opened"), ("holds_ended", "ended")] {
        out.extend(listed(changed, member).map(|hold| format!("hold {how}: {}", shown(hold))));
    }

    let fields = changed["fields"].as_array().into_iter().flatten();
    out.extend(fields.map(|field| {
        format!(
            "{}: {} -> {}",
            member_text(field, "field"),
            values_text(&field["before"]),
            values_text(&field["after"])
        )
    }));

    let more = changed["more"].as_u64().unwrap_or_default();
    if more > 0 {
        out.push(format!("and {more} more"));
    }
    let withheld = listed(written, "withheld");
    out.extend(withheld.map(|name| format!("{}: not yours to read with this token", shown(name))));

    out
}

/// The values of a field: several where it is contested.
fn values_text(values: &Value) -> String {
    let values = values.as_array().map_or(&[][..], Vec::as_slice);
    let told: Vec<String> = values
        .iter()
        .map(|value| match value {
            Value::String(text) => format!("\"{}\"", shown(text)),
            other => other.to_string(),
        })
        .collect();

    match told.is_empty() {
        true => "nothing".into(),
        false => told.join(" or "),
    }
}

/// A record's state and flags, and which holds detain it.
pub(super) fn state_text(record: &Value) -> String {
    let flags = record["flags"].as_array().into_iter().flatten();
    let flags: Vec<_> = flags
        .filter_map(Value::as_str)
        .map(|flag| words::beside(Group::State, flag))
        .collect();

    let state = words::beside(Group::State, &member_text(record, "state"));
    let mut out = format!("{state} {}", flags.join(" "));
    let holds: Vec<String> = detentions(record)
        .map(|hold| member_text(hold, "hold"))
        .filter(|hold| !hold.is_empty())
        .collect();
    if !holds.is_empty() {
        out += &format!(" {} {}", words::said("held-by", []), holds.join(" "));
    }

    out.trim().to_string()
}

fn detentions(record: &Value) -> impl Iterator<Item = &Value> {
    record["detained_by"].as_array().into_iter().flatten()
}

/// Which hold detains a record, who asked for it, why, since when, and through which entry.
fn detention_text(hold: &Value) -> String {
    if hold["hold"] == "" {
        return "a hold that this token does not read".into();
    }

    let or = |member: &str, other: &str| match hold[member].as_str() {
        Some(text) if !text.is_empty() => shown(text).into_owned(),
        _ => other.to_string(),
    };

    let since = hold["placed_ms"].as_i64();
    let since = since.map_or("a time unknown".into(), print::time_text);
    let mut out = format!(
        "{} ({} of {}, {}, since {since})",
        or("hold", "a hold"),
        or("type", "of a type unknown here"),
        or("department", "a machine"),
        or("legal_basis", "no legal basis"),
    );
    if hold["through"].is_string() {
        out += &format!(" through {}", or("through", ""));
    }

    out
}

/// Whether an open hold detains a record.
pub(super) fn is_detained(record: &Value) -> bool {
    record["detained_by"]
        .as_array()
        .is_some_and(|holds| !holds.is_empty())
}

/// Writes, and says what the record came to. One that is detained is told of by the exit code too:
/// whoever opens the barrier by a script has to hear of it.
fn write(at: &NodeAt, path: &str, body: &Value, json: bool) -> Result<Exit, Failure> {
    let written = Client::at(at)?.post(path, body)?;
    print_answer(json, &written, written_text);

    Ok(match is_detained(&written) {
        true => Exit::Detained,
        false => Exit::Done,
    })
}

/// Says more of a record, under the officer's own signature where that is asked for.
fn append(
    at: &NodeAt,
    id: &str,
    body: Value,
    signing: &SigningArgs,
    json: bool,
) -> Result<Exit, Failure> {
    let body = signing.signed_write(&Client::at(at)?, id, body)?;
    write(at, &format!("/v1/records/{id}/events"), &body, json)
}

pub fn run(command: RecordCommand, json: bool) -> Result<Exit, Failure> {
    match command {
        RecordCommand::New { kind, what, at } => {
            let mut body = body_of(&what)?;
            body["kind"] = kind.into();
            return write(&at, "/v1/records", &body, json);
        }
        RecordCommand::Set {
            id,
            what,
            signing,
            at,
        } => return append(&at, &id, body_of(&what)?, &signing, json),
        RecordCommand::Event {
            id,
            event_type,
            members,
            who,
            signing,
            at,
        } => {
            let mut event = pairs(&members, |member| member_is_text(&event_type, member))?;
            event.insert("type".into(), event_type.into());
            let mut body = json!({"events": [event]});
            put_who(&mut body, &who);
            return append(&at, &id, body, &signing, json);
        }
        RecordCommand::Show { id, at } => {
            let record = Client::at(&at)?.get(&format!("/v1/records/{id}"))?;
            if let Some(text) = words::record_text(&record).filter(|_| !json) {
                print::words_lines(&text);
            }

            print_answer(json, &record, print::pretty);
        }
        RecordCommand::At { id, as_of, at } => {
            print_answer(
                json,
                &Client::at(&at)?.get(&format!("/v1/records/{id}?at={as_of}"))?,
                print::pretty,
            );
        }
        RecordCommand::History { id, at } => {
            let value = whole_history(&Client::at(&at)?, &id)?;
            print::print_words_answer(json, &value, history_text);
        }
        RecordCommand::List {
            kind,
            crossing,
            state,
            plate,
            contested,
            limit,
            at,
        } => {
            let filter = [
                ("kind", kind),
                ("crossing", crossing),
                ("state", state),
                ("plate", plate),
            ];

            let mut query = format!("/v1/records?limit={limit}&contested={contested}");
            for (name, value) in filter {
                if let Some(value) = value {
                    query += &format!("&{name}={}", percent_encode(&value));
                }
            }

            print_answer(json, &Client::at(&at)?.get(&query)?, list_text);
        }
    }

    Ok(Exit::Done)
}

fn list_text(answer: &Value) -> String {
    let mut table = words::table(["id", "state", "plate", "safe"]);
    for r in answer["records"].as_array().into_iter().flatten() {
        let plate = member_text(&r["fields"], "vehicle.plate_raw");
        table.add_row([
            member_text(r, "id"),
            state_text(r),
            plate,
            words::beside(Group::Safety, &member_text(r, "safety")),
        ]);
    }

    table.to_string()
}
