//! Those who may sign in here, and who looked at what.

use crate::Console;
use axum::Router;

/// The routes of these pages.
pub(crate) fn routes() -> Router<Console> {
    Router::new()
}
