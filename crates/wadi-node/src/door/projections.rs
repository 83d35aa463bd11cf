//! The projections that were written last, as the rules read them: handed from where they are made
//! to the reconciler, which would have to read and parse each of them again.
//!
//! What lies here is what the store holds. A projection is taken out before another one of its
//! record is written, and put back once that is durable; where nothing lies, the store is read.

use lru::LruCache;
use std::sync::{Arc, Mutex, MutexGuard};
use wadi_log::RecordId;
use wadi_reconcile::Facts;
use wadi_record::Terms;

/// About how many bytes of projections are kept.
const KEPT_BYTES_MAX: usize = 16 * 1024 * 1024;
/// What a projection takes in memory, for each byte of its text: names and values lie apart.
const BYTES_A_LETTER: usize = 4;

/// What the rules read of one record.
#[derive(Clone, Debug)]
pub(crate) struct Projected {
    /// The record.
    pub(crate) facts: Facts,
    /// What it is looked up and linked by.
    pub(crate) terms: Arc<Terms>,
    /// Letters of its text.
    pub(crate) letters: usize,
}

/// The projections written last, bounded by bytes.
pub(crate) struct Projections {
    kept: Mutex<Kept>,
}

struct Kept {
    of: LruCache<RecordId, Projected>,
    bytes: usize,
    bytes_max: usize,
}

impl Default for Projections {
    fn default() -> Self {
        Self::of(KEPT_BYTES_MAX)
    }
}

impl Projected {
    fn weight(&self) -> usize {
        self.letters.saturating_mul(BYTES_A_LETTER)
    }
}

impl Kept {
    fn take_out(&mut self, id: &RecordId) {
        if let Some(gone) = self.of.pop(id) {
            self.bytes = self.bytes.saturating_sub(gone.weight());
        }
    }
}

impl Projections {
    fn of(bytes_max: usize) -> Self {
        let kept = Kept {
            of: LruCache::unbounded(),
            bytes: 0,
            bytes_max,
        };
        Self {
            kept: Mutex::new(kept),
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().expect("no panic holds it")
    }

    /// Takes out the projections of records that are about to be written anew.
    pub(crate) fn withdraw(&self, ids: impl IntoIterator<Item = RecordId>) {
        let mut kept = self.kept();
        for id in ids {
            kept.take_out(&id);
        }
    }

    /// Puts in projections that are durable now. Those put in longest ago make room for them.
    pub(crate) fn publish(&self, projected: impl IntoIterator<Item = (RecordId, Projected)>) {
        let mut kept = self.kept();
        for (id, projected) in projected {
            kept.take_out(&id);
            kept.bytes = kept.bytes.saturating_add(projected.weight());
            kept.of.put(id, projected);
        }

        while kept.bytes > kept.bytes_max {
            let Some((_, gone)) = kept.of.pop_lru() else {
                break;
            };
            kept.bytes = kept.bytes.saturating_sub(gone.weight());
        }
    }

    /// The projection of a record as the store holds it now, where it is known.
    pub(crate) fn get(&self, id: &RecordId) -> Option<Projected> {
        self.kept().of.peek(id).cloned()
    }

    /// Forgets all of them: what the store holds is not known.
    pub(crate) fn clear(&self) {
        let mut kept = self.kept();
        kept.of.clear();
        kept.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn projected(name: &str, letters: usize) -> Projected {
        Projected {
            facts: Facts::of(name.into(), json!({ "id": name }), 7),
            terms: Arc::default(),
            letters,
        }
    }

    fn id(n: u8) -> RecordId {
        RecordId([n; 32])
    }

    #[test]
    fn a_record_that_is_being_written_is_read_from_the_store() {
        let projections = Projections::default();
        projections.publish([(id(1), projected("first", 10)), (id(2), projected("b", 10))]);

        projections.withdraw([id(1)]);
        assert!(projections.get(&id(1)).is_none());
        assert_eq!(projections.get(&id(2)).unwrap().facts.printed(), "b");

        projections.publish([(id(1), projected("second", 10))]);
        assert_eq!(projections.get(&id(1)).unwrap().facts.printed(), "second");
    }

    #[test]
    fn the_oldest_make_room_for_the_newest() {
        let projections = Projections::of(25 * BYTES_A_LETTER);
        for n in 0..4 {
            projections.publish([(id(n), projected("x", 10))]);
        }

        let known: Vec<bool> = (0..4).map(|n| projections.get(&id(n)).is_some()).collect();
        assert_eq!(known, [false, false, true, true]);

        // Put in again, a projection counts once.
        projections.publish([(id(3), projected("x", 10)), (id(3), projected("x", 12))]);
        assert!(projections.get(&id(2)).is_some());

        projections.clear();
        assert!((0..4).all(|n| projections.get(&id(n)).is_none()));
        assert_eq!(projections.kept().bytes, 0);
    }
}
