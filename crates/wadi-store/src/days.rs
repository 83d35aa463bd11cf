//! The statements of a crossing's day: what began within a time, and which holds are open there.
//! Once for both engines.

use crate::{
    BornFilter,
    lists::{BoundValue, Listing, NOTHING, RECORD_COLUMNS, is_no_text, of_hold_types},
};
use wadi_log::Lane;

/// The lane of holds.
const HOLD_LANE: u8 = Lane::Hold as u8;

/// What a filter of a time takes, with its values.
fn of_time(f: &BornFilter) -> (String, Vec<BoundValue>) {
    let mut clause = "r.crossing = $1 AND r.born_ms >= $2 AND r.born_ms < $3".to_string();
    let mut values = vec![
        BoundValue::Text(f.crossing.clone()),
        BoundValue::Int(f.from_ms),
        BoundValue::Int(f.until_ms),
    ];
    if is_no_text(&f.crossing) {
        values[0] = BoundValue::Text(String::new());
        clause += &format!(" AND {NOTHING}");
    }

    if let Some(lane) = f.lane {
        values.push(BoundValue::Int(i64::from(lane)));
        clause += &format!(" AND r.lane = ${}", values.len());
    }
    if let Some(types) = &f.hold_types {
        let from = values.len() + 1;
        values.extend(types.iter().map(|of| BoundValue::Text(of.clone())));
        let places: Vec<String> = (from..=values.len()).map(|n| format!("${n}")).collect();
        clause += &format!(" AND {}", of_hold_types(&places));
    }

    (clause, values)
}

/// The records of a crossing that began within a time, those that began last first.
pub(crate) fn born(f: &BornFilter) -> Listing {
    let (clause, mut values) = of_time(f);
    values.push(BoundValue::Int(i64::from(f.limit)));
    let limit = values.len();
    Listing {
        sql: format!(
            "SELECT {RECORD_COLUMNS} FROM \
             (SELECT r.id FROM records r WHERE {clause} ORDER BY r.born_ms DESC, r.id DESC LIMIT \
             ${limit}) AS page JOIN records r ON r.id = page.id ORDER BY r.born_ms DESC, r.id DESC"
        ),
        values,
    }
}

/// How many of them there are, by lane and by the line of their state and flags.
pub(crate) fn born_counts(f: &BornFilter) -> Listing {
    let (clause, values) = of_time(f);
    Listing {
        sql: format!(
            "SELECT r.lane, r.state, count(*) AS count FROM records r WHERE {clause} \
             GROUP BY r.lane, r.state ORDER BY r.lane, r.state"
        ),
        values,
    }
}

/// The open holds of two crossings, those that began last first. Few holds are open at once.
pub(crate) fn open_holds(crossings: [&str; 2], limit: u32) -> Listing {
    let named = crossings.map(|c| match is_no_text(c) {
        true => BoundValue::Text(String::new()),
        false => BoundValue::Text(c.into()),
    });
    let mut values = named.to_vec();
    values.push(BoundValue::Int(i64::from(limit)));
    Listing {
        sql: format!(
            "SELECT {RECORD_COLUMNS} FROM records r WHERE r.lane = {HOLD_LANE} AND r.open \
             AND r.crossing IN ($1, $2) ORDER BY r.born_ms DESC, r.id DESC LIMIT $3"
        ),
        values,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::MIGRATIONS;

    fn plan(listing: &Listing) -> String {
        let conn = rusqlite::Connection::open_in_memory().unwrap();
        for sql in MIGRATIONS {
            conn.execute_batch(sql).unwrap();
        }

        let sql = format!("EXPLAIN QUERY PLAN {}", listing.sql);
        let mut statement = conn.prepare(&sql).unwrap();
        let mut rows = statement.raw_query();
        let mut steps = Vec::new();
        while let Some(row) = rows.next().unwrap() {
            steps.push(row.get::<_, String>("detail").unwrap());
        }
        steps.join("\n")
    }

    #[test]
    fn a_day_is_found_by_its_index_and_open_holds_by_theirs() {
        let mut filter = BornFilter {
            crossing: "TRB".into(),
            lane: None,
            from_ms: 1,
            until_ms: 2,
            hold_types: None,
            limit: 50,
        };
        let narrowed = Some(vec!["CUSTOMS".into(), "SECURITY".into()]);
        for (lane, types) in [(None, None), (Some(2), None), (Some(3), narrowed)] {
            filter.lane = lane;
            filter.hold_types = types;
            for listing in [born(&filter), born_counts(&filter)] {
                let steps = plan(&listing);
                assert!(
                    steps.contains("records_born (born_ms>? AND born_ms<?"),
                    "{steps}"
                );
                assert!(!steps.contains("SCAN r"), "{steps}");
            }
        }

        let steps = plan(&open_holds(["TRB", "HUB"], 50));
        assert!(steps.contains("records_open (lane=?)"), "{steps}");
    }

    #[test]
    fn what_no_row_can_hold_is_no_value() {
        let filter = BornFilter {
            crossing: "T\0B".into(),
            lane: None,
            from_ms: 1,
            until_ms: 2,
            hold_types: None,
            limit: 50,
        };
        assert!(born(&filter).sql.contains(NOTHING));
        assert!(!format!("{:?}", born(&filter).values).contains("\\0"));
    }
}
