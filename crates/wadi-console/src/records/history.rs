//! A record's history: every entry below those that it builds on, branches drawn as branches, each
//! with who, when, where, and what its author could have known.

use super::{
    PART, RecordTabs,
    answers::{ShownEntry, ShownHistory, ShownKnowledge, ShownRecord, ShownSignature},
    api_path, lanes,
    record::{WhyNot, withheld_words},
    record_path,
    words::{EventWords, NamedValue, entered_later, field_value, raw_event_words},
};
use crate::{
    Console,
    answer::made_or_refused,
    api::Refused,
    claimed::is_claimed,
    frame::PageFrame,
    moment::Moment,
    values::query_escaped,
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

/// Entries of a page.
const ROWS: usize = 40;
/// Pages of the API, of a thousand entries each, that are read for one history.
const API_PAGES_MAX: usize = 10;
/// Entries that the list to choose from names: around the one that is shown.
const STEPS_MAX: usize = 60;
/// A clock that is off by less than this, seconds, is worth no word.
const CLOCK_OFF_MIN_S: i64 = 120;

/// Which page.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct HistoryQuery {
    page: Option<usize>,
}

/// What an author could have known at a decision.
struct Knowledge {
    not_shown: Vec<usize>,
    not_shown_elsewhere: usize,
    holds: Vec<KnownHold>,
}

struct KnownHold {
    id: String,
    path: String,
    taken_in: bool,
    claimed: bool,
}

/// The event that brings an officer's own signature.
const SIGNATURE: &str = "decision.signed";

/// A row.
struct EntryRow {
    number: usize,
    lanes: String,
    events: Vec<EventWords>,
    puts: Vec<NamedValue>,
    refused_puts: Vec<(String, WhyNot)>,
    officer: String,
    is_claimed: bool,
    department: String,
    device: String,
    node: String,
    at: Moment,
    signature: Option<String>,
    later: Option<String>,
    clock: Option<String>,
    why: Option<WhyNot>,
    counts: bool,
    received: Moment,
    witnessed: Vec<String>,
    safety: String,
    not_before: Option<Moment>,
    not_after: Option<Moment>,
    based_on: Vec<usize>,
    knew: Option<Knowledge>,
    as_of: String,
}

#[derive(Template)]
#[template(path = "record_history.html")]
struct HistoryPage {
    f: PageFrame,
    tabs: RecordTabs,
    id: String,
    withheld: Vec<String>,
    rows: Vec<EntryRow>,
    lanes_width: usize,
    has_branches: bool,
    count: usize,
    earlier: Option<String>,
    later: Option<String>,
}

/// The list of entries to look at a record as of.
pub(super) struct Steps {
    /// Where the form goes.
    pub(super) path: String,
    /// The entries: what is sent, what is read, and whether it is the one that is shown.
    pub(super) entries: Vec<(String, String, bool)>,
    /// The number of the one that is shown; none where nobody knows it.
    pub(super) number: Option<usize>,
    /// How many entries there are.
    pub(super) count: usize,
    /// The page as of the entry before.
    pub(super) earlier: Option<String>,
    /// The page as of the entry after.
    pub(super) later: Option<String>,
}

/// The places of entries in the order of the page, and what each builds on by its place there.
fn ordered(history: &ShownHistory) -> (Vec<usize>, Vec<Vec<usize>>) {
    let names: Vec<&str> = history.entries.iter().map(|e| e.entry.as_str()).collect();
    let based_on: Vec<&[String]> = history
        .entries
        .iter()
        .map(|e| e.based_on.as_slice())
        .collect();
    let based_on = lanes::places(&names, &based_on);
    let order = lanes::in_order(&based_on);

    let mut row_of = vec![0; order.len()];
    for (row, entry) in order.iter().enumerate() {
        row_of[*entry] = row;
    }
    let rows = order.iter().map(|entry| {
        let parents = based_on[*entry].iter();
        parents.map(|parent| row_of[*parent]).collect()
    });
    let rows = rows.collect();
    (order, rows)
}

/// The number of each entry on the page, from 1.
pub(super) fn numbers_of(history: &ShownHistory) -> BTreeMap<String, usize> {
    let (order, _) = ordered(history);
    let numbered = order.iter().zip(1..);
    numbered
        .map(|(entry, number)| (history.entries[*entry].entry.clone(), number))
        .collect()
}

/// The row of an entry on its page.
pub(super) fn row_path(id: &str, number: usize) -> String {
    let page = (number.max(1) - 1) / ROWS + 1;
    match page {
        1 => format!("{}#e{number}", record_path(id, "/history")),
        page => format!("{}?page={page}#e{number}", record_path(id, "/history")),
    }
}

