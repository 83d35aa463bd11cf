//! Callers whom this node turned away: one alarm for all of them, however many there are and how
//! often they call.

use crate::door::{Door, live::LivePart};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Mutex,
};

/// The alarm, by what it is about.
pub(crate) const CALLERS: &str = "callers";
/// For so long after the last call the alarm stands, milliseconds: whoever goes on calling does it
/// more often than that.
const STANDS_MS: i64 = 3_600_000;
/// Refusals that are counted apart, by subject and code; of more, those called last.
const REFUSALS_MAX: usize = 64;
/// Addresses of one refusal that are told apart; calls from further ones are counted all the same.
const ADDRESSES_MAX: usize = 64;

/// What was refused of whom, as the list of refusals names it: subject and code.
type RefusalKey = (String, String);

/// The callers who were turned away since the alarm about them began.
#[derive(Default)]
pub(crate) struct RefusedCallers(Mutex<BTreeMap<RefusalKey, CountedCallers>>);

struct CountedCallers {
    times: u64,
    addresses: BTreeSet<IpAddr>,
    /// When the last one called, by the clock that never goes back.
    last_ms: i64,
    last_address: IpAddr,
    why: String,
}

impl RefusedCallers {
    /// Counts a call. Whether the alarm begins with it.
    fn count(&self, key: RefusalKey, address: IpAddr, why: &str, steady_ms: i64) -> bool {
        let mut all = self.0.lock().expect("no panic holds it");
        all.retain(|_, counted| stands(counted, steady_ms));
        let begins = all.is_empty();

        if all.len() >= REFUSALS_MAX && !all.contains_key(&key) {
            let oldest = all.iter().min_by_key(|(_, counted)| counted.last_ms);
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                all.remove(&oldest);
            }
        }

        let counted = all.entry(key).or_insert_with(|| CountedCallers {
            times: 0,
            addresses: BTreeSet::new(),
            last_ms: steady_ms,
            last_address: address,
            why: String::new(),
        });
        counted.times = counted.times.saturating_add(1);
        counted.last_ms = steady_ms;
        counted.last_address = address;
        counted.why = why.into();
        if counted.addresses.len() < ADDRESSES_MAX {
            counted.addresses.insert(address);
        }

        begins
    }

    /// Somebody looked at a refusal and dismissed it. Whether the alarm said something of it.
    fn dismiss(&self, subject: &str, code: &str) -> bool {
        let key = (subject.to_string(), code.to_string());
        let mut all = self.0.lock().expect("no panic holds it");
        all.remove(&key).is_some()
    }

    /// What is to be told of callers who were turned away not long ago.
    pub(crate) fn alarm(&self, steady_ms: i64) -> Option<String> {
        let mut all = self.0.lock().expect("no panic holds it");
        all.retain(|_, counted| stands(counted, steady_ms));

        let last = all.values().max_by_key(|counted| counted.last_ms)?;
        let times = all
            .values()
            .fold(0_u64, |sum, counted| sum.saturating_add(counted.times));
        let addresses: BTreeSet<&IpAddr> = all.values().flat_map(|c| &c.addresses).collect();
        let addresses = addresses.len();
        let (address, why) = (last.last_address, &last.why);
        Some(format!(
            "callers were not let in (calls: {times}, addresses: {addresses}, the last one \
             {address}, for: {why}): find out who calls, and dismiss the refusal once you know"
        ))
    }
}

fn stands(counted: &CountedCallers, steady_ms: i64) -> bool {
    steady_ms.saturating_sub(counted.last_ms) < STANDS_MS
}

impl Door {
    /// Counts a caller who was turned away, for the alarm about them. Each call counts; what is
    /// kept of them is bounded.
    pub fn note_refused_caller(&self, subject: &str, code: &str, address: IpAddr, why: &str) {
        let key = (subject.to_string(), code.to_string());
        let steady_ms = self.clock.steady_ms();
        if self.refused_callers.count(key, address, why, steady_ms) {
            self.live.moved(LivePart::Links);
        }
    }

    /// Somebody dismissed a refusal: the alarm says nothing more of those callers, until one of
    /// them calls again.
    pub fn dismiss_refused_callers(&self, subject: &str, code: &str) {
        if self.refused_callers.dismiss(subject, code) {
            self.live.moved(LivePart::Links);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(n: u8) -> IpAddr {
        IpAddr::from([203, 0, 113, n])
    }

    fn key(subject: &str) -> RefusalKey {
        (subject.into(), "not_let_in".into())
    }

    #[test]
    fn callers_are_one_alarm_with_their_address_and_their_number() {
        let callers = RefusedCallers::default();
        assert_eq!(callers.alarm(0), None);
        assert!(callers.count(key("a caller"), address(7), "UnknownIssuer", 0));
        let once = callers.alarm(0).unwrap();
        assert!(once.contains("(calls: 1, addresses: 1, the last one 203.0.113.7, "));

        for n in 0..3 {
            assert!(!callers.count(key("a caller"), address(n), "UnknownIssuer", 10));
        }
        callers.count(key("trb"), address(9), "it was cut", 20);
        let told = callers.alarm(20).unwrap();
        assert!(told.contains("(calls: 5, addresses: 5, "), "{told}");
        assert!(told.contains("203.0.113.9, for: it was cut)"), "{told}");
    }

    #[test]
    fn the_alarm_ends_an_hour_after_the_last_call_and_where_somebody_dismisses_it() {
        let callers = RefusedCallers::default();
        callers.count(key("a caller"), address(1), "why", 0);
        callers.count(key("a caller"), address(1), "why", 1_000);
        assert!(callers.alarm(STANDS_MS + 999).is_some());
        assert_eq!(callers.alarm(STANDS_MS + 1_000), None);

        callers.count(key("a caller"), address(1), "why", STANDS_MS * 2);
        assert!(!callers.dismiss("somebody else", "not_let_in"));
        assert!(callers.alarm(STANDS_MS * 2).is_some());
        assert!(callers.dismiss("a caller", "not_let_in"));
        assert_eq!(callers.alarm(STANDS_MS * 2), None);

        // Who calls again is counted anew.
        assert!(callers.count(key("a caller"), address(1), "why", STANDS_MS * 2));
        assert!(
            callers
                .alarm(STANDS_MS * 2)
                .unwrap()
                .contains("(calls: 1, ")
        );
    }

    #[test]
    fn callers_without_number_take_bounded_room() {
        let callers = RefusedCallers::default();
        for n in 0..10_000_u32 {
            let from = IpAddr::from(n.to_be_bytes());
            callers.count(key(&format!("caller {n}")), from, "why", i64::from(n));
            callers.count(key("a caller"), from, "why", i64::from(n));
        }

        let all = callers.0.lock().unwrap();
        assert_eq!(all.len(), REFUSALS_MAX);
        let most = all.values().map(|c| c.addresses.len()).max();
        assert_eq!(most, Some(ADDRESSES_MAX));
    }
}
