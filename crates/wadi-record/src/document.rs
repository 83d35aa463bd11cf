//! Derives Automerge changes from entries. The only file that names automerge.
//!
//! No Automerge bytes come from outside: an entry says what was put where and on top of which
//! entries, and every node derives the same change from that. Actor: SHA-256 of the log id. Seq:
//! the log's counting entries on the record so far. Predecessors of a put: the operations visible
//! for its key at the dependencies as given. The Automerge dependencies and start_op also take in
//! the log's previous counting entry, which Automerge asks of every actor; the predecessors do not,
//! so that a second officer at one node contests what the first put unseen.
//!
//! Which operations are visible where is kept here, by field. The changes and the Automerge
//! document of them are made when somebody asks for it: encoding a change costs more than all else
//! that is done with an entry, applying one costs Automerge a walk over all that it holds, and what
//! an entry follows is known here anyhow. Tests hold the two equal.

use crate::ancestry::Past;
use automerge::{
    ActorId, Automerge, Change, ChangeHash, ExpandedChange, ROOT, ReadDoc, ScalarValue,
    Value as AmValue,
    legacy::{Key, ObjectId, Op, OpId, OpType},
};
use sha2::{Digest, Sha256};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    num::NonZeroU64,
    panic::{AssertUnwindSafe, catch_unwind},
};
use wadi_log::{LogId, Reference, Value};

/// A record's document: which changes were derived, and what each put replaced.
#[derive(Default)]
pub(crate) struct Document {
    applied: HashMap<u32, Applied>,
    /// Applied entries of each log, in order.
    logs: BTreeMap<LogId, Vec<(Reference, u32)>>,
    fields: BTreeMap<String, Register>,
    /// Fields into which two entries put something unseen by each other: no others can be contested
    /// at any time.
    forked: BTreeSet<String>,
    heads: BTreeSet<u32>,
}

/// Names an entry together with all that its change follows: who knows it knows the change.
type ChangeName = [u8; 32];

/// The bytes of an Automerge actor.
type Actor = [u8; 32];

struct Applied {
    name: ChangeName,
    actor: Actor,
    last_op: u64,
    /// The entry and all that its change follows in the document.
    past: Past,
}

/// A value that was put into a field.
#[derive(Clone)]
pub(crate) struct Put {
    /// The entry, by the number under which it was settled.
    pub(crate) entry: u32,
    /// Which of the entry's puts.
    pub(crate) ordinal: usize,
    counter: u64,
    /// The puts into this field that it replaced.
    pub(crate) replaced: Vec<usize>,
}

/// All that was ever put into a field.
#[derive(Default)]
struct Register {
    puts: Vec<Put>,
    /// The entries that replaced each of them.
    replaced_by: Vec<Past>,
    /// Which of the puts each entry made, and those entries.
    by_entry: HashMap<u32, usize>,
    entries: Past,
    /// The puts that nothing replaced, ascending.
    visible: Vec<usize>,
}

impl Register {
    /// The puts visible to somebody who had seen these entries, ascending.
    fn visible_at(&self, seen: &Past) -> Vec<usize> {
        // Who has seen all that stands now sees nothing else.
        if self
            .visible
            .iter()
            .all(|n| seen.contains(self.puts[*n].entry))
        {
            return self.visible.clone();
        }

        let seen_here = self.entries.common(seen).map(|entry| self.by_entry[&entry]);
        seen_here
            .filter(|n| !self.replaced_by[*n].meets(seen))
            .collect()
    }

    fn add(&mut self, put: Put) {
        let number = self.puts.len();
        for &replaced in &put.replaced {
            self.replaced_by[replaced].insert(put.entry);
        }

        self.visible
            .retain(|n| put.replaced.binary_search(n).is_err());
        self.visible.push(number);
        self.by_entry.insert(put.entry, number);
        self.entries.insert(put.entry);
        self.puts.push(put);
        self.replaced_by.push(Past::default());
    }
}

