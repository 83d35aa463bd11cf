//! The country log as it is kept: its leaves, its full tiles, and what of each log was listed last.
//!
//! Leaves are only ever added. A log whose store lost something, or cannot tell, is not gone on
//! with: another one begins under an origin of its own, so that no two trees are ever signed under
//! one.

use super::{
    Published, ShownHeads,
    listing::{BegunAnew, ListingState},
};
use crate::door::{Door, error::NodeError, orders::COUNTRY};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use wadi_country::{
    CountryKey, CountryLeaf, HeadSigner, RightEdge, TILE_WIDTH, TileAt, Tiles, fold_tile, roots_of,
    tiles_of,
};
use wadi_log::{Hash, LogId, NodeId, Peaks, Reference, hex, leaf_hash, proof, unhex};
use wadi_store::{AnchorState, LocalKey, LocalScope, StoreError};

/// Letters of an origin that no other log of this hub has.
const NAME_LETTERS: usize = 8;
/// Leaves written together.
const LEAVES_AT_ONCE: usize = 256;
/// Earlier logs of this hub that the first leaf names.
const FOLLOWS_MAX: usize = 8;

/// What was listed last of a log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Listed {
    pub(super) index: u64,
    pub(super) size: u64,
    pub(super) root: Hash,
}

/// The log.
pub(super) struct KeptLog {
    pub(super) name: String,
    pub(super) origin: String,
    pub(super) edge: RightEdge,
    pub(super) heads: BTreeMap<LogId, Listed>,
    pub(super) cuts: BTreeSet<Reference>,
    pub(super) state: ListingState,
}

/// What a start finds.
pub(super) struct Loaded {
    pub(super) log: KeptLog,
    pub(super) shown: ShownHeads,
}

pub(super) fn origin_of(node: &NodeId, name: &str) -> String {
    format!("wadi.country/v1/{node}/{name}")
}

/// The key of a row of this node's: two hubs may share a database, and take turns at it.
pub(super) fn key_of(what: &str, node: &NodeId) -> String {
    format!("{what} {node}")
}

fn damaged(what: &str) -> NodeError {
    StoreError::Malformed(format!("the country log: {what}")).into()
}

fn row(scope: LocalScope, key: String, value: String) -> LocalKey {
    LocalKey { scope, key, value }
}

impl KeptLog {
    /// The log of this hub, or a new one where it has none that can be gone on with.
    pub(super) async fn load(door: &Door, every: Duration) -> Result<Loaded, NodeError> {
        let store = &door.store;
        let key = key_of("state", &door.id());
        let state = store.local(&LocalScope::Country, &key).await?;
        let state = state.and_then(|text| serde_json::from_str::<ListingState>(&text).ok());
        let is_whole = matches!(store.anchor_state(), AnchorState::New | AnchorState::Whole);

        let known = state.is_some();
        let Some(state) = state.filter(|_| is_whole) else {
            let why = "this hub's database lost something, or cannot tell whether it did: its \
                       country log goes on under a new origin";
            let lost = (known || !is_whole).then_some(why);
            let log = Self::begin(door, lost, every).await?;
            return Ok(Loaded {
                log,
                shown: ShownHeads::default(),
            });
        };

        let mut log = Self {
            origin: origin_of(&door.id(), &state.name),
            name: state.name.clone(),
            edge: RightEdge::default(),
            heads: BTreeMap::new(),
            cuts: BTreeSet::new(),
            state,
        };
        log.edge = log.read_edge(door).await?;
        log.read_listed(door).await?;
        let shown = ShownHeads {
            newest: log.published(door, "published").await?,
            cosigned: log.published(door, "cosigned").await?,
        };

        if let Some(newest) = &shown.newest
            && !log.bears_out(door, newest.size, newest.root()).await?
        {
            return Err(damaged(
                "its leaves do not lead to the root that was signed",
            ));
        }
        Ok(Loaded { log, shown })
    }

    /// Begins a log under a new origin; where it follows on one that was lost, it is due at once.
    /// Its first leaf has its keys, and says how far this hub's earlier ones were told to go.
    pub(super) async fn begin(
        door: &Door,
        lost: Option<&str>,
        every: Duration,
    ) -> Result<Self, NodeError> {
        let drawn: [u8; NAME_LETTERS] = rand::random();
        let name: String = drawn.map(|b| char::from(b'a' + b % 26)).iter().collect();
        let origin = origin_of(&door.id(), &name);
        let gone = ["published", "cosigned"].map(|what| key_of(what, &door.id()));
        let gone = gone.map(|key| (LocalScope::Country, key)).into();

        let now_ms = door.time().now_ms();
        let every_ms = i64::try_from(every.as_millis()).unwrap_or(i64::MAX);
        let mut log = Self {
            state: ListingState {
                name: name.clone(),
                size: 0,
                at_ms: match lost {
                    Some(_) => now_ms.saturating_sub(every_ms),
                    None => now_ms,
                },
                day: String::new(),
                revision: None,
                anew: lost.map(|why| BegunAnew {
                    at_ms: now_ms,
                    why: why.into(),
                }),
            },
            name,
            origin: origin.clone(),
            edge: RightEdge::default(),
            heads: BTreeMap::new(),
            cuts: BTreeSet::new(),
        };

        let vkeys = CountryKey::new(&door.keys.log_key, &origin).vkeys();
        let keys = CountryLeaf::Keys {
            vkeys: vkeys.iter().map(|key| key.text()).collect(),
            follows: log.earlier(door),
            hub_time_s: door.time().now_s(),
        };
        door.set_local(vec![], gone).await?;
        let state = log.state.clone();
        log.append(door, vec![(keys, None)], state).await?;
        Ok(log)
    }

