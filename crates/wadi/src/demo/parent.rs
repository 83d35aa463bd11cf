//! A node of the demonstration does not outlive it, not even where the demonstration is killed.

use rustix::process::{Signal, getpid, getppid, set_parent_process_death_signal};

/// The variable in a node's environment that names the process of its demonstration.
pub const PARENT_VARIABLE: &str = "WADI_DEMO_PARENT";

/// The value of [`PARENT_VARIABLE`] for processes that this one starts.
pub fn this_process() -> String {
    getpid().as_raw_nonzero().to_string()
}

/// In a node of a demonstration: has the system kill this process when the one that started it
/// ends, however it ends. It is no orderly stop: nobody is left who could wait for one. To be
/// called on the main thread, before anything is opened.
///
/// False where the demonstration is gone already: then the process is to end.
pub fn die_with_demonstration() -> bool {
    let Ok(parent) = std::env::var(PARENT_VARIABLE) else {
        return true;
    };
    if set_parent_process_death_signal(Some(Signal::KILL)).is_err() {
        return false;
    }

    // It may have ended before the system was told.
    getppid().is_some_and(|pid| pid.as_raw_nonzero().to_string() == parent)
}
