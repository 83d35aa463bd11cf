//! Small records made of bytes, whatever the bytes: what no honest node would write is among them,
//! for what peers hand over is anybody's. Used by the tests of this crate and by the fuzz target
//! beside it.

use serde_json::{Value as Json, json};
use std::{collections::BTreeMap, sync::Arc};
use wadi_log::{
    Change, Common, Crossing, Epoch, Hash, Lane, LogId, LogVerdict, NodeId, Put, RecordId,
    Reference, Role, Value,
};
use wadi_record::{
    Author, Department, Field, Judge, JudgedChange, Officer, Policy, Record, Verdict, read_saved,
    state, terms,
};

/// Choices out of bytes; the first one of each kind where they have run out.
struct Choices<'a> {
    bytes: std::slice::Iter<'a, u8>,
}

impl Choices<'_> {
    fn below(&mut self, n: usize) -> usize {
        self.bytes.next().map_or(0, |b| usize::from(*b) % n)
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 1
    }

    fn of<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())]
    }
}

/// A record's entries in the order in which they come: verdicts that change, and repeats, among
/// them.
pub struct Drawn {
    /// The record.
    pub id: RecordId,
    /// What comes, and whether somebody looks at the record then.
    pub steps: Vec<(JudgedChange, bool)>,
}

struct Place {
    log: usize,
    reference: Reference,
}

const OFFICERS: [(&str, Department, bool); 5] = [
    ("of-port", Department::Port, false),
    ("of-vet", Department::Vet, false),
    ("of-vet-2", Department::Vet, false),
    ("of-cus", Department::Cus, true),
    ("of-hub", Department::Hub, true),
];

/// Reads a record out of bytes.
pub fn drawn(bytes: &[u8]) -> Drawn {
    let mut c = Choices {
        bytes: bytes.iter(),
    };
    let lane = c.of(&[Lane::Passage, Lane::Hold, Lane::Customs]);
    let authors = authors(lane);
    let places = places(&mut c, &authors);

    // Mostly the first entry is the first one of its log, too.
    let first = if c.one_in(4) {
        c.below(places.len())
    } else {
        0
    };

    let id = RecordId::of_first(&places[first].reference);

    let judges = judges();
    let mut entries: Vec<JudgedChange> = Vec::new();
    for (n, place) in places.iter().enumerate() {
        let said = entry(&mut c, lane, &places, n, place, (n != first).then_some(id));
        let judge = judges[if c.one_in(8) { 1 } else { 0 }].clone();
        entries.push(JudgedChange {
            judge: Judge {
                author: authors[place.log].1.clone(),
                ..judge
            },
            ..said
        });
    }

    // Here and there a first entry that never comes.
    if entries.len() > 1 && c.one_in(12) {
        entries.remove(first);
    }

    Drawn {
        id,
        steps: steps(&mut c, entries, &judges),
    }
}

/// Logs that may speak of a record of Traibeel's: two epochs of its node, another node of it, the
/// hub, a neighbour, a log of another crossing and one of another lane.
fn authors(lane: Lane) -> Vec<(LogId, Author)> {
    let other = if lane == Lane::Hold {
        Lane::Passage
    } else {
        Lane::Hold
    };

    [
        (1, 1, Role::Crossing, "TRB", lane, "TRB"),
        (1, 2, Role::Crossing, "TRB", lane, "TRB"),
        (3, 3, Role::Hub, "HUB", lane, "TRB"),
        (2, 4, Role::Crossing, "TRB", lane, "TRB"),
        (4, 5, Role::Crossing, "QAM", lane, "TRB"),
        (3, 6, Role::Hub, "HUB", lane, "QAM"),
        (3, 7, Role::Hub, "HUB", other, "TRB"),
    ]
    .into_iter()
    .map(|(node, epoch, role, at, lane, of)| {
        let crossing = |code: &str| code.parse::<Crossing>().expect("a code");
        let node = NodeId([node; 16]);
        let log = LogId {
            node,
            epoch: Epoch([epoch; 8]),
            lane,
            crossing: crossing(of),
        };

        (
            log,
            Author {
                node,
                name: format!("n{epoch}"),
                role,
                crossing: Some(crossing(at)),
            },
        )
    })
    .collect()
}

