//! What was refused, why and from whom; what is in quarantine; which logs were forked.

use super::{
    answers::{QuarantineRead, QuarantinedRead},
    frame, is_hub, is_operator,
    sign::{Intent, look},
};
use crate::{
    Console, answer,
    api::Refused,
    frame::PageFrame,
    moment::Moment,
    sites::answers::{MembersRead, RefusalsRead, SitesRead},
    values,
    visitor::{PageQuery, Visitor},
};
use askama::Template;
use axum::{Form, extract::State, response::Response};
use serde::Deserialize;
use serde_json::{Value, json};

const PATH: &str = "/console/control/refused";

/// Refusals on a page, from the newest on.
const REFUSALS_SHOWN: u32 = 100;

/// Something that was refused.
struct RefusalLine {
    title: String,
    help: Option<String>,
    why: String,
    code: String,
    from: String,
    subject: String,
    /// Whose it is as the API names it.
    subject_id: String,
    at: Moment,
    times: u64,
    dismissed: Option<Dismissed>,
}

/// What somebody found of a refusal about which nothing more is to be done.
struct Dismissed {
    by: String,
    reason: String,
    at: Moment,
}

/// An entry in quarantine.
struct QuarantineLine {
    read: QuarantinedRead,
    what: String,
    /// The record's id as far as it tells records apart.
    short: String,
    claimed: Moment,
    department: String,
}

#[derive(Template)]
#[template(path = "control_refused.html")]
struct RefusedListPage {
    f: PageFrame,
    refusals: Vec<RefusalLine>,
    next_refusals: Option<String>,
    quarantine: Vec<QuarantineLine>,
    next: Option<String>,
    forks: Vec<String>,
    may_admit: bool,
    may_dismiss: bool,
    /// Whether those that were dismissed are shown, too.
    shows_all: bool,
}

impl RefusedListPage {
    /// The sentence that says why an entry does not count.
    fn why_name(&self, line: &QuarantineLine) -> &'static str {
        match line.read.why.as_str() {
            "past_cut" => "control-quarantine-cut",
            "other_branch" => "control-quarantine-fork",
            _ => "control-quarantine-other",
        }
    }
}

/// Which page of the quarantine and of the refusals, and whether dismissed ones are shown.
#[derive(Default, Deserialize)]
pub(super) struct QuarantinePage {
    after: Option<String>,
    refusals_after: Option<String>,
    all: Option<String>,
}

/// Refusals, quarantine and forks.
pub(super) async fn show(
    State(console): State<Console>,
    visitor: Visitor,
    PageQuery(page): PageQuery<QuarantinePage>,
) -> Response {
    match read_page(&console, &visitor, &page).await {
        Ok(page) => answer::page(&page),
        Err(refused) => refused.page(&visitor),
    }
}

async fn read_page(
    console: &Console,
    visitor: &Visitor,
    page: &QuarantinePage,
) -> Result<RefusedListPage, Refused> {
    let (api, asker) = (&console.api, &visitor.asker);
    let (after, shows_all) = (page.after.as_deref(), page.all.is_some());
    let mut path = format!("/v1/refusals?limit={REFUSALS_SHOWN}&open={}", !shows_all);
    if let Some(after) = &page.refusals_after {
        path += &format!("&after={}", values::query_escaped(after));
    }
    let refusals: RefusalsRead = api.get(asker, &path).await?;
    let members: MembersRead = api.get(asker, "/v1/members").await?;
    let sites: SitesRead = api.get(asker, "/v1/sites").await?;
    let path = match after {
        Some(after) => format!("/v1/quarantine?after={}", values::query_escaped(after)),
        None => "/v1/quarantine".into(),
    };
    let quarantine: QuarantineRead = api.get(asker, &path).await?;

    let f = frame(visitor, "control-refused");
    let refusal = |r: &crate::sites::answers::RefusalRead| RefusalLine {
        title: f.language.problem_title(&r.code),
        help: f.language.problem_help(&r.code),
        why: values::reason_in(f.language, &r.code, &r.why),
        code: r.code.clone(),
        from: members.name_of(&r.peer),
        subject: members.name_of(&r.subject),
        subject_id: r.subject.clone(),
        at: Moment::of_ms(r.at_ms),
        times: r.times,
        dismissed: r.dismissed.as_ref().map(|d| Dismissed {
            by: d.by.clone(),
            reason: d.reason.clone(),
            at: Moment::of_ms(d.at_ms),
        }),
    };
    let entry = |read: QuarantinedRead| QuarantineLine {
        what: what_of(&f, &read),
        short: read
            .record
            .iter()
            .flat_map(|id| id.chars())
            .take(12)
            .collect(),
        claimed: Moment::of_ms(read.claimed_ms),
        department: f.language.department(&read.department),
        read,
    };

    Ok(RefusedListPage {
        refusals: refusals.refusals.iter().map(refusal).collect(),
        next_refusals: refusals.next_after.as_deref().map(|after| {
            let all = if shows_all { "all=1&" } else { "" };
            let after = values::query_escaped(after);
            format!("{PATH}?{all}refusals_after={after}")
        }),
        next: quarantine.next_after.as_deref().map(|after| {
            let after = values::query_escaped(after);
            format!("{PATH}?after={after}#quarantine")
        }),
        quarantine: quarantine.entries.into_iter().map(entry).collect(),
        forks: sites.forks,
        may_admit: is_operator(&f) && is_hub(&f),
        may_dismiss: is_operator(&f),
        shows_all,
        f,
    })
}

/// What an entry says, in words.
fn what_of(f: &PageFrame, read: &QuarantinedRead) -> String {
    let events = read.events.iter().map(|e| f.language.event(e));
    let fields = read.fields.iter().map(|name| f.language.field(name));
    let all: Vec<String> = events.chain(fields).collect();
    all.join(match f.language.tag() {
        "ar" => "، ",
        _ => ", ",
    })
}

/// Shows what admitting the entries would change. Each entry that was marked is a field of its own.
pub(super) async fn look_at_admission(
    State(console): State<Console>,
    visitor: Visitor,
    Form(fields): Form<Vec<(String, String)>>,
) -> Response {
    let named = |name: &'static str| {
        let all = fields.iter().filter(move |(n, _)| n == name);
        all.map(|(_, value)| value.clone())
    };
    let entries: Vec<String> = named("entry").collect();
    let reason = named("reason").next().unwrap_or_default();
    let intent = Intent {
        body: json!({"say": "admit", "entries": entries, "reason": reason.trim()}),
        title: "control-admit",
        warning: "control-admit-warning",
        back: PATH,
        revision: None,
    };
    look(&console, &visitor, intent).await
}

/// Which refusal is dismissed, and why.
#[derive(Deserialize)]
pub(super) struct DismissForm {
    subject: String,
    code: String,
    times: u64,
    reason: String,
}

/// Dismisses a refusal, and shows what is left.
pub(super) async fn dismiss(
    State(console): State<Console>,
    visitor: Visitor,
    Form(form): Form<DismissForm>,
) -> Response {
    let body = json!({
        "subject": form.subject,
        "code": form.code,
        "times": form.times,
        "reason": form.reason,
    });
    let path = "/v1/refusals/dismiss";
    let said = console.api.post::<Value>(&visitor.asker, path, &body, None);
    match said.await {
        Ok(_) => answer::see_other(PATH),
        Err(refused) => refused.page(&visitor),
    }
}
