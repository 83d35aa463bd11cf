//! When something is expected, in words: when, and by how much such estimates were wrong before.

use crate::{frame::PageFrame, moment::Moment, sites::when::length};
use serde::Deserialize;

/// What nobody need be told that an estimate was wrong by.
const MINUTE_MS: i64 = 60_000;

/// When something is expected, as the API tells it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ExpectedRead {
    pub at_ms: i64,
    /// hour_of_week, hour_of_day, pace.
    pub by: String,
    pub wrong_by_ms: Option<i64>,
}

/// The same in words; where nobody knows, it says so.
pub(crate) struct ExpectedWords {
    /// What is expected.
    pub what: String,
    /// When.
    pub at: Option<Moment>,
    /// By how much such estimates were wrong before; what it rests on.
    pub about: String,
}

impl ExpectedWords {
    /// When what is kept here is expected at the hub.
    pub(crate) fn at_hub(f: &PageFrame, read: Option<&ExpectedRead>) -> Self {
        Self::of(f, "expected-at-hub", read)
    }

    /// When a link is expected to be up.
    pub(crate) fn of_link(f: &PageFrame, read: &ExpectedRead) -> Self {
        Self::of(f, "expected-link", Some(read))
    }

    fn of(f: &PageFrame, what: &str, read: Option<&ExpectedRead>) -> Self {
        let what = f.say(what);
        let Some(read) = read else {
            return Self {
                what,
                at: None,
                about: f.say("expected-unknown"),
            };
        };

        let by = f.say(&format!("expected-by-{}", read.by));
        let about = match read.wrong_by_ms {
            Some(ms) if ms < MINUTE_MS => format!("{by} · {}", f.say("expected-was-right")),
            Some(ms) => format!("{by} · {}", f.say_of("expected-wrong-by", &length(f, ms))),
            None => by,
        };
        Self {
            what,
            at: Some(Moment::of_ms(read.at_ms)),
            about,
        }
    }
}
