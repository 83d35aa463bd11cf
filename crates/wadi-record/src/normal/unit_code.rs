//! Units of quantities: UNECE Recommendation 20, and packages of Recommendation 21.

use super::plate::normalise_plate;

/// Nanograms of a gram: in these every mass of the table is a whole number.
const NANOGRAMS: i128 = 1_000_000_000;

/// The codes of masses, each with its nanograms.
const MASSES: [(&str, i128); 25] = [
    ("2U", 1_000_000 * NANOGRAMS),
    ("58", 1_000 * NANOGRAMS),
    ("APZ", 31_103_476_800),
    ("CGM", 10_000_000),
    ("CTM", 200_000_000),
    ("CWA", 45_359_237_000_000),
    ("CWI", 50_802_345_440_000),
    ("DG", 100_000_000),
    ("DJ", 10 * NANOGRAMS),
    ("DTN", 100_000 * NANOGRAMS),
    ("E4", 1_000 * NANOGRAMS),
    ("GRM", NANOGRAMS),
    ("GRN", 64_798_910),
    ("HGM", 100 * NANOGRAMS),
    ("KGM", 1_000 * NANOGRAMS),
    ("KTN", 1_000_000_000 * NANOGRAMS),
    ("LBR", 453_592_370_000),
    ("LBT", 373_241_721_600),
    ("LTN", 1_016_046_908_800_000),
    ("MC", 1_000),
    ("MGM", 1_000_000),
    ("ONZ", 28_349_523_125),
    ("STI", 6_350_293_180_000),
    ("STN", 907_184_740_000_000),
    ("TNE", 1_000_000 * NANOGRAMS),
];

/// Codes of what else goods are counted and measured by. Packages have codes of their own, which
/// begin with X.
const OTHERS: [&str; 66] = [
    "4G", "A44", "ASV", "BFT", "BHP", "BLD", "BLL", "BUA", "BUI", "C62", "CEL", "CEN", "CLT",
    "CMK", "CMQ", "CMT", "DLT", "DMK", "DMQ", "DMT", "DPC", "DZN", "DZP", "FOT", "FTK", "FTQ",
    "GLI", "GLL", "GRO", "H87", "HIU", "HLT", "HMQ", "HUR", "INH", "INK", "INQ", "KMT", "KWH",
    "KWT", "LPA", "LTR", "MAL", "MAW", "MIL", "MLT", "MMK", "MMQ", "MMT", "MTK", "MTQ", "MTR",
    "MWH", "NAR", "NIU", "NMB", "NPR", "OZA", "OZI", "PR", "PTI", "QTI", "ROM", "SET", "YDK",
    "YRD",
];

/// What people write for the units of masses, in the normal form of plates: in English, Arabic,
/// Persian, Kurdish and Turkish. Those of which there are several, as the hundredweight and the
/// ratl, are not among them.
const WRITTEN: [(&str, &[&str]); 9] = [
    (
        "KGM",
        &[
            "KG",
            "KGS",
            "KGR",
            "KGRS",
            "KGMS",
            "KILO",
            "KILOS",
            "KILOGRAM",
            "KILOGRAMS",
            "KILOGRAMME",
            "KILOGRAMMES",
            "KILOGRAMM",
            "كغ",
            "كغم",
            "كجم",
            "كج",
            "كلغ",
            "كلغم",
            "كلجم",
            "كيلو",
            "كيلوغ",
            "كيلوغم",
            "كيلوجم",
            "كيلوغرام",
            "كيلوغرامات",
            "كيلوغراما",
            "كيلوجرام",
            "كيلوجرامات",
            "كيلوجراما",
            "كيلوكرام",
            "كيلوكرامات",
            "كيلوگرام",
            "كيلوگرم",
            "كيلوگرامات",
            "كغرام",
            "كجرام",
            "كگ",
            "كگم",
        ],
    ),
    (
        "GRM",
        &[
            "G",
            "GM",
            "GMS",
            "GR",
            "GRS",
            "GRAM",
            "GRAMS",
            "GRAMME",
            "GRAMMES",
            "GRAMM",
            "غ",
            "غم",
            "غرام",
            "غرامات",
            "غراما",
            "جم",
            "جرام",
            "جرامات",
            "جراما",
            "كرام",
            "كرامات",
            "گ",
            "گم",
            "گرم",
            "گرام",
        ],
    ),
    (
        "MGM",
        &[
            "MG",
            "MGS",
            "MILLIGRAM",
            "MILLIGRAMS",
            "MILLIGRAMME",
            "MILLIGRAMMES",
            "MILIGRAM",
            "ملغ",
            "ملغم",
            "ملجم",
            "مليغرام",
            "ملليغرام",
            "ميليغرام",
            "مليجرام",
            "ملليجرام",
            "ميليجرام",
            "مليغرامات",
            "ملليغرامات",
            "مليگرم",
            "ميليگرم",
            "مليگرام",
            "ميليگرام",
        ],
    ),
    (
        "TNE",
        &[
            "T",
            "TN",
            "TO",
            "TNS",
            "TS",
            "MT",
            "MTS",
            "MTON",
            "MTONS",
            "TON",
            "TONS",
            "TONNE",
            "TONNES",
            "TONNA",
            "TONLAR",
            "METRICTON",
            "METRICTONS",
            "METRICTONNE",
            "METRICTONNES",
            "METRIKTON",
            "طن",
            "طنا",
            "طنين",
            "طنان",
            "اطنان",
            "اطنانا",
            "طنمتري",
            "طنامتريا",
            "اطنانمتريه",
            "طنونات",
            "تن",
            "تنمتريك",
            "تون",
            "تهن",
            "تونيمهتري",
            "تنيمتريك",
        ],
    ),
    (
        "DTN",
        &[
            "QUINTAL",
            "QUINTALS",
            "QTL",
            "QTLS",
            "QNTL",
            "KENTAL",
            "DECITON",
            "DECITONNE",
            "كنتال",
            "كوينتال",
            "كينتال",
        ],
    ),
    (
        "LBR",
        &[
            "LB",
            "LBS",
            "POUND",
            "POUNDS",
            "LIBRE",
            "باوند",
            "پاوند",
            "پوند",
            "پاوهند",
        ],
    ),
    (
        "ONZ",
        &[
            "OZ",
            "OZS",
            "OUNCE",
            "OUNCES",
            "ONS",
            "اونصه",
            "اونصات",
            "اونس",
        ],
    ),
    ("CTM", &["CARAT", "CARATS", "KARAT", "قيراط", "قراريط"]),
    ("STN", &["SHORTTON", "SHORTTONS"]),
];

