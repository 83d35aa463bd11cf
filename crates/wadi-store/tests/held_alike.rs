//! What holds hold, of drawn records of a few trucks that come again and again: both engines tell
//! the same, asked of each record and listed, and beside each other two trips are told apart.

use std::collections::BTreeSet;
use wadi_log::{Hash, Lane, LogKey, NodeId, RecordId};
use wadi_store::prelude::*;
use wadi_store::{
    Batch, CameAgain, CarriedWithin, Detention, EmptiedBefore, HoldTerms, MovedWithin,
    PostgresStore, ProjectedRows, RecordFilter, RecordRow, SqliteStore, Store, StoredOn,
    TemporaryServer,
};

/// Records of one drawing.
const RECORDS: usize = 120;

fn hold_terms() -> HoldTerms {
    let carried = |what, within_ms| CarriedWithin { what, within_ms };
    let moved = |from, to, said, within_ms| MovedWithin {
        from,
        to,
        said,
        within_ms,
    };
    HoldTerms {
        sought: vec!["plate", "goods"],
        carried: vec![carried("container", 300), carried("plate", 120)],
        moved: vec![
            moved("moved_to", "plate", Some("moved_ms"), 120),
            moved("container", "container", None, 120),
            moved("stay", "stay", None, 300),
        ],
        emptied: Some(EmptiedBefore {
            what: "container",
            emptied: "emptied",
            own: "plate",
            after_ms: 40,
        }),
        again: Some(CameAgain {
            what: "plate",
            own: ["plate", "container"],
            within_ms: 120,
        }),
        stored: Some(StoredOn {
            came_off: "came_off",
            came_off_by: "came_off_by",
            stored: "stored",
            stored_by: "stored_by",
            declared: "packages",
        }),
    }
}

/// Numbers that look drawn, the same every time.
struct Drawn(u64);

impl Drawn {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) as usize % bound
    }

    fn one_in(&mut self, many: usize) -> bool {
        self.below(many) == 0
    }
}

