//! The catalogue of texts.

use serde::Deserialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Every text that people read, in one language.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WordsAnswer {
    /// The language, as BCP 47 has it.
    #[schema(example = "ar")]
    language: String,
    /// `ltr` or `rtl`.
    direction: String,
    /// By group (state, kind, event, field, department, hold_type, rule, problem, phase,
    /// finding_state, disposition, safety, alarm) and by code. The number in a field's code is `N`.
    words: BTreeMap<String, BTreeMap<String, WordAnswer>>,
}

/// What is said of a code.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WordAnswer {
    /// What it is called.
    title: String,
    /// What a rule finds, or what to do about a problem.
    text: Option<String>,
}