    /// How far earlier logs of this hub were told to go.
    fn earlier(&self, door: &Door) -> Vec<(String, u64, Hash)> {
        let orders = door.orders.lock().expect("no panic holds it");
        let me = door.id();
        let told = orders.newest_chain_heads(&me);
        told.filter_map(|(chain, lines, root)| {
            let name = chain
                .strip_prefix(COUNTRY)
                .filter(|name| *name != self.name)?;
            Some((origin_of(&me, name), lines, root))
        })
        .take(FOLLOWS_MAX)
        .collect()
    }

    /// Its name in the hub's control log.
    pub(super) fn chain(&self) -> String {
        format!("{COUNTRY}{}", self.name)
    }

    /// How far the control log tells that it goes.
    pub(super) fn last_told(&self, door: &Door) -> Option<(u64, Hash)> {
        let orders = door.orders.lock().expect("no panic holds it");
        orders.chain_heads(&door.id(), &self.chain()).pop()
    }

    /// What this hub told of this log and does not hold of it, if anything.
    pub(super) async fn contradicted(
        &mut self,
        door: &Door,
    ) -> Result<Option<(u64, Hash)>, NodeError> {
        let Some((size, root)) = self.last_told(door) else {
            return Ok(None);
        };
        let holds = self.bears_out(door, size, Some(root)).await?;
        Ok((!holds).then_some((size, root)))
    }

    /// Whether its first leaves, so many, have that root.
    async fn bears_out(
        &mut self,
        door: &Door,
        size: u64,
        root: Option<Hash>,
    ) -> Result<bool, NodeError> {
        if size > self.edge.size() {
            return Ok(false);
        }
        if size == self.edge.size() {
            return Ok(root == Some(self.edge.root()));
        }
        Ok(root == Some(self.root_at(door, size).await?))
    }

    async fn root_at(&mut self, door: &Door, size: u64) -> Result<Hash, NodeError> {
        let peaks = proof::subtrees((0, size));
        let ranges: Vec<(u64, u64)> = peaks
            .iter()
            .map(|s| (s.index << s.level, (s.index + 1) << s.level))
            .collect();
        let roots = self.roots(door, &ranges).await?;
        let bytes: Vec<u8> = roots.iter().flat_map(|root| root.0).collect();
        Ok(Peaks::from_parts(size, &bytes)?.root())
    }

    /// The roots of ranges of leaves: the elements of a proof.
    pub(super) async fn roots(
        &mut self,
        door: &Door,
        ranges: &[(u64, u64)],
    ) -> Result<Vec<Hash>, NodeError> {
        let mut tiles = Tiles::new();
        for at in tiles_of(ranges) {
            tiles.insert(at, self.tile(door, at).await?);
        }
        roots_of(ranges, &tiles).map_err(|error| damaged(&error.to_string()))
    }

    fn leaf_key(&self, index: u64) -> String {
        format!("{}{index:016}", self.name)
    }

    fn tile_key(&self, at: TileAt) -> String {
        format!("{}{:02}{:016}", self.name, at.level, at.index)
    }

    /// The hashes of a tile, as many as there are by now.
    pub(super) async fn tile(&self, door: &Door, at: TileAt) -> Result<Vec<Hash>, NodeError> {
        if let Some(hashes) = self.edge.tile(at) {
            return Ok(hashes.to_vec());
        }

        let key = self.tile_key(at);
        let text = door.store.local(&LocalScope::CountryTile, &key).await?;
        let bytes = text.as_deref().and_then(unhex);
        let bytes = bytes.filter(|bytes| bytes.len() == TILE_WIDTH * 32);
        let bytes = bytes.ok_or_else(|| damaged("a tile is gone"))?;
        Ok(bytes
            .chunks_exact(32)
            .map(|hash| Hash(hash.try_into().expect("32 bytes")))
            .collect())
    }

    /// Leaves from a position on.
    pub(super) async fn leaves(
        &self,
        door: &Door,
        from: u64,
        count: usize,
    ) -> Result<Vec<String>, NodeError> {
        let limit = u32::try_from(count).unwrap_or(u32::MAX);
        let before = self.leaf_key(from.saturating_add(count as u64));
        let scope = LocalScope::CountryLeaf;
        let rows = door
            .store
            .local_newest(&scope, Some(&before), limit)
            .await?;
        let rows: Vec<LocalKey> = rows.into_iter().rev().collect();

        let expected = (0u64..).map(|n| self.leaf_key(from + n));
        let are_whole = rows.len() == count && rows.iter().zip(expected).all(|(r, k)| r.key == k);
        if !are_whole {
            return Err(damaged("a leaf is gone"));
        }
        Ok(rows.into_iter().map(|row| row.value).collect())
    }

