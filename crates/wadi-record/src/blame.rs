//! Who set a field, what that replaced, and who contests it.

use crate::{
    SIGNATURE_EVENT, authority::Refusal, event_type, judged_change::Claim, project::refusal_json,
    record::Record,
};
use serde_json::{Map, Value as Json, json};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use wadi_log::{Reference, SshKey, Value};

/// One entry's value for a field.
#[derive(Clone, PartialEq, Debug)]
pub struct Setting {
    /// The value and who put it.
    pub claim: Claim,
    /// The claims that stood on the author's screen and gave way to it, the first twenty.
    pub replaced: Vec<Claim>,
    /// How many they are.
    pub replaced_count: usize,
    /// Whether it stands now.
    pub stands: bool,
    /// Entries whose values stand now and differ from it, where it stands itself, the first twenty.
    pub contested_by: Vec<Reference>,
    /// How many they are.
    pub contested_count: usize,
    /// Why it does not count, where its author had no right to set the field.
    pub refusal: Option<Refusal>,
}

/// What was put into the fields of a record, as JSON.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Blame {
    /// Of each field what was put into it, the oldest claim first.
    pub fields: Map<String, Json>,
    /// Of fields into which more was put than is told, how many of the oldest were left out.
    pub left_out: BTreeMap<String, usize>,
}

/// Claims beside one, which it replaced or which contest it, that are told each for itself. Where
/// ten thousand contest each other, all of them beside each would be a hundred million.
const BESIDE_MAX: usize = 20;
/// What was put into one field that is told each for itself. An honest field has a handful.
const SETTINGS_MAX: usize = 1_000;

/// What stands in a field, by its values.
struct StandingValues {
    entries: HashSet<Reference>,
    /// How many entries have each value.
    counts: HashMap<Value, usize>,
    /// Each value with its entries in the order in which they stand, and the place of each there.
    by_value: Vec<(Value, Vec<(usize, Reference)>)>,
}

impl StandingValues {
    fn of(claims: Vec<Claim>) -> Self {
        let entries = claims.iter().map(|claim| claim.entry).collect();
        let mut by_value: BTreeMap<Value, Vec<(usize, Reference)>> = BTreeMap::new();
        for (place, claim) in claims.into_iter().enumerate() {
            let same = by_value.entry(claim.value).or_default();
            same.push((place, claim.entry));
        }

        let counts = by_value
            .iter()
            .map(|(value, same)| (value.clone(), same.len()));
        let counts = counts.collect();

        // By the place of the first: few groups are looked at for the first few entries.
        let mut by_value: Vec<_> = by_value.into_iter().collect();
        by_value.sort_by_key(|(_, same)| same[0].0);
        Self {
            entries,
            counts,
            by_value,
        }
    }

    fn has(&self, entry: &Reference) -> bool {
        self.entries.contains(entry)
    }

    /// The first entries whose values differ from one, and how many there are of them.
    fn that_differ(&self, value: &Value) -> (Vec<Reference>, usize) {
        let others = self.by_value.iter().filter(|(of, _)| of != value);
        let first = others.take(BESIDE_MAX);
        let mut first: Vec<(usize, Reference)> = first
            .flat_map(|(_, same)| same.iter().take(BESIDE_MAX).copied())
            .collect();
        first.sort_unstable();
        first.truncate(BESIDE_MAX);

        let own = self.counts.get(value).copied().unwrap_or_default();
        let told = first.into_iter().map(|(_, entry)| entry).collect();
        (told, self.entries.len().saturating_sub(own))
    }
}

