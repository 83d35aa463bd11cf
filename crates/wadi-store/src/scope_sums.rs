//! What the records of each lane of each crossing come to, kept while they change.
//!
//! A digest is the sum of one SHA-256 for each record, modulo 2^256 (an incremental multiset hash,
//! Bellare and Micciancio 1997): a record that changes takes its old part out and puts its new one
//! in, whatever the number of the others. It tells nodes apart that made different records of the
//! same entries. It does not stand against somebody who makes up records until a sum fits; who
//! signed what, the logs' roots tell.
//!
//! Nothing is kept until somebody asks. The first question reads all records, while the writer
//! notes what it moves; from then on the answer is in memory.

use crate::{
    StoreError,
    writes::{Arg, WriteConnection},
};
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
};
use wadi_log::Hash;

/// A lane, by its number, and a crossing.
pub(crate) type SumScope = (u8, String);

/// A sum of hashes modulo 2^256, its lowest 64 bits first.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
struct HashSum([u64; 4]);

impl HashSum {
    fn add(&mut self, hash: [u8; 32]) {
        let mut carry = false;
        for (part, bytes) in self.0.iter_mut().zip(hash.as_chunks::<8>().0) {
            let (sum, over) = part.overflowing_add(u64::from_le_bytes(*bytes));
            let (sum, over_by_carry) = sum.overflowing_add(u64::from(carry));
            (*part, carry) = (sum, over || over_by_carry);
        }
    }

    fn subtract(&mut self, hash: [u8; 32]) {
        let mut borrow = false;
        for (part, bytes) in self.0.iter_mut().zip(hash.as_chunks::<8>().0) {
            let (rest, under) = part.overflowing_sub(u64::from_le_bytes(*bytes));
            let (rest, under_by_borrow) = rest.overflowing_sub(u64::from(borrow));
            (*part, borrow) = (rest, under || under_by_borrow);
        }
    }

    fn bytes(self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for (eight, part) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(self.0) {
            *eight = part.to_le_bytes();
        }
        bytes
    }
}

/// What the records of a scope come to, or what was moved of it.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct RecordSum {
    records: i64,
    documents: HashSum,
    states: HashSum,
}

impl RecordSum {
    fn merge(&mut self, moved: &Self) {
        self.records += moved.records;
        self.documents.add(moved.documents.bytes());
        self.states.add(moved.states.bytes());
    }

    /// How many records there are, and the digests over their documents and their states.
    fn told(&self) -> (i64, Hash, Hash) {
        let digest = |sum: HashSum| Hash(Sha256::digest(sum.bytes()).into());
        (self.records, digest(self.documents), digest(self.states))
    }
}

/// Sums by scope.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(crate) struct Sums(BTreeMap<SumScope, RecordSum>);

/// A record's part of its scope's digests.
pub(crate) struct RecordPart<'a> {
    pub(crate) id: &'a [u8],
    pub(crate) digest: &'a [u8],
    pub(crate) state: &'a str,
}

impl RecordPart<'_> {
    fn document(&self) -> [u8; 32] {
        let hash = Sha256::new_with_prefix(b"wadi document\0");
        hash.chain_update(self.id)
            .chain_update(self.digest)
            .finalize()
            .into()
    }

    fn state(&self) -> [u8; 32] {
        let hash = Sha256::new_with_prefix(b"wadi state\0");
        hash.chain_update(self.id)
            .chain_update(self.state)
            .finalize()
            .into()
    }
}

impl Sums {
    /// Puts a record in.
    pub(crate) fn add(&mut self, scope: SumScope, part: &RecordPart<'_>) {
        let sum = self.0.entry(scope).or_default();
        sum.records += 1;
        sum.documents.add(part.document());
        sum.states.add(part.state());
    }

    /// Takes a record out.
    pub(crate) fn remove(&mut self, scope: SumScope, part: &RecordPart<'_>) {
        let sum = self.0.entry(scope).or_default();
        sum.records -= 1;
        sum.documents.subtract(part.document());
        sum.states.subtract(part.state());
    }

