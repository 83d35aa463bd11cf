//! Rules that watch people: what officers may do and how often, and travellers who come and go.

pub(super) mod changed_after;
pub(super) mod claimed_unseen;
pub(super) mod no_authority;
pub(super) mod override_outlier;
pub(super) mod person_in_out;
pub(super) mod self_attested;
