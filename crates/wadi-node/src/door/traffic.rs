//! What went over each link, by day, by way and by what it was for: many links are paid by the
//! byte. A node counts this for itself, and tells nobody but its own people.

use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
};
use wadi_log::Lane;
use wadi_sync::Message;

/// Days that are remembered of one link.
const DAYS_MAX: usize = 31;
/// Months that are remembered of one link.
const MONTHS_MAX: usize = 13;
const DAY_S: i64 = 86_400;
/// Of a month's budget, when somebody is told that it ends: nine parts of ten.
const BUDGET_TOLD: (u64, u64) = (9, 10);

/// What bytes are for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrafficPurpose {
    /// Setting the connection up: certificates and keys.
    Handshake,
    /// Who each is and how far each holds what: greetings, members, frontiers, digests.
    Frontier,
    /// Blocks of control entries.
    BlocksControl,
    /// Blocks of holds.
    BlocksHold,
    /// Blocks of customs entries.
    BlocksCustoms,
    /// Blocks of passages.
    BlocksPassage,
    /// Blocks of a site's own matters.
    BlocksSite,
    /// That something is kept, or is not taken, without a hub's word.
    Acknowledgements,
    /// A hub's or a neighbour's word that a head is kept.
    Cosignatures,
    /// Records that were handed over to another crossing.
    Excerpts,
    /// What a neighbour carries for a hub.
    Carried,
    /// Looking for what was lost or replaced, and mending it; proofs of forks.
    Mending,
    /// Whatever is left of the bytes on the wire: headers of packets, QUIC's own acknowledgements
    /// and keep-alives, and what was sent again.
    Packets,
}

impl TrafficPurpose {
    /// All of them, in their order.
    pub const ALL: [Self; 13] = [
        Self::Handshake,
        Self::Frontier,
        Self::BlocksControl,
        Self::BlocksHold,
        Self::BlocksCustoms,
        Self::BlocksPassage,
        Self::BlocksSite,
        Self::Acknowledgements,
        Self::Cosignatures,
        Self::Excerpts,
        Self::Carried,
        Self::Mending,
        Self::Packets,
    ];

    /// The name, as status and metrics have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Handshake => "handshake",
            Self::Frontier => "frontier",
            Self::BlocksControl => "blocks_control",
            Self::BlocksHold => "blocks_hold",
            Self::BlocksCustoms => "blocks_customs",
            Self::BlocksPassage => "blocks_passage",
            Self::BlocksSite => "blocks_site",
            Self::Acknowledgements => "acknowledgements",
            Self::Cosignatures => "cosignatures",
            Self::Excerpts => "excerpts",
            Self::Carried => "carried",
            Self::Mending => "mending",
            Self::Packets => "packets",
        }
    }

    /// What a frame on a lane's stream is for.
    pub const fn of_lane(lane: Lane) -> Self {
        match lane {
            Lane::Control => Self::BlocksControl,
            Lane::Hold => Self::BlocksHold,
            Lane::Customs => Self::BlocksCustoms,
            Lane::Passage => Self::BlocksPassage,
            Lane::Site => Self::BlocksSite,
        }
    }

    /// What a message is for. An acknowledgement that brings a cosignature is counted as one.
    pub const fn of_message(message: &Message) -> Self {
        match message {
            Message::Hello { .. }
            | Message::Members(_)
            | Message::Frontier { .. }
            | Message::Unfold(_)
            | Message::Recompare
            | Message::AskDigests
            | Message::Digests(_) => Self::Frontier,
            Message::Ack {
                cosignature: Some(_),
                ..
            }
            | Message::Cosigned { .. } => Self::Cosignatures,
            Message::Ack { .. } => Self::Acknowledgements,
            Message::Excerpt { .. } | Message::ExcerptAck(_) => Self::Excerpts,
            Message::CarryOffer(_)
            | Message::CarryWant(_)
            | Message::Carry { .. }
            | Message::CarryAck { .. } => Self::Carried,
            Message::Probe { .. }
            | Message::Roots { .. }
            | Message::WantBranch { .. }
            | Message::BranchAt { .. }
            | Message::ForkProofs(_)
            | Message::Fetch { .. }
            | Message::Fetched(_)
            | Message::Tree { .. }
            | Message::TreeIs { .. }
            | Message::Sketch { .. }
            | Message::SketchIs { .. }
            | Message::Pick { .. }
            | Message::Picked(_) => Self::Mending,
        }
    }
}

/// Bytes each way.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct WayBytes {
    /// Bytes sent.
    pub sent: u64,
    /// Bytes received.
    pub received: u64,
}

