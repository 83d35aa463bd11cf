//! What lies encrypted in a database, so that whoever has its disk and not its key reads neither
//! people nor goods in it: the cells of the columns that [`crate::tables`] marks as secret.
//!
//! Each cell is encrypted for itself with AES-256-SIV (RFC 5297), with the table and the column as
//! associated data: a cell that rots, or that somebody moves to another column, does not decrypt,
//! and rots alone. The same value in the same column comes to the same cell. So an index finds a
//! sealed term by equality, and two copies of a database can be compared; it shows which values are
//! equal, and nothing else (`docs/security.md`).
//!
//! What SQL itself computes with stays in clear: ids of records where they are terms, and what
//! PostgreSQL remembers of a lost tail.

mod filters;

use crate::{
    LocalScope, StoreError,
    tables::{Rows, Table},
};
use aes_siv::{KeyInit, siv::Aes256Siv};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use std::{borrow::Cow, fmt, sync::Arc};
use wadi_log::{RecordId, hex, unhex};

/// Begins every cell of bytes that is encrypted: the version of how.
const BYTES_VERSION: u8 = 1;
/// Begins every cell of text that is encrypted, before its base64url.
const TEXT_VERSION: &str = "~1";
/// The row of `meta` that says that a database is encrypted, and by which key.
pub(crate) const META_KEY: &str = "encrypted";
/// Bytes of a key: one for the synthetic initialisation vector, one for the counter mode.
const KEY_BYTES: usize = 64;

/// The key of an encrypted database. It is kept outside the database's disk.
#[derive(Clone, PartialEq, Eq)]
pub struct StoreKey(Arc<[u8; KEY_BYTES]>);

impl fmt::Debug for StoreKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoreKey(…)")
    }
}

impl StoreKey {
    /// A key of 64 random bytes.
    pub fn new(random: [u8; KEY_BYTES]) -> Self {
        Self(Arc::new(random))
    }

    /// Reads a key as [`Self::to_text`] writes it; nothing where it is none.
    pub fn from_text(text: &str) -> Option<Self> {
        let bytes = unhex(text.trim())?;
        Some(Self::new(bytes.try_into().ok()?))
    }

    /// The key as 128 hexadecimal digits.
    pub fn to_text(&self) -> String {
        hex(&self.0[..])
    }

    fn cipher(&self) -> Aes256Siv {
        Aes256Siv::new((&*self.0).into())
    }

    /// What a database says of the key by which it is encrypted: another key has another one.
    pub(crate) fn check(&self) -> i64 {
        let sealed = self.cipher().encrypt(["meta", META_KEY], b"");
        let tag = sealed.ok().and_then(|tag| tag.first_chunk().copied());
        i64::from_be_bytes(tag.expect("a cell of nothing is a tag of 16 bytes"))
    }
}

/// A column of a table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SecretCell<'a> {
    pub(crate) table: &'static Table,
    pub(crate) column: &'static str,
    /// Of a table whose rows are of several kinds, the row's.
    pub(crate) kind: &'a str,
}

impl<'a> SecretCell<'a> {
    pub(crate) const fn new(table: &'static Table, column: &'static str, kind: &'a str) -> Self {
        Self {
            table,
            column,
            kind,
        }
    }

    fn headers(&self) -> [&'static str; 2] {
        [self.table.name, self.column]
    }

    /// Whether a text of this cell stays as it is: SQL joins it with ids, or reads it before a key
    /// is at hand.
    fn stays_clear(&self, text: &str) -> bool {
        match (self.table.name, self.kind) {
            ("terms" | "terms_gone", "link") => {
                let is_digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
                text.len() == 2 * size_of::<RecordId>() && text.bytes().all(is_digit)
            }
            ("finding_about", "record") => true,
            ("local", scope) => scope == LocalScope::Anchor.as_str(),
            _ => false,
        }
    }
}

/// How the secret cells of a database lie there: in clear, or encrypted by a key.
#[derive(Clone, Default, Debug)]
pub(crate) struct CellCipher(Option<StoreKey>);

impl CellCipher {
    pub(crate) fn of(key: Option<&StoreKey>) -> Self {
        Self(key.cloned())
    }

    /// By how many bytes a cell of bytes is longer than what it holds.
    pub(crate) fn more_bytes(&self) -> i64 {
        // The version, and a tag of 16 bytes.
        if self.is_on() { 17 } else { 0 }
    }

    /// Whether cells are encrypted.
    pub(crate) fn is_on(&self) -> bool {
        self.0.is_some()
    }

    pub(crate) fn seal_bytes(&self, cell: SecretCell<'_>, clear: Vec<u8>) -> Vec<u8> {
        let Some(key) = &self.0 else { return clear };
        let sealed = key.cipher().encrypt(cell.headers(), &clear);
        let mut out = vec![BYTES_VERSION];
        out.extend(sealed.expect("two headers are few enough"));
        out
    }

