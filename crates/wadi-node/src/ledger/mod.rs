//! What is known of logs: plain types, without locks, tasks or clocks.

pub(crate) mod hub_time;
pub(crate) mod repair;
pub(crate) mod seen;
