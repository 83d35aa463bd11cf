//! What an entry is judged by: the verdict on its log, and the policy and officers that its author
//! had taken in.

use crate::{door::proofs::root_at, ledger::seen::SeenIndex, pipeline::sequencer::Sequencer};
use std::{collections::BTreeMap, sync::Arc};
use wadi_log::{Body, LogId, LogState, NodeId, Reference, VerifiedEntry};
use wadi_record::{Author, Judge, JudgedChange, Officer, Policy, people};
use wadi_store::StoreError;

impl Sequencer {
    /// The entry with everything it is judged by; `None` with the head it waits for where its
    /// author had taken in control entries that are not held here yet.
    pub(crate) async fn said(
        &mut self,
        entry: &VerifiedEntry,
    ) -> Result<Result<JudgedChange, Reference>, StoreError> {
        let reference = entry.reference();
        let Some(parsed) = entry.entry() else {
            unreachable!("only changes are judged, and they were read")
        };
        let Body::Change(change) = &parsed.body else {
            unreachable!("only changes are judged")
        };
        let seen = self.seen_index(&reference.log).await?;
        let side = self.is_side(&reference).await?;
        let (fork_at, counts_to) = {
            let control = self.control.read().expect("no panic holds it");
            let fork_at = control.forks().get(&reference.log).map(|f| f.at);

            // An excerpt's log is not held: what is known of its cut holds for it all the same.
            let counts_to = match self.logs.contains_key(&reference.log) {
                _ if side => 0,
                true => self
                    .effective_len
                    .get(&reference.log)
                    .copied()
                    .unwrap_or(u64::MAX),
                false => control.counts_to(
                    &reference.log,
                    LogState {
                        size: 0,
                        root_at_bound: None,
                    },
                ),
            };

            (fork_at, counts_to)
        };

        // What stands on another branch than the one that counts is judged by what stood before the
        // fork, and where no branch counts, what stands on any: everybody who holds both branches
        // comes to the same.
        let judged_at = match fork_at {
            Some(at) if reference.seq >= at && counts_to <= at => at,
            _ => reference.seq,
        };

        // Policies and officers are judged by control entries: all of those taken in by the author
        // have to be here.
        for log in seen.logs().filter(|l| l.lane == wadi_log::Lane::Control) {
            let size = seen.covered(judged_at, log);
            if self.held(log) < size && self.me.scope.takes_log(log) {
                return Ok(Err(Reference {
                    log: *log,
                    seq: size - 1,
                    leaf: Default::default(),
                }));
            }
        }

        let control = self.control.read().expect("no panic holds it");
        let covers = |log: &LogId| seen.covered(judged_at, log);
        let policy = match control.policy(covers) {
            Some((at, entry)) => self.policies.entry(*at).or_insert_with(|| {
                // A policy that does not read here was written for a newer version: what it says is
                // not known, and the default, which is the strict one, holds.
                Arc::new(Policy::read(&entry.text).unwrap_or_default())
            }),
            None => &mut self.default_policy,
        }
        .clone();

        let officers = people(&parsed.common, &change.events)
            .into_iter()
            .filter_map(|name| {
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
        let verdict = control.verdict(&reference, counts_to);
        let said = JudgedChange {
            reference,
            common: parsed.common.clone(),
            change: change.clone(),
            verdict,
            judge: Judge {
                author,
                policy,
                officers,
            },
        };

        Ok(Ok(said))
    }

    /// What the log's author had taken in, from the store where it is not known.
    pub(crate) async fn seen_index(&mut self, log: &LogId) -> Result<Arc<SeenIndex>, StoreError> {
        if let Some(known) = self.seen.get(log) {
            return Ok(known.clone());
        }

        let mut index = crate::ledger::seen::seen_index(&*self.store, log).await?;
        let overlay = self.in_flight.as_ref().map(|flight| &flight.overlay.seen);
        let pending = [overlay, Some(&self.pending_seen)];
        let pending = pending
            .into_iter()
            .flatten()
            .filter_map(|seen| seen.get(log));
        for (seq, heads) in pending.flatten() {
            index.push(*seq, heads);
        }

        let index = Arc::new(index);
        self.seen.put(*log, index.clone());
        Ok(index)
    }

    /// Takes what a `Seen` of a log names into what is known of it.
    pub(crate) async fn take_seen(
        &mut self,
        at: Reference,
        heads: &[wadi_log::Head],
    ) -> Result<(), StoreError> {
        // From the store first, where it is not known: it may say more than this one.
        self.seen_index(&at.log).await?;
        if let Some(index) = self.seen.get_mut(&at.log) {
            Arc::make_mut(index).push(at.seq, heads);
        }

        let pending = self.pending_seen.entry(at.log).or_default();
        pending.push((at.seq, heads.to_vec()));
        Ok(())
    }

    /// How many entries of each log count; returns the logs for which that changed.
    pub(crate) async fn recount(&mut self) -> Result<Vec<LogId>, StoreError> {
        let mut changed = Vec::new();
        let mut logs: Vec<LogId> = self.logs.keys().copied().collect();
        if self
            .control
            .read()
            .expect("no panic holds it")
            .cuts()
            .next()
            .is_some()
        {
            logs.extend(
                self.store
                    .loose_logs()
                    .await?
                    .into_iter()
                    .filter(|l| !self.logs.contains_key(l)),
            );
        }

        for log in logs {
            let bound = self.control.read().expect("no panic holds it").bound(&log);
            let now = match bound {
                None => u64::MAX,
                Some(bound) => {
                    let size = self.held(&log);
                    let root_at_bound = if bound.size <= size && bound.size > 0 {
                        // What this very group has just brought is not in the store yet; it is
                        // asked again after the commit.
                        root_at(&*self.store, &log, bound.size).await?
                    } else {
                        None
                    };

                    self.control.read().expect("no panic holds it").counts_to(
                        &log,
                        LogState {
                            size,
                            root_at_bound,
                        },
                    )
                }
            };

            let before = self.effective_len.get(&log).copied().unwrap_or(u64::MAX);
            if now != before {
                changed.push(log);
                self.effective_len.insert(log, now);
                if log.lane == wadi_log::Lane::Control {
                    self.control
                        .write()
                        .expect("no panic holds it")
                        .stand(log, now);
                }
            }
        }

        Ok(changed)
    }
}

fn author(control: &wadi_log::Control, node: &NodeId) -> Author {
    match control.enrolment(node) {
        Some(e) => Author {
            node: *node,
            name: e.name.clone(),
            role: e.role,
            crossing: e.crossing,
        },
        // An entry was verified under an enrolment; should that be gone, its author may do nothing.
        None => Author {
            node: *node,
            name: node.to_string(),
            role: wadi_log::Role::Observer,
            crossing: None,
        },
    }
}
