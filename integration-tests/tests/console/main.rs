//! The console, in a real browser and over plain HTTP, at hubs and at crossings.

mod control;
mod defences;
mod findings;
mod live;
mod passkeys;
mod records;
mod sign_in;
mod sites;
mod thin;
mod today;
