//! Whether this node and a peer hold the same.

use crate::{
    door::error::{NodeError, ResyncError},
    upkeep::{resync::Resyncs, scrub::Round},
};
use serde_json::{Value, json};
use wadi_sync::ScopeSum;

/// Lanes and crossings that differ named in an outcome at most, and characters of the reason: a
/// report is an entry.
const NAMED_MAX: usize = 200;

impl Resyncs {
    /// Whether this node and a peer in contact hold the same of all that both take: logs by size
    /// and root, documents and states by digest, through the newest hub time known. Reading
    /// everything through first makes it a proof: without that it is as good as the last scrub.
    pub async fn verify_with(&self, peer: &str, read_through: bool) -> Result<Value, NodeError> {
        let dark = || ResyncError::PeerDark { peer: peer.into() };

        self.enrolled(peer)?;
        let id = self.door.connected(Some(peer)).ok_or_else(dark)?;
        let mut wrong_here = self
            .door
            .wants
            .lock()
            .expect("no panic holds it")
            .missing_count();

        if read_through {
            self.scrub
                .run(Round {
                    bytes_s: None,
                    mend: false,
                })
                .await?;

            let found = self.door.scrub_status();
            wrong_here = wrong_here.max(found.damaged) + found.rederived + found.remade;
        }

        let compared = self.door.compare(id).await?.ok_or_else(dark)?;
        let theirs = self.door.digests_of(id).await.ok_or_else(dark)?;
        let mine = self.door.own_digests().await;
        let they_take = self
            .door
            .with_control(|c| c.enrolment(&id).map(|e| e.scope.clone()));
        let is_taken = |s: &&ScopeSum| {
            they_take
                .as_ref()
                .is_some_and(|t| t.takes(s.lane, s.crossing))
        };
        let both: Vec<&ScopeSum> = mine.iter().filter(is_taken).collect();
        let mut differing = differing_scopes(&mine, &both, &theirs);

        let own_time = self.door.time.hub_time_s();
        let equal = compared.differences.is_empty() && differing.is_empty() && wrong_here == 0;
        differing.truncate(NAMED_MAX);

        Ok(json!({
            "peer": peer,
            "equal": equal,
            "through_s": own_time,
            "logs": compared.mine.0.len(),
            "logs_differing": compared.differences.len(),
            "scopes": both.len(),
            "scopes_differing": differing,
            "wrong_here": wrong_here,
            "read_through": read_through,
            "bytes": compared.bytes,
        }))
    }

    /// The log that a report without an order names: this node's own, at no position of it.
    pub(super) fn own_report_log(&self) -> wadi_log::LogId {
        wadi_log::LogId {
            node: self.door.id(),
            epoch: wadi_log::Epoch([0; 8]),
            lane: wadi_log::Lane::Control,
            crossing: self.door.me.crossing.unwrap_or(wadi_log::Crossing::HUB),
        }
    }
}

/// Lanes and crossings whose records come to something else at the other end: those that both take
/// and differ, and those that only the peer holds.
fn differing_scopes(mine: &[ScopeSum], both: &[&ScopeSum], theirs: &[ScopeSum]) -> Vec<String> {
    let scope = |s: &ScopeSum| (s.lane, s.crossing);
    let name = |s: &ScopeSum| format!("{}/{}", s.lane, s.crossing);

    let differs = |own: &&&ScopeSum| {
        let their = theirs.iter().find(|t| scope(t) == scope(own));
        let nobody_holds_it = own.entries == 0 && their.is_none();
        !nobody_holds_it && their != Some(**own)
    };
    let is_missing_here = |their: &&ScopeSum| !mine.iter().any(|s| scope(s) == scope(their));

    let differing = both.iter().filter(differs).map(|own| name(own));
    let missing = theirs.iter().filter(is_missing_here).map(name);
    differing.chain(missing).collect()
}
