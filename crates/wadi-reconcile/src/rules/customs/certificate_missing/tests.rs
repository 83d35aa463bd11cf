use super::*;
use crate::{HOUR_MS, Phase, tests::*};

fn declared(id: &str, code: &str, certificate: Option<&str>, at_ms: i64) -> Facts {
    let mut fields = json!({"goods.1.hs_code": code});
    if let Some(c) = certificate {
        fields["certificate.1"] = c.into();
    }
    entry(id, fields, &[event("registered", at_ms, json!({}))])
}

#[test]
fn bananas_need_a_certificate_and_have_a_day_to_show_it() {
    let bare = declared("E1", "0803.90", None, 0);
    assert_eq!(
        phases("R17", &dossier(bare.clone(), vec![], 24 * HOUR_MS - 1)),
        [Phase::Pending]
    );
    assert_eq!(firm("R17", bare.clone(), vec![]), [Phase::Firm]);
    assert_eq!(
        firm("R17", declared("E1", "8517.13", None, 0), vec![]),
        [],
        "telephones need none"
    );

    assert_eq!(
        firm("R17", declared("E1", "80390", None, 0), vec![]),
        [Phase::Firm],
        "of chapter 08, whose zero was lost"
    );

    let shown =
        |events: &[serde_json::Value]| vec![hold("H1", json!({"certificate.ref": "C1"}), events)];
    let names = event("link", 1, json!({"record": "E1"}));
    assert_eq!(
        firm("R17", bare.clone(), shown(&[names])),
        [],
        "it lies with the quarantine"
    );
    let found = firm("R17", bare, shown(&[]));
    assert_eq!(found, [Phase::Firm], "a lookout for such goods is no paper");

    for nothing in ["-", "none", "000", "بدون"] {
        let entry = declared("E1", "0803.90", Some(nothing), 0);
        assert_eq!(firm("R17", entry, vec![]), [Phase::Firm], "{nothing}");
    }
}

#[test]
fn a_word_a_day_and_the_number_of_something_else_are_no_certificate() {
    let named = |certificate: &str| {
        let fields = json!({
            "goods.1.hs_code": "0714.10",
            "declarant": "Rafidain 7",
            "declarant_ref": "D-101",
            "certificate.1": certificate,
        });
        entry("E1", fields, &[event("registered", 0, json!({}))])
    };
    for word in [
        "phytosanitary",
        "copy",
        "XXXX",
        "to follow",
        "pending",
        "lost",
        "غير مطلوب",
        "لاحقا",
        "موجود",
        "2026-03-01",
        "01/03/2026",
        "0714.10",
        "071410",
        "D 101",
        "RAFIDAIN 7",
    ] {
        assert_eq!(firm("R17", named(word), vec![]), [Phase::Firm], "{word}");
    }
    for number in ["PC-1", "2026/17", "103/2026", "٧١", "ش-٩", "0714.10/26"] {
        assert_eq!(firm("R17", named(number), vec![]), [], "{number}");
    }

    let held = |certificate: &str| {
        let link = event("link", 1, json!({"record": "E1"}));
        let bare = declared("E1", "0803.90", None, 0);
        let paper = hold("H1", json!({"certificate.ref": certificate}), &[link]);
        firm("R17", bare, vec![paper])
    };
    assert_eq!(held("see file"), [Phase::Firm]);
    assert_eq!(
        held("0803.90"),
        [Phase::Firm],
        "the code of the entry's goods"
    );
    assert_eq!(held("C-1"), []);
}

#[test]
fn two_that_name_no_certificate_share_none() {
    for word in ["phytosanitary", "copy", "n/a", "01/03/2026"] {
        let second = declared("E2", "8517.13", Some(word), 2);
        let first = declared("E1", "8517.13", Some(word), 1);
        assert_eq!(firm("R17", second, vec![first]), [], "{word}");
    }
}

