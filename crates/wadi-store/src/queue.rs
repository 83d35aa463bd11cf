//! The one task or thread that writes: batches that wait are grouped into one commit.

use crate::{
    Batch, StoreError,
    anchor::{Anchor, AnchorFile},
    defence,
    scope_sums::ScopeSums,
    writes::Known,
};
use async_trait::async_trait;
use std::{collections::BTreeMap, sync::Arc};
use tokio::sync::{mpsc, oneshot};
use wadi_log::{LogId, Tip};

/// Batches that may wait for the writer; more, and their senders wait.
const QUEUE_MAX: usize = 64;

type GroupOutcome = Result<(), StoreError>;

enum Job {
    Commit(Box<Batch>, oneshot::Sender<GroupOutcome>),
    /// Answered when whatever was being written before it is.
    Pass(oneshot::Sender<()>),
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

    /// What is known of the tables.
    fn known(&mut self) -> &mut Known;

    /// Closes the connection.
    async fn close(self);
}

/// The sending half. The writer ends when it is closed, or when nobody can send any more.
pub(crate) struct Queue {
    jobs: mpsc::Sender<Job>,
}

impl Queue {
    /// Starts a writer that waits for its answers, as a task.
    pub(crate) fn start(writer: impl GroupWriter, sums: Arc<ScopeSums>) -> Self {
        let (jobs, received) = mpsc::channel(QUEUE_MAX);
        tokio::spawn(run(writer, received, sums));
        Self { jobs }
    }

    /// Starts a writer that works where it stands, on a thread of its own: a group is handed over
    /// once, and answered once.
    pub(crate) fn start_on_thread(
        writer: impl GroupWriter,
        sums: Arc<ScopeSums>,
    ) -> Result<Self, StoreError> {
        let (jobs, received) = mpsc::channel(QUEUE_MAX);
        let work = move || match tokio::runtime::Builder::new_current_thread().build() {
            Ok(runtime) => runtime.block_on(run(writer, received, sums)),
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

    /// Waits until whatever is being written now is written.
    pub(crate) async fn pass(&self) -> GroupOutcome {
        let (reply, answer) = oneshot::channel();
        self.jobs
            .send(Job::Pass(reply))
            .await
            .map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)
    }

    pub(crate) async fn close(&self) {
        let (reply, done) = oneshot::channel();
        if self.jobs.send(Job::Close(reply)).await.is_ok() {
            let _ = done.await;
        }
    }
}

async fn run(mut writer: impl GroupWriter, mut jobs: mpsc::Receiver<Job>, sums: Arc<ScopeSums>) {
    let mut failed: Option<StoreError> = None;
    let mut waiting = Vec::new();
    while jobs.recv_many(&mut waiting, QUEUE_MAX).await > 0 {
        let (mut group, mut replies) = (Vec::new(), Vec::new());
        let (mut passing, mut closing) = (Vec::new(), Vec::new());
        for job in waiting.drain(..) {
            match job {
                Job::Commit(batch, reply) => {
                    group.push(batch);
                    replies.push(reply);
                }
                Job::Pass(reply) => passing.push(reply),
                Job::Close(reply) => closing.push(reply),
            }
        }

        if !group.is_empty() {
            let outcome = match &failed {
                Some(error) => Err(error.clone()),
                None => write_and_sum(&mut writer, &group, &sums).await,
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

        for reply in passing {
            let _ = reply.send(());
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

/// Writes a group, and takes into the scopes' sums what it moved.
async fn write_and_sum(
    writer: &mut impl GroupWriter,
    group: &[Box<Batch>],
    sums: &ScopeSums,
) -> Result<Vec<GroupOutcome>, StoreError> {
    let is_noted = sums.is_kept();
    writer.known().moved = is_noted.then(Default::default);
    let outcome = writer.write(group).await;

    let (moved, cursor) = {
        let known = writer.known();
        (known.moved.take(), known.changed)
    };
    match (&outcome, moved, cursor) {
        // Whoever began to read all records meanwhile waits for this group.
        _ if !is_noted => {}
        (Ok(_), Some(moved), Some(cursor)) => sums.moved(cursor, moved),
        // No record was written since this writer began.
        (Ok(_), Some(_), None) => {}
        // What became of the group, or what it moved, nobody can tell.
        _ => sums.lose(),
    }

    outcome
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
