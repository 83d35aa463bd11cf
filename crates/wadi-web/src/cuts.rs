//! Cuts of nodes as operators say them, and cuts that the commission's root signed.

use crate::{Problem, control::bad_control};
use wadi_log::{Cut, CutTarget, Enrolment, Head, NodeId};
use wadi_node::{Node, NodeError};

/// The cut of a node, in as many parts as its heads need: at what is held of it, at what a hub had
/// cosigned by a time, or at nothing at all.
pub(crate) async fn cut_of_node(
    node: &Node,
    name: &str,
    reason: String,
    all: bool,
    since_ms: Option<i64>,
) -> Result<Vec<Cut>, Problem> {
    let id = node_named(node, name)?;
    let heads: Vec<Head> = match (all, since_ms) {
        (true, Some(_)) => {
            let why = "`all` and `since_ms`: one of the two says where the cut falls";
            return Err(bad_control(why.into()));
        }
        (true, None) => Vec::new(),
        (false, Some(since_ms)) => {
            let since_s = u64::try_from(since_ms / 1_000)
                .map_err(|_| bad_control("since_ms: it lies before 1970".into()))?;
            let reads = node.reads();
            let heads = reads.heads_cosigned_by(&id, since_s).await;
            heads.map_err(NodeError::from)?
        }
        (false, None) => node.heads_of(&id),
    };

    Ok(Cut::of(CutTarget::Node(id), heads, reason).in_parts())
}

/// What takes back all that stands against a node as a whole, and was said by hubs.
pub(crate) fn uncut(node: &Node, name: &str, reason: String) -> Result<Cut, Problem> {
    let id = node_named(node, name)?;
    let standing = node.with_control(|c| match c.is_cut(&id) {
        true => c.standing_cuts(&id),
        false => Default::default(),
    });
    if standing.is_empty() {
        return Err(bad_control(format!("{name} is not cut")));
    }

    Ok(Cut {
        extends: standing.into_iter().collect(),
        lifted: true,
        ..Cut::of(CutTarget::Node(id), Vec::new(), reason)
    })
}

/// A cut that the root signed, out of the file that `wadi pki cut` wrote.
pub(crate) fn signed_cut(node: &Node, text: &str) -> Result<Vec<Cut>, Problem> {
    let bad = |why: String| bad_control(format!("cut: {why}"));
    let root = node.with_control(|c| *c.root());
    let mut parts = Vec::new();
    for line in text.split_whitespace() {
        let bytes = wadi_log::unhex(line).ok_or_else(|| bad("it is not hexadecimal".into()))?;
        let cut = Cut::from_bytes(&bytes).map_err(|e| bad(e.to_string()))?;
        if !cut.is_root_signed(&root) {
            return Err(bad("this commission's root did not sign it".into()));
        }

        parts.push(cut);
    }

    match parts.is_empty() {
        true => Err(bad("there is none in it".into())),
        false => Ok(parts),
    }
}

fn node_named(node: &Node, name: &str) -> Result<NodeId, Problem> {
    let found = node.with_control(|c| c.by_name(name).map(Enrolment::node));
    found.ok_or_else(|| bad_control(format!("no node {name:?} is enrolled")))
}
