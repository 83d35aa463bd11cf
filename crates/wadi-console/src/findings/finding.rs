//! One finding: its facts in words, the entries that it rests on beside them, and what may be done.

use super::{
    FindingRights, PART, QUEUE,
    answers::{SeenDesk, SeenEntry, SeenFinding, SeenHistory},
    case_path,
    facts::{FactLine, fact_lines},
    finding_path, words,
};
use crate::{
    Console, answer,
    api::Refused,
    claimed::is_claimed,
    found_sentence::FoundSentence,
    frame::PageFrame,
    moment::Moment,
    records::{
        record_path,
        words::{EventWords, ShownValue, field_value, raw_event_words},
    },
    values::{own_path, query_escaped},
    visitor::{PageQuery, Visitor},
};
use askama::Template;
use axum::{
    extract::{Path, State},
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use std::collections::BTreeSet;
use wadi_words::Language;

/// Entries that stand beside the facts.
const ENTRIES_MAX: usize = 12;

/// How somebody came to the page.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct FindingPageQuery {
    /// What they came to do: propose or decide.
    act: String,
    /// Where they go back to.
    back: String,
}

/// What was typed in the form of an act, kept where the act was refused.
#[derive(Default)]
pub(super) struct TypedAct {
    pub(super) act: String,
    pub(super) reason: String,
    pub(super) disposition: String,
    pub(super) duplicate_of: String,
    pub(super) waive: bool,
    pub(super) back: String,
}

impl TypedAct {
    /// The same, leading back to no page but the console's own.
    fn leading_back(self) -> Self {
        let back = match self.back.as_str() {
            "" => String::new(),
            back => own_path(back).into(),
        };
        Self { back, ..self }
    }
}

/// A link to a case, or a record.
struct AboutLink {
    what: String,
    value: String,
    path: String,
}

/// An act in the finding's life.
struct ActLine {
    event: String,
    title: String,
    officer: String,
    at: Moment,
    reason: Option<String>,
    duplicate: Option<(String, String)>,
    undone: bool,
    can_undo: bool,
}

/// An entry that the finding rests on.
struct RestedOnLine {
    at: Moment,
    by: String,
    events: Vec<EventWords>,
    puts: Vec<(String, ShownValue)>,
    counts: bool,
    why: Option<String>,
    cited: bool,
    knew: Vec<String>,
}

