//! One record that is made as heavy as whoever has a key can make it: what it costs to build is
//! counted in entries that are judged, not in seconds, and it can be written on whatever was added.
//! `WADI_LONG=1` has the full sizes.

use super::{
    forge::sign_onto,
    honest::{HonestSite, registrations},
    hostile_texts::DAY_MS,
    links::HostileLink,
    world::{country, start},
};
use integration_tests::network::trials;
use std::{collections::BTreeMap, sync::Arc};
use wadi_log::*;
use wadi_node::{Target, Write};
use wadi_record::{
    Author, Department, Draft, Judge, JudgedChange, Officer, Passage, Policy, Record,
};

/// Entries of one branch.
const BRANCH_ENTRIES: u64 = 100;

/// How the entries of a record lie.
#[derive(Clone, Copy, Debug)]
enum Shape {
    /// Each is based on the one before.
    Line,
    /// Each stands in a log of its own and is based on the first.
    Heads,
    /// Lines of a hundred, of which none knows another.
    Branches,
    /// As heads, and each puts another value into one field.
    Contested,
}

impl Shape {
    /// Entries beside the first: a part in CI, and all of them.
    fn entries(self) -> u64 {
        match self {
            Self::Line => trials(4_000, 100_000),
            Self::Heads | Self::Contested => trials(1_000, 10_000),
            Self::Branches => trials(4_000, 100_000),
        }
    }

    /// Entries that no other follows.
    fn heads(self, entries: u64) -> u64 {
        match self {
            Self::Line => 1,
            Self::Heads | Self::Contested => entries,
            Self::Branches => entries / BRANCH_ENTRIES,
        }
    }
}

fn judge() -> Judge {
    let author = Author {
        node: NodeId([1; 16]),
        name: "trb".into(),
        role: Role::Crossing,
        crossing: "TRB".parse().ok(),
    };
    let officer = Officer {
        department: Some(Department::Port),
        crossing: None,
        supervisor: false,
        revoked: false,
        keys: Default::default(),
    };

    Judge {
        author,
        policy: Arc::new(Policy::default()),
        officers: Arc::new(BTreeMap::from([("OF-1".to_string(), officer)])),
        tokens: Default::default(),
    }
}

/// Entries of one record, made by hand.
struct Maker {
    judge: Judge,
    first: Reference,
    made: Vec<JudgedChange>,
}

impl Maker {
    fn new() -> Self {
        let judge = judge();
        let draft = Passage::announce("in");
        let first = said(&judge, (0, 0), None, vec![], draft);
        Self {
            judge,
            first: first.reference,
            made: vec![first],
        }
    }

    /// One more, at a position of a log.
    fn say(&mut self, at: (u64, u64), on: Reference, draft: Draft) -> Reference {
        let record = RecordId::of_first(&self.first);
        let made = said(&self.judge, at, Some(record), vec![on], draft);
        let reference = made.reference;
        self.made.push(made);
        reference
    }
}

fn said(
    judge: &Judge,
    (epoch, seq): (u64, u64),
    record: Option<RecordId>,
    based_on: Vec<Reference>,
    draft: Draft,
) -> JudgedChange {
    let (puts, events) = draft.check().expect("a draft that reads");
    let log = LogId {
        node: NodeId([1; 16]),
        epoch: Epoch(epoch.to_be_bytes()),
        lane: Lane::Passage,
        crossing: "TRB".parse().expect("a code"),
    };
    let place = [epoch.to_be_bytes(), seq.to_be_bytes()].concat();

    JudgedChange {
        reference: Reference {
            log,
            seq,
            leaf: leaf_hash(&place),
        },
        common: Common {
            officer: "OF-1".into(),
            department: "PORT".into(),
            ..Common::default()
        },
        change: Change {
            record,
            based_on,
            puts,
            events,
        },
        verdict: LogVerdict::Counts,
        judge: judge.clone(),
    }
}

/// The first entry and so many more. All texts are of one length.
fn made(shape: Shape, entries: u64) -> Vec<JudgedChange> {
    let mut maker = Maker::new();
    let first = maker.first;
    let note = |n: u64| Passage::on().text("note", format!("{n:08}"));
    let mut last = first;
    for n in 1..=entries {
        match shape {
            Shape::Line => last = maker.say((0, n), last, note(n)),
            Shape::Heads => {
                maker.say((n, 0), first, note(0));
            }
            Shape::Branches => {
                let (branch, seq) = ((n - 1) / BRANCH_ENTRIES, (n - 1) % BRANCH_ENTRIES);
                let on = if seq == 0 { first } else { last };
                last = maker.say((1 + branch, seq), on, note(branch));
            }
            Shape::Contested => {
                let seal = Passage::on().text("container.1", format!("{n:08}"));
                maker.say((n, 0), first, seal);
            }
        }
    }

    maker.made
}

/// The record, and how often any entry was judged when they came one by one.
fn added(entries: Vec<JudgedChange>) -> (Record, u64) {
    let mut entries = entries.into_iter();
    let first = entries.next().expect("a first entry");
    let id = RecordId::of_first(&first.reference);
    let mut record = Record::build(id, [first]).expect("a record");
    assert_eq!(record.judged(), 1);

    entries.for_each(|entry| record.add(entry));
    let judged = record.judged();
    (record, judged)
}

