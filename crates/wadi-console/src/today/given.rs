//! What a form or a link gave: names with their values, as they came.

use crate::digits::latin;
use std::collections::BTreeSet;
use wadi_record::percent_decoded;

/// Values of a form or of a query at most; no form of ours has half of them.
const VALUES_MAX: usize = 400;

/// Names with their values, in their order. A name may stand more than once.
#[derive(Clone, Debug, Default)]
pub(super) struct FormGiven(Vec<(String, String)>);

/// Whether what a form or a link sent is text: of what is none a character would be lost, and
/// nobody would see it.
pub(super) fn is_text(encoded: &[u8]) -> bool {
    std::str::from_utf8(&percent_decoded(encoded)).is_ok()
}

impl FormGiven {
    /// What `application/x-www-form-urlencoded` says; nothing where it does not read.
    pub(super) fn read(encoded: &[u8]) -> Self {
        let mut all: Vec<(String, String)> =
            serde_urlencoded::from_bytes(encoded).unwrap_or_default();
        all.truncate(VALUES_MAX);
        Self(all)
    }

    /// The first value of a name without the spaces around it; empty where there is none.
    pub(super) fn get(&self, name: &str) -> &str {
        self.all(name).next().unwrap_or_default()
    }

    /// Every value of a name that is not empty.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        let named = self.0.iter().filter(move |(n, _)| n == name);
        named
            .map(|(_, value)| value.trim())
            .filter(|v| !v.is_empty())
    }

    /// A name that stands more than once, where it is none of those that may: of its values one
    /// would be lost.
    pub(super) fn twice(&self, may_repeat: impl Fn(&str) -> bool) -> Option<&str> {
        let mut seen = BTreeSet::new();
        for (name, _) in &self.0 {
            let name = name.as_str();
            if !may_repeat(name) && !seen.insert(name) {
                return Some(name);
            }
        }

        None
    }

    /// Whether a name has a value.
    pub(super) fn has(&self, name: &str) -> bool {
        self.all(name).next().is_some()
    }

    /// Everything but these names, to be handed on.
    pub(super) fn without(&self, names: &[&str]) -> Vec<(String, String)> {
        let kept = self.0.iter().filter(|(n, _)| !names.contains(&n.as_str()));
        kept.cloned().collect()
    }

    /// A value that is a code: in capital letters and Western digits.
    pub(super) fn code(&self, name: &str) -> String {
        latin(self.get(name)).to_uppercase()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_given_is_found_by_its_name() {
        let given = FormGiven::read("m.holds=a&m.holds=b&on=+%D9%A1%D9%A2-a+&empty=".as_bytes());
        assert_eq!(given.all("m.holds").collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(given.code("on"), "12-A");
        assert!(!given.has("empty"));
        assert_eq!(given.without(&["m.holds", "empty"]).len(), 1);
        assert_eq!(FormGiven::read(b"%FF=\xff").get("x"), "");
    }

    #[test]
    fn a_name_that_stands_twice_is_found_where_it_may_not() {
        let given = FormGiven::read(b"m.holds=a&m.holds=b&m.gross_kg=1&m.tare_kg=2");
        let is_list = |name: &str| name == "m.holds";
        assert_eq!(given.twice(is_list), None);
        assert_eq!(given.twice(|_| false), Some("m.holds"));

        for again in ["m.gross_kg=3", "m.gross_kg=1", "m.gross_kg="] {
            let given = FormGiven::read(format!("m.gross_kg=1&{again}").as_bytes());
            assert_eq!(given.twice(is_list), Some("m.gross_kg"), "{again}");
        }
    }

    #[test]
    fn what_is_no_text_is_known() {
        for text in [
            "",
            "a=b&c=%D8%A8",
            "a=51+ب",
            "a=100%",
            "a=%ZZ",
            "a=%EF%BF%BD",
        ] {
            assert!(is_text(text.as_bytes()), "{text}");
        }
        for other in [&b"a=51+%C8+n"[..], b"a=\xC8", b"a=%D8&b=%A8", b"%C8=a"] {
            assert!(!is_text(other), "{other:?}");
        }
    }
}