impl WayBytes {
    pub(super) fn add(&mut self, more: Self) {
        self.sent = self.sent.saturating_add(more.sent);
        self.received = self.received.saturating_add(more.received);
    }

    fn less(self, other: Self) -> Self {
        Self {
            sent: self.sent.saturating_sub(other.sent),
            received: self.received.saturating_sub(other.received),
        }
    }

    /// Both ways together.
    pub fn both(self) -> u64 {
        self.sent.saturating_add(self.received)
    }
}

/// Bytes by what they were for; what is not named is nothing.
pub type PurposeBytes = BTreeMap<TrafficPurpose, WayBytes>;

/// Counts one connection, from the tasks that read and write it.
#[derive(Debug, Default)]
pub struct LinkCounter {
    sent: [AtomicU64; TrafficPurpose::ALL.len()],
    received: [AtomicU64; TrafficPurpose::ALL.len()],
    /// What was taken so far.
    taken: Mutex<PurposeBytes>,
}

impl LinkCounter {
    /// So many bytes went out.
    pub fn count_sent(&self, purpose: TrafficPurpose, bytes: usize) {
        self.sent[purpose as usize].fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// So many bytes came in.
    pub fn count_received(&self, purpose: TrafficPurpose, bytes: usize) {
        self.received[purpose as usize].fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// What went over since this was asked last: `wire` is all that the connection put on the wire
    /// and took from it since it began. What nothing was counted for are packets.
    pub fn take(&self, wire: WayBytes) -> PurposeBytes {
        let mut all: PurposeBytes = TrafficPurpose::ALL
            .into_iter()
            .map(|purpose| (purpose, self.counted(purpose)))
            .collect();
        // What was handed to the connection and did not leave yet is no packet when it does.
        let packets = wire.less(sum_of(&all));
        all.insert(TrafficPurpose::Packets, packets);

        let mut taken = self.taken.lock().expect("no panic holds it");
        let mut out = PurposeBytes::new();
        for (purpose, bytes) in all {
            let before = taken.entry(purpose).or_default();
            let more = bytes.less(*before);
            before.add(more);
            if more.both() > 0 {
                out.insert(purpose, more);
            }
        }

        out
    }

    fn counted(&self, purpose: TrafficPurpose) -> WayBytes {
        WayBytes {
            sent: self.sent[purpose as usize].load(Ordering::Relaxed),
            received: self.received[purpose as usize].load(Ordering::Relaxed),
        }
    }
}

/// What went over one link.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LinkTraffic {
    /// By day of this node's clock, days since 1970 in UTC.
    days: BTreeMap<i64, PurposeBytes>,
    /// By month of this node's clock: the year times twelve, and the month from 0, in UTC.
    months: BTreeMap<i64, WayBytes>,
}

impl LinkTraffic {
    pub(super) fn add(&mut self, now_ms: i64, more: &PurposeBytes) {
        let day = self.days.entry(day_of(now_ms)).or_default();
        let month = self.months.entry(month_of(now_ms)).or_default();
        for (purpose, bytes) in more {
            day.entry(*purpose).or_default().add(*bytes);
            month.add(*bytes);
        }

        // A clock that was wrong left a day that never was: it goes when its turn comes.
        while self.days.len() > DAYS_MAX {
            self.days.pop_first();
        }
        while self.months.len() > MONTHS_MAX {
            self.months.pop_first();
        }
    }

    /// What went over on the day of a time, Unix milliseconds, in UTC.
    pub fn of_day(&self, at_ms: i64) -> PurposeBytes {
        self.days.get(&day_of(at_ms)).cloned().unwrap_or_default()
    }

    /// What went over in the month of a time, Unix milliseconds, in UTC.
    pub fn of_month(&self, at_ms: i64) -> WayBytes {
        self.months
            .get(&month_of(at_ms))
            .copied()
            .unwrap_or_default()
    }

    /// The days that are remembered, the oldest first: when each began, Unix milliseconds.
    pub fn days(&self) -> impl Iterator<Item = (i64, &PurposeBytes)> {
        let began_ms = |day: i64| day.saturating_mul(DAY_S * 1_000);
        self.days.iter().map(move |(day, by)| (began_ms(*day), by))
    }

