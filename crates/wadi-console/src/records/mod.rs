//! Records: searched, listed, one with its state, fields, and history.

use crate::Console;
use axum::Router;

/// The routes of these pages.
pub(crate) fn routes() -> Router<Console> {
    Router::new()
}
