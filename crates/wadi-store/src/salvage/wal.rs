//! A WAL and its frames, whether they were committed or not.

use super::pages::{fill, u32_at};
use std::{collections::HashMap, fs::File, io};

/// Bytes before the first frame of a WAL.
pub(super) const WAL_HEADER: u64 = 32;

/// Bytes before the page of a frame.
pub(super) const FRAME_HEADER: u64 = 24;

/// A page in a WAL.
#[derive(Clone, Copy)]
pub(super) struct WalFrame {
    pub(super) number: u32,
    pub(super) commits: bool,
    /// The last frame of its transaction.
    pub(super) end: u32,
    /// Written since the WAL last began anew.
    pub(super) current: bool,
}

pub(super) struct Wal {
    pub(super) file: File,
    pub(super) frames: Vec<WalFrame>,
    /// The frames of each page, the newest last.
    pub(super) versions: HashMap<u32, Vec<u32>>,
}

impl Wal {
    pub(super) fn new(file: File, page: usize) -> io::Result<Self> {
        let stride = FRAME_HEADER + page as u64;
        let count = file
            .metadata()?
            .len()
            .saturating_sub(WAL_HEADER)
            .div_ceil(stride);

        let mut header = [0; WAL_HEADER as usize];
        let _ = fill(&file, 0, &mut header);
        let (mut frames, mut salts) = (Vec::new(), Vec::new());
        for n in 0..u32::try_from(count).unwrap_or(u32::MAX) {
            let mut bytes = [0; FRAME_HEADER as usize];
            let _ = fill(&file, WAL_HEADER + u64::from(n) * stride, &mut bytes);
            salts.push([u32_at(&bytes, 8), u32_at(&bytes, 12)]);
            frames.push(WalFrame {
                number: u32_at(&bytes, 0),
                commits: u32_at(&bytes, 4) != 0,
                end: n,
                current: false,
            });
        }

        // Frames of before the WAL last began anew have other salts than its header; should that be
        // rotten, than the first.
        let named = [u32_at(&header, 16), u32_at(&header, 20)];
        let salt = if salts.contains(&named) {
            Some(named)
        } else {
            salts.first().copied()
        };

        let mut end = frames.len().saturating_sub(1) as u32;
        for (n, frame) in frames.iter_mut().enumerate().rev() {
            if frame.commits {
                end = n as u32;
            }
            (frame.end, frame.current) = (end, salts.get(n).copied() == salt);
        }

        let mut versions: HashMap<u32, Vec<u32>> = HashMap::new();
        for current in [false, true] {
            for (n, frame) in frames
                .iter()
                .enumerate()
                .filter(|(_, f)| f.current == current)
            {
                versions.entry(frame.number).or_default().push(n as u32);
            }
        }

        Ok(Self {
            file,
            frames,
            versions,
        })
    }

    pub(super) fn version(&self, number: u32, through: u32) -> Option<u32> {
        self.versions
            .get(&number)?
            .iter()
            .rev()
            .find(|n| **n <= through)
            .copied()
    }

    /// The newest frame of a page, where it is newer than the database file.
    pub(super) fn newest(&self, number: u32) -> Option<u32> {
        let last = *self.versions.get(&number)?.last()?;
        self.frames
            .get(last as usize)
            .is_some_and(|f| f.current)
            .then_some(last)
    }
}
