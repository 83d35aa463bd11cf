//! The tools of others that these tests need, and whether they may be left out without them.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

/// Python with what `openapi/requirements.txt` names. `scripts/test` installs it, and says so by
/// the variable. Where somebody tries a test by hand without it, these are left out, and say so;
/// where the tools were installed, or a CI relies on them, that is a failure.
pub(super) fn python() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name);
    let is_needed = is_on(set("WADI_TOOLS_INSTALLED")) || is_on(set("CI"));
    let found = found(set("WADI_OPENAPI_PYTHON"), is_needed);
    let python = found.unwrap_or_else(|why| panic!("{why}"));
    if python.is_none() {
        eprintln!("left out: WADI_OPENAPI_PYTHON is not set; ./scripts/test sets it");
    }

    // A program of another directory is named in full.
    python.map(|p| std::path::absolute(p).expect("a path"))
}

fn is_on(variable: Option<OsString>) -> bool {
    let off = ["", "0", "false"];
    variable.is_some_and(|value| !off.iter().any(|word| value == *word))
}

/// The program, where it is there. One that is named and missing is never left out.
fn found(named: Option<OsString>, is_needed: bool) -> Result<Option<PathBuf>, String> {
    match named.filter(|name| !name.is_empty()) {
        Some(name) if Path::new(&name).exists() => Ok(Some(name.into())),
        Some(name) => Err(format!(
            "WADI_OPENAPI_PYTHON is {name:?}, and there is no such program"
        )),
        None if is_needed => Err(
            "WADI_OPENAPI_PYTHON is not set, though the tools were to be installed here: nothing \
             would hold the API against its description"
                .into(),
        ),
        None => Ok(None),
    }
}

#[test]
fn tools_that_were_to_be_installed_are_not_left_out_in_silence() {
    assert_eq!(found(None, false), Ok(None));
    assert_eq!(found(Some("".into()), false), Ok(None));
    for missing in [None, Some(OsString::new())] {
        let why = found(missing, true).expect_err("it is needed");
        assert!(why.contains("is not set"), "{why}");
    }

    let here = std::env::current_exe().expect("a test has a path");
    let named = || Some(here.clone().into_os_string());
    assert_eq!(found(named(), true), Ok(Some(here.clone())));
    for is_needed in [false, true] {
        let why = found(Some("no/such/python".into()), is_needed).expect_err("it is missing");
        assert!(why.contains("no such program"), "{why}");
    }

    for on in ["1", "true", "yes"] {
        assert!(is_on(Some(on.into())), "{on}");
    }
    for off in [
        None,
        Some("".into()),
        Some("0".into()),
        Some("false".into()),
    ] {
        assert!(!is_on(off.clone()), "{off:?}");
    }
}