/// Places in logs, in no order: with gaps, and with two entries at one position, as on two
/// branches.
fn places(c: &mut Choices<'_>, authors: &[(LogId, Author)]) -> Vec<Place> {
    let busy = 1 + c.below(3);
    let count = 2 + c.below(8);
    let is_calm = c.one_in(2);
    let mut out: Vec<Place> = Vec::new();

    for n in 0..count {
        let log = if c.one_in(10) {
            c.below(authors.len())
        } else {
            c.below(busy)
        };

        let seq = if n > 0 && !is_calm && c.one_in(3) {
            c.below(6) as u64
        } else {
            n as u64
        };

        let leaf = wadi_log::leaf_hash(&[n as u8, c.below(4) as u8]);
        let reference = Reference {
            log: authors[log].0,
            seq,
            leaf,
        };

        out.push(Place { log, reference });
    }

    out
}

/// What an entry is based on: entries before and after it, of its own log and of others, itself,
/// and what nobody has.
fn based_on(c: &mut Choices<'_>, places: &[Place], own: usize) -> Vec<Reference> {
    let mut out = Vec::new();
    for _ in 0..c.below(4) {
        let any = &places[c.below(places.len())];
        let is_of_other = any.log != places[own].log;
        out.push(match c.below(16) {
            0 => Reference {
                leaf: Hash([9; 32]),
                ..any.reference
            },
            1 => Reference {
                leaf: Hash([9; 32]),
                seq: c.below(9) as u64,
                ..places[own].reference
            },
            2 => places[own].reference,
            3 => any.reference,
            4..=7 if is_of_other => any.reference,
            _ => places[c.below(own.max(1))].reference,
        });
    }

    out.sort();
    out.dedup();
    out
}

fn entry(
    c: &mut Choices<'_>,
    lane: Lane,
    places: &[Place],
    n: usize,
    place: &Place,
    record: Option<RecordId>,
) -> JudgedChange {
    // Here and there another first entry, or one that is based on something all the same.
    let is_first = record.is_none() || c.one_in(24);
    let based_on = if is_first && !c.one_in(8) {
        Vec::new()
    } else {
        based_on(c, places, n)
    };

    let (officer, department, device) = match c.below(8) {
        0 => ("", "", "GATE-1"),
        1 => ("stranger", "PORT", ""),
        2 => ("of-hub", "HUB", ""),
        3 => ("of-cus", "CUS", ""),
        4 | 5 => ("of-vet", "VET", ""),
        _ => ("of-port", "PORT", ""),
    };

    let common = Common {
        wall_ms: match c.below(66) {
            64 => i64::MIN,
            65 => i64::MAX,
            minutes => 60_000 * minutes as i64,
        },
        officer: officer.into(),
        department: department.into(),
        device: device.into(),
        ..Default::default()
    };

    let change = Change {
        record: record.filter(|_| !is_first),
        based_on,
        puts: puts(c, lane),
        events: (0..c.of(&[0, 1, 1, 1, 2]))
            .map(|_| event(c, lane, places))
            .collect(),
    };

    JudgedChange {
        reference: place.reference,
        common,
        change,
        verdict: verdict(c),
        judge: judges()[0].clone(),
    }
}

fn verdict(c: &mut Choices<'_>) -> LogVerdict {
    if c.one_in(6) {
        LogVerdict::Quarantined
    } else {
        LogVerdict::Counts
    }
}

fn puts(c: &mut Choices<'_>, lane: Lane) -> Vec<Put> {
    let names: &[&str] = match lane {
        Lane::Hold => &["commodity", "due_at_ms", "target.term", "type"],
        Lane::Customs => &["declarant", "goods.1.hs_code", "invoice_minor", "note"],
        _ => &["container.1", "note", "vehicle.plate", "vehicle.plate_raw"],
    };

    let mut puts = BTreeMap::new();
    for _ in 0..c.of(&[0, 1, 1, 2, 3]) {
        let value = match c.below(6) {
            0 => Value::Null,
            1 => Value::Int(7),
            2 => Value::Text("VETERINARY".into()),
            n => Value::Text(format!("0803.{n}0")),
        };

        puts.insert(c.of(names).to_string(), value);
    }

    puts.into_iter()
        .map(|(key, value)| Put { key, value })
        .collect()
}

