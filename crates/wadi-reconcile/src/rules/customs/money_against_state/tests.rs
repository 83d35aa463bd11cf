use super::*;
use crate::{HOUR_MS, Phase, reconcile, tests::*};

fn found(events: &[serde_json::Value]) -> Vec<Phase> {
    firm("R14", entry("E1", json!({}), events), vec![])
}

#[test]
fn money_and_state_have_to_agree() {
    let assessed = |duty| {
        event(
            "assessed",
            1,
            json!({"duty_minor": duty, "currency": "IQD"}),
        )
    };

    let paid = |amount, at| {
        event(
            "paid",
            at,
            json!({"amount_minor": amount, "currency": "IQD", "receipt": "R"}),
        )
    };

    let released = event("entry.released", 9, json!({}));
    assert_eq!(found(&[assessed(500), paid(500, 2), released.clone()]), []);
    assert_eq!(
        found(&[assessed(500), paid(200, 2), paid(300, 3)]),
        [],
        "in two parts"
    );

    assert_eq!(found(&[assessed(500), paid(400, 2)]), [Phase::Firm]);

    let part = entry("E1", json!({}), &[assessed(500), paid(400, 2)]);
    assert_eq!(
        phases("R14", &dossier(part, vec![], 24 * HOUR_MS)),
        [Phase::Pending],
        "the rest has a day"
    );

    assert_eq!(
        found(&[
            assessed(500),
            paid(500, 2),
            event("cancelled", 3, json!({}))
        ]),
        [Phase::Firm]
    );

    assert_eq!(found(&[assessed(500), released.clone()]), [Phase::Firm]);
    assert_eq!(
        found(&[assessed(0), released.clone()]),
        [],
        "nothing was due"
    );

    let unpaid = entry("E1", json!({}), &[assessed(500), released]);
    assert_eq!(
        phases("R14", &dossier(unpaid, vec![], 8)),
        [Phase::Pending],
        "the receipt may be on its way"
    );
}

#[test]
fn whoever_takes_money_or_lets_goods_go_has_seen_an_assessment() {
    let events = [
        event("assessed", 1, json!({"duty_minor": 5, "currency": "IQD"})),
        event(
            "paid",
            2,
            json!({"amount_minor": 5, "currency": "IQD", "receipt": "R"}),
        ),
        event("entry.released", 9, json!({})),
    ];
    let with = |unfounded: serde_json::Value| {
        firm(
            "R14",
            entry("E1", json!({}), &events).with("unfounded", unfounded),
            vec![],
        )
    };

    assert_eq!(with(json!([])), []);
    for (id, lack) in [
        ("assessed@1", Lack::ReasonToLower),
        ("assessed@1", Lack::ReasonBelowItems),
        ("paid@2", Lack::Assessment),
        ("paid@2", Lack::Goods),
        ("entry.released@9", Lack::Goods),
        ("entry.released@9", Lack::Registration),
        ("entry.released@9", Lack::Assessment),
        ("entry.released@9", Lack::SettledFields),
        ("entry.released@9", Lack::Answer),
    ] {
        assert_eq!(
            with(json!([{"id": id, "lacks": [lack.name()]}])),
            [Phase::Firm],
            "{id} {lack:?}"
        );
    }
}

#[test]
fn goods_under_a_hold_are_not_released() {
    let events = [
        event("assessed", 1, json!({"duty_minor": 0, "currency": "IQD"})),
        event("entry.released", 9, json!({})),
    ];
    let with = |names: &str, released_ms: i64| {
        let held = [
            event("link", 2, json!({"record": names})),
            event("hold.placed", 2, json!({})),
            event("released", released_ms, json!({"holds": ["hold.placed@2"]})),
        ];
        let held = hold("H1", json!({}), &held).at("QAM");
        dossier(entry("E1", json!({}), &events), vec![held], 8)
    };

    assert_eq!(phases("R14", &with("E1", 20)), [Phase::Pending]);
    assert_eq!(phases("R14", &with("E1", 8)), [], "let go before");
    assert_eq!(phases("R14", &with("E2", 20)), [], "another entry's");
}

#[test]
fn what_is_assessed_less_after_the_goods_went_is_told_once() {
    let assessed = |at_ms: i64, duty: i64| {
        let data = json!({"duty_minor": duty, "currency": "IQD"});
        event("assessed", at_ms, data)
    };
    let data = json!({"amount_minor": 5, "currency": "IQD", "receipt": "R"});
    let found = |lowered_ms: i64| {
        let events = [
            assessed(1, 50),
            event("paid", 2, data.clone()),
            event("entry.released", 9, json!({})),
            assessed(lowered_ms, 5),
        ];
        let id = format!("assessed@{lowered_ms}");
        let lacks = json!([{"id": id, "lacks": [Lack::ReasonToLower.name()]}]);
        firm(
            "R14",
            entry("E1", json!({}), &events).with("unfounded", lacks),
            vec![],
        )
    };
    assert_eq!(found(8), [Phase::Firm], "before they went");
    assert_eq!(found(20), [Phase::Firm], "beside what was due then");
}

