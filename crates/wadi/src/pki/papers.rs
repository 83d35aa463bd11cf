//! A node's papers: what `wadi pki issue` writes and a node reads.

use super::{
    sealed::{SECRET_FILES, STORE_KEY, SecretPapers},
    unreadable,
};
use crate::failure::Failure;
use std::path::{Path, PathBuf};
use wadi_log::{Enrolment, LogKey, RootKey, unhex};
use wadi_store::{StoreKey, private};

/// A node's papers, read.
pub struct Papers {
    /// Its log key.
    pub log_key: LogKey,
    /// The commission's root.
    pub root: RootKey,
    /// Its enrolment.
    pub enrolment: Enrolment,
    /// Enrolments of others.
    pub known: Vec<Enrolment>,
    /// For TLS.
    pub identity: wadi_net::Identity,
    /// The key of its database, where that is to be encrypted.
    pub store_key: Option<StoreKey>,
}

/// The secret ones of a node's papers that others than their owner may read, each with its mode.
pub fn exposed_secrets(dir: &Path) -> Vec<(PathBuf, u32)> {
    let paths = SECRET_FILES.iter().map(|name| dir.join(name));
    paths
        .filter_map(|path| private::exposed(&path).map(|mode| (path, mode)))
        .collect()
}

/// Takes the secret ones of a node's papers from others, where this process may, and says so in the
/// log.
pub fn close_secrets(dir: &Path) {
    SECRET_FILES
        .iter()
        .for_each(|name| private::close(&dir.join(name)));
}

/// The bytes of a key that a file of papers has in hexadecimal.
pub(super) fn key_bytes(path: &Path, text: &str) -> Result<[u8; 32], Failure> {
    let bytes = unhex(text.trim()).and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| unreadable(path, "expected 64 hexadecimal digits"))
}

impl Papers {
    /// Reads a directory that `wadi pki issue` wrote.
    pub fn read(dir: &Path) -> Result<Self, Failure> {
        if !dir.is_dir() {
            let why = "no directory; `papers` of the configuration names the one that `wadi pki \
                issue` made for this node";
            return Err(unreadable(dir, why));
        }

        let text = |name: &str| {
            let path = dir.join(name);
            std::fs::read_to_string(&path).map_err(|e| unreadable(&path, e))
        };
        let key = |name: &str, text: String| key_bytes(&dir.join(name), &text);
        let mut secrets = SecretPapers::of(dir);

        let mut known = Vec::new();
        for entry in std::fs::read_dir(dir.join("known"))
            .into_iter()
            .flatten()
            .filter_map(Result::ok)
        {
            // A copy that was cut off, and what editors and file managers leave.
            let name = entry.file_name();
            if name.to_string_lossy().starts_with('.') || name.to_string_lossy().ends_with(".part")
            {
                continue;
            }
            known.push(read_enrolment(&entry.path())?);
        }

        Ok(Self {
            log_key: LogKey::from_seed(&key("log.key", secrets.text("log.key")?)?),
            root: RootKey(key("root.pub", text("root.pub")?)?),
            enrolment: read_enrolment(&dir.join("enrolment"))?,
            known,
            identity: read_identity(dir, secrets.text("tls.key")?)?,
            store_key: store_key(dir, &mut secrets)?,
        })
    }
}

/// The key of a node's database; none where its papers hold none.
pub fn read_store_key(dir: &Path) -> Result<Option<StoreKey>, Failure> {
    store_key(dir, &mut SecretPapers::of(dir))
}

fn store_key(dir: &Path, secrets: &mut SecretPapers<'_>) -> Result<Option<StoreKey>, Failure> {
    if !secrets.has(STORE_KEY) {
        return Ok(None);
    }

    let key = StoreKey::from_text(&secrets.text(STORE_KEY)?);
    let odd = || unreadable(&dir.join(STORE_KEY), "expected 128 hexadecimal digits");
    key.map(Some).ok_or_else(odd)
}

/// Makes a key for a node's database among its papers, sealed under the passphrase of the others
/// where they are sealed. It is read back before it is used.
pub fn make_store_key(dir: &Path, work_factor: Option<u8>) -> Result<StoreKey, Failure> {
    let mut secrets = SecretPapers::of(dir);
    secrets.text("log.key")?;
    let key = StoreKey::new(std::array::from_fn(|_| rand::random()));
    secrets.write_alike(STORE_KEY, &(key.to_text() + "\n"), work_factor)?;
    std::fs::File::open(dir)
        .and_then(|d| d.sync_all())
        .map_err(|e| unreadable(dir, e))?;

    match store_key(dir, &mut secrets)? {
        Some(kept) if kept == key => Ok(key),
        _ => Err(unreadable(
            &dir.join(STORE_KEY),
            "it does not read as it was written",
        )),
    }
}

/// The papers for TLS, as they lie there now, with a key that was read already.
pub fn read_identity(dir: &Path, key_pem: String) -> Result<wadi_net::Identity, Failure> {
    let text = |name: &str| {
        let path = dir.join(name);
        std::fs::read_to_string(&path).map_err(|e| unreadable(&path, e))
    };

    // One that is there and does not read revokes nobody: that must not look like none.
    let lists = dir.join("crl.pem");
    let crls_pem = match std::fs::read_to_string(&lists) {
        Ok(list) => vec![list],
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(unreadable(&lists, error)),
    };

    Ok(wadi_net::Identity {
        ca_pem: text("ca.pem")?,
        certificate_pem: text("tls.pem")?,
        key_pem,
        crls_pem,
    })
}

/// Reads an encoded enrolment.
pub fn read_enrolment(path: &Path) -> Result<Enrolment, Failure> {
    let text = std::fs::read_to_string(path).map_err(|e| unreadable(path, e))?;
    let bytes = unhex(text.trim()).ok_or_else(|| unreadable(path, "not hexadecimal"))?;
    Enrolment::from_bytes(&bytes).map_err(|e| unreadable(path, e))
}
