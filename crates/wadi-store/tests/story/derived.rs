//! The part of the story about records, what is detained, and findings.

use super::*;

/// What open holds name, or look out for, is found by that: of all that is held, and of what is
/// asked about.
pub(super) async fn detained(store: &Arc<dyn Store>, about: &[(RecordId, Reference)]) {
    let ids: Vec<RecordId> = about.iter().map(|(id, _)| *id).collect();
    let named = ids[1].to_string();
    let container = CarriedWithin {
        what: "container",
        within_ms: 1_000,
    };
    let terms = HoldTerms {
        sought: vec!["plate", "container"],
        carried: vec![container],
        ..HoldTerms::default()
    };
    let hold = |seed: u8, open: bool, terms: &[(&str, &str)]| RecordRow {
        id: RecordId([seed; 32]),
        printed: format!("TRB-H-{seed}"),
        lane: Lane::Hold as u8,
        open,
        ..row(&about[0].1, 0, terms)
    };

    let holds = vec![
        hold(201, true, &[("link", &named)]),
        hold(202, true, &[("target", "11A1")]),
        hold(
            203,
            false,
            &[("link", &ids[0].to_string()), ("target", "C1")],
        ),
        // What another wrote into a link is text.
        hold(204, true, &[("link", "zz"), ("target", "none")]),
    ];

    let gone = holds.iter().map(|h| h.id).collect();
    store
        .commit(Batch::from(ProjectedRows {
            records: holds,
            ..ProjectedRows::default()
        }))
        .await
        .unwrap();

    let looked_for = store.by_term("plate", "11A1", None, 10).await.unwrap();
    let listed = store
        .records(&RecordFilter {
            detained: Some(terms.clone()),
            limit: 50,
            ..RecordFilter::default()
        })
        .await
        .unwrap();

    let listed: std::collections::BTreeSet<RecordId> = listed.iter().map(|r| r.id).collect();
    let wanted = looked_for.iter().map(|r| r.id).chain([ids[1]]).collect();
    assert_eq!(listed, wanted);

    let of_one = store.detained(&ids[1..2], &terms).await.unwrap();
    let by: Vec<RecordId> = of_one.iter().map(|line| line.hold).collect();
    assert!(
        by.contains(&RecordId([201; 32])) && !by.contains(&RecordId([203; 32])),
        "{by:?}"
    );
    assert_eq!(store.detained(&[], &terms).await.unwrap(), []);

    store
        .commit(Batch::from(Repair {
            records_gone: gone,
            ..Repair::default()
        }))
        .await
        .unwrap();

    assert!(store.detained(&ids, &terms).await.unwrap().is_empty());
}

