//! The history of a record with very many entries, told page by page.

use crate::{
    door::write::{Target, Write},
    tests::order::found_country,
};
use wadi_record::Passage;

#[tokio::test(flavor = "multi_thread")]
async fn a_long_history_is_told_page_by_page_and_nothing_is_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let (_country, sites) = found_country(dir.path()).await;
    let trb = &sites[0];
    let came = Passage::announce("in")
        .plate("11-A-1", "IQ")
        .gate_in("G1", "R1");
    let written = trb.write(Write::by("OF-1", "PORT", Target::New(None), came));
    let truck = written.await.unwrap().record;
    for n in 0..4 {
        let noted = Passage::on().text("note", format!("note {n}"));
        let write = Write::by("OF-1", "PORT", Target::On(truck), noted);
        trb.write(write).await.unwrap();
    }

    let whole = trb.reads().history(&truck).await.unwrap();
    assert_eq!((whole.entries.len(), &whole.next_after), (5, &None));

    let mut told: Vec<String> = Vec::new();
    let mut after: Option<String> = None;
    let mut pages = 0;
    loop {
        let page = trb
            .reads()
            .history_within(&truck, after.as_deref(), 2)
            .await
            .unwrap();
        // Who set the fields is told once.
        let has_fields = page.fields["note"].is_array();
        assert_eq!(has_fields, after.is_none());
        assert!(page.entries.len() <= 2);
        told.extend(page.entries.into_iter().map(|line| line.entry));
        pages += 1;
        after = page.next_after;
        if after.is_none() {
            break;
        }
    }
    let all: Vec<String> = whole.entries.into_iter().map(|line| line.entry).collect();
    assert_eq!((pages, told), (3, all));

    let nowhere = trb.reads().history_page(&truck, Some("nowhere")).await;
    assert_eq!(nowhere.unwrap_err().code(), "bad_value");

    for node in &sites {
        node.stop().await;
    }
}
