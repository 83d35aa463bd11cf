//! "Verify now": the check of a record's evidence, step by step in plain words.

use super::{
    PART, RecordTabs,
    answers::{ShownProof, ShownRecord},
    api_path,
};
use crate::{
    Console, answer::made_or_refused, api::Refused, frame::PageFrame, moment::Moment,
    visitor::Visitor,
};
use askama::Template;
use axum::{
    extract::{Path, State},
    response::Response,
};
use wadi_words::Filling;

/// A step as the page tells it.
struct StepLine {
    title: String,
    text: String,
    outcome: String,
    tone: &'static str,
}

#[derive(Template)]
#[template(path = "record_proof.html")]
struct ProofPage {
    f: PageFrame,
    tabs: RecordTabs,
    valid: bool,
    verdict: String,
    why: Option<String>,
    code: Option<String>,
    steps: Vec<StepLine>,
    made_by: Option<String>,
    made: Option<Moment>,
    bytes: u64,
}

/// Makes the evidence anew and checks it.
pub(super) async fn show(
    State(console): State<Console>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Response {
    made_or_refused(shown(&console, &visitor, &id).await, &visitor)
}

async fn shown(console: &Console, visitor: &Visitor, id: &str) -> Result<ProofPage, Refused> {
    let (api, asker, language) = (&console.api, &visitor.asker, visitor.language());
    let record: ShownRecord = api.get(asker, &api_path(id, "")).await?;
    let proof: ShownProof = api.get(asker, &api_path(id, "/verification")).await?;

    let steps = proof.steps.iter().map(|step| {
        let n = [("n", Filling::from(step.amount as i64))];
        StepLine {
            title: language.sentence(&format!("records-proof-{}", step.step), []),
            text: language.sentence(&format!("records-proof-{}-text", step.step), n),
            outcome: language.sentence(&format!("records-proof-{}", step.outcome), []),
            tone: match step.outcome.as_str() {
                "passed" => "good",
                "failed" => "bad",
                _ => "plain",
            },
        }
    });

    let verdict = match proof.valid {
        true => language.sentence(
            "records-proof-valid",
            [
                ("n", Filling::from(proof.statements.unwrap_or(0) as i64)),
                (
                    "hub",
                    Filling::from(proof.vouched_for_by_hub.unwrap_or(0) as i64),
                ),
                ("forks", Filling::from(proof.forks.unwrap_or(0) as i64)),
            ],
        ),
        false => language.sentence("records-proof-invalid", []),
    };

    let title = language.sentence(
        "records-proof-title",
        [("id", Filling::from(record.id.as_str()))],
    );
    Ok(ProofPage {
        f: visitor.frame(&title, PART),
        tabs: RecordTabs::of(&record.id, "proof"),
        valid: proof.valid,
        verdict,
        why: proof.why.clone(),
        code: proof.code.clone(),
        steps: steps.collect(),
        made_by: proof.made_by.clone(),
        made: proof.made_s.map(Moment::of_s),
        bytes: proof.bytes,
    })
}
