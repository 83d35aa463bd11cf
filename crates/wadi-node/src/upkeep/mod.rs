//! What keeps a node sound without anybody asking: scrubs, resyncs, what is read back, room on the
//! disk.

pub(crate) mod replica_digest;
pub(crate) mod resync;
mod resync_orders;
pub(crate) mod resync_row;
pub(crate) mod resync_run;
mod resync_verify;
pub(crate) mod room;
pub(crate) mod salvage;
mod salvage_keys;
mod salvage_place;
pub(crate) mod scrub;
mod scrub_log;
mod scrub_replaced;
mod scrub_rest;
mod scrub_walk;
