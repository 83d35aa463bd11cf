//! The one task or thread that writes: batches that wait are grouped into one commit.

use crate::{
    Batch, StoreError,
    anchor::{Anchor, AnchorFile},
    defence,
};
use async_trait::async_trait;
use std::collections::BTreeMap;
use tokio::sync::{mpsc, oneshot};
use wadi_log::{LogId, Tip};

/// Batches that may wait for the writer; more, and their senders wait.
const QUEUE_MAX: usize = 64;

type GroupOutcome = Result<(), StoreError>;

enum Job {
    Commit(Box<Batch>, oneshot::Sender<GroupOutcome>),
    Close(oneshot::Sender<()>),
}

/// What an engine does with a group of batches.
#[async_trait]
pub(crate) trait GroupWriter: Send + Sized + 'static {
    /// Writes a group in one transaction, durably, and the anchor after it. A batch that does not
    /// fit is undone alone, and says so; an error means that nothing of the group was written,
    /// except [`StoreError::Failed`].
    async fn write(&mut self, group: &[Box<Batch>]) -> Result<Vec<GroupOutcome>, StoreError>;

    /// After a group that was not written: makes sure that the next one starts outside any
    /// transaction.
    async fn reopen(&mut self) -> Result<(), StoreError>;

    /// Closes the connection.
    async fn close(self);
}

/// The sending half. The writer ends when it is closed, or when nobody can send any more.
pub(crate) struct Queue {
    jobs: mpsc::Sender<Job>,
}

impl Queue {
    /// Starts a writer that waits for its answers, as a task.
    pub(crate) fn start(writer: impl GroupWriter) -> Self {
        let (jobs, received) = mpsc::channel(QUEUE_MAX);
        tokio::spawn(run(writer, received));
        Self { jobs }
    }

    /// Starts a writer that works where it stands, on a thread of its own: a group is handed over
    /// once, and answered once.
    pub(crate) fn start_on_thread(writer: impl GroupWriter) -> Result<Self, StoreError> {
        let (jobs, received) = mpsc::channel(QUEUE_MAX);
        let work = move || match tokio::runtime::Builder::new_current_thread().build() {
            Ok(runtime) => runtime.block_on(run(writer, received)),
            // Whoever writes is told that the store is closed.
            Err(error) => tracing::error!(%error, "the thread that writes could not begin"),
        };

        let named = std::thread::Builder::new().name("wadi-writer".into());
        named
            .spawn(work)
            .map_err(|e| StoreError::Failed(format!("no thread to write on: {e}")))?;
        Ok(Self { jobs })
    }

    /// Waits its turn. Whoever drops this future does not undo the write: it stands or falls with
    /// its group.
    pub(crate) async fn commit(&self, batch: Batch) -> GroupOutcome {
        let (reply, answer) = oneshot::channel();
        self.jobs
            .send(Job::Commit(Box::new(batch), reply))
            .await
            .map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    pub(crate) async fn close(&self) {
        let (reply, done) = oneshot::channel();
        if self.jobs.send(Job::Close(reply)).await.is_ok() {
            let _ = done.await;
        }
    }
}

async fn run(mut writer: impl GroupWriter, mut jobs: mpsc::Receiver<Job>) {
    let mut failed: Option<StoreError> = None;
    let mut waiting = Vec::new();
    while jobs.recv_many(&mut waiting, QUEUE_MAX).await > 0 {
        let (mut group, mut replies, mut closing) = (Vec::new(), Vec::new(), Vec::new());
        for job in waiting.drain(..) {
            match job {
                Job::Commit(batch, reply) => {
                    group.push(batch);
                    replies.push(reply);
                }
                Job::Close(reply) => closing.push(reply),
            }
        }

        if !group.is_empty() {
            let outcome = match &failed {
                Some(error) => Err(error.clone()),
                None => writer.write(&group).await,
            };
            let each = match outcome {
                Ok(each) => each,
                Err(StoreError::Failed(_)) if defence::off("ack-after-failed-sync") => {
                    let _ = writer.reopen().await;
                    vec![Ok(()); group.len()]
                }
                Err(error) => {
                    if failed.is_none() {
                        failed = after(&mut writer, &error).await;
                    }
                    vec![Err(error); group.len()]
                }
            };

            for (reply, result) in replies.into_iter().zip(each) {
                let _ = reply.send(result);
            }
        }

        if !closing.is_empty() {
            writer.close().await;
            for reply in closing {
                let _ = reply.send(());
            }
            return;
        }
    }
}

/// What stops all further writing, if anything does.
async fn after(writer: &mut impl GroupWriter, error: &StoreError) -> Option<StoreError> {
    if let StoreError::Failed(_) = error {
        tracing::error!(%error, "writing failed; the node has to stop and verify");
        return Some(error.clone());
    }
    writer.reopen().await.err()
}

/// How far the database has come, and the file that says so.
pub(crate) struct Progress {
    pub(crate) file: AnchorFile,
    pub(crate) commits: u64,
    pub(crate) heads: BTreeMap<LogId, Tip>,
}

impl Progress {
    /// The database has synced this group: only now may the anchor say so, and only then are
    /// writers told.
    pub(crate) fn advance(
        &mut self,
        group: &[Box<Batch>],
        each: &[GroupOutcome],
    ) -> Result<(), StoreError> {
        self.commits += 1;
        let written = || {
            group
                .iter()
                .zip(each)
                .filter(|(_, r)| r.is_ok())
                .flat_map(|(b, _)| &b.own_heads)
        };

        self.heads.extend(written().copied());
        // An epoch's logs replace those of the epoch before it.
        if let Some(epoch) = written().map(|(log, _)| log.epoch).next_back() {
            self.heads.retain(|log, _| log.epoch == epoch);
        }

        let heads = self.heads.iter().map(|(log, tip)| (*log, *tip)).collect();
        self.file.write(&Anchor {
            commits: self.commits,
            heads,
        })
    }
}
