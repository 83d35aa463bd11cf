//! The first page of a crossing: its day, and the forms that its officers use most.

use super::{
    answers::{CrossingDay, DayLine, FoundPage, LinkStanding, MaySay, ReadEvent, ReadRecord},
    form::FIELDS_ALONE,
    given::FormGiven,
    times::{self, DayLies},
};
use crate::{
    Console,
    answer::made_or_refused,
    api::Refused,
    digits,
    expected::{ExpectedWords, LaneExpected},
    frame::{PageFrame, crossing_name},
    visitor::Visitor,
};
use askama::Template;
use axum::{
    extract::{RawQuery, State},
    response::Response,
};
use jiff::civil::Date;
use std::collections::BTreeMap;
use wadi_words::{Filling, Language};

/// Records of each list.
const LISTED: u32 = 12;
/// Records that are held, at most.
const HELD: u32 = 20;
/// The forms that stand on the first page, in this order, as far as the department may say them.
const FORMS_FIRST: [(&str, &str); 14] = [
    ("passage", "gate.in"),
    ("passage", "gate.out"),
    ("passage", "weighed"),
    ("passage", "cleared"),
    ("hold", "hold.placed"),
    ("hold", "sample.taken"),
    ("hold", "result.issued"),
    ("hold", "released"),
    ("hold", "rad.alarm"),
    ("hold", "rad.adjudicated"),
    ("passage", "scanned"),
    ("passage", "search.found"),
    ("customs-entry", FIELDS_ALONE),
    ("customs-entry", "registered"),
];
/// Forms on the first page at most.
const FORMS_SHOWN: usize = 8;

/// A link to a form.
pub(super) struct FormLink {
    pub path: String,
    pub title: String,
}

/// A record in a list.
struct DayRow {
    record: ReadRecord,
    time: String,
    utc: String,
}

/// Whoever is on shift.
struct OnShift {
    officer: String,
    department: String,
    since: String,
}

/// How many records of a kind there are, by state.
struct KindCount {
    kind: String,
    total: u64,
    states: Vec<(String, u64)>,
}

/// How a link stands, in words.
struct LinkLine {
    node: String,
    connected: bool,
    /// When it was last in contact.
    last: String,
    last_utc: String,
    /// What it lacks, and when that will be there.
    backlog: String,
    rtt_ms: Option<u64>,
}

#[derive(Template)]
#[template(path = "today.html")]
struct TodayPage {
    f: PageFrame,
    date: String,
    before: String,
    after: String,
    is_today: bool,
    counts: Vec<KindCount>,
    passages: Vec<DayRow>,
    holds: Vec<DayRow>,
    entries: Vec<DayRow>,
    held: Vec<ReadRecord>,
    held_is_cut: bool,
    lookouts: Vec<DayRow>,
    on_shift: Vec<OnShift>,
    standing: LinkStanding,
    unsent: String,
    /// When it is expected at the hub; none where there is nothing to expect.
    expected: Option<ExpectedWords>,
    /// The same by lane.
    unsent_lanes: Vec<LaneExpected>,
    links: Vec<LinkLine>,
    forms: Vec<FormLink>,
    all_forms: String,
    departments: Vec<String>,
    department: String,
}

#[derive(Template)]
#[template(path = "today_forms.html")]
struct FormsPage {
    f: PageFrame,
    groups: Vec<(String, Vec<FormLink>)>,
    departments: Vec<String>,
    department: String,
    /// The record on which they are said; empty where it is asked.
    on: String,
    paper: bool,
}

/// Shows the day.
pub(super) async fn show(
    State(console): State<Console>,
    visitor: Visitor,
    RawQuery(query): RawQuery,
) -> Response {
    let given = FormGiven::read(query.unwrap_or_default().as_bytes());
    made_or_refused(today(&console, &visitor, &given).await, &visitor)
}

async fn today(
    console: &Console,
    visitor: &Visitor,
    given: &FormGiven,
) -> Result<TodayPage, Refused> {
    let now = times::day_of(visitor.who.now_ms);
    let date = times::read_day(given.get("date"), now, DayLies::Behind).unwrap_or(now);
    let (before, after) = times::beside(date);
    let (from_ms, until_ms) = times::bounds(date);
    let day = super::day_of(console, visitor, (from_ms, until_ms), LISTED).await?;
    let yesterday = super::day_of(console, visitor, times::bounds(before), 2).await?;
    let standing: LinkStanding = console.api.get(&visitor.asker, "/v1/sites").await?;
    let authority = super::authority_of(console, visitor, given).await?;

    let own = &visitor.who.crossing;
    let path = format!("/v1/records?state=DETAINED&crossing={own}&limit={HELD}");
    let held: FoundPage = console.api.get(&visitor.asker, &path).await?;

    let language = visitor.language();
    let place = crossing_name(language, own);
    let title = language.sentence("today-title", [("what", Filling::from(place))]);
    let (lookouts, _): (Vec<_>, Vec<_>) = lines(&day.open_holds, now)
        .into_iter()
        .partition(|l| l.record.fields.contains_key("target.term"));
    let links = LinkLines {
        language,
        today: now,
    };
    let frame = visitor.frame(&title, "today");
    let unsent_lanes = LaneExpected::of(&frame, &standing.unsent_by_lane);
    let expected = (standing.unsent > 0)
        .then(|| ExpectedWords::at_hub(&frame, standing.expected_at_hub.as_ref()));
    Ok(TodayPage {
        date: date.to_string(),
        before: before.to_string(),
        after: after.to_string(),
        is_today: date == now,
        counts: counts(&day),
        passages: lines(&day.passages, date),
        holds: lines(&day.holds, date),
        entries: lines(&day.entries, date),
        held_is_cut: held.next_before.is_some(),
        held: held.records,
        lookouts,
        on_shift: on_shift(&[yesterday.site_days, day.site_days].concat_records(), now),
        unsent: links.unsent(&standing),
        links: links.of(&standing),
        standing,
        forms: first_forms(language, &authority),
        all_forms: format!("/console/today/forms?department={}", authority.department),
        departments: departments_for(visitor, &authority),
        department: authority.department,
        expected,
        unsent_lanes,
        f: frame,
    })
}

