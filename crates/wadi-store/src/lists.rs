//! The statements of lists, built from the filters that are set, once for both engines.
//!
//! A page is found first, by one index that holds all that is asked; only then are its rows read.
//! So a filter that few rows pass costs a walk over narrow keys and not over whole rows.

use crate::{FindingFilter, HoldTerms, RecordFilter};
use wadi_log::Lane;

/// The lane of holds, and those of what can be held.
pub(crate) const HOLD_LANE: u8 = Lane::Hold as u8;
pub(crate) const HELD_LANES: (u8, u8) = (Lane::Customs as u8, Lane::Passage as u8);
/// The lane of customs entries, and that of the passages that carry their goods.
const ENTRY_LANE: u8 = Lane::Customs as u8;
const PASSAGE_LANE: u8 = Lane::Passage as u8;
/// Times further from 1970 are near none, milliseconds: no sum leaves its range.
const TIME_MS_MAX: i64 = 1_000_000_000_000_000;

pub(crate) const RECORD_COLUMNS: &str = "r.id, r.printed, r.lane, r.crossing, r.state, r.open, \
                                         r.contested, r.json, r.digest, r.entries, r.at_ms, \
                                         r.changed, r.born_ms";
pub(crate) const FINDING_COLUMNS: &str = "f.id, f.rule, f.severity, f.phase, f.state, f.crossing, \
                                          f.assignee, f.anchor, f.evidence, f.at_ms, f.due_ms, \
                                          f.json";

/// A condition that no row meets.
pub(crate) const NOTHING: &str = "1 = 0";

/// Whether no row can hold a text: PostgreSQL keeps no NUL, and takes none in a question.
pub(crate) fn is_no_text(text: &str) -> bool {
    text.contains('\0')
}

/// A value for one of a statement's places.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum BoundValue {
    Int(i64),
    Text(String),
    Bytes(Vec<u8>),
}

/// A statement, and the values for its places in their order.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Listing {
    pub(crate) sql: String,
    pub(crate) values: Vec<BoundValue>,
}

/// The conditions of a statement, and their values. A condition that is always true stands in none:
/// it would keep a planner from the index that the others have.
#[derive(Default)]
struct Conditions {
    all: Vec<String>,
    values: Vec<BoundValue>,
}

impl Conditions {
    /// Adds a condition; each `?` of it stands for one of the values.
    fn add(&mut self, condition: &str, values: impl IntoIterator<Item = BoundValue>) {
        let values: Vec<BoundValue> = values.into_iter().collect();
        let is_no_text = |v: &BoundValue| matches!(v, BoundValue::Text(text) if is_no_text(text));
        if values.iter().any(is_no_text) {
            self.all.push(NOTHING.into());
            return;
        }

        let mut parts = condition.split('?');
        let mut text = parts.next().unwrap_or_default().to_string();

        for (part, value) in parts.zip(values) {
            text += &self.place(value);
            text += part;
        }

        self.all.push(text);
    }

    fn add_int(&mut self, condition: &str, value: Option<i64>) {
        if let Some(value) = value {
            self.add(condition, [BoundValue::Int(value)]);
        }
    }

    fn add_text(&mut self, condition: &str, value: Option<&String>) {
        if let Some(value) = value {
            self.add(condition, [BoundValue::Text(value.clone())]);
        }
    }

    /// The place of a value.
    fn place(&mut self, value: BoundValue) -> String {
        self.values.push(value);
        format!("${}", self.values.len())
    }

    fn clause(&self) -> String {
        match self.all.is_empty() {
            true => String::new(),
            false => format!("WHERE {}", self.all.join(" AND ")),
        }
    }
}

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
    if let Some(terms) = &f.detained {
        wanted.add(&detained(terms), []);
    }

    let order = match f.after {
        Some(_) => "r.id",
        // Few records have a term, and few are detained: they are sorted. With the sign, no planner
        // walks all that was ever changed to find them in their order.
        None if f.term.is_some() || f.detained.is_some() => "+r.changed DESC",
        None => "r.changed DESC",
    };

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

/// Names as a list of SQL's. They are the program's own, none is a caller's.
fn name_list(names: impl Iterator<Item = &'static str>) -> String {
    let quoted: Vec<String> = names.map(|name| format!("'{name}'")).collect();
    format!("({})", quoted.join(", "))
}

