//! Cuts: which of them are in force, and where they end what counts of a log.
//!
//! A cut is looked up by what it is against, never by walking all of them: a flood of cuts costs
//! the logs that it is against, and no other.

use super::{Control, CutFact};
use crate::{Bound, Cut, CutTarget, Hash, LogId, NodeId, Reference, Role, RootKey};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// A cut, with what its signature and content came to: checked once, when it is learned.
#[derive(Debug)]
struct CutHeld {
    cut: Cut,
    root_signed: bool,
    content: Hash,
}

/// Cuts by who said them. What the root signed is known by its content: posting it again elsewhere
/// makes no second cut of it.
#[derive(Clone, Debug, Default)]
struct CutSet {
    said: BTreeSet<Reference>,
    by_root: BTreeSet<Hash>,
}

impl CutSet {
    fn add(&mut self, at: Reference, held: &CutHeld) {
        if held.root_signed {
            self.by_root.insert(held.content);
        } else {
            self.said.insert(at);
        }
    }
}

/// A cut that the root signed, and where it is said: of each log the first place, for whoever
/// carries it again tells nothing new.
#[derive(Clone, Debug)]
struct RootCut {
    held: Arc<CutHeld>,
    places: BTreeMap<LogId, Reference>,
}

impl RootCut {
    fn add(&mut self, at: Reference) {
        let first = self.places.entry(at.log).or_insert(at);
        *first = at.min(*first);
    }

    fn first_place(&self) -> Option<Reference> {
        self.places.values().next().copied()
    }
}

/// The cuts held.
#[derive(Clone, Debug, Default)]
pub(super) struct Cuts {
    held: BTreeMap<Reference, Arc<CutHeld>>,
    by_root: BTreeMap<Hash, RootCut>,
    on_node: BTreeMap<NodeId, CutSet>,
    on_log: BTreeMap<LogId, CutSet>,
    /// Further heads of cuts, by the content of the cut that they belong to.
    parts: BTreeMap<Hash, CutSet>,
    /// Cuts that extend others, by what they extend.
    extending: BTreeMap<Reference, BTreeSet<Reference>>,
    /// What the root signed and replaced since, by content.
    replaced_by_root: BTreeSet<Hash>,
}

impl Cuts {
    /// Takes in a cut; whether it is news.
    pub(super) fn learn(&mut self, at: Reference, cut: &Cut, root: &RootKey) -> bool {
        if self.held.contains_key(&at) {
            return false;
        }

        let root_signed = cut.is_root_signed(root);
        let content = cut.content();
        let same = self.by_root.get(&content).filter(|_| root_signed);
        let held = same.map(|known| known.held.clone()).unwrap_or_else(|| {
            Arc::new(CutHeld {
                cut: cut.clone(),
                root_signed,
                content,
            })
        });

        for old in &cut.extends {
            self.extending.entry(*old).or_default().insert(at);
        }

        self.held.insert(at, held.clone());
        self.find_replaced(&at, &held);
        if root_signed {
            let known = self.by_root.entry(content).or_insert_with(|| RootCut {
                held: held.clone(),
                places: BTreeMap::new(),
            });
            known.add(at);
        }

        let set = match (cut.part_of, cut.target) {
            (Some(whole), _) => self.parts.entry(whole).or_default(),
            (None, CutTarget::Node(node)) => self.on_node.entry(node).or_default(),
            (None, CutTarget::Log(log)) => self.on_log.entry(log).or_default(),
        };

        set.add(at, &held);
        true
    }

    /// Notes which cuts of the root's a new one replaces, and whether it is replaced itself by one
    /// that came before it. What the root signed is replaced only by what the root signed.
    fn find_replaced(&mut self, at: &Reference, new: &CutHeld) {
        let of_root = |later: &CutHeld, old: &CutHeld| {
            old.root_signed
                && later.root_signed
                && later.content != old.content
                && replaces(&later.cut, &old.cut)
        };

        let old = new.cut.extends.iter().filter_map(|r| self.held.get(r));
        let mut replaced: Vec<Hash> = old
            .filter(|old| of_root(new, old))
            .map(|old| old.content)
            .collect();

        let later = self.extending.get(at).into_iter().flatten();
        let mut later = later.filter_map(|r| self.held.get(r));
        if later.any(|later| of_root(later, new)) {
            replaced.push(new.content);
        }

        self.replaced_by_root.extend(replaced);
    }

