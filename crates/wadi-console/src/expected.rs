//! When something is expected, in words: when, and by how much such estimates were wrong before.

use crate::{
    frame::PageFrame,
    moment::Moment,
    sites::{lane_word, when::length},
};
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

/// What of a lane no hub holds yet, as the API tells it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct LaneUnsentRead {
    pub lane: String,
    pub unsent: u64,
    pub expected_at_hub: Option<ExpectedRead>,
}

/// The same in words.
pub(crate) struct LaneExpected {
    pub lane: String,
    /// How many entries, in words.
    pub unsent: String,
    /// When they are expected at the hub; none where nobody knows.
    pub at: Option<Moment>,
}

impl LaneExpected {
    /// Each lane of which no hub holds all, the most urgent first.
    pub(crate) fn of(f: &PageFrame, lanes: &[LaneUnsentRead]) -> Vec<Self> {
        let line = |read: &LaneUnsentRead| Self {
            lane: lane_word(f, &read.lane),
            unsent: f.say_n("sites-to-send", read.unsent),
            at: read
                .expected_at_hub
                .as_ref()
                .map(|expected| Moment::of_ms(expected.at_ms)),
        };
        lanes.iter().map(line).collect()
    }
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
