//! Rules that watch the records themselves: values that contest each other, and nodes that
//! disagree.

pub(super) mod contested_field;
pub(super) mod replicas_differ;
