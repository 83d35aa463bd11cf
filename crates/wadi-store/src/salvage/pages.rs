//! Bytes of pages: how SQLite lays out cells and numbers.

use super::PAGE_BYTES;
use std::{fs::File, io, os::unix::fs::FileExt, path::Path};

/// The least that SQLite lets a page hold.
pub(super) const USABLE_MIN: usize = 480;

pub(super) fn existing(path: &Path) -> io::Result<Option<File>> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Reads as much as there is and zeros after it; returns how much there was.
pub(super) fn fill(file: &File, mut at: u64, into: &mut [u8]) -> io::Result<usize> {
    let mut read = 0;
    while read < into.len() {
        match file.read_at(&mut into[read..], at) {
            Ok(0) => break,
            Ok(n) => (read, at) = (read + n, at + n as u64),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }

    into[read..].fill(0);
    Ok(read)
}

/// Bytes of a page, and how many of them SQLite uses. Another size than this project sets is
/// believed only where the file is as long as its header says.
pub(super) fn page_sizes(file: Option<&File>, bytes: u64, wals: &[File]) -> (usize, usize) {
    let is_size = |page: usize| page.is_power_of_two() && (512..=65_536).contains(&page);
    let mut header = [0u8; 100];
    if let Some(file) = file
        && fill(file, 0, &mut header).is_ok()
        && header.starts_with(b"SQLite format 3\0")
    {
        let page = match u16::from_be_bytes([header[16], header[17]]) {
            1 => 65_536,
            page => usize::from(page),
        };

        // No bytes of this project's pages are reserved: a header that says so is rotten.
        let reserved = if page == PAGE_BYTES {
            0
        } else {
            usize::from(header[20])
        };

        let usable = page.saturating_sub(reserved);
        let fits = page == PAGE_BYTES || u64::from(u32_at(&header, 28)) * page as u64 == bytes;

        if is_size(page) && usable >= USABLE_MIN && fits {
            return (page, usable);
        }
    }

    for wal in wals {
        let mut header = [0u8; 32];
        let page = match fill(wal, 0, &mut header) {
            Ok(_) if matches!(u32_at(&header, 0), 0x377f_0682 | 0x377f_0683) => {
                u32_at(&header, 8) as usize
            }
            _ => 0,
        };

        if is_size(page) {
            return (page, page);
        }
    }

    (PAGE_BYTES, PAGE_BYTES)
}

/// Where the cells of a page begin, past the child pointers of an interior one; none where it is no
/// index page.
pub(super) fn cells(page: &[u8]) -> impl Iterator<Item = usize> {
    let (pointers, child) = match page.first() {
        Some(0x0a) => (8, 0),
        Some(0x02) => (12, 4),
        _ => (page.len(), 0),
    };

    let two = move |at: usize| {
        Some(usize::from(u16::from_be_bytes(
            page.get(at..at + 2)?.try_into().ok()?,
        )))
    };

    let count = if pointers < page.len() {
        two(3).unwrap_or(0)
    } else {
        0
    };

    (0..count).map_while(move |n| Some(two(pointers + 2 * n)? + child))
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes
        .get(at..at + 4)
        .and_then(|b| b.try_into().ok())
        .map_or(0, u32::from_be_bytes)
}

/// A variable-length integer, and where it ends.
pub(super) fn varint(bytes: &[u8], at: usize) -> Option<(u64, usize)> {
    let mut value = 0u64;
    for n in 0..8 {
        let byte = *bytes.get(at + n)?;
        value = (value << 7) | u64::from(byte & 0x7f);
        if byte < 0x80 {
            return Some((value, at + n + 1));
        }
    }

    Some(((value << 8) | u64::from(*bytes.get(at + 8)?), at + 9))
}