#[test]
fn a_hold_that_is_written_after_the_goods_went_is_told_as_such() {
    let found = |entered_ms: i64| {
        let events = [
            event("assessed", 1, json!({"duty_minor": 0, "currency": "IQD"})),
            event("entry.released", 9, json!({})),
        ];
        let mut placed = event("hold.placed", 2, json!({}));
        placed["entered_ms"] = entered_ms.into();
        let link = event("link", 2, json!({"record": "E1"}));
        let held = hold("H1", json!({}), &[link, placed]);
        let all = reconcile(&dossier(
            entry("E1", json!({}), &events),
            vec![held],
            i64::MAX,
        ));
        let told = all.iter().filter(|f| f.rule.code == "R14");
        let ids = told.map(|f| f.contradiction.sentence.id.to_string());
        ids.collect::<Vec<String>>()
    };
    assert_eq!(found(2), ["R14-under-hold"]);
    assert_eq!(found(9), ["R14-under-hold"]);
    assert_eq!(found(10), ["R14-under-hold-said-after"]);
}

#[test]
fn a_hold_of_long_ago_that_is_linked_with_goods_that_went_did_not_hold_them() {
    let found = |linked_ms: i64| {
        let events = [
            event("assessed", 1, json!({"duty_minor": 0, "currency": "IQD"})),
            event("entry.released", 9, json!({})),
        ];
        let placed = event("hold.placed", 2, json!({}));
        let link = event("link", linked_ms, json!({"record": "E1"}));
        let held = hold("H1", json!({}), &[placed, link]);
        firm("R14", entry("E1", json!({}), &events), vec![held])
    };

    assert_eq!(found(8), [Phase::Firm]);
    assert_eq!(found(10), []);
}

#[test]
fn an_end_of_a_hold_that_is_written_after_the_goods_went_excuses_nothing() {
    let events = [
        event("assessed", 1, json!({"duty_minor": 0, "currency": "IQD"})),
        event("entry.released", 9, json!({})),
    ];
    let with = |kind: &str, entered_ms: i64| {
        let names = json!({"holds": ["hold.placed@2"], "seizure_no": "1"});
        let mut ended = event(kind, 8, names);
        ended["entered_ms"] = entered_ms.into();
        let link = event("link", 2, json!({"record": "E1"}));
        let placed = event("hold.placed", 2, json!({}));
        let held = hold("H1", json!({}), &[link, placed, ended]);
        firm("R14", entry("E1", json!({}), &events), vec![held])
    };

    for kind in ["released", "conditional", "seized"] {
        assert_eq!(with(kind, 20), [Phase::Firm], "{kind}");
        assert_eq!(with(kind, 8), [], "{kind}");
    }
}

#[test]
fn sums_of_two_currencies_are_two_sums() {
    let assessed = |at_ms: i64, duty: i64, currency: &str| {
        event(
            "assessed",
            at_ms,
            json!({"duty_minor": duty, "currency": currency}),
        )
    };
    let paid = |at_ms: i64, amount: i64, currency: &str| {
        let data = json!({"amount_minor": amount, "currency": currency, "receipt": "R"});
        event("paid", at_ms, data)
    };
    let released = || event("entry.released", 30, json!({}));

    let usd = assessed(10, 100, "USD");
    let in_dinars = paid(20, 100, "IQD");
    assert_eq!(
        found(&[usd.clone(), in_dinars.clone(), released()]).len(),
        1,
        "another currency than was assessed"
    );
    let again = assessed(40, 100, "IQD");
    assert_eq!(
        found(&[usd.clone(), in_dinars, released(), again.clone()]).len(),
        1,
        "what was paid is not what was due when the goods went"
    );
    let later = paid(50, 100, "IQD");
    assert_eq!(
        found(&[usd.clone(), released(), again.clone(), later.clone()]).len(),
        1,
        "nothing was paid of it"
    );

    let right = paid(20, 100, "USD");
    assert_eq!(found(&[usd.clone(), right.clone(), released()]), []);
    let before = assessed(15, 100, "IQD");
    assert_eq!(
        found(&[usd.clone(), before, paid(20, 100, "IQD"), released()]),
        [],
        "told in another currency before the goods went"
    );
    let more = found(&[usd, right, released(), again, later]);
    assert_eq!(more, [], "paid as it was, and once more");
}

