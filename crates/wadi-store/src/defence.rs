//! Switches that turn single defences off, so that tests can show what each of them is for.
//!
//! They exist in debug builds with the feature `defences-off`, which `cargo test` turns on for
//! itself; any other build, and every release build, has none. `WADI_DEFENCE_OFF` lists the names,
//! commas between.

/// Whether this build has the switches.
pub const SWITCHABLE: bool = cfg!(all(feature = "defences-off", debug_assertions));

/// The defences that have a switch.
pub const NAMES: [&str; 54] = [
    // What outlasts a crash, a restore and a second holder of a key.
    "anchor-check",
    "hash-on-read",
    "new-epoch",
    "fork-proof",
    "cut",
    "db-fsync",
    "anchor-fsync",
    "ship-before-resync",
    "ack-after-failed-sync",
    "own-file",
    "wal-bound",
    // What members with valid keys, and strangers, are kept to.
    "block-signature",
    "block-entries-max",
    "inflated-bytes-max",
    "entry-bytes-max",
    "control-right",
    "grant",
    "enrolled-peer",
    "peer-certificate",
    "one-row-a-refusal",
    "no-circles",
    "questions-max",
    "hub-time-bound",
    "handshake-seats",
    "budgets",
    "kept-budgets",
    "turns",
    "light-peers",
    "carried-share",
    "forked-node-cut",
    "named-times",
    "borne-out",
    "foreign-acts",
    "foreign-records",
    "officers-crossing",
    "officer-keys",
    "decision-signature",
    "signed-within",
    "signed-decisions",
    // What membership, cuts and what travels rest on.
    "canonical-entry",
    "block-root",
    "enrolment-root",
    "cosignature",
    "fork-signature",
    "cut-link",
    "cut-first",
    "cut-witness",
    "past-cut",
    "late-scope",
    "carry-foreign",
    "urgent-reserve",
    "streams-max",
    "ingest-room",
    "peer-memory",
];

/// Whether the defence of that name is turned off.
#[cfg(all(feature = "defences-off", debug_assertions))]
pub fn off(name: &str) -> bool {
    use std::sync::OnceLock;
    static OFF: OnceLock<Vec<String>> = OnceLock::new();
    debug_assert!(
        NAMES.contains(&name),
        "{name} is not in the list of defences"
    );

    let off = OFF.get_or_init(|| {
        let text = std::env::var("WADI_DEFENCE_OFF").unwrap_or_default();
        let names: Vec<String> = text
            .split(',')
            .map(str::trim)
            .filter(|n| !n.is_empty())
            .map(String::from)
            .collect();

        if let Some(unknown) = names.iter().find(|n| !NAMES.contains(&n.as_str())) {
            panic!(
                "WADI_DEFENCE_OFF names {unknown:?}, which is no defence; there are {}",
                NAMES.join(", ")
            );
        }

        // Crates below know no environment.
        wadi_log::defence::hand_in(self::off);
        names
    });

    off.iter().any(|n| n == name)
}

/// Whether a test of the program that runs fails once that defence is turned off. It is run on its
/// own.
#[cfg(feature = "defences-off")]
pub fn fails_without(defence: &str, test: &str) -> bool {
    let program = std::env::current_exe().expect("a test has a path");
    let status = std::process::Command::new(program)
        .args([test, "--exact", "--test-threads=1"])
        .env("WADI_DEFENCE_OFF", defence)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .status();

    !status.expect("the test runs").success()
}

/// Whether the defence of that name is turned off: never.
#[cfg(not(all(feature = "defences-off", debug_assertions)))]
pub const fn off(_name: &str) -> bool {
    false
}

/// WAL frames after which they are moved into the database file: fewer where a test wants to see
/// that happen.
#[cfg(all(feature = "defences-off", debug_assertions))]
pub(crate) fn wal_frames(usual: i64) -> i64 {
    std::env::var("WADI_WAL_FRAMES")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(usual)
}

#[cfg(not(all(feature = "defences-off", debug_assertions)))]
pub(crate) const fn wal_frames(usual: i64) -> i64 {
    usual
}

/// How long readers are waited for while the WAL is emptied: longer where a test must not depend
/// on how busy its machine is.
#[cfg(all(feature = "defences-off", debug_assertions))]
pub(crate) fn readers_wait(usual: std::time::Duration) -> std::time::Duration {
    std::env::var("WADI_READERS_WAIT_MS")
        .ok()
        .and_then(|ms| ms.parse().ok())
        .map_or(usual, std::time::Duration::from_millis)
}

#[cfg(not(all(feature = "defences-off", debug_assertions)))]
pub(crate) const fn readers_wait(usual: std::time::Duration) -> std::time::Duration {
    usual
}

/// Ends the task that comes here with this text in its hands, where a test asks for that:
/// `WADI_TRIP` names the task and a text, a colon between. It stands for a fault that nobody knows
/// of yet.
#[cfg(all(feature = "defences-off", debug_assertions))]
pub fn trip(task: &str, bytes: &[u8]) {
    let wanted = std::env::var("WADI_TRIP").unwrap_or_default();
    let Some((of, text)) = wanted.split_once(':') else {
        return;
    };
    if of == task && !text.is_empty() && bytes.windows(text.len()).any(|w| w == text.as_bytes()) {
        panic!("tripped over {text:?}");
    }
}

/// Ends nothing.
#[cfg(not(all(feature = "defences-off", debug_assertions)))]
pub const fn trip(_task: &str, _bytes: &[u8]) {}
