//! The entries that a write is based on: those that it names, or of the record's heads as many as
//! an entry has room for.

use std::collections::BTreeMap;
use wadi_log::{BASED_ON_MAX, NodeId, Reference};
use wadi_record::RecordError;

/// Heads that a write is based on at most, where it names no entries itself. An entry may name 256,
/// which is most of its bytes: so many leave room for what it says. Without a bound it would be no
/// entry, and whoever adds hundreds to a record that nobody has seen yet would keep everybody else
/// from writing on it.
const HEADS_MAX: usize = 128;

/// The entries that a write names, ascending and each once. They say what its author had seen, so
/// that none of them is left out: of more than an entry can name nothing is written.
pub(crate) fn base_as_given(given: &[Reference]) -> Result<Vec<Reference>, RecordError> {
    let mut given = given.to_vec();
    given.sort_unstable();
    given.dedup();
    if given.len() <= BASED_ON_MAX {
        return Ok(given);
    }

    let why = format!("names {} entries: {BASED_ON_MAX} at most", given.len());
    Err(RecordError::BadValue {
        field: "based_on".into(),
        why,
    })
}

/// As many of a record's heads as a write is based on that names none, in their order. Of more
/// than that each node has its turn, so that whoever adds entries by the thousand crowds out nobody
/// else. The rest stays what it was, unseen by this write.
pub(crate) fn base_of_heads(entries: Vec<Reference>) -> Vec<Reference> {
    if entries.len() <= HEADS_MAX {
        return entries;
    }

    let mut of_node: BTreeMap<NodeId, usize> = BTreeMap::new();
    let turn = |entry: Reference| {
        let turn = of_node.entry(entry.log.node).or_default();
        *turn = turn.saturating_add(1);
        (*turn, entry)
    };
    let mut in_turn: Vec<(usize, Reference)> = entries.into_iter().map(turn).collect();
    in_turn.sort_unstable();

    let named = in_turn.into_iter().take(HEADS_MAX);
    let mut named: Vec<Reference> = named.map(|(_, entry)| entry).collect();
    named.sort_unstable();
    named
}

#[cfg(test)]
mod tests {
    use super::*;
    use wadi_log::{Crossing, Epoch, Hash, Lane, LogId};

    fn entry(node: u8, epoch: u64) -> Reference {
        Reference {
            log: LogId {
                node: NodeId([node; 16]),
                epoch: Epoch(epoch.to_be_bytes()),
                lane: Lane::Passage,
                crossing: Crossing::HUB,
            },
            seq: 0,
            leaf: Hash::default(),
        }
    }

    #[test]
    fn whoever_adds_entries_by_the_thousand_crowds_out_nobody() {
        let flood = (0..5_000).map(|epoch| entry(1, epoch));
        let honest = [entry(2, 0), entry(3, 0), entry(3, 1)];
        let all: Vec<Reference> = flood.chain(honest).collect();

        let named = base_of_heads(all);
        assert_eq!(named.len(), HEADS_MAX);
        assert!(honest.iter().all(|entry| named.contains(entry)));
        assert!(named.is_sorted());
    }

    #[test]
    fn a_write_is_based_on_all_that_there_is_where_an_entry_has_room_for_it() {
        let few: Vec<Reference> = (0..HEADS_MAX as u64).map(|epoch| entry(1, epoch)).collect();
        assert_eq!(base_of_heads(few.clone()), few);
    }

    #[test]
    fn what_a_write_names_itself_stays_whole_or_is_refused() {
        let given: Vec<Reference> = (0..BASED_ON_MAX as u64).map(|n| entry(1, n)).collect();
        let mut twice = [given.clone(), given.clone()].concat();
        twice.reverse();
        assert_eq!(base_as_given(&twice).unwrap(), given, "each once, in order");
        assert!(given.len() > HEADS_MAX);

        let more: Vec<Reference> = (0..=BASED_ON_MAX as u64).map(|n| entry(1, n)).collect();
        let error = base_as_given(&more).unwrap_err();
        assert_eq!(error.code(), "bad_value");
        assert_eq!(
            error.to_string(),
            "based_on: names 257 entries: 256 at most"
        );
    }
}
