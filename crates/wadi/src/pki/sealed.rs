//! Secrets that lie encrypted under a passphrase (age, scrypt): the commission's keys, and where
//! somebody wishes it a node's own.

use super::{WORK_FACTOR_MAX, unreadable};
use crate::failure::Failure;
use age::secrecy::{ExposeSecret, SecretString};
use std::path::{Path, PathBuf};
use wadi_store::private;

/// A node's papers that are its own secret.
pub(super) const SECRET_FILES: [&str; 3] = ["log.key", "tls.key", STORE_KEY];
/// The key of its database, where that is encrypted.
pub(super) const STORE_KEY: &str = "store.key";
/// The name of the credential under which systemd hands the passphrase of sealed papers.
const CREDENTIAL: &str = "wadi-papers";
/// Names a file with the passphrase of sealed papers.
const PASSPHRASE_FILE_VARIABLE: &str = "WADI_PAPERS_PASSPHRASE_FILE";

/// The passphrase that a text holds: without the mark at its beginning and the end of the line that
/// editors put around it, those of Windows among them. Nobody would see them, or type them.
pub(super) fn passphrase_in(text: &str) -> SecretString {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    text.trim_end_matches(['\r', '\n']).to_string().into()
}

/// Writes a file whole or not at all, for its owner alone.
pub(super) fn write(path: &Path, bytes: impl AsRef<[u8]>) -> Result<(), Failure> {
    let failed = |e: std::io::Error| Failure::new("unwritable", format!("{}: {e}", path.display()));
    private::write(path, bytes.as_ref()).map_err(failed)
}

/// Encrypts a secret, as text.
pub(super) fn seal(
    secret: &str,
    passphrase: &SecretString,
    work_factor: Option<u8>,
) -> Result<String, Failure> {
    let mut recipient = age::scrypt::Recipient::new(passphrase.clone());
    if let Some(n) = work_factor {
        recipient.set_work_factor(n);
    }
    age::encrypt_and_armor(&recipient, secret.as_bytes())
        .map_err(|e| Failure::new("encrypt", e.to_string()))
}

/// Opens what [`seal`] made; `wrong` says what the passphrase does not open.
pub(super) fn unseal(
    path: &Path,
    armoured: &str,
    passphrase: &SecretString,
    wrong: &str,
) -> Result<String, Failure> {
    let mut identity = age::scrypt::Identity::new(passphrase.clone());
    identity.set_max_work_factor(WORK_FACTOR_MAX);
    let bytes = age::decrypt(&identity, armoured.as_bytes()).map_err(|e| match e {
        age::DecryptError::DecryptionFailed => Failure::new("wrong_passphrase", wrong),
        other => unreadable(path, other),
    })?;

    String::from_utf8(bytes).map_err(|e| unreadable(path, e))
}

fn sealed_path(dir: &Path, name: &str) -> PathBuf {
    dir.join(format!("{name}.age"))
}

/// The secret papers of a node, plain or sealed.
pub(super) struct SecretPapers<'a> {
    dir: &'a Path,
    /// Read once, when the first sealed one is.
    passphrase: Option<SecretString>,
}

impl<'a> SecretPapers<'a> {
    pub(super) fn of(dir: &'a Path) -> Self {
        Self {
            dir,
            passphrase: None,
        }
    }

    /// The text of one of them.
    pub(super) fn text(&mut self, name: &str) -> Result<String, Failure> {
        let (plain, sealed) = (self.dir.join(name), sealed_path(self.dir, name));
        if plain.exists() || !sealed.exists() {
            return std::fs::read_to_string(&plain).map_err(|e| unreadable(&plain, e));
        }

        let armoured = std::fs::read_to_string(&sealed).map_err(|e| unreadable(&sealed, e))?;
        let passphrase = match self.passphrase.take() {
            Some(passphrase) => passphrase,
            None => passphrase_of_sealed(self.dir)?,
        };
        let wrong = "the passphrase does not open the sealed papers";
        let text = unseal(&sealed, &armoured, &passphrase, wrong)?;

        self.passphrase = Some(passphrase);
        Ok(text)
    }

    /// Whether there is one of that name, plain or sealed.
    pub(super) fn has(&self, name: &str) -> bool {
        self.dir.join(name).exists() || sealed_path(self.dir, name).exists()
    }

    /// Writes one more, sealed under the same passphrase where one that was read is sealed.
    pub(super) fn write_alike(
        &self,
        name: &str,
        secret: &str,
        work_factor: Option<u8>,
    ) -> Result<(), Failure> {
        match &self.passphrase {
            None => write(&self.dir.join(name), secret),
            Some(passphrase) => {
                let sealed = seal(secret, passphrase, work_factor)?;
                write(&sealed_path(self.dir, name), sealed)
            }
        }
    }

