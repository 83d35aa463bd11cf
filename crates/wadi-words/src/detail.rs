//! The reason that a problem gives, in another language.
//!
//! Reasons are made in English, where what went wrong is known, and are kept and sent as they are:
//! a refusal of last year, or of a node of another version, has nothing but its text. So a reason
//! is known by its message in the English catalogue, whose places give back the values, and is told
//! by the message of the same name in the other one. One that no message knows stays as it is.
//! Nothing is decided by it: programs go by the code.

use crate::{Group, Language, catalogue, sentence::escaped};
use fluent_bundle::{FluentArgs, FluentValue};
use std::{cmp::Reverse, collections::BTreeMap, sync::LazyLock};

/// Letters of a reason that is looked at.
const LETTERS_MAX: usize = 4_000;
/// What the ids of such messages begin with: the code stands behind it, then what tells one reason
/// from another.
const BEGINS: &str = "detail-";
/// What begins the ids of warnings, which have no code.
const WARNING: &str = "warning";
/// What begins the ids of what alarms say.
const ALARM: &str = "alarm";
/// What stands between the clauses of an alarm: two alarms in one, or two things of one.
const BETWEEN_CLAUSES: &str = "; ";
/// Clauses of an alarm that are looked at.
const CLAUSES_MAX: usize = 40;
/// The place of a reason within a reason, which may be of several clauses, and that of a part of a
/// reason, which is of one.
const WHY: &str = "why";
const PART: &str = "part";

/// A piece of an English message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DetailPiece {
    /// Words, as they are.
    Words(String),
    /// A place for a value.
    Place(String),
}

/// The English message of a reason.
struct EnglishDetail {
    id: String,
    pieces: Vec<DetailPiece>,
}

impl EnglishDetail {
    /// Bytes of its words: the more, the surer it is what made a text.
    fn words(&self) -> usize {
        let words = self.pieces.iter().map(|piece| match piece {
            DetailPiece::Words(words) => words.len(),
            DetailPiece::Place(_) => 0,
        });
        words.sum()
    }
}

/// The messages by the codes of their problems; those with more words first, so that the one that
/// says most is taken.
fn all() -> &'static BTreeMap<String, Vec<EnglishDetail>> {
    static ALL: LazyLock<BTreeMap<String, Vec<EnglishDetail>>> = LazyLock::new(|| {
        let mut all: BTreeMap<String, Vec<EnglishDetail>> = BTreeMap::new();
        for (id, pieces) in catalogue::pieces(Language::English, BEGINS) {
            let named = id.strip_prefix(BEGINS).unwrap_or(&id).to_string();
            let code = named
                .split_once('-')
                .map_or(named.as_str(), |(code, _)| code);
            let of_code = all.entry(code.to_string()).or_default();
            of_code.push(EnglishDetail { id, pieces });
        }

        for of_code in all.values_mut() {
            of_code.sort_by_key(|detail| (Reverse(detail.words()), detail.id.clone()));
        }

        all
    });

    &ALL
}

/// All reasons that hold no other one, those of the most words first. One that does is not looked
/// into again.
fn plain() -> &'static [&'static EnglishDetail] {
    static PLAIN: LazyLock<Vec<&EnglishDetail>> = LazyLock::new(|| {
        let why = DetailPiece::Place(WHY.into());
        let all = all().values().flatten();
        let mut plain: Vec<_> = all.filter(|d| !d.pieces.contains(&why)).collect();
        plain.sort_by_key(|detail| Reverse(detail.words()));
        plain
    });

    &PLAIN
}

/// The values in a text that a message made; none where it did not make it.
fn values<'a>(pieces: &'a [DetailPiece], text: &'a str) -> Option<Vec<(&'a str, &'a str)>> {
    let mut out = Vec::new();
    let mut rest = text;
    let mut open: Option<&str> = None;

    for (n, piece) in pieces.iter().enumerate() {
        match piece {
            DetailPiece::Place(name) => match open {
                // Nobody can tell where one of two neighbours ends.
                Some(_) => return None,
                None => open = Some(name),
            },
            DetailPiece::Words(words) => {
                let is_last = n + 1 == pieces.len();
                let at = match open {
                    None => rest.starts_with(words.as_str()).then_some(0),
                    Some(_) if is_last => {
                        let ends = rest.ends_with(words.as_str());
                        ends.then(|| rest.len() - words.len())
                    }
                    Some(_) => rest.find(words.as_str()),
                }?;
                if let Some(name) = open.take() {
                    out.push((name, rest.get(..at)?));
                }
                rest = rest.get(at + words.len()..)?;
            }
        }
    }

    match open {
        Some(name) => out.push((name, rest)),
        None if rest.is_empty() => {}
        None => return None,
    }

    Some(out)
}