pub(super) async fn records(store: &Arc<dyn Store>, about: &[(RecordId, Reference)]) {
    let ids: Vec<RecordId> = about.iter().map(|(id, _)| *id).collect();
    assert_eq!(
        store.record_entries(&ids[2]).await.unwrap()[0]
            .entry
            .reference(),
        about[2].1
    );

    assert_eq!(store.entries_of(&ids).await.unwrap().len(), 5);
    assert_eq!(store.records_by_id(&ids[..2]).await.unwrap().len(), 2);
    assert_eq!(store.terms_of(&ids[..2]).await.unwrap().len(), 4);
    assert_eq!(
        store.by_term("plate", "11A1", None, 3).await.unwrap().len(),
        3
    );
    assert_eq!(store.record_ids().await.unwrap().len(), 5);

    let printed = store.record(&ids[1]).await.unwrap().unwrap().printed;
    assert_eq!(store.records_printed(&printed).await.unwrap(), [ids[1]]);

    // Those nearest in time first, each asker for itself, within its time and up to its limit.
    let ask = |asker, value: &str, between_ms: (i64, i64)| TermQuery {
        asker,
        what: "plate".into(),
        value: value.into(),
        at_ms: (between_ms.0 + between_ms.1) / 2,
        between_ms,
        by_kind: false,
        only_lane: None,
        most: 2,
    };

    let asked = [
        ask(0, "11A1", (900, 3_100)),
        ask(1, "11A1", (-100, 100)),
        ask(2, "none", (0, 9_999)),
    ];

    for by_kind in [false, true] {
        let asked = asked.clone().map(|q| TermQuery { by_kind, ..q });
        let found = store.near(&asked).await.unwrap();
        let hits: Vec<(usize, RecordId, u64, u64)> = found
            .iter()
            .map(|h| (h.asker, h.record, h.place, h.of))
            .collect();
        let wanted = [(0, ids[2], 1, 3), (0, ids[1], 2, 3), (1, ids[0], 1, 1)];
        assert_eq!(
            hits, wanted,
            "nearest to the time that was asked for, and how many there were"
        );
    }

    // From one end of the time on, of one kind.
    let of_lane = |lane: Lane| TermQuery {
        at_ms: 3_100,
        by_kind: true,
        only_lane: Some(lane as u8),
        ..ask(0, "11A1", (900, 3_100))
    };

    let found = store.near(&[of_lane(Lane::Passage)]).await.unwrap();
    let hits: Vec<_> = found.iter().map(|h| (h.record, h.lane)).collect();
    let passage = Some(Lane::Passage as u8);
    assert_eq!(hits, [(ids[3], passage), (ids[2], passage)]);
    assert!(store.near(&[of_lane(Lane::Hold)]).await.unwrap().is_empty());

    let filter = |state: &str, limit| RecordFilter {
        lane: Some(Lane::Passage as u8),
        crossing: Some("TRB".into()),
        state: Some(state.into()),
        term: Some(("container".into(), "C1".into())),
        contested: true,
        limit,
        ..RecordFilter::default()
    };

    let page = store.records(&filter("CONTESTED", 2)).await.unwrap();
    let next = RecordFilter {
        before: Some(page[1].changed),
        ..filter("ADMITTED", 10)
    };
    assert_eq!(
        (page.len(), store.records(&next).await.unwrap().len()),
        (2, 3)
    );
    assert!(
        store
            .records(&filter("EXITED", 10))
            .await
            .unwrap()
            .is_empty()
    );

    // For reading them all they come in the order of their ids, page after page.
    let (mut all, mut after) = (Vec::new(), RecordId([0; 32]));
    loop {
        let page = RecordFilter {
            after: Some(after),
            limit: 2,
            ..RecordFilter::default()
        };

        let page = store.records(&page).await.unwrap();
        let Some(last) = page.last() else { break };
        after = last.id;
        all.extend(page.into_iter().map(|r| r.id));
    }

    assert!(all.len() == 5 && all.is_sorted());

    let changes = store.changes(2, 10).await.unwrap();
    assert_eq!(
        changes.iter().map(|c| c.cursor).collect::<Vec<_>>(),
        [3, 4, 5]
    );

    let digests = store.digests().await.unwrap();
    assert_eq!(
        digests
            .iter()
            .map(|d| (d.1.as_str(), d.2))
            .collect::<Vec<_>>(),
        [("TRB", 5)]
    );
}

pub(super) async fn findings(store: &Arc<dyn Store>, anchor: RecordId) {
    let findings = vec![
        finding("a", anchor, 1, "FIRM", 200),
        finding("b", anchor, 1, "PENDING", 100),
        finding("c", anchor, 3, "FIRM", 50),
    ];

    store
        .commit(Batch::from(FindingChanges {
            changed: findings,
            ..FindingChanges::default()
        }))
        .await
        .unwrap();

    let gone = vec!["c".to_string()];
    let again = FindingRow {
        state: "ASSIGNED".into(),
        assignee: "AU-1".into(),
        ..finding("a", anchor, 1, "FIRM", 200)
    };

    store
        .commit(Batch::from(FindingChanges {
            changed: vec![again],
            gone,
            ..FindingChanges::default()
        }))
        .await
        .unwrap();

    let all = store
        .findings(&FindingFilter {
            limit: 10,
            ..Default::default()
        })
        .await
        .unwrap();

    assert_eq!(
        all.iter().map(|f| f.id.as_str()).collect::<Vec<_>>(),
        ["b", "a"],
        "the oldest first"
    );

    let after = FindingFilter {
        after: Some((1, 100, "b".into())),
        limit: 10,
        ..Default::default()
    };

    assert_eq!(store.findings(&after).await.unwrap().len(), 1);

    let mine = FindingFilter {
        assignee: Some("AU-1".into()),
        until_ms: Some(200),
        limit: 10,
        ..Default::default()
    };

    assert_eq!(store.findings(&mine).await.unwrap().len(), 1);

    let counts = store
        .finding_counts(&FindingFilter::default())
        .await
        .unwrap();
    let count =
        |phase: &str, state: &str| ("R02".to_string(), phase.to_string(), state.to_string(), 1);
    assert_eq!(
        counts,
        [count("FIRM", "ASSIGNED"), count("PENDING", "OPEN")]
    );
    assert_eq!(store.findings_due(i64::MIN, 109).await.unwrap(), []);
    assert_eq!(store.findings_due(109, 110).await.unwrap(), [anchor]);
    assert_eq!(
        store.findings_due(110, i64::MAX).await.unwrap(),
        [],
        "that time has passed before"
    );

    assert_eq!(store.findings_of(&[anchor]).await.unwrap().len(), 2);
    assert_eq!(store.finding("a").await.unwrap().unwrap().assignee, "AU-1");
    asked_with_nul(store).await;
}

