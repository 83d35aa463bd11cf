//! What a finding says, in the language of the page: the words of the catalogue, and the values set
//! apart from them.

use crate::records::record_path;
use serde::Deserialize;
use serde_json::Value;
use wadi_words::{Language, Sentence, SentencePart};

/// A part of the sentence.
pub(crate) struct FoundPart {
    /// What stands there.
    pub text: String,
    /// Whether it is a value, and no word of ours.
    pub is_value: bool,
    /// The page of the record that it names.
    pub path: Option<String>,
}

/// A finding's sentence.
pub(crate) struct FoundSentence {
    /// Its parts in their order.
    pub parts: Vec<FoundPart>,
    /// The language in which it is told.
    pub language: &'static str,
}

impl FoundSentence {
    /// The sentence as an answer has it, and its English text for findings that came without one,
    /// or with one that this version does not know.
    pub(crate) fn of(language: Language, sentence: Option<&Value>, text: &str) -> Self {
        let sentence = sentence.and_then(|json| Sentence::deserialize(json).ok());
        let parts = sentence.and_then(|sentence| language.finding_parts(&sentence));
        match parts {
            Some(parts) => Self {
                parts: parts.into_iter().map(part).collect(),
                language: language.tag(),
            },
            None => Self {
                parts: vec![FoundPart {
                    text: text.into(),
                    is_value: true,
                    path: None,
                }],
                language: Language::English.tag(),
            },
        }
    }

    /// The sentence in one text.
    pub(crate) fn text(&self) -> String {
        self.parts.iter().map(|part| part.text.as_str()).collect()
    }
}

fn part(part: SentencePart) -> FoundPart {
    let (text, is_value, path) = match part {
        SentencePart::Words(words) => (words, false, None),
        SentencePart::Value(value) => (value, true, None),
        SentencePart::Record(id) => {
            let path = record_path(&id, "");
            (id, true, Some(path))
        }
    };
    FoundPart {
        text,
        is_value,
        path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_finding_is_told_in_the_language_of_the_page_with_its_records_as_links() {
        let sentence = json!({"id": "R02-left", "values": {
            "passage": {"record": "TRB-P-1"}, "hold": {"record": "TRB-H-1"},
        }});
        let text = "TRB-P-1 left while hold TRB-H-1 was open";
        let english = FoundSentence::of(Language::English, Some(&sentence), text);
        assert_eq!((english.text().as_str(), english.language), (text, "en"));

        let arabic = FoundSentence::of(Language::Arabic, Some(&sentence), text);
        assert_eq!(arabic.language, "ar");
        assert!(arabic.text().contains("خرجت") && !arabic.text().contains("left"));
        let paths: Vec<&str> = arabic
            .parts
            .iter()
            .flat_map(|p| p.path.as_deref())
            .collect();
        assert_eq!(
            paths,
            ["/console/records/TRB-P-1", "/console/records/TRB-H-1"]
        );
    }

    #[test]
    fn a_finding_of_another_version_is_told_as_it_was_written() {
        let unknown = json!({"id": "R02-of-tomorrow", "values": {}});
        let unread = json!({"id": "R02-left", "values": {"hold": {"of_tomorrow": 1}}});
        for sentence in [None, Some(&unknown), Some(&unread), Some(&json!("x"))] {
            let told = FoundSentence::of(Language::Arabic, sentence, "as written");
            assert_eq!((told.text().as_str(), told.language), ("as written", "en"));
        }
    }
}
