//! What is on its way to the peer, and what is loaded next.

use super::io::Query;
use crate::{
    codec::{BlockEncoder, CodecVersion, HeldKey, HeldParts, Reliance},
    link_spec::LaneSet,
    message::SyncError,
};
use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};
use wadi_log::{Block, Crossing, Lane, LogId, SignedCheckpoint};

/// Compressed bytes in flight before the next block waits for an acknowledgement, at least: about
/// two bandwidth-delay products of 512 kbit/s in 600 ms.
const WINDOW_BYTES: usize = 80 * 1024;
/// At most, however much a link holds: each block in flight is remembered by its checkpoint.
const WINDOW_BYTES_MAX: usize = 3 * 1024 * 1024;
/// Blocks in flight at most, as each is remembered until it is answered: more than fill the widest
/// window, unless they hold an entry each.
const SENT_BLOCKS_MAX: usize = 16_384;
/// What urgent lanes may have in flight beyond the window, so that bulk never delays them.
const URGENT_BYTES: usize = 32 * 1024;
const URGENT_BLOCKS: usize = 256;

/// A block that was sent, and not answered.
pub(crate) struct SentBlock {
    log: LogId,
    /// Where it ended.
    pub(crate) to: u64,
    bytes: usize,
    /// None of a sealed block, which nobody here can read: a hub tells it with its cosignature.
    pub(crate) checkpoint: Option<SignedCheckpoint>,
    /// Sent before the peer reported a gap: it will report one for this block too.
    pub(crate) void: bool,
}

impl SentBlock {
    fn held_bytes(&self) -> usize {
        let head = self.checkpoint.as_ref().map(|c| &c.checkpoint);
        let listed = head.map_or(0, |head| head.logs.len());
        size_of::<Self>() + self.bytes + listed * size_of::<(Lane, Crossing, u64)>()
    }
}

/// A log of which a block may be sent. The most urgent lane comes first, and of a lane what the
/// commission says: a cut is there before what it cuts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct DueBlock {
    /// Of the log; in front, as it decides the order.
    pub(crate) lane: Lane,
    /// Whether somebody else than a hub writes it: a crossing's log comes behind.
    pub(crate) is_crossings: bool,
    pub(crate) log: LogId,
    /// Where it begins.
    pub(crate) from: u64,
}

impl DueBlock {
    pub(crate) fn new(log: LogId, from: u64) -> Self {
        Self {
            lane: log.lane,
            is_crossings: log.crossing != Crossing::HUB,
            log,
            from,
        }
    }
}

/// The blocks in flight, the streams that they take, and what the store was asked for.
pub(crate) struct SendWindow {
    loading: BTreeSet<Query>,
    /// Blocks of which the store is asked what they may leave out, by log and beginning.
    parked: BTreeMap<(LogId, u64), Block>,
    /// The version of the codec that both ends speak.
    codec: CodecVersion,
    /// Logs whose blocks leave nothing out in this session: the peer could not rebuild one.
    in_full: BTreeSet<LogId>,
    in_flight: Vec<SentBlock>,
    encoders: BTreeMap<Lane, BlockEncoder>,
    sent_bytes: u64,
    /// What the link holds, bytes, as far as it is known.
    link_bytes: usize,
}

impl Default for SendWindow {
    fn default() -> Self {
        Self {
            loading: BTreeSet::new(),
            parked: BTreeMap::new(),
            codec: CodecVersion::Zstd,
            in_full: BTreeSet::new(),
            in_flight: Vec::new(),
            encoders: BTreeMap::new(),
            sent_bytes: 0,
            link_bytes: 0,
        }
    }
}

impl SendWindow {
    /// Which version the streams speak that begin from now on.
    pub(crate) fn use_codec(&mut self, codec: CodecVersion) {
        self.codec = codec;
    }

    /// What a block could leave out if the peer holds it.
    pub(crate) fn asks_of(
        &mut self,
        log: &LogId,
        block: &Block,
    ) -> Result<BTreeSet<HeldKey>, SyncError> {
        if self.in_full.contains(log) {
            return Ok(BTreeSet::new());
        }

        Ok(self.encoder(log.lane)?.asks_of(block))
    }

    /// Keeps a block while the store is asked.
    pub(crate) fn park(&mut self, query: &Query, log: LogId, block: Block) {
        self.loading.insert(query.clone());
        self.parked.insert((log, block.from), block);
    }

    /// The block that was kept.
    pub(crate) fn unpark(&mut self, log: LogId, from: u64) -> Option<Block> {
        self.parked.remove(&(log, from))
    }

    /// Blocks of a log leave nothing out from here on; false where they already leave nothing out.
    pub(crate) fn say_in_full(&mut self, log: &LogId) -> bool {
        self.codec > CodecVersion::Zstd && self.in_full.insert(*log)
    }

    fn encoder(&mut self, lane: Lane) -> Result<&mut BlockEncoder, SyncError> {
        Ok(match self.encoders.entry(lane) {
            Entry::Occupied(e) => e.into_mut(),
            Entry::Vacant(e) => e.insert(BlockEncoder::of_version(self.codec)?),
        })
    }

