//! `tlog-tiles`: the paths under which a log serves its tree and its leaves.

use crate::CountryError;

/// Hashes of a full tile, and leaves of a full bundle.
pub const TILE_WIDTH: usize = 256;
/// The highest level of a tile.
const LEVEL_MAX: u8 = 7;

/// What a tile has.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum TileKind {
    /// Hashes of this level: of leaves at 0, of full tiles of the level below above it.
    Hashes(u8),
    /// The leaves themselves.
    Entries,
}

/// Which tile, as a path names it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct TilePath {
    /// What it has.
    pub kind: TileKind,
    /// Which of its level, from 0.
    pub index: u64,
    /// How many: [`TILE_WIDTH`] in a full one.
    pub width: usize,
}

impl TilePath {
    /// Reads what stands behind `tile/` in a path: `0/x001/234`, `entries/000.p/7`.
    pub fn parse(path: &str) -> Result<Self, CountryError> {
        let bad = || CountryError::malformed("path of a tile", "see c2sp.org/tlog-tiles");
        let (level, rest) = path.split_once('/').ok_or_else(bad)?;
        let kind = match level {
            "entries" => TileKind::Entries,
            level => TileKind::Hashes(decimal(level).ok_or_else(bad)?),
        };

        let (number, width) = match rest.split_once(".p/") {
            Some((number, width)) => (number, decimal::<usize>(width).ok_or_else(bad)?),
            None => (rest, TILE_WIDTH),
        };
        let is_partial = number.len() != rest.len();
        let most = TILE_WIDTH - usize::from(is_partial);
        if width == 0 || width > most {
            return Err(bad());
        }

        let this = Self {
            kind,
            index: index_of(number).ok_or_else(bad)?,
            width,
        };
        let is_known = !matches!(kind, TileKind::Hashes(level) if level > LEVEL_MAX);
        if is_known && this.path() == path {
            Ok(this)
        } else {
            Err(bad())
        }
    }

    /// The path behind `tile/`.
    pub fn path(&self) -> String {
        let level = match self.kind {
            TileKind::Hashes(level) => level.to_string(),
            TileKind::Entries => "entries".into(),
        };

        let mut number = format!("{:03}", self.index % 1_000);
        let mut rest = self.index / 1_000;
        while rest > 0 {
            number = format!("x{:03}/{number}", rest % 1_000);
            rest /= 1_000;
        }

        match self.width {
            TILE_WIDTH => format!("{level}/{number}"),
            width => format!("{level}/{number}.p/{width}"),
        }
    }

    /// Which tile of hashes it is, or goes with.
    pub fn level(&self) -> u8 {
        match self.kind {
            TileKind::Hashes(level) => level,
            TileKind::Entries => 0,
        }
    }

    /// Whether a tree of that size has all that it names.
    pub fn is_in(&self, size: u64) -> bool {
        let held = size >> (8 * u32::from(self.level()));
        let end = self.index.checked_mul(TILE_WIDTH as u64);
        let end = end.and_then(|start| start.checked_add(self.width as u64));
        end.is_some_and(|end| end <= held)
    }
}

fn decimal<T: std::str::FromStr + ToString>(text: &str) -> Option<T> {
    let number: T = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

fn index_of(number: &str) -> Option<u64> {
    // A number of 64 bits has seven groups of three digits.
    if number.len() > 7 * 5 {
        return None;
    }

    let mut index: u64 = 0;
    for part in number.split('/') {
        let digits = part.strip_prefix('x').unwrap_or(part);
        let group: u64 = digits.parse().ok().filter(|g| *g < 1_000)?;
        index = index.checked_mul(1_000)?.checked_add(group)?;
    }
    Some(index)
}

/// The bytes of an entry bundle: each leaf behind its length in two bytes. Nothing where a leaf is
/// longer than they count.
pub fn bundle<'a>(leaves: impl IntoIterator<Item = &'a [u8]>) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    for leaf in leaves {
        let length = u16::try_from(leaf.len()).ok()?;
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(leaf);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_read_back_as_somebody_elses_code_writes_them() {
        for index in [0, 1, 255, 999, 1_000, 67, 1_234_067, 70_000_000_123] {
            for width in [1, 7, 255, 256] {
                for level in [0u8, 1, 7] {
                    let kind = TileKind::Hashes(level);
                    let ours = TilePath { kind, index, width };
                    let theirs = tlog_tiles::Tile::new(8, level, index, width as u32, false);
                    // The older layout that it has names the height of its tiles, too.
                    assert_eq!(format!("tile/8/{}", ours.path()), theirs.path());
                    assert_eq!(TilePath::parse(&ours.path()), Ok(ours));
                }
            }
        }
    }

    #[test]
    fn other_writings_of_a_path_are_none() {
        for odd in [
            "0/1",
            "00/001",
            "+1/001",
            "0/x000/001",
            "0/x1/001",
            "0/001.p/0",
            "0/001.p/256",
            "0/001.p/07",
            "0/001/002",
            "8/000",
            "64/000",
            "entries",
            "entries/",
            "0/",
            "",
            "/",
            "0/001.p/",
            "0/x001",
            "0/-01",
            "0/x999/x999/x999/x999/x999/x999/x999/999",
        ] {
            assert!(TilePath::parse(odd).is_err(), "{odd}");
        }
    }

    #[test]
    fn a_tree_has_the_tiles_that_its_size_fills() {
        let has = |path: &str, size| TilePath::parse(path).unwrap().is_in(size);
        assert!(has("0/272", 70_000) && !has("0/273", 70_000));
        assert!(has("0/273.p/112", 70_000) && !has("0/273.p/113", 70_000));
        assert!(has("1/000", 70_000) && has("1/001.p/17", 70_000));
        assert!(has("2/000.p/1", 70_000) && !has("2/000.p/2", 70_000));
        assert!(has("entries/000.p/1", 1) && !has("entries/000.p/1", 0));
    }

    #[test]
    fn a_bundle_counts_its_leaves() {
        let bytes = bundle([&b"ab"[..], b"", b"c"]).unwrap();
        assert_eq!(bytes, [0, 2, b'a', b'b', 0, 0, 0, 1, b'c']);
        assert_eq!(bundle([&[0; 70_000][..]]), None);
    }
}
