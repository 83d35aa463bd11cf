//! What waiting entries wait for in the end.

use crate::{ancestry::Past, record::Record};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use wadi_log::Reference;

impl Record {
    /// What an entry that waits is waiting for in the end: the entries not held, of all it builds
    /// on. Empty where only the record's first entry is missing.
    pub fn missing(&self, waiting: &Reference) -> BTreeSet<Reference> {
        let mut seen = BTreeSet::new();
        let mut out = BTreeSet::new();
        let mut queue = vec![*waiting];

        while let Some(r) = queue.pop() {
            match self.rows.get(&r) {
                Some(said) if !self.now().is_settled(&r) && seen.insert(r) => {
                    queue.extend(&said.change.based_on)
                }
                Some(_) => {}
                None => {
                    out.insert(r);
                }
            }
        }

        out
    }

    /// The same of every entry that waits, each walked once.
    pub(crate) fn all_missing(&self) -> BTreeMap<Reference, BTreeSet<Reference>> {
        let mut known = MissingEntries::default();
        let waiting: Vec<Reference> = self
            .rows
            .keys()
            .filter(|r| !self.now().is_settled(r))
            .copied()
            .collect();

        for r in &waiting {
            self.find_missing(*r, &mut known);
        }

        let named = |past: &Past| past.numbers().map(|n| known.names[n as usize]).collect();
        waiting
            .iter()
            .map(|r| (*r, named(&known.lacks[r])))
            .collect()
    }

    /// Depth first and without recursion, for lines of waiting entries are long.
    fn find_missing(&self, of: Reference, known: &mut MissingEntries) {
        let mut walk: Vec<(Reference, usize)> = vec![(of, 0)];
        while let Some((r, edge)) = walk.pop() {
            if edge == 0 {
                if known.lacks.contains_key(&r) {
                    continue;
                }
                known.lacks.insert(r, Past::default());
            }

            let based_on = &self.rows[&r].change.based_on;
            if let Some(before) = edge.checked_sub(1).map(|n| based_on[n]) {
                known.take_in(&r, &before);
            }

            let Some(next) = based_on.get(edge) else {
                continue;
            };

            walk.push((r, edge + 1));
            if self.rows.contains_key(next) {
                if !self.now().is_settled(next) {
                    walk.push((*next, 0));
                }
            } else {
                known.name_missing(*next);
            }
        }
    }
}

/// Missing entries, numbered, and which of them each waiting entry lacks.
#[derive(Default)]
struct MissingEntries {
    names: Vec<Reference>,
    numbers: HashMap<Reference, u32>,
    lacks: HashMap<Reference, Past>,
}

impl MissingEntries {
    fn name_missing(&mut self, missing: Reference) {
        let next = self.names.len() as u32;
        let number = *self.numbers.entry(missing).or_insert(next);
        if number == next {
            self.names.push(missing);
        }
    }

    /// Adds to what an entry lacks what one that it is based on lacks, or is.
    fn take_in(&mut self, entry: &Reference, before: &Reference) {
        let mut lacks = self.lacks.get(entry).cloned().unwrap_or_default();
        if let Some(number) = self.numbers.get(before) {
            lacks.insert(*number);
        }

        if let Some(theirs) = self.lacks.get(before) {
            lacks.unite(theirs);
        }

        self.lacks.insert(*entry, lacks);
    }
}
