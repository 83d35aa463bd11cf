//! What the control logs have that is about no record: orders of resyncs and the reports that
//! answer them, alarms of nodes, and how far the chains go that they keep for themselves.

use super::told_chain::ToldChain;
use std::collections::BTreeMap;
use wadi_log::{AlarmEntry, Body, ChainHeadEntry, Hash, LogId, NodeId, Reference, ResyncOrder};

/// Begins the names of chains that are a hub's country logs: their lines are leaves, and the hash
/// is the root over them.
pub(crate) const COUNTRY: &str = "country_";

/// Alarms that are remembered of one node: it may be about as many things as it invents.
const ALARMS_MAX: usize = 32;

/// Chains of one node that are remembered. A hub has one more each time that its country log begins
/// anew.
const CHAINS_MAX: usize = 8;

/// Orders, reports, alarms and heads of chains as the control logs have them.
#[derive(Debug, Default)]
pub(crate) struct Orders {
    pub(crate) orders: BTreeMap<Reference, ResyncOrder>,
    /// By order: who reported, and what.
    pub(crate) reports: BTreeMap<Reference, BTreeMap<NodeId, String>>,
    /// By node and what it is about: what was said last of it, and where.
    alarms: BTreeMap<NodeId, BTreeMap<String, (Reference, AlarmEntry)>>,
    /// By node and chain: what was told of it.
    chain_heads: BTreeMap<NodeId, BTreeMap<String, ToldChain>>,
}

impl Orders {
    /// Takes in an entry of a control log whose author may say it.
    pub(crate) fn learn(&mut self, at: Reference, body: &Body) -> bool {
        match body {
            Body::ResyncOrder(order) => self.orders.insert(at, order.clone()).is_none(),
            Body::ResyncReport(report) => self
                .reports
                .entry(report.order)
                .or_default()
                .insert(at.log.node, report.text.clone())
                .is_none(),
            Body::Alarm(alarm) => self.learn_alarm(at, alarm),
            Body::ChainHead(head) => self.learn_chain_head(at.log, head),
            _ => false,
        }
    }

    /// The last word of a node counts, by its own counting, in whatever order they come.
    fn learn_alarm(&mut self, at: Reference, alarm: &AlarmEntry) -> bool {
        let of_node = self.alarms.entry(at.log.node).or_default();
        if of_node.len() >= ALARMS_MAX && !of_node.contains_key(&alarm.about) {
            return false;
        }

        let rank = |at: &Reference, alarm: &AlarmEntry| (alarm.turn, *at);
        let held = of_node.get(&alarm.about);
        let is_newer = held.is_none_or(|(held_at, held)| rank(held_at, held) < rank(&at, alarm));
        if is_newer {
            of_node.insert(alarm.about.clone(), (at, alarm.clone()));
        }

        is_newer
    }

    fn learn_chain_head(&mut self, log: LogId, head: &ChainHeadEntry) -> bool {
        let of_node = self.chain_heads.entry(log.node).or_default();
        if of_node.len() >= CHAINS_MAX && !of_node.contains_key(&head.chain) {
            return false;
        }

        let told = of_node.entry(head.chain.clone()).or_default();
        told.learn(log, head.lines, head.head)
    }

    /// What a node told of one of its chains: numbers of lines and their hashes, ascending.
    pub(crate) fn chain_heads(&self, node: &NodeId, chain: &str) -> Vec<(u64, Hash)> {
        let told = self.chain_heads.get(node).and_then(|all| all.get(chain));
        told.map(|told| told.heads().collect()).unwrap_or_default()
    }

    /// The newest head of each chain of a node: its name, the number of its line, and the hash.
    pub(crate) fn newest_chain_heads(
        &self,
        node: &NodeId,
    ) -> impl Iterator<Item = (&str, u64, Hash)> {
        let all = self.chain_heads.get(node).into_iter().flatten();
        all.filter_map(|(chain, told)| {
            let (lines, hash) = told.heads().last()?;
            Some((chain.as_str(), lines, hash))
        })
    }

