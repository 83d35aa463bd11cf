//! What the rules find on one record, beside what they found before: rows to be written, rows to
//! go, and what has to be said of it.

use crate::{
    door::Door,
    hub::publishing::{Edition, News, caused_by},
};
use serde_json::json;
use std::{collections::BTreeMap, time::Instant};
use wadi_log::{NodeId, RecordId, Role};
use wadi_reconcile::{
    Dossier, Facts, Finding, Phase, RULE_FAILED, explained_since, life, reconcile, stands_unjudged,
};
use wadi_store::{AboutRow, Batch, FindingRow};

/// The phase of a finding that was published and that something explained since.
const WITHDRAWN: &str = "WITHDRAWN";

/// What looking at some records came to.
#[derive(Default)]
pub(super) struct DossierFindings {
    pub(super) batch: Batch,
    pub(super) editions: Vec<Edition>,
    /// Whether rules failed, or no longer do.
    pub(super) failures: bool,
}

/// What the rules find on one anchor: rows that changed, those that are gone, and what has to be
/// said of it.
pub(super) fn compare_with_before(
    id: RecordId,
    dossier: &Dossier,
    before: Vec<FindingRow>,
    node: &Door,
    looked: &mut DossierFindings,
) {
    let anchor = &dossier.anchor;
    let all = reconcile(dossier);
    let mut news = Vec::new();
    let mut gone: BTreeMap<String, &FindingRow> =
        before.iter().map(|f| (f.id.clone(), f)).collect();

    for found in &all {
        gone.remove(&found.id);
        let row = finding_row(id, anchor, found);
        let said = found.life.published.as_ref();
        let is_said =
            said.is_some_and(|(phase, evidence)| *phase == row.phase && *evidence == row.evidence);

        if found.phase == Phase::Firm && !is_said {
            news.push(News {
                severity: row.severity,
                finding: row.id.clone(),
                rule: row.rule.clone(),
                phase: row.phase.clone(),
                evidence: row.evidence.clone(),
                text: found.text.clone(),
                sentence: json!(found.contradiction.sentence).to_string(),
                caused_by: caused_by(found),
            });
        }

        if !before.contains(&row) {
            looked.failures |= row.rule == RULE_FAILED.code;
            looked.batch.findings.about.extend(about_rows(found));
            looked.batch.findings.changed.push(row);
        }
    }

    let (text, sentence) = explained_since();
    // What a rule that failed found before stands, for nobody knows better.
    for (finding, row) in gone
        .into_iter()
        .filter(|(_, row)| !stands_unjudged(dossier, &all, &row.rule))
    {
        looked.failures |= row.rule == RULE_FAILED.code;
        let said = life(anchor, &finding, &row.evidence).published;
        if let Some((_, evidence)) = said.filter(|(phase, _)| phase != WITHDRAWN) {
            news.push(News {
                severity: row.severity,
                finding: finding.clone(),
                rule: row.rule.clone(),
                phase: WITHDRAWN.into(),
                evidence,
                text: text.clone(),
                sentence: json!(sentence).to_string(),
                caused_by: None,
            });
        }

        looked.batch.findings.gone.push(finding);
    }

    // Each goes to every crossing: no member makes the hub say more than its share.
    let publishes = |author: NodeId| {
        let role = node.with_control(|c| c.role(&author));
        let role = role.unwrap_or(Role::Crossing);
        node.budgets.publishes(author, role, Instant::now())
    };
    looked
        .editions
        .push(Edition::new(id, anchor, news, node.now_ms(), publishes));
}

fn about_rows(found: &Finding) -> impl Iterator<Item = AboutRow> {
    let each = found
        .about
        .iter()
        .flat_map(|(what, values)| values.iter().map(move |value| (*what, value)));
    each.map(|(what, value)| AboutRow {
        finding: found.id.clone(),
        what: what.into(),
        value: value.clone(),
    })
}

fn finding_row(anchor: RecordId, facts: &Facts, found: &Finding) -> FindingRow {
    FindingRow {
        id: found.id.clone(),
        rule: found.rule.code.into(),
        severity: found.severity(),
        phase: found.phase.name().into(),
        state: found.life.state.into(),
        crossing: facts.crossing().into(),
        assignee: found.life.assignee.clone(),
        anchor,
        evidence: found.evidence_digest.clone(),
        at_ms: found.contradiction.at_ms,
        due_ms: found.contradiction.through_ms,
        json: found.json(facts).to_string(),
        disposition: found.life.disposition.map_or("", |d| d.name()).into(),
        decided_ms: found.life.decided_ms,
    }
}
