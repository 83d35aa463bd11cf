//! Which records belong into which dossiers, read for many records together, each record once.
//!
//! What a rule needs is asked for by kind: of a truck that four hundred passages name, the one open
//! hold is found all the same. Holds are asked for whenever they were placed, the open ones first;
//! of everything else those nearest in time are taken, and where there are more, the dossier says
//! so. What a hold may hold is looked at when the hold comes, whenever it was.

mod asker;
mod beyond;

use crate::{door::Door, hub::reconciler::facts};
use asker::Asker;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};
use wadi_log::RecordId;
use wadi_reconcile::{DossierCut, Facts};
use wadi_record::{Policy, Terms};
use wadi_store::{StoreError, TermHit, TermQuery};

/// Records of one kind that share one term with another, of which those nearest in time are taken.
const PER_TERM: u32 = 64;
/// Records of its cohorts that share one term with a record.
const PER_COHORT_TERM: u32 = 32;
/// What a hold or a lookout may hold is looked at when the hold comes: more than any truck passes
/// in the time of a dossier.
const HELD_PER_TERM: u32 = 1_024;
/// Records of one kind, holds apart, that a dossier takes at most.
const LINKED_MAX: usize = 128;
/// Holds that the dossier of a passage, or of an entry, takes at most: more than anybody honest
/// ever places on one.
const HOLDS_MAX: usize = 4_096;
/// Other holds that the dossier of a hold takes at most.
const OTHER_HOLDS_MAX: usize = 256;
/// Records that a record names itself, of which a dossier reads at most so many.
const NAMED_MAX: usize = 4_096;
/// Records of its cohorts: a device's numbers before and after, and what shares a plate's shape or
/// an HS code.
const PEERS_MAX: usize = 512;
/// Questions to its cohorts that one record asks.
const COHORT_ASKS_MAX: usize = 4_096;
/// Records that share a plate, or the like, with one in its time; with more, somebody is filling
/// the dossiers of others.
const CROWD: u64 = 256;
/// Rows read together.
const ROWS: usize = 256;
/// Times beyond these, some hundred million years from now, are nobody's: no sum of them overflows
/// in any engine.
const TIME_MS_MAX: i64 = 1 << 61;

/// Terms by which holds are found: they name a record, or look out for what it carries.
const HOLDING: [&str; 2] = ["link", "target"];
/// Of these the nearest in time are what is wanted, whatever their kind: a shift of that day,
/// another officer's acts.
const NEAREST_OF_ALL: [&str; 3] = ["shift", "acts", "goods"];
/// What a hold may hold by.
const CARRIED: [&str; 6] = ["link", "plate", "container", "vin", "document", "was"];

/// What one record's dossier is made of.
#[derive(Default)]
struct Asked {
    /// Linked records: what it names itself, and those nearest in time.
    linked: BTreeMap<RecordId, TermPlace>,
    /// Holds on it, or beside it, and whether each is open.
    holds: BTreeMap<RecordId, bool>,
    peers: BTreeSet<RecordId>,
    /// Records whose dossiers it belongs, or belonged, to, beyond those.
    neighbours: BTreeSet<RecordId>,
    /// Where there were more than were taken.
    cut: BTreeMap<&'static str, DossierCut>,
    /// Somebody seems to fill the dossier.
    crowded: bool,
}

/// Where a linked record stands among those of its kind that share its term, and how many those
/// are; 0 where it is named.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct TermPlace {
    place: u64,
    of: u64,
    /// The same without the record whose dossier it is, where that has the term itself: among those
    /// of its own kind it was counted.
    of_others: u64,
}

/// Dossiers of many records, and what is known of all records in them.
#[derive(Default)]
pub(crate) struct Gathered {
    asked: HashMap<RecordId, Asked>,
    facts: HashMap<RecordId, Facts>,
    /// Terms of records that came from memory; those of others are read where they are asked for.
    terms: HashMap<RecordId, Arc<Terms>>,
}

/// The other records of one dossier.
pub(crate) struct Parts {
    pub(crate) linked: Vec<Facts>,
    pub(crate) peers: Vec<Facts>,
    pub(crate) cut: BTreeMap<String, DossierCut>,
    pub(crate) crowded: bool,
}

