//! What is told of a dossier that is whole, and of entries that a clock which was ahead stamped.

use crate::{
    door::write::Target,
    tests::{
        order::found_country,
        reconciler::{hear, hear_all, of_rule, write},
    },
};
use std::{collections::BTreeMap, sync::atomic::Ordering};
use wadi_record::{CustomsEntry, Passage};

const TEN_YEARS_MS: i64 = 3_650 * 86_400_000;

#[tokio::test(flavor = "multi_thread")]
async fn two_entries_of_one_reference_are_a_whole_dossier() {
    let dir = tempfile::tempdir().unwrap();
    let (country, sites) = found_country(dir.path()).await;
    let hub = country.node(dir.path(), 2, "hub").await;
    let trb = &sites[0];
    let mut taken = BTreeMap::new();
    for _ in 0..2 {
        let entry = CustomsEntry::store("D-1", "REF-7");
        write(trb, "CUS", Target::New(None), entry).await;
        country.clock.0.fetch_add(60_000, Ordering::Relaxed);
    }

    hear(&hub, trb, &mut taken).await;
    hear_all(&hub);
    let found = of_rule(&hub, "R08").await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        !found[0].json.contains("dossier_cut\":{"),
        "{}",
        found[0].json
    );
    assert!(
        !found[0].json.contains("were looked at"),
        "{}",
        found[0].json
    );
    hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_was_ahead_for_a_moment_hides_nothing_of_what_comes_after_it() {
    let dir = tempfile::tempdir().unwrap();
    let (country, sites) = found_country(dir.path()).await;
    let trb = &sites[0];
    let truck = |plate: &str| Passage::announce("in").plate(plate, "IQ");
    let before = write(trb, "PORT", Target::New(None), truck("11-A-1")).await;

    country.clock.0.fetch_add(TEN_YEARS_MS, Ordering::Relaxed);
    write(trb, "PORT", Target::New(None), truck("11-A-2")).await;
    country
        .clock
        .0
        .fetch_sub(TEN_YEARS_MS - 60_000, Ordering::Relaxed);
    let after = write(trb, "PORT", Target::New(None), truck("11-A-3")).await;

    let now_ms = country.clock.0.load(Ordering::Relaxed);
    let known = |at_ms| trb.reads().record_known_at(&after, at_ms);
    assert!(known(now_ms).await.unwrap().is_some(), "written and known");
    assert!(known(now_ms - 30_000).await.unwrap().is_none(), "not yet");
    let first = trb.reads().record_known_at(&before, now_ms - 30_000);
    assert!(first.await.unwrap().is_some());

    let status = trb.status().await.unwrap();
    let oldest_ms = status.oldest_unsent_ms.unwrap();
    assert!((0..=120_000).contains(&oldest_ms), "{oldest_ms}");
}