    /// Bytes of block frames handed out so far.
    pub(crate) fn sent_bytes(&self) -> u64 {
        self.sent_bytes
    }

    /// Whether nothing is in flight, and nothing is loaded.
    pub(crate) fn is_empty(&self) -> bool {
        self.in_flight.is_empty() && self.loading.is_empty()
    }

    /// Whether blocks of these lanes are in flight or loaded.
    pub(crate) fn is_sending(&self, lanes: LaneSet) -> bool {
        let of = |log: &LogId| lanes.contains(log.lane);
        let loaded = self.loading.iter().any(|query| match query {
            Query::Block { log, .. } | Query::HeldForBlock { log, .. } => of(log),
            _ => false,
        });
        loaded || self.in_flight.iter().any(|block| of(&block.log))
    }

    /// Whether nothing is loaded and a block that is not urgent may be.
    pub(crate) fn has_room_for_bulk(&self) -> bool {
        let is_open = self.bytes_in_flight() < self.window_bytes();
        self.loading.is_empty() && is_open && self.in_flight.len() < SENT_BLOCKS_MAX
    }

    /// Bytes that it takes, about: what is in flight may wait here still.
    pub(crate) fn held_bytes(&self) -> usize {
        let encoders: usize = self.encoders.values().map(BlockEncoder::held_bytes).sum();
        let parked = self.parked.values().flat_map(|b| &b.entries);
        let parked: usize = parked.map(Vec::len).sum();
        let in_flight = self.in_flight.iter().map(SentBlock::held_bytes);
        encoders + parked + in_flight.sum::<usize>()
    }

    /// The link holds so many bytes.
    pub(crate) fn set_link_holds(&mut self, bytes: u64) {
        self.link_bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
    }

    /// Twice what the link holds: an acknowledgement takes a round trip and a commit.
    fn window_bytes(&self) -> usize {
        self.link_bytes
            .saturating_mul(2)
            .clamp(WINDOW_BYTES, WINDOW_BYTES_MAX)
    }

    /// Asks for a block by itself; false where it was asked for already.
    pub(crate) fn load(&mut self, query: &Query) -> bool {
        self.loading.insert(query.clone())
    }

    /// The store answered.
    pub(crate) fn loaded(&mut self, query: &Query) {
        self.loading.remove(query);
    }

    /// Chooses what to load of the logs that are due, the most urgent lane first, as long as the
    /// window is open.
    pub(crate) fn choose(&mut self, mut due: Vec<DueBlock>) -> Vec<DueBlock> {
        due.sort();
        let in_flight = self.bytes_in_flight();
        let mut chosen = Vec::new();

        for block in due {
            let urgent = block.lane <= Lane::Hold;
            let window = self.window_bytes() + if urgent { URGENT_BYTES } else { 0 };
            let blocks_max = SENT_BLOCKS_MAX + if urgent { URGENT_BLOCKS } else { 0 };

            // One block at a time is loaded: what is loaded later is fresher, and an urgent lane
            // waits for one at most.
            let is_shut = in_flight >= window || self.in_flight.len() >= blocks_max;
            if is_shut || self.loading.len() > usize::from(urgent) {
                break;
            }

            if self.loads_block_of(&block.log) {
                continue;
            }

            self.load(&Query::Block {
                log: block.log,
                from: block.from,
            });
            chosen.push(block);
        }

        chosen
    }

    /// Encodes a block for its lane's stream; it is in flight from here on.
    /// What of it the peer holds, `held` tells.
    pub(crate) fn send(
        &mut self,
        log: LogId,
        block: Block,
        held: &HeldParts,
    ) -> Result<Vec<u8>, SyncError> {
        let to = block.checkpoint.checkpoint.size;
        let reliance = match self.in_full.contains(&log) {
            true => Reliance::Nothing,
            false => Reliance::Stream,
        };
        let encoder = self.encoder(log.lane)?;
        let frame = encoder.encode_with(&block, held, reliance)?;

        self.sent_bytes += frame.len() as u64;
        self.in_flight.push(SentBlock {
            log,
            to,
            bytes: frame.len(),
            checkpoint: Some(block.checkpoint),
            void: false,
        });

        Ok(frame)
    }

    /// A sealed block goes out as it is; it is in flight from here on.
    pub(crate) fn send_sealed(&mut self, log: LogId, to: u64, bytes: usize) {
        self.sent_bytes += bytes as u64;
        self.in_flight.push(SentBlock {
            log,
            to,
            bytes,
            checkpoint: None,
            void: false,
        });
    }

    /// The block that an answer is for: every block is answered once, in the order of its log.
    pub(crate) fn answered(&mut self, log: &LogId) -> Option<SentBlock> {
        let at = self.in_flight.iter().position(|f| f.log == *log)?;
        Some(self.in_flight.remove(at))
    }

    /// What is in flight of a log comes to nothing: the peer lacks what stands before it.
    pub(crate) fn void(&mut self, log: &LogId) {
        for block in self.in_flight.iter_mut().filter(|f| f.log == *log) {
            block.void = true;
        }
    }

