//! What the search asks for, as it stands in the address of its page.

use super::times;
use crate::values::query_escaped;
use serde::Deserialize;

/// Rows of a page.
pub(super) const ROWS: u32 = 50;
/// Members of records that lists show.
const MEMBERS: &str = "id,kind,crossing,state,flags,detained_by,fields,contested,begun_ms,last_ms";

/// The search's fields. Each is as it was typed, so that nothing is lost where it does not read.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub(super) struct SearchQuery {
    pub q: String,
    pub near: String,
    pub kind: String,
    pub crossing: String,
    pub state: String,
    pub department: String,
    pub hold_type: String,
    pub from: String,
    pub until: String,
    pub held: String,
    pub contested: String,
    pub known: String,
    pub before: String,
    pub older: String,
    pub format: String,
}

/// What was typed and does not read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum UnreadInput {
    /// A day.
    Day,
    /// The time as of which the list is.
    Known,
}

impl SearchQuery {
    /// Reads a page's query. What it does not know, and a query that does not read, counts for
    /// nothing.
    pub(super) fn read(query: Option<&str>) -> Self {
        let pairs: Vec<(String, String)> =
            serde_urlencoded::from_str(query.unwrap_or_default()).unwrap_or_default();
        let mut out = Self::default();
        for (name, value) in pairs {
            if let Some(place) = out.place_of(&name) {
                *place = value.trim().to_string();
            }
        }
        out
    }

    fn place_of(&mut self, name: &str) -> Option<&mut String> {
        Some(match name {
            "q" => &mut self.q,
            "near" => &mut self.near,
            "kind" => &mut self.kind,
            "crossing" => &mut self.crossing,
            "state" => &mut self.state,
            "department" => &mut self.department,
            "hold_type" => &mut self.hold_type,
            "from" => &mut self.from,
            "until" => &mut self.until,
            "held" => &mut self.held,
            "contested" => &mut self.contested,
            "known" => &mut self.known,
            "before" => &mut self.before,
            "older" => &mut self.older,
            "format" => &mut self.format,
            _ => return None,
        })
    }

    fn fields(&self) -> [(&'static str, &str); 14] {
        [
            ("q", &self.q),
            ("near", &self.near),
            ("kind", &self.kind),
            ("crossing", &self.crossing),
            ("state", &self.state),
            ("department", &self.department),
            ("hold_type", &self.hold_type),
            ("from", &self.from),
            ("until", &self.until),
            ("held", &self.held),
            ("contested", &self.contested),
            ("known", &self.known),
            ("before", &self.before),
            ("older", &self.older),
        ]
    }

    /// The address of this very page.
    pub(super) fn path(&self) -> String {
        let pairs = self
            .fields()
            .into_iter()
            .filter(|(_, value)| !value.is_empty());
        let pairs: Vec<String> = pairs
            .map(|(name, value)| format!("{name}={}", query_escaped(value)))
            .collect();
        match pairs.is_empty() {
            true => "/console/records".into(),
            false => format!("/console/records?{}", pairs.join("&")),
        }
    }

    /// The same search from its first page on.
    pub(super) fn from_the_beginning(&self) -> Self {
        Self {
            before: String::new(),
            older: String::new(),
            ..self.clone()
        }
    }

    /// Whether it asks for anything but the newest.
    pub(super) fn is_narrowed(&self) -> bool {
        self.from_the_beginning().path() != "/console/records"
    }

    /// Whether filters besides the text are set: their form is open then.
    pub(super) fn has_filters(&self) -> bool {
        let of_text = Self {
            q: String::new(),
            near: String::new(),
            ..self.from_the_beginning()
        };
        of_text.path() != "/console/records"
    }

    /// The time as of which the list is, Unix milliseconds.
    pub(super) fn known_ms(&self) -> Option<i64> {
        times::time_ms(&self.known)
    }

    /// What of it does not read.
    pub(super) fn unread(&self) -> Vec<UnreadInput> {
        let mut out = Vec::new();
        let is_no_day = |day: &str| !day.is_empty() && times::day_begins_ms(day).is_none();
        if is_no_day(&self.from) || is_no_day(&self.until) {
            out.push(UnreadInput::Day);
        }
        if !self.known.is_empty() && self.known_ms().is_none() {
            out.push(UnreadInput::Known);
        }
        out
    }

    /// The filters as the API has them, without cursors.
    pub(super) fn api_filters(&self) -> String {
        let mut pairs: Vec<(&str, String)> = Vec::new();
        for (name, value) in [
            ("q", &self.q),
            ("kind", &self.kind),
            ("crossing", &self.crossing),
            ("state", &self.state),
            ("department", &self.department),
            ("hold_type", &self.hold_type),
        ] {
            if !value.is_empty() {
                pairs.push((name, value.clone()));
            }
        }
        for (name, value) in [
            ("near", &self.near),
            ("held", &self.held),
            ("contested", &self.contested),
        ] {
            if !value.is_empty() {
                pairs.push((name, "true".into()));
            }
        }

        let times = [
            ("from_ms", times::day_begins_ms(&self.from)),
            ("until_ms", times::day_ends_ms(&self.until)),
            ("known_ms", self.known_ms()),
        ];
        for (name, time) in times {
            pairs.extend(time.map(|ms| (name, ms.to_string())));
        }

        let pairs: Vec<String> = pairs
            .iter()
            .map(|(name, value)| format!("{name}={}", query_escaped(value)))
            .collect();
        pairs.join("&")
    }

    /// The path of this page's records in the API.
    pub(super) fn api_path(&self) -> String {
        let mut path = format!("/v1/records?fields={MEMBERS}&limit={ROWS}");
        let filters = self.api_filters();
        if !filters.is_empty() {
            path += &format!("&{filters}");
        }
        for (name, cursor) in [("before", &self.before), ("older", &self.older)] {
            if !cursor.is_empty() {
                path += &format!("&{name}={}", query_escaped(cursor));
            }
        }
        path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_says_all_that_was_asked_and_no_more() {
        let query = SearchQuery::read(Some(
            "q=%D9%A2%D9%A2+%D8%A3&kind=&held=1&evil=%22%3E&older=5.ab&from=2026-03-01",
        ));
        assert_eq!(query.q, "٢٢ أ");
        assert_eq!(
            query.path(),
            "/console/records?q=%D9%A2%D9%A2%20%D8%A3&from=2026-03-01&held=1&older=5.ab"
        );
        assert!(query.is_narrowed() && query.has_filters());
        assert!(!query.from_the_beginning().path().contains("older"));

        let api = query.api_path();
        assert!(
            api.contains("held=true") && api.contains("from_ms=17"),
            "{api}"
        );
        assert!(!api.contains("kind="), "{api}");
    }

    #[test]
    fn what_does_not_read_is_told_and_kept() {
        let query = SearchQuery::read(Some("from=1.3.2026&known=soon"));
        assert_eq!(query.unread(), [UnreadInput::Day, UnreadInput::Known]);
        assert_eq!(
            (query.from.as_str(), query.known.as_str()),
            ("1.3.2026", "soon")
        );
        assert!(!query.api_path().contains("_ms=1"));
        assert_eq!(SearchQuery::read(None), SearchQuery::default());
        assert!(!SearchQuery::read(Some("before=7")).is_narrowed());
    }
}
