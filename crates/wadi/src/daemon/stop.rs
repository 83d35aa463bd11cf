//! How the daemon ends, and what the next start is told of it.

use super::store::mark_for_rebuild;
use crate::{
    config::Config,
    failure::{Exit, Failure},
};
use std::{path::Path, time::Duration};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::broadcast::{
        Receiver,
        error::{RecvError, TryRecvError},
    },
};
use wadi_node::{Event, Node, TaskEnd};

/// What a stop may take; the process goes then, and the next start verifies what it holds.
pub(super) const STOP_MAX: Duration = Duration::from_secs(45);

/// Why the daemon stops.
pub(super) enum Stop {
    /// It was told to.
    Asked,
    /// Writing failed, and only a new start can judge the disk.
    Failed(String),
    /// A task ended that the node lives by.
    Ended(TaskEnd),
}

/// Returns when the process has to stop. What a task that ended was at is written down first.
pub(super) async fn until_stopped(
    node: &Node,
    events: &mut Receiver<Event>,
    config: &Config,
) -> Result<Stop, Failure> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let failed = async {
        loop {
            match events.recv().await {
                Ok(Event::Failed(why)) => return Stop::Failed(why),
                Ok(Event::Broken(why)) => {
                    mark_for_rebuild(config, &why);
                    return Stop::Failed(why);
                }
                // Among what was missed may have been that writing failed.
                Err(RecvError::Lagged(_)) => {
                    if let Some(why) = node.tasks().troubles().remove("store") {
                        return Stop::Failed(why);
                    }
                }
                Err(RecvError::Closed) => return Stop::Ended(node.tasks().ended().await),
                Ok(_) => {}
            }
        }
    };

    let stop = tokio::select! {
        _ = terminate.recv() => Stop::Asked,
        _ = interrupt.recv() => Stop::Asked,
        stop = failed => stop,
        end = node.tasks().ended() => Stop::Ended(end),
    };

    if let Stop::Ended(end) = &stop
        && let Err(error) = node.suspects().write(&config.data, end.clone())
    {
        tracing::error!(%error, "what the task was at could not be written down");
    }

    Ok(stop)
}

/// Brings everything to disk and says how the daemon ended.
pub(super) async fn finish(
    node: &Node,
    stop: Stop,
    events: &mut Receiver<Event>,
    config: &Config,
) -> Result<Exit, Failure> {
    let end = match stop {
        Stop::Failed(why) => {
            return Err(Failure {
                exit: Exit::Integrity,
                ..Failure::new("write_failed", why)
            });
        }
        Stop::Ended(end) => Some(end),
        Stop::Asked => None,
    };

    if tokio::time::timeout(STOP_MAX, node.stop()).await.is_err() {
        tracing::error!(
            "the node did not come to its end in time; the next start verifies what it holds"
        );
    }

    if let Some(why) = failed_since(events) {
        return Err(Failure {
            exit: Exit::Integrity,
            ..Failure::new("write_failed", why)
        });
    }

    let Some(end) = end else {
        if let Err(error) = node.suspects().settle(&config.data) {
            tracing::warn!(%error, "what earlier starts ended over could not be put in order");
        }
        leave_clean_stop(&config.data);
        return Ok(Exit::Done);
    };

    // The service manager starts it again, and that start knows what to leave alone.
    let at: Vec<String> = end.at.iter().map(ToString::to_string).collect();
    let at = if at.is_empty() {
        String::new()
    } else {
        format!(", at {}", at.join("; "))
    };

    Err(Failure::new(
        "task_ended",
        format!(
            "{} ended: {}{at}; nothing that was acknowledged is lost",
            end.task, end.why
        ),
    ))
}

/// Whether writing failed in what was heard since.
pub(super) fn failed_since(events: &mut Receiver<Event>) -> Option<String> {
    loop {
        match events.try_recv() {
            Ok(Event::Failed(why)) => return Some(why),
            Ok(_) | Err(TryRecvError::Lagged(_)) => {}
            Err(_) => return None,
        }
    }
}

/// The file that a stop in order leaves behind. A start without it follows on a power cut, a kill
/// or a failed write: what is on disk has to be verified. It is its absence that says so: a disk
/// that fails or is full may take no new file.
pub(super) const CLEAN_STOP_FILE: &str = "clean";

/// Whether the last stop was in order; from here on, this one is not until it is.
pub(super) fn take_clean_stop(data: &Path) -> bool {
    let fresh = !data.join("anchor").exists();
    let clean = std::fs::remove_file(data.join(CLEAN_STOP_FILE)).is_ok();
    let _ = std::fs::File::open(data).and_then(|d| d.sync_all());
    clean || fresh
}

pub(super) fn leave_clean_stop(data: &Path) {
    if let Err(error) = std::fs::write(data.join(CLEAN_STOP_FILE), "") {
        tracing::warn!(%error, "this stop cannot be told from one out of order; the next start \
            verifies what it holds");
    }
}
