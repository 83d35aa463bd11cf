//! The queue: what waits for somebody, the firm ones apart from those that something on its way may
//! yet explain.

use super::{
    FindingRights, PART, QUEUE,
    answers::{NotAssignedTold, QueueAnswer, QueueCount, SeenDesk, SeenFinding},
    finding_path, words,
};
use crate::{
    Console, answer, api::Refused, found_sentence::FoundSentence, frame::PageFrame, moment::Moment,
    records::record_path, values::query_escaped, visitor::Visitor,
};
use askama::Template;
use axum::{
    extract::{RawQuery, State},
    response::Response,
};
use std::collections::BTreeMap;
use wadi_words::Language;

/// Rows of a table; of the pending ones beside the firm ones fewer.
const ROWS: u32 = 50;
const PENDING_ROWS: u32 = 15;
/// What the queue can be filtered by, as the API names it.
const FILTERS: [&str; 9] = [
    "rule",
    "severity",
    "crossing",
    "phase",
    "state",
    "disposition",
    "assignee",
    "about",
    "snoozed",
];
/// The states, and what stands for all that nobody has settled.
const STATES: [&str; 7] = [
    "UNDECIDED",
    "OPEN",
    "ASSIGNED",
    "PENDING_RESOLUTION",
    "RESOLVED",
    "WAIVED",
    "ALL",
];

/// What is asked for. A name that nobody knows is left out; a value that the API does not know is
/// refused by it.
#[derive(Clone, Default)]
pub(super) struct QueueQuery {
    given: BTreeMap<String, String>,
}

impl QueueQuery {
    pub(super) fn read(raw: Option<&str>) -> Self {
        let pairs: Vec<(String, String)> =
            serde_urlencoded::from_str(raw.unwrap_or_default()).unwrap_or_default();
        let known =
            |name: &str| FILTERS.contains(&name) || matches!(name, "older_than_h" | "after");
        let given = pairs
            .into_iter()
            .map(|(name, value)| (name, value.trim().to_string()))
            .filter(|(name, value)| known(name) && !value.is_empty());
        Self {
            given: given.collect(),
        }
    }

    pub(super) fn get(&self, name: &str) -> &str {
        self.given.get(name).map_or("", String::as_str)
    }

    fn with(&self, name: &str, value: &str) -> Self {
        let mut given = self.given.clone();
        given.remove("after");
        match value {
            "" => given.remove(name),
            _ => given.insert(name.into(), value.into()),
        };
        Self { given }
    }

    /// The query as it stands in an address.
    pub(super) fn text(&self) -> String {
        let pairs = self
            .given
            .iter()
            .map(|(name, value)| format!("{name}={}", query_escaped(value)));
        pairs.collect::<Vec<_>>().join("&")
    }

    /// The same list from its beginning: what is saved as a view.
    fn view(&self) -> String {
        self.with("after", "").text()
    }

    fn path(&self) -> String {
        match self.text() {
            text if text.is_empty() => QUEUE.into(),
            text => format!("{QUEUE}?{text}"),
        }
    }

    /// The question to the API: what nobody has settled and is not put aside, where nothing else is
    /// asked for.
    fn asked(&self, phase: &str, limit: u32) -> String {
        let mut all = self.given.clone();
        all.entry("state".into())
            .or_insert_with(|| "UNDECIDED".into());
        if self.get("state") == "ALL" {
            all.remove("state");
        }

        all.entry("snoozed".into())
            .or_insert_with(|| "without".into());
        all.insert("phase".into(), phase.into());
        let asked = Self { given: all };
        format!("/v1/findings?limit={limit}&{}", asked.text())
    }
}

/// Something to choose, or a link that narrows the list, with how many there are.
pub(super) struct QueueChoice {
    pub(super) value: String,
    pub(super) text: String,
    pub(super) count: Option<u64>,
    pub(super) path: String,
    pub(super) chosen: bool,
}

