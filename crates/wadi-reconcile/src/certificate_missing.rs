//! R17: a quarantine commodity without certificate; a certificate used twice.

use crate::{Contradiction, Dossier, Facts, HOUR_MS, Rule};
use serde_json::json;

pub(crate) const RULE: Rule = Rule { code: "R17", name: "certificate_missing", severity: 1, judge };

fn judge(dossier: &Dossier) -> Vec<Contradiction> {
    let entry = &dossier.anchor;
    if !entry.is_entry() || entry.state() == "CANCELLED" {
        return Vec::new();
    }
    let needs = |code: &&str| dossier.policy.certificate_chapters.iter().any(|c| code.starts_with(c.as_str()));
    let codes: Vec<&str> = entry.texts("goods", "hs_code").into_iter().filter(needs).collect();
    let own = entry.texts("certificate", "");
    let on_hold = dossier.of("hold").any(|h| h.field("certificate.ref").is_some());
    let mut out = Vec::new();
    if !codes.is_empty() && own.is_empty() && !on_hold {
        let due_ms = entry.began_ms() + i64::from(dossier.policy.counterpart_h) * HOUR_MS;
        out.push(
            Contradiction::new(
                "missing",
                entry.began_ms(),
                format!("{} declares {} and names no certificate", entry.printed(), codes.join(", ")),
                json!({"hs_codes": codes, "due_ms": due_ms}),
            )
            .until([entry.crossing()], due_ms),
        );
    }
    let live = |o: &&Facts| o.is_entry() && o.state() != "CANCELLED";
    let others = dossier.linked.iter().filter(live);
    let earlier = others.filter(|o| (o.began_ms(), &o.id) < (entry.began_ms(), &entry.id));
    // Of all that used it before the last one is named.
    for reference in &own {
        let used = earlier.clone().filter(|o| o.texts("certificate", "").contains(reference));
        if let Some(other) = used.max_by_key(|o| (o.began_ms(), o.id.clone())) {
            out.push(
                Contradiction::new(
                    format!("reused {reference}"),
                    entry.began_ms(),
                    format!("certificate {reference} was used for {} already", other.printed()),
                    json!({"certificate": reference, "other": other.printed()}),
                )
                .until([other.crossing(), entry.crossing()], entry.began_ms()),
            );
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Phase, tests::*};

    fn declared(id: &str, code: &str, certificate: Option<&str>, at_ms: i64) -> Facts {
        let mut fields = json!({"goods.1.hs_code": code});
        if let Some(c) = certificate {
            fields["certificate.1"] = c.into();
        }
        entry(id, fields, &[event("registered", at_ms, json!({}))])
    }

    #[test]
    fn bananas_need_a_certificate_and_have_a_day_to_show_it() {
        let bare = declared("E1", "0803.90", None, 0);
        assert_eq!(phases("R17", &dossier(bare.clone(), vec![], 24 * HOUR_MS - 1)), [Phase::Pending]);
        assert_eq!(firm("R17", bare.clone(), vec![]), [Phase::Firm]);
        assert_eq!(firm("R17", declared("E1", "8517.13", None, 0), vec![]), [], "telephones need none");
        let shown = hold("H1", json!({"certificate.ref": "C1"}), &[]);
        assert_eq!(firm("R17", bare, vec![shown]), [], "it lies with the quarantine");
    }

    #[test]
    fn one_certificate_serves_one_consignment() {
        let first = declared("E1", "0803.90", Some("C1"), 1);
        assert_eq!(firm("R17", declared("E2", "0803.90", Some("C1"), 2), vec![first.clone()]), [Phase::Firm]);
        assert_eq!(firm("R17", declared("E2", "0803.90", Some("C2"), 2), vec![first]), []);
    }
}
