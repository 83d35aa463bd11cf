//! A hub's country log, watched from outside: mirrored, cosigned by a witness that others wrote,
//! and compared by sites.

mod histories;
mod mirror;
mod witness;