    /// The cut that stands at a place, and whether the root signed it.
    pub(super) fn at(&self, at: &Reference) -> Option<(&Cut, bool)> {
        self.held.get(at).map(|held| (&held.cut, held.root_signed))
    }

    /// Where they stand, those that were replaced among them.
    pub(super) fn references(&self) -> impl Iterator<Item = &Reference> {
        self.held.keys()
    }

    /// Where the cuts stand that may bear on a log, with their parts.
    pub(super) fn bearing_on(&self, log: &LogId) -> BTreeSet<Reference> {
        let whole = [self.on_node.get(&log.node), self.on_log.get(log)];
        let whole: Vec<&CutSet> = whole.into_iter().flatten().collect();
        let mut out: BTreeSet<Reference> = whole
            .iter()
            .flat_map(|set| set.said.iter().copied())
            .collect();

        let said = out.iter().filter_map(|at| self.held.get(at));
        let mut contents: BTreeSet<Hash> = said.map(|held| held.content).collect();
        contents.extend(whole.iter().flat_map(|set| set.by_root.iter().copied()));

        let parts: Vec<&CutSet> = contents
            .iter()
            .filter_map(|content| self.parts.get(content))
            .collect();

        out.extend(parts.iter().flat_map(|set| set.said.iter().copied()));
        contents.extend(parts.iter().flat_map(|set| set.by_root.iter().copied()));
        let of_root = contents
            .iter()
            .filter_map(|content| self.by_root.get(content));
        out.extend(of_root.filter_map(RootCut::first_place));
        out
    }
}

/// Whether one cut may stand in another one's place: it is for the same, and a cut of its own.
fn replaces(later: &Cut, old: &Cut) -> bool {
    later.part_of.is_none() && later.target == old.target
}

/// The last that counts by one cut or a part of one: its size and root.
type CutEnd = (u64, Option<Hash>);

fn named(cut: &Cut, log: &LogId) -> Option<CutEnd> {
    let head = cut.heads.iter().find(|head| head.log == *log)?;
    Some((head.size, Some(head.root)))
}

impl Control {
    /// Whether any cut is held.
    pub fn has_cuts(&self) -> bool {
        !self.cuts.held.is_empty()
    }

