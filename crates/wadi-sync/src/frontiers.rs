//! Telling and comparing frontiers: in full, folded, or only what changed since both last held the
//! same; in parts where they are long; and once more from the beginning where somebody forces it.

mod exchange;
#[cfg(test)]
mod tests;

pub(crate) use exchange::{FrontierExchange, FrontierMemory};

use crate::{
    Session,
    forks::ForkSearch,
    message::{Message, SyncError},
    session::{LIST_ITEMS_MAX, Output, PeerLog, Query, empty_tip, note_refusal},
};
use std::collections::{BTreeMap, BTreeSet};
use wadi_log::{Difference, Folded, Frontier, LogId, NodeId, Tip, compare};

/// Logs named in one message: some 45 bytes each, so that a message stays below its limit.
const LOGS_PER_PART: usize = 2_000;

/// What a frontier message says of itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct FrontierPart {
    /// It answers `Unfold`: all logs of those nodes, closed ones too, are named one by one.
    pub unfolded: bool,
    /// It names only what differs from the frontier that both remember.
    pub since: bool,
    /// More parts of it follow.
    pub more: bool,
}

/// Sends a frontier in as many parts as it needs; `kind` says what it is, and every part says so.
fn send_frontier(folded: Folded, kind: FrontierPart, out: &mut Vec<Output>) {
    let mut open = folded.open.into_iter().peekable();
    let mut closed = folded.closed;
    loop {
        let named: BTreeMap<_, _> = open.by_ref().take(LOGS_PER_PART).collect();
        let more = open.peek().is_some();

        // Digests of closed logs go with the last part.
        let closed = if more {
            BTreeMap::new()
        } else {
            std::mem::take(&mut closed)
        };

        let folded = Folded {
            open: named,
            closed,
        };
        out.push(Output::SendMessage(Message::Frontier {
            folded,
            part: FrontierPart { more, ..kind },
        }));

        if !more {
            return;
        }
    }
}

/// What changed since a past: what grew or is new, and what is held no more, which is told as an
/// empty log.
fn changed_since(
    past: &Frontier,
    mine: &Frontier,
    is_compared: impl Fn(&LogId) -> bool,
) -> BTreeMap<LogId, Tip> {
    let changed = mine
        .0
        .iter()
        .filter(|(log, tip)| past.0.get(log) != Some(tip))
        .map(|(log, tip)| (*log, *tip));

    let gone = past
        .0
        .keys()
        .filter(|log| !mine.0.contains_key(log) && is_compared(log))
        .map(|log| (*log, empty_tip()));

    changed.chain(gone).collect()
}

impl Session {
    /// Tells this node's frontier, once: only what changed, where both remember the same past.
    pub(crate) fn tell_frontier(&mut self, out: &mut Vec<Output>) {
        if !self.exchange.begin_telling() {
            return;
        }

        let mine = self.visible_frontier();
        if let Some(past) = self.common_past() {
            let folded = Folded {
                open: changed_since(past, &mine, |log| self.lanes_here.compares(log.lane)),
                closed: BTreeMap::new(),
            };
            let kind = FrontierPart {
                since: true,
                ..FrontierPart::default()
            };

            send_frontier(folded, kind, out);
            return;
        }

        send_frontier(mine.fold(&self.closed_logs()), FrontierPart::default(), out);
    }

    fn closed_logs(&self) -> BTreeSet<LogId> {
        self.start
            .as_ref()
            .map(|s| s.closed.clone())
            .unwrap_or_default()
    }

    /// Whether both remember the same past: neither has lost what it was told in it.
    pub fn shares_past(&self) -> bool {
        self.common_past().is_some()
    }

    /// The frontier that both ends remember to have held alike.
    fn common_past(&self) -> Option<&Frontier> {
        let past = self.start.as_ref()?.remembered.as_ref()?;
        self.memory.is_shared(past).then_some(past)
    }

    /// Compares everything once more, from what was read anew: nothing rests that rested before.
    /// The peer answers with its own frontier; each compares by itself.
    pub(crate) fn compare_anew(&mut self, frontier: Frontier, out: &mut Vec<Output>) {
        let Some(start) = &mut self.start else { return };
        start.frontier = frontier;
        self.logs.values_mut().for_each(PeerLog::begin_anew);
        self.exchange.compare_anew();

        out.push(Output::SendMessage(Message::Recompare));
        let folded = self.visible_frontier().fold(&self.closed_logs());
        send_frontier(folded, FrontierPart::default(), out);
    }

    /// The peer compares everything once more: its frontier follows.
    pub(crate) fn peer_compares_anew(&mut self) {
        self.exchange.peer_compares_anew();
        self.memory.note_peers(None);
        self.logs.values_mut().for_each(PeerLog::begin_anew);
    }

    /// Takes a part of the peer's frontier, and compares when it is the last.
    pub(crate) fn receive_frontier(
        &mut self,
        named: Folded,
        part: FrontierPart,
        out: &mut Vec<Output>,
    ) -> Result<(), SyncError> {
        let mut partial = self.exchange.continue_part(part)?;
        for (log, tip) in named.open {
            // What only the peer may see cannot matter here.
            if self.visible(&log) {
                partial.add_log(log, tip, self.own_tip(&log).size > 0);
            }
        }

        for (node, folded) in named.closed {
            partial.add_closed(node, folded);
        }

        if part.more {
            self.exchange.keep_part(partial);
            return Ok(());
        }

        if partial.left_out > 0 {
            let why = format!(
                "{} of the logs that the peer names are not heeded: it names too many",
                partial.left_out
            );
            note_refusal(out, self.peer_node().to_string(), "frontier_too_long", &why);
        }

        let mut whole = partial.whole;
        if part.since {
            let Some(past) = self.common_past() else {
                return Err(SyncError::BadMessage(
                    "a frontier since a past that is not remembered here".into(),
                ));
            };

            let mut open = past.0.clone();
            open.extend(whole.open);
            whole.open = open;
        }

        self.compare_frontiers(whole, part, out);
        Ok(())
    }