fn as_of_path(id: &str, entry: &str) -> String {
    format!("{}?at={}", record_path(id, ""), query_escaped(entry))
}

impl Steps {
    /// The entries around the one that is shown.
    pub(super) fn of(language: Language, id: &str, history: &ShownHistory, at: &str) -> Self {
        let (order, _) = ordered(history);
        let entries: Vec<&ShownEntry> = order.iter().map(|e| &history.entries[*e]).collect();
        let shown = entries.iter().position(|e| e.entry == at);
        let first = shown.unwrap_or(0).saturating_sub(STEPS_MAX / 2);

        let told = |(place, entry): (usize, &&ShownEntry)| {
            let what = entry
                .events
                .first()
                .map(|e| raw_event_words(language, e).title);
            let what = what.or_else(|| entry.puts.keys().next().map(|name| language.field(name)));
            let time = Moment::of_ms(entry.happened_ms.unwrap_or(entry.claimed_ms)).here;
            let text = format!("{} · {time} · {}", place + 1, what.unwrap_or_default());
            (entry.entry.clone(), text, entry.entry == at)
        };
        let listed = entries.iter().enumerate().skip(first).take(STEPS_MAX);
        let neighbour = |place: Option<usize>| {
            let entry = entries.get(place?)?;
            Some(as_of_path(id, &entry.entry))
        };

        Self {
            path: record_path(id, ""),
            entries: listed.map(told).collect(),
            number: shown.map(|place| place + 1),
            count: entries.len(),
            earlier: neighbour(shown.and_then(|place| place.checked_sub(1))),
            later: neighbour(shown.map(|place| place + 1)),
        }
    }
}

/// How far an author's clock was from what the hub's word allows.
fn clock_text(language: Language, entry: &ShownEntry) -> Option<String> {
    let claimed_s = entry.claimed_ms.div_euclid(1_000);
    let behind = entry.not_before_s.map(|s| s.saturating_sub(claimed_s));
    let ahead = entry.not_after_s.map(|s| claimed_s.saturating_sub(s));
    let off = |s: &i64| *s >= CLOCK_OFF_MIN_S;
    let (name, s) = match (behind.filter(off), ahead.filter(off)) {
        (Some(s), _) => ("records-clock-behind", s),
        (None, Some(s)) => ("records-clock-ahead", s),
        (None, None) => return None,
    };
    Some(language.sentence(name, [("n", Filling::from(s / 60))]))
}

fn knowledge(knew: &ShownKnowledge, numbers: &BTreeMap<&str, usize>) -> Knowledge {
    let not_shown: Vec<usize> = knew
        .not_shown
        .iter()
        .filter_map(|entry| numbers.get(entry.as_str()).copied())
        .collect();
    Knowledge {
        not_shown_elsewhere: knew.not_shown.len() - not_shown.len(),
        not_shown,
        holds: knew
            .holds
            .iter()
            .map(|hold| KnownHold {
                id: hold.hold.clone(),
                path: record_path(&hold.hold, ""),
                taken_in: hold.taken_in,
                claimed: hold.claimed,
            })
            .collect(),
    }
}

/// What an officer's own signature comes to.
fn signature_words(language: Language, signature: &ShownSignature) -> String {
    let key = signature.key.clone();
    match signature.state.as_str() {
        "signed" => language.sentence("records-signed", [("key", key.into())]),
        "unsigned" => language.sentence("records-unsigned", []),
        _ => language.sentence("records-badly-signed", []),
    }
}

