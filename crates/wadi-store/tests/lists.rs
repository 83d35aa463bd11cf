//! Lists of very many records: each filter, and several together, gives what looking at all rows
//! gives, on both engines. `WADI_LONG=1` draws 100,000 and prints how long each page takes.

#[path = "lists/held.rs"]
mod held;

use held::{detained_by_hand, hold_terms, is_held_through, is_named};
use sqlx::{Connection, PgConnection};
use std::collections::BTreeSet;
use std::{sync::Arc, time::Instant};
use wadi_log::{Hash, Lane, LogKey, RecordId};
use wadi_store::{
    AboutRow, Batch, BornFilter, CaseFilter, ChosenFindings, CourseFilter, EmptiedBefore,
    FindingChanges, FindingFilter, FindingRow, PostgresStore, ProjectedRows, RecordFilter,
    RecordRow, SqliteStore, TemporaryServer,
};

/// Records that a batch writes.
const AT_ONCE: usize = 500;
/// Rows of a page.
const PAGE: u32 = 50;

fn records() -> usize {
    match std::env::var("WADI_LONG") {
        Ok(long) if long == "1" => 100_000,
        _ => 2_000,
    }
}

/// Of every so many, one is rare: the last one drawn first, so that a walk from the newest change
/// has to go through all.
fn one_of<'a>(n: usize, common: &[&'a str], rare: &'a str) -> &'a str {
    match n {
        0..10 => rare,
        _ => common[n % common.len()],
    }
}

