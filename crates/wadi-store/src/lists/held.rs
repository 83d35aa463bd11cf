//! What open holds hold, as statements: of all records, and of those that are asked for.
//!
//! Both go the same way. Of what holds name, or look out for, the terms are gathered by which other
//! records belong with it (`known`), then the passages that share them (`pairs`). What a pair's
//! passage did beside other trips of its vehicle is reckoned once for each plate and container, by
//! a running maximum over their times (`trips.rs`), and never by a walk for each pair: a truck that
//! came ten thousand times is asked for its trips once. So are a hold's packages (`holds`).
//!
//! The order of joins is the one written: a planner without figures takes others, which walk all
//! terms. Where gathered rows meet gathered rows, they meet in a window and not in a join:
//! PostgreSQL is told here to join by indexes alone, and what is gathered has none.

use super::trips::{GoneBefore, joined};
use crate::{HoldTerms, StoredOn};
use wadi_log::Lane;

/// The lane of holds.
pub(super) const HOLD_LANE: u8 = Lane::Hold as u8;
/// The lanes of what can be held.
const HELD_LANES: (u8, u8) = (Lane::Customs as u8, Lane::Passage as u8);
/// The lane of customs entries, and that of the passages that carry their goods.
pub(super) const ENTRY_LANE: u8 = Lane::Customs as u8;
pub(super) const PASSAGE_LANE: u8 = Lane::Passage as u8;
/// Times further from 1970 are near none, milliseconds: no sum leaves its range.
const TIME_MS_MAX: i64 = 1_000_000_000_000_000;

/// What is told of the hold beside each thing that it holds: the packages that lie in a store on
/// it, who put them there (the first and the last by name), and whether they are all that came.
const OF_HOLD: [&str; 5] = ["hold", "packages", "least_by", "last_by", "is_all"];

/// The columns of a hold, as a row of that name has them.
pub(super) fn of_hold(row: &str) -> String {
    OF_HOLD.map(|column| format!("{row}.{column}")).join(", ")
}

/// Names as a list of SQL's. They are the program's own, none is a caller's.
pub(super) fn name_list(names: impl Iterator<Item = &'static str>) -> String {
    let quoted: Vec<String> = names.map(|name| format!("'{name}'")).collect();
    format!("({})", quoted.join(", "))
}

/// Whether a passage is said to have left, out by a gate or sent back.
pub(super) fn gone(passage: char) -> String {
    format!("({passage}.state LIKE 'EXITED%' OR {passage}.state LIKE 'TURNED_BACK%')")
}

/// When a passage is said to have left; nothing for one that did not.
fn left_ms(passage: char) -> String {
    let is_gone = gone(passage);
    format!("CASE WHEN {is_gone} THEN {passage}.at_ms END")
}

/// Whether the records of two rows were born within so many milliseconds of each other. With the
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

/// Makes `holds` of `opened` (`id`, `born_ms`): the same with what lies in a store on each, once
/// for each hold, and the id of the entry whose packages those are, as links say it. Of an entry
/// that several trucks carry, what came off all of them counts together.
fn holds(terms: &HoldTerms) -> String {
    let Some(stored_on) = &terms.stored else {
        return "holds AS MATERIALIZED (SELECT o.id, o.born_ms, CAST(NULL AS TEXT) AS packages, \
                CAST(NULL AS TEXT) AS least_by, CAST(NULL AS TEXT) AS last_by, \
                CAST(NULL AS TEXT) AS entry, 0 AS is_all FROM opened o)"
            .into();
    };
    let StoredOn {
        came_off,
        stored,
        stored_by,
        declared,
        ..
    } = stored_on;
    let near = near_in_time(terms, 'g', 't');
    let by = |which: &str| {
        format!(
            "(SELECT {which}(c.value) FROM terms c \
             WHERE c.record = o.id AND c.what || '' = '{stored_by}')"
        )
    };
    let (least_by, last_by) = (by("min"), by("max"));
    // The entry that the hold names, and no other one, of which as many lie there as it declares.
    // Another one that declares no number is one, too: nobody can tell whether its goods lie there.
    let alone = format!(
        "FROM terms s CROSS JOIN terms l CROSS JOIN terms d \
         WHERE s.record = o.id AND s.what || '' = '{stored}' \
         AND l.record = o.id AND l.what || '' = 'link' AND l.value = lower(l.value) \
         AND d.record = unhex(l.value) AND d.what || '' = '{declared}' \
         AND d.value || '' = s.value \
         AND NOT EXISTS (SELECT 1 FROM terms k CROSS JOIN records n WHERE k.record = o.id \
         AND k.what || '' = 'link' AND k.value = lower(k.value) AND n.id = unhex(k.value) \
         AND n.lane = {ENTRY_LANE} AND n.id <> d.record)"
    );

    format!(
        "stores AS MATERIALIZED (SELECT o.id, o.born_ms, \
         (SELECT d.record {alone} LIMIT 1) AS entry, (SELECT max(d.value) {alone}) AS packages, \
         {least_by} AS least_by, {last_by} AS last_by FROM opened o), \
         holds AS MATERIALIZED (SELECT d.id, d.born_ms, d.packages, d.least_by, d.last_by, \
         lower(hex(d.entry)) AS entry, CASE WHEN (SELECT sum(CAST(z.value AS BIGINT)) FROM terms z \
         WHERE z.what || '' = '{came_off}' \
         AND z.record IN (SELECT t.record FROM terms g CROSS JOIN terms t \
         WHERE g.record = d.entry AND {near} \
         UNION SELECT unhex(g.value) FROM terms g WHERE g.record = d.entry \
         AND g.what || '' = 'link' AND g.value = lower(g.value) \
         UNION SELECT t.record FROM terms t WHERE t.what = 'link' \
         AND t.value = lower(hex(d.entry)))) >= CAST(d.packages AS BIGINT) \
         THEN 1 ELSE 0 END AS is_all FROM stores d)"
    )
}