/// What a question to the store is for.
struct Purpose {
    asker: RecordId,
    what: &'static str,
    cohort: bool,
    /// By a term that the record has no more: whoever was held together by it is looked at, and no
    /// more.
    gone: bool,
}

/// The questions of many records.
#[derive(Default)]
struct DossierQuestions {
    near: Vec<TermQuery>,
    purposes: Vec<Purpose>,
    /// Terms of holds, each asked once, and who asks, and whether by a term that is gone.
    holds: BTreeMap<(&'static str, String), Vec<(RecordId, bool)>>,
    named: BTreeSet<RecordId>,
}

impl Gathered {
    /// Whether a record's dossier was asked for.
    pub(crate) fn has(&self, id: &RecordId) -> bool {
        self.asked.contains_key(id)
    }

    /// The record itself.
    pub(crate) fn facts_of(&self, id: &RecordId) -> Option<&Facts> {
        self.facts.get(id)
    }

    /// All records asked for, and all whose dossiers they belong to.
    pub(crate) fn anchors(&self) -> BTreeSet<RecordId> {
        let others = self.asked.values().flat_map(|a| {
            a.linked
                .keys()
                .chain(a.holds.keys())
                .chain(&a.peers)
                .chain(&a.neighbours)
        });

        self.asked.keys().chain(others).copied().collect()
    }

    /// Asks for the dossiers of these records; those that they belonged to by terms since gone are
    /// neighbours.
    pub(crate) async fn ask_for(
        &mut self,
        node: &Door,
        ids: &[RecordId],
        gone: Vec<(RecordId, String, String, i64)>,
    ) -> Result<(), StoreError> {
        if ids.is_empty() {
            return Ok(());
        }

        let store = node.store.clone();
        self.read_records(node, ids.iter().copied()).await?;
        let policy = node.policy_now();
        let questions = self.questions(node, &policy, ids, gone).await?;

        let hits = store.near(&questions.near).await?;
        let is_own = |hit: &&TermHit| {
            let purpose = questions.purposes.get(hit.asker);
            purpose.is_some_and(|purpose| purpose.asker == hit.record)
        };
        let with_asker: BTreeSet<usize> = hits.iter().filter(is_own).map(|h| h.asker).collect();

        for hit in &hits {
            let Some(purpose) = questions.purposes.get(hit.asker) else {
                continue;
            };
            let Some(asked) = self.asked.get_mut(&purpose.asker) else {
                continue;
            };

            let own = u64::from(with_asker.contains(&hit.asker));
            let of_others = hit.of.saturating_sub(own);
            asked.take_near(purpose, hit.record, hit.place, (hit.of, of_others));
        }

        let (beyond, of_whom) = questions.beyond(&hits);
        for hit in store.near(&beyond).await? {
            let asker = of_whom.get(hit.asker);
            let asked = asker.and_then(|asker| self.asked.get_mut(asker));
            if let Some(asked) = asked {
                asked.neighbours.insert(hit.record);
            }
        }

        let terms: Vec<(String, String)> = questions
            .holds
            .keys()
            .map(|(what, value)| (what.to_string(), value.clone()))
            .collect();

        let askers: Vec<&Vec<(RecordId, bool)>> = questions.holds.values().collect();
        for hit in store.holds(&terms, HOLDS_MAX as u32).await? {
            for (asker, gone) in askers.get(hit.asker).into_iter().copied().flatten() {
                let Some(asked) = self.asked.get_mut(asker) else {
                    continue;
                };
                asked.take_hold(hit.record, hit.open, hit.of, *gone);
            }
        }

        self.bound_holds(ids);
        let wanted: BTreeSet<RecordId> = ids
            .iter()
            .filter_map(|id| self.asked.get(id))
            .flat_map(|a| a.linked.keys().chain(a.holds.keys()).chain(&a.peers))
            .chain(&questions.named)
            .copied()
            .collect();

        self.read_records(node, wanted).await
    }

