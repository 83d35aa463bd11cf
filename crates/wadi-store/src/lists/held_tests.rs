//! What it costs to ask which holds hold, counted in SQLite's own steps and not in seconds.

use super::{
    holds_on, records,
    tests::{database, hold_terms},
};
use crate::RecordFilter;
use rusqlite::{Connection, StatementStatus, params, types::Value};
use wadi_log::Lane;

/// Times between one trip of a truck and the next.
const TRIP_MS: i64 = 10;

fn id(lane: Lane, n: usize) -> [u8; 32] {
    let mut id = [0; 32];
    id[0] = lane as u8;
    id[1..9].copy_from_slice(&(n as u64).to_be_bytes());
    id
}

/// A record that began at a time, what it has come to two thirds of a trip later, and its terms.
fn add(conn: &Connection, id: [u8; 32], state: &str, born_ms: i64, terms: &[(&str, &str)]) {
    let lane = i64::from(id[0]);
    let is_open = state == "PLACED";
    let last_ms = born_ms + 2 * TRIP_MS / 3;
    conn.execute(
        "INSERT INTO records (id, printed, lane, crossing, state, open, contested, json, digest, \
         entries, at_ms, changed, born_ms) VALUES (?1, ?2, ?3, 'TRB', ?4, ?5, 0, '{}', x'', 1, \
         ?6, ?7, ?7)",
        params![
            id,
            wadi_log::hex(&id),
            lane,
            state,
            is_open,
            last_ms,
            born_ms
        ],
    )
    .unwrap();

    for (what, value) in terms {
        conn.execute(
            "INSERT INTO terms (record, what, value, born_ms) VALUES (?1, ?2, ?3, ?4)",
            params![id, what, value, born_ms],
        )
        .unwrap();
    }
}

/// So many trips of one truck, each with an entry of its own, of which it left all but the last;
/// the first entry is held, and its goods lie in a store.
fn trips(conn: &Connection, count: usize) {
    for n in 0..count {
        let born_ms = n as i64 * TRIP_MS;
        let declared = [("plate", "KA1"), ("container", "C1"), ("packages", "10")];
        add(conn, id(Lane::Customs, n), "ASSESSED", born_ms, &declared);

        let state = if n + 1 < count { "EXITED" } else { "ADMITTED" };
        let came = [
            ("plate", "KA1"),
            ("container", "C1"),
            ("emptied", "C1"),
            ("moved_to", "KA1"),
            ("came_off", "5"),
            ("came_off_by", "OF-1"),
        ];
        add(conn, id(Lane::Passage, n), state, born_ms + 1, &came);
    }

    let entry = wadi_log::hex(&id(Lane::Customs, 0));
    let placed = [
        ("link", entry.as_str()),
        ("stored", "10"),
        ("stored_by", "OF-2"),
    ];
    add(conn, id(Lane::Hold, 0), "PLACED", 5, &placed);
}

/// Trucks that have nothing to do with it.
fn others(conn: &Connection, count: usize) {
    for n in 0..count {
        let plate = format!("NI{n}");
        let terms = [("plate", plate.as_str()), ("container", plate.as_str())];
        add(
            conn,
            id(Lane::Customs, 1_000_000 + n),
            "ASSESSED",
            7,
            &terms,
        );
        add(conn, id(Lane::Passage, 1_000_000 + n), "EXITED", 8, &terms);
    }
}

/// Steps that SQLite takes to find the holds on all trips, and to find what is detained.
fn steps(conn: &Connection, count: usize) -> [i32; 2] {
    // Every trip is near every other one.
    let mut terms = hold_terms();
    for term in &mut terms.carried {
        term.within_ms = 1_000_000;
    }
    for term in &mut terms.moved {
        term.within_ms = 1_000_000;
    }
    if let Some(again) = &mut terms.again {
        again.within_ms = 1_000_000;
    }

    let asked = (0..count).map(|n| [wadi_log::hex(&id(Lane::Passage, n))]);
    let asked = serde_json::to_string(&asked.collect::<Vec<_>>()).unwrap();
    let listing = records(&RecordFilter {
        detained: Some(terms.clone()),
        limit: 500,
        ..RecordFilter::default()
    });

    let on_each = holds_on("json_each($1) AS j", &terms);
    [
        (on_each, Value::Text(asked)),
        (listing.sql, Value::Integer(500)),
    ]
    .map(|(sql, value)| {
        let mut statement = conn.prepare(&sql).unwrap();
        statement.raw_bind_parameter(1, value).unwrap();
        let mut rows = statement.raw_query();
        while rows.next().unwrap().is_some() {}
        drop(rows);
        statement.get_status(StatementStatus::VmStep)
    })
}

#[test]
fn twice_as_many_trips_of_one_truck_cost_about_twice_as_much() {
    let counted = [200, 400].map(|count| {
        let conn = database();
        trips(&conn, count);
        steps(&conn, count)
    });

    let [fewer, more] = counted;
    for (fewer, more) in fewer.into_iter().zip(more) {
        assert!(more < fewer.saturating_mul(3), "{fewer} and {more}");
    }
}

#[test]
fn trucks_that_have_nothing_to_do_with_it_cost_nothing() {
    let conn = database();
    trips(&conn, 100);
    let alone = steps(&conn, 100);
    others(&conn, 2_000);
    let among_others = steps(&conn, 100);

    for (alone, among_others) in alone.into_iter().zip(among_others) {
        assert!(
            among_others < alone + alone / 10,
            "{alone} and {among_others}"
        );
    }
}

#[test]
fn a_record_that_is_asked_for_is_told_with_its_hold() {
    let conn = database();
    trips(&conn, 3);
    let asked = [[wadi_log::hex(&id(Lane::Customs, 0))]];
    let asked = serde_json::to_string(&asked).unwrap();
    let sql = holds_on("json_each($1) AS j", &hold_terms());
    let mut statement = conn.prepare(&sql).unwrap();
    let told: Vec<(Vec<u8>, Vec<u8>)> = statement
        .query_map([asked], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .map(Result::unwrap)
        .collect();

    let (entry, hold) = (id(Lane::Customs, 0), id(Lane::Hold, 0));
    assert_eq!(told, [(entry.to_vec(), hold.to_vec())]);
}