impl Language {
    /// The reason of a problem in this language, by its code and its English text; none where the
    /// catalogue does not know it, and in English, where it is what it is.
    pub fn problem_detail(self, code: &str, english: &str) -> Option<String> {
        if self == Self::English || english.len() > LETTERS_MAX {
            return None;
        }

        let mut details = all().get(code)?.iter();
        details.find_map(|detail| self.told(detail, english))
    }

    /// A reason by the message that made it; none where another one did.
    fn told(self, detail: &EnglishDetail, english: &str) -> Option<String> {
        self.filled(detail, values(&detail.pieces, english)?)
    }

    fn filled(self, detail: &EnglishDetail, values: Vec<(&str, &str)>) -> Option<String> {
        let mut arguments = FluentArgs::new();
        for (name, value) in values {
            arguments.set(name.to_string(), FluentValue::from(self.place(name, value)));
        }

        catalogue::whole(self, &detail.id, &arguments)
    }

    /// A value in the words of this language, where it is the name of something or a reason itself.
    fn place(self, name: &str, value: &str) -> String {
        let group = match name {
            "event" => Some(Group::Event),
            "field" => Some(Group::Field),
            "kind" => Some(Group::Kind),
            "department" => Some(Group::Department),
            "type" => Some(Group::HoldType),
            "state" => Some(Group::FindingState),
            WHY | PART => return self.any_detail(value).unwrap_or_else(|| escaped(value)),
            _ => None,
        };
        let known = group.filter(|group| self.has(*group, value));
        known.map_or_else(|| escaped(value), |group| self.title(group, value))
    }

    /// A reason within a reason, whose code nobody names.
    fn any_detail(self, english: &str) -> Option<String> {
        let mut plain = plain().iter();
        plain.find_map(|detail| self.told(detail, english))
    }

    /// What looks wrong about a write that was taken, in this language; as
    /// [`Self::problem_detail`].
    pub fn warning(self, english: &str) -> Option<String> {
        self.problem_detail(WARNING, english)
    }

    /// What an alarm says, in this language; as [`Self::problem_detail`]. An alarm may be made of
    /// several: of each the clauses are told that the catalogue knows, and the rest stays English.
    pub fn alarm_text(self, english: &str) -> Option<String> {
        if self == Self::English || english.len() > LETTERS_MAX {
            return None;
        }
        if let Some(told) = self.alarm_clause(english) {
            return Some(told);
        }

        let clauses: Vec<&str> = english.split(BETWEEN_CLAUSES).take(CLAUSES_MAX).collect();
        if clauses.len() == CLAUSES_MAX {
            return None;
        }

        let mut told = Vec::new();
        let mut known = false;
        let mut from = 0;
        while let Some(rest) = clauses.get(from..).filter(|rest| !rest.is_empty()) {
            // The fewest clauses that a message made: the next ones may be another alarm's.
            let mut ends = 1..=rest.len();
            let found = ends.find_map(|end| {
                let clause = rest.get(..end)?.join(BETWEEN_CLAUSES);
                Some((end, self.alarm_clause(&clause)?))
            });

            known |= found.is_some();
            let (end, text) = found.unwrap_or_else(|| (1, escaped(rest[0])));
            told.push(text);
            from += end;
        }

        let between = match self {
            Self::Arabic => "؛ ",
            Self::English => BETWEEN_CLAUSES,
        };
        known.then(|| told.join(between))
    }

    /// What one message of alarms made of a text.
    fn alarm_clause(self, english: &str) -> Option<String> {
        let mut details = all().get(ALARM)?.iter();
        details.find_map(|detail| {
            let values = values(&detail.pieces, english)?;
            // A name or a number that goes over clauses is several alarms.
            let is_one =
                |(name, value): &(&str, &str)| *name == WHY || !value.contains(BETWEEN_CLAUSES);
            values.iter().all(is_one).then_some(())?;
            self.filled(detail, values)
        })
    }

