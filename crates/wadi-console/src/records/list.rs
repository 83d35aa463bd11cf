//! The search: one box for whatever somebody has in hand, filters, and pages of what was found.

use super::{
    PART,
    answers::{ShownMeanings, ShownMembers, ShownPage, ShownRecord},
    query::{ROWS, SearchQuery, UnreadInput},
    record_path, times,
    words::{field_value, tone_of},
};
use crate::{
    Console,
    answer::{page, page_with, status_beside},
    api::Refused,
    frame::{PageFrame, crossing_name},
    moment::Moment,
    visitor::Visitor,
};
use askama::Template;
use axum::{
    extract::{RawQuery, State},
    http::StatusCode,
    response::Response,
};
use std::collections::BTreeSet;
use wadi_record::{Department, HoldType, Kind, STATE_NAMES};
use wadi_words::{Filling, Language};

/// Fields that say of a record which one it is, in the order in which they are shown.
const TOLD_BY: [&str; 12] = [
    "vehicle.plate_raw",
    "vehicle.plate",
    "trailer.plate",
    "container.1",
    "declarant_ref",
    "registration_no",
    "transit.ref",
    "declarant",
    "commodity",
    "legal_basis",
    "target.term",
    "date",
];
/// How many of them a row shows.
const TOLD_MAX: usize = 3;

/// Something to choose.
struct Choice {
    value: String,
    text: String,
    chosen: bool,
}

/// A badge: its colour and its text.
pub(super) struct Badge {
    pub(super) tone: &'static str,
    pub(super) text: String,
}

/// What a record is told by in a row.
struct ToldBy {
    name: String,
    text: String,
    contested: bool,
}

/// A row of the list.
struct RecordLine {
    path: String,
    id: String,
    kind: String,
    crossing: String,
    told: Vec<ToldBy>,
    badges: Vec<Badge>,
    held_by: Option<String>,
    begun: Option<Moment>,
    last: Option<Moment>,
}

#[derive(Template)]
#[template(path = "records.html")]
struct RecordsPage {
    f: PageFrame,
    query: SearchQuery,
    refused: Option<Refused>,
    unread: Vec<String>,
    understood: Vec<(String, String)>,
    is_withheld: bool,
    lines: Vec<RecordLine>,
    next: Option<String>,
    first: Option<String>,
    near: Option<String>,
    without_filters: String,
    known: Option<Moment>,
    keep: String,
    files: Option<(String, String)>,
    left_out: u64,
    kinds: Vec<Choice>,
    crossings: Vec<Choice>,
    states: Vec<Choice>,
    departments: Vec<Choice>,
    hold_types: Vec<Choice>,
}

/// The badges of a state and its flags.
pub(super) fn badges(language: Language, state: &str, flags: &[String]) -> Vec<Badge> {
    let badge = |word: &str| Badge {
        tone: tone_of(word),
        text: language.state(word),
    };
    let state = Some(state).filter(|state| !state.is_empty());
    let flags = flags.iter().map(String::as_str);
    state.into_iter().chain(flags).map(badge).collect()
}

fn line(language: Language, record: &ShownRecord) -> RecordLine {
    let mut told = Vec::new();
    for name in TOLD_BY {
        if told.len() == TOLD_MAX {
            break;
        }
        // The plate says nothing beside the plate as it was read.
        if name == "vehicle.plate" && !told.is_empty() {
            continue;
        }

        let contested = record.contested.get(name).and_then(|claims| claims.first());
        let value = record
            .fields
            .get(name)
            .or(contested.map(|claim| &claim.value));
        if let Some(value) = value {
            told.push(ToldBy {
                name: language.field(name),
                text: field_value(language, name, value).text,
                contested: contested.is_some(),
            });
        }
    }

    let hold = record.fields.get("type").and_then(|of| of.as_str());
    let kind = record.kind.as_deref().unwrap_or_default();
    // Of a hold that the visitor does not read nothing but the flag is told.
    let held_by = record.detained_by.first();
    let held_by = held_by.filter(|hold| !hold.hold.is_empty()).map(|hold| {
        let who = hold
            .department
            .as_deref()
            .map(|code| language.department(code));
        let of = hold.of.as_deref().map(|of| language.hold_type(of));
        let parts: Vec<String> = who.into_iter().chain(of).collect();
        parts.join(" · ")
    });

    RecordLine {
        path: record_path(&record.id, ""),
        id: record.id.clone(),
        kind: match hold {
            Some(of) if kind == "hold" => language.hold_type(of),
            _ => language.kind(kind),
        },
        crossing: record.crossing.clone(),
        told,
        badges: badges(language, &record.state, &record.flags),
        held_by,
        begun: record.begun_ms.map(Moment::of_ms),
        last: record.last_ms.map(Moment::of_ms),
    }
}

/// What a search was taken for: names of what it may be, and the form in which it was sought.
fn understood(language: Language, meanings: &ShownMeanings) -> Vec<(String, String)> {
    let mut out: Vec<(Vec<String>, String)> = Vec::new();
    for one in &meanings.meanings {
        let name = language.sentence(&format!("records-as-{}", one.what), []);
        match out.iter_mut().find(|(_, value)| *value == one.value) {
            Some((names, _)) => names.push(name),
            None => out.push((vec![name], one.value.clone())),
        }
    }

    let joint = language.sentence("records-or", []);
    let joint = format!(" {joint} ");
    out.into_iter()
        .map(|(names, value)| (names.join(&joint), value))
        .collect()
}

