//! When a link changes: a list of times and commands, once or over and over.

use crate::{
    command::LinkCommand,
    text::{LabError, time},
};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::{collections::VecDeque, ops::Range, time::Duration};

/// Commands of a schedule at most: who writes more has made a mistake.
const STEPS_MAX: usize = 100_000;
/// The shortest round: a schedule that comes round faster would do nothing else.
const ROUND_MIN: Duration = Duration::from_millis(10);

/// A schedule. It knows no clock: whoever runs it says how long it has run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LinkSchedule {
    /// What is still to come, in order.
    steps: VecDeque<(Duration, LinkCommand)>,
    /// After how long it begins anew, where it does.
    round: Option<Duration>,
}

impl LinkSchedule {
    /// Up for so long and down for so long, from the start and for ever.
    pub fn alternating(up: Duration, down: Duration) -> Self {
        let steps = [(Duration::ZERO, LinkCommand::Up), (up, LinkCommand::Down)];
        Self {
            steps: steps.into(),
            round: Some(up + down).filter(|round| *round >= ROUND_MIN),
        }
    }

    /// Outages out of a seed, for so long: up and down for times drawn evenly out of these ranges.
    /// It ends with the link up.
    pub fn outages(seed: u64, up: Range<Duration>, down: Range<Duration>, total: Duration) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut draw = |range: &Range<Duration>| {
            let span = range.end.saturating_sub(range.start);
            range.start + span.mul_f64(rng.random::<f64>())
        };

        let mut steps = VecDeque::new();
        let mut at = draw(&up);
        while at < total && steps.len() < STEPS_MAX {
            steps.push_back((at, LinkCommand::Down));
            at += draw(&down).max(ROUND_MIN);
            steps.push_back((at, LinkCommand::Up));
            at += draw(&up).max(ROUND_MIN);
        }

        Self { steps, round: None }
    }

    /// Reads `20s/40s`: up for 20 s, down for 40 s, for ever.
    pub fn parse_spec(text: &str) -> Result<Self, LabError> {
        let bad = || LabError::BadValue {
            given: text.into(),
            what: "schedule such as 20s/40s (up/down, over and over)",
        };
        let (up, down) = text.split_once('/').ok_or_else(bad)?;
        let (up, down) = (time(up)?, time(down)?);
        if up.is_zero() || down.is_zero() || up + down < ROUND_MIN {
            return Err(bad());
        }

        Ok(Self::alternating(up, down))
    }

    /// Reads a file: on each line a time since the start and a command, as `20s down`, in the order
    /// of times; `repeat` in place of a command begins anew from there. Empty lines and what
    /// follows a `#` are skipped. The error names the line, counted from 1.
    pub fn parse_lines(text: &str) -> Result<Self, (usize, LabError)> {
        let mut schedule = Self::default();
        for (n, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default().trim();
            if !line.is_empty() {
                schedule.take_line(line).map_err(|error| (n + 1, error))?;
            }
        }

        Ok(schedule)
    }

    fn take_line(&mut self, line: &str) -> Result<(), LabError> {
        let bad = |what| LabError::BadValue {
            given: line.into(),
            what,
        };
        if self.round.is_some() {
            return Err(bad("line behind repeat, which is the last one"));
        }
        if self.steps.len() >= STEPS_MAX {
            return Err(bad("line that fits: 100000 are the most"));
        }

        let (at, command) = line
            .split_once(char::is_whitespace)
            .ok_or_else(|| bad("time and command such as 20s down"))?;
        let at = time(at)?;
        if self.steps.back().is_some_and(|(before, _)| at < *before) {
            return Err(bad("line in the order of times"));
        }

        if command.trim() == "repeat" {
            if at < ROUND_MIN || self.steps.is_empty() {
                return Err(bad("end of a round: 10 ms and one command are the least"));
            }
            self.round = Some(at);
            return Ok(());
        }

        self.steps.push_back((at, command.trim().parse()?));
        Ok(())
    }

    /// The same, begun so much later.
    #[must_use]
    pub fn delayed(mut self, by: Duration) -> Self {
        self.steps.iter_mut().for_each(|(at, _)| *at += by);
        self
    }

    /// When the next command is due, since the start.
    pub fn next_at(&self) -> Option<Duration> {
        self.steps.front().map(|(at, _)| *at)
    }

    /// Takes the next command that is due after so long.
    pub fn take_due(&mut self, elapsed: Duration) -> Option<LinkCommand> {
        self.steps.front().filter(|(at, _)| *at <= elapsed)?;
        let (at, command) = self.steps.pop_front()?;
        if let Some(round) = self.round {
            self.steps.push_back((at + round, command.clone()));
        }

        Some(command)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(s: u64) -> Duration {
        Duration::from_secs(s)
    }

    #[test]
    fn a_spec_goes_round_for_ever() {
        let mut schedule = LinkSchedule::parse_spec("20s/40s").unwrap();
        let mut seen = Vec::new();
        for n in 0..200 {
            while let Some(command) = schedule.take_due(s(n)) {
                seen.push((n, command));
            }
        }

        let up = [0, 60, 120, 180].map(|n| (n, LinkCommand::Up));
        let down = [20, 80, 140].map(|n| (n, LinkCommand::Down));
        let mut expected: Vec<_> = up.into_iter().chain(down).collect();
        expected.sort_by_key(|(n, _)| *n);
        assert_eq!(seen, expected);

        for bad in ["20s", "0s/20s", "20s/0s", "a/b", "1ms/1ms"] {
            assert!(LinkSchedule::parse_spec(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_file_is_read_line_by_line_and_an_error_names_its_line() {
        let text = "# a bad morning\n0s up\n20s down\n\n30s profile hf-32 # slower\n60s repeat\n";
        let mut schedule = LinkSchedule::parse_lines(text).unwrap();
        assert_eq!(schedule.take_due(s(0)), Some(LinkCommand::Up));
        assert_eq!(schedule.take_due(s(19)), None);
        assert_eq!(schedule.next_at(), Some(s(20)));
        assert_eq!(schedule.take_due(s(20)), Some(LinkCommand::Down));
        assert!(matches!(
            schedule.take_due(s(30)),
            Some(LinkCommand::Profile(_))
        ));
        assert_eq!(schedule.next_at(), Some(s(60)));

        for (line, bad) in [
            (2, "0s up\n5s donw"),
            (2, "5s up\n4s down"),
            (1, "up"),
            (1, "0s repeat"),
            (3, "0s up\n9s repeat\n10s down"),
        ] {
            let (at, error) = LinkSchedule::parse_lines(bad).unwrap_err();
            assert_eq!(at, line, "{bad:?}: {error}");
        }
    }

    #[test]
    fn outages_come_out_of_a_seed_and_end_with_the_link_up() {
        let drawn = |seed| LinkSchedule::outages(seed, s(60)..s(600), s(10)..s(20), s(86_400));
        assert_eq!(drawn(1), drawn(1));
        assert_ne!(drawn(1), drawn(2));

        let schedule = drawn(1);
        assert!(schedule.steps.len() > 200, "{}", schedule.steps.len());
        assert_eq!(schedule.steps.back().unwrap().1, LinkCommand::Up);
        assert!(schedule.steps.iter().is_sorted_by_key(|(at, _)| *at));
    }
}
