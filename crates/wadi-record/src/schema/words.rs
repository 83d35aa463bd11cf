//! What the columns of the tables say, in words.

use crate::{
    Asks, ChangedBy, Department, Departments, DeviceSets, EventType, FieldRow, FieldType, Guarded,
    Member, Revoked, Right, SetBy, Unit, ValueType, events::guarding,
};

/// What a member holds, with its unit.
pub fn member_holds(member: &Member) -> String {
    match member.value {
        ValueType::Text => "text".into(),
        ValueType::Int(unit) => whole(unit),
        ValueType::Number(unit) => format!("number, {}", unit.name()),
        ValueType::Flag => "true or false".into(),
        ValueType::Time => time().into(),
        ValueType::Ints(unit) => format!("list of whole numbers, {}", unit.name()),
        ValueType::Texts => "list of text".into(),
        ValueType::OneOf(list) => list.join(", "),
        ValueType::Codes { from, to, .. } => format!("code, {from} to {to}"),
        ValueType::Day => "day, as 2026-03-01".into(),
        ValueType::Digest => "SHA-256, hexadecimal".into(),
        ValueType::Crossing => "code of a crossing".into(),
        ValueType::Currency => "currency, ISO 4217".into(),
        ValueType::TypeOfHold => crate::HoldType::NAMES.join(", "),
    }
}

/// What a field holds, with its unit.
pub fn field_holds(field: &FieldRow) -> String {
    match field.value {
        FieldType::Text => "text".into(),
        FieldType::Int(unit) => whole(unit),
        FieldType::Time => time().into(),
        FieldType::OneOf(list) => list.join(", "),
        FieldType::Country => "country, ISO 3166, two letters".into(),
        FieldType::Nationality => "country or organisation, ISO 3166 or ICAO 9303".into(),
        FieldType::Day => "day, as 2026-03-01".into(),
        FieldType::Currency => "currency, ISO 4217".into(),
        FieldType::HsCode => "HS code, 4 to 12 digits in pairs".into(),
        FieldType::Crossing => "code of a crossing".into(),
        FieldType::Digest => "SHA-256, hexadecimal".into(),
        FieldType::Lookout => "text that something can match".into(),
    }
}

fn whole(unit: Unit) -> String {
    format!("whole number, {}", unit.name())
}

fn time() -> &'static str {
    "Unix time, ms"
}

/// Who may say an event, in the words of its row: departments, devices, and what else it takes.
pub fn speakers(event: &EventType) -> String {
    let mut out = match event.departments {
        Departments::Only(list) => codes(list),
        Departments::Any => "any department".into(),
    };

    if event.by_device {
        out += "; a device by itself";
    }

    let right = right(event.right).map(String::from);
    for more in [right, asks(event.asks)].into_iter().flatten() {
        out += "; ";
        out += &more;
    }

    out += match (event.lets_go(), event.revoked) {
        (true, _) => "; through a registered officer",
        (false, Revoked::Refused) => "",
        (false, Revoked::Heard) => "; counts from a revoked officer, too",
    };

    out
}

fn right(right: Right) -> Option<&'static str> {
    Some(match right {
        Right::Department => return None,
        Right::OwnerOfType => "if it owns the type of hold that it names",
        Right::OwnerOfHold => "if it owns every hold of the record that it had seen, or is HUB",
        Right::EndsHolds => "if it may end every hold of the record that it had seen",
        Right::EndsNamedHolds => "if it may end each hold that it names, and had seen them",
        Right::OpenedCheck => "if it opened the check, or is HUB",
        Right::AnswersForRecord => {
            "if it is PORT for a passage, CUS for a customs entry, one that may end it for a hold, \
             or HUB"
        }
        Right::Itself => "if the node itself says it, and no person",
        Right::Supervisor { .. } => "through a supervisor",
    })
}

fn asks(asks: Asks) -> Option<String> {
    let words = match asks {
        Asks::Nothing => return None,
        Asks::SecondOfficer => "with a second registered officer",
        Asks::AttestedResult => {
            "with a second registered officer, and an attested result seen that allows it and \
             none against it, nor an alarm that nobody adjudicated since"
        }
        Asks::Seen { event, .. } => return Some(format!("after `{event}`, which it had seen")),
        Asks::SettledFields => "with no legal field contested on its screen",
    };

    Some(words.into())
}

/// From when on a field is guarded.
pub fn guarded_from(guarded: Guarded) -> String {
    let said = || {
        let events: Vec<String> = guarding(guarded).map(|e| format!("`{e}`")).collect();
        events.join(", ")
    };

    match guarded {
        Guarded::Never => "never".into(),
        Guarded::Passing => format!(
            "once one of {} was said; a field that holds nothing may still be captured",
            said()
        ),
        Guarded::Placement => "from the hold's beginning".into(),
        Guarded::Assessment => format!("once {} was said", said()),
    }
}

/// Who may set a field before it is guarded, and when a device may.
pub fn field_setters(field: &FieldRow) -> String {
    let who = match field.set_by {
        SetBy::Departments(list) if list.len() == Department::ALL.len() => "any department".into(),
        SetBy::Departments(list) => codes(list),
        SetBy::HoldOwner => {
            "the department that owns the type of hold, with the hold's first entry".into()
        }
        SetBy::RegisteredHoldOwner => {
            "registered officers of the department that owns the type of hold, with the hold's \
             first entry"
                .into()
        }
    };

    let device = match field.device {
        DeviceSets::Always => "a device, too",
        DeviceSets::UntilGuarded => "a device until it is guarded",
        DeviceSets::UntilRegistered => "a declarant's import until the entry is registered",
        DeviceSets::WithAlarm => "a device with the alarm that begins the hold",
        DeviceSets::Never => "no device",
    };

    format!("{who}; {device}")
}

/// Who may change a field once it is guarded; nothing where it never is.
pub fn field_changers(field: &FieldRow) -> Option<String> {
    const OWNERS: &str = "registered officers of the department that owns the hold, and of a hold \
                          of the commission those of HUB and SEC at the hub";

    Some(match field.changed_by {
        ChangedBy::Setters => return None,
        ChangedBy::Officers(list) => format!("registered officers of {}", codes(list)),
        ChangedBy::UntilMatched(list, supervised) => format!(
            "registered officers of {}; once a link or a lookout matched it, those of SEC and HUB \
             and supervisors of {supervised}, who say why",
            codes(list)
        ),
        ChangedBy::Supervisors(list) => {
            format!("registered supervisors of {}, who say why", codes(list))
        }
        ChangedBy::SupervisorsOnceSought(list) => format!(
            "registered supervisors of {}, who say why; so, too, once a lookout seeks it",
            codes(list)
        ),
        ChangedBy::HoldOwner => OWNERS.into(),
        ChangedBy::HoldOwnerWithReason => format!("{OWNERS}, who say why"),
        ChangedBy::Nobody => format!("nobody; it is added by {OWNERS}, who say why"),
    })
}

fn codes(departments: &[Department]) -> String {
    let codes: Vec<&str> = departments.iter().map(|d| d.code()).collect();
    codes.join(", ")
}