/// Whether a term that is at hand and the same term of another record are near enough in time. With
/// the sign, no planner takes the bounds of all times for those that the index is asked for.
fn near_in_time(terms: &HoldTerms, at_hand: char, other: char) -> String {
    let about = format!(
        "CASE WHEN {at_hand}.born_ms BETWEEN -{TIME_MS_MAX} AND {TIME_MS_MAX} \
         THEN {at_hand}.born_ms ELSE 0 END"
    );
    let mut within = format!("CASE {at_hand}.what");
    for term in &terms.carried {
        within += &format!(" WHEN '{}' THEN {}", term.what, term.within_ms);
    }
    within += " END";

    let carried = name_list(terms.carried.iter().map(|term| term.what));
    format!(
        "{at_hand}.what IN {carried} AND {other}.what = {at_hand}.what \
         AND {other}.value = {at_hand}.value \
         AND {other}.born_ms BETWEEN {about} - {within} AND {about} + {within} \
         AND +{at_hand}.born_ms BETWEEN -{TIME_MS_MAX} AND {TIME_MS_MAX} \
         AND +{other}.born_ms BETWEEN -{TIME_MS_MAX} AND {TIME_MS_MAX}"
    )
}

/// Few holds are open at once: it begins with them and not with all that was ever let in. From
/// them it goes to what they name or look out for, and from entries to the passages that carry
/// their goods. The order of its joins is the one written: a planner without figures takes others,
/// which walk all terms.
fn detained(terms: &HoldTerms) -> String {
    let sought = name_list(terms.sought.iter().copied());
    let near = near_in_time(terms, 'e', 'p');
    format!(
        "r.lane IN {HELD_LANES:?} AND r.id IN (WITH named AS MATERIALIZED (\
         SELECT unhex(l.value) AS id FROM records h CROSS JOIN terms l \
         WHERE h.lane = {HOLD_LANE} AND h.open \
         AND l.record = h.id AND l.what = 'link' AND l.value = lower(l.value) \
         UNION SELECT t.record FROM records h CROSS JOIN terms g CROSS JOIN terms t \
         WHERE h.lane = {HOLD_LANE} AND h.open AND g.record = h.id AND g.what = 'target' \
         AND t.what IN {sought} AND t.value = g.value), \
         entries AS MATERIALIZED (SELECT k.id FROM named CROSS JOIN records k \
         WHERE k.id = named.id AND k.lane = {ENTRY_LANE}), \
         carrying AS MATERIALIZED (SELECT p.record AS id FROM entries n CROSS JOIN terms e \
         CROSS JOIN terms p WHERE e.record = n.id AND {near} \
         UNION SELECT unhex(l.value) FROM entries n CROSS JOIN terms l \
         WHERE l.record = n.id AND l.what = 'link' AND l.value = lower(l.value) \
         UNION SELECT l.record FROM entries n CROSS JOIN terms l \
         WHERE l.what = 'link' AND l.value = lower(hex(n.id))) \
         SELECT named.id FROM named UNION SELECT k.id FROM carrying CROSS JOIN records k \
         WHERE k.id = carrying.id AND k.lane = {PASSAGE_LANE})",
    )
}

/// The open holds that hold each of the records that `each` gives by their ids, and through which
/// entry: the same as [`detained`], begun with the records.
pub(crate) fn holds_on(each: &str, terms: &HoldTerms) -> String {
    let sought = name_list(terms.sought.iter().copied());
    let near = near_in_time(terms, 'p', 'e');
    format!(
        "WITH asked AS MATERIALIZED (SELECT r.id, r.lane, j.value ->> 0 AS text FROM {each} \
         CROSS JOIN records r WHERE r.id = unhex(j.value ->> 0) AND r.lane IN {HELD_LANES:?}), \
         via AS MATERIALIZED (SELECT id AS record, id AS entry, text FROM asked \
         UNION SELECT a.id, k.id, lower(hex(k.id)) FROM asked a CROSS JOIN terms p \
         CROSS JOIN terms e CROSS JOIN records k WHERE a.lane = {PASSAGE_LANE} \
         AND p.record = a.id AND {near} AND k.id = e.record AND k.lane = {ENTRY_LANE} \
         UNION SELECT a.id, k.id, lower(hex(k.id)) FROM asked a CROSS JOIN terms l \
         CROSS JOIN records k WHERE a.lane = {PASSAGE_LANE} AND l.record = a.id \
         AND l.what = 'link' AND l.value = lower(l.value) \
         AND k.id = unhex(l.value) AND k.lane = {ENTRY_LANE} \
         UNION SELECT a.id, k.id, lower(hex(k.id)) FROM asked a CROSS JOIN terms l \
         CROSS JOIN records k WHERE a.lane = {PASSAGE_LANE} AND l.what = 'link' \
         AND l.value = a.text AND k.id = l.record AND k.lane = {ENTRY_LANE}), \
         found AS MATERIALIZED (SELECT v.record, v.entry, h.id AS hold FROM via v \
         CROSS JOIN terms l CROSS JOIN records h WHERE l.what = 'link' AND l.value = v.text \
         AND h.id = l.record AND h.lane = {HOLD_LANE} AND h.open \
         UNION SELECT v.record, v.entry, h.id FROM via v CROSS JOIN terms t \
         CROSS JOIN terms g CROSS JOIN records h WHERE t.record = v.entry AND t.what IN {sought} \
         AND g.what = 'target' AND g.value = t.value \
         AND h.id = g.record AND h.lane = {HOLD_LANE} AND h.open) \
         SELECT f.record, f.hold, CASE WHEN f.entry <> f.record THEN k.printed END AS through \
         FROM found f CROSS JOIN records k WHERE k.id = f.entry \
         ORDER BY f.record, f.hold, f.entry <> f.record, k.printed",
    )
}