#[test]
fn however_the_entries_of_a_record_lie_each_is_judged_once() {
    for shape in [Shape::Line, Shape::Heads, Shape::Branches, Shape::Contested] {
        let entries = shape.entries();
        let (half, judged) = added(made(shape, entries / 2));
        assert_eq!(judged, 1 + entries / 2, "{shape:?}");
        let weight = half.weight();
        drop(half);

        let (whole, judged) = added(made(shape, entries));
        assert_eq!(judged, 1 + entries, "{shape:?}: as many again");
        assert!(whole.weight() <= 2 * weight, "{shape:?}");
        assert_eq!(
            whole.heads().len() as u64,
            shape.heads(entries),
            "{shape:?}"
        );
        if let Shape::Contested = shape {
            assert_eq!(whole.contested(), ["container.1"]);
        }

        // Read from the disk, all at once and in another order, it is the same.
        let (id, digest) = (whole.id(), whole.digest());
        drop(whole);
        let mut read = made(shape, entries);
        read.reverse();
        let read = Record::build(id, read).expect("a record");
        assert_eq!(read.digest(), digest, "{shape:?}");
        assert_eq!(read.judged(), 1 + entries, "{shape:?}: read");
    }
}

#[test]
fn who_contests_whom_is_told_to_a_bound_and_counted_whole() {
    const VALUES: u64 = 1_200;
    let (record, _) = added(made(Shape::Contested, VALUES));
    let settings = record.settings("container.1");
    assert_eq!(settings.len() as u64, VALUES);
    for one in &settings {
        assert!(one.stands && one.contested_by.len() == 20, "{one:?}");
        assert_eq!(one.contested_count as u64, VALUES - 1);
        assert!(!one.contested_by.contains(&one.claim.entry));
    }

    let told = record.blame();
    let lines = told.fields["container.1"].as_array().map(Vec::len);
    assert_eq!(lines, Some(1_000), "the latest");
    assert_eq!(told.left_out["container.1"] as u64, VALUES - 1_000);

    // Two officers who contest each other are told whole, as ever.
    let (record, _) = added(made(Shape::Contested, 2));
    let settings = record.settings("container.1");
    let beside: Vec<_> = settings
        .iter()
        .map(|one| one.contested_by.clone())
        .collect();
    let entries = [settings[0].claim.entry, settings[1].claim.entry];
    assert_eq!(beside, [vec![entries[1]], vec![entries[0]]]);
    assert!(record.blame().left_out.is_empty());
}

#[test]
fn what_a_screen_did_not_show_of_other_branches_is_found_whole() {
    // Lines of a hundred that know nothing of each other: each lacks all of the others.
    let entries = 10 * BRANCH_ENTRIES;
    let (record, _) = added(made(Shape::Branches, entries));
    let heads = record.heads();
    assert_eq!(heads.len(), 10);
    for head in heads {
        let lacking = record.not_shown(&head).len() as u64;
        assert_eq!(lacking, entries - BRANCH_ENTRIES);
    }
}

/// A captured node of the crossing says something of a truck in so many of its logs, each based on
/// the truck's first entry alone.
async fn add_heads(link: &mut HostileLink, key: &LogKey, first: &Reference, heads: u64) {
    for n in 0..heads {
        let note = Put {
            key: "note".into(),
            value: Value::Text(format!("{n}")),
        };
        let entry = Entry {
            common: Common {
                wall_ms: DAY_MS,
                officer: "OF-1".into(),
                department: "PORT".into(),
                ..Common::default()
            },
            body: Body::Change(Change {
                record: Some(RecordId::of_first(first)),
                based_on: vec![*first],
                puts: vec![note],
                events: vec![],
            }),
        };

        let log = LogId {
            node: key.node(),
            epoch: Epoch((1_000 + n).to_be_bytes()),
            ..first.log
        };
        let bytes = vec![entry.encode().expect("an entry")];
        let head = (DAY_MS / 1_000, vec![]);
        let block = sign_onto(key, log, &mut Peaks::default(), bytes, head);
        link.send_block(&block).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_of_more_heads_than_an_entry_can_name_is_written_on() {
    let country = country();
    let node = start(&country, "trb-2").await;
    let mut link = HostileLink::open(&country, &node, "trb-3").await;
    let registered = registrations(&country.key("hub"), "trb-3");
    link.send_block(&registered.block).await;
    let mut honest = HonestSite::new("trb-3", country.key("trb-3"), "TRB");
    for delivery in honest.chapter(1) {
        link.send_block(&delivery.block).await;
    }
    assert!(link.settle().await.is_empty());
    let truck = honest.records[0];

    let heads = trials(300, 10_000);
    let mut captured = HostileLink::open(&country, &node, "trb").await;
    add_heads(&mut captured, &country.key("trb"), &truck.first, heads).await;
    assert!(captured.settle().await.is_empty());

    // What everybody said is seen: the honest site's, and of the flood what an entry has room for.
    for read in ["R-7", "R-8"] {
        let came = Passage::on().gate_in("G1", read);
        let write = Write::by("OF-1", "PORT", Target::On(truck.id), came);
        let written = node.write(write).await;
        assert!(written.is_ok(), "{written:?}");
    }

    let shown = node.reads().record(&truck.id).await.expect("a record");
    let count = shown["heads"].as_array().map_or(0, Vec::len) as u64;
    assert!(count > 1 && count < heads, "{count} of {heads}");
    node.stop().await;
}
