//! Sites: the board with its map, and each site with its contacts.

use crate::Console;
use axum::Router;

/// The routes of these pages.
pub(crate) fn routes() -> Router<Console> {
    Router::new()
}