    /// Nodes that told of two histories of one country log.
    pub(crate) fn two_histories(&self) -> Vec<NodeId> {
        let tells_two = |chains: &BTreeMap<String, ToldChain>| {
            let mut of_country = chains.iter().filter(|(name, _)| name.starts_with(COUNTRY));
            of_country.any(|(_, told)| told.has_two_histories())
        };
        let nodes = self.chain_heads.iter();
        nodes
            .filter(|(_, chains)| tells_two(chains))
            .map(|(node, _)| *node)
            .collect()
    }

    /// How often a node spoke of an alarm, by its own counting.
    pub(crate) fn turns_of(&self, node: &NodeId, about: &str) -> u64 {
        let alarm = self.alarms.get(node).and_then(|all| all.get(about));
        alarm.map_or(0, |(_, alarm)| alarm.turn)
    }

    /// Alarms of a node that have not ended, by what they are about.
    pub(crate) fn alarms_of(&self, node: &NodeId) -> Vec<AlarmEntry> {
        let all = self.alarms.get(node).into_iter().flat_map(BTreeMap::values);
        all.map(|(_, alarm)| alarm)
            .filter(|alarm| !alarm.text.is_empty())
            .cloned()
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::told_chain::HEADS_MAX;
    use super::*;
    use wadi_log::{Crossing, Epoch, Hash, Lane, LogId};

    fn at(epoch: u8, seq: u64) -> Reference {
        let log = LogId {
            node: NodeId([1; 16]),
            epoch: Epoch([epoch; 8]),
            lane: Lane::Control,
            crossing: Crossing::HUB,
        };
        let leaf = Hash::default();
        Reference { log, seq, leaf }
    }

    fn alarm(about: &str, text: &str, turn: u64) -> Body {
        Body::Alarm(AlarmEntry {
            about: about.into(),
            text: text.into(),
            at_ms: 1_000 - turn as i64,
            turn,
        })
    }

    #[test]
    fn the_last_word_of_an_alarm_counts_in_whatever_order_it_comes() {
        let said = [
            (at(1, 3), alarm("clock", "it shows 1970", 1)),
            // Set right, it shows an earlier time than before.
            (at(1, 4), alarm("clock", "", 2)),
            (at(9, 5), alarm("spool", "stuck", 1)),
            (at(2, 1), alarm("spool", "", 2)),
            (at(2, 2), alarm("disk", "low", 1)),
        ];
        for turned in [false, true] {
            let mut orders = Orders::default();
            let mut said = said.clone();
            if turned {
                said.reverse();
            }
            for (reference, body) in &said {
                orders.learn(*reference, body);
            }

            let node = NodeId([1; 16]);
            let left = orders.alarms_of(&node);
            let left: Vec<&str> = left.iter().map(|a| a.text.as_str()).collect();
            assert_eq!(left, ["low"]);
            assert_eq!(orders.turns_of(&node, "spool"), 2);
            assert_eq!(orders.turns_of(&node, "nothing"), 0);
        }
    }

    #[test]
    fn a_node_that_tells_of_chains_without_end_takes_bounded_room() {
        let mut orders = Orders::default();
        let head = |chain: &str, lines: u64| {
            Body::ChainHead(ChainHeadEntry {
                chain: chain.into(),
                lines,
                head: Hash([lines as u8; 32]),
            })
        };
        for n in 1..=2_000_u64 {
            orders.learn(at(1, n), &head("looks", n));
        }
        for name in ["a", "b", "c", "d", "e", "f", "g", "h", "i"] {
            orders.learn(at(2, 1), &head(name, 1));
        }

        let node = NodeId([1; 16]);
        let heads = orders.chain_heads(&node, "looks");
        assert_eq!(heads.len(), HEADS_MAX);
        assert_eq!(heads.last().map(|(lines, _)| *lines), Some(2_000));
        let chains: Vec<&str> = orders.newest_chain_heads(&node).map(|(c, ..)| c).collect();
        assert_eq!(chains, ["a", "b", "c", "d", "e", "f", "g", "looks"]);
    }

    #[test]
    fn a_node_that_invents_alarms_takes_bounded_room() {
        let mut orders = Orders::default();
        for n in 0..1_000_u64 {
            orders.learn(at(1, n), &alarm(&format!("a{n}"), "x", 1));
        }
        assert_eq!(orders.alarms_of(&NodeId([1; 16])).len(), ALARMS_MAX);
    }
}
