//! Chains of lines that have a meaning on this node alone: who looked at what, and who signed in.
//! Each line holds the hash of the one before, so none is changed or taken out unseen.

use crate::door::{Door, error::NodeError};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::sync::{Arc, Mutex};
use wadi_log::hex;
use wadi_store::{LocalKey, LocalScope};

/// Lines read together.
const LINES_AT_ONCE: u32 = 1_000;
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

/// What reading a whole chain found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChainVerdict {
    /// The number of the oldest line that is kept.
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
        // It is read as it is at one moment: what is written meanwhile follows on that.
        let (known, on_disk) = {
            let known = self.head.lock().await;
            (known.clone(), self.read_head().await?)
        };
        let mut verdict = ChainVerdict {
            first: on_disk.n,
            last: on_disk.n,
            head: on_disk.hash.clone(),
            broken_at: None,
        };
        if let Some(known) = &known
            && (known.n, &known.hash) != (on_disk.n, &on_disk.hash)
        {
            verdict.broken_at = Some(known.n.max(on_disk.n));
        }

        let mut needed = on_disk.hash;
        let mut before = Some(on_disk.n + 1);
        loop {
            let lines = self.page(before, LINES_AT_ONCE).await?;
            let Some(last) = lines.last() else { break };
            before = Some(last.n);

            for line in &lines {
                let is_next = line.n == verdict.first || line.n + 1 == verdict.first;
                let said: Value = serde_json::from_str(&line.text).unwrap_or_default();
                let is_whole = hash_of(&line.text) == needed && said["n"] == json!(line.n);
                if !(is_next && is_whole) {
                    verdict.broken_at.get_or_insert(line.n);
                }

                verdict.first = line.n;
                needed = said["prev"].as_str().unwrap_or_default().to_string();
            }
        }

        // No more is gone at its beginning than was given up in time.
        if verdict.first > verdict.last.saturating_sub(self.lines_max) + 1 {
            verdict.broken_at.get_or_insert(verdict.first);
        }

        Ok(verdict)
    }
}
