//! Every read of the store, once for both engines: compiled as a part of each, whose dialects share
//! this text. What they do not share (`EACH`, how a list of JSON becomes rows, and
//! `DATABASE_BYTES`) each names itself.

pub(crate) mod at_rest;
pub(crate) mod audit_reads;
mod cells;
mod entries;
mod findings;
mod local;
mod logs;
mod mends;
mod neighbours;
mod records;

use super::{DATABASE_BYTES, DbConn, DbRow, EACH, Engine};
