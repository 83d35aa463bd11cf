//! Why a record stands as it stands: each flag with what it rests on.

use super::{
    answers::{ShownDetention, ShownRecord},
    record_path,
};
use crate::moment::Moment;
use wadi_words::{Filling, Language};

/// A reason for a state or a flag.
pub(super) struct Reason {
    /// How loudly it is said.
    pub(super) tone: &'static str,
    /// The reason.
    pub(super) text: String,
    /// What it rests on, where that is told apart: an order, a law.
    pub(super) basis: Option<String>,
    /// Since when.
    pub(super) since: Option<Moment>,
    /// The record that it rests on: what it is to this one, its id and its page.
    pub(super) records: Vec<(String, String, String)>,
}

impl Reason {
    fn plain(tone: &'static str, text: String) -> Self {
        Self {
            tone,
            text,
            basis: None,
            since: None,
            records: Vec::new(),
        }
    }
}

fn held_by(language: Language, hold: &ShownDetention) -> Reason {
    if hold.hold.is_empty() {
        return Reason::plain("bad", language.sentence("records-why-held-unread", []));
    }

    let of = hold.of.as_deref().map(|of| language.hold_type(of));
    let who = hold
        .department
        .as_deref()
        .map(|code| language.department(code));
    let of = of.unwrap_or_else(|| language.sentence("records-hold-unknown", []));
    let who = who.unwrap_or_else(|| language.sentence("records-by-machine", []));
    let text = language.sentence(
        "records-why-held",
        [("hold", Filling::from(of)), ("who", Filling::from(who))],
    );

    let named = |name: &str, id: &str| {
        (
            language.sentence(name, []),
            id.to_string(),
            record_path(id, ""),
        )
    };
    let mut records = vec![named("records-the-hold", &hold.hold)];
    records.extend(
        hold.through
            .as_deref()
            .map(|id| named("records-through", id)),
    );
    Reason {
        basis: hold.legal_basis.clone(),
        since: hold.placed_ms.map(Moment::of_ms),
        records,
        ..Reason::plain("bad", text)
    }
}

/// All reasons, the heaviest first.
pub(super) fn reasons(language: Language, record: &ShownRecord) -> Vec<Reason> {
    let count = |name: &str, n: usize| {
        let n = [("n", Filling::from(n as i64))];
        language.sentence(name, n)
    };
    let mut out: Vec<Reason> = record
        .detained_by
        .iter()
        .map(|h| held_by(language, h))
        .collect();

    for act in &record.unfounded {
        let event = record.events.iter().find(|event| event.id == act.id);
        let name = event.and_then(|event| event.of.as_deref()).unwrap_or("?");
        let lacks: Vec<String> = act
            .lacks
            .iter()
            .map(|lack| language.sentence(&format!("records-lack-{}", lack.replace(' ', "-")), []))
            .collect();
        let and = language.sentence("records-and", []);
        // In Arabic it is written in one with what follows.
        let joint = match language {
            Language::Arabic => format!(" {and}"),
            Language::English => format!(" {and} "),
        };
        let text = language.sentence(
            "records-why-unfounded",
            [
                ("event", Filling::from(language.event(name))),
                ("lacks", Filling::from(lacks.join(&joint))),
            ],
        );
        out.push(Reason {
            since: event.map(|event| Moment::of_ms(event.at_ms)),
            ..Reason::plain("bad", text)
        });
    }

    let counted = [
        ("warn", "records-why-contested", record.contested.len()),
        ("warn", "records-why-refused", record.refused.len()),
        (
            "warn",
            "records-why-refused-fields",
            record.refused_fields.len(),
        ),
        (
            "warn",
            "records-why-changed",
            record.changed_after_count as usize,
        ),
        (
            "warn",
            "records-why-after-assessment",
            record.after_assessment.len(),
        ),
        ("note", "records-why-waiting", record.waiting_count),
        ("note", "records-why-reversals", record.time_reversals.len()),
    ];
    for (tone, name, n) in counted {
        if n > 0 {
            out.push(Reason::plain(tone, count(name, n)));
        }
    }

    for warning in &record.warnings {
        out.push(Reason {
            basis: Some(warning.clone()),
            ..Reason::plain("note", language.sentence("records-why-warning", []))
        });
    }

    out
}
