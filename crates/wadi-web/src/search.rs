//! What a text that somebody typed may be: a plate, a container, a reference, an id, a traveller's
//! document. Whatever it may be is sought at once, in its normal form.

use crate::reading::ReadRight;
use serde_json::{Value, json};
use wadi_log::RecordId;
use wadi_node::SoughtBy;
use wadi_record::{
    holds_a_character, is_digest, normalise_document, normalise_plate, normalise_reference,
    plate_shape, term,
};

/// Hexadecimal digits that a beginning of an id has at least.
const HEX_DIGITS_MIN: usize = 10;

/// Characters of a text that is sought at most.
pub(crate) const TEXT_CHARS_MAX: usize = 200;
/// Numbers that stand on things.
const NUMBERS: [&str; 4] = ["plate", "container", "seal", "vin"];
/// References of papers.
const REFERENCES: [&str; 5] = [
    "declarant_ref",
    "registration",
    "receipt",
    "transit",
    "certificate",
];

/// One thing that a text may be.
struct Meaning {
    what: &'static str,
    value: String,
    by: SoughtBy,
}

/// What a text may be.
pub(crate) struct Search {
    meanings: Vec<Meaning>,
    withheld: Vec<&'static str>,
}

impl Meaning {
    fn term(what: &'static str, value: &str) -> Self {
        Self {
            what,
            value: value.into(),
            by: SoughtBy::Term {
                what: what.into(),
                value: term(value),
            },
        }
    }
}

/// The ids that begin like a text, printed or in full.
fn ids(plain: &str) -> Option<Meaning> {
    if let Some((crossing, lane, from, to)) = RecordId::printed_beginning(plain) {
        let (start, tail) = plain.split_at_checked(4)?;
        let (code, letter) = start.split_at_checked(3)?;
        return Some(Meaning {
            what: "id",
            value: format!("{code}-{letter}-{tail}"),
            by: SoughtBy::Ids {
                from,
                to,
                of: Some((crossing.to_string(), lane as u8)),
            },
        });
    }

    let digits = plain.to_ascii_lowercase();
    // A shorter one may as well be a plate.
    if digits.len() < HEX_DIGITS_MIN {
        return None;
    }

    let (from, to) = RecordId::hex_beginning(&digits)?;
    Some(Meaning {
        what: "id",
        value: digits,
        by: SoughtBy::Ids { from, to, of: None },
    })
}

impl Search {
    /// What a text may be for this reader. With `near`, plates that are easily taken for it are
    /// sought, too.
    pub(crate) fn of(text: &str, near: bool, reading: &ReadRight<'_>) -> Self {
        let search = Self::for_rights(
            text,
            near,
            reading.seeks_persons(),
            reading.reads_all_lookouts(),
        );

        // Whoever finds a record by a document has learnt whose it is, whatever the list shows.
        if search.meanings.iter().any(|m| m.what == "document") {
            reading.note_document_sought();
        }
        search
    }

    fn for_rights(text: &str, near: bool, persons: bool, all_lookouts: bool) -> Self {
        let mut search = Self {
            meanings: Vec::new(),
            withheld: Vec::new(),
        };
        let (plain, reference) = match holds_a_character(text) {
            true => (normalise_plate(text), normalise_reference(text)),
            false => Default::default(),
        };

        search.meanings.extend(ids(&plain));
        if !plain.is_empty() {
            let numbers = NUMBERS.iter().map(|what| Meaning::term(what, &plain));
            search.meanings.extend(numbers);
        }
        if !reference.is_empty() {
            let references = REFERENCES.iter();
            let references = references.map(|what| Meaning::term(what, &reference));
            search.meanings.extend(references);
        }

        if near && !plain.is_empty() {
            let shape = plate_shape(&plain);
            search.meanings.push(Meaning::term("plate_shape", &shape));
        }

        // A search finds what its asker may read: who could ask for a document, or for what a
        // lookout once sought, would learn of it by what is found.
        if is_digest(text) {
            match persons {
                true => {
                    let document = Meaning::term("document", &normalise_document(text));
                    search.meanings.push(document);
                }
                false => search.withheld.push("document"),
            }
        }
        if persons && all_lookouts {
            let before = [&plain, &reference].into_iter().filter(|v| !v.is_empty());
            search
                .meanings
                .extend(before.map(|v| Meaning::term("was", v)));
        }

        search
    }

    /// Whether there is nothing to seek.
    pub(crate) fn is_empty(&self) -> bool {
        self.meanings.is_empty()
    }

    /// What is sought.
    pub(crate) fn sought(&self) -> Vec<SoughtBy> {
        self.meanings.iter().map(|m| m.by.clone()).collect()
    }

    /// What was understood, for whoever typed it.
    pub(crate) fn understood(&self) -> Value {
        let meanings = self.meanings.iter();
        let all: Vec<Value> = meanings
            .map(|m| json!({"what": m.what, "value": m.value}))
            .collect();
        json!({"as": all, "withheld": self.withheld})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meanings(text: &str) -> Vec<(&'static str, String)> {
        let search = Search::for_rights(text, false, false, false);
        let told = search.meanings.into_iter();
        told.map(|m| (m.what, m.value)).collect()
    }

    #[test]
    fn a_plate_is_one_however_it_is_typed() {
        let right = ("plate", "22ا12345".to_string());
        for text in ["٢٢ أ ١٢٣٤٥", "22-أ-12345", "۲۲أ۱۲۳۴۵", " 22 ا 12345 "] {
            assert!(
                meanings(text).contains(&right),
                "{text}: {:?}",
                meanings(text)
            );
        }
    }

    #[test]
    fn an_id_is_known_by_its_beginning_and_a_number_is_none() {
        let id = |text| meanings(text).into_iter().find(|(what, _)| *what == "id");
        assert_eq!(id("trb-p-1naz"), Some(("id", "TRB-P-1NAZ".into())));
        assert_eq!(id("TRB P 1NAZ630PAYKST").unwrap().1, "TRB-P-1NAZ630PAYKST");
        assert_eq!(id("0a1b2c3d4e"), Some(("id", "0a1b2c3d4e".into())));
        for none in ["78804", "22A12345", "TRB-P", ""] {
            assert_eq!(id(none), None, "{none}");
        }
    }

    #[test]
    fn a_document_is_sought_by_those_alone_who_read_it() {
        let hash = "ab".repeat(32);
        let port = Search::for_rights(&hash, false, false, false);
        assert_eq!(port.understood()["withheld"], json!(["document"]));
        let seeks = |search: &Search| search.meanings.iter().any(|m| m.what == "document");
        assert!(!seeks(&port));

        let passports = Search::for_rights(&format!("sha256:{hash}"), false, true, false);
        assert!(seeks(&passports) && passports.withheld.is_empty());

        // What a lookout sought before it was changed is nobody's to guess.
        let was = |search: &Search| search.meanings.iter().any(|m| m.what == "was");
        assert!(!was(&passports));
        assert!(was(&Search::for_rights("22A1", false, true, true)));
    }

    #[test]
    fn signs_alone_say_nothing() {
        assert!(Search::for_rights(" -/ ", true, true, true).is_empty());
    }
}
