//! Where a spooled file goes once it is known what becomes of it: nothing that lies there is ever
//! written over.

use rustix::fs::{CWD, RenameFlags, renameat_with};
use sha2::{Digest, Sha256};
use std::{
    ffi::{OsStr, OsString},
    fs::OpenOptions,
    io::{self, Write},
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::Path,
};

/// Bytes of a file's name at most, as Linux's file systems have it.
const NAME_BYTES_MAX: usize = 255;
/// What a name may need more than it has: a number and the longest suffix of what is told of the
/// file.
const SPARE: usize = 16;
/// Names tried one after the other before a name is given up.
const TRIED_MAX: u32 = 10_000;

/// Moves a file into a directory, and writes beside it, under its name there and this suffix, what
/// is told of it. The text is written first: should the power fail in between, the file is looked
/// at again.
pub(crate) fn settle_file(file: &Path, into: &Path, suffix: &str, told: &str) -> io::Result<()> {
    let name = file.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let stem = fitting(name);

    for n in 0..TRIED_MAX {
        let mut tried = stem.clone();
        if n > 0 {
            tried.push(format!(".{n}"));
        }

        let target = into.join(&tried);
        let mut beside = tried;
        beside.push(suffix);

        let beside = into.join(beside);
        if is_there(&target) || is_there(&beside) {
            continue;
        }

        let mut text = match OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&beside)
        {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            Err(error) => return Err(error),
        };

        let moved = writeln!(text, "{told}").and_then(|()| move_to(file, &target));
        if let Err(error) = moved {
            // What is told of a file that is not there would be believed of the next one.
            let _ = std::fs::remove_file(&beside);
            if error.kind() == io::ErrorKind::AlreadyExists {
                continue;
            }
            return Err(error);
        }

        return Ok(());
    }

    Err(io::Error::new(
        io::ErrorKind::AlreadyExists,
        format!("{TRIED_MAX} names like it are taken"),
    ))
}

/// The name, or where it leaves no room for what is put behind it a shorter one that is no other
/// file's.
fn fitting(name: &OsStr) -> OsString {
    let bytes = name.as_bytes();
    if bytes.len() + SPARE <= NAME_BYTES_MAX {
        return name.to_os_string();
    }

    let hash: String = Sha256::digest(bytes)
        .iter()
        .take(8)
        .map(|b| format!("{b:02x}"))
        .collect();

    let tail = format!("~{hash}.json");
    let mut end = NAME_BYTES_MAX - SPARE - tail.len();

    // No character is cut in two.
    while bytes[end] & 0xC0 == 0x80 && end > 0 {
        end -= 1;
    }

    OsString::from_vec([&bytes[..end], tail.as_bytes()].concat())
}

fn is_there(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// Renames, and fails where something has the new name.
fn move_to(file: &Path, target: &Path) -> io::Result<()> {
    match renameat_with(CWD, file, CWD, target, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(()),
        // Not every file system can be asked for that; then the look just before has to do.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) if !is_there(target) => {
            std::fs::rename(file, target)
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let names = std::fs::read_dir(dir)
            .unwrap()
            .map(|e| e.unwrap().file_name().to_string_lossy().into_owned());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }

    #[test]
    fn nothing_is_written_over_and_each_text_stands_beside_its_own_file() {
        let dir = tempfile::tempdir().unwrap();
        let done = dir.path().join("done");
        std::fs::create_dir_all(done.join("c.json")).unwrap();
        for text in ["one", "two"] {
            let file = dir.path().join("c.json");
            std::fs::write(&file, text).unwrap();
            settle_file(&file, &done, ".answer", &format!("of {text}")).unwrap();
        }

        assert_eq!(
            names(&done),
            [
                "c.json",
                "c.json.1",
                "c.json.1.answer",
                "c.json.2",
                "c.json.2.answer"
            ]
        );

        assert_eq!(
            std::fs::read_to_string(done.join("c.json.1")).unwrap(),
            "one"
        );
        assert_eq!(
            std::fs::read_to_string(done.join("c.json.2.answer")).unwrap(),
            "of two\n"
        );
    }

    #[test]
    fn a_name_that_is_too_long_or_no_text_goes_too() {
        let dir = tempfile::tempdir().unwrap();
        let bad = dir.path().join("bad");
        std::fs::create_dir(&bad).unwrap();

        let longest = |c: &str| format!("{}.json", c.repeat((255 - 5) / c.len()));
        let no_text = OsString::from_vec([&b"\xE3\xC7"[..], b".json"].concat());
        for name in [
            OsString::from(longest("x")),
            longest("أ").into(),
            no_text.clone(),
        ] {
            let file = dir.path().join(&name);
            std::fs::write(&file, "{").unwrap();
            settle_file(&file, &bad, ".reason", "broken").unwrap();
            assert!(!file.exists());
        }

        assert!(bad.join(no_text).exists());
        assert_eq!(names(&bad).len(), 6);
    }

    #[test]
    fn what_cannot_be_moved_leaves_no_text_behind() {
        let dir = tempfile::tempdir().unwrap();
        let bad = dir.path().join("bad");
        std::fs::create_dir(&bad).unwrap();
        assert!(settle_file(&dir.path().join("gone.json"), &bad, ".reason", "why").is_err());
        assert!(names(&bad).is_empty());
    }
}