/// What a filter of findings takes.
fn of_findings(f: &FindingFilter) -> Conditions {
    let mut wanted = Conditions::default();
    wanted.add_text("f.rule = ?", f.rule.as_ref());
    wanted.add_text("f.crossing = ?", f.crossing.as_ref());
    wanted.add_text("f.phase = ?", f.phase.as_ref());
    wanted.add_text("f.state = ?", f.state.as_ref());
    wanted.add_text("f.assignee = ?", f.assignee.as_ref());
    wanted.add_int("f.severity = ?", f.severity.map(i64::from));
    wanted.add_int("f.at_ms <= ?", f.until_ms);
    wanted
}

/// A page of findings.
pub(crate) fn findings(f: &FindingFilter) -> Listing {
    const ORDER: &str = "f.severity, f.at_ms, f.id";
    let mut wanted = of_findings(f);
    if let Some((severity, at_ms, id)) = &f.after {
        let last = [
            BoundValue::Int(i64::from(*severity)),
            BoundValue::Int(*at_ms),
            BoundValue::Text(id.clone()),
        ];
        wanted.add(&format!("({ORDER}) > (?, ?, ?)"), last);
    }

    let clause = wanted.clause();
    let limit = wanted.place(BoundValue::Int(i64::from(f.limit)));
    Listing {
        sql: format!(
            "SELECT {FINDING_COLUMNS} FROM \
             (SELECT f.id FROM findings f {clause} ORDER BY {ORDER} LIMIT {limit}) AS page \
             JOIN findings f ON f.id = page.id ORDER BY {ORDER}"
        ),
        values: wanted.values,
    }
}

