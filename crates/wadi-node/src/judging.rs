//! What an entry is judged by: the verdict on its log, and the policy and officers that its author had taken in.

use crate::{desk::Desk, evidence::root_at};
use std::{collections::BTreeMap, sync::Arc};
use wadi_log::{Body, LogId, LogState, NodeId, Reference, VerifiedEntry};
use wadi_record::{Author, Judge, Officer, Policy, Said, people};
use wadi_store::StoreError;

/// What a log's author had taken in, from each position of the log on: control and hold logs with sizes.
#[derive(Clone, Debug, Default)]
pub(crate) struct SeenIndex {
    said: BTreeMap<u64, Vec<(LogId, u64)>>,
    covered: Vec<(u64, BTreeMap<LogId, u64>)>,
}

impl SeenIndex {
    /// Adds what the `Seen` at a position names. Logs come in order; excerpts of them may not.
    pub(crate) fn push(&mut self, seq: u64, heads: &[wadi_log::Head]) {
        let in_order = self.said.last_key_value().is_none_or(|(last, _)| *last < seq);
        let named: Vec<(LogId, u64)> = heads.iter().map(|h| (h.log, h.size)).collect();
        if self.said.insert(seq, named).is_some() && !in_order {
            return;
        }
        let from = if in_order { seq } else { 0 };
        if !in_order {
            self.covered.clear();
        }
        for (seq, named) in self.said.range(from..) {
            let mut covered = self.covered.last().map(|(_, c)| c.clone()).unwrap_or_default();
            for (log, size) in named {
                let held = covered.entry(*log).or_insert(0);
                *held = (*held).max(*size);
            }
            self.covered.push((*seq, covered));
        }
    }
    /// What was covered when position `seq` was written.
    pub(crate) fn at(&self, seq: u64) -> Option<&BTreeMap<LogId, u64>> {
        let n = self.covered.partition_point(|(s, _)| *s < seq);
        n.checked_sub(1).map(|n| &self.covered[n].1)
    }
    /// What is covered by now.
    pub(crate) fn latest(&self) -> Option<&BTreeMap<LogId, u64>> {
        self.covered.last().map(|(_, c)| c)
    }
}

impl Desk {
    /// The entry with everything it is judged by; `None` with the head it waits for where its author had taken in
    /// control entries that are not held here yet.
    pub(crate) async fn said(&mut self, entry: &VerifiedEntry) -> Result<Result<Said, Reference>, StoreError> {
        let reference = entry.reference();
        let Some(parsed) = entry.entry() else { unreachable!("only changes are judged, and they were read") };
        let Body::Change(change) = &parsed.body else { unreachable!("only changes are judged") };
        let seen = self.seen_index(&reference.log).await?;
        let empty = BTreeMap::new();
        // What stands on another branch than the one that counts is judged by what stood before the fork: everybody who
        // holds both branches comes to the same.
        let side = self.is_side(&reference).await?;
        let fork_at = self.control.read().expect("no panic holds it").forks().get(&reference.log).map(|f| f.at);
        let judged_at = if side { fork_at.unwrap_or(reference.seq) } else { reference.seq };
        let covered = seen.at(judged_at).unwrap_or(&empty);
        // Policies and officers are judged by control entries: all of those taken in by the author have to be here.
        for (log, size) in covered.iter().filter(|(l, _)| l.lane == wadi_log::Lane::Control) {
            if self.held(log) < *size && self.me.scope.takes_log(log) {
                return Ok(Err(Reference { log: *log, seq: size - 1, leaf: Default::default() }));
            }
        }
        let control = self.control.read().expect("no panic holds it");
        let covers = |log: &LogId| covered.get(log).copied().unwrap_or(0);
        let policy = match control.policy(covers) {
            Some((at, entry)) => self.policies.entry(*at).or_insert_with(|| {
                // A policy that does not read here was written for a newer version: what it says is not known, and the
                // default, which is the strict one, holds.
                Arc::new(Policy::read(&entry.text).unwrap_or_default())
            }),
            None => &mut self.default_policy,
        }
        .clone();
        let officers = people(&parsed.common, &change.events).into_iter().filter_map(|name| {
            let found = control.officer(&name, covers)?;
            let officer = Officer {
                department: found.department.parse().ok(),
                crossing: found.crossing,
                supervisor: found.supervisor,
                revoked: found.revoked,
            };
            Some((name, officer))
        });
        let officers = Arc::new(officers.collect::<BTreeMap<_, _>>());
        let author = author(&control, &reference.log.node);
        // An excerpt's log is not held: what is known of its cut holds for it all the same.
        let counts_to = match self.logs.contains_key(&reference.log) {
            true => self.standing.get(&reference.log).copied().unwrap_or(u64::MAX),
            false => control.counts_to(&reference.log, LogState { size: 0, root_at_bound: None }),
        };
        let verdict = control.verdict(&reference, if side { 0 } else { counts_to });
        let said = Said {
            reference,
            common: parsed.common.clone(),
            change: change.clone(),
            verdict,
            judge: Judge { author, policy, officers },
        };
        Ok(Ok(said))
    }

    /// What the log's author had taken in, from the store where it is not known.
    pub(crate) async fn seen_index(&mut self, log: &LogId) -> Result<Arc<SeenIndex>, StoreError> {
        if let Some(known) = self.seen.get(log) {
            return Ok(known.clone());
        }
        let index = Arc::new(crate::reconciler::seen_index(&*self.store, log).await?);
        self.seen.put(*log, index.clone());
        Ok(index)
    }

    /// How many entries of each log count; returns the logs for which that changed.
    pub(crate) async fn restand(&mut self) -> Result<Vec<LogId>, StoreError> {
        let mut changed = Vec::new();
        let mut logs: Vec<LogId> = self.logs.keys().copied().collect();
        if self.control.read().expect("no panic holds it").cuts().next().is_some() {
            logs.extend(self.store.loose_logs().await?.into_iter().filter(|l| !self.logs.contains_key(l)));
        }
        for log in logs {
            let bound = self.control.read().expect("no panic holds it").bound(&log);
            let now = match bound {
                None => u64::MAX,
                Some(bound) => {
                    let size = self.held(&log);
                    let root_at_bound = if bound.size <= size && bound.size > 0 {
                        // What this very group has just brought is not in the store yet; it is asked again after the commit.
                        root_at(&*self.store, &log, bound.size).await?
                    } else {
                        None
                    };
                    self.control.read().expect("no panic holds it").counts_to(&log, LogState { size, root_at_bound })
                }
            };
            let before = self.standing.get(&log).copied().unwrap_or(u64::MAX);
            if now != before {
                changed.push(log);
                self.standing.insert(log, now);
                if log.lane == wadi_log::Lane::Control {
                    self.control.write().expect("no panic holds it").stand(log, now);
                }
            }
        }
        Ok(changed)
    }
}

fn author(control: &wadi_log::Control, node: &NodeId) -> Author {
    match control.enrolment(node) {
        Some(e) => Author { node: *node, name: e.name.clone(), role: e.role, crossing: e.crossing },
        // An entry was verified under an enrolment; should that be gone, its author may do nothing.
        None => Author { node: *node, name: node.to_string(), role: wadi_log::Role::Observer, crossing: None },
    }
}
