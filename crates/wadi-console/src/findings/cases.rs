//! Cases: findings about one truck, container, officer or outage, as one page each.

use super::{
    FindingRights, PART, QUEUE,
    answers::{QueueAnswer, SeenCase, SeenCases},
    case_path,
    queue::{self, QueueLine},
    words,
};
use crate::{
    Console, answer,
    api::Refused,
    frame::PageFrame,
    moment::Moment,
    records::record_path,
    values::query_escaped,
    visitor::{PageQuery, Visitor},
};
use askama::Template;
use axum::{
    extract::{Path, State},
    response::Response,
};
use serde::Deserialize;
use wadi_words::{Filling, Language};

/// Kinds of cases, the one that is shown first at the front.
const KINDS: [&str; 4] = ["plate", "container", "officer", "outage"];
/// Findings that a case's page lists; the queue has the rest.
const ROWS: u32 = 100;

/// Which cases.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct CasesQuery {
    kind: String,
    after: String,
}

/// A row of the list of cases.
struct CaseLine {
    title: String,
    path: String,
    findings: u64,
    undecided: u64,
    firm: u64,
    last: Moment,
}

/// A kind of case, to switch to.
struct KindLink {
    text: String,
    path: String,
    chosen: bool,
}

#[derive(Template)]
#[template(path = "findings_cases.html")]
struct CasesPage {
    f: PageFrame,
    kinds: Vec<KindLink>,
    lines: Vec<CaseLine>,
    next: Option<String>,
    first: Option<String>,
    here: &'static str,
}

/// What a case is called: a plate as it is, an outage by its crossing and its time.
fn case_title(language: Language, case: &SeenCase) -> String {
    let (Some(crossing), Some(from_ms)) = (&case.crossing, case.from_ms) else {
        return case.key.clone();
    };

    let of = case.of.as_deref().unwrap_or("power");
    let until = match case.until_ms {
        Some(ms) => Moment::of_ms(ms).here,
        None => language.sentence("findings-outage-goes-on", []),
    };
    language.sentence(
        &format!("findings-outage-{of}"),
        [
            (
                "what",
                Filling::from(words::crossing_name(language, crossing)),
            ),
            ("from", Filling::from(Moment::of_ms(from_ms).here)),
            ("until", Filling::from(until)),
        ],
    )
}

/// The list of cases.
pub(crate) async fn list(
    State(console): State<Console>,
    visitor: Visitor,
    PageQuery(query): PageQuery<CasesQuery>,
) -> Response {
    let kind = match query.kind.as_str() {
        "" => KINDS[0],
        kind => kind,
    };
    let after = match query.after.as_str() {
        "" => String::new(),
        after => format!("&after={}", query_escaped(after)),
    };
    let asked = format!(
        "/v1/findings/cases?limit=50&kind={}{after}",
        query_escaped(kind)
    );
    let told: SeenCases = match console.api.get(&visitor.asker, &asked).await {
        Ok(told) => told,
        Err(refused) => return refused.page(&visitor),
    };

    let language = visitor.language();
    let path = |kind: &str| format!("{QUEUE}/cases?kind={}", query_escaped(kind));
    let lines = told.cases.iter().map(|case| CaseLine {
        title: case_title(language, case),
        path: case_path(kind, &case.key),
        findings: case.findings,
        undecided: case.undecided,
        firm: case.firm,
        last: Moment::of_ms(case.last_ms),
    });
    let title = language.sentence("findings-cases-title", []);
    answer::page(&CasesPage {
        f: visitor.frame(&title, PART),
        kinds: KINDS
            .iter()
            .map(|one| KindLink {
                text: language.sentence(&format!("findings-cases-{one}"), []),
                path: path(one),
                chosen: *one == kind,
            })
            .collect(),
        lines: lines.collect(),
        next: told
            .next_after
            .map(|after| format!("{}&after={}", path(kind), query_escaped(&after))),
        first: (!query.after.is_empty()).then(|| path(kind)),
        here: "cases",
    })
}

/// A record of a case.
struct CaseRecordLine {
    path: String,
    id: String,
    kind: String,
    crossing: String,
    state: String,
    flags: Vec<String>,
    begun: Moment,
    last: Moment,
    findings: u64,
}

#[derive(Template)]
#[template(path = "findings_case.html")]
struct CasePage {
    f: PageFrame,
    rights: FindingRights,
    undecided: u64,
    firm: u64,
    findings: u64,
    lines: Vec<QueueLine>,
    records: Vec<CaseRecordLine>,
    queue: String,
    back: String,
    here: &'static str,
}

/// One case.
pub(crate) async fn show(
    State(console): State<Console>,
    visitor: Visitor,
    Path((kind, key)): Path<(String, String)>,
) -> Response {
    match gathered(&console, &visitor, &kind, &key).await {
        Ok(page) => answer::page(&page),
        Err(refused) => refused.page(&visitor),
    }
}

async fn gathered(
    console: &Console,
    visitor: &Visitor,
    kind: &str,
    key: &str,
) -> Result<CasePage, Refused> {
    let (language, asker) = (visitor.language(), &visitor.asker);
    let asked = format!(
        "/v1/findings/cases/{}/{}",
        query_escaped(kind),
        query_escaped(key)
    );
    let case: SeenCase = console.api.get(asker, &asked).await?;
    let about = query_escaped(&format!("{kind}:{key}"));
    let found: QueueAnswer = console
        .api
        .get(asker, &format!("/v1/findings?limit={ROWS}&about={about}"))
        .await?;

    let back = case_path(kind, key);
    let records = case.records.iter().map(|record| CaseRecordLine {
        path: record_path(&record.record, ""),
        id: record.record.clone(),
        kind: language.kind(record.kind.as_deref().unwrap_or_default()),
        crossing: words::crossing_name(language, &record.crossing),
        state: language.state(record.state.as_deref().unwrap_or_default()),
        flags: record
            .flags
            .iter()
            .flatten()
            .map(|flag| language.flag(flag))
            .collect(),
        begun: Moment::of_ms(record.born_ms),
        last: Moment::of_ms(record.at_ms),
        findings: record.findings,
    });

    let of = language.sentence(&format!("findings-case-{kind}"), []);
    let title = format!("{of} {}", case_title(language, &case));
    Ok(CasePage {
        f: visitor.frame(&title, PART),
        rights: FindingRights::of(visitor),
        undecided: case.undecided,
        firm: case.firm,
        findings: case.findings,
        lines: found
            .findings
            .iter()
            .map(|one| queue::line(language, one, &back))
            .collect(),
        records: records.collect(),
        queue: format!("{QUEUE}?about={about}&state=ALL&snoozed=with"),
        back,
        here: "cases",
    })
}

impl CasePage {
    fn counts_text(&self) -> String {
        let number = |n: u64| Filling::from(n);
        self.f.language.sentence(
            "findings-case-counts",
            [
                ("n", number(self.findings)),
                ("open", number(self.undecided)),
                ("firm", number(self.firm)),
            ],
        )
    }

    fn is_cut(&self) -> bool {
        self.findings > self.lines.len() as u64
    }
}
