//! The entries that a finding rests on, of each of its sides, beside its evidence.
//!
//! Whoever looks into a finding reads who said what on either side. The citations are none of what
//! the finding is known by, and none of what a decision rests on: one more entry that says the same
//! makes it no other finding.

use crate::{Contradiction, Fact, Facts};
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};

/// Entries of one record that are cited.
pub(crate) const CITED_ENTRIES_MAX: usize = 16;
/// Records whose entries are cited: more than any journey has.
pub(crate) const CITED_RECORDS_MAX: usize = 32;

/// Entries by the printed ids of their records.
pub(crate) type CitedEntries = BTreeMap<String, BTreeSet<String>>;

impl Contradiction {
    /// It rests on these entries of a record, one of its sides.
    pub(crate) fn citing<'a>(
        mut self,
        side: &Facts,
        entries: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        cite(&mut self.cites, side, entries);
        self
    }

    /// A side of it is compared with what these entries of another record say. That one is no side:
    /// a finding about it is of another case.
    pub(crate) fn beside<'a>(
        mut self,
        peer: &Facts,
        entries: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        cite(&mut self.peers, peer, entries);
        self
    }

    /// Takes over what another one of the same cause cites.
    pub(crate) fn cite_all_of(&mut self, other: &Self) {
        let pairs = [
            (&mut self.cites, &other.cites),
            (&mut self.peers, &other.peers),
        ];
        for (own, theirs) in pairs {
            for (record, entries) in theirs {
                let own = own.entry(record.clone()).or_default();
                own.extend(entries.iter().cloned());
            }
        }
    }

    /// The evidence, with the entries that it rests on.
    pub(crate) fn cited_evidence(&self) -> Json {
        let mut evidence = self.evidence.clone();
        let Some(members) = evidence.as_object_mut() else {
            return evidence;
        };

        for (name, cited) in [("cites", &self.cites), ("peers", &self.peers)] {
            if !cited.is_empty() {
                members.insert(name.into(), cited_json(cited));
            }
        }

        evidence
    }
}

/// Takes in entries of a record that something rests on.
pub(crate) fn cite<'a>(
    cited: &mut CitedEntries,
    record: &Facts,
    entries: impl IntoIterator<Item = &'a str>,
) {
    let entries = entries.into_iter().filter(|entry| !entry.is_empty());
    let entries: BTreeSet<String> = entries.map(String::from).collect();
    if !entries.is_empty() {
        let printed = record.printed().to_string();
        cited.entry(printed).or_default().extend(entries);
    }
}

/// In the order of the records and of the entries, so that two hubs tell the same of the same.
fn cited_json(cited: &CitedEntries) -> Json {
    let lines = cited.iter().take(CITED_RECORDS_MAX);
    let lines = lines.map(|(record, entries)| {
        let entries: Vec<&String> = entries.iter().take(CITED_ENTRIES_MAX).collect();
        json!({"record": record, "entries": entries})
    });

    lines.collect()
}

impl Facts {
    /// The entries that put what stands in fields of such names.
    pub(crate) fn put_by<'a>(
        &'a self,
        is_wanted: impl Fn(&str) -> bool + 'a,
    ) -> impl Iterator<Item = &'a str> {
        #[cfg(test)]
        crate::tests::work::note_reading();
        let lines = self.json["put_by"].as_array().into_iter().flatten();
        let lines = lines.filter(move |line| {
            let mut fields = line["fields"].as_array().into_iter().flatten();
            fields.any(|name| name.as_str().is_some_and(&is_wanted))
        });
        lines.filter_map(|line| line["entry"].as_str())
    }

    /// The entries that put fields whose settled text is so.
    pub(crate) fn put_where<'a>(
        &'a self,
        is_so: impl Fn(&str, &str) -> bool + 'a,
    ) -> impl Iterator<Item = &'a str> {
        self.put_by(move |name| self.field(name).is_some_and(|text| is_so(name, text)))
    }

    /// The entries that events of these types stand in, as far as they count.
    pub(crate) fn said_by<'a>(&'a self, kinds: &'a [&'a str]) -> impl Iterator<Item = &'a str> {
        self.any(kinds).map(|e| e.entry())
    }

    /// The entries that a record begins with: its first event that counts or, where nothing was
    /// said, what put its fields.
    pub(crate) fn begun_by(&self) -> Vec<&str> {
        match self.said().find(Fact::counts) {
            Some(first) => vec![first.entry()],
            None => self.put_by(|_| true).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{reconcile, tests::*};

    fn found(sides: &[(&str, &[&str])], peers: &[&str]) -> Contradiction {
        let mut found = Contradiction::new("d", 0, said("it"), json!({"km": 1}));
        for (record, entries) in sides {
            found = found.citing(&passage(record, json!({}), &[]), entries.iter().copied());
        }
        for peer in peers {
            found = found.beside(&passage(peer, json!({}), &[]), ["entry"]);
        }
        found
    }

    #[test]
    fn citations_stand_beside_the_evidence_in_one_order_each_once() {
        let one = found(&[("P2", &["b", "a", "b"]), ("P1", &["c", ""])], &["P3"]);
        let other = found(&[("P1", &["c"]), ("P2", &["a", "b"])], &["P3"]);
        let told = json!({
            "km": 1,
            "cites": [
                {"record": "P1", "entries": ["c"]},
                {"record": "P2", "entries": ["a", "b"]},
            ],
            "peers": [{"record": "P3", "entries": ["entry"]}],
        });

        assert_eq!(one.cited_evidence(), told);
        assert_eq!(other.cited_evidence(), told);
        assert_eq!(one.evidence, json!({"km": 1}));
        assert_eq!(found(&[], &[]).cited_evidence(), json!({"km": 1}));
    }

    #[test]
    fn whoever_says_thousands_is_cited_to_a_bound() {
        let entries: Vec<String> = (0..1_000).map(|n| format!("entry {n:04}")).collect();
        let entries: Vec<&str> = entries.iter().map(String::as_str).collect();
        let records: Vec<String> = (0..100).map(|n| format!("P{n:03}")).collect();
        let sides: Vec<(&str, &[&str])> = records
            .iter()
            .map(|record| (record.as_str(), entries.as_slice()))
            .collect();

        let told = found(&sides, &[]).cited_evidence();
        assert_eq!(told["cites"].as_array().unwrap().len(), CITED_RECORDS_MAX);
        let of_one = told["cites"][0]["entries"].as_array().unwrap();
        assert_eq!(of_one.len(), CITED_ENTRIES_MAX);
    }

    #[test]
    fn what_is_cited_makes_no_other_finding_and_is_what_it_is_about() {
        let seen = |entry: &str, at_ms: i64| {
            let mut seen = event("gate.in", at_ms, json!({}));
            seen["entry"] = entry.into();
            seen
        };
        let judged = |entry: &str| {
            let first = passage("P1", json!({}), &[seen(entry, 0)]).at("QAM");
            let second = passage("P2", json!({}), &[seen("second", 60_000)]);
            let dossier = dossier(second, vec![first], 0);
            let mut all = reconcile(&dossier).into_iter();
            let found = all.find(|f| f.rule.code == "R04").expect("two places");
            let json = found.json(&dossier.anchor);
            (found, json)
        };

        let (one, json) = judged("first");
        let (other, _) = judged("another first");
        assert_eq!(one.id, other.id);
        assert_eq!(one.evidence_digest, other.evidence_digest);
        let told = json["evidence"]["cites"].to_string();
        assert!(told.contains("first") && told.contains("second"), "{told}");
        let about = &one.about["record"];
        assert!(about.contains("P1") && about.contains("P2"), "{about:?}");
    }
}
