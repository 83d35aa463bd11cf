//! What the fields of a record are looked up and linked by.

use super::{
    country::normalise_country,
    digest::normalise_document,
    hs_code::{headings, normalise_hs_code},
    lookout::{goods_term, normalise_target},
    plate::normalise_plate,
    reference::normalise_reference,
};

/// The term of a field's text: what it is looked up as, and its normal form. Nothing for a field
/// that nobody looks for, and for a text that says nothing. Codes of goods go with their origin,
/// see [`goods_terms`].
pub fn field_term(field: &str, text: &str) -> Option<(&'static str, String)> {
    let (what, form): (_, fn(&str) -> String) = match field {
        "vehicle.plate" | "vehicle.plate_raw" | "trailer.plate" => ("plate", normalise_plate),
        "vehicle.vin" => ("vin", normalise_plate),
        "transit.ref" => ("transit", normalise_reference),
        "declarant_ref" => ("declarant_ref", normalise_reference),
        "registration_no" => ("registration", normalise_reference),
        "target.term" => ("target", normalise_target),
        f if f.starts_with("container.") => ("container", normalise_plate),
        f if f.starts_with("seal.") => ("seal", normalise_plate),
        f if f.starts_with("certificate.") => ("certificate", normalise_reference),
        f if f.starts_with("person.") && f.ends_with(".document_hash") => {
            ("document", normalise_document)
        }
        _ => return None,
    };

    Some((what, form(text))).filter(|(_, value)| !value.is_empty())
}

/// The normal form of what a member of an event holds, by what it is looked up as.
pub(crate) fn member_term(what: &str, text: &str) -> String {
    match what {
        "plate" | "container" => normalise_plate(text),
        "document" => normalise_document(text),
        "registration" | "receipt" => normalise_reference(text),
        _ => text.into(),
    }
}

/// The terms of goods of a code and an origin: the code and every heading above it, so that who
/// looks out for a heading finds whatever lies under it.
pub fn goods_terms(code: &str, origin: &str) -> Vec<String> {
    let (code, origin) = (normalise_hs_code(code), normalise_country(origin));
    headings(&code)
        .map(|heading| goods_term(heading, &origin))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goods_are_found_by_every_heading_above_them() {
        let terms = goods_terms("0803.90.10", "EC");
        for lookout in ["0803+EC", "0803.90+ec", "08039010+ECU", "08+EC", "803+EC"] {
            assert!(terms.contains(&normalise_target(lookout)), "{lookout}");
        }

        for lookout in ["0804+EC", "0803+CO", "080310+EC", "0803901000+EC"] {
            assert!(!terms.contains(&normalise_target(lookout)), "{lookout}");
        }
    }

    #[test]
    fn each_field_is_compared_in_its_own_way() {
        let term = |field, text| field_term(field, text);
        assert_eq!(
            term("trailer.plate", "22 a-1"),
            Some(("plate", "22A1".into()))
        );
        assert_eq!(
            term("transit.ref", "1/03"),
            Some(("transit", "1-03".into()))
        );
        assert_eq!(
            term("certificate.2", "c-1"),
            Some(("certificate", "C1".into()))
        );
        assert_eq!(term("seal.3", "sl 9"), Some(("seal", "SL9".into())));
        assert_eq!(term("transit.ref", " - "), None, "it says nothing");
        assert_eq!(term("note", "22A1"), None, "nobody looks for it");
    }
}
