//! R25: a person out who never came in, or in twice.

use crate::{Contradiction, Dossier, Facts, Rule, sentences, text::head};
use serde_json::json;
use std::collections::BTreeMap;
use wadi_record::normalise_document;

pub(crate) const RULE: Rule = Rule {
    code: "R25",
    name: "person_in_out",
    severity: 3,
    sentences: SENTENCES,
    judge,
};

sentences! {
    InTwice = "R25-in-twice" { document: name }
    OutTwice = "R25-out-twice" { document: name }
}

/// Letters of a document's hash that a sentence shows.
const DOCUMENT_SHOWN_CHARS: usize = 8;

fn judge(dossier: &Dossier) -> Vec<Contradiction> {
    let anchor = &dossier.anchor;
    if !anchor.is_passage() || !passed(anchor) {
        return Vec::new();
    }

    let mut by_form: BTreeMap<String, &str> = BTreeMap::new();
    for document in documents(anchor) {
        by_form
            .entry(normalise_document(document))
            .or_insert(document);
    }

    let all = by_form.into_values();
    all.filter_map(|document| check(dossier, document))
        .collect()
}

/// Whether somebody really went through: not announced only, not turned back, not sent to another
/// crossing.
fn passed(p: &Facts) -> bool {
    const NOT: [&str; 6] = [
        "ANNOUNCED",
        "VOID",
        "TURNED_BACK",
        "DIVERTED",
        "ARRIVED_ELSEWHERE",
        "ABANDONED",
    ];

    !NOT.contains(&p.state())
}

/// Documents of those who pass: of its fields, and of those who were admitted.
fn documents(p: &Facts) -> impl Iterator<Item = &str> {
    let admitted = p.events("person.admitted");
    let fields = p.texts("person", "document_hash").into_iter();
    fields.chain(admitted.filter_map(|e| e.text("document_hash")))
}

/// Whether somebody of a passage has the document.
fn is_held_by(document: &str, p: &Facts) -> bool {
    let form = normalise_document(document);
    let mut theirs = documents(p).map(normalise_document);

    !form.is_empty() && theirs.any(|other| other == form)
}

fn check(dossier: &Dossier, document: &str) -> Option<Contradiction> {
    let anchor = &dossier.anchor;
    let real = |p: &&Facts| passed(p) && p.field("direction").is_some();
    let same = dossier
        .of("passage")
        .filter(real)
        .filter(|p| is_held_by(document, p));
    let before = same.filter(|p| (p.began_ms(), &p.id) < (anchor.began_ms(), &anchor.id));
    let last = before.max_by_key(|p| (p.began_ms(), p.id.clone()));
    let direction = anchor.field("direction")?;
    let shown = head(&normalise_document(document), DOCUMENT_SHOWN_CHARS);
    let (says, other) = match (direction, last) {
        ("in", Some(l)) if l.field("direction") == Some("in") => {
            (Says::InTwice { document: &shown }, Some(l))
        }
        ("out", Some(l)) if l.field("direction") == Some("out") => {
            (Says::OutTwice { document: &shown }, Some(l))
        }
        // Whoever came in before the window of the dossier is not known here: a resident goes out
        // first.
        _ => return None,
    };

    Some(
        Contradiction::new(
            document,
            anchor.began_ms(),
            says,
            json!({
                "document": document,
                "direction": direction,
                "other": other.map(Facts::printed),
            }),
        )
        // They may have gone by any crossing.
        .until(dossier.everywhere(), anchor.began_ms()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Phase, tests::*};

    fn person(id: &str, direction: &str, at_ms: i64) -> Facts {
        let fields = json!({"direction": direction, "person.1.document_hash": "ab12"});
        passage(id, fields, &[event("person.admitted", at_ms, json!({}))])
    }

    #[test]
    fn a_document_in_letters_of_many_bytes_is_a_document_like_any_other() {
        let arabic = |id: &str, at_ms| {
            let fields =
                json!({"direction": "in", "person.1.document_hash": "aوثيقة-سفر-غير-صحيحة"});
            passage(id, fields, &[event("person.admitted", at_ms, json!({}))])
        };

        assert_eq!(
            firm("R25", arabic("P2", 9), vec![arabic("P1", 1)]),
            [Phase::Firm]
        );
    }

    #[test]
    fn hexadecimal_digits_have_no_case() {
        let with = |id: &str, hash: String, at_ms| {
            let fields = json!({"direction": "in", "person.1.document_hash": hash});
            passage(id, fields, &[event("person.admitted", at_ms, json!({}))])
        };

        let small = with("P1", "ab".repeat(32), 1);
        let large = with("P2", format!("sha256:{}", "AB".repeat(32)), 9);
        assert_eq!(firm("R25", large, vec![small.clone()]), [Phase::Firm]);
        assert_eq!(firm("R25", with("P2", "AC".repeat(32), 9), vec![small]), []);
    }

    #[test]
    fn nobody_comes_in_twice_unless_a_dark_crossing_let_them_out() {
        let twice = (person("P2", "in", 9), vec![person("P1", "in", 1)]);
        assert_eq!(
            phases("R25", &dossier(twice.0.clone(), twice.1.clone(), 8)),
            [Phase::Pending]
        );
        assert_eq!(firm("R25", twice.0.clone(), twice.1.clone()), [Phase::Firm]);

        let between = vec![person("P1", "in", 1), person("P3", "out", 5).at("QAM")];
        assert_eq!(firm("R25", twice.0, between), []);
        assert_eq!(
            firm("R25", person("P1", "out", 5), vec![]),
            [],
            "a resident on the way out"
        );
    }
}
