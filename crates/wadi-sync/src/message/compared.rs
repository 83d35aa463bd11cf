//! What compares and mends: entries of a tree, hashes of its subtrees, and what records come to.

use super::{
    FETCH_RANGES_MAX, Fetched, Message, ScopeSum, SyncError, TREE_HASHES_MAX, TreeAsk,
    wire::{bad, hashes_in, hashes_out, lane_in, log_out, tip_in},
};
use crate::pb;
use wadi_log::{Hash, LogError, LogId, Stretch, Tip};

fn pairs_out(ranges: &[(u64, u64)]) -> Vec<u64> {
    ranges.iter().flat_map(|(from, to)| [*from, *to]).collect()
}

/// Ranges ascend and do not overlap; none is empty.
fn pairs_in(flat: &[u64], max: usize) -> Result<Vec<(u64, u64)>, LogError> {
    let (pairs, rest) = flat.as_chunks::<2>();
    let pairs: Vec<(u64, u64)> = pairs.iter().map(|[from, to]| (*from, *to)).collect();
    let ascending =
        pairs.windows(2).all(|w| w[0].1 <= w[1].0) && pairs.iter().all(|(from, to)| from < to);

    if rest.is_empty() && ascending && pairs.len() <= max {
        Ok(pairs)
    } else {
        Err(bad("ranges"))
    }
}

pub(super) fn fetch_out(log: &LogId, tip: Tip, ranges: &[(u64, u64)]) -> pb::Fetch {
    pb::Fetch {
        log: log_out(log),
        size: tip.size,
        root: tip.root.0.to_vec(),
        ranges: pairs_out(ranges),
    }
}

pub(super) fn fetch_in(m: &pb::Fetch) -> Result<Message, LogError> {
    Ok(Message::Fetch {
        log: LogId::from_slice(&m.log)?,
        tip: tip_in(m.size, &m.root)?,
        ranges: pairs_in(&m.ranges, FETCH_RANGES_MAX)?,
    })
}

pub(super) fn fetched_out(fetched: &Fetched) -> pb::Fetched {
    let stretch_out = |s: &Stretch| pb::Stretch {
        start: s.from,
        entries: s.entries.clone(),
        around: hashes_out(&s.around),
    };

    pb::Fetched {
        log: log_out(&fetched.log),
        size: fetched.tip.size,
        root: fetched.tip.root.0.to_vec(),
        stretches: fetched.stretches.iter().map(stretch_out).collect(),
        absent: pairs_out(&fetched.absent),
    }
}

pub(super) fn fetched_in(m: pb::Fetched) -> Result<Fetched, LogError> {
    let stretch_in = |s: pb::Stretch| {
        Ok(Stretch {
            from: s.start,
            entries: s.entries,
            around: hashes_in(&s.around)?,
        })
    };

    Ok(Fetched {
        log: LogId::from_slice(&m.log)?,
        tip: tip_in(m.size, &m.root)?,
        absent: pairs_in(&m.absent, FETCH_RANGES_MAX)?,
        stretches: m
            .stretches
            .into_iter()
            .map(stretch_in)
            .collect::<Result<_, LogError>>()?,
    })
}

fn ask_out(ask: &TreeAsk) -> pb::TreeAsk {
    let before = std::iter::once(0).chain(ask.indices.iter().copied());
    let indices = ask
        .indices
        .iter()
        .zip(before)
        .map(|(index, before)| index - before)
        .collect();

    pb::TreeAsk {
        level: ask.level.into(),
        step: ask.step.into(),
        indices,
    }
}

fn ask_in(ask: &pb::TreeAsk) -> Result<TreeAsk, LogError> {
    let mut at = 0u64;
    let mut indices = Vec::with_capacity(ask.indices.len());
    for (n, more) in ask.indices.iter().enumerate() {
        at = at
            .checked_add(*more)
            .filter(|at| *at < 1 << 48 && (n == 0 || *more > 0))
            .ok_or_else(|| bad("tree"))?;
        indices.push(at);
    }

    match (u8::try_from(ask.level), u8::try_from(ask.step)) {
        (Ok(level), Ok(step)) if level < 63 && step <= level && step <= 8 => Ok(TreeAsk {
            level,
            step,
            indices,
        }),
        _ => Err(bad("tree")),
    }
}

pub(super) fn tree_out(log: &LogId, tip: Tip, salt: u64, asks: &[TreeAsk]) -> pb::Tree {
    pb::Tree {
        log: log_out(log),
        size: tip.size,
        root: tip.root.0.to_vec(),
        salt,
        asks: asks.iter().map(ask_out).collect(),
    }
}

pub(super) fn tree_in(m: &pb::Tree) -> Result<Message, SyncError> {
    let asks = m.asks.iter().map(ask_in).collect::<Result<Vec<_>, _>>()?;
    let hashes: usize = asks.iter().map(|a| a.indices.len() << a.step).sum();
    if hashes > TREE_HASHES_MAX {
        return Err(SyncError::BadMessage(format!(
            "{hashes} hashes asked for at once"
        )));
    }

    Ok(Message::Tree {
        log: LogId::from_slice(&m.log)?,
        tip: tip_in(m.size, &m.root)?,
        salt: m.salt,
        asks,
    })
}

pub(super) fn tree_is_out(log: &LogId, tip: Tip, salt: u64, hashes: &[u8]) -> pb::TreeIs {
    pb::TreeIs {
        log: log_out(log),
        size: tip.size,
        root: tip.root.0.to_vec(),
        salt,
        hashes: hashes.to_vec(),
    }
}

pub(super) fn digests_out(sums: &[ScopeSum]) -> pb::Digests {
    let sum_out = |s: &ScopeSum| pb::ScopeSum {
        lane: s.lane as u32,
        crossing: s.crossing.to_string(),
        records: s.records,
        entries: s.entries,
        logs: s.logs.0.to_vec(),
        documents: s.documents.0.to_vec(),
        states: s.states.0.to_vec(),
    };

    pb::Digests {
        scopes: sums.iter().map(sum_out).collect(),
    }
}

pub(super) fn digests_in(m: &pb::Digests) -> Result<Vec<ScopeSum>, LogError> {
    let sum_in = |s: &pb::ScopeSum| {
        Ok(ScopeSum {
            lane: lane_in(s.lane)?,
            crossing: s.crossing.parse()?,
            records: s.records,
            entries: s.entries,
            logs: Hash::from_slice(&s.logs)?,
            documents: Hash::from_slice(&s.documents)?,
            states: Hash::from_slice(&s.states)?,
        })
    };

    m.scopes.iter().map(sum_in).collect()
}
