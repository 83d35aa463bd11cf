//! The tasks that a node lives by. Whichever of them ends, the process ends in order, and the next
//! start knows what it was at.
//!
//! A process that lives and does nothing is worse than one that is gone: the service manager starts
//! that one again.

use crate::door::suspects::{Suspect, TaskEnd};
use futures_util::FutureExt;
use std::{
    any::Any,
    collections::BTreeMap,
    panic::AssertUnwindSafe,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::{sync::watch, task::JoinHandle};

/// Watches tasks, and knows which of them cannot work.
pub struct Tasks {
    ended: watch::Sender<Option<TaskEnd>>,
    stopping: AtomicBool,
    at: Mutex<BTreeMap<&'static str, Vec<Suspect>>>,
    troubles: Mutex<BTreeMap<&'static str, String>>,
}

impl Default for Tasks {
    fn default() -> Self {
        Self {
            ended: watch::Sender::new(None),
            stopping: AtomicBool::new(false),
            at: Mutex::default(),
            troubles: Mutex::default(),
        }
    }
}

impl Tasks {
    /// Runs a task whose end ends the process, unless the node is stopping. What it returns is
    /// lost: nothing is, where it is not meant to end.
    pub fn spawn<T: Send + 'static>(
        self: &Arc<Self>,
        task: &'static str,
        work: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<()> {
        let tasks = self.clone();
        tokio::spawn(async move {
            // Nothing that the task held is used again: the process ends.
            let why = match AssertUnwindSafe(work).catch_unwind().await {
                Ok(_) => "it ended".to_string(),
                Err(panic) => format!("it panicked: {}", panic_text(panic.as_ref())),
            };
            tasks.note_end(task, why);
        })
    }

    /// Watches tasks of another's: the future comes to an end when one of them does, and says which
    /// and why.
    pub fn report(
        self: &Arc<Self>,
        task: &'static str,
        ended: impl Future<Output = String> + Send + 'static,
    ) {
        let tasks = self.clone();
        tokio::spawn(async move { tasks.note_end(task, ended.await) });
    }

    fn note_end(&self, task: &'static str, why: String) {
        if self.stopping.load(Ordering::Relaxed) {
            return;
        }

        tracing::error!(
            task,
            why,
            "a task ended that a node lives by: the process stops"
        );

        self.trouble(task, Some(why.clone()));

        let at = self
            .at
            .lock()
            .map(|mut at| at.remove(task))
            .unwrap_or_default()
            .unwrap_or_default();

        let at_ms = jiff::Timestamp::now().as_millisecond();
        let end = TaskEnd {
            task: task.into(),
            why,
            at,
            at_ms,
            times: 0,
        };

        // The first end is the cause; what ends after it ends because of it.
        self.ended.send_if_modified(|ended| {
            let first = ended.is_none();
            ended.get_or_insert(end);
            first
        });
    }

    /// Says what a task is at: suspected, should it end now.
    pub(crate) fn at(&self, task: &'static str, what: Vec<Suspect>) {
        if let Ok(mut at) = self.at.lock() {
            at.insert(task, what);
        }
    }

    /// The node is stopping: tasks may end.
    pub fn stopping(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Waits for the first task that ends, and tells which.
    pub async fn ended(&self) -> TaskEnd {
        let mut ended = self.ended.subscribe();
        loop {
            if let Some(end) = ended.borrow_and_update().clone() {
                return end;
            }
            if ended.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Says that a task cannot work for now, and why; or that it can again.
    pub fn trouble(&self, task: &'static str, why: Option<String>) {
        let Ok(mut troubles) = self.troubles.lock() else {
            return;
        };
        match why {
            Some(why) => drop(troubles.insert(task, why)),
            None => drop(troubles.remove(task)),
        }
    }

    /// What cannot work now, by task.
    pub fn troubles(&self) -> BTreeMap<&'static str, String> {
        self.troubles.lock().map(|t| t.clone()).unwrap_or_default()
    }
}

/// A panic's message, where it has one.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "without a message".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_told_with_what_the_task_was_at() {
        let tasks: Arc<Tasks> = Arc::default();
        tasks.at("sequencer", vec![Suspect::Record { record: "a".into() }]);
        let _ = tasks
            .spawn("sequencer", async { panic!("inside a character") })
            .await;

        let end = tasks.ended().await;
        assert_eq!((end.task.as_str(), end.at.len()), ("sequencer", 1));
        assert!(end.why.contains("inside a character"), "{}", end.why);
        assert!(
            tasks.troubles().contains_key("sequencer"),
            "whoever asks whether the node is ready hears no"
        );
    }

    #[tokio::test]
    async fn the_first_end_is_the_cause() {
        let tasks: Arc<Tasks> = Arc::default();
        let _ = tasks.spawn("reconciler", async { panic!("first") }).await;
        let _ = tasks.spawn("http", async {}).await;
        assert_eq!(tasks.ended().await.task, "reconciler");
    }

    #[tokio::test]
    async fn a_node_that_stops_hears_of_no_end() {
        let tasks: Arc<Tasks> = Arc::default();
        tasks.stopping();
        let _ = tasks.spawn("http", async {}).await;
        assert!(tasks.troubles().is_empty());
        assert!(tasks.ended().now_or_never().is_none());
    }
}
