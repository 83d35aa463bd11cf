//! A record's page: what it has come to and why, its fields with every contested value, what
//! belongs with it, and what happened to it.

use super::{
    PART, RecordTabs,
    answers::{
        ShownClaim, ShownFinding, ShownFindings, ShownRecord, ShownRefusal, ShownRelated,
        ShownRelation,
    },
    api_path,
    history::{Steps, whole_history},
    list::{Badge, badges},
    plots::{PlotWithTable, moves, temperatures, weighings_svg},
    reasons::{Reason, reasons},
    record_path, times,
    words::{EventWords, ShownValue, entered_later, event_words, field_value},
};
use crate::{
    Console,
    answer::made_or_refused,
    api::Refused,
    claimed::is_claimed,
    expected::ExpectedWords,
    found_sentence::FoundSentence,
    frame::PageFrame,
    moment::Moment,
    values::{query_escaped, reason_in},
    visitor::{PageQuery, Visitor},
};
use askama::Template;
use axum::{
    extract::{Path, State},
    response::Response,
};
use serde::Deserialize;
use std::collections::BTreeMap;
use wadi_words::{Filling, Language};

/// Events that the page shows: of more, the latest. All of them stand in the history.
const EVENTS_MAX: usize = 40;
/// Groups of fields, in the order of the page, with how the names of their fields begin.
const GROUPS: [(&str, &[&str]); 6] = [
    ("vehicle", &["vehicle.", "trailer."]),
    (
        "load",
        &[
            "container.",
            "seal.",
            "goods.",
            "commodity",
            "hs_code",
            "origin",
            "quantity",
            "unit",
        ],
    ),
    ("persons", &["person."]),
    (
        "papers",
        &[
            "transit.",
            "certificate.",
            "declar",
            "registration_no",
            "office",
            "exporter",
            "consignee",
            "total_packages",
            "currency",
            "invoice_minor",
        ],
    ),
    ("hold", &["type", "legal_basis", "due_at_ms", "target."]),
    ("journey", &[""]),
];

/// As of which entry or time.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct AsOfQuery {
    at: String,
    known: String,
}

impl AsOfQuery {
    /// The same as the API is asked; empty for the record as it is now.
    fn api_query(&self, known_ms: Option<i64>) -> String {
        match (self.at.is_empty(), known_ms) {
            (false, _) => format!("?at={}", query_escaped(&self.at)),
            (true, Some(ms)) => format!("?known_ms={ms}"),
            (true, None) => String::new(),
        }
    }
}

/// A value with who said it.
pub(super) struct ClaimLine {
    pub(super) value: ShownValue,
    pub(super) officer: String,
    pub(super) department: String,
    pub(super) at: Moment,
    pub(super) field: String,
    pub(super) why: Option<WhyNot>,
    pub(super) before: Vec<ShownValue>,
    pub(super) reason: Option<String>,
}

/// WhyNot something does not count: what the code is called, and the reason, as it was given where
/// the language has no words for it.
pub(super) struct WhyNot {
    pub(super) code: String,
    pub(super) text: String,
}

/// A field: one value, or several that contradict each other.
struct FieldLine {
    name: String,
    value: Option<ShownValue>,
    claims: Vec<ClaimLine>,
}

/// Fields that belong together.
struct FieldGroup {
    title: String,
    fields: Vec<FieldLine>,
}

/// An event.
struct EventLine {
    at: Moment,
    words: EventWords,
    by: String,
    is_claimed: bool,
    later: Option<String>,
    why: Option<WhyNot>,
    counts: bool,
    quarantined: bool,
}

/// A record that belongs with this one.
struct RelatedLine {
    path: String,
    id: String,
    kind: String,
    crossing: String,
    badges: Vec<Badge>,
    begun: Moment,
    by: Vec<(String, String)>,
}

/// A finding about this one.
struct FindingLine {
    path: String,
    title: String,
    said: FoundSentence,
    state: String,
    phase: String,
    is_firm: bool,
    at: Moment,
}

