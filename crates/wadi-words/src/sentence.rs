//! The sentences of findings: what a rule says, as a message of the catalogue with typed values.
//!
//! A sentence is kept and sent as its id and its values, and told in the language of whoever reads
//! it. In English it is what findings have always said, with codes as they are written; in other
//! languages the codes in it are translated as well.

use crate::{Group, Language, catalogue};
use fluent_bundle::{FluentArgs, FluentValue};
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, collections::BTreeMap};

/// What stands for a value while its message is put together, around the value's number. No value
/// is given to the message itself, so that none can look like one of these.
const OPEN: char = '\u{E000}';
const CLOSE: char = '\u{E001}';
/// What isolates a value from the direction of what stands beside it (Unicode, UAX 9).
const ISOLATE: char = '\u{2068}';
const ISOLATE_END: char = '\u{2069}';
/// Sentences within sentences. Rules say at most three.
const DEPTH_MAX: usize = 6;
/// Whole numbers up to this are exact where the catalogue asks for their plural form (2^53).
const EXACT_MAX: i64 = 1 << 53;

/// What a finding says: a message's id, and its values by their names.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Sentence {
    /// The id, as `R02-left`; the message in the catalogue is `sentence-R02-left`.
    pub id: Cow<'static, str>,
    /// The values.
    #[serde(default)]
    pub values: BTreeMap<Cow<'static, str>, SentenceValue>,
    /// What is said after it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub then: Vec<Sentence>,
}

/// A value of a sentence, by what it is.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SentenceValue {
    /// A record's printed id.
    Record(String),
    /// Several of them.
    Records(Vec<String>),
    /// An officer's service number.
    Officer(String),
    /// A crossing's code.
    Crossing(String),
    /// A node's name.
    Node(String),
    /// What something is called where it is: a plate, a container, a device, a reference.
    Name(String),
    /// Several of them.
    Names(Vec<String>),
    /// What somebody wrote.
    Text(String),
    /// Technical detail in English, which other languages may leave out.
    Detail(String),
    /// A whole number.
    Number(i64),
    /// A number.
    Decimal(f64),
    /// A type of event.
    Event(String),
    /// A field.
    Field(String),
    /// Several of them.
    Fields(Vec<String>),
    /// A kind of record.
    Kind(String),
    /// A rule's code.
    Rule(String),
    /// One of a few words between which the message chooses.
    Code(String),
    /// Why something was refused.
    Refusal {
        /// The stable code of the problem.
        code: String,
        /// The reason, in English.
        why: String,
    },
    /// A sentence in the sentence.
    Clause(Box<Sentence>),
    /// Several, with commas between.
    Clauses(Vec<Sentence>),
    /// Several, with `and` between.
    AllOf(Vec<Sentence>),
}

/// A part of a sentence as it is shown.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SentencePart {
    /// Words of the catalogue.
    Words(String),
    /// A value: it is to be kept apart from the direction of the words around it.
    Value(String),
    /// The printed id of a record.
    Record(String),
}

