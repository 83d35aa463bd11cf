//! Lists of records, and what holds hold.

use super::{BoundValue, Conditions, Listing, NOTHING, RECORD_COLUMNS, is_no_text};
use crate::{EmptiedBefore, HoldTerms, RecordFilter, SoughtBy, StoredOn};
use wadi_log::Lane;

/// The lane of holds, and those of what can be held.
const HOLD_LANE: u8 = Lane::Hold as u8;
const HELD_LANES: (u8, u8) = (Lane::Customs as u8, Lane::Passage as u8);
/// The lane of customs entries, and that of the passages that carry their goods.
const ENTRY_LANE: u8 = Lane::Customs as u8;
const PASSAGE_LANE: u8 = Lane::Passage as u8;
/// Times further from 1970 are near none, milliseconds: no sum leaves its range.
const TIME_MS_MAX: i64 = 1_000_000_000_000_000;

/// A page of records.
pub(crate) fn records(f: &RecordFilter) -> Listing {
    let mut wanted = Conditions::default();
    wanted.add_int("r.lane = ?", f.lane.map(i64::from));
    wanted.add_text("r.crossing = ?", f.crossing.as_ref());
    if let Some(state) = &f.state {
        // One word among several. Most rows do not have its letters, and cost no text put together.
        wanted.add(
            "instr(r.state, ?) > 0 AND instr(' ' || r.state || ' ', ' ' || ? || ' ') > 0",
            [
                BoundValue::Text(state.clone()),
                BoundValue::Text(state.clone()),
            ],
        );
    }
    wanted.add_int("r.changed < ?", f.before);

    if let Some((what, value)) = &f.term {
        wanted.add(
            "r.id IN (SELECT t.record FROM terms t WHERE t.what = ? AND t.value = ?)",
            [
                BoundValue::Text(what.clone()),
                BoundValue::Text(value.clone()),
            ],
        );
    }
    if let Some(after) = f.after {
        wanted.add("r.id > ?", [BoundValue::Bytes(after.0.to_vec())]);
    }
    if f.contested {
        wanted.add("r.contested", []);
    }
    if !f.sought.is_empty() {
        add_sought(&mut wanted, &f.sought);
    }
    add_times(&mut wanted, f);
    match &f.detained {
        Some(terms) => add_detained(&mut wanted, terms, &f.of_holds),
        None => add_of_holds(&mut wanted, &f.of_holds),
    }

    let order = order_of(f);
    let clause = wanted.clause();
    let limit = wanted.place(BoundValue::Int(i64::from(f.limit)));
    Listing {
        sql: format!(
            "SELECT {RECORD_COLUMNS} FROM \
             (SELECT r.id FROM records r {clause} ORDER BY {order} LIMIT {limit}) AS page \
             JOIN records r ON r.id = page.id ORDER BY {order}"
        ),
        values: wanted.values,
    }
}

/// The order of a page. Few records have a term, and few are detained: they are sorted. With the
/// sign, no planner walks all that was ever changed to find them in their order.
fn order_of(f: &RecordFilter) -> &'static str {
    let are_few = f.term.is_some() || f.detained.is_some() || !f.sought.is_empty();
    match (f.after, f.by_beginning) {
        (Some(_), _) => "r.id",
        (None, true) if are_few => "+r.born_ms DESC, r.id DESC",
        (None, true) => "r.born_ms DESC, r.id DESC",
        (None, false) if are_few => "+r.changed DESC",
        (None, false) => "r.changed DESC",
    }
}

