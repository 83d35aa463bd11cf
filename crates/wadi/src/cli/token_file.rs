//! A bearer token out of a file: what stands on a command line is read by everybody on the machine
//! who lists its processes, and stays in the shell's history.

use crate::failure::Failure;
use std::{
    io::Read,
    path::Path,
    sync::{Mutex, PoisonError},
};
use wadi_store::private;

/// Bytes that are read of such a file: a token is far shorter.
const TOKEN_BYTES_MAX: u64 = 4_096;

/// The token that a command line gives: that of the file, where it names one.
pub(crate) fn given_token(
    token: Option<&str>,
    file: Option<&Path>,
) -> Result<Option<String>, Failure> {
    match file {
        Some(file) => read_token(file).map(Some),
        None => Ok(token.map(String::from)),
    }
}

fn read_token(file: &Path) -> Result<String, Failure> {
    let wrong = |why: String| Failure::usage("token_file", format!("{}: {why}", file.display()));
    let text = match file == Path::new("-") {
        true => read_stdin(),
        false => {
            check_private(file)?;
            std::fs::File::open(file).and_then(read_some)
        }
    };

    let text = text.map_err(|e| wrong(e.to_string()))?;
    match text.trim() {
        "" => Err(wrong("it holds no token".into())),
        token => Ok(token.into()),
    }
}

fn read_some(from: impl Read) -> std::io::Result<String> {
    let mut text = String::new();
    from.take(TOKEN_BYTES_MAX).read_to_string(&mut text)?;
    Ok(text)
}

/// The standard input comes once, and a command may make several clients.
fn read_stdin() -> std::io::Result<String> {
    static READ: Mutex<Option<String>> = Mutex::new(None);
    let mut read = READ.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(text) = read.as_ref() {
        return Ok(text.clone());
    }

    let text = read_some(std::io::stdin())?;
    *read = Some(text.clone());
    Ok(text)
}

/// Refuses a file that others may read. A link is followed to what it leads to; a pipe, as a shell
/// makes one for `<(…)`, has no mode that matters.
fn check_private(file: &Path) -> Result<(), Failure> {
    let is_file = std::fs::metadata(file).is_ok_and(|about| about.is_file());
    let target = file.canonicalize().ok().filter(|_| is_file);
    let Some(mode) = target.as_deref().and_then(private::exposed) else {
        return Ok(());
    };

    let path = file.display();
    let why =
        format!("others can read {path} (mode {mode:o}), and act in your name: chmod 600 {path}");
    Err(Failure::usage("exposed_token", why))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn set_mode(path: &Path, mode: u32) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_token_is_read_of_a_file_of_ones_own_alone() {
        let dir = tempfile::tempdir().unwrap();
        let (file, link) = (dir.path().join("token"), dir.path().join("link"));
        let code = |path: &Path| given_token(Some("typed"), Some(path)).unwrap_err().code;
        assert_eq!(code(&file), "token_file");

        std::fs::write(&file, " \n").unwrap();
        set_mode(&file, 0o600);
        assert_eq!(code(&file), "token_file");

        std::fs::write(&file, "of-a-file\n").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        for path in [&file, &link] {
            let token = given_token(Some("typed"), Some(path)).unwrap();
            assert_eq!(token.as_deref(), Some("of-a-file"), "the file goes before");
        }

        for mode in [0o640, 0o604] {
            set_mode(&file, mode);
            assert_eq!(code(&file), "exposed_token");
            assert_eq!(code(&link), "exposed_token");
        }

        assert_eq!(given_token(None, None).unwrap(), None);
        let typed = given_token(Some("typed"), None).unwrap();
        assert_eq!(typed.as_deref(), Some("typed"));
    }
}
