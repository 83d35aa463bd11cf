//! Which pairs of [`super::held`] are none, by what other trips of a vehicle tell: it had left and
//! came again with an entry of its own, it came once all words of its load were written, or the
//! container was given up before.
//!
//! Each asks for the last of many times before one: the last exit of a plate before a trip began,
//! the last entry of a trip's own, the last time that a container was emptied. Those times and the
//! trips are put in one order, and a running maximum gives every trip its answer: the work grows
//! with the trips of a plate, and not with their square. A trip's own exit is never before it
//! began: no passage is taken for another.

use super::held::{ENTRY_LANE, PASSAGE_LANE, gone, name_list, of_hold};
use crate::{CameAgain, EmptiedBefore, HoldTerms};

/// The members of a pair that only these conditions need.
const OF_PAIR: &str = "x.passage, x.born_ms, x.id, x.first_ms, x.said_ms, x.of_entry, x.what, \
                       x.value";
/// An entry that was not cancelled.
const IN_FORCE: &str = "(y.state || ' ') NOT LIKE 'CANCELLED %'";

/// What is asked of other trips.
pub(super) struct GoneBefore<'a> {
    again: Option<&'a CameAgain>,
    emptied: Option<&'a EmptiedBefore>,
    /// Whether goods go over by words that are written.
    is_said: bool,
}

/// What other trips tell of pairs: rows to be put beside them, what is taken from those rows for
/// each pair, and when the pair is none by it.
#[derive(Default)]
struct TripTerms {
    tables: Vec<String>,
    rows: String,
    taken: String,
    unless: String,
}

impl<'a> GoneBefore<'a> {
    pub(super) fn of(terms: &'a HoldTerms) -> Self {
        Self {
            again: terms.again.as_ref(),
            emptied: terms.emptied.as_ref(),
            is_said: terms.moved.iter().any(|term| term.said.is_some()),
        }
    }

    /// Which rows of `pairs` or `known` (`x`) ask whether a vehicle had left before.
    fn asks_for_exits(&self) -> Option<String> {
        let again = self.again;
        let again = again.map(|again| format!("x.of_entry = 1 AND x.what = '{}'", again.what));
        let said = self.is_said.then(|| "x.said_ms IS NOT NULL".to_string());
        let any: Vec<String> = again.into_iter().chain(said).collect();
        (!any.is_empty()).then(|| any.join(" OR "))
    }
}

/// Makes `joined` of `pairs` and `known`: the passages of those pairs that stand, with what each
/// belongs with and the hold on that.
pub(super) fn joined(before: &GoneBefore<'_>) -> String {
    let mut told = TripTerms::default();
    if let Some(asks) = before.asks_for_exits() {
        told.tell_exits(&asks);
    }
    if let Some(again) = before.again {
        told.tell_entries(again);
    }
    if before.is_said {
        told.leave_out("y.said_ms < y.born_ms AND y.gone_ms >= y.first_ms");
    }
    if let Some(emptied) = before.emptied {
        told.tell_emptied(emptied);
    }

    let TripTerms {
        mut tables,
        rows,
        taken,
        unless,
    } = told;
    let of_hold_x = of_hold("x");
    tables.push(match unless.is_empty() {
        true => {
            format!("joined AS MATERIALIZED (SELECT x.passage, x.id, {of_hold_x} FROM pairs x)")
        }
        false => {
            let of_hold_y = of_hold("y");
            format!(
                "joined AS MATERIALIZED (SELECT y.passage, y.id, {of_hold_y} FROM (\
                 SELECT {OF_PAIR}, {of_hold_x}, x.is_pair{taken} FROM (\
                 SELECT {OF_PAIR}, {of_hold_x}, 1 AS is_pair, CAST(NULL AS BIGINT) AS gone_ms, \
                 CAST(NULL AS BIGINT) AS own_ms, CAST(NULL AS BIGINT) AS emptied_ms \
                 FROM pairs x {rows}) AS x) AS y WHERE y.is_pair = 1{unless})"
            )
        }
    });
    tables.join(", ")
}

