//! R17: a quarantine commodity without certificate; a certificate used twice, or for more than it
//! covers.

use crate::{
    Contradiction, Dossier, Facts, Rule,
    numbers::{hours_ms, total},
    sentences,
};
use serde_json::json;
use std::collections::BTreeMap;
use wadi_record::{OtherNumbers, lies_under, mass_g, member_term};

pub(crate) const RULE: Rule = Rule {
    code: "R17",
    name: "certificate_missing",
    severity: 1,
    sentences: SENTENCES,
    judge,
};

sentences! {
    Missing = "R17-missing" { entry: record, goods: names }
    Reused = "R17-reused" { certificate: name, other: record }
    Exceeded = "R17-exceeded" {
        certificate: name, covers: number, used: number, records: records,
    }
    ExceededGrams = "R17-exceeded-grams" {
        certificate: name, covers: number, used: number, records: records,
    }
}

/// A certificate that a record names.
struct Certificate<'a> {
    /// Its number, as it is compared.
    form: String,
    /// The same as it was written.
    reference: &'a str,
    /// The net mass that it covers, grams, where that is told.
    covers: Option<i64>,
}

/// A record that uses up the certificates that it names.
struct Using<'a> {
    record: &'a Facts,
    certificates: Vec<Certificate<'a>>,
}

impl<'a> Using<'a> {
    fn of(record: &'a Facts) -> Self {
        Self {
            record,
            certificates: certificates(record),
        }
    }

    /// What it names by the number of one certificate.
    fn named(&self, form: &str) -> impl Iterator<Item = &Certificate<'a>> {
        self.certificates.iter().filter(move |c| c.form == form)
    }

    fn names(&self, form: &str) -> bool {
        self.named(form).next().is_some()
    }

    /// Its certificates, each once however often and however it is written.
    fn each(&self) -> BTreeMap<&str, &'a str> {
        let mut each = BTreeMap::new();
        for c in &self.certificates {
            each.entry(c.form.as_str()).or_insert(c.reference);
        }

        each
    }
}

fn judge(dossier: &Dossier) -> Vec<Contradiction> {
    let anchor = &dossier.anchor;
    if !stands(anchor) {
        return Vec::new();
    }

    let own = Using::of(anchor);
    let linked = dossier.linked.iter().filter(|r| stands(r));
    let others: Vec<Using<'_>> = linked.map(Using::of).collect();

    let mut out = if anchor.is_customs_entry() {
        missing_or_reused(dossier, &own, &others)
    } else {
        Vec::new()
    };

    let each = own.each();
    out.extend(
        each.iter()
            .filter_map(|(form, reference)| exceeded(dossier, form, reference, &own, &others)),
    );

    out
}

/// Whether a record uses up the certificates that it names: an entry that was not cancelled, a hold
/// whose goods came in.
fn stands(r: &Facts) -> bool {
    match r.kind() {
        "customs-entry" => r.state() != "CANCELLED",
        "hold" => !["RE_EXPORTED", "DESTROYED", "SEIZED"].contains(&r.state()),
        _ => false,
    }
}

/// Whether goods of that code need a certificate.
fn needs(dossier: &Dossier, code: &str) -> bool {
    dossier
        .policy
        .certificate_chapters
        .iter()
        .any(|c| lies_under(code, c))
}

fn missing_or_reused(
    dossier: &Dossier,
    own: &Using<'_>,
    others: &[Using<'_>],
) -> Vec<Contradiction> {
    let entry = &dossier.anchor;
    let codes: Vec<&str> = entry
        .texts("goods", "hs_code")
        .into_iter()
        .filter(|c| needs(dossier, c))
        .collect();

    let names_one = !own.certificates.is_empty();
    let else_named = OtherNumbers::of(texts(entry));
    let on_hold = dossier
        .named_holds()
        .flat_map(certificates)
        .any(|c| !else_named.has(c.reference));
    let mut out = Vec::new();

    if !codes.is_empty() && !names_one && !on_hold {
        let due_ms = entry
            .began_ms()
            .saturating_add(hours_ms(dossier.policy.counterpart_h));
        out.push(
            Contradiction::new(
                "missing",
                entry.began_ms(),
                Says::Missing {
                    entry: entry.printed(),
                    goods: &codes,
                },
                json!({"hs_codes": codes, "due_ms": due_ms}),
            )
            .until([entry.crossing()], due_ms),
        );
    }

    let entries = others.iter().filter(|o| o.record.is_customs_entry());
    let earlier = entries.filter(|o| o.record.was_written_before(entry));

    // Of all that used it before the last one is named. One consignment may come on several trucks.
    let each = own.each().into_iter();
    for (form, reference) in each.filter(|(form, _)| !is_covered(dossier, form, own, others)) {
        let used = earlier.clone().filter(|o| o.names(form)).map(|o| o.record);
        if let Some(other) = used.max_by_key(|o| (o.written_ms(), o.id.clone())) {
            out.push(
                Contradiction::new(
                    format!("reused {reference}"),
                    entry.began_ms(),
                    Says::Reused {
                        certificate: reference,
                        other: other.printed(),
                    },
                    json!({"certificate": reference, "other": other.printed()}),
                )
                .until(
                    [other.crossing(), entry.crossing()],
                    entry.began_ms().max(other.began_ms()),
                ),
            );
        }
    }

    out
}

/// Whether a certificate is told to cover all goods of the entries that name it: each of them says
/// what it covers, and what of it is its own.
fn is_covered(dossier: &Dossier, form: &str, own: &Using<'_>, others: &[Using<'_>]) -> bool {
    let entries = others.iter().filter(|o| o.record.is_customs_entry());
    let using = || {
        let all = entries.clone().chain([own]);
        all.filter(move |u| u.names(form))
    };
    let told = using().map(|u| u.named(form).filter_map(|c| c.covers).min());
    let covers: Option<Vec<i64>> = told.collect();
    let declared: Option<Vec<i64>> = using().map(|u| declared_g(dossier, u)).collect();

    // Where it was told differently the smaller mass holds.
    let least = covers.and_then(|all| all.into_iter().min());
    let both = least.zip(declared.map(total));
    both.is_some_and(|(covers, used)| !is_beyond(dossier, covers, used))
}

