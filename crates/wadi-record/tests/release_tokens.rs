//! Stories of holds that only the hub lets go, and of a site that is dark with a token for one
//! release.

mod desk;

use desk::{Desk, build, desk};
use serde_json::json;
use std::collections::BTreeMap;
use wadi_log::*;
use wadi_record::*;

fn token(scope: &str) -> ReleaseToken {
    ReleaseToken {
        crossing: "QAM".parse().ok(),
        department: "SEC".into(),
        officer: String::new(),
        scope: scope.into(),
        expires_s: 1_000,
        reason: "the line is cut for a day".into(),
    }
}

/// The token as an officer of a department at the hub issues it.
fn issued(token: ReleaseToken, department: &str) -> HeldToken {
    HeldToken {
        issued: IssuedToken {
            token,
            officer: "of-1".into(),
            department: department.into(),
            by_token: String::new(),
        },
        is_over: false,
    }
}

fn spends(placed: &JudgedChange, token: Option<&str>) -> Draft {
    let mut members = json!({
        "holds": [placed.reference.event_id(0)],
        "second_officer": "of-port",
    });
    if let Some(token) = token {
        members["token"] = token.into();
    }
    QuarantineHold::on().event("released", members)
}

/// A hold of security that was searched: nothing was found.
fn searched(qam: &mut Desk) -> (JudgedChange, JudgedChange, RecordId) {
    let placed = QuarantineHold::place(HoldType::Security, "order 7");
    let placed = qam.say("of-sec", None, &[], placed);
    let id = RecordId::of_first(&placed.reference);
    let found = QuarantineHold::on().event("search.found", json!({"findings": "nothing"}));
    let found = qam.say("of-sec", Some(id), &[placed.reference], found);
    (placed, found, id)
}

/// What became of a release: the code under which it was refused, none where it let go.
fn end(record: &Record, release: &JudgedChange) -> Option<&'static str> {
    let said = record.events().find(|e| e.reference == release.reference);
    let code = said.unwrap().refusal.as_ref().map(|r| r.code);
    assert_eq!(state(record).is_open(), code.is_some());
    code
}

#[test]
fn a_token_that_covers_it_lets_a_hold_of_security_go_at_the_site_and_no_other_does() {
    let mut qam = desk(1, "QAM", Role::Crossing, Lane::Hold, "QAM");
    let (placed, found, id) = searched(&mut qam);
    let other_site = ReleaseToken {
        crossing: "TRB".parse().ok(),
        ..token("SECURITY")
    };
    let other_officer = ReleaseToken {
        officer: "of-sec-9".into(),
        ..token("SECURITY")
    };
    let other_department = ReleaseToken {
        department: "CUS".into(),
        ..token("SECURITY")
    };
    let ended = ReleaseToken {
        expires_s: 0,
        ..token("SECURITY")
    };
    let any_site = ReleaseToken {
        crossing: None,
        ..token("SECURITY")
    };

    for (held, code) in [
        (None, Some("token_unknown")),
        (Some(other_site), Some("token_foreign")),
        (Some(other_officer), Some("token_foreign")),
        (Some(other_department), Some("token_foreign")),
        (Some(ended), Some("token_expired")),
        (Some(token("CUSTOMS")), Some("no_authority")),
        (Some(token("SECURITY")), None),
        (Some(token(&id.to_string())), None),
        (Some(any_site), None),
    ] {
        let held = held.into_iter().map(|t| issued(t, "HUB"));
        qam.tokens = held.map(|t| ("T1".to_string(), t)).collect();
        let said = qam.say(
            "of-sec",
            Some(id),
            &[found.reference],
            spends(&placed, Some("T1")),
        );
        assert_eq!(end(&build(&[&placed, &found, &said]), &said), code);
    }

    let said = qam.say(
        "of-sec",
        Some(id),
        &[found.reference],
        spends(&placed, None),
    );
    let record = build(&[&placed, &found, &said]);
    assert_eq!(
        end(&record, &said),
        Some("no_authority"),
        "it names no token"
    );

    // A token lets nothing go that nobody looked into.
    let said = qam.say(
        "of-sec",
        Some(id),
        &[placed.reference],
        spends(&placed, Some("T1")),
    );
    assert_eq!(
        end(&build(&[&placed, &said]), &said),
        Some("no_attested_result")
    );
}

