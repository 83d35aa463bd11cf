//! How much a member may cost, by what it costs and by its role.

use wadi_log::Role;

/// A hub brings what everybody said, and has so many times the budget of a crossing.
const HUB_TIMES: f64 = 16.0;
/// An observer reads, and hardly says anything.
const OBSERVER_TIMES: f64 = 0.25;
const MIB: f64 = 1024.0 * 1024.0;
const DAY_S: f64 = 86_400.0;
const HOUR_S: f64 = 3_600.0;

/// What a member costs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Cost {
    /// Bytes taken in from its link.
    Wire,
    /// Bytes that its blocks have here, beyond eight for each on the wire.
    Inflated,
    /// Microseconds of the sequencer.
    Ingest,
    /// Messages.
    Messages,
    /// Things that were refused.
    Refusals,
    /// Bytes that its entries take on the disk.
    Stored,
    /// Logs that it opened: each is one more line of every frontier.
    Logs,
    /// Entries that wait for others.
    Waiting,
    /// Microseconds of answers to its questions.
    Answers,
    /// Findings that rest on its entries, and that a hub publishes.
    Findings,
}

impl Cost {
    /// How many there are.
    pub(crate) const COUNT: usize = 10;
    /// All of them, in their order.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Wire,
        Self::Inflated,
        Self::Ingest,
        Self::Messages,
        Self::Refusals,
        Self::Stored,
        Self::Logs,
        Self::Waiting,
        Self::Answers,
        Self::Findings,
    ];
    /// What is charged to the peer that sends, and slows it.
    pub(crate) const OF_PEERS: [Self; 5] = [
        Self::Wire,
        Self::Inflated,
        Self::Ingest,
        Self::Messages,
        Self::Refusals,
    ];
    /// What is charged to the author, whoever brings it.
    pub(crate) const OF_AUTHORS: [Self; 4] =
        [Self::Refusals, Self::Stored, Self::Logs, Self::Waiting];
    /// Bytes of the disk that an entry takes whatever it says: its rows, its hash, its part in the
    /// record and in the indexes.
    pub(crate) const STORED_BYTES_PER_ENTRY: f64 = 1_024.0;
    /// Bytes of the disk that a byte of an entry takes: what it says stands in the entry, in the
    /// record that is made of it, and in pages that are not full. A change of some 300 bytes takes
    /// 1,550 at a hub, one of 15,000 letters 34,000 (`docs/performance.md`).
    pub(crate) const STORED_PER_ENTRY_BYTE: f64 = 2.25;
    /// Bytes of memory and rows that an entry of a block takes beside its own while it is taken in.
    pub(crate) const INFLATED_BYTES_PER_ENTRY: usize = 64;

    /// Its name, as the configuration and the metrics have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Wire => "wire_bytes",
            Self::Inflated => "inflated_bytes",
            Self::Ingest => "ingest_us",
            Self::Messages => "messages",
            Self::Refusals => "refusals",
            Self::Stored => "stored_bytes",
            Self::Logs => "logs",
            Self::Waiting => "waiting",
            Self::Answers => "answers_us",
            Self::Findings => "findings",
        }
    }

    /// The cost of that name.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cost| cost.name() == name)
    }

    /// Whether it stays here: an empty budget then pauses at once, for slowness would not help.
    pub(crate) fn lasts(self) -> bool {
        matches!(self, Self::Stored | Self::Logs | Self::Waiting)
    }
}

/// How much of something a member may cost.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Limit {
    /// At once, by a member that cost nothing for long.
    pub burst: f64,
    /// For as long as it likes, a second.
    pub per_s: f64,
}

/// The limits of a crossing; other roles have a multiple or a part of them.
#[derive(Clone, PartialEq, Debug)]
pub struct BudgetLimits([Limit; Cost::COUNT]);

impl Default for BudgetLimits {
    /// A hundred thousand records in one go, and the busiest crossing's weeks after an outage, fit
    /// into each burst (`docs/performance.md` has what they cost).
    fn default() -> Self {
        Self(Cost::ALL.map(|cost| {
            let (burst, per_s) = match cost {
                Cost::Wire => (1_024.0 * MIB, 8.0 * MIB),
                Cost::Inflated => (128.0 * MIB, MIB / 16.0),
                // Ten minutes of one processor, and half of one from there on.
                Cost::Ingest => (600e6, 0.5e6),
                Cost::Messages => (20_000.0, 1_000.0),
                Cost::Refusals => (5_000.0, 2.0),
                Cost::Stored => (4_096.0 * MIB, 512.0 * MIB / DAY_S),
                Cost::Logs => (512.0, 12.0 / HOUR_S),
                Cost::Waiting => (200_000.0, 1.0),
                // A quarter of one processor, with nothing saved up.
                Cost::Answers => (10_000.0, 0.25e6),
                // Each goes to every crossing, as an entry of the hub's.
                Cost::Findings => (5_000.0, 1_000.0 / HOUR_S),
            };
            Limit { burst, per_s }
        }))
    }
}

impl BudgetLimits {
    /// The same with another limit of one cost.
    pub fn with(mut self, cost: Cost, limit: Limit) -> Self {
        self.0[cost as usize] = limit;
        self
    }

    /// What a crossing may cost.
    pub fn of_crossing(&self, cost: Cost) -> Limit {
        self.0[cost as usize]
    }

    /// What a member of a role may cost. Answers are the same for everybody: who asks waits.
    pub(crate) fn of(&self, cost: Cost, role: Role) -> Limit {
        let times = match (cost, role) {
            (Cost::Answers, _) | (_, Role::Crossing) => 1.0,
            (_, Role::Hub) => HUB_TIMES,
            (_, Role::Observer) => OBSERVER_TIMES,
        };
        let Limit { burst, per_s } = self.0[cost as usize];

        Limit {
            burst: burst * times,
            per_s: per_s * times,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cost_stands_in_its_place_and_has_a_name_of_its_own() {
        for (n, cost) in Cost::ALL.into_iter().enumerate() {
            assert_eq!(cost as usize, n);
            assert_eq!(Cost::of_name(cost.name()), Some(cost));
        }
        assert_eq!(Cost::of_name("luck"), None);
    }

    #[test]
    fn a_hub_may_cost_more_and_an_observer_less_and_answers_are_alike() {
        let limits = BudgetLimits::default();
        let burst = |cost, role| limits.of(cost, role).burst;
        assert!(burst(Cost::Stored, Role::Hub) > burst(Cost::Stored, Role::Crossing));
        assert!(burst(Cost::Stored, Role::Observer) < burst(Cost::Stored, Role::Crossing));
        assert_eq!(
            burst(Cost::Answers, Role::Hub),
            burst(Cost::Answers, Role::Observer)
        );
    }
}