#[derive(Template)]
#[template(path = "finding.html")]
struct FindingPage {
    f: PageFrame,
    rights: FindingRights,
    id: String,
    path: String,
    rule: String,
    rule_title: String,
    rule_text: String,
    said: FoundSentence,
    severity: u8,
    phase: String,
    is_firm: bool,
    waits: Option<String>,
    state: String,
    state_name: String,
    disposition: Option<String>,
    reopened: bool,
    reason: String,
    crossing: String,
    at: Moment,
    record: String,
    record_path: String,
    history_path: String,
    assignee: String,
    version: String,
    proposer: String,
    facts: Vec<FactLine>,
    entries: Vec<RestedOnLine>,
    acts: Vec<ActLine>,
    cases: Vec<AboutLink>,
    files: Vec<(String, String)>,
    withheld: bool,
    snoozed: Option<String>,
    dispositions: Vec<(&'static str, String)>,
    typed: TypedAct,
    refused: Option<Refused>,
}

/// What a decision may say.
pub(super) const DISPOSITIONS: [&str; 4] = ["true", "explained", "false_alarm", "duplicate"];

/// A finding's page.
pub(crate) async fn show(
    State(console): State<Console>,
    visitor: Visitor,
    Path(id): Path<String>,
    PageQuery(query): PageQuery<FindingPageQuery>,
) -> Response {
    let typed = TypedAct {
        act: query.act,
        back: query.back,
        ..TypedAct::default()
    };
    page(&console, &visitor, &id, typed, None).await
}

/// The page, with what was refused and what was typed.
pub(super) async fn page(
    console: &Console,
    visitor: &Visitor,
    id: &str,
    typed: TypedAct,
    refused: Option<Refused>,
) -> Response {
    match gathered(console, visitor, id, typed, refused).await {
        Ok(page) => {
            let status = answer::status_beside(page.refused.as_ref());
            answer::page_with(status, &page)
        }
        Err(refused) => refused.page(visitor),
    }
}

/// The path of a finding in the API.
pub(super) fn api_path(id: &str, below: &str) -> String {
    format!("/v1/findings/{}{below}", query_escaped(id))
}

async fn gathered(
    console: &Console,
    visitor: &Visitor,
    id: &str,
    typed: TypedAct,
    refused: Option<Refused>,
) -> Result<FindingPage, Refused> {
    let (language, asker) = (visitor.language(), &visitor.asker);
    let found: SeenFinding = console.api.get(asker, &api_path(id, "")).await?;
    let record = query_escaped(&found.record);
    // Who does not read all of the record sees the finding without its entries.
    let history: SeenHistory = console
        .api
        .get(asker, &format!("/v1/records/{record}/history"))
        .await
        .unwrap_or_default();
    let desk: SeenDesk = console
        .api
        .get(asker, "/v1/findings/desk")
        .await
        .unwrap_or_default();
    let snoozed = desk.snoozed.iter().find(|s| s.finding == found.finding);

    let rights = FindingRights::of(visitor);
    let is_hub = visitor.who.role == "hub";
    let records = found.about.get("record").cloned().unwrap_or_default();
    let evidence = found.evidence.clone().unwrap_or_default();
    let path = finding_path(&found.finding);
    let title = format!("{} · {}", language.rule_title(&found.rule), found.record);
    let named = |code: &&'static str| (*code, language.disposition(code));

    Ok(FindingPage {
        f: visitor.frame(&title, PART),
        rule_title: language.rule_title(&found.rule),
        rule_text: language.rule_text(&found.rule),
        severity: found.severity.unwrap_or(0),
        phase: language.phase(&found.phase),
        is_firm: found.phase == "FIRM",
        waits: words::waits_of(language, &found),
        state_name: language.finding_state(&found.state),
        disposition: found
            .life
            .disposition
            .as_deref()
            .map(|was| language.disposition(was)),
        reopened: found.life.reopened,
        reason: found.life.reason.clone(),
        crossing: words::crossing_name(language, &found.crossing),
        at: Moment::of_ms(found.at_ms),
        record_path: record_path(&found.record, ""),
        history_path: record_path(&found.record, "/history"),
        version: found.version.clone().unwrap_or_default(),
        proposer: found.life.proposer().into(),
        facts: fact_lines(language, &evidence, &records),
        entries: entry_lines(language, &history, &evidence.to_string(), &found),
        acts: act_lines(language, &found, rights.settles),
        cases: if is_hub {
            case_links(language, &found)
        } else {
            Vec::new()
        },
        files: records
            .iter()
            .map(|record| (record.clone(), record_path(record, "/evidence")))
            .collect(),
        withheld: !found.withheld.is_empty(),
        snoozed: snoozed.map(|put_aside| words::snoozed_until(language, put_aside)),
        dispositions: DISPOSITIONS.iter().map(named).collect(),
        typed: typed.leading_back(),
        id: found.finding,
        path,
        rule: found.rule,
        said: FoundSentence::of(language, found.sentence.as_ref(), &found.text),
        state: found.state,
        record: found.record,
        assignee: found.assignee,
        rights,
        refused,
    })
}

fn case_links(language: Language, found: &SeenFinding) -> Vec<AboutLink> {
    let kinds = ["plate", "container", "officer"];
    let of_kind = |kind: &'static str| {
        let values = found.about.get(kind).into_iter().flatten();
        values.map(move |value| AboutLink {
            what: language.sentence(&format!("findings-case-{kind}"), []),
            value: value.clone(),
            path: case_path(kind, value),
        })
    };
    kinds.into_iter().flat_map(of_kind).collect()
}

fn act_lines(language: Language, found: &SeenFinding, settles: bool) -> Vec<ActLine> {
    let line = |act: &super::answers::SeenAct| ActLine {
        event: act.event.clone(),
        title: words::act_title(language, act),
        officer: act.officer.clone(),
        at: Moment::of_ms(act.at_ms),
        reason: act.reason.clone().filter(|reason| !reason.is_empty()),
        duplicate: act
            .duplicate_of
            .as_ref()
            .map(|other| (other.clone(), finding_path(other))),
        undone: act.undone,
        can_undo: settles && !act.undone && matches!(act.act.as_str(), "proposed" | "decided"),
    };
    found.life.acts.iter().rev().map(line).collect()
}

/// The entries that the finding rests on: those that its evidence names, and where it names none,
/// those of the officers it names; else the last ones.
fn entry_lines(
    language: Language,
    history: &SeenHistory,
    evidence: &str,
    found: &SeenFinding,
) -> Vec<RestedOnLine> {
    let of_findings = |e: &&SeenEntry| {
        let kinds = e.events.iter().filter_map(|event| event["type"].as_str());
        let mut kinds = kinds.peekable();
        kinds.peek().is_none() || kinds.any(|kind| !kind.starts_with("finding"))
    };
    let all: Vec<&SeenEntry> = history.entries.iter().filter(of_findings).collect();
    let is_cited = |e: &SeenEntry| evidence.contains(&e.entry);
    let officers: BTreeSet<&str> = found
        .about
        .get("officer")
        .into_iter()
        .flatten()
        .map(String::as_str)
        .collect();

    let mut shown: Vec<&SeenEntry> = all.iter().copied().filter(|e| is_cited(e)).collect();
    if shown.is_empty() {
        let by_named = |e: &&SeenEntry| officers.contains(e.officer.as_str());
        shown = all.iter().copied().filter(by_named).collect();
    }
    if shown.is_empty() {
        shown = all;
    }

    let skipped = shown.len().saturating_sub(ENTRIES_MAX);
    shown
        .into_iter()
        .skip(skipped)
        .map(|e| entry_line(language, e, is_cited(e)))
        .collect()
}