/// Whether more goes by a certificate than it covers, beyond the tolerance.
fn is_beyond(dossier: &Dossier, covers: i64, used: i64) -> bool {
    let allowed = i64::from(dossier.policy.weight_permille).saturating_mul(covers);
    used.saturating_sub(covers).saturating_mul(1_000) > allowed
}

/// The settled texts of a record, each with its field.
fn texts(r: &Facts) -> impl Iterator<Item = (&str, &str)> {
    let fields = r.json["fields"].as_object().into_iter().flatten();
    fields.filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)))
}

/// The certificates that an entry or a hold names. A word, a day and what is the number of
/// something else is none.
fn certificates(r: &Facts) -> Vec<Certificate<'_>> {
    let is_named = |name: &str| {
        let which = name.strip_prefix("certificate.");
        which.is_some_and(|which| !which.contains('.'))
    };
    let mut named = texts(r).filter(|(name, _)| is_named(name)).peekable();
    if named.peek().is_none() {
        return Vec::new();
    }

    let others = OtherNumbers::of(texts(r));
    let certificate = |(name, reference)| Certificate {
        form: member_term("certificate", reference),
        reference,
        covers: match name {
            "certificate.ref" => r.int("certificate.net_g"),
            _ => r.int(&format!("{name}.net_g")),
        },
    };

    named
        .filter(|(_, reference)| !others.has(reference))
        .map(certificate)
        .filter(|c| !c.form.is_empty())
        .collect()
}

/// What an entry declares under its only certificate: the net mass of the goods that need one, or
/// their gross mass where no net mass is told. Of several certificates nobody can tell which covers
/// what.
fn declared_g(dossier: &Dossier, using: &Using<'_>) -> Option<i64> {
    if using.each().len() != 1 {
        return None;
    }

    let entry = using.record;
    let fields = entry.json["fields"].as_object().into_iter().flatten();
    let masses = fields.filter_map(|(name, code)| {
        let item = name
            .strip_suffix(".hs_code")
            .filter(|i| i.starts_with("goods."))?;
        if !needs(dossier, code.as_str()?) {
            return None;
        }

        entry
            .int(&format!("{item}.net_g"))
            .filter(|grams| *grams > 0)
            .or_else(|| entry.int(&format!("{item}.gross_g")))
    });

    masses.reduce(i64::saturating_add)
}

/// What a hold keeps, where its unit is one of mass (UNECE Rec 20).
fn held_g(hold: &Facts) -> Option<i64> {
    mass_g(hold.field("unit")?, hold.int("quantity")?)
}

/// All that was declared or held under one certificate against what it covers.
fn exceeded(
    dossier: &Dossier,
    form: &str,
    reference: &str,
    own: &Using<'_>,
    others: &[Using<'_>],
) -> Option<Contradiction> {
    let anchor = &dossier.anchor;
    let using: Vec<&Using<'_>> = others
        .iter()
        .chain([own])
        .filter(|u| u.names(form))
        .collect();
    let records = || using.iter().map(|u| u.record);

    // The last entry carries the finding, or the last hold where there is no entry.
    let carrier = records().max_by_key(|r| (r.is_customs_entry(), r.began_ms(), r.id.clone()))?;
    if carrier.id != anchor.id {
        return None;
    }

    // Where it was told differently the smaller mass holds.
    let told = using.iter().flat_map(|u| u.named(form));
    let covers = told.filter_map(|c| c.covers).min()?;
    let entries = using.iter().filter(|u| u.record.is_customs_entry());
    let declared = entries.filter_map(|u| declared_g(dossier, u));
    let held = records().filter(|r| r.is_hold()).filter_map(held_g);

    // Goods that are held were mostly declared as well: the greater of the two sums counts.
    let used = declared
        .reduce(i64::saturating_add)
        .max(held.reduce(i64::saturating_add))?;
    if !is_beyond(dossier, covers, used) {
        return None;
    }

    let through_ms = records().map(Facts::ended_ms).max()?;
    let mut names: Vec<&str> = records().map(Facts::printed).collect();
    names.sort_unstable();

    // In kilograms where that is exact.
    let is_whole = covers % 1_000 == 0 && used % 1_000 == 0;
    let says = match is_whole {
        true => Says::Exceeded {
            certificate: reference,
            covers: covers / 1_000,
            used: used / 1_000,
            records: &names,
        },
        false => Says::ExceededGrams {
            certificate: reference,
            covers,
            used,
            records: &names,
        },
    };

    let evidence =
        json!({"certificate": reference, "covers_g": covers, "used_g": used, "records": names});
    let found = Contradiction::new(
        format!("exceeded {reference}"),
        anchor.began_ms(),
        says,
        evidence,
    );

    // One of them may have been cancelled, or put right, where nobody has heard of it yet.
    Some(found.until(records().map(Facts::crossing), through_ms))
}

#[cfg(test)]
mod tests;
