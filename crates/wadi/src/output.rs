//! What commands leave behind: files that are written whole or not at all and over nothing else.

use crate::failure::Failure;
use std::path::{Path, PathBuf};
use wadi_store::private;

fn failed(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new("unwritable", format!("{}: {error}", path.display()))
}

/// Whether a file may be written: there is none, or `--force` was given. To be asked before any
/// work is done for it.
pub fn check_free(path: &Path, force: bool) -> Result<(), Failure> {
    match path.symlink_metadata() {
        Ok(about) if about.is_dir() => Err(Failure::usage(
            "is_a_directory",
            format!("{} is a directory: name a file", path.display()),
        )),
        // A terminal, a pipe or /dev/null is written to, and not written over.
        Ok(about) if about.is_file() && !force => {
            let why = format!(
                "{} exists, and is not written over: name another file, or add --force",
                path.display()
            );
            Err(Failure::usage("file_exists", why))
        }
        _ => Ok(()),
    }
}

/// Writes a file for its owner alone, whole or not at all: somebody may pull the stick.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let is_file = path.metadata().map_or(true, |about| about.is_file());
    if !is_file {
        return std::fs::write(path, bytes).map_err(|e| failed(path, &e));
    }

    let mut unfinished = path.as_os_str().to_os_string();
    unfinished.push(".unfinished");
    let unfinished = PathBuf::from(unfinished);
    private::write(&unfinished, bytes).map_err(|e| failed(path, &e))?;

    std::fs::rename(&unfinished, path).map_err(|e| failed(path, &e))
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
    }
}
