//! How a command ends.

use std::fmt;

/// Exit codes, stable for scripts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// Failed.
    Failed = 1,
    /// The command line or a file it names is wrong.
    Usage = 2,
    /// Not converged, or findings are open, or some lines were bad.
    Open = 3,
    /// Integrity is violated.
    Integrity = 4,
    /// Done, and a record that was written to is detained.
    Detained = 5,
    /// Cut short: the terminal was closed. This and the next two are 128 and the signal's number,
    /// as shells have it.
    HungUp = 129,
    /// Cut short by Ctrl-C.
    Interrupted = 130,
    /// Cut short by SIGTERM.
    Terminated = 143,
}

/// Why a command did not do what it was asked.
#[derive(Clone, Debug)]
pub struct Failure {
    /// A stable code.
    pub code: String,
    /// The reason, and what to do.
    pub why: String,
    /// The exit code.
    pub exit: Exit,
}

impl Failure {
    /// A failure with exit code 1.
    pub fn new(code: impl Into<String>, why: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            why: why.into(),
            exit: Exit::Failed,
        }
    }

    /// A wrong command line or file: exit code 2.
    pub fn usage(code: impl Into<String>, why: impl Into<String>) -> Self {
        Self {
            exit: Exit::Usage,
            ..Self::new(code, why)
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{}]", self.why, self.code)
    }
}

impl From<std::io::Error> for Failure {
    fn from(e: std::io::Error) -> Self {
        Self::new("io", e.to_string())
    }
}
impl From<wadi_node::NodeError> for Failure {
    fn from(e: wadi_node::NodeError) -> Self {
        match e {
            wadi_node::NodeError::Store(e) => e.into(),
            e => Self::new(e.code(), e.to_string()),
        }
    }
}
impl From<wadi_store::StoreError> for Failure {
    fn from(e: wadi_store::StoreError) -> Self {
        // After a failed write or sync nobody knows what the disk holds; a damaged entry is known
        // to be wrong.
        let unknown = matches!(
            e,
            wadi_store::StoreError::Failed(_) | wadi_store::StoreError::Damaged { .. }
        );
        let exit = if unknown {
            Exit::Integrity
        } else {
            Exit::Failed
        };

        Self {
            exit,
            ..Self::new(e.code(), e.to_string())
        }
    }
}
impl From<wadi_log::LogError> for Failure {
    fn from(e: wadi_log::LogError) -> Self {
        Self::new(e.code(), e.to_string())
    }
}
impl From<wadi_net::NetError> for Failure {
    fn from(e: wadi_net::NetError) -> Self {
        Self::new(e.code(), e.to_string())
    }
}
