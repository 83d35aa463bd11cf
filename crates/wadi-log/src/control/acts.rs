//! Who made whom a member, and who took that away: the acts of hubs and of the root as entries
//! tell them.

use super::Control;
use crate::{Body, Cut, Enrolment, Entry, Reference, SpareEntry, entry::Closure};
use std::collections::BTreeSet;

/// What is kept of an act beside what it does.
#[derive(Clone, Debug)]
pub(super) struct SaidAct {
    ms: i64,
    officer: String,
    by_token: String,
    /// Of an enrolment, which may be replaced by another one.
    enrolment: Option<Enrolment>,
    /// Of an admission: why.
    reason: String,
}

/// An act on the membership of a node or a crossing, or on what counts of one.
#[derive(Clone, Copy, Debug)]
pub enum MemberAct<'a> {
    /// A node is enrolled, or enrolled anew.
    Enrolled(&'a Enrolment),
    /// A node or a log is cut, or a cut is taken back.
    Cut(&'a Cut),
    /// Entries past a cut are admitted.
    Admitted {
        /// The entries.
        entries: &'a BTreeSet<Reference>,
        /// Why.
        reason: &'a str,
    },
    /// A crossing is closed.
    Closed(&'a Closure),
    /// A node is declared a spare, or is one no longer.
    Spare(&'a SpareEntry),
}

/// An act, who said it where, and when.
#[derive(Clone, Copy, Debug)]
pub struct SaidMemberAct<'a> {
    /// The entry that says it.
    pub reference: Reference,
    /// By the clock of the node that says it, Unix milliseconds: the hub's time, where a hub does.
    pub said_ms: i64,
    /// The person in whose name.
    pub officer: &'a str,
    /// The token that named that person, where it is nobody's own; empty where the token is the
    /// person's, or nobody said it.
    pub by_token: &'a str,
    /// What it does.
    pub act: MemberAct<'a>,
    /// Whether it counts: said by a hub within what counts of its log, or signed by the root.
    pub counts: bool,
}

impl Control {
    /// Notes who says an act on membership, and when.
    pub(super) fn note_act(&mut self, at: Reference, entry: &Entry) {
        let is_act = matches!(
            entry.body,
            Body::Enrolment(_) | Body::Cut(_) | Body::Admit(_) | Body::Closure(_) | Body::Spare(_)
        );
        if !is_act || self.said.contains_key(&at) {
            return;
        }

        let said = SaidAct {
            ms: entry.common.wall_ms,
            officer: entry.common.officer.clone(),
            by_token: entry.common.device.clone(),
            enrolment: match &entry.body {
                Body::Enrolment(enrolment) => Some(enrolment.clone()),
                _ => None,
            },
            reason: match &entry.body {
                Body::Admit(admit) => admit.reason.clone(),
                _ => String::new(),
            },
        };
        self.said.insert(at, said);
    }

    /// All acts on membership, in the order of the logs in which they stand.
    pub fn member_acts(&self) -> impl Iterator<Item = SaidMemberAct<'_>> {
        self.said.iter().filter_map(|(at, said)| {
            let (act, by_root) = self.act_at(at, said)?;
            Some(SaidMemberAct {
                reference: *at,
                said_ms: said.ms,
                officer: &said.officer,
                by_token: &said.by_token,
                act,
                counts: by_root || self.fact_counts(at),
            })
        })
    }

    /// What is said at a place, and whether the root signed it.
    fn act_at<'a>(&'a self, at: &Reference, said: &'a SaidAct) -> Option<(MemberAct<'a>, bool)> {
        if let Some(enrolment) = &said.enrolment {
            return Some((MemberAct::Enrolled(enrolment), true));
        }
        if let Some((cut, root_signed)) = self.cuts.at(at) {
            return Some((MemberAct::Cut(cut), root_signed));
        }
        if let Some(entries) = self.admitted.get(at) {
            let reason = &said.reason;
            return Some((MemberAct::Admitted { entries, reason }, false));
        }
        if let Some(closure) = self.closures.get(at) {
            return Some((MemberAct::Closed(closure), false));
        }

        Some((MemberAct::Spare(self.spares.said(at)?), false))
    }

    /// What was in force by what had been said by then, as far as it is held by now: the same facts
    /// without the acts of later times. Enrolments are as old as their papers. Clocks are those of
    /// the entries' nodes.
    pub fn as_of(&self, then_ms: i64) -> Self {
        let mut then = Self::new(self.root);
        let is_then = |e: &&Enrolment| e.issued_s.saturating_mul(1_000) <= then_ms;
        let said = self
            .said
            .values()
            .filter_map(|said| said.enrolment.as_ref());
        for enrolment in self.enrolments().chain(said).filter(is_then) {
            // What is held was signed by the root when it was taken in.
            let _ = then.enrol(enrolment.clone());
        }

        // What hubs' words rest on is what is held now: a log that is cut since then was not yet.
        then.standing = self.standing.clone();
        then.forks = self.forks.clone();
        then.cosigned = self.cosigned.clone();
        for (at, said) in self.said.iter().filter(|(_, said)| said.ms <= then_ms) {
            match self.act_at(at, said) {
                Some((MemberAct::Cut(cut), _)) => {
                    then.cuts.learn(*at, cut, &self.root);
                }
                Some((MemberAct::Closed(closure), _)) => {
                    then.closures.insert(*at, closure.clone());
                }
                Some((MemberAct::Spare(spare), _)) => {
                    then.spares.learn(*at, spare);
                }
                _ => {}
            }
        }

        then
    }
}