fn id(n: usize) -> RecordId {
    let mut id = [0; 32];
    id[..8].copy_from_slice(&(n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    RecordId(id)
}

/// What a record of a lane is known by.
fn terms(drawn: &mut Drawn, lane: Lane, born_ms: i64) -> BTreeSet<(String, String)> {
    let mut terms = BTreeSet::new();
    let mut put = |what: &str, value: String| {
        terms.insert((what.to_string(), value));
    };
    if lane == Lane::Hold {
        for _ in 0..=drawn.below(2) {
            put("link", id(drawn.below(RECORDS)).to_string());
        }
        if drawn.one_in(8) {
            put("target", format!("KA{}", drawn.below(8)));
        }
        if drawn.one_in(2) {
            put("stored", "10".into());
            put("stored_by", format!("OF-{}", drawn.below(3)));
        }
        return terms;
    }

    put("plate", format!("KA{}", drawn.below(8)));
    if drawn.one_in(2) {
        let container = format!("C{}", drawn.below(10));
        if lane == Lane::Passage && drawn.one_in(2) {
            put("emptied", container.clone());
        }
        put("container", container);
    }
    if drawn.one_in(7) {
        put("link", id(drawn.below(RECORDS)).to_string());
    }

    if lane == Lane::Customs {
        if !drawn.one_in(4) {
            put("packages", "10".into());
        }
        return terms;
    }
    if drawn.one_in(5) {
        put("moved_to", format!("KA{}", drawn.below(8)));
        put("moved_ms", (born_ms + drawn.below(100) as i64).to_string());
    }
    if drawn.one_in(4) {
        put("stay", format!("TRB KA{}", drawn.below(8)));
    }
    if drawn.one_in(2) {
        put("came_off", ["5", "10"][drawn.below(2)].into());
        put("came_off_by", format!("OF-{}", drawn.below(3)));
    }
    terms
}

fn record(drawn: &mut Drawn, n: usize) -> RecordRow {
    let lane = [Lane::Hold, Lane::Customs, Lane::Passage, Lane::Passage][drawn.below(4)];
    let states: &[&str] = match lane {
        Lane::Hold => &["PLACED"],
        Lane::Customs => &["LODGED", "ASSESSED", "CANCELLED"],
        _ => &["ADMITTED", "EXITED", "TURNED_BACK", "EXITED CHECK_OPEN"],
    };
    let born_ms = drawn.below(400) as i64;
    RecordRow {
        id: id(n),
        printed: format!("P-{n}"),
        lane: lane as u8,
        crossing: "TRB".into(),
        state: states[drawn.below(states.len())].into(),
        open: lane == Lane::Hold && !drawn.one_in(4),
        contested: false,
        json: "{}".into(),
        digest: Hash(id(n).0),
        entries: 1,
        at_ms: born_ms + drawn.below(100) as i64,
        born_ms,
        terms: terms(drawn, lane, born_ms).into_iter().collect(),
        waiting: Vec::new(),
        changed: 0,
    }
}

/// What each of these is held by, and what is listed as held.
async fn told(store: &dyn Store, all: &[RecordRow]) -> (Vec<Detention>, BTreeSet<RecordId>) {
    let batch = Batch {
        project: ProjectedRows {
            records: all.to_vec(),
            ..ProjectedRows::default()
        },
        ..Batch::default()
    };
    store.commit(batch).await.unwrap();

    let asked: Vec<RecordId> = all.iter().map(|r| r.id).collect();
    let held = store.detained(&asked, &hold_terms()).await.unwrap();
    let board = RecordFilter {
        detained: Some(hold_terms()),
        limit: 500,
        ..RecordFilter::default()
    };
    let listed = store.records(&board).await.unwrap();
    (held, listed.into_iter().map(|r| r.id).collect())
}

fn node() -> NodeId {
    LogKey::from_seed(&[9; 32]).node()
}

#[tokio::test(flavor = "multi_thread")]
async fn both_engines_tell_the_same_of_trucks_that_come_again() {
    let dir = tempfile::tempdir().unwrap();
    let server = TemporaryServer::start(&dir.path().join("pg")).expect("PostgreSQL is installed");
    let sqlite = SqliteStore::open(dir.path(), node()).await.unwrap();
    let url = server.create("held").unwrap();
    let postgres = PostgresStore::open(&url, dir.path(), node(), || {})
        .await
        .unwrap();

    let mut lines = 0;
    for seed in 0..12 {
        let mut drawn = Drawn(seed);
        let all: Vec<RecordRow> = (0..RECORDS).map(|n| record(&mut drawn, n)).collect();
        let (held, listed) = told(sqlite.as_ref(), &all).await;
        let by_record: BTreeSet<RecordId> = held.iter().map(|line| line.record).collect();
        assert_eq!(by_record, listed, "asked and listed, {seed}");
        assert_eq!(
            told(postgres.as_ref(), &all).await,
            (held, listed),
            "{seed}"
        );
        lines += by_record.len();
    }
    assert!(lines > 100, "{lines}");

    sqlite.close().await;
    postgres.close().await;
}

/// A record of a story, by its number, that is there and open.
fn told_of(lane: Lane, n: usize, terms: &[(&str, &str)]) -> RecordRow {
    let mut of = record(&mut Drawn(0), n);
    of.lane = lane as u8;
    of.state = "ADMITTED".into();
    of.open = true;
    (of.at_ms, of.born_ms) = (10, 10);
    let terms = terms.iter();
    of.terms = terms.map(|(w, v)| (w.to_string(), v.to_string())).collect();
    of
}

/// A hold (0) that links such records, on which 200 packages lie in a store, and two entries: the
/// first (1) declares 200, the second (2) no number. All came off the truck of the first (3), one
/// package off that of the second (4); two others (5, 6) have half of the first each.
fn stored_on(links: &[usize], halves: bool) -> Vec<RecordRow> {
    let links: Vec<String> = links.iter().map(|n| id(*n).to_string()).collect();
    let mut on_hold = vec![("stored", "200"), ("stored_by", "OF-3")];
    on_hold.extend(links.iter().map(|link| ("link", link.as_str())));
    let entry = id(1).to_string();

    let of_first = ("link", entry.as_str());
    let by = ("came_off_by", "OF-2");
    let mut all = vec![
        told_of(Lane::Hold, 0, &on_hold),
        told_of(
            Lane::Customs,
            1,
            &[("plate", "A"), ("container", "C1"), ("packages", "200")],
        ),
        told_of(Lane::Customs, 2, &[("plate", "B")]),
        told_of(Lane::Passage, 4, &[("plate", "B"), ("came_off", "1"), by]),
    ];
    if halves {
        let half = ("came_off", "100");
        all.push(told_of(Lane::Passage, 5, &[("container", "C1"), half, by]));
        all.push(told_of(Lane::Passage, 6, &[of_first, half, by]));
    } else {
        let whole = ("came_off", "200");
        all.push(told_of(Lane::Passage, 3, &[("plate", "A"), whole, by]));
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lies_in_a_store_frees_no_truck_of_other_goods() {
    let dir = tempfile::tempdir().unwrap();
    let server = TemporaryServer::start(&dir.path().join("pg")).expect("PostgreSQL is installed");

    // What the hold links, whether two trucks brought half each, and what is held.
    let stories: [(&[usize], bool, &[usize]); 5] = [
        (&[1], false, &[1]),
        (&[1, 2], false, &[1, 2, 3, 4]),
        (&[1, 4], false, &[1, 4]),
        (&[1, 3], false, &[1]),
        (&[1, 5, 6], true, &[1]),
    ];
    for (n, (links, halves, held)) in stories.into_iter().enumerate() {
        let all = stored_on(links, halves);
        let place = dir.path().join(format!("story-{n}"));
        std::fs::create_dir(&place).unwrap();
        let sqlite = SqliteStore::open(&place, node()).await.unwrap();
        let url = server.create(&format!("story_{n}")).unwrap();
        let postgres = PostgresStore::open(&url, &place, node(), || {})
            .await
            .unwrap();

        let held: BTreeSet<RecordId> = held.iter().map(|n| id(*n)).collect();
        let stores: [&dyn Store; 2] = [sqlite.as_ref(), postgres.as_ref()];
        for store in stores {
            let (asked, listed) = told(store, &all).await;
            let asked: BTreeSet<RecordId> = asked.iter().map(|line| line.record).collect();
            assert_eq!((&asked, &listed), (&held, &held), "{links:?}");
        }

        sqlite.close().await;
        postgres.close().await;
    }
}