/// What nobody can have written is asked for, and is not there: neither engine fails on it.
async fn asked_with_nul(store: &Arc<dyn Store>) {
    let nul = || Some("\0AU".to_string());
    let with = |rule, assignee, crossing, state| FindingFilter {
        rule,
        assignee,
        crossing,
        state,
        limit: 10,
        ..FindingFilter::default()
    };
    let filters = [
        with(nul(), None, None, None),
        with(None, nul(), None, None),
        with(None, None, nul(), None),
        with(None, None, None, nul()),
    ];
    for filter in filters {
        assert_eq!(store.findings(&filter).await.unwrap(), []);
        assert_eq!(store.finding_counts(&filter).await.unwrap(), []);
    }

    let records = RecordFilter {
        crossing: nul(),
        limit: 10,
        ..RecordFilter::default()
    };
    assert_eq!(store.records(&records).await.unwrap(), []);
    assert_eq!(store.finding("a\0").await.unwrap(), None);
    assert_eq!(store.records_printed("TRB\0").await.unwrap(), []);
    let key = store.local(&LocalScope::Import, "k\0").await;
    assert_eq!(key.unwrap(), None);
}

/// Of a record that waits for many entries only what changed is written, and what it waits for is
/// exactly what its newest row says.
pub(super) async fn waits(store: &Arc<dyn Store>, first: &Reference) {
    let at = |seq: u64, leaf: u8| Reference {
        seq,
        leaf: Hash([leaf; 32]),
        ..*first
    };
    let lies = async || {
        let mut rows = store.waiting(10_000).await.unwrap();
        rows.retain(|w| w.record == RecordId([222; 32]));
        let mut all: Vec<_> = rows.into_iter().map(|w| (w.entry, w.missing)).collect();
        all.sort();
        all
    };
    let waiting = async |all: &[(Reference, Option<Reference>)]| {
        let records = vec![RecordRow {
            id: RecordId([222; 32]),
            printed: "TRB-P-222".into(),
            waiting: all.to_vec(),
            ..row(first, 0, &[])
        }];
        let rows = ProjectedRows {
            records,
            ..ProjectedRows::default()
        };
        store.commit(Batch::from(rows)).await.unwrap();
    };

    let many: Vec<_> = (10_000..12_500)
        .map(|seq| (at(seq, 1), Some(at(seq + 1, 2))))
        .collect();
    waiting(&many).await;
    assert_eq!(lies().await, many);

    // One came, one waits for something else now, one waits for nothing that has a name.
    let mut fewer = many[1..].to_vec();
    fewer[0].1 = Some(at(7, 7));
    fewer[1].1 = None;
    fewer.push((at(13_000, 1), None));
    waiting(&fewer).await;
    assert_eq!(lies().await, fewer);

    waiting(&[]).await;
    assert_eq!(lies().await, []);
    store
        .commit(Batch::from(Repair {
            records_gone: vec![RecordId([222; 32])],
            ..Repair::default()
        }))
        .await
        .unwrap();
}