/// Whether all packages of a hold's entry came off its trucks, as is told beside a record that the
/// hold names: of the entry itself, and of a passage that carries its goods. Of any other passage
/// they tell nothing. A number, of a row with the members of `holds`; an expression gives the id.
fn is_all_of(terms: &HoldTerms, id: &str, row: char) -> String {
    if terms.stored.is_none() {
        return "0".into();
    }

    let near = near_in_time(terms, 't', 'g');
    format!(
        "CASE WHEN {row}.is_all = 1 AND (lower(hex({id})) = {row}.entry \
         OR EXISTS (SELECT 1 FROM terms t CROSS JOIN terms g WHERE t.record = {id} \
         AND g.record = unhex({row}.entry) AND {near}) \
         OR EXISTS (SELECT 1 FROM terms g WHERE g.record = unhex({row}.entry) \
         AND g.what = 'link' AND g.value = lower(hex({id}))) \
         OR EXISTS (SELECT 1 FROM terms t WHERE t.record = {id} \
         AND t.what = 'link' AND t.value = {row}.entry)) THEN 1 ELSE 0 END"
    )
}

/// Whether the goods of a passage do not all lie in a store on the hold that a row tells of; an
/// expression gives the id of the passage. A condition.
fn not_stored(terms: &HoldTerms, passage: &str, row: char) -> String {
    let Some(stored_on) = &terms.stored else {
        return "1 = 1".into();
    };
    let StoredOn {
        came_off,
        came_off_by,
        ..
    } = stored_on;

    format!(
        "NOT ({row}.packages IS NOT NULL AND EXISTS (SELECT 1 FROM terms u \
         WHERE u.record = {passage} AND u.what || '' = '{came_off}' \
         AND (u.value || '' = {row}.packages OR {row}.is_all = 1)) \
         AND EXISTS (SELECT 1 FROM terms b WHERE b.record = {passage} \
         AND b.what || '' = '{came_off_by}' \
         AND (b.value <> {row}.least_by OR b.value <> {row}.last_by)))"
    )
}

/// Makes `rules`: by which terms (`own`) of a record of a lane others are found that have the same
/// as another term (`what`), and how near in time.
fn rules(terms: &HoldTerms) -> String {
    let row = |lane: u8, own: &str, what: &str, within_ms: i64| {
        format!("({lane}, '{own}', '{what}', CAST({within_ms} AS BIGINT))")
    };
    let carried = terms.carried.iter();
    let carried = carried.map(|term| row(ENTRY_LANE, term.what, term.what, term.within_ms));
    let moved = terms.moved.iter();
    let moved = moved.map(|term| row(PASSAGE_LANE, term.from, term.to, term.within_ms));

    let mut rows: Vec<String> = carried.chain(moved).collect();
    if rows.is_empty() {
        // A list of no rows is none of SQL's, and no record is of that lane.
        rows.push(row(0, "", "", 0));
    }
    format!(
        "rules (lane, own, what, within_ms) AS MATERIALIZED (VALUES {})",
        rows.join(", ")
    )
}

