//! What it costs to add to a record: counted in entries judged and questions asked, not in seconds.

use serde_json::json;
use std::{collections::BTreeMap, sync::Arc};
use wadi_log::*;
use wadi_record::*;

/// Entries of one record, made by hand.
struct Maker {
    lane: Lane,
    id: RecordId,
    first: JudgedChange,
    judge: Judge,
    made: BTreeMap<u8, u64>,
}

fn judge() -> Judge {
    let author = Author {
        node: NodeId([1; 16]),
        name: "hub".into(),
        role: Role::Hub,
        crossing: Some(Crossing::HUB),
    };

    let registered = |name: &str, department| {
        let officer = Officer {
            department: Some(department),
            crossing: None,
            supervisor: true,
            revoked: false,
            keys: Default::default(),
        };

        (name.to_string(), officer)
    };

    let officers = BTreeMap::from([
        registered("of-port", Department::Port),
        registered("of-vet", Department::Vet),
        registered("of-vet-2", Department::Vet),
    ]);

    Judge {
        author,
        policy: Arc::new(Policy::default()),
        officers: Arc::new(officers),
        tokens: Default::default(),
    }
}

fn entry(
    lane: Lane,
    node: u8,
    seq: u64,
    record: Option<RecordId>,
    based_on: Vec<Reference>,
    draft: Draft,
) -> JudgedChange {
    let (puts, events) = draft.check().unwrap();
    let department = if lane == Lane::Hold { "VET" } else { "PORT" };
    let officer = if lane == Lane::Hold {
        "of-vet"
    } else {
        "of-port"
    };

    let common = Common {
        officer: officer.into(),
        department: department.into(),
        ..Default::default()
    };

    let log = LogId {
        node: NodeId([node; 16]),
        epoch: Epoch([1; 8]),
        lane,
        crossing: "TRB".parse().unwrap(),
    };

    let leaf = leaf_hash(&[&[node][..], &seq.to_be_bytes()].concat());
    let change = Change {
        record,
        based_on,
        puts,
        events,
    };

    let reference = Reference { log, seq, leaf };
    JudgedChange {
        reference,
        common,
        change,
        verdict: LogVerdict::Counts,
        judge: judge(),
    }
}

impl Maker {
    fn new(lane: Lane) -> (Self, Record) {
        let draft = match lane {
            Lane::Hold => QuarantineHold::place(HoldType::Veterinary, "law"),
            _ => Passage::announce("in"),
        };
        let first = entry(lane, 1, 0, None, vec![], draft);
        let id = RecordId::of_first(&first.reference);
        let record = Record::build(id, [first.clone()]).unwrap();

        (
            Self {
                lane,
                id,
                first,
                judge: judge(),
                made: BTreeMap::from([(1, 1)]),
            },
            record,
        )
    }

    fn say(&mut self, node: u8, mut based_on: Vec<Reference>, draft: Draft) -> JudgedChange {
        let seq = self.made.entry(node).or_default();
        *seq += 1;
        based_on.sort();

        JudgedChange {
            judge: self.judge.clone(),
            ..entry(self.lane, node, *seq, Some(self.id), based_on, draft)
        }
    }

    fn draft(&self) -> Draft {
        Draft::new(Kind::of_lane(self.lane).unwrap())
    }
}

const MANY: usize = 2_000;

/// Adds entries one by one, looking at the record after each, and counts how often any was judged.
fn judged_by_adding(record: &mut Record, entries: impl IntoIterator<Item = JudgedChange>) -> u64 {
    let before = record.judged();
    for said in entries {
        record.add(said);
        record.heads();
    }
    record.judged() - before
}

#[test]
fn a_line_of_entries_is_judged_once_each() {
    let (mut m, mut record) = Maker::new(Lane::Passage);
    let mut last = m.first.reference;
    let mut line = Vec::new();
    for n in 0..4 * MANY {
        let said = m.say(1, vec![last], m.draft().text("note", n.to_string()));
        last = said.reference;
        line.push(said);
    }

    assert_eq!(judged_by_adding(&mut record, line), 4 * MANY as u64);
    assert_eq!(record.text("note"), Some((4 * MANY - 1).to_string()));
    assert_eq!(record.heads(), [last]);
}

