//! Which records a token reads: of which kinds, of which crossings, and holds of which types.

use super::{ReadRight, forbidden};
use crate::Problem;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use wadi_record::{HoldType, Kind};

/// Whether types of hold are told, and are all among these. What this version does not know is
/// none of them.
fn are_within(types: &BTreeSet<HoldType>, told: &[Value]) -> bool {
    let is_read = |of: &Value| {
        let of = of.as_str().and_then(HoldType::from_name);
        of.is_some_and(|of| types.contains(&of))
    };
    !told.is_empty() && told.iter().all(is_read)
}

impl ReadRight<'_> {
    /// The kind that a list is of: the one that was asked for, or the only one that is read.
    pub(crate) fn kind(&self, asked: Option<Kind>) -> Result<Option<Kind>, Problem> {
        let Some(kinds) = &self.kinds else {
            return Ok(asked);
        };

        match (asked, kinds.first()) {
            (Some(kind), _) => self.check_kind(kind).map(|()| Some(kind)),
            (None, Some(only)) if kinds.len() == 1 => Ok(Some(*only)),
            (None, _) => Err(self.not_readable()),
        }
    }

    /// The crossing that a list is of: the one that was asked for, or the only one that is read.
    pub(crate) fn crossing(&self, asked: Option<String>) -> Result<Option<String>, Problem> {
        let Some(crossings) = &self.crossings else {
            return Ok(asked);
        };

        match (asked, crossings.first()) {
            (Some(code), _) => self.check_crossing(&code).map(|()| Some(code)),
            (None, Some(only)) if crossings.len() == 1 => Ok(Some(only.clone())),
            (None, _) => Err(self.other_crossing()),
        }
    }

    /// The types of the holds that a list may show, for its filter; nothing where all are read.
    pub(crate) fn hold_types(&self) -> Option<Vec<String>> {
        let types = self.hold_types.as_ref()?.iter();
        Some(types.map(|of| of.name().to_string()).collect())
    }

    /// Refuses a kind that is not read.
    pub(crate) fn check_kind(&self, kind: Kind) -> Result<(), Problem> {
        match &self.kinds {
            Some(kinds) if !kinds.contains(&kind) => Err(self.not_readable()),
            _ => Ok(()),
        }
    }

    /// Refuses a crossing whose records are not read.
    pub(crate) fn check_crossing(&self, code: &str) -> Result<(), Problem> {
        match &self.crossings {
            Some(crossings) if !crossings.contains(code) => Err(self.other_crossing()),
            _ => Ok(()),
        }
    }

    /// Refuses a type of hold that is not read.
    pub(crate) fn check_hold_type(&self, name: &str) -> Result<(), Problem> {
        match &self.hold_types {
            Some(types) if !are_within(types, &[name.into()]) => Err(self.other_type()),
            _ => Ok(()),
        }
    }

    /// Refuses what is about holds of every type.
    pub(super) fn all_holds(&self) -> Result<(), Problem> {
        self.check_kind(Kind::QuarantineHold)?;
        match &self.hold_types {
            Some(_) => Err(self.other_type()),
            None => Ok(()),
        }
    }

    /// Refuses what is about records of every kind and every crossing, and holds of every type.
    pub(crate) fn all_records(&self) -> Result<(), Problem> {
        match (&self.kinds, &self.crossings, &self.hold_types) {
            (None, None, None) => Ok(()),
            (Some(_), ..) => Err(self.not_readable()),
            (None, Some(_), _) => Err(self.other_crossing()),
            (None, None, Some(_)) => Err(self.other_type()),
        }
    }

    /// Refuses a record of a kind or a crossing that is not read, as far as it tells them, and a
    /// hold that is, or ever was said to be, of a type that is not read. Of what kind a record is
    /// that nobody here knows, it may be such a hold.
    pub(crate) fn check_record(&self, record: &Value) -> Result<(), Problem> {
        self.check_place(record)?;

        let Some(types) = &self.hold_types else {
            return Ok(());
        };
        let is_none = record["kind"]
            .as_str()
            .is_some_and(|kind| kind != Kind::QuarantineHold.name());
        let told = record["hold_types"].as_array();
        match is_none || are_within(types, told.map_or(&[][..], Vec::as_slice)) {
            true => Ok(()),
            false => Err(self.other_type()),
        }
    }

    /// Refuses a record of a kind or a crossing that is not read, as far as it tells them: of one
    /// that a list found, which was asked for holds of the types that are read.
    pub(super) fn check_place(&self, record: &Value) -> Result<(), Problem> {
        if let Some(kind) = record["kind"].as_str().and_then(|k| k.parse().ok()) {
            self.check_kind(kind)?;
        }
        if let Some(code) = record["crossing"].as_str() {
            self.check_crossing(code)?;
        }

        Ok(())
    }

    /// Takes out of what detains a record the holds of types that are not read: that there are
    /// some is told, in one line for all of them. Whether any was taken out.
    pub(crate) fn take_detentions(&self, record: &mut Value) -> bool {
        let all = record.get_mut("detained_by").and_then(Value::as_array_mut);
        let (Some(types), Some(all)) = (&self.hold_types, all) else {
            return false;
        };

        let before = all.len();
        all.retain(|hold| match hold.get("types").map(Value::as_array) {
            Some(told) => are_within(types, told.map_or(&[][..], Vec::as_slice)),
            None => are_within(types, std::slice::from_ref(&hold["type"])),
        });

        let is_taken = all.len() < before;
        if is_taken {
            all.push(json!({
                "hold": "",
                "type": null,
                "department": null,
                "legal_basis": null,
                "placed_ms": null,
            }));
        }
        is_taken
    }

    /// The problem with a record of a kind that is not read.
    fn not_readable(&self) -> Problem {
        let kinds = self.kinds.iter().flatten().map(|kind| kind.name());
        let kinds: Vec<&str> = kinds.collect();
        let why = format!("this token reads {} alone; name one", kinds.join(", "));
        forbidden("not_readable", why)
    }

    /// The problem with a record of a crossing that is not read.
    fn other_crossing(&self) -> Problem {
        let codes = self.crossings.iter().flatten().map(String::as_str);
        let codes: Vec<&str> = codes.collect();
        let why = format!(
            "this token reads records of {} alone; name one crossing",
            codes.join(", ")
        );
        forbidden("not_readable", why)
    }

    /// The problem with a hold of a type that is not read.
    fn other_type(&self) -> Problem {
        let types = self.hold_types().unwrap_or_default();
        let why = format!("this token reads holds of {} alone", types.join(", "));
        forbidden("not_readable", why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hold_is_read_where_all_that_it_is_said_to_be_is_read() {
        let types = BTreeSet::from([HoldType::Customs, HoldType::Radiological]);
        for (told, is_read) in [
            (&["CUSTOMS"][..], true),
            (&["CUSTOMS", "RADIOLOGICAL"][..], true),
            (&["CUSTOMS", "SECURITY"][..], false),
            (&["SECURITY"][..], false),
            // Of a later version, of a placement that nobody can read, and of none that is known.
            (&["CUSTOMS", "NUCLEAR"][..], false),
            (&["UNKNOWN"][..], false),
            (&[][..], false),
        ] {
            let told: Vec<Value> = told.iter().map(|of| json!(of)).collect();
            assert_eq!(are_within(&types, &told), is_read, "{told:?}");
        }
        assert!(!are_within(&types, &[Value::Null]));
    }
}
