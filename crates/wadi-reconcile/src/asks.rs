//! Which other records belong into a record's dossier: what its terms ask for.

use std::collections::BTreeSet;
use wadi_record::Policy;

/// Numbers of a device before one that is missing that are asked for at most, whatever the policy
/// says: a dossier takes a bounded number of its cohorts' records.
const SEQUENCE_BACK_MAX: u64 = 200;

/// How many numbers of a device before one that is missing are looked at.
pub(crate) fn sequence_back(policy: &Policy) -> u64 {
    u64::from(policy.sequence_back).min(SEQUENCE_BACK_MAX)
}

/// A term by which other records belong into a record's dossier or cohorts.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Ask {
    /// What is looked up.
    pub what: &'static str,
    /// The term.
    pub value: String,
    /// Whether those found are peers of a cohort, and not linked.
    pub cohort: bool,
}

/// What a record's terms ask for. Symmetrical: a record that asks for another's term is asked for
/// by it, so that a change of either looks at both.
pub fn asks(id: &str, terms: &[(String, String)], policy: &Policy) -> BTreeSet<Ask> {
    let back = sequence_back(policy);
    let mut out = BTreeSet::new();
    let mut ask = |what, value: &str, cohort| {
        out.insert(Ask {
            what,
            value: value.into(),
            cohort,
        });
    };

    ask("link", id, false);
    for (what, value) in terms {
        match what.as_str() {
            "plate" => ["plate", "target"].map(|w| ask(w, value, false)),
            "container" => ["container", "target"].map(|w| ask(w, value, false)),
            "document" => ["document", "target"].map(|w| ask(w, value, false)),
            "vin" => ["vin", "target"].map(|w| ask(w, value, false)),
            _ => [(); 2],
        };

        match what.as_str() {
            "was" => ["target", "carried"]
                .into_iter()
                .for_each(|w| ask(w, value, false)),
            "carried" => ask("was", value, false),
            // Goods went on from one vehicle to the other.
            "plate" => ask("moved_to", value, false),
            "moved_to" => ask("plate", value, false),
            // Two lookouts for one thing belong to each other, too.
            "target" => [
                "plate",
                "container",
                "document",
                "vin",
                "goods",
                "was",
                "target",
            ]
            .into_iter()
            .for_each(|w| ask(w, value, false)),
            "goods" => ask("target", value, false),
            "link" => ask("link", value, false),
            "declarant_ref" => ask("declarant_ref", value, false),
            "transit" => ask("transit", value, false),
            "registration" => ask("registration", value, false),
            "receipt" => ask("receipt", value, false),
            "day" => ask("day", value, false),
            "seal" => ask("seal", value, false),
            "certificate" => ask("certificate", value, false),
            "token" => ask("token", value, false),
            "acts" => ask("shift", value, false),
            "shift" => ask("acts", value, false),
            "plate_shape" => ask("plate_shape", value, true),
            "hs" => ask("hs", value, true),
            "forced" => ask("forced", value, true),
            "replica" => ask("replica", value, true),
            "device_run" => ask("device_run", value, true),
            "device_seq" => {
                let Some((device, n)) = value.rsplit_once('#') else {
                    continue;
                };
                let n: u64 = n.parse().unwrap_or(0);
                for other in n.saturating_sub(back).max(1)..=n.saturating_add(back) {
                    ask("device_seq", &format!("{device}#{other}"), true);
                }
            }
            _ => {}
        }
    }

    out
}