/// When the words of a passage (`n`) were written by which its goods went on, the first or the last
/// of them; of one without such words when it was born.
fn said_ms(terms: &HoldTerms, which: &str) -> String {
    let said = terms.moved.iter().filter_map(|term| {
        let (from, to, said) = (term.from, term.to, term.said?);
        Some(format!(
            "WHEN n.lane = {PASSAGE_LANE} AND w.own = '{from}' AND w.what = '{to}' \
             THEN coalesce((SELECT {which}(CAST(x.value AS BIGINT)) FROM terms x \
             WHERE x.record = n.id AND x.what || '' = '{said}'), n.born_ms) "
        ))
    });
    said.collect()
}

/// Makes `known` of `on_hold`: by which terms other records belong with what is held. `from_ms`
/// tells since when they do, and `said_ms` by when all words of it were written, where it is a
/// word.
fn known(terms: &HoldTerms) -> String {
    let of_hold = of_hold("n");
    let (first, last) = (said_ms(terms, "min"), said_ms(terms, "max"));
    let (from_ms, said_ms): (String, String) = match first.is_empty() {
        true => ("n.born_ms".into(), "CAST(NULL AS BIGINT)".into()),
        false => (
            format!("CASE {first}ELSE n.born_ms END"),
            format!("CASE {last}END"),
        ),
    };

    format!(
        "known AS MATERIALIZED (SELECT n.id, n.born_ms, n.left_ms, n.since, {of_hold}, \
         CASE WHEN n.lane = {ENTRY_LANE} THEN 1 ELSE 0 END AS of_entry, w.what, e.value, \
         w.within_ms, {from_ms} AS from_ms, {said_ms} AS said_ms \
         FROM on_hold n CROSS JOIN terms e CROSS JOIN rules w \
         WHERE e.record = n.id AND w.lane = n.lane AND w.own = e.what)"
    )
}

/// Makes `pairs` of `known`: each with the passages that share its term. `passages` gives them as
/// `p`, `left_ms` when such a passage left; `more` is a condition to be added. What had left before
/// the other began carries nothing of it, and before the hold began is held by it no more.
fn pairs(passages: &str, left_ms: &str, more: &str) -> String {
    let near = born_near('e', 'p', "e.within_ms");
    let of_hold = of_hold("e");
    format!(
        "pairs AS MATERIALIZED (SELECT p.record AS passage, p.born_ms, e.id, \
         e.born_ms AS first_ms, e.said_ms, e.of_entry, e.what, e.value, {of_hold} \
         FROM known e CROSS JOIN {passages} WHERE p.what = e.what AND p.value = e.value \
         AND {near} AND p.record <> e.id {more} \
         AND (e.of_entry = 1 OR e.left_ms IS NULL OR e.left_ms >= p.born_ms) \
         AND ({left_ms} IS NULL OR {left_ms} >= e.from_ms AND {left_ms} >= e.since))"
    )
}

/// Makes `on_hold` of `named`: what of it is there and can be held, and does not lie in a store on
/// that very hold. `more` names columns to be kept.
fn on_hold(terms: &HoldTerms, more: &str) -> String {
    let of_hold = of_hold("n");
    let (left, here) = (left_ms('k'), not_stored(terms, "k.id", 'n'));
    format!(
        "on_hold AS MATERIALIZED (SELECT k.id, k.lane, k.born_ms, {left} AS left_ms, n.since, \
         {of_hold}{more} FROM named n CROSS JOIN records k \
         WHERE k.id = n.id AND k.lane IN {HELD_LANES:?} AND {here})"
    )
}

/// The passages that entries on hold name, and those that name one, as further rows of `joined`.
/// `passage` gives those that may be, as a row with an `id`, where it is the one; `is_here` tells
/// whether it had not left.
fn linked(passages: &str, row: char, is_here: &str) -> String {
    let of_hold = of_hold("n");
    let part = |passage: &str, link: &str| {
        format!(
            "UNION SELECT {row}.id, n.id, {of_hold} FROM on_hold n CROSS JOIN terms l \
             CROSS JOIN {passages} {row} WHERE n.lane = {ENTRY_LANE} AND {link} \
             AND {row}.id = {passage} AND {row}.lane = {PASSAGE_LANE} AND {is_here} "
        )
    };

    let named = "l.record = n.id AND l.what = 'link' AND l.value = lower(l.value)";
    let naming = "l.what = 'link' AND l.value = lower(hex(n.id))";
    part("unhex(l.value)", named) + &part("l.record", naming)
}

