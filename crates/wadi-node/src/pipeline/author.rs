//! What this node says itself: writes are judged, appended to its own logs, and signed by group.

use crate::{
    door::{
        error::{NodeError, WriteError},
        event::Event,
        signatory::Signatory,
        write::{check_given_name, check_name, check_person},
    },
    pipeline::{commit::Commit, sequencer::Sequencer},
};
use wadi_log::{
    BLOCK_ENTRIES_MAX, Body, Boot, Common, Entry, Epoch, Lane, LogId, OfficerEntry,
    OfficerKeyEntry, Reference, Role, Seen, Tip, VerifiedBlock, VerifiedEntry,
};
use wadi_record::{Objection, RecordError, Refusal};
use wadi_store::{AnchorState, CosignedHead, LocalKey, LocalScope, StoreError};

/// Own entries are signed at about this spacing, so that blocks can end there.
const RUN_BYTES: usize = 8 * 1024;
/// Heads that one `Seen` names.
const SEEN_HEADS_MAX: usize = 200;

impl Sequencer {
    /// Signs the entries written in this group, a run of about 8 KiB at a time.
    pub(super) fn sign(&mut self, g: &mut Commit) -> Result<(), StoreError> {
        let hub_time_s = self.time.heard_s();
        if g.refresh
            && let Some(epoch) = self.ledger.epoch()
        {
            let log = self
                .ledger
                .own_log(epoch, Lane::Control, self.ledger.own_crossing());
            g.pending.entry(log).or_default();
            let peaks = self.ledger.peaks(&log);
            g.own_start.entry(log).or_insert(peaks);
            self.time.to_show(log);
            g.events.push(Event::Refreshed(log));
        }

        for (log, entries) in std::mem::take(&mut g.pending) {
            let mut peaks = g.own_start.remove(&log).unwrap_or_default();
            let list = match log.lane {
                Lane::Control => self.ledger.lists(&log),
                _ => Vec::new(),
            };

            for run in runs(entries) {
                let block = VerifiedBlock::seal(
                    &self.keys.log_key,
                    log,
                    &peaks,
                    run,
                    hub_time_s,
                    list.clone(),
                )
                .map_err(|e| StoreError::Conflict(e.to_string()))?;

                peaks = block.peaks().clone();
                g.batch.append.blocks.push(block);
            }

            if log.lane == Lane::Control {
                self.time.signed_head(log, hub_time_s);
            }

            let tip = Tip {
                size: peaks.size(),
                root: peaks.root(),
            };
            let checkpoint = g.batch.append.blocks.last().map(|b| b.checkpoint().clone());

            if let Some(checkpoint) = &checkpoint
                && self.me.role == Role::Hub
            {
                // A hub stores its own logs as it stores everybody's: its cosignature says so.
                let cosignature = self
                    .keys
                    .log_key
                    .cosign(&checkpoint.checkpoint, self.time.signing_s());

                self.ledger
                    .control_mut()
                    .learn_cosigned(cosignature.witness, log, tip);
                g.batch.append.kept_heads.push(checkpoint.clone());
                g.batch.append.cosignatures.push(CosignedHead {
                    checkpoint: checkpoint.clone(),
                    cosignature,
                });
            }

            self.ledger.set_head(log, peaks, checkpoint);
            g.batch.own_heads.push((log, tip));
            g.grown.insert(log, tip);
        }

        Ok(())
    }

    /// Makes an own entry and puts it at the end of its log; it is signed when the group is.
    fn append(
        &mut self,
        g: &mut Commit,
        log: LogId,
        entry: &Entry,
    ) -> Result<VerifiedEntry, NodeError> {
        let own = VerifiedEntry::author(log, self.ledger.held(&log), entry)?;
        self.append_made(g, own.clone());

        Ok(own)
    }

    /// Puts an own entry that was made for the end of its log there.
    pub(super) fn append_made(&mut self, g: &mut Commit, own: VerifiedEntry) {
        let log = own.reference().log;
        g.own_start
            .entry(log)
            .or_insert_with(|| self.ledger.peaks(&log));

        self.ledger.append(&own);
        g.pending.entry(log).or_default().push(own);
    }

