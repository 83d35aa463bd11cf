//! Rules that watch holds: who placed and lifted them, what was sampled, and what is kept in
//! custody.

pub(super) mod custody_broken;
pub(super) mod passed_while_held;
pub(super) mod released_against_result;
pub(super) mod released_unseen_hold;
pub(super) mod result_overdue;
