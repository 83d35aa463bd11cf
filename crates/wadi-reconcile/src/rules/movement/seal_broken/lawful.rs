//! The seals that were put on a load by right: those recorded on the passage, now or before, those
//! that a search put in the place of what it opened, and those under which customs had the goods
//! loaded again. What the operator says of seals after a reloading proves nothing, nor does what
//! somebody wrote once another one had been found, whatever time it claims.

use super::reloaded_under;
use crate::{Dossier, Fact, Facts};
use serde_json::Value as Json;
use wadi_record::{field_term, says_nothing};

/// A seal as seals are compared; none for a text that says that there is none.
fn form(seal: &str) -> Option<String> {
    field_term("seal.1", seal).map(|(_, form)| form)
}

/// A seal that was put on by right, and when.
pub(super) struct SealPut<'a> {
    pub(super) seal: &'a str,
    form: Option<String>,
    /// When it is said to have been put on, Unix milliseconds; none for what is recorded.
    at_ms: Option<i64>,
    /// When that was written; none where nobody knows.
    entered_ms: Option<i64>,
    entry: Option<&'a str>,
}

impl<'a> SealPut<'a> {
    /// What an event says.
    fn said(event: Fact<'a>, seal: &'a str) -> Self {
        Self {
            seal,
            form: form(seal),
            at_ms: Some(event.at_ms()),
            entered_ms: Some(event.entered_ms()),
            entry: Some(event.entry()),
        }
    }

    /// What stands in a field of the passage, or stood there.
    fn recorded(seal: &'a str, put: Option<&'a Json>) -> Self {
        Self {
            seal,
            form: form(seal),
            at_ms: None,
            entered_ms: put.and_then(|put| put["entered_ms"].as_i64()),
            entry: put.and_then(|put| put["entry"].as_str()),
        }
    }

    /// Whether it stood there before an event, by what was written then. What the entry of the
    /// event itself tells stood nowhere before.
    fn is_before(&self, event: Fact<'_>) -> bool {
        let is_written = self.entered_ms <= Some(event.entered_ms());
        let is_other = self.entry != Some(event.entry());
        is_written && is_other && self.at_ms <= Some(event.at_ms())
    }
}

/// Whether a seal is one of these, however it is written.
pub(super) fn is_among(stood: &[&SealPut<'_>], seal: &str) -> bool {
    let form = form(seal);
    form.is_some() && stood.iter().any(|put| put.form == form)
}

/// The seals that were put on a load by right, each read once however many were found on it.
pub(super) struct LawfulSeals<'a> {
    recorded: Vec<SealPut<'a>>,
    /// Those that searches and reloadings put on.
    put_on: Vec<SealPut<'a>>,
}

impl<'a> LawfulSeals<'a> {
    pub(super) fn of(dossier: &'a Dossier) -> Self {
        let passage = &dossier.anchor;
        let searched = dossier
            .searches()
            .filter_map(|e| Some((e, e.text("seal_after")?)));
        let reloaded = reloaded_under(passage)
            .flat_map(|e| e.texts("seals").into_iter().map(move |seal| (e, seal)));
        let put_on = searched.chain(reloaded);
        let put_on = put_on.filter(|(_, seal)| !says_nothing(seal));

        Self {
            recorded: recorded(passage),
            put_on: put_on.map(|(e, seal)| SealPut::said(e, seal)).collect(),
        }
    }

    /// Those that stood there before an event. Where nobody had recorded one, what was recorded
    /// since is all that there is to hold it against.
    pub(super) fn before(&self, event: Fact<'_>) -> Vec<&SealPut<'a>> {
        let all = self.recorded.iter().chain(&self.put_on);
        let before: Vec<&SealPut<'a>> = all.filter(|put| put.is_before(event)).collect();
        match before.is_empty() {
            true => self.recorded.iter().collect(),
            false => before,
        }
    }
}

/// The seals that are, or were, recorded on a passage.
fn recorded(passage: &Facts) -> Vec<SealPut<'_>> {
    let all: Vec<SealPut<'_>> = match passage.json["seals_recorded"].as_array() {
        None => {
            let texts = passage.texts("seal", "").into_iter();
            texts.map(|seal| SealPut::recorded(seal, None)).collect()
        }
        Some(all) => {
            let told = all
                .iter()
                .filter_map(|put| Some((put, put["seal"].as_str()?)));
            told.map(|(put, seal)| SealPut::recorded(seal, Some(put)))
                .collect()
        }
    };

    let told = all.into_iter().filter(|put| !says_nothing(put.seal));
    told.collect()
}