fn event(c: &mut Choices<'_>, lane: Lane, places: &[Place]) -> String {
    let named = places[c.below(places.len())].reference.event_id(c.below(2));
    let with = |kind: &str, mut members: Json| {
        members["type"] = kind.into();
        serde_json_canonicalizer::to_string(&members).expect("it serialises")
    };

    match (lane, c.below(10)) {
        (_, 0) => with("handed_over", json!({"to": "QAM"})),
        (_, 1) => with("link", json!({"record": "TRB-P-1", "why": "same truck"})),
        (_, 2) => "no event".into(),
        (Lane::Hold, 3) => with(
            "hold.placed",
            json!({"type_of_hold": "VETERINARY", "legal_basis": "law"}),
        ),
        (Lane::Hold, 4) => with("rad.alarm", json!({"lane": 1})),
        (Lane::Hold, 5) => with("rejected", json!({"reason": "r"})),
        (Lane::Hold, 6) => with("destroyed", json!({"method": "burnt", "witness": "w"})),
        (Lane::Hold, 7) => with(
            "released",
            json!({"holds": [named], "second_officer": "of-vet-2"}),
        ),
        (Lane::Hold, n) => {
            let outcome = if n == 8 {
                "satisfactory"
            } else {
                "unsatisfactory"
            };

            let attested = json!({
                "sample": "S",
                "result": "r",
                "outcome": outcome,
                "attested_by": "of-vet-2",
                "attester_department": "VET",
            });
            with(c.of(&["result.issued", "result.amended"]), attested)
        }
        (Lane::Customs, 3 | 4) => with("assessed", json!({"currency": "IQD", "duty_minor": 4})),
        (Lane::Customs, 5) => with("lane.assigned", json!({"lane": "RED"})),
        (Lane::Customs, 6) => with("lane.lowered", json!({"lane": "GREEN", "reason": "r"})),
        (Lane::Customs, 7) => with("queried", json!({"question": "q"})),
        (Lane::Customs, 8) => with("query.answered", json!({"answer": "a", "query": named})),
        (Lane::Customs, _) => with(
            "paid",
            json!({"amount_minor": 4, "currency": "IQD", "receipt": "R"}),
        ),
        (_, 3) => with("gate.in", json!({"gate": "G", "read": "R"})),
        (_, 4) => with("gate.out", json!({"gate": "G", "read": "R"})),
        (_, 5) => with("cleared", json!({})),
        (_, 6) => with("check.opened", json!({"check": "weight"})),
        (_, 7) => with("check.closed", json!({"check": named})),
        (_, _) => with("diverted", json!({"to": "QAM"})),
    }
}

/// Two sets of control entries by which an entry may be judged: with the officers, and without some
/// of them.
fn judges() -> [Judge; 2] {
    let registered = |skip: usize| {
        let officers = OFFICERS
            .into_iter()
            .skip(skip)
            .map(|(name, department, supervisor)| {
                let officer = Officer {
                    department: Some(department),
                    crossing: None,
                    supervisor,
                    revoked: false,
                    keys: Default::default(),
                };

                (name.to_string(), officer)
            });

        Arc::new(officers.collect::<BTreeMap<_, _>>())
    };

    let author = Author {
        node: NodeId([0; 16]),
        name: String::new(),
        role: Role::Observer,
        crossing: None,
    };

    let policy = Arc::new(Policy::default());
    [0, 3].map(|skip| Judge {
        author: author.clone(),
        policy: policy.clone(),
        officers: registered(skip),
        tokens: Default::default(),
    })
}

/// An order of arrival, with repeats, cuts, admissions and officers who turn out to be others.
fn steps(
    c: &mut Choices<'_>,
    mut entries: Vec<JudgedChange>,
    judges: &[Judge; 2],
) -> Vec<(JudgedChange, bool)> {
    for n in (1..entries.len()).rev() {
        entries.swap(n, c.below(n + 1));
    }

    let mut steps: Vec<(JudgedChange, bool)> = Vec::new();
    for said in entries {
        steps.push((said, !c.one_in(3)));
        if !c.one_in(4) {
            continue;
        }

        let mut again = steps[c.below(steps.len())].0.clone();
        match c.below(3) {
            0 => {}
            1 => again.judge.officers = c.of(&[0, 1].map(|n| &judges[n].officers)).clone(),
            _ => {
                again.verdict = if c.one_in(2) {
                    LogVerdict::Counts
                } else {
                    LogVerdict::Quarantined
                }
            }
        }

        steps.push((again, !c.one_in(3)));
    }

    steps
}

