//! Outages: when a site was without power, or without a link, as its site days have it.

use crate::{api::Reads, door::error::NodeError};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use wadi_log::Lane;
use wadi_store::RecordFilter;

/// Site days that are looked through: those changed last.
const DAYS_MAX: u32 = 400;
/// Outages that are told, the latest ones.
const OUTAGES_MAX: usize = 100;
/// What begins an outage, what ends it, and what it is one of.
const KINDS: [(&str, &str, &str); 2] = [
    ("power.lost", "power.back", "power"),
    ("link.down", "link.up", "link"),
];

/// A time in which a site was without power, or without a link.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SiteOutage {
    /// The crossing's code.
    pub crossing: String,
    /// `power` or `link`.
    pub of: &'static str,
    /// When it began, as the site has it, Unix milliseconds.
    pub from_ms: i64,
    /// When it ended; none where it goes on.
    pub until_ms: Option<i64>,
}

impl SiteOutage {
    /// What tells it from others.
    pub fn key(&self) -> String {
        format!("{}.{}.{}", self.crossing, self.of, self.from_ms)
    }
}

/// The outages that events tell of: each with its crossing, its type and its time. What is said to
/// begin twice began the first time.
fn told_outages(mut said: Vec<(String, String, i64)>) -> Vec<SiteOutage> {
    said.sort_by(|a, b| (a.2, &a.0, &a.1).cmp(&(b.2, &b.0, &b.1)));
    let mut open: BTreeMap<(String, &str), i64> = BTreeMap::new();
    let mut out = Vec::new();
    for (crossing, kind, at_ms) in said {
        for (begins, ends, of) in KINDS {
            let key = (crossing.clone(), of);
            if kind == begins {
                open.entry(key).or_insert(at_ms);
            } else if kind == ends
                && let Some(from_ms) = open.remove(&key)
            {
                out.push(SiteOutage {
                    crossing: crossing.clone(),
                    of,
                    from_ms,
                    until_ms: Some(at_ms),
                });
            }
        }
    }

    out.extend(
        open.into_iter()
            .map(|((crossing, of), from_ms)| SiteOutage {
                crossing,
                of,
                from_ms,
                until_ms: None,
            }),
    );
    out.sort_by(|a, b| (b.from_ms, &a.crossing, a.of).cmp(&(a.from_ms, &b.crossing, b.of)));
    out.truncate(OUTAGES_MAX);
    out
}

impl Reads {
    /// The latest outages, the latest first.
    pub async fn outages(&self) -> Result<Vec<SiteOutage>, NodeError> {
        let filter = RecordFilter {
            lane: Some(Lane::Site as u8),
            limit: DAYS_MAX,
            ..RecordFilter::default()
        };
        let days = self.door.store.records(&filter).await?;
        let mut said = Vec::new();
        for day in &days {
            let json: Json = serde_json::from_str(&day.json).unwrap_or_default();
            let events = json["events"].as_array().into_iter().flatten();
            said.extend(events.filter(|e| e["counts"] == true).filter_map(|e| {
                let kind = e["type"].as_str()?;
                Some((day.crossing.clone(), kind.to_string(), e["at_ms"].as_i64()?))
            }));
        }

        Ok(told_outages(said))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_ends_with_what_comes_back_at_the_same_site() {
        let said = |crossing: &str, kind: &str, at_ms| (crossing.into(), kind.into(), at_ms);
        let told = told_outages(vec![
            said("QAM", "power.back", 20),
            said("TRB", "power.lost", 10),
            said("TRB", "link.down", 12),
            said("TRB", "power.lost", 15),
            said("TRB", "power.back", 30),
            said("QAM", "link.down", 40),
        ]);

        let short: Vec<_> = told.iter().map(|o| (o.key(), o.until_ms)).collect();
        assert_eq!(
            short,
            [
                ("QAM.link.40".to_string(), None),
                ("TRB.link.12".to_string(), None),
                ("TRB.power.10".to_string(), Some(30)),
            ]
        );
    }
}
