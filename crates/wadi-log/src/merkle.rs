//! RFC 6962 Merkle trees, section 2.1: appending, roots, inclusion and consistency proofs.
//!
//! Nothing here reads a whole log. Appending needs the [`Peaks`]; a proof is planned as ranges of
//! leaves, each range is made of perfect [`Subtree`]s, and whoever holds the log fetches just those
//! hashes. Hashes of perfect subtrees are kept at every [`TILE_LEVELS`]-th level: one 32-byte row
//! for 64 entries, and never more than 63 + 63 hashes to read for a missing one.

use crate::{Hash, LogError};
use sha2::{Digest, Sha256};

/// Hashes of perfect subtrees are kept at multiples of this level.
pub const TILE_LEVELS: u8 = 6;

pub(crate) fn sha256(parts: &[&[u8]]) -> Hash {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    Hash(hasher.finalize().into())
}

/// SHA-256(0x00 ‖ entry).
pub fn leaf_hash(entry: &[u8]) -> Hash {
    sha256(&[&[0], entry])
}

/// SHA-256(0x01 ‖ left ‖ right).
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    sha256(&[&[1], &left.0, &right.0])
}

/// A perfect subtree: `2^level` leaves from `index * 2^level`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Subtree {
    /// 0 for a leaf.
    pub level: u8,
    /// Which of its level.
    pub index: u64,
}

/// The roots of the perfect subtrees that make up a tree of some size, from left to right: all that
/// appending needs.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Peaks {
    size: u64,
    hashes: Vec<Hash>,
}

impl Peaks {
    /// Leaves so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The hashes, 32 bytes each from left to right.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.hashes.iter().flat_map(|h| h.0).collect()
    }

    /// Reads what [`Self::to_bytes`] wrote for a tree of `size` leaves.
    pub fn from_parts(size: u64, bytes: &[u8]) -> Result<Self, LogError> {
        if bytes.len() != size.count_ones() as usize * 32 {
            return Err(LogError::malformed(
                "peaks",
                format!("{} bytes for size {size}", bytes.len()),
            ));
        }

        let hashes = bytes
            .chunks_exact(32)
            .map(|c| Hash(c.try_into().expect("32 bytes")))
            .collect();

        Ok(Self { size, hashes })
    }

    /// Appends a leaf; returns the perfect subtrees that it completed at levels to be kept.
    pub fn append(&mut self, leaf: Hash) -> Vec<(Subtree, Hash)> {
        let mut hash = leaf;
        let mut kept = Vec::new();
        let mut level = 0;
        while self.size >> level & 1 == 1 {
            let left = self
                .hashes
                .pop()
                .expect("a peak for each set bit of the size");

            hash = node_hash(&left, &hash);
            level += 1;

            if level % TILE_LEVELS == 0 {
                kept.push((
                    Subtree {
                        level,
                        index: self.size >> level,
                    },
                    hash,
                ));
            }
        }

        self.hashes.push(hash);
        self.size += 1;
        kept
    }

    /// The root; SHA-256 of nothing for an empty tree.
    pub fn root(&self) -> Hash {
        fold(&self.hashes)
    }
}

/// The root over adjacent perfect subtrees, from left to right.
pub(crate) fn fold(hashes: &[Hash]) -> Hash {
    let Some((last, rest)) = hashes.split_last() else {
        return sha256(&[]);
    };
    rest.iter()
        .rev()
        .fold(*last, |right, left| node_hash(left, &right))
}

/// Planning, assembling and checking proofs.
pub mod proof {
    use super::{Hash, LogError, Subtree, fold, node_hash};
    use std::collections::HashMap;

    /// Leaves `[start, end)` whose root is one element of a proof.
    pub type LeafRange = (u64, u64);

    pub(crate) fn split(n: u64) -> u64 {
        debug_assert!(n > 1);
        1 << (63 - (n - 1).leading_zeros())
    }

    /// The ranges whose roots make the audit path of leaf `index` in a tree of `size` (RFC 6962,
    /// 2.1.1).
    pub fn inclusion_ranges(index: u64, size: u64) -> Vec<LeafRange> {
        let mut lo = 0;
        let mut hi = size;
        let mut out = Vec::new();
        while hi - lo > 1 {
            let mid = lo + split(hi - lo);
            if index < mid {
                out.push((mid, hi));
                hi = mid;
            } else {
                out.push((lo, mid));
                lo = mid;
            }
        }

        out.reverse();
        out
    }

