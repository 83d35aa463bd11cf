//! What can be done to a link while it runs, in words: lines on standard input, and of a schedule.

use crate::{model::Heading, profile::LinkProfile, text::LabError};
use std::str::FromStr;

/// A change of a link.
#[derive(Clone, Debug, PartialEq)]
pub enum LinkCommand {
    /// Packets get through again.
    Up,
    /// Nothing gets through, either way, and what is on its way is lost.
    Down,
    /// From now on the link is like this.
    Profile(LinkProfile),
    /// This way swallows everything, and nobody is told; none again with `None`.
    BlackHole(Option<Heading>),
    /// Every flow comes from another address from now on, as behind a modem that dialled anew.
    Move,
}

impl LinkCommand {
    /// The words that a command begins with.
    pub const WORDS: [&str; 5] = ["up", "down", "profile", "black-hole", "move"];
}

impl FromStr for LinkCommand {
    type Err = LabError;

    fn from_str(text: &str) -> Result<Self, LabError> {
        let mut words = text.split_whitespace();
        let command = match (words.next().unwrap_or_default(), words.next()) {
            ("up", None) => Self::Up,
            ("down", None) => Self::Down,
            ("move", None) => Self::Move,
            ("profile", Some(profile)) => Self::Profile(profile.parse()?),
            ("black-hole", Some("up")) => Self::BlackHole(Some(Heading::Up)),
            ("black-hole", Some("down")) => Self::BlackHole(Some(Heading::Down)),
            ("black-hole", Some("off")) => Self::BlackHole(None),
            ("black-hole", way) => {
                let given = way.unwrap_or_default();
                return Err(LabError::unknown_word(given, &["up", "down", "off"]));
            }
            ("profile", None) => return Err(LabError::unknown_word("", &LinkProfile::NAMES)),
            ("up" | "down" | "move", Some(more)) => {
                return Err(LabError::UnknownWord {
                    given: more.into(),
                    meant: "nothing follows here".into(),
                });
            }
            (word, _) => return Err(LabError::unknown_word(word, &Self::WORDS)),
        };

        match words.next() {
            None => Ok(command),
            Some(more) => Err(LabError::UnknownWord {
                given: more.into(),
                meant: "nothing follows here".into(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_read_and_wrong_ones_are_told_the_nearest() {
        let read = |text: &str| text.parse::<LinkCommand>();
        assert_eq!(read("up"), Ok(LinkCommand::Up));
        assert_eq!(read(" move "), Ok(LinkCommand::Move));
        assert_eq!(
            read("black-hole down"),
            Ok(LinkCommand::BlackHole(Some(Heading::Down)))
        );
        assert_eq!(read("black-hole off"), Ok(LinkCommand::BlackHole(None)));
        let fibre = LinkProfile::named("fibre").unwrap();
        assert_eq!(read("profile fibre"), Ok(LinkCommand::Profile(fibre)));

        let told = read("donw").unwrap_err().to_string();
        assert!(told.contains("did you mean down?"), "{told}");
        for bad in [
            "",
            "up now",
            "black-hole",
            "black-hole left",
            "profile",
            "profile fibr",
            "profile fibre now",
        ] {
            assert!(read(bad).is_err(), "{bad:?}");
        }
    }
}
