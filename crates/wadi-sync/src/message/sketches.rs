//! What finds and mends single entries cheaply: sketches of a tree, and entries without a proof.

use super::{
    Message, PICK_ENTRIES_MAX, PICK_RANGES_MAX, Picked,
    wire::{bad, log_out, tip_in},
};
use crate::{pb, sketch::SketchAsk};
use wadi_log::{LogError, LogId, Tip};

/// The first, then how much larger each next one is.
fn ascending_out(all: &[u64]) -> Vec<u64> {
    let before = std::iter::once(0).chain(all.iter().copied());
    all.iter().zip(before).map(|(n, b)| n - b).collect()
}

fn ascending_in(steps: &[u64]) -> Result<Vec<u64>, LogError> {
    let mut at = 0u64;
    let mut out = Vec::with_capacity(steps.len());
    for (n, step) in steps.iter().enumerate() {
        let next = at.checked_add(*step).filter(|_| n == 0 || *step > 0);
        at = next.ok_or_else(|| bad("sketch"))?;
        out.push(at);
    }

    Ok(out)
}

/// A question for a sketch as the wire has it; nothing of any other message.
pub(super) fn sketch_out(message: &Message) -> pb::Sketch {
    let Message::Sketch {
        log,
        tip,
        salt,
        ask,
    } = message
    else {
        return pb::Sketch::default();
    };
    let mut out = pb::Sketch {
        log: log_out(log),
        size: tip.size,
        root: tip.root.0.to_vec(),
        salt: *salt,
        ..pb::Sketch::default()
    };

    match ask {
        SketchAsk::Tiles { estimator, cells } => {
            out.estimator = *estimator;
            out.cells = *cells;
        }
        SketchAsk::Row { from, count } => {
            out.row_from = *from;
            out.row_count = *count;
        }
        SketchAsk::Leaves { tiles, cells, raw } => {
            out.tiles = ascending_out(tiles);
            out.cells = *cells;
            out.raw = ascending_out(raw);
        }
    }

    out
}

/// One of the three questions; what belongs to another of them is not in it.
pub(super) fn sketch_in(m: &pb::Sketch) -> Result<Message, LogError> {
    let of_tiles = m.estimator;
    let of_row = m.row_count > 0;
    let of_leaves = !m.tiles.is_empty() || !m.raw.is_empty();
    let ask = match (of_tiles, of_row, of_leaves) {
        (estimator, false, false) if m.row_from == 0 => SketchAsk::Tiles {
            estimator,
            cells: m.cells,
        },
        (false, true, false) if m.cells == 0 => SketchAsk::Row {
            from: m.row_from,
            count: m.row_count,
        },
        (false, false, true) if m.row_from == 0 => SketchAsk::Leaves {
            tiles: ascending_in(&m.tiles)?,
            cells: m.cells,
            raw: ascending_in(&m.raw)?,
        },
        _ => return Err(bad("sketch")),
    };

    if !ask.is_bounded() {
        return Err(bad("sketch"));
    }

    Ok(Message::Sketch {
        log: LogId::from_slice(&m.log)?,
        tip: tip_in(m.size, &m.root)?,
        salt: m.salt,
        ask,
    })
}

/// A sketch as the wire has it; nothing of any other message.
pub(super) fn sketch_is_out(message: &Message) -> pb::SketchIs {
    let Message::SketchIs {
        log,
        tip,
        salt,
        sketch,
    } = message
    else {
        return pb::SketchIs::default();
    };

    pb::SketchIs {
        log: log_out(log),
        size: tip.size,
        root: tip.root.0.to_vec(),
        salt: *salt,
        sketch: sketch.clone(),
    }
}

pub(super) fn sketch_is_in(m: pb::SketchIs) -> Result<Message, LogError> {
    Ok(Message::SketchIs {
        log: LogId::from_slice(&m.log)?,
        tip: tip_in(m.size, &m.root)?,
        salt: m.salt,
        sketch: m.sketch,
    })
}

pub(super) fn pick_out(log: &LogId, tip: Tip, ranges: &[(u64, u64)]) -> pb::Pick {
    let mut end = 0;
    let mut flat = Vec::with_capacity(2 * ranges.len());
    for (from, to) in ranges {
        flat.extend([from - end, to - from]);
        end = *to;
    }

    pb::Pick {
        log: log_out(log),
        size: tip.size,
        root: tip.root.0.to_vec(),
        ranges: flat,
    }
}

pub(super) fn pick_in(m: &pb::Pick) -> Result<Message, LogError> {
    let (pairs, rest) = m.ranges.as_chunks::<2>();
    if !rest.is_empty() || pairs.is_empty() || pairs.len() > PICK_RANGES_MAX {
        return Err(bad("pick"));
    }

    let (mut end, mut entries) = (0u64, 0u64);
    let mut ranges = Vec::with_capacity(pairs.len());
    for (n, [gap, length]) in pairs.iter().enumerate() {
        let from = end.checked_add(*gap).filter(|_| n == 0 || *gap > 0);
        let from = from.ok_or_else(|| bad("pick"))?;
        let to = from.checked_add(*length).filter(|_| *length > 0);
        end = to.ok_or_else(|| bad("pick"))?;
        entries = entries.saturating_add(*length);
        ranges.push((from, end));
    }

    if entries > PICK_ENTRIES_MAX as u64 {
        return Err(bad("pick"));
    }

    Ok(Message::Pick {
        log: LogId::from_slice(&m.log)?,
        tip: tip_in(m.size, &m.root)?,
        ranges,
    })
}

pub(super) fn picked_out(picked: &Picked) -> pb::Picked {
    pb::Picked {
        log: log_out(&picked.log),
        size: picked.tip.size,
        root: picked.tip.root.0.to_vec(),
        from: picked.from,
        entries: picked.entries.clone(),
    }
}

pub(super) fn picked_in(m: pb::Picked) -> Result<Picked, LogError> {
    Ok(Picked {
        log: LogId::from_slice(&m.log)?,
        tip: tip_in(m.size, &m.root)?,
        from: m.from,
        entries: m.entries,
    })
}
