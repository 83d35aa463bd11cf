//! Keys of officers' own.

use super::*;
use crate::{OfficerKeyEntry, SshKey};

#[test]
fn a_key_that_is_named_for_two_officers_signs_for_neither() {
    let mut n = network();
    let hub = log(&n.hub, Lane::Control, "HUB");
    let key = SshKey([7; 32]);
    let mut seq = 0;
    let mut say = |n: &mut Network, officer: &str, revision, taken_back| {
        let said = entry(Body::OfficerKey(OfficerKeyEntry {
            officer: officer.into(),
            key,
            revision,
            taken_back,
        }));
        seq += 1;
        n.control.learn(at(hub, seq, &said), &said);
    };
    let signs = |n: &Network, officer: &str, covered: u64| {
        !n.control.officer_keys(officer, |_| covered).is_empty()
    };

    say(&mut n, "OF-1", 1, false);
    assert!(signs(&n, "OF-1", u64::MAX));
    say(&mut n, "OF-2", 1, false);
    assert!(!signs(&n, "OF-1", u64::MAX) && !signs(&n, "OF-2", u64::MAX));
    assert!(signs(&n, "OF-1", 2), "whoever had not heard of the second");

    say(&mut n, "OF-2", 2, true);
    assert!(signs(&n, "OF-1", u64::MAX) && !signs(&n, "OF-2", u64::MAX));
}