#[test]
fn a_record_with_a_circle_takes_further_entries_once_each() {
    let (mut m, mut record) = Maker::new(Lane::Passage);
    let first = m.first.reference;

    // Two logs that lean on each other: each is first based on what the other says only afterwards.
    let later = |node: u8| {
        entry(
            Lane::Passage,
            node,
            2,
            Some(m.id),
            vec![first],
            m.draft().text("note", "later"),
        )
    };

    let laters = [later(2), later(3)];
    let leaning = [(2, laters[1].reference), (3, laters[0].reference)].map(|(node, on)| {
        entry(
            Lane::Passage,
            node,
            1,
            Some(m.id),
            vec![on],
            m.draft().text("note", "leaning"),
        )
    });

    record.add_all(leaning.iter().chain(&laters).cloned());
    let circles = |record: &Record| {
        record
            .rows()
            .filter(|(_, r)| matches!(r, Verdict::Refused(r) if r.code == "circle"))
            .count()
    };

    assert_eq!(circles(&record), 2);

    let small: Vec<JudgedChange> = (0..MANY)
        .map(|n| m.say(1, vec![first], m.draft().text("note", n.to_string())))
        .collect();
    assert_eq!(judged_by_adding(&mut record, small), MANY as u64);
    assert_eq!(circles(&record), 2, "nobody else is drawn into it");
}

#[test]
fn contested_fields_cost_no_entry_a_second_look() {
    let (mut m, mut record) = Maker::new(Lane::Passage);
    let first = m.first.reference;
    let contesting: Vec<JudgedChange> = (0..MANY)
        .map(|n| {
            m.say(
                1 + (n % 5) as u8,
                vec![first],
                m.draft().text("container.1", n.to_string()),
            )
        })
        .collect();

    assert_eq!(judged_by_adding(&mut record, contesting), MANY as u64);
    assert_eq!(record.contested(), ["container.1"]);
}

#[test]
fn what_waits_is_settled_once_when_what_it_waits_for_comes() {
    let (mut m, mut record) = Maker::new(Lane::Passage);
    let first = m.first.reference;

    // A line that lacks its beginning, and a hundred entries of which each lacks one of its own.
    let missing = m.say(2, vec![first], m.draft().text("note", "missing"));
    let mut last = missing.reference;
    let mut line = Vec::new();
    for n in 0..MANY {
        let said = m.say(3, vec![last], m.draft().text("note", n.to_string()));
        last = said.reference;
        line.push(said);
    }

    assert_eq!(judged_by_adding(&mut record, line), 0, "they wait");
    // A hundred are told each for itself, and how many there are.
    assert_eq!(record.json()["waiting"].as_array().unwrap().len(), 100);
    assert_eq!(record.json()["waiting_count"], MANY);
    assert_eq!(judged_by_adding(&mut record, [missing]), 1 + MANY as u64);
    assert!(record.rows().all(|(_, row)| *row == Verdict::Counts));
}

#[test]
fn what_comes_late_is_built_in_once_for_all_that_come_together() {
    let (mut m, mut record) = Maker::new(Lane::Passage);
    let first = m.first.reference;
    let mut all: Vec<JudgedChange> = (0..MANY)
        .map(|n| m.say(2, vec![first], m.draft().text("note", n.to_string())))
        .collect();

    all.reverse();
    let before = record.judged();
    record.add_all(all);

    let cost = record.judged() - before;
    assert!(cost <= 2 + MANY as u64, "{cost}");
}

#[test]
fn gate_events_are_folded_in_one_walk() {
    let asked = |pairs: usize| {
        let (mut m, mut record) = Maker::new(Lane::Passage);
        let mut last = m.first.reference;
        for n in 0..pairs {
            let read = n.to_string();
            let said = m.say(
                1,
                vec![last],
                Passage::on().gate_in("G1", &read).gate_out("G2", &read),
            );

            last = said.reference;
            record.add(said);
        }

        assert_eq!(record.judged(), 1 + pairs as u64);

        let (state, asked) = fold(&record);
        assert_eq!(state.line(), "EXITED FORCED_EXIT");
        asked
    };

    let few = asked(768);
    let many = asked(7_680);
    assert!(
        many <= 10 * few + 10,
        "{few} for 1,536 events, {many} for 15,360"
    );
}

#[test]
fn releases_and_results_are_folded_in_one_walk() {
    let result = |outcome: &str| {
        let members = json!({"sample": "S1", "result": "r", "outcome": outcome,
            "attested_by": "of-vet-2", "attester_department": "VET"});
        QuarantineHold::on().event("result.amended", members)
    };

    let asked = |rounds: usize| {
        let (mut m, mut record) = Maker::new(Lane::Hold);
        let placed = m.first.reference.event_id(0);
        let mut last = m.first.reference;
        for _ in 0..rounds {
            let release = QuarantineHold::release(std::slice::from_ref(&placed), "of-vet-2");
            for draft in [result("unsatisfactory"), result("satisfactory"), release] {
                let said = m.say(1, vec![last], draft);
                last = said.reference;
                record.add(said);
            }
        }

        assert_eq!(record.judged(), 1 + 3 * rounds as u64);
        assert_eq!(
            state(&record).name,
            "RELEASED",
            "the last release knows of all that speaks against it"
        );

        fold(&record).1
    };

    let few = asked(60);
    let many = asked(600);
    assert!(
        many <= 10 * few + 10,
        "{few} for 180 entries, {many} for 1,800"
    );
}