#[test]
fn one_certificate_serves_one_consignment() {
    let first = declared("E1", "0803.90", Some("C1"), 1);
    assert_eq!(
        firm(
            "R17",
            declared("E2", "0803.90", Some("C1"), 2),
            vec![first.clone()]
        ),
        [Phase::Firm]
    );

    assert_eq!(
        firm(
            "R17",
            declared("E2", "0803.90", Some("C2"), 2),
            vec![first.clone()]
        ),
        []
    );

    assert_eq!(
        firm(
            "R17",
            declared("E2", "0803.90", Some("c-1 "), 2),
            vec![first]
        ),
        [Phase::Firm],
        "the same one, written otherwise"
    );
}

/// An entry of bananas, so many kilograms, under certificates and what each covers, kilograms.
fn bananas(id: &str, kg: i64, certificates: &[(&str, Option<i64>)], at_ms: i64) -> Facts {
    let mut fields = json!({"goods.1.hs_code": "0803.90", "goods.1.net_g": kg * 1_000});
    for (n, (reference, covers)) in certificates.iter().enumerate() {
        fields[format!("certificate.{}", n + 1)] = (*reference).into();
        if let Some(kg) = covers {
            fields[format!("certificate.{}.net_g", n + 1)] = (kg * 1_000).into();
        }
    }

    entry(id, fields, &[event("registered", at_ms, json!({}))])
}

#[test]
fn one_consignment_comes_on_several_trucks_under_one_certificate() {
    let first = |covers| bananas("E1", 20_000, &[("C1", covers)], 1);
    let found = |kg, covers, first: Facts| {
        let second = bananas("E2", kg, &[("C1", covers)], 2);
        let all = crate::reconcile(&dossier(second, vec![first], i64::MAX));
        let of_rule = all.iter().filter(|f| f.rule.code == "R17");
        let ids = of_rule.map(|f| f.contradiction.sentence.id.to_string());
        ids.collect::<std::collections::BTreeSet<String>>()
    };
    let of = |ids: &[&str]| ids.iter().map(|id| format!("R17-{id}")).collect();
    let forty = || Some(40_000);

    assert_eq!(found(20_000, forty(), first(forty())), of(&[]));
    let one_told = found(20_000, forty(), first(None));
    assert_eq!(one_told, of(&["reused"]), "the first says nothing of it");
    let told_less = found(20_000, forty(), first(Some(20_000)));
    assert_eq!(told_less, of(&["reused", "exceeded"]));
    let more = found(25_000, forty(), first(forty()));
    assert_eq!(more, of(&["reused", "exceeded"]));
}

fn kept(id: &str, fields: serde_json::Value, at_ms: i64) -> Facts {
    hold(id, fields, &[event("hold.placed", at_ms, json!({}))])
}

#[test]
fn a_certificate_covers_so_much_and_no_more() {
    let told = |kg| bananas("E1", kg, &[("C1", Some(20_000))], 5);
    assert_eq!(
        phases("R17", &dossier(told(20_601), vec![], 4)),
        [Phase::Pending]
    );
    assert_eq!(firm("R17", told(20_601), vec![]), [Phase::Firm]);
    assert_eq!(
        firm("R17", told(20_600), vec![]),
        [],
        "within three in a hundred"
    );

    assert_eq!(
        firm("R17", bananas("E1", 90_000, &[("C1", None)], 5), vec![]),
        [],
        "nobody told what it covers"
    );

    let two = [("C1", Some(20_000)), ("C2", Some(1))];
    assert_eq!(
        firm("R17", bananas("E1", 90_000, &two, 5), vec![]),
        [],
        "which of the two covers them?"
    );

    assert_eq!(firm("R17", told(90_000).state_is("CANCELLED"), vec![]), []);

    let gross = json!({
        "goods.1.hs_code": "0803.90", "goods.1.gross_g": 30_000_000, "certificate.1": "C1",
        "certificate.1.net_g": 20_000_000,
    });
    assert_eq!(
        firm("R17", entry("E1", gross, &[]), vec![]),
        [Phase::Firm],
        "only the gross mass is told"
    );

    let steel = json!({
        "goods.1.hs_code": "7214.20", "goods.1.net_g": 90_000_000, "certificate.1": "C1",
        "certificate.1.net_g": 20_000_000,
    });
    assert_eq!(
        firm("R17", entry("E1", steel, &[]), vec![]),
        [],
        "steel needs none"
    );
}

