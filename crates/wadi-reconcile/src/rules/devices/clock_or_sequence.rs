//! R20, over the cohort of a device: a clock beyond doubt; a device's numbers with a gap or a
//! repeat, and a counter that began anew.

mod anew;

use crate::{
    Contradiction, Dossier, Fact, Facts, Rule,
    asks::sequence_back,
    numbers::{apart, seconds_ms, whole},
    sentences,
};
use anew::begun_anew;
use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::RangeInclusive,
};
use wadi_words::Sentence;

pub(crate) const RULE: Rule = Rule {
    code: "R20",
    name: "clock_or_sequence",
    severity: 2,
    sentences: SENTENCES,
    judge,
};

sentences! {
    Repeat = "R20-repeat" { device: name, number: name, times: number }
    GapOfOne = "R20-gap-of-one" { device: name, number: name, missing: name }
    Gap = "R20-gap" { device: name, number: name, first: name, last: name }
    Anew = "R20-anew" { device: name, run: name, before: name, kind: code }
    Reversed = "R20-reversed" { node: node, seconds: number }
    Outside = "R20-outside" { node: node, what: code, seconds: number, side: code }
}

/// Entries with one number with which each further one is compared: a crossing has few nodes.
const SAID_AGAIN_MAX: usize = 16;

fn judge(dossier: &Dossier) -> Vec<Contradiction> {
    let mut out = clocks(dossier);
    out.extend(outside_brackets(dossier));
    out.extend(numbers_of_devices(dossier));
    out.extend(begun_anew(dossier));
    out
}

/// What is known of a device: its name is its crossing's own.
fn heard(dossier: &Dossier) -> impl Iterator<Item = Numbered<'_>> {
    of_crossing(dossier).flat_map(numbered)
}

/// The records of the anchor's crossing.
fn of_crossing(dossier: &Dossier) -> impl Iterator<Item = &Facts> {
    let crossing = dossier.anchor.crossing();
    let all = dossier.peers.iter().chain(&dossier.linked);
    all.chain([&dossier.anchor])
        .filter(move |r| r.crossing() == crossing)
}

/// Numbers of devices that came twice, and those that are missing.
fn numbers_of_devices(dossier: &Dossier) -> Vec<Contradiction> {
    let mut out = Vec::new();
    let anchor = &dossier.anchor;
    let back = sequence_back(&dossier.policy);

    let heard: BTreeSet<((&str, &str), u64, &str)> = heard(dossier)
        .map(|n| ((n.device, n.run), n.number, n.entry))
        .collect();

    // The numbers of each run of a device's counter are its own.
    let saying = |run_of, n| {
        heard
            .range((run_of, n, "")..)
            .take_while(move |(r, s, _)| (*r, *s) == (run_of, n))
    };

    let words = DeviceWords::of(dossier);
    let knows = |run_of, n| saying(run_of, n).next().is_some();
    for own in numbered(anchor) {
        let Numbered {
            device,
            run,
            number: n,
            entry,
            at_ms,
        } = own;
        let run_of = (device, run);
        let before = n.saturating_sub(1);

        // Of several with one number the first by its entry carries the finding.
        let mut twins = saying(run_of, n).map(|(_, _, entry)| *entry).peekable();
        if twins.peek() == Some(&entry)
            && let told = words.told_apart(twins)
            && let Some(second) = told.get(1)
        {
            let times = told.len();
            out.push(
                Contradiction::new(
                    format!("repeat {device}"),
                    at_ms,
                    Says::Repeat {
                        device,
                        number: &n.to_string(),
                        times: whole(times),
                    },
                    json!({"device": device, "number": n, "entries": [entry, second]}),
                )
                .of_cause(json!({"device": device}))
                .each(entry),
            );
        }

        if n <= 1 || knows(run_of, before) {
            continue;
        }

        // With none of those before it known, the device has only just begun, or counts anew.
        if let Some(last) = (2..=back)
            .filter_map(|b| n.checked_sub(b))
            .filter(|m| *m > 0)
            .find(|m| knows(run_of, *m))
        {
            out.push(
                Contradiction::new(
                    format!("gap {device}"),
                    at_ms,
                    gap(device, n, last.saturating_add(1)..=before),
                    json!({"device": device, "missing": before}),
                )
                .of_cause(json!({"device": device}))
                .each(entry)
                .until([anchor.crossing()], at_ms),
            );
        }
    }

    out
}

/// What devices said with a number, by the entries that it stands in.
struct DeviceWords<'a> {
    by_entry: BTreeMap<&'a str, Vec<Fact<'a>>>,
    doubt_ms: i64,
}

