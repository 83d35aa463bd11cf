//! What keeps a node sound without anybody asking: scrubs, resyncs, what is read back, room on the
//! disk.

pub(crate) mod replica_digest;
pub(crate) mod resync;
pub(crate) mod resync_row;
pub(crate) mod resync_run;
pub(crate) mod room;
pub(crate) mod salvage;
pub(crate) mod scrub;
pub(crate) mod scrub_rest;
