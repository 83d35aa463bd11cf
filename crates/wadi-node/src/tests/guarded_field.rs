//! A field that something rests on: whoever writes without the right is told, and nothing is
//! written.

use crate::{
    door::{
        error::{NodeError, WriteError},
        write::{Target, Write},
    },
    tests::order::{blocks, deliver, found_country},
};
use rand::{SeedableRng, rngs::StdRng};
use std::collections::BTreeMap;
use wadi_log::{Body, OfficerEntry};
use wadi_record::Passage;

pub(super) fn officer(name: &str, department: &str) -> Body {
    Body::Officer(OfficerEntry {
        officer: name.into(),
        department: department.into(),
        crossing: None,
        supervisor: false,
        revision: 1,
        revoked: false,
        name: name.into(),
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clerk_is_told_that_a_plate_is_not_his_to_change_and_a_registered_officer_changes_it() {
    let dir = tempfile::tempdir().unwrap();
    let (country, sites) = found_country(dir.path()).await;
    let trb = &sites[0];
    let truck = Passage::announce("in")
        .plate("11-A-1", "IQ")
        .gate_in("G1", "R1");
    let record = trb
        .write(Write::by("OF-1", "PORT", Target::New(None), truck))
        .await
        .unwrap()
        .record;

    let entries = async || trb.store.record_entries(&record).await.unwrap().len();
    assert_eq!(entries().await, 1);

    let changed = || Passage::on().plate("11-A-7", "IQ");
    let told = trb
        .write(Write::by("OF-1", "PORT", Target::On(record), changed()))
        .await
        .unwrap_err();
    assert!(
        matches!(
            &told,
            NodeError::Write(WriteError::Refused(r))
                if r.code == "guarded_field" && r.why.contains("plate")
        ),
        "{told}"
    );
    assert_eq!(entries().await, 1, "nothing was written");
    assert_eq!(
        trb.reads().record(&record).await.unwrap()["fields"]["vehicle.plate"],
        "11A1"
    );

    // The hub registers somebody, and the crossing hears of it.
    let hub = country.node(dir.path(), 2, "hub").await;
    hub.write_control(vec![officer("OF-2", "PORT")], "OP-1")
        .await
        .unwrap();

    let mut control = BTreeMap::new();
    blocks(&hub, &mut BTreeMap::new(), &mut control).await;
    deliver(trb, &control, &mut StdRng::seed_from_u64(1), false).await;
    trb.write(Write::by("OF-2", "PORT", Target::On(record), changed()))
        .await
        .unwrap();

    let json = trb.reads().record(&record).await.unwrap();
    assert_eq!(json["fields"]["vehicle.plate"], "11A7");
    assert_eq!(json["refused_fields"].as_array().map(Vec::len), Some(0));

    for node in sites.iter().chain([&hub]) {
        node.stop().await;
    }
}
