//! What a node knows of the time: its clock, the hub's word, and what others show. Everything that
//! a wrong clock could do harm with asks here.

use crate::{
    door::clock::Clock,
    ledger::hub_time::{How, HubTime, Now, Others, OwnTime, TimeClaim, TimeVerdict},
};
use jiff::Timestamp;
use std::{
    collections::BTreeSet,
    fmt,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use wadi_log::{LogId, NodeId};

mod issuing;

/// Clocks that differ by no more agree, seconds.
const AGREE_S: i64 = 600;
/// Seconds by the hub's time after which a site asks for it again, and names the newer one.
const REFRESH_S: i64 = 30;
/// The least pause between two of those.
const REFRESH_PAUSE: Duration = Duration::from_secs(4);
/// A hub that was heard before this start, longer ago than this, may well have been silent for so
/// long.
const LONG_S: i64 = 400 * 86_400;
const DAY_S: i64 = 86_400;

/// What a node knows of the time.
pub struct KnownTime {
    clock: Arc<dyn Clock>,
    is_hub: bool,
    state: Mutex<TimeState>,
}

#[derive(Default)]
struct TimeState {
    others: Others,
    hub: HubTime,
    own: OwnTime,
    /// The control log that is written to, the hub time that its head names, and when that was
    /// signed.
    named: Option<(LogId, i64, Instant)>,
    /// Control logs whose heads were signed anew, and that no hub is known to have been shown
    /// since.
    unshown: BTreeSet<LogId>,
    /// When the hub was last shown a head for its answer's sake.
    shown: Option<(i64, Instant)>,
    started_s: i64,
}

impl fmt::Debug for KnownTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KnownTime")
            .field("now", &self.now())
            .finish_non_exhaustive()
    }
}

