//! What not everybody may read: who a traveller is, and what somebody is looking for.
//!
//! A token that names nothing reads neither. Officers read by their department, as these tables
//! have it; what a token names narrows that, and never widens it.

use crate::{Department, HoldType, Policy};

/// Departments whose officers read what tells who a traveller is.
pub const PERSONS_READ_BY: &[Department] = &[
    Department::Pas,
    Department::Hlt,
    Department::Sec,
    Department::Hub,
];

/// The field that says what a lookout seeks.
pub const LOOKOUT_FIELD: &str = "target.term";

/// Events whose members tell of a traveller: where they slept, by whom they were received, what
/// ails them.
pub(crate) const PERSON_EVENTS: &[&str] = &["person.admitted", "stayed", "vip.arrived", "referred"];

/// Whether a field tells who a traveller is.
pub fn identifies_person(field: &str) -> bool {
    field.starts_with("person.")
}

/// Whether the members of an event of this type tell of a traveller.
pub fn tells_of_person(event_type: &str) -> bool {
    PERSON_EVENTS.contains(&event_type)
}

/// Whether officers of a department read what a lookout of this type seeks: those who own it, and
/// the commission. One whose type is unknown here is nobody's but the commission's.
pub fn reads_lookout(department: Department, hold_type: Option<HoldType>, policy: &Policy) -> bool {
    hold_type.map_or(department == Department::Hub, |hold| {
        policy.owns(department, hold)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EVENTS, FIELDS};

    #[test]
    fn whatever_holds_a_document_tells_of_a_person() {
        for event in EVENTS {
            let holds = event.members.iter().any(|m| m.name == "document_hash");
            assert!(!holds || tells_of_person(event.name), "{}", event.name);
        }

        for field in FIELDS {
            let holds = field.name.contains("document") || field.name.contains("nationality");
            assert!(!holds || identifies_person(field.name), "{}", field.name);
        }
    }

    #[test]
    fn a_lookout_is_read_by_its_owners_and_the_commission() {
        let policy = Policy::default();
        let security = Some(HoldType::Security);
        assert!(reads_lookout(Department::Sec, security, &policy));
        assert!(reads_lookout(Department::Hub, security, &policy));
        assert!(!reads_lookout(Department::Cus, security, &policy));
        assert!(!reads_lookout(Department::Sec, None, &policy));
    }
}
