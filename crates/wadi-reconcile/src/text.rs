//! Cutting foreign text. Never by bytes: a cut inside a letter of two bytes is a panic.

/// The first letters of a text.
pub(crate) fn head(text: &str, letters: usize) -> String {
    text.chars().take(letters).collect()
}

/// A text of at most so many letters, with a mark where it was cut.
pub(crate) fn bounded(text: &str, letters: usize) -> String {
    match text.char_indices().nth(letters) {
        Some(_) => format!("{}…", head(text, letters.saturating_sub(1))),
        None => text.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_between_letters() {
        assert_eq!(head("اب", 1), "ا");
        assert_eq!(head("ab", 9), "ab");
        assert_eq!(bounded("ابجد", 4), "ابجد");
        assert_eq!(bounded("ابجده", 4), "ابج…");
    }
}