/// What open holds hold, as a condition of records (`r`). Few holds are open at once: it begins
/// with them and not with all that was ever let in. From them it goes to what they name or look out
/// for (and tells no hold there: what lies in a store on a hold frees nothing that it looks out
/// for), from entries to the passages that carry their goods, and from passages to those that
/// theirs went on to.
pub(super) fn detained(terms: &HoldTerms, of_holds: &str) -> String {
    let sought = name_list(terms.sought.iter().copied());
    let (rules, holds) = (rules(terms), holds(terms));
    let is_all = is_all_of(terms, "unhex(l.value)", 'h');
    let (on_hold, known) = (on_hold(terms, ""), known(terms));
    let of_passages = format!("AND k.id = p.record AND k.lane = {PASSAGE_LANE}");
    let pairs = pairs("terms p CROSS JOIN records k", &left_ms('k'), &of_passages);
    let joined = joined(&GoneBefore::of(terms));
    let is_gone = gone('k');
    let is_here = format!("NOT ({is_gone} AND (k.at_ms < n.born_ms OR k.at_ms < n.since))");
    let linked = linked("records", 'k', &is_here);
    let carried = not_stored(terms, "j.passage", 'j');

    format!(
        "r.lane IN {HELD_LANES:?} AND r.id IN (WITH {rules}, opened AS MATERIALIZED (\
         SELECT h.id, h.born_ms FROM records h \
         WHERE h.lane = {HOLD_LANE} AND h.open{of_holds}), {holds}, \
         named AS MATERIALIZED (SELECT unhex(l.value) AS id, h.born_ms AS since, h.id AS hold, \
         h.packages, h.least_by, h.last_by, {is_all} AS is_all FROM holds h CROSS JOIN terms l \
         WHERE l.record = h.id AND l.what = 'link' AND l.value = lower(l.value) \
         UNION SELECT t.record, h.born_ms, NULL, NULL, NULL, NULL, 0 \
         FROM holds h CROSS JOIN terms g CROSS JOIN terms t WHERE g.record = h.id \
         AND g.what = 'target' AND t.what IN {sought} AND t.value = g.value), \
         {on_hold}, {known}, {pairs}, {joined} \
         SELECT n.id FROM on_hold n \
         UNION SELECT j.passage FROM (SELECT * FROM joined {linked}) AS j WHERE {carried})"
    )
}

/// Makes `others` of what is asked for: it, and all that it may belong with. However many records
/// of one plate are asked for, what else has that plate is looked at once.
fn others() -> String {
    format!(
        "spans AS MATERIALIZED (SELECT p.what, p.value, min(p.born_ms) AS first_ms, \
         max(p.born_ms) AS last_ms FROM mine p GROUP BY p.what, p.value), \
         others AS MATERIALIZED (SELECT o.id, max(o.is_asked) AS is_asked FROM (\
         SELECT a.id, 1 AS is_asked FROM asked a \
         UNION ALL SELECT unhex(l.value), 0 FROM asked a CROSS JOIN terms l \
         WHERE a.lane = {PASSAGE_LANE} AND l.record = a.id AND l.what = 'link' \
         AND l.value = lower(l.value) \
         UNION ALL SELECT l.record, 0 FROM asked a CROSS JOIN terms l \
         WHERE a.lane = {PASSAGE_LANE} AND l.what = 'link' AND l.value = a.text \
         UNION ALL SELECT e.record, 0 FROM spans v CROSS JOIN rules w CROSS JOIN terms e \
         WHERE w.what = v.what AND e.what = w.own AND e.value = v.value \
         AND e.born_ms BETWEEN v.first_ms - w.within_ms AND v.last_ms + w.within_ms\
         ) AS o GROUP BY o.id)"
    )
}