#[test]
fn a_duty_that_is_lowered_after_the_goods_went_is_owed_all_the_same() {
    let assessed = |at_ms: i64, entered_ms: i64, duty: i64| {
        let data = json!({"duty_minor": duty, "currency": "IQD"});
        let mut said = event("assessed", at_ms, data);
        said["entered_ms"] = entered_ms.into();
        said
    };
    let paid = |amount: i64| {
        let data = json!({"amount_minor": amount, "currency": "IQD", "receipt": "R"});
        event("paid", 20, data)
    };
    let found = |lowered: &[serde_json::Value], amount: i64| {
        let mut events = vec![
            assessed(10, 10, 100),
            event("entry.released", 30, json!({})),
        ];
        if amount > 0 {
            events.push(paid(amount));
        }
        events.extend(lowered.iter().cloned());
        events.sort_by_key(|e| e["at_ms"].as_i64());
        firm("R14", entry("E1", json!({}), &events), vec![]).len()
    };

    assert_eq!(found(&[], 0), 1, "released unpaid");
    assert_eq!(found(&[assessed(40, 40, 0)], 0), 1);
    assert_eq!(found(&[assessed(15, 40, 0)], 0), 1, "said to lie before");
    assert_eq!(found(&[assessed(40, 40, 10)], 10), 1, "what was paid");
    assert_eq!(found(&[assessed(15, 15, 0)], 0), 0);
    assert_eq!(
        found(&[assessed(40, 40, 10)], 100),
        1,
        "too much, which is paid back"
    );
}

/// Twenty tonnes left under an entry of no duty, and then it is cancelled.
#[test]
fn an_entry_that_is_cancelled_when_its_goods_are_gone_is_told() {
    let told = |cancelled_h: i64, released_h: i64, truck: Facts| {
        let assessed = json!({"duty_minor": 0, "currency": "IQD"});
        let events = [
            event("registered", 0, json!({})),
            event("assessed", HOUR_MS, assessed),
            event("entry.released", released_h * HOUR_MS, json!({})),
            event("cancelled", cancelled_h * HOUR_MS, json!({})),
        ];
        let goods = entry("E1", json!({"goods.1.gross_g": 20_000_000}), &events);
        firm("R14", goods, vec![truck])
    };
    let truck = || {
        let gates = [
            event("gate.in", HOUR_MS, json!({})),
            event("gate.out", 4 * HOUR_MS, json!({})),
        ];
        passage("P1", json!({"direction": "in", "purpose": "goods"}), &gates)
    };

    assert_eq!(told(6, 2, truck()), [Phase::Firm]);
    assert_eq!(told(3, 2, truck()), [], "before it left");
    assert_eq!(told(6, 5, truck()), [], "it left under no release");
    let back = truck().state_is("TURNED_BACK");
    assert_eq!(told(6, 2, back), [], "the goods went back");
}

/// A typist made the entry of a truck twice; or made another one in its place when it was gone.
#[test]
fn an_entry_in_whose_place_another_stands_is_cancelled_by_right() {
    let told = |grams: i64, plate: &str, more: &[serde_json::Value]| {
        let plated = |grams: i64, plate: &str| {
            let country = ("vehicle.plate_country", json!("IQ"));
            let fields = [
                ("goods.1.gross_g", json!(grams)),
                ("vehicle.plate", json!(plate)),
                country,
            ];
            let fields = fields.map(|(name, value)| (name.to_string(), value));
            serde_json::Value::Object(fields.into_iter().collect())
        };
        let events = [
            event("registered", 0, json!({})),
            event(
                "assessed",
                HOUR_MS,
                json!({"duty_minor": 0, "currency": "IQD"}),
            ),
            event("entry.released", 2 * HOUR_MS, json!({})),
            event("cancelled", 6 * HOUR_MS, json!({})),
        ];
        let gates = [
            event("gate.in", HOUR_MS, json!({})),
            event("gate.out", 4 * HOUR_MS, json!({})),
        ];
        let fields = json!({
            "direction": "in", "purpose": "goods", "vehicle.plate": "11-A-1",
            "vehicle.plate_country": "IQ",
        });
        let goods = entry("E1", plated(20_000_000, "11-A-1"), &events);
        let truck = passage("P1", fields, &gates);
        let other = entry("E2", plated(grams, plate), more);
        firm("R14", goods, vec![truck, other])
    };

    let released = [event("entry.released", 5 * HOUR_MS, json!({}))];
    assert_eq!(told(20_000_000, "11-A-1", &released), []);
    assert_eq!(
        told(1_000, "11-A-1", &released),
        [Phase::Firm],
        "a cheaper one"
    );
    assert_eq!(
        told(20_000_000, "22-B-2", &released),
        [Phase::Firm],
        "another truck"
    );
    assert_eq!(
        told(20_000_000, "11-A-1", &[]),
        [Phase::Firm],
        "nobody let it go"
    );
}
