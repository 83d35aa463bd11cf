//! Stories of holds that only the hub lets go, and of a site that is dark with a token for one
//! release.

mod desk;

use desk::{Desk, build, desk};
use serde_json::json;
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
        qam.tokens = held.into_iter().map(|t| ("T1".to_string(), t)).collect();
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
fn it_is_spent_once_on_a_record() {
    let mut qam = desk(1, "QAM", Role::Crossing, Lane::Hold, "QAM");
    let (placed, found, id) = searched(&mut qam);
    qam.tokens.insert("T1".into(), token("SECURITY"));
    let spend = || spends(&placed, Some("T1"));
    let first = qam.say("of-sec", Some(id), &[found.reference], spend());
    let again = qam.say("of-sec", Some(id), &[first.reference], spend());
    let record = build(&[&placed, &found, &first, &again]);
    let refused = record.events().find(|e| e.reference == again.reference);
    let refused = refused.unwrap().refusal.as_ref();
    assert_eq!(refused.map(|r| r.code), Some("token_spent"));
    assert!(!state(&record).is_open(), "the first release stands");
}