    /// What these records' terms ask for, and what terms that they had asked for.
    async fn questions(
        &mut self,
        node: &Door,
        policy: &Policy,
        ids: &[RecordId],
        gone: Vec<(RecordId, String, String, i64)>,
    ) -> Result<DossierQuestions, StoreError> {
        let unread: Vec<RecordId> = ids
            .iter()
            .filter(|id| !self.terms.contains_key(id))
            .copied()
            .collect();

        let mut terms: HashMap<RecordId, Terms> = HashMap::new();
        if !unread.is_empty() {
            for (id, what, value) in node.store.terms_of(&unread).await? {
                terms.entry(id).or_default().push((what, value));
            }
        }

        let mut before: HashMap<RecordId, BTreeMap<i64, Vec<(String, String)>>> = HashMap::new();
        for (id, what, value, born_ms) in gone {
            before
                .entry(id)
                .or_default()
                .entry(born_ms)
                .or_default()
                .push((what, value));
        }

        let mut questions = DossierQuestions::default();
        for id in ids {
            let Some(facts) = self.facts.get(id) else {
                continue;
            };
            let asked = self.asked.entry(*id).or_default();

            *asked = Asked::default();
            let born_ms = facts.json["born_ms"].as_i64().unwrap_or(0);
            let mut asker = Asker {
                id: *id,
                shared_terms: &node.shared_terms,
                is_hold: facts.is_hold(),
                policy,
                asked,
            };

            let read = terms.remove(id).unwrap_or_default();
            let own = self.terms.get(id).map_or(&read, |known| known);
            asker.ask_of_terms(&mut questions, born_ms, own, false);

            for (born_ms, own) in before.remove(id).unwrap_or_default() {
                asker.ask_of_terms(&mut questions, born_ms, &own, true);
            }
        }

        Ok(questions)
    }

    /// Takes no more holds than a dossier has room for, the open ones first.
    fn bound_holds(&mut self, ids: &[RecordId]) {
        for id in ids {
            let is_hold = self.facts.get(id).is_some_and(Facts::is_hold);
            let most = if is_hold { OTHER_HOLDS_MAX } else { HOLDS_MAX };
            let Some(asked) = self.asked.get_mut(id) else {
                continue;
            };

            asked.linked.remove(id);
            asked.holds.remove(id);
            asked.peers.remove(id);

            if asked.holds.len() > most {
                asked.note_cut("hold", most, asked.holds.len());
                asked.crowded = true;
                let mut all: Vec<(RecordId, bool)> =
                    std::mem::take(&mut asked.holds).into_iter().collect();

                all.sort_by_key(|(id, open)| (!*open, *id));
                let beyond = all.split_off(most);
                asked.neighbours.extend(beyond.iter().map(|(id, _)| *id));
                for (id, _) in beyond {
                    asked.linked.remove(&id);
                }

                asked.holds = all.into_iter().collect();
            }
        }
    }

    /// Takes in the records that are not known yet: those written last out of memory, the others
    /// out of the store.
    async fn read_records(
        &mut self,
        node: &Door,
        ids: impl IntoIterator<Item = RecordId>,
    ) -> Result<(), StoreError> {
        let mut missing: Vec<RecordId> = Vec::new();
        for id in ids {
            if self.facts.contains_key(&id) {
                continue;
            }

            match node.projections.get(&id) {
                Some(projected) => {
                    self.facts.insert(id, projected.facts);
                    self.terms.insert(id, projected.terms);
                }
                None => missing.push(id),
            }
        }

        for part in missing.chunks(ROWS) {
            for row in node.store.records_by_id(part).await? {
                self.facts.insert(row.id, facts(&row));
            }
        }

        Ok(())
    }

    /// The other records of a record's dossier, each kind by itself up to what a dossier takes.
    pub(crate) fn parts(&self, id: &RecordId) -> Parts {
        let Some(asked) = self.asked.get(id) else {
            return Parts {
                linked: Vec::new(),
                peers: Vec::new(),
                cut: BTreeMap::new(),
                crowded: false,
            };
        };

        let mut linked: Vec<Facts> = asked
            .holds
            .keys()
            .filter_map(|id| self.facts.get(id))
            .cloned()
            .collect();

        let own_kind = self.facts.get(id).map(Facts::kind);
        let (others, taken) = self.linked_others(asked, own_kind);
        linked.extend(others);

        let of_kinds = taken
            .into_iter()
            .filter(|(kind, c)| *kind != "hold" && c.of > c.taken);
        let noted = asked.cut.iter().map(|(kind, cut)| (*kind, *cut));
        let cut = of_kinds
            .chain(noted)
            .map(|(kind, cut)| (kind.to_string(), cut))
            .collect();

        let is_peer =
            |id: &&RecordId| !asked.linked.contains_key(*id) && !asked.holds.contains_key(*id);
        let peers = asked
            .peers
            .iter()
            .filter(is_peer)
            .filter_map(|id| self.facts.get(id));

        Parts {
            linked,
            peers: peers.take(PEERS_MAX).cloned().collect(),
            cut,
            crowded: asked.crowded,
        }
    }

