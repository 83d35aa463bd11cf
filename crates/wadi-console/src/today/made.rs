//! What a form made, told above the next one.

use super::{
    answers::{ReadRecord, ReadWritten},
    given::FormGiven,
    target, times,
};
use crate::{
    Console,
    api::Refused,
    values::query_escaped,
    visitor::{Visitor, proof_of},
};
use wadi_words::{Filling, Language};

/// Warnings that are told at most.
const WARNINGS_MAX: usize = 8;
/// A time that lies further back than this was entered late.
const LATE_MS: i64 = 90_000;

/// What was made, and what the record has come to.
pub(super) struct FormMade {
    pub record: ReadRecord,
    /// Whether the same was said before, under the same key.
    pub repeated: bool,
    pub warnings: Vec<String>,
    /// When it happened, where that is not when it was entered.
    pub late: Option<String>,
}

/// What only this session's own answers carry: nobody else can make a link that tells warnings.
fn seal(visitor: &Visitor, said: &[&str]) -> String {
    proof_of(&format!("{}\n{}", visitor.asker.bearer, said.join("\n")))
}

impl FormMade {
    /// What was written, as a query.
    pub(super) fn query(visitor: &Visitor, written: &ReadWritten) -> String {
        let repeated = if written.repeated { "1" } else { "" };
        let mut said = vec![written.id.as_str(), written.entry.as_str(), repeated];
        let mut query = format!(
            "made={}&entry={}&repeated={repeated}",
            query_escaped(&written.id),
            query_escaped(&written.entry)
        );
        for warning in written.warnings.iter().take(WARNINGS_MAX) {
            said.push(warning.trim());
            query += &format!("&w={}", query_escaped(warning.trim()));
        }
        query + &format!("&seal={}", seal(visitor, &said))
    }

    /// What a query tells; nothing where it is not this session's own.
    pub(super) async fn of_query(
        console: &Console,
        visitor: &Visitor,
        given: &FormGiven,
    ) -> Result<Option<Self>, Refused> {
        let (id, entry, repeated) = (given.get("made"), given.get("entry"), given.get("repeated"));
        let mut warnings: Vec<String> = given.all("w").map(String::from).collect();
        let said: Vec<&str> = [id, entry, repeated]
            .into_iter()
            .chain(warnings.iter().map(String::as_str))
            .collect();
        if id.is_empty() || given.get("seal") != seal(visitor, &said) {
            return Ok(None);
        }

        let record = target::show(&console.api, &visitor.asker, id).await?;
        for more in &record.warnings {
            if !warnings.contains(more) {
                warnings.push(more.clone());
            }
        }
        Ok(Some(Self {
            late: late(visitor.language(), &record, entry),
            repeated: repeated == "1",
            warnings,
            record,
        }))
    }
}

/// How much later than it happened something was entered.
fn late(language: Language, record: &ReadRecord, entry: &str) -> Option<String> {
    let event = record.events.iter().find(|e| e.entry == entry)?;
    let late_ms = event
        .entered_ms
        .checked_sub(event.at_ms)
        .filter(|ms| *ms > LATE_MS)?;
    let minutes = late_ms / 60_000;
    let (name, n) = match minutes {
        0..120 => ("today-late-minutes", minutes),
        _ => ("today-late-hours", minutes / 60),
    };
    let when = times::stamp(event.at_ms);
    let fillings = [("n", Filling::from(n)), ("when", Filling::from(when))];
    Some(language.sentence(name, fillings))
}
