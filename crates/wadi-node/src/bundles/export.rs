//! Making a bundle: first the plan, which says what goes into which part, then the parts, one at a
//! time. Nothing of what is exported is moved, marked or deleted.

use crate::{
    bundles::{
        Bundles,
        blocks::{BlockReader, block_bytes},
        parts::PartWriter,
    },
    door::{
        command::Command,
        error::{BundleError, NodeError},
        excerpt::{excerpt_bytes, excerpt_part},
        proofs::root_at,
    },
};
use serde::Serialize;
use std::{collections::BTreeSet, sync::Arc};
use wadi_log::{Block, Enrolment, ForkProof, Frontier, Lane, LogId, RecordId, Role};
use wadi_store::CosignedHead;
use wadi_sync::{
    BUNDLE_BYTES_MAX, CarriedBlock, Manifest, Message, Party, both_may_see, read_carried,
};

/// Bytes of a part, unless somebody asks for smaller ones.
const SPLIT_BYTES: u64 = 32 * 1024 * 1024;
/// Bytes that a part may be asked to have, at least and at most.
const SPLIT_BYTES_MIN: u64 = 4 * 1024;
const SPLIT_BYTES_MAX: u64 = 56 * 1024 * 1024;
/// What a part needs beside its content: the manifest without ranges, and the header of the
/// encryption.
const FRONT_BYTES: usize = 4 * 1024;
/// What a range costs in the manifest, about.
const RANGE_BYTES: usize = 192;
/// Ranges in a part at most, so that its manifest stays below its own limit.
const RANGES_MAX: usize = 40_000;
/// What a frame and the framing of a block or a cosignature cost, about.
const FRAME_BYTES: usize = 256;
/// Plans kept until their parts are fetched; an older one is forgotten.
const PLANS_MAX: usize = 4;
/// Enrolments, and fork proofs, in one message.
const MEMBERS_IN_MESSAGE: usize = 200;
const FORKS_IN_MESSAGE: usize = 16;

/// A log, or the rest of one, that did not go in, and why.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct LeftOut {
    /// The log's origin.
    pub log: String,
    /// A stable code.
    pub code: String,
    /// The reason.
    pub why: String,
}

/// A bundle as planned.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct BundlePlanned {
    /// The bundle's id.
    pub bundle: String,
    /// The name of the node it is for.
    #[serde(rename = "for")]
    pub to: String,
    /// How many parts it has.
    pub parts: u32,
    /// Entries in it.
    pub entries: u64,
    /// Logs that these are of.
    pub logs: u64,
    /// Cosignatures in it.
    pub cosignatures: u64,
    /// Records of which an excerpt is in it.
    pub excerpts: u64,
    /// What could not go in.
    pub left_out: Vec<LeftOut>,
}

/// One piece of a plan.
enum PlanItem {
    Cosigned(Box<CosignedHead>),
    Run {
        log: LogId,
        from: u64,
        to: u64,
    },
    Carried {
        log: LogId,
        from: u64,
    },
    /// The head of an own log alone, signed anew since with a newer hub time.
    Head(LogId),
    Excerpt(RecordId),
}

/// A run of a log that is due: its lane, the log, from where to where, and whether it is carried
/// here for another node. In this order the urgent lanes come first.
type DueRun = (Lane, LogId, u64, u64, bool);

/// What goes into which part.
pub(crate) struct BundlePlan {
    to: Enrolment,
    made_s: i64,
    parts: Vec<Vec<PlanItem>>,
    said: BundlePlanned,
}

/// Fills parts, in order, none beyond what it may have unless one piece alone is larger.
struct Packer {
    parts: Vec<Vec<PlanItem>>,
    bytes: usize,
    ranges: usize,
    /// What every part begins with.
    preamble: usize,
    budget: usize,
}

impl Packer {
    fn new(split: u64, preamble: usize) -> Self {
        let budget = (split as usize).saturating_sub(FRONT_BYTES);
        Self {
            parts: vec![Vec::new()],
            bytes: preamble,
            ranges: 0,
            preamble,
            budget,
        }
    }