impl<'a> DeviceWords<'a> {
    fn of(dossier: &'a Dossier) -> Self {
        let mut by_entry: BTreeMap<&str, Vec<Fact<'_>>> = BTreeMap::new();
        for record in of_crossing(dossier) {
            for said in record.said().filter(|e| e.device_seq() > 0) {
                by_entry.entry(said.entry()).or_default().push(said);
            }
        }

        Self {
            by_entry,
            doubt_ms: seconds_ms(dossier.policy.clock_doubt_s),
        }
    }

    /// Of entries with one number those that are told apart: a device that had no answer from one
    /// node says the same again to another one, and it is written down twice.
    fn told_apart<'e>(&self, entries: impl Iterator<Item = &'e str>) -> Vec<&'e str> {
        let mut told: Vec<&str> = Vec::new();
        for entry in entries {
            let mut first = told.iter().take(SAID_AGAIN_MAX);
            if !first.any(|one| self.is_said_again(one, entry)) {
                told.push(entry);
            }
        }

        told
    }

    fn is_said_again(&self, one: &str, other: &str) -> bool {
        let log = |entry: &str| entry.split_once('@').map(|(log, _)| log.to_string());
        let (Some(own), Some(again)) = (self.by_entry.get(one), self.by_entry.get(other)) else {
            return false;
        };
        if log(one) == log(other) || own.len() != again.len() {
            return false;
        }

        let mut pairs = own.iter().zip(again);
        pairs.all(|(own, again)| {
            own.says_the_same(again) && apart(own.at_ms(), again.at_ms()) <= self.doubt_ms
        })
    }
}

/// A number that a device gave.
struct Numbered<'a> {
    device: &'a str,
    /// The run of its counter; empty where that never began anew.
    run: &'a str,
    number: u64,
    entry: &'a str,
    at_ms: i64,
}

/// The numbers that devices gave on a record: to events, and to entries of fields alone.
fn numbered(record: &Facts) -> impl Iterator<Item = Numbered<'_>> {
    let events = record.said().map(|e| Numbered {
        device: e.device(),
        run: e.device_run(),
        number: e.device_seq(),
        entry: e.entry(),
        at_ms: e.at_ms(),
    });
    let puts = record.json["device_numbers"]
        .as_array()
        .into_iter()
        .flatten();
    let puts = puts.filter_map(|put| {
        Some(Numbered {
            device: put["device"].as_str()?,
            run: put["device_run"].as_str().unwrap_or_default(),
            number: put["device_seq"].as_u64()?,
            entry: put["entry"].as_str()?,
            at_ms: put["at_ms"].as_i64()?,
        })
    });

    events.chain(puts).filter(|n| n.number > 0)
}

/// That a device gave a number, and that those before it are missing.
fn gap(device: &str, n: u64, missing: RangeInclusive<u64>) -> Sentence {
    let [number, first, last] = [n, *missing.start(), *missing.end()].map(|n| n.to_string());
    let (number, first, last) = (number.as_str(), first.as_str(), last.as_str());
    if missing.start() == missing.end() {
        let missing = first;
        return Says::GapOfOne {
            device,
            number,
            missing,
        }
        .into();
    }

    Says::Gap {
        device,
        number,
        first,
        last,
    }
    .into()
}

/// Somebody's clock stood before that of what was on the screen.
fn clocks(dossier: &Dossier) -> Vec<Contradiction> {
    let anchor = &dossier.anchor;
    let doubt_ms = seconds_ms(dossier.policy.clock_doubt_s);
    let all = anchor.json["time_reversals"]
        .as_array()
        .into_iter()
        .flatten();
    let beyond = all.filter(|r| r["by_ms"].as_i64().is_some_and(|by| by > doubt_ms));
    let found = beyond.map(|r| {
        let node = r["node"].as_str().unwrap_or_default();
        let seconds = r["by_ms"].as_i64().unwrap_or(0) / 1_000;
        let entry = r["entry"].as_str().unwrap_or_default();
        let says = Says::Reversed { node, seconds };
        Contradiction::new(format!("clock {node}"), anchor.ended_ms(), says, r.clone())
            .of_cause(json!({"node": node}))
            .each(entry)
    });

    found.collect()
}