fn entry_line(language: Language, e: &SeenEntry, cited: bool) -> RestedOnLine {
    let who = match e.officer.as_str() {
        "" => e.device.clone(),
        officer => officer.into(),
    };
    let mut by = match e.department.as_str() {
        "" => who,
        code => format!("{who} · {}", language.department(code)),
    };
    let is_signed = e.signature.as_ref().is_some_and(|s| s.state == "signed");
    if is_claimed(&e.officer, is_signed) {
        by += &format!(" ({})", language.sentence("claimed", []));
    }
    RestedOnLine {
        at: Moment::of_ms(e.happened_ms.unwrap_or(e.claimed_ms)),
        by,
        events: e
            .events
            .iter()
            .map(|event| raw_event_words(language, event))
            .collect(),
        puts: e
            .puts
            .iter()
            .map(|(name, value)| (language.field(name), field_value(language, name, value)))
            .collect(),
        counts: e.stands.counts,
        why: e
            .stands
            .code
            .as_deref()
            .map(|code| language.problem_title(code)),
        cited,
        knew: known_sentences(language, e),
    }
}

/// What the author of a decision could have known, in sentences.
fn known_sentences(language: Language, e: &SeenEntry) -> Vec<String> {
    let Some(knew) = &e.knew else {
        return Vec::new();
    };

    let mut out = Vec::new();
    if !knew.not_shown.is_empty() {
        let n = wadi_words::Filling::from(knew.not_shown.len());
        out.push(language.sentence("findings-knew-not-shown", [("n", n)]));
    }

    for hold in &knew.holds {
        let name = match (hold.taken_in, hold.claimed) {
            (true, _) => "findings-knew-hold",
            (false, true) => "findings-knew-claimed-hold",
            (false, false) => "findings-knew-not-hold",
        };
        let what = wadi_words::Filling::from(hold.hold.as_str());
        out.push(language.sentence(name, [("what", what)]));
    }

    if out.is_empty() {
        out.push(language.sentence("findings-knew-all", []));
    }

    out
}

/// The finding as the API tells it, as a file: the same as `finding.json` of
/// `wadi audit evidence FINDING`.
pub(crate) async fn file(
    State(console): State<Console>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Response {
    match console.api.fetch(&visitor.asker, &api_path(&id, "")).await {
        Ok(raw) => {
            let headers = [
                (
                    header::CONTENT_TYPE,
                    HeaderValue::from_static("application/json"),
                ),
                (
                    header::CONTENT_DISPOSITION,
                    HeaderValue::from_static("attachment; filename=\"finding.json\""),
                ),
            ];
            (headers, raw.body).into_response()
        }
        Err(refused) => refused.page(&visitor),
    }
}

/// Where the queue is, for whoever came from nowhere.
impl FindingPage {
    fn back(&self) -> &str {
        match self.typed.back.as_str() {
            "" => QUEUE,
            back => back,
        }
    }

    fn is_undecided(&self) -> bool {
        !matches!(self.state.as_str(), "RESOLVED" | "WAIVED")
    }

    fn may_propose(&self) -> bool {
        self.rights.settles && matches!(self.state.as_str(), "OPEN" | "ASSIGNED")
    }

    fn is_proposed(&self) -> bool {
        self.state == "PENDING_RESOLUTION"
    }

    fn is_own_proposal(&self) -> bool {
        self.is_proposed() && self.proposer == self.rights.own
    }

    fn may_decide(&self) -> bool {
        self.rights.settles && self.is_proposed() && !self.is_own_proposal()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_a_node_only_claims_to_have_had_blames_nobody() {
        let entry = json!({
            "entry": "e1",
            "officer": "OF-1",
            "department": "PORT",
            "device": "",
            "claimed_ms": 0,
            "happened_ms": null,
            "stands": {"counts": true},
            "puts": {},
            "events": [],
            "knew": {
                "not_shown": [],
                "holds": [{"hold": "H-TRB-1", "taken_in": false, "claimed": true}],
            },
        });
        let entry: SeenEntry = serde_json::from_value(entry).expect("an entry");

        for (language, words) in [
            (Language::English, "nothing held here bears that out"),
            (Language::Arabic, "وليس هنا ما يثبت ذلك"),
        ] {
            let told = known_sentences(language, &entry);
            assert_eq!(told.len(), 1, "{told:?}");
            assert!(told[0].contains(words), "{told:?}");
            assert!(told[0].contains("H-TRB-1"), "{told:?}");
        }
    }
}
