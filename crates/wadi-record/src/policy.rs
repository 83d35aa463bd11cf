//! The policy: authority, tolerances and deadlines, as the hub signed them.

use crate::{
    Department, Departments, EVENTS, EventType, FIELDS, HoldType, Kind, SignedDecisions,
    error::hint, event_type, normal::wrong_heading,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What an unattended node calls itself where an entry needs an officer.
pub const SYSTEM_OFFICER: &str = "system";

/// A policy, read from the text of a `Policy` entry. What an older text leaves out takes its
/// default value, so that one text means the same to all who hold it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// Departments that may say each type of event.
    pub acts: BTreeMap<String, Vec<Department>>,
    /// Departments that may set a field, where those are others than the table's: by the kind of
    /// record and the field's name in the table, as `passage seal.N`.
    pub fields: BTreeMap<String, Vec<Department>>,
    /// The departments that own each type of hold.
    pub hold_owners: BTreeMap<HoldType, Vec<Department>>,
    /// Hours until a hold without a result is overdue.
    pub hold_deadline_h: u32,
    /// Hours until a release can no longer be answered by a recall finding (days times 24).
    pub recall_h: u32,
    /// Hours within which a counterpart record must exist.
    pub counterpart_h: u32,
    /// Hours within which a diverted truck must arrive.
    pub diversion_h: u32,
    /// Hours until an inland delivery is overdue.
    pub inland_h: u32,
    /// Tolerance between two masses of the same goods, declared, weighed or certified, in
    /// thousandths.
    pub weight_permille: u32,
    /// Whether a release needs an officer whom the hub has registered.
    pub registered_officers: bool,
    /// Whether a lookout needs one, too, of a department that owns its type of hold: it holds what
    /// it names at every crossing, so that a captured node could have any truck of the country
    /// stopped. Before its officers are registered a commission looks out for nothing.
    pub registered_lookouts: bool,
    /// What is asked of decisions: nothing, a warning to whoever writes one without the officer's
    /// own signature, or that one without does not count.
    pub signed_decisions: SignedDecisions,
    /// Great-circle distance between two crossings, kilometres, by their codes in order of the
    /// alphabet: `QAM-TRB`.
    pub distances_km: BTreeMap<String, u32>,
    /// The speed that no truck keeps up between two crossings, kilometres an hour.
    pub speed_kmh: u32,
    /// Hours until a transit has to be terminated at its exit.
    pub transit_h: u32,
    /// Hours after a release until the goods have to be out of the store.
    pub store_out_h: u32,
    /// The warmest that a cooled store may be, degrees Celsius.
    pub cold_max_c: i32,
    /// HS chapters that need a phytosanitary or veterinary certificate.
    pub certificate_chapters: Vec<String>,
    /// HS chapters whose goods are naturally radioactive enough to set off a portal.
    pub norm_chapters: Vec<String>,
    /// A declared value per kilogram below this part of its peers' median is a finding,
    /// thousandths.
    pub undervalue_permille: u32,
    /// Peers that such a comparison needs at least.
    pub peers_min: u32,
    /// Doubt that a clock is given, seconds.
    pub clock_doubt_s: u32,
    /// Hours within which two plates of one crossing that look alike may be one, misread.
    pub lookalike_h: u32,
    /// Numbers of a device before one that is missing, of which one at least has to be known: else
    /// it has only just begun, or counts anew.
    pub sequence_back: u32,
    /// Hours after which a shift that nobody ended is over. A day of which no shift is known within
    /// half of that was not kept.
    pub shift_h: u32,
    /// Forced acts of one officer within `forced_window_h` that are a finding.
    pub forced_max: u32,
    /// The window in which they are counted, hours.
    pub forced_window_h: u32,
    /// Hours around a record within which others that share a term belong into its dossier.
    pub dossier_window_h: u32,
}

impl Default for Policy {
    fn default() -> Self {
        use Department::*;
        use HoldType::*;
        let named = |e: &EventType| match e.departments {
            Departments::Only(list) => Some((e.name.to_string(), list.to_vec())),
            Departments::Any => None,
        };
        let acts = EVENTS.iter().filter_map(named).collect();

        let hold_owners = BTreeMap::from([
            (FoodEquipment, vec![Cos, Hlt]),
            (Agricultural, vec![Agr]),
            (Veterinary, vec![Vet]),
            (Medical, vec![Hlt]),
            (Radiological, vec![Rad]),
            (Security, vec![Sec]),
            (Customs, vec![Cus]),
        ]);

        Self {
            acts,
            fields: BTreeMap::new(),
            hold_owners,
            hold_deadline_h: 72,
            recall_h: 60 * 24,
            counterpart_h: 24,
            diversion_h: 48,
            inland_h: 72,
            weight_permille: 30,
            registered_officers: true,
            registered_lookouts: false,
            signed_decisions: SignedDecisions::None,
            distances_km: [("QAM-TRB", 260), ("MAN-MUN", 78), ("MUN-TRB", 629)]
                .map(|(c, km)| (c.into(), km))
                .into(),
            speed_kmh: 110,
            transit_h: 10 * 24,
            store_out_h: 48,
            cold_max_c: 8,
            certificate_chapters: chapters(&["01", "02", "03", "04", "06", "07", "08", "10", "12"]),
            norm_chapters: chapters(&["08", "25", "26", "28", "31", "68", "69"]),
            undervalue_permille: 400,
            peers_min: 5,
            clock_doubt_s: 600,
            lookalike_h: 12,
            sequence_back: 10,
            shift_h: 24,
            forced_max: 5,
            forced_window_h: 7 * 24,
            dossier_window_h: 60 * 24,
        }
    }
}

