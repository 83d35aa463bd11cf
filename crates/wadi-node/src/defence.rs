//! Switches that take one defence away, for tests that show what it is good for. They exist only in builds with the feature
//! `defences-off`, which no release has.

/// Whether a defence is switched off, by name in `WADI_DEFENCE_OFF`.
#[cfg(feature = "defences-off")]
pub(crate) fn off(name: &str) -> bool {
    std::env::var("WADI_DEFENCE_OFF").is_ok_and(|all| all.split(',').any(|one| one == name))
}

/// All defences stand.
#[cfg(not(feature = "defences-off"))]
pub(crate) const fn off(_name: &str) -> bool {
    false
}
