//! Sets of entries, by the number under which each was settled: what an entry is based on, and all
//! that this rests on.
//!
//! A record's entries follow each other in long lines, so that most sets are another one and a
//! little more. They share their blocks: a line of entries costs each of them one block and a
//! pointer for each earlier one, and asking whether an entry had seen another costs a look at one
//! bit.

use std::sync::{Arc, LazyLock};

const WORDS: usize = 8;
const BITS: u32 = 64 * WORDS as u32;

type BitBlock = [u64; WORDS];

/// The block of which nothing is in the set, shared by all sets.
static NOTHING: LazyLock<Arc<BitBlock>> = LazyLock::new(|| Arc::new([0; WORDS]));

/// A set of settled entries.
#[derive(Clone, Default, Debug)]
pub(crate) struct Past {
    blocks: Vec<Arc<BitBlock>>,
}

fn place(number: u32) -> (usize, usize, u64) {
    let block = (number / BITS) as usize;
    let word = (number % BITS / 64) as usize;
    (block, word, 1 << (number % 64))
}

fn covers(all: &BitBlock, part: &BitBlock) -> bool {
    all.iter().zip(part).all(|(a, p)| a & p == *p)
}

impl Past {
    pub(crate) fn contains(&self, number: u32) -> bool {
        let (block, word, bit) = place(number);
        self.blocks.get(block).is_some_and(|b| b[word] & bit != 0)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.numbers().next().is_none()
    }

    pub(crate) fn insert(&mut self, number: u32) {
        let (block, word, bit) = place(number);

        while self.blocks.len() <= block {
            self.blocks.push(NOTHING.clone());
        }

        if self.blocks[block][word] & bit == 0 {
            Arc::make_mut(&mut self.blocks[block])[word] |= bit;
        }
    }

    /// Takes in another set. Blocks that hold nothing new, or all that is here, are shared and not
    /// copied.
    pub(crate) fn unite(&mut self, other: &Self) {
        for (mine, theirs) in self.blocks.iter_mut().zip(&other.blocks) {
            if Arc::ptr_eq(mine, theirs) || covers(mine, theirs) {
                continue;
            }

            if covers(theirs, mine) {
                *mine = theirs.clone();
                continue;
            }

            for (word, more) in Arc::make_mut(mine).iter_mut().zip(theirs.iter()) {
                *word |= more;
            }
        }

        let known = self.blocks.len().min(other.blocks.len());
        self.blocks.extend(other.blocks[known..].iter().cloned());
    }

    /// Whether the two have an entry in common.
    pub(crate) fn meets(&self, other: &Self) -> bool {
        let mut blocks = self.blocks.iter().zip(&other.blocks);
        blocks.any(|(a, b)| a.iter().zip(b.iter()).any(|(a, b)| a & b != 0))
    }

    pub(crate) fn has_all_of(&self, other: &Self) -> bool {
        let nothing = [0; WORDS];
        let mine = |n: usize| self.blocks.get(n).map_or(&nothing, |b| b.as_ref());
        other
            .blocks
            .iter()
            .enumerate()
            .all(|(n, theirs)| covers(mine(n), theirs))
    }

    pub(crate) fn numbers(&self) -> impl Iterator<Item = u32> {
        let words = self.blocks.iter().flat_map(|b| b.iter().copied());
        numbers_in(words)
    }

    /// The entries that are in both, ascending.
    pub(crate) fn common(&self, other: &Self) -> impl Iterator<Item = u32> {
        let blocks = self.blocks.iter().zip(&other.blocks);
        let words = blocks.flat_map(|(a, b)| a.iter().zip(b.iter()).map(|(a, b)| a & b));
        numbers_in(words)
    }
}

/// The numbers of the bits that are set, ascending.
fn numbers_in(words: impl Iterator<Item = u64>) -> impl Iterator<Item = u32> {
    words
        .enumerate()
        .filter(|(_, word)| *word != 0)
        .flat_map(|(n, word)| {
            let start = 64 * n as u32;
            (0..64)
                .filter(move |bit| word & (1 << bit) != 0)
                .map(move |bit| start + bit)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(numbers: impl IntoIterator<Item = u32>) -> Past {
        let mut out = Past::default();
        numbers.into_iter().for_each(|n| out.insert(n));
        out
    }

    #[test]
    fn sets_unite_and_meet_across_blocks() {
        let mut evens = set((0..2_000).step_by(2));
        let threes = set((0..3_000).step_by(3));
        assert!(evens.contains(1_998) && !evens.contains(1_999) && !evens.contains(90_000));
        assert!(evens.meets(&threes) && !set([1, 2_001]).meets(&evens));

        assert!(evens.common(&threes).eq((0..2_000).step_by(6)));

        evens.unite(&threes);
        let all: Vec<u32> = (0..3_000)
            .filter(|n| n % 3 == 0 || n % 2 == 0 && *n < 2_000)
            .collect();
        assert_eq!(evens.numbers().collect::<Vec<_>>(), all);
        assert!(evens.has_all_of(&threes) && !threes.has_all_of(&evens));
    }

    #[test]
    fn a_line_of_entries_shares_its_blocks() {
        let mut line = Past::default();
        let mut kept: Vec<Past> = Vec::new();
        for number in 0..10 * BITS {
            line.insert(number);
            kept.push(line.clone());
        }

        let mut blocks: Vec<*const BitBlock> = kept
            .iter()
            .flat_map(|p| p.blocks.iter().map(Arc::as_ptr))
            .collect();

        blocks.sort();
        blocks.dedup();
        assert_eq!(
            blocks.len(),
            10 * BITS as usize,
            "one block for each entry, and not one for each before it"
        );
    }
}