    fn put(&mut self, item: PlanItem, bytes: usize) {
        let bytes = bytes + FRAME_BYTES;
        let part = self.parts.last().expect("there is always one");
        let follows = match (part.last(), &item) {
            (
                Some(PlanItem::Run { log, to, .. }),
                PlanItem::Run {
                    log: next, from, ..
                },
            ) => log == next && to == from,
            _ => false,
        };

        let more = if follows { bytes } else { bytes + RANGE_BYTES };
        let full = self.bytes + more > self.budget || self.ranges >= RANGES_MAX;
        if full && !part.is_empty() {
            self.parts.push(Vec::new());
            (self.bytes, self.ranges) = (self.preamble, 0);
        } else if follows
            && let Some(PlanItem::Run { to, .. }) = self.parts.last_mut().and_then(|p| p.last_mut())
            && let PlanItem::Run { to: end, .. } = item
        {
            self.bytes += bytes;
            *to = end;
            return;
        }

        self.bytes += bytes + RANGE_BYTES;
        self.ranges += 1;
        self.parts
            .last_mut()
            .expect("there is always one")
            .push(item);
    }
}

impl Bundles {
    /// Plans a bundle for a node: everything that it may take, or with a receipt of its what it
    /// lacks by that. Its parts are made by [`Bundles::part`]. `split` is how many bytes a part
    /// may have.
    pub async fn plan(
        &self,
        to: &str,
        receipt: Option<&str>,
        split: Option<u64>,
    ) -> Result<BundlePlanned, NodeError> {
        let to = self.member(to)?;
        if to.node() == self.door.id() {
            return Err(BundleError::ForMyself.into());
        }

        let split = split.unwrap_or(SPLIT_BYTES);
        if !(SPLIT_BYTES_MIN..=SPLIT_BYTES_MAX).contains(&split) {
            return Err(BundleError::BadSplit {
                split,
                min: SPLIT_BYTES_MIN,
                max: SPLIT_BYTES_MAX,
            }
            .into());
        }

        let theirs = match receipt {
            Some(text) => self.take_receipt(&to, text).await?,
            None => Frontier::default(),
        };

        // The head that goes in names the newest hub time.
        self.door.put(Command::Refresh { at_once: true }).await;
        self.door.set_local(vec![], vec![]).await?;
        let (members, forks) = self.preamble(&to);
        let preamble = members.iter().map(|e| e.to_bytes().len()).sum::<usize>()
            + forks.iter().map(|f| f.to_bytes().len()).sum::<usize>();
        let mut packer = Packer::new(split, preamble);
        let mut said = BundlePlanned {
            bundle: wadi_log::hex(&rand::random::<[u8; 16]>()),
            to: to.name.clone(),
            parts: 0,
            entries: 0,
            logs: 0,
            cosignatures: 0,
            excerpts: 0,
            left_out: Vec::new(),
        };

        for head in self.cosigned_for(&to, true).await? {
            let bytes = head.checkpoint.to_bytes().len() + head.cosignature.to_bytes().len();
            said.cosignatures += 1;
            packer.put(PlanItem::Cosigned(Box::new(head)), bytes);
        }

        self.plan_logs(&to, &theirs, &mut packer, &mut said).await?;
        self.plan_excerpts(&to, &mut packer, &mut said).await?;
        said.parts = packer.parts.len() as u32;

        let plan = BundlePlan {
            made_s: self.door.time.now_s(),
            to,
            parts: packer.parts,
            said: said.clone(),
        };

        let mut plans = self.plans.lock().expect("no panic holds it");
        while plans.len() >= PLANS_MAX {
            plans.pop_front();
        }

        plans.push_back(Arc::new(plan));
        Ok(said)
    }

    /// What every part begins with, so that each can be taken in for itself: who is who, and whose
    /// logs are forked.
    fn preamble(&self, to: &Enrolment) -> (Vec<Enrolment>, Vec<ForkProof>) {
        self.door.with_control(|c| {
            let forks = c
                .forks()
                .iter()
                .filter(|(log, _)| both_may_see(&self.door.me, to, log));

            (
                c.enrolments().cloned().collect(),
                forks.map(|(_, proof)| proof.clone()).collect(),
            )
        })
    }

