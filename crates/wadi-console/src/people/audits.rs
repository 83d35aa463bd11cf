//! What auditors read of people: who signed in, and who looked at personal data.

use crate::{
    Console, answer::page, frame::PageFrame, moment::Moment, values::query_escaped,
    visitor::Visitor,
};
use askama::Template;
use axum::{
    extract::{Query, State},
    response::Response,
};
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
}

struct SignInLine {
    said: SignInSaid,
    at: Option<Moment>,
}

/// Who signed in, and who tried to.
pub(crate) async fn sign_ins(
    State(console): State<Console>,
    visitor: Visitor,
    Query(query): Query<LinesQuery>,
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
}

#[derive(Deserialize)]
struct LooksSaid {
    looks: Vec<LookSaid>,
    before: Option<u64>,
    verified: Option<ChainSaid>,
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
    Query(query): Query<LinesQuery>,
) -> Response {
    let mut asked = String::new();
    for (name, value) in [("who", &query.who), ("record", &query.record)] {
        if !value.trim().is_empty() {
            asked += &format!("&{name}={}", query_escaped(value.trim()));
        }
    }
    let mut path = format!("/v1/looks?verify=true&limit={LINES}{asked}");
    if let Some(before) = query.before {
        path += &format!("&before={before}");
    }
    let said: LooksSaid = match console.api.get(&visitor.asker, &path).await {
        Ok(said) => said,
        Err(refused) => return refused.page(&visitor),
    };

    let line = |said: LookSaid| LookLine {
        at: Some(Moment::of_ms(said.at_ms)),
        said,
    };
    let title = visitor.language().sentence("looks-title", []);
    page(&LooksPage {
        f: visitor.frame(&title, "people"),
        lines: said.looks.into_iter().map(line).collect(),
        before: said.before,
        who: query.who,
        record: query.record,
        next: asked,
        verdict: said.verified.unwrap_or_default(),
    })
}
