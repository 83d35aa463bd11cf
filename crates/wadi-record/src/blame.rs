//! Who set a field, what that replaced, and who contests it.

use crate::{
    SIGNATURE_EVENT, authority::Refusal, event_type, judged_change::Claim, project::refusal_json,
    record::Record,
};
use serde_json::{Map, Value as Json, json};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use wadi_log::{Reference, SshKey, Value};

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
    /// Why it does not count, where its author had no right to set the field.
    pub refusal: Option<Refusal>,
}

impl Record {
    /// All that was ever put into a field, the oldest claim first; what its author had no right to
    /// put is among it.
    pub fn settings(&self, name: &str) -> Vec<Setting> {
        let standing = self.claims(name);
        let stands_by: HashSet<Reference> = standing.iter().map(|c| c.entry).collect();
        let counting = self.now().document.puts(name).map(|(put, replaced)| {
            let claim = self.claim_of(put);
            let stands = stands_by.contains(&claim.entry);
            let differs = standing.iter().filter(|c| stands && c.value != claim.value);

            Setting {
                contested_by: differs.map(|c| c.entry).collect(),
                replaced: replaced.into_iter().map(|p| self.claim_of(p)).collect(),
                stands,
                claim,
                refusal: None,
            }
        });

        let refused = self
            .refused_puts()
            .filter(|p| p.field == name)
            .map(|put| Setting {
                claim: self.claim(put.value.clone(), put.entry),
                replaced: Vec::new(),
                stands: false,
                contested_by: Vec::new(),
                refusal: Some(put.refusal.clone()),
            });

        let mut out: Vec<Setting> = counting.chain(refused).collect();
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
                if let Some(key) = self.signed_by(&s.claim.entry) {
                    line["signed_by"] = key.fingerprint().into();
                }

                if let Some(refusal) = &s.refusal {
                    line["refused"] = refusal_json(refusal);
                }

                line
            });

            lines.collect::<Json>()
        };

        let mut names: BTreeSet<String> = self.field_names().into_iter().collect();
        names.extend(self.refused_puts().map(|p| p.field.clone()));
        let fields: Map<String, Json> = names
            .iter()
            .map(|name| (name.clone(), field(name)))
            .collect();

        json!(fields)
    }

    /// Which entries put what stands in the fields, each with its fields, as JSON: what rests on a
    /// value rests on them.
    pub(crate) fn put_by(&self) -> Vec<Json> {
        let settled = self.now();
        let mut by_entry: BTreeMap<Reference, BTreeSet<&str>> = BTreeMap::new();
        for name in settled.document.field_names() {
            let puts = settled.document.claims(name).into_iter();
            for put in puts.filter(|put| *self.value(put) != Value::Null) {
                let fields = by_entry.entry(*settled.entry(put.entry)).or_default();
                fields.insert(name);
            }
        }

        let line = |(entry, fields): (Reference, BTreeSet<&str>)| {
            json!({
                "entry": entry.to_string(),
                "fields": fields,
            })
        };
        by_entry.into_iter().map(line).collect()
    }

    /// Fields that hold something and held nothing when the record began, by when something was
    /// put into them first, by the clock of the node that wrote it, as JSON: nobody rested on them
    /// before.
    pub(crate) fn captured(&self) -> Vec<Json> {
        let settled = self.now();
        let begun_ms = self.written_ms();
        let mut by_time: BTreeMap<i64, BTreeSet<&str>> = BTreeMap::new();
        for name in settled.document.field_names() {
            let claims = settled.document.claims(name).into_iter();
            let mut standing = claims.filter(|put| *self.value(put) != Value::Null);
            if standing.next().is_none() {
                continue;
            }

            let puts = settled.document.puts(name).map(|(put, _)| put);
            let told = puts.filter(|put| *self.value(put) != Value::Null);
            let written = told.filter_map(|put| {
                let (said, _) = self.row(settled.entry(put.entry))?;
                Some(said.common.wall_ms)
            });
            let first_ms = written
                .min()
                .filter(|ms| begun_ms.is_none_or(|begun| *ms > begun));
            if let Some(first_ms) = first_ms {
                by_time.entry(first_ms).or_default().insert(name);
            }
        }

        let line = |(entered_ms, fields): (i64, BTreeSet<&str>)| {
            json!({
                "entered_ms": entered_ms,
                "fields": fields,
            })
        };
        by_time.into_iter().map(line).collect()
    }

    /// The key of its officer's own that signed an entry.
    pub fn signed_by(&self, entry: &Reference) -> Option<SshKey> {
        self.now()
            .events
            .of(entry)
            .find_map(|event| event.signed_by)
    }

    /// How the officers' own signatures stand, as JSON: of entries that have one, and of those that
    /// let something go without.
    pub fn signatures_json(&self) -> BTreeMap<Reference, Json> {
        let mut out = BTreeMap::new();
        for event in self.events() {
            let told = match (&event.signed_by, &event.refusal) {
                (Some(key), _) => json!({"state": "signed", "key": key.fingerprint()}),
                (None, Some(refusal)) if event.kind() == SIGNATURE_EVENT => {
                    json!({"state": "bad", "code": refusal.code, "why": refusal.why})
                }
                (None, _) if event_type(event.kind()).is_some_and(|t| t.lets_go()) => {
                    json!({"state": "unsigned"})
                }
                _ => continue,
            };

            let known = out.entry(event.reference).or_insert_with(|| told.clone());
            if known["state"] == "unsigned" {
                *known = told;
            }
        }

        out
    }

    /// Entries of the record that are neither in the past of this one nor follow from it: what its
    /// author had not been shown. What its own log had said before it, its node could show.
    pub fn not_shown(&self, entry: &Reference) -> Vec<Reference> {
        let settled = self.now();
        let own = |r: &Reference| r.log == entry.log && r.seq <= entry.seq;
        let others = self.rows.keys().filter(|r| !own(r));
        let waits_on_it = |r: &Reference| self.past(&self.rows[r].change.based_on).contains(entry);

        if let (Some(number), Some(shown)) = (settled.number(entry), settled.shown(entry)) {
            let is_shown = |r: &Reference| settled.number(r).is_some_and(|n| shown.contains(n));
            let follows = |r: &Reference| match settled.shown(r) {
                Some(theirs) => theirs.contains(number),
                None => waits_on_it(r),
            };

            return others
                .filter(|r| !is_shown(r) && !follows(r))
                .copied()
                .collect();
        }

        let Some((said, _)) = self.row(entry) else {
            return Vec::new();
        };
        let past = self.past(&said.change.based_on);

        others
            .filter(|r| !past.contains(r) && !waits_on_it(r))
            .copied()
            .collect()
    }
}