/// Any one of the things that records are sought by. Each is found by an index of its own.
fn add_sought(wanted: &mut Conditions, sought: &[SoughtBy]) {
    let (mut parts, mut values) = (Vec::new(), Vec::new());
    for one in sought {
        match one {
            SoughtBy::Term { what, value } if !is_no_text(value) => {
                parts.push("SELECT t.record FROM terms t WHERE t.what = ? AND t.value = ?");
                values.extend([what, value].map(|text| BoundValue::Text(text.clone())));
            }
            SoughtBy::Ids { from, to, of } => {
                values.extend([from, to].map(|id| BoundValue::Bytes(id.0.to_vec())));
                parts.push(match of {
                    None => "SELECT k.id FROM records k WHERE k.id >= ? AND k.id <= ?",
                    Some((crossing, lane)) => {
                        values.push(BoundValue::Text(crossing.clone()));
                        values.push(BoundValue::Int(i64::from(*lane)));
                        "SELECT k.id FROM records k WHERE k.id >= ? AND k.id <= ? \
                         AND k.crossing = ? AND k.lane = ?"
                    }
                });
            }
            SoughtBy::Term { .. } => {}
        }
    }

    match parts.is_empty() {
        true => wanted.all.push(NOTHING.into()),
        false => wanted.add(&format!("r.id IN ({})", parts.join(" UNION ")), values),
    }
}

/// The times within which records begin, and the cursor in that order.
fn add_times(wanted: &mut Conditions, f: &RecordFilter) {
    wanted.add_int("r.born_ms >= ?", f.from_ms);
    wanted.add_int("r.born_ms < ?", f.until_ms);
    if let Some((born_ms, id)) = &f.older {
        let last = [BoundValue::Int(*born_ms), BoundValue::Bytes(id.0.to_vec())];
        wanted.add("(r.born_ms, r.id) < (?, ?)", last);
    }
}