    pub(crate) fn seal_text<'t>(&self, cell: SecretCell<'_>, clear: &'t str) -> Cow<'t, str> {
        let Some(key) = &self.0 else {
            return Cow::Borrowed(clear);
        };
        if cell.stays_clear(clear) {
            return Cow::Borrowed(clear);
        }

        let sealed = key.cipher().encrypt(cell.headers(), clear.as_bytes());
        let sealed = sealed.expect("two headers are few enough");
        Cow::Owned(format!("{TEXT_VERSION}{}", URL_SAFE_NO_PAD.encode(sealed)))
    }

    /// What a cell of bytes holds; nothing of one that rotted.
    pub(crate) fn open_bytes(&self, cell: SecretCell<'_>, stored: Vec<u8>) -> Option<Vec<u8>> {
        let Some(key) = &self.0 else {
            return Some(stored);
        };
        let (version, sealed) = stored.split_first()?;
        if *version != BYTES_VERSION {
            return None;
        }

        key.cipher().decrypt(cell.headers(), sealed).ok()
    }

    /// What a cell of text holds; nothing of one that rotted.
    pub(crate) fn open_text(&self, cell: SecretCell<'_>, stored: String) -> Option<String> {
        let Some(key) = &self.0 else {
            return Some(stored);
        };
        if cell.stays_clear(&stored) {
            return Some(stored);
        }

        let sealed = stored.strip_prefix(TEXT_VERSION)?;
        let sealed = URL_SAFE_NO_PAD.decode(sealed).ok()?;
        let clear = key.cipher().decrypt(cell.headers(), &sealed).ok()?;
        String::from_utf8(clear).ok()
    }

    /// The same, where a row without it is still worth something: what does not decrypt is told,
    /// and is as good as rotten text.
    pub(crate) fn text_or_rot(&self, cell: SecretCell<'_>, stored: String) -> String {
        self.open_text(cell, stored).unwrap_or_else(|| {
            let error = undecipherable(cell);
            tracing::error!(code = error.code(), %error, "a stored row does not read");
            String::new()
        })
    }

    /// The bytes of an entry; nothing of one that rotted, and nothing has no leaf's hash.
    pub(crate) fn entry(&self, stored: Vec<u8>) -> Vec<u8> {
        self.open_bytes(ENTRY_BYTES, stored).unwrap_or_default()
    }

    /// Encrypts the secret cells of rows on their way into the database.
    pub(crate) fn seal_rows(&self, rows: &mut Rows) {
        if self.is_on() {
            rows.map_secrets(
                |cell, bytes| self.seal_bytes(cell, bytes),
                |cell, text| self.seal_text(cell, &text).into_owned(),
            );
        }
    }
}

/// The bytes of entries.
pub(crate) const ENTRY_BYTES: SecretCell<'static> =
    SecretCell::new(&crate::tables::ENTRIES, "bytes", "");

/// Whether a text may be a cell that was encrypted.
pub(crate) fn looks_sealed(text: &str) -> bool {
    text.starts_with(TEXT_VERSION)
}

/// A cell of a row that cannot do without it does not decrypt.
pub(crate) fn undecipherable(cell: SecretCell<'_>) -> StoreError {
    StoreError::Malformed(format!(
        "a cell of {}.{} does not decrypt",
        cell.table.name, cell.column
    ))
}

/// What is found of how a database's cells lie there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum FoundCells {
    /// None that could be encrypted are there.
    None,
    /// In clear.
    Clear,
    /// Encrypted by the key that was given.
    Encrypted,
    /// Neither: entries are there, and none has its hash.
    Unknown,
}

/// How the cells of a database that is to be read lie there: by what it says itself, and by what is
/// found in it where the key that is given does not fit that. One rotten row of `meta` makes no
/// database unreadable.
///
/// # Errors
///
/// [`StoreError::Encrypted`] where there is no key, [`StoreError::WrongKey`] where it is another's.
pub(crate) fn cipher_of(
    said: Option<i64>,
    key: Option<&StoreKey>,
    found: FoundCells,
) -> Result<CellCipher, StoreError> {
    match (said, key, found) {
        (_, Some(key), FoundCells::Encrypted) => Ok(CellCipher::of(Some(key))),
        (None, Some(_), FoundCells::Unknown) => Err(StoreError::WrongKey),
        (None, _, _) => Ok(CellCipher::default()),
        (Some(_), None, _) => Err(StoreError::Encrypted),
        (Some(said), Some(key), _) if said == key.check() => Ok(CellCipher::of(Some(key))),
        (Some(_), Some(_), _) => Err(StoreError::WrongKey),
    }
}

/// The same for a database that is opened for writing: one in which nothing is stored yet becomes
/// an encrypted one.
///
/// # Errors
///
/// As above, and [`StoreError::NotEncrypted`] where a key is given and the cells lie in clear.
pub(crate) fn cipher_to_write(
    said: Option<i64>,
    key: Option<&StoreKey>,
    found: FoundCells,
) -> Result<CellCipher, StoreError> {
    let cipher = cipher_of(said, key, found)?;
    match (cipher.is_on(), key, found) {
        (false, Some(key), FoundCells::None) => Ok(CellCipher::of(Some(key))),
        (false, Some(_), _) => Err(StoreError::NotEncrypted),
        _ => Ok(cipher),
    }
}

#[cfg(test)]
mod tests;
