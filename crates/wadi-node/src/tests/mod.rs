//! Whole nodes in memory, told the same in many orders.

pub(crate) mod captured;
mod cuts;
mod defences;
pub(crate) mod guarded_field;
mod held_trucks;
mod history_pages;
pub(crate) mod hostile_order;
mod nearness;
pub(crate) mod order;
pub(crate) mod reconciler;
mod silent_device;
mod spares;
mod told_right;
mod warned;
mod written;