/// Makes `named` of `others`: those that open holds name, or look out for (and tells nothing of
/// what lies in a store there).
fn named(terms: &HoldTerms) -> String {
    let sought = name_list(terms.sought.iter().copied());
    let (holds, is_all) = (holds(terms), is_all_of(terms, "y.id", 'y'));
    format!(
        "hits AS MATERIALIZED (SELECT o.id, o.is_asked, h.id AS hold, h.born_ms AS since, \
         0 AS is_sought FROM others o CROSS JOIN terms l CROSS JOIN records h \
         WHERE l.what = 'link' AND l.value = lower(hex(o.id)) \
         AND h.id = l.record AND h.lane = {HOLD_LANE} AND h.open \
         UNION SELECT o.id, o.is_asked, h.id, h.born_ms, 1 FROM others o CROSS JOIN terms t \
         CROSS JOIN terms g CROSS JOIN records h WHERE t.record = o.id AND t.what IN {sought} \
         AND g.what = 'target' AND g.value = t.value \
         AND h.id = g.record AND h.lane = {HOLD_LANE} AND h.open), \
         opened AS MATERIALIZED (SELECT DISTINCT h.hold AS id, h.since AS born_ms FROM hits h \
         WHERE h.is_sought = 0), {holds}, \
         named AS MATERIALIZED (SELECT y.id, y.is_asked, y.since, y.hold, y.packages, \
         y.least_by, y.last_by, {is_all} AS is_all FROM (SELECT x.id, x.is_asked, x.since, x.hold, \
         x.is_hit, CASE WHEN x.is_sought = 0 THEN max(x.packages) OVER each END AS packages, \
         max(x.least_by) OVER each AS least_by, max(x.last_by) OVER each AS last_by, \
         max(x.entry) OVER each AS entry, max(x.is_all) OVER each AS is_all FROM (\
         SELECT h.id, h.is_asked, h.since, h.hold, h.is_sought, 1 AS is_hit, \
         CAST(NULL AS TEXT) AS packages, CAST(NULL AS TEXT) AS least_by, \
         CAST(NULL AS TEXT) AS last_by, CAST(NULL AS TEXT) AS entry, 0 AS is_all FROM hits h \
         UNION ALL SELECT NULL, 0, NULL, h.id, 0, 0, h.packages, h.least_by, h.last_by, \
         h.entry, h.is_all FROM holds h) AS x \
         WINDOW each AS (PARTITION BY x.hold)) AS y WHERE y.is_hit = 1)"
    )
}

/// The open holds that hold each of the records that `each` gives by their ids, and through which
/// entry, or which other passage: the same as [`detained`], begun with the records.
pub(crate) fn holds_on(each: &str, terms: &HoldTerms) -> String {
    let carried = terms.carried.iter().map(|term| term.what);
    let whats = name_list(carried.chain(terms.moved.iter().map(|term| term.to)));
    let (rules, others, named) = (rules(terms), others(), named(terms));
    let (on_hold, known) = (on_hold(terms, ", n.is_asked"), known(terms));
    let (left, pairs) = (left_ms('r'), pairs("near p", "p.left_ms", ""));
    let joined = joined(&GoneBefore::of(terms));
    let is_here = "(a.left_ms IS NULL OR a.left_ms >= n.born_ms AND a.left_ms >= n.since)";
    let linked = linked("asked", 'a', is_here);
    let is_held = not_stored(terms, "j.passage", 'j');

    format!(
        "WITH {rules}, asked AS MATERIALIZED (SELECT r.id, r.lane, j.value ->> 0 AS text, \
         {left} AS left_ms FROM {each} \
         CROSS JOIN records r WHERE r.id = unhex(j.value ->> 0) AND r.lane IN {HELD_LANES:?}), \
         mine AS MATERIALIZED (SELECT p.record, a.left_ms, p.what, p.value, p.born_ms \
         FROM asked a CROSS JOIN terms p WHERE a.lane = {PASSAGE_LANE} AND p.record = a.id \
         AND p.what || '' IN {whats} AND p.born_ms BETWEEN -{TIME_MS_MAX} AND {TIME_MS_MAX}), \
         {others}, {named}, {on_hold}, {known}, \
         near AS MATERIALIZED (SELECT * FROM (SELECT x.record, x.left_ms, x.what, x.value, \
         x.born_ms, max(x.is_known) OVER (PARTITION BY x.what, x.value) AS is_shared FROM (\
         SELECT p.record, p.left_ms, p.what, p.value, p.born_ms, 0 AS is_known FROM mine p \
         UNION ALL SELECT NULL, NULL, e.what, e.value, NULL, 1 FROM known e) AS x) AS y \
         WHERE y.is_shared = 1 AND y.record IS NOT NULL), {pairs}, {joined}, \
         found AS MATERIALIZED (SELECT n.id AS record, n.id AS entry, n.hold FROM on_hold n \
         WHERE n.is_asked = 1 UNION SELECT j.passage, j.id, j.hold \
         FROM (SELECT * FROM joined {linked}) AS j WHERE {is_held}) \
         SELECT f.record, f.hold, CASE WHEN f.entry <> f.record THEN k.printed END AS through \
         FROM found f CROSS JOIN records k WHERE k.id = f.entry \
         ORDER BY f.record, f.hold, f.entry <> f.record, k.printed"
    )
}
