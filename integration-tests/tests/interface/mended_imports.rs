//! A file whose bad lines were mended and that is imported again: only what was mended is written,
//! and nobody is warned of what the file itself says.

use crate::repeats::{counted, import, import_bytes};
use integration_tests::{Site, World};
use serde_json::{Value, json};

fn set(id: &str, member: &str, value: impl Into<Value>) -> Value {
    let mut line = json!({"op": "set", "id": id, "set": {}});
    line["set"][member] = value.into();
    line
}

fn begun(id: &str) -> Value {
    json!({"op": "new", "id": id, "set": {"plate": id, "direction": "in"}})
}

/// What the events of a type say of a record, found by its plate.
fn said(site: &Site, plate: &str, kind: &str, member: &str) -> Vec<Value> {
    let found = site.get(&format!("/v1/records?plate={plate}")).unwrap();
    let events = found["records"][0]["events"].as_array().unwrap().iter();
    events
        .filter(|event| event["type"] == kind)
        .map(|event| event["data"][member].clone())
        .collect()
}

fn lines_warned(answer: &Value) -> Vec<u64> {
    let warned = answer["warned_lines"].as_array().unwrap().iter();
    warned.map(|line| line["line"].as_u64().unwrap()).collect()
}

#[test]
fn a_line_that_was_mended_is_written_and_no_other_once_more() {
    let mut world = World::default();
    world.start("trb", &[]);
    let trb = world.site("trb");
    for (n, (member, kind, told, values, bad)) in [
        (
            "gross_kg",
            "weighed",
            "gross_kg",
            [20_000, 24_000, 31_000].map(Value::from),
            json!(24_000.5),
        ),
        (
            "status",
            "status.noted",
            "status",
            ["in", "weighed", "out"].map(Value::from),
            json!(5),
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let id = format!("77-M-{n}");
        let [first, second, third] = values.map(|value| (value.clone(), set(&id, member, value)));
        let broken = set(&id, member, bad);
        let file = |middle: &Value| [begun(&id), first.1.clone(), middle.clone(), third.1.clone()];

        assert_eq!(counted(&import(trb, &file(&broken))), (3, 0, 1));
        let mended = import(trb, &file(&second.1));
        assert_eq!(counted(&mended), (1, 3, 0), "{mended}");
        let there = said(trb, &id, kind, told);
        assert_eq!(there, [&first.0, &third.0, &second.0].map(Value::clone));
        // The one that comes after the others now, and the one that was to be the last.
        assert_eq!(lines_warned(&mended), [3, 4], "{mended}");

        // Whoever means the last one to stand says so.
        let mut again = file(&second.1);
        again[3]["key"] = json!(format!("last {n}"));
        assert_eq!(counted(&import(trb, &again)), (1, 3, 0));
        assert_eq!(said(trb, &id, kind, told).last(), Some(&third.0));
    }

    // A sender that repeats a line says nothing late.
    let weighed = set("76-M-1", "gross_kg", 31_000);
    let twice = import(trb, &[begun("76-M-1"), weighed.clone(), weighed]);
    assert_eq!(counted(&twice), (2, 1, 0), "{twice}");
    assert!(lines_warned(&twice).is_empty(), "{twice}");

    // A line that does not read at all, one that is put in, one that is taken out, and a mended
    // line that begins the record.
    let lane = |n: u32| set("78-M-1", "lane", n);
    let text = [begun("78-M-1"), lane(1), lane(2)].map(|line| line.to_string());
    let torn = format!("{}\n{}\n{{\"op\n{}", text[0], text[1], text[2]);
    assert_eq!(counted(&import_bytes(trb, torn.as_bytes())), (3, 0, 1));
    let put_in = [begun("78-M-1"), lane(9), lane(1), lane(2)];
    assert_eq!(counted(&import(trb, &put_in)), (1, 3, 0));
    let taken_out = [begun("78-M-1"), lane(2)];
    assert_eq!(counted(&import(trb, &taken_out)), (0, 2, 0));
    let mut other = put_in.clone();
    other[0]["set"]["note"] = json!("other");
    assert_eq!(counted(&import(trb, &other)), (0, 3, 1));
}

#[test]
fn a_file_again_is_warned_of_where_others_said_something_since_and_nowhere_else() {
    let mut world = World::default();
    world.start("trb", &[]);
    let trb = world.site("trb");

    // More lines than a request holds, all of one record.
    let mut file = vec![begun("79-M-1")];
    file.extend((0..1_100u32).map(|n| set("79-M-1", "lane", 1 + n % 2)));
    assert_eq!(counted(&import(trb, &file)), (1_101, 0, 0));
    let again = import(trb, &file);
    assert_eq!(counted(&again), (0, 1_101, 0));
    assert!(lines_warned(&again).is_empty(), "{again}");

    // Somebody else says something, of another member and of the same.
    let found = trb.get("/v1/records?plate=79-M-1").unwrap();
    let id = found["records"][0]["id"].as_str().unwrap();
    trb.set(id, "note", json!("looked at"), None).unwrap();
    let again = import(trb, &file);
    assert!(lines_warned(&again).is_empty(), "{again}");
    trb.set(id, "lane", json!(7), None).unwrap();
    let again = import(trb, &file);
    assert_eq!(lines_warned(&again), [1_101], "{again}");
}
