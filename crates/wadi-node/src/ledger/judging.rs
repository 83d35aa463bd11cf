//! What an entry is judged by: the verdict on its log, and the policy and officers that its author
//! had taken in.

use crate::ledger::{Ledger, seen::SeenIndex};
use std::{collections::BTreeMap, sync::Arc};
use wadi_log::{Body, Control, Lane, LogId, LogState, NodeId, Reference, Role, VerifiedEntry};
use wadi_record::{Author, HeldToken, Judge, JudgedChange, Officer, Policy, people, tokens_named};

impl Ledger {
    /// A change with everything it is judged by. `seen` is what its log's author had taken in;
    /// `is_side` tells that it stands on another branch than the one held as its log.
    ///
    /// # Errors
    ///
    /// The head that it waits for, where its author had taken in control entries that are not held
    /// here yet.
    pub(crate) fn judge(
        &mut self,
        entry: &VerifiedEntry,
        seen: &SeenIndex,
        is_side: bool,
    ) -> Result<JudgedChange, Reference> {
        let reference = entry.reference();
        let Some(parsed) = entry.entry() else {
            unreachable!("only changes are judged, and they were read")
        };
        let Body::Change(change) = &parsed.body else {
            unreachable!("only changes are judged")
        };

        let counts_to = self.counts_to(&reference, is_side);

        // What stands on another branch than the one that counts is judged by what stood before the
        // fork, and where no branch counts, what stands on any: everybody who holds both branches
        // comes to the same.
        let judged_at = match self.control.forks().get(&reference.log).map(|f| f.at) {
            Some(at) if reference.seq >= at && counts_to <= at => at,
            _ => reference.seq,
        };

        // Policies and officers are judged by control entries: all of those taken in by the author
        // have to be here.
        for log in seen.logs().filter(|l| l.lane == Lane::Control) {
            let size = seen.covered(judged_at, log);
            if self.held(log) < size && self.me.scope.takes_log(log) {
                return Err(Reference {
                    log: *log,
                    seq: size - 1,
                    leaf: Default::default(),
                });
            }
        }

        let control = &self.control;
        let covers = |log: &_| seen.covered(judged_at, log);
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
                let officer = registration(control, &name, covers)?;
                Some((name, officer))
            });

        let tokens = tokens_named(&change.events).into_iter();
        let tokens = tokens.filter_map(|id| {
            let issued = control.release_token(&id, covers)?.clone();
            let ends_ms = issued.token.expires_s.saturating_mul(1_000);
            let is_over = control.is_past(ends_ms, covers);
            Some((id, HeldToken { issued, is_over }))
        });

        Ok(JudgedChange {
            reference,
            common: parsed.common.clone(),
            change: change.clone(),
            verdict: control.verdict(&reference, counts_to),
            judge: Judge {
                author: author(control, &reference.log.node),
                policy,
                officers: Arc::new(officers.collect::<BTreeMap<_, _>>()),
                tokens: Arc::new(tokens.collect::<BTreeMap<_, _>>()),
            },
        })
    }

    /// How many entries count of the branch on which an entry stands.
    fn counts_to(&self, reference: &Reference, is_side: bool) -> u64 {
        let log = &reference.log;
        if is_side {
            return 0;
        }

        if self.heads.contains_key(log) {
            return self.effective_len.get(log).copied().unwrap_or(u64::MAX);
        }

        // An excerpt's log is not held: what is known of its cut holds for it all the same.
        let nothing_held = LogState {
            size: 0,
            root_at_bound: None,
        };
        self.control.counts_to(log, nothing_held)
    }
}

/// An officer's registration, and keys, in force for whoever had taken in that much.
fn registration(
    control: &Control,
    name: &str,
    covers: impl Fn(&LogId) -> u64 + Copy,
) -> Option<Officer> {
    let found = control.officer(name, covers)?;
    Some(Officer {
        department: found.department.parse().ok(),
        crossing: found.crossing,
        supervisor: found.supervisor,
        revoked: found.revoked,
        keys: control.officer_keys(name, covers),
    })
}

fn author(control: &Control, node: &NodeId) -> Author {
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
            role: Role::Observer,
            crossing: None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wadi_log::{LogKey, RootKey};

    #[test]
    fn an_author_whose_enrolment_is_gone_may_do_nothing() {
        let control = Control::new(RootKey(LogKey::from_seed(&[9; 32]).public()));
        let gone = NodeId([7; 16]);
        let author = author(&control, &gone);

        assert_eq!(author.name, gone.to_string());
        assert_eq!((author.role, author.crossing), (Role::Observer, None));
    }
}