    fn merge(&mut self, moved: &Self) {
        for (scope, sum) in &moved.0 {
            self.0.entry(scope.clone()).or_default().merge(sum);
        }
    }

    /// As they are told: scopes without records are not.
    pub(crate) fn told(&self) -> Vec<(u8, String, i64, Hash, Hash)> {
        let held = self.0.iter().filter(|(_, sum)| sum.records != 0);
        held.map(|((lane, crossing), sum)| {
            let (records, documents, states) = sum.told();
            (*lane, crossing.clone(), records, documents, states)
        })
        .collect()
    }
}

/// What is kept in memory.
#[derive(Default)]
enum KeptSums {
    /// Nobody asked yet, or what was kept is not to be relied on.
    #[default]
    Nothing,
    /// All records are being read. What is written meanwhile stands beside it, by the cursor of its
    /// newest change.
    Loading(Vec<(i64, Sums)>),
    /// The sums of what is durable.
    Sums(Sums),
}

/// The sums of a store, between its readers and its writer.
#[derive(Default)]
pub(crate) struct ScopeSums {
    is_kept: AtomicBool,
    kept: Mutex<KeptSums>,
    /// One reads all records at a time; others wait for what it finds.
    pub(crate) turn: tokio::sync::Mutex<()>,
}

impl ScopeSums {
    /// The sums, where they are in memory.
    pub(crate) fn kept(&self) -> Option<Vec<(u8, String, i64, Hash, Hash)>> {
        match &*self.kept.lock().expect("no panic holds it") {
            KeptSums::Sums(sums) => Some(sums.told()),
            KeptSums::Nothing | KeptSums::Loading(_) => None,
        }
    }

    /// How many records there are, where the sums are in memory.
    pub(crate) fn records(&self) -> Option<i64> {
        match &*self.kept.lock().expect("no panic holds it") {
            KeptSums::Sums(sums) => Some(sums.0.values().map(|sum| sum.records).sum()),
            KeptSums::Nothing | KeptSums::Loading(_) => None,
        }
    }

    /// Has the writer note what it moves from its next group on.
    pub(crate) fn begin(&self) {
        *self.kept.lock().expect("no panic holds it") = KeptSums::Loading(Vec::new());
        self.is_kept.store(true, Ordering::SeqCst);
    }

    /// Whether the writer has to note what it moves.
    pub(crate) fn is_kept(&self) -> bool {
        self.is_kept.load(Ordering::SeqCst)
    }

    /// Takes in what was read as of the cursor of a change, and what was written after that. Where
    /// what was written cannot be told, nothing is kept, and what was read is the answer.
    pub(crate) fn loaded(&self, cursor: i64, mut sums: Sums) -> Vec<(u8, String, i64, Hash, Hash)> {
        let mut kept = self.kept.lock().expect("no panic holds it");
        if let KeptSums::Loading(moved) = std::mem::take(&mut *kept) {
            let later = moved.iter().filter(|(at, _)| *at > cursor);
            later.for_each(|(_, moved)| sums.merge(moved));
            let told = sums.told();
            *kept = KeptSums::Sums(sums);
            return told;
        }

        sums.told()
    }

    /// Takes in what a durable group moved, up to the cursor of its newest change.
    pub(crate) fn moved(&self, cursor: i64, moved: Sums) {
        match &mut *self.kept.lock().expect("no panic holds it") {
            KeptSums::Nothing => {}
            KeptSums::Loading(all) => all.push((cursor, moved)),
            KeptSums::Sums(sums) => sums.merge(&moved),
        }
    }

    /// Forgets what is kept: nobody can tell what became of a group.
    pub(crate) fn lose(&self) {
        self.is_kept.store(false, Ordering::SeqCst);
        *self.kept.lock().expect("no panic holds it") = KeptSums::Nothing;
    }
}

