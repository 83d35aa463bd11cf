//! The statements of findings' lists, of cases, and of what findings came to.

use super::{BoundValue, Conditions, Listing, NOTHING, RECORD_COLUMNS};
use crate::{CaseFilter, ChosenFindings, CourseFilter, FindingFilter};

pub(crate) const FINDING_COLUMNS: &str = "f.id, f.rule, f.severity, f.phase, f.state, f.crossing, \
                                          f.assignee, f.anchor, f.evidence, f.at_ms, f.due_ms, \
                                          f.json, f.disposition, f.decided_ms";

/// Stands for every state in which nobody has settled a finding.
const UNDECIDED: &str = "UNDECIDED";

/// What a filter of findings takes.
fn of_findings(f: &FindingFilter) -> Conditions {
    let mut wanted = Conditions::default();
    wanted.add_text("f.rule = ?", f.rule.as_ref());
    wanted.add_text("f.crossing = ?", f.crossing.as_ref());
    wanted.add_text("f.phase = ?", f.phase.as_ref());
    match f.state.as_deref() {
        Some(UNDECIDED) => wanted.add("f.state NOT IN ('RESOLVED', 'WAIVED')", []),
        _ => wanted.add_text("f.state = ?", f.state.as_ref()),
    }
    wanted.add_text("f.assignee = ?", f.assignee.as_ref());
    wanted.add_int("f.severity = ?", f.severity.map(i64::from));
    wanted.add_text("f.disposition = ?", f.disposition.as_ref());
    wanted.add_int("f.at_ms >= ?", f.from_ms);
    wanted.add_int("f.at_ms <= ?", f.until_ms);
    if let Some(anchor) = f.anchor {
        wanted.add("f.anchor = ?", [BoundValue::Bytes(anchor.0.to_vec())]);
    }

    if let Some((what, value)) = &f.about {
        wanted.add(
            "f.id IN (SELECT a.finding FROM finding_about a WHERE a.what = ? AND a.value = ?)",
            [
                BoundValue::Text(what.clone()),
                BoundValue::Text(value.clone()),
            ],
        );
    }

    match &f.ids {
        Some(ChosenFindings::Only(ids)) if ids.is_empty() => wanted.add(NOTHING, []),
        Some(ChosenFindings::Only(ids)) => wanted.add_ids("f.id IN", ids),
        Some(ChosenFindings::Without(ids)) if ids.is_empty() => {}
        Some(ChosenFindings::Without(ids)) => wanted.add_ids("f.id NOT IN", ids),
        None => {}
    }

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

/// How many findings there are, by phase, rule and state: in the order of an index, so that nothing
/// is sorted for it.
pub(crate) fn finding_counts(f: &FindingFilter) -> Listing {
    let wanted = of_findings(f);
    Listing {
        sql: format!(
            "SELECT f.rule, f.phase, f.state, count(*) AS count FROM findings f {} \
             GROUP BY f.phase, f.rule, f.state ORDER BY f.phase, f.rule, f.state",
            wanted.clause()
        ),
        values: wanted.values,
    }
}

/// How many findings are pending past their time.
pub(crate) const OVERDUE: &str =
    "SELECT count(*) AS count FROM findings WHERE phase = 'PENDING' AND due_ms <= $1";

/// 1 for a finding that nobody has settled.
const ONE_UNDECIDED: &str = "CASE WHEN f.state IN ('RESOLVED', 'WAIVED') THEN 0 ELSE 1 END";

/// A page of cases: those with the most unsettled findings first.
pub(crate) fn cases(f: &CaseFilter) -> Listing {
    let mut wanted = Conditions::default();
    wanted.add_text("a.what = ?", Some(&f.what));
    wanted.add_text("a.value = ?", f.value.as_ref());
    let clause = wanted.clause();

    let after = match &f.after {
        None => String::new(),
        Some((undecided, value)) => {
            let count = BoundValue::Int(*undecided);
            let (less, same) = (wanted.place(count.clone()), wanted.place(count));
            // PostgreSQL takes no such text in a question, and no case is called so.
            let value = wanted.place(BoundValue::Text(value.replace('\0', "")));
            format!("WHERE c.undecided < {less} OR c.undecided = {same} AND c.value > {value}")
        }
    };

    let limit = wanted.place(BoundValue::Int(i64::from(f.limit)));
    Listing {
        sql: format!(
            "SELECT c.value, c.findings, c.undecided, c.firm, c.last_ms FROM (\
             SELECT a.value, count(*) AS findings, \
             CAST(sum({ONE_UNDECIDED}) AS BIGINT) AS undecided, \
             CAST(sum(CASE WHEN f.phase = 'FIRM' THEN {ONE_UNDECIDED} ELSE 0 END) AS BIGINT) \
             AS firm, \
             max(f.at_ms) AS last_ms FROM finding_about a JOIN findings f ON f.id = a.finding \
             {clause} GROUP BY a.value) AS c {after} \
             ORDER BY c.undecided DESC, c.value LIMIT {limit}"
        ),
        values: wanted.values,
    }
}

/// The records of a case, those that began first at the front, with how many of its findings cite
/// each. The order of its joins is the one written: it begins with the case.
pub(crate) fn case_records(what: &str, value: &str, limit: u32) -> Listing {
    let mut wanted = Conditions::default();
    wanted.add_text("c.what = ?", Some(&what.to_string()));
    wanted.add_text("c.value = ?", Some(&value.to_string()));
    let clause = wanted.clause();
    let limit = wanted.place(BoundValue::Int(i64::from(limit)));
    Listing {
        sql: format!(
            "SELECT {RECORD_COLUMNS}, cited.findings FROM (\
             SELECT a.value, count(*) AS findings FROM finding_about c CROSS JOIN findings f \
             CROSS JOIN finding_about a {clause} AND f.id = c.finding \
             AND a.finding = c.finding AND a.what = 'record' GROUP BY a.value) AS cited \
             CROSS JOIN records r WHERE r.printed = cited.value \
             ORDER BY r.born_ms, r.id LIMIT {limit}"
        ),
        values: wanted.values,
    }
}

fn of_courses(f: &CourseFilter) -> Conditions {
    let mut wanted = Conditions::default();
    wanted.add_int("c.found_ms >= ?", Some(f.from_ms));
    wanted.add_int("c.found_ms < ?", Some(f.until_ms));
    wanted.add_text("c.rule = ?", f.rule.as_ref());
    wanted.add_text("c.crossing = ?", f.crossing.as_ref());
    wanted
}

/// What became of findings, those found last first.
pub(crate) fn courses(f: &CourseFilter) -> Listing {
    let mut wanted = of_courses(f);
    let clause = wanted.clause();
    let limit = wanted.place(BoundValue::Int(i64::from(f.limit)));
    Listing {
        sql: format!(
            "SELECT c.id, c.rule, c.crossing, c.found_ms, c.decided_ms, c.gone_ms, c.disposition \
             FROM finding_courses c {clause} ORDER BY c.found_ms DESC, c.id DESC LIMIT {limit}"
        ),
        values: wanted.values,
    }
}

/// Whom those findings name: (finding, officer), in the same order.
pub(crate) fn course_officers(f: &CourseFilter) -> Listing {
    let mut wanted = of_courses(f);
    let clause = wanted.clause();
    let limit = wanted.place(BoundValue::Int(i64::from(f.limit)));
    Listing {
        sql: format!(
            "SELECT a.finding, a.value FROM (SELECT c.id, c.found_ms FROM finding_courses c \
             {clause} ORDER BY c.found_ms DESC, c.id DESC LIMIT {limit}) AS c \
             CROSS JOIN finding_about a WHERE a.finding = c.id AND a.what = 'officer'"
        ),
        values: wanted.values,
    }
}

/// Records that are contested now, of those born in a time the youngest first.
pub(crate) fn contested(f: &CourseFilter) -> Listing {
    let mut wanted = Conditions::default();
    wanted.add("r.contested", []);
    wanted.add_int("r.born_ms >= ?", Some(f.from_ms));
    wanted.add_int("r.born_ms < ?", Some(f.until_ms));
    wanted.add_text("r.crossing = ?", f.crossing.as_ref());
    let clause = wanted.clause();
    let limit = wanted.place(BoundValue::Int(i64::from(f.limit)));
    Listing {
        sql: format!(
            "SELECT {RECORD_COLUMNS} FROM records r {clause} ORDER BY r.born_ms DESC LIMIT {limit}"
        ),
        values: wanted.values,
    }
}
