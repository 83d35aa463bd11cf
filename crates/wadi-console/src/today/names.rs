//! What members, choices and units are called on a form.

use wadi_words::Language;

/// What a value of a list is called.
pub(super) fn value_text(language: Language, value: &str) -> String {
    let name = format!("value-{value}");
    let text = language.sentence(&name, []);
    match text == name {
        true => value.into(),
        false => text,
    }
}

/// What a unit is called.
pub(super) fn unit_text(language: Language, unit: &str) -> String {
    let name = match unit {
        "kg" => "unit-kg",
        "g" => "unit-g",
        "l" => "unit-l",
        "min" => "unit-min",
        "°C" => "unit-celsius",
        "µSv/h" => "unit-usv-h",
        "pieces" => "unit-pieces",
        "bytes" => "unit-bytes",
        "minor units of the currency" => "unit-minor",
        // An ordinal and a device's own scale have none; a quantity's stands in its record.
        _ => return String::new(),
    };
    language.sentence(name, [])
}

/// What a member of an event is called.
pub(super) fn member_text(language: Language, member: &str) -> String {
    let name = format!("member-{member}");
    let text = language.sentence(&name, []);
    match text == name {
        true => member.into(),
        false => text,
    }
}