/// What an entry puts, as the document takes it.
pub(crate) struct Derived<'a> {
    pub(crate) reference: Reference,
    /// The number under which it is settled.
    pub(crate) number: u32,
    /// The entries it is based on, as they are read; all are applied.
    pub(crate) based_on: &'a [u32],
    /// Which of the entry's puts, with key and value. Keys are distinct.
    pub(crate) puts: Vec<(usize, &'a str, &'a Value)>,
    /// Keys and texts of its events.
    pub(crate) events: Vec<(String, &'a str)>,
}

fn actor(log: &LogId) -> Actor {
    Sha256::digest(log.to_bytes()).into()
}

fn scalar(value: &Value) -> ScalarValue {
    match value {
        Value::Null => ScalarValue::Null,
        Value::Text(t) => ScalarValue::Str(t.as_str().into()),
        Value::Int(i) => ScalarValue::Int(*i),
        Value::Flag(b) => ScalarValue::Boolean(*b),
    }
}

fn plain(value: &AmValue<'_>) -> Value {
    match value.as_scalar() {
        Some(ScalarValue::Str(t)) => Value::Text(t.to_string()),
        Some(ScalarValue::Int(i)) => Value::Int(*i),
        Some(ScalarValue::Boolean(b)) => Value::Flag(*b),
        _ => Value::Null,
    }
}

fn operation(key: &str, value: ScalarValue, pred: Vec<OpId>) -> Op {
    Op {
        action: OpType::Put(value),
        obj: ObjectId::Root,
        key: Key::Map(key.into()),
        pred: pred.into_iter().collect(),
        insert: false,
    }
}

impl Document {
    /// Applies an entry whose dependencies, as they are to be read, are all applied. After a panic
    /// the document may be half changed: it is thrown away.
    pub(crate) fn apply(&mut self, entry: &Derived<'_>) {
        let own = self.last_of(&entry.reference.log);
        let mut seen = self.past_of(entry.based_on);
        let last_ops = entry
            .based_on
            .iter()
            .chain(&own)
            .map(|n| self.applied[n].last_op);

        let start_op = last_ops.max().unwrap_or(0) + 1;

        for (n, (ordinal, key, _)) in entry.puts.iter().enumerate() {
            let field = match self.fields.get_mut(*key) {
                Some(field) => field,
                None => self.fields.entry((*key).to_string()).or_default(),
            };

            let replaced = field.visible_at(&seen);
            field.add(Put {
                entry: entry.number,
                ordinal: *ordinal,
                counter: start_op + n as u64,
                replaced,
            });

            if field.visible.len() > 1 && !self.forked.contains(*key) {
                self.forked.insert((*key).to_string());
            }
        }

        let operations = (entry.puts.len() + entry.events.len()) as u64;
        let name = self.change_name(entry, own);

        let log = self.logs.entry(entry.reference.log).or_default();
        log.push((entry.reference, entry.number));

        let actor = match own {
            Some(own) => {
                let own = &self.applied[&own];
                seen.unite(&own.past);
                own.actor
            }
            None => actor(&entry.reference.log),
        };

        seen.insert(entry.number);
        for parent in entry.based_on.iter().chain(&own) {
            self.heads.remove(parent);
        }

        self.heads.insert(entry.number);
        self.applied.insert(
            entry.number,
            Applied {
                name,
                actor,
                last_op: start_op + operations - 1,
                past: seen,
            },
        );
    }

    /// The last applied entry of a log.
    fn last_of(&self, log: &LogId) -> Option<u32> {
        self.logs.get(log)?.last().map(|(_, number)| *number)
    }

    /// Names an entry, which of its puts count, and what they are put on top of. The change follows
    /// from these: the entry's leaf says what it puts, and the names of what it follows say the
    /// same of everything before.
    fn change_name(&self, entry: &Derived<'_>, own: Option<u32>) -> ChangeName {
        let mut hasher = Sha256::new_with_prefix(b"wadi derived change 1");
        hasher.update(entry.reference.to_bytes());

        hasher.update((entry.puts.len() as u64).to_be_bytes());
        for (ordinal, _, _) in &entry.puts {
            hasher.update((*ordinal as u64).to_be_bytes());
        }

        let mut based_on: Vec<&ChangeName> = entry
            .based_on
            .iter()
            .map(|n| &self.applied[n].name)
            .collect();
        based_on.sort_unstable();
        hasher.update((based_on.len() as u64).to_be_bytes());
        based_on.iter().for_each(|name| hasher.update(name));

        if let Some(own) = own {
            hasher.update(self.applied[&own].name);
        }

        hasher.finalize().into()
    }

