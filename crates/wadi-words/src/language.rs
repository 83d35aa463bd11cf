//! In which language somebody is spoken to.

/// Ranges of a header that are read; a browser sends a handful.
const RANGES_MAX: usize = 64;

/// A language that the catalogue has.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Language {
    /// English: where nobody asked, or asked for a language that is not here.
    #[default]
    English,
    /// Arabic.
    Arabic,
}

impl Language {
    /// All languages.
    pub const ALL: [Language; 2] = [Self::English, Self::Arabic];

    /// The tag of BCP 47, as `Content-Language` has it.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Arabic => "ar",
        }
    }

    /// `ltr` or `rtl`: the direction in which a page in the language is set.
    pub const fn direction(self) -> &'static str {
        match self {
            Self::English => "ltr",
            Self::Arabic => "rtl",
        }
    }

    /// The language of a tag or of a name of POSIX: `ar`, `ar-IQ`, `ar_IQ.UTF-8`.
    pub fn of_tag(tag: &str) -> Option<Self> {
        let primary = tag.trim().split(['-', '_', '.', '@']).next()?;
        Self::ALL
            .into_iter()
            .find(|l| primary.eq_ignore_ascii_case(l.tag()))
    }

    /// The language of a process, by the values of `LC_ALL`, `LC_MESSAGES` and `LANG`. The first of
    /// them that is set and not empty decides, as POSIX has it; `C`, `POSIX` and what is not here
    /// are English.
    pub fn of_locale(lc_all: Option<&str>, lc_messages: Option<&str>, lang: Option<&str>) -> Self {
        [lc_all, lc_messages, lang]
            .into_iter()
            .flatten()
            .find(|value| !value.is_empty())
            .and_then(Self::of_tag)
            .unwrap_or_default()
    }

    /// The language of this process's environment.
    pub fn of_environment() -> Self {
        let value = |name| std::env::var(name).ok();
        let (all, messages, lang) = (value("LC_ALL"), value("LC_MESSAGES"), value("LANG"));
        Self::of_locale(all.as_deref(), messages.as_deref(), lang.as_deref())
    }

    /// The language that an `Accept-Language` header likes best (RFC 9110, 12.5.4): the one of the
    /// greatest weight, of equal ones the first. A range that does not read counts for nothing, and
    /// where no language here is liked, the answer is in English.
    pub fn of_header(header: &str) -> Self {
        let ranges: Vec<_> = header
            .split(',')
            .take(RANGES_MAX)
            .enumerate()
            .filter_map(|(place, range)| Some((place, weighted(range)?)))
            .collect();

        let named = |language: Self| {
            let of_it = |(_, (tag, _)): &&(usize, (&str, u16))| Self::of_tag(tag) == Some(language);
            best(ranges.iter().filter(of_it))
        };

        let any = best(ranges.iter().filter(|(_, (tag, _))| *tag == "*"));
        let mut liked: Vec<_> = Self::ALL
            .into_iter()
            .filter_map(|language| Some((named(language).or(any)?, language)))
            .filter(|((weight, _), _)| *weight > 0)
            .collect();

        liked.sort_by_key(|((weight, place), _)| (u16::MAX - weight, *place));
        liked
            .first()
            .map(|(_, language)| *language)
            .unwrap_or_default()
    }
}

/// The greatest weight of some ranges, and where its range stands.
fn best<'a>(ranges: impl Iterator<Item = &'a (usize, (&'a str, u16))>) -> Option<(u16, usize)> {
    ranges
        .map(|(place, (_, weight))| (*weight, *place))
        .max_by_key(|(weight, place)| (*weight, usize::MAX - place))
}

/// A range's tag, and its weight in thousandths.
fn weighted(range: &str) -> Option<(&str, u16)> {
    let mut parts = range.split(';').map(str::trim);
    let tag = parts.next().filter(|tag| !tag.is_empty())?;
    let mut weight = 1_000;

    for part in parts {
        let (name, value) = part.split_once('=')?;
        if name.trim().eq_ignore_ascii_case("q") {
            weight = thousandths(value.trim())?;
        }
    }

    Some((tag, weight))
}

/// A weight between 0 and 1 with three decimals at most, in thousandths.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let is_short = decimals.len() <= 3 && decimals.bytes().all(|b| b.is_ascii_digit());
    if !is_short {
        return None;
    }

    let decimals: u16 = format!("{decimals:0<3}").parse().ok()?;
    match (whole, decimals) {
        ("0", decimals) => Some(decimals),
        ("1", 0) => Some(1_000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Language::{Arabic, English};

    #[test]
    fn the_first_value_of_the_environment_that_says_something_decides() {
        let cases = [
            ((None, None, None), English),
            ((None, None, Some("ar_IQ.UTF-8")), Arabic),
            ((None, Some("ar"), Some("en_GB.UTF-8")), Arabic),
            ((Some("C"), Some("ar_IQ"), Some("ar_IQ")), English),
            ((Some("POSIX"), None, Some("ar_IQ")), English),
            ((Some("C.UTF-8"), None, Some("ar_IQ")), English),
            ((Some(""), Some(""), Some("ar_SY@latin")), Arabic),
            ((None, None, Some("de_DE.UTF-8")), English),
            ((None, None, Some("arn_CL")), English),
            ((None, None, Some("AR-iq")), Arabic),
        ];

        for ((all, messages, lang), language) in cases {
            let told = Language::of_locale(all, messages, lang);
            assert_eq!(told, language, "{all:?} {messages:?} {lang:?}");
        }
    }

    #[test]
    fn a_header_is_weighed_as_its_standard_has_it() {
        let cases = [
            ("", English),
            ("ar", Arabic),
            ("ar-IQ,ar;q=0.9,en;q=0.8", Arabic),
            ("en;q=0.4, ar;q=0.5", Arabic),
            ("en;q=0.5, ar;q=0.5", English),
            ("ar;q=0.5, en;q=0.5", Arabic),
            ("ku, ar;q=0.3", Arabic),
            ("fr, de", English),
            ("*", English),
            ("en;q=0, *", Arabic),
            ("ar;q=0, *;q=0.1", English),
            ("ar;q=0", English),
            ("en;q=0, ar;q=0", English),
            ("AR ; Q=1.000", Arabic),
            ("ar;q=1.001, en;q=0.1", English),
            ("ar;q=0.1234, en;q=0.1", English),
            ("ar;q=-1", English),
            ("ar;level", English),
            (";;;,,,=", English),
            ("ar;q=", English),
            ("ar;q=0.001", Arabic),
        ];

        for (header, language) in cases {
            assert_eq!(Language::of_header(header), language, "{header:?}");
        }
    }

    #[test]
    fn a_header_of_any_length_is_read_to_its_bound() {
        let long = format!("{}ar", "fr,".repeat(RANGES_MAX));
        assert_eq!(Language::of_header(&long), English);
        let short = format!("{}ar", "fr,".repeat(RANGES_MAX - 1));
        assert_eq!(Language::of_header(&short), Arabic);
    }
}
