//! The page that tells both tables to people: `docs/records.md`.

use super::{effect_name, field_changers, field_holds, guarded_from, member_holds, speakers};
use crate::{EVENTS, Effect, EventType, FIELDS, FieldRow, Guarded, Kind, Together};
use std::fmt::Write;

const HEAD: &str = "\
# Fields and events of records

Made from the tables in `crates/wadi-record/src/fields/table/` and
`crates/wadi-record/src/events/table/`; a test compares. After a change there:

    wadi schema --markdown > docs/records.md

`wadi schema NAME` shows one row, `wadi schema --json` all of them as JSON Schema.

A record has fields, which are set and set again, and events, which are said once. Names are
dotted, `N` stands for a number from 1 to 999, and null clears a field. A field or an event of a
newer version is kept and merged, and lets nothing go here. What is compared is the normal form of
a value, and what is refused or warned of is listed with it: [normal-forms.md](normal-forms.md).

Departments are those of the default policy. The policy in force may name others for an event. The
commission, HUB, may say every event from a hub's node, as long as it has what else the row asks.
";

const EVENTS_HEAD: &str = "
## Events

An event *notes* something; it *restricts*, or may, past a cut of its log too; it *releases*; or it
*ends* the goods and the holds on them. What releases or ends is said by a registered officer, and
is well formed. Every event has a `type`, its name here. A member with `!` is required.
";

/// The page as it stands in `docs/records.md`.
pub fn markdown() -> String {
    let mut out = String::from(HEAD);

    for kind in Kind::ALL {
        let of_kind = FIELDS.iter().filter(|f| f.kinds.contains(&kind));
        let _ = write!(
            out,
            "\n## Fields of a {kind}\n\n| field | what it is | holds | legal |\n|---|---|---|---|\n"
        );
        of_kind.for_each(|field| field_line(&mut out, field));
    }

    out += "\nA legal field that is contested blocks an assessment. Who may set each field, and \
            say each event,\nstands in [authority.md](authority.md).\n";
    guarded_fields(&mut out);

    out += EVENTS_HEAD;
    for event in EVENTS {
        event_section(&mut out, event);
    }

    out
}

fn field_line(out: &mut String, field: &FieldRow) {
    let legal = if field.legal { "yes" } else { "" };
    let _ = writeln!(
        out,
        "| `{}` | {} | {} | {legal} |",
        field.name,
        field.meaning,
        field_holds(field)
    );
}

/// One line for all fields of a kind that are guarded alike.
fn guarded_fields(out: &mut String) {
    *out += "\n## Guarded fields\n\nSee [fields.md](fields.md) for how it is judged.\n\n\
             | record | fields | guarded | who may change them then |\n|---|---|---|---|\n";

    let mut lines: Vec<(String, Vec<String>)> = Vec::new();
    let guarded = FIELDS.iter().filter(|f| f.guarded != Guarded::Never);
    for (kind, field) in guarded.flat_map(|f| f.kinds.iter().map(move |kind| (kind, f))) {
        let changers = field_changers(field).unwrap_or_default();
        let rights = format!("{} | {changers}", guarded_from(field.guarded));
        let key = format!("{kind} | {{}} | {rights}");
        let name = format!("`{}`", field.name);

        match lines.iter_mut().find(|(known, _)| *known == key) {
            Some((_, names)) => names.push(name),
            None => lines.push((key, vec![name])),
        }
    }

    for (line, names) in lines {
        let _ = writeln!(out, "| {} |", line.replace("{}", &names.join(", ")));
    }
}

fn event_section(out: &mut String, event: &EventType) {
    let kinds: Vec<&str> = event.kinds.iter().map(|k| k.name()).collect();
    let _ = write!(
        out,
        "\n### {}\n\n{}\n\n- on: {}\n- said by: {}\n- effect: {}\n",
        event.name,
        event.meaning,
        kinds.join(", "),
        speakers(event),
        effect(event),
    );

    if event.guards != Guarded::Never {
        *out += "- guards fields of its record from then on\n";
    }

    if !event.terms.is_empty() {
        let terms: Vec<&str> = event.terms.iter().map(|t| t.what).collect();
        let _ = writeln!(out, "- found by: {}", terms.join(", "));
    }

    match event.together {
        Together::Free => {}
        Together::ReadOrReason => *out += "- `read` or `reason` is given\n",
        Together::MassesAgree => {
            *out += "- `net_kg` is `gross_kg` less `tare_kg`, and neither is more than the gross\n";
        }
        Together::InOrder(first, last) => {
            let _ = writeln!(out, "- `{last}` is not before `{first}`");
        }
    }

    *out += "\n| member | holds |\n|---|---|\n";
    for member in event.members {
        let mark = if member.required { "!" } else { "" };
        let _ = writeln!(
            out,
            "| `{}`{mark} | {} |",
            member.name,
            member_holds(member)
        );
    }
}

fn effect(event: &EventType) -> String {
    let mut words = effect_name(event.effect).to_string();
    if event.decision && event.effect == Effect::Notes {
        words += ", and is a decision: its node writes down first which holds it had taken in";
    }

    words
}