/// A time that lies outside the hub times between which its entry was written.
fn outside_brackets(dossier: &Dossier) -> Vec<Contradiction> {
    let doubt_ms = seconds_ms(dossier.policy.clock_doubt_s);
    let beyond = dossier.clock_doubts.iter().filter(|d| {
        let outside_ms = d.outside_ms();
        outside_ms > doubt_ms || outside_ms < doubt_ms.saturating_neg()
    });

    let found = beyond.map(|d| {
        let outside_ms = d.outside_ms();
        let seconds = outside_ms.saturating_abs() / 1_000;
        let node = d.node.as_str();
        let says = Says::Outside {
            node,
            what: if d.happened { "happened" } else { "wrote" },
            seconds,
            side: if outside_ms > 0 { "after" } else { "before" },
        };
        let evidence = json!({
            "entry": d.entry,
            "node": node,
            "by_ms": outside_ms,
            "said_ms": d.said_ms,
            "not_before_ms": d.after_ms,
            "not_after_ms": d.before_ms,
        });

        Contradiction::new(
            format!("clock {node}"),
            dossier.anchor.ended_ms(),
            says,
            evidence,
        )
        .of_cause(json!({"node": node}))
        .each(d.entry.as_str())
    });

    found.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Phase, tests::*};

    fn read(id: &str, n: u64) -> Facts {
        let mut e = event("gate.read", n as i64, json!({}));
        (e["device"], e["device_seq"], e["entry"]) =
            ("G1".into(), n.into(), format!("entry of {id}").into());
        passage(id, json!({}), &[e])
    }

    fn cohort(anchor: Facts, peers: Vec<Facts>, received_ms: i64) -> Dossier {
        let mut d = dossier(anchor, vec![], received_ms);
        d.peers = peers;
        d
    }

    fn found(anchor: Facts, peers: Vec<Facts>, received_ms: i64) -> Vec<Phase> {
        phases("R20", &cohort(anchor, peers, received_ms))
    }

    #[test]
    fn a_number_that_is_missing_may_be_on_its_way_and_one_that_is_repeated_is_not() {
        assert_eq!(
            found(read("P2", 7), vec![read("P1", 5)], 6),
            [Phase::Pending]
        );
        assert_eq!(found(read("P2", 7), vec![read("P1", 5)], 7), [Phase::Firm]);
        assert_eq!(found(read("P2", 7), vec![read("P1", 6)], 7), []);
        assert_eq!(
            found(read("P2", 7), vec![], 7),
            [],
            "a device that has only just begun"
        );

        assert_eq!(found(read("P1", 7), vec![read("P2", 7)], 7), [Phase::Firm]);
        assert_eq!(
            found(read("P2", 7), vec![read("P1", 7)], 7),
            [],
            "the other one carries it"
        );
    }

    /// A camera's read as a node wrote it down.
    fn read_at(id: &str, node: &str, plate: &str, at_ms: i64) -> Facts {
        let mut e = event("gate.read", at_ms, json!({"plate_raw": plate}));
        (e["device"], e["device_seq"]) = ("G1".into(), 7.into());
        e["entry"] = format!("{node}@{id}").into();
        passage(id, json!({}), &[e])
    }

    #[test]
    fn a_device_that_says_the_same_to_the_next_node_repeats_no_number() {
        let again = |node: &str, plate: &str, at_ms: i64| {
            let second = vec![read_at("P2", node, plate, at_ms)];
            found(read_at("P1", "trb", "11A1", 5_000), second, i64::MAX)
        };

        assert_eq!(again("tsb", "11A1", 9_000), []);
        assert_eq!(again("tsb", "22B2", 9_000), [Phase::Firm], "another truck");
        assert_eq!(again("trb", "11A1", 9_000), [Phase::Firm], "one node");
        let later_ms = 5_001 + 600_000;
        assert_eq!(again("tsb", "11A1", later_ms), [Phase::Firm], "later");
    }

    #[test]
    fn a_number_of_fields_alone_is_none_that_is_missing() {
        let put = |id: &str, n: u64| {
            let number = json!({
                "device": "G1",
                "device_seq": n,
                "at_ms": n,
                "entry": format!("entry of {id}"),
            });
            passage(id, json!({}), &[]).with("device_numbers", json!([number]))
        };
        let all = || vec![read("P1", 1), put("P2", 2)];
        assert_eq!(found(read("P3", 3), all(), 3), []);
        assert_eq!(found(put("P3", 4), all(), 4), [Phase::Firm], "3 is missing");
        assert_eq!(found(put("P2", 2), vec![read("P4", 2)], 2), [Phase::Firm]);
    }

    /// A camera is switched off at night: it counts from 1 again, and says so.
    #[test]
    fn the_numbers_of_each_run_of_a_counter_are_its_own() {
        let of_run = |id: &str, run: &str, n: u64, at_ms: i64| {
            let mut e = event("gate.read", at_ms, json!({}));
            (e["device"], e["device_seq"], e["device_run"]) = ("G1".into(), n.into(), run.into());
            e["entry"] = format!("entry of {id}").into();
            passage(id, json!({}), &[e])
        };
        let told = |anchor, peers| {
            let found = crate::reconcile(&cohort(anchor, peers, 99));
            found.into_iter().map(|f| f.text).collect::<Vec<_>>()
        };
        let monday = || vec![of_run("P1", "b1", 1, 1), of_run("P2", "b1", 2, 2)];

        let anew = told(of_run("P3", "b2", 1, 3), monday());
        assert_eq!(anew, ["G1 began to count anew: its run b2, after b1"]);
        assert!(told(of_run("P1", "b1", 1, 1), vec![of_run("P3", "b2", 1, 3)]).is_empty());
        assert!(
            told(of_run("P4", "b2", 2, 4), monday()).is_empty(),
            "no repeat"
        );

        let by_operator = told(of_run("P3", "#1", 1, 3), vec![of_run("P1", "", 1, 1)]);
        assert_eq!(
            by_operator,
            ["G1 began to count anew: its run #1, after the first one"]
        );

        // What is missing within a run, and what comes twice within it, is told as ever.
        let gap = told(
            of_run("P5", "b2", 5, 5),
            vec![of_run("P3", "b2", 2, 3), of_run("P2", "b1", 4, 2)],
        );
        assert_eq!(gap, ["G1 gave the number 5, and 3 to 4 are missing"]);
        let twice = told(of_run("P1", "b1", 7, 1), vec![of_run("P2", "b1", 7, 2)]);
        assert_eq!(twice, ["G1 gave the number 7 2 times"]);
    }

    #[test]
    fn how_wide_a_gap_may_be_is_the_policys_to_say() {
        let wide = |received_ms, sequence_back| {
            let mut d = cohort(read("P2", 30), vec![read("P1", 5)], received_ms);
            d.policy.sequence_back = sequence_back;
            d
        };

        assert_eq!(
            phases("R20", &wide(30, 10)),
            [],
            "24 numbers are missing: it counts anew"
        );

        assert_eq!(phases("R20", &wide(30, 24)), []);
        assert_eq!(phases("R20", &wide(29, 25)), [Phase::Pending]);
        assert_eq!(phases("R20", &wide(30, 25)), [Phase::Firm]);

        let text = |d: &Dossier| crate::reconcile(d)[0].text.clone();
        assert_eq!(
            text(&wide(30, 25)),
            "G1 gave the number 30, and 6 to 29 are missing"
        );
        assert_eq!(
            text(&cohort(read("P2", 7), vec![read("P1", 5)], 7)),
            "G1 gave the number 7, and 6 is missing"
        );
        assert_eq!(
            found(read("P2", 15), vec![read("P1", 5)], 15),
            [Phase::Firm],
            "nine, where it says nothing"
        );

        assert_eq!(found(read("P2", 16), vec![read("P1", 5)], 16), []);
    }

    #[test]
    fn a_clock_that_stands_before_what_was_read_is_wrong() {
        let by = |by_ms| {
            passage("P1", json!({}), &[]).with(
                "time_reversals",
                json!([{"entry": "e", "node": "trb", "by_ms": by_ms}]),
            )
        };

        assert_eq!(found(by(600_001), vec![], 0), [Phase::Firm]);
        assert_eq!(found(by(600_000), vec![], 0), []);
    }

    #[test]
    fn a_time_outside_the_hubs_word_by_more_than_the_doubt_is_found_at_once() {
        let doubt = |said_ms, happened| crate::ClockDoubt {
            entry: "e".into(),
            node: "trb".into(),
            said_ms,
            happened,
            after_ms: Some(5_000_000),
            before_ms: 6_000_000,
        };
        let found = |said_ms, happened| {
            let mut d = cohort(passage("P1", json!({}), &[]), vec![], 0);
            d.clock_doubts = vec![doubt(said_ms, happened)];
            phases("R20", &d)
        };

        assert_eq!(found(6_600_001, false), [Phase::Firm], "ahead");
        assert_eq!(found(6_600_001, true), [Phase::Firm], "in the future");
        assert_eq!(found(4_399_999, false), [Phase::Firm], "behind");
        for near in [6_600_000, 4_400_000, 5_500_000] {
            assert_eq!(found(near, false), [], "{near}");
        }
        assert_eq!(found(1, true), [], "a form entered later");

        let mut d = cohort(passage("P1", json!({}), &[]), vec![], 0);
        d.clock_doubts = vec![doubt(9_000_000, false), doubt(9_500_000, false)];
        assert_eq!(phases("R20", &d), [Phase::Firm], "one cause, one finding");
    }
}