    /// Those linked to a record that it does not hold, the nearest first and of each kind so many,
    /// and how many of each kind there are.
    fn linked_others(
        &self,
        asked: &Asked,
        own_kind: Option<&str>,
    ) -> (Vec<Facts>, BTreeMap<&str, DossierCut>) {
        let mut others: Vec<(TermPlace, RecordId)> = asked
            .linked
            .iter()
            .map(|(id, place)| (*place, *id))
            .collect();

        others.sort_unstable();

        let mut linked = Vec::new();
        let mut taken: BTreeMap<&str, DossierCut> = BTreeMap::new();
        let mut names: BTreeMap<&str, u64> = BTreeMap::new();
        for (place, other) in others
            .iter()
            .filter(|(_, other)| !asked.holds.contains_key(other))
        {
            let Some(facts) = self.facts.get(other) else {
                continue;
            };
            let of_kind = taken
                .entry(facts.kind())
                .or_insert(DossierCut { taken: 0, of: 0 });
            let most = if facts.is_hold() {
                HOLDS_MAX
            } else {
                LINKED_MAX
            };

            let of = match own_kind == Some(facts.kind()) {
                true => place.of_others,
                false => place.of,
            };
            of_kind.of = of_kind.of.max(of);
            let named = names.entry(facts.kind()).or_insert(0u64);
            *named = named.saturating_add(1);

            if of_kind.taken < most as u64 {
                of_kind.taken = of_kind.taken.saturating_add(1);
                linked.push(facts.clone());
            }
        }

        // Those found by several terms are at least as many as are known by name.
        for (kind, cut) in &mut taken {
            cut.of = cut.of.max(names.get(kind).copied().unwrap_or(0));
        }

        (linked, taken)
    }
}

impl Asked {
    fn note_cut(&mut self, kind: &'static str, taken: usize, of: usize) {
        let known = self.cut.entry(kind).or_insert(DossierCut {
            taken: taken as u64,
            of: 0,
        });
        known.of = known.of.max(of as u64);
    }

    /// Takes in a record that shares a term, at a place among so many, with the asker and without.
    fn take_near(
        &mut self,
        purpose: &Purpose,
        record: RecordId,
        place: u64,
        (of, of_others): (u64, u64),
    ) {
        if purpose.gone {
            self.neighbours.insert(record);
        } else if purpose.cohort {
            self.peers.insert(record);
        } else {
            // What is the nearest of all was meant to leave out the others.
            let (of, of_others) = match NEAREST_OF_ALL.contains(&purpose.what) {
                true => (place, place.saturating_sub(of - of_others)),
                false => (of, of_others),
            };

            let new = TermPlace {
                place,
                of,
                of_others,
            };
            let known = self.linked.entry(record).or_insert(new);
            *known = TermPlace {
                place: place.min(known.place),
                of: of.max(known.of),
                of_others: of_others.max(known.of_others),
            };
            self.crowded |= of > CROWD && CARRIED.contains(&purpose.what);
            self.crowded |= of > u64::from(PER_TERM) && purpose.what == "link";
        }
    }

    fn take_hold(&mut self, record: RecordId, open: bool, of: u64, gone: bool) {
        if gone {
            self.neighbours.insert(record);
            return;
        }

        self.holds.insert(record, open);
        if of > HOLDS_MAX as u64 {
            self.note_cut("hold", HOLDS_MAX, usize::try_from(of).unwrap_or(usize::MAX));
            self.crowded = true;
        }
    }
}
