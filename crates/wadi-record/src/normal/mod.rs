//! Normal forms: what is written otherwise and means the same is made one, here and nowhere else.
//!
//! A document keeps what was said, as it was said. Terms, lookouts, searches and rules compare
//! normal forms. The rules are told to people in `docs/normal-forms.md`; a change of one changes
//! the terms of records that are stored, so the projection's version has to be raised with it.
//!
//! Every form is a pure function of the text, takes any text, and changes nothing that is in its
//! normal form already. What is left empty says nothing, and matches nothing:
//! so does what says that there is none, of which a term is never made.

mod certificate;
mod country;
mod currency;
mod digest;
mod encoded;
mod hs_code;
mod letters;
mod lookalikes;
mod lookout;
mod meant;
mod plate;
mod reference;
mod terms;
mod unit_code;
mod wrong_alphabet;
mod zone;

pub use certificate::OtherNumbers;
pub use country::{country_doubt, normalise_country};
pub(crate) use currency::currency_doubt;
pub use currency::is_currency;
pub(crate) use digest::is_hash_of_nothing;
pub use digest::{is_digest, normalise_document};
pub use encoded::percent_decoded;
pub(crate) use hs_code::{hs_doubt, wrong_heading, wrong_hs_code};
pub use hs_code::{hs_subheading, lies_under, normalise_hs_code};
pub use letters::{is_blank, is_noncharacter, takes_no_room, typed_plainly};
pub(crate) use lookalikes::{StrangeLetter, strange_letter};
pub use lookout::normalise_target;
pub(crate) use lookout::{no_digit_told, target_doubt, wrong_target};
pub(crate) use meant::{country_meant, crossing_meant, currency_meant, is_capital_code};
pub use plate::{holds_a_character, normalise_plate, plate_shape};
pub(crate) use reference::has_digit;
pub use reference::{normalise_label, normalise_reference, says_nothing};
pub(crate) use terms::{NoTerm, field_has_no_term, is_official_number, no_term};
pub use terms::{field_term, goods_terms, member_term};
pub(crate) use unit_code::unit_doubt;
pub use unit_code::{mass_g, normalise_unit};
pub(crate) use wrong_alphabet::{
    maybe_meant_in_utf8, meant_in_utf8, name_meant_in_utf8, noncharacter_in,
};
pub use zone::{Zone, whole_zones, zones_failed};
