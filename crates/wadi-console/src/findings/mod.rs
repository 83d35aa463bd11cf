//! Findings: the queue, one with its evidence, cases, statistics.

use crate::Console;
use axum::Router;

/// The routes of these pages.
pub(crate) fn routes() -> Router<Console> {
    Router::new()
}