/// A row of the queue.
pub(super) struct QueueLine {
    pub(super) id: String,
    pub(super) path: String,
    pub(super) propose: String,
    pub(super) decide: String,
    pub(super) rule: String,
    pub(super) title: String,
    pub(super) said: FoundSentence,
    pub(super) severity: u8,
    pub(super) record: String,
    pub(super) record_path: String,
    pub(super) crossing: String,
    pub(super) at: Moment,
    pub(super) state: String,
    pub(super) is_open: bool,
    pub(super) waits_for_decision: bool,
    pub(super) assignee: String,
    pub(super) waits: Option<String>,
}

/// A saved view.
struct ViewLink {
    name: String,
    path: String,
    chosen: bool,
}

#[derive(Template)]
#[template(path = "findings.html")]
struct QueuePage {
    f: PageFrame,
    rights: FindingRights,
    count: u64,
    firm: Option<Vec<QueueLine>>,
    pending: Option<Vec<QueueLine>>,
    firm_count: u64,
    pending_count: u64,
    pending_path: String,
    next: Option<String>,
    first: Option<String>,
    states: Vec<QueueChoice>,
    phases: Vec<QueueChoice>,
    rules: Vec<QueueChoice>,
    crossings: Vec<String>,
    query: QueueQuery,
    view: String,
    views: Vec<ViewLink>,
    snoozed: usize,
    snoozed_path: String,
    back: String,
    refused: Option<Refused>,
    /// Findings that could not be assigned: id, path, why.
    not_assigned: Vec<(String, String, String)>,
    here: &'static str,
}

/// A finding as a row. `back` is where its pages lead back to.
pub(super) fn line(language: Language, found: &SeenFinding, back: &str) -> QueueLine {
    let path = finding_path(&found.finding);
    let back = query_escaped(back);
    QueueLine {
        id: found.finding.clone(),
        propose: format!("{path}?act=propose&back={back}"),
        decide: format!("{path}?act=decide&back={back}"),
        path: format!("{path}?back={back}"),
        rule: found.rule.clone(),
        title: language.rule_title(&found.rule),
        said: FoundSentence::of(language, found.sentence.as_ref(), &found.text),
        severity: found.severity.unwrap_or(0),
        record: found.record.clone(),
        record_path: record_path(&found.record, ""),
        crossing: words::crossing_name(language, &found.crossing),
        at: Moment::of_ms(found.at_ms),
        state: language.finding_state(&found.state),
        is_open: !matches!(found.state.as_str(), "RESOLVED" | "WAIVED"),
        waits_for_decision: found.state == "PENDING_RESOLUTION",
        assignee: found.assignee.clone(),
        waits: words::waits_of(language, found),
    }
}

/// How many there are of each value of a column.
fn counted(counts: &[&QueueCount], of: impl Fn(&QueueCount) -> &str) -> BTreeMap<String, u64> {
    let mut all = BTreeMap::new();
    for count in counts {
        let sum: &mut u64 = all.entry(of(count).to_string()).or_default();
        *sum = sum.saturating_add(count.count);
    }
    all
}

/// Links that narrow the list to one value each.
fn links(
    query: &QueueQuery,
    name: &str,
    all: BTreeMap<String, u64>,
    title: impl Fn(&str) -> String,
) -> Vec<QueueChoice> {
    let choice = |(value, count): (String, u64)| {
        let chosen = query.get(name) == value;
        QueueChoice {
            text: title(&value),
            path: query.with(name, if chosen { "" } else { &value }).path(),
            count: Some(count),
            chosen,
            value,
        }
    };
    all.into_iter().map(choice).collect()
}

fn state_choices(language: Language, query: &QueueQuery) -> Vec<QueueChoice> {
    let chosen = match query.get("state") {
        "" => "UNDECIDED",
        state => state,
    };
    let choice = |state: &&str| QueueChoice {
        value: state.to_string(),
        text: match *state {
            "UNDECIDED" => language.sentence("findings-undecided", []),
            "ALL" => language.sentence("findings-all-states", []),
            state => language.finding_state(state),
        },
        count: None,
        path: String::new(),
        chosen: *state == chosen,
    };
    STATES.iter().map(choice).collect()
}