/// From when until when something held.
struct HoldSpan {
    title: String,
    from: Moment,
    open: bool,
    ends: Vec<(String, Moment, Option<Moment>)>,
}

#[derive(Template)]
#[template(path = "record.html")]
struct RecordPage {
    f: PageFrame,
    tabs: RecordTabs,
    id: String,
    kind: String,
    crossing: String,
    badges: Vec<Badge>,
    safety: Option<String>,
    begun: Option<Moment>,
    last: Option<Moment>,
    withheld: Vec<String>,
    known: Option<Moment>,
    steps: Option<Steps>,
    reasons: Vec<Reason>,
    groups: Vec<FieldGroup>,
    refused_fields: Vec<ClaimLine>,
    changed_after: Vec<ClaimLine>,
    changed_after_more: u64,
    holds: Vec<HoldSpan>,
    weighings: Option<String>,
    temperatures: Option<PlotWithTable>,
    moves: Option<PlotWithTable>,
    expected: Option<ExpectedWords>,
    events: Vec<EventLine>,
    events_left_out: usize,
    related: Vec<RelatedLine>,
    related_cut: bool,
    findings: Vec<FindingLine>,
    document: String,
}

impl WhyNot {
    pub(super) fn of(language: Language, code: &str, text: &str) -> Self {
        Self {
            code: language.problem_title(code),
            text: reason_in(language, code, text),
        }
    }

    pub(super) fn of_refusal(language: Language, refusal: &ShownRefusal) -> Self {
        Self::of(language, &refusal.code, &refusal.why)
    }
}

/// Who said something: officer, and department in words.
fn said_by(language: Language, officer: &str, department: Option<&str>) -> String {
    let department = department.filter(|code| !code.is_empty());
    match department {
        Some(code) if officer.is_empty() => language.department(code),
        Some(code) => format!("{officer} · {}", language.department(code)),
        None => officer.into(),
    }
}

impl ClaimLine {
    pub(super) fn of(language: Language, field: &str, claim: &ShownClaim) -> Self {
        let before = claim.before.iter();
        Self {
            value: field_value(language, field, &claim.value),
            officer: claim.officer.clone(),
            department: claim
                .department
                .as_deref()
                .map(|code| language.department(code))
                .unwrap_or_default(),
            at: Moment::of_ms(claim.at_ms),
            field: language.field(field),
            why: (!claim.code.is_empty()).then(|| WhyNot::of(language, &claim.code, &claim.why)),
            before: before.map(|v| field_value(language, field, v)).collect(),
            reason: claim.reason.clone(),
        }
    }
}

/// The fields in their groups. A field stands in the first group that has it.
fn groups(language: Language, record: &ShownRecord) -> Vec<FieldGroup> {
    let mut by_group: BTreeMap<usize, Vec<FieldLine>> = BTreeMap::new();
    let group_of = |name: &str| {
        let begins = |(_, all): &(&str, &[&str])| all.iter().any(|start| name.starts_with(start));
        GROUPS.iter().position(begins).unwrap_or(GROUPS.len() - 1)
    };

    for (name, value) in &record.fields {
        by_group.entry(group_of(name)).or_default().push(FieldLine {
            name: language.field(name),
            value: Some(field_value(language, name, value)),
            claims: Vec::new(),
        });
    }
    for (name, claims) in &record.contested {
        let claims = claims
            .iter()
            .map(|claim| ClaimLine::of(language, name, claim));
        by_group.entry(group_of(name)).or_default().insert(
            0,
            FieldLine {
                name: language.field(name),
                value: None,
                claims: claims.collect(),
            },
        );
    }

    let group = |(place, fields): (usize, Vec<FieldLine>)| FieldGroup {
        title: language.sentence(&format!("records-group-{}", GROUPS[place].0), []),
        fields,
    };
    by_group.into_iter().map(group).collect()
}

