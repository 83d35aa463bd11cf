//! Each rule for itself: one that fails on a record takes neither the other rules nor the other
//! records with it.
//!
//! A rule that panics is mended in the code. Until then its failure is a finding of its own, R00,
//! so that nobody takes the silence of the rule for its approval; what the rule found before
//! stands.

use crate::{
    Contradiction, Dossier, Finding, Rule, about,
    causes::{JudgedContradiction, one_for_each_cause},
    life,
    sentence::{english, sentences},
    short_hash,
};
use serde_json::json;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What stands in place of a rule that failed on a record, or of all where the record itself could
/// not be read.
pub const RULE_FAILED: Rule = Rule {
    code: "R00",
    name: "rule_failed",
    severity: 1,
    sentences: SENTENCES,
    judge: |_| Vec::new(),
};

sentences! {
    Unreadable = "R00-unreadable" { record: record }
    Failed = "R00-failed" { rule: rule, record: record, name: detail }
}

/// The discriminator where no rule could be asked.
const EVERY_RULE: &str = "every rule";

/// What these rules find on a dossier's anchor.
pub(crate) fn judge_each(rules: &'static [Rule], dossier: &Dossier) -> Vec<Finding> {
    if dossier.anchor.is_unreadable() {
        let record = dossier.anchor.printed();
        return failed(dossier, EVERY_RULE, Says::Unreadable { record });
    }

    rules
        .iter()
        .flat_map(|rule| {
            // Nothing of a dossier changes while a rule looks at it, so that no half-made state is
            // left behind.
            let judged = catch_unwind(AssertUnwindSafe(|| {
                findings(rule, dossier, (rule.judge)(dossier))
            }));
            judged.unwrap_or_else(|_| {
                let says = Says::Failed {
                    rule: rule.code,
                    record: dossier.anchor.printed(),
                    name: rule.name,
                };
                failed(dossier, rule.code, says)
            })
        })
        .collect()
}

fn findings(rule: &'static Rule, dossier: &Dossier, said: Vec<Contradiction>) -> Vec<Finding> {
    let cut_sentence = dossier.cut_sentence();
    let finding = |mut told: JudgedContradiction| {
        if let Some(cut) = &cut_sentence {
            told.text += &format!(" {}", english(cut));
            told.contradiction.sentence.then.push(cut.clone());
        }

        let id = short_hash(&[
            rule.code,
            &dossier.anchor.id,
            &told.contradiction.discriminator,
        ]);

        Finding {
            life: life(&dossier.anchor, &id, &told.evidence_digest),
            id,
            rule,
            evidence_digest: told.evidence_digest,
            about: about::gathered(dossier, &told.contradiction),
            contradiction: told.contradiction,
            text: told.text,
            phase: told.phase,
            cut: dossier.cut.clone(),
        }
    };

    one_for_each_cause(dossier, said)
        .into_iter()
        .map(finding)
        .collect()
}

/// Nothing of what the record or the panic says is repeated here: it may be what did the harm.
fn failed(dossier: &Dossier, rule: &str, says: Says<'_>) -> Vec<Finding> {
    let evidence = json!({"rule": rule, "record": dossier.anchor.printed()});
    findings(
        &RULE_FAILED,
        dossier,
        vec![Contradiction::new(rule, 0, says, evidence)],
    )
}

/// Whether a finding of that rule stands although these do not say it again: the rule failed, or a
/// record of the dossier could not be read, and nobody knows better.
pub fn stands_unjudged(dossier: &Dossier, found: &[Finding], rule: &str) -> bool {
    if rule == RULE_FAILED.code {
        return false;
    }

    let failures = found.iter().filter(|f| f.rule.code == RULE_FAILED.code);
    let mut failed = failures.map(|f| f.contradiction.discriminator.as_str());

    failed.any(|of| of == rule || of == EVERY_RULE)
        || dossier.linked.iter().any(|r| r.is_unreadable())
}
