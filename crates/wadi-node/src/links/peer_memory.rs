//! What is remembered of a peer until the next contact.

use super::Link;
use crate::door::Door;
use std::time::{Duration, Instant};
use wadi_log::{Frontier, LogId, Role, Tip};
use wadi_store::PeerRow;

/// The least pause between two writings of what both hold alike; a link that ends in order writes
/// it, too.
const REMEMBER_PAUSE: Duration = Duration::from_secs(15);

/// What both hold alike, and whether it is written down. What the peer acknowledged of excerpts and
/// heard of cosignatures stands in the same row; their own parts keep it.
pub(super) struct PeerMemory {
    /// Something to be remembered of the peer is not written down yet.
    pub(super) unwritten: bool,
    /// What both hold alike and is not written down yet.
    pub(super) alike: Option<Frontier>,
    /// What is written down.
    pub(super) remembered: Option<Frontier>,
    /// When it was written down last, or the link began.
    written_at: Instant,
}

impl PeerMemory {
    /// Nothing is remembered yet.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            unwritten: false,
            alike: None,
            remembered: None,
            written_at: now,
        }
    }

    /// Whether something is to be written down before the link ends.
    pub(super) fn is_due(&self) -> bool {
        self.alike.is_some() || self.unwritten
    }

    /// Whether something is to be written down, and the last time is long enough ago.
    pub(super) fn is_due_at(&self, now: Instant) -> bool {
        self.is_due() && now.duration_since(self.written_at) >= REMEMBER_PAUSE
    }
}

/// What a hub and this node held alike when they were last in step, as it was written down before
/// this start. Where the store does not say, nothing is known of it until the next contact.
pub(crate) async fn recall_hubs(door: &Door) {
    let rows = door.store.peers().await.unwrap_or_default();
    for row in rows {
        let is_hub = door.with_control(|c| c.role(&row.node) == Some(Role::Hub));
        let json = serde_json::from_str(&row.json).unwrap_or_default();
        if is_hub && let Some(held) = alike(&json) {
            door.hub_holdings.are_alike(row.node, &held);
        }
    }
}

/// What both held alike, as a peer's row says. Whatever of it does not read makes the whole of it
/// nothing: the digest over it would be another one.
fn alike(row: &serde_json::Value) -> Option<Frontier> {
    let read = |row: &serde_json::Value| {
        let log = LogId::from_slice(&wadi_log::unhex(row[0].as_str()?)?).ok()?;
        let root = wadi_log::Hash::from_slice(&wadi_log::unhex(row[2].as_str()?)?).ok()?;
        let size = row[1].as_u64()?;
        Some((log, Tip { size, root }))
    };

    let rows = row["alike"].as_array().filter(|rows| !rows.is_empty())?;
    let held = rows.iter().map(read).collect::<Option<_>>()?;
    Some(Frontier(held))
}

impl Link<'_> {
    /// What was remembered of this peer: how much of which records it has acknowledged as excerpts.
    pub(super) async fn recall_peer(&mut self) {
        let Ok(rows) = self.door.store.peers().await else {
            return;
        };
        let row = rows.into_iter().find(|r| r.node == self.peer);
        let json: serde_json::Value = row
            .and_then(|r| serde_json::from_str(&r.json).ok())
            .unwrap_or_default();
        for (id, count) in json["excerpts"].as_object().into_iter().flatten() {
            if let (Ok(id), Some(count)) = (id.parse(), count.as_u64()) {
                self.excerpts.acked.insert(id, count as u32);
            }
        }

        self.hub_word.newest_told_s = json["cosigned_s"].as_u64().filter(|s| *s > 0);
        self.memory.remembered = alike(&json);
    }

    /// Writes down what is remembered of the peer until the next contact.
    pub(super) async fn write_memory(&mut self) {
        if let Some(alike) = self.memory.alike.take() {
            self.memory.remembered = Some(alike);
        }

        self.memory.written_at = Instant::now();
        self.memory.unwritten = false;
        let known: serde_json::Map<String, serde_json::Value> = self
            .excerpts
            .acked
            .iter()
            .map(|(id, n)| (id.to_string(), (*n).into()))
            .collect();

        let logs = self.memory.remembered.iter().flat_map(|f| &f.0);
        let alike: Vec<(String, u64, String)> = logs
            .map(|(l, t)| (wadi_log::hex(&l.to_bytes()), t.size, t.root.to_string()))
            .collect();
        let cosigned_s = self.hub_word.newest_told_s.unwrap_or(0);
        let json =
            serde_json::json!({ "excerpts": known, "alike": alike, "cosigned_s": cosigned_s })
                .to_string();

        self.door
            .remember_peer(PeerRow {
                node: self.peer,
                json,
            })
            .await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_is_written_down_no_more_than_every_fifteen_seconds() {
        let began = Instant::now();
        let mut memory = PeerMemory::new(began);
        assert!(!memory.is_due_at(began + REMEMBER_PAUSE));

        memory.unwritten = true;
        assert!(memory.is_due() && !memory.is_due_at(began));
        assert!(memory.is_due_at(began + REMEMBER_PAUSE));
    }
}
