//! Rules that watch what devices say: clocks, counters, scales and readers of documents.

pub(super) mod calibration_expired;
pub(super) mod check_digit;
pub(super) mod clock_or_sequence;
