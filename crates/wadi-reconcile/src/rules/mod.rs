//! The rules, a file each, in folders by what they watch.
//!
//! A new rule is its file with a header that says what it finds, its line in [`RULES`] and in its
//! folder's list of modules, and its page in `docs/rules.md`, which a test asks for.

mod customs;
mod devices;
mod holds;
mod movement;
mod people;
mod radiation;
mod replicas;

use crate::Rule;

/// All rules, in the order of their codes.
pub const RULES: &[Rule] = &[
    holds::released_unseen_hold::RULE,
    holds::passed_while_held::RULE,
    customs::weight_mismatch::RULE,
    movement::impossible_journey::RULE,
    movement::presence_outside_stay::RULE,
    movement::diversion_open::RULE,
    movement::near_duplicate_vehicle::RULE,
    customs::duplicate_reference::RULE,
    movement::seal_broken::RULE,
    holds::result_overdue::RULE,
    holds::released_against_result::RULE,
    radiation::radiation_unresolved::RULE,
    replicas::contested_field::RULE,
    customs::money_against_state::RULE,
    movement::missing_counterpart::RULE,
    customs::package_count::RULE,
    customs::certificate_missing::RULE,
    holds::custody_broken::RULE,
    customs::lane_ignored::RULE,
    devices::clock_or_sequence::RULE,
    people::no_authority::RULE,
    people::self_attested::RULE,
    devices::calibration_expired::RULE,
    devices::check_digit::RULE,
    people::person_in_out::RULE,
    movement::inland_overdue::RULE,
    customs::transit_open::RULE,
    customs::undervalued::RULE,
    replicas::replicas_differ::RULE,
    people::override_outlier::RULE,
    movement::left_uncleared::RULE,
    people::changed_after::RULE,
    people::claimed_unseen::RULE,
];