/// Departments that an operator speaks for; none for everybody else.
fn departments_for(visitor: &Visitor, authority: &MaySay) -> Vec<String> {
    match visitor.who.is.as_str() {
        "operator" => authority.departments.clone(),
        _ => Vec::new(),
    }
}

/// Lists of a day as one list of records.
trait ConcatRecords {
    fn concat_records(self) -> Vec<ReadRecord>;
}

impl ConcatRecords for [Vec<DayLine>; 2] {
    fn concat_records(self) -> Vec<ReadRecord> {
        self.into_iter().flatten().map(|line| line.record).collect()
    }
}

fn lines(all: &[DayLine], today: Date) -> Vec<DayRow> {
    let line = |one: &DayLine| DayRow {
        record: one.record.clone(),
        time: times::clock(one.began_ms, today),
        utc: times::utc(one.began_ms),
    };
    all.iter().map(line).collect()
}

fn counts(day: &CrossingDay) -> Vec<KindCount> {
    let mut all = Vec::new();
    for kind in ["passage", "hold", "customs-entry"] {
        let of_kind = day.counts.iter().filter(|c| c.kind == kind);
        let states: Vec<(String, u64)> = of_kind.map(|c| (c.state.clone(), c.count)).collect();
        all.push(KindCount {
            kind: kind.into(),
            total: states.iter().map(|(_, n)| n).sum(),
            states,
        });
    }
    all
}

/// Who said last that a shift began, and not that it ended. Of two days, for nights.
fn on_shift(days: &[ReadRecord], today: Date) -> Vec<OnShift> {
    let mut last: BTreeMap<&str, &ReadEvent> = BTreeMap::new();
    let is_shift =
        |e: &&ReadEvent| e.counts && matches!(e.of.as_deref(), Some("shift.on" | "shift.off"));
    for event in days.iter().flat_map(|day| &day.events).filter(is_shift) {
        let officer = event
            .data
            .get("officer")
            .and_then(|o| o.as_str())
            .unwrap_or_default();
        let newest = last.entry(officer).or_insert(event);
        if newest.at_ms <= event.at_ms {
            *newest = event;
        }
    }

    let on = last
        .into_iter()
        .filter(|(_, e)| e.of.as_deref() == Some("shift.on"));
    let told = on.map(|(officer, e)| OnShift {
        officer: officer.into(),
        department: e
            .data
            .get("department")
            .and_then(|d| d.as_str())
            .unwrap_or_default()
            .into(),
        since: times::clock(e.at_ms, today),
    });
    told.collect()
}

/// How links are told of.
struct LinkLines {
    language: Language,
    today: Date,
}

impl LinkLines {
    /// What of this node's own is at no hub yet.
    fn unsent(&self, standing: &LinkStanding) -> String {
        if standing.unsent == 0 {
            return self.language.sentence("today-unsent-none", []);
        }

        let n = i64::try_from(standing.unsent).unwrap_or(i64::MAX);
        let age = standing.oldest_unsent_ms.unwrap_or_default() / 60_000;
        let fillings = [("n", Filling::from(n)), ("age", Filling::from(age))];
        self.language.sentence("today-unsent", fillings)
    }

    fn of(&self, standing: &LinkStanding) -> Vec<LinkLine> {
        let line = |peer: &super::answers::PeerStanding| LinkLine {
            node: peer.node.clone(),
            connected: peer.connected,
            last: match peer.last_contact_ms {
                0 => self.language.sentence("today-never", []),
                ms => times::clock(ms, self.today),
            },
            last_utc: times::utc(peer.last_contact_ms),
            backlog: self.backlog(peer.connected, peer.unsent),
            rtt_ms: peer.rtt_ms,
        };
        standing.peers.iter().map(line).collect()
    }