impl Sentence {
    /// A sentence with its values.
    pub fn new(
        id: &'static str,
        values: impl IntoIterator<Item = (&'static str, SentenceValue)>,
    ) -> Self {
        Self {
            id: id.into(),
            values: values
                .into_iter()
                .map(|(name, value)| (Cow::Borrowed(name), value))
                .collect(),
            then: Vec::new(),
        }
    }

    /// The same with no text of more letters, and no list of more members. What is left out has
    /// three dots in its place.
    pub fn bounded(self, letters: usize, members: usize) -> Self {
        let value = |value: SentenceValue| value.bounded(letters, members);
        Self {
            id: self.id,
            values: self
                .values
                .into_iter()
                .map(|(n, v)| (n, value(v)))
                .collect(),
            then: all_bounded(self.then, letters, members),
        }
    }
}

fn all_bounded(all: Vec<Sentence>, letters: usize, members: usize) -> Vec<Sentence> {
    let shown = all.into_iter().take(members);
    shown.map(|one| one.bounded(letters, members)).collect()
}

impl SentenceValue {
    fn bounded(self, letters: usize, members: usize) -> Self {
        let cut = |text: String| match text.char_indices().nth(letters) {
            Some(_) => text
                .chars()
                .take(letters.saturating_sub(1))
                .chain(['…'])
                .collect(),
            None => text,
        };
        let cut_all = |all: Vec<String>| {
            let is_cut = all.len() > members;
            let shown = all.into_iter().take(members).map(cut);
            shown.chain(is_cut.then(|| "…".to_string())).collect()
        };

        match self {
            Self::Record(text) => Self::Record(cut(text)),
            Self::Records(all) => Self::Records(cut_all(all)),
            Self::Officer(text) => Self::Officer(cut(text)),
            Self::Crossing(text) => Self::Crossing(cut(text)),
            Self::Node(text) => Self::Node(cut(text)),
            Self::Name(text) => Self::Name(cut(text)),
            Self::Names(all) => Self::Names(cut_all(all)),
            Self::Text(text) => Self::Text(cut(text)),
            Self::Detail(text) => Self::Detail(cut(text)),
            Self::Event(text) => Self::Event(cut(text)),
            Self::Field(text) => Self::Field(cut(text)),
            Self::Fields(all) => Self::Fields(cut_all(all)),
            Self::Kind(text) => Self::Kind(cut(text)),
            Self::Refusal { code, why } => Self::Refusal {
                code: cut(code),
                why: cut(why),
            },
            Self::Clause(one) => Self::Clause(Box::new(one.bounded(letters, members))),
            Self::Clauses(all) => Self::Clauses(all_bounded(all, letters, members)),
            Self::AllOf(all) => Self::AllOf(all_bounded(all, letters, members)),
            other @ (Self::Number(_) | Self::Decimal(_) | Self::Rule(_) | Self::Code(_)) => other,
        }
    }
}

impl Language {
    /// What a finding says, as one text; none where this version does not know the sentence. In
    /// Arabic each value is isolated, and a character of it that nobody sees is shown as an escape.
    pub fn finding_text(self, sentence: &Sentence) -> Option<String> {
        let is_plain = self == Self::English;
        let teller = Teller {
            language: self,
            escapes: !is_plain,
        };
        let mut out = String::new();
        for part in teller.parts(sentence, 0)? {
            match part {
                SentencePart::Words(words) => out += &words,
                SentencePart::Value(value) | SentencePart::Record(value) if is_plain => {
                    out += &value;
                }
                SentencePart::Value(value) | SentencePart::Record(value) => {
                    out.push(ISOLATE);
                    out += &value;
                    out.push(ISOLATE_END);
                }
            }
        }

        Some(out)
    }

    /// The same in parts, for a page that sets values apart. A character of a value that nobody
    /// sees is shown as an escape.
    pub fn finding_parts(self, sentence: &Sentence) -> Option<Vec<SentencePart>> {
        let teller = Teller {
            language: self,
            escapes: true,
        };
        teller.parts(sentence, 0)
    }
}

/// Tells sentences in a language.
#[derive(Clone, Copy)]
struct Teller {
    language: Language,
    /// Whether characters of values that nobody sees become escapes.
    escapes: bool,
}

impl Teller {
    fn parts(self, sentence: &Sentence, depth: usize) -> Option<Vec<SentencePart>> {
        if depth >= DEPTH_MAX {
            return None;
        }

        let mut arguments = FluentArgs::new();
        for (n, (name, value)) in sentence.values.iter().enumerate() {
            let filling = match value {
                SentenceValue::Number(n) if n.saturating_abs() <= EXACT_MAX => {
                    FluentValue::from(*n)
                }
                SentenceValue::Code(code) => FluentValue::from(code.as_str()),
                _ => FluentValue::from(format!("{OPEN}{n}{CLOSE}")),
            };
            arguments.set(&**name, filling);
        }

        let message = catalogue::finding_sentence(self.language, &sentence.id, &arguments)?;
        let values: Vec<&SentenceValue> = sentence.values.values().collect();
        let mut out = self.filled(&message, &values, depth)?;
        for more in &sentence.then {
            out.push(SentencePart::Words(" ".into()));
            out.extend(self.parts(more, depth.saturating_add(1))?);
        }

        Some(out)
    }

    /// A message with its values in their places.
    fn filled(
        self,
        message: &str,
        values: &[&SentenceValue],
        depth: usize,
    ) -> Option<Vec<SentencePart>> {
        let mut out = Vec::new();
        let mut rest = message;
        while let Some((words, (number, after))) = rest
            .split_once(OPEN)
            .and_then(|(words, more)| Some((words, more.split_once(CLOSE)?)))
        {
            let value = values.get(number.parse::<usize>().ok()?)?;
            // A value is a part of its own, and whoever shows it sets it apart.
            let (words, after) = match words.strip_suffix(ISOLATE) {
                Some(words) => (words, after.strip_prefix(ISOLATE_END).unwrap_or(after)),
                None => (words, after),
            };
            push_words(&mut out, words);
            out.extend(self.told(value, depth)?);
            rest = after;
        }

        push_words(&mut out, rest);
        Some(out)
    }

