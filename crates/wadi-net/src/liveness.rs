//! When a link is taken for dead, and how it is looked for again.
//!
//! A connection that is kept through an outage takes long to notice that the link is back: QUIC
//! doubles the pause between its probes. A new dial finds it within seconds, however long the
//! outage was.

use std::time::{Duration, Instant};

/// How long an attempt waits for the peer's first word. Within it QUIC sends its first packet
/// twice, after 0 and 2.1 s; a third would follow 4.2 s later, and each one more after twice as
/// long: a new attempt finds a link that is back sooner.
pub(crate) const ANSWER_MAX: Duration = Duration::from_secs(4);
/// How long a handshake may take that the peer has answered: on short wave with losses it takes
/// several probes.
pub(crate) const HANDSHAKE_MAX: Duration = Duration::from_secs(20);

/// How long nothing may come from a peer that owes an answer, at least …
const SILENCE_MAX: Duration = Duration::from_secs(8);
/// … and in round trips.
const SILENCE_ROUND_TRIPS: u32 = 6;
/// Packets that went out since the last one came, before an answer is owed: what only acknowledges
/// is not answered.
const UNANSWERED_PACKETS: u64 = 3;
/// How often it is looked.
pub(crate) const LOOK_PERIOD: Duration = Duration::from_millis(500);

/// The pause before the next attempt: the configured one and a quarter more or less, so that nodes
/// that were cut off together do not dial together. `random` is drawn evenly out of 0 to 1.
pub(crate) fn next_pause(redial: Duration, random: f64) -> Duration {
    redial.mul_f64(0.75 + 0.5 * random)
}

/// Watches whether a peer answers.
#[derive(Debug, Default)]
pub(crate) struct SilenceWatch {
    /// When the last packet came, as far as it was looked; none before the first look.
    heard: Option<Instant>,
    received: u64,
    sent_by_then: u64,
}

impl SilenceWatch {
    /// Looks at how many packets have come and gone. Whether the connection is half dead: something
    /// was sent, several times over, and nothing has come for long.
    pub(crate) fn is_half_dead(
        &mut self,
        now: Instant,
        received: u64,
        sent: u64,
        rtt: Duration,
    ) -> bool {
        let heard = *self.heard.get_or_insert(now);
        if received != self.received {
            self.heard = Some(now);
            self.received = received;
            self.sent_by_then = sent;
            return false;
        }

        let silence_max = SILENCE_MAX.max(rtt * SILENCE_ROUND_TRIPS);
        let is_owed = sent >= self.sent_by_then + UNANSWERED_PACKETS;
        is_owed && now.saturating_duration_since(heard) >= silence_max
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTT: Duration = Duration::from_millis(600);

    #[test]
    fn a_peer_that_owes_nothing_may_be_silent() {
        let mut watch = SilenceWatch::default();
        let start = Instant::now();
        let at = |s| start + Duration::from_secs(s);
        assert!(!watch.is_half_dead(at(0), 5, 5, RTT));

        // An acknowledgement that nobody answers.
        assert!(!watch.is_half_dead(at(60), 5, 6, RTT));

        // Probes that nobody answers.
        assert!(!watch.is_half_dead(at(61), 6, 7, RTT), "it has spoken");
        assert!(!watch.is_half_dead(at(68), 6, 10, RTT), "not long enough");
        assert!(watch.is_half_dead(at(69), 6, 10, RTT));
        assert!(!watch.is_half_dead(at(70), 7, 10, RTT), "it is back");
    }

    #[test]
    fn a_slow_path_has_more_time() {
        let mut watch = SilenceWatch::default();
        let start = Instant::now();
        let rtt = Duration::from_secs(3);
        assert!(!watch.is_half_dead(start, 1, 1, rtt));
        assert!(!watch.is_half_dead(start + Duration::from_secs(17), 1, 9, rtt));
        assert!(watch.is_half_dead(start + Duration::from_secs(18), 1, 9, rtt));
    }

    #[test]
    fn a_pause_is_about_what_was_configured_however_long_the_outage() {
        let redial = Duration::from_secs(2);
        assert_eq!(next_pause(redial, 0.0), Duration::from_millis(1_500));
        assert_eq!(next_pause(redial, 1.0), Duration::from_millis(2_500));
    }
}