/// Notes that the rows of these records are about to be replaced or to go. A row that rotted cannot
/// be taken out of a sum: then nothing is noted, and the sums are read anew when somebody asks.
pub(crate) async fn note_going(
    conn: &mut dyn WriteConnection,
    ids: &str,
) -> Result<(), StoreError> {
    if conn.known().moved.is_none() {
        return Ok(());
    }

    let sql = format!(
        "SELECT r.id, r.lane, r.crossing, r.digest, r.state FROM {} \
         JOIN records r ON r.id = unhex(j.value ->> 0)",
        conn.each()
    );
    let rows = conn.rows(&sql, &[Arg::Text(ids)]).await?;
    let mut gone = conn.known().moved.take().unwrap_or_default();
    for mut row in rows {
        let read = (|| {
            let lane = u8::try_from(row.int("lane")?).ok();
            Ok::<_, StoreError>((
                lane,
                row.text("crossing")?,
                row.bytes("id")?,
                row.bytes("digest")?,
                row.text("state")?,
            ))
        })();
        let Ok((Some(lane), crossing, id, digest, state)) = read else {
            return Ok(());
        };

        let part = RecordPart {
            id: &id,
            digest: &digest,
            state: &state,
        };
        gone.remove((lane, crossing), &part);
    }

    conn.known().moved = Some(gone);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(id: u8, state: &str) -> RecordPart<'_> {
        const IDS: [[u8; 1]; 3] = [[1], [2], [255]];
        RecordPart {
            id: &IDS[usize::from(id)],
            digest: b"d",
            state,
        }
    }

    fn scope() -> SumScope {
        (1, "TRB".into())
    }

    #[test]
    fn what_goes_in_and_out_again_leaves_nothing() {
        let mut sums = Sums::default();
        for id in 0..3 {
            sums.add(scope(), &part(id, "EXITED"));
        }
        for id in [1, 0, 2] {
            sums.remove(scope(), &part(id, "EXITED"));
        }

        assert_eq!(sums.0[&scope()], RecordSum::default());
        assert_eq!(sums.told(), []);
    }

    #[test]
    fn the_order_is_nothing_and_each_record_and_state_is_something() {
        let of = |parts: &[(u8, &'static str)]| {
            let mut sums = Sums::default();
            for (id, state) in parts {
                sums.add(scope(), &part(*id, state));
            }
            sums.told()
        };

        assert_eq!(of(&[(0, "A"), (1, "B")]), of(&[(1, "B"), (0, "A")]));
        assert_ne!(of(&[(0, "A"), (1, "B")]), of(&[(0, "B"), (1, "A")]));
        assert_ne!(of(&[(0, "A")]), of(&[(0, "A"), (0, "A")]));
    }

    #[test]
    fn carries_and_borrows_go_through_all_parts() {
        let mut sum = HashSum([u64::MAX, u64::MAX, u64::MAX, 0]);
        let mut one = [0; 32];
        one[0] = 1;
        sum.add(one);
        assert_eq!(sum.0, [0, 0, 0, 1]);
        sum.subtract(one);
        assert_eq!(sum.0, [u64::MAX, u64::MAX, u64::MAX, 0]);
    }

    #[test]
    fn what_is_written_while_all_is_read_is_taken_in_once() {
        let store = ScopeSums::default();
        assert_eq!(store.kept(), None);
        store.begin();

        let change = |id| {
            let mut moved = Sums::default();
            moved.add(scope(), &part(id, "A"));
            moved
        };
        store.moved(1, change(0));
        store.moved(2, change(1));
        // What was read has the first of them.
        let read = change(0);
        let told = store.loaded(1, read);
        assert_eq!(told[0].2, 2);
        assert_eq!(store.kept(), Some(told.clone()));

        store.moved(3, change(2));
        assert_eq!(store.kept().unwrap()[0].2, 3);
        store.lose();
        assert!(store.kept().is_none() && !store.is_kept());
    }

    #[test]
    fn sums_that_were_lost_while_all_was_read_are_not_kept() {
        let store = ScopeSums::default();
        store.begin();
        store.lose();
        let mut read = Sums::default();
        read.add(scope(), &part(0, "A"));
        assert_eq!(store.loaded(1, read)[0].2, 1);
        assert_eq!(store.kept(), None);
    }
}