    /// Puts one in another one's place, sealed or plain as it is; nothing of the old one is left.
    pub(super) fn replace(&self, old: &str, new: &str) -> Result<(), Failure> {
        let failed = |e: std::io::Error| unreadable(&self.dir.join(old), e);
        let (plain, sealed) = (self.dir.join(new), sealed_path(self.dir, new));
        let (from, to, left) = match sealed.exists() {
            true => (sealed, sealed_path(self.dir, old), self.dir.join(old)),
            false => (plain, self.dir.join(old), sealed_path(self.dir, old)),
        };

        std::fs::rename(from, to).map_err(failed)?;
        match left.exists() {
            true => std::fs::remove_file(left).map_err(failed),
            false => Ok(()),
        }
    }
}

/// The passphrase of sealed papers, from outside the disk: systemd's credential, a file that the
/// environment names, or whoever starts the node.
fn passphrase_of_sealed(dir: &Path) -> Result<SecretString, Failure> {
    let credential = std::env::var_os("CREDENTIALS_DIRECTORY")
        .map(|credentials| Path::new(&credentials).join(CREDENTIAL))
        .filter(|path| path.exists());
    let named = std::env::var_os(PASSPHRASE_FILE_VARIABLE).map(PathBuf::from);

    if let Some(path) = credential.or(named) {
        let text = std::fs::read_to_string(&path)
            .map_err(|e| Failure::usage("passphrase_file", format!("{}: {e}", path.display())))?;
        return Ok(passphrase_in(&text));
    }

    let asked = rpassword::prompt_password("Passphrase of the node's papers: ");
    asked.map(Into::into).map_err(|e| {
        let why = format!(
            "the papers in {} are sealed, and nobody gives their passphrase ({e}): hand it over as \
             systemd's credential {CREDENTIAL}, name its file in {PASSPHRASE_FILE_VARIABLE}, or \
             start the node at a terminal",
            dir.display()
        );
        Failure::usage("papers_sealed", why)
    })
}

/// Seals a node's secret papers: each is encrypted, opened again to compare, and then the plain one
/// is removed. One that is sealed already stays as it is.
pub fn seal_papers(
    dir: &Path,
    passphrase: &SecretString,
    work_factor: Option<u8>,
) -> Result<Vec<PathBuf>, Failure> {
    let mut made = Vec::new();
    for name in SECRET_FILES {
        let (plain, sealed) = (dir.join(name), sealed_path(dir, name));
        let is_none = name == STORE_KEY && !plain.exists();
        if is_none || !plain.exists() && sealed.exists() {
            continue;
        }

        let secret = std::fs::read_to_string(&plain).map_err(|e| unreadable(&plain, e))?;
        write(&sealed, seal(&secret, passphrase, work_factor)?)?;
        let armoured = std::fs::read_to_string(&sealed).map_err(|e| unreadable(&sealed, e))?;
        if unseal(&sealed, &armoured, passphrase, "it does not open again")? != secret {
            return Err(unreadable(&sealed, "it does not open as what was sealed"));
        }

        made.push(sealed);
    }

    // Both are sealed before either is gone: a power cut in between leaves papers that open.
    for name in SECRET_FILES {
        let plain = dir.join(name);
        if plain.exists() {
            std::fs::remove_file(&plain).map_err(|e| unreadable(&plain, e))?;
        }
    }

    Ok(made)
}

/// Whether a passphrase keeps anybody out.
pub(super) fn check_passphrase(
    passphrase: &SecretString,
    least_chars: usize,
    guarded: &str,
) -> Result<(), Failure> {
    let text = passphrase.expose_secret();
    if text.trim().is_empty() {
        let why = format!("an empty passphrase protects nothing: whoever gets {guarded} has it");
        return Err(Failure::usage("empty_passphrase", why));
    }

    let chars = text.chars().count();
    if chars < least_chars {
        let why = format!(
            "this passphrase has {chars} characters, and can be guessed by whoever gets {guarded}: \
             take several words, {least_chars} characters or more"
        );
        return Err(Failure::usage("short_passphrase", why));
    }

    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_editor_puts_around_a_passphrase_is_no_part_of_it() {
        let typed = "four words of the depot";
        for held in ["", "\n", "\r\n", "\r\n\r\n", "\n\r\n"] {
            for mark in ["", "\u{feff}"] {
                let text = format!("{mark}{typed}{held}");
                assert_eq!(passphrase_in(&text).expose_secret(), typed, "{text:?}");
            }
        }
        assert_eq!(passphrase_in(" a b ").expose_secret(), " a b ");
    }
}