    /// A value in this language.
    fn told(self, value: &SentenceValue, depth: usize) -> Option<Vec<SentencePart>> {
        let list = |all: &[String], of: &dyn Fn(&String) -> SentencePart| {
            joined(self.comma(), all.iter().map(|one| vec![of(one)]))
        };
        let sentences = |all: &[Sentence], separator: &str| {
            let all: Option<Vec<_>> = all
                .iter()
                .map(|one| self.parts(one, depth.saturating_add(1)))
                .collect();
            Some(joined(separator, all?.into_iter()))
        };
        let one = |text: String| vec![SentencePart::Value(text)];

        Some(match value {
            SentenceValue::Record(id) => vec![SentencePart::Record(self.escaped(id))],
            SentenceValue::Records(all) => list(all, &|id| SentencePart::Record(self.escaped(id))),
            SentenceValue::Names(all) => list(all, &|name| SentencePart::Value(self.escaped(name))),
            SentenceValue::Fields(all) => list(all, &|name| {
                SentencePart::Value(self.named(Group::Field, name))
            }),
            SentenceValue::Officer(text)
            | SentenceValue::Node(text)
            | SentenceValue::Name(text)
            | SentenceValue::Text(text)
            | SentenceValue::Detail(text)
            | SentenceValue::Code(text) => one(self.escaped(text)),
            SentenceValue::Number(number) => one(number.to_string()),
            SentenceValue::Decimal(number) => one(number.to_string()),
            SentenceValue::Crossing(code) => one(self.crossing(code)),
            SentenceValue::Event(name) => one(self.named(Group::Event, name)),
            SentenceValue::Field(name) => one(self.named(Group::Field, name)),
            SentenceValue::Kind(name) => one(self.named(Group::Kind, name)),
            SentenceValue::Rule(code) => one(self.rule(code)),
            SentenceValue::Refusal { code, why } => one(self.refusal(code, why)),
            SentenceValue::Clause(one) => self.parts(one, depth.saturating_add(1))?,
            SentenceValue::Clauses(all) => sentences(all, self.comma())?,
            SentenceValue::AllOf(all) => sentences(all, self.and())?,
        })
    }

    fn comma(self) -> &'static str {
        match self.language {
            Language::English => ", ",
            Language::Arabic => "، ",
        }
    }

    fn and(self) -> &'static str {
        match self.language {
            Language::English => " and ",
            Language::Arabic => " و",
        }
    }

    /// Whether codes stay as they are written.
    fn keeps_codes(self) -> bool {
        self.language == Language::English
    }

    /// What a name is called. In English it is said as it is written.
    fn named(self, group: Group, name: &str) -> String {
        match !self.keeps_codes() && self.language.has(group, name) {
            true => self.language.title(group, name),
            false => self.escaped(name),
        }
    }

    fn crossing(self, code: &str) -> String {
        let name = format!("findings-crossing-{code}");
        let named = catalogue::sentence(self.language, &name, &FluentArgs::new());
        named
            .filter(|_| !self.keeps_codes())
            .unwrap_or_else(|| self.escaped(code))
    }

    fn rule(self, code: &str) -> String {
        match self.keeps_codes() || !self.language.has(Group::Rule, code) {
            true => self.escaped(code),
            false => format!("{code} ({})", self.language.rule_title(code)),
        }
    }

    fn refusal(self, code: &str, why: &str) -> String {
        match self.keeps_codes() || !self.language.has(Group::Problem, code) {
            true => self.escaped(why),
            false => self.language.problem_title(code),
        }
    }

    fn escaped(self, text: &str) -> String {
        match self.escapes {
            true => escaped(text),
            false => text.into(),
        }
    }
}

/// A text in which nothing is unseen: such a character is shown as an escape.
pub(crate) fn escaped(text: &str) -> String {
    if !text.chars().any(is_unseen) {
        return text.into();
    }

    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match is_unseen(c) {
            true => out.extend(c.escape_unicode()),
            false => out.push(c),
        }
    }

    out
}

fn push_words(out: &mut Vec<SentencePart>, words: &str) {
    if !words.is_empty() {
        out.push(SentencePart::Words(words.into()));
    }
}

fn joined(separator: &str, all: impl Iterator<Item = Vec<SentencePart>>) -> Vec<SentencePart> {
    let mut out = Vec::new();
    for parts in all {
        if !out.is_empty() {
            push_words(&mut out, separator);
        }

        out.extend(parts);
    }

    out
}