/// Holds of a department or a type: there are many, and the newest are wanted. Behind a function no
/// planner begins with all of them to sort them afterwards.
fn add_of_holds(wanted: &mut Conditions, of_holds: &[(&'static str, String)]) {
    for (what, value) in of_holds {
        wanted.add(
            "coalesce(r.id IN (SELECT t.record FROM terms t WHERE t.what = ? AND t.value = ?), \
             1 = 0)",
            [
                BoundValue::Text((*what).into()),
                BoundValue::Text(value.clone()),
            ],
        );
    }
}

/// What open holds hold, of those that have all these terms.
fn add_detained(wanted: &mut Conditions, terms: &HoldTerms, of_holds: &[(&'static str, String)]) {
    // A hold has a handful of terms: they are looked at, and not all holds of the term.
    let one = " AND EXISTS (SELECT 1 FROM terms o WHERE o.record = h.id AND o.what || '' = ? \
               AND o.value || '' = ?)";
    let of_hold = one.repeat(of_holds.len());
    let values = of_holds.iter().flat_map(|(what, value)| {
        [
            BoundValue::Text((*what).into()),
            BoundValue::Text(value.clone()),
        ]
    });

    // The condition stands in two places.
    let values: Vec<BoundValue> = values.collect();
    let twice = [values.clone(), values].concat();
    wanted.add(&detained(terms, &of_hold), twice);
}

/// Names as a list of SQL's. They are the program's own, none is a caller's.
fn name_list(names: impl Iterator<Item = &'static str>) -> String {
    let quoted: Vec<String> = names.map(|name| format!("'{name}'")).collect();
    format!("({})", quoted.join(", "))
}

/// Whether the records of two terms were born within so many milliseconds of each other. With the
/// sign, no planner takes the bounds of all times for those that the index is asked for.
fn born_near(at_hand: char, other: char, within: &str) -> String {
    let about = format!(
        "CASE WHEN {at_hand}.born_ms BETWEEN -{TIME_MS_MAX} AND {TIME_MS_MAX} \
         THEN {at_hand}.born_ms ELSE 0 END"
    );
    format!(
        "{other}.born_ms BETWEEN {about} - {within} AND {about} + {within} \
         AND +{at_hand}.born_ms BETWEEN -{TIME_MS_MAX} AND {TIME_MS_MAX} \
         AND +{other}.born_ms BETWEEN -{TIME_MS_MAX} AND {TIME_MS_MAX}"
    )
}

/// Whether a term that is at hand and the same term of another record are near enough in time.
fn near_in_time(terms: &HoldTerms, at_hand: char, other: char) -> String {
    let mut within = format!("CASE {at_hand}.what");
    for term in &terms.carried {
        within += &format!(" WHEN '{}' THEN {}", term.what, term.within_ms);
    }
    within += " END";

    let carried = name_list(terms.carried.iter().map(|term| term.what));
    let near = born_near(at_hand, other, &within);
    format!(
        "{at_hand}.what IN {carried} AND {other}.what = {at_hand}.what \
         AND {other}.value = {at_hand}.value AND {near}"
    )
}

/// Whether the term of an entry (`e`) that a passage (`p`) shares with it was not given up before
/// by the entry's own vehicle: a condition to be added, empty where nothing is. An expression gives
/// when the entry was born.
fn not_emptied(terms: &HoldTerms, born_ms: &str) -> String {
    let Some(given_up) = &terms.emptied else {
        return String::new();
    };
    let EmptiedBefore {
        what,
        emptied,
        own,
        after_ms,
    } = given_up;

    format!(
        "AND NOT (e.what = '{what}' AND EXISTS (SELECT 1 FROM terms m CROSS JOIN records w \
         CROSS JOIN terms q CROSS JOIN terms s WHERE m.what = '{emptied}' AND m.value = e.value \
         AND m.record <> p.record AND w.id = m.record AND w.lane = {PASSAGE_LANE} \
         AND w.at_ms >= {born_ms} AND w.at_ms < CASE WHEN w.state LIKE 'EXITED%' \
         OR p.born_ms NOT BETWEEN -{TIME_MS_MAX} AND {TIME_MS_MAX} THEN p.born_ms \
         ELSE p.born_ms - {after_ms} END AND q.record = m.record AND q.what || '' = '{own}' \
         AND s.what = '{own}' AND s.value = q.value AND s.born_ms = e.born_ms \
         AND s.record = e.record)) "
    )
}

/// Whether a passage (`p`) that shares a term with an entry (`e`) is no later trip, with an entry
/// of its own, of a vehicle that had left since: a condition to be added, empty where nothing is.
/// An expression gives when the entry was born.
fn not_again(terms: &HoldTerms, born_ms: &str) -> String {
    let Some(again) = &terms.again else {
        return String::new();
    };
    let (what, within_ms, own) = (again.what, again.within_ms, again.own);
    let own = name_list(own.into_iter());
    let had_left = gone('w');
    let until = format!(
        "CASE WHEN p.born_ms BETWEEN -{TIME_MS_MAX} AND {TIME_MS_MAX} \
         THEN p.born_ms + {within_ms} ELSE p.born_ms END"
    );

    format!(
        "AND NOT (e.what = '{what}' AND EXISTS (SELECT 1 FROM terms m CROSS JOIN records w \
         WHERE m.what = '{what}' AND m.value = e.value AND m.record <> p.record \
         AND m.born_ms <= p.born_ms \
         AND w.id = m.record AND w.lane = {PASSAGE_LANE} AND {had_left} \
         AND w.at_ms >= {born_ms} AND w.at_ms < p.born_ms) \
         AND EXISTS (SELECT 1 FROM (\
         SELECT d.record AS id FROM terms o CROSS JOIN terms d WHERE o.record = p.record \
         AND o.what || '' IN {own} AND d.what = o.what AND d.value = o.value \
         AND d.born_ms > {born_ms} AND d.born_ms <= {until} \
         UNION ALL SELECT unhex(o.value) FROM terms o WHERE o.record = p.record \
         AND o.what || '' = 'link' AND o.value = lower(o.value) \
         UNION ALL SELECT d.record FROM terms d WHERE d.what = 'link' \
         AND d.value = lower(hex(p.record))) AS named CROSS JOIN records y \
         WHERE y.id = named.id AND y.lane = {ENTRY_LANE} \
         AND y.born_ms > {born_ms} AND y.born_ms <= {until} \
         AND (y.state || ' ') NOT LIKE 'CANCELLED %')) "
    )
}

/// Whether the goods of a passage do not all lie in a store on a hold that names their entry, and
/// no other one; two expressions give the ids of both. A condition.
fn not_stored(terms: &HoldTerms, passage: &str, hold: &str) -> String {
    let Some(stored_on) = &terms.stored else {
        return "1 = 1".into();
    };
    let StoredOn {
        came_off,
        came_off_by,
        stored,
        stored_by,
        declared,
    } = stored_on;
    // Of an entry that several trucks carry, what came off all of them counts together.
    let near = near_in_time(terms, 'g', 't');
    let came_off_all = format!(
        "(SELECT sum(CAST(z.value AS BIGINT)) FROM terms z WHERE z.what || '' = '{came_off}' \
         AND z.record IN (SELECT t.record FROM terms g CROSS JOIN terms t \
         WHERE g.record = d.record AND {near} \
         UNION SELECT unhex(g.value) FROM terms g WHERE g.record = d.record \
         AND g.what || '' = 'link' AND g.value = lower(g.value) \
         UNION SELECT t.record FROM terms t WHERE t.what = 'link' \
         AND t.value = lower(hex(d.record)))) \
         >= CASE WHEN d.what = '{declared}' THEN CAST(d.value AS BIGINT) END"
    );

    format!(
        "NOT EXISTS (SELECT 1 FROM terms u CROSS JOIN terms s CROSS JOIN terms l \
         CROSS JOIN terms d CROSS JOIN terms b CROSS JOIN terms c \
         WHERE u.record = {passage} AND u.what || '' = '{came_off}' \
         AND s.record = {hold} AND s.what || '' = '{stored}' \
         AND l.record = {hold} AND l.what || '' = 'link' AND l.value = lower(l.value) \
         AND d.record = unhex(l.value) AND d.what || '' = '{declared}' \
         AND d.value || '' = s.value AND (u.value || '' = d.value OR {came_off_all}) \
         AND NOT EXISTS (SELECT 1 FROM terms k CROSS JOIN terms n WHERE k.record = {hold} \
         AND k.what || '' = 'link' AND k.value = lower(k.value) AND n.record = unhex(k.value) \
         AND n.what || '' = '{declared}' AND n.record <> d.record) \
         AND b.record = {passage} AND b.what || '' = '{came_off_by}' \
         AND c.record = {hold} AND c.what || '' = '{stored_by}' AND c.value <> b.value)"
    )
}

/// The same of the terms by which goods are found that went on from one passage (`e`) to another
/// (`p`), one condition for each; and since when goods are known to have gone over, where that is
/// told.
fn moved_near(
    terms: &HoldTerms,
    at_hand: char,
    other: char,
) -> impl Iterator<Item = (String, Option<String>)> {
    terms.moved.iter().map(move |term| {
        let near = born_near(at_hand, other, &term.within_ms.to_string());
        let (from, to) = (term.from, term.to);
        let came_after = term.said.map_or(String::new(), |said| {
            let had_left = gone('w');
            let last_ms = said_ms("max", said);
            format!(
                " AND NOT (coalesce({last_ms}, e.born_ms) < p.born_ms \
                 AND EXISTS (SELECT 1 FROM terms m \
                 CROSS JOIN records w WHERE m.what = '{to}' AND m.value = e.value \
                 AND m.record <> p.record AND m.record <> e.record AND w.id = m.record \
                 AND w.lane = {PASSAGE_LANE} AND {had_left} \
                 AND w.at_ms >= e.born_ms AND w.at_ms < p.born_ms))"
            )
        });
        let near = format!(
            "e.what = '{from}' AND p.what = '{to}' AND p.value = e.value AND {near}{came_after}"
        );

        // What had left when the first word was written took nothing over.
        let since_ms = term.said.map(|said| said_ms("min", said));
        (near, since_ms)
    })
}

/// When the first passage's (`e`) words were written, the first or the last of them.
fn said_ms(which: &str, said: &str) -> String {
    format!(
        "(SELECT {which}(CAST(x.value AS BIGINT)) FROM terms x \
         WHERE x.record = e.record AND x.what || '' = '{said}')"
    )
}

/// Whether a passage is said to have left, out by a gate or sent back.
fn gone(passage: char) -> String {
    format!("({passage}.state LIKE 'EXITED%' OR {passage}.state LIKE 'TURNED_BACK%')")
}

/// When a passage is said to have left; nothing for one that did not.
fn left_ms(passage: char) -> String {
    let is_gone = gone(passage);
    format!("CASE WHEN {is_gone} THEN {passage}.at_ms END")
}

/// Few holds are open at once: it begins with them and not with all that was ever let in. From
/// them it goes to what they name or look out for (and tells no hold there: what lies in a store
/// on a hold frees nothing that it looks out for), from entries to the passages that carry their
/// goods, and from passages to those that theirs went on to. The order of its joins is the one
/// written: a planner without figures takes others, which walk all terms.
fn detained(terms: &HoldTerms, of_hold: &str) -> String {
    let sought = name_list(terms.sought.iter().copied());
    let near = near_in_time(terms, 'e', 'p');
    let not_given_up = not_emptied(terms, "n.born_ms") + &not_again(terms, "n.born_ms");
    let (left, is_gone) = (left_ms('k'), gone('k'));
    let here = not_stored(terms, "k.id", "named.hold");
    let carried = not_stored(terms, "carrying.id", "carrying.hold");
    let held = not_stored(terms, "named.id", "named.hold");
    let went_on: String = moved_near(terms, 'e', 'p')
        .map(|(near, since_ms)| {
            let from_ms = match since_ms {
                Some(since_ms) => format!("coalesce({since_ms}, n.born_ms)"),
                None => "n.born_ms".to_string(),
            };
            format!(
                "UNION SELECT p.record, {from_ms}, n.since, n.hold FROM firsts n \
                 CROSS JOIN terms e \
                 CROSS JOIN terms p WHERE e.record = n.id AND {near} AND p.record <> n.id \
                 AND (n.left_ms IS NULL OR n.left_ms >= p.born_ms) "
            )
        })
        .collect();

    format!(
        "r.lane IN {HELD_LANES:?} AND r.id IN (WITH named AS MATERIALIZED (\
         SELECT unhex(l.value) AS id, h.born_ms AS since, h.id AS hold \
         FROM records h CROSS JOIN terms l \
         WHERE h.lane = {HOLD_LANE} AND h.open{of_hold} \
         AND l.record = h.id AND l.what = 'link' AND l.value = lower(l.value) \
         UNION SELECT t.record, h.born_ms, NULL \
         FROM records h CROSS JOIN terms g CROSS JOIN terms t \
         WHERE h.lane = {HOLD_LANE} AND h.open{of_hold} AND g.record = h.id AND g.what = 'target' \
         AND t.what IN {sought} AND t.value = g.value), \
         entries AS MATERIALIZED (SELECT k.id, k.born_ms, named.since, named.hold \
         FROM named CROSS JOIN records k WHERE k.id = named.id AND k.lane = {ENTRY_LANE}), \
         firsts AS MATERIALIZED (SELECT k.id, k.born_ms, named.since, named.hold, \
         {left} AS left_ms FROM named CROSS JOIN records k \
         WHERE k.id = named.id AND k.lane = {PASSAGE_LANE} AND {here}), \
         carrying AS MATERIALIZED (SELECT p.record AS id, n.born_ms, n.since, n.hold \
         FROM entries n CROSS JOIN terms e CROSS JOIN terms p WHERE e.record = n.id AND {near} \
         {not_given_up}\
         UNION SELECT unhex(l.value), n.born_ms, n.since, n.hold \
         FROM entries n CROSS JOIN terms l \
         WHERE l.record = n.id AND l.what = 'link' AND l.value = lower(l.value) \
         UNION SELECT l.record, n.born_ms, n.since, n.hold FROM entries n CROSS JOIN terms l \
         WHERE l.what = 'link' AND l.value = lower(hex(n.id)) {went_on}) \
         SELECT named.id FROM named WHERE {held} \
         UNION SELECT k.id FROM carrying CROSS JOIN records k \
         WHERE k.id = carrying.id AND k.lane = {PASSAGE_LANE} AND NOT ({is_gone} \
         AND (k.at_ms < carrying.born_ms OR k.at_ms < carrying.since)) AND {carried})",
    )
}

/// The open holds that hold each of the records that `each` gives by their ids, and through which
/// entry, or which other passage: the same as [`detained`], begun with the records.
pub(crate) fn holds_on(each: &str, terms: &HoldTerms) -> String {
    let sought = name_list(terms.sought.iter().copied());
    let near = near_in_time(terms, 'p', 'e');
    // They name the entry itself: what else has the term is sorted out before they are asked.
    let not_given_up = not_emptied(terms, "k.born_ms") + &not_again(terms, "k.born_ms");
    let (left, had_left) = (left_ms('r'), gone('k'));
    // What had left before the other began carries nothing of it, and before the hold began is
    // held by it no more.
    let is_here = "(a.left_ms IS NULL OR a.left_ms >= k.born_ms)";
    let itself = not_stored(terms, "v.record", "h.id");
    let first = not_stored(terms, "v.entry", "h.id");
    let is_sought = "h.open AND (v.left_ms IS NULL OR v.left_ms >= h.born_ms)";
    let is_held = format!("{is_sought} AND {itself} AND {first}");
    let went_on: String = moved_near(terms, 'p', 'e')
        .map(|(near, since_ms)| {
            let is_here = match since_ms {
                Some(since_ms) => {
                    format!("(a.left_ms IS NULL OR a.left_ms >= coalesce({since_ms}, k.born_ms))")
                }
                None => is_here.to_string(),
            };
            format!(
                "UNION SELECT a.id, k.id, lower(hex(k.id)), a.left_ms FROM asked a \
                 CROSS JOIN terms p CROSS JOIN terms e CROSS JOIN records k \
                 WHERE a.lane = {PASSAGE_LANE} AND p.record = a.id AND {near} \
                 AND k.id = e.record AND k.lane = {PASSAGE_LANE} AND k.id <> a.id AND {is_here} \
                 AND NOT ({had_left} AND k.at_ms < p.born_ms) "
            )
        })
        .collect();

    format!(
        "WITH asked AS MATERIALIZED (SELECT r.id, r.lane, j.value ->> 0 AS text, \
         {left} AS left_ms FROM {each} \
         CROSS JOIN records r WHERE r.id = unhex(j.value ->> 0) AND r.lane IN {HELD_LANES:?}), \
         via AS MATERIALIZED (SELECT id AS record, id AS entry, text, \
         CAST(NULL AS BIGINT) AS left_ms FROM asked \
         UNION SELECT a.id, k.id, lower(hex(k.id)), a.left_ms FROM asked a CROSS JOIN terms p \
         CROSS JOIN terms e CROSS JOIN records k WHERE a.lane = {PASSAGE_LANE} \
         AND p.record = a.id AND {near} AND k.id = e.record AND k.lane = {ENTRY_LANE} \
         AND {is_here} {not_given_up}\
         UNION SELECT a.id, k.id, lower(hex(k.id)), a.left_ms FROM asked a CROSS JOIN terms l \
         CROSS JOIN records k WHERE a.lane = {PASSAGE_LANE} AND l.record = a.id \
         AND l.what = 'link' AND l.value = lower(l.value) \
         AND k.id = unhex(l.value) AND k.lane = {ENTRY_LANE} AND {is_here} \
         UNION SELECT a.id, k.id, lower(hex(k.id)), a.left_ms FROM asked a CROSS JOIN terms l \
         CROSS JOIN records k WHERE a.lane = {PASSAGE_LANE} AND l.what = 'link' \
         AND l.value = a.text AND k.id = l.record AND k.lane = {ENTRY_LANE} AND {is_here} \
         {went_on}), \
         found AS MATERIALIZED (SELECT v.record, v.entry, h.id AS hold FROM via v \
         CROSS JOIN terms l CROSS JOIN records h WHERE l.what = 'link' AND l.value = v.text \
         AND h.id = l.record AND h.lane = {HOLD_LANE} AND {is_held} \
         UNION SELECT v.record, v.entry, h.id FROM via v CROSS JOIN terms t \
         CROSS JOIN terms g CROSS JOIN records h WHERE t.record = v.entry AND t.what IN {sought} \
         AND g.what = 'target' AND g.value = t.value \
         AND h.id = g.record AND h.lane = {HOLD_LANE} AND {is_sought}) \
         SELECT f.record, f.hold, CASE WHEN f.entry <> f.record THEN k.printed END AS through \
         FROM found f CROSS JOIN records k WHERE k.id = f.entry \
         ORDER BY f.record, f.hold, f.entry <> f.record, k.printed",
    )
}
