//! Who set a field, what that replaced, and who contests it.

use crate::book::{Book, Claim, Row};
use serde_json::{Map, Value as Json, json};
use wadi_log::Reference;

/// One entry's value for a field.
#[derive(Clone, PartialEq, Debug)]
pub struct Setting {
    /// The value and who put it.
    pub claim: Claim,
    /// The claims that stood on the author's screen and gave way to it.
    pub replaced: Vec<Claim>,
    /// Whether it stands now.
    pub stands: bool,
    /// Entries whose values stand now and differ from it, where it stands itself.
    pub contested_by: Vec<Reference>,
}

impl Book {
    /// All that was ever put into a field and counts, oldest claim first.
    pub fn settings(&self, name: &str) -> Vec<Setting> {
        let standing = self.claims(name);
        let mut out: Vec<Setting> = self
            .rows()
            .filter(|(_, row)| **row == Row::Counts)
            .filter_map(|(said, _)| Some((said, said.change.puts.iter().find(|p| p.key == name)?)))
            .map(|(said, put)| {
                let claim = self.claim(put.value.clone(), said.reference);
                let stands = standing.iter().any(|c| c.entry == said.reference);
                let differs = standing.iter().filter(|c| stands && c.value != claim.value);
                Setting {
                    contested_by: differs.map(|c| c.entry).collect(),
                    replaced: self.claims_at(name, &said.change.based_on),
                    stands,
                    claim,
                }
            })
            .collect();
        out.sort_by_key(|s| (s.claim.at_ms, s.claim.entry));
        out
    }

    /// Of every field all that was put into it, as JSON.
    pub fn blame_json(&self) -> Json {
        let field = |name: &String| {
            let lines = self.settings(name).into_iter().map(|s| {
                let mut line = s.claim.json();
                line["replaced"] = s.replaced.iter().map(Claim::json).collect();
                line["stands"] = s.stands.into();
                line["contested_by"] = s.contested_by.iter().map(ToString::to_string).collect();
                line
            });
            lines.collect::<Json>()
        };
        let fields: Map<String, Json> = self.field_names().iter().map(|name| (name.clone(), field(name))).collect();
        json!(fields)
    }

    /// Entries of the record that are neither in the past of this one nor follow from it: what its author had not been
    /// shown. What its own log had said before it, its node could show.
    pub fn not_shown(&self, entry: &Reference) -> Vec<Reference> {
        let Some((said, _)) = self.row(entry) else { return Vec::new() };
        let past = self.past(&said.change.based_on);
        let own = |r: &Reference| r.log == entry.log && r.seq <= entry.seq;
        let rows = self.rows().map(|(s, _)| s).filter(|s| !own(&s.reference) && !past.contains(&s.reference));
        rows.filter(|s| !self.past(&s.change.based_on).contains(entry)).map(|s| s.reference).collect()
    }
}