/// Gives records that an event names by their hash the ids that people know, where they belong with
/// this record.
fn with_ids(mut words: EventWords, others: &ShownRelated) -> EventWords {
    for member in &mut words.members {
        let named = member.value.record.as_deref();
        let is_named = |one: &&ShownRelation| named == Some(record_path(&one.record, "").as_str());
        if let Some(one) = others.records.iter().find(is_named) {
            member.value.record = Some(record_path(&one.id, ""));
            member.value.text = one.id.clone();
        }
    }
    words
}

fn events(language: Language, record: &ShownRecord, others: &ShownRelated) -> Vec<EventLine> {
    let words = |of: Option<&str>, data| event_words(language, of.unwrap_or("?"), data);
    let skipped = record.events.len().saturating_sub(EVENTS_MAX);
    let shown = record.events.iter().skip(skipped);
    shown
        .map(|event| EventLine {
            at: Moment::of_ms(event.at_ms),
            words: with_ids(words(event.of.as_deref(), &event.data), others),
            by: match event.device.as_deref().filter(|device| !device.is_empty()) {
                Some(device) if event.officer.is_empty() => device.into(),
                _ => said_by(language, &event.officer, event.department.as_deref()),
            },
            is_claimed: is_claimed(&event.officer, event.signed_by.is_some()),
            later: entered_later(language, event.at_ms, event.entered_ms),
            why: event
                .refused
                .as_ref()
                .map(|why| WhyNot::of_refusal(language, why)),
            counts: event.counts,
            quarantined: event.quarantined.unwrap_or(false),
        })
        .collect()
}

fn related(language: Language, all: &ShownRelated) -> Vec<RelatedLine> {
    let line = |one: &ShownRelation| RelatedLine {
        path: record_path(&one.id, ""),
        id: one.id.clone(),
        kind: language.kind(one.kind.as_deref().unwrap_or_default()),
        crossing: one.crossing.clone(),
        badges: badges(language, &one.state, &one.flags),
        begun: Moment::of_ms(one.begun_ms),
        by: one
            .by
            .iter()
            .map(|by| {
                let is_link = by.what == "names" || by.what == "named_by";
                let value = if is_link { "" } else { by.value.as_str() };
                let name = language.sentence(&format!("records-as-{}", by.what), []);
                (name, value.to_string())
            })
            .collect(),
    };
    all.records.iter().map(line).collect()
}

fn finding(language: Language, one: &ShownFinding) -> FindingLine {
    FindingLine {
        path: format!("/console/findings/{}", query_escaped(&one.finding)),
        title: language.rule_title(&one.rule),
        said: FoundSentence::of(language, one.sentence.as_ref(), &one.text),
        state: language.finding_state(&one.state),
        phase: language.phase(&one.phase),
        is_firm: one.phase == "FIRM",
        at: Moment::of_ms(one.at_ms),
    }
}

fn holds(language: Language, record: &ShownRecord) -> Vec<HoldSpan> {
    let span = |one: &super::answers::ShownPlacement| {
        let of = one.of.as_deref().map(|of| language.hold_type(of));
        let who = one
            .department
            .as_deref()
            .map(|code| language.department(code));
        let parts: Vec<String> = of.into_iter().chain(who).collect();
        HoldSpan {
            title: parts.join(" · "),
            from: Moment::of_ms(one.placed_ms),
            open: one.open,
            ends: one
                .ends
                .iter()
                .map(|end| {
                    let reopened = end.reopened_ms.map(Moment::of_ms);
                    (language.event(&end.of), Moment::of_ms(end.at_ms), reopened)
                })
                .collect(),
        }
    };
    record.placements.iter().map(span).collect()
}

/// A record's page.
pub(super) async fn show(
    State(console): State<Console>,
    visitor: Visitor,
    Path(id): Path<String>,
    PageQuery(as_of): PageQuery<AsOfQuery>,
) -> Response {
    made_or_refused(shown(&console, &visitor, &id, &as_of).await, &visitor)
}

