//! R22: the performer attests.

use crate::{Contradiction, Dossier, Rule, sentences};
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
}

fn judge(dossier: &Dossier) -> Vec<Contradiction> {
    let anchor = &dossier.anchor;
    let own = anchor.said().filter_map(|e| {
        // Whoever writes a name otherwise, as of-7 for OF-7, is no second person.
        let performers =
            [Some(e.officer()), e.text("operator")].map(|name| name.map(normalise_reference));
        let second = ["attested_by", "second_officer", "witness"]
            .into_iter()
            .find_map(|m| {
                let name = e.text(m)?;
                let is_own = performers.contains(&Some(normalise_reference(name)));
                is_own.then_some((m, name))
            });

        second
            .filter(|(_, name)| !normalise_reference(name).is_empty())
            .map(|(member, name)| (e, member, name))
    });

    own.map(|(e, member, name)| {
        Contradiction::new(
            format!("{} {member} {name}", e.kind()),
            e.at_ms(),
            Says::Attested {
                officer: name,
                role: member,
                event: e.kind(),
                record: anchor.printed(),
            },
            json!({"type": e.kind(), "officer": name, "as": member}),
        )
        .each(e.entry())
    })
    .collect()
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
}
