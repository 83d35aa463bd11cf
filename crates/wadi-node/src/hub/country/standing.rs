//! How the country log stands, for status.

use super::{Country, CountryPlan};
use crate::door::status::{CountryStanding, WitnessStanding};

impl Country {
    /// Notes how the log stands, for status to read: nothing before it has a checkpoint.
    pub(super) async fn note_standing(&self, plan: &CountryPlan) {
        let memory = self.memory.lock().await;
        let shown = self.shown.read().expect("no panic holds it").clone();
        let standing = shown.newest.map(|newest| {
            let witnesses = plan.witnesses.iter().map(|witness| WitnessStanding {
                name: witness.name().to_string(),
                has_cosigned: witness.has_cosigned(&newest.note),
                trouble: memory.get(witness.name()).and_then(|of| of.trouble.clone()),
            });

            CountryStanding {
                witnesses: witnesses.collect(),
                origin: newest.origin,
                leaves: newest.size,
                root: newest.root,
                cosigned: newest.cosigned,
                cosigned_leaves: shown.cosigned.map(|published| published.size),
            }
        });

        *self.door.country_log.lock().expect("no panic holds it") = standing;
    }
}
