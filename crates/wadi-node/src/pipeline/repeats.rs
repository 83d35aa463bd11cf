//! What a sender gave before: its keys, and the numbers of devices.
//!
//! Both are judged at the sequencer, where writes are ordered, and are kept by the commit that
//! writes what they stand for: of many who send one number at once exactly one is accepted, and
//! where the write is refused key and number are free again. Beside each stands the hash of what
//! was sent. The same again is answered as it was before; something else under the same key or
//! number is refused by name.

use crate::{
    door::{
        error::{NodeError, WriteError},
        write::{BY_OPERATOR, Write, Written, key_of_number, key_of_run},
    },
    pipeline::{commit::Commit, sequencer::Sequencer},
};
use wadi_log::{RecordId, Reference};
use wadi_store::{Batch, LocalKey, LocalScope, StoreError};

/// Numbers that are remembered of each run of a device's counter. A repeat comes soon, when a cable
/// was loose or a file was copied twice; a counter of four digits that begins anew meets none of
/// its own old numbers.
const NUMBERS_KEPT: u64 = 1_024;
/// The newest number of a device.
const NEWEST: LocalScope = LocalScope::Device;
/// What the numbers of devices stood for, each in the place of its remainder.
const NUMBERS: LocalScope = LocalScope::DeviceNumber;
/// How often an operator let a device's counter begin anew.
const RUNS: LocalScope = LocalScope::DeviceSession;

/// What a key or a number stood for.
struct Before {
    record: RecordId,
    entry: Reference,
    /// The hash of what was sent; versions before this one kept none.
    content: Option<String>,
    /// The device's number.
    number: Option<u64>,
}

impl Before {
    fn read(text: &str) -> Option<Self> {
        let mut parts = text.split(' ');
        let record = parts.next()?.parse().ok()?;
        let entry = parts.next()?.parse().ok()?;
        let content = parts.next().map(String::from);
        let number = parts.next().map(str::parse).transpose().ok()?;

        Some(Self {
            record,
            entry,
            content,
            number,
        })
    }

    fn is_other(&self, content: &str) -> bool {
        self.content
            .as_ref()
            .is_some_and(|before| before != content)
    }
}

/// What is kept of a write once it has its entry.
pub(crate) struct Marks {
    /// Scope, key, and what follows on record and entry in the value.
    stands_for: Vec<(LocalScope, String, String)>,
    newest: Option<LocalKey>,
    /// The run of the device's counter that its number belongs to.
    pub(crate) run: String,
    /// What looks wrong about the device's number.
    pub(crate) warning: Option<String>,
}

impl Marks {
    /// Puts the marks into the batch that writes the entry.
    pub(crate) fn keep(self, batch: &mut Batch, record: RecordId, entry: Reference) {
        let marks = self.stands_for.into_iter();
        let keys = marks.map(|(scope, key, rest)| LocalKey {
            scope,
            key,
            value: format!("{record} {entry} {rest}"),
        });

        batch.local.keys.extend(keys);
        batch.local.keys.extend(self.newest);
    }
}

/// Whether a write was made before, or what is to be kept of it.
pub(crate) enum Sent {
    Before(Box<Written>),
    First(Marks),
}

fn unreadable(scope: &LocalScope, key: &str) -> NodeError {
    NodeError::Store(StoreError::Database(format!(
        "local key {scope} {key} does not read"
    )))
}