    /// Cuts held, replaced ones included. What the root signed and several members carried is told
    /// once.
    pub fn cuts(&self) -> impl Iterator<Item = CutFact> + '_ {
        let mut told = BTreeSet::new();
        self.cuts
            .held
            .iter()
            .filter(move |(_, held)| !held.root_signed || told.insert(held.content))
            .map(|(reference, held)| CutFact {
                reference: *reference,
                cut: held.cut.clone(),
            })
    }

    /// Where the cuts in force against a node as a whole stand, its root's among them: what a later
    /// cut extends, to stand in their place.
    pub fn standing_cuts(&self, node: &NodeId) -> BTreeSet<Reference> {
        let Some(set) = self.cuts.on_node.get(node) else {
            return BTreeSet::new();
        };

        let said = self.live_said(set).map(|(at, _)| *at);
        let of_root = self.live_root_cuts(set);
        said.chain(of_root.filter_map(RootCut::first_place))
            .collect()
    }

    /// Of each cut in force against a node as a whole the logs in which it is said, and how much of
    /// each tells of it: one of them is enough. What the root signed may stand in several.
    pub fn cut_places(&self, node: &NodeId) -> Vec<BTreeMap<LogId, u64>> {
        let Some(set) = self.cuts.on_node.get(node) else {
            return Vec::new();
        };

        let reach = |at: &Reference| (at.log, at.seq.saturating_add(1));
        let said = self.live_said(set);
        let said = said.map(|(at, _)| BTreeMap::from([reach(at)]));
        let of_root = self.live_root_cuts(set);
        let of_root = of_root.map(|cut| cut.places.values().map(reach).collect::<BTreeMap<_, _>>());
        said.chain(of_root).collect()
    }

    /// Whether a node was cut as a whole, and that was not taken back.
    pub fn is_cut(&self, node: &NodeId) -> bool {
        self.live(self.cuts.on_node.get(node))
            .any(|held| !held.cut.lifted)
    }

    /// The last position that counts of a log by cuts alone: of concurrent cuts the smaller holds.
    pub fn cut_bound(&self, log: &LogId) -> Option<Bound> {
        let on_node = self.live(self.cuts.on_node.get(&log.node));
        let on_log = self.live(self.cuts.on_log.get(log));
        let (size, root) = on_node
            .chain(on_log)
            .filter_map(|held| self.end_by(held, log))
            .min()?;
        Some(Bound { size, root })
    }

    /// The last that counts of a hub's log, by what the root signed alone.
    pub(super) fn root_bound(&self, log: &LogId) -> Option<CutEnd> {
        let sets = [self.cuts.on_node.get(&log.node), self.cuts.on_log.get(log)];

        sets.into_iter()
            .flatten()
            .flat_map(|set| self.live_of_root(set))
            .filter_map(|held| self.end_by(held, log))
            .min()
    }

    pub(super) fn is_against_hub(&self, cut: &Cut) -> bool {
        let node = match cut.target {
            CutTarget::Node(node) => node,
            CutTarget::Log(log) => log.node,
        };
        self.role(&node) == Some(Role::Hub)
    }

    /// Cuts of a set in force: not replaced, and said by the root, or by a hub within what counts
    /// of its log and not against a hub.
    fn live<'a>(&'a self, set: Option<&'a CutSet>) -> impl Iterator<Item = &'a CutHeld> {
        let said = set.into_iter().flat_map(|set| self.live_said(set));
        let by_root = set.into_iter().flat_map(|set| self.live_of_root(set));
        said.map(|(_, held)| held).chain(by_root)
    }

    fn live_said<'a>(
        &'a self,
        set: &'a CutSet,
    ) -> impl Iterator<Item = (&'a Reference, &'a CutHeld)> {
        set.said
            .iter()
            .filter_map(|at| Some((at, &**self.cuts.held.get(at)?)))
            .filter(|(at, held)| self.stands(at, held) && !self.is_replaced(at, held))
    }

    fn live_of_root<'a>(&'a self, set: &'a CutSet) -> impl Iterator<Item = &'a CutHeld> {
        self.live_root_cuts(set).map(|cut| &*cut.held)
    }

    fn live_root_cuts<'a>(&'a self, set: &'a CutSet) -> impl Iterator<Item = &'a RootCut> {
        let standing = |content: &&Hash| !self.cuts.replaced_by_root.contains(*content);
        set.by_root
            .iter()
            .filter(standing)
            .filter_map(|content| self.cuts.by_root.get(content))
    }

    /// Whether what a hub said stands by itself: within what counts of its log, and not against a
    /// hub.
    fn stands(&self, at: &Reference, held: &CutHeld) -> bool {
        self.fact_counts(at) && !self.is_against_hub(&held.cut)
    }

    /// Whether a cut that a hub said was replaced by one that stands itself. What a captured hub
    /// wrote past its own bound replaces nothing.
    fn is_replaced(&self, at: &Reference, held: &CutHeld) -> bool {
        let later = self.cuts.extending.get(at).into_iter().flatten();
        let mut later = later.filter_map(|r| Some((r, self.cuts.held.get(r)?)));
        later.any(|(r, later)| {
            replaces(&later.cut, &held.cut) && (later.root_signed || self.stands(r, later))
        })
    }

    /// Where one cut ends a log that it is against; nowhere, where it was taken back. What neither
    /// it nor a part of it names does not count.
    fn end_by(&self, held: &CutHeld, log: &LogId) -> Option<CutEnd> {
        if held.cut.lifted {
            return None;
        }

        let parts = self.cuts.parts.get(&held.content);
        let of_root = parts.into_iter().flat_map(|set| set.by_root.iter());
        let of_root = of_root
            .filter_map(|content| self.cuts.by_root.get(content))
            .map(|cut| &cut.held);

        // Parts of what the root signed are the root's.
        let said = parts.filter(|_| !held.root_signed).into_iter();
        let said = said
            .flat_map(|set| set.said.iter())
            .filter_map(|at| Some((at, self.cuts.held.get(at)?)))
            .filter(|(at, part)| self.stands(at, part))
            .map(|(_, part)| part);

        let in_parts = of_root
            .chain(said)
            .filter(|part| part.cut.target == held.cut.target)
            .filter_map(|part| named(&part.cut, log));
        let ends = named(&held.cut, log).into_iter().chain(in_parts);

        Some(ends.min().unwrap_or((0, None)))
    }
}
