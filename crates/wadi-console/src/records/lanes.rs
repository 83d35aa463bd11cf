//! The lanes beside a history: each entry stands below those that it builds on, and branches run
//! side by side.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap},
    fmt::Write,
};

/// From one lane to the next.
const LANE_WIDTH: usize = 14;
/// Where an entry's dot stands below the upper edge of its row.
const DOT_Y: usize = 18;
/// Lanes that are drawn at most: what lies further out is drawn on the last one.
const LANES_MAX: usize = 10;

/// What is drawn beside one row.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct LaneRow {
    /// The lane of the entry's dot.
    pub dot: usize,
    /// Lines from the lane at the row's upper edge to the lane at the dot's height.
    pub above: Vec<(usize, usize)>,
    /// Lanes that go on below the dot.
    pub below: Vec<usize>,
}

/// The order in which entries stand: those that others build on first, and of those that may come
/// next the one that stood first before. `based_on` names entries by their places.
pub(super) fn in_order(based_on: &[Vec<usize>]) -> Vec<usize> {
    let mut waits: Vec<usize> = based_on.iter().map(Vec::len).collect();
    let mut then: Vec<Vec<usize>> = vec![Vec::new(); based_on.len()];
    for (entry, parents) in based_on.iter().enumerate() {
        for parent in parents {
            then[*parent].push(entry);
        }
    }

    let free = (0..based_on.len()).filter(|entry| waits[*entry] == 0);
    let mut next: BinaryHeap<Reverse<usize>> = free.map(Reverse).collect();
    let mut out = Vec::with_capacity(based_on.len());
    while let Some(Reverse(entry)) = next.pop() {
        out.push(entry);
        for child in &then[entry] {
            waits[*child] -= 1;
            if waits[*child] == 0 {
                next.push(Reverse(*child));
            }
        }
    }

    // Entries name each other by hashes, so that there is no circle. One would still be shown.
    let shown: BTreeSet<usize> = out.iter().copied().collect();
    out.extend((0..based_on.len()).filter(|entry| !shown.contains(entry)));
    out
}

/// A line that is on its way to the entry that builds on another one.
struct Strand {
    to: usize,
    /// Where it was at the lower edge of the last row.
    from: usize,
}

/// The lane of each strand; none is free.
type Strands = Vec<Option<Strand>>;

fn free_lane(strands: &mut Strands) -> usize {
    match strands.iter().position(Option::is_none) {
        Some(lane) => lane,
        None => {
            strands.push(None);
            strands.len() - 1
        }
    }
}

/// The lanes of entries that stand in order: `based_on` names rows above.
pub(super) fn lanes(based_on: &[Vec<usize>]) -> Vec<LaneRow> {
    let mut children: Vec<Vec<usize>> = vec![Vec::new(); based_on.len()];
    for (row, parents) in based_on.iter().enumerate() {
        for parent in parents {
            children[*parent].push(row);
        }
    }

    let mut strands: Strands = Vec::new();
    let mut out = Vec::with_capacity(based_on.len());
    for (row, then) in children.iter().enumerate() {
        let arrives = |s: &Option<Strand>| s.as_ref().is_some_and(|s| s.to == row);
        let dot = match strands.iter().position(arrives) {
            Some(lane) => lane,
            None => free_lane(&mut strands),
        };

        let mut above = Vec::new();
        for (lane, strand) in strands.iter_mut().enumerate() {
            let Some(one) = strand else { continue };
            if one.to == row {
                above.push((one.from, dot));
                *strand = None;
            } else {
                above.push((one.from, lane));
                one.from = lane;
            }
        }

        // The first that builds on it goes straight on; others branch off.
        let mut below: Vec<usize> = (0..strands.len())
            .filter(|l| strands[*l].is_some())
            .collect();
        for (place, child) in then.iter().enumerate() {
            let lane = match place {
                0 => dot,
                _ => free_lane(&mut strands),
            };
            strands[lane] = Some(Strand {
                to: *child,
                from: dot,
            });
        }
        if !then.is_empty() {
            below.push(dot);
        }

        below.sort_unstable();
        out.push(LaneRow { dot, above, below });
    }

    out
}

fn x(lane: usize) -> usize {
    lane.min(LANES_MAX - 1) * LANE_WIDTH + LANE_WIDTH / 2
}

/// The width of all lanes.
pub(super) fn width(rows: &[LaneRow]) -> usize {
    let lanes = rows.iter().flat_map(|row| {
        let above = row.above.iter().flat_map(|(from, to)| [*from, *to]);
        above.chain(row.below.iter().copied()).chain([row.dot])
    });
    x(lanes.max().unwrap_or(0)) + LANE_WIDTH / 2
}