fn choices<'a>(
    names: impl IntoIterator<Item = &'a str>,
    chosen: &str,
    told: impl Fn(&str) -> String,
) -> Vec<Choice> {
    let choice = |name: &str| Choice {
        value: name.into(),
        text: told(name),
        chosen: name == chosen,
    };
    names.into_iter().map(choice).collect()
}

/// The crossings that there are; where they cannot be asked for, the one that was chosen.
async fn crossings(console: &Console, visitor: &Visitor, chosen: &str) -> Vec<Choice> {
    let members: ShownMembers = console
        .api
        .get(&visitor.asker, "/v1/members")
        .await
        .unwrap_or_default();
    let mut codes: BTreeSet<String> = members
        .members
        .into_iter()
        .filter_map(|member| member.crossing)
        .collect();
    if !chosen.is_empty() {
        codes.insert(chosen.into());
    }
    let named = |code: &str| crossing_name(visitor.language(), code);
    choices(codes.iter().map(String::as_str), chosen, named)
}

/// What was typed and does not read, in words.
fn unread_words(f: &PageFrame, query: &SearchQuery) -> Vec<String> {
    let word = |unread| match unread {
        UnreadInput::Day => f.say("records-unread-day"),
        UnreadInput::Known => f.say("records-unread-known"),
    };
    query.unread().into_iter().map(word).collect()
}

/// The search and what it finds.
pub(super) async fn show(
    State(console): State<Console>,
    visitor: Visitor,
    RawQuery(query): RawQuery,
) -> Response {
    let query = SearchQuery::read(query.as_deref());
    let language = visitor.language();
    let path = query.api_path();
    let asked = console.api.get::<ShownPage>(&visitor.asker, &path);
    let (found, refused) = match asked.await {
        Ok(found) => (found, None),
        // What was typed stays, so that it can be put right.
        Err(refused) if refused.status == StatusCode::UNPROCESSABLE_ENTITY.as_u16() => {
            (ShownPage::default(), Some(refused))
        }
        Err(refused) => return refused.page(&visitor),
    };

    let title = language.sentence("records-title", []);
    let f = visitor.frame(&title, PART);
    let status = status_beside(refused.as_ref());
    let crossings = crossings(&console, &visitor, &query.crossing).await;
    let made = made(f, query, found, refused, crossings);
    match status {
        StatusCode::OK => page(&made),
        status => page_with(status, &made),
    }
}

/// Where the next page is.
fn next_of(query: &SearchQuery, found: &ShownPage) -> Option<String> {
    let next = match (&found.next_older, found.next_before) {
        (Some(older), _) => SearchQuery {
            older: older.clone(),
            ..query.begun_anew()
        },
        (None, Some(before)) => SearchQuery {
            before: before.to_string(),
            ..query.begun_anew()
        },
        (None, None) => return None,
    };
    Some(next.path())
}

fn made(
    f: PageFrame,
    query: SearchQuery,
    found: ShownPage,
    refused: Option<Refused>,
    crossings: Vec<Choice>,
) -> RecordsPage {
    let language = f.language;
    let first = query.begun_anew();
    let is_first = first == query;
    let known_ms = query.known_ms();
    let filters = first.api_filters();
    let to_file = |format: &str| match first.path().split_once('?') {
        Some((_, pairs)) => format!("/console/records/file?format={format}&{pairs}"),
        None => format!("/console/records/file?format={format}"),
    };

    let near = SearchQuery {
        near: "1".into(),
        ..first.clone()
    };
    let without_filters = SearchQuery {
        q: query.q.clone(),
        ..SearchQuery::default()
    };
    let keep = SearchQuery {
        known: f.who.now_ms.to_string(),
        held: String::new(),
        ..first.clone()
    };
    let meanings = found.understood.as_ref();
    let looked_at = found.looked_at.unwrap_or(found.records.len() as u64);

    RecordsPage {
        unread: unread_words(&f, &query),
        understood: meanings
            .map(|m| understood(language, m))
            .unwrap_or_default(),
        is_withheld: meanings.is_some_and(|m| !m.withheld.is_empty()),
        next: next_of(&query, &found),
        first: (!is_first).then(|| first.path()),
        near: (query.near.is_empty() && !query.q.is_empty()).then(|| near.path()),
        without_filters: without_filters.path(),
        known: known_ms.map(Moment::of_ms),
        keep: keep.path(),
        files: (known_ms.is_none() && !filters.contains("known_ms"))
            .then(|| (to_file("csv"), to_file("ndjson"))),
        left_out: looked_at.saturating_sub(found.records.len() as u64),
        lines: found.records.iter().map(|r| line(language, r)).collect(),
        kinds: choices(Kind::ALL.map(Kind::name), &query.kind, |k| language.kind(k)),
        crossings,
        states: choices(STATE_NAMES.iter().copied(), &query.state, |s| {
            language.state(s)
        }),
        departments: choices(
            Department::ALL.map(Department::code),
            &query.department,
            |d| language.department(d),
        ),
        hold_types: choices(HoldType::ALL.map(HoldType::name), &query.hold_type, |t| {
            language.hold_type(t)
        }),
        refused,
        query,
        f,
    }
}

impl RecordsPage {
    /// How many are shown, and whether there are more.
    fn count_text(&self) -> String {
        let n = [("n", Filling::from(self.lines.len() as i64))];
        match self.next {
            Some(_) => self.f.language.sentence("records-count-more", n),
            None => self.f.language.sentence("records-count", n),
        }
    }

    /// The time as of which the list is, as the form's field has it.
    fn known_text(&self) -> String {
        self.query
            .known_ms()
            .map_or_else(|| self.query.known.clone(), times::form_time)
    }

    fn rows(&self) -> u32 {
        ROWS
    }
}