/// The queue.
pub(crate) async fn show(
    State(console): State<Console>,
    visitor: Visitor,
    RawQuery(raw): RawQuery,
) -> Response {
    page(&console, &visitor, raw.as_deref(), None, Vec::new()).await
}

/// The queue, with what was refused of what somebody did in it.
pub(super) async fn page(
    console: &Console,
    visitor: &Visitor,
    raw: Option<&str>,
    refused: Option<Refused>,
    not_assigned: Vec<NotAssignedTold>,
) -> Response {
    let query = QueueQuery::read(raw);
    match gathered(console, visitor, query, refused, not_assigned).await {
        Ok(page) => {
            let status = answer::status_beside(page.refused.as_ref());
            answer::page_with(status, &page)
        }
        Err(refused) => refused.page(visitor),
    }
}

/// The firm ones and the pending ones, as far as they are asked for. Where a value does not exist
/// the page stands, and tells the refusal.
async fn read_both(
    console: &Console,
    visitor: &Visitor,
    query: &QueueQuery,
    refused: &mut Option<Refused>,
) -> Result<[Option<QueueAnswer>; 2], Refused> {
    let phase = query.get("phase");
    let mut answers: [Option<QueueAnswer>; 2] = [None, None];
    let asked = [("FIRM", ROWS), ("PENDING", PENDING_ROWS)];
    for (answer, (of, rows)) in answers.iter_mut().zip(asked) {
        if !phase.is_empty() && phase != of {
            continue;
        }

        // The cursor is that of the firm ones, where both are shown.
        let path = match (phase, of) {
            ("", "PENDING") => query.with("after", "").asked(of, rows),
            _ => query.asked(of, ROWS),
        };
        match console.api.get::<QueueAnswer>(&visitor.asker, &path).await {
            Ok(read) => *answer = Some(read),
            Err(bad) if bad.status == 422 => {
                *answer = Some(QueueAnswer::default());
                refused.get_or_insert(bad);
            }
            Err(bad) => return Err(bad),
        }
    }

    Ok(answers)
}

/// The views that somebody saved, and which of them is shown.
fn view_links(desk: &SeenDesk, shown: &str) -> Vec<ViewLink> {
    let link = |view: &super::answers::SeenView| ViewLink {
        name: view.name.clone(),
        path: format!("{QUEUE}?{}", view.query),
        chosen: view.query == shown,
    };
    desk.views.iter().map(link).collect()
}

async fn gathered(
    console: &Console,
    visitor: &Visitor,
    query: QueueQuery,
    mut refused: Option<Refused>,
    not_assigned: Vec<NotAssignedTold>,
) -> Result<QueuePage, Refused> {
    let language = visitor.language();
    let asker = &visitor.asker;
    let answers = read_both(console, visitor, &query, &mut refused).await?;
    // Only auditors have a desk.
    let desk: SeenDesk = console
        .api
        .get(asker, "/v1/findings/desk")
        .await
        .unwrap_or_default();
    let members: CrossingsKnown = console
        .api
        .get(asker, "/v1/members")
        .await
        .unwrap_or_default();

    let back = visitor_path(visitor, &query);
    let [firm, pending] = &answers;
    let rows = |answer: &Option<QueueAnswer>| {
        answer.as_ref().map(|a| {
            let lines = a.findings.iter().map(|found| line(language, found, &back));
            lines.collect::<Vec<_>>()
        })
    };
    let count = |answer: &Option<QueueAnswer>| answer.as_ref().map_or(0, |a| a.count);
    let of_both = [firm, pending].into_iter().flatten();
    let all: Vec<&QueueCount> = of_both.flat_map(|a| &a.counts).collect();
    let paged = match query.get("phase") {
        "PENDING" => pending,
        _ => firm,
    };
    let next = paged.as_ref().and_then(|a| a.next_after.as_deref());
    let next = next.map(|after| query.with("after", after).path());
    let view = query.view();
    let title = language.sentence("findings-title", []);
    Ok(QueuePage {
        f: visitor.frame(&title, PART),
        rights: FindingRights::of(visitor),
        count: count(firm).saturating_add(count(pending)),
        firm: rows(firm),
        pending: rows(pending),
        firm_count: count(firm),
        pending_count: count(pending),
        pending_path: query.with("phase", "PENDING").path(),
        next,
        first: (!query.get("after").is_empty()).then(|| query.with("after", "").path()),
        states: state_choices(language, &query),
        phases: links(&query, "phase", counted(&all, |c| &c.phase), |phase| {
            language.phase(phase)
        }),
        rules: links(&query, "rule", counted(&all, |c| &c.rule), |rule| {
            format!("{rule} · {}", language.rule_title(rule))
        }),
        crossings: members.codes(),
        views: view_links(&desk, &view),
        snoozed: desk.snoozed.len(),
        snoozed_path: query.with("snoozed", "only").path(),
        view,
        query,
        back,
        refused,
        not_assigned: not_assigned
            .into_iter()
            .map(|told| {
                let why = told.told(language);
                (told.finding.clone(), finding_path(&told.finding), why)
            })
            .collect(),
        here: "queue",
    })
}