    /// Codes whose problems have a reason in the catalogue, with the pieces of their English
    /// messages: for tests that hold them against the sources.
    pub fn problem_details() -> impl Iterator<Item = (&'static str, Vec<&'static [DetailPiece]>)> {
        all().iter().map(|(code, details)| {
            let pieces = details.iter().map(|d| d.pieces.as_slice()).collect();
            (code.as_str(), pieces)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Language::{Arabic, English};

    #[test]
    fn a_reason_is_told_in_arabic_with_its_values_kept_apart() {
        let told = Arabic.problem_detail("revoked_officer", "OF-7 was revoked");
        let told = told.unwrap();
        assert!(told.contains("\u{2068}OF-7\u{2069}"), "{told}");
        assert!(!told.contains("revoked"), "{told}");

        assert_eq!(
            English.problem_detail("revoked_officer", "OF-7 was revoked"),
            None
        );
        assert_eq!(
            Arabic.problem_detail("revoked_officer", "nobody knows"),
            None
        );
        assert_eq!(
            Arabic.problem_detail("no_such_code", "OF-7 was revoked"),
            None
        );
    }

    #[test]
    fn a_reason_within_a_reason_is_told_too() {
        let english = "weighed.net_kg: is required";
        let told = Arabic.problem_detail("malformed_event", english).unwrap();
        assert!(told.contains("\u{2068}weighed.net_kg\u{2069}"), "{told}");
        assert!(!told.contains("required"), "{told}");

        let kind = "passage has no field \"plat\"";
        let told = Arabic.problem_detail("unknown_field", kind).unwrap();
        assert!(told.contains("\u{2068}plat\u{2069}"), "{told}");
        assert!(!told.contains("passage"), "{told}");
    }

    #[test]
    fn an_alarm_is_told_by_its_clauses_and_several_in_one_are_told_apart() {
        let english =
            "4 entries are damaged or missing on this disk; they are fetched back from peers";
        let told = Arabic.alarm_text(english).unwrap();
        assert!(told.contains("\u{2068}4\u{2069}"), "{told}");
        assert!(!told.contains("damaged"), "{told}");
        assert_eq!(English.alarm_text(english), None);

        let of = |peer: &str, which: &str| {
            format!(
                "{peer}: 90 of 100 MiB of this month's budget went over {which}; see what for in \
                 `wadi status --traffic`"
            )
        };
        let both = format!("{}; {}", of("hub", "its link"), of("qam", "its link sat"));
        let told = Arabic.alarm_text(&both).unwrap();
        for name in [
            "\u{2068}hub\u{2069}",
            "\u{2068}qam\u{2069}",
            "\u{2068}sat\u{2069}",
        ] {
            assert!(told.contains(name), "{told}");
        }
        assert!(
            !told.contains("budget") && !told.contains("its link"),
            "{told}"
        );
    }

    #[test]
    fn of_an_alarm_of_another_version_what_is_known_is_told_and_the_rest_as_it_came() {
        assert_eq!(Arabic.alarm_text("something of tomorrow"), None);
        let half = "something of tomorrow; set this machine's clock; nothing is lost meanwhile";
        let told = Arabic.alarm_text(half).unwrap();
        assert!(told.starts_with("something of tomorrow؛ "), "{told}");
        assert!(!told.contains("meanwhile"), "{told}");
        let many = "x; ".repeat(1_000);
        assert_eq!(Arabic.alarm_text(&many), None);
    }

    #[test]
    fn a_reason_within_an_alarm_may_be_of_several_clauses() {
        let english = "the papers changed and are not taken up, and the node goes on with those \
                       that it had: crl.pem was there and is gone: whoever it revoked would be let \
                       in again; put the newest list back";
        let told = Arabic.alarm_text(english).unwrap();
        assert!(!told.contains("papers"), "{told}");
    }

    #[test]
    fn values_are_taken_out_of_a_text_that_the_message_made_and_of_no_other() {
        let words = |words: &str| DetailPiece::Words(words.into());
        let place = |name: &str| DetailPiece::Place(name.into());
        let pieces = [
            place("who"),
            words(" may not say "),
            place("what"),
            words(" here"),
        ];

        let taken = values(&pieces, "VET may not say gate.out here").unwrap();
        assert_eq!(taken, [("who", "VET"), ("what", "gate.out")]);
        assert_eq!(values(&pieces, "VET may not say gate.out"), None);
        assert_eq!(values(&pieces, "may say"), None);
        assert_eq!(values(&[words("plain")], "plain and more"), None);
        assert_eq!(values(&[place("a"), place("b")], "xy"), None);
        let open = [words("no "), place("what")];
        let all = values(&open, "no record here").unwrap();
        assert_eq!(all, [("what", "record here")]);
    }

    #[test]
    fn what_somebody_writes_cannot_break_it() {
        for text in [
            "",
            "{ $officer }",
            "\u{2069}\u{0}",
            "؟ was revoked",
            &"x".repeat(9_000),
        ] {
            let _ = Arabic.problem_detail("revoked_officer", text);
        }
    }
}
