//! A short list of names that came before, said by their place from then on.

use std::collections::HashMap;

/// NameTable in a list at most; those beyond are said in full each time.
const NAMES_MAX: usize = 250;
/// Bytes of a name in a list at most; a longer one is said in full each time.
const NAME_BYTES_MAX: usize = 512;
/// What a name takes beside its bytes, about, in each of the two places where it is kept.
const PLACE_BYTES: usize = 48;

/// NameTable by place, in the order in which they came.
#[derive(Clone, Default)]
pub(super) struct NameTable {
    names: Vec<Vec<u8>>,
    places: HashMap<Vec<u8>, u32>,
    /// Bytes of both, about.
    bytes: usize,
}

impl NameTable {
    /// Stands for a name that is not in the list.
    pub(super) const NEW: u32 = 255;

    pub(super) fn place_of(&self, name: &[u8]) -> Option<u32> {
        self.places.get(name).copied()
    }

    /// Bytes that the list takes, about.
    pub(super) fn held_bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn get(&self, place: u32) -> Option<&[u8]> {
        self.names.get(place as usize).map(Vec::as_slice)
    }

    /// Takes a name in; its place, or [`Self::NEW`] where the list is full.
    pub(super) fn push(&mut self, name: &[u8]) -> u32 {
        if let Some(place) = self.place_of(name) {
            return place;
        }

        if self.names.len() == NAMES_MAX || name.len() > NAME_BYTES_MAX {
            return Self::NEW;
        }

        let place = self.names.len() as u32;
        self.names.push(name.into());
        self.places.insert(name.into(), place);
        self.bytes += 2 * (name.len() + PLACE_BYTES);
        place
    }
}