impl TripTerms {
    /// A pair of which this is so is none.
    fn leave_out(&mut self, is_so: &str) {
        self.unless += &format!(" AND NOT coalesce({is_so}, 1 = 0)");
    }

    /// Makes `trips`, the passages of pairs that ask for exits, and `gone`: when another of the
    /// same plate had left last before each began.
    fn tell_exits(&mut self, asks: &str) {
        let had_left = gone('w');
        self.tables.push(format!(
            "trips AS MATERIALIZED (SELECT DISTINCT x.passage, x.born_ms, x.what, x.value \
             FROM pairs x WHERE {asks}), \
             gone AS MATERIALIZED (SELECT y.passage, y.what, y.value, y.gone_ms FROM (\
             SELECT x.passage, x.what, x.value, x.is_gone, max(x.gone_ms) OVER (\
             PARTITION BY x.what, x.value ORDER BY x.at_ms, x.is_gone \
             ROWS UNBOUNDED PRECEDING) AS gone_ms FROM (\
             SELECT t.passage, t.what, t.value, t.born_ms AS at_ms, 0 AS is_gone, \
             CAST(NULL AS BIGINT) AS gone_ms FROM trips t \
             UNION ALL SELECT NULL, v.what, v.value, w.at_ms, 1, w.at_ms FROM (\
             SELECT DISTINCT x.what, x.value FROM known x WHERE {asks}) AS v \
             CROSS JOIN terms m CROSS JOIN records w WHERE m.what = v.what AND m.value = v.value \
             AND w.id = m.record AND w.lane = {PASSAGE_LANE} AND {had_left}) AS x) AS y \
             WHERE y.is_gone = 0 AND y.gone_ms IS NOT NULL)"
        ));
        self.rows += "UNION ALL SELECT g.passage, NULL, NULL, NULL, NULL, NULL, g.what, g.value, \
                      NULL, NULL, NULL, NULL, NULL, 0, g.gone_ms, NULL, NULL FROM gone g ";
        self.taken += ", max(x.gone_ms) OVER (PARTITION BY x.passage, x.what, x.value) AS gone_ms";
    }

    /// Makes `owned`: when the last entry of a trip's own was born, of those that are near enough:
    /// one that shares a term with it, or that a link joins with it.
    fn tell_entries(&mut self, again: &CameAgain) {
        let (what, within_ms) = (again.what, again.within_ms);
        let own = name_list(again.own.into_iter());
        self.tables.push(format!(
            "comers AS MATERIALIZED (SELECT DISTINCT t.passage, t.born_ms + {within_ms} \
             AS until_ms FROM trips t WHERE t.what = '{what}'), \
             mates AS MATERIALIZED (SELECT c.passage, c.until_ms, o.what, o.value FROM comers c \
             CROSS JOIN terms o WHERE o.record = c.passage AND o.what || '' IN {own}), \
             owned AS MATERIALIZED (SELECT y.passage, y.own_ms FROM (\
             SELECT x.passage, x.is_asked, max(x.own_ms) OVER (PARTITION BY x.what, x.value \
             ORDER BY x.at_ms, x.is_asked ROWS UNBOUNDED PRECEDING) AS own_ms FROM (\
             SELECT m.passage, m.what, m.value, m.until_ms AS at_ms, 1 AS is_asked, \
             CAST(NULL AS BIGINT) AS own_ms FROM mates m \
             UNION ALL SELECT NULL, v.what, v.value, y.born_ms, 0, y.born_ms FROM (\
             SELECT DISTINCT m.what, m.value FROM mates m) AS v \
             CROSS JOIN terms d CROSS JOIN records y WHERE d.what = v.what AND d.value = v.value \
             AND y.id = d.record AND y.lane = {ENTRY_LANE} AND {IN_FORCE}) AS x) AS y \
             WHERE y.is_asked = 1 AND y.own_ms IS NOT NULL \
             UNION ALL SELECT c.passage, y.born_ms FROM comers c CROSS JOIN terms o \
             CROSS JOIN records y WHERE o.record = c.passage AND o.what || '' = 'link' \
             AND o.value = lower(o.value) AND y.id = unhex(o.value) AND y.lane = {ENTRY_LANE} \
             AND y.born_ms <= c.until_ms AND {IN_FORCE} \
             UNION ALL SELECT c.passage, y.born_ms FROM comers c CROSS JOIN terms d \
             CROSS JOIN records y WHERE d.what = 'link' AND d.value = lower(hex(c.passage)) \
             AND y.id = d.record AND y.lane = {ENTRY_LANE} \
             AND y.born_ms <= c.until_ms AND {IN_FORCE})"
        ));
        self.rows += "UNION ALL SELECT o.passage, NULL, NULL, NULL, NULL, NULL, NULL, NULL, \
                      NULL, NULL, NULL, NULL, NULL, 0, NULL, o.own_ms, NULL FROM owned o ";
        self.taken += ", max(x.own_ms) OVER (PARTITION BY x.passage) AS own_ms";
        self.leave_out(&format!(
            "y.of_entry = 1 AND y.what = '{what}' AND y.gone_ms >= y.first_ms \
             AND y.own_ms > y.first_ms"
        ));
    }