fn row(
    language: Language,
    id: &str,
    number: usize,
    entry: &ShownEntry,
    numbers: &BTreeMap<&str, usize>,
) -> EntryRow {
    let happened_ms = entry.happened_ms.unwrap_or(entry.claimed_ms);
    let stands = &entry.stands;
    let put = |(field, value): (&String, &serde_json::Value)| NamedValue {
        name: language.field(field),
        value: field_value(language, field, value),
    };
    let refused = stands.refused_fields.iter();

    EntryRow {
        number,
        lanes: String::new(),
        events: entry
            .events
            .iter()
            // What the officer's own signature comes to is told below, and not its letters.
            .filter(|e| e["type"] != SIGNATURE)
            .map(|e| raw_event_words(language, e))
            .collect(),
        puts: entry.puts.iter().map(put).collect(),
        refused_puts: refused
            .map(|(field, why)| (language.field(field), WhyNot::of_refusal(language, why)))
            .collect(),
        is_claimed: is_claimed(
            &entry.officer,
            entry
                .signature
                .as_ref()
                .is_some_and(|s| s.state == "signed"),
        ),
        officer: entry.officer.clone(),
        department: match entry.department.is_empty() {
            true => String::new(),
            false => language.department(&entry.department),
        },
        device: entry.device.clone(),
        node: entry.node.clone(),
        at: Moment::of_ms(happened_ms),
        signature: entry
            .signature
            .as_ref()
            .map(|s| signature_words(language, s)),
        later: entered_later(language, happened_ms, entry.claimed_ms),
        clock: clock_text(language, entry),
        why: (!stands.counts).then(|| {
            let code = stands.code.as_deref().unwrap_or("quarantined");
            WhyNot::of(language, code, stands.why.as_deref().unwrap_or_default())
        }),
        counts: stands.counts,
        received: Moment::of_ms(entry.received_ms),
        witnessed: entry.witnessed.clone(),
        safety: language.safety(&entry.safety),
        not_before: entry.not_before_s.map(Moment::of_s),
        not_after: entry.not_after_s.map(Moment::of_s),
        based_on: entry
            .based_on
            .iter()
            .filter_map(|parent| numbers.get(parent.as_str()).copied())
            .collect(),
        knew: entry.knew.as_ref().map(|knew| knowledge(knew, numbers)),
        as_of: as_of_path(id, &entry.entry),
    }
}

/// A page of a history.
pub(super) async fn show(
    State(console): State<Console>,
    visitor: Visitor,
    Path(id): Path<String>,
    PageQuery(query): PageQuery<HistoryQuery>,
) -> Response {
    let page_number = query.page.unwrap_or(1).max(1);
    made_or_refused(shown(&console, &visitor, &id, page_number).await, &visitor)
}

/// A record's history, page by page of the API, as far as people read.
pub(super) async fn whole_history(
    console: &Console,
    visitor: &Visitor,
    id: &str,
) -> Result<ShownHistory, Refused> {
    let path = api_path(id, "/history");
    let mut history: ShownHistory = console.api.get(&visitor.asker, &path).await?;
    for _ in 1..API_PAGES_MAX {
        let Some(after) = history.next_after.take() else {
            break;
        };

        let next = format!("{path}?after={}", query_escaped(&after));
        let page: ShownHistory = console.api.get(&visitor.asker, &next).await?;
        history.entries.extend(page.entries);
        history.withheld.extend(page.withheld);
        history.next_after = page.next_after;
    }

    history.withheld.sort();
    history.withheld.dedup();
    Ok(history)
}

async fn shown(
    console: &Console,
    visitor: &Visitor,
    id: &str,
    page_number: usize,
) -> Result<HistoryPage, Refused> {
    let (api, asker, language) = (&console.api, &visitor.asker, visitor.language());
    let record: ShownRecord = api.get(asker, &api_path(id, "")).await?;
    let history = whole_history(console, visitor, id).await?;
    let (order, based_on) = ordered(&history);
    let drawn = lanes::lanes(&based_on);
    let numbers: BTreeMap<&str, usize> = order
        .iter()
        .zip(1..)
        .map(|(entry, number)| (history.entries[*entry].entry.as_str(), number))
        .collect();

    let pages = order.len().div_ceil(ROWS).max(1);
    let page_number = page_number.min(pages);
    let first = (page_number - 1) * ROWS;
    let last = order.len().min(first + ROWS);
    let of_page = drawn.get(first..last).unwrap_or_default();
    let width = lanes::width(of_page);
    let rows = order.iter().zip(&drawn).enumerate().skip(first).take(ROWS);
    let rows = rows.map(|(place, (entry, lane_row))| {
        let entry = &history.entries[*entry];
        let mut row = row(language, &record.id, place + 1, entry, &numbers);
        row.lanes = lanes::svg(lane_row, width, row.counts);
        row
    });

    let path = |page: usize| format!("{}?page={page}", record_path(&record.id, "/history"));
    let title = format!(
        "{} {}",
        language.sentence("records-tab-history", []),
        record.id
    );
    Ok(HistoryPage {
        f: visitor.frame(&title, PART),
        tabs: RecordTabs::of(&record.id, "history"),
        withheld: withheld_words(language, &history.withheld),
        rows: rows.collect(),
        lanes_width: width,
        has_branches: drawn.iter().any(|row| row.dot > 0),
        count: order.len(),
        earlier: (page_number > 1).then(|| path(page_number - 1)),
        later: (page_number < pages).then(|| path(page_number + 1)),
        id: record.id,
    })
}
