//! The country log: what a hub says of everything it holds, for people outside to watch.
//!
//! A hub lists the head of every log that it holds, each day's policy and each cut as leaves of one
//! Merkle tree, which it publishes as C2SP tiles under a checkpoint that it signs with Ed25519 and
//! with ML-DSA-44. Witnesses cosign the checkpoint, a [`TlogPolicy`] says how many of them are
//! enough, and a [`TlogProof`] takes one leaf with all of that to whoever was not there.
//!
//! The texts are those of <https://c2sp.org>: signed-note, tlog-checkpoint, tlog-cosignature,
//! tlog-tiles, tlog-witness, tlog-policy and tlog-proof. Nothing here knows a clock, a disk, a
//! socket or a random source.

// A text is cut between letters: a cut inside a letter of two bytes is a panic.
#![deny(clippy::string_slice)]

mod checkpoint;
mod error;
mod key;
mod leaf;
mod named;
mod policy;
mod proof;
mod tile;
mod tree;
mod witness;

pub use checkpoint::{CountryHead, NOTE_BYTES_MAX, SignedHead};
pub use error::CountryError;
pub use key::{CountryKey, HeadSigner, SignatureKind, VKey};
pub use leaf::{CountryLeaf, LEAF_BYTES_MAX};
pub use named::{ENTRIES_MAX, ListedHead, NamedEntry, ProvenHead};
pub use policy::{Accepted, POLICY_BYTES_MAX, TlogPolicy};
pub use proof::{PROOF_BYTES_MAX, TlogProof};
pub use tile::{TILE_WIDTH, TileKind, TilePath, bundle};
pub use tree::{FullTile, RightEdge, TileAt, Tiles, fold_tile, roots_of, tiles_of};
pub use witness::{ANSWER_BYTES_MAX, CosignAnswer, ask_for_cosignature, read_answer};
