//! R08: one declarant reference, transit reference or container in two live entries.

use crate::{Contradiction, Dossier, Facts, Rule};
use serde_json::json;

pub(crate) const RULE: Rule = Rule {
    code: "R08",
    name: "duplicate_reference",
    severity: 1,
    judge,
};

fn is_live(entry: &Facts) -> bool {
    entry.is_customs_entry() && entry.state() != "CANCELLED"
}

fn judge(dossier: &Dossier) -> Vec<Contradiction> {
    let anchor = &dossier.anchor;
    if !is_live(anchor) {
        return Vec::new();
    }

    let others = dossier.linked.iter().filter(|o| is_live(o));
    // Of the two the later one carries the finding.
    let earlier = others.filter(|o| (o.began_ms(), &o.id) < (anchor.began_ms(), &anchor.id));

    earlier
        .flat_map(|o| shared(anchor, o).into_iter().map(move |s| (o, s)))
        .map(|(o, s)| found(anchor, o, s))
        .collect()
}

fn found(anchor: &Facts, other: &Facts, (what, value): (&str, String)) -> Contradiction {
    Contradiction::new(
        format!("{what} {value} {}", other.id),
        anchor.began_ms(),
        format!(
            "{what} {value} stands in {} and in {}",
            other.printed(),
            anchor.printed()
        ),
        json!({"what": what, "value": value, "other": other.printed()}),
    )
    // One of them may have been cancelled at a crossing that is dark.
    .until(
        [anchor.crossing(), other.crossing()],
        anchor.began_ms().max(other.began_ms()),
    )
}

fn shared<'a>(a: &'a Facts, b: &'a Facts) -> Vec<(&'static str, String)> {
    let mut out = Vec::new();
    if a.field("declarant_ref").is_some()
        && a.field("declarant_ref") == b.field("declarant_ref")
        && a.field("declarant") == b.field("declarant")
    {
        out.push((
            "declarant reference",
            a.field("declarant_ref").unwrap_or_default().to_string(),
        ));
    }

    if a.field("transit.ref").is_some() && a.field("transit.ref") == b.field("transit.ref") {
        out.push((
            "transit reference",
            a.field("transit.ref").unwrap_or_default().to_string(),
        ));
    }

    // A container comes back with other goods once the entry before has left.
    let left = |e: &Facts| matches!(e.state(), "RELEASED" | "EXITED");
    if !left(a) && !left(b) {
        let theirs = b.texts("container", "");
        let both = a
            .texts("container", "")
            .into_iter()
            .filter(|c| theirs.contains(c));
        out.extend(both.map(|c| ("container", c.to_string())));
    }

    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Phase, tests::*};

    #[test]
    fn two_live_entries_with_one_reference_are_found_and_a_cancellation_on_its_way_is_waited_for() {
        let declared = |id, by: &str, at_ms| {
            let fields = json!({"declarant": by, "declarant_ref": "D1"});
            entry(id, fields, &[event("registered", at_ms, json!({}))])
        };
        let first = declared("E1", "A", 1).at("QAM");
        let second = declared("E2", "A", 9);
        assert_eq!(
            phases("R08", &dossier(second.clone(), vec![first.clone()], 8)),
            [Phase::Pending]
        );
        assert_eq!(
            firm("R08", second.clone(), vec![first.clone()]),
            [Phase::Firm]
        );
        assert_eq!(
            firm("R08", first.clone(), vec![second.clone()]),
            [],
            "one of the two carries it"
        );

        assert_eq!(
            firm("R08", second.clone(), vec![first.state_is("CANCELLED")]),
            []
        );
        assert_eq!(
            firm("R08", second, vec![declared("E1", "B", 1)]),
            [],
            "another declarant's own numbering"
        );
    }

    #[test]
    fn a_container_may_come_back_after_it_has_left() {
        let with = |id, at_ms| {
            entry(
                id,
                json!({"container.1": "C1"}),
                &[event("registered", at_ms, json!({}))],
            )
        };

        assert_eq!(
            firm("R08", with("E2", 9), vec![with("E1", 1)]),
            [Phase::Firm]
        );
        assert_eq!(
            firm("R08", with("E2", 9), vec![with("E1", 1).state_is("EXITED")]),
            []
        );
    }
}