    fn bytes_in_flight(&self) -> usize {
        self.in_flight.iter().map(|f| f.bytes).sum()
    }

    fn loads_block_of(&self, log: &LogId) -> bool {
        self.loading.iter().any(|q| match q {
            Query::Block { log: of, .. } | Query::HeldForBlock { log: of, .. } => of == log,
            _ => false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wadi_log::{Checkpoint, Epoch, Hash, LogKey};

    fn log(lane: Lane, epoch: u8) -> LogId {
        LogId {
            node: LogKey::from_seed(&[3; 32]).node(),
            epoch: Epoch([epoch; 8]),
            lane,
            crossing: Crossing::HUB,
        }
    }

    fn due(lane: Lane, epoch: u8) -> DueBlock {
        DueBlock::new(log(lane, epoch), 0)
    }

    /// A block of one entry that does not compress.
    fn noise(log: LogId, bytes: usize) -> Block {
        let words = (0..bytes as u64 / 32).flat_map(|n| wadi_log::leaf_hash(&n.to_be_bytes()).0);
        Block {
            from: 0,
            entries: vec![words.collect()],
            checkpoint: LogKey::from_seed(&[3; 32]).sign(Checkpoint {
                log,
                size: 1,
                root: Hash([1; 32]),
                hub_time_s: 0,
                logs: vec![],
            }),
        }
    }

    #[test]
    fn one_block_is_loaded_at_a_time_and_an_urgent_one_beside_it() {
        let mut window = SendWindow::default();
        let bulk = vec![due(Lane::Passage, 1), due(Lane::Passage, 2)];
        assert_eq!(window.choose(bulk.clone()), [bulk[0]]);
        assert!(window.choose(bulk.clone()).is_empty());

        let mixed = [&bulk[..], &[due(Lane::Control, 1)]].concat();
        assert_eq!(window.choose(mixed), [due(Lane::Control, 1)]);

        window.loaded(&Query::Block {
            log: bulk[0].log,
            from: 0,
        });
        assert!(!window.is_empty(), "the urgent one is loaded still");
    }

    #[test]
    fn of_a_lane_what_the_commission_says_goes_before_what_it_may_be_about() {
        let captured = DueBlock::new(
            LogId {
                node: wadi_log::NodeId([0; 16]),
                crossing: "TRB".parse().unwrap(),
                ..log(Lane::Control, 1)
            },
            0,
        );
        let cut = due(Lane::Control, 9);
        assert!(captured.log < cut.log, "by their ids the other way round");

        let chosen = SendWindow::default().choose(vec![captured, cut]);
        assert_eq!(chosen.first(), Some(&cut));
    }

    #[test]
    fn a_link_that_holds_more_lets_more_into_flight() {
        let mut window = SendWindow::default();
        let bulk = log(Lane::Passage, 1);
        while window.has_room_for_bulk() {
            window
                .send(bulk, noise(bulk, 30 * 1024), &HeldParts::default())
                .unwrap();
        }

        window.set_link_holds(750_000);
        assert!(window.has_room_for_bulk());
        assert_eq!(window.window_bytes(), 1_500_000);

        // No more than the most, and no less than before.
        window.set_link_holds(u64::MAX);
        assert_eq!(window.window_bytes(), WINDOW_BYTES_MAX);
        window.set_link_holds(2_400);
        assert_eq!(window.window_bytes(), WINDOW_BYTES);
        assert!(!window.has_room_for_bulk());
    }

    #[test]
    fn whoever_answers_nothing_is_remembered_few_blocks_however_small_they_are() {
        let mut window = SendWindow::default();
        window.set_link_holds(u64::MAX);
        let mut sent = 0;
        while window.has_room_for_bulk() {
            let block = noise(log(Lane::Passage, 1), 32);
            window
                .send(log(Lane::Passage, 1), block, &HeldParts::default())
                .unwrap();
            sent += 1;
        }

        assert_eq!(sent, SENT_BLOCKS_MAX);
        assert_eq!(window.choose(vec![due(Lane::Hold, 1)]).len(), 1);
        assert!(window.held_bytes() <= 8 * 1024 * 1024);
    }

    #[test]
    fn bulk_stops_at_the_window_and_urgent_lanes_go_on() {
        let mut window = SendWindow::default();
        let bulk = log(Lane::Passage, 1);
        while window.has_room_for_bulk() {
            let block = noise(bulk, 30 * 1024);
            window.send(bulk, block, &HeldParts::default()).unwrap();
        }

        assert!(window.sent_bytes() as usize >= WINDOW_BYTES);
        assert!(window.choose(vec![due(Lane::Passage, 2)]).is_empty());
        assert_eq!(window.choose(vec![due(Lane::Hold, 1)]).len(), 1);

        window.void(&bulk);
        assert!(window.answered(&bulk).is_some_and(|f| f.void && f.to == 1));
        assert!(window.answered(&log(Lane::Hold, 9)).is_none());
    }
}
