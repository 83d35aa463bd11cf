//! Records kept in memory, bounded by bytes: a few heavy ones cost what many light ones do.

use lru::LruCache;
use wadi_log::RecordId;
use wadi_record::Book;

/// About how many bytes of records are kept in memory.
const CACHE_BYTES_MAX: usize = 32 * 1024 * 1024;

/// The records looked at last.
pub(crate) struct BookCache {
    books: LruCache<RecordId, (Book, usize)>,
    bytes: usize,
    bytes_max: usize,
}

impl Default for BookCache {
    fn default() -> Self {
        Self::of(CACHE_BYTES_MAX)
    }
}

impl BookCache {
    fn of(bytes_max: usize) -> Self {
        Self { books: LruCache::unbounded(), bytes: 0, bytes_max }
    }

    /// Keeps a record; those looked at longest ago make room for it. The last one stays whatever it weighs, or a heavy record
    /// would be read anew at each touch.
    pub(crate) fn put(&mut self, id: RecordId, book: Book) {
        self.pop(&id);
        let weight = book.weight();
        self.bytes = self.bytes.saturating_add(weight);
        self.books.put(id, (book, weight));

        while self.bytes > self.bytes_max && self.books.len() > 1 {
            if let Some((_, (_, weight))) = self.books.pop_lru() {
                self.bytes = self.bytes.saturating_sub(weight);
            }
        }
    }

    /// Takes a record out.
    pub(crate) fn pop(&mut self, id: &RecordId) -> Option<Book> {
        let (book, weight) = self.books.pop(id)?;
        self.bytes = self.bytes.saturating_sub(weight);
        Some(book)
    }

    pub(crate) fn contains(&self, id: &RecordId) -> bool {
        self.books.contains(id)
    }

    pub(crate) fn clear(&mut self) {
        self.books.clear();
        self.bytes = 0;
    }
}
