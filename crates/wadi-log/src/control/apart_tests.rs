//! What hubs sign without knowing of each other.

use super::*;

#[test]
fn a_policy_that_lost_to_another_of_its_revision_is_known() {
    let mut n = network();
    let hub = log(&n.hub, Lane::Control, "HUB");
    let said = |text: &str, revision| {
        entry(Body::Policy(PolicyEntry {
            revision,
            text: text.into(),
        }))
    };
    let (one, other, next) = (said("{}", 1), said(r#"{"a":1}"#, 1), said("{}", 2));
    for (seq, policy) in [&one, &other].into_iter().enumerate() {
        n.control.learn(at(hub, seq as u64, policy), policy);
        assert_eq!(n.control.policies_lost().count(), usize::from(seq == 1));
    }

    // Whoever sets it anew has seen both.
    n.control.learn(at(hub, 3, &next), &next);
    assert_eq!(n.control.policies_lost().count(), 0);
}

#[test]
fn of_two_words_that_hubs_signed_apart_the_one_that_takes_away_holds() {
    // By the hash alone a registration would win about every second time.
    for n in 0..8 {
        let mut c = network();
        let hub = log(&c.hub, Lane::Control, "HUB");
        let officer = |revoked| {
            entry(Body::Officer(OfficerEntry {
                officer: format!("OF-{n}"),
                department: "SEC".into(),
                crossing: None,
                supervisor: false,
                revision: 2,
                revoked,
                name: String::new(),
            }))
        };
        let (taken, given) = (officer(true), officer(false));
        c.control.learn(at(hub, 1, &taken), &taken);
        c.control.learn(at(hub, 2, &given), &given);

        let name = format!("OF-{n}");
        assert!(c.control.officer(&name, |_| u64::MAX).unwrap().revoked);
        assert!(c.control.officers().all(|o| o.revoked));
    }
}