    /// The ranges whose roots make the consistency proof between `old` and `new` sizes (RFC 6962,
    /// 2.1.2).
    pub fn consistency_ranges(old: u64, new: u64) -> Vec<LeafRange> {
        if old == 0 || old >= new {
            return Vec::new();
        }

        let mut lo = 0;
        let mut hi = new;
        let mut whole = true;
        let mut out = Vec::new();
        loop {
            if old == hi {
                if !whole {
                    out.push((lo, hi));
                }
                break;
            }

            let mid = lo + split(hi - lo);
            if old <= mid {
                out.push((mid, hi));
                hi = mid;
            } else {
                out.push((lo, mid));
                lo = mid;
                whole = false;
            }
        }

        out.reverse();
        out
    }

    /// The perfect subtrees that make up a range, from left to right.
    pub fn subtrees(range: LeafRange) -> Vec<Subtree> {
        let (mut at, end) = range;
        let mut out = Vec::new();
        while at < end {
            let fits = 63 - (end - at).leading_zeros() as u8;
            let aligned = if at == 0 {
                63
            } else {
                at.trailing_zeros() as u8
            };

            let level = fits.min(aligned);
            out.push(Subtree {
                level,
                index: at >> level,
            });
            at += 1 << level;
        }

        out
    }

    /// Roots of ranges, out of the hashes of their subtrees.
    pub fn assemble(
        ranges: &[LeafRange],
        hashes: &HashMap<Subtree, Hash>,
    ) -> Result<Vec<Hash>, LogError> {
        let root = |range: &LeafRange| {
            let parts: Option<Vec<Hash>> = subtrees(*range)
                .iter()
                .map(|s| hashes.get(s).copied())
                .collect();

            parts.map(|p| fold(&p)).ok_or_else(|| {
                LogError::malformed("proof", format!("hashes missing for {range:?}"))
            })
        };

        ranges.iter().map(root).collect()
    }

    /// The root that leaf `index` and its audit path lead to (RFC 9162, 2.1.3.2).
    pub fn root_from_inclusion(
        leaf: Hash,
        index: u64,
        size: u64,
        path: &[Hash],
    ) -> Result<Hash, LogError> {
        let bad = |why: &str| Err(LogError::malformed("inclusion proof", why));
        if index >= size {
            return bad("the leaf lies outside the tree");
        }

        let mut f = index;
        let mut s = size - 1;
        let mut root = leaf;
        for p in path {
            if s == 0 {
                return bad("too long");
            }

            if f & 1 == 1 || f == s {
                root = node_hash(p, &root);
                while f & 1 == 0 && f != 0 {
                    f >>= 1;
                    s >>= 1;
                }
            } else {
                root = node_hash(&root, p);
            }

            f >>= 1;
            s >>= 1;
        }

        if s != 0 { bad("too short") } else { Ok(root) }
    }

