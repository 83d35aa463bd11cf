//! The link lab: thin links without a radio.
//!
//! One model of a link ([`LinkModel`]) knows neither clock nor socket. Two things run it: a proxy
//! in user space that real processes talk through ([`UdpLink`], [`TcpLink`]), and quinn's state
//! machines in virtual time ([`VirtualWorld`]), where hours take milliseconds and no other work on
//! the machine changes what comes of them.
//!
//! Nothing here is part of a node.

// A text is cut between letters: a cut inside a letter of two bytes is a panic.
#![deny(clippy::string_slice)]

mod command;
mod counters;
mod loss;
mod model;
mod profile;
mod schedule;
mod schedule_run;
mod tcp;
mod text;
mod udp;
mod virtual_time;
mod way;

pub use command::LinkCommand;
pub use counters::{PacketCount, WayCounters};
pub use loss::PacketLoss;
pub use model::{Heading, LinkModel};
pub use profile::{Handover, LinkProfile, WayProfile};
pub use schedule::LinkSchedule;
pub use tcp::TcpLink;
pub use text::LabError;
pub use udp::UdpLink;
pub use virtual_time::{EndSettings, HUB, SITE, Transfer, Tuner, VirtualWorld};
pub use way::{LinkWay, PacketArrival, SegmentTimes};
