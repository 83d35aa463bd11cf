//! Chains of lines that have a meaning on this node alone: who looked at what, who signed in, and
//! who made a bundle or took one in.
//! Each line holds the hash of the one before, so none is changed or taken out unseen.

use crate::door::{Door, error::NodeError};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::sync::{Arc, Mutex};
use wadi_log::hex;
use wadi_store::{LocalKey, LocalScope};

/// Lines read together.
const LINES_AT_ONCE: u32 = 1_000;
/// Lines that are verified where nothing of the chain was yet, and only what is newer is asked for.
const NEWEST_MAX: u64 = 20_000;
/// Lines that wait while they cannot be written; past that they are refused.
const WAITING_MAX: usize = 10_000;

/// A chain of this node's.
pub struct LocalChain {
    door: Arc<Door>,
    scope: LocalScope,
    /// Lines that are kept; the oldest go first.
    lines_max: u64,
    waiting: Mutex<WaitingLines>,
    /// How far it is written, once that was read.
    head: tokio::sync::Mutex<Option<ChainHead>>,
    /// What was verified last and was whole, in this process.
    verified: Mutex<Option<ChainVerdict>>,
    /// The last time that it was read whole.
    read_whole: Mutex<Option<ChainReading>>,
}

/// A reading of a whole chain, under way or ended.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ChainReading {
    /// Lines read.
    pub read: u64,
    /// Lines that there were when it began.
    pub of: u64,
    /// When it ended, this node's clock, Unix milliseconds; none while it is under way.
    pub ended_ms: Option<i64>,
    /// Why it could not be read to its end.
    pub failed: Option<String>,
    /// What it found.
    pub verdict: Option<ChainVerdict>,
}

/// Lines that are to be written, and how many were handed in so far.
#[derive(Default)]
struct WaitingLines {
    lines: Vec<Value>,
    handed_in: u64,
}

/// How far a chain is written.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ChainHead {
    /// The number of its newest line; 0 where there is none.
    pub n: u64,
    /// SHA-256 of that line's text, in hexadecimal.
    pub hash: String,
    /// How many lines of this process's are written.
    handed_in: u64,
}

/// A line as it is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChainLine {
    /// Its number, from 1.
    pub n: u64,
    /// Its text: JSON with `n`, `prev` and what was said.
    pub text: String,
}

/// What reading a chain, or a part of it, found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChainVerdict {
    /// The number of the oldest line that was read for it.
    pub first: u64,
    /// The number of the newest line.
    pub last: u64,
    /// The hash of the newest line.
    pub head: String,
    /// The newest line that does not follow from the one before, or that is missing.
    pub broken_at: Option<u64>,
}

fn key_of(n: u64) -> String {
    format!("{n:016}")
}

fn hash_of(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()))
}

impl LocalChain {
    pub(crate) fn new(door: Arc<Door>, scope: LocalScope, lines_max: u64) -> Self {
        Self {
            door,
            scope,
            lines_max,
            waiting: Mutex::default(),
            head: tokio::sync::Mutex::default(),
            verified: Mutex::default(),
            read_whole: Mutex::default(),
        }
    }

    /// Adds lines. Durable when it returns; those who add at once share a write. Lines that could
    /// not be written wait for the next ones.
    pub async fn append(&self, lines: Vec<Value>) -> Result<(), NodeError> {
        let ticket = self.hand_in(lines)?;
        let mut head = self.head.lock().await;
        let mut from = match &*head {
            Some(head) => head.clone(),
            None => self.read_head().await?,
        };
        if from.handed_in >= ticket {
            return Ok(());
        }

        // What was told of and is gone stays a gap: no new line takes its number.
        if let Some((lines, hash)) = self.last_told().filter(|(lines, _)| *lines > from.n) {
            (from.n, from.hash) = (lines, hash.to_string());
        }

        let (lines, handed_in) = {
            let waiting = self.waiting.lock().expect("no panic holds it");
            (waiting.lines.clone(), waiting.handed_in)
        };
        let count = lines.len();
        let (rows, mut next) = self.linked(from, lines);
        next.handed_in = handed_in;
        let oldest = next.n.saturating_sub(self.lines_max);
        let gone = (oldest.saturating_sub(count as u64) + 1..=oldest)
            .map(|n| (self.scope.clone(), key_of(n)));
        self.door.set_local(rows, gone.collect()).await?;

        let mut waiting = self.waiting.lock().expect("no panic holds it");
        waiting.lines.drain(..count);
        *head = Some(next);
        Ok(())
    }

