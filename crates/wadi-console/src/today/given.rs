//! What a form or a link gave: names with their values, as they came.

use crate::digits::latin;

/// Values of a form or of a query at most; no form of ours has half of them.
const VALUES_MAX: usize = 400;

/// Names with their values, in their order. A name may stand more than once.
#[derive(Clone, Debug, Default)]
pub(super) struct FormGiven(Vec<(String, String)>);

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
}