fn chapters(codes: &[&str]) -> Vec<String> {
    codes.iter().map(ToString::to_string).collect()
}

impl Policy {
    /// Reads a policy's text.
    pub fn read(text: &str) -> Result<Self, String> {
        serde_json::from_str(text).map_err(|e| e.to_string())
    }

    /// The text of this policy, RFC 8785.
    pub fn text(&self) -> String {
        serde_json_canonicalizer::to_string(self).expect("a policy serialises")
    }

    /// Whether a department may say that type of event. Types that the policy does not name take
    /// the table's departments; types of a newer version are open to all, and mean nothing here.
    pub fn may(&self, department: Department, event: &str) -> bool {
        match self.acts.get(event) {
            Some(departments) => departments.contains(&department),
            None => event_type(event).is_none_or(|t| t.departments.may(department)),
        }
    }

    /// The departments that may set a field, named as in the table, where the policy names any.
    pub fn setters(&self, kind: Kind, field: &str) -> Option<&[Department]> {
        if self.fields.is_empty() {
            return None;
        }

        self.fields
            .get(&format!("{kind} {field}"))
            .map(Vec::as_slice)
    }

    /// Names of events and fields that this version's tables do not have: whoever writes a policy
    /// is told of a slip of the pen, which would change nothing.
    pub fn unknown_names(&self) -> Vec<&str> {
        let is_event = |name: &&String| event_type(name).is_some();
        let is_field = |name: &&String| {
            FIELDS.iter().any(|row| {
                let mut kinds = row.kinds.iter();
                kinds.any(|kind| format!("{kind} {}", row.name) == ***name)
            })
        };

        let events = self.acts.keys().filter(|name| !is_event(name));
        let fields = self.fields.keys().filter(|name| !is_field(name));
        events.chain(fields).map(String::as_str).collect()
    }

    /// Why distances are between no two crossings, as rules look them up: the two codes in the
    /// order of letters.
    pub fn wrong_distances(&self) -> Vec<String> {
        let is_code = |text: &str| text.parse::<wadi_log::Crossing>().is_ok();
        let wrong = |pair: &&String| {
            let codes = pair.split_once('-');
            !codes.is_some_and(|(one, other)| one < other && is_code(one) && is_code(other))
        };

        let told = |pair: &String| {
            let mut codes: Vec<String> = pair
                .split(['-', '_', ' '])
                .map(str::to_ascii_uppercase)
                .collect();
            codes.sort_unstable();
            let meant = Some(codes.join("-")).filter(|_| {
                codes.len() == 2 && codes[0] != codes[1] && codes.iter().all(|code| is_code(code))
            });
            format!(
                "distances_km: {pair:?} is not the codes of two crossings in the order of \
                 letters, as QAM-TRB{}",
                hint(&meant)
            )
        };
        let names = self.distances_km.keys().filter(wrong).map(told);

        // Of what lies at one place nothing could be found, and of what stands still everything.
        let none = self.distances_km.iter().filter(|(_, km)| **km == 0);
        let none = none.map(|(pair, _)| format!("distances_km: {pair} = 0: at least 1"));
        let still = (self.speed_kmh == 0).then(|| "speed_kmh = 0: at least 1".to_string());
        names.chain(none).chain(still).collect()
    }

    /// Why headings of the HS are none, each with its member: a zero that was lost would name other
    /// goods.
    pub fn wrong_headings(&self) -> Vec<String> {
        let lists = [
            ("certificate_chapters", &self.certificate_chapters),
            ("norm_chapters", &self.norm_chapters),
        ];
        let wrong = lists.iter().flat_map(|(member, headings)| {
            let reasons = headings.iter().filter_map(|h| wrong_heading(h));
            reasons.map(move |why| format!("{member}: {why}"))
        });
        wrong.collect()
    }

    /// Whether a department owns that type of hold. The commission owns every hold.
    pub fn owns(&self, department: Department, hold: HoldType) -> bool {
        department == Department::Hub
            || self
                .hold_owners
                .get(&hold)
                .is_some_and(|d| d.contains(&department))
    }

    /// Whether a department may issue a token for the release of a hold: the commission for any,
    /// SEC for those that are its own, or that it owns by this policy.
    pub fn may_issue(
        &self,
        department: Department,
        hold: Option<HoldType>,
        by_commission: bool,
    ) -> bool {
        match department {
            Department::Hub => true,
            // What the commission itself placed is its own to let go.
            Department::Sec if by_commission => false,
            Department::Sec => {
                let owns = |of| of == HoldType::Security || self.owns(department, of);
                hold.is_some_and(owns)
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_survives_its_text_and_an_older_text_takes_defaults() {
        let policy = Policy {
            hold_deadline_h: 5,
            ..Policy::default()
        };
        assert_eq!(Policy::read(&policy.text()).unwrap(), policy);
        assert_eq!(Policy::read(r#"{"hold_deadline_h":5}"#).unwrap(), policy);
        assert!(Policy::read(r#"{"hold_deadline":5}"#).is_err());
    }

    #[test]
    fn headings_that_lost_their_zero_are_told_with_the_member() {
        assert_eq!(Policy::default().wrong_headings(), [""; 0]);
        for wrong in ["8", "O8", "80390"] {
            let policy = Policy {
                certificate_chapters: vec!["0803".into(), wrong.into()],
                ..Policy::default()
            };
            let told = policy.wrong_headings();
            assert_eq!(told.len(), 1, "{wrong}: {told:?}");
            assert!(told[0].starts_with("certificate_chapters: "), "{told:?}");
        }
    }
}
