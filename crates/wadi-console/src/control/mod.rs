//! What operators do: resyncs, refusals, members, comparisons, policy.

use crate::Console;
use axum::Router;

/// The routes of these pages.
pub(crate) fn routes() -> Router<Console> {
    Router::new()
}
