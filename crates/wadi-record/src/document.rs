//! Derives Automerge changes from entries. The only file that names automerge.
//!
//! No Automerge bytes come from outside: an entry says what was put where and on top of which entries, and every node
//! derives the same change from that. Actor: SHA-256 of the log id. Seq: the log's counting entries on the record so far.
//! Predecessors of a put: the operations visible for its key at the dependencies as given. The Automerge dependencies
//! and start_op also take in the log's previous counting entry, which Automerge asks of every actor; the predecessors
//! do not, so that a second officer at one node contests what the first put unseen.

use automerge::{
    ActorId, Automerge, Change, ChangeHash, ExpandedChange, ObjId, ROOT, ReadDoc, ScalarValue, Value as AmValue,
    legacy::{Key, ObjectId, Op, OpId, OpType},
};
use sha2::{Digest, Sha256};
use std::{
    collections::{BTreeMap, HashMap},
    num::NonZeroU64,
};
use wadi_log::{LogId, Reference, Value};

/// A record's document and where each entry stands in it.
#[derive(Default)]
pub(crate) struct Document {
    doc: Automerge,
    applied: HashMap<Reference, Applied>,
    logs: BTreeMap<LogId, Vec<Reference>>,
    actors: HashMap<[u8; 32], LogId>,
}

#[derive(Clone, Copy)]
struct Applied {
    hash: ChangeHash,
    start_op: u64,
    last_op: u64,
}

fn actor(log: &LogId) -> [u8; 32] {
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

impl Document {
    /// Applies an entry whose dependencies, as they are to be read, are all applied. Keys are distinct.
    pub(crate) fn apply(
        &mut self,
        reference: Reference,
        based_on: &[Reference],
        puts: &[(String, Value)],
    ) -> Result<(), String> {
        let own = self.logs.get(&reference.log).and_then(|l| l.last()).map(|r| self.applied[r]);
        let at: Vec<Applied> = based_on.iter().map(|d| self.applied[d]).collect();
        let mut hashes: Vec<ChangeHash> = at.iter().map(|a| a.hash).collect();
        hashes.sort();
        hashes.dedup();
        let start_op = 1 + at.iter().chain(&own).map(|a| a.last_op).max().unwrap_or(0);
        let operations = puts
            .iter()
            .map(|(key, value)| {
                let pred = self.visible(key, &hashes)?;
                Ok(Op {
                    action: OpType::Put(scalar(value)),
                    obj: ObjectId::Root,
                    key: Key::Map(key.as_str().into()),
                    pred: pred.into_iter().collect(),
                    insert: false,
                })
            })
            .collect::<Result<Vec<_>, String>>()?;
        let last_op = start_op + puts.len() as u64 - 1;
        let mut deps = hashes;
        if let Some(own) = own
            && !deps.contains(&own.hash)
        {
            deps.push(own.hash);
            deps.sort();
        }
        let log = self.logs.entry(reference.log).or_default();
        let actor = actor(&reference.log);
        let change: Change = ExpandedChange {
            author: None,
            operations,
            actor_id: ActorId::from(&actor[..]),
            hash: None,
            seq: log.len() as u64 + 1,
            start_op: NonZeroU64::new(start_op).expect("at least 1"),
            time: 0,
            message: None,
            deps,
            extra_bytes: vec![],
        }
        .into();
        let hash = change.hash();
        self.doc.apply_changes([change]).map_err(|e| e.to_string())?;
        if self.doc.get_change_by_hash(&hash).is_none() {
            return Err("the derived change was not applied".into());
        }
        log.push(reference);
        self.actors.insert(actor, reference.log);
        self.applied.insert(reference, Applied { hash, start_op, last_op });
        Ok(())
    }

    /// The operations visible for a key at some heads.
    fn visible(&self, key: &str, heads: &[ChangeHash]) -> Result<Vec<OpId>, String> {
        if heads.is_empty() {
            return Ok(Vec::new());
        }
        let found = self.doc.get_all_at(ROOT, key, heads).map_err(|e| e.to_string())?;
        Ok(found.into_iter().filter_map(|(_, id)| op_id(&id)).collect())
    }

    /// The last applied entry of a log at a position before `seq`.
    pub(crate) fn last_before(&self, log: &LogId, seq: u64) -> Option<Reference> {
        self.logs.get(log)?.iter().rev().find(|r| r.seq < seq).copied()
    }

    /// All concurrent values of a key with the entries that put them, in Automerge's order.
    pub(crate) fn claims(&self, key: &str) -> Vec<(Value, Reference)> {
        let found = self.doc.get_all(ROOT, key).unwrap_or_default();
        found.iter().filter_map(|(value, id)| Some((plain(value), self.entry_of(id)?))).collect()
    }

    /// The same at some entries.
    pub(crate) fn claims_at(&self, key: &str, at: &[Reference]) -> Vec<(Value, Reference)> {
        let hashes: Vec<ChangeHash> = at.iter().filter_map(|r| self.applied.get(r)).map(|a| a.hash).collect();
        if hashes.is_empty() {
            return Vec::new();
        }
        let found = self.doc.get_all_at(ROOT, key, &hashes).unwrap_or_default();
        found.iter().filter_map(|(value, id)| Some((plain(value), self.entry_of(id)?))).collect()
    }

    fn entry_of(&self, id: &ObjId) -> Option<Reference> {
        let ObjId::Id(counter, actor, _) = id else { return None };
        let actor: [u8; 32] = actor.to_bytes().try_into().ok()?;
        let entries = self.logs.get(self.actors.get(&actor)?)?;
        let at = entries.partition_point(|r| self.applied[r].last_op < *counter);
        entries.get(at).filter(|r| self.applied[*r].start_op <= *counter).copied()
    }

    /// All keys ever put.
    pub(crate) fn keys(&self) -> Vec<String> {
        self.doc.keys(ROOT).collect()
    }

    /// The entries that no other applied entry follows, ascending.
    pub(crate) fn heads(&self) -> Vec<Reference> {
        let heads = self.doc.get_heads();
        let mut out: Vec<Reference> =
            self.applied.iter().filter(|(_, a)| heads.contains(&a.hash)).map(|(r, _)| *r).collect();
        out.sort();
        out
    }

    /// SHA-256 over the document's heads: equal documents have equal digests.
    pub(crate) fn digest(&self) -> [u8; 32] {
        let mut heads = self.doc.get_heads();
        heads.sort();
        let mut hasher = Sha256::new();
        heads.iter().for_each(|h| hasher.update(h.0));
        hasher.finalize().into()
    }

    /// The document as any Automerge tool opens it.
    pub(crate) fn save(&self) -> Vec<u8> {
        self.doc.save()
    }
}

fn op_id(id: &ObjId) -> Option<OpId> {
    match id {
        ObjId::Id(counter, actor, _) => Some(OpId(*counter, actor.clone())),
        ObjId::Root => None,
    }
}