    /// Makes `loaded`, the pairs of such a term with each plate of the entry's own, and `emptied`:
    /// when a vehicle of that plate had given it up last before the pair's passage began. Where
    /// that one did not leave, it still holds for some time.
    fn tell_emptied(&mut self, given_up: &EmptiedBefore) {
        let EmptiedBefore {
            what,
            emptied,
            own,
            after_ms,
        } = given_up;
        self.tables.push(format!(
            "loaded AS MATERIALIZED (SELECT DISTINCT x.passage, x.born_ms, x.id, x.value, \
             s.value AS own FROM pairs x CROSS JOIN terms s \
             WHERE x.of_entry = 1 AND x.what = '{what}' \
             AND s.record = x.id AND s.what || '' = '{own}'), \
             emptied AS MATERIALIZED (SELECT y.passage, y.id, y.value, y.emptied_ms FROM (\
             SELECT x.passage, x.id, x.value, x.is_emptied, max(x.emptied_ms) OVER (\
             PARTITION BY x.value, x.own, x.has_left ORDER BY x.at_ms, x.is_emptied \
             ROWS UNBOUNDED PRECEDING) AS emptied_ms FROM (\
             SELECT l.passage, l.id, l.value, l.own, i.has_left, l.born_ms - i.after_ms AS at_ms, \
             0 AS is_emptied, CAST(NULL AS BIGINT) AS emptied_ms FROM loaded l CROSS JOIN (\
             SELECT 1 AS has_left, 0 AS after_ms UNION ALL SELECT 0, {after_ms}) AS i \
             UNION ALL SELECT NULL, NULL, v.value, q.value, \
             CASE WHEN w.state LIKE 'EXITED%' THEN 1 ELSE 0 END, w.at_ms, 1, w.at_ms FROM (\
             SELECT DISTINCT x.value FROM known x WHERE x.of_entry = 1 AND x.what = '{what}'\
             ) AS v CROSS JOIN terms m CROSS JOIN records w CROSS JOIN terms q \
             WHERE m.what = '{emptied}' AND m.value = v.value AND w.id = m.record \
             AND w.lane = {PASSAGE_LANE} AND q.record = m.record AND q.what || '' = '{own}'\
             ) AS x) AS y WHERE y.is_emptied = 0 AND y.emptied_ms IS NOT NULL)"
        ));
        self.rows += &format!(
            "UNION ALL SELECT g.passage, NULL, g.id, NULL, NULL, NULL, '{what}', g.value, NULL, \
             NULL, NULL, NULL, NULL, 0, NULL, NULL, g.emptied_ms FROM emptied g "
        );
        self.taken += ", max(x.emptied_ms) OVER (PARTITION BY x.passage, x.id, x.what, x.value) \
                       AS emptied_ms";
        self.leave_out(&format!(
            "y.of_entry = 1 AND y.what = '{what}' AND y.emptied_ms >= y.first_ms"
        ));
    }
}
