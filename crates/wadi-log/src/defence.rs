//! Whether single defences are turned off, for whoever knows no environment: crates that are handed
//! everything are handed this, too. The names and their source are `wadi_store::defence`'s.
//!
//! Only debug builds with the feature `defences-off` have it; in any other nothing is ever off.

#[cfg(all(feature = "defences-off", debug_assertions))]
static IS_OFF: std::sync::OnceLock<fn(&str) -> bool> = std::sync::OnceLock::new();

/// Hands in what tells whether a defence is off. The first one that is handed in stays.
#[cfg(all(feature = "defences-off", debug_assertions))]
pub fn hand_in(is_off: fn(&str) -> bool) {
    let _ = IS_OFF.set(is_off);
}

/// Whether the defence of that name is turned off; never, before anything was handed in.
#[cfg(all(feature = "defences-off", debug_assertions))]
pub fn off(name: &str) -> bool {
    IS_OFF.get().is_some_and(|is_off| is_off(name))
}

/// Whether the defence of that name is turned off: never.
#[cfg(not(all(feature = "defences-off", debug_assertions)))]
pub const fn off(_name: &str) -> bool {
    false
}
