//! Whoever writes is warned of what speaks against the record, the time or the country, and nobody
//! speaks without a name.

use crate::{
    Node,
    door::{
        error::NodeError,
        write::{Target, Write},
    },
    tests::{guarded_field::officer, order::found_country},
};
use wadi_log::RecordId;
use wadi_record::{CustomsEntry, Draft, Passage};

/// 2026-01-01, which the clocks of the country begin at.
const NOW_MS: i64 = 1_767_225_600_000;
const HOUR_MS: i64 = 3_600_000;

async fn said(node: &Node, department: &str, target: Target, draft: Draft) -> (RecordId, String) {
    let write = Write::by("OF-1", department, target, draft);
    let written = node.write(write).await.unwrap();
    (written.record, written.warnings.join(" | "))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_that_speaks_against_its_record_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let (_, sites) = found_country(dir.path()).await;
    let trb = &sites[0];

    // A clerk gives the gross; whoever gives the net later has another paper.
    let first = CustomsEntry::store("Agent", "A-1").int("goods.1.gross_g", 1_000);
    let (entry, told) = said(trb, "CUS", Target::New(None), first).await;
    assert_eq!(told, "");

    let put = async |draft| said(trb, "CUS", Target::On(entry), draft).await.1;
    assert_eq!(put(CustomsEntry::on().int("goods.1.net_g", 900)).await, "");
    assert_eq!(
        put(CustomsEntry::on().int("goods.2.net_g", 2_000)).await,
        ""
    );
    assert_eq!(
        put(CustomsEntry::on().int("goods.1.net_g", 2_000)).await,
        "goods.1.net_g: 2000 g net is more than the gross, 1000 g"
    );
    assert_eq!(
        put(CustomsEntry::on().int("goods.2.gross_g", 1_500)).await,
        "goods.2.net_g: 2000 g net is more than the gross, 1500 g"
    );
    assert_eq!(
        put(CustomsEntry::on().int("invoice_minor", 1)).await,
        "invoice_minor: an amount without a currency is compared with no other"
    );
    assert_eq!(put(CustomsEntry::on().text("currency", "USD")).await, "");
    assert_eq!(
        put(CustomsEntry::on().int("invoice_minor", 2)).await,
        "",
        "of neither"
    );
    assert_eq!(put(CustomsEntry::on().clear("goods.2.gross_g")).await, "");
    assert_eq!(
        put(CustomsEntry::on().int("goods.2.net_g", 3_000)).await,
        ""
    );

    // A camera read one plate, and a clerk types another.
    let read = Passage::announce("in").text("vehicle.plate_raw", "11-A-11");
    let (truck, told) = said(trb, "PORT", Target::New(None), read).await;
    assert_eq!(told, "");
    let put = async |draft| said(trb, "PORT", Target::On(truck), draft).await.1;
    assert_eq!(
        put(Passage::on().text("vehicle.plate", "11 a 11")).await,
        ""
    );
    assert_eq!(
        put(Passage::on().text("vehicle.plate", "99Z99")).await,
        "vehicle.plate: \"99Z99\" is another plate than the one that was read, \"11-A-11\""
    );
    assert_eq!(
        put(Passage::on().plate("99 Z 99", "IQ")).await,
        "",
        "it was read again"
    );

    for node in &sites {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_ahead_and_a_crossing_that_nobody_knows_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let (_, sites) = found_country(dir.path()).await;
    let trb = &sites[0];
    let put = async |draft| said(trb, "PORT", Target::New(None), draft).await.1;
    let arrived = |at_ms| Passage::announce("in").int("arrived_at_ms", at_ms);

    assert_eq!(put(arrived(NOW_MS + HOUR_MS)).await, "");
    let told = put(arrived(NOW_MS + 30 * 365 * 24 * HOUR_MS)).await;
    assert!(
        told.contains("arrived_at_ms: ") && told.contains("lies ahead"),
        "{told}"
    );

    let leaves = |exit| Passage::announce("in").text("declared_exit", exit);
    assert_eq!(put(leaves("QAM")).await, "");
    assert_eq!(
        put(leaves("QAX")).await,
        "declared_exit: no crossing \"QAX\" is known here; did you mean \"QAM\"?"
    );
    assert_eq!(
        put(leaves("XXX")).await,
        "declared_exit: no crossing \"XXX\" is known here; there are: HUB, MAN, QAM, TRB"
    );

    for node in &sites {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_speaks_or_is_registered_without_a_name_that_is_seen() {
    let dir = tempfile::tempdir().unwrap();
    let (country, sites) = found_country(dir.path()).await;
    let hub = country.node(dir.path(), 2, "hub").await;

    for name in ["", "CU-\u{AD}1", "CU-1\u{FE0F}", "\u{2800}"] {
        let write = Write::by(name, "PORT", Target::New(None), Passage::announce("in"));
        let told = sites[0].write(write).await.unwrap_err();
        assert!(
            matches!(&told, NodeError::Record(e) if e.code() == "bad_value"),
            "{told}"
        );

        let told = hub.write_control(vec![officer(name, "CUS")], "OP-1").await;
        let told = told.unwrap_err();
        assert!(
            matches!(&told, NodeError::Record(e) if e.code() == "bad_value"),
            "{told}"
        );
    }

    hub.write_control(vec![officer("CU-1", "CUS")], "OP-1")
        .await
        .unwrap();
    for node in sites.iter().chain([&hub]) {
        node.stop().await;
    }
}
