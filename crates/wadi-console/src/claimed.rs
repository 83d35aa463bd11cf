//! Whether somebody who is named stands behind what was said: by a signature of their own, or under
//! a token of their own. Of anybody else the name is a claim, and is told as one.

use wadi_record::SYSTEM_OFFICER;
use wadi_words::{Filling, Language};

/// Whether the officer of an entry is named by its node alone. Of a device, and of the node itself,
/// nobody claims to be an officer.
pub(crate) fn is_claimed(officer: &str, is_signed: bool) -> bool {
    !officer.is_empty() && officer != SYSTEM_OFFICER && !is_signed
}

/// What stands beside the person in whose name something was done, where a token that is nobody's
/// own named them; nothing where the token was theirs.
pub(crate) fn claim_words(language: Language, person: &str, by_token: &str) -> Option<String> {
    let token = [("what", Filling::from(by_token.to_string()))];
    match by_token {
        "" => None,
        token_itself if token_itself == person => Some(language.sentence("claimed-nobody", token)),
        _ => Some(language.sentence("claimed-token", token)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Language::{Arabic, English};

    #[test]
    fn a_name_is_claimed_where_nothing_of_whose_it_is_stands_behind_it() {
        assert!(is_claimed("OF-7", false));
        for (officer, is_signed) in [("OF-7", true), ("", false), (SYSTEM_OFFICER, false)] {
            assert!(!is_claimed(officer, is_signed), "{officer}");
        }

        let told = |person, token| claim_words(English, person, token);
        assert_eq!(told("Layla", ""), None);
        let claimed = told("Layla", "operator");
        assert_eq!(claimed.as_deref(), Some("claimed, token operator"));
        let nobody = told("operator", "operator");
        assert_eq!(nobody.as_deref(), Some("nobody named, token operator"));

        let arabic = claim_words(Arabic, "Layla", "operator").unwrap();
        assert!(arabic.contains("operator") && !arabic.contains("claimed"));
    }
}