/// A unit for comparing: the code of Recommendation 20, where people write masses otherwise.
pub fn normalise_unit(raw: &str) -> String {
    let text = normalise_plate(raw);
    let plain = text.strip_prefix("ال").unwrap_or(&text);
    let written = WRITTEN.iter().find(|(_, words)| words.contains(&plain));

    match written {
        Some((code, _)) => (*code).into(),
        None => text,
    }
}

/// A quantity in grams, in whole ones; nothing where its unit is none of masses.
pub fn mass_g(unit: &str, quantity: i64) -> Option<i64> {
    let code = normalise_unit(unit);
    let (_, nanograms) = MASSES.iter().find(|(mass, _)| *mass == code)?;
    let grams = i128::from(quantity).saturating_mul(*nanograms) / NANOGRAMS;

    let most = if quantity < 0 { i64::MIN } else { i64::MAX };
    Some(i64::try_from(grams).unwrap_or(most))
}

/// Whether this is the code of a package, Recommendation 21.
fn is_package(code: &str) -> bool {
    code.len() == 3 && code.starts_with('X') && code.bytes().all(|c| c.is_ascii_alphanumeric())
}

/// What is strange about a unit, in a sentence.
pub(crate) fn unit_doubt(raw: &str) -> Option<String> {
    let code = normalise_unit(raw);
    let is_mass = MASSES.iter().any(|(mass, _)| *mass == code);
    if !is_mass && !OTHERS.contains(&code.as_str()) && !is_package(&code) {
        return Some(format!(
            "{raw:?} is no unit that is known here, and no rule compares what is held in it: \
             masses are in KGM, GRM or TNE (UNECE Recommendation 20)"
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
            ("㎏", "KGM"),
            ("kilogrammes", "KGM"),
            ("كغم", "KGM"),
            ("ك.غ", "KGM"),
            ("كيلوغرام", "KGM"),
            ("كيلو غرامات", "KGM"),
            ("كيلوغراماً", "KGM"),
            ("كلغ", "KGM"),
            ("کیلۆگرام", "KGM"),
            ("کیلوگرم", "KGM"),
            ("tne ", "TNE"),
            ("t", "TNE"),
            ("MT", "TNE"),
            ("metric ton", "TNE"),
            ("طن", "TNE"),
            ("طن متري", "TNE"),
            ("أطنان", "TNE"),
            ("تن متریک", "TNE"),
            ("تۆن", "TNE"),
            ("gm", "GRM"),
            ("غرام", "GRM"),
            ("گرم", "GRM"),
            ("lb", "LBR"),
            ("quintal", "DTN"),
            ("XBX", "XBX"),
            ("ltr", "LTR"),
        ] {
            assert_eq!(normalise_unit(raw), code, "{raw}");
            assert_eq!(normalise_unit(code), code);
            assert_eq!(unit_doubt(raw).is_some(), raw != code, "{raw}");
        }

        for unknown in ["boxes", "cwt", "GMQ", "رطل", "ZZZ", "k?"] {
            let told = unit_doubt(unknown);
            assert!(
                told.is_some_and(|why| why.contains("is no unit")),
                "{unknown}"
            );
            assert_eq!(mass_g(unknown, 1), None, "{unknown}");
        }
    }

    #[test]
    fn every_unit_of_mass_is_so_many_grams() {
        for (unit, quantity, grams) in [
            ("KGM", 3, 3_000),
            ("DTN", 5_000, 500_000_000),
            ("LBR", 5_000, 2_267_961),
            ("lb", 1, 453),
            ("TNE", 2, 2_000_000),
            ("STN", 1, 907_184),
            ("MGM", 1_999, 1),
            ("طن", -1, -1_000_000),
            ("KTN", i64::MAX, i64::MAX),
        ] {
            assert_eq!(mass_g(unit, quantity), Some(grams), "{unit}");
        }
        assert_eq!(mass_g("LTR", 1), None);
    }

    #[test]
    fn what_is_written_for_a_unit_is_in_its_normal_form_and_of_one_code() {
        let mut all: Vec<&str> = WRITTEN
            .iter()
            .flat_map(|(_, words)| *words)
            .copied()
            .collect();
        for word in &all {
            assert_eq!(normalise_plate(word), *word);
            let is_code = |(mass, _): &(&str, i128)| mass == word;
            assert!(
                !MASSES.iter().any(is_code) && !OTHERS.contains(word),
                "{word}"
            );
        }

        let words = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), words, "each once");
        assert!(MASSES.is_sorted_by(|a, b| a.0 < b.0) && OTHERS.is_sorted_by(|a, b| a < b));
        for (code, _) in WRITTEN {
            assert!(MASSES.iter().any(|(mass, _)| *mass == code), "{code}");
        }
    }
}
