//! How far a session has come.

/// The phase of a session. It only moves forward, one step at a time or to its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SessionPhase {
    /// The connection is not up yet.
    New,
    /// This node said Hello, and waits for the peer's.
    Greeting,
    /// The peer said Hello; what both hold is not compared yet.
    Comparing,
    /// What both hold was compared: blocks are sent.
    Running,
    /// Nothing more is heeded or said.
    Closed {
        /// Whether the peer had said Hello.
        greeted: bool,
    },
}

impl SessionPhase {
    /// The connection is up.
    pub(crate) fn start(&mut self) {
        if *self == Self::New {
            *self = Self::Greeting;
        }
    }

    /// The peer said Hello. Whatever it says later leaves the phase as it is.
    pub(crate) fn greet(&mut self) {
        if matches!(self, Self::New | Self::Greeting) {
            *self = Self::Comparing;
        }
    }

    /// What both hold was compared.
    pub(crate) fn run(&mut self) {
        if !self.is_closed() {
            *self = Self::Running;
        }
    }

    /// The session is over.
    pub(crate) fn close(&mut self) {
        *self = Self::Closed {
            greeted: self.is_greeted(),
        };
    }

    /// Whether the peer has said Hello.
    pub(crate) fn is_greeted(self) -> bool {
        match self {
            Self::New | Self::Greeting => false,
            Self::Comparing | Self::Running => true,
            Self::Closed { greeted } => greeted,
        }
    }

    /// Whether what both hold was compared.
    pub(crate) fn is_running(self) -> bool {
        self == Self::Running
    }

    /// Whether the session is over.
    pub(crate) fn is_closed(self) -> bool {
        matches!(self, Self::Closed { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_never_goes_back() {
        let mut phase = SessionPhase::New;
        phase.start();
        assert!(phase == SessionPhase::Greeting && !phase.is_greeted());
        phase.greet();
        assert!(phase == SessionPhase::Comparing && phase.is_greeted());
        phase.run();
        phase.greet();
        phase.start();
        assert!(phase.is_running());

        phase.close();
        phase.run();
        assert!(phase.is_closed() && phase.is_greeted());

        let mut stranger = SessionPhase::Greeting;
        stranger.close();
        assert!(!stranger.is_greeted());
    }
}