    pub(crate) fn door(&self) -> &Door {
        &self.door
    }

    /// How many of its lines are kept.
    pub(crate) fn lines_max(&self) -> u64 {
        self.lines_max
    }

    /// What it is called in entries and alarms.
    pub(crate) fn name(&self) -> &'static str {
        match self.scope {
            LocalScope::SignIn => "sign_ins",
            LocalScope::BundleAct => "bundles",
            _ => "looks",
        }
    }

    fn hand_in(&self, lines: Vec<Value>) -> Result<u64, NodeError> {
        let mut waiting = self.waiting.lock().expect("no panic holds it");
        if waiting.lines.len() + lines.len() > WAITING_MAX {
            return Err(NodeError::Busy);
        }

        waiting.handed_in += lines.len() as u64;
        waiting.lines.extend(lines);
        Ok(waiting.handed_in)
    }

    /// The rows of lines that follow on a head, and the head that they make.
    fn linked(&self, mut head: ChainHead, lines: Vec<Value>) -> (Vec<LocalKey>, ChainHead) {
        let mut rows = Vec::with_capacity(lines.len());
        for mut line in lines {
            head.n += 1;
            line["n"] = json!(head.n);
            line["prev"] = json!(head.hash);
            let value = line.to_string();
            head.hash = hash_of(&value);
            rows.push(LocalKey {
                scope: self.scope.clone(),
                key: key_of(head.n),
                value,
            });
        }

        (rows, head)
    }

    async fn read_head(&self) -> Result<ChainHead, NodeError> {
        let newest = self.page(None, 1).await?;
        Ok(newest
            .first()
            .map_or_else(ChainHead::default, |line| ChainHead {
                n: line.n,
                hash: hash_of(&line.text),
                handed_in: 0,
            }))
    }

    /// How far it is written.
    pub async fn head(&self) -> Result<ChainHead, NodeError> {
        match &*self.head.lock().await {
            Some(head) => Ok(head.clone()),
            None => self.read_head().await,
        }
    }

    /// Lines before a number, the newest first.
    pub async fn page(&self, before: Option<u64>, limit: u32) -> Result<Vec<ChainLine>, NodeError> {
        let before = before.map(key_of);
        let rows = self
            .door
            .store
            .local_newest(&self.scope, before.as_deref(), limit)
            .await?;
        let line = |row: LocalKey| {
            let n = row.key.parse().ok()?;
            Some(ChainLine { n, text: row.value })
        };
        Ok(rows.into_iter().filter_map(line).collect())
    }

    /// Reads it whole, from its head to its oldest line.
    pub async fn verify(&self) -> Result<ChainVerdict, NodeError> {
        let mut verdict = self.read_back(None, u64::MAX).await?;
        // No more is gone at its beginning than was given up in time.
        if verdict.first > verdict.last.saturating_sub(self.lines_max) + 1 {
            verdict.broken_at.get_or_insert(verdict.first);
        }

        self.remember(&verdict);
        Ok(verdict)
    }

    /// Reads what is newer than what was verified before in this process, and that it follows on
    /// it; of a chain of which nothing was, the newest lines. Older ones that somebody changes
    /// meanwhile are found by [`Self::verify`] alone.
    pub async fn verify_newer(&self) -> Result<ChainVerdict, NodeError> {
        let known = self.verified.lock().expect("no panic holds it").clone();
        let lines_max = match &known {
            Some(_) => u64::MAX,
            None => NEWEST_MAX,
        };
        let mut verdict = self.read_back(known.as_ref(), lines_max).await?;
        if let Some(known) = known
            && verdict.broken_at.is_none()
        {
            verdict.first = known.first;
        }

        self.remember(&verdict);
        Ok(verdict)
    }

    /// Begins to read it whole; nothing where that is under way. [`Self::reading`] tells how far it
    /// has come.
    pub async fn read_whole(&self) {
        {
            let mut reading = self.read_whole.lock().expect("no panic holds it");
            let is_under_way = reading.as_ref().is_some_and(|r| r.ended_ms.is_none());
            if is_under_way {
                return;
            }
            *reading = Some(ChainReading::default());
        }

        let found = self.verify().await;
        let ended_ms = Some(self.door.now_ms());
        let mut reading = self.read_whole.lock().expect("no panic holds it");
        let reading = reading.get_or_insert_default();
        reading.ended_ms = ended_ms;
        match found {
            Ok(verdict) => reading.verdict = Some(verdict),
            Err(error) => reading.failed = Some(error.to_string()),
        }
    }

    /// The last time that it was read whole, or how far that has come.
    pub fn reading(&self) -> Option<ChainReading> {
        self.read_whole.lock().expect("no panic holds it").clone()
    }

    /// What is whole need not be read again.
    fn remember(&self, verdict: &ChainVerdict) {
        let mut verified = self.verified.lock().expect("no panic holds it");
        *verified = verdict.broken_at.is_none().then(|| verdict.clone());
    }

    fn note_reading(&self, lines: u64, of: u64) {
        let mut reading = self.read_whole.lock().expect("no panic holds it");
        if let Some(reading) = reading.as_mut().filter(|r| r.ended_ms.is_none()) {
            (reading.read, reading.of) = (reading.read + lines, of);
        }
    }

    /// Reads it from its head back: to its oldest line, to what is known to be whole, or so many
    /// lines.
    async fn read_back(
        &self,
        known: Option<&ChainVerdict>,
        lines_max: u64,
    ) -> Result<ChainVerdict, NodeError> {
        // It is read as it is at one moment: what is written meanwhile follows on that.
        let (head, on_disk) = {
            let head = self.head.lock().await;
            (head.clone(), self.read_head().await?)
        };
        let mut verdict = ChainVerdict {
            first: on_disk.n,
            last: on_disk.n,
            head: on_disk.hash.clone(),
            broken_at: None,
        };
        if let Some(head) = &head
            && (head.n, &head.hash) != (on_disk.n, &on_disk.hash)
        {
            verdict.broken_at = Some(head.n.max(on_disk.n));
        }
        if let Some(known) = known
            && known.last > on_disk.n
        {
            verdict.broken_at.get_or_insert(known.last);
        }

        let (mut needed, mut read) = (on_disk.hash, 0);
        let mut before = Some(on_disk.n + 1);
        while read < lines_max {
            let lines = self.page(before, LINES_AT_ONCE).await?;
            let Some(last) = lines.last() else { break };
            before = Some(last.n);
            read += lines.len() as u64;
            if known.is_none() && lines_max == u64::MAX {
                self.note_reading(lines.len() as u64, on_disk.n.min(self.lines_max));
            }

            for line in &lines {
                let is_next = line.n == verdict.first || line.n + 1 == verdict.first;
                let said: Value = serde_json::from_str(&line.text).unwrap_or_default();
                let is_whole = hash_of(&line.text) == needed && said["n"] == json!(line.n);
                if !(is_next && is_whole) {
                    verdict.broken_at.get_or_insert(line.n);
                }

                verdict.first = line.n;
                needed = said["prev"].as_str().unwrap_or_default().to_string();
                if let Some(known) = known.filter(|known| line.n <= known.last) {
                    // Here begins what was read before, where it is the same line still.
                    if line.n < known.last || hash_of(&line.text) != known.head {
                        verdict.broken_at.get_or_insert(known.last);
                    }
                    return Ok(verdict);
                }
            }
        }

        Ok(verdict)
    }
}