#[test]
fn a_clock_that_was_set_back_spends_no_token_whose_end_a_hub_had_told() {
    let mut qam = desk(1, "QAM", Role::Crossing, Lane::Hold, "QAM");
    let (placed, found, id) = searched(&mut qam);
    for (is_over, code) in [(true, Some("token_expired")), (false, None)] {
        // By the clock of the site it has not ended.
        let held = issued(token("SECURITY"), "HUB");
        qam.tokens = BTreeMap::from([("T1".to_string(), HeldToken { is_over, ..held })]);
        let spend = spends(&placed, Some("T1"));
        let said = qam.say("of-sec", Some(id), &[found.reference], spend);
        assert_eq!(end(&build(&[&placed, &found, &said]), &said), code);
    }
}

#[test]
fn it_is_spent_once_on_a_record() {
    let mut qam = desk(1, "QAM", Role::Crossing, Lane::Hold, "QAM");
    let (placed, found, id) = searched(&mut qam);
    qam.tokens
        .insert("T1".into(), issued(token("SECURITY"), "HUB"));
    let spend = || spends(&placed, Some("T1"));
    let first = qam.say("of-sec", Some(id), &[found.reference], spend());
    let again = qam.say("of-sec", Some(id), &[first.reference], spend());
    let record = build(&[&placed, &found, &first, &again]);
    let refused = record.events().find(|e| e.reference == again.reference);
    let refused = refused.unwrap().refusal.as_ref();
    assert_eq!(refused.map(|r| r.code), Some("token_spent"));
    assert!(!state(&record).is_open(), "the first release stands");
}

#[test]
fn what_security_issues_lets_securitys_own_holds_go_and_no_others() {
    let may = |by, hold, by_commission| Policy::default().may_issue(by, hold, by_commission);
    let (security, customs) = (Some(HoldType::Security), Some(HoldType::Customs));
    assert!(may(Department::Hub, security, true));
    assert!(may(Department::Hub, None, false));
    assert!(may(Department::Sec, security, false));
    assert!(!may(Department::Sec, security, true), "the commission's");
    assert!(!may(Department::Sec, customs, false));
    assert!(!may(Department::Sec, None, false));
    assert!(!may(Department::Cus, customs, false));

    let mut qam = desk(1, "QAM", Role::Crossing, Lane::Hold, "QAM");
    let (placed, found, id) = searched(&mut qam);
    for (issuer, code) in [
        ("SEC", None),
        ("HUB", None),
        ("CUS", Some("no_authority")),
        ("", Some("no_authority")),
    ] {
        qam.tokens = BTreeMap::from([("T1".to_string(), issued(token("SECURITY"), issuer))]);
        let spend = spends(&placed, Some("T1"));
        let said = qam.say("of-sec", Some(id), &[found.reference], spend);
        assert_eq!(end(&build(&[&placed, &found, &said]), &said), code);
    }
}

#[test]
fn what_security_issues_lets_no_hold_of_the_commission_go() {
    let mut hub = desk(9, "HUB", Role::Hub, Lane::Hold, "QAM");
    let mut qam = desk(1, "QAM", Role::Crossing, Lane::Hold, "QAM");
    let placed = QuarantineHold::place(HoldType::Security, "order 7");
    let placed = hub.say("of-hub", None, &[], placed);
    let id = RecordId::of_first(&placed.reference);
    let found = QuarantineHold::on().event("search.found", json!({"findings": "nothing"}));
    let found = qam.say("of-sec", Some(id), &[placed.reference], found);
    for (issuer, code) in [("SEC", Some("no_authority")), ("HUB", None)] {
        let scope = id.to_string();
        qam.tokens = BTreeMap::from([("T1".to_string(), issued(token(&scope), issuer))]);
        let spend = spends(&placed, Some("T1"));
        let said = qam.say("of-sec", Some(id), &[found.reference], spend);
        assert_eq!(end(&build(&[&placed, &found, &said]), &said), code);
    }
}
