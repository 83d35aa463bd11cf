//! Records: what was said.
//!
//! A record is a set of entries. [`Record`] makes of them one Automerge document, the same on every
//! node; its fields are read as [`Field::Settled`] or [`Field::Contested`], its events are folded
//! into a [`State`] under the authority that each author had. Alone in the house, this crate names
//! automerge, and there only in `document.rs`.
//!
//! Knows nothing of logs' proofs, disks, sockets or clocks.

#![deny(clippy::string_slice)]

mod ancestry;
mod authority;
mod blame;
mod carriage;
mod check_digits;
mod clearings;
mod come_to;
mod contained;
mod decision;
mod device_numbers;
mod document;
mod doubts;
mod drafts;
mod error;
mod event_index;
mod events;
mod evidence;
mod field_rights;
mod fields;
mod foreign;
mod forms;
mod graph;
mod held;
mod joins;
mod judged_change;
mod kinds;
mod missing;
mod normal;
mod policy;
mod project;
mod ranges;
mod reading;
mod record;
pub mod schema;
mod sent_back;
mod settle;
mod shifts;
mod sight;
mod state;
mod state_names;
mod stored;
mod unit;
mod weight;

pub use authority::{
    Author, HeldToken, Judge, Officer, Refusal, is_decision, people, tokens_named,
};
pub use blame::{Blame, Setting};
pub use carriage::{
    AgainTerm, CarriedTerm, EmptiedTerm, KnownBy, MovedTerm, SOUGHT, STAY, again_terms,
    carried_terms, emptied_terms, moved_terms,
};
pub use check_digits::warnings;
pub use come_to::{ComeTo, LackingAct};
#[cfg(all(feature = "defences-off", debug_assertions))]
#[doc(hidden)]
pub use contained::{Trip, trip_over};
pub use decision::{
    DECISION_NAMESPACE, DecisionStatement, OwnSignature, SIGN_IT, SIGNED_WITHIN_MS,
    SignedDecisions, own_signature, signature_event,
};
#[doc(hidden)]
pub use document::{Saved, read_saved};
pub use doubts::{DraftContext, is_deadline, is_read_off_deadline};
pub use drafts::{CustomsEntry, Draft, Passage, QuarantineHold, SiteDay};
pub use error::{RecordError, hint, nearest};
pub use events::{
    Asks, Begins, Departments, EVENTS, Effect, EventType, Gives, Member, Revoked, Right,
    SIGNATURE_EVENT, Term, TermValue, Together, ValueType, check_event, event_type,
};
pub use evidence::{SpeaksAgainst, evidence_against};
pub use field_rights::{is_guarded, is_matched};
pub use fields::{
    ChangedBy, DeviceSets, FIELDS, FieldRow, FieldType, Guarded, SetBy, check_put, known_field,
};
pub use forms::Lack;
pub use held::{End, Placement, UNPLACED, held_at, held_now, holds};
pub use judged_change::{ChangedPut, Claim, EventView, Field, JudgedChange, RefusedPut, Verdict};
pub use kinds::{Department, HoldType, Kind};
pub use normal::{
    OtherNumbers, Zone, field_term, goods_terms, holds_a_character, hs_subheading, is_blank,
    is_currency, is_digest, is_noncharacter, lies_under, mass_g, member_term, normalise_country,
    normalise_document, normalise_hs_code, normalise_label, normalise_plate, normalise_reference,
    normalise_target, normalise_unit, percent_decoded, plate_shape, says_nothing, takes_no_room,
    typed_plainly, whole_zones, zones_failed,
};
pub use policy::{Policy, SYSTEM_OFFICER};
pub use project::{Projection, Terms, term, terms};
pub use ranges::{impossible_time, read_time_ms, unlikely_time};
pub use reading::{
    LOOKOUT_FIELD, PERSONS_READ_BY, identifies_person, reads_lookout, tells_of_person,
};
pub use record::{Objection, Record};
pub use shifts::{SHIFT_EVENTS, ShiftTurn, is_off_shift};
#[doc(hidden)]
pub use state::fold;
pub use state::{State, state};
pub use state_names::STATE_NAMES;
pub use stored::{StoredTerms, stored_terms};
pub use unit::Unit;
pub use wadi_log::Value;
