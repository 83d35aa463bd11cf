//! What findings came to: by rule, crossing, officer and month, how many were found, how many
//! explained themselves, what the others were decided to be and how long that took. And which
//! fields are contested.

use crate::{api::Reads, door::error::NodeError};
use jiff::{Timestamp, tz::TimeZone};
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use wadi_store::{CourseFilter, CourseRow, RecordRow};

/// Findings that one answer counts, those found last.
const COURSES_MAX: u32 = 100_000;
/// Contested records that one answer counts, the youngest ones.
const CONTESTED_MAX: u32 = 2_000;
/// Officers, fields and the like that one answer names, those with the most first.
const NAMES_MAX: usize = 200;

/// What findings to count.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct FigureQuery {
    /// Found at that time or later, Unix milliseconds.
    pub from_ms: i64,
    /// Found before that time, Unix milliseconds.
    pub until_ms: i64,
    /// The rule's code.
    pub rule: Option<String>,
    /// The crossing's code.
    pub crossing: Option<String>,
}

/// What some findings came to.
#[derive(Default)]
struct FindingTally {
    found: u64,
    explained_itself: u64,
    dispositions: BTreeMap<String, u64>,
    ages_ms: Vec<i64>,
}

impl FindingTally {
    fn count(&mut self, course: &CourseRow) {
        self.found = self.found.saturating_add(1);
        if course.gone_ms > 0 {
            self.explained_itself = self.explained_itself.saturating_add(1);
            return;
        }

        if course.decided_ms > 0 {
            let of = self
                .dispositions
                .entry(course.disposition.clone())
                .or_default();
            *of = of.saturating_add(1);
            let age_ms = course.decided_ms.saturating_sub(course.found_ms).max(0);
            self.ages_ms.push(age_ms);
        }
    }

    fn json(mut self, key: &str) -> Json {
        let of = |name: &str| self.dispositions.get(name).copied().unwrap_or(0);
        let decided = self.ages_ms.len() as u64;
        let known = ["true", "explained", "false_alarm", "duplicate"].map(of);
        let undecided = self
            .found
            .saturating_sub(self.explained_itself)
            .saturating_sub(decided);
        self.ages_ms.sort_unstable();
        // Of an even number the earlier one of the two in the middle: an age that there was.
        let middle = self.ages_ms.len().saturating_sub(1) / 2;
        json!({
            "key": key,
            "found": self.found,
            "undecided": undecided,
            "explained_itself": self.explained_itself,
            "true": known[0],
            "explained": known[1],
            "false_alarm": known[2],
            "duplicate": known[3],
            "without": decided.saturating_sub(known.iter().sum()),
            "median_age_ms": self.ages_ms.get(middle),
        })
    }
}

/// A month as `2026-03`, in the zone of the place.
fn month_of(at_ms: i64, zone: &TimeZone) -> String {
    let at = Timestamp::from_millisecond(at_ms).unwrap_or(Timestamp::UNIX_EPOCH);
    at.to_zoned(zone.clone()).strftime("%Y-%m").to_string()
}

/// Tallies as a list, those with the most found first, or in the order of their keys.
fn listed(all: BTreeMap<String, FindingTally>, by_key: bool) -> Vec<Json> {
    let mut list: Vec<(String, FindingTally)> = all.into_iter().collect();
    if !by_key {
        list.sort_by(|a, b| (b.1.found, &a.0).cmp(&(a.1.found, &b.0)));
    }

    list.truncate(NAMES_MAX);
    list.into_iter().map(|(key, t)| t.json(&key)).collect()
}

/// A field's name with `N` in place of its number.
fn field_kind(name: &str) -> String {
    let part = |part: &str| match part.bytes().all(|b| b.is_ascii_digit()) {
        true => "N".to_string(),
        false => part.to_string(),
    };
    name.split('.').map(part).collect::<Vec<_>>().join(".")
}

/// How many records and fields are contested, by what is asked of them.
#[derive(Default)]
struct ContestedTally(BTreeMap<String, u64>);

impl ContestedTally {
    fn add(&mut self, key: impl Into<String>) {
        let count = self.0.entry(key.into()).or_default();
        *count = count.saturating_add(1);
    }

    fn json(self) -> Vec<Json> {
        let mut list: Vec<(String, u64)> = self.0.into_iter().collect();
        list.sort_by(|a, b| (b.1, &a.0).cmp(&(a.1, &b.0)));
        list.truncate(NAMES_MAX);
        let line = |(key, fields)| json!({"key": key, "fields": fields});
        list.into_iter().map(line).collect()
    }
}

