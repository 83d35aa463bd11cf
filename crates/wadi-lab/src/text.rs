//! Links in words: times, rates and shares as people write them, and errors that name what was
//! probably meant.

use std::time::Duration;
use thiserror::Error;

/// Likeness below which nothing is suggested.
const LIKENESS_MIN: f64 = 0.6;

/// A description of a link that does not read.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum LabError {
    /// No profile has this name.
    #[error("{given:?} is no kind of link; did you mean {nearest}? There are {known}")]
    UnknownProfile {
        /// What was given.
        given: String,
        /// The name most like it.
        nearest: String,
        /// All names.
        known: String,
    },
    /// A word, a setting or a command that does not exist.
    #[error("{given:?} is unknown; {meant}")]
    UnknownWord {
        /// What was given.
        given: String,
        /// What may stand there.
        meant: String,
    },
    /// A value that does not read, or is out of bounds.
    #[error("{given:?} is no {what}")]
    BadValue {
        /// What was given.
        given: String,
        /// What is expected, with an example.
        what: &'static str,
    },
}

impl LabError {
    /// A stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownProfile { .. } => "unknown_links",
            Self::UnknownWord { .. } | Self::BadValue { .. } => "bad_link",
        }
    }

    pub(crate) fn unknown_word(given: &str, known: &[&str]) -> Self {
        let all = known.join(", ");
        let meant = match nearest(given, known) {
            Some(near) => format!("did you mean {near}? There are {all}"),
            None => format!("there are {all}"),
        };
        Self::UnknownWord {
            given: given.into(),
            meant,
        }
    }
}

/// The known word most like the given one, where one is like it at all.
pub(crate) fn nearest<'a>(given: &str, known: &[&'a str]) -> Option<&'a str> {
    let likeness = |word: &str| strsim::jaro_winkler(given, word);
    known
        .iter()
        .copied()
        .max_by(|a, b| likeness(a).total_cmp(&likeness(b)))
        .filter(|word| likeness(word) >= LIKENESS_MIN)
}

fn bad(given: &str, what: &'static str) -> LabError {
    LabError::BadValue {
        given: given.into(),
        what,
    }
}

/// Splits a number from the unit behind it; finite and not negative.
fn number_and_unit(text: &str) -> Option<(f64, &str)> {
    let text = text.trim();
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == '%');
    let unit = text.strip_prefix(number)?;
    let number: f64 = number.parse().ok()?;
    (number.is_finite() && number >= 0.0).then_some((number, unit))
}

/// A time: `250ms`, `20s`, `5m`, `6h`, `30d`.
pub(crate) fn time(text: &str) -> Result<Duration, LabError> {
    let what = "time such as 250ms, 20s, 5m, 6h or 30d";
    let (number, unit) = number_and_unit(text).ok_or_else(|| bad(text, what))?;
    let unit_s = match unit {
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3_600.0,
        "d" => 86_400.0,
        _ => return Err(bad(text, what)),
    };

    Duration::try_from_secs_f64(number * unit_s).map_err(|_| bad(text, what))
}

/// Bits a second: `32k`, `10M`, `9600`.
pub(crate) fn rate(text: &str) -> Result<f64, LabError> {
    let what = "rate such as 9600, 32k or 10M (bits a second, 1k to 10G)";
    let (number, unit) = number_and_unit(text).ok_or_else(|| bad(text, what))?;
    let bits_s = match unit {
        "" => number,
        "k" => number * 1e3,
        "M" => number * 1e6,
        "G" => number * 1e9,
        _ => return Err(bad(text, what)),
    };

    let is_possible = (1e3..=1e10).contains(&bits_s);
    is_possible.then_some(bits_s).ok_or_else(|| bad(text, what))
}

/// A share below one: `5%` or `0.05`.
pub(crate) fn share(text: &str) -> Result<f64, LabError> {
    let what = "share below 100% such as 5% or 0.05";
    let (number, unit) = number_and_unit(text).ok_or_else(|| bad(text, what))?;
    let share = match unit {
        "" => number,
        "%" => number / 100.0,
        _ => return Err(bad(text, what)),
    };

    (share < 1.0)
        .then_some(share)
        .ok_or_else(|| bad(text, what))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_rates_and_shares_read_as_people_write_them() {
        assert_eq!(time("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(time("1.5m"), Ok(Duration::from_secs(90)));
        assert_eq!(time("6h"), Ok(Duration::from_secs(21_600)));
        assert_eq!(rate("32k"), Ok(32e3));
        assert_eq!(rate("9600"), Ok(9_600.0));
        assert_eq!(share("5%"), Ok(0.05));
        assert_eq!(share("0.05"), Ok(0.05));

        for text in ["", "s", "-1s", "1y", "1e999s", "nans", "5 s"] {
            assert!(time(text).is_err(), "{text:?}");
        }
        for text in ["0", "999", "11G", "-5k", "k", "1e400"] {
            assert!(rate(text).is_err(), "{text:?}");
        }
        for text in ["100%", "1", "-1%", "%", "nan"] {
            assert!(share(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn what_is_like_nothing_is_not_guessed_at() {
        assert_eq!(nearest("vsat-265", &["vsat-256", "leo"]), Some("vsat-256"));
        assert_eq!(nearest("qqq", &["vsat-256", "leo"]), None);
    }
}
