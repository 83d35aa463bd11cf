//! A crossing's own day: what passed, what is held, and forms to record by hand.

use crate::Console;
use axum::Router;

/// The routes of these pages.
pub(crate) fn routes() -> Router<Console> {
    Router::new()
}