impl QueuePage {
    /// A crossing in a list of choices: its name, and its code.
    fn crossing_text(&self, code: &str) -> String {
        match words::crossing_name(self.f.language, code) {
            name if name == code => name,
            name => format!("{name} ({code})"),
        }
    }

    fn count_text(&self) -> String {
        self.f.say_n("findings-count", self.count)
    }

    fn pending_more(&self) -> Option<String> {
        let shown = self.pending.as_ref().map_or(0, Vec::len) as u64;
        let more = self.pending_count.saturating_sub(shown);
        let is_beside = self.firm.is_some() && more > 0;
        is_beside.then(|| self.f.say_n("findings-pending-more", more))
    }

    fn snoozed_text(&self) -> String {
        self.f.say_n("findings-snoozed-count", self.snoozed as u64)
    }

    fn is_filtered(&self) -> bool {
        !self.view.is_empty()
    }
}

/// Where forms of the queue lead back to: the page as it was asked for.
fn visitor_path(visitor: &Visitor, query: &QueueQuery) -> String {
    let is_queue = visitor.here == QUEUE || visitor.here.starts_with(&format!("{QUEUE}?"));
    match is_queue {
        true => visitor.here.clone(),
        false => query.path(),
    }
}

/// The crossings of the network.
#[derive(Default, serde::Deserialize)]
#[serde(default)]
pub(super) struct CrossingsKnown {
    members: Vec<CrossingOfMember>,
}

/// A member's crossing.
#[derive(serde::Deserialize)]
struct CrossingOfMember {
    #[serde(default)]
    crossing: Option<String>,
}

impl CrossingsKnown {
    /// Their codes, each once.
    pub(super) fn codes(self) -> Vec<String> {
        let codes = self.members.into_iter().filter_map(|m| m.crossing);
        let mut codes: Vec<String> = codes.filter(|code| !code.is_empty()).collect();
        codes.sort();
        codes.dedup();
        codes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_queue_is_what_nobody_has_settled_and_is_not_put_aside() {
        let asked = QueueQuery::read(None).asked("FIRM", 5);
        assert_eq!(
            asked,
            "/v1/findings?limit=5&phase=FIRM&snoozed=without&state=UNDECIDED"
        );
        let all = QueueQuery::read(Some("state=ALL&snoozed=with")).asked("PENDING", 5);
        assert_eq!(all, "/v1/findings?limit=5&phase=PENDING&snoozed=with");
    }

    #[test]
    fn what_is_asked_for_stands_in_addresses_and_nothing_else_does() {
        let query = QueueQuery::read(Some(
            "rule=R02&x=1&crossing=&about=plate:%D9%A2%D9%A2&after=1.2.f",
        ));
        assert_eq!(
            query.path(),
            format!("{QUEUE}?about=plate%3A%D9%A2%D9%A2&after=1.2.f&rule=R02")
        );
        assert_eq!(query.view(), "about=plate%3A%D9%A2%D9%A2&rule=R02");
        // Another filter begins the list anew.
        assert_eq!(query.with("rule", "").text(), "about=plate%3A%D9%A2%D9%A2");
    }
}
