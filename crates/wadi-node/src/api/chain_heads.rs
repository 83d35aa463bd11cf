//! How far each chain of this node's goes, told in its control log once a day: whoever writes a
//! chain anew afterwards cannot write that anew, for the hub has it. Lines stay on the node: a link
//! carries some hundred bytes a day, however many looks there were.

use crate::{
    api::local_chain::LocalChain,
    door::{Door, error::NodeError},
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::{sync::Arc, time::Duration};
use wadi_log::{Body, ChainHeadEntry, Hash, NodeId, Role};

/// How often it is looked whether a chain moved.
const LOOK_PERIOD: Duration = Duration::from_secs(5);
/// The least time from one telling of a chain to the next, by the node's clock, milliseconds.
const DAY_MS: i64 = 24 * 3_600_000;

/// How a chain stands to what was told of it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ToldHeads {
    /// Heads that were told of lines which are kept, and that the chain bears out.
    pub borne_out: u64,
    /// The newest line of which another hash was told, or that is gone.
    pub contradicted: Option<u64>,
}

impl LocalChain {
    /// Holds the chain against what this node told of it, line by line.
    pub async fn told_heads(&self) -> Result<ToldHeads, NodeError> {
        let door = self.door();
        let told = {
            let orders = door.orders.lock().expect("no panic holds it");
            orders.chain_heads(&door.id(), self.name())
        };
        let oldest_kept = self.head().await?.n.saturating_sub(self.lines_max());

        let mut verdict = ToldHeads::default();
        for (lines, hash) in told.into_iter().filter(|(lines, _)| *lines > oldest_kept) {
            if self.bears_out(lines, &hash).await? {
                verdict.borne_out += 1;
            } else {
                verdict.contradicted = Some(lines);
            }
        }

        Ok(verdict)
    }

    /// Whether a line is there with that hash.
    async fn bears_out(&self, n: u64, hash: &Hash) -> Result<bool, NodeError> {
        let at = self.page(n.checked_add(1), 1).await?;
        let is_it = |text: &str| Sha256::digest(text.as_bytes())[..] == hash.0;

        Ok(at.first().is_some_and(|l| l.n == n && is_it(&l.text)))
    }

    /// The newest head that this node told of it.
    pub(crate) fn last_told(&self) -> Option<(u64, Hash)> {
        let door = self.door();
        let orders = door.orders.lock().expect("no panic holds it");
        orders.chain_heads(&door.id(), self.name()).pop()
    }

    /// Its head as an entry, where lines came since the last one.
    async fn due(&self) -> Result<Option<Body>, NodeError> {
        let newest = self.page(None, 1).await?;
        let told = self.last_told().map_or(0, |(lines, _)| lines);
        Ok(newest.first().filter(|line| line.n > told).map(|line| {
            Body::ChainHead(ChainHeadEntry {
                chain: self.name().into(),
                lines: line.n,
                head: Hash(Sha256::digest(line.text.as_bytes()).into()),
            })
        }))
    }
}

/// Tells how far these chains go, until the future is dropped.
pub(crate) async fn tell_chain_heads(door: Arc<Door>, chains: [Arc<LocalChain>; 3]) {
    if door.me.role == Role::Observer {
        return std::future::pending().await;
    }

    let mut told_ms: [Option<i64>; 3] = [None; 3];
    loop {
        for (chain, told_ms) in chains.iter().zip(&mut told_ms) {
            let now_ms = door.now_ms();
            // A clock that was set back does not keep it silent.
            let rests = told_ms.is_some_and(|told| (0..DAY_MS).contains(&(now_ms - told)));
            if rests {
                continue;
            }

            // What cannot be read or written now is tried again.
            match tell_one(&door, chain).await {
                Ok(true) => *told_ms = Some(now_ms),
                Ok(false) => {}
                Err(error) => tracing::debug!(%error, "a chain's head cannot be told now"),
            }
        }

        tokio::time::sleep(LOOK_PERIOD).await;
    }
}

/// Holds a chain against what was told last, and tells its head where it moved; whether it did. An
/// alarm stands for a day at least, though the new head be sound.
async fn tell_one(door: &Door, chain: &LocalChain) -> Result<bool, NodeError> {
    if let Some((lines, hash)) = chain.last_told() {
        let stands = chain.bears_out(lines, &hash).await?;
        door.set_alarm(chain.name(), (!stands).then(|| not_borne_out(chain, lines)));
    }

    let Some(body) = chain.due().await? else {
        return Ok(false);
    };
    door.write_control(vec![body], "").await?;
    Ok(true)
}

fn not_borne_out(chain: &LocalChain, lines: u64) -> String {
    let name = chain.name();
    let tells: String = match name {
        "sign_ins" => "keep this node's database, and tell the commission".into(),
        _ => format!("wadi audit {name} --verify says which"),
    };
    format!(
        "line {lines} of {name} is not the one of which this node told its peers: lines were \
         changed or lost; {tells}"
    )
}

impl Door {
    /// The newest head of each chain that a node told of.
    pub(crate) fn chains_of(&self, node: &NodeId) -> Vec<Value> {
        let orders = self.orders.lock().expect("no panic holds it");
        orders
            .newest_chain_heads(node)
            .map(|(chain, lines, head)| {
                json!({"chain": chain, "lines": lines, "head": head.to_string()})
            })
            .collect()
    }
}