    /// What a peer lacks. When it will be there nobody knows while the link is dark.
    fn backlog(&self, connected: bool, unsent: Option<u64>) -> String {
        match (connected, unsent) {
            (true, Some(0)) => self.language.sentence("today-backlog-none", []),
            (true, Some(n)) => {
                let n = i64::try_from(n).unwrap_or(i64::MAX);
                self.language
                    .sentence("today-backlog-moving", [("n", Filling::from(n))])
            }
            (true, None) | (false, _) => self.language.sentence("today-backlog-unknown", []),
        }
    }
}

/// A form that the department may say, as a link.
fn link(language: Language, authority: &MaySay, kind: &str, event: &str) -> Option<FormLink> {
    let may = match event {
        FIELDS_ALONE => authority.fields.iter().any(|f| f.kind == kind),
        event => {
            let mut all = authority.events.iter();
            all.any(|e| e.event == event && e.kinds.iter().any(|k| k == kind))
        }
    };
    may.then(|| FormLink {
        path: format!(
            "/console/today/say/{kind}/{event}?department={}",
            authority.department
        ),
        title: super::form_title(language, kind, event),
    })
}

/// The forms of the first page: those used most, then others, up to a handful.
fn first_forms(language: Language, authority: &MaySay) -> Vec<FormLink> {
    let first = FORMS_FIRST.iter().map(|(kind, event)| (*kind, *event));
    let others = authority
        .events
        .iter()
        .filter(|e| e.effect != "ends")
        .flat_map(|e| {
            let kind = e.kinds.first().map(String::as_str);
            kind.map(|kind| (kind, e.event.as_str()))
        });

    let mut links: Vec<FormLink> = Vec::new();
    for (kind, event) in first.chain(others) {
        if links.len() == FORMS_SHOWN {
            break;
        }
        let found = link(language, authority, kind, event);
        links.extend(found.filter(|l| links.iter().all(|known| known.path != l.path)));
    }
    links
}

/// Shows every form that the department may say.
pub(super) async fn forms(
    State(console): State<Console>,
    visitor: Visitor,
    RawQuery(query): RawQuery,
) -> Response {
    let given = FormGiven::read(query.unwrap_or_default().as_bytes());
    made_or_refused(all_forms(&console, &visitor, &given).await, &visitor)
}

async fn all_forms(
    console: &Console,
    visitor: &Visitor,
    given: &FormGiven,
) -> Result<FormsPage, Refused> {
    let authority = super::authority_of(console, visitor, given).await?;
    let language = visitor.language();
    let on = match given.get("on") {
        "" => None,
        id => Some(super::target::show(&console.api, &visitor.asker, id).await?),
    };

    let mut groups = Vec::new();
    for kind in ["passage", "hold", "customs-entry", "site-day"] {
        if on.as_ref().is_some_and(|record| record.kind != kind) {
            continue;
        }

        let events = authority.events.iter().map(|e| e.event.as_str());
        let mut links: Vec<FormLink> = events
            .chain([FIELDS_ALONE])
            .filter_map(|event| link(language, &authority, kind, event))
            .collect();
        for link in &mut links {
            if let Some(record) = &on {
                link.path += &format!("&on={}", record.id);
            }
            if given.has("paper") {
                link.path += "&paper=1";
            }
        }
        if !links.is_empty() {
            groups.push((language.kind(kind), links));
        }
    }

    let title = match given.has("paper") {
        true => language.sentence("today-paper-title", []),
        false => language.sentence("today-forms-title", []),
    };
    Ok(FormsPage {
        f: visitor.frame(&title, "today"),
        groups,
        departments: departments_for(visitor, &authority),
        department: authority.department,
        on: on.map_or_else(String::new, |record| record.id),
        paper: given.has("paper"),
    })
}

impl TodayPage {
    /// A number to be read.
    fn grouped(&self, n: &u64) -> String {
        digits::grouped(i64::try_from(*n).unwrap_or(i64::MAX))
    }

    /// When a hold was placed.
    fn since(&self, ms: &Option<i64>) -> String {
        ms.map_or_else(String::new, times::stamp)
    }

    /// The holds that are open and no lookouts, of today's list.
    fn open(&self, line: &DayRow) -> bool {
        line.record.placements.iter().any(|p| p.open)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn shift(of: &str, officer: &str, at_ms: i64, counts: bool) -> ReadEvent {
        ReadEvent {
            of: Some(of.into()),
            data: serde_json::from_value(json!({"officer": officer, "department": "VET"})).unwrap(),
            at_ms,
            counts,
            ..ReadEvent::default()
        }
    }

    #[test]
    fn whoever_began_a_shift_and_did_not_end_it_is_on() {
        let yesterday = ReadRecord {
            events: vec![
                shift("shift.on", "OF-1", 1, true),
                shift("shift.on", "OF-2", 2, true),
            ],
            ..ReadRecord::default()
        };
        let today = ReadRecord {
            events: vec![
                shift("shift.off", "OF-1", 10, true),
                shift("shift.off", "OF-2", 11, false),
                shift("link.down", "OF-3", 12, true),
            ],
            ..ReadRecord::default()
        };

        let on = on_shift(&[today, yesterday], times::day_of(0));
        let officers: Vec<&str> = on.iter().map(|o| o.officer.as_str()).collect();
        assert_eq!(officers, ["OF-2"], "one that does not count ends nothing");
    }
}