fn id(n: usize) -> RecordId {
    let mut id = [0; 32];
    // Ids are hashes: they do not ascend with the changes.
    id[..8].copy_from_slice(&(n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    RecordId(id)
}

/// What a record is known by. Four in a row share a container, three a plate; some name another.
fn terms(n: usize) -> Vec<(String, String)> {
    let mut terms = vec![
        ("plate".to_string(), format!("KA {}", n / 3)),
        ("container".to_string(), format!("C {}", n / 4 % 400)),
    ];
    if n % 12 == 3 {
        // The goods went on to the vehicle that came some time later.
        terms.push(("container".into(), format!("KA {}", n / 3 + 5)));
    }
    if n % 4 == 1 {
        // Every other passage gave up its container, some of them being the entry's own vehicle.
        terms.push(("emptied".into(), format!("C {}", n / 4 % 400)));
    }
    if n.is_multiple_of(50) {
        terms.push(("link".into(), id(n + 7).to_string()));
    }
    if n % 50 == 1 {
        terms.push(("goods".into(), format!("{}+EC", n / 50 % 20)));
    }

    terms
}

/// Holds on some of these records, every other one released, and what they name or look out for.
fn holds() -> Vec<RecordRow> {
    let hold = |n: usize| {
        let term = match n % 4 {
            0 => ("link", id(100 + n * 11).to_string()),
            1 => ("target", format!("KA {}", 60 + n)),
            2 => ("target", format!("{}+EC", n % 20)),
            // Whatever somebody wrote.
            _ => ("link", id(100 + n).to_string().to_uppercase()),
        };
        // Of one type, of two, and of none that anybody knows.
        let types: &[&str] = match n % 5 {
            0 => &["CUSTOMS"],
            1 => &["CUSTOMS", "SECURITY"],
            2 => &["SECURITY"],
            _ => &[],
        };
        let types = types.iter();
        let types = types.map(|of| ("told_type".to_string(), (*of).to_string()));
        RecordRow {
            lane: Lane::Hold as u8,
            open: (n / 4).is_multiple_of(2),
            // Some of what it would hold had left by then.
            born_ms: 100 + (n * 11) as i64,
            terms: types.chain([(term.0.into(), term.1)]).collect(),
            ..record(records() + n)
        }
    };

    (0..160).map(hold).collect()
}

const GIVEN_UP: EmptiedBefore = EmptiedBefore {
    what: "container",
    emptied: "emptied",
    own: "plate",
    after_ms: 40,
};

fn record(n: usize) -> RecordRow {
    let state = one_of(
        n,
        &["ADMITTED", "EXITED", "EXITED CHECK_OPEN"],
        "ADMITTED RED",
    );

    RecordRow {
        id: id(n),
        printed: format!("P-{n}"),
        lane: if n < 10 { 4 } else { 2 + (n % 2) as u8 },
        crossing: one_of(n, &["TRB", "KLX", "NOR"], "HUB").into(),
        state: state.into(),
        open: false,
        contested: n < 10,
        json: "x".repeat(1_200),
        digest: Hash(id(n).0),
        entries: 1,
        at_ms: n as i64,
        born_ms: n as i64,
        terms: terms(n),
        waiting: Vec::new(),
        changed: 0,
    }
}

fn finding(n: usize, anchor: RecordId) -> FindingRow {
    FindingRow {
        id: format!("F-{n}"),
        rule: one_of(n, &["R01", "R02"], "R30").into(),
        severity: 1 + (n % 4) as u8,
        phase: one_of(n, &["FIRM"], "PENDING").into(),
        state: one_of(n, &["OPEN", "CLOSED"], "WAIVED").into(),
        crossing: one_of(n, &["TRB", "KLX"], "HUB").into(),
        assignee: one_of(n, &[""], "ann").into(),
        anchor,
        evidence: "e".repeat(100),
        // The rare ones are the last of their severity.
        at_ms: (records() - n) as i64,
        due_ms: n as i64,
        json: "x".repeat(800),
        disposition: one_of(n, &[""], "true").into(),
        decided_ms: 0,
    }
}

/// What a finding is about: one of seven trucks, an officer, and its anchor.
fn about(f: &FindingRow) -> Vec<AboutRow> {
    let n: usize = f.id.trim_start_matches("F-").parse().unwrap();
    let row = |what: &str, value: String| AboutRow {
        finding: f.id.clone(),
        what: what.into(),
        value,
    };
    vec![
        row("plate", format!("KA {}", n % 7)),
        row("officer", format!("OF-{}", n % 3)),
        row("record", record(n).printed),
    ]
}

/// Cases, and what findings came to, are what looking at all of them gives.
async fn every_case(engine: &str, store: &dyn wadi_store::Store, all: &[FindingRow]) {
    let is_of = |f: &&FindingRow, value: &str| about(f).iter().any(|a| a.value == value);
    let mut filter = CaseFilter {
        what: "plate".into(),
        limit: 3,
        ..CaseFilter::default()
    };
    let mut cases = Vec::new();
    loop {
        let begun = Instant::now();
        let page = store.cases(&filter).await.unwrap();
        println!("{engine} {:?} {} cases", begun.elapsed(), page.len());
        let Some(last) = page.last() else { break };
        filter.after = Some((last.undecided, last.value.clone()));
        cases.extend(page);
    }

    assert_eq!(cases.len(), 7, "{engine}");
    assert!(
        cases.is_sorted_by_key(|c| (-c.undecided, c.value.clone())),
        "{engine}"
    );
    for case in &cases {
        let of_it: Vec<&FindingRow> = all.iter().filter(|f| is_of(f, &case.value)).collect();
        let open = of_it.iter().filter(|f| f.state != "WAIVED");
        assert_eq!(case.findings, of_it.len() as i64, "{engine} {case:?}");
        assert_eq!(case.undecided, open.count() as i64, "{engine} {case:?}");
    }

    let records = store.case_records("plate", "KA 3", 20).await.unwrap();
    assert_eq!(records.len(), 20, "{engine}");
    assert!(records.is_sorted_by_key(|(r, _)| r.born_ms), "{engine}");

    // One that is gone is in no case any more, and is still counted.
    let gone = Batch {
        at_ms: 77,
        findings: FindingChanges {
            gone: vec![all[0].id.clone()],
            ..FindingChanges::default()
        },
        ..Batch::default()
    };
    store.commit(gone).await.unwrap();
    let course = CourseFilter {
        from_ms: 0,
        until_ms: 1,
        limit: 1_000_000,
        ..CourseFilter::default()
    };
    let begun = Instant::now();
    let courses = store.finding_courses(&course).await.unwrap();
    let officers = store.course_officers(&course).await.unwrap();
    println!("{engine} {:?} {} courses", begun.elapsed(), courses.len());
    assert_eq!(
        (courses.len(), officers.len()),
        (all.len(), all.len()),
        "{engine}"
    );
    let of_gone: Vec<_> = courses.iter().filter(|c| c.gone_ms > 0).collect();
    assert_eq!((of_gone.len(), of_gone[0].gone_ms), (1, 77), "{engine}");
    filter.after = None;
    filter.value = Some("KA 0".into());
    let left = store.cases(&filter).await.unwrap()[0].findings;
    assert_eq!(
        left,
        cases.iter().find(|c| c.value == "KA 0").unwrap().findings - 1
    );

    let any_time = CourseFilter {
        from_ms: i64::MIN,
        until_ms: i64::MAX,
        limit: 5,
        ..CourseFilter::default()
    };
    let contested = store.contested_records(&any_time);
    assert!(
        contested.await.unwrap().iter().all(|r| r.contested),
        "{engine}"
    );
}

async fn fill(store: &dyn wadi_store::Store) -> (Vec<RecordRow>, Vec<FindingRow>) {
    let mut records: Vec<RecordRow> = (0..records()).map(record).collect();
    let findings: Vec<FindingRow> = records
        .iter()
        .enumerate()
        .map(|(n, r)| finding(n, r.id))
        .collect();

    records.extend(holds());
    for (some, found) in records
        .chunks(AT_ONCE)
        .zip(findings.chunks(AT_ONCE).chain([&[][..]]))
    {
        let batch = Batch {
            findings: FindingChanges {
                changed: found.to_vec(),
                about: found.iter().flat_map(about).collect(),
                gone: Vec::new(),
            },
            project: ProjectedRows {
                records: some.to_vec(),
                ..ProjectedRows::default()
            },
            ..Batch::default()
        };
        store.commit(batch).await.unwrap();
    }

    (records, findings)
}

fn filters() -> Vec<RecordFilter> {
    let of = |set: fn(&mut RecordFilter)| {
        let mut filter = RecordFilter {
            limit: PAGE,
            ..RecordFilter::default()
        };
        set(&mut filter);
        filter
    };

    vec![
        of(|_| {}),
        of(|f| f.lane = Some(1)),
        of(|f| f.lane = Some(4)),
        of(|f| f.crossing = Some("TRB".into())),
        of(|f| f.crossing = Some("HUB".into())),
        of(|f| f.state = Some("EXITED".into())),
        of(|f| f.state = Some("CHECK_OPEN".into())),
        of(|f| f.state = Some("RED".into())),
        of(|f| f.hold_types = Some(vec!["CUSTOMS".into()])),
        of(|f| {
            f.lane = Some(Lane::Hold as u8);
            f.hold_types = Some(vec!["SECURITY".into(), "CUSTOMS".into()]);
        }),
        of(|f| {
            f.lane = Some(Lane::Hold as u8);
            f.hold_types = Some(Vec::new());
        }),
        of(|f| f.contested = true),
        of(|f| f.before = Some(100)),
        of(|f| f.term = Some(("plate".into(), "KA 7".into()))),
        of(|f| f.detained = Some(hold_terms())),
        of(|f| {
            f.detained = Some(hold_terms());
            f.lane = Some(Lane::Passage as u8);
            f.before = Some(1_500);
        }),
        of(|f| f.after = Some(RecordId([0; 32]))),
        of(|f| {
            f.lane = Some(2);
            f.crossing = Some("NOR".into());
            f.state = Some("CHECK_OPEN".into());
        }),
        of(|f| {
            f.lane = Some(2);
            f.term = Some(("plate".into(), "KA 7".into()));
        }),
    ]
}

/// Whether a record is no hold, or one of these types alone.
fn is_of_types(r: &RecordRow, types: &[String]) -> bool {
    let told = r.terms.iter().filter(|(what, _)| what == "told_type");
    let mut told = told.map(|(_, of)| of).peekable();
    r.lane != Lane::Hold as u8 || told.peek().is_some() && told.all(|of| types.contains(of))
}

/// What looking at all rows gives.
fn by_hand(f: &RecordFilter, all: &[RecordRow]) -> Vec<RecordId> {
    let detained = f.detained.as_ref().map(|_| detained_by_hand(all));
    let passes = |(n, r): &(usize, &RecordRow)| {
        let changed = *n as i64 + 1;
        f.lane.is_none_or(|lane| r.lane == lane)
            && f.crossing.as_ref().is_none_or(|c| r.crossing == *c)
            && f.state
                .as_ref()
                .is_none_or(|s| r.state.split(' ').any(|word| word == s))
            && f.term.as_ref().is_none_or(|t| r.terms.contains(t))
            && f.hold_types.as_ref().is_none_or(|t| is_of_types(r, t))
            && f.before.is_none_or(|before| changed < before)
            && f.after.is_none_or(|after| r.id > after)
            && (r.contested || !f.contested)
            && detained.as_ref().is_none_or(|ids| ids.contains(&r.id))
    };

    let mut ids: Vec<RecordId> = all
        .iter()
        .enumerate()
        .rev()
        .filter(passes)
        .map(|(_, r)| r.id)
        .collect();
    if f.after.is_some() {
        ids.sort();
    }
    ids.truncate(f.limit as usize);
    ids
}

fn finding_filters() -> Vec<FindingFilter> {
    let of = |set: fn(&mut FindingFilter)| {
        let mut filter = FindingFilter {
            limit: PAGE,
            ..FindingFilter::default()
        };
        set(&mut filter);
        filter
    };

    vec![
        of(|_| {}),
        of(|f| f.rule = Some("R30".into())),
        of(|f| f.severity = Some(3)),
        of(|f| f.crossing = Some("HUB".into())),
        of(|f| f.phase = Some("PENDING".into())),
        of(|f| f.state = Some("WAIVED".into())),
        of(|f| f.assignee = Some("ann".into())),
        of(|f| f.until_ms = Some(40)),
        of(|f| f.state = Some("UNDECIDED".into())),
        of(|f| f.about = Some(("plate".into(), "KA 3".into()))),
        of(|f| f.ids = Some(ChosenFindings::Only(vec!["F-3".into(), "F-4".into()]))),
        of(|f| f.ids = Some(ChosenFindings::Without(vec!["F-3".into()]))),
        of(|f| f.disposition = Some("true".into())),
        of(|f| {
            f.after = Some((2, 9, "F-9".into()));
            f.rule = Some("R02".into());
        }),
    ]
}

fn findings_by_hand(f: &FindingFilter, all: &[FindingRow]) -> Vec<String> {
    let order = |r: &FindingRow| (r.severity, r.at_ms, r.id.clone());
    let passes = |r: &&FindingRow| {
        f.rule.as_ref().is_none_or(|rule| r.rule == *rule)
            && f.severity.is_none_or(|severity| r.severity == severity)
            && f.crossing.as_ref().is_none_or(|c| r.crossing == *c)
            && f.phase.as_ref().is_none_or(|phase| r.phase == *phase)
            && f.state.as_ref().is_none_or(|state| match state.as_str() {
                "UNDECIDED" => r.state != "WAIVED",
                state => r.state == state,
            })
            && f.disposition
                .as_ref()
                .is_none_or(|was| r.disposition == *was)
            && f.about
                .as_ref()
                .is_none_or(|(_, value)| about(r).iter().any(|a| a.value == *value))
            && match &f.ids {
                Some(ChosenFindings::Only(ids)) => ids.contains(&r.id),
                Some(ChosenFindings::Without(ids)) => !ids.contains(&r.id),
                None => true,
            }
            && f.assignee.as_ref().is_none_or(|a| r.assignee == *a)
            && f.until_ms.is_none_or(|until| r.at_ms <= until)
            && f.after.as_ref().is_none_or(|after| order(r) > *after)
    };

    let mut found: Vec<&FindingRow> = all.iter().filter(passes).collect();
    found.sort_by_key(|r| order(r));
    found.truncate(f.limit as usize);
    found.into_iter().map(|r| r.id.clone()).collect()
}

/// A crossing's day, its counts and its open holds, as looking at all rows gives them.
async fn every_day(engine: &str, store: &dyn wadi_store::Store, all: &[RecordRow]) {
    for lane in [None, Some(2), Some(3)] {
        let day = BornFilter {
            crossing: "TRB".into(),
            lane,
            from_ms: 1_000,
            until_ms: 1_900,
            hold_types: None,
            limit: PAGE,
        };
        let mut of_day: Vec<&RecordRow> = all
            .iter()
            .filter(|r| r.crossing == "TRB" && (1_000..1_900).contains(&r.born_ms))
            .filter(|r| lane.is_none_or(|lane| r.lane == lane))
            .collect();
        of_day.sort_by_key(|r| std::cmp::Reverse((r.born_ms, r.id)));

        let counts = store.born_counts(&day).await.unwrap();
        let counted: i64 = counts.iter().map(|(_, _, count)| count).sum();
        assert_eq!(counted, of_day.len() as i64, "{engine} {day:?}");

        let listed = store.born(&day).await.unwrap();
        let listed: Vec<RecordId> = listed.iter().map(|r| r.id).collect();
        of_day.truncate(PAGE as usize);
        let by_hand: Vec<RecordId> = of_day.iter().map(|r| r.id).collect();
        assert_eq!(listed, by_hand, "{engine} {day:?}");
    }

    let open = store.open_holds(["TRB", "HUB"], 500).await.unwrap();
    let by_hand = all.iter().filter(|r| {
        r.open && r.lane == Lane::Hold as u8 && matches!(r.crossing.as_str(), "TRB" | "HUB")
    });
    assert_eq!(open.len(), by_hand.count().min(500), "{engine}");
}

/// Asked of each record, the same are held as those that are listed, and by what holds them.
async fn every_hold(engine: &str, store: &dyn wadi_store::Store, all: &[RecordRow]) {
    let asked: Vec<RecordId> = all.iter().take(2_000).map(|r| r.id).collect();
    let begun = Instant::now();
    let held = store.detained(&asked, &hold_terms()).await.unwrap();
    println!("{engine} {:?} holds on {}", begun.elapsed(), asked.len());

    let by_id = |id: &RecordId| all.iter().find(|r| r.id == *id).unwrap();
    let mut itself = 0;
    for line in &held {
        let (r, hold) = (by_id(&line.record), by_id(&line.hold));
        assert!(hold.open, "{engine} {line:?}");
        let Some(printed) = &line.through else {
            itself += 1;
            assert!(is_named(hold, r), "{engine} {line:?}");
            continue;
        };

        let one = all.iter().find(|r| r.printed == *printed).unwrap();
        assert!(!is_named(hold, r), "{engine} {line:?}");
        assert!(is_held_through(all, hold, one, r), "{engine} {line:?}");
    }

    let ids: BTreeSet<RecordId> = held.iter().map(|line| line.record).collect();
    let mut wanted = detained_by_hand(all);
    wanted.retain(|id| asked.contains(id));
    assert_eq!(ids, wanted, "{engine}");
    assert!(itself > 10 && held.len() - itself > 10, "{engine}");

    let begun = Instant::now();
    store
        .detained(&asked[1_000..1_001], &hold_terms())
        .await
        .unwrap();
    println!("{engine} {:?} holds on one", begun.elapsed());
}

async fn every_list(
    engine: &str,
    store: &dyn wadi_store::Store,
    (records, findings): (Vec<RecordRow>, Vec<FindingRow>),
) {
    for filter in filters() {
        // Once for the cache, once for the clock.
        store.records(&filter).await.unwrap();
        let begun = Instant::now();
        let page = store.records(&filter).await.unwrap();
        println!(
            "{engine} {:?} {} of {filter:?}",
            begun.elapsed(),
            page.len()
        );

        let ids: Vec<RecordId> = page.iter().map(|r| r.id).collect();
        assert_eq!(ids, by_hand(&filter, &records), "{engine} {filter:?}");
    }

    every_hold(engine, store, &records).await;

    for filter in finding_filters() {
        store.findings(&filter).await.unwrap();
        let begun = Instant::now();
        let page = store.findings(&filter).await.unwrap();
        println!(
            "{engine} {:?} {} of {filter:?}",
            begun.elapsed(),
            page.len()
        );

        let ids: Vec<String> = page.into_iter().map(|r| r.id).collect();
        assert_eq!(
            ids,
            findings_by_hand(&filter, &findings),
            "{engine} {filter:?}"
        );

        let begun = Instant::now();
        let counts = store.finding_counts(&filter).await.unwrap();
        println!("{engine} {:?} counted {}", begun.elapsed(), counts.len());
    }

    every_case(engine, store, &findings).await;
    every_day(engine, store, &records).await;

    store.close().await;
}

fn node() -> wadi_log::NodeId {
    LogKey::from_seed(&[9; 32]).node()
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_what_looking_at_all_rows_gives_on_sqlite() {
    let dir = tempfile::tempdir().unwrap();
    let store: Arc<SqliteStore> = SqliteStore::open(dir.path(), node()).await.unwrap();
    let filled = fill(store.as_ref()).await;
    every_list("sqlite", store.as_ref(), filled).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_what_looking_at_all_rows_gives_on_postgres() {
    let dir = tempfile::tempdir().unwrap();
    let server = TemporaryServer::start(&dir.path().join("pg")).expect("PostgreSQL is installed");
    let url = server.create("lists").unwrap();
    let store = PostgresStore::open(&url, dir.path(), node(), || {})
        .await
        .unwrap();
    let filled = fill(store.as_ref()).await;

    // The server does so by itself, some time after so many rows.
    let mut conn = PgConnection::connect(&url).await.unwrap();
    sqlx::raw_sql("VACUUM ANALYZE")
        .execute(&mut conn)
        .await
        .unwrap();
    every_list("postgres", store.as_ref(), filled).await;
}