/// A row's lanes as SVG. It is made of numbers alone.
pub(super) fn svg(row: &LaneRow, width: usize, counts: bool) -> String {
    let mut out =
        format!("<svg class=\"lanes\" width=\"{width}\" height=\"100%\" aria-hidden=\"true\">");
    for (from, to) in &row.above {
        let (from, to) = (x(*from), x(*to));
        let _ = match from == to {
            true => write!(out, "<path d=\"M{from} 0V{DOT_Y}\"/>"),
            false => write!(out, "<path d=\"M{from} 0C{from} 12 {to} 6 {to} {DOT_Y}\"/>"),
        };
    }
    for lane in &row.below {
        let x = x(*lane);
        let _ = write!(
            out,
            "<line x1=\"{x}\" y1=\"{DOT_Y}\" x2=\"{x}\" y2=\"100%\"/>"
        );
    }

    let class = if counts { "dot" } else { "dot no" };
    let _ = write!(
        out,
        "<circle class=\"{class}\" cx=\"{}\" cy=\"{DOT_Y}\" r=\"5\"/></svg>",
        x(row.dot)
    );
    out
}

/// Places of entries by their names; entries that are not held are left out.
pub(super) fn places(names: &[&str], based_on: &[&[String]]) -> Vec<Vec<usize>> {
    let known: BTreeMap<&str, usize> = names.iter().copied().zip(0..).collect();
    based_on
        .iter()
        .enumerate()
        .map(|(own, parents)| {
            let mut places: Vec<usize> = parents
                .iter()
                .filter_map(|parent| known.get(parent.as_str()).copied())
                .filter(|place| *place != own)
                .collect();
            places.sort_unstable();
            places.dedup();
            places
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_after_the_other_is_one_lane() {
        let rows = lanes(&[vec![], vec![0], vec![1]]);
        assert!(rows.iter().all(|row| row.dot == 0));
        assert_eq!(rows[0].above, []);
        assert_eq!(rows[2].above, [(0, 0)]);
        assert_eq!(rows[2].below, [0; 0]);
    }

    #[test]
    fn a_branch_leaves_and_comes_back() {
        // Two officers build on the first entry, and a third on both of theirs.
        let rows = lanes(&[vec![], vec![0], vec![0], vec![1, 2]]);
        let dots: Vec<usize> = rows.iter().map(|row| row.dot).collect();
        assert_eq!(dots, [0, 0, 1, 0]);
        assert_eq!(
            rows[1].above,
            [(0, 0), (0, 1)],
            "it branches off below the first"
        );
        assert_eq!(rows[1].below, [0, 1]);
        assert_eq!(rows[2].above, [(0, 0), (1, 1)]);
        assert_eq!(
            rows[3].above,
            [(0, 0), (1, 0)],
            "it comes back into the last"
        );
        assert_eq!(rows[3].below, [0; 0]);
    }

    #[test]
    fn a_lane_that_ended_is_taken_again() {
        let rows = lanes(&[vec![], vec![0], vec![0], vec![2], vec![3], vec![3]]);
        let dots: Vec<usize> = rows.iter().map(|row| row.dot).collect();
        assert_eq!(dots, [0, 0, 1, 1, 1, 0]);
    }

    #[test]
    fn nothing_stands_above_what_it_builds_on_and_nothing_is_lost() {
        // What came late from paper stands first by its claim.
        assert_eq!(in_order(&[vec![1], vec![], vec![1]]), [1, 0, 2]);
        assert_eq!(in_order(&[vec![], vec![]]), [0, 1]);
        assert_eq!(
            in_order(&[vec![1], vec![0], vec![]]),
            [2, 0, 1],
            "a circle is shown, too"
        );
    }

    #[test]
    fn what_is_drawn_keeps_within_its_width() {
        let many: Vec<Vec<usize>> = (0..40)
            .map(|n| if n == 0 { vec![] } else { vec![0] })
            .collect();
        let rows = lanes(&many);
        assert_eq!(width(&rows), LANES_MAX * LANE_WIDTH);
        let drawn = svg(&rows[1], width(&rows), false);
        assert!(drawn.contains("class=\"dot no\"") && drawn.ends_with("</svg>"));
        assert!(drawn.is_ascii());
    }

    #[test]
    fn entries_that_are_not_held_draw_nothing() {
        let own = ["a".to_string(), "z".into()];
        assert_eq!(places(&["a", "b"], &[&[], &own]), [vec![], vec![0]]);
        assert_eq!(places(&["a"], &[&own]), [Vec::<usize>::new()]);
    }
}