impl Sequencer {
    /// Whether this write was made before. An error where its key, or its device's number, stood
    /// for something else.
    pub(crate) async fn sent_before(
        &mut self,
        g: &mut Commit,
        write: &Write,
    ) -> Result<Sent, NodeError> {
        let mut marks = Marks {
            stands_for: Vec::new(),
            newest: None,
            run: String::new(),
            warning: None,
        };

        let has_number = !write.device.is_empty() && write.device_seq != 0;
        if write.key.is_none() && !has_number {
            return Ok(Sent::First(marks));
        }

        let sent = write.content;
        let content = sent.map_or_else(|| write.digest(), |sent| sent.of_key.to_string());

        if let Some((scope, key)) = &write.key {
            if let Some(before) = self.stood_for(&g.batch, scope, key).await? {
                if before.is_other(&content) {
                    let entry = before.entry.to_string();
                    let key = key.clone();
                    return Err(WriteError::KeyReused { key, entry }.into());
                }

                return self.as_before(g, before).await;
            }

            marks
                .stands_for
                .push((scope.clone(), key.clone(), content.clone()));
        }

        if !has_number {
            return Ok(Sent::First(marks));
        }

        let numbered = sent.map_or_else(|| content.clone(), |sent| sent.of_number.to_string());
        marks.run = self.run_of(&g.batch, write).await?;
        let run = key_of_run(&write.device, &marks.run);
        let place = key_of_number(&run, write.device_seq % NUMBERS_KEPT);
        let kept = self.stood_for(&g.batch, &NUMBERS, &place).await?;
        if let Some(before) = kept.filter(|b| b.number == Some(write.device_seq)) {
            // Versions before this one kept of numbers, too, what a key stands for.
            if before.is_other(&numbered) && before.is_other(&content) {
                return Err(WriteError::NumberReused {
                    device: write.device.clone(),
                    number: write.device_seq,
                    entry: before.entry.to_string(),
                }
                .into());
            }

            return self.as_before(g, before).await;
        }

        self.mark_newest(g, write, run, &mut marks).await?;
        marks
            .stands_for
            .push((NUMBERS, place, format!("{numbered} {}", write.device_seq)));

        Ok(Sent::First(marks))
    }

    /// Marks the number of a device's write as its newest, and warns of one that comes after a
    /// larger one.
    async fn mark_newest(
        &self,
        g: &Commit,
        write: &Write,
        run: String,
        marks: &mut Marks,
    ) -> Result<(), NodeError> {
        let newest: u64 = self
            .local_now(&g.batch, &NEWEST, &run)
            .await?
            .and_then(|n| n.parse().ok())
            .unwrap_or(0);

        if write.device_seq < newest {
            marks.warning = Some(format!(
                "{} gave the number {} after {newest}: it is late, or its counter began anew",
                write.device, write.device_seq
            ));
        }

        marks.newest = Some(LocalKey {
            scope: NEWEST,
            key: run,
            value: write.device_seq.to_string(),
        });
        Ok(())
    }

    /// The run of the device's counter that a number belongs to: as the device names it, else as
    /// the operator began it.
    async fn run_of(&self, batch: &Batch, write: &Write) -> Result<String, NodeError> {
        if !write.device_session.is_empty() {
            return Ok(write.device_session.clone());
        }

        let begun = self.local_now(batch, &RUNS, &write.device).await?;
        Ok(begun.map_or_else(String::new, |n| format!("{BY_OPERATOR}{n}")))
    }

    /// Lets a device's counter begin anew; how often that was done by now.
    pub(crate) async fn begin_anew(
        &self,
        g: &mut Commit,
        device: String,
    ) -> Result<u64, NodeError> {
        let begun: u64 = self
            .local_now(&g.batch, &RUNS, &device)
            .await?
            .and_then(|n| n.parse().ok())
            .unwrap_or(0);

        let begun = begun.saturating_add(1);
        g.batch.local.keys.push(LocalKey {
            scope: RUNS,
            key: device,
            value: begun.to_string(),
        });

        Ok(begun)
    }

    /// What a local key holds once this group is committed.
    async fn local_now(
        &self,
        batch: &Batch,
        scope: &LocalScope,
        key: &str,
    ) -> Result<Option<String>, StoreError> {
        let pending = batch
            .local
            .keys
            .iter()
            .rev()
            .find(|l| l.scope == *scope && l.key == key);

        match pending.or_else(|| self.local_in_flight(scope, key)) {
            Some(pending) => Ok(Some(pending.value.clone())),
            None => self.store.local(scope, key).await,
        }
    }

    async fn stood_for(
        &self,
        batch: &Batch,
        scope: &LocalScope,
        key: &str,
    ) -> Result<Option<Before>, NodeError> {
        let Some(value) = self.local_now(batch, scope, key).await? else {
            return Ok(None);
        };
        Before::read(&value)
            .map(Some)
            .ok_or_else(|| unreadable(scope, key))
    }

    async fn as_before(&mut self, g: &mut Commit, before: Before) -> Result<Sent, NodeError> {
        let Before { record, entry, .. } = before;
        let printed = self
            .record(g, record)
            .await?
            .map(|b| b.printed())
            .unwrap_or_default();

        Ok(Sent::Before(Box::new(Written {
            record,
            printed,
            entry,
            repeated: true,
            warnings: vec![],
            decisions: vec![],
            changed: None,
        })))
    }
}
