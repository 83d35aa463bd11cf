//! Enrolments and fork proofs that the peer told and that are not on the disk yet. A peer tells
//! them once a connection: where the commit failed that would have kept them, the link hands them
//! over again.

use super::Link;
use crate::{door::command::Command, ledger::FORKED_LOGS_MAX};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};
use wadi_log::{Control, Enrolment, ForkProof, LogId, NodeId, RootKey};

/// So long something may be on its way to the disk before it is handed over once more.
const TO_DISK: Duration = Duration::from_secs(3);
/// Proofs that are kept in memory until they are on the disk. Enrolments need no such bound: each
/// is signed by the commission.
const PROOFS_MAX: usize = 256;

/// What was told and is not known to be on the disk.
#[derive(Default)]
pub(super) struct Unkept {
    enrolments: BTreeMap<NodeId, (Instant, Enrolment)>,
    proofs: BTreeMap<LogId, (Instant, ForkProof)>,
}

/// What is handed over once more.
#[derive(Default, PartialEq, Debug)]
struct Again {
    enrolments: Vec<Enrolment>,
    proofs: Vec<ForkProof>,
}

impl Unkept {
    /// Enrolments are handed over. What the commission did not sign is refused, and not kept.
    fn hand_enrolments(&mut self, told: &[Enrolment], root: &RootKey, now: Instant) {
        for enrolment in told.iter().filter(|e| e.verify(root).is_ok()) {
            let node = enrolment.node();
            let known = self.enrolments.get(&node);
            if known.is_none_or(|(_, known)| known.serial <= enrolment.serial) {
                self.enrolments.insert(node, (now, enrolment.clone()));
            }
        }
    }

    /// Proofs are handed over. One that does not hold is refused, and not kept; one whose author
    /// is not known yet is kept for when it is.
    fn hand_proofs(&mut self, told: &[ForkProof], control: &Control, now: Instant) {
        for proof in told {
            let log = proof.log();
            let author = control
                .enrolment(&log.node)
                .or(self.enrolments.get(&log.node).map(|(_, e)| e));
            let holds = author.is_none_or(|author| proof.verify(author).is_ok());
            let has_room = self.proofs.len() < PROOFS_MAX || self.proofs.contains_key(&log);
            if holds && has_room {
                self.proofs.insert(log, (now, proof.clone()));
            }
        }
    }

    /// Forgets what is on the disk, and gives what is not after so long. A proof that would not be
    /// taken waits until it would be.
    fn lost(
        &mut self,
        on_disk: &Control,
        is_taken: impl Fn(&LogId) -> bool,
        now: Instant,
    ) -> Again {
        self.enrolments
            .retain(|_, (_, enrolment)| !on_disk.has_enrolment(enrolment));
        self.proofs.retain(|_, (_, proof)| {
            let author = on_disk.enrolment(&proof.log().node);
            let may_hold = author.is_none_or(|author| proof.verify(author).is_ok());
            may_hold && !on_disk.has_fork(proof)
        });

        let taken = self.proofs.iter_mut().filter(|(log, _)| is_taken(log));
        Again {
            enrolments: late(self.enrolments.values_mut(), now),
            proofs: late(taken.map(|(_, handed)| handed), now),
        }
    }
}

/// Those that were handed over long ago; they count as handed over now.
fn late<'a, T: Clone + 'a>(
    handed: impl Iterator<Item = &'a mut (Instant, T)>,
    now: Instant,
) -> Vec<T> {
    handed
        .filter(|(at, _)| now.duration_since(*at) >= TO_DISK)
        .map(|(at, what)| {
            *at = now;
            what.clone()
        })
        .collect()
}

