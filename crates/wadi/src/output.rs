//! What commands leave behind: files that are written whole or not at all, for their owner alone,
//! and over nothing else.

use crate::failure::Failure;
use std::{
    fs::{File, OpenOptions},
    io::{Error, Write},
    path::Path,
};
use wadi_store::private;

/// What the name that was given for an output stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OutputKind {
    /// A file: there is one, or one is made.
    File,
    /// A device, a pipe or a terminal, which is written into, and never in whose place.
    Stream,
}

/// That a file could not be written.
pub fn unwritable(path: &Path, error: &Error) -> Failure {
    Failure::new("unwritable", format!("{}: {error}", path.display()))
}

/// What a name stands for.
///
/// # Errors
///
/// `is_a_directory`, and `is_a_link` of a link to a file or to nothing: to take its place, or to
/// write where somebody made it lead, is a surprise either way.
pub fn kind_of(path: &Path) -> Result<OutputKind, Failure> {
    let Ok(own) = path.symlink_metadata() else {
        return Ok(OutputKind::File);
    };

    match path.metadata() {
        Ok(about) if about.is_dir() => Err(Failure::usage(
            "is_a_directory",
            format!("{} is a directory: name a file", path.display()),
        )),
        Ok(about) if !about.is_file() => Ok(OutputKind::Stream),
        _ if own.is_symlink() => {
            let why = format!(
                "{} is a link, and is neither followed to a file nor written over: name the file \
                 itself, or - where the command writes to standard output",
                path.display()
            );
            Err(Failure::usage("is_a_link", why))
        }
        _ => Ok(OutputKind::File),
    }
}

/// Whether an output may be written: no file has its name, or `--force` was given. To be asked
/// before any work is done for it.
pub fn check_free(path: &Path, force: bool) -> Result<(), Failure> {
    // A terminal, a pipe or /dev/null is written to, and not written over.
    let is_file = kind_of(path)? == OutputKind::File;
    if is_file && !force && path.symlink_metadata().is_ok() {
        let why = format!(
            "{} exists, and is not written over: name another file, or add --force",
            path.display()
        );
        return Err(Failure::usage("file_exists", why));
    }

    Ok(())
}

/// Opens a device, a pipe or a terminal to write into it.
pub fn open_stream(path: &Path) -> Result<File, Failure> {
    let open = || {
        let file = OpenOptions::new().write(true).open(path)?;
        match file.metadata()?.is_file() {
            true => Err(Error::other("a file has taken its place")),
            false => Ok(file),
        }
    };
    open().map_err(|e| unwritable(path, &e))
}

/// Writes a file for its owner alone, whole or not at all: somebody may pull the stick. What is no
/// file is written into.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    match kind_of(path)? {
        OutputKind::Stream => open_stream(path)?
            .write_all(bytes)
            .map_err(|e| unwritable(path, &e)),
        OutputKind::File => private::write(path, bytes).map_err(|e| unwritable(path, &e)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_written_over_by_nobody_who_does_not_say_so() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("case");
        check_free(&path, false).unwrap();
        write(&path, b"one").unwrap();

        let refused = check_free(&path, false).unwrap_err();
        assert_eq!(
            (refused.code.as_str(), refused.exit as u8),
            ("file_exists", 2)
        );

        check_free(&path, true).unwrap();
        write(&path, b"two").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "two");
        assert_eq!(
            std::fs::read_dir(dir.path()).unwrap().count(),
            1,
            "nothing is left beside it"
        );

        assert_eq!(
            check_free(dir.path(), true).unwrap_err().code,
            "is_a_directory"
        );

        let null = Path::new("/dev/null");
        check_free(null, false).unwrap();
        write(null, b"gone").unwrap();
        assert_eq!(kind_of(null).unwrap(), OutputKind::Stream);
    }

    #[test]
    fn a_link_is_written_into_where_it_leads_to_a_device_and_else_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::write(at("file"), "kept").unwrap();
        for (name, leads_to) in [
            ("linked", "file"),
            ("loose", "nowhere"),
            ("nul", "/dev/null"),
        ] {
            std::os::unix::fs::symlink(leads_to, at(name)).unwrap();
        }

        for name in ["linked", "loose"] {
            for force in [false, true] {
                let refused = check_free(&at(name), force).unwrap_err();
                assert_eq!(refused.code, "is_a_link", "{name}");
            }
            assert_eq!(write(&at(name), b"new").unwrap_err().code, "is_a_link");
        }

        check_free(&at("nul"), false).unwrap();
        write(&at("nul"), b"gone").unwrap();
        assert!(at("nul").is_symlink() && !at("nowhere").exists());
        assert_eq!(std::fs::read_to_string(at("file")).unwrap(), "kept");
    }
}