    /// Appends leaves with what each of them lists, durable when it returns. After an error nobody
    /// knows what is there, and the log is loaded anew.
    pub(super) async fn append(
        &mut self,
        door: &Door,
        leaves: Vec<(CountryLeaf, Option<ListedRow>)>,
        state: ListingState,
    ) -> Result<(), NodeError> {
        for part in leaves.chunks(LEAVES_AT_ONCE) {
            let mut rows = Vec::new();
            for (leaf, lists) in part {
                let (index, text) = (self.edge.size(), leaf.text());
                for full in self.edge.append(leaf_hash(text.as_bytes())) {
                    let bytes: Vec<u8> = full.hashes.iter().flat_map(|hash| hash.0).collect();
                    let key = self.tile_key(full.at);
                    rows.push(row(LocalScope::CountryTile, key, hex(&bytes)));
                }
                rows.push(row(LocalScope::CountryLeaf, self.leaf_key(index), text));
                if let Some(lists) = lists {
                    let (key, value) = self.note_listed(lists, index);
                    rows.push(row(LocalScope::CountryListed, key, value));
                }
            }

            let state = ListingState {
                size: self.edge.size(),
                ..state.clone()
            };
            let text = serde_json::to_string(&state).expect("plain text serialises");
            let key = key_of("state", &door.id());
            rows.push(row(LocalScope::Country, key, text));
            door.set_local(rows, vec![]).await?;
            self.state = state;
        }

        Ok(())
    }

    fn note_listed(&mut self, lists: &ListedRow, index: u64) -> (String, String) {
        match lists {
            ListedRow::Head(log, size, root) => {
                let (index, size, root) = (index, *size, *root);
                self.heads.insert(*log, Listed { index, size, root });
                let key = format!("{} head {}", self.name, hex(&log.to_bytes()));
                (key, format!("{index} {size} {root}"))
            }
            ListedRow::Cut(entry) => {
                self.cuts.insert(*entry);
                (format!("{} cut {entry}", self.name), index.to_string())
            }
        }
    }

    async fn read_edge(&self, door: &Door) -> Result<RightEdge, NodeError> {
        let size = self.state.size;
        let mut levels = Vec::new();
        for (level, width) in RightEdge::widths(size).enumerate() {
            let first = ((size >> (8 * level)) / TILE_WIDTH as u64) * TILE_WIDTH as u64;
            let mut hashes = Vec::with_capacity(width);
            if level == 0 && width > 0 {
                let leaves = self.leaves(door, first, width).await?;
                hashes.extend(leaves.iter().map(|leaf| leaf_hash(leaf.as_bytes())));
            } else {
                let below = u8::try_from(level.saturating_sub(1)).unwrap_or(u8::MAX);
                for index in first..first + width as u64 {
                    let at = TileAt {
                        level: below,
                        index,
                    };
                    hashes.push(fold_tile(&self.tile(door, at).await?));
                }
            }
            levels.push(hashes);
        }

        RightEdge::from_levels(size, levels).map_err(|error| damaged(&error.to_string()))
    }

    async fn read_listed(&mut self, door: &Door) -> Result<(), NodeError> {
        let own = format!("{} ", self.name);
        for row in door.store.local_all(&LocalScope::CountryListed).await? {
            let Some(listed) = row.key.strip_prefix(&own) else {
                continue;
            };
            let head = listed.strip_prefix("head ").and_then(|log| {
                let log = LogId::from_slice(&unhex(log)?).ok()?;
                let mut parts = row.value.split(' ');
                let index = parts.next()?.parse().ok()?;
                let size = parts.next()?.parse().ok()?;
                let root = Hash::from_slice(&unhex(parts.next()?)?).ok()?;
                Some((log, Listed { index, size, root }))
            });
            self.heads.extend(head);
            let cut = listed.strip_prefix("cut ");
            self.cuts
                .extend(cut.and_then(|cut| cut.parse::<Reference>().ok()));
        }

        Ok(())
    }

    async fn published(&self, door: &Door, key: &str) -> Result<Option<Published>, NodeError> {
        let key = key_of(key, &door.id());
        let text = door.store.local(&LocalScope::Country, &key).await?;
        let published = text.and_then(|text| serde_json::from_str::<Published>(&text).ok());
        Ok(published.filter(|published| published.origin == self.origin))
    }
}

/// What a leaf lists, to be known at the next listing.
#[derive(Clone, Debug)]
pub(super) enum ListedRow {
    /// A log, its entries and its root.
    Head(LogId, u64, Hash),
    /// A cut.
    Cut(Reference),
}