    /// The Automerge change of the entry that was applied last, where the hashes of those that it
    /// depends on are known.
    fn change(&self, entry: &Derived<'_>, hashes: &HashMap<u32, ChangeHash>) -> Change {
        let mut operations = Vec::with_capacity(entry.puts.len() + entry.events.len());
        for (_, key, value) in &entry.puts {
            let field = &self.fields[*key];
            let replaced = &field.puts[field.by_entry[&entry.number]].replaced;
            operations.push(operation(key, scalar(value), self.op_ids(key, replaced)));
        }

        // Nothing else can be put under an event's key, which is derived from its entry's hash.
        for (key, text) in &entry.events {
            operations.push(operation(key, ScalarValue::Str((*text).into()), Vec::new()));
        }

        let log = &self.logs[&entry.reference.log];
        let own = log.iter().rev().nth(1).map(|(_, number)| *number);
        let parents: BTreeSet<u32> = entry.based_on.iter().chain(&own).copied().collect();
        let mut deps: Vec<ChangeHash> = parents.iter().map(|n| hashes[n]).collect();
        deps.sort();

        let applied = &self.applied[&entry.number];
        let start_op = applied.last_op + 1 - operations.len() as u64;
        ExpandedChange {
            author: None,
            operations,
            actor_id: ActorId::from(&applied.actor[..]),
            hash: None,
            seq: log.len() as u64,
            start_op: NonZeroU64::new(start_op).expect("at least 1"),
            time: 0,
            message: None,
            deps,
            extra_bytes: vec![],
        }
        .into()
    }

    fn op_ids(&self, key: &str, puts: &[usize]) -> Vec<OpId> {
        let Some(field) = self.fields.get(key) else {
            return Vec::new();
        };
        let id = |n: &usize| {
            let put = &field.puts[*n];
            OpId(
                put.counter,
                ActorId::from(&self.applied[&put.entry].actor[..]),
            )
        };

        puts.iter().map(id).collect()
    }

    /// These applied entries and all that their changes follow.
    fn past_of(&self, entries: &[u32]) -> Past {
        let mut out = Past::default();
        entries
            .iter()
            .for_each(|n| out.unite(&self.applied[n].past));
        out
    }

    /// What an entry follows that is based on these applied entries: they, what its log said
    /// before, and all theirs.
    pub(crate) fn causal_past(&self, log: &LogId, based_on: &[u32]) -> Past {
        let mut out = self.past_of(based_on);
        if let Some(own) = self.last_of(log) {
            out.unite(&self.applied[&own].past);
        }
        out
    }

    /// The last applied entry of a log at a position before `seq`.
    pub(crate) fn last_before(&self, log: &LogId, seq: u64) -> Option<u32> {
        let entries = self.logs.get(log)?;
        let before = entries.partition_point(|(r, _)| r.seq < seq);
        before.checked_sub(1).map(|n| entries[n].1)
    }

    /// All concurrent values of a field, in Automerge's order.
    pub(crate) fn claims(&self, key: &str) -> Vec<&Put> {
        self.fields
            .get(key)
            .map(|f| self.in_order(f, f.visible.clone()))
            .unwrap_or_default()
    }

    /// The same at some applied entries.
    pub(crate) fn claims_at(&self, key: &str, at: &[u32]) -> Vec<&Put> {
        let Some(field) = self.fields.get(key).filter(|_| !at.is_empty()) else {
            return Vec::new();
        };
        self.in_order(field, field.visible_at(&self.past_of(at)))
    }

    /// The values of a field visible to somebody who had seen these entries.
    pub(crate) fn claims_within(&self, key: &str, seen: &Past) -> Vec<&Put> {
        self.fields
            .get(key)
            .map(|f| self.in_order(f, f.visible_at(seen)))
            .unwrap_or_default()
    }

