//! What does not count for a cut or a fork: kept, shown, and admitted one by one or in bulk.

use crate::{
    api::Reads,
    door::{error::NodeError, proofs::record_of},
};
use serde::Serialize;
use wadi_log::{LogId, LogVerdict, VerifiedEntry};
use wadi_record::Kind;

/// Entries read at once.
const PAGE_BYTES: usize = 256 * 1024;
/// Entries named in one answer.
const NAMED_MAX: usize = 1_000;

/// An entry in quarantine.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[allow(missing_docs)]
pub struct Quarantined {
    pub entry: String,
    pub log: String,
    /// `past_cut`, or `other_branch` of a forked log.
    pub why: &'static str,
    /// The record's full id, where it speaks of one.
    pub record: Option<String>,
    pub kind: Option<&'static str>,
    pub officer: String,
    pub department: String,
    pub claimed_ms: i64,
    pub events: Vec<String>,
    pub fields: Vec<String>,
}

fn line(entry: &VerifiedEntry, why: &'static str) -> Option<Quarantined> {
    let parsed = entry.entry()?;
    let wadi_log::Body::Change(change) = &parsed.body else {
        return None;
    };
    let reference = entry.reference();
    let kind_of = |e: &String| {
        Some(
            serde_json::from_str::<serde_json::Value>(e).ok()?["type"]
                .as_str()?
                .to_string(),
        )
    };

    Some(Quarantined {
        entry: reference.to_string(),
        log: reference.log.origin(),
        why,
        record: record_of(entry).map(|id| id.to_string()),
        kind: Kind::of_lane(reference.log.lane).map(Kind::name),
        officer: parsed.common.officer.clone(),
        department: parsed.common.department.clone(),
        claimed_ms: parsed.common.wall_ms,
        events: change.events.iter().filter_map(kind_of).collect(),
        fields: change.puts.iter().map(|p| p.key.clone()).collect(),
    })
}

impl Reads {
    /// Changes that do not count for a cut or a fork and were not admitted, of one log or of all,
    /// after an entry; and whether there are more.
    pub async fn quarantined(
        &self,
        log: Option<&str>,
        after: Option<&str>,
    ) -> Result<(Vec<Quarantined>, bool), NodeError> {
        let frontier = self.door.frontier();
        let mut logs: Vec<LogId> = frontier.0.keys().copied().collect();
        logs.retain(|l| log.is_none_or(|wanted| l.origin() == wanted || l.to_string() == wanted));
        logs.retain(|l| self.door.with_control(|c| c.bound(l).is_some()));

        let (mut out, mut skip) = (Vec::new(), after.is_some());
        for log in logs {
            let counts_to = self.door.counts_to(&log).await?;
            let mut from = counts_to;
            while from < frontier.0[&log].size {
                let page = self.door.store.entries(&log, from, PAGE_BYTES).await?;
                let Some(last) = page.last() else { break };
                from = last.entry.reference().seq + 1;

                for stored in &page {
                    self.take_line(
                        &stored.entry,
                        counts_to,
                        "past_cut",
                        after,
                        &mut skip,
                        &mut out,
                    );
                }
            }

            for branch in self.door.store.branches(Some(&log)).await? {
                let mut from = branch.from;
                loop {
                    let page = self
                        .door
                        .store
                        .branch_entries(&branch, from, PAGE_BYTES)
                        .await?;
                    let Some(last) = page.last() else { break };
                    from = last.reference().seq + 1;
                    for entry in &page {
                        self.take_line(entry, 0, "other_branch", after, &mut skip, &mut out);
                    }
                }
            }

            if out.len() > NAMED_MAX {
                break;
            }
        }

        let more = out.len() > NAMED_MAX;
        out.truncate(NAMED_MAX);
        Ok((out, more))
    }

    fn take_line(
        &self,
        entry: &VerifiedEntry,
        counts_to: u64,
        why: &'static str,
        after: Option<&str>,
        skip: &mut bool,
        out: &mut Vec<Quarantined>,
    ) {
        let reference = entry.reference();
        if *skip {
            *skip = after != Some(reference.to_string().as_str());
            return;
        }

        let quarantined =
            self.door.with_control(|c| c.verdict(&reference, counts_to)) == LogVerdict::Quarantined;

        if quarantined && out.len() <= NAMED_MAX {
            out.extend(line(entry, why));
        }
    }
}
