//! What a token reads, as its issuer named it and as it is kept with the token.

use crate::{Problem, filters};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use utoipa::ToSchema;
use wadi_node::Node;
use wadi_record::Department;

/// What a token reads, where its issuer narrowed or granted it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ReadGrant {
    /// Kinds of records; all, where none is named.
    pub kinds: BTreeSet<String>,
    /// Crossings whose records are read, by their codes; all, where none is named.
    pub crossings: BTreeSet<String>,
    /// Types of the holds that it reads, as CUSTOMS; all, where none is named.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub hold_types: BTreeSet<String>,
    /// What tells who a traveller is. An officer reads it only where the department does.
    pub persons: bool,
    /// What lookouts seek. An officer reads only those that the department owns.
    pub lookouts: LookoutGrant,
}

/// Which lookouts a token reads.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(untagged, expecting = "true, false, or a list of departments")]
pub enum LookoutGrant {
    /// All, or none.
    Whole(bool),
    /// Those that these departments own, by the policy.
    Of(BTreeSet<String>),
}

impl Default for LookoutGrant {
    fn default() -> Self {
        Self::Whole(false)
    }
}

impl ReadGrant {
    /// The same with each name as it is written here. Refuses kinds, crossings, types of hold and
    /// departments that there are none of: a token would read nothing, and nobody would know why.
    pub(crate) fn checked(self, node: &Node) -> Result<Self, Problem> {
        let kinds = self.kinds.iter();
        let kinds = kinds.map(|kind| filters::kind(kind).map(|k| k.name().to_string()));
        let crossings = self.crossings.iter();
        let crossings = crossings.map(|code| filters::crossing(node, code));
        let hold_types = self.hold_types.iter().map(|of| filters::hold_type(of));

        Ok(Self {
            kinds: kinds.collect::<Result<_, Problem>>()?,
            crossings: crossings.collect::<Result<_, Problem>>()?,
            hold_types: hold_types.collect::<Result<_, Problem>>()?,
            persons: self.persons,
            lookouts: self.lookouts.checked()?,
        })
    }
}

impl LookoutGrant {
    fn checked(self) -> Result<Self, Problem> {
        match self {
            Self::Whole(_) => Ok(self),
            Self::Of(named) => {
                let codes = || Department::ALL.iter().map(|d| d.code());
                let found = named.iter();
                let found = found.map(|code| filters::one("department", code, codes()));
                Ok(Self::Of(found.collect::<Result<_, Problem>>()?))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_was_kept_before_lookouts_had_owners_is_read_as_it_was_meant() {
        let old = json!({"kinds": ["passage"], "persons": true, "lookouts": true});
        let read: ReadGrant = serde_json::from_value(old.clone()).unwrap();
        assert_eq!(read.lookouts, LookoutGrant::Whole(true));
        assert!(read.persons && read.crossings.is_empty());
        // Whoever lists tokens finds it as it was issued.
        assert_eq!(json!(read)["lookouts"], old["lookouts"]);

        let read: ReadGrant = serde_json::from_value(json!({"lookouts": ["SEC"]})).unwrap();
        assert_eq!(read.lookouts, LookoutGrant::Of(["SEC".into()].into()));
        assert_eq!(json!(read)["lookouts"], json!(["SEC"]));

        let nothing: ReadGrant = serde_json::from_value(json!({})).unwrap();
        assert_eq!(nothing.lookouts, LookoutGrant::Whole(false));
        // Of every type, as before there were some to name; it is listed as it was issued.
        assert!(nothing.hold_types.is_empty());
        assert_eq!(json!(nothing).get("hold_types"), None);
        let wrong = serde_json::from_value::<ReadGrant>(json!({"lookouts": "SEC"})).unwrap_err();
        assert!(
            wrong.to_string().contains("a list of departments"),
            "{wrong}"
        );
    }

    #[test]
    fn a_department_that_there_is_not_owns_no_lookouts() {
        let named = |code: &str| LookoutGrant::Of([code.to_string()].into()).checked();
        assert_eq!(
            named("sec").unwrap(),
            LookoutGrant::Of(["SEC".into()].into())
        );
        let wrong = named("SEK").unwrap_err();
        assert_eq!(wrong.code, "unknown_value");
        assert!(
            wrong.detail.contains("did you mean \"SEC\"?"),
            "{}",
            wrong.detail
        );
        assert!(LookoutGrant::Whole(true).checked().is_ok());
    }
}