impl Record {
    /// All that was ever put into a field, the oldest claim first; what its author had no right to
    /// put is among it.
    pub fn settings(&self, name: &str) -> Vec<Setting> {
        let standing = StandingValues::of(self.claims(name));
        let counting = self.now().document.puts(name).map(|(put, replaced)| {
            let claim = self.claim_of(put);
            let stands = standing.has(&claim.entry);
            let (contested_by, contested_count) = match stands {
                true => standing.that_differ(&claim.value),
                false => (Vec::new(), 0),
            };

            let told = replaced.iter().take(BESIDE_MAX);
            Setting {
                contested_by,
                contested_count,
                replaced: told.map(|p| self.claim_of(p)).collect(),
                replaced_count: replaced.len(),
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
                replaced_count: 0,
                stands: false,
                contested_by: Vec::new(),
                contested_count: 0,
                refusal: Some(put.refusal.clone()),
            });

        let mut out: Vec<Setting> = counting.chain(refused).collect();
        out.sort_by_key(|s| (s.claim.at_ms, s.claim.entry));
        out
    }

    /// What was put into every field, as JSON.
    pub fn blame_json(&self) -> Json {
        json!(self.blame().fields)
    }

    /// The same, with how many were left out of those fields of which there are more than are told.
    pub fn blame(&self) -> Blame {
        let mut names: BTreeSet<String> = self.field_names().into_iter().collect();
        names.extend(self.refused_puts().map(|p| p.field.clone()));

        let (mut fields, mut left_out) = (Map::new(), BTreeMap::new());
        for name in names {
            let mut settings = self.settings(&name);
            let more = settings.len().saturating_sub(SETTINGS_MAX);
            settings.drain(..more);
            if more > 0 {
                left_out.insert(name.clone(), more);
            }

            let lines: Json = settings.iter().map(|s| self.setting_json(s)).collect();
            fields.insert(name, lines);
        }

        Blame { fields, left_out }
    }

    fn setting_json(&self, s: &Setting) -> Json {
        let mut line = s.claim.json();
        line["replaced"] = s.replaced.iter().map(Claim::json).collect();
        line["replaced_count"] = s.replaced_count.into();
        line["stands"] = s.stands.into();
        line["contested_by"] = s.contested_by.iter().map(ToString::to_string).collect();
        line["contested_count"] = s.contested_count.into();
        if let Some(key) = self.signed_by(&s.claim.entry) {
            line["signed_by"] = key.fingerprint().into();
        }

        if let Some(refusal) = &s.refusal {
            line["refused"] = refusal_json(refusal);
        }

        line
    }

    /// Which entries put what stands in the fields, each with its officer and its fields, as JSON:
    /// what rests on a value rests on them, and on one word where one officer said all of it.
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
            let said = self.row(&entry).map(|(said, _)| &said.common);
            json!({
                "entry": entry.to_string(),
                "officer": said.map_or("", |common| common.officer.as_str()),
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
        let follow = self.waiting_on(entry);

        if let (Some(number), Some(shown)) = (settled.number(entry), settled.shown(entry)) {
            let is_known = |r: &Reference| match (settled.number(r), settled.shown(r)) {
                (Some(other), Some(theirs)) => shown.contains(other) || theirs.contains(number),
                _ => follow.contains(r),
            };
            return others.filter(|r| !is_known(r)).copied().collect();
        }

        let Some((said, _)) = self.row(entry) else {
            return Vec::new();
        };
        let past = self.past(&said.change.based_on);
        others
            .filter(|r| !past.contains(r) && !follow.contains(r))
            .copied()
            .collect()
    }

    /// Entries that wait, and are based on this one, directly or not: each is looked at once.
    fn waiting_on(&self, entry: &Reference) -> HashSet<Reference> {
        let settled = self.now();
        let number = settled.number(entry);
        let is_of_it = |r: &Reference| {
            let seen = number.zip(settled.shown(r));
            r == entry || seen.is_some_and(|(number, shown)| shown.contains(number))
        };

        let waiting = self.rows.keys().filter(|r| !settled.is_settled(r));
        let mut followers: HashMap<Reference, Vec<Reference>> = HashMap::new();
        let mut queue = Vec::new();
        for r in waiting {
            let based_on = &self.rows[r].change.based_on;
            if based_on.iter().any(is_of_it) {
                queue.push(*r);
            }
            for before in based_on.iter().filter(|d| !settled.is_settled(d)) {
                followers.entry(*before).or_default().push(*r);
            }
        }

        let mut out = HashSet::new();
        while let Some(r) = queue.pop() {
            if out.insert(r) {
                queue.extend(followers.get(&r).into_iter().flatten());
            }
        }
        out
    }
}