async fn shown(
    console: &Console,
    visitor: &Visitor,
    id: &str,
    as_of: &AsOfQuery,
) -> Result<RecordPage, Refused> {
    let (api, asker, language) = (&console.api, &visitor.asker, visitor.language());
    let known_ms = times::time_ms(&as_of.known);
    let query = as_of.api_query(known_ms);
    let record: ShownRecord = api.get(asker, &api_path(id, &query)).await?;
    let is_now = query.is_empty();
    let steps = match as_of.at.is_empty() {
        true => None,
        false => {
            let history = whole_history(console, visitor, id).await?;
            Some(Steps::of(language, &record.id, &history, &as_of.at))
        }
    };

    // What stands beside a record may be kept from this visitor: the record stands without.
    let (mut others, mut found) = (ShownRelated::default(), ShownFindings::default());
    if is_now {
        others = api
            .get(asker, &api_path(id, "/related"))
            .await
            .unwrap_or_default();
        let path = format!("/v1/findings?limit=20&record={}", record.record);
        found = api.get(asker, &path).await.unwrap_or_default();
    }

    let kind = language.kind(record.kind.as_deref().unwrap_or_default());
    let title = format!("{kind} {}", record.id);
    let claims = |all: &[ShownClaim]| -> Vec<ClaimLine> {
        let line = |claim: &ShownClaim| ClaimLine::of(language, &claim.field, claim);
        all.iter().map(line).collect()
    };
    let more_changes = record.changed_after_count as usize;
    let frame = visitor.frame(&title, PART);
    let expected = expected_words(&frame, &record);

    Ok(RecordPage {
        f: frame,
        tabs: RecordTabs::of(&record.id, if is_now { "record" } else { "" }),
        kind,
        crossing: record.crossing.clone(),
        badges: badges(language, &record.state, &record.flags),
        safety: record
            .safety
            .as_deref()
            .map(|s| language.sentence(&format!("records-{s}"), [])),
        begun: record.begun_ms.map(Moment::of_ms),
        last: record.last_ms.map(Moment::of_ms),
        withheld: withheld_words(language, &record.withheld),
        known: known_ms.filter(|_| as_of.at.is_empty()).map(Moment::of_ms),
        steps,
        reasons: reasons(language, &record),
        groups: groups(language, &record),
        refused_fields: claims(&record.refused_fields),
        changed_after: claims(&record.changed_after),
        changed_after_more: more_changes.saturating_sub(record.changed_after.len()) as u64,
        holds: holds(language, &record),
        weighings: weighings_svg(language, &record),
        temperatures: temperatures(language, &record),
        moves: moves(language, &record, visitor.who.now_ms),
        expected,
        events: events(language, &record, &others),
        events_left_out: record.events.len().saturating_sub(EVENTS_MAX),
        related: related(language, &others),
        related_cut: others.cut,
        findings: found
            .findings
            .iter()
            .map(|one| finding(language, one))
            .collect(),
        document: record_path(&record.id, "/document"),
        id: record.id,
    })
}

/// When a record that is not at the hub is expected there; nothing where it is there.
fn expected_words(f: &PageFrame, record: &ShownRecord) -> Option<ExpectedWords> {
    let is_here = record.safety.as_deref().is_some_and(|s| s != "at_hub");
    is_here.then(|| ExpectedWords::at_hub(f, record.expected_at_hub.as_ref()))
}

/// What was withheld, in words: a field or a type of event.
pub(super) fn withheld_words(language: Language, names: &[String]) -> Vec<String> {
    let word = |name: &String| {
        let field = language.field(name);
        match field == *name {
            true => language.event(name),
            false => field,
        }
    };
    names.iter().map(word).collect()
}

impl RecordPage {
    fn left_out_text(&self) -> String {
        let n = [("n", Filling::from(self.events_left_out as i64))];
        self.f.language.sentence("records-events-left-out", n)
    }
}