    /// Logs, the urgent lanes first; for a hub those that are carried here for others, too.
    async fn plan_logs(
        &self,
        to: &Enrolment,
        theirs: &Frontier,
        packer: &mut Packer,
        said: &mut BundlePlanned,
    ) -> Result<(), NodeError> {
        let mut due = self.due_logs(to, theirs, said).await?;
        if to.role == Role::Hub {
            let carried = self.door.store.carried_ranges().await?.into_iter();
            let lacked =
                carried.filter(|(log, _, end)| theirs.0.get(log).is_none_or(|t| t.size < *end));
            due.extend(lacked.map(|(log, from, end)| (log.lane, log, from, end, true)));
        }

        due.sort();
        let mut logs = BTreeSet::new();
        for (_, log, from, end, carried) in due {
            if carried {
                let bytes = self
                    .door
                    .store
                    .carried_block(&log, from)
                    .await?
                    .map_or(0, |b| b.len());

                said.entries += end - from;
                packer.put(PlanItem::Carried { log, from }, bytes);
            } else if from == end {
                packer.put(PlanItem::Head(log), 0);
                continue;
            } else {
                let mut blocks = BlockReader::new(&*self.door.store, log, from, end);
                while let Some(block) = blocks.next_block().await? {
                    said.entries += block.entries.len() as u64;
                    let run = PlanItem::Run {
                        log,
                        from: block.from,
                        to: block.checkpoint.checkpoint.size,
                    };

                    packer.put(run, block_bytes(&block));
                }

                if blocks.is_stuck() {
                    let why = format!(
                        "the store does not give this log's entries from {} on",
                        blocks.at
                    );

                    said.left_out.push(LeftOut {
                        log: log.origin(),
                        code: "unreadable".into(),
                        why,
                    });
                }
            }

            logs.insert(log);
        }

        said.logs = logs.len() as u64;
        Ok(())
    }

    /// Runs of logs held here that the other node lacks, and heads that it has not seen.
    async fn due_logs(
        &self,
        to: &Enrolment,
        theirs: &Frontier,
        said: &mut BundlePlanned,
    ) -> Result<Vec<DueRun>, NodeError> {
        let frontier = self.door.frontier();
        let closed = self
            .door
            .with_control(|c| c.closed_logs(|log| frontier.0.get(log).map_or(0, |t| t.size)));
        let unshown = self.door.time.unshown();
        let mut due: Vec<DueRun> = Vec::new();

        for (log, mine) in frontier
            .0
            .iter()
            .filter(|(log, _)| both_may_see(&self.door.me, to, log))
        {
            let Some(held) = theirs.0.get(log).filter(|t| t.size > 0) else {
                due.push((log.lane, *log, 0, mine.size, false));
                continue;
            };
            if held.size > mine.size {
                continue;
            }

            let root = if held.size == mine.size {
                Some(mine.root)
            } else {
                root_at(&*self.door.store, log, held.size).await?
            };

            if root == Some(held.root) {
                let signed_anew = log.node == self.door.id() || unshown.contains(log);
                let head = held.size == mine.size && log.lane == Lane::Control && signed_anew;
                if held.size < mine.size || head && !closed.contains(log) {
                    due.push((log.lane, *log, held.size, mine.size, false));
                }
            } else {
                let why = format!(
                    "{} holds another branch of this log than this node: let them connect",
                    to.name
                );

                self.door
                    .note_refusal(
                        log.origin(),
                        "fork_unproven".into(),
                        why.clone(),
                        to.name.clone(),
                    )
                    .await;

                said.left_out.push(LeftOut {
                    log: log.origin(),
                    code: "fork_unproven".into(),
                    why,
                });
            }
        }

        Ok(due)
    }

    /// Records handed over to the crossing that the bundle is for, as only a hub can prove them.
    async fn plan_excerpts(
        &self,
        to: &Enrolment,
        packer: &mut Packer,
        said: &mut BundlePlanned,
    ) -> Result<(), NodeError> {
        let (Role::Hub, Role::Crossing, Some(crossing)) = (self.door.me.role, to.role, to.crossing)
        else {
            return Ok(());
        };

        for record in self
            .door
            .store
            .handed_over_to(&crossing.to_string())
            .await?
        {
            let entries = self.door.excerpt(&record).await.unwrap_or_default();
            if !entries.is_empty() {
                said.excerpts += 1;
                packer.put(
                    PlanItem::Excerpt(record),
                    entries.iter().map(excerpt_bytes).sum(),
                );
            }
        }

        Ok(())
    }

