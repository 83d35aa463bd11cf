//! Every read of the store, once for both engines: compiled as a part of each, whose dialects share
//! this text. What they do not share (`EACH`, how a list of JSON becomes rows) each names itself.

mod audit_reads;
mod cells;
mod entries;
mod findings;
mod local;
mod logs;
mod mends;
mod neighbours;
mod records;

use super::{DbConn, DbRow, EACH, Engine};