    /// Whether so much of a month's budget is used up that somebody is told.
    pub fn nears(&self, month_bytes_max: u64, now_ms: i64) -> bool {
        let (part, of) = BUDGET_TOLD;
        let used = u128::from(self.of_month(now_ms).both());
        used * u128::from(of) >= u128::from(month_bytes_max) * u128::from(part)
    }
}

/// All that went over, by whatever purpose.
pub fn sum_of(by: &PurposeBytes) -> WayBytes {
    by.values().fold(WayBytes::default(), |mut sum, bytes| {
        sum.add(*bytes);
        sum
    })
}

fn day_of(at_ms: i64) -> i64 {
    at_ms.div_euclid(DAY_S * 1_000)
}

fn month_of(at_ms: i64) -> i64 {
    let at = jiff::Timestamp::from_millisecond(at_ms).unwrap_or_default();
    let date = at.to_zoned(jiff::tz::TimeZone::UTC).date();
    i64::from(date.year()) * 12 + i64::from(date.month()) - 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use TrafficPurpose::{Acknowledgements, BlocksHold, Handshake, Packets};

    /// 2026-01-31, in the evening.
    const JANUARY_MS: i64 = 1_769_889_600_000;
    const HOUR_MS: i64 = 3_600_000;

    fn ways(sent: u64, received: u64) -> WayBytes {
        WayBytes { sent, received }
    }

    #[test]
    fn what_was_counted_for_nothing_are_packets_and_nothing_is_counted_twice() {
        let counter = LinkCounter::default();
        counter.count_sent(Handshake, 2_000);
        counter.count_sent(BlocksHold, 300);
        counter.count_received(Acknowledgements, 40);

        let first = counter.take(ways(2_500, 90));
        assert_eq!(first[&Handshake], ways(2_000, 0));
        assert_eq!(first[&BlocksHold], ways(300, 0));
        assert_eq!(first[&Acknowledgements], ways(0, 40));
        assert_eq!(first[&Packets], ways(200, 50));
        assert_eq!(sum_of(&first), ways(2_500, 90));

        // A quiet link costs its keep-alives, and then nothing.
        let second = counter.take(ways(2_600, 130));
        assert_eq!(second, PurposeBytes::from([(Packets, ways(100, 40))]));
        assert_eq!(counter.take(ways(2_600, 130)), PurposeBytes::new());
    }

    #[test]
    fn what_waits_in_a_buffer_is_no_packet_when_it_leaves() {
        let counter = LinkCounter::default();
        counter.count_sent(BlocksHold, 1_000);
        let first = counter.take(ways(400, 0));
        assert_eq!(first, PurposeBytes::from([(BlocksHold, ways(1_000, 0))]));

        let second = counter.take(ways(1_100, 0));
        assert_eq!(second, PurposeBytes::from([(Packets, ways(100, 0))]));
    }

    #[test]
    fn days_and_months_are_kept_apart_and_take_bounded_room() {
        let mut traffic = LinkTraffic::default();
        traffic.add(JANUARY_MS, &[(BlocksHold, ways(10, 1))].into());
        traffic.add(
            JANUARY_MS + 6 * HOUR_MS,
            &[(BlocksHold, ways(20, 2))].into(),
        );

        assert_eq!(traffic.of_month(JANUARY_MS), ways(10, 1));
        assert_eq!(traffic.of_month(JANUARY_MS + 6 * HOUR_MS), ways(20, 2));
        assert_eq!(traffic.of_day(JANUARY_MS)[&BlocksHold], ways(10, 1));
        assert_eq!(traffic.days().count(), 2);

        for day in 0..1_000 {
            let at_ms = JANUARY_MS + day * 24 * HOUR_MS;
            traffic.add(at_ms, &[(BlocksHold, ways(1, 0))].into());
        }
        assert_eq!(traffic.days().count(), DAYS_MAX);
        assert_eq!(traffic.months.len(), MONTHS_MAX);
    }

    #[test]
    fn nine_tenths_of_a_budget_are_told_and_the_next_month_begins_anew() {
        let mut traffic = LinkTraffic::default();
        traffic.add(JANUARY_MS, &[(BlocksHold, ways(800, 99))].into());
        assert!(!traffic.nears(1_000, JANUARY_MS));

        traffic.add(JANUARY_MS, &[(BlocksHold, ways(0, 1))].into());
        assert!(traffic.nears(1_000, JANUARY_MS));
        assert!(!traffic.nears(1_000, JANUARY_MS + 24 * HOUR_MS));
    }

    #[test]
    fn a_purpose_has_one_name_and_its_own_place() {
        for (n, purpose) in TrafficPurpose::ALL.into_iter().enumerate() {
            assert_eq!(purpose as usize, n);
            assert_eq!(serde_json::to_value(purpose).unwrap(), purpose.name());
        }
    }

    #[test]
    fn it_reads_back_as_it_was_kept() {
        let mut traffic = LinkTraffic::default();
        traffic.add(JANUARY_MS, &[(BlocksHold, ways(800, 99))].into());
        let kept = serde_json::to_string(&traffic).unwrap();
        assert_eq!(serde_json::from_str::<LinkTraffic>(&kept).unwrap(), traffic);
    }
}