impl KnownTime {
    /// What is known at a start.
    pub(crate) fn new(clock: Arc<dyn Clock>, is_hub: bool) -> Self {
        let this = Self {
            clock,
            is_hub,
            state: Mutex::default(),
        };

        this.lock().started_s = this.now().steady_s;
        this
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, TimeState> {
        self.state.lock().expect("no panic holds it")
    }

    fn now(&self) -> Now {
        Now {
            machine_s: self.clock.now_ms().div_euclid(1_000),
            steady_s: self.clock.steady_ms().div_euclid(1_000),
            floor_s: self.clock.floor_s(),
            agree_s: (AGREE_S as f64 * self.clock.pace()) as i64,
        }
    }

    /// What was believed of the hub's time at the last stop, as [`Self::remember`] wrote it down.
    pub(crate) fn recall(&self, hub: Option<&str>) {
        let mut words = hub.unwrap_or_default().split(' ');
        let mut number = || words.next().and_then(|w| w.parse::<i64>().ok());
        let time_s = number().filter(|t| *t > 0);
        let machine_s = number().unwrap_or(0);
        let witness = words.next().and_then(|w| w.parse().ok());
        let claim = time_s.map(|time_s| TimeClaim {
            witness,
            time_s,
            machine_s,
            steady_s: None,
        });

        self.lock().hub = HubTime::remembered(claim);
    }

    /// What is believed of the hub's time, to be written down: the time, this machine's then, and
    /// who said it.
    pub(crate) fn remember(&self) -> Option<String> {
        let claim = self.lock().hub.believed()?;
        let witness = claim.witness.map(|w| w.to_string()).unwrap_or_default();
        Some(
            format!("{} {} {witness}", claim.time_s, claim.machine_s)
                .trim_end()
                .into(),
        )
    }

    /// The times that a hub signed before this start, and the latest that each other node did.
    pub(crate) fn signed_before(&self, own: &[i64], others: &[i64]) {
        let now = self.now();
        let past = OwnTime::past(own, others, now);
        if let Some(dropped) = own.iter().max().filter(|t| past.is_none_or(|p| p < **t)) {
            tracing::error!(signed = %date(*dropped), "this hub signed a time that nobody bears out; it is not gone by");
        }

        let mut state = self.lock();
        let before = state.own.signed_s();
        state.own = OwnTime::after(past.max(before));
    }

    /// The time by all that is known, Unix seconds: a hub's own, and a site's clock where that can
    /// be right.
    pub fn now_s(&self) -> i64 {
        let now = self.now();
        let mut state = self.lock();
        if self.is_hub {
            let others = state.others.clone();
            return state.own.read(&others, now);
        }

        if now.machine_can_be() {
            now.machine_s
        } else {
            state.hub.estimate(now).unwrap_or(now.floor_s)
        }
    }

    /// The time to cosign with, Unix seconds. A hub's never runs back.
    pub(crate) fn signing_s(&self) -> u64 {
        if !self.is_hub {
            return self.now_s().max(0) as u64;
        }

        let now = self.now();
        let mut state = self.lock();
        let others = state.others.clone();

        state.own.sign(&others, now).max(0) as u64
    }

    /// The same in milliseconds.
    pub(crate) fn now_ms(&self) -> i64 {
        let machine_ms = self.clock.now_ms();
        let now_s = self.now_s();
        if machine_ms.div_euclid(1_000) == now_s {
            machine_ms
        } else {
            now_s.saturating_mul(1_000)
        }
    }

    /// The time by which ends what people hold, as tokens and sessions, and from which it is issued,
    /// Unix milliseconds: a hub's own; at a site its clock, as long as that agrees with the hub's
    /// word, else that word and the time since. What was heard before this start bounds it from
    /// below alone: nobody knows how long ago that was.
    pub fn best_ms(&self) -> i64 {
        let machine_ms = self.clock.now_ms();
        let best_s = self.best_s();
        if machine_ms.div_euclid(1_000) == best_s {
            machine_ms
        } else {
            best_s.saturating_mul(1_000)
        }
    }

    fn best_s(&self) -> i64 {
        if self.is_hub {
            return self.now_s();
        }

        let now = self.now();
        let state = self.lock();
        let since_s = now.steady_s.saturating_sub(state.started_s).max(0);
        let is_fresh = state.hub.believed().is_some_and(|c| c.steady_s.is_some());
        let known_s = match state.hub.estimate(now) {
            Some(hub_s) if is_fresh => hub_s.max(now.floor_s),
            heard => heard
                .map_or(now.floor_s, |hub_s| hub_s.max(now.floor_s))
                .saturating_add(since_s),
        };

        let ahead_s = now.machine_s.saturating_sub(known_s);
        let is_ahead = is_fresh && ahead_s > now.agree_s;
        let is_behind = ahead_s < now.agree_s.saturating_neg();
        match is_ahead || is_behind {
            true => known_s,
            false => now.machine_s,
        }
    }

    /// Whether a hub was heard since this start, or this is one.
    fn knows_hub_time(&self) -> bool {
        let heard = self.lock().hub.believed();
        self.is_hub || heard.is_some_and(|claim| claim.steady_s.is_some())
    }

    /// The newest time heard of a hub, Unix seconds; 0 for none.
    pub fn heard_s(&self) -> i64 {
        self.lock().hub.believed().map_or(0, |c| c.time_s)
    }

    /// The hub's time, Unix seconds: a hub's own, or the newest that was heard of one; 0 for none.
    pub fn hub_time_s(&self) -> i64 {
        if self.is_hub {
            self.now_s()
        } else {
            self.heard_s()
        }
    }

    /// The time by which papers are judged, Unix seconds. They have not expired while anything that
    /// may be right says so: what a hub says never makes them expire where this machine's clock
    /// does not.
    pub fn expiry_s(&self) -> i64 {
        let now = self.now();
        let mut state = self.lock();
        let known = if self.is_hub {
            let others = state.others.clone();
            Some(state.own.read(&others, now))
        } else {
            let heard = state.hub.believed();
            let doubt = if heard.is_some_and(|c| c.steady_s.is_some()) {
                now.agree_s
            } else {
                LONG_S
            };

            // Where the machine's clock can follow on what was heard, it is the better one.
            state
                .hub
                .estimate(now)
                .filter(|e| now.machine_s > e.saturating_add(doubt))
        };

        known
            .map_or(now.machine_s, |known| known.min(now.machine_s))
            .max(now.floor_s)
    }

    /// A hub said its time.
    pub(crate) fn hear(&self, witness: NodeId, time_s: i64, how: How) -> TimeVerdict {
        let now = self.now();
        let mut state = self.lock();
        let others = state.others.clone();
        let verdict = state.hub.hear(witness, time_s, how, &others, now);

        match verdict {
            TimeVerdict::Corrected { was_s } => {
                tracing::warn!(was = %date(was_s), now = %date(time_s), "a wrong hub time was taken before; it is forgotten");
                // Whatever the head names now is not so: it is signed anew at once.
                if let Some((_, named_s, _)) = &mut state.named {
                    *named_s = 0;
                }
            }
            TimeVerdict::TooEarly | TimeVerdict::TooLate | TimeVerdict::WentBack => {
                tracing::warn!(hub = %witness, says = %date(time_s), why = refusal(verdict), "a hub's time is not believed");
            }
            TimeVerdict::Believed | TimeVerdict::Known => {}
        }

        verdict
    }

    /// A node signed just now, by its own clock.
    pub(crate) fn shows(&self, node: NodeId, time_s: i64) {
        let now = self.now();
        self.lock().others.shows(node, time_s, now);
    }

    /// Whose word is gone by.
    pub(crate) fn heard_of(&self) -> Option<NodeId> {
        self.lock().hub.believed().and_then(|c| c.witness)
    }

    /// What a hub said that was cut since is not gone by.
    pub(crate) fn forget(&self, witness: &NodeId) {
        self.lock().hub.forget(witness);
    }

    /// The hub time that a head names, where it can be so; 0 where it lies after the head was taken
    /// in, or after anything known: nobody has heard of a time to come, and such a head tells
    /// nothing of how much was said by when.
    pub(crate) fn named_s(&self, named_s: i64, taken_s: Option<i64>) -> i64 {
        let now = self.now();
        let most = match taken_s {
            Some(taken_s) => taken_s,
            None if self.is_hub => self.now_s(),
            None => self.lock().hub.reach(now),
        };

        if named_s > most.saturating_add(now.agree_s) {
            0
        } else {
            named_s.min(most)
        }
    }

    /// Whether the control log's head has to be signed anew, with a newer hub time.
    pub(crate) fn refresh_due(&self) -> bool {
        let now = self.now();
        let state = self.lock();
        let Some(heard) = state.hub.believed() else {
            return false;
        };
        let rests = |at: &Instant| at.elapsed() >= REFRESH_PAUSE;

        // A process that starts again and again begins no log each time.
        state.named.as_ref().map_or(
            now.steady_s - state.started_s >= REFRESH_S,
            |(_, named_s, at)| {
                heard.time_s.saturating_sub(*named_s) >= REFRESH_S && (*named_s == 0 || rests(at))
            },
        )
    }

    /// Whether a newer hub time was heard than the one that the head names.
    pub(crate) fn names_old(&self) -> bool {
        let state = self.lock();
        let heard_s = state.hub.believed().map_or(0, |c| c.time_s);
        heard_s > state.named.map_or(0, |(_, named_s, _)| named_s)
    }

    /// The head of this node's control log names that hub time now.
    pub(crate) fn signed_head(&self, log: LogId, named_s: i64) {
        self.lock().named = Some((log, named_s, Instant::now()));
    }

    /// The control log that is written to.
    pub(crate) fn head(&self) -> Option<LogId> {
        self.lock().named.map(|(log, ..)| log)
    }

    /// A head was signed anew, and is to be shown to a hub.
    pub(crate) fn to_show(&self, log: LogId) {
        self.lock().unshown.insert(log);
    }

    /// A hub has seen a log's head.
    pub(crate) fn is_shown(&self, log: &LogId) {
        self.lock().unshown.remove(log);
    }

    /// Heads that no hub is known to have been shown.
    pub(crate) fn unshown(&self) -> BTreeSet<LogId> {
        self.lock().unshown.clone()
    }

    /// Whether the hub's time was not heard for so long that it has to be asked for; to be said
    /// once, and then acted upon.
    pub(crate) fn ask_due(&self) -> bool {
        let now = self.now();
        let mut state = self.lock();
        let heard_s = state
            .hub
            .believed()
            .and_then(|c| c.steady_s)
            .unwrap_or(state.started_s);

        let due = now.steady_s - heard_s >= REFRESH_S
            && state.shown.is_none_or(|(s, at)| {
                now.steady_s - s >= REFRESH_S && at.elapsed() >= REFRESH_PAUSE
            });
        if due {
            state.shown = Some((now.steady_s, Instant::now()));
        }

        due
    }

    /// What is told to whoever writes while this machine's clock lies outside what the hub says by
    /// more than the doubt, seconds: the hub finds the entry's time wrong.
    pub(crate) fn clock_warning(&self, doubt_s: i64) -> Option<String> {
        if self.is_hub {
            return None;
        }

        let now = self.now();
        let state = self.lock();
        let heard = state.hub.believed()?;
        let hub_s = state.hub.estimate(now)?;

        // What was heard before this start says nothing of how late it may be by now.
        let ahead_s = now.machine_s.saturating_sub(hub_s);
        let is_ahead = heard.steady_s.is_some() && ahead_s > doubt_s;
        let is_behind = ahead_s < doubt_s.saturating_neg();
        let side = match (is_ahead, is_behind) {
            (true, _) => "ahead of the hub's",
            (_, true) => "behind the hub's",
            _ => return None,
        };
        let apart = span(ahead_s.saturating_abs());
        Some(format!(
            "this node's clock is {apart} {side}: the entry is kept, and the hub reports its time \
             (R20)"
        ))
    }

    /// By how much this machine's clock is ahead of the hub's time, or behind where it is less than
    /// nought, seconds; at a hub, of the time that it goes by. None where no hub was heard since
    /// this start.
    pub(crate) fn ahead_s(&self) -> Option<i64> {
        let now = self.now();
        if self.is_hub {
            return Some(now.machine_s.saturating_sub(self.now_s()));
        }

        let state = self.lock();
        state
            .hub
            .believed()
            .filter(|heard| heard.steady_s.is_some())?;
        Some(now.machine_s.saturating_sub(state.hub.estimate(now)?))
    }

    /// What is wrong with this machine's clock, or a hub's, and what to do about it.
    pub fn alarm(&self) -> Option<String> {
        let now = self.now();
        let shows = date(now.machine_s);
        let set = "set this machine's clock; nothing is lost meanwhile";
        if !now.machine_can_be() {
            let floor = date(now.floor_s);
            let by = date(self.now_s());
            return Some(format!(
                "clock: this machine's clock shows {shows}, and its software and papers are of {floor}: it cannot be right; \
                 the node goes by {by}; {set}"
            ));
        }

        if self.is_hub {
            self.hub_alarm(now, &shows, set)
        } else {
            self.site_alarm(now, &shows, set)
        }
    }

    fn hub_alarm(&self, now: Now, shows: &str, set: &str) -> Option<String> {
        let goes_by = self.now_s();
        let signed = self.lock().own.signed_s().unwrap_or(goes_by);
        if (now.machine_s - goes_by).abs() > now.agree_s {
            let by = date(goes_by);
            return Some(format!(
                "clock: this hub's clock shows {shows}; by what it signed, by the time since and by other nodes' clocks it is \
                 {by}, and the hub goes by that; {set}"
            ));
        }

        (signed > goes_by + now.agree_s).then(|| {
            let signed = date(signed);
            format!("clock: this hub signed a time of {signed} before, and its clock shows {shows}; it signs that until then")
        })
    }

    fn site_alarm(&self, now: Now, shows: &str, set: &str) -> Option<String> {
        let state = self.lock();
        if let Some((claim, verdict)) = state.hub.refused() {
            let says = date(claim.time_s);
            return Some(format!(
                "clock: a hub says that it is {says}, this machine's clock shows {shows}: {}; it is not gone by",
                refusal(verdict)
            ));
        }

        let heard = state.hub.believed()?;
        let hub_s = state.hub.estimate(now)?;
        let doubt = if heard.steady_s.is_some() {
            now.agree_s
        } else {
            LONG_S
        };

        let ahead = now.machine_s - hub_s;
        let apart = span(ahead.abs());
        let told = if ahead > doubt {
            format!("{apart} ahead of the hub's last time")
        } else if -ahead > now.agree_s {
            format!("{apart} behind the hub's last time")
        } else {
            return None;
        };

        let hub = date(hub_s);
        Some(format!(
            "clock: this machine's clock shows {shows}, {told}, {hub}; {set}"
        ))
    }
}

/// Why a hub's time is not believed.
fn refusal(verdict: TimeVerdict) -> &'static str {
    match verdict {
        TimeVerdict::TooEarly => "that lies before its papers were issued",
        TimeVerdict::TooLate => "nothing else bears that out",
        _ => "it said a later time before",
    }
}

/// A time as people read it.
pub(crate) fn date(time_s: i64) -> String {
    let readable =
        Timestamp::from_second(time_s).map(|t| t.strftime("%Y-%m-%d %H:%M:%SZ").to_string());
    readable.unwrap_or_else(|_| format!("second {time_s}"))
}

/// A length of time as people say it.
fn span(seconds: i64) -> String {
    match seconds {
        s if s >= 2 * 365 * DAY_S => format!("{} years", s / (365 * DAY_S)),
        s if s >= 2 * DAY_S => format!("{} days", s / DAY_S),
        s if s >= 7_200 => format!("{} hours", s / 3_600),
        s => format!("{} minutes", s / 60),
    }
}

#[cfg(test)]
#[path = "known_time_tests.rs"]
mod tests;