/// Whether nobody sees a character, or it turns the direction of what stands around it.
fn is_unseen(c: char) -> bool {
    let is_mark = matches!(c, '\u{061C}' | '\u{200B}'..='\u{200F}' | '\u{FEFF}');
    c.is_control() || is_mark || matches!(c, '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use Language::{Arabic, English};

    fn left(passage: &str, hold: &str) -> Sentence {
        let record = |id: &str| SentenceValue::Record(id.into());
        Sentence::new(
            "R02-left",
            [("passage", record(passage)), ("hold", record(hold))],
        )
    }

    #[test]
    fn a_sentence_is_told_in_the_language_of_its_reader() {
        let sentence = left("TRB-P-1", "TRB-H-2");
        assert_eq!(
            English.finding_text(&sentence).as_deref(),
            Some("TRB-P-1 left while hold TRB-H-2 was open")
        );

        let arabic = Arabic.finding_text(&sentence).expect("known");
        assert!(arabic.contains("\u{2068}TRB-P-1\u{2069}"), "{arabic}");
        assert!(arabic.contains("الحجز \u{2068}TRB-H-2\u{2069}"), "{arabic}");

        let unknown = Sentence::new("R02-of-tomorrow", []);
        assert_eq!(Arabic.finding_text(&unknown), None);
        assert_eq!(English.finding_text(&unknown), None);
        // One of its values is missing: nobody is told half of it.
        let lacking = Sentence::new("R02-left", []);
        assert_eq!(Arabic.finding_text(&lacking), None);
    }

    #[test]
    fn a_page_has_the_values_as_parts_and_the_words_without_isolates_around_them() {
        let parts = Arabic
            .finding_parts(&left("TRB-P-1", "TRB-H-2"))
            .expect("known");
        let records: Vec<&SentencePart> = parts
            .iter()
            .filter(|p| matches!(p, SentencePart::Record(_)))
            .collect();
        let record = |id: &str| SentencePart::Record(id.into());
        assert_eq!(records, [&record("TRB-P-1"), &record("TRB-H-2")]);

        for part in &parts {
            if let SentencePart::Words(words) = part {
                assert!(
                    !words.contains([ISOLATE, ISOLATE_END, OPEN, CLOSE]),
                    "{words:?}"
                );
            }
        }
    }

    #[test]
    fn what_a_value_holds_is_no_part_of_the_message_and_turns_nothing() {
        let hostile = "x\u{2069}\u{202e}{ $hold }\u{E000}0\u{E001}";
        let told = Arabic.finding_text(&left(hostile, "H")).expect("known");
        assert!(
            told.contains("x\\u{2069}\\u{202e}{ $hold }\u{E000}0\u{E001}"),
            "{told}"
        );
        let opened = told.matches(ISOLATE).count();
        assert_eq!(opened, told.matches(ISOLATE_END).count(), "{told:?}");

        // The English text is the finding's own, letter for letter.
        let told = English.finding_text(&left(hostile, "H")).expect("known");
        assert!(told.starts_with(hostile), "{told:?}");
    }

    #[test]
    fn numbers_have_their_plural_forms_and_large_ones_are_exact() {
        let more = |n| Sentence::new("more", [("n", SentenceValue::Number(n))]);
        let told = |n| Arabic.finding_text(&more(n)).expect("known");
        let all: Vec<String> = [1, 2, 3, 11, 100].map(told).to_vec();
        for (n, one) in all.iter().enumerate() {
            assert!(!all[..n].contains(one), "{all:?}");
        }

        assert!(!told(1).contains('1') && !told(2).contains('2'), "{all:?}");
        for n in [EXACT_MAX + 1, i64::MAX, i64::MIN] {
            assert_eq!(
                English.finding_text(&more(n)),
                Some(format!("(and {n} more of this kind)"))
            );
        }
    }

    #[test]
    fn a_bounded_sentence_has_dots_where_something_was_left_out() {
        let names = SentenceValue::Names(vec!["ن".repeat(9); 5]).bounded(4, 2);
        let cut = "ننن…".to_string();
        assert_eq!(
            names,
            SentenceValue::Names(vec![cut.clone(), cut, "…".into()])
        );
        let short = SentenceValue::Name("abcd".into());
        assert_eq!(short.clone().bounded(4, 2), short);
    }

    #[test]
    fn sentences_within_sentences_end() {
        let mut deep = Sentence::new("no-reason", []);
        for _ in 0..100 {
            deep = Sentence::new("cut", [("kinds", SentenceValue::AllOf(vec![deep]))]);
        }
        assert_eq!(Arabic.finding_text(&deep), None);
    }
}
