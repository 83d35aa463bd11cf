//! How entries travel: a session between two nodes, as a state machine without IO.
//!
//! A driver owns one [`Session`] per peer connection and runs this loop: hand every event in as an
//! [`Input`]; carry out the [`Output`]s in order; feed the answers of [`Query`]s
//! back as inputs. The session never waits and never fails: what a peer does wrong ends in
//! [`Output::CloseConnection`] or [`Output::NoteRefusal`].
//!
//! 1. Both say `Hello`. Equal digests over what both may see end the exchange.
//! 2. Otherwise both send their `Frontier`: sizes and roots of open logs, closed ones folded.
//! 3. Who holds more of a log sends blocks, the urgent lanes first, within a window; each is
//!    acknowledged when durable.
//! 4. What a node lost in the middle of a log, and the other branch of a forked one, is fetched as
//!    stretches. What differs in a peer's tree is found by a [`SketchSearch`], and with a peer of
//!    an earlier version a level at a time by a [`Bisect`].
//! 5. Equal sizes with different roots, or a root that is not mine at that size, is a fork: it is
//!    searched out with probes and proven, and the proof goes out before anything else.

// A text is cut between letters: a cut inside a letter of two bytes is a panic.
#![deny(clippy::string_slice)]

mod bisect;
mod bounds;
mod bundle;
mod codec;
mod forks;
mod frontiers;
mod link_spec;
mod message;
mod receipt;
mod refuse_reason;
pub mod seal;
mod sealed_block;
mod session;
mod sketch;
mod visible;

#[allow(missing_docs, clippy::all)]
pub(crate) mod pb {
    include!(concat!(env!("OUT_DIR"), "/wadi.sync.v1.rs"));
}

pub use bisect::{Bisect, short_hash};
pub use bundle::{
    BUNDLE_BYTES_MAX, BundleFileError, Counts, FRONT_BYTES_MAX, Frame, FrameReader, FrameWriter,
    LogRange, Manifest, Party,
};
pub use codec::{
    BLOCK_FRAME_BYTES_MAX, BlockDecoder, BlockEncoder, BlockMeter, CodecVersion, CostPart,
    HeldEntry, HeldKey, HeldParts, ReadFrame, Reliance, SaidFrame, Unresolved, decode_plain,
    encode_plain, fits_frame,
};
pub use frontiers::FrontierPart;
pub use link_spec::{
    LINK_NAME_CHARS_MAX, LaneSet, LinkCost, LinkPurpose, LinkSpec, is_link_name, is_urgent,
};
pub use message::{
    ExcerptAmount, ExcerptEntry, FETCH_RANGES_MAX, Fetched, MESSAGE_BYTES_MAX, Message,
    PICK_ENTRIES_MAX, PICK_RANGES_MAX, Picked, Range, ScopeSum, SyncError, TREE_HASHES_MAX,
    TreeAsk,
};
pub use receipt::{RECEIPT_BYTES_MAX, Receipt, ReceiptLog, Witness};
pub use refuse_reason::RefuseReason;
pub use seal::Seal;
pub use sealed_block::{CarriedBlock, SEALED_MARK, SealedBlock, read_carried};
pub use session::{Input, Output, Query, QueryAnswer, Session, Snapshot};
pub use sketch::{LeafSketch, SketchAsk, SketchSearch, TileSketch, tile_row};
pub use visible::{both_may_see, may_take};
