//! Every read of the store, once for both engines: compiled as a part of each, whose dialects share
//! this text. What they do not share (`EACH`, how a list of JSON becomes rows, and
//! `DATABASE_BYTES`) each names itself.

mod at_rest;
mod audit_reads;
mod cells;
mod entries;
mod findings;
mod local;
mod logs;
mod mends;
mod neighbours;
mod records;

pub(crate) use at_rest::{
    cipher_to_read, copy_row, found_cells, local_value, open_cipher, said_key, say_key,
};
pub(crate) use audit_reads::ConnAudit;

use super::{DATABASE_BYTES, DbConn, DbRow, EACH, Engine};
pub(crate) use at_rest::secret;
use at_rest::secret_or_rot;
