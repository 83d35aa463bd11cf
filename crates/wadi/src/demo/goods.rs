//! What the demonstration carries and who handles it: goods, plates, containers and officers.

use rand::{RngExt, rngs::StdRng};

/// HS code, name in English and Arabic, and what a kilogram is worth, minor units of a dinar.
pub(super) const GOODS: [(&str, &str, &str, i64); 8] = [
    ("0803.90", "bananas", "موز", 900_000),
    ("0207.14", "frozen poultry", "دواجن مجمدة", 2_600_000),
    ("1006.30", "rice", "رز", 1_200_000),
    ("2523.29", "cement", "أسمنت", 110_000),
    ("3004.90", "medicines", "أدوية", 60_000_000),
    ("4011.20", "tyres", "إطارات", 5_000_000),
    ("7214.20", "steel bars", "حديد تسليح", 900_000),
    ("8517.13", "telephones", "هواتف", 400_000_000),
];
/// Those of them that come with a phytosanitary or veterinary certificate, and may be sampled.
pub(super) const QUARANTINED_GOODS: usize = 3;
/// What an empty truck weighs, kilograms.
pub(super) const TARE_KG: i64 = 14_200;
pub(super) const REMARKS: [&str; 6] = [
    "seal intact, documents complete",
    "الختم سليم والأوراق كاملة",
    "driver asked for a second weighing",
    "السائق طلب وزنا ثانيا",
    "refrigeration unit at four degrees",
    "وحدة التبريد بدرجة أربعة",
];
pub(super) const COUNTRIES: [&str; 6] = ["IQ", "JO", "SY", "IR", "SA", "TR"];

pub(super) fn hold_department(goods: usize) -> (&'static str, &'static str) {
    if goods == 1 {
        ("VET", "vet")
    } else {
        ("AGR", "agr")
    }
}

/// A plate as entries have it.
pub(super) fn plain(plate: &str) -> String {
    wadi_record::normalise_plate(plate)
}

/// A container number with its ISO 6346 check digit.
pub fn container(r: &mut StdRng) -> String {
    const VALUES: [u32; 26] = [
        10, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 34, 35,
        36, 37, 38,
    ];

    let owner = ["MSCU", "MAEU", "CMAU", "HLXU"][r.random_range(0..4)];
    let body = format!("{owner}{:06}", r.random_range(0..1_000_000));
    let value = |c: char| {
        c.to_digit(10)
            .unwrap_or_else(|| VALUES[(c as u8 - b'A') as usize])
    };
    let sum: u32 = body.chars().enumerate().map(|(i, c)| value(c) << i).sum();

    format!("{body}{}", sum % 11 % 10)
}

/// Officers of a crossing: number and department. Some are registered twice over, for second
/// signatures.
pub fn officers(crossing: &str) -> Vec<(String, &'static str, bool)> {
    let all = [
        ("gate-1", "PORT", false),
        ("gate-2", "PORT", false),
        ("ops-1", "OPS", false),
        ("cus-1", "CUS", false),
        ("cus-2", "CUS", true),
        ("vet-1", "VET", false),
        ("vet-2", "VET", true),
        ("agr-1", "AGR", false),
        ("agr-2", "AGR", true),
        ("pas-1", "PAS", false),
        ("rad-1", "RAD", false),
    ];

    all.iter()
        .map(|(n, d, s)| (format!("{crossing}-{n}"), *d, *s))
        .collect()
}
