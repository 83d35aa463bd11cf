//! Spares: nodes that were enrolled and never started, for which nobody waits.
//!
//! A declaration is a hub's word that a node was never heard, and no more: whoever holds anything
//! of the node's logs goes by that, and not by the word. So it cannot hide what a node said, and
//! what it comes to hangs on what is held, never on what came first.

use super::Control;
use crate::{NodeId, Reference, SpareEntry};
use std::collections::{BTreeMap, BTreeSet};

/// What hubs said of spares.
#[derive(Clone, Debug, Default)]
pub(super) struct Spares {
    said: BTreeMap<Reference, SpareEntry>,
    declared: BTreeMap<NodeId, BTreeSet<Reference>>,
    /// Declarations that end, and what ends each.
    ended_by: BTreeMap<Reference, BTreeSet<Reference>>,
}

impl Spares {
    /// Takes in what a hub said of one; whether it is news.
    pub(super) fn learn(&mut self, at: Reference, spare: &SpareEntry) -> bool {
        if self.said.contains_key(&at) {
            return false;
        }

        for ended in &spare.ends {
            self.ended_by.entry(*ended).or_default().insert(at);
        }

        if spare.ends.is_empty() {
            self.declared.entry(spare.node).or_default().insert(at);
        }

        self.said.insert(at, spare.clone());
        true
    }

    pub(super) fn said(&self, at: &Reference) -> Option<&SpareEntry> {
        self.said.get(at)
    }
}

impl Control {
    /// The declarations in force that a node is a spare: by hubs, within what counts of their logs,
    /// and ended by none of theirs. Whoever holds anything of the node's logs waits for it all the
    /// same.
    pub fn spare_declarations(&self, node: &NodeId) -> BTreeSet<Reference> {
        let ends = |at: &&Reference| {
            let ended_by = self.spares.ended_by.get(at).into_iter().flatten();
            let of_node = |end: &&Reference| {
                let said = self.spares.said.get(end);
                said.is_some_and(|said| said.node == *node)
            };
            ended_by.filter(of_node).any(|end| self.fact_counts(end))
        };

        let declared = self.spares.declared.get(node).into_iter().flatten();
        let standing = declared.filter(|at| self.fact_counts(at) && !ends(at));
        standing.copied().collect()
    }

    /// The nodes that are declared spares.
    pub fn declared_spares(&self) -> impl Iterator<Item = NodeId> + '_ {
        let nodes = self.spares.declared.keys().copied();
        nodes.filter(|node| !self.spare_declarations(node).is_empty())
    }
}
