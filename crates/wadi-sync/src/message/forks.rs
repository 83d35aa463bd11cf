//! The search for a fork, and its proof.

use super::{
    Message,
    wire::{hashes_in, hashes_out, log_out},
};
use crate::pb;
use std::collections::BTreeMap;
use wadi_log::{Branch, ForkProof, Hash, LogError, LogId, SignedCheckpoint};

pub(super) fn roots_out(log: &LogId, roots: &BTreeMap<u64, Hash>) -> pb::Roots {
    pb::Roots {
        log: log_out(log),
        sizes: roots.keys().copied().collect(),
        roots: roots.values().map(|r| r.0.to_vec()).collect(),
    }
}

pub(super) fn roots_in(m: pb::Roots) -> Result<Message, LogError> {
    Ok(Message::Roots {
        log: LogId::from_slice(&m.log)?,
        roots: m.sizes.into_iter().zip(hashes_in(&m.roots)?).collect(),
    })
}

pub(super) fn branch_at_out(log: &LogId, at: u64, branch: &Branch) -> pb::BranchAt {
    pb::BranchAt {
        log: log_out(log),
        at,
        checkpoint: branch.checkpoint.to_bytes(),
        leaf: branch.leaf.0.to_vec(),
        path: hashes_out(&branch.path),
    }
}

pub(super) fn branch_at_in(m: &pb::BranchAt) -> Result<Message, LogError> {
    Ok(Message::BranchAt {
        log: LogId::from_slice(&m.log)?,
        at: m.at,
        branch: Box::new(Branch {
            checkpoint: SignedCheckpoint::from_bytes(&m.checkpoint)?,
            leaf: Hash::from_slice(&m.leaf)?,
            path: hashes_in(&m.path)?,
        }),
    })
}

pub(super) fn fork_proofs_out(proofs: &[ForkProof]) -> pb::ForkProofs {
    pb::ForkProofs {
        proofs: proofs.iter().map(ForkProof::to_bytes).collect(),
    }
}

pub(super) fn fork_proofs_in(m: &pb::ForkProofs) -> Result<Vec<ForkProof>, LogError> {
    m.proofs.iter().map(|p| ForkProof::from_bytes(p)).collect()
}