/// Everything that a record shows.
pub fn shown(record: &Record) -> Vec<String> {
    let rows = record
        .rows()
        .map(|(said, row)| format!("{} {row:?}", said.reference))
        .collect::<Vec<_>>()
        .join("\n");

    vec![
        record.json().to_string(),
        state(record).line(),
        format!("{:?}", record.digest()),
        rows,
        record.blame_json().to_string(),
        format!("{:?}", terms(record)),
    ]
}

/// Holds what the saved document says, read by Automerge, against what the record says of its
/// fields. Returns the hashes of its heads.
pub fn check_saved(record: &Record) -> Vec<[u8; 32]> {
    let saved = read_saved(&record.save()).expect("a saved document reads");
    assert_eq!(saved.heads.len(), record.heads().len());

    let mut names: Vec<&String> = saved
        .values
        .keys()
        .filter(|k| !k.starts_with("ev."))
        .collect();

    names.sort();
    assert_eq!(names, record.field_names().iter().collect::<Vec<_>>());

    for name in names {
        let mut values = saved.values[name].clone();
        match record.field(name).expect("it was put") {
            Field::Settled(value) => assert!(
                values.iter().all(|v| *v == value),
                "{name}: {values:?} is {value:?}"
            ),
            Field::Contested(claims) => {
                let mut claimed: Vec<Value> = claims.into_iter().map(|c| c.value).collect();
                values.sort();
                claimed.sort();
                assert_eq!(values, claimed, "{name}");
            }
        }
    }

    saved.heads
}

/// Where another verdict is told on one entry, the digest differs if the document's heads, as
/// Automerge hashes them, do, and not otherwise.
fn check_digest(record: &Record, heads: &[[u8; 32]]) {
    let mut rows: Vec<JudgedChange> = record.rows().map(|(said, _)| said.clone()).collect();
    for n in 0..rows.len() {
        let told = rows[n].verdict;
        rows[n].verdict = match told {
            LogVerdict::Counts => LogVerdict::Quarantined,
            _ => LogVerdict::Counts,
        };

        let other = Record::build(record.id(), rows.clone()).expect("there is an entry");
        rows[n].verdict = told;

        let is_same = check_saved(&other) == heads;
        assert_eq!(other.digest() == record.digest(), is_same);
    }
}

/// What of a record's kinds of entries was there, to tell that they are.
#[derive(Default, Debug)]
pub struct Met {
    /// Entries based on what their own log says later.
    pub own_later: usize,
    /// Entries through which logs lean on each other in a circle.
    pub leaning: usize,
    /// Entries that wait.
    pub waiting: usize,
    /// Records with contested fields.
    pub contested: usize,
    /// Values put without the right to.
    pub refused_puts: usize,
    /// Records whose first entry is not held.
    pub without_first: usize,
}

/// Adds the entries one by one and holds the record against one built of the same entries whole.
pub fn add_equals_build(bytes: &[u8], met: &mut Met) {
    let Drawn { id, steps } = drawn(bytes);
    let mut rows: BTreeMap<Reference, JudgedChange> = BTreeMap::new();
    let mut record: Option<Record> = None;
    for (said, looks) in steps {
        rows.insert(said.reference, said.clone());
        match &mut record {
            None => record = Record::build(id, [said]),
            Some(record) => record.add(said),
        }

        if looks {
            record.as_ref().expect("it has an entry").heads();
        }
    }

    let record = record.expect("there is an entry");
    let whole = Record::build(id, rows.into_values()).expect("there is an entry");
    assert_eq!(shown(&record), shown(&whole));

    if bytes.first().is_some_and(|b| b % 8 == 0) {
        let heads = check_saved(&record);
        assert_eq!(check_saved(&whole), heads);
        if bytes.first().is_some_and(|b| b % 64 == 0) {
            check_digest(&record, &heads);
        }
    }

    let circles = whole.rows().filter_map(|(_, row)| match row {
        Verdict::Refused(r) if r.code == "circle" => Some(r.why.contains("lean on each other")),
        _ => None,
    });
    for is_leaning in circles {
        met.leaning += usize::from(is_leaning);
        met.own_later += usize::from(!is_leaning);
    }

    met.waiting += whole
        .rows()
        .filter(|(_, row)| matches!(row, Verdict::Waits(_)))
        .count();
    met.contested += usize::from(!whole.contested().is_empty());
    met.refused_puts += whole.refused_puts().count();
    met.without_first += usize::from(whole.first().is_none());
}
