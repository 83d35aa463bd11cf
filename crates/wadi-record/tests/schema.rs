//! The tables of events and fields, as others read them.

use serde_json::{Map, json};
use wadi_record::{
    EVENTS, FIELDS,
    schema::{self, Selection},
};

#[test]
fn every_event_has_its_members_in_the_json_schema() {
    let tables = schema::json();

    for event in EVENTS {
        let found = &tables["events"][event.name];
        let properties = found["properties"].as_object().expect(event.name);
        assert_eq!(properties.len(), event.members.len() + 1, "{}", event.name);
        assert_eq!(properties["type"]["const"], event.name);

        for member in event.members {
            let about = &properties[member.name];
            let required = found["required"].as_array().expect("a list");
            assert!(
                about.get("type").is_some(),
                "{}.{} has no type",
                event.name,
                member.name
            );
            assert_eq!(
                required.contains(&json!(member.name)),
                member.required,
                "{}.{}",
                event.name,
                member.name
            );
        }
    }

    assert_eq!(
        tables["events"].as_object().map(Map::len),
        Some(EVENTS.len())
    );
}

#[test]
fn every_field_stands_in_the_json_schema_under_each_of_its_kinds() {
    let tables = schema::json();

    for field in FIELDS {
        for kind in field.kinds {
            let found = &tables["fields"][kind.name()][field.name];
            assert_eq!(found["description"], field.meaning, "{}", field.name);
            assert_eq!(found["x-legal"], field.legal, "{}", field.name);
        }
    }

    let seals = &tables["fields"]["passage"]["seal.N"];
    assert_eq!(seals["x-name-pattern"], r"^seal\.[1-9][0-9]{0,2}$");
}

#[test]
fn a_name_selects_its_row_and_a_slip_of_the_pen_is_told_the_nearest() {
    let count = |name: &str| {
        let selected = Selection::of(name).unwrap();
        (selected.events.len(), selected.fields.len())
    };

    assert_eq!(count("events"), (EVENTS.len(), 0));
    assert_eq!(count("fields"), (0, FIELDS.len()));
    assert_eq!(count("hold.placed"), (1, 0));
    assert_eq!(count("goods.3.origin"), (0, 1));
    assert_eq!(count("vehicle.plate"), (0, 2), "guarded on a passage alone");

    let (events, fields) = count("site-day");
    assert!(events > 0 && fields == 2);

    let error = Selection::of("hold.place").unwrap_err();
    assert_eq!(error.code(), "unknown_name");
    assert_eq!(
        error.to_string(),
        "no table, kind of record, event or field \"hold.place\"; did you mean \"hold.placed\"?"
    );
}

#[test]
fn the_page_is_what_the_tables_say() {
    let page = include_str!("../../../docs/records.md");
    assert!(
        page == schema::markdown(),
        "docs/records.md is not what the tables say: wadi schema --markdown > docs/records.md"
    );
}

#[test]
fn the_page_of_rights_is_what_the_tables_say_and_names_every_row() {
    let page = include_str!("../../../docs/authority.md");
    assert!(
        page == schema::authority(),
        "docs/authority.md is not what the tables say: wadi schema --authority > docs/authority.md"
    );

    let names = EVENTS.iter().map(|e| e.name);
    for name in names.chain(FIELDS.iter().map(|f| f.name)) {
        assert!(page.contains(&format!("`{name}`")), "{name} is missing");
    }
}
