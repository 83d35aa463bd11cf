//! Members of a commission for the tests of sessions.

use wadi_log::{Enrolment, LogKey, Role, Scope};

/// The commission's root.
pub(super) fn root() -> LogKey {
    LogKey::from_seed(&[1; 32])
}

/// A hub, or the crossing of Trebil.
pub(super) fn enrolled(seed: u8, role: Role) -> Enrolment {
    let crossing = match role {
        Role::Hub => "HUB",
        _ => "TRB",
    };
    let unsigned = Enrolment {
        name: format!("node{seed}"),
        role,
        crossing: crossing.parse().ok(),
        log_key: LogKey::from_seed(&[seed; 32]).public(),
        tls_key: [0; 32],
        scope: match role {
            Role::Hub => Scope::all(),
            _ => Scope::of_crossing(crossing.parse().unwrap()),
        },
        serial: 1,
        issued_s: 0,
        root_signature: [0; 64],
    };
    unsigned.issue(&root()).unwrap()
}