    /// All that was ever put into a field, with those that each put replaced.
    pub(crate) fn puts(&self, key: &str) -> impl Iterator<Item = (&Put, Vec<&Put>)> {
        let field = self.fields.get(key);
        field.into_iter().flat_map(|f| {
            f.puts
                .iter()
                .map(|p| (p, self.in_order(f, p.replaced.clone())))
        })
    }

    fn in_order<'a>(&'a self, field: &'a Register, puts: Vec<usize>) -> Vec<&'a Put> {
        let mut out: Vec<&Put> = puts.into_iter().map(|n| &field.puts[n]).collect();
        out.sort_by(|a, b| {
            (a.counter, &self.applied[&a.entry].actor)
                .cmp(&(b.counter, &self.applied[&b.entry].actor))
        });
        out
    }

    /// Names of fields that were ever put, ascending.
    pub(crate) fn field_names(&self) -> impl Iterator<Item = &String> {
        self.fields.keys()
    }

    /// Names of the fields that may be contested, now or at some entry, ascending.
    pub(crate) fn forked(&self) -> impl Iterator<Item = &String> {
        self.forked.iter()
    }

    /// The entries that no other applied entry follows.
    pub(crate) fn heads(&self) -> impl Iterator<Item = u32> {
        self.heads.iter().copied()
    }

    /// SHA-256 over the names of the changes of the document's heads: documents of equal changes
    /// have equal digests.
    pub(crate) fn digest(&self) -> [u8; 32] {
        let mut heads: Vec<&ChangeName> =
            self.heads.iter().map(|n| &self.applied[n].name).collect();
        heads.sort_unstable();

        let mut hasher = Sha256::new();
        heads.iter().for_each(|name| hasher.update(name));
        hasher.finalize().into()
    }
}

/// A document, with the Automerge changes of all that was applied to it.
#[derive(Default)]
pub(crate) struct Exported {
    document: Document,
    hashes: HashMap<u32, ChangeHash>,
    changes: Vec<Change>,
}

impl Exported {
    /// Applies an entry whose dependencies are all applied.
    pub(crate) fn apply(&mut self, entry: &Derived<'_>) {
        self.document.apply(entry);
        let change = self.document.change(entry, &self.hashes);

        self.hashes.insert(entry.number, change.hash());
        self.changes.push(change);
    }

    /// The document as any Automerge tool opens it; the changes themselves, which such a tool reads
    /// as well, should Automerge fail on them.
    pub(crate) fn save(self) -> Vec<u8> {
        saved(self.changes)
    }
}

fn saved(changes: Vec<Change>) -> Vec<u8> {
    let raw = changes
        .iter()
        .flat_map(|c| c.raw_bytes().iter().copied())
        .collect();
    let save = || {
        let mut doc = Automerge::new();
        doc.apply_changes(changes).ok()?;
        Some(doc.save())
    };

    catch_unwind(AssertUnwindSafe(save))
        .ok()
        .flatten()
        .unwrap_or(raw)
}

/// What any Automerge tool reads in a saved document.
#[derive(Debug)]
pub struct Saved {
    /// Of every key all concurrent values, in Automerge's order.
    pub values: BTreeMap<String, Vec<Value>>,
    /// The hashes of its heads, ascending.
    pub heads: Vec<[u8; 32]>,
}

/// Reads a saved document with Automerge.
pub fn read_saved(document: &[u8]) -> Option<Saved> {
    let doc = Automerge::load(document).ok()?;
    let values = |key: &String| doc.get_all(ROOT, key.as_str()).unwrap_or_default();
    let plain_values = |key: String| {
        (
            key.clone(),
            values(&key).iter().map(|(value, _)| plain(value)).collect(),
        )
    };

    let mut heads: Vec<[u8; 32]> = doc.get_heads().into_iter().map(|hash| hash.0).collect();
    heads.sort_unstable();

    Some(Saved {
        values: doc.keys(ROOT).map(plain_values).collect(),
        heads,
    })
}