#[test]
fn all_that_goes_by_one_certificate_is_added_up_and_the_last_one_carries_it() {
    let first = bananas("E1", 15_000, &[("C1", None)], 1);
    let second = |kg| bananas("E2", kg, &[("C1", Some(20_000))], 2);
    let exceeded = |anchor: Facts, linked: Vec<Facts>| {
        let found = crate::reconcile(&dossier(anchor, linked, i64::MAX));
        found
            .iter()
            .filter(|f| f.contradiction.discriminator == "exceeded C1")
            .count()
    };

    assert_eq!(exceeded(second(6_000), vec![first.clone()]), 1);
    assert_eq!(
        exceeded(first.clone(), vec![second(6_000)]),
        0,
        "the later one carries it"
    );

    assert_eq!(exceeded(second(5_000), vec![first.clone()]), 0);
    assert_eq!(
        exceeded(second(6_000), vec![first.clone().state_is("CANCELLED")]),
        0
    );

    // What the quarantine has told of the certificate counts, too; what it holds was declared
    // already.
    let paper = json!({
        "certificate.ref": "C1",
        "certificate.net_g": 10_000_000,
        "quantity": 15,
        "unit": "TNE",
    });
    assert_eq!(
        exceeded(first.clone(), vec![kept("H1", paper.clone(), 9)]),
        1
    );
    assert_eq!(
        exceeded(kept("H1", paper.clone(), 9), vec![first]),
        0,
        "the entry carries it"
    );

    assert_eq!(
        exceeded(kept("H1", paper.clone(), 9), vec![]),
        1,
        "held, and not declared yet"
    );

    assert_eq!(
        exceeded(kept("H1", paper.clone(), 9).state_is("RE_EXPORTED"), vec![]),
        0,
        "it never came in"
    );

    let boxes = json!({
        "certificate.ref": "C1",
        "certificate.net_g": 10_000_000,
        "quantity": 90,
        "unit": "XBX",
    });
    assert_eq!(
        exceeded(kept("H1", boxes, 9), vec![]),
        0,
        "boxes are no mass"
    );
}

#[test]
fn what_is_held_is_added_up_in_whatever_unit_of_mass_it_is_told() {
    let exceeded = |anchor: Facts| {
        let found = crate::reconcile(&dossier(anchor, vec![], i64::MAX));
        let of_paper = found
            .iter()
            .filter(|f| f.contradiction.discriminator == "exceeded C1");
        of_paper.count()
    };
    let paper = json!({"certificate.ref": "C1", "certificate.net_g": 10_000_000});

    for (unit, quantity) in [
        ("t", 15),
        ("tne ", 15),
        ("طن", 15),
        ("metric ton", 15),
        ("أطنان", 15),
        ("DTN", 150),
        ("LBR", 33_000),
        ("lb", 33_000),
        ("كيلوغرامات", 15_000),
        ("gm", 15_000_000),
    ] {
        let mut written = paper.clone();
        written["unit"] = unit.into();
        written["quantity"] = quantity.into();
        assert_eq!(exceeded(kept("H1", written.clone(), 9)), 1, "{unit}");

        written["quantity"] = (quantity / 2).into();
        assert_eq!(exceeded(kept("H1", written, 9)), 0, "less: {unit}");
    }
}

#[test]
fn every_crossing_that_used_it_is_waited_for() {
    let mut d = dossier(
        bananas("E2", 6_000, &[("C1", Some(20_000))], 2),
        vec![bananas("E1", 15_000, &[("C1", None)], 1).at("QAM")],
        2,
    );

    let phase = |d: &Dossier| {
        let found = crate::reconcile(d);
        found
            .iter()
            .find(|f| f.contradiction.discriminator == "exceeded C1")
            .map(|f| f.phase)
    };

    assert_eq!(phase(&d), Some(Phase::Firm));

    d.watermarks.insert("QAM".into(), 1);
    assert_eq!(phase(&d), Some(Phase::Pending));
}
