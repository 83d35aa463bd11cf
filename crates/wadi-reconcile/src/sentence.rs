//! What rules say: sentences whose texts stand in the catalogue of `wadi-words`, in every language.
//!
//! A rule lists its sentences with [`sentences!`], each with its id and its values by name and
//! kind, and says one by naming it with all of them: whoever leaves a value out, or gives another
//! kind of one, is stopped by the compiler. A test of `wadi-words` holds that the texts of both
//! languages ask for exactly these values.

use wadi_words::{Language, Sentence};

/// A sentence that may be said: its id, and its values with the kind of each.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SentenceShape {
    /// The id, as `R02-left`.
    pub id: &'static str,
    /// The values: name and kind.
    pub values: &'static [(&'static str, &'static str)],
}

/// A sentence in English. One that the catalogue does not have says its id: a test holds that there
/// is none.
pub(crate) fn english(sentence: &Sentence) -> String {
    let told = Language::English.finding_text(sentence);
    told.unwrap_or_else(|| sentence.id.to_string())
}

/// Declares what is said here: `Name = "id" { value: kind, … }` for each sentence. It makes the
/// enum `Says`, and the list `SENTENCES` of their shapes.
macro_rules! sentences {
    ($($name:ident = $id:literal { $($value:ident: $kind:ident),* $(,)? })+) => {
        /// What is said here, with the values of each sentence.
        enum Says<'a> {
            $($name { $($value: $crate::sentence::given!('a $kind)),* },)+
        }

        impl From<Says<'_>> for wadi_words::Sentence {
            fn from(says: Says<'_>) -> Self {
                match says {
                    $(Says::$name { $($value),* } => Self::new(
                        $id,
                        [$((stringify!($value), $crate::sentence::value!($kind $value))),*],
                    ),)+
                }
            }
        }

        /// The sentences that are said here.
        pub(crate) const SENTENCES: &[$crate::SentenceShape] = &[
            $($crate::SentenceShape {
                id: $id,
                values: &[$((stringify!($value), stringify!($kind))),*],
            },)+
        ];
    };
}

/// What a value of a kind is given as.
macro_rules! given {
    ($a:lifetime records) => { &$a [&$a str] };
    ($a:lifetime names) => { &$a [&$a str] };
    ($a:lifetime fields) => { &$a [&$a str] };
    ($a:lifetime number) => { i64 };
    ($a:lifetime decimal) => { f64 };
    ($a:lifetime code) => { &'static str };
    ($a:lifetime refusal) => { (&$a str, &$a str) };
    ($a:lifetime clause) => { wadi_words::Sentence };
    ($a:lifetime clauses) => { Vec<wadi_words::Sentence> };
    ($a:lifetime all_of) => { Vec<wadi_words::Sentence> };
    ($a:lifetime $text:ident) => { &$a str };
}

/// A value as the sentence keeps it.
macro_rules! value {
    (record $v:ident) => {
        wadi_words::SentenceValue::Record($v.into())
    };
    (records $v:ident) => {
        wadi_words::SentenceValue::Records($crate::sentence::owned($v))
    };
    (officer $v:ident) => {
        wadi_words::SentenceValue::Officer($v.into())
    };
    (crossing $v:ident) => {
        wadi_words::SentenceValue::Crossing($v.into())
    };
    (node $v:ident) => {
        wadi_words::SentenceValue::Node($v.into())
    };
    (name $v:ident) => {
        wadi_words::SentenceValue::Name($v.into())
    };
    (names $v:ident) => {
        wadi_words::SentenceValue::Names($crate::sentence::owned($v))
    };
    (text $v:ident) => {
        wadi_words::SentenceValue::Text($v.into())
    };
    (detail $v:ident) => {
        wadi_words::SentenceValue::Detail($v.into())
    };
    (number $v:ident) => {
        wadi_words::SentenceValue::Number($v)
    };
    (decimal $v:ident) => {
        wadi_words::SentenceValue::Decimal($v)
    };
    (event $v:ident) => {
        wadi_words::SentenceValue::Event($v.into())
    };
    (field $v:ident) => {
        wadi_words::SentenceValue::Field($v.into())
    };
    (fields $v:ident) => {
        wadi_words::SentenceValue::Fields($crate::sentence::owned($v))
    };
    (kind $v:ident) => {
        wadi_words::SentenceValue::Kind($v.into())
    };
    (rule $v:ident) => {
        wadi_words::SentenceValue::Rule($v.into())
    };
    (code $v:ident) => {
        wadi_words::SentenceValue::Code($v.into())
    };
    (refusal $v:ident) => {
        wadi_words::SentenceValue::Refusal {
            code: $v.0.into(),
            why: $v.1.into(),
        }
    };
    (clause $v:ident) => {
        wadi_words::SentenceValue::Clause(Box::new($v))
    };
    (clauses $v:ident) => {
        wadi_words::SentenceValue::Clauses($v)
    };
    (all_of $v:ident) => {
        wadi_words::SentenceValue::AllOf($v)
    };
}

pub(crate) use {given, sentences, value};

/// A list of texts, kept.
pub(crate) fn owned(all: &[&str]) -> Vec<String> {
    all.iter().map(ToString::to_string).collect()
}

mod common {
    super::sentences! {
        More = "more" { n: number }
        Rest = "rest" { n: number, record: record }
        Cut = "cut" { kinds: all_of }
        CutKind = "cut-kind" { taken: number, of: number, kind: kind }
        Reason = "reason" { reason: text }
        NoReason = "no-reason" {}
        Explained = "explained" {}
        Unheard = "unheard" { crossings: names }
    }

    /// How many more there are of one cause.
    pub(crate) fn more_of_this_kind(n: i64) -> wadi_words::Sentence {
        Says::More { n }.into()
    }

    /// How many more findings there are of a rule.
    pub(crate) fn more_findings(n: i64, record: &str) -> wadi_words::Sentence {
        Says::Rest { n, record }.into()
    }

    /// Of which kinds of records not all were looked at: kind, how many were, of how many.
    pub(crate) fn cut<'a>(
        kinds: impl Iterator<Item = (&'a str, i64, i64)>,
    ) -> wadi_words::Sentence {
        let kinds = kinds
            .map(|(kind, taken, of)| Says::CutKind { taken, of, kind }.into())
            .collect();
        Says::Cut { kinds }.into()
    }

    /// That something which came later explains a finding, as a text and as a sentence.
    pub fn explained_since() -> (String, wadi_words::Sentence) {
        let sentence = Says::Explained {}.into();
        (super::english(&sentence), sentence)
    }

    /// Of which crossings nothing was ever heard.
    pub(crate) fn unheard(crossings: &[&str]) -> wadi_words::Sentence {
        Says::Unheard { crossings }.into()
    }

    /// The reason that somebody gave for an act, or that there is none.
    pub(crate) fn reason_given(reason: Option<&str>) -> wadi_words::Sentence {
        match reason {
            Some(reason) => Says::Reason { reason }.into(),
            None => Says::NoReason {}.into(),
        }
    }
}

pub use common::explained_since;
pub(crate) use common::{cut, more_findings, more_of_this_kind, reason_given, unheard};

/// Every sentence that a finding may say.
pub fn every_sentence() -> impl Iterator<Item = &'static SentenceShape> {
    let rules = crate::RULES.iter().chain([&crate::RULE_FAILED]);
    common::SENTENCES
        .iter()
        .chain(rules.flat_map(|rule| rule.sentences))
}
