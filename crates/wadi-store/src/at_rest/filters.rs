//! Filters as they are asked of a database whose cells are encrypted: a value that is looked for by
//! equality is looked for as it lies there.

use super::{CellCipher, SecretCell};
use crate::{
    BornFilter, CaseFilter, FindingFilter, RecordFilter, SoughtBy,
    lists::TOLD_TYPE,
    tables::{FINDING_ABOUT, FINDINGS, TERMS},
};
use std::borrow::Cow;

impl CellCipher {
    /// A term as it lies there.
    pub(crate) fn term<'t>(&self, what: &str, value: &'t str) -> Cow<'t, str> {
        let cell = SecretCell::new(&TERMS, "value", what);
        self.seal_text(cell, value)
    }

    /// What a finding is about, as it lies there.
    pub(crate) fn about<'t>(&self, what: &str, value: &'t str) -> Cow<'t, str> {
        let cell = SecretCell::new(&FINDING_ABOUT, "value", what);
        self.seal_text(cell, value)
    }

    /// A filter of records.
    pub(crate) fn record_filter<'f>(&self, asked: &'f RecordFilter) -> Cow<'f, RecordFilter> {
        if !self.is_on() {
            return Cow::Borrowed(asked);
        }

        let mut filter = asked.clone();
        if let Some((what, value)) = &mut filter.term {
            *value = self.term(what, value).into_owned();
        }
        for (what, value) in &mut filter.of_holds {
            *value = self.term(what, value).into_owned();
        }
        self.seal_types(&mut filter.hold_types);
        for one in &mut filter.sought {
            if let SoughtBy::Term { what, value } = one {
                *value = self.term(what, value).into_owned();
            }
        }

        Cow::Owned(filter)
    }

    /// A filter of what began within a time.
    pub(crate) fn born_filter<'f>(&self, asked: &'f BornFilter) -> Cow<'f, BornFilter> {
        if !self.is_on() || asked.hold_types.is_none() {
            return Cow::Borrowed(asked);
        }

        let mut filter = asked.clone();
        self.seal_types(&mut filter.hold_types);
        Cow::Owned(filter)
    }

    /// Types of hold as they lie there.
    fn seal_types(&self, types: &mut Option<Vec<String>>) {
        for of in types.iter_mut().flatten() {
            *of = self.term(TOLD_TYPE, of).into_owned();
        }
    }

    /// A filter of findings.
    pub(crate) fn finding_filter<'f>(&self, asked: &'f FindingFilter) -> Cow<'f, FindingFilter> {
        if !self.is_on() {
            return Cow::Borrowed(asked);
        }

        let mut filter = asked.clone();
        let cell = SecretCell::new(&FINDINGS, "assignee", "");
        if let Some(assignee) = &mut filter.assignee {
            *assignee = self.seal_text(cell, assignee).into_owned();
        }
        if let Some((what, value)) = &mut filter.about {
            *value = self.about(what, value).into_owned();
        }

        Cow::Owned(filter)
    }

    /// A filter of cases. Cases with as many unsettled findings follow each other in the order of
    /// their encrypted names: an order that stays, as a cursor needs it.
    pub(crate) fn case_filter<'f>(&self, asked: &'f CaseFilter) -> Cow<'f, CaseFilter> {
        if !self.is_on() {
            return Cow::Borrowed(asked);
        }

        let mut filter = asked.clone();
        if let Some(value) = &mut filter.value {
            *value = self.about(&asked.what, value).into_owned();
        }
        if let Some((_, value)) = &mut filter.after {
            *value = self.about(&asked.what, value).into_owned();
        }

        Cow::Owned(filter)
    }
}
