//! Signed logs: who said it.
//!
//! An [`Entry`] is canonical protobuf bytes. A node appends entries to its own logs; a log is an
//! RFC 6962 Merkle tree whose size and root its author signs as a [`Checkpoint`] (a C2SP signed
//! note). Whoever stores a checkpoint countersigns it with a [`Cosignature`]. Two checkpoints of
//! one log that cannot both be true make a [`ForkProof`]; a hub answers with a cut, and [`Control`]
//! says of every entry what it counts for, from bytes alone.
//!
//! Knows nothing of passages, disks, sockets, clocks or random sources.

// A text is cut between letters: a cut inside a letter of two bytes is a panic.
#![deny(clippy::string_slice)]

mod beginnings;
mod block;
mod control;
pub mod defence;
mod entry;
mod error;
mod evidence;
mod fork;
mod frontier;
mod ids;
mod member;
mod merkle;
mod note;
mod patch;
mod shared;
mod ssh;
mod stretch;

#[allow(missing_docs, clippy::all)]
pub(crate) mod pb {
    include!(concat!(env!("OUT_DIR"), "/wadi.v1.rs"));
}

pub use block::{
    BLOCK_ENTRIES_MAX, Block, VerifiedBlock, VerifiedEntry, verify_block, verify_excerpt,
};
pub use control::{Bound, Control, CutFact, LogState, LogVerdict, MemberAct, SaidMemberAct};
pub use entry::{
    ALARM_ABOUT_BYTES_MAX, ALARM_BYTES_MAX, Admit, AlarmEntry, BASED_ON_MAX, Body, Boot,
    CHAIN_NAME_BYTES_MAX, CUT_HEADS_MAX, ChainHeadEntry, Change, Closure, Common, Cut, CutTarget,
    ENTRY_BYTES_MAX, EVENT_BYTES_MAX, Entry, Head, IssuedToken, KEY_BYTES_MAX, OfficerEntry,
    OfficerKeyEntry, PUTS_MAX, PolicyEntry, Put, Reading, ReleaseToken, ResyncOrder, ResyncReport,
    SPARE_REASON_BYTES_MAX, Seen, SpareEntry, VALUE_BYTES_MAX, Value,
};
pub use error::LogError;
pub use evidence::{
    EVIDENCE_BYTES_MAX, Evidence, EvidenceError, EvidenceRole, EvidenceWriter, ProvenStatement,
    verify_evidence,
};
pub use fork::{Branch, ForkProof};
pub use frontier::{Difference, Folded, Frontier, Tip, compare};
pub use ids::{
    Crossing, Epoch, Hash, Lane, LogId, NodeId, RecordId, Reference, Seq, check_char, hex, unhex,
};
pub use member::{Enrolment, Grant, Role, RootKey, Scope};
pub use merkle::{Peaks, Subtree, TILE_LEVELS, leaf_hash, node_hash, proof};
pub use note::{
    Checkpoint, Cosignature, LogKey, SignedCheckpoint, note_key_id, parse_note, verify_ed25519,
    verify_seal,
};
pub use patch::{EntryRun, HeldTree, verify_patch};
pub use ssh::{SSH_TEXT_BYTES_MAX, SshKey, SshSignature, ssh_signed_bytes, ssh_string};
pub use stretch::{Stretch, VerifiedStretch, stretch_ranges, verify_stretch};
