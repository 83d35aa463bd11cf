//! How values are written on pages and in paths.

use wadi_words::Language;

/// A path of the console, as somebody named it: anything else is the console's beginning, so that
/// nobody is sent to another site.
pub(crate) fn own_path(path: &str) -> &str {
    let is_own = path == "/console"
        || path.starts_with("/console/") && !path.contains('\\')
        || path.starts_with("/console?");
    let is_plain = path.bytes().all(|b| (0x21..0x7f).contains(&b));
    match is_own && is_plain {
        true => path,
        false => "/console",
    }
}

/// A reason in a language; as it was given, where the language has no words for it.
pub(crate) fn reason_in(language: Language, code: &str, given: &str) -> String {
    language
        .problem_detail(code, given)
        .unwrap_or_else(|| given.into())
}

/// A text as a value of a query (RFC 3986): all but unreserved characters are escaped.
pub(crate) fn query_escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_to_another_site() {
        for own in ["/console", "/console/records?plate=1%20A", "/console?x=1"] {
            assert_eq!(own_path(own), own);
        }
        for foreign in [
            "//evil.example",
            "https://evil.example/console",
            "/consolevil",
            "/console/\\evil",
            "/console/\r\nSet-Cookie: a",
            "",
        ] {
            assert_eq!(own_path(foreign), "/console", "{foreign}");
        }
    }

    #[test]
    fn a_text_in_a_query_is_one_value() {
        assert_eq!(
            query_escaped("بغداد 1&2"),
            "%D8%A8%D8%BA%D8%AF%D8%A7%D8%AF%201%262"
        );
    }
}