/// How many findings there are, by rule, phase and state.
pub(crate) fn finding_counts(f: &FindingFilter) -> Listing {
    let wanted = of_findings(f);
    Listing {
        sql: format!(
            "SELECT f.rule, f.phase, f.state, count(*) AS count FROM findings f {} \
             GROUP BY f.rule, f.phase, f.state ORDER BY f.rule, f.phase, f.state",
            wanted.clause()
        ),
        values: wanted.values,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CarriedWithin, sqlite::MIGRATIONS};
    use wadi_log::RecordId;

    fn database() -> rusqlite::Connection {
        let conn = rusqlite::Connection::open_in_memory().unwrap();
        for sql in MIGRATIONS {
            conn.execute_batch(sql).unwrap();
        }
        conn
    }

    fn hold_terms() -> HoldTerms {
        let term = |what| CarriedWithin {
            what,
            within_ms: 1_000,
        };
        HoldTerms {
            sought: vec!["plate", "goods"],
            carried: vec![term("container"), term("plate")],
        }
    }

    /// How SQLite means to answer, a line for each step.
    fn plan(conn: &rusqlite::Connection, listing: &Listing) -> Vec<String> {
        let sql = format!("EXPLAIN QUERY PLAN {}", listing.sql);
        let mut statement = conn.prepare(&sql).unwrap();
        let mut rows = statement.raw_query();
        let mut steps = Vec::new();
        while let Some(row) = rows.next().unwrap() {
            steps.push(row.get("detail").unwrap());
        }

        steps
    }

    /// No whole rows are walked over, and nothing is sorted but where few rows are.
    fn assert_narrow(steps: &[String], of_few: bool) {
        for step in steps {
            // The page, and what was gathered from open holds: few rows, which are in memory.
            let of_few_rows = ["page", "named", "carrying", "a", "v", "f", "n", "asked"]
                .iter()
                .any(|name| step.ends_with(&format!(" {name}")));
            let walks_rows = step.starts_with("SCAN") && !step.contains("INDEX") && !of_few_rows;
            assert!(!walks_rows, "{steps:#?}");
            let sorts = step.contains("TEMP B-TREE FOR ORDER BY");
            assert!(of_few || !sorts || step_after_page(steps), "{steps:#?}");
        }
    }

    /// No step looks through all terms of a name.
    fn assert_by_terms(steps: &[String]) {
        let is_wide =
            |step: &&String| step.ends_with("PRIMARY KEY (what=?)") || step.contains("AUTOMATIC");
        assert_eq!(steps.iter().find(is_wide), None, "{steps:#?}");
    }

    /// Whether what is sorted is the page, once it was found.
    fn step_after_page(steps: &[String]) -> bool {
        let sorts = steps
            .iter()
            .filter(|step| step.contains("TEMP B-TREE FOR ORDER BY"));
        sorts.count() == 1 && steps.last().is_some_and(|s| s.contains("TEMP B-TREE"))
    }

    #[test]
    fn every_filter_of_records_has_its_index() {
        let conn = database();
        let any = RecordFilter {
            limit: 50,
            ..RecordFilter::default()
        };
        let walked = [
            any.clone(),
            RecordFilter {
                lane: Some(1),
                ..any.clone()
            },
            RecordFilter {
                crossing: Some("TRB".into()),
                ..any.clone()
            },
            RecordFilter {
                state: Some("ADMITTED".into()),
                ..any.clone()
            },
            RecordFilter {
                contested: true,
                ..any.clone()
            },
            RecordFilter {
                before: Some(7),
                ..any.clone()
            },
        ];
        for filter in &walked {
            let steps = plan(&conn, &records(filter));
            assert_narrow(&steps, false);
            let by_list = steps.iter().any(|s| s.contains("records_list"));
            assert!(by_list, "{filter:?}: {steps:#?}");
        }

        let few = [
            RecordFilter {
                term: Some(("plate".into(), "X".into())),
                ..any.clone()
            },
            RecordFilter {
                detained: Some(hold_terms()),
                ..any.clone()
            },
        ];
        for filter in &few {
            let steps = plan(&conn, &records(filter));
            assert_narrow(&steps, true);
            assert_by_terms(&steps);
            let walks = steps.iter().any(|s| s.contains("records_list"));
            assert!(!walks, "{filter:?}: {steps:#?}");
        }

        let after = RecordFilter {
            after: Some(RecordId([0; 32])),
            ..any
        };
        assert_narrow(&plan(&conn, &records(&after)), false);
    }

    #[test]
    fn holds_on_records_are_found_by_their_terms() {
        let conn = database();
        let listing = Listing {
            sql: holds_on("json_each($1) AS j", &hold_terms()),
            values: Vec::new(),
        };

        let steps = plan(&conn, &listing);
        assert_narrow(&steps, true);
        assert_by_terms(&steps);
    }

    #[test]
    fn every_filter_of_findings_is_answered_by_one_index() {
        let conn = database();
        let any = FindingFilter {
            limit: 50,
            ..FindingFilter::default()
        };
        let text = || Some("x".to_string());
        let filters = [
            any.clone(),
            FindingFilter {
                rule: text(),
                ..any.clone()
            },
            FindingFilter {
                severity: Some(1),
                ..any.clone()
            },
            FindingFilter {
                crossing: text(),
                ..any.clone()
            },
            FindingFilter {
                phase: text(),
                ..any.clone()
            },
            FindingFilter {
                state: text(),
                ..any.clone()
            },
            FindingFilter {
                assignee: text(),
                ..any.clone()
            },
            FindingFilter {
                until_ms: Some(5),
                ..any.clone()
            },
            FindingFilter {
                after: Some((1, 2, "x".into())),
                ..any.clone()
            },
        ];

        for filter in &filters {
            let steps = plan(&conn, &findings(filter));
            assert_narrow(&steps, false);
            let counted = plan(&conn, &finding_counts(filter));
            for steps in [steps, counted] {
                let covered = steps
                    .iter()
                    .any(|s| s.contains("COVERING INDEX findings_list"));
                assert!(covered, "{filter:?}: {steps:#?}");
            }
        }
    }

    #[test]
    fn what_callers_say_stands_among_the_values_alone() {
        let said = "x' OR 1 = 1 --";
        let listing = records(&RecordFilter {
            state: Some(said.into()),
            term: Some((said.into(), said.into())),
            limit: 9,
            ..RecordFilter::default()
        });

        assert!(!listing.sql.contains(said));
        assert_eq!(listing.values.len(), 5);
        assert!(listing.sql.contains("LIMIT $5"));
    }
}
