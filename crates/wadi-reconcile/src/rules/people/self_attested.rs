//! R22: the performer attests.

use crate::{Contradiction, Dossier, Fact, Facts, Rule, sentences};
use serde_json::json;
use wadi_record::normalise_reference;

pub(crate) const RULE: Rule = Rule {
    code: "R22",
    name: "self_attested",
    severity: 1,
    sentences: SENTENCES,
    judge,
};

sentences! {
    Attested = "R22-attested" { officer: officer, role: code, event: event, record: record }
    AttestedByWord = "R22-attested-by-word" {
        by: name, named: officer, role: code, event: event, record: record,
    }
}

fn judge(dossier: &Dossier) -> Vec<Contradiction> {
    let anchor = &dossier.anchor;
    let twice = anchor.said().filter_map(|e| Some((e, named_twice(&e)?)));
    twice.map(|(e, twice)| told(anchor, e, twice)).collect()
}

/// A name that stands for an act, and that performed it as well.
struct NamedTwice<'a> {
    role: &'static str,
    name: &'a str,
}

/// Whoever writes a name otherwise, as of-7 for OF-7, is no second person.
fn named_twice<'a>(e: &Fact<'a>) -> Option<NamedTwice<'a>> {
    let performers = [Some(e.officer()), e.text("operator")];
    let performers = performers.map(|name| name.map(normalise_reference));
    let roles = ["attested_by", "second_officer", "witness"].into_iter();
    let mut named = roles.filter_map(|role| Some((role, e.text(role)?)));
    let (role, name) =
        named.find(|(_, name)| performers.contains(&Some(normalise_reference(name))))?;

    (!normalise_reference(name).is_empty()).then_some(NamedTwice { role, name })
}

/// Who says an act speaks for himself. Of an operator who is named beside it we have the word of
/// whoever wrote the names: the finding is about that one.
fn told(anchor: &Facts, e: Fact<'_>, NamedTwice { role, name }: NamedTwice<'_>) -> Contradiction {
    let is_own = normalise_reference(e.officer()) == normalise_reference(name);
    let (event, record) = (e.kind(), anchor.printed());
    let mut evidence = json!({"type": event, "officer": e.officer(), "as": role});
    let (discriminator, says) = if is_own {
        evidence["officer"] = name.into();
        let says = Says::Attested {
            officer: name,
            role,
            event,
            record,
        };
        (format!("{event} {role} {name}"), says)
    } else {
        let by = match e.officer() {
            "" => e.device(),
            officer => officer,
        };
        evidence["named"] = name.into();
        let says = Says::AttestedByWord {
            by,
            named: name,
            role,
            event,
            record,
        };
        (format!("{event} {role} {name} by {by}"), says)
    };

    Contradiction::new(discriminator, e.at_ms(), says, evidence)
        .each(e.entry())
        .citing(anchor, [e.entry()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Phase, tests::*};

    #[test]
    fn nobody_stands_for_their_own_work() {
        let by = |who: &str| {
            passage(
                "P1",
                json!({}),
                &[event("weighed", 5, json!({"attested_by": who}))],
            )
        };

        assert_eq!(firm("R22", by("OF-1"), vec![]), [Phase::Firm]);
        for written in ["of-1", "OF 1", "OF\u{2011}1", "OF-١"] {
            assert_eq!(firm("R22", by(written), vec![]), [Phase::Firm], "{written}");
        }
        assert_eq!(firm("R22", by("CU-2"), vec![]), []);
        assert_eq!(firm("R22", by("OF-11"), vec![]), []);

        let scan = event(
            "scanned",
            5,
            json!({"operator": "OP-7", "attested_by": "OP-7"}),
        );

        assert_eq!(
            firm("R22", passage("P1", json!({}), &[scan]), vec![]),
            [Phase::Firm]
        );
    }

    #[test]
    fn whoever_writes_both_names_of_somebody_else_is_told_as_the_one_who_wrote_them() {
        let scan = event(
            "scanned",
            5,
            json!({"operator": "OP-7", "attested_by": "OP-7"}),
        );
        let found = |scan| {
            let d = dossier(passage("P1", json!({}), &[scan]), vec![], 0);
            let mut all = crate::reconcile(&d).into_iter();
            all.find(|f| f.rule.code == "R22").expect("one name twice")
        };

        let by_word = found(scan.clone());
        let evidence = &by_word.contradiction.evidence;
        assert_eq!(evidence["officer"], "OF-1");
        assert_eq!(evidence["named"], "OP-7");
        assert!(by_word.about["officer"].contains("OF-1"));
        assert!(
            !by_word.about["officer"].contains("OP-7"),
            "he said nothing"
        );
        assert!(by_word.text.starts_with("OF-1 says"), "{}", by_word.text);

        let mut own = scan;
        own["officer"] = "op 7".into();
        let own = found(own);
        assert_eq!(own.contradiction.evidence["officer"], "OP-7");
        assert!(own.text.starts_with("OP-7 is both"), "{}", own.text);
    }
}
