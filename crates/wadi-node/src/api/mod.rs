//! What porches and commands read of a node.

pub(crate) mod evidence;
pub(crate) mod history;
pub(crate) mod lists;
pub(crate) mod read;
pub(crate) mod tokens;
