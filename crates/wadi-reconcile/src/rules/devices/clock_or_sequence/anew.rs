//! Counters that began anew.

use super::{Numbered, Says, heard, numbered};
use crate::{Contradiction, Dossier, HOUR_MS, numbers::whole, sentence::more_of_this_kind};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use wadi_words::Sentence;

/// Within which time the beginnings of one counter are one finding: four weeks. Of a counter that
/// begins anew every day a dossier takes in all of those, and those of the four weeks before.
const TOLD_TOGETHER_MS: i64 = 28 * 24 * HOUR_MS;

/// Counters that began anew: runs whose first number came after that of another run. All that one
/// device began within four weeks is one finding, on the record with the first of them: a camera
/// that is switched off every night fills no queue. Each run is told, and one more makes the
/// finding another: numbers may be missing at the end of any.
pub(super) fn begun_anew(dossier: &Dossier) -> Vec<Contradiction> {
    let begins = |n: &Numbered<'_>| n.number == 1;
    let own: BTreeSet<&str> = numbered(&dossier.anchor)
        .filter(begins)
        .map(|n| n.entry)
        .collect();
    if own.is_empty() {
        return Vec::new();
    }

    let mut of_devices: BTreeMap<&str, Vec<Numbered<'_>>> = BTreeMap::new();
    for beginning in heard(dossier).filter(begins) {
        let of_device = of_devices.entry(beginning.device).or_default();
        of_device.push(beginning);
    }

    let devices = of_devices.into_values();
    devices.flat_map(|all| anew_of_device(all, &own)).collect()
}

/// The findings of one device whose first runs begin with these entries.
fn anew_of_device(mut all: Vec<Numbered<'_>>, own: &BTreeSet<&str>) -> Vec<Contradiction> {
    all.sort_by_key(|n| (n.at_ms, n.entry));
    let mut runs: BTreeSet<&str> = BTreeSet::new();
    all.retain(|n| runs.insert(n.run));

    // Each is anew after the one before it, and the very first is not.
    let mut by_weeks: BTreeMap<i64, Vec<(&Numbered<'_>, &Numbered<'_>)>> = BTreeMap::new();
    for (before, anew) in all.iter().zip(all.iter().skip(1)) {
        let weeks = anew.at_ms.div_euclid(TOLD_TOGETHER_MS);
        by_weeks.entry(weeks).or_default().push((before, anew));
    }

    let told = by_weeks.into_values().filter_map(|begun| {
        let (before, first) = begun.first()?;
        let (last_before, last) = begun.last()?;
        if !own.contains(first.entry) {
            return None;
        }

        let runs: Vec<&str> = begun.iter().map(|(_, anew)| anew.run).collect();
        let entries = begun.iter().map(|(_, anew)| anew.entry);
        let entries: Vec<&str> = std::iter::once(before.entry).chain(entries).collect();
        let evidence = json!({
            "device": first.device,
            "before": before.run,
            "runs": runs,
            "entries": entries,
            "count": runs.len(),
        });

        let name = format!("anew {} {}", first.device, first.run);
        let says = anew(last_before, last, runs.len());
        Some(Contradiction::new(name, last.at_ms, says, evidence))
    });
    told.collect()
}

/// That a device began a run of its counter after another one, and how many more it began.
fn anew(before: &Numbered<'_>, last: &Numbered<'_>, count: usize) -> Sentence {
    let kind = if before.run.is_empty() {
        "first"
    } else {
        "named"
    };
    let mut says: Sentence = Says::Anew {
        device: last.device,
        run: last.run,
        before: before.run,
        kind,
    }
    .into();

    if count > 1 {
        let more = more_of_this_kind(whole(count.saturating_sub(1)));
        says.then.push(more);
    }
    says
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Facts, tests::*};

    /// A camera is switched off every night, for as long as anybody looks.
    #[test]
    fn a_counter_that_begins_anew_every_day_is_one_finding_in_four_weeks_that_tells_each_run() {
        const DAY_MS: i64 = 24 * HOUR_MS;
        let begins = |day: i64, device: &str| {
            let mut e = event("gate.read", day * DAY_MS, json!({}));
            (e["device"], e["device_seq"]) = (device.into(), 1.into());
            e["device_run"] = format!("b{day:02}").into();
            e["entry"] = format!("entry of {device} {day:02}").into();
            passage(&format!("{device} {day:02}"), json!({}), &[e])
        };
        let told = |anchor: Facts, days: std::ops::Range<i64>| {
            let all = days.flat_map(|day| [begins(day, "G1"), begins(day, "G2")]);
            let peers = all.filter(|r| r.id != anchor.id).collect();
            let mut all = dossier(anchor, vec![], i64::MAX);
            all.peers = peers;
            let found = crate::reconcile(&all);
            let found = found.into_iter().filter(|f| f.rule.code == "R20");
            found.collect::<Vec<_>>()
        };

        // The first day is no beginning anew; the next ones are told with the second.
        let carries = |day: &i64| !told(begins(*day, "G1"), 0..60).is_empty();
        let carrying: Vec<i64> = (0..60).filter(carries).collect();
        assert_eq!(carrying, [1, 28, 56]);

        let second = |until: i64| {
            let mut found = told(begins(1, "G1"), 0..until);
            found.pop().expect("it began anew")
        };
        let (one, two, all) = (second(2), second(3), second(28));
        assert_eq!(one.text, "G1 began to count anew: its run b01, after b00");
        let more = "G1 began to count anew: its run b27, after b26 (and 26 more of this kind)";
        assert_eq!(all.text, more);

        assert!(one.id == two.id && two.id == all.id);
        let is_another = one.evidence_digest != two.evidence_digest;
        assert!(is_another, "it is looked at again");
        let evidence = &all.contradiction.evidence;
        assert_eq!(evidence["count"], 27);
        assert_eq!(evidence["runs"]["last"][9], "b27", "{evidence}");
        assert_eq!(two.contradiction.evidence["runs"], json!(["b01", "b02"]));
    }
}
