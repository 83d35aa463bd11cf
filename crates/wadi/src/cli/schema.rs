//! `wadi schema`: the tables of fields and events, for whoever writes a client.

use crate::{
    failure::{Exit, Failure},
    print::{self, table},
};
use clap::Args;
use serde_json::json;
use wadi_record::{
    EventType, FieldRow, Kind,
    schema::{
        Selection, authority, effect_name, field_changers, field_holds, field_setters,
        guarded_from, markdown, member_holds, speakers,
    },
};

#[derive(Args)]
pub struct SchemaArgs {
    /// What to show: events, fields, a kind of record, a type of event, or a field.
    name: Option<String>,
    /// The page docs/records.md.
    #[arg(long, conflicts_with = "name")]
    markdown: bool,
    /// The page docs/authority.md: who may say and set what.
    #[arg(long, conflicts_with_all = ["name", "markdown"])]
    authority: bool,
}

pub fn run(args: &SchemaArgs, json: bool) -> Result<Exit, Failure> {
    if args.markdown || args.authority {
        let page = match args.authority {
            true => authority(),
            false => markdown(),
        };
        match json {
            true => print::print_line!("{}", json!({"markdown": page})),
            false => print::print_line!("{}", page.trim_end()),
        }

        return Ok(Exit::Done);
    }

    let selected = match &args.name {
        Some(name) => Selection::of(name).map_err(|e| Failure::usage(e.code(), e.to_string()))?,
        None => Selection::all(),
    };

    if json {
        print::print_line!("{}", selected.json());
        return Ok(Exit::Done);
    }

    if !selected.events.is_empty() {
        print::print_line!("{}", events_table(&selected.events));
    }

    if let ([event], []) = (selected.events.as_slice(), selected.fields.as_slice()) {
        print::print_line!("{}", members_table(event));
    }

    if !selected.fields.is_empty() {
        print::print_line!("{}", fields_table(&selected.fields));
    }

    Ok(Exit::Done)
}

fn events_table(events: &[&EventType]) -> String {
    let mut out = table([
        "event",
        "what it says",
        "on",
        "said by",
        "effect",
        "members",
    ]);
    for event in events {
        let members = event.members.iter().map(|m| match m.required {
            true => format!("{}!", m.name),
            false => m.name.to_string(),
        });

        out.add_row([
            event.name.to_string(),
            event.meaning.into(),
            names(event.kinds),
            speakers(event),
            effect_name(event.effect).into(),
            members.collect::<Vec<_>>().join(" "),
        ]);
    }

    out.to_string()
}

fn members_table(event: &EventType) -> String {
    let mut out = table(["member", "holds", "required"]);
    for member in event.members {
        let required = if member.required { "yes" } else { "" };
        out.add_row([
            member.name.to_string(),
            member_holds(member),
            required.into(),
        ]);
    }

    out.to_string()
}

fn fields_table(fields: &[&FieldRow]) -> String {
    let mut out = table([
        "field",
        "what it is",
        "on",
        "holds",
        "set by",
        "guarded",
        "then changed by",
    ]);
    for field in fields {
        out.add_row([
            field.name.to_string(),
            field.meaning.into(),
            names(field.kinds),
            field_holds(field),
            field_setters(field),
            guarded_from(field.guarded),
            field_changers(field).unwrap_or_default(),
        ]);
    }

    out.to_string()
}

fn names(kinds: &[Kind]) -> String {
    kinds
        .iter()
        .map(|k| k.name())
        .collect::<Vec<_>>()
        .join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_stands_for_nothing_is_told_the_nearest() {
        let args = |name: &str| SchemaArgs {
            name: Some(name.into()),
            markdown: false,
            authority: false,
        };

        let error = run(&args("hold.plced"), false).unwrap_err();
        assert_eq!(error.exit, Exit::Usage);
        assert!(
            error.why.contains("did you mean \"hold.placed\"?"),
            "{error}"
        );
    }

    #[test]
    fn the_tables_name_every_row() {
        let all = Selection::all();
        let (events, fields) = (events_table(&all.events), fields_table(&all.fields));
        assert!(all.events.iter().all(|e| events.contains(e.name)));
        assert!(all.fields.iter().all(|f| fields.contains(f.name)));
    }
}
