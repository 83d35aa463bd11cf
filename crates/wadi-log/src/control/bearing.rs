//! Control facts that single records are judged by: what bears on their entries, and tokens for
//! releases.

use super::Control;
use crate::{
    LogId, Reference,
    entry::{Closure, IssuedToken},
};
use std::collections::BTreeSet;

impl Control {
    /// The control entries by which what was said of records is judged: all policies and tokens for
    /// releases, the registrations and keys of these people, and the cuts, admissions and closures
    /// that bear on these entries. A closure bears on its crossing's logs.
    pub fn bearing(
        &self,
        people: &BTreeSet<String>,
        entries: &BTreeSet<Reference>,
    ) -> BTreeSet<Reference> {
        let mut out: BTreeSet<Reference> = self.policies.keys().copied().collect();
        out.extend(
            people
                .iter()
                .filter_map(|p| self.officers.get(p))
                .flat_map(|all| all.keys().copied()),
        );
        out.extend(people.iter().flat_map(|p| self.officer_key_entries(p)));

        let logs: BTreeSet<LogId> = entries.iter().map(|e| e.log).collect();
        out.extend(logs.iter().flat_map(|log| self.cuts.bearing_on(log)));
        out.extend(
            self.admitted
                .iter()
                .filter(|(_, set)| !set.is_disjoint(entries))
                .map(|(r, _)| *r),
        );

        out.extend(self.tokens.keys().copied());
        let closed = |c: &Closure| entries.iter().any(|e| e.log.crossing == c.crossing);
        out.extend(
            self.closures
                .iter()
                .filter(|(_, c)| closed(c))
                .map(|(r, _)| *r),
        );

        out
    }

    /// A token for a release by its id, the hash of its entry, where somebody had taken it in who
    /// had taken in `covered` of each control log.
    pub fn release_token(&self, id: &str, covered: impl Fn(&LogId) -> u64) -> Option<&IssuedToken> {
        self.release_tokens()
            .find(|(r, _)| r.leaf.to_string() == id && r.seq < covered(&r.log))
            .map(|(_, token)| token)
    }

    /// All tokens for releases that a hub issued within what counts of its log.
    pub fn release_tokens(&self) -> impl Iterator<Item = (&Reference, &IssuedToken)> {
        self.tokens.iter().filter(|(r, _)| self.fact_counts(r))
    }
}