/// The contested fields of some records.
fn contested_json(rows: &[RecordRow], zone: &TimeZone) -> Json {
    let [mut fields, mut crossings, mut officers, mut months]: [ContestedTally; 4] =
        std::array::from_fn(|_| ContestedTally::default());
    let mut count = 0_u64;
    for row in rows {
        let json: Json = serde_json::from_str(&row.json).unwrap_or_default();
        for (name, claims) in json["contested"].as_object().into_iter().flatten() {
            count = count.saturating_add(1);
            fields.add(field_kind(name));
            crossings.add(&row.crossing);
            months.add(month_of(row.born_ms, zone));
            let claims = claims.as_array().into_iter().flatten();
            let by: BTreeSet<&str> = claims.filter_map(|c| c["officer"].as_str()).collect();
            by.into_iter().for_each(|officer| officers.add(officer));
        }
    }

    json!({
        "records": rows.len(),
        "fields_count": count,
        "cut": rows.len() >= CONTESTED_MAX as usize,
        "fields": fields.json(),
        "crossings": crossings.json(),
        "officers": officers.json(),
        "months": months.json(),
    })
}

impl Reads {
    /// The figures of the findings that were found in a time.
    pub async fn finding_figures(&self, query: &FigureQuery) -> Result<Json, NodeError> {
        let mut filter = CourseFilter {
            from_ms: query.from_ms,
            until_ms: query.until_ms,
            rule: query.rule.clone(),
            crossing: query.crossing.clone(),
            limit: COURSES_MAX,
        };
        let courses = self.door.store.finding_courses(&filter).await?;
        let named = self.door.store.course_officers(&filter).await?;
        filter.limit = CONTESTED_MAX;
        let contested = self.door.store.contested_records(&filter).await?;

        let zone = TimeZone::system();
        let mut officers_of: HashMap<&str, Vec<&str>> = HashMap::new();
        for (finding, officer) in &named {
            officers_of.entry(finding).or_default().push(officer);
        }

        let mut total = FindingTally::default();
        let [mut rules, mut crossings, mut officers, mut months]: [BTreeMap<String, FindingTally>;
            4] = Default::default();
        for course in &courses {
            total.count(course);
            rules.entry(course.rule.clone()).or_default().count(course);
            let crossing = crossings.entry(course.crossing.clone()).or_default();
            crossing.count(course);
            let month = month_of(course.found_ms, &zone);
            months.entry(month).or_default().count(course);
            for officer in officers_of.get(course.id.as_str()).into_iter().flatten() {
                officers
                    .entry(officer.to_string())
                    .or_default()
                    .count(course);
            }
        }

        Ok(json!({
            "from_ms": query.from_ms,
            "until_ms": query.until_ms,
            "cut": courses.len() >= COURSES_MAX as usize,
            "total": total.json("all"),
            "rules": listed(rules, true),
            "crossings": listed(crossings, true),
            "officers": listed(officers, false),
            "months": listed(months, true),
            "contested": contested_json(&contested, &zone),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn course(decided_ms: i64, gone_ms: i64, disposition: &str) -> CourseRow {
        CourseRow {
            id: "f".into(),
            rule: "R02".into(),
            crossing: "TRB".into(),
            found_ms: 100,
            decided_ms,
            gone_ms,
            disposition: disposition.into(),
        }
    }

    #[test]
    fn a_finding_is_counted_once_as_what_became_of_it() {
        let mut tally = FindingTally::default();
        for course in [
            course(0, 0, ""),
            course(0, 900, ""),
            course(110, 0, "true"),
            course(130, 0, "false_alarm"),
            course(190, 0, ""),
            // Decided, and explained since: it is gone.
            course(200, 900, "true"),
        ] {
            tally.count(&course);
        }

        let told = tally.json("R02");
        assert_eq!(
            told,
            json!({
                "key": "R02", "found": 6, "undecided": 1, "explained_itself": 2, "true": 1,
                "explained": 0, "false_alarm": 1, "duplicate": 0, "without": 1,
                "median_age_ms": 30,
            })
        );
        assert_eq!(
            FindingTally::default().json("x")["median_age_ms"],
            Json::Null
        );
    }

    #[test]
    fn a_month_is_that_of_the_place() {
        let baghdad = TimeZone::fixed(jiff::tz::offset(3));
        let eve = "2026-03-31T22:30:00Z".parse::<Timestamp>().unwrap();
        assert_eq!(month_of(eve.as_millisecond(), &baghdad), "2026-04");
        assert_eq!(month_of(i64::MAX, &baghdad), "1970-01");
    }
}
