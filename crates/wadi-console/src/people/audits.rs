//! What auditors read of people: who signed in, and who looked at personal data.

use crate::{
    Console,
    answer::{page, page_with, see_other, status_beside},
    api::Refused,
    frame::PageFrame,
    moment::Moment,
    values::query_escaped,
    visitor::{PageQuery, Visitor},
};
use askama::Template;
use axum::{extract::State, response::Response};
use serde::Deserialize;

/// Lines on a page.
const LINES: u32 = 100;

/// Which lines.
#[derive(Default, Deserialize)]
pub(crate) struct LinesQuery {
    #[serde(default)]
    before: Option<u64>,
    #[serde(default)]
    who: String,
    #[serde(default)]
    record: String,
}

#[derive(Template)]
#[template(path = "people/sign_ins.html")]
struct SignInsPage {
    f: PageFrame,
    lines: Vec<SignInLine>,
    before: Option<u64>,
}

#[derive(Deserialize)]
struct SignInsSaid {
    sign_ins: Vec<SignInSaid>,
    before: Option<u64>,
}

#[derive(Deserialize)]
struct SignInSaid {
    at_ms: i64,
    what: String,
    account: String,
    by: String,
    from: String,
    #[serde(default)]
    means: Option<String>,
    #[serde(default)]
    passkey: Option<String>,
}

struct SignInLine {
    said: SignInSaid,
    at: Option<Moment>,
}

/// Who signed in, and who tried to.
pub(crate) async fn sign_ins(
    State(console): State<Console>,
    visitor: Visitor,
    PageQuery(query): PageQuery<LinesQuery>,
) -> Response {
    let path = match query.before {
        Some(before) => format!("/v1/sign-ins?limit={LINES}&before={before}"),
        None => format!("/v1/sign-ins?limit={LINES}"),
    };
    let said: SignInsSaid = match console.api.get(&visitor.asker, &path).await {
        Ok(said) => said,
        Err(refused) => return refused.page(&visitor),
    };

    let line = |said: SignInSaid| SignInLine {
        at: Some(Moment::of_ms(said.at_ms)),
        said,
    };
    let title = visitor.language().sentence("sign-ins-title", []);
    page(&SignInsPage {
        f: visitor.frame(&title, "people"),
        lines: said.sign_ins.into_iter().map(line).collect(),
        before: said.before,
    })
}

#[derive(Template)]
#[template(path = "people/looks.html")]
struct LooksPage {
    f: PageFrame,
    lines: Vec<LookLine>,
    before: Option<u64>,
    who: String,
    record: String,
    next: String,
    verdict: ChainSaid,
    reading: ReadingSaid,
    /// When the chain was read whole last.
    read_at: Option<Moment>,
    /// Why nobody or nothing of what was typed is known.
    refused: Option<Refused>,
}

#[derive(Deserialize)]
struct LooksSaid {
    looks: Vec<LookSaid>,
    before: Option<u64>,
    verified: Option<ChainSaid>,
    #[serde(default)]
    reading: ReadingSaid,
}

impl LooksSaid {
    /// What is said of the chain alone.
    fn without_lines(self) -> Self {
        Self {
            looks: Vec::new(),
            before: None,
            ..self
        }
    }
}

/// How far reading the whole chain has come.
#[derive(Default, Deserialize)]
struct ReadingSaid {
    read: u64,
    of: u64,
    ended_ms: Option<i64>,
    failed: Option<String>,
    verdict: Option<ChainSaid>,
}

impl ReadingSaid {
    fn is_under_way(&self) -> bool {
        self.ended_ms.is_none() && self.of > 0
    }

    /// How much of it is read, of a hundred.
    fn percent(&self) -> u64 {
        (self.read * 100).checked_div(self.of).unwrap_or(0).min(100)
    }

    fn is_broken(&self) -> bool {
        self.verdict.as_ref().is_some_and(|v| !v.whole)
    }
}

#[derive(Deserialize)]
struct LookSaid {
    at_ms: i64,
    who: String,
    token: String,
    record: String,
    what: String,
}

#[derive(Default, Deserialize)]
struct ChainSaid {
    whole: bool,
    first: u64,
    last: u64,
    head: String,
    broken_at: Option<u64>,
    #[serde(default)]
    told_heads: u64,
    #[serde(default)]
    contradicts_told: Option<u64>,
}

impl ChainSaid {
    /// The newest line.
    fn newest(&self) -> u64 {
        self.last
    }

    /// Heads of it that were told, and that it bears out.
    fn told(&self) -> u64 {
        self.told_heads
    }

    /// The oldest line that was read for it.
    fn oldest(&self) -> u64 {
        self.first
    }

    /// Where it is broken.
    fn broken(&self) -> u64 {
        self.broken_at.or(self.contradicts_told).unwrap_or(0)
    }
}

struct LookLine {
    said: LookSaid,
    at: Option<Moment>,
}

/// Who looked at personal data, and whether the chain of these looks is whole.
pub(crate) async fn looks(
    State(console): State<Console>,
    visitor: Visitor,
    PageQuery(query): PageQuery<LinesQuery>,
) -> Response {
    let mut asked = String::new();
    for (name, value) in [("who", &query.who), ("record", &query.record)] {
        if !value.trim().is_empty() {
            asked += &format!("&{name}={}", query_escaped(value.trim()));
        }
    }
    let mut path = format!("/v1/looks?newer=true&limit={LINES}{asked}");
    if let Some(before) = query.before {
        path += &format!("&before={before}");
    }
    let (said, refused) = match console.api.get(&visitor.asker, &path).await {
        Ok(said) => (said, None),
        // What was typed stays, so that it can be put right.
        Err(refused) if !asked.is_empty() && matches!(refused.status, 404 | 422) => {
            let verdict = "/v1/looks?newer=true&limit=1";
            match console.api.get::<LooksSaid>(&visitor.asker, verdict).await {
                Ok(said) => (said.without_lines(), Some(refused)),
                Err(refused) => return refused.page(&visitor),
            }
        }
        Err(refused) => return refused.page(&visitor),
    };

    let status = status_beside(refused.as_ref());
    let line = |said: LookSaid| LookLine {
        at: Some(Moment::of_ms(said.at_ms)),
        said,
    };
    let title = visitor.language().sentence("looks-title", []);
    let made = LooksPage {
        f: visitor.frame(&title, "people"),
        lines: said.looks.into_iter().map(line).collect(),
        before: said.before,
        who: query.who,
        record: query.record,
        next: asked,
        verdict: said.verified.unwrap_or_default(),
        read_at: said.reading.ended_ms.map(Moment::of_ms),
        reading: said.reading,
        refused,
    };
    page_with(status, &made)
}

/// Has the whole chain of looks read; the page tells how far that has come.
pub(crate) async fn read_looks(State(console): State<Console>, visitor: Visitor) -> Response {
    let nothing = serde_json::json!({});
    let begun: Result<serde_json::Value, Refused> = console
        .api
        .post(&visitor.asker, "/v1/looks/reading", &nothing, None)
        .await;
    match begun {
        Ok(_) => see_other("/console/people/looks"),
        Err(refused) => refused.page(&visitor),
    }
}