impl Link<'_> {
    /// Hands over enrolments that the peer told.
    pub(super) async fn take_enrolments(&mut self, told: Vec<Enrolment>) {
        let root = self.door.keys.root;
        self.unkept.hand_enrolments(&told, &root, Instant::now());
        let learn = Command::Learn(told, self.peer);
        self.door.put_from(self.peer, learn).await;
    }

    /// Hands over fork proofs that the peer told.
    pub(super) async fn take_proofs(&mut self, told: Vec<ForkProof>) {
        let control = self.door.view().control.clone();
        self.unkept.hand_proofs(&told, &control, Instant::now());
        let forks = Command::Forks(told, self.peer);
        self.door.put_from(self.peer, forks).await;
    }

    /// Makes good for enrolments and proofs that did not come to the disk.
    pub(super) async fn mend_unkept(&mut self) {
        let control = self.door.view().control.clone();
        let frontier = self.door.frontier();
        // Of a node of which few are known, one of a log that is not held is taken, too.
        let is_taken = |log: &LogId| {
            let known = control.forks_of(&log.node).take(FORKED_LOGS_MAX).count();
            frontier.0.contains_key(log) || known + 1 < FORKED_LOGS_MAX
        };
        let again = self.unkept.lost(&control, is_taken, Instant::now());

        // Authors first: a proof is checked by its author's key.
        if !again.enrolments.is_empty() {
            self.door
                .put_from(self.peer, Command::Learn(again.enrolments, self.peer))
                .await;
        }
        if !again.proofs.is_empty() {
            let forks = Command::Forks(again.proofs, self.peer);
            self.door.put_from(self.peer, forks).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wadi_log::{Branch, Checkpoint, Epoch, Lane, LogKey, Peaks, Role, Scope, leaf_hash};

    fn enrolled(name: &str, key: &LogKey, by: &LogKey, serial: u64) -> Enrolment {
        let unsigned = Enrolment {
            name: name.into(),
            role: Role::Crossing,
            crossing: "QAM".parse().ok(),
            log_key: key.public(),
            tls_key: [0; 32],
            scope: Scope::of_crossing("QAM".parse().unwrap()),
            serial,
            issued_s: 0,
            root_signature: [0; 64],
        };
        unsigned.issue(by).unwrap()
    }

    fn forked(key: &LogKey) -> ForkProof {
        let branch = |text: &[u8]| {
            let mut peaks = Peaks::default();
            peaks.append(leaf_hash(text));
            let checkpoint = Checkpoint {
                log: LogId {
                    node: key.node(),
                    epoch: Epoch([1; 8]),
                    lane: Lane::Passage,
                    crossing: "QAM".parse().unwrap(),
                },
                size: 1,
                root: peaks.root(),
                hub_time_s: 0,
                logs: Vec::new(),
            };
            Branch {
                checkpoint: key.sign(checkpoint),
                leaf: leaf_hash(text),
                path: Vec::new(),
            }
        };
        ForkProof::new(0, branch(b"a truck"), branch(b"a ghost"))
    }

    #[test]
    fn what_does_not_come_to_the_disk_is_handed_over_again_until_it_does() {
        let (root, qam) = (LogKey::from_seed(&[1; 32]), LogKey::from_seed(&[2; 32]));
        let root_key = RootKey(root.public());
        let mut on_disk = Control::new(root_key);
        let began = Instant::now();
        let mut unkept = Unkept::default();
        let enrolment = enrolled("qam", &qam, &root, 2);
        let proof = forked(&qam);
        unkept.hand_enrolments(std::slice::from_ref(&enrolment), &root_key, began);
        unkept.hand_enrolments(&[enrolled("qam", &qam, &root, 1)], &root_key, began);
        unkept.hand_proofs(std::slice::from_ref(&proof), &on_disk, began);
        assert_eq!(
            unkept.lost(&on_disk, all_held, began),
            Again::default(),
            "on its way"
        );

        let both = Again {
            enrolments: vec![enrolment.clone()],
            proofs: vec![proof.clone()],
        };
        assert_eq!(unkept.lost(&on_disk, all_held, began + TO_DISK), both);
        assert_eq!(
            unkept.lost(&on_disk, all_held, began + TO_DISK),
            Again::default()
        );

        on_disk.enrol(enrolment).unwrap();
        let again = unkept.lost(&on_disk, all_held, began + 2 * TO_DISK);
        assert!(again.enrolments.is_empty(), "it is on the disk");
        assert_eq!(again.proofs.len(), 1);

        on_disk.learn_fork(proof);
        assert_eq!(
            unkept.lost(&on_disk, all_held, began + 3 * TO_DISK),
            Again::default()
        );
        assert!(unkept.enrolments.is_empty() && unkept.proofs.is_empty());
    }

    fn all_held(_: &LogId) -> bool {
        true
    }

    #[test]
    fn a_proof_of_a_log_that_is_not_held_waits_until_it_is() {
        let qam = LogKey::from_seed(&[2; 32]);
        let on_disk = Control::new(RootKey(LogKey::from_seed(&[1; 32]).public()));
        let began = Instant::now();
        let mut unkept = Unkept::default();
        unkept.hand_proofs(&[forked(&qam)], &on_disk, began);

        let later = began + TO_DISK;
        assert_eq!(unkept.lost(&on_disk, |_| false, later), Again::default());
        assert_eq!(unkept.lost(&on_disk, all_held, later).proofs.len(), 1);
    }

    #[test]
    fn what_is_refused_is_not_handed_over_again() {
        let (root, qam) = (LogKey::from_seed(&[1; 32]), LogKey::from_seed(&[2; 32]));
        let root_key = RootKey(root.public());
        let mut on_disk = Control::new(root_key);
        let began = Instant::now();
        let mut unkept = Unkept::default();
        unkept.hand_enrolments(&[enrolled("qam", &qam, &qam, 1)], &root_key, began);

        let mut forged = forked(&qam);
        forged.one.checkpoint.signature = [7; 64];
        unkept.hand_proofs(std::slice::from_ref(&forged), &on_disk, began);
        on_disk.enrol(enrolled("qam", &qam, &root, 1)).unwrap();
        assert_eq!(
            unkept.lost(&on_disk, all_held, began + TO_DISK),
            Again::default()
        );

        unkept.hand_proofs(&[forged], &on_disk, began);
        assert!(unkept.enrolments.is_empty() && unkept.proofs.is_empty());
    }
}