    /// The epoch of this start; the first write opens it with a `Boot` that names where the last
    /// one ended.
    pub(crate) fn open_epoch(&mut self, g: &mut Commit) -> Result<Epoch, NodeError> {
        if let Some(epoch) = self.ledger.epoch() {
            return Ok(epoch);
        }

        let epoch = match self.ledger.last_epoch() {
            Some(last) if wadi_store::defence::off("new-epoch") => last,
            _ => Epoch(rand::random()),
        };

        // What was lost was said all the same: nobody is to think that this is all there was.
        let lost = match self.store.anchor_state() {
            AnchorState::LostTail { heads, .. } => heads.clone(),
            _ => Vec::new(),
        };

        let mut previous = self.ledger.ends_of_last_epoch(&lost);
        previous.truncate(SEEN_HEADS_MAX);
        self.ledger.begin_epoch(epoch);

        let boot = Boot {
            software: format!("wadi {}", env!("CARGO_PKG_VERSION")),
            previous,
        };
        let log = self
            .ledger
            .own_log(epoch, Lane::Control, self.ledger.own_crossing());
        let entry = Entry {
            common: self.common_now(),
            body: Body::Boot(boot),
        };

        let verified = self.append(g, log, &entry)?;
        if let Some(entry) = verified.entry() {
            self.ledger.control_mut().learn(verified.reference(), entry);
        }

        g.batch.local.keys.push(LocalKey {
            scope: LocalScope::Epoch,
            key: self.ledger.node().to_string(),
            value: epoch.to_string(),
        });

        Ok(epoch)
    }

    /// Writes down which control heads, and before a decision which holds, this node has taken in,
    /// where they moved.
    pub(super) async fn write_seen(
        &mut self,
        g: &mut Commit,
        log: LogId,
        holds: bool,
    ) -> Result<(), NodeError> {
        let seen = self.seen_index(&log).await?;
        let moved = self.ledger.unseen(&log, &seen, holds);

        for heads in moved.chunks(SEEN_HEADS_MAX) {
            let seen = Seen {
                heads: heads.to_vec(),
            };
            let entry = Entry {
                common: self.common_now(),
                body: Body::Seen(seen),
            };
            let written = self.append(g, log, &entry)?.reference();

            g.batch.project.seen.push(written);
            self.take_seen(written, heads).await?;
        }

        Ok(())
    }

    pub(super) async fn write_control(
        &mut self,
        g: &mut Commit,
        bodies: Vec<Body>,
        signatory: Signatory,
    ) -> Result<Vec<Reference>, NodeError> {
        for body in &bodies {
            check_named(body)?;
        }

        let epoch = self.open_epoch(g)?;
        let log = self
            .ledger
            .own_log(epoch, Lane::Control, self.ledger.own_crossing());
        let department = match signatory.department.is_empty() {
            false => signatory.department,
            true if self.me.role == Role::Hub => "HUB".into(),
            true => String::new(),
        };
        // A person whom the machine's own token named is signed as named by it.
        let common = Common {
            officer: signatory.name,
            department,
            device: signatory.by_token,
            ..self.common_now()
        };

        // All are made and judged before any is appended.
        let mut made = Vec::with_capacity(bodies.len());
        for (seq, body) in (self.ledger.held(&log)..).zip(bodies) {
            let common = common.clone();
            let entry = Entry { common, body };

            self.ledger.control().check_right(&log, &entry)?;
            made.push(VerifiedEntry::author(log, seq, &entry)?);
        }

        let mut out = Vec::new();
        for own in made {
            out.push(own.reference());
            self.append_made(g, own.clone());
            self.learn_control(g, &own);
        }

        Ok(out)
    }

    /// Takes a control entry into what is known.
    pub(crate) fn learn_control(&mut self, g: &mut Commit, verified: &VerifiedEntry) {
        let Some(entry) = verified.entry() else {
            return;
        };
        let moved = self.ledger.control_mut().learn(verified.reference(), entry);

        if moved {
            self.move_said(g, &entry.body);
        }

        // Tolerances moved, or an officer or a key is revoked: what was found before is looked at
        // afresh.
        if moved
            && matches!(
                &entry.body,
                Body::Policy(_)
                    | Body::Officer(OfficerEntry { revoked: true, .. })
                    | Body::OfficerKey(OfficerKeyEntry {
                        taken_back: true,
                        ..
                    })
            )
        {
            g.recheck = true;
        }

        self.orders
            .lock()
            .expect("no panic holds it")
            .learn(verified.reference(), &entry.body);

        if moved && matches!(&entry.body, Body::Closure(_) | Body::Spare(_)) {
            self.move_watermarks(g);
        }

        if let Body::Admit(admit) = &entry.body {
            // An admission moves single entries, not the bound of their log.
            for r in &admit.entries {
                self.ledger.weigh_anew(&r.log);
            }
        }

        if moved && let Body::Enrolment(e) = &entry.body {
            g.batch.append.enrolments.push(e.clone());
            g.events.push(Event::Members(vec![e.clone()]));
        }
    }

