//! What cannot be taken back is shown before it is said, and asked for.

use crate::{
    cli::{PersonArg, client::Client},
    failure::{Exit, Failure},
    print::{self, member_text, print_answer, shown},
    words,
};
use serde_json::Value;
use std::io::{BufRead, IsTerminal, stdin};

/// Whether to say it, to show what it would change, or to ask.
#[derive(clap::Args, Clone, Debug)]
pub struct ConfirmArgs {
    /// Say nothing: show what it would change.
    #[arg(long, conflicts_with = "yes")]
    pub(in crate::cli) dry_run: bool,
    /// Do not ask. Scripts, which have no terminal, are not asked.
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    pub(in crate::cli) person: PersonArg,
}

impl ConfirmArgs {
    /// Of what can be said otherwise again.
    pub(super) fn unasked(person: PersonArg) -> Self {
        Self {
            dry_run: false,
            yes: true,
            person,
        }
    }

    /// Whether a person sits there who has not said yes.
    fn asks(&self, at_terminal: bool) -> bool {
        at_terminal && !self.yes
    }

    /// Shows what is to come of it, and asks a person for their word.
    pub(in crate::cli) fn ask(
        &self,
        effect: impl FnOnce() -> Result<String, Failure>,
    ) -> Result<(), Failure> {
        if !self.asks(stdin().is_terminal()) {
            return Ok(());
        }

        print::print_error!("{}", effect()?);
        print::print_error!("Say it? Not all of it can be taken back. [y/N]");
        match is_agreed(stdin().lock()) {
            true => Ok(()),
            false => Err(Failure::usage("not_confirmed", "nothing was said")),
        }
    }
}

/// Whether the next line agrees. Silence does not.
fn is_agreed(mut answers: impl BufRead) -> bool {
    let mut line = String::new();
    let read = answers.read_line(&mut line);
    read.is_ok() && ["y", "yes"].contains(&line.trim().to_lowercase().as_str())
}

/// Says a control fact; or shows what it would change, and asks where a person can be asked.
pub(super) fn say_control(
    client: &Client,
    body: &Value,
    confirm: &ConfirmArgs,
    json: bool,
) -> Result<Exit, Failure> {
    let foresee = || client.post("/v1/control?dry_run=true", body);
    if confirm.dry_run {
        print_answer(json, &foresee()?, |v| effect_text(&v["would"]));
        return Ok(Exit::Done);
    }

    confirm.ask(|| Ok(effect_text(&foresee()?["would"])))?;
    let value = client.post(&confirm.person.on("/v1/control"), body)?;
    print_answer(json, &value, |v| {
        let mut out = format!("said: {}", v["entries"][0].as_str().unwrap_or_default());
        let warnings = v["warnings"].as_array().into_iter().flatten();
        for warning in warnings.filter_map(Value::as_str) {
            out += &format!("\n*** look again: {}", words::warning(warning));
        }
        out
    });

    Ok(Exit::Done)
}

/// What a control fact would change, a line a member.
pub(in crate::cli) fn effect_text(effect: &Value) -> String {
    let mut out = format!("This {} would change:", member_text(effect, "change"));
    let members = effect.as_object().into_iter().flatten();

    for (name, value) in members.filter(|(name, _)| *name != "change") {
        let title = name.replace('_', " ");
        match value.as_array() {
            None => out += &format!("\n  {title}: {}", member_text(effect, name)),
            Some(rows) if rows.is_empty() => out += &format!("\n  {title}: none"),
            Some(rows) => {
                out += &format!("\n  {title}:");
                for row in rows {
                    out += &format!("\n    {}", row_text(row));
                }
            }
        }
    }

    out
}

/// A row of an effect: a value that changes, or its members in a line.
pub(super) fn row_text(row: &Value) -> String {
    let Some(members) = row.as_object() else {
        return row
            .as_str()
            .map_or_else(|| row.to_string(), |text| shown(text).into_owned());
    };

    if row.get("key").is_some() {
        return format!(
            "{}: {} -> {}",
            member_text(row, "key"),
            value_text(&row["from"]),
            value_text(&row["to"])
        );
    }

    let said = members.keys().map(|m| (m, member_text(row, m)));
    let said = said.filter(|(_, text)| !text.is_empty());
    let words = said.map(|(name, text)| format!("{name} {text}"));
    words.collect::<Vec<_>>().join("  ")
}

/// A value as JSON; what is not there in words.
pub(super) fn value_text(value: &Value) -> String {
    match value {
        Value::Null => "nothing".into(),
        value => print::shown_json(&value.to_string()).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_person_is_asked_and_agrees_by_a_word_alone() {
        let args = |yes| ConfirmArgs {
            dry_run: false,
            yes,
            person: PersonArg::default(),
        };
        assert!(args(false).asks(true));
        assert!(!args(true).asks(true));
        assert!(!args(false).asks(false));

        for (answer, agreed) in [("y\n", true), (" YES \n", true), ("\n", false), ("", false)] {
            assert_eq!(is_agreed(answer.as_bytes()), agreed, "{answer:?}");
        }
        assert!(!is_agreed("yesterday\n".as_bytes()));
    }

    #[test]
    fn an_effect_names_each_value_that_changes() {
        let effect = json!({
            "change": "policy",
            "values": [
                {"key": "hold_deadline_h", "from": 72, "to": 5},
                {"key": "fields.passage lane", "from": ["PORT"], "to": null},
            ],
            "warnings": ["look"],
        });
        assert_eq!(
            effect_text(&effect),
            "This policy would change:\n  values:\n    hold_deadline_h: 72 -> 5\n    \
             fields.passage lane: [\"PORT\"] -> nothing\n  warnings:\n    look"
        );
    }
}