    /// Checks that the tree of `old_size` is a prefix of the tree of `new_size` (RFC 9162,
    /// 2.1.4.2).
    pub fn check_consistency(
        (old_size, old_root): (u64, Hash),
        (new_size, new_root): (u64, Hash),
        proof: &[Hash],
    ) -> Result<(), LogError> {
        let bad = LogError::Mismatch {
            what: "consistency proof",
        };
        if old_size == new_size {
            return if proof.is_empty() && old_root == new_root {
                Ok(())
            } else {
                Err(bad)
            };
        }

        if old_size > new_size {
            return Err(LogError::malformed(
                "consistency proof",
                "the old tree is the larger one",
            ));
        }

        if old_size == 0 {
            return if proof.is_empty() && old_root == fold(&[]) {
                Ok(())
            } else {
                Err(bad)
            };
        }

        let mut path: Vec<Hash> = Vec::with_capacity(proof.len() + 1);
        if old_size.is_power_of_two() {
            path.push(old_root);
        }

        path.extend_from_slice(proof);
        let (first, rest) = path
            .split_first()
            .ok_or(LogError::malformed("consistency proof", "empty"))?;
        let (mut f, mut s) = (old_size - 1, new_size - 1);
        while f & 1 == 1 {
            f >>= 1;
            s >>= 1;
        }

        let (mut fr, mut sr) = (*first, *first);
        for c in rest {
            if s == 0 {
                return Err(LogError::malformed("consistency proof", "too long"));
            }

            if f & 1 == 1 || f == s {
                fr = node_hash(c, &fr);
                sr = node_hash(c, &sr);
                while f & 1 == 0 && f != 0 {
                    f >>= 1;
                    s >>= 1;
                }
            } else {
                sr = node_hash(&sr, c);
            }

            f >>= 1;
            s >>= 1;
        }

        if s == 0 && fr == old_root && sr == new_root {
            Ok(())
        } else {
            Err(bad)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    // The reference inputs and roots of the RFC 6962 test data (certificate-transparency,
    // merkletree test).
    const INPUTS: [&str; 8] = [
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    ];
    const ROOTS: [&str; 8] = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];

    #[test]
    fn the_published_roots_of_rfc_6962_come_out() {
        let mut peaks = Peaks::default();
        assert_eq!(
            peaks.root().to_string(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );

        for (input, root) in INPUTS.iter().zip(ROOTS) {
            peaks.append(leaf_hash(
                &data_encoding::HEXLOWER.decode(input.as_bytes()).unwrap(),
            ));
            assert_eq!(peaks.root().to_string(), root);
        }

        // Published audit paths: leaf 0 in a tree of 8 and leaf 5 in a tree of 8, leaf 2 in a tree
        // of 3.
        let leaves: Vec<Hash> = INPUTS
            .iter()
            .map(|i| leaf_hash(&data_encoding::HEXLOWER.decode(i.as_bytes()).unwrap()))
            .collect();
        let path = path_of(&leaves, &proof::inclusion_ranges(0, 8));
        assert_eq!(
            path.iter().map(ToString::to_string).collect::<Vec<_>>(),
            [
                "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"
            ]
        );

        let path = path_of(&leaves[..3], &proof::inclusion_ranges(2, 3));
        assert_eq!(
            path[0].to_string(),
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"
        );

        // Published consistency proof 6 → 8.
        let path = path_of(&leaves, &proof::consistency_ranges(6, 8));
        assert_eq!(
            path.iter().map(ToString::to_string).collect::<Vec<_>>(),
            [
                "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"
            ]
        );
    }

    fn path_of(leaves: &[Hash], ranges: &[proof::LeafRange]) -> Vec<Hash> {
        let mut hashes = HashMap::new();
        for range in ranges {
            for s in proof::subtrees(*range) {
                let mut part = Peaks::default();
                let start = (s.index << s.level) as usize;
                leaves[start..start + (1 << s.level)]
                    .iter()
                    .for_each(|l| drop(part.append(*l)));
                hashes.insert(s, part.root());
            }
        }

        proof::assemble(ranges, &hashes).unwrap()
    }

    fn tree(n: u64) -> (Vec<Hash>, Vec<Hash>) {
        let (mut peaks, mut leaves, mut roots) =
            (Peaks::default(), vec![], vec![Peaks::default().root()]);
        for i in 0..n {
            let leaf = leaf_hash(&i.to_be_bytes());
            peaks.append(leaf);
            leaves.push(leaf);
            roots.push(peaks.root());
        }

        (leaves, roots)
    }

    proptest! {
        #[test]
        fn every_leaf_is_proven_and_no_other(
            size in 1u64..300,
            at in 0u64..300,
            bit in 0usize..256,
        ) {
            let at = at % size;
            let (leaves, roots) = tree(size);
            let path = path_of(&leaves, &proof::inclusion_ranges(at, size));
            let root = proof::root_from_inclusion(leaves[at as usize], at, size, &path).unwrap();
            prop_assert_eq!(root, roots[size as usize]);
            let mut other = leaves[at as usize];
            other.0[bit / 8] ^= 1 << (bit % 8);
            prop_assert_ne!(proof::root_from_inclusion(other, at, size, &path).unwrap(), root);
            let longer = [&path[..], &[root]].concat();
            prop_assert!(
                proof::root_from_inclusion(leaves[at as usize], at, size, &longer).is_err()
            );
        }

        #[test]
        fn a_prefix_is_consistent_and_a_rewritten_one_is_not(
            new in 1u64..300,
            old in 0u64..300,
            at in 0u64..300,
        ) {
            let old = old % (new + 1);
            let (leaves, roots) = tree(new);
            let path = path_of(&leaves, &proof::consistency_ranges(old, new));
            let (was, is) = ((old, roots[old as usize]), (new, roots[new as usize]));
            proof::check_consistency(was, is, &path).unwrap();
            if old > 0 {
                let mut changed = leaves.clone();
                changed[(at % old) as usize].0[0] ^= 1;
                let mut peaks = Peaks::default();
                changed.iter().for_each(|l| drop(peaks.append(*l)));
                let path = path_of(&changed, &proof::consistency_ranges(old, new));
                prop_assert!(proof::check_consistency(was, (new, peaks.root()), &path).is_err());
            }
        }

        #[test]
        fn kept_subtrees_have_the_roots_of_their_leaves(size in 1u64..5000) {
            let (leaves, _) = tree(size);
            let mut peaks = Peaks::default();
            let mut kept = vec![];
            for leaf in &leaves {
                kept.extend(peaks.append(*leaf));
            }
            for (subtree, hash) in kept {
                let start = (subtree.index << subtree.level) as usize;
                let mut part = Peaks::default();
                for leaf in &leaves[start..start + (1 << subtree.level)] {
                    part.append(*leaf);
                }
                prop_assert_eq!(part.root(), hash);
            }
            let again = Peaks::from_parts(size, &peaks.to_bytes()).unwrap();
            prop_assert_eq!(again, peaks);
        }
    }
}