    /// Signs the head of the control log anew at the end of this group, so that the hub learns how
    /// far it has heard us.
    pub(crate) fn refresh(&self, g: &mut Commit) {
        g.refresh = true;
    }
}

/// Own entries in the runs that are signed, each about as large as a block; one empty run where
/// there are none.
fn runs(entries: Vec<VerifiedEntry>) -> Vec<Vec<VerifiedEntry>> {
    let mut out = vec![Vec::new()];
    let mut bytes = 0;
    for entry in entries {
        let size = entry.bytes().len();
        let run = out.last().map_or(0, Vec::len);
        if bytes > 0 && bytes + size > RUN_BYTES || run == BLOCK_ENTRIES_MAX {
            out.push(Vec::new());
            bytes = 0;
        }

        bytes += size;
        if let Some(run) = out.last_mut() {
            run.push(entry);
        }
    }

    out
}

/// What whoever writes is told of an entry that would not count, or not with all its events and
/// values.
pub(super) fn refusal(objection: Objection) -> NodeError {
    match objection {
        // What comes from elsewhere past a cut is kept; what a cut node is told here is not.
        Objection::Refused(refusal) if refusal.code == "past_cut" => {
            let why = "this node was cut: what it writes counts nowhere, and this was not kept";
            let refusal = Refusal {
                code: "node_cut",
                why: why.into(),
            };
            WriteError::Refused(refusal).into()
        }
        Objection::Refused(refusal) => WriteError::Refused(refusal).into(),
        Objection::Waits(missing) => NodeError::UnknownEntry(missing.map_or_else(
            || "the record's first entry".into(),
            |missing| missing.to_string(),
        )),
    }
}

/// Refuses to give a right to an officer without a name, or with one that reads as another's. What
/// such a one was given by an older version can be ended.
fn check_named(body: &Body) -> Result<(), RecordError> {
    match body {
        Body::Officer(officer) if !officer.revoked => {
            check_given_name("officer", &officer.officer)?;
            check_person(&officer.officer)?;
            check_name("name", &officer.name)
        }
        // Where it names no officer, anybody of its department may spend it.
        Body::ReleaseToken(token) => {
            check_name("officer", &token.officer)?;
            check_person(&token.officer)
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wadi_log::Change;
    use wadi_log::NodeId;

    fn own(seq: u64, letters: usize) -> VerifiedEntry {
        let log = LogId {
            node: NodeId([1; 16]),
            epoch: Epoch([1; 8]),
            lane: Lane::Passage,
            crossing: wadi_log::Crossing::HUB,
        };
        let put = wadi_log::Put {
            key: "note".into(),
            value: wadi_log::Value::Text("n".repeat(letters)),
        };
        let entry = Entry {
            common: Common::default(),
            body: Body::Change(Change {
                record: None,
                based_on: vec![],
                puts: vec![put],
                events: vec![],
            }),
        };

        VerifiedEntry::author(log, seq, &entry).unwrap()
    }

    fn lengths(entries: Vec<VerifiedEntry>) -> Vec<usize> {
        runs(entries).iter().map(Vec::len).collect()
    }

    #[test]
    fn a_run_is_about_a_block_and_a_large_entry_is_one_for_itself() {
        assert_eq!(lengths(vec![]), [0], "an empty run signs the head anew");
        assert_eq!(lengths((0..5).map(|n| own(n, 10)).collect()), [5]);
        assert_eq!(
            lengths(vec![own(0, 5_000), own(1, 5_000), own(2, 10)]),
            [1, 2]
        );
        assert_eq!(lengths(vec![own(0, 16_000), own(1, 10)]), [1, 1]);
    }

    #[test]
    fn no_run_has_more_entries_than_a_block_takes() {
        let count = BLOCK_ENTRIES_MAX as u64 + 3;
        let all = runs((0..count).map(|n| own(n, 1)).collect());
        assert!(all.iter().all(|run| run.len() <= BLOCK_ENTRIES_MAX));

        let seqs: Vec<u64> = all.iter().flatten().map(|e| e.reference().seq).collect();
        assert!(seqs.into_iter().eq(0..count), "in order, and each once");
    }
}
