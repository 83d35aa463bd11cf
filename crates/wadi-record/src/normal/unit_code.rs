//! Units of quantities: UNECE Recommendation 20.

use super::plate::normalise_plate;

/// A unit for comparing: the code of Recommendation 20, where people write masses otherwise.
pub fn normalise_unit(raw: &str) -> String {
    let text = normalise_plate(raw);
    let code = match text.as_str() {
        "G" | "GR" | "GRAM" | "GRAMS" | "غم" | "غرام" => "GRM",
        "KG" | "KGS" | "KILO" | "KILOS" | "كغ" | "كغم" | "كجم" | "كيلو" => "KGM",
        "T" | "TO" | "MT" | "TON" | "TONS" | "TONNE" | "TONNES" | "طن" => "TNE",
        _ => return text,
    };

    code.into()
}

/// What is strange about a unit, in a sentence.
pub(crate) fn unit_doubt(raw: &str) -> Option<String> {
    let code = normalise_unit(raw);
    let is_code = (2..=3).contains(&code.len()) && code.bytes().all(|c| c.is_ascii_alphanumeric());
    if !is_code {
        return Some(format!(
            "{raw:?} is no unit of UNECE Recommendation 20, as KGM"
        ));
    }

    (code != raw).then(|| format!("{raw:?} is taken for {code} (UNECE Recommendation 20)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mass_is_one_however_its_unit_is_written() {
        for (raw, code) in [
            ("KGM", "KGM"),
            ("kg", "KGM"),
            ("Kg.", "KGM"),
            ("كغم", "KGM"),
            ("tne ", "TNE"),
            ("t", "TNE"),
            ("طن", "TNE"),
            ("XBX", "XBX"),
        ] {
            assert_eq!(normalise_unit(raw), code, "{raw}");
            assert_eq!(normalise_unit(code), code);
            assert_eq!(unit_doubt(raw).is_some(), raw != code, "{raw}");
        }

        assert!(unit_doubt("boxes").is_some_and(|why| why.contains("is no unit")));
    }
}