    /// Makes one part of a bundle that was planned, from 1: a file's bytes.
    pub async fn part(&self, bundle: &str, part: u32) -> Result<Vec<u8>, NodeError> {
        let plan = {
            let plans = self.plans.lock().expect("no panic holds it");
            plans.iter().find(|p| p.said.bundle == bundle).cloned()
        };
        let gone = || BundleError::NoSuchBundle {
            bundle: bundle.into(),
            kept: PLANS_MAX,
        };

        let plan = plan.ok_or_else(gone)?;
        let items = part.checked_sub(1).and_then(|n| plan.parts.get(n as usize));
        let parts = plan.said.parts;
        let items = items.ok_or(BundleError::NoSuchPart { parts })?;

        let mut out = PartWriter::new(&plan.to)?;
        let (members, forks) = self.preamble(&plan.to);
        for some in members.chunks(MEMBERS_IN_MESSAGE) {
            out.message(&Message::Members(some.to_vec()))?;
        }

        for some in forks.chunks(FORKS_IN_MESSAGE) {
            out.message(&Message::ForkProofs(some.to_vec()))?;
        }

        for item in items {
            self.write_item(&mut out, item).await?;
        }

        let (body, logs, counts) = out.finish()?;
        let mut manifest = Manifest {
            format: String::new(),
            bundle: bundle.into(),
            part,
            parts: plan.said.parts,
            from: Party::of(&self.door.me),
            enrolment: wadi_log::hex(&self.door.me.to_bytes()),
            to: Party::of(&plan.to),
            made_s: plan.made_s,
            logs,
            counts,
            bytes: 0,
            sha256: String::new(),
        };

        let mut file = manifest.seal(&body, &self.door.keys.log_key).into_bytes();
        file.extend_from_slice(&body);
        if file.len() > BUNDLE_BYTES_MAX {
            return Err(BundleError::TooLarge {
                bytes: file.len(),
                max: BUNDLE_BYTES_MAX,
            }
            .into());
        }

        Ok(file)
    }

    async fn write_item(&self, out: &mut PartWriter, item: &PlanItem) -> Result<(), NodeError> {
        match item {
            PlanItem::Cosigned(head) => {
                let checkpoint = Box::new(head.checkpoint.clone());
                out.message(&Message::Cosigned {
                    checkpoint,
                    cosignature: head.cosignature,
                })?;
            }
            PlanItem::Run { log, from, to } => {
                let mut blocks = BlockReader::new(&*self.door.store, *log, *from, *to);
                while let Some(block) = blocks.next_block().await? {
                    out.block(&block, false)?;
                }
            }
            PlanItem::Carried { log, from } => {
                // Gone since, where the hub's cosignature came another way.
                let bytes = self.door.store.carried_block(log, *from).await?;
                match bytes.as_deref().map(read_carried) {
                    Some(Ok(CarriedBlock::Open(block))) => out.block(&block, true)?,
                    Some(Ok(CarriedBlock::Sealed(sealed))) => out.sealed(&sealed)?,
                    Some(Err(_)) | None => {}
                }
            }
            PlanItem::Head(log) => {
                if let Some(row) = self
                    .door
                    .store
                    .logs()
                    .await?
                    .into_iter()
                    .find(|r| r.log == *log)
                {
                    let from = row.checkpoint.checkpoint.size;
                    out.block(
                        &Block {
                            from,
                            entries: Vec::new(),
                            checkpoint: row.checkpoint,
                        },
                        false,
                    )?;
                }
            }
            PlanItem::Excerpt(record) => {
                let entries = self.door.excerpt(record).await.unwrap_or_default();
                let mut from = 0;
                while from < entries.len() {
                    let some = entries[from..][..excerpt_part(&entries[from..])].to_vec();
                    let count = some.len();
                    out.message(&Message::Excerpt {
                        record: *record,
                        from: from as u32,
                        entries: some,
                    })?;

                    from += count;
                }
            }
        }

        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wadi_log::{Crossing, Epoch, NodeId};

    fn run(n: u8, from: u64, to: u64) -> PlanItem {
        let crossing = Crossing::HUB;
        PlanItem::Run {
            log: LogId {
                node: NodeId([n; 16]),
                epoch: Epoch([0; 8]),
                lane: Lane::Hold,
                crossing,
            },
            from,
            to,
        }
    }

    #[test]
    fn parts_are_filled_in_order_and_a_run_is_broken_where_one_is_full() {
        let budget = 10_000;
        let mut packer = Packer::new((budget + FRONT_BYTES) as u64, 1_000);
        for n in 0..6 {
            packer.put(run(1, n * 10, n * 10 + 10), 3_000);
        }

        packer.put(run(2, 0, 10), 40_000);
        packer.put(run(2, 10, 20), 10);
        let ranges: Vec<Vec<(u8, u64, u64)>> = packer
            .parts
            .iter()
            .map(|part| {
                let ranges = part.iter().filter_map(|item| match item {
                    PlanItem::Run { log, from, to } => Some((log.node.0[0], *from, *to)),
                    _ => None,
                });
                ranges.collect::<Vec<_>>()
            })
            .collect();

        let expected = vec![
            vec![(1, 0, 20)],
            vec![(1, 20, 40)],
            vec![(1, 40, 60)],
            vec![(2, 0, 10)],
            vec![(2, 10, 20)],
        ];

        assert_eq!(ranges, expected);
    }
}