    /// Compares the peer's frontier, which has come whole, with this node's.
    fn compare_frontiers(&mut self, theirs: Folded, part: FrontierPart, out: &mut Vec<Output>) {
        // A peer that did not know this node before compares, whatever the digests.
        self.tell_frontier(out);

        let mine = self.visible_frontier();
        let theirs = Folded {
            open: theirs
                .open
                .into_iter()
                .filter(|(log, tip)| tip.size > 0 && self.visible(log))
                .collect(),
            closed: theirs.closed,
        };

        if part.unfolded {
            self.compare_unfolded(&mine, &theirs, out);
        } else {
            // Where only changes are told, every log is known by name: nothing is folded.
            let closed = if part.since {
                BTreeSet::new()
            } else {
                self.closed_logs()
            };

            let (differences, unfold) = compare(&mine, &closed, &theirs);
            self.phase.run();

            // A node's closed logs that only the peer holds are pushed by the peer; those to be
            // pushed from here, or held by both and different, have to be named.
            if !unfold.is_empty() {
                self.exchange.await_unfolded(unfold.clone());
                let nodes = unfold.into_iter().collect();
                out.push(Output::SendMessage(Message::Unfold(nodes)));
            }

            self.apply_differences(&mine, differences, out);
            self.show_uncosigned(out);
        }

        if let Some(all) = self.exchange.take_compared() {
            out.push(Output::Compared(all));
        }

        self.pump(out);
        self.note_in_step(out);
    }

    /// All logs of the nodes asked for, closed ones too, are named: what is not named is not held.
    fn compare_unfolded(&mut self, mine: &Frontier, theirs: &Folded, out: &mut Vec<Output>) {
        let mut nodes = self.exchange.end_unfolding();
        nodes.extend(theirs.open.keys().map(|l| l.node));

        let named = Frontier(
            mine.0
                .iter()
                .filter(|(l, _)| nodes.contains(&l.node))
                .map(|(l, t)| (*l, *t))
                .collect(),
        );

        let (differences, _) = compare(&named, &BTreeSet::new(), theirs);
        self.apply_differences(&named, differences, out);
    }

    /// Notes for each log how much of it the peer holds, and begins a search where that is not
    /// known to be a prefix of what is held here.
    fn apply_differences(
        &mut self,
        mine: &Frontier,
        differences: BTreeMap<LogId, Difference>,
        out: &mut Vec<Output>,
    ) {
        for (log, tip) in &mine.0 {
            if !differences.contains_key(log) && !self.exchange.unfolds(&log.node) {
                let link = self.logs.entry(*log).or_default();
                link.theirs = tip.size;
                link.sent = link.sent.max(tip.size);
                link.checked = true;
            }
        }

        self.exchange.note_differences(&differences);
        for (log, difference) in differences {
            let link = self.logs.entry(log).or_default();
            match difference {
                // What is on its way to the peer need not be sent again.
                Difference::Ahead { theirs }
                    if link.checked && link.theirs <= theirs.size && theirs.size < link.sent =>
                {
                    link.theirs = theirs.size;
                }
                Difference::Ahead { theirs } => {
                    link.holds(theirs.size);
                    link.checked = theirs.size == 0;
                    if !link.checked {
                        // Their root has to be mine at that size; the answer is compared with it.
                        let roots = BTreeMap::from([(theirs.size, theirs.root)]);
                        link.fork_search = Some(ForkSearch::new(theirs.size, Some(roots)));
                        out.push(Output::AskStore(Query::Roots {
                            log,
                            sizes: vec![theirs.size],
                            for_peer: false,
                        }));
                    }
                }
                Difference::Behind { theirs } => link.holds(theirs.size),
                Difference::Forked { theirs } => {
                    link.theirs = theirs.size;
                    link.stuck = true;
                    link.fork_search = Some(ForkSearch::new(theirs.size, None));
                    self.advance_fork_search(log, out);
                }
            }
        }
    }

    /// Answers `Unfold`.
    pub(crate) fn answer_unfold(&mut self, nodes: &[NodeId], out: &mut Vec<Output>) {
        let wanted = self.exchange.unfold(nodes);
        if wanted.is_empty() {
            return;
        }

        let open = self
            .visible_frontier()
            .0
            .into_iter()
            .filter(|(l, _)| wanted.contains(&l.node))
            .collect();

        let folded = Folded {
            open,
            closed: BTreeMap::new(),
        };
        let kind = FrontierPart {
            unfolded: true,
            ..FrontierPart::default()
        };

        send_frontier(folded, kind, out);
    }

    /// Gives what both hold alike to be remembered until the next contact, where that is news.
    pub(crate) fn remember_frontier(&mut self, out: &mut Vec<Output>) {
        let held = self.visible_frontier();
        if self.memory.is_news(&held) {
            out.push(Output::RememberFrontier(Box::new(held)));
        }
    }
}
